"""The first page as HTML: the parts in their order, each present also where it is empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from funnel.methods.bridge import text as bridge_text
from funnel.methods.bridge.bridge import shown_totals
from funnel.methods.bridge.stage_history import arrivals
from funnel.questions.why.claims import NOT_SUPPORTED, SUPPORTED
from funnel.questions.why.open_questions import SIDES
from funnel.questions.why.text import TIERS, change_cell, figure_name, figure_value, measured
from funnel.questions.why.verdicts import explained_by, is_in_play, is_named, tier_of
from funnel.report import pages
from funnel.report.brief import text
from funnel.report.brief.facts import (
    ACTIONS,
    CHANGE,
    CHECKS,
    CLAIMS,
    HEARD,
    PROPOSALS,
    WHY,
    Brief,
    SavedResult,
)
from funnel.report.brief.records_page import records_of
from funnel.report.brief.screen import first_screen, question_page
from funnel.results.text import capital
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED

MOST_CLAIMS = 4
MOST_ACTIONS = 6
_CLASSES = {MOVED: "moved", DID_NOT_MOVE: "ok", CANNOT_TELL: ""}
_CHECK_CLASSES = {"passed": "ok", "found": "warn"}
_CLAIM_CLASSES = {SUPPORTED: "moved", NOT_SUPPORTED: "ok"}
_MARGIN = 0.03  # of the waterfall's width, on both sides
_NARROWEST = 0.3  # per cent of the width, so that a small bar is seen
_SIGNED = re.compile(r"(?<![\w&#;])([-+][^\s\w<>&]{0,3}\d[\d.,]*%?)")  # no line ends after a sign


def page(brief: Brief) -> str:
    """The first page as one HTML file that needs nothing beside it.

    The first screen is what both teams read; all else is folded behind a line that opens it.
    """
    company = brief.say.company
    parts = [
        first_screen(brief),
        '<section id="more">',
        *_folded("warnings", text.WARNINGS_HEADING, _warnings(brief)),
        *_folded("figures", text.FIGURES_HEADING, _figures(brief)),
        *_folded("bridge", text.BRIDGE_HEADING, _bridge(brief)),
        *_folded("unmoved", text.UNMOVED_HEADING, _unmoved(brief)),
        *_folded("checks", text.CHECKS_HEADING, _checks(brief)),
        *_folded("claims", text.CLAIMS_HEADING, _claims(brief)),
        *_folded("open", text.OPEN_HEADING, _open(brief)),
        *_folded("questions", text.QUESTIONS_HEADING, _questions(brief)),
        *_folded("agreed", text.AGREED_HEADING, _agreed(brief)),
        *_folded("next", text.PROPOSED_HEADING, _proposed(brief)),
        *_folded("records", text.RECORDS_HEADING, _records(brief)),
        *_folded("pages", text.CARDS_HEADING, _cards(brief)),
        "</section>",
    ]
    title = f"{company.name}: {text.title(brief)}"
    language = company.locale.split("_")[0]
    return pages.page(title, "\n".join(parts), footer=_footer(brief), lang=language)


def _folded(name: str, heading: str, body: Sequence[str]) -> list[str]:
    """A part behind its heading, closed; nothing where it has no content at all."""
    if not body:
        return []
    return [
        f'<details class="part" id="{name}"><summary><h2>{heading}</h2></summary>',
        *body,
        "</details>",
    ]


def _warnings(brief: Brief) -> list[str]:
    return [f'<div class="box warn"><p>{_html(each)}</p></div>' for each in text.notices(brief)]


def _figures(brief: Brief) -> list[str]:
    """The plan's measure in sentences, and each measure of both periods."""
    return [
        *(f'<p class="answer">{_html(each)}</p>' for each in text.compared(brief)),
        *map(_note, brief.comparisons.caveats),
        f'<p class="answer">{_html(text.answer(brief))}</p>',
        *map(_note, brief.change.caveats),
        *_measures(brief),
    ]


def _unmoved(brief: Brief) -> list[str]:
    sentences = text.did_not_move(brief)
    return [_items(sentences) if sentences else _note(text.NOTHING_UNMOVED)]


def _open(brief: Brief) -> list[str]:
    sentences = text.still_open(brief)
    return [_items(sentences, "two") if sentences else _note(text.NOTHING_OPEN)]


def _measures(brief: Brief) -> list[str]:
    """Each measure of both periods: its change, its interval and its number of rows."""
    say, figures = brief.say, []
    for row in measured(brief.change.table).to_dict("records"):
        n = " / ".join(say.number(row[key]) for key in ("n_period", "n_baseline"))
        figures.append(
            f"<div><dt>{pages.escape(figure_name(row['measure']))}</dt>"
            f"<dd>{pages.escape(figure_value(row['value'], row['unit'], say))}</dd>"
            f'<dd class="note">{pages.escape(change_cell(row, say))}; {n} '
            f"{pages.escape(row['counted'])}</dd>{_also(brief, row['measure'])}</div>"
        )
    return [f'<dl class="figures">{"".join(figures)}</dl>', _files(CHANGE)]


