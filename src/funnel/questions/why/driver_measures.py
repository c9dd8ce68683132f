"""What a driver is about, measured by itself: leads counted, a step's rate, deal size, time.

A part of bookings says what a driver is worth. Whether it moved at all is asked of the thing
itself, by one rule for every driver.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.periods import Period
from funnel.contract.plan import Company
from funnel.methods.ages import known
from funnel.methods.bridge.stage_stays import won_deals
from funnel.methods.bridge.tests import like_for_like
from funnel.questions.why.action_measures import Gauges
from funnel.questions.why.expected_calendar import usual_of_leads
from funnel.questions.why.measures import facts_of
from funnel.questions.why.period_text import shown
from funnel.questions.why.time_in_stage import Stays, share_by_age, time_by_age
from funnel.results import formats
from funnel.stats import NARROW, Verdict, verdict

if TYPE_CHECKING:
    from funnel.dataset import Tables

FIGURES = ("value", "baseline", "change", "low", "high")
_SLOWER_TAKES = -1  # more days are less value in the period


@dataclass(frozen=True)
class Own:
    """A driver's own measure in both periods.

    Attributes
    ----------
    name
        What is measured, with how it is held equal.
    unit
        `count`, `rate`, `days` or `ratio` (of the period's to the baseline's, like for like).
    change, low, high
        In the unit; of a rate and a ratio as a share.
    way
        1 where more of it adds to the period's value, -1 where it takes from it.
    n
        Rows in the period and in the baseline, of the kind in `counted`.
    rows
        The table they are of, and their ids in both.
    """

    name: str
    unit: str
    value: float
    baseline: float
    change: float
    low: float
    high: float
    n: tuple[int, int]
    counted: str
    way: int = 1
    rows: tuple[str, pd.Series, pd.Series] | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether it moved, by the rule of all measures: a tenth of the baseline is narrow."""
        whole = 1.0 if self.unit == "ratio" else abs(self.baseline)
        return verdict(self.low, self.high, NARROW * whole if whole == whole else 0.0)

    @property
    def sign(self) -> int:
        """Which way it points, seen from the period's value; 0 for none."""
        return self.way * ((self.change > 0) - (self.change < 0))

    def says(self, company: Company) -> str:
        """Say what it was in both periods, how it changed, and how surely."""
        n = " and ".join(formats.number(each, company) for each in self.n)
        values = ""
        if self.unit != "ratio":
            both = (self._value(each, company) for each in (self.value, self.baseline))
            values = f" {' against '.join(both)}"
        change = self._change(company)
        return f"{self.name}{values}: {change} ({self.verdict}; {n} {self.counted})"

    def as_row(self) -> dict[str, Any]:
        """Give its figures for a table."""
        return {
            "measure": self.name,
            "unit": self.unit,
            **{
                name: getattr(self, name) for name in ("value", "baseline", "change", "low", "high")
            },
            "n_period": self.n[0],
            "n_baseline": self.n[1],
            "measure_verdict": self.verdict,
        }

    def _value(self, value: float, company: Company) -> str:
        if self.unit == "days":
            return formats.number(value, company, digits=1)
        return shown(value, self.unit, company)

    def _change(self, company: Company) -> str:
        values = [self.change, self.low, self.high]
        if self.unit == "rate":
            texts = [formats.number(100 * each, company, digits=1, sign=True) for each in values]
            texts[0] += " points"
        elif self.unit == "days":
            texts = [formats.number(each, company, digits=1, sign=True) for each in values]
            texts[0] += " days"
        elif self.unit == "ratio" or self.baseline > 0:
            whole = 1.0 if self.unit == "ratio" else self.baseline
            texts = [formats.share(each / whole, company, sign=True) for each in values]
        else:
            texts = [formats.number(each, company, sign=True) for each in values]
        return f"{texts[0]} {formats.interval(texts[1], texts[2])}"


