"""What each guard found, as a row and in words: data, definition, maturity, calendar, mix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from funnel import checks
from funnel.dataset import stages
from funnel.methods.bridge import Bridge
from funnel.questions.why.driver_text import with_interval
from funnel.questions.why.expected_calendar import Calendar
from funnel.questions.why.guard_findings import (
    CANNOT_SAY,
    EITHER,
    FALSE_ALARMS,
    FOUND,
    PASSED,
    Found,
    Looked,
)
from funnel.questions.why.record_changes import span_of
from funnel.results import formats
from funnel.stats import CANNOT_TELL, MOVED

if TYPE_CHECKING:
    from funnel.dataset import Tables

_MOST_UNRECORDED = 0.5

Row = tuple[tuple[object, ...], tuple[Found, ...]]


def row_of(
    guard: str, state: str, says: str, found: tuple[Found, ...] = (), n: int = 0,
    p_value: float = float("nan"),
) -> Row:  # fmt: skip
    """Make a row of the table, with what was found, and since when."""
    days = [each.since for each in found if each.since]
    since = min(days).isoformat() if days else ""
    named = [
        driver if way == EITHER else f"{driver} ({way})"
        for each in found
        for driver, way in each.explains
    ]
    named += [f"split by {name}" for each in found for name in each.columns]
    drivers = ", ".join(dict.fromkeys(named))
    known = [each.p_value for each in found if each.p_value == each.p_value]
    return (guard, state, says, since, drivers, n, min(known) if known else p_value), found


def data_row(data: Tables, about: Looked) -> Row:
    """Say what was found in the records, or how many looks found nothing."""
    if about.found:
        says = " ".join(each.says for each in about.found)
        return row_of("data", FOUND, says, about.found, max(about.n, *(f.n for f in about.found)))
    company = data.plan.company
    if not about.n_looks:
        return row_of("data", CANNOT_SAY, "The two periods hold too few rows to look at.")
    set_aside = int(data.counts["rows_rejected"].sum()) if len(data.counts) else 0
    says = (
        f"{_span(data)}: {formats.number(about.n_looks, company)} looks at lost fields, repeated "
        f"leads and late rows, and one at every source that stopped, found none "
        f"({_alarms(data)}). {formats.number(set_aside, company)} rows were set aside while "
        "loading."
    )
    return row_of("data", PASSED, says, n=about.n)


def rules_row(data: Tables, about: Looked) -> Row:
    """Say which rule for a stage moved, or how many looks found none that did."""
    company, agreed = data.plan.company, _agreed(data)
    if about.found:
        says = " ".join([*(each.says for each in about.found), *agreed])
        return row_of("definition", FOUND, says, about.found, max(f.n for f in about.found))
    if not about.n_looks:
        says = "No more than two stages are recorded, so no border between stages can be looked at."
        return row_of("definition", CANNOT_SAY, " ".join([says, *agreed]))
    says = (
        f"{_span(data)}: {formats.number(about.n_looks, company)} looks at bars and borders of "
        f"stages, over up to {formats.number(about.n, company)} leads a stage, found none that "
        f"moved ({_alarms(data)})."
    )
    return row_of("definition", PASSED, " ".join([says, *agreed]), n=about.n)


def _span(data: Tables) -> str:
    company, comparison = data.plan.company, data.comparison
    return (
        f"{formats.day(comparison.baseline.start, company)} to "
        f"{formats.day(comparison.period.end, company)}"
    )


def _alarms(data: Tables) -> str:
    share = formats.share(FALSE_ALARMS, data.plan.company)
    return f"a false alarm in about {share} of runs"


def _agreed(data: Tables) -> Iterator[str]:
    """Tell what the plan itself dates within the compared span."""
    (begin, after), company = span_of(data), data.plan.company
    agreed_on = data.plan.definition.agreed_on
    if agreed_on and begin <= agreed_on < after:
        yield f"The plan's definition was agreed on {formats.day(agreed_on, company)}."
    for item in data.plan.checklist:
        if item.from_ and begin <= item.from_ < after:
            yield f"The plan's checklist has: {item.name}, {formats.day(item.from_, company)}."


def maturity_row(data: Tables) -> Row:
    """Say which cohorts are young, and which borders cannot be told from timing there.

    The bridge follows leads at equal age, so youth alone moves no driver. Where leaving a stage is
    not written down, a slower pace and a lower rate look alike: moves against each other of such a
    rate and of timing are one and the same.
    """
    young = checks.maturity(data)
    company = data.plan.company
    begin = f"{data.comparison.baseline.start:%Y-%m}"
    end = f"{data.comparison.period.end:%Y-%m}"
    months = young.cohorts[young.cohorts["cohort_month"].between(begin, end)]
    n = int(months["n_leads"].sum())
    if not n or months["state"].eq("cannot tell").all():
        return row_of(
            "maturity", CANNOT_SAY,
            f"{formats.number(young.n_won, company)} wins are too few to say how long one takes.",
            n=n,
        )  # fmt: skip
    n_young = int(months.loc[months["state"] == "immature", "n_leads"].sum())
    unrecorded = _without_exits(data)
    says = (
        f"{formats.number(n_young, company)} of {formats.number(n, company)} leads of the two "
        f"periods are younger than the {formats.number(young.mature_days, company)} days that "
        "wins take; the bridge follows leads at equal age, so their youth moves no driver."
    )
    if not (n_young and unrecorded):
        return row_of("maturity", PASSED, says, n=n)
    says += (
        f" Leaving is not recorded for {', '.join(unrecorded)}: a rate and the time it takes "
        "cannot be told apart there."
    )
    return row_of("maturity", CANNOT_SAY, says, n=n)


def _without_exits(data: Tables) -> list[str]:
    """Name the pairs of stages whose leads mostly neither go on nor are known to have left."""
    frame = stages.reached(data)
    names = frame.attrs["stages"]
    start = pd.Timestamp(data.plan.midnight(data.comparison.period.start))
    found = []
    for first, second in itertools.pairwise(names):
        stayed = frame[(frame[f"{first}_at"] < start) & frame[f"{second}_at"].isna()]
        if len(stayed) and stayed["left_at"].isna().mean() > _MOST_UNRECORDED:
            found.append(f"{first} to {second}")
    return found


def calendar_row(bridge: Bridge, calendar: Calendar) -> Row:
    """Say what these months usually do; found where the calendar moved."""
    if calendar.usual is None:
        return row_of("calendar", CANNOT_SAY, calendar.says, n=calendar.n_months)
    row = bridge.totals.set_index("driver").loc["calendar"]
    found = Found(
        "calendar", calendar.says, explains=(("calendar", EITHER),), n=calendar.n_months,
        p_value=calendar.p_value,
    )  # fmt: skip
    state = FOUND if row["verdict"] == MOVED else PASSED
    founds = (found,) if state == FOUND else ()
    return row_of("calendar", state, calendar.says, founds, calendar.n_months, calendar.p_value)


def mix_row(data: Tables, bridge: Bridge) -> Row:
    """Say what another mix of leads accounts for; found where mix moved."""
    row = bridge.totals.set_index("driver").loc["mix"]
    tests = bridge.tests[bridge.tests["segment"].isna()].set_index("driver")
    n = len(data.leads) if not data.leads.empty else len(data.deals)
    by = ", ".join(bridge.plan.segments)
    if not by:
        return row_of("mix", CANNOT_SAY, "There is no segment that can be compared.", n=n)
    says = f"The mix by {by} accounts for {with_interval(row, bridge.plan)}"
    p_value = float(tests.loc["mix", "p_value"])
    if row["verdict"] == MOVED:
        found = Found("mix", f"{says}.", explains=(("mix", EITHER),), n=n, p_value=p_value)
        return row_of("mix", FOUND, found.says, (found,), n)
    state = CANNOT_SAY if row["verdict"] == CANNOT_TELL else PASSED
    tail = "cannot be told from chance" if state == CANNOT_SAY else "did not move"
    return row_of("mix", state, f"{says}: it {tail}.", n=n, p_value=p_value)
