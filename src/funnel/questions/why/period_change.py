"""What changed in a period: each measure against the period it is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.questions.why.measures import Facts, Measured, facts_of, measures_of
from funnel.questions.why.period_text import headline, to_date_sentence
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

NARROW = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class PeriodChange(Result):
    """Each measure in a period and in the one it is compared with.

    `table` has one row per measure, the plan's own first: `measure`, `unit` (`money`, `count` or
    `rate`), `value`, `baseline`, `change`, `change_share` (of the baseline; missing where that is
    not above zero), `low`, `high` (the interval of `change`), `n_period`, `n_baseline` (rows
    behind each value, of the kind in `counted`), `verdict`, and `why` it cannot be told where the
    data do not hold it.
    """

    comparison: Comparison
    plan: Plan

    @property
    def headline(self) -> str:
        """The plan's measure: its size, its change, its interval and the rows behind it."""
        return headline(self.table.iloc[0], self.comparison, self.plan)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Change of each measure in per cent of its baseline, with intervals."""
        from funnel.questions.why.charts import period_change as draw

        return draw(self, ax)


def period_change(data: Tables) -> PeriodChange:
    """Compare a period with the one that the plan names, measure by measure.

    Deals count by the day they closed, leads by the day they were created, where the company is.
    While the period is not over, both are taken to date: the same number of days.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads` and `subscriptions`, as far as they are there.

    Returns
    -------
    PeriodChange
        One row per measure: bookings, wins, leads, average deal size, win rate by closing date
        (won of won and lost), and recurring revenue where there is any.

    Notes
    -----
    A measure *moved* where the interval of its change leaves zero out. It *did not move* where the
    interval holds zero and lies within a tenth of the baseline, up and down. Else it cannot be
    told; nor can it where the comparison period lies, in full or in part, before its record
    begins.

    Totals and counts: deals (leads) are independent events, each with its own amount, and their
    number may vary more from week to week than that of independent events does. Rates: Newcombe's
    interval. Means: Welch's.

    References
    ----------
    Fay and Feuer (1997), Statistics in Medicine 16; Tiwari, Clegg and Zou (2006), Statistical
    Methods in Medical Research 15; Zou and Donner (2008), Statistics in Medicine 27; Newcombe
    (1998), Statistics in Medicine 17; Welch (1947), Biometrika 34.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> closed = pd.date_range("2026-01-01", "2026-06-30", periods=60)
    >>> deals = pd.DataFrame({"deal_id": [f"D-{i}" for i in range(60)], "created_at": "2025-12-01",
    ...     "closed_at": closed, "outcome": "won", "amount": 100.0})
    >>> change = period_change(Tables.of(as_of="2026-06-30", deals=deals))
    >>> change.table[["measure", "value", "baseline", "verdict"]].values.tolist()[0]
    ['bookings', 3000.0, 3000.0, 'cannot tell']
    """
    facts = facts_of(data)
    plan = data.plan
    measured = {name: measure(facts) for name, measure in measures_of(data).items()}
    table = pd.DataFrame([_row(name, each) for name, each in measured.items()])
    rows = [
        rows_of(f"{name}, {when.label}", table_name, ids)
        for name, each in measured.items()
        for table_name, *both in each.rows
        for when, ids in zip((data.comparison.period, data.comparison.baseline), both, strict=True)
    ]
    return PeriodChange(
        table=table.astype({"measure": "str", "unit": "str", "counted": "str", "why": "str"}),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={
            "value": f"{plan.company.currency} where `unit` is money, 0 to 1 where it is rate",
            "change_share": "of the baseline, 0 to 1",
        },
        level=plan.level,
        written_caveats=_caveats(facts),
        comparison=data.comparison,
        plan=plan,
    )


def _row(name: str, measured: Measured) -> dict[str, object]:
    value, baseline = measured.value, measured.baseline
    low, high = measured.interval
    if measured.why:
        low = high = math.nan
    return {
        "measure": name,
        "unit": measured.unit,
        "value": value,
        "baseline": baseline,
        "change": value - baseline,
        "change_share": (value - baseline) / baseline if baseline > 0 else math.nan,
        "low": low,
        "high": high,
        "n_period": measured.n[0],
        "n_baseline": measured.n[1],
        "counted": measured.counted,
        "verdict": verdict(low, high, NARROW * abs(baseline) if baseline == baseline else 0.0),
        "why": measured.why,
    }


def _caveats(facts: Facts) -> tuple[str, ...]:
    company = facts.data.plan.company
    said = []
    if not facts.comparison.is_complete:
        said.append(to_date_sentence(facts.comparison, company))
    now, then = facts.both(facts.won, "closed_at")
    both = pd.concat([now, then])
    without = int(both["amount"].isna().sum())
    if without:
        said.append(
            f"{formats.number(without, company)} of {formats.number(len(both), company)} won deals "
            "of the two periods carry no amount: they count as wins and add nothing to bookings."
        )
    amounts = now["amount"].dropna()
    if len(amounts) > 1 and amounts.sum() > 0 and amounts.max() > 0.2 * amounts.sum():
        share = formats.share(amounts.max() / amounts.sum(), company)
        said.append(f"One deal makes up {share} of the period's bookings.")
    return tuple(said)
