"""Sentences, table headings and labels of the question why a period differs from another.

Every sentence is made from a row of a saved table and a `Say`, so that a page can write it again
from the files.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pandas as pd

from funnel.checks import text as checks_text
from funnel.checks.breaks import KINDS, RecordBreak
from funnel.checks.deal_records import NO_OPENING
from funnel.checks.limits import FALSE_ALARMS
from funnel.checks.natures import RECORDS
from funnel.checks.text import EVENTS, collapse_sentence, nature_of_stop
from funnel.contract.periods import Comparison
from funnel.methods.bridge.bridge import shown_totals
from funnel.methods.bridge.stage_history import ACCOUNTS, LEADS, RENEWALS, WITHOUT_LEAD, WON
from funnel.methods.bridge.text import (
    amount,
    bridge_caveats,
    change_sentence,
    contribution_cell,
    contribution_phrase,
    driver_label,
    driver_sentence,
    has_value,
    named_sentences,
    totals_table,
    unit_of,
)
from funnel.methods.recurring.text import month_gap
from funnel.methods.season.expected import Refusal
from funnel.methods.season.text import refusal
from funnel.methods.stage_steps import GRADE, grade_from
from funnel.questions.why.actions import Actions, Proposals
from funnel.questions.why.change import PeriodChange
from funnel.questions.why.checks import Checks
from funnel.questions.why.claim_words import DRIVER
from funnel.questions.why.claims import NOT_SUPPORTED, SIGNS, SUPPORTED, Claims
from funnel.questions.why.comparisons import GOAL, MET, MISSED, PREVIOUS, YEAR_AGO, Comparisons
from funnel.questions.why.findings import (
    FOUND,
    INCONCLUSIVE,
    PASSED,
    SEPARATOR,
)
from funnel.questions.why.heard import Heard
from funnel.questions.why.measures import FOLLOW_UP
from funnel.questions.why.open_questions import DEALS, SIDES, STEP, Needed, Questions
from funnel.questions.why.outlook import FEWEST_WINS, TOTAL, Outlook
from funnel.questions.why.record_lists import (
    CLOSED_WON,
    CREATED,
    LEFT,
    LOST,
    MOST,
    OPEN,
    RecordLists,
)
from funnel.questions.why.verdicts import (
    CLEAR,
    LARGEST_RESIDUAL,
    POSSIBLE,
    RESIDUAL,
    Row,
    explained_by,
    is_in_play,
    offsetting_parts,
    remainder,
    residual_share,
    tier_of,
)
from funnel.questions.why.why import Why
from funnel.results import Say, text
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED

_YEARS = 2  # a wait longer than this many years is no plan
_LARGE_DEAL = 0.2  # of the period's bookings
_PLURAL = ("bookings", "wins", "leads")
TIERS = {CLEAR: "clear", POSSIBLE: "also possible", "": ""}
_ABOUT = 0.005  # share of a value below which two are called the same
_NOTHING_TO_TEST = "There is no change to explain, so nothing to test."
_FIGURES = {"mrr": "monthly recurring revenue", "new mrr": "new recurring revenue"}


# --- figures and gaps


def figure_name(measure: str) -> str:
    """Name of a measure at the start of a sentence.

    Examples
    --------
    >>> figure_name("win rate"), figure_name("mrr")
    ('Win rate', 'Monthly recurring revenue')
    """
    return text.capital(_FIGURES.get(measure, measure))


def figure_value(value: float, unit: str, say: Say, *, sign: bool = False) -> str:
    """Value of a unit: `money`, `count`, `rate` or `days`.

    Examples
    --------
    >>> figure_value(0.254, "rate", Say()), figure_value(3.25, "days", Say())
    ('25.4%', '3.2 days')
    """
    if unit == "money":
        return say.money(value, sign=sign)
    if unit == "rate" and sign:
        return f"{say.number(100 * value, digits=1, sign=True)} points"
    if unit == "rate":
        return say.share(value, digits=1)
    if unit == "days":
        return f"{say.number(value, digits=1, sign=sign)} days"
    return say.number(value, sign=sign)


def change_cell(row: Row, say: Say) -> str:
    """Change with its interval: per cent of the baseline, points of a rate, or days.

    Examples
    --------
    >>> row = {"unit": "count", "baseline": 100.0, "change": -18.0, "low": -27.0, "high": -8.0}
    >>> change_cell(row, Say())
    '-18% [-27% to -8%]'
    """
    values, unit = [row["change"], row["low"], row["high"]], row["unit"]
    tail = ""
    if unit in ("rate", "days"):
        times, tail = (100, " points") if unit == "rate" else (1, " days")
        texts = [say.number(times * each, digits=1, sign=True) for each in values]
    elif unit == "ratio" or row["baseline"] > 0:
        whole = 1.0 if unit == "ratio" else row["baseline"]
        texts = [say.share(each / whole, sign=True) for each in values]
    else:
        texts = [_short(each, unit, say, sign=True) for each in values]
    if not math.isfinite(row["change"]) or not math.isfinite(row["low"]):
        return texts[0] + tail * math.isfinite(row["change"])
    return f"{texts[0]}{tail} {say.interval(texts[1], texts[2])}"


def _short(value: float, unit: str, say: Say, *, sign: bool = False) -> str:
    if unit == "money":
        return say.short_money(value, sign=sign)
    return figure_value(value, unit, say, sign=sign)


def gap_text(row: Row, say: Say, comparison: Comparison | None = None) -> str:
    """Why a figure has no comparison, as the end of a sentence; empty where it has one.

    Examples
    --------
    >>> gap_text({"gap": "no table", "gap_subject": "leads"}, Say())
    'there is no table of leads'
    """
    code, subject = _cell(row, "gap"), _cell(row, "gap_subject")
    day = _cell(row, "gap_on")
    on = say.day(dt.date.fromisoformat(day)) if day else ""
    if code == "recorded since" and comparison is not None:
        baseline = comparison.baseline
        since = dt.date.fromisoformat(day)
        recorded = f"{subject} are recorded from {on} on"
        if since > comparison.period.end:
            return recorded
        part = "is before that" if since > baseline.end else "is covered in part only"
        then = say.span(baseline.start, baseline.end)
        return f"{recorded}, and the comparison period, {then}, {part}"
    return {
        "no table": f"there is no table of {subject}",
        "no rows": f"there are no {subject}",
        "recorded since": f"{subject} is recorded from {on} on, after the earlier days begin",
        "records end": f"`{subject}` end on {on}, before the period does",
        "currencies": f"deals name currencies without a rate ({subject})",
        "no amounts": f"no won deal has an `{subject}`",
        "no lost deals": "no lost deal is recorded, so there is nothing to divide by",
        NO_OPENING: "deals are recorded as opened when they close",
        "no month": "no month of one of the periods is recorded",
        "month missing": month_gap(code, subject),
        "month half loaded": month_gap(code, subject),
        "account currencies": month_gap(code, subject),
        "too few rows": "there are too few rows",
        "empty window": f"one of the periods has no {subject}",
        "unknown segment": f"no row is of a segment {subject!r}",
        "no segments of accounts": "accounts have no segment",
    }.get(code, code)


# --- the period's change


@text.headline(PeriodChange)
def change_headline(change: PeriodChange, say: Say) -> str:
    """The plan's measure: its size, its change and the likely range."""
    return _change_sentence(change.table.iloc[0], change, say)


