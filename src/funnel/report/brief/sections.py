"""The parts of the page, in their order; each stands, with a sentence, also where it is empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from funnel.methods.bridge.text import unit_of
from funnel.questions.why.claims import NOT_SUPPORTED, SUPPORTED
from funnel.questions.why.open_questions import SIDES, needed_to_settle, unmoved
from funnel.questions.why.text import (
    action_sentence,
    change_cell,
    figure_name,
    figure_value,
    gap_text,
    proposal_action,
    proposal_expected,
    settle_sentence,
    unmoved_sentence,
)
from funnel.report import pages
from funnel.report.brief.gather import Asked, Brief
from funnel.report.brief.html_text import items, text
from funnel.report.brief.results import ACTIONS, CLAIMS, GUARDS, PROPOSALS, WHY, Said
from funnel.report.brief.waterfall import waterfall
from funnel.results import formats
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, smallest_detectable, standard_error

MEASURES = "change"
MOST_CLAIMS = 4
MOST_ACTIONS = 6
_VERDICTS = {"moved": "moved", DID_NOT_MOVE: "ok", CANNOT_TELL: ""}
_GUARDS = {"passed": "ok", "found": "warn"}
_HELD = {SUPPORTED: "moved", NOT_SUPPORTED: "ok"}


def measures(brief: Brief) -> list[str]:
    """Show each measure of both periods: its change, its interval, and the rows behind it."""
    company = brief.data.plan.company
    figures = []
    for _, row in brief.change.table.iterrows():
        n = " / ".join(formats.number(row[key], company) for key in ("n_period", "n_baseline"))
        figures.append(
            f"<div><dt>{pages.escape(figure_name(row['measure']))}</dt>"
            f"<dd>{pages.escape(figure_value(row['value'], row['unit'], brief.say))}</dd>"
            f'<dd class="note">{pages.escape(change_cell(row, brief.say))}; {n} '
            f"{pages.escape(row['counted'])}</dd></div>"
        )
    return [f'<dl class="figures">{"".join(figures)}</dl>', _links(MEASURES)]


def bridge(brief: Brief) -> list[str]:
    """Show what the change is made of, and what was looked at before anything was named."""
    said, change = brief.answers.why, brief.change.table.iloc[0]
    if said.table.empty:
        why = brief.answers.stopped.get(WHY, "Nothing was won in either period.")
        made = [f'<div class="box"><p>The change is not shared out. {text(why)}</p></div>']
    else:
        lines = waterfall(said.table, brief.data, change["baseline"], change["value"])
        made = [lines, _links(WHY, "the line is the interval; the scale need not begin at zero")]
    return ["<h2>What the change is made of</h2>", *made]


def guards(brief: Brief) -> list[str]:
    """Show what was looked at, in order, before anything was named."""
    rows = [
        f'<li><span class="what">{pages.escape(row["guard"])}</span> '
        f"{pages.state(row['state'], _GUARDS.get(row['state'], ''))} {text(row['says'])}</li>"
        for row in brief.checks.to_dict("records")
    ]
    listed = [f'<ul class="guards">{"".join(rows)}</ul>', _links(GUARDS)]
    return [
        "<h2>Looked at first, in this order</h2>",
        *(listed if rows else [_none(brief, GUARDS)]),
    ]


def did_not_move(brief: Brief) -> list[str]:
    """List what did not move, within which bound."""
    table = brief.change.table
    unit = unit_of(brief.data.plan.measure)
    said = [unmoved_sentence(row, unit, brief.say) for row in unmoved(brief.answers.why.table)]
    said += [_bound(row, brief) for _, row in table[table["verdict"] == DID_NOT_MOVE].iterrows()]
    none = "Of no driver and no measure can it be said that it did not move."
    return ["<h2>What did not move</h2>", items(said) if said else _note(none)]


def claims(brief: Brief) -> list[str]:
    """Set what each side says beside what the figures hold for it and against it."""
    said = brief.answers.claims
    first, more = _of_both_sides(brief.claims)
    parts = ["<h2>What each side says</h2>"]
    if not len(first):
        return [*parts, _none(brief, CLAIMS, said)]
    parts.append(_claims_list(first))
    if len(more):
        n = formats.number(len(more), brief.data.plan.company)
        parts.append(pages.folded(f"{n} more claims", _claims_list(more), kind="more"))
    return [*parts, _links(CLAIMS, said.headline)]


def cannot_tell(brief: Brief) -> list[str]:
    """List what cannot be told yet, and what would settle it."""
    table, data = brief.change.table, brief.data
    wins = table[table["measure"] == "wins"].iloc[0]
    known = [0 if pd.isna(wins[key]) else int(wins[key]) for key in ("value", "baseline")]
    baseline = table["baseline"].iloc[0]
    value = 0.0 if pd.isna(baseline) else baseline
    needed = needed_to_settle(brief.answers.why.table, data, (known[0], known[1]), value)
    said = [settle_sentence(each, unit_of(data.plan.measure), brief.say) for each in needed]
    said += brief.answers.why.caveats
    said += _unsure(table[table["verdict"] == CANNOT_TELL], brief)
    none = "Every driver and every measure can be told."
    return [
        "<h2>What cannot be told yet, and what would settle it</h2>",
        items(said, "two") if said else _note(none),
    ]


def asked(brief: Brief) -> list[str]:
    """Ask both sides, as many questions each."""
    sides = "".join(
        f"<div><h3>To {side}</h3><ul>{''.join(map(_question, brief.questions[side]))}</ul></div>"
        for side in SIDES
    )
    return ["<h2>What to ask about what cannot be told</h2>", f'<div class="sides">{sides}</div>']


def _question(asked: Asked) -> str:
    """Set the driver that a question is about apart from what is asked."""
    about, question = asked
    return f"<li>{f'<strong>{text(about)}:</strong> ' if about else ''}{text(question)}</li>"


def agreed(brief: Brief) -> list[str]:
    """Measure again what the last meetings agreed."""
    said = brief.answers.actions
    parts = ["<h2>What was agreed, measured again</h2>"]
    n_aside = int((brief.data.rejects["table"] == "actions").sum())
    if n_aside:
        n = formats.number(n_aside, brief.data.plan.company)
        why = "rows of actions were set aside, such as for want of a measure"
        parts.append(_note(f"{n} {why}: see `rejects/actions.csv`."))
    if not len(said.table):
        return [*parts, _none(brief, ACTIONS, said)]
    latest, earlier = said.table.iloc[-MOST_ACTIONS:], said.table.iloc[:-MOST_ACTIONS]
    parts.append(_actions_list(latest, brief))
    if len(earlier):
        n = formats.number(len(earlier), brief.data.plan.company)
        parts.append(pages.folded(f"{n} due earlier", _actions_list(earlier, brief), kind="more"))
    return [*parts, _links(ACTIONS, *said.caveats)]


def proposed(brief: Brief) -> list[str]:
    """Propose at most five actions, or say why none."""
    said = brief.answers.proposals
    parts = ["<h2>What could be agreed on next</h2>"]
    if not len(said.table):
        return [*parts, _none(brief, PROPOSALS, said)]
    made = said.table.to_dict("records")
    table = said.table.assign(
        action=[proposal_action(row, brief.say, brief.data.comparison) for row in made],
        expected=[proposal_expected(row, brief.say) for row in made],
    )
    same = ["action", "due_on", "measure", "expected"]
    rows = (
        (
            f"<strong>{text(action)}</strong> <small>"
            f"{pages.escape(' and '.join(rows['owner']))}, by {_day(due_on, brief)}</small>",
            f"<em>{text(measure)}</em> {text(expected)}",
        )
        for (action, due_on, measure, expected), rows in table.groupby(same, sort=False)
    )
    return [*parts, _lines(rows, "two-sided"), _links(PROPOSALS, said.headline)]


def data_holds(brief: Brief) -> list[str]:
    """List the traps in how the data is filled, in two columns, and what was set aside."""
    said = _traps(brief)
    half = -(-len(said) // 2)
    sides = "".join(f"<div>{items(part)}</div>" for part in (said[:half], said[half:]) if part)
    return [
        '<section class="screen">',
        "<h2>What the data does not hold</h2>",
        f'<div class="sides">{sides}</div>',
        f'<p class="note">{_set_aside(brief)}</p>',
        "</section>",
    ]


def _claims_list(table: pd.DataFrame) -> str:
    return _lines(
        (
            f"<strong>{text(row['claim'])}</strong> <small>{pages.escape(row['said_by'])}</small>",
            pages.state(row["verdict"], _HELD.get(row["verdict"], "")),
            f"<em>For it:</em> {text(row['for'])}",
            f"<em>Against it:</em> {text(row['against'])}",
        )
        for row in table.to_dict("records")
    )


def _actions_list(table: pd.DataFrame, brief: Brief) -> str:
    return _lines(
        (
            (
                f"<strong>{text(row['action'])}</strong> <small>{pages.escape(row['owner'])}, due "
                f"{_day(row['due_on'], brief)}</small>",
                pages.state(row["verdict"], "moved" if "moved" in row["verdict"] else ""),
                f"<em>{text(_measured(row))}</em> {text(action_sentence(row, brief.say))}",
            )
            for row in table.to_dict("records")
        ),
        "three",
    )


def _lines(rows: Iterable[Sequence[str]], kind: str = "four") -> str:
    """Set rows of HTML cells one below the other on a phone, and beside each other elsewhere."""
    made = ("".join(f"<div>{cell}</div>" for cell in row) for row in rows)
    return f'<ul class="lines {kind}">{"".join(f"<li>{row}</li>" for row in made)}</ul>'


def _of_both_sides(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the first claims of each side, as many of one as of the other where there are.

    Of each side those come first that can be told, whatever was told of them.
    """
    if table.empty:
        return table, table
    table = table.sort_values("verdict", key=lambda told: told == CANNOT_TELL, kind="stable")
    turn = table.groupby("said_by").cumcount()
    order = table.assign(turn=turn).sort_values(["turn", "said_by"], kind="stable")
    order = order.drop(columns="turn")
    return order.iloc[:MOST_CLAIMS], order.iloc[MOST_CLAIMS:]


