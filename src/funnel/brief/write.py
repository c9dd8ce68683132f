"""The brief as a page and as data: the answer first, and every number from a kept result."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from funnel import formats, pages
from funnel.brief.gather import SIDES, Brief, NotebookRun, gather
from funnel.change.words import change_shown, name_of, shown, span
from funnel.evidence import CANNOT_TELL, DID_NOT_MOVE, smallest_detectable, standard_error
from funnel.results import write_result

if TYPE_CHECKING:
    from funnel.load import Tables

RESULT = "change"
_DOTS_PER_INCH = 160
_KINDS = {"moved": "moved", DID_NOT_MOVE: "ok", CANNOT_TELL: ""}


def write(data: Tables, folder: str | Path, runs: Iterable[NotebookRun]) -> Brief:
    """Write `index.html`, `brief.json` and the period's change into a snapshot.

    Parameters
    ----------
    data
        A company's tables.
    folder
        The snapshot being made; `results/` holds what the notebooks kept.
    runs
        What became of each notebook, in the order of the page.

    Returns
    -------
    Brief
        What was written.
    """
    folder = Path(folder)
    brief = gather(data, folder, runs)
    write_result(brief.change, RESULT, folder)
    text = json.dumps(brief.as_dict(), ensure_ascii=False, indent=1)
    (folder / "brief.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "index.html").write_text(page(brief), encoding="utf-8")
    return brief


def page(brief: Brief) -> str:
    """Set the brief as one page.

    Parameters
    ----------
    brief
        What `gather` found.

    Returns
    -------
    str
        HTML that needs nothing beside it.
    """
    company = brief.data.plan.company
    when = span(brief.data.comparison.period, company)
    parts = [
        f'<p class="kicker">{pages.escape(company.name)} \u00b7 data up to '
        f"{pages.escape(formats.day(brief.data.as_of, company))}</p>",
        f"<h1>What changed in {pages.escape(when)}</h1>",
        f'<p class="answer">{_text(brief.change.headline)}</p>',
        *_notices(brief),
        *_change(brief),
        *_asked(brief),
        *_data(brief),
        *_notebooks(brief),
    ]
    title = f"{company.name}, {when}"
    return pages.page(
        title, "\n".join(parts), footer=_footer(brief), lang=company.locale.split("_")[0]
    )


def _notices(brief: Brief) -> list[str]:
    said = list(brief.change.caveats)
    boxes = []
    if brief.plan_changed_since:
        boxes.append(
            "The plan is not the one of the snapshot of this period made for "
            f"{brief.plan_changed_since}: it was changed after looking. Compare the two plans in "
            "their `manifest.json` before comparing figures."
        )
    stopped = [each for each in brief.notebooks if not each.is_ok]
    if stopped:
        names = ", ".join(each.name for each in stopped)
        boxes.append(f"Not every notebook came to its end: {names}. The others stand.")
    return [
        *(f'<div class="box warn"><p>{_text(text)}</p></div>' for text in boxes),
        *(f'<p class="note">{_text(text)}</p>' for text in said),
    ]


def _change(brief: Brief) -> list[str]:
    company, comparison = brief.data.plan.company, brief.data.comparison
    now, then = (span(each, company) for each in (comparison.period, comparison.baseline))
    level = formats.share(brief.change.level, company)
    columns = ["measure", "verdict", f"change [{level} interval]", now, then, "rows"]
    rows = [
        [
            name_of(row["measure"]),
            pages.state(row["verdict"], _KINDS[row["verdict"]]),
            change_shown(row, company),
            shown(row["value"], row["unit"], company),
            shown(row["baseline"], row["unit"], company),
            f"{formats.number(row['n_period'], company)} / "
            f"{formats.number(row['n_baseline'], company)}",
        ]
        for _, row in brief.change.table.iterrows()
    ]
    return [
        "<h2>The change, measure by measure</h2>",
        pages.table(rows, columns, numbers=columns[2:], ready=["verdict"]),
        '<div class="sides">',
        *_picture(brief),
        f"<div>{''.join(_open(brief))}"
        f'<p class="note">Figures: <a href="results/{RESULT}.csv">results/{RESULT}.csv</a>; rows '
        f'behind them: <a href="rows/{RESULT}.csv">rows/{RESULT}.csv</a>.</p></div>',
        "</div>",
    ]


def _open(brief: Brief) -> list[str]:
    """List what did not move, within which bound, and what cannot be told."""
    table = brief.change.table
    still = [_bound(row, brief) for _, row in table[table["verdict"] == DID_NOT_MOVE].iterrows()]
    unsure = _unsure(table[table["verdict"] == CANNOT_TELL], brief)
    parts = []
    for title, items in (("What did not move", still), ("What cannot be told", unsure)):
        if items:
            parts += [f"<h3>{title}</h3>", _list(items)]
    return parts


def _bound(row: pd.Series, brief: Brief) -> str:
    widest = max(-row["low"], row["high"])
    bound = _size(widest, row, brief)
    return f"{name_of(row['measure'])}: not by more than {bound}, up or down."


def _unsure(rows: pd.DataFrame, brief: Brief) -> list[str]:
    """Say what would have shown, and for what the data holds no answer, each reason once."""
    known = rows[rows["low"].notna()]
    items = []
    if len(known):
        least = [
            f"{row['measure']} by {_size(_least_shown(row, brief), row, brief)}"
            for _, row in known.iterrows()
        ]
        items.append(
            "Whether these moved: their intervals hold zero. With rows like these, four cases of "
            f"five would show a change of {', '.join(least)}."
        )
    without = rows[rows["low"].isna()]
    for why, same in without.groupby(without["why"].replace("", "too few rows"), sort=False):
        items.append(f"{name_of(', '.join(same['measure']))}: {why}.")
    return items


def _least_shown(row: pd.Series, brief: Brief) -> float:
    level = brief.change.level
    return float(smallest_detectable(standard_error(row["low"], row["high"], level), level))


def _size(size: float, row: pd.Series, brief: Brief) -> str:
    company = brief.data.plan.company
    if row["unit"] == "rate":
        return f"{formats.number(100 * size, company, digits=1)} points"
    if row["baseline"] > 0:
        return formats.share(size / row["baseline"], company)
    return shown(size, row["unit"], company)


def _data(brief: Brief) -> list[str]:
    """List the traps in how the data is filled, in two columns, and what was set aside."""
    items = _traps(brief)
    half = -(-len(items) // 2)
    sides = "".join(f"<div>{_list(part)}</div>" for part in (items[:half], items[half:]) if part)
    return [
        "<h2>What the data does not hold</h2>",
        f'<div class="sides">{sides}</div>',
        f'<p class="note">{_set_aside(brief)}</p>',
    ]


def _traps(brief: Brief) -> list[str]:
    """Say each kind of trap once; further ones of a kind are counted."""
    says = []
    for _, same in brief.traps.table.groupby("trap", sort=False):
        more = f" ({len(same) - 1} more like this: see readiness.)" if len(same) > 1 else ""
        says.append(f"{same['says'].iloc[0]}{more}")
    return says or [brief.traps.headline]


def _notebooks(brief: Brief) -> list[str]:
    if not brief.notebooks:
        return []
    cards = [
        f'<li><a href="{pages.escape(each.name)}.html">{pages.escape(each.title)}</a> '
        f"{pages.state(each.state, 'ok' if each.is_ok else 'warn')}"
        f"<p>{_text(each.says)}</p></li>"
        for each in brief.notebooks
    ]
    return ["<h2>Behind this page</h2>", f'<ul class="cards">{"".join(cards)}</ul>']


def _asked(brief: Brief) -> list[str]:
    sides = [
        f"<div><h3>To {side}</h3>{_list(brief.questions[side])}</div>"
        for side in SIDES
        if brief.questions[side]
    ]
    return ["<h2>What to ask</h2>", f'<div class="sides">{"".join(sides)}</div>'] if sides else []


def _set_aside(brief: Brief) -> str:
    company, counts = brief.data.plan.company, brief.data.counts
    aside = counts[counts["rows_rejected"] > 0]
    if aside.empty:
        return f"Of {formats.number(counts['rows_in'].sum(), company)} rows, none was set aside."
    items = []
    for _, row in aside.iterrows():
        late = row["rows_after_as_of"]
        later = f" ({formats.number(late, company)} dated later)" if late else ""
        name = pages.escape(row["table"])
        items.append(
            f"{formats.number(row['rows_rejected'], company)} of "
            f"{formats.number(row['rows_in'], company)} rows of "
            f'<a href="rejects/{name}.csv">{name}</a>{later}'
        )
    return f"Set aside, with the reason: {'; '.join(items)}."


def _footer(brief: Brief) -> str:
    data, comparison = brief.data, brief.data.comparison
    company, plan = data.plan.company, data.plan
    days = " against ".join(
        f"{each.label} ({formats.day(each.start, company)} to {formats.day(each.end, company)})"
        for each in (comparison.period, comparison.baseline)
    )
    level = formats.share(brief.change.level, company)
    return (
        f"{pages.escape(days)}, days of {pages.escape(company.timezone)}. Measure: {plan.measure}. "
        f"Intervals: {level}. Moved: the interval leaves zero out. Did not move: it holds zero and "
        f"lies within a tenth of the earlier value. Data up to {data.as_of.isoformat()}. Plan "
        f"<code>{plan.sha256[:12]}</code>. Inputs, versions and checksums: "
        '<a href="manifest.json">manifest.json</a>; this page as data: '
        '<a href="brief.json">brief.json</a>.'
    )


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"


def _text(sentence: str) -> str:
    """Escape a sentence, and set what it quotes as a column or table in code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", pages.escape(sentence))


def _picture(brief: Brief) -> list[str]:
    """Draw the change where there is any interval to draw."""
    if brief.change.table["low"].isna().all():
        return []
    import matplotlib as mpl

    mpl.use("agg")  # a page is made where there may be no screen
    from matplotlib import pyplot as plt

    figure = brief.change.plot().figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)
    width = round(figure.get_size_inches()[0] * 96)
    return [pages.picture(buffer.getvalue(), str(figure.get_label()), width=width)]
