"""Stage rates of cohorts at equal age: this period's against the baseline's, and month by month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from funnel import coverage, evidence, formats, stages
from funnel.conversion.reach import reach_by_age
from funnel.errors import ParameterError
from funnel.evidence import MOVED
from funnel.plan import Company, Plan
from funnel.results import Result, no_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.load import Tables

USUAL_AGES = (1, 3, 7, 14, 30, 60, 90, 120, 180, 270, 365, 540, 730)
FEWEST_EVENTS = 10  # fewer say too little about how long the way takes
WITHOUT_EVENTS = (30, 90)
FOLLOWED_SHARE = 0.2  # of a cohort that must have reached an age, or the cohort is too young
OF_RETURNS = 0.01  # an exit from which more than this share comes back is not final
POOLED, NOT_RECORDED, EVERYBODY = "smaller groups", "not recorded", "all"
COMPARABLE, TOO_YOUNG, NOT_COVERED, NOBODY = "comparable", "too young", "not covered", "nobody"
_DAY = 86_400
_KNOWN: WeakKeyDictionary[Tables, tuple] = WeakKeyDictionary()


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

    @property
    def headline(self) -> str:
        """The steps that moved at the oldest age that can be compared; else the whole way."""
        whole = self.table[(self.table["segment"] == EVERYBODY) & self.table["is_whole_way"]]
        known = whole[whole["state"] == COMPARABLE]
        if known.empty:
            reasons = ", ".join(sorted(set(whole["state"]))) or "no stage after the first"
            return f"How {self.unit} of equal age get on cannot be told here ({reasons})."
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

    def plot(self, ax: Axes | None = None) -> Axes:
        """Rates of both by step, with intervals, at the younger age."""
        from funnel.plots import conversion as pictures

        return pictures.conversion(self, ax)

    def plot_groups(self, ax: Axes | None = None) -> Axes:
        """Draw the whole way by group, with intervals, at the younger age."""
        from funnel.plots import conversion as pictures

        return pictures.groups(self, ax)


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

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share that reaches the last stage, by month of creation, at both ages."""
        from funnel.plots import conversion as pictures

        return pictures.cohorts(self, ax)


_ENDS = ("low", "high")


def conversion(
    data: Tables,
    by: str | Sequence[str] | None = None,
    *,
    ages: Iterable[float] | None = None,
) -> Conversion:
    """Compare the stage rates of this period's leads with the baseline's, at equal ages.

    Parameters
    ----------
    data
        A company's tables. Without leads, deals are followed from their own creation.
    by
        A column of leads, or several, to split by as well. Groups of fewer leads than the plan's
        `smallest_group` are pooled; blank and unknown are a group of their own, put last.
    ages
        Days of age; default: two, from how long wins take in this data (`usual_ages`), and no
        older than a fifth of this period's leads are.

    Raises
    ------
    ParameterError
        If there is no such column.

    Notes
    -----
    Rates are those of `reach_by_age`. The interval of a change is recovered from the two rates'
    (Zou and Donner 2008). A change is said not to have moved where its whole interval lies within
    a tenth of the baseline's rate.

    Examples
    --------
    >>> from funnel.load import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> conversion(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'How leads of equal age get on cannot be told here (no stage after the first).'
    """
    frame, since = _known(data)
    both = data.comparison
    in_period, in_baseline = (
        _created_in(frame, data.plan, span.start, span.after)
        for span in (both.period, both.baseline)
    )
    usual = usual_ages(data)
    ages = _old_enough(usual, frame.loc[in_period, "follow_up"]) if ages is None else tuple(ages)
    names = [by] if isinstance(by, str) else list(by or ())
    parts, rows = [], []
    for segment in (EVERYBODY, *names) if len(frame.attrs["stages"]) > 1 else ():
        labels = _groups(data, frame, segment, in_period | in_baseline)
        for group in _ordered(labels[in_period | in_baseline]):
            now, then = (frame[(labels == group) & chosen] for chosen in (in_period, in_baseline))
            compared = _compared(now, then, frame.attrs["stages"], ages, data.plan)
            compared.insert(0, "group", group)
            compared.insert(0, "segment", segment)
            parts.append(compared)
            label = group if segment == EVERYBODY else f"{segment}: {group}"
            rows += [
                _rows(f"{label}, {span}", frame.attrs["unit"], cohort["lead_id"])
                for span, cohort in (("period", now), ("baseline", then))
            ]
    table = pd.concat(parts, ignore_index=True) if parts else _compared_nothing()
    table = _uncovered(table, since, both.baseline.start)
    return Conversion(
        table=table,
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"rate": "share", "change": "points of 1", "age_days": "days"},
        level=data.plan.level,
        caveats=(*_age_caveat(data, ages, usual), *_caveats(data, frame, names, since)),
        company=data.plan.company,
        unit=frame.attrs["unit"],
    )


