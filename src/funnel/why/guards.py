"""What could look like a change and is none, asked in order before anybody is."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel import coverage, formats, stages
from funnel.bridge import Bridge
from funnel.bridge.looks import like_for_like
from funnel.bridge.paths import won_deals
from funnel.coverage.remembered import remembered
from funnel.evidence import CANNOT_TELL, MOVED
from funnel.plan import Company
from funnel.results import Result, rows_of
from funnel.why.data import look_at_data, span_of
from funnel.why.found import (
    CANNOT_SAY,
    DOWN,
    EITHER,
    FALSE_ALARMS,
    FOUND,
    GUARDS,
    PASSED,
    UP,
    Found,
    Looked,
)
from funnel.why.outlier import outlying_deal
from funnel.why.rules import look_at_rules
from funnel.why.usual import Calendar, usual_calendar
from funnel.why.words import with_interval

if TYPE_CHECKING:
    from funnel.load import Tables

_COLUMNS = ("guard", "state", "says", "since", "drivers", "n", "p_value")
_MOST_UNRECORDED = 0.5
_TOLD = 1.645  # deviate that chance passes once in ten, two-sided


@dataclass(frozen=True, eq=False, kw_only=True)
class Guards(Result):
    """What could look like a change of the business and is none, in the order it is asked.

    `table` has one row per guard: `guard`, `state` (`passed`, `found`, `cannot tell`), `says`,
    `since` (the first day of what was found, as text; empty without one), `drivers` (those that it
    accounts for, with the way they move by it, and the segment columns that cannot be compared),
    `n` (rows looked at), `p_value` (of what was found).

    Attributes
    ----------
    explains
        One row per guard and driver: `guard`, `driver`, `way` (`up`, `down` or `either`).
    columns
        Segment columns that cannot be compared between the two periods.
    """

    explains: pd.DataFrame
    columns: tuple[str, ...]
    company: Company

    @property
    def headline(self) -> str:
        """Which guards found something, and what."""
        found = self.table[self.table["state"] == FOUND]
        open_ = self.table[self.table["state"] == CANNOT_SAY]
        parts = []
        if len(found):
            parts.append(f"{', '.join(found['guard'])} found something")
        if len(open_):
            parts.append(f"{', '.join(open_['guard'])} cannot tell")
        n = formats.number(len(self.table), self.company)
        return f"Of {n} guards, {' and '.join(parts) if parts else 'all passed'}."

    def shown(self) -> pd.DataFrame:
        """Give each guard, its state, and what it says."""
        return self.table[["guard", "state", "says", "since"]]

    def stops(self, driver: str, contribution: float) -> str:
        """Name the first guard that accounts for a driver moving this way; empty if none does.

        One rule for every driver, whichever side of the hand-over it lies on.
        """
        way = UP if contribution > 0 else DOWN
        mine = self.explains[self.explains["driver"] == driver]
        mine = mine[mine["way"].isin([way, EITHER])]
        order = sorted(mine["guard"], key=GUARDS.index)
        return order[0] if order else ""


@remembered
def looked(data: Tables) -> tuple[Looked, Looked]:
    """Look at the records and at the rules, once for a company's tables."""
    return look_at_data(data), look_at_rules(data)


def guards(data: Tables, bridge: Bridge, calendar: Calendar | None = None) -> Guards:
    """Ask in order what could look like a change and is none.

    Data, definition, maturity, calendar, mix, noise: what one accounts for is not held against
    anybody by the next.

    Parameters
    ----------
    data
        A company's tables.
    bridge
        The change, shared out among drivers.
    calendar
        What earlier years say, where it was asked already.

    Returns
    -------
    Guards
        Six rows. `data` and `definition` raise a false alarm in about one run of a hundred each.

    References
    ----------
    See `docs/guards.md`.

    Examples
    --------
    >>> from funnel.bridge import bridge
    >>> from funnel.load import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"]})
    >>> data = Tables.of(deals=deals, as_of="2026-06-30")
    >>> guards(data, bridge(data)).table["guard"].tolist()
    ['data', 'definition', 'maturity', 'calendar', 'mix', 'noise']
    """
    about_data, about_rules = looked(data)
    calendar = calendar or usual_calendar(data)
    rows = [
        _data_row(data, about_data),
        _rules_row(data, about_rules),
        _maturity(data),
        _calendar(bridge, calendar),
        _mix(data, bridge),
        _noise(data, bridge),
    ]
    all_found = [each for _, founds in rows for each in founds]
    explains = pd.DataFrame(
        [(f.guard, driver, way) for f in all_found for driver, way in f.explains],
        columns=["guard", "driver", "way"],
    ).drop_duplicates(ignore_index=True)
    return Guards(
        table=pd.DataFrame([row for row, _ in rows], columns=_COLUMNS),
        as_of=data.as_of,
        rows=_rows(data),
        units={"n": "rows"},
        level=data.plan.level,
        explains=explains,
        columns=lost_columns(about_data),
        company=data.plan.company,
    )