def _change_sentence(row: Row, change: PeriodChange, say: Say) -> str:
    comparison = change.comparison
    now, then = (say.span(each.start, each.end) for each in _periods(comparison))
    name, unit = figure_name(row["measure"]), row["unit"]
    were = "were" if row["measure"] in _PLURAL else "was"
    gap = gap_text(row, say, comparison)
    if not math.isfinite(row["value"]):
        known = change.table[change.table["value"].notna()]
        if _cell(row, "gap") == "no table" and len(known):
            return f"{text.capital(gap)}. {_change_sentence(known.iloc[0], change, say)}"
        are = "are" if row["measure"] in _PLURAL else "is"
        return f"{name} in {now} {are} unknown: {gap or 'nothing is recorded'}."
    value = _short(row["value"], unit, say)
    if not math.isfinite(row["baseline"]) or (gap and row["baseline"] == 0):
        return f"{name} in {now} {were} {value}. There is no comparison: {gap or 'no rows before'}."
    before = f"{_short(row['baseline'], unit, say)} in {then}"
    if row["change"] == 0:
        sentence = f"{name} {were} {value} in {now}, as in {then}."
    else:
        verb = "rose" if row["change"] > 0 else "fell"
        size = _size(row["change"], row, say)
        sentence = f"{name} {verb} by {size} to {value} in {now}, from {before}."
    if gap:
        return f"{sentence} There is no comparison: {gap}."
    if not math.isfinite(row["low"]):
        return f"{sentence} There is no interval."
    tail = {CANNOT_TELL: ", so it may be chance", DID_NOT_MOVE: ", so it did not move"}
    return f"{sentence} Likely {_range(row, say)}{tail.get(row['verdict'], '')}."


def _size(value: float, row: Row, say: Say) -> str:
    """Size of a change without its sign: per cent of the baseline, or points."""
    value = abs(value)
    if row["unit"] == "rate":
        return f"{say.number(100 * value, digits=1)} points"
    if row["baseline"] > 0:
        return say.share(value / row["baseline"])
    return _short(value, row["unit"], say)


def _range(row: Row, say: Say) -> str:
    low, high = row["low"], row["high"]
    if low >= 0 or high <= 0:
        ends = (_size(each, row, say) for each in sorted((low, high), key=abs))
        return f"{' to '.join(ends)} {'more' if high > 0 else 'less'}"
    return f"between {_size(low, row, say)} less and {_size(high, row, say)} more"


@text.caveats(PeriodChange)
def change_caveats(change: PeriodChange, say: Say) -> list[str]:
    """What limits the comparison of two periods."""
    sentences = []
    if not change.comparison.is_complete:
        sentences.append(to_date_sentence(change.comparison, say))
    if change.n_without_amount:
        sentences.append(
            f"{say.number(change.n_without_amount)} of {say.number(change.n_won)} won deals of "
            "the two periods have no amount: they count as wins and add nothing to bookings."
        )
    if change.largest_share > _LARGE_DEAL:
        sentences.append(
            f"One deal makes up {say.share(change.largest_share)} of the period's bookings."
        )
    return sentences


def to_date_sentence(comparison: Comparison, say: Say) -> str:
    """That a period is not over, and which days are compared."""
    now, then = _periods(comparison)
    return (
        f"The period is not over: its first {now.n_days} days, {say.span(now.start, now.end)}, are "
        f"compared with the first {then.n_days} days of the comparison period, "
        f"{say.span(then.start, then.end)}."
    )


@text.table(PeriodChange)
def change_table(change: PeriodChange, say: Say) -> pd.DataFrame:
    """Each figure of both periods with its change."""
    return text.cells(
        measured(change.table),
        {
            "figure": lambda row: figure_name(row["measure"]),
            "period": lambda row: figure_value(row["value"], row["unit"], say),
            "baseline": lambda row: figure_value(row["baseline"], row["unit"], say),
            "change": lambda row: change_cell(row, say),
            "verdict": "verdict",
        },
    )


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a period's change without those of tables that are not there."""
    return table[table["gap"].fillna("").ne("no table")]


def _periods(comparison: Comparison) -> tuple[Any, Any]:
    return comparison.period, comparison.baseline


# --- goal, period before, year ago


def outcome(found: Comparisons) -> str:
    """What is true of the period at a glance: goal met or missed, more or less than before.

    Examples
    --------
    >>> from funnel.contract.periods import Period
    >>> goal = {"measure": "wins", "against": "target", "other": 8.0, "verdict": "met"}
    >>> ago = {"measure": "wins", "against": "year_ago", "other": 8.0, "change": 1.0}
    >>> before = {"measure": "wins", "against": "previous", "other": 12.0, "change": -3.0}
    >>> april = Period(dt.date(2026, 4, 1), dt.date(2026, 6, 30), "2026Q2")
    >>> rows = pd.DataFrame([goal, ago, before])
    >>> outcome(Comparisons(table=rows, as_of=april.end, measure="wins", kind="quarter",
    ...                     comparison=Comparison(april, april, True)))
    'Goal met: more than a year ago, less than the quarter before'
    """
    than: dict[str, list[str]] = {}
    for against in (YEAR_AGO, PREVIOUS):
        if row := found.row(against):
            than.setdefault(_direction(row), []).append(_when(against, found))
    parts = [f"{word} {' and '.join(whens)}" for word, whens in than.items()]
    goal = found.row(GOAL)
    state = {MET: "Goal met", MISSED: "Goal missed"}.get(goal["verdict"] if goal else "", "")
    if not found.comparison.is_complete:
        state = "So far" if parts else ""
    return text.capital(": ".join(each for each in (state, ", ".join(parts)) if each))


def _direction(row: Row) -> str:
    if abs(row["change"]) <= _ABOUT * abs(row["other"]):
        return "about as much as"
    return "more than" if row["change"] > 0 else "less than"


def _when(against: str, found: Comparisons) -> str:
    return "a year ago" if against == YEAR_AGO else f"the {found.kind} before"


@text.headline(Comparisons)
def comparisons_headline(found: Comparisons, say: Say) -> str:
    """The plan's measure against its goal, a year ago and the period before."""
    rows = [found.row(against) for against in (GOAL, YEAR_AGO, PREVIOUS)]
    known = [row for row in rows if row]
    name, when = figure_name(found.measure), say.span(*_days(found.comparison))
    if not known:
        return f"{name} in {when} cannot be compared with a goal or another period."
    value = _short(known[0]["value"], known[0]["unit"], say)
    return f"{name} in {when}: {value}, {', '.join(_against(row, found, say) for row in known)}."


def _days(comparison: Comparison) -> tuple[dt.date, dt.date]:
    return comparison.period.start, comparison.period.end


def _against(row: Row, found: Comparisons, say: Say) -> str:
    if row["against"] == GOAL:
        return goal_cell(row, say)
    if row["change"] == 0:
        return f"as much as {_when(row['against'], found)}"
    of = {**row, "baseline": row["other"]}
    more = "more" if row["change"] > 0 else "less"
    return f"{_size(row['change'], of, say)} {more} than {_when(row['against'], found)}"


def goal_cell(row: Row, say: Say) -> str:
    """Value as a share of its goal; of a rate, the goal itself.

    Examples
    --------
    >>> goal_cell({"unit": "count", "value": 57.0, "other": 114.0}, Say())
    '50% of the goal of 114'
    """
    goal = _short(row["other"], row["unit"], say)
    if row["unit"] == "rate" or row["other"] <= 0:
        return f"goal {goal}"
    return f"{say.share(row['value'] / row['other'])} of the goal of {goal}"


@text.caveats(Comparisons)
def comparisons_caveats(found: Comparisons, say: Say) -> list[str]:
    """Where a running period stands, and goals of teams that add up to something else."""
    sentences = []
    if found.run_rate:
        sentences.append(run_rate_sentence(found, say))
    for measure, total in found.team_goals.items():
        goal = found.row(GOAL, measure)
        if goal and goal["other"] > 0 and total != goal["other"]:
            more = "more" if total > goal["other"] else "less"
            sentences.append(
                f"{figure_name(measure)}: the team goals add up to "
                f"{say.share(abs(total / goal['other'] - 1))} {more} than the company's goal."
            )
    return sentences


def run_rate_sentence(found: Comparisons, say: Say) -> str:
    """What is usually there by this day, and what the whole period comes to at that share."""
    rate, kind = found.run_rate, found.kind
    if rate is None:
        return ""
    ends = " to ".join(say.share(each) for each in (rate.share_low, rate.share_high))
    begin = (
        f"By day {rate.day} of {rate.n_days}, {say.share(rate.share)} of a {kind} is usually there "
        f"({ends} in {say.rows(rate.n_periods, f'earlier {kind}')})"
    )
    if not math.isfinite(rate.high):
        return f"{begin}: too little to say where this {kind} ends."
    low, likely, high = (say.short_money(each) for each in (rate.low, rate.expected, rate.high))
    verdict = {
        MET: " The goal would be met.",
        MISSED: " The goal would be missed.",
        CANNOT_TELL: " The goal lies within that range.",
    }
    return (
        f"{begin}; at that share the {kind} ends at {likely}, likely {low} to {high}."
        f"{verdict.get(rate.verdict, '')}"
    )


