"""The first screen as HTML: parts in their order, each present also where it is empty."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from funnel.methods.bridge.bridge import CALENDAR, MIX, SIZE, TIMING, VOLUME
from funnel.report import pages
from funnel.report.brief import text as brief_text
from funnel.report.brief.drivers import AFTER
from funnel.report.brief.facts import ACTIONS, CLAIMS, PROPOSALS, WHY, Brief
from funnel.report.brief.inputs import MonthlyInput
from funnel.report.brief.records_page import records_of
from funnel.report.brief.screen import text

_PAGES = {
    VOLUME: "attribution", MIX: "attribution", TIMING: "conversion", SIZE: "conversion",
    CALENDAR: "seasonality",
}  # fmt: skip
_WIDTH, _HEIGHT, _EDGE = 72, 22, 3


def first_screen(brief: Brief) -> str:
    """The first screen as one section, its parts as long as its number of words allows."""
    made = (_screen(brief, limits) for limits in text.LIMITS)
    within = (each for each in made if n_words(each) <= text.MOST_WORDS)
    return next(within, None) or _screen(brief, text.LIMITS[-1])


def n_words(html: str) -> int:
    """Number of words that a piece of HTML shows.

    Examples
    --------
    >>> n_words('<p>Goal <b>met</b>: 27%</p><p>of 42</p>')
    5
    """
    without_marks = re.sub(r"</?(?:b|strong|a)\b[^>]*>", "", html)
    return len(re.sub(r"<[^>]*>", " ", without_marks).split())


def _screen(brief: Brief, limits: text.Limits) -> str:
    parts = [
        f'<p class="kicker">{_kicker(brief)}</p>',
        f"<h1>{pages.escape(brief_text.title(brief))}</h1>",
        *_warnings(brief),
        *_comparisons(brief),
        *_part(text.LOST_HEADING, _drivers(brief, limits)),
        *_part(text.UNMOVED_HEADING, [_line(text.not_worth_arguing(brief, limits))]),
        *_part(text.ASK_HEADING, _asks(brief)),
        *_part(text.CLAIMS_HEADING, _claims(brief, limits)),
        *_outlook(brief),
        *_part(text.AGREED_HEADING, _sentences(text.agreed(brief, limits), ACTIONS, brief)),
        *_part(text.DECIDE_HEADING, _decisions(text.decide(brief, limits), brief)),
        *_part(text.SURE_HEADING, [_line(text.how_sure(brief))]),
    ]
    return "\n".join(['<section id="first">', *parts, "</section>"])


def _kicker(brief: Brief) -> str:
    return "".join(f"<span>{pages.escape(each)} </span>" for each in text.kicker(brief))


def _outlook(brief: Brief) -> list[str]:
    sentence = text.next_period(brief)
    heading = text.NEXT_HEADING.format(kind=brief.comparisons.kind)
    return _part(heading, [_line(sentence)]) if sentence else []


def _warnings(brief: Brief) -> list[str]:
    found = text.warnings(brief)
    return [f'<p class="warned"><a href="#warnings">{pages.escape(found)}</a></p>'] if found else []


def _part(heading: str, body: Sequence[str]) -> list[str]:
    return [f"<h2>{heading}</h2>", *body]


def _line(sentence: str) -> str:
    return f"<p>{pages.escape(sentence)}</p>"


def _sentences(sentences: Sequence[str], name: str, brief: Brief) -> list[str]:
    if not sentences:
        return [_line(text.none(brief, name))]
    return [f"<ul>{''.join(f'<li>{pages.escape(each)}</li>' for each in sentences)}</ul>"]


def _decisions(decisions: Sequence[text.Decision], brief: Brief) -> list[str]:
    """Each action, its work linked to the records that it is about."""
    items = []
    for who, work, watch, driver in decisions:
        words = pages.escape(work)
        if target := records_of(driver, brief):
            words = f'<a href="{target}">{words}</a>'
        items.append(f"<li>{pages.escape(who)} {words}. {pages.escape(watch)}</li>")
    return [f"<ul>{''.join(items)}</ul>"] if items else [_line(text.none(brief, PROPOSALS))]


def _comparisons(brief: Brief) -> list[str]:
    """The plan's measure and its inputs: now, goal, year ago, period before, and by month."""
    if not brief.inputs:
        return []
    head = "".join(f'<th scope="col">{pages.escape(each)}</th>' for each in text.headings(brief))
    rows = []
    for each in brief.inputs:
        cells = "".join(
            f"<td>{pages.escape(text.value(number, each.unit, brief.say))}</td>"
            for number in (each.value, each.goal, each.year_ago, each.previous)
        )
        note = text.step_note(each, brief.say)
        small = f" <small>{pages.escape(note)}</small>" if note else ""
        rows.append(
            f'<tr><th scope="row">{pages.escape(text.input_name(each, brief))}{small}</th>{cells}'
            f"<td>{sparkline(each, text.chart_label(each, brief))}</td></tr>"
        )
    return [
        f'<table class="compare"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table>"
    ]


