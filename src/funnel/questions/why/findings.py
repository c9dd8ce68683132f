"""What a check found, as facts: what, since when, how many rows, and which drivers it touches."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

CHECKS = ("data", "definition", "maturity", "calendar", "mix", "noise")
PASSED, FOUND, INCONCLUSIVE = "passed", "found", "cannot tell"
UP, DOWN, EITHER = "up", "down", "either"
SEPARATOR = "; "  # between the drivers of one cell


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One row of the checks: a finding, or the state of a check without one.

    Attributes
    ----------
    check, state
        One of `CHECKS`; `passed`, `found` or `cannot tell`.
    kind
        What it is about, such as `lost field` or `threshold moved`; decides its sentence.
    since
        First day of what was found.
    table, column, stage, subject
        What it concerns, as far as these apply.
    before, after
        A share, ratio or amount before and after.
    change, low, high
        With its interval, in `unit`: `share`, `ratio`, `money` or `count`.
    band
        Values (from, to under) whose leads are treated differently.
    n, n_before, n_affected
        Rows tested (after, and before), and those it concerns.
    expected
        Rows that there should be.
    days
        Days that it spans.
    n_tests, p_value
        Tests that it took, and the p value of what was found.
    nature, successor
        Of a source that stopped: `records`, `business` or `ask`; and the channel that took over
        its rows, where one did.
    touched
        Drivers that it explains, each with the direction: `up`, `down` or `either`.
    at_most
        The largest amount of each of these that it can explain, in the unit of the measure and
        over the bridge's whole look-back; infinity stands for the whole driver.
    others
        Drivers or steps named besides.
    """

    check: str
    state: str
    kind: str
    since: dt.date | None = None
    table: str = ""
    column: str = ""
    stage: str = ""
    subject: str = ""
    before: float = math.nan
    after: float = math.nan
    change: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    band: tuple[float, float] = (math.nan, math.nan)
    n: int = 0
    n_before: int = 0
    n_affected: int = 0
    expected: float = math.nan
    days: float = math.nan
    n_tests: int = 0
    p_value: float = math.nan
    nature: str = ""
    successor: str = ""
    touched: tuple[tuple[str, str], ...] = ()
    at_most: float = math.inf
    others: tuple[str, ...] = ()

    def as_row(self) -> dict[str, Any]:
        """Its fields as the cells of a table."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        touched, band = row.pop("touched"), row.pop("band")
        row |= {"band_low": band[0], "band_high": band[1]}
        for direction in (UP, DOWN, EITHER):
            drivers = [driver for driver, moved in touched if moved == direction]
            row[f"drivers_{direction}"] = SEPARATOR.join(dict.fromkeys(drivers))
        row["others"] = SEPARATOR.join(self.others)
        row["since"] = self.since.isoformat() if self.since else ""
        return row


def findings_table(found: Iterable[Finding]) -> pd.DataFrame:
    """One row per finding, in the order of the checks."""
    rows = [each.as_row() for each in found]
    columns = list(Finding(check="", state="", kind="").as_row())
    return pd.DataFrame(rows, columns=columns)


def drivers_touched(table: pd.DataFrame) -> pd.DataFrame:
    """Drivers that the checks explain: `check`, `driver`, `direction` and `at_most`.

    One row per check, driver and direction. What several findings of a check explain adds up.

    Parameters
    ----------
    table
        As `findings_table` makes it; also as read from a file.

    Examples
    --------
    >>> found = Finding(check="data", state="found", kind="late rows",
    ...                 touched=(("lead volume", "down"),))
    >>> drivers_touched(findings_table([found])).values.tolist()
    [['data', 'lead volume', 'down', inf]]
    """
    rows = [
        (row["check"], driver, direction, row.get("at_most", math.inf))
        for row in table.to_dict("records")
        for direction in (UP, DOWN, EITHER)
        if isinstance(cell := row.get(f"drivers_{direction}"), str) and cell
        for driver in cell.split(SEPARATOR)
    ]
    columns = ["check", "driver", "direction"]
    found = pd.DataFrame(rows, columns=[*columns, "at_most"]).astype({"at_most": "float64"})
    return found.groupby(columns, sort=False, as_index=False)["at_most"].sum()


def explaining_check(touched: pd.DataFrame, driver: str, change: float) -> tuple[str, float]:
    """First check that touches a driver with this change, and the most that the checks explain.

    Empty and 0 if none does, or if what they explain is nothing. One rule for every driver, on
    either side of the hand-off. The check that is the driver itself comes last.
    """
    direction = UP if change > 0 else DOWN
    mine = touched[(touched["driver"] == driver) & touched["direction"].isin([direction, EITHER])]
    mine = mine[mine["at_most"] > 0]
    others = mine[mine["check"] != driver]
    mine = others if len(others) else mine
    return min(mine["check"], key=CHECKS.index, default=""), float(mine["at_most"].sum())