@text.table(Comparisons)
def comparisons_table(found: Comparisons, say: Say) -> pd.DataFrame:
    """One row per measure and comparison, with the change and its interval."""
    names = {GOAL: "goal", PREVIOUS: f"{found.kind} before", YEAR_AGO: "year ago"}
    return text.cells(
        found.table,
        {
            "": lambda row: figure_name(row["measure"]),
            "compared with": lambda row: f"{names[row['against']]} ({row['label']})",
            "change": lambda row: compared_cell(row, say),
            "verdict": "verdict",
            "value": lambda row: figure_value(row["value"], row["unit"], say),
            "then": lambda row: figure_value(row["other"], row["unit"], say),
            "rows": lambda row: (
                f"{say.number(row['n_period'])} / {say.number(row['n_other'])}"
                if row["against"] != GOAL
                else say.number(row["n_period"])
            ),
        },
    )


def compared_cell(row: Row, say: Say) -> str:
    """Change against another period with its interval; against a goal the share of it."""
    if row["against"] == GOAL:
        return goal_cell(row, say)
    return change_cell({**row, "baseline": row["other"]}, say)


# --- the answer


@text.headline(Why)
def why_headline(why: Why, say: Say) -> str:
    """Change of the measure, and the drivers named or explained."""
    sentence = change_sentence(why.bridge, say)
    if not has_value(why.bridge):
        return sentence
    unit, arrivals = unit_of(why.bridge.plan.measure), why.bridge.coverage.arrivals
    return f"{sentence} {drivers_text(why.table, unit, say, arrivals)}".strip()


def drivers_text(table: pd.DataFrame, unit: str, say: Say, arrivals: str = LEADS) -> str:
    """Sentences on the drivers that moved: those clear, those possible, those that checks explain.

    Parameters
    ----------
    table
        Rows of the bridge after the checks.
    unit
        Of its contributions.
    arrivals
        What lead volume counts.
    """
    totals = table[table["segment"].isna()].to_dict("records")
    named = table.dropna(subset="rank").sort_values("rank").to_dict("records")
    explained = [
        f"{driver_label(row['driver'], say, arrivals)} ({explained_by(row)})"
        for row in totals
        if row["verdict"] == MOVED and explained_by(row)
    ]
    parts = [f"The checks explain {', '.join(explained)}."] if explained else []
    if named:
        return " ".join([*parts, *_by_tier(named, unit, say, arrivals)])
    drivers = [row for row in totals if row["driver"] != RESIDUAL]
    if any(is_in_play(row) for row in drivers):
        parts.append("No single driver is clear." if not parts else "No other driver is clear.")
    elif any(row["contribution"] for row in drivers):
        parts.append("The residual is too large for any driver to be named.")
    return " ".join(parts)


def _by_tier(named: list[Row], unit: str, say: Say, arrivals: str) -> list[str]:
    """Sentences of the drivers that are named, the clear ones first."""
    clear = [remainder(row) for row in named if tier_of(row) == CLEAR]
    possible = [remainder(row) for row in named if tier_of(row) == POSSIBLE]
    if clear:
        sentences = [named_sentences(clear, unit, say, arrivals)]
    else:
        sentences = ["No single driver is clear."]
    for row in possible:
        sentence = driver_sentence(row, unit, say, arrivals)
        sentences.append(f"{sentence.removesuffix('.')}; possible, not clear.")
    for row in named:
        if remainder(row)["contribution"] != row["contribution"]:
            size = amount(abs(row["explained"]), unit, say)
            name = text.capital(driver_label(row["driver"], say, arrivals))
            sentences.append(f"{name}: the check {row['explained_by']} explains {size} more.")
    return sentences


@text.table(Why)
def why_table(why: Why, say: Say) -> pd.DataFrame:
    """The totals of the bridge, how clear a driver is, and the check that explains one."""
    shown, totals = totals_table(why.table, why.bridge, say), shown_totals(why.table)
    shown.insert(3, "evidence", totals["tier"].map(TIERS))
    if not why.explained:
        return shown
    return shown.assign(check=[why.explained.get(driver, "") for driver in totals["driver"]])


@text.caveats(Why)
def why_caveats(why: Why, say: Say) -> list[str]:
    """What limits the answer."""
    sentences = bridge_caveats(why.bridge, say)
    if why.lost_columns:
        sentences.append(
            f"Not split by {', '.join(why.lost_columns)}: its record changed on the way."
        )
    if why.is_residual_large:
        share = residual_share(why.bridge)
        sentences.append(
            f"The residual is {say.share(share) if math.isfinite(share) else 'all'} of the larger "
            f"value, more than {say.share(LARGEST_RESIDUAL)}: the tables do not hold how these "
            "deals came about, so no driver is named."
        )
    if why.is_offsetting:
        share = say.share(offsetting_parts(why.bridge))
        sentences.append(
            f"Parts of the flow with opposite signs cancel, by {share} of the larger value. Rows "
            "that are dated to another time look like this, so no part of the flow is named."
        )
    return sentences


# --- the checks


@text.headline(Checks)
def checks_headline(checks: Checks, say: Say) -> str:
    """Which checks found something, and which are inconclusive."""
    states = checks.states
    parts = [
        f"{verb} in {', '.join(states.index[states == state])}"
        for state, verb in ((FOUND, "a finding"), (INCONCLUSIVE, "inconclusive"))
        if (states == state).any()
    ]
    return f"Of {say.number(len(states))} checks: {'; '.join(parts) if parts else 'all passed'}."


@text.table(Checks)
def checks_table(checks: Checks, say: Say) -> pd.DataFrame:
    """Each check, its state and its finding."""
    return check_summary(checks.table, say)


def check_summary(table: pd.DataFrame, say: Say) -> pd.DataFrame:
    """One row per check: `check`, `state`, `finding` (its sentences) and `since`."""
    columns = ["check", "state", "finding", "since"]
    if table.empty:
        return pd.DataFrame(columns=columns)
    rows = [
        {
            "check": check,
            "state": rows["state"].iloc[0],
            "finding": " ".join(check_sentence(row, say) for row in rows.to_dict("records")),
            "since": min((day for day in rows["since"].dropna() if day), default=""),
        }
        for check, rows in table.groupby("check", sort=False)
    ]
    return pd.DataFrame(rows, columns=columns)


def check_sentence(row: Row, say: Say) -> str:
    """Sentence of one row of the checks.

    Examples
    --------
    >>> row = {"check": "maturity", "state": "passed", "kind": "recent leads", "n": 90,
    ...        "n_affected": 40, "days": 30.0, "others": ""}
    >>> check_sentence(row, Say())[:59]
    '40 of 90 leads are more recent than the 30 days that wins t'
    """
    sentence = _CHECK_SENTENCES[row["check"], row["kind"]](row, say)
    touches = any(_cell(row, name) for name in ("drivers_up", "drivers_down", "drivers_either"))
    if touches and row["at_most"] == 0:
        sentence += " No win of the two periods comes from these rows, so it explains no driver."
    return sentence


def _since(row: Row, say: Say) -> str:
    day = _cell(row, "since")
    return f"from {say.day(dt.date.fromisoformat(day))} on" if day else "after a gradual change"


def _day_before(row: Row, say: Say) -> str:
    return say.day(dt.date.fromisoformat(row["since"]) - dt.timedelta(days=1))


def _points(row: Row, say: Say) -> str:
    value, *ends = (
        say.number(100 * row[name], digits=1, sign=True) for name in ("change", "low", "high")
    )
    return f"{value} points {say.interval(*ends)}"


def _alarms(say: Say) -> str:
    return f"a false alarm in about {say.share(FALSE_ALARMS)} of runs"


