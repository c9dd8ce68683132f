"""What could look like a change and is none, asked in order before anybody is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.plan import Company
from funnel.dataset.cache import cached
from funnel.methods.bridge import Bridge
from funnel.questions.why.expected_calendar import Calendar, usual_calendar
from funnel.questions.why.guard_findings import CANNOT_SAY, DOWN, EITHER, FOUND, GUARDS, UP, Looked
from funnel.questions.why.guard_text import calendar_row, data_row, maturity_row, mix_row, rules_row
from funnel.questions.why.noise import noise_row
from funnel.questions.why.record_changes import look_at_data, span_of
from funnel.questions.why.rules import look_at_rules
from funnel.results import Result, formats, rows_of

if TYPE_CHECKING:
    from funnel.dataset import Tables

_COLUMNS = ("guard", "state", "says", "since", "drivers", "n", "p_value")


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


@cached
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
    >>> from funnel.methods.bridge import bridge
    >>> from funnel.dataset import Tables
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
        data_row(data, about_data),
        rules_row(data, about_rules),
        maturity_row(data),
        calendar_row(bridge, calendar),
        mix_row(data, bridge),
        noise_row(data, bridge),
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
    anew = {"calendar": calendar_row(bridge, calendar), "mix": mix_row(data, bridge)}
    anew["noise"] = noise_row(data, bridge)
    rows = [
        anew[row["guard"]][0] if row["guard"] in anew else tuple(row.values())
        for row in asked.table.to_dict("records")
    ]
    return dataclasses.replace(asked, table=pd.DataFrame(rows, columns=_COLUMNS))


def lost_columns(about_data: Looked) -> tuple[str, ...]:
    """Name the segment columns that cannot be compared between the two periods."""
    return tuple(dict.fromkeys(name for each in about_data.found for name in each.columns))


def _rows(data: Tables) -> pd.DataFrame:
    """Name the leads, or else deals, of the two periods that the looks went over."""
    table, key = ("leads", "lead_id") if not data.leads.empty else ("deals", "deal_id")
    frame = data.leads if table == "leads" else data.deals
    begin, after = (pd.Timestamp(data.plan.midnight(day)) for day in span_of(data))
    inside = (frame["created_at"] >= begin) & (frame["created_at"] < after)
    return rows_of("data, definition, maturity", table, frame.loc[inside, key])