def _measured(row: Mapping[str, Any]) -> str:
    where = f" in {row['segment']}" if isinstance(row["segment"], str) else ""
    return f"{row['measure']}{where}: {row['expected']}"


def _day(day: str, brief: Brief) -> str:
    written = formats.day(pd.Timestamp(day).date(), brief.data.plan.company)
    return pages.escape(written)


def _none(brief: Brief, name: str, said: Said | None = None) -> str:
    """Say why a part is empty."""
    why = brief.answers.stopped.get(name) or (said.headline if said else "")
    return _note(why or "Nothing is known here.")


def _note(said: str) -> str:
    return f'<p class="note">{text(said)}</p>'


def _links(name: str, *said: str) -> str:
    """Name the files behind a part, after what is to be said of it."""
    words = " ".join(f"{each[:1].upper()}{each[1:].rstrip('.')}." for each in said if each)
    return (
        f'<p class="note">{text(words)} <span class="screen">Figures: '
        f'<a href="results/{name}.csv">results/{name}.csv</a>; rows behind them: '
        f'<a href="rows/{name}.csv">rows/{name}.csv</a>.</span></p>'
    )


def _bound(row: pd.Series, brief: Brief) -> str:
    widest = max(-row["low"], row["high"])
    bound = _size(widest, row, brief)
    return f"{figure_name(row['measure'])}: not by more than {bound}, up or down."


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
    reasons = [
        gap_text(row, brief.say, brief.data.comparison) or "too few rows"
        for row in without.to_dict("records")
    ]
    for reason, same in without.groupby(reasons, sort=False):
        items.append(f"{figure_name(', '.join(same['measure']))}: {reason}.")
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
    return figure_value(size, row["unit"], brief.say)


def _traps(brief: Brief) -> list[str]:
    """Say each kind of trap once; further ones of a kind are counted."""
    says = []
    for _, same in brief.traps.table.groupby("trap", sort=False):
        more = f" ({len(same) - 1} more like this: see readiness.)" if len(same) > 1 else ""
        says.append(f"{same['says'].iloc[0]}{more}")
    return says or [brief.traps.headline]


def notebooks(brief: Brief) -> list[str]:
    """Link each notebook's page, with its headline."""
    if not brief.notebooks:
        return []
    cards = [
        f'<li><a href="{pages.escape(each.name)}.html">{pages.escape(each.title)}</a> '
        f"{pages.state(each.state, 'ok' if each.is_ok else 'warn')}"
        f"<p>{text(each.says)}</p></li>"
        for each in brief.notebooks
    ]
    return [
        '<section class="screen">',
        "<h2>Behind this page</h2>",
        f'<ul class="cards">{"".join(cards)}</ul>',
        "</section>",
    ]


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