def _data_tests(row: Row, say: Say) -> str:
    if row["state"] != PASSED:
        return "The two periods have too few rows to test."
    return (
        f"{say.rows(row['n_tests'], 'test')} for lost fields, repeated leads and late rows found "
        f"nothing ({_alarms(say)})."
    )


def _lost_field(row: Row, say: Say) -> str:
    direct = ", blank or direct" if row["kind"].endswith("direct") else " or blank"
    return (
        f"`{row['column']}` of {row['table']} is unknown{direct} for {say.share(row['after'])} "
        f"{_since(row, say)}, {say.share(row['before'])} before ({_points(row, say)} of "
        f"{say.number(row['n'])} rows). Splits by {row['column']} are not compared."
    )


def _repeated_leads(row: Row, say: Say) -> str:
    return (
        f"{say.share(row['after'])} of leads repeat one of the same person within "
        f"{say.number(row['days'])} days {_since(row, say)}, {say.share(row['before'])} before "
        f"({_points(row, say)} of {say.number(row['n'])}). They count as leads and advance once."
    )


def _late_rows(row: Row, say: Say) -> str:
    return (
        f"The last {say.number(row['days'])} days have {say.number(row['n'])} rows of "
        f"{row['table']}, where about {say.number(row['expected'])} were expected. Rows may still "
        "arrive."
    )


def _source_stopped(row: Row, say: Say) -> str:
    channel = f" of channel {row['subject']}" if _cell(row, "subject") else ""
    return (
        f"`{row['table']}`{channel} end on {_day_before(row, say)}. About "
        f"{say.number(row['expected'])} more rows were expected. "
        f"{nature_of_stop(*(_cell(row, name) for name in _OF_STOP))}"
    )


_OF_STOP = ("table", "subject", "nature", "successor")


def _collapse(row: Row, say: Say) -> str:
    since = dt.date.fromisoformat(row["since"])
    what = EVENTS[row["table"], row["column"]]
    return collapse_sentence(what, since, row["n"], row["expected"], say)


def _recorded_since(row: Row, say: Say) -> str:
    return (
        f"{text.capital(row['table'])} are recorded {_since(row, say)}. "
        f"{say.number(row['n_affected'])} of {say.number(row['n'])} wins of the period come from "
        f"{row['table']} so old that those of the earlier period would be missing."
    )


def _wins_recorded_since(row: Row, say: Say) -> str:
    return (
        f"Wins are recorded {_since(row, say)}. Before, {say.number(row['n_affected'])} are "
        f"recorded for {say.number(row['n'])} leads, where about {say.number(row['expected'])} "
        "were expected."
    )


def _fill_change(row: Row, say: Say) -> str:
    return (
        f"`{row['column']}` is filled for {say.share(row['after'])} of {say.number(row['n'])} won "
        f"deals, {say.share(row['before'])} of {say.number(row['n_before'])} before."
    )


def _record_break(row: Row, say: Say) -> str:
    subject = _cell(row, "subject")
    return checks_text.sentence(
        RecordBreak(
            what=row["kind"],
            nature=RECORDS,
            table=row["table"],
            column=_cell(row, "column"),
            words=tuple(subject.split(SEPARATOR)) if subject else (),
            since=dt.date.fromisoformat(row["since"]),
            n=int(row["n"]),
            **{name: float(row[name]) for name in ("before", "after", "expected", "days")},
        ),
        say,
    )


def _definition_tests(row: Row, say: Say) -> str:
    if row["state"] != PASSED:
        return "Fewer than three stages are recorded, so there is no stage boundary to check."
    return (
        f"{say.rows(row['n_tests'], 'test')} of thresholds and stage boundaries, over up to "
        f"{say.rows(row['n'], 'lead')} per stage, found nothing ({_alarms(say)})."
    )


def _threshold_moved(row: Row, say: Say) -> str:
    column = row["column"]
    ends = [_band_end(column, row[name], say) for name in ("band_low", "band_high")]
    like = "above" if row["after"] > row["before"] else "below"
    stage = _stage(row, say)
    sentence = (
        f"Leads with {column} from {ends[0]} to under {ends[1]} enter {stage} like those "
        f"{like} {_since(row, say)}: {say.share(row['after'])} of {say.number(row['n'])}, "
        f"{say.share(row['before'])} of {say.number(row['n_before'])} before."
    )
    if others := _cell(row, "others"):
        sentence += f" Leads outside that range changed too: {_comma(others)}."
    return sentence


def _band_end(column: str, value: float, say: Say) -> str:
    if column == GRADE:
        return grade_from(value) or "A+"
    return say.number(value)


def _boundary_moved(row: Row, say: Say) -> str:
    into, onward, through, *ends = (
        say.number(row[name], digits=2) for name in ("before", "after", "change", "low", "high")
    )
    return (
        f"The boundary of {_stage(row, say)} moved {_since(row, say)}. At equal age, leads enter "
        f"it {into} times as often and advance from it {onward} times as often; over both steps it "
        f"is {through} times {say.interval(*ends)}."
    )


def _entered_at_once(row: Row, say: Say) -> str:
    stage, later = _stage(row, say), _stage(row, say, "subject")
    return (
        f"{say.share(row['after'])} of leads that enter {later} skip {stage} or "
        f"enter it at the same moment {_since(row, say)}, {say.share(row['before'])} before "
        f"({_points(row, say)} of {say.number(row['n'])})."
    )


def _recent_leads(row: Row, say: Say) -> str:
    sentence = (
        f"{say.number(row['n_affected'])} of {say.number(row['n'])} {_cell(row, 'table') or LEADS} "
        f"are more recent than the "
        f"{say.number(row['days'])} days that wins take. They are compared at the same age, so "
        "being recent does not count against them."
    )
    if others := _cell(row, "others"):
        sentence += (
            f" Exits are not recorded for {_names(others, say)}, so a lower rate and longer times "
            "look alike there."
        )
    return sentence


def _expected(row: Row, say: Say) -> str:
    has_season = row["kind"] == "expected season"
    source = "Working days and season" if has_season else "Working days"
    arriving = _cell(row, "subject") or "leads"
    sentence = f"{arriving[:1].upper()}{arriving[1:]} {_changed(row['after'], say)}."
    if math.isfinite(row["change"]):
        ends = " to ".join(_more(row[end], say) for end in ("low", "high"))
        sentence += f" {source} alone make {_more(row['change'], say)} (likely {ends})."
    return sentence + ("" if has_season else " No seasonal pattern found.")


def _win_rate_rhythm(row: Row, say: Say) -> str:
    ends = " to ".join(_more(row[end], say) for end in ("low", "high"))
    return (
        f"The win rate of these months is {_more(row['change'], say)} (likely {ends}) than that of "
        f"the months compared with in earlier quarters or years too: seen {_times(row, say)}."
    )


def _closing_rhythm(row: Row, say: Say) -> str:
    ends = " to ".join(_more(row[end], say) for end in ("low", "high"))
    return (
        f"By the time of the year, {row['subject']} are {_more(row['change'], say)} "
        f"(likely {ends}) than in the period compared with: seen {_times(row, say)}."
    )


def _times(row: Row, say: Say) -> str:
    n = int(row["n"])
    return "once" if n == 1 else f"{say.number(n)} times"


def _changed(share: float, say: Say) -> str:
    return f"{'fell' if share < 0 else 'rose'} by {say.share(abs(share), digits=1)}"


def _more(share: float, say: Say) -> str:
    return f"{say.share(abs(share), digits=1)} {'less' if share < 0 else 'more'}"


def _mix(row: Row, say: Say) -> str:
    figures = {"contribution": row["change"], "low": row["low"], "high": row["high"]}
    phrase = contribution_phrase(figures, row["unit"], say)
    tail = {PASSED: " It did not move.", INCONCLUSIVE: " That may be chance."}
    return f"Another mix of leads by {row['subject']}: {phrase}.{tail.get(row['state'], '')}"