def said_anew(asked: Guards, data: Tables, bridge: Bridge, calendar: Calendar) -> Guards:
    """Let the guards that speak of verdicts speak of those that stand in the end.

    Parameters
    ----------
    asked
        What was found with the verdicts of the first look.
    data, calendar
        As they were given to `guards`.
    bridge
        The same bridge, with its last verdicts.

    Returns
    -------
    Guards
        With calendar, mix and noise in the words and the state that go with these verdicts. What
        accounts for which driver stays as it was found.
    """
    anew = {"calendar": _calendar(bridge, calendar), "mix": _mix(data, bridge)}
    anew["noise"] = _noise(data, bridge)
    rows = [
        anew[row["guard"]][0] if row["guard"] in anew else tuple(row.values())
        for row in asked.table.to_dict("records")
    ]
    return dataclasses.replace(asked, table=pd.DataFrame(rows, columns=_COLUMNS))


def lost_columns(about_data: Looked) -> tuple[str, ...]:
    """Name the segment columns that cannot be compared between the two periods."""
    return tuple(dict.fromkeys(name for each in about_data.found for name in each.columns))


Row = tuple[tuple[object, ...], tuple[Found, ...]]


def _row(
    guard: str, state: str, says: str, found: tuple[Found, ...] = (), n: int = 0,
    p_value: float = float("nan"),
) -> Row:  # fmt: skip
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


def _data_row(data: Tables, about: Looked) -> Row:
    if about.found:
        says = " ".join(each.says for each in about.found)
        return _row("data", FOUND, says, about.found, max(about.n, *(f.n for f in about.found)))
    company = data.plan.company
    if not about.n_looks:
        return _row("data", CANNOT_SAY, "The two periods hold too few rows to look at.")
    set_aside = int(data.counts["rows_rejected"].sum()) if len(data.counts) else 0
    says = (
        f"{_span(data)}: {formats.number(about.n_looks, company)} looks at lost fields, repeated "
        f"leads and late rows, and one at every source that stopped, found none "
        f"({_alarms(data)}). {formats.number(set_aside, company)} rows were set aside while "
        "loading."
    )
    return _row("data", PASSED, says, n=about.n)


def _rules_row(data: Tables, about: Looked) -> Row:
    company, agreed = data.plan.company, _agreed(data)
    if about.found:
        says = " ".join([*(each.says for each in about.found), *agreed])
        return _row("definition", FOUND, says, about.found, max(f.n for f in about.found))
    if not about.n_looks:
        says = "No more than two stages are recorded, so no border between stages can be looked at."
        return _row("definition", CANNOT_SAY, " ".join([says, *agreed]))
    says = (
        f"{_span(data)}: {formats.number(about.n_looks, company)} looks at bars and borders of "
        f"stages, over up to {formats.number(about.n, company)} leads a stage, found none that "
        f"moved ({_alarms(data)})."
    )
    return _row("definition", PASSED, " ".join([says, *agreed]), n=about.n)


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


def _maturity(data: Tables) -> Row:
    """Say which cohorts are young, and which borders cannot be told from timing there.

    The bridge follows leads at equal age, so youth alone moves no driver. Where leaving a stage is
    not written down, a slower pace and a lower rate look alike: moves against each other of such a
    rate and of timing are one and the same.
    """
    young = coverage.maturity(data)
    company = data.plan.company
    begin = f"{data.comparison.baseline.start:%Y-%m}"
    end = f"{data.comparison.period.end:%Y-%m}"
    months = young.cohorts[young.cohorts["cohort_month"].between(begin, end)]
    n = int(months["n_leads"].sum())
    if not n or months["state"].eq("cannot tell").all():
        return _row(
            "maturity", CANNOT_SAY,
            f"{formats.number(young.n_won, company)} wins are too few to say how long one takes.",
            n=n,
        )  # fmt: skip
    n_young = int(months.loc[months["state"] == "young", "n_leads"].sum())
    unrecorded = _without_exits(data)
    says = (
        f"{formats.number(n_young, company)} of {formats.number(n, company)} leads of the two "
        f"periods are younger than the {formats.number(young.mature_days, company)} days that "
        "wins take; the bridge follows leads at equal age, so their youth moves no driver."
    )
    if not (n_young and unrecorded):
        return _row("maturity", PASSED, says, n=n)
    says += (
        f" Leaving is not recorded for {', '.join(unrecorded)}: a rate and the time it takes "
        "cannot be told apart there."
    )
    return _row("maturity", CANNOT_SAY, says, n=n)


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


