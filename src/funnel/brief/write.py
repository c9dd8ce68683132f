"""The brief as a page and as data: the answer first, and every number from a kept result."""

from __future__ import annotations

import io
import json
import math
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
MOST_TRAPS = 4
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
        f'<p class="answer">{pages.escape(brief.change.headline)}</p>',
        *_notices(brief),
        *_change(brief),
        *_open(brief),
        *_traps(brief),
        *_notebooks(brief),
        *_asked(brief),
        *_set_aside(brief),
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
        *(f'<div class="box warn"><p>{pages.escape(text)}</p></div>' for text in boxes),
        *(f'<p class="note">{pages.escape(text)}</p>' for text in said),
    ]


def _change(brief: Brief) -> list[str]:
    company, comparison = brief.data.plan.company, brief.data.comparison
    now, then = (span(each, company) for each in (comparison.period, comparison.baseline))
    level = formats.share(brief.change.level, company)
    columns = ["measure", now, then, f"change [{level} interval]", "rows", "verdict"]
    rows = [
        [
            name_of(row["measure"]),
            shown(row["value"], row["unit"], company),
            shown(row["baseline"], row["unit"], company),
            change_shown(row, company),
            f"{formats.number(row['n_period'], company)} / "
            f"{formats.number(row['n_baseline'], company)}",
            pages.state(row["verdict"], _KINDS[row["verdict"]]),
        ]
        for _, row in brief.change.table.iterrows()
    ]
    png, alt, width = _picture(brief)
    return [
        "<h2>The change, measure by measure</h2>",
        pages.table(rows, columns, numbers=columns[1:5], ready=["verdict"]),
        pages.picture(png, alt, width=width),
        f'<p class="note">Figures: <a href="results/{RESULT}.csv">results/{RESULT}.csv</a>; rows '
        f'behind them: <a href="rows/{RESULT}.csv">rows/{RESULT}.csv</a>.</p>',
    ]


def _open(brief: Brief) -> list[str]:
    """List what did not move, within which bound, and what cannot be told."""
    table = brief.change.table
    still = [_bound(row, brief) for _, row in table[table["verdict"] == DID_NOT_MOVE].iterrows()]
    unsure = [_unsure(row, brief) for _, row in table[table["verdict"] == CANNOT_TELL].iterrows()]
    parts = []
    for title, items in (("What did not move", still), ("What cannot be told", unsure)):
        if items:
            parts += [f"<h2>{title}</h2>", _list(items)]
    return parts


def _bound(row: pd.Series, brief: Brief) -> str:
    widest = max(-row["low"], row["high"])
    bound = _size(widest, row, brief)
    return f"{name_of(row['measure'])}: not by more than {bound}, up or down."


def _unsure(row: pd.Series, brief: Brief) -> str:
    name = name_of(row["measure"])
    if row["why"]:
        return f"{name}: {row['why']}."
    if math.isnan(row["low"]):
        return f"{name}: there are too few rows for an interval."
    error = standard_error(row["low"], row["high"], brief.change.level)
    least = _size(float(smallest_detectable(error, brief.change.level)), row, brief)
    return (
        f"{name}: the interval of its change, {change_shown(row, brief.data.plan.company)}, holds "
        f"zero. With rows like these, a change of {least} shows in four cases of five."
    )


def _size(size: float, row: pd.Series, brief: Brief) -> str:
    company = brief.data.plan.company
    if row["unit"] == "rate":
        return f"{formats.number(100 * size, company, digits=1)} points"
    if row["baseline"] > 0:
        return formats.share(size / row["baseline"], company)
    return shown(size, row["unit"], company)


def _traps(brief: Brief) -> list[str]:
    says = brief.traps.table["says"].tolist()
    if not says:
        return []
    more = len(says) - MOST_TRAPS
    items = says[:MOST_TRAPS]
    if more > 0:
        items.append(f"{formats.number(more, brief.data.plan.company)} more: see readiness.")
    return ["<h2>How the data is filled</h2>", _list(items)]


def _notebooks(brief: Brief) -> list[str]:
    if not brief.notebooks:
        return []
    cards = [
        f'<li><a href="{pages.escape(each.name)}.html">{pages.escape(each.title)}</a> '
        f"{pages.state(each.state, 'ok' if each.is_ok else 'warn')}"
        f"<p>{pages.escape(each.says)}</p></li>"
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


def _set_aside(brief: Brief) -> list[str]:
    company, counts = brief.data.plan.company, brief.data.counts
    aside = counts[counts["rows_rejected"] > 0]
    if aside.empty:
        return []
    items = []
    for _, row in aside.iterrows():
        late = row.get("rows_after_as_of", 0)
        later = f", {formats.number(late, company)} of them dated later" if late else ""
        name = pages.escape(row["table"])
        items.append(
            f"<li>{formats.number(row['rows_rejected'], company)} of "
            f"{formats.number(row['rows_in'], company)} rows of "
            f'<a href="rejects/{name}.csv">{name}</a>{later}</li>'
        )
    return ["<h2>What was set aside</h2>", f"<ul>{''.join(items)}</ul>"]


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
    return f"<ul>{''.join(f'<li>{pages.escape(item)}</li>' for item in items)}</ul>"


def _picture(brief: Brief) -> tuple[bytes, str, int]:
    import matplotlib as mpl

    mpl.use("agg")  # a page is made where there may be no screen
    from matplotlib import pyplot as plt

    figure = brief.change.plot().figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)
    width = round(figure.get_size_inches()[0] * 96)
    return buffer.getvalue(), str(figure.get_label()), width