def _inconclusive_drivers(row: Row, say: Say) -> str:
    others = _cell(row, "others")
    names = f": {_names(others, say)}" if others else ""
    won = f", with {say.rows(row['n'], 'deal')} won in the two periods" if row["n"] else ""
    return (
        f"{say.number(row['n_affected'])} of {say.number(row['n_before'])} drivers "
        f"{'is' if row['n_affected'] == 1 else 'are'} inconclusive after "
        f"{say.rows(row['n_tests'], 'test')}{won}{names}."
    )


def _outlying_deal(row: Row, say: Say) -> str:
    value = say.short_money(row["change"])
    without, with_it = (say.short_money(row[name], sign=True) for name in ("before", "after"))
    return (
        f"One deal of {row['subject']}, {value}, differs from all others like it. The change is "
        f"{without} without it and {with_it} with it."
    )


_CHECK_SENTENCES: Mapping[tuple[str, str], Callable[[Row, Say], str]] = {
    ("data", "tests"): _data_tests,
    ("data", "lost field"): _lost_field,
    ("data", "lost field or direct"): _lost_field,
    ("data", "repeated leads"): _repeated_leads,
    ("data", "late rows"): _late_rows,
    ("data", "source stopped"): _source_stopped,
    ("data", "collapse"): _collapse,
    ("data", "recorded since"): _recorded_since,
    ("data", "wins recorded since"): _wins_recorded_since,
    ("data", "fill change"): _fill_change,
    **{("data", what): _record_break for what in KINDS},
    ("definition", "tests"): _definition_tests,
    ("definition", "threshold moved"): _threshold_moved,
    ("definition", "boundary moved"): _boundary_moved,
    ("definition", "entered at once"): _entered_at_once,
    ("definition", "agreed"): lambda row, say: (
        f"The plan's definition was agreed on {say.day(dt.date.fromisoformat(row['since']))}."
    ),
    ("definition", "checklist"): lambda row, say: (
        f"The plan lists: {row['subject']}, {say.day(dt.date.fromisoformat(row['since']))}."
    ),
    ("maturity", "recent leads"): _recent_leads,
    ("maturity", "too few wins"): lambda row, say: (
        f"{say.rows(int(row['n_affected']), 'win is', 'wins are')} too few to say how long one "
        "takes."
    ),
    ("calendar", "no leads"): lambda row, say: (
        "The season is expected from leads or deals, and none are recorded."
    ),
    ("calendar", "no expectation"): lambda row, say: (
        "No season can be expected: "
        f"{refusal(Refusal[row['subject']], int(row['n']), 'leads', say)}."
    ),
    ("calendar", "rhythm of win rates"): _win_rate_rhythm,
    ("calendar", "rhythm of closings"): _closing_rhythm,
    ("calendar", "expected season"): _expected,
    ("calendar", "expected calendar"): _expected,
    ("mix", "no segments"): lambda row, say: "There is no segment that can be compared.",
    ("mix", "mix"): _mix,
    ("noise", "inconclusive drivers"): _inconclusive_drivers,
    ("mix", "no drivers"): lambda row, say: _NOTHING_TO_TEST,
    ("noise", "no drivers"): lambda row, say: _NOTHING_TO_TEST,
    ("noise", "outlying deal"): _outlying_deal,
}


# --- the claims


@text.headline(Claims)
def claims_headline(claims: Claims, say: Say) -> str:
    """How many claims are supported, not supported, and open."""
    if claims.table.empty:
        return "No claims were brought, so there is none to compare with the figures."
    counted = claims.table["verdict"].value_counts()
    names = ((SUPPORTED, "supported"), (NOT_SUPPORTED, "not supported"), (CANNOT_TELL, "open"))
    parts = [f"{say.number(counted.get(verdict, 0))} {name}" for verdict, name in names]
    return f"Of {say.rows(len(claims.table), 'claim')}, {', '.join(parts)}."


@text.caveats(Claims)
def claims_caveats(claims: Claims, say: Say) -> list[str]:
    """What a verdict on a claim is about."""
    if claims.table.empty:
        return []
    return [
        "A claim is compared with whether its driver moved, and what that is worth. What brought "
        "it about is another question.",
        "A step's rate here is of all that were at the step in the period. The page of conversion "
        "shows another figure: of what was created in the period.",
    ]


@text.table(Claims)
def claims_table(claims: Claims, say: Say) -> pd.DataFrame:
    """Each claim with its verdict and the figures on both sides."""
    return text.cells(
        claims.table,
        {
            "claim": "claim",
            "from": "said_by",
            "verdict": "verdict",
            "for": lambda row: claim_evidence(row, say)["for"],
            "against": lambda row: claim_evidence(row, say)["against"],
        },
    )


def claim_evidence(row: Row, say: Say) -> dict[str, str]:
    """The figures `for` and `against` a claim, as one sentence each."""
    if _cell(row, "gap"):
        return dict.fromkeys(("for", "against"), f"Nothing: {_claim_gap(row, say)}.")
    sign, has_part = SIGNS[row["tested_direction"]], not pd.isna(row["contribution"])
    is_narrower = row["tested_by"] != DRIVER
    pieces = []
    if _cell(row, "measure"):
        moved = int(row["measure_sign"]) if sign else int(row["measure_verdict"] == MOVED)
        did_not_move = sign and row["measure_verdict"] == DID_NOT_MOVE
        pieces.append((0 if did_not_move else moved, _own_figure(row, say)))
    if has_part:
        pieces += (_of_moving if sign else _of_unmoved)(row, say)
    sides: dict[str, list[str]] = {"for": [], "against": []}
    for agrees_with, piece in pieces:
        sides["for" if agrees_with == sign else "against"].append(piece)
    for side, end in (("for", sign), ("against", -sign)):
        reach = row["contribution_high"] if end > 0 else row["contribution_low"]
        if end and has_part and not sides[side] and end * reach > 0:
            bound = amount(reach, row["contribution_unit"], say, sign=True)
            sides[side].append(f"its interval reaches {bound}")
        reach = row["high"] if end > 0 else row["low"]
        if is_narrower and end and not sides[side] and end * reach > 0:
            sides[side].append(f"its interval reaches {_bound(row, reach, say)}")
    if not has_part and not is_narrower:
        sides["against"].append("its contribution has no interval")
    if check := _cell(row, "explained_by"):
        sides["against"].append(f"the check {check} explains it")
    nothing = "nothing: neither its own figure nor its contribution points there"
    if is_narrower:
        nothing = "nothing: the figure does not point there"
    return {
        side: f"{text.capital('; '.join(pieces) or nothing)}." for side, pieces in sides.items()
    }


def _own_figure(row: Row, say: Say) -> str:
    n = " and ".join(say.number(int(row[name])) for name in ("n_period", "n_baseline"))
    values = ""
    if row["unit"] != "ratio":
        both = (figure_value(row[name], row["unit"], say) for name in ("value", "baseline"))
        values = f" {' compared with '.join(both)}"
    where = _cell(row, "tested_segment")
    test = "" if pd.isna(row["p_value"]) else f"; p = {row['p_value']:.2g}"
    name = _own_name(row, say)
    if row["tested_by"] != DRIVER:
        name = f"tested on: {name}"
        where = "" if where and where in row["measure"] else where
    if where:
        name = f"{name.removesuffix(',')} in {where}{',' * bool(values)}"
    return (
        f"{name}{values}: {change_cell(row, say)} ({row['measure_verdict']}; {n} "
        f"{_counted(row, say)}{test})"
    )


def _bound(row: Row, end: float, say: Say) -> str:
    """One end of the interval of a figure's change, in the unit of `change_cell`."""
    return change_cell({**row, "change": end, "low": math.nan}, say)


def _counted(row: Row, say: Say) -> str:
    """What the rows behind a figure are; of a step, those at the stage where it begins."""
    stage, is_step, _ = row["measure"].partition(" to ")
    return say.stage(stage) if is_step else row["counted"]


def _own_name(row: Row, say: Say) -> str:
    measure = row["measure"]
    if measure == "leads":
        return "leads, adjusted for the expected season," if row["is_expected"] else "leads"
    if measure == "timing":
        return f"days that deals stay open, up to day {say.number(row['age_days'])},"
    if measure == "deal size":
        return "deal size, like for like"
    if measure == FOLLOW_UP:
        return f"days from hand-off to first sales action, up to day {say.number(row['age_days'])},"
    if pd.isna(row["age_days"]):
        return f"{measure.replace('_', ' ')} of {_counted(row, say)}"
    return f"within {say.number(row['age_days'])} days, {driver_label(measure, say)}"