def _also(brief: Brief, measure: str) -> str:
    """A measure against its goal and the other period, below its comparison."""
    others = text.other_comparisons(brief, measure)
    return f'<dd class="note">{pages.escape(others)}</dd>' if others else ""


def _bridge(brief: Brief) -> list[str]:
    """What the change is made of, as a waterfall."""
    table, change = brief.evidence.why.table, brief.change.table.iloc[0]
    if shown_totals(table).empty:
        reason = text.stopped(brief, WHY) or text.no_bridge(brief)
        made = [f'<div class="box"><p>{_html(reason)}</p></div>']
    else:
        lines = waterfall(table, brief, change["baseline"], change["value"])
        made = [lines, _files(WHY, text.WATERFALL_NOTE)]
    return made


def waterfall(table: pd.DataFrame, brief: Brief, baseline: float, value: float) -> str:
    """Lines from the baseline's value to the period's, one per driver.

    It is text with bars beside it, so that it reads on a phone, in print and aloud.

    Parameters
    ----------
    table
        Rows of the bridge.
    brief
        For the two periods, the unit and the formats.
    baseline, value
        Of the plan's measure in the two periods.

    Returns
    -------
    str
        HTML of a list; each line has its driver, contribution with interval, and verdict.
    """
    say, comparison = brief.say, brief.data.comparison
    then, now = (
        say.span(each.start, each.end) for each in (comparison.baseline, comparison.period)
    )
    unit = bridge_text.unit_of(brief.data.plan.measure)

    def amount(value: float, *, sign: bool = False) -> str:
        return pages.escape(bridge_text.amount(value, unit, say, sign=sign))

    totals = shown_totals(table)
    arriving = arrivals(brief.data)
    steps = totals["contribution"].to_numpy(float)
    begin = baseline + np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    low, high = (begin + totals[end].fillna(0.0).to_numpy(float) for end in ("low", "high"))
    reach = np.concatenate([[baseline, value], begin, begin + steps, low, high])
    width = max(float(np.ptp(reach)), 1e-9)
    left = float(reach.min()) - _MARGIN * width
    scale = 100 / ((1 + 2 * _MARGIN) * width)

    def mark(name: str, start: float, end: float) -> str:
        first, last = sorted(((start - left) * scale, (end - left) * scale))
        place = f"left:{first:.2f}%;width:{max(last - first, _NARROWEST):.2f}%"
        return f'<i class="{name}" style="{place}"></i>'

    def line(name: str, what: str, marks: str, shown: str, state: str = "") -> str:
        return (
            f'<li class="{name}"><span class="what">{what}</span>'
            f'<span class="track" aria-hidden="true">{marks}</span>'
            f'<span class="value">{shown}</span><span>{state}</span></li>'
        )

    lines = [line("end", pages.escape(then), mark("bar", left, baseline), amount(baseline))]
    for place, row in enumerate(totals.to_dict("records")):
        check = explained_by(row)
        name = "" if check else _CLASSES[row["verdict"]]
        marks = mark("bar", begin[place], begin[place] + steps[place])
        shown = f"{amount(row['contribution'], sign=True)} "
        if is_in_play(row):
            marks += mark("reach", low[place], high[place])
            ends = (amount(row[end], sign=True) for end in ("low", "high"))
            shown += f"<small>{say.interval(*ends)}</small>"
        state = pages.state(row["verdict"], name)
        if tier := TIERS[tier_of(row)]:
            state += f" <small>{tier}</small>"
        if check:
            state += f" <small>{pages.escape(check)} explains it</small>"
        state += _list_link(row["driver"], brief)
        named = " named" if is_named(row) else ""
        what = pages.escape(capital(bridge_text.driver_label(row["driver"], say, arriving)))
        if target := question_page(row["driver"], brief):
            what = f'<a href="{target}.html">{what}</a>'
        lines.append(line(f"{name or 'unsure'}{named}", what, marks, shown, state))
    lines.append(line("end", pages.escape(now), mark("bar", left, value), amount(value)))
    return f'<ol class="fall">{"".join(lines)}</ol>'


def _checks(brief: Brief) -> list[str]:
    """What was checked, in order, before a driver was named."""
    rows = [
        f'<li><span class="what">{pages.escape(row["guard"])}</span> '
        f"{pages.state(row['state'], _CHECK_CLASSES.get(row['state'], ''))} {_html(row['says'])}"
        "</li>"
        for row in text.checks(brief).to_dict("records")
    ]
    listed = [f'<ul class="guards">{"".join(rows)}</ul>', _files(CHECKS)]
    return listed if rows else [_empty(brief, CHECKS)]