def cohorts(data: Tables, *, ages: Iterable[float] | None = None) -> Cohorts:
    """Say what the leads of each month reach by equal ages.

    Parameters
    ----------
    data
        A company's tables. Without leads, deals are followed from their own creation.
    ages
        Days of age; default: `usual_ages`.

    Examples
    --------
    >>> from funnel.load import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> cohorts(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No month of leads to follow.'
    """
    frame, since = _known(data)
    ages = usual_ages(data) if ages is None else tuple(ages)
    month = _month(frame["created_at"], data.plan)
    parts = []
    if len(frame.attrs["stages"]) > 1:
        for name, cohort in frame.groupby(month, sort=True):
            reached = _reach(cohort, frame.attrs["stages"], ages, data.plan)
            reached.insert(0, "cohort_month", str(name))
            before = [s for s, late in since.items() if name.start_time.date() < late.covered_from]
            reached.loc[reached["stage"].isin(before), "state"] = NOT_COVERED
            parts.append(_blank(reached))
    columns = ["cohort_month", "age_days", "stage", "n", "reached", "state"]
    return Cohorts(
        table=pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns),
        as_of=data.as_of,
        rows=_rows(month.astype("str").to_numpy(), frame.attrs["unit"], frame["lead_id"]),
        units={"reached": "share of leads", "rate": "share of the stage before"},
        level=data.plan.level,
        caveats=_caveats(data, frame, (), since),
        company=data.plan.company,
        unit=frame.attrs["unit"],
    )


def usual_ages(data: Tables) -> tuple[float, float]:
    """Choose two ages at which to compare: when half, and nine in ten, of the wins have come.

    Each is rounded up to a usual one (7, 14, 30, 60 ... days). With fewer than ten wins, 30 and
    90 days.
    """
    how_long = coverage.maturity(data)
    if not how_long.n_won >= FEWEST_EVENTS or how_long.quantiles["days"].isna().any():
        return WITHOUT_EVENTS
    days = how_long.quantiles.set_index("share")["days"]
    first, second = (_usual(days[share]) for share in (0.5, 0.9))
    later = [age for age in USUAL_AGES if age > first]
    return first, max(second, float(later[0]) if later else 2 * first)


def _old_enough(usual: tuple[float, float], follow_up: pd.Series) -> tuple[float, ...]:
    """Lower two ages to what a fifth of the leads have reached; unchanged where nobody is."""
    if follow_up.empty:
        return usual
    most = follow_up.quantile(1 - FOLLOWED_SHARE)
    within = [float(age) for age in USUAL_AGES if age <= most]
    if usual[1] <= most or not within:
        return usual
    older = within[-1]
    younger = [age for age in (*within, usual[0]) if age < older]
    return (min(usual[0], younger[-1]) if younger[-1:] else older, older) if younger else (older,)


def aged(data: Tables) -> pd.DataFrame:
    """Give `stages.reached` with ages in days, as `reach_by_age` reads them.

    Returns
    -------
    DataFrame
        The columns of `reached`, `<stage>_age` for each recorded stage after the first,
        `lost_age` (final exits only), `follow_up` (days to the end of `as_of`) and `value`.

    Notes
    -----
    An exit is final if at most one in a hundred of those who took it came back later. The others
    (recycling, as a rule) leave a lead where it stood: else the young, who have not had time to
    come back, would look lost.
    """
    frame = stages.reached(data)
    created = frame["created_at"]
    for stage in frame.attrs["stages"][1:]:
        frame[f"{stage}_age"] = (frame[f"{stage}_at"] - created).dt.total_seconds() / _DAY
    left, back = frame["left_to"].value_counts(), frame["returned_from"].value_counts()
    share = back.reindex(left.index, fill_value=0) / (left + back.reindex(left.index, fill_value=0))
    final = share.index[share <= OF_RETURNS]
    lost_age = (frame["left_at"] - created).dt.total_seconds() / _DAY
    frame["lost_age"] = lost_age.where(frame["left_to"].isin(final))
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    frame["follow_up"] = (end - created).dt.total_seconds() / _DAY
    frame["value"] = frame["amount"]
    return frame