class OwnMeasures:
    """Measures what drivers are about, each from the rows of one company."""

    def __init__(self, data: Tables) -> None:
        self.data = data
        self._gauges = Gauges(data)
        self._known: dict[tuple[str, str], Own | None] = {}

    def of(self, driver: str, segment: str = "") -> Own | None:
        """Measure what a driver is about; `None` where these tables cannot.

        Parameters
        ----------
        driver
            As the bridge names it.
        segment
            As the plan's segments name it; empty for everywhere.
        """
        key = (driver, segment)
        if key not in self._known:
            self._known[key] = self._measured(driver, segment)
        return self._known[key]

    def drivers(self) -> list[str]:
        """Name the drivers that have a measure of their own."""
        stages = self._ways[0].attrs["stages"]
        steps = [f"{a} to {b}" for a, b in itertools.pairwise(stages)]
        return ["lead volume", *steps, "timing", "deal size"]

    def _measured(self, driver: str, segment: str) -> Own | None:
        keep = self._gauges.units(segment) if segment else None
        if keep is not None and not len(keep):
            return None
        if driver == "lead volume":
            return self._leads(segment)
        if driver == "deal size":
            return self._deal_size(keep)
        if driver == "timing":
            return self._closing(keep)
        first, _, second = driver.partition(" to ")
        return self._step(first, second, keep) if second else None

    @cached_property
    def _ways(self) -> tuple[pd.DataFrame, Mapping[str, Any]]:
        """Each lead's way through the stages, and the stages that are recorded late."""
        return known(self.data)

    def _leads(self, segment: str) -> Own | None:
        """Leads, beside as many as the calendar would make of the baseline's."""
        found = self._gauges.measure("leads", segment, self.data.comparison)
        low, high = found.interval
        if found.why or not math.isfinite(low):
            return None
        name, then = "leads", found.baseline
        usual = usual_of_leads(self.data)
        if usual is not None and then > 0:
            expected, *ends = (then * math.exp(each) for each in usual)
            change = found.value - expected
            raw = found.value - found.baseline
            # either interval is of a difference; the two are independent
            low = change - math.hypot(raw - low, ends[1] - expected)
            high = change + math.hypot(high - raw, expected - ends[0])
            name, then = "leads, the usual calendar taken out,", expected
        table, *ids = found.rows[0]
        return Own(
            name, "count", found.value, then, found.value - then, low, high, found.n,
            found.counted, rows=(table, *ids),
        )  # fmt: skip

    def _deal_size(self, keep: pd.Index | None) -> Own | None:
        """Deal sizes like for like, as the bridge asks whether they differ."""
        from scipy.special import ndtri

        if self.data.plan.measure == "wins" or self.data.deals.empty:
            return None
        deals = won_deals(self.data)
        if keep is not None:
            deals = deals[deals["deal_id"].isin(self._deals(keep)["deal_id"])]
        is_new = deals["is_new"].to_numpy(bool)
        effect, z = like_for_like(
            deals["value"].to_numpy(float), is_new, deals[["segment", "employees"]]
        )
        if not (math.isfinite(z) and z):
            return None
        reach = abs(effect / z) * float(ndtri((1 + self.data.plan.level) / 2))
        change, low, high = (math.expm1(effect + each) for each in (0.0, -reach, reach))
        value, baseline = (float(deals.loc[each, "value"].mean()) for each in (is_new, ~is_new))
        sized = deals["value"].to_numpy(float) > 0
        ids = [deals.loc[each & sized, "deal_id"] for each in (is_new, ~is_new)]
        return Own(
            "deal size, like for like", "ratio", value, baseline, change, low, high,
            (len(ids[0]), len(ids[1])), "won deals", rows=("deals", *ids),
        )  # fmt: skip

    def _closing(self, keep: pd.Index | None) -> Own | None:
        """Days that a deal stays open, of deals of equal age."""
        if self.data.deals.empty or facts_of(self.data).since["closed"]:
            return None
        deals = self.data.deals if keep is None else self._deals(keep)
        if not deals["outcome"].eq("lost").any():
            return None  # who is not won then seems to stay for ever
        both = self._both(
            deals["deal_id"], deals["created_at"], deals["closed_at"], deals["closed_at"].notna()
        )
        found = time_by_age(*both, self.data.plan) if both else None
        if found is None:
            return None
        age, figures = found
        name = f"days that deals stay open, to day {formats.number(age, self._company)},"
        both = tuple(each.up_to(age) for each in both)
        return Own(
            name, "days", *figures, (both[0].n, both[1].n), "deals", _SLOWER_TAKES,
            ("deals", both[0].ids, both[1].ids),
        )  # fmt: skip

    def _step(self, first: str, second: str, keep: pd.Index | None) -> Own | None:
        """Share that gets from one stage to the next by an age that both periods know."""
        frame, late = self._ways
        stages = {stage.casefold(): stage for stage in frame.attrs["stages"]}
        if first not in stages or second not in stages:
            return None
        a, b = stages[first], stages[second]
        start = self.data.comparison.baseline.start
        if any(stage in late and late[stage].covered_from > start for stage in (a, b)):
            return None
        frame = frame if keep is None else frame[frame["lead_id"].isin(keep)]
        frame = frame[frame[f"{a}_at"].notna()]
        lost_at = frame["created_at"] + pd.to_timedelta(frame["lost_age"], unit="D")
        advanced = frame[f"{b}_at"].notna()
        left = frame[f"{b}_at"].where(advanced, lost_at)
        both = self._both(frame["lead_id"], frame[f"{a}_at"], left, advanced)
        found = share_by_age(*both, self.data.plan) if both else None
        if found is None:
            return None
        age, figures = found
        unit = self._ways[0].attrs["unit"]
        name = f"by day {formats.number(age, self._company)}, {a} to {b}"
        both = tuple(each.up_to(age) for each in both)
        return Own(
            name, "rate", *figures, (both[0].n, both[1].n), f"{unit} at {a}",
            rows=(unit, both[0].ids, both[1].ids),
        )  # fmt: skip

    def _both(
        self, ids: pd.Series, entered: pd.Series, left: pd.Series, advanced: pd.Series
    ) -> tuple[Stays, Stays] | None:
        """Look at stays through the window of either period; `None` where one holds none."""
        comparison = self.data.comparison
        both = tuple(
            Stays.within(ids, entered, left, advanced, *self._ends(period))
            for period in (comparison.period, comparison.baseline)
        )
        return both if all(each.n for each in both) else None

    def _ends(self, period: Period) -> tuple[pd.Timestamp, pd.Timestamp]:
        plan = self.data.plan
        return tuple(pd.Timestamp(plan.midnight(day)) for day in (period.start, period.after))

    def _deals(self, keep: pd.Index) -> pd.DataFrame:
        deals = self.data.deals
        return deals[deals["lead_id" if self.data.has("leads") else "deal_id"].isin(keep)]

    @property
    def _company(self) -> Company:
        return self.data.plan.company