def _claims(brief: Brief) -> list[str]:
    """What each side says, with the figures for it and against it."""
    first, more = _of_both_sides(text.claims(brief))
    if not len(first):
        return [_empty(brief, CLAIMS, brief.evidence.claims)]
    parts = [_claims_list(first)]
    if len(more):
        parts.append(
            pages.folded(text.folded_claims(len(more), brief), _claims_list(more), kind="more")
        )
    return [*parts, _files(CLAIMS, brief.evidence.claims.headline), *_heard(brief)]


def _heard(brief: Brief) -> list[str]:
    """What each side hears, beside how often it is recorded; nothing where nothing is."""
    rows = [
        (
            f"<strong>{_html(row['what'])}</strong> <small>{pages.escape(row['heard_by'])}, "
            f"{text.times(row['n'], brief)}</small>",
            _html(row["beside"]),
        )
        for row in text.heard(brief).to_dict("records")
    ]
    if not rows:
        return []
    return [pages.folded(text.HEARD_HEADING, _lines(rows, "two-sided"), kind="more"), _files(HEARD)]


def _claims_list(table: pd.DataFrame) -> str:
    return _lines(
        (
            f"<strong>{_html(row['claim'])}</strong> <small>{pages.escape(row['said_by'])}</small>",
            pages.state(row["verdict"], _CLAIM_CLASSES.get(row["verdict"], "")),
            f"<em>For it:</em> {_html(row['for'])}",
            f"<em>Against it:</em> {_html(row['against'])}",
        )
        for row in table.to_dict("records")
    )