def _of_moving(row: Row, say: Say) -> list[tuple[int, str]]:
    """What goes down (-1) and what goes up (1): the contribution, its interval, segments."""
    sign = int(row["contribution"] > 0) - int(row["contribution"] < 0)
    pieces = [(sign, _contribution(row, say))]
    n = int(row["n_segments"])
    for sign, direction in ((-1, "down"), (1, "up")):
        n_same = int(row[f"n_segments_{direction}"])
        if n_same and n > 1:
            of = f"{direction} in {say.number(n_same)} of {say.number(n)} segments"
            pieces.append((sign, f"{of}, most in {row[f'most_{direction}']}"))
    return pieces


def _of_unmoved(row: Row, say: Say) -> list[tuple[int, str]]:
    """What did not move (0) and what did (1)."""
    moved = int(row["contribution_verdict"] == MOVED)
    pieces = [(moved, _contribution(row, say))]
    n, n_clear = int(row["n_segments"]), int(row["n_segments_clear"])
    for side, n_same, does in ((0, n - n_clear, "includes"), (1, n_clear, "excludes")):
        if n_same and n > 1:
            of = f"{say.number(n_same)} of {say.number(n)} segments"
            pieces.append((side, f"the interval of its contribution {does} zero in {of}"))
    return pieces


def _contribution(row: Row, say: Say) -> str:
    names = {"contribution": "contribution", "low": "contribution_low", "high": "contribution_high"}
    figures = {name: row[column] for name, column in names.items()}
    cell = contribution_cell(figures, row["contribution_unit"], say)
    return f"its contribution {cell} ({row['contribution_verdict']})"


_CLAIM_GAPS = {  # what a claim needs in order to be judged on its own words
    "no column": "this claim needs {subject}, which is not recorded",
    "no value": "this claim needs the value of `{subject}` it is about, in the column `segment`",
    "too few values": "this claim needs `{subject}` in more rows of both periods",
    "filled otherwise": "this claim needs `{subject}` filled as often in both periods, which it is "
    "not",
    "several": "its words name several things ({subject}); the columns `measure` and `segment` of "
    "`claims.csv` say which",
    "unknown measure": "there is no measure {measure!r}; write {subject} in the column `measure` "
    "of `claims.csv`",
    "unknown value": "there is no segment {segment!r}; write {subject} in the column `segment` of "
    "`claims.csv`",
    "no table": "this claim needs the table {subject}",
}


def _claim_gap(row: Row, say: Say) -> str:
    subject = _cell(row, "gap_subject")
    known = _comma(subject) or "none"
    if row["tested_by"] != DRIVER or row["gap"] in _CLAIM_GAPS:
        needs = _CLAIM_GAPS.get(row["gap"], "{gap}")
        gap = gap_text({**row, "gap_on": None}, say)
        written = {name: _cell(row, name) for name in ("measure", "segment")}
        return needs.format(subject=known, gap=gap, **written)
    if row["gap"] == "unknown driver":
        return f"there is no driver {row['driver']!r} here; there are {known}"
    if row["gap"] == "unknown segment":
        return f"there is no segment {_cell(row, 'segment')!r} here; there are {known}"
    if row["gap"] == "no bridge":
        return "the change is not explained by drivers"
    return (
        f"the tables hold nothing on {driver_label(row['driver'], say)} that could have an interval"
    )


# --- what each side hears


@text.headline(Heard)
def heard_headline(heard: Heard, say: Say) -> str:
    """What was heard most often, beside how often it is recorded."""
    if heard.table.empty:
        return "Nothing that sales or marketing heard is recorded."
    row = heard.table.iloc[0].to_dict()
    n, total = int(row["n"]), int(heard.table["n"].sum())
    if n == 1:
        return f"{say.rows(total, 'thing')} heard, each once, beside what is recorded on it."
    sentence = row["what"].rstrip(".")
    return (
        f"Heard {say.number(n)} times by {row['heard_by']}: {sentence}. {heard_evidence(row, say)}"
    )


@text.caveats(Heard)
def heard_caveats(heard: Heard, say: Say) -> list[str]:
    """That an anecdote is no rate."""
    if heard.table.empty:
        return []
    return ["What is heard says that a thing happens; the figure beside it, how often."]


@text.table(Heard)
def heard_table(heard: Heard, say: Say) -> pd.DataFrame:
    """Each sentence, who heard it, and what is recorded on it."""
    return text.cells(
        heard.table,
        {
            "what was heard": "what",
            "by": "heard_by",
            "times": "n",
            "beside it": lambda row: heard_evidence(row, say),
        },
    )


def heard_evidence(row: Row, say: Say) -> str:
    """What is recorded on something that was heard: its deals, its figure and its driver."""
    parts = []
    if n_linked := int(row["n_linked"]):
        outcomes = [
            f"{say.number(int(n))} {name}"
            for name in ("won", "lost", "open")
            if (n := row[f"n_{name}"])
        ]
        parts.append(f"{say.rows(n_linked, 'deal')} named: {', '.join(outcomes)}")
    if _cell(row, "measure"):
        parts.append(_base_rate(row, say))
    if not pd.isna(row["contribution"]):
        parts.append(f"{driver_label(row['driver'], say)}: {_contribution(row, say)}")
    return f"{text.capital('; '.join(parts) or 'nothing is recorded on it')}."


def _base_rate(row: Row, say: Say) -> str:
    """How often a thing is recorded, or what its figure is, and whether that changed."""
    if pd.isna(row["n_period"]):
        return f"{row['measure']}: too few {row['counted']} to be shown"
    if pd.isna(row["value_low"]):
        return _own_figure(
            {**row, "tested_by": DRIVER, "tested_segment": None, "p_value": math.nan}, say
        )
    n = int(row["n_period"])
    hits = say.number(round(row["value"] * n))
    share = say.share_estimate(row, "value")
    recorded = f"{row['measure']}: {hits} of {say.number(n)} {row['counted']}, {share}"
    if pd.isna(row["low"]):
        return recorded
    return f"{recorded}; the change {change_cell(row, say)} ({row['measure_verdict']})"


# --- what was agreed, and what could be


@text.headline(Actions)
def actions_headline(actions: Actions, say: Say) -> str:
    """How many actions there are, by verdict."""
    if actions.table.empty:
        return "No actions of earlier meetings are recorded, so there is none to measure again."
    counted = actions.table["verdict"].value_counts(sort=False)
    parts = [f"{say.number(n)} {verdict}" for verdict, n in sorted(counted.items())]
    return f"Of {say.rows(len(actions.table), 'action')} measured again: {', '.join(parts)}."


@text.caveats(Actions)
def actions_caveats(actions: Actions, say: Say) -> list[str]:
    """What the comparison is not adjusted for."""
    if actions.table.empty:
        return []
    return [
        "A change after an action need not come from it: season and other changes are not "
        "adjusted for."
    ]


@text.table(Actions)
def actions_table(actions: Actions, say: Say) -> pd.DataFrame:
    """Each action, who took it on, its verdict and its measure."""
    return text.cells(
        actions.table,
        {
            "action": "action",
            "owner": "owner",
            "due": "due_on",
            "verdict": "verdict",
            "its measure": lambda row: action_sentence(row, say),
        },
    )


