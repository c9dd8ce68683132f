"""What the questions about conversion answer with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.plan import Company
from funnel.results import Result, first_rows, formats
from funnel.stats import MOVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POOLED, NOT_RECORDED, EVERYBODY = "smaller groups", "not recorded", "all"
COMPARABLE, TOO_YOUNG, NOT_COVERED, NOBODY = "comparable", "too young", "not covered", "nobody"


@dataclass(frozen=True, eq=False, kw_only=True)
class Conversion(Result):
    """How leads of this period and of the baseline get on by equal ages.

    `table` has one row per group, age and step:

    - `segment` (the column split by; `all` for everybody) and `group` (its value), `age_days`,
      `step` (`mql to sal`; the last one is the whole way), `state`;
    - `rate` with `rate_low`, `rate_high` and `n`: of the period's leads that reached the step's
      first stage by this age, the share that reached its second by this age too;
      `rate_baseline` with `rate_baseline_low`, `rate_baseline_high`, `n_baseline`: the same of
      the baseline's leads;
    - `change` (points of 1) with `change_low`, `change_high`, its `verdict` and
      `smallest_detectable`.

    `state` is `comparable`; `too young` (too few leads as old as that), `not covered` (the
    outcome was not recorded when the leads were new) or `nobody` (no lead, or none that reached
    the step's first stage): then figures are missing.
    """

    company: Company = field(default_factory=Company)
    unit: str = "leads"
    by: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The steps that moved at the oldest age that can be compared; else the whole way.

        Where leads are split, in how many groups those steps moved.
        """
        if self.by:
            return self._says_of_groups()
        whole = self.table[(self.table["segment"] == EVERYBODY) & self.table["is_whole_way"]]
        known = whole[whole["state"] == COMPARABLE]
        if known.empty:
            states = sorted(set(whole["state"])) or ["no stage"]
            reasons = "; ".join(_REASONS[state].format(unit=self.unit) for state in states)
            return f"How {self.unit} of equal age get on cannot be told here: {reasons}."
        row = known.iloc[-1]
        everybody = self.table[self.table["segment"] == EVERYBODY]
        steps = everybody[(everybody["age_days"] == row["age_days"]) & ~everybody["is_whole_way"]]
        moved = [self._said(step) for _, step in steps.iterrows() if step["verdict"] == MOVED]
        begin = (
            f"By day {row['age_days']:g} of age, this period's {self.unit} against the baseline's: "
        )
        if not moved:
            return f"{begin}no step is seen to have moved; {self._said(row)}, {row['verdict']}."
        return f"{begin}{'; '.join(moved)} ({len(moved)} of {len(steps)} steps moved)."

    def _said(self, row: pd.Series) -> str:
        change, low, high = (
            formats.number(100 * row[name], self.company, digits=1, sign=True)
            for name in ("change", "change_low", "change_high")
        )
        return (
            f"{row['step']} {_share(row['rate'], self.company)} after "
            f"{_share(row['rate_baseline'], self.company)}, {change} points "
            f"{formats.interval(low, high)}"
        )

    def shown(self) -> pd.DataFrame:
        """Give each step at the oldest age that can be compared, the whole way last.

        Where leads are split: each group at the one step that moved most for everybody, else the
        whole way, so that groups stand side by side.
        """
        rows = self._at_the_age()
        if not (rows["state"] == COMPARABLE).any():
            return pd.DataFrame()  # the headline says why
        if not self.by:
            return self._in_words(rows, "step", rows["step"])
        step = self._steps_to_look_into(rows)[0]
        rows = rows[rows["step"] == step]
        names = _names(rows).mask(rows["segment"] == EVERYBODY, f"all {self.unit}")
        return first_rows(self._in_words(rows, step, names))

    def _in_words(self, rows: pd.DataFrame, what: str, names: pd.Series) -> pd.DataFrame:
        each = [row for _, row in rows.iterrows()]
        states = rows["state"].replace(NOBODY, f"no {self.unit}")
        verdicts = rows["verdict"].where(rows["state"] == COMPARABLE, states)
        return pd.DataFrame(
            {
                f"{what}, by day {rows['age_days'].iloc[0]:g}": names.to_numpy(),
                "change, points": [
                    formats.number_estimate(
                        row, "change", self.company, times=100, digits=1, sign=True
                    )
                    for row in each
                ],
                "verdict": verdicts.to_numpy(),
                "this period": [self._rate(row, "") for row in each],
                "baseline": [self._rate(row, "_baseline") for row in each],
            }
        )

    def _rate(self, row: pd.Series, side: str) -> str:
        rates = {f"rate{end}": row[f"rate{side}{end}"] for end in ("", "_low", "_high")}
        return formats.share_estimate({**rates, "n": row[f"n{side}"]}, "rate", self.company, of="n")

    def _at_the_age(self) -> pd.DataFrame:
        """Rows of the oldest age at which the whole way can be compared; else of the oldest."""
        everybody = self.table[self.table["segment"] == EVERYBODY]
        known = everybody[everybody["is_whole_way"] & (everybody["state"] == COMPARABLE)]
        age = (known if len(known) else everybody)["age_days"].max()
        return self.table[self.table["age_days"] == age]

    def _steps_to_look_into(self, rows: pd.DataFrame) -> list[str]:
        """Name the steps that moved for everybody, the most first; else the whole way."""
        everybody = rows[rows["segment"] == EVERYBODY]
        moved = everybody[(everybody["verdict"] == MOVED) & ~everybody["is_whole_way"]]
        moved = moved.sort_values("change", key=abs, ascending=False, kind="stable")
        return (moved if len(moved) else everybody[everybody["is_whole_way"]])["step"].tolist()

    def _says_of_groups(self) -> str:
        rows = self._at_the_age()
        split = rows[rows["segment"] != EVERYBODY]
        comparable = split[split["state"] == COMPARABLE]
        if comparable.empty:
            return f"No group of {self.unit} can be compared at equal age."
        says = []
        for step in self._steps_to_look_into(rows):
            of_step = comparable[comparable["step"] == step]
            moved = of_step[of_step["verdict"] == MOVED]["change"]
            up, down = int((moved > 0).sum()), int((moved < 0).sum())
            ways = f" ({up} up, {down} down)" if up + down else ""
            says.append(f"{step} is seen to have moved in {up + down} of {len(of_step)}{ways}")
        columns = " and by ".join(dict.fromkeys(split["segment"]))
        age = split["age_days"].iloc[0]
        return (
            f"Of the groups of {self.unit} by {columns} that can be compared, by day {age:g} of "
            f"age: {'; '.join(says)}."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Rates of both by step, with intervals, at the oldest age that can be compared."""
        from funnel.questions.conversion import charts

        return charts.conversion(self, ax)

    def plot_groups(self, ax: Axes | None = None) -> Axes:
        """Draw the whole way by group, with intervals, at the oldest age that can be compared."""
        from funnel.questions.conversion import charts

        return charts.groups(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cohorts(Result):
    """What leads of each month reach by equal ages.

    `table` has one row per month of creation, age and stage: `cohort_month`, `age_days`,
    `stage`, `n`, `n_followed` (as old as that at the end), `reached` with `reached_low` and
    `reached_high` (of all the month's leads), `rate` with `rate_low`, `rate_high` and `n_before`
    (of those who reached the stage before), `value_per_lead` with its interval, and `state`, as
    in `Conversion`.
    """

    company: Company = field(default_factory=Company)
    unit: str = "leads"

    @property
    def headline(self) -> str:
        """The last stage, in the newest month that is old enough, beside the range of all."""
        if self.table.empty:
            return f"No month of {self.unit} to follow."
        last = self.table[self.table["stage"] == self.table["stage"].iloc[-1]]
        known = last[last["state"] == COMPARABLE]
        if known.empty:
            return "No month's leads can be followed for long enough, with outcomes recorded."
        age = known["age_days"].max()
        known = known[known["age_days"] == age]
        row = known.iloc[-1]
        n_young = int(((last["age_days"] == age) & (last["state"] == TOO_YOUNG)).sum())
        within = formats.interval(*(_share(row[f"reached_{e}"], self.company) for e in _ENDS))
        return (
            f"Of the {formats.number(row['n'], self.company)} {self.unit} of "
            f"{row['cohort_month']}, {_share(row['reached'], self.company)} reach {row['stage']} "
            f"by day {age:g} {within}; months old enough range from "
            f"{_share(known['reached'].min(), self.company)} to "
            f"{_share(known['reached'].max(), self.company)}, and {n_young} are too young to say."
        )

    def shown(self) -> pd.DataFrame:
        """Give the newest months, newest first: what share reaches the last stage by each age."""
        last = self.table[self.table["stage"].isin(self.table["stage"].tail(1))]
        months = last["cohort_month"].drop_duplicates()[::-1]
        shown: dict[str, Any] = {"created in": months.to_numpy()}
        for age, rows in last.groupby("age_days"):
            rows = rows.set_index("cohort_month").loc[months]
            shown[f"{rows['stage'].iloc[0]} by day {age:g}"] = [
                formats.share_estimate(row, "reached", self.company, of="n")
                if row["state"] == COMPARABLE
                else row["state"]
                for _, row in rows.iterrows()
            ]
        return first_rows(pd.DataFrame(shown))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share that reaches the last stage, by month of creation, at both ages."""
        from funnel.questions.conversion import charts

        return charts.cohorts(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class Groups(Result):
    """How leads of each group get on by equal ages.

    `table` has one row per group, age and step: `segment`, `group`, `age_days`, `step` (the last
    one is the whole way, `is_whole_way`), `n` that reached the step's first stage, `rate` with
    `rate_low`, `rate_high`, and `state`, as in `Conversion`.
    """

    company: Company = field(default_factory=Company)
    unit: str = "leads"
    by: tuple[str, ...] = ()
    plan_segments: tuple[str, ...] = ()

    @property
    def segments(self) -> list[str]:
        """The columns that leads are split by and that the plan names."""
        return [name for name in self.by if name in self.plan_segments]

    @property
    def headline(self) -> str:
        """The range of the whole way over the first column's groups."""
        known = self.table[self.table["is_whole_way"] & (self.table["state"] == COMPARABLE)]
        known = known[~known["group"].isin([POOLED, NOT_RECORDED])]
        if known.empty:
            return (
                f"No group of {self.unit} can be followed for long enough, with outcomes recorded."
            )
        known = known[known["segment"] == known["segment"].iloc[0]]
        known = known[known["age_days"] == known["age_days"].max()].sort_values("rate")
        begin = f"By day {known['age_days'].iloc[0]:g}, {known['step'].iloc[0]}"
        low, high = (self._said(known.iloc[end]) for end in (0, -1))
        if len(known) == 1:
            return f"{begin}: {low}."
        return f"{begin} ranges over {len(known)} groups from {low} to {high}."

    def _said(self, row: pd.Series) -> str:
        ends = formats.interval(*(_share(row[f"rate_{end}"], self.company) for end in _ENDS))
        n = formats.number(row["n"], self.company)
        return f"{_share(row['rate'], self.company)} {ends} ({row['group']}, {n} {self.unit})"

    def shown(self) -> pd.DataFrame:
        """Give each group's whole way by each age."""
        whole = self.table[self.table["is_whole_way"]]
        whole = whole.assign(name=_names(whole))
        names = whole["name"].drop_duplicates()
        shown: dict[str, Any] = {"group": names.to_numpy()}
        for age, rows in whole.groupby("age_days"):
            rows = rows.set_index("name").loc[names]
            shown[f"{rows['step'].iloc[0]} by day {age:g}"] = [
                formats.share_estimate(row, "rate", self.company, of="n")
                if row["state"] == COMPARABLE
                else row["state"]
                for _, row in rows.iterrows()
            ]
        return first_rows(pd.DataFrame(shown))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the whole way by group, with intervals, at the older age."""
        from funnel.questions.conversion import charts

        return charts.by_group(self, ax)


GROUP_COLUMNS = (
    *("segment", "group", "age_days", "step", "stage", "is_whole_way", "state"),
    *("n", "rate", "rate_low", "rate_high"),
)
_REASONS = {
    "no stage": "no stage after the first is recorded",
    TOO_YOUNG: "they are too young",
    NOT_COVERED: "outcomes were not recorded yet when they were new",
    NOBODY: "the period or its baseline has no {unit}",
}
_ENDS = ("low", "high")


def _names(rows: pd.DataFrame) -> pd.Series:
    """Name groups, with their column where there are several."""
    is_one = len(set(rows["segment"]) - {EVERYBODY}) <= 1
    return rows["group"] if is_one else rows["segment"] + ": " + rows["group"]


def _share(value: float, company: Company) -> str:
    return formats.share(value, company, digits=1)