def _reach(
    cohort: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    """Rows of `reach_by_age` with their `state`."""
    columns = [f"{stage}_age" for stage in names[1:]]
    table = reach_by_age(
        cohort[[*columns, "lost_age", "follow_up", "value"]], ages, level=plan.level
    ).table
    enough = np.maximum(plan.smallest_group, FOLLOWED_SHARE * table["n"])
    young = (table["n_followed"] < enough) | table["reached"].isna()
    table["state"] = np.select([table["n"] == 0, young], [NOBODY, TOO_YOUNG], COMPARABLE)
    return table


def _blank(table: pd.DataFrame) -> pd.DataFrame:
    """Take out the figures of rows that are not comparable."""
    figures = [c for c in table if c.startswith(("reached", "rate", "value", "change"))]
    figures += [c for c in ("smallest_detectable",) if c in table]
    table.loc[table["state"] != COMPARABLE, figures] = np.nan
    return table


def _compared(
    now: pd.DataFrame, then: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    both = [_steps(_reach(cohort, names, ages, plan), names) for cohort in (now, then)]
    table = both[0][["age_days", "step", "stage", "is_whole_way"]].copy()
    for suffix, each in zip(("", "_baseline"), both, strict=True):
        for end in ("", "_low", "_high"):
            table[f"rate{suffix}{end}"] = each[f"rate{end}"]
        table[f"n{suffix}"] = each["n"].astype(int)
    states = [each["state"] for each in both]
    table["state"] = states[0].where(states[0] != COMPARABLE, states[1])
    nobody = (table["state"] == COMPARABLE) & table[["rate", "rate_baseline"]].isna().any(axis=1)
    table.loc[nobody, "state"] = NOBODY
    table["change"] = table["rate"] - table["rate_baseline"]
    columns = [f"rate{s}{e}" for s in ("", "_baseline") for e in ("", "_low", "_high")]
    low, high = evidence.difference(*(table[column] for column in columns))
    table["change_low"], table["change_high"] = low, high
    error = evidence.standard_error(low, high, plan.level)
    table["smallest_detectable"] = evidence.smallest_detectable(error, plan.level)
    return _with_verdict(_blank(table))


def _steps(reach: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Step rates, and below them the whole way, where that is more than one step."""
    previous = dict(zip(names[1:], names, strict=False))
    steps = reach.assign(
        step=[f"{previous[stage]} to {stage}" for stage in reach["stage"]],
        n=reach["n_before"],
        is_whole_way=len(names) == 2,
    )
    if len(names) == 2:
        return steps
    last = reach[reach["stage"] == names[-1]]
    whole = last.assign(
        step=f"{names[0]} to {names[-1]}",
        is_whole_way=True,
        **{f"rate{end}": last[f"reached{end}"] for end in ("", "_low", "_high")},
    )
    order = ["age_days", "is_whole_way"]
    return pd.concat([steps, whole]).sort_values(order, kind="stable").reset_index(drop=True)


def _with_verdict(table: pd.DataFrame) -> pd.DataFrame:
    ends = zip(table["change_low"], table["change_high"], table["rate_baseline"], strict=True)
    table["verdict"] = [
        evidence.verdict(low, high, evidence.NARROW * (0 if np.isnan(rate) else rate))
        for low, high, rate in ends
    ]
    return table


def _uncovered(
    table: pd.DataFrame, since: dict[str, coverage.RecordedSince], start: dt.date
) -> pd.DataFrame:
    late = [stage for stage, found in since.items() if start < found.covered_from]
    table.loc[table["stage"].isin(late), "state"] = NOT_COVERED
    return _with_verdict(_blank(table)) if late else table


def _compared_nothing() -> pd.DataFrame:
    columns = ["segment", "group", "age_days", "step", "stage", "is_whole_way", "state"]
    return pd.DataFrame(columns=columns).astype({"is_whole_way": bool})


def _known(data: Tables) -> tuple[pd.DataFrame, dict[str, coverage.RecordedSince]]:
    """Leads with ages, and stages recorded late: worked out once for each company's tables."""
    if data not in _KNOWN:
        frame = aged(data)
        _KNOWN[data] = frame, _recorded_since(data, frame)
    return _KNOWN[data]


def _recorded_since(data: Tables, frame: pd.DataFrame) -> dict[str, coverage.RecordedSince]:
    """Find the stages that are recorded only from a later day than the leads."""
    found = {}
    for stage in frame.attrs["stages"][1:]:
        outcome = "won" if stage == stages.won_stage(data.plan.stages) else stage
        if frame.attrs["unit"] == "deals" and outcome != "won":
            continue
        if outcome != "won" and stage not in set(data.stage_changes["stage"].dropna()):
            continue
        since = coverage.outcomes_recorded_since(data, outcome)
        if since.is_late:
            found[stage] = since
    return found


def _groups(data: Tables, frame: pd.DataFrame, segment: str, chosen: pd.Series) -> pd.Series:
    """Label each lead with its group: small ones pooled, blank and unknown together."""
    if segment == EVERYBODY:
        return pd.Series(EVERYBODY, index=frame.index, dtype="str")
    if segment not in frame:
        table, key = (
            ("leads", "lead_id") if frame.attrs["unit"] == "leads" else ("deals", "deal_id")
        )
        source = getattr(data, table)
        if segment not in source:
            raise ParameterError(
                f"by={segment!r}: {table} has no such column; it has {', '.join(source.columns)}."
            )
        values = frame["lead_id"].map(source.set_index(key)[segment])
    else:
        values = frame[segment]
    unknown = coverage.is_unknown(values)
    labels = values.astype("str").where(~unknown, NOT_RECORDED)
    counts = labels[chosen].value_counts()
    small = set(counts.index[counts < data.plan.smallest_group]) - {NOT_RECORDED}
    return labels.where(~labels.isin(small), POOLED)


def _ordered(labels: pd.Series) -> list[str]:
    """Sort groups by size, then by name; pooled and not recorded come last."""
    counts = labels.value_counts()
    last = {POOLED: 1, NOT_RECORDED: 2}
    return sorted(counts.index, key=lambda group: (last.get(group, 0), -counts[group], group))


def _age_caveat(data: Tables, ages: Sequence[float], usual: Sequence[float]) -> tuple[str, ...]:
    if max(ages) >= max(usual):
        return ()
    shown = " and ".join(formats.number(age, data.plan.company) for age in ages)
    wanted = " and ".join(formats.number(age, data.plan.company) for age in usual)
    return (
        f"This period's leads are compared at {shown} days of age; half, and nine in ten, of the "
        f"wins take up to about {wanted} days, for which most of these leads are too young.",
    )


def _caveats(
    data: Tables,
    frame: pd.DataFrame,
    names: Sequence[str],
    since: dict[str, coverage.RecordedSince],
) -> tuple[str, ...]:
    company = data.plan.company
    says = [late.says for late in since.values()]
    missing = [name for name in data.plan.stages if name not in frame.attrs["stages"]]
    if missing:
        says.append(f"Nothing records the stages {', '.join(missing)}; they are left out.")
    n_early = int((frame["n_early"] > 0).sum())
    if n_early:
        says.append(
            f"{formats.number(n_early, company)} {frame.attrs['unit']} have a stage dated before "
            "their creation; it counts at age 0."
        )
    if frame.attrs["unit"] == "leads":
        apart = stages.deals_without_lead(data)
        if apart["n_deals"].sum():
            won = apart.loc[apart["outcome"] == "won", "amount"].sum()
            says.append(
                f"{formats.number(apart['n_deals'].sum(), company)} deals name no lead and are "
                f"in no rate here; the won ones are worth {formats.money(won, company)}."
            )
    else:
        says.append("Without leads, deals are followed from their own creation.")
    for name in names:
        says += [each.says for each in coverage.filled_by_outcome(data, name) if each.says]
    return tuple(says)


def _rows(figure: str | np.ndarray, table: str, ids: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {"figure": figure, "table": table, "id": ids.astype("str").to_numpy()}
    ).astype("str")


def _created_in(frame: pd.DataFrame, plan: Plan, start: dt.date, after: dt.date) -> pd.Series:
    first, stop = (pd.Timestamp(plan.midnight(day)) for day in (start, after))
    return (frame["created_at"] >= first) & (frame["created_at"] < stop)


def _month(moments: pd.Series, plan: Plan) -> pd.Series:
    return moments.dt.tz_convert(plan.company.timezone).dt.tz_localize(None).dt.to_period("M")


def _usual(days: float) -> float:
    return float(next((age for age in USUAL_AGES if age >= days), np.ceil(days)))


def _share(value: float, company: Company) -> str:
    return formats.share(value, company, digits=1)