def action_sentence(row: Row, say: Say) -> str:
    """What an action's measure was before and since, or why it is unknown."""
    code, n_days = _cell(row, "gap"), int(row["n_days"])
    if code == "not due":
        day = say.day(dt.date.fromisoformat(row["gap_on"]))
        return f"Not due before {day}: the data end on that day or earlier."
    if code == "unknown measure":
        return f"No figure is called {row['measure']!r}; known are {row['gap_subject']}."
    each = f"{say.number(n_days)} days each" if n_days > 1 else "one day each"
    if code:
        return f"{text.capital(each)}: {gap_text(row, say)}."
    unit = row["unit"]
    before, since = (figure_value(row[name], unit, say) for name in ("before", "since"))
    change, low, high = (
        figure_value(row[name], unit, say, sign=True) for name in ("change", "low", "high")
    )
    ends = (end.removesuffix(" points").removesuffix(" days") for end in (low, high))
    n = [say.number(int(row[name])) for name in ("n_before", "n_since")]
    age = "" if pd.isna(row["age_days"]) else f", within {say.number(row['age_days'])} days"
    return (
        f"{before} before, {since} since{age}: {change} {say.interval(*ends)}, from {n[0]} and "
        f"{n[1]} {_counted(row, say)}; {each}.{_wanted(row, say)}{_usual(row, say)}"
    )


def _wanted(row: Row, say: Say) -> str:
    """That both no change and the one expected are possible; empty elsewhere."""
    if row["verdict"] != CANNOT_TELL or pd.isna(row["wanted"]) or not row["wanted"]:
        return ""
    wanted = figure_value(row["wanted"], row["unit"], say, sign=True)
    return f" No change and the {wanted} expected both lie within that range."


def _usual(row: Row, say: Say) -> str:
    """What is usual for an action's measure; empty where too little is recorded."""
    if pd.isna(row["usual"]):
        return ""
    usual = figure_value(row["usual"], row["unit"], say)
    beyond, low, high = (
        figure_value(row[name], row["unit"], say, sign=True)
        for name in ("beyond", "beyond_low", "beyond_high")
    )
    ends = (end.removesuffix(" points").removesuffix(" days") for end in (low, high))
    n = say.rows(int(row["n_usual"]), "span")
    return f" Usual is {usual} ({n} as long before that); now {beyond} {say.interval(*ends)}."


@text.headline(Proposals)
def proposals_headline(proposals: Proposals, say: Say) -> str:
    """How many actions are proposed, or why there is none."""
    if proposals.table.empty:
        return (
            "No action is proposed: no driver that work could move is clear, so no effect could be "
            "seen. The questions come first."
        )
    n, day = say.number(len(proposals.table)), say.day(proposals.next_on)
    return f"{n} actions are proposed, as many to sales as to marketing; to be measured on {day}."


@text.table(Proposals)
def proposals_table(proposals: Proposals, say: Say) -> pd.DataFrame:
    """Each proposed action, its owner and the change to expect."""
    return text.cells(
        proposals.table,
        {
            "action": lambda row: proposal_action(row, say, proposals.comparison),
            "owner": "owner",
            "due": "due_on",
            "measure": lambda row: driver_label(row["measure"], say),
            "expected": lambda row: proposal_expected(row, say),
        },
    )


_ACTIONS = {
    "lead volume": "List the sources that sent more or fewer leads than in {then}",
    "mix": "Compare each segment's share of leads with {then}, and mark what was intended",
    "timing": "Go through the open deals by age, and write down the next step of each",
    "deal size": "Compare the won deals with those of {then}: scope, price, discount",
    WITHOUT_LEAD: "List the won deals without a lead of {now} and {then}, and where each came from",
}
_STEP_ACTION = (
    "Read twenty {stage} that left in {now}, chosen at random, and write down what they have in "
    "common"
)


_SHORT_ACTIONS = {
    "lead volume": "List the sources whose numbers changed",
    "mix": "Mark which change of sources was intended",
    "timing": "Write down the next step of each open deal",
    "deal size": "Compare scope, price and discount of the won deals",
    WITHOUT_LEAD: "Write down where the deals without a lead came from",
}


def proposal_work(row: Row, say: Say) -> str:
    """The work that is proposed on a driver, in a few words.

    Examples
    --------
    >>> proposal_work({"measure": "opportunity to won", "stage": "opportunity"}, Say())
    'Read twenty opportunities that left, at random'
    """
    stage = say.stage(_cell(row, "stage"))
    return _SHORT_ACTIONS.get(row["measure"], f"Read twenty {stage} that left, at random")


def proposal_action(row: Row, say: Say, comparison: Comparison) -> str:
    """The work that is proposed on a driver."""
    now, then = (say.span(each.start, each.end) for each in _periods(comparison))
    work = _ACTIONS.get(row["measure"], _STEP_ACTION)
    return work.format(now=now, then=then, stage=say.stage(_cell(row, "stage")))


def proposal_expected(row: Row, say: Say) -> str:
    """What a driver is worth now, and which change would be visible."""
    least = amount(row["smallest_detectable"], row["unit"], say)
    phrase = contribution_phrase(row, row["unit"], say)
    return f"Now {phrase}; a change of {least} would be visible."


# --- records to read


_RECORDS = {
    LEFT: "{stage} that left",
    LOST: "deals lost",
    OPEN: "deals open",
    CLOSED_WON: "deals won",
    CREATED: "leads created",
}


@text.headline(RecordLists)
def record_lists_headline(lists: RecordLists, say: Say) -> str:
    """Of how many drivers there are records, and how they were drawn."""
    if lists.table.empty:
        return "There is no record to read: no driver is recorded in this period."
    n = lists.table["driver"].nunique()
    return (
        f"Records behind {say.rows(n, 'driver')} of {say.span(*_ends(lists.comparison))}, at most "
        f"{say.number(MOST)} of each, drawn at random."
    )


@text.table(RecordLists)
def record_lists_table(lists: RecordLists, say: Say) -> pd.DataFrame:
    """The records drawn, each with its account, day, stage, amount and owner."""
    return text.cells(lists.table, record_cells(say, lists.exits))


def record_cells(say: Say, exits: Collection[str]) -> dict[str, Any]:
    """Columns of a list of records."""
    plain = {*exits, LOST, OPEN, CLOSED_WON, "lead"}  # said as they are written
    return {
        "driver": lambda row: driver_label(row["driver"], say),
        "record": "id",
        "account": lambda row: _cell(row, "account"),
        "day": lambda row: say.day(dt.date.fromisoformat(row["date"])),
        "stage": lambda row: row["stage"] if row["stage"] in plain else say.entered(row["stage"]),
        "amount": lambda row: "" if pd.isna(row["amount"]) else say.money(row["amount"]),
        "owner": lambda row: _cell(row, "owner"),
    }


def records_drawn(row: Row, n: int, say: Say) -> str:
    """Which records a driver's list holds, and how many of how many."""
    first = row["driver"].partition(" to ")[0]
    what = _RECORDS[row["records"]].format(stage=say.stage(first))
    of = say.number(int(row["n_records"]))
    drawn = f"{say.number(n)} of {of}, drawn at random" if n < row["n_records"] else f"all {of}"
    return f"{text.capital(what)}: {drawn}."


def _ends(comparison: Comparison) -> tuple[dt.date, dt.date]:
    return comparison.period.start, comparison.period.end


# --- what did not move, what is inconclusive, and what to ask


def unmoved_sentence(row: Row, unit: str, say: Say, arrivals: str = LEADS) -> str:
    """That a driver did not move, with the smallest change that would be visible.

    Examples
    --------
    >>> row = {"driver": "mix", "low": -9.0, "high": 12.0, "smallest_detectable": 16.0}
    >>> unmoved_sentence(row, "money", Say())
    'Kinds of leads: no sign of a change. Anything above €16 would have been visible.'
    """
    visible = amount(max(-row["low"], row["high"], row["smallest_detectable"]), unit, say)
    name = text.capital(driver_label(row["driver"], say, arrivals))
    return f"{name}: no sign of a change. Anything above {visible} would have been visible."


def settle_sentence(needed: Needed, unit: str, say: Say, arrivals: str = LEADS) -> str:
    """What a driver that is inconclusive may be worth, and what would settle it."""
    row = needed.row
    name = text.capital(driver_label(row["driver"], say, arrivals))
    begin = f"{name}: {contribution_phrase(row, unit, say)}."
    if check := explained_by(row):
        return f"{begin} The check {check} explains it."
    least = amount(row["smallest_detectable"], unit, say)
    chance = "Over all tests it may be chance. " if row["low"] > 0 or row["high"] < 0 else ""
    if row.get("explained"):
        part = amount(abs(row["explained"]), unit, say)
        chance = f"The check {row['explained_by']} may explain {part} of it. "
    visible = f"{chance}A change of {least} would be visible"
    if not math.isfinite(needed.n_wins):
        return f"{begin} {visible}."
    n, time = say.number(needed.n_wins), _how_long(needed.days, say)
    return f"{begin} {visible}; one of a tenth, with about {n} wins in each period ({time})."