def _calendar(bridge: Bridge, calendar: Calendar) -> Row:
    if calendar.usual is None:
        return _row("calendar", CANNOT_SAY, calendar.says, n=calendar.n_months)
    row = bridge.totals.set_index("driver").loc["calendar"]
    found = Found(
        "calendar", calendar.says, explains=(("calendar", EITHER),), n=calendar.n_months,
        p_value=calendar.p_value,
    )  # fmt: skip
    state = FOUND if row["verdict"] == MOVED else PASSED
    founds = (found,) if state == FOUND else ()
    return _row("calendar", state, calendar.says, founds, calendar.n_months, calendar.p_value)


def _mix(data: Tables, bridge: Bridge) -> Row:
    row = bridge.totals.set_index("driver").loc["mix"]
    tests = bridge.tests[bridge.tests["segment"].isna()].set_index("driver")
    n = len(data.leads) if not data.leads.empty else len(data.deals)
    by = ", ".join(bridge.plan.segments)
    if not by:
        return _row("mix", CANNOT_SAY, "There is no segment that can be compared.", n=n)
    says = f"The mix by {by} accounts for {with_interval(row, bridge.plan)}"
    p_value = float(tests.loc["mix", "p_value"])
    if row["verdict"] == MOVED:
        found = Found("mix", f"{says}.", explains=(("mix", EITHER),), n=n, p_value=p_value)
        return _row("mix", FOUND, found.says, (found,), n)
    state = CANNOT_SAY if row["verdict"] == CANNOT_TELL else PASSED
    tail = "cannot be told from chance" if state == CANNOT_SAY else "did not move"
    return _row("mix", state, f"{says}: it {tail}.", n=n, p_value=p_value)


def _noise(data: Tables, bridge: Bridge) -> Row:
    company = data.plan.company
    totals = bridge.totals[~bridge.totals["driver"].isin(["residual"])]
    open_ = totals[totals["verdict"] == CANNOT_TELL]
    n = bridge.period_wins + bridge.baseline_wins
    looks = formats.number(bridge.n_looks, company)
    says = (
        f"{formats.number(len(open_), company)} of {formats.number(len(totals), company)} drivers "
        f"cannot be told after {looks} looks, with {formats.number(n, company)} deals "
        f"won in the two periods{': ' if len(open_) else ''}{', '.join(open_['driver'])}."
    )
    deals = won_deals(data)
    standing = outlying_deal(deals)
    if standing is None or standing[1] >= FALSE_ALARMS or data.plan.measure == "wins":
        return _row("noise", CANNOT_SAY if len(open_) else PASSED, says, n=n)
    deal = deals.iloc[standing[0]]
    period = data.comparison.period if deal["is_new"] else data.comparison.baseline
    value = formats.short_money(deal["value"], company)
    without, with_it = (
        formats.short_money(each, company, sign=True)
        for each in (_without(bridge, deal), bridge.change)
    )
    says += (
        f" One deal of {period.label}, {value}, stands out from others like it: without it the two "
        f"differ by {without}, with it by {with_it}."
    )
    way = UP if deal["is_new"] else DOWN
    explains = (("deal size", way),) if _hangs_on(deals, standing[0]) else ()
    found = Found("noise", says, explains=explains, n=n, p_value=standing[1])
    return _row("noise", FOUND, says, (found,), n)


def _hangs_on(deals: pd.DataFrame, at: int) -> bool:
    """Say whether deal sizes, like for like, differ no longer without one deal."""
    rest = deals.drop(deals.index[at])
    _, z = like_for_like(
        rest["value"].to_numpy(), rest["is_new"].to_numpy(), rest[["segment", "employees"]]
    )
    return not abs(z) > _TOLD


def _without(bridge: Bridge, deal: pd.Series) -> float:
    return bridge.change - float(deal["value"]) * (1 if deal["is_new"] else -1)


def _rows(data: Tables) -> pd.DataFrame:
    """Name the leads, or else deals, of the two periods that the looks went over."""
    table, key = ("leads", "lead_id") if not data.leads.empty else ("deals", "deal_id")
    frame = data.leads if table == "leads" else data.deals
    begin, after = (pd.Timestamp(data.plan.midnight(day)) for day in span_of(data))
    inside = (frame["created_at"] >= begin) & (frame["created_at"] < after)
    return rows_of("data, definition, maturity", table, frame.loc[inside, key])