def _of_both_sides(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The claims shown first, in turn of both sides, and the others.

    Of each side those with a verdict come first, whatever the verdict.
    """
    if table.empty:
        return table, table
    table = table.sort_values("verdict", key=lambda each: each == CANNOT_TELL, kind="stable")
    turn = table.groupby("said_by").cumcount()
    order = table.assign(turn=turn).sort_values(["turn", "said_by"], kind="stable")
    order = order.drop(columns="turn")
    return order.iloc[:MOST_CLAIMS], order.iloc[MOST_CLAIMS:]


def _questions(brief: Brief) -> list[str]:
    """As many questions to one side as to the other."""
    found = text.questions(brief)

    def item(ask: text.Ask) -> str:
        driver = f"<strong>{_html(ask.driver)}:</strong> " if ask.driver else ""
        return f"<li>{driver}{_html(ask.question)}</li>"

    sides = "".join(
        f"<div><h3>To {side}</h3><ul>{''.join(map(item, found[side]))}</ul></div>" for side in SIDES
    )
    return [f'<div class="sides">{sides}</div>']


def _agreed(brief: Brief) -> list[str]:
    """What the last meetings agreed, measured again."""
    parts = []
    if rejected := text.rejected_actions(brief):
        parts.append(_note(rejected))
    table = text.actions(brief)
    if not len(table):
        return [*parts, _empty(brief, ACTIONS, brief.evidence.actions)]
    latest, earlier = table.iloc[-MOST_ACTIONS:], table.iloc[:-MOST_ACTIONS]
    parts.append(_actions_list(latest, brief))
    if len(earlier):
        label = text.folded_actions(len(earlier), brief)
        parts.append(pages.folded(label, _actions_list(earlier, brief), kind="more"))
    return [*parts, _files(ACTIONS, *brief.evidence.actions.caveats)]


def _actions_list(table: pd.DataFrame, brief: Brief) -> str:
    return _lines(
        (
            (
                f"<strong>{_html(row['action'])}</strong> <small>{pages.escape(row['owner'])}, due "
                f"{_day(row['due_on'], brief)}</small>",
                pages.state(row["verdict"], MOVED if MOVED in row["verdict"] else ""),
                f"<em>{_html(row['target'])}</em> {_html(row['result'])}",
            )
            for row in table.to_dict("records")
        ),
        "three",
    )


def _proposed(brief: Brief) -> list[str]:
    """At most five proposed actions, or why there is none."""
    saved, table = brief.evidence.proposals, text.proposals(brief)
    if not len(table):
        return [_empty(brief, PROPOSALS, saved)]
    same = ["action", "due_on", "measure", "expected"]
    rows = (
        (
            f"<strong>{_html(action)}</strong> <small>"
            f"{pages.escape(' and '.join(rows['owner']))}, by {_day(due_on, brief)}</small>"
            f"{_list_link(rows['driver'].iloc[0], brief)}",
            f"<em>{_html(measure)}</em> {_html(expected)}",
        )
        for (action, due_on, measure, expected), rows in table.groupby(same, sort=False)
    )
    return [_lines(rows, "two-sided"), _files(PROPOSALS, saved.headline)]


def _records(brief: Brief) -> list[str]:
    """Problems of the records in two columns, and the rows that are not used."""
    sentences = text.record_limits(brief)
    half = -(-len(sentences) // 2)
    sides = "".join(
        f"<div>{_items(part)}</div>" for part in (sentences[:half], sentences[half:]) if part
    )
    rejected = [
        f'{pages.escape(n)} of <a href="rejects/{pages.escape(table)}.csv">{pages.escape(table)}'
        "</a>"
        for n, table in text.rejected_rows(brief)
    ]
    note = f"Not used, with the reason: {'; '.join(rejected)}."
    return [
        f'<div class="sides">{sides}</div>',
        f'<p class="note">{note if rejected else pages.escape(text.no_rejected_rows(brief))}</p>',
    ]


def _cards(brief: Brief) -> list[str]:
    """Each notebook's page with its answer, or with the state of a notebook that has none.

    "ok" after a question would read as its answer.
    """
    if not brief.cards:
        return []
    cards = [
        f'<li><a href="{pages.escape(card.name)}.html">{pages.escape(card.title)}</a> '
        f"{'' if card.is_ok else pages.state(card.state, 'warn')}"
        f"<p>{_html(card.message if card.is_ok else text.not_run(card))}</p>"
        f'<p class="note">{_html(text.how_sure(card, brief))}</p></li>'
        for card in brief.cards
    ]
    return [
        f'<ul class="cards">{"".join(cards)}</ul>',
        *_answered(brief),
    ]


def _footer(brief: Brief) -> str:
    return (
        f"{pages.escape(text.periods(brief))} Data to {brief.data.as_of.isoformat()}. Plan "
        f"<code>{brief.data.plan.sha256[:12]}</code>. Inputs, versions and checksums: "
        '<a href="manifest.json">manifest.json</a>; this page as data: '
        '<a href="brief.json">brief.json</a>.'
    )


def _answered(brief: Brief) -> list[str]:
    """By state, the questions of this run, each linked to the page that holds its figure."""
    lines = []
    for state, rows in brief.answered.groupby("state", sort=False):
        names = (
            f'<a href="{pages.escape(row["page"])}.html">{pages.escape(row["question"])}</a>'
            if row["figure"]
            else pages.escape(row["question"])
            for row in rows.to_dict("records")
        )
        heading = text.QUESTIONS_BY_STATE[state]
        lines.append(f'<p class="note">{heading}: {", ".join(names)}.</p>')
    return lines


def _items(sentences: Sequence[str], kind: str = "") -> str:
    """Sentences as a list; one of kind `two` has two columns where there is room."""
    opened = f'<ul class="{kind}">' if kind else "<ul>"
    return f"{opened}{''.join(f'<li>{_html(each)}</li>' for each in sentences)}</ul>"


def _lines(rows: Iterable[Sequence[str]], kind: str = "four") -> str:
    """Rows of HTML cells: one below the other on a phone, side by side elsewhere."""
    made = ("".join(f"<div>{cell}</div>" for cell in row) for row in rows)
    return f'<ul class="lines {kind}">{"".join(f"<li>{row}</li>" for row in made)}</ul>'


def _html(sentence: str) -> str:
    """Escape a sentence; a column or table that it quotes is set as code.

    Examples
    --------
    >>> _html("`mrr` of <Acme>: -4%")
    '<code>mrr</code> of &lt;Acme&gt;: <span class="n">-4%</span>'
    """
    made = re.sub(r"`([^`]+)`", r"<code>\1</code>", pages.escape(sentence))
    return _SIGNED.sub(r'<span class="n">\1</span>', made)


def _day(day: str, brief: Brief) -> str:
    return pages.escape(brief.say.day(pd.Timestamp(day).date()))


def _empty(brief: Brief, name: str, saved: SavedResult | None = None) -> str:
    """Why a part is empty."""
    reason = text.stopped(brief, name) or (saved.headline if saved else "")
    return _note(reason or text.NOTHING_RECORDED)


def _note(sentence: str) -> str:
    return f'<p class="note">{_html(sentence)}</p>'


def _list_link(driver: str, brief: Brief) -> str:
    """Link to a driver's records, small; empty where there are none."""
    target = records_of(driver, brief)
    return f' <small><a href="{target}">{text.LIST_LINK}</a></small>' if target else ""


def _files(name: str, *sentences: str) -> str:
    """Links to the files behind a part, after what is reported of it."""
    return (
        f'<p class="note">{_html(text.reasons(sentences))} <span class="screen">Figures: '
        f'<a href="results/{name}.csv">results/{name}.csv</a>; rows behind them: '
        f'<a href="rows/{name}.csv">rows/{name}.csv</a>.</span></p>'
    )
