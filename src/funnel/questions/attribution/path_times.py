"""How long the steps of a path take, by their position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.plan import Company
from funnel.methods.paths.scope import asked, ends_of
from funnel.methods.paths.tracing import caveats
from funnel.results import Result, first_rows, formats, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

STEPS_TIMED = 8
FIRST, LAST = "first to end", "last to end"


@dataclass(frozen=True, eq=False, kw_only=True)
class PathTimes(Result):
    """Days along the path.

    `table` has one row per step: `step` (`1 to 2`, `2 to 3` and so on, `last to end`, `first to
    end`), `n` (journeys that took it), `median_days`, `median_days_low`, `median_days_high` (the
    interval of the median, by ranks), `quarter_days`, `three_quarters_days` (the middle half).
    """

    company: Company
    noun: str

    @property
    def headline(self) -> str:
        """How long the whole way takes in the middle."""
        whole = self.table[self.table["step"] == FIRST]
        if whole.empty:
            return f"No path to {self.noun} is known, so it has no time."
        row = whole.iloc[0]
        low, mid, high = (
            formats.number(row[name], self.company)
            for name in ("median_days_low", "median_days", "median_days_high")
        )
        n = formats.number(row["n"], self.company)
        return (
            f"From the first touch to the end it takes {mid} days in the middle "
            f"{formats.interval(low, high)}, over {n} {self.noun} that trace."
        )

    def shown(self) -> pd.DataFrame:
        """Give each step's days in words."""
        company = self.company
        rows = first_rows(self.table)
        shown = pd.DataFrame(
            {
                "step": rows["step"],
                "journeys": [formats.number(each, company) for each in rows["n"]],
                "days, median": [
                    formats.estimate(
                        *(
                            formats.number(row[name], company, digits=1)
                            for name in ("median_days", "median_days_low", "median_days_high")
                        )
                    )
                    for _, row in rows.iterrows()
                ],
                "middle half": [
                    f"{formats.number(row['quarter_days'], company, digits=1)} to "
                    f"{formats.number(row['three_quarters_days'], company, digits=1)}"
                    for _, row in rows.iterrows()
                ],
            }
        )
        shown.attrs = rows.attrs
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Median and middle half of each step's days."""
        from funnel.questions.attribution.path_charts import times

        return times(self, ax)


def path_times(
    data: Tables,
    *,
    to: str = "won",
    until: str = "closed_at",
    by: str = "account",
    lookback_days: int | None = None,
    collapse: bool = True,
) -> PathTimes:
    """Say how many days lie between the steps of a path, by position.

    Parameters
    ----------
    data
        A company's tables.
    to, until, by, lookback_days, collapse
        As in `funnel.paths`; repeats of one channel in a row are one step unless told otherwise.

    Returns
    -------
    PathTimes
        One row per step.

    Raises
    ------
    ParameterError
        As in `funnel.paths`.

    References
    ----------
    The interval of a median by ranks: Conover (1999), Practical Nonparametric Statistics, 3.2.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> path_times(small_company()).table[["step", "median_days"]].values.tolist()
    [['1 to 2', 19.0], ['last to end', 40.0], ['first to end', 59.0]]
    """
    from scipy.special import ndtri

    which = asked(data, to=to, until=until, by=by, lookback_days=lookback_days)
    ends = ends_of(data, which)
    z = float(ndtri((1 + data.plan.level) / 2))
    found = data.step("path_gaps", collapse=collapse, most=STEPS_TIMED, z=z, **which.of_touches)
    order = found["step"].map({-1: 101, 0: 102}).fillna(found["step"])
    found = found.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    words = [{-1: LAST, 0: FIRST}.get(step, f"{step} to {step + 1}") for step in found["step"]]
    table = found.assign(step=pd.Series(words, dtype="str")).astype({"n": "int64"})
    of = "deals" if which.is_of_deals else "leads"
    return PathTimes(
        table=table,
        as_of=data.as_of,
        rows=rows_of(which.noun, of, ends["journey_id"]),
        units={"median_days": "days"},
        level=data.plan.level,
        written_caveats=caveats(data, ends, which),
        company=data.plan.company,
        noun=which.noun,
    )