def _how_long(days: float, say: Say) -> str:
    """Time until as many rows come in; what takes years is settled by asking."""
    if days < _YEARS * 365:
        return f"{say.number(days / 7)} weeks of data"
    return f"about {say.number(days / 365)} years of data: ask rather than wait"


@text.headline(Questions)
def questions_headline(questions: Questions, say: Say) -> str:
    """How many questions there are to each side."""
    n = questions.table["driver"].nunique()
    if not n:
        return "No driver is inconclusive, so there is nothing to ask about one."
    return f"{say.rows(n, 'question')} to each side, about what is inconclusive."


@text.table(Questions)
def questions_table(questions: Questions, say: Say) -> pd.DataFrame:
    """The questions about each driver, side by side."""
    by_driver: dict[str, dict[str, str]] = {}
    for row in questions.table.to_dict("records"):
        by_driver.setdefault(row["driver"], {})[row["side"]] = question_sentence(row, say)
    rows = [{"driver": driver_label(driver, say), **sides} for driver, sides in by_driver.items()]
    return pd.DataFrame(rows, columns=["driver", *SIDES])


# What each side may know of a driver that no table shows.
_QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "lead volume": {
        "sales": "Where did the leads that you worked come from, and what did no form ask them?",
        "marketing": "What was changed in budgets, forms or tracking, and on which day?",
    },
    DEALS: {
        "sales": "What was changed in when deals are entered, and from which day?",
        "marketing": "Which programmes brought deals in the earlier period and not in this one?",
    },
    "mix": {
        "sales": "Which kinds of companies did you meet more, or less, than before?",
        "marketing": "Which audiences were meant to grow or to shrink, and from which day?",
    },
    "timing": {
        "sales": "Which open deals were expected to be closed by now, and what do they wait for?",
        "marketing": "Who was asked to wait, and for what?",
    },
    "deal size": {
        "sales": "Which deals were discounted, split or merged, and where is it written down?",
        "marketing": "Which prices or offers were shown in campaigns, and on which days?",
    },
    "calendar": {
        "sales": "Which days were lost to leave, fairs or holidays that were not lost before?",
        "marketing": "Which campaigns of the earlier period had no counterpart in this one?",
    },
    WITHOUT_LEAD: {
        "sales": "Where did the won deals that name no lead come from, and who brought them?",
        "marketing": "Which of the won deals that name no lead had met a campaign before?",
    },
    RENEWALS: {
        "sales": "Which customers were due to renew or expand, and which of them were not asked?",
        "marketing": "Which programmes addressed customers, and from which day?",
    },
    ACCOUNTS: {
        "sales": "What did the customers behind it say, and when was it known?",
        "marketing": "Which programmes addressed the customers behind it, and from which day?",
    },
    STEP: {
        "sales": "What do you hear about {stage} that no table shows?",
        "marketing": "What was offered or shown to {stage} that no table holds?",
    },
}


def question_sentence(row: Row, say: Say) -> str:
    """The question to one side about one driver.

    Examples
    --------
    >>> question_sentence({"kind": "step", "side": "sales", "stage": "mql"}, Say())
    'What do you hear about leads qualified by marketing that no table shows?'
    """
    stage = say.stage(_cell(row, "stage"))
    return _QUESTIONS[row["kind"]][row["side"]].format(stage=stage)


# --- cells


def _cell(row: Row, name: str) -> str:
    """Text of a cell; empty where it is missing."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _stage(row: Row, say: Say, name: str = "stage") -> str:
    """A stage by the company's label, else as the records write it."""
    stage = _cell(row, name)
    return say.company.labels.get(stage, stage)


def _names(drivers: str, say: Say) -> str:
    return ", ".join(driver_label(each, say) for each in drivers.split(SEPARATOR))


def _comma(names: str) -> str:
    return names.replace(SEPARATOR, ", ")


# --- the outlook


@text.headline(Outlook)
def outlook_headline(outlook: Outlook, say: Say) -> str:
    """What is already there will bring, and what the change in leads is worth in it."""
    if outlook.table.empty:
        reason = {
            ACCOUNTS: "recurring revenue has no leads and stages to follow",
            WON: "only won deals are recorded, and nothing that could still be won",
        }.get(outlook.arrivals, f"fewer than {FEWEST_WINS} deals were won in the period")
        return f"No outlook is given: {reason}."
    rows = outlook.table.set_index("span")
    total, labels = rows.loc[TOTAL], [name for name in rows.index if name != TOTAL]
    low, high = (_worth(total[end], outlook, say) for end in ("low", "high"))
    return (
        f"In {' and '.join(labels)}, leads and open deals already there are expected to bring "
        f"{_worth(total['expected'], outlook, say)} (likely {low} to {high}). "
        f"{_of_fewer_leads(outlook, total, say)}"
    )


def _of_fewer_leads(outlook: Outlook, total: Row, say: Say) -> str:
    """What the change in arrivals means for the two periods to come."""
    what = outlook.arrivals
    if not outlook.n_leads_baseline or outlook.n_leads == outlook.n_leads_baseline:
        return f"There were as many {what} as in the baseline."
    share = outlook.n_leads / outlook.n_leads_baseline - 1
    direction = "more" if share > 0 else "fewer"
    changed = f"There were {say.share(abs(share))} {direction} {what} than in the baseline"
    ends = [_worth(abs(total[f"difference_{end}"]), outlook, say) for end in ("low", "high")]
    if total["difference_low"] <= 0 <= total["difference_high"]:
        return f"{changed}: no clear effect on these two periods."
    word = "more" if total["difference"] > 0 else "less"
    size = _worth(abs(total["difference"]), outlook, say)
    low, high = ends if total["difference"] > 0 else ends[::-1]
    return f"{changed}: about {size} {word} in these two periods (likely {low} to {high})."


def _worth(value: float, outlook: Outlook, say: Say) -> str:
    if outlook.measure == "wins":
        return f"{say.number(value)} wins"
    return say.short_money(value)


@text.caveats(Outlook)
def outlook_caveats(outlook: Outlook, say: Say) -> list[str]:
    """What is not in it, and how earlier ones came out."""
    if outlook.table.empty:
        return []
    left_out = "Leads and deals still to come are not in it"
    sentences = [
        f"{left_out}{', nor are expansions and renewals' if outlook.has_renewals else ''}. Rates, "
        "times and deal sizes are taken to stay as they are now."
    ]
    if outlook.n_tests:
        sentences.append(
            f"Of {say.rows(outlook.n_tests, 'value')} expected in the same way in earlier periods, "
            f"{say.number(outlook.n_inside)} came out within the interval, which is to hold "
            f"{say.share(outlook.level)} of them."
        )
    else:
        sentences.append("There are too few earlier periods to compare an outlook with.")
    return sentences


@text.table(Outlook)
def outlook_table(outlook: Outlook, say: Say) -> pd.DataFrame:
    """Each period with its parts, and what the change in arrivals is worth."""
    what = "wins" if outlook.measure == "wins" else "value"
    return text.cells(
        outlook.table,
        {
            "period": lambda row: "both" if row["span"] == TOTAL else row["span"],
            f"expected {what}": lambda row: _worth_estimate(
                row, "expected", ("low", "high"), outlook, say
            ),
            "from open deals": lambda row: _worth(row["from_open_deals"], outlook, say),
            "from leads": lambda row: _worth(row["from_leads"], outlook, say),
            f"due to the change in {outlook.arrivals}": lambda row: _worth_estimate(
                row, "difference", ("difference_low", "difference_high"), outlook, say
            ),
        },
    )


def _worth_estimate(row: Row, name: str, ends: tuple[str, str], outlook: Outlook, say: Say) -> str:
    return say.estimate(*(_worth(row[each], outlook, say) for each in (name, *ends)))