def sparkline(each: MonthlyInput, label: str) -> str:
    """Months of an input as a line, with the goal dashed and a mark where a step is clear."""
    known = [(place, number) for place, number in enumerate(each.months) if math.isfinite(number)]
    values = [number for _, number in known]
    if math.isfinite(each.goal_a_month):
        values.append(each.goal_a_month)
    low, high = min(values), max(values)
    scale = (_HEIGHT - 2 * _EDGE) / (high - low) if high > low else 0.0
    wide = (_WIDTH - 2 * _EDGE) / (len(each.months) - 1)

    def x(place: int) -> str:
        return f"{_EDGE + place * wide:.1f}"

    def y(number: float) -> str:
        return f"{_HEIGHT - _EDGE - (number - low) * scale:.1f}"

    points = " ".join(f"{x(place)},{y(number)}" for place, number in known)
    marks = [f'<polyline points="{points}"/>']
    if math.isfinite(each.goal_a_month):
        at = y(each.goal_a_month)
        marks.append(f'<path class="goal" d="M{_EDGE} {at}H{_WIDTH - _EDGE}"/>')
    if each.step is not None:
        at = f"{_EDGE + (each.step - 0.5) * wide:.1f}"
        marks.append(f'<path class="step" d="M{at} 0V{_HEIGHT}"/>')
    last, number = known[-1]
    marks.append(f'<circle cx="{x(last)}" cy="{y(number)}" r="2"/>')
    return (
        f'<svg class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{pages.escape(label)}">{"".join(marks)}</svg>'
    )


def _drivers(brief: Brief, limits: text.Limits) -> list[str]:
    """One bar a driver with its range, grouped by where it is on the way."""
    grouped = text.drivers_by_place(brief, limits)
    lines = [line for group in grouped.values() for line in group]
    made = [f'<p class="note">{pages.escape(text.against(brief))}</p>'] if lines else []
    ends = [
        number
        for line in lines
        for number in (line.row["contribution"], line.row["low"], line.row["high"])
        if math.isfinite(number)
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    for place, group in grouped.items():
        items = "".join(_driver(line, low, high, brief) for line in group)
        if brief.data.has("leads"):  # else there is no hand-off
            made.append(f"<h3>{text.PLACE_HEADINGS[place]}</h3>")
        made.append(f'<ul class="drivers">{items}</ul>')
    if not lines:
        made.append(_line(text.none(brief, WHY)))
    return [*made, *map(_line, text.others(brief, limits))]


def _driver(line: text.DriverLine, low: float, high: float, brief: Brief) -> str:
    width = max(high - low, 1e-9)

    def place(number: float) -> float:
        return 100 * (number - low) / width

    def mark(name: str, *ends: float) -> str:
        left, right = sorted(map(place, ends))
        at = f"left:{left:.1f}%;width:{max(right - left, 0.5):.1f}%"
        return f'<i class="{name}" style="{at}"></i>'

    row = line.row
    marks = mark("bar", 0.0, row["contribution"]) + mark("zero", 0.0, 0.0)
    if math.isfinite(row["low"]):
        marks += mark("reach", row["low"], row["high"])
    what = pages.escape(line.what)
    if page := question_page(row["driver"], brief):
        what = f'<a href="{page}.html">{what}</a>'
    side = "less" if row["contribution"] < 0 else "more"
    return (
        f'<li class="{side}"><span class="track" aria-hidden="true">{marks}</span>'
        f"{what} {pages.escape(line.worth)}</li>"
    )


def question_page(driver: str, brief: Brief) -> str:
    """Page of the question that a driver is about, where this snapshot has it; else empty."""
    step = "handoff" if brief.places.get(driver) == AFTER else "definition"
    if driver.startswith("opportunity"):
        step = "conversion"
    wanted = _PAGES.get(driver, step if " to " in driver else "why")
    there = {card.name for card in brief.cards if card.is_ok}
    return next((page for page in (wanted, "why") if page in there), "")


def _asks(brief: Brief) -> list[str]:
    items = "".join(
        f"<li><b>{side.capitalize()}:</b> {pages.escape(question)}</li>"
        for side, question in text.ask(brief).items()
    )
    return [f"<ul>{items}</ul>"]


def _claims(brief: Brief, limits: text.Limits) -> list[str]:
    found = text.claims(brief, limits)
    if not found:
        return [_line(text.none(brief, CLAIMS))]
    items = "".join(
        f"<li><b>{pages.escape(side)}:</b> {pages.escape(claim)} "
        f"<strong>{pages.escape(word)}</strong></li>"
        for side, claim, word in found
    )
    return [f"<ul>{items}</ul>"]
