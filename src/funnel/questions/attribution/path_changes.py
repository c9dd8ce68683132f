"""Changes of paths between the period and its baseline: one test, then single paths."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.limits import SURE
from funnel.checks.tracking_losses import TrackingLoss, tracking_losses
from funnel.contract.periods import Comparison
from funnel.methods.groups import with_small_pooled
from funnel.methods.paths import (
    ARROW,
    NOT_TRACED,
    OTHER_PATHS,
    Basis,
    Scope,
    journey_ends,
    paths_by_journey,
    scope_of,
)
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import (
    CANNOT_TELL,
    MOVED,
    NARROW,
    benjamini_hochberg,
    difference_of_rates,
    same_distribution,
    smallest_detectable_rate,
    verdict,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables

FIRST, ENDS, WHOLE = "first step", "first and last step", "whole path"
GRAINS = {FIRST: "first", ENDS: "ends", WHOLE: "path"}
ALONE = " alone"
FEWEST = 10  # journeys that trace, in each period
DRAWS = 2000
LEAST_LOST = 0.02  # of the touches of the time in question, for a loss to stop the comparison
LARGE_GAP = 0.1  # between the shares that trace, to stop the comparison


@dataclass(frozen=True, eq=False, kw_only=True)
class PathChanges(Result):
    """Paths of the period compared with those of its baseline.

    `table` has one row per grain and path: `grain` (`first step`, `first and last step`, `whole
    path`), `path`, `n`, `n_before` (journeys on it, of those that trace), `share`,
    `share_before`, `change`, `change_low`, `change_high` (Newcombe), `p_value` (Fisher), `q_value`
    (Benjamini-Hochberg over all rows), `verdict`, `smallest_detectable` (a change of that path's
    share found four times in five). Paths of fewer journeys than the plan's smallest group, both
    periods together, are `(other paths)`.

    Attributes
    ----------
    comparison
        The period and its baseline.
    p_value
        Of all grains together: how often permuted periods differ as much. Missing where touches
        were lost, since a loss of coverage is no change of paths.
    n, n_before
        Journeys that trace.
    n_all, n_all_before
        All journeys.
    losses
        Losses of touches that stop the comparison.
    has_coverage_gap
        Whether the share that traces differs so much that it stops the comparison.
    """

    grouped = (
        SmallGroups(
            by=("path",),
            counts={
                "n": ("share", "change", "p_value", "q_value"),
                "n_before": ("share_before", "change", "p_value", "q_value"),
            },
            within=("grain",),
            add_up=("n", "n_before"),
        ),
    )

    comparison: Comparison
    p_value: float
    n: int
    n_before: int
    n_all: int
    n_all_before: int
    basis: Basis
    losses: tuple[TrackingLoss, ...]
    has_coverage_gap: bool

    @property
    def is_comparable(self) -> bool:
        """Whether no loss of touches or of coverage stops the comparison."""
        return not self.losses and not self.has_coverage_gap

    @property
    def alpha(self) -> float:
        """Largest p value that counts as a change."""
        return (1 - self.level) / 2

    def ordered(self) -> pd.DataFrame:
        """Rows of named paths by p value, then by size of the change; each path once."""
        named = self.table[self.table["path"] != OTHER_PATHS]
        # a path of one step is also there as a whole path
        is_twice = (named["grain"] == ENDS) & named["path"].str.endswith(ALONE)
        named = named[~is_twice]
        order = named.assign(size=-named["change"].abs())
        return order.sort_values(["p_value", "size", "path"]).drop(columns="size")


def path_changes(data: Tables, *, lookback_days: int | None = None) -> PathChanges:
    """Changes of the paths of the period compared with those of its baseline.

    The journeys are those of won deals, each in the period in which it ended, with touches of one
    channel in a row as one step. Those that trace are compared at three grains (first step; first
    and last step; whole path), by one permutation test over all of them. Only where its p value is
    small is a single path named, after Benjamini-Hochberg over all paths.

    Returns
    -------
    PathChanges
        One row per grain and path. Where touches were lost between the first and the last of
        these touches, or fewer journeys trace in one of the periods, every verdict is
        `cannot tell`.

    References
    ----------
    See `same_distribution` for the test. Newcombe (1998), Statistics in Medicine 17, 873-890.
    Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> changes = path_changes(small_company())
    >>> changes.n, changes.n_before, changes.p_value
    (0, 1, nan)
    """
    scope = scope_of(data, lookback_days=lookback_days)
    ends = journey_ends(data, scope)
    comparison = data.comparison
    now, before = (
        data.plan.within(ends["happened_at"], each)
        for each in (comparison.period, comparison.baseline)
    )
    paths = paths_by_journey(data, scope, collapse=True).assign(is_now=now)
    is_either = now | before
    return compared(data, scope, ends[is_either], paths[is_either])


def compared(
    data: Tables, scope: Scope, ends: pd.DataFrame, paths: pd.DataFrame, draws: int = DRAWS
) -> PathChanges:
    """Comparison of journeys that ended in the period with the others.

    `paths` are those of the journeys in `ends`, as `paths_by_journey` gives them, with `is_now`.
    """
    losses, has_gap = (), False
    if scope.source == "touches" and paths["first_touch_at"].notna().any():
        losses = _losses(data, paths)
        has_gap = not losses and _has_coverage_gap(paths)
    counts = _counts(paths)
    n, n_before = int(counts["n"].sum()), int(counts["n_before"].sum())
    groupings = {
        grain: _pooled(counts, label, data.plan.smallest_group) for grain, label in GRAINS.items()
    }
    tested = same_distribution(
        counts["n"], counts["n_before"], draws=draws, seed=data.plan.seed, groupings=groupings
    )
    is_usable = not losses and not has_gap and min(n, n_before) >= FEWEST
    p_value = tested.p_value if is_usable else float("nan")
    table = _rows(counts, groupings, (n, n_before), p_value, data.plan.level)
    if not is_usable:
        table = table.assign(p_value=np.nan, q_value=np.nan, verdict=CANNOT_TELL)
    is_now, comparison = paths["is_now"], data.comparison
    behind = [
        rows_of(period.label, scope.table, paths.loc[is_in, "journey_id"])
        for period, is_in in ((comparison.period, is_now), (comparison.baseline, ~is_now))
    ]
    return PathChanges(
        table=table,
        rows=pd.concat(behind, ignore_index=True),
        units={"share": "0 to 1", "change": "0 to 1"},
        comparison=comparison,
        p_value=p_value,
        n=n,
        n_before=n_before,
        n_all=int(is_now.sum()),
        n_all_before=int((~is_now).sum()),
        basis=Basis.of(data, ends, scope),
        losses=losses,
        has_coverage_gap=has_gap,
        **speaks_for(data),
    )


def _counts(paths: pd.DataFrame) -> pd.DataFrame:
    """Traced journeys by whole path, with each path's first step, and first and last step."""
    traced = paths[paths["path"] != NOT_TRACED]
    by_path = traced.groupby("path")["is_now"].agg(["sum", "size"])
    path = pd.Series(by_path.index, dtype="str")
    first = path.str.split(ARROW, n=1, regex=False).str[0]
    last = path.str.rsplit(ARROW, n=1).str[-1]
    is_one = ~path.str.contains(ARROW, regex=False)
    return pd.DataFrame(
        {
            "path": path,
            "first": first,
            "ends": (first + " to " + last).mask(is_one, first + ALONE),
            "n": by_path["sum"].to_numpy("int64"),
            "n_before": (by_path["size"] - by_path["sum"]).to_numpy("int64"),
        }
    )


def _pooled(counts: pd.DataFrame, label: str, smallest: int) -> pd.Series:
    n = (counts["n"] + counts["n_before"]).groupby(counts[label]).sum()
    return with_small_pooled(counts[label], n, smallest, pool=OTHER_PATHS, not_pooled=NOT_TRACED)


def _rows(
    counts: pd.DataFrame,
    groupings: dict[str, pd.Series],
    sizes: tuple[int, int],
    p_of_all: float,
    level: float,
) -> pd.DataFrame:
    parts = []
    for grain, path in groupings.items():
        part = counts.groupby(path.rename("path"))[["n", "n_before"]].sum().reset_index()
        parts.append(part.assign(grain=grain).sort_values("n", ascending=False, kind="stable"))
    table = pd.concat(parts, ignore_index=True)
    n, n_before = sizes
    share, before = table["n"] / max(n, 1), table["n_before"] / max(n_before, 1)
    low, high = difference_of_rates(table["n"], n, table["n_before"], n_before, level)
    pairs = zip(table["n"], table["n_before"], strict=True)
    p_value = np.array([_fisher(k, n, k0, n_before) for k, k0 in pairs])
    q_value = benjamini_hochberg(p_value)
    narrow = [verdict(*each) for each in zip(low, high, NARROW * before, strict=True)]
    found = np.maximum(p_of_all, q_value) <= (1 - level) / 2
    # an interval that excludes zero is no evidence by itself: the tests above decide
    otherwise = np.where(np.array(narrow) == MOVED, CANNOT_TELL, narrow)
    table = table.assign(
        share=share,
        share_before=before,
        change=share - before,
        change_low=low,
        change_high=high,
        p_value=p_value,
        q_value=q_value,
        verdict=np.where(found, MOVED, otherwise),
        smallest_detectable=smallest_detectable_rate(before, n, n_before, level),
    )
    return table[
        [
            "grain", "path", "n", "n_before", "share", "share_before", "change", "change_low",
            "change_high", "p_value", "q_value", "verdict", "smallest_detectable",
        ]
    ]  # fmt: skip


def _fisher(k: int, n: int, k0: int, n0: int) -> float:
    from scipy.stats import fisher_exact

    return float(fisher_exact([[k, n - k], [k0, n0 - k0]]).pvalue)


def _losses(data: Tables, paths: pd.DataFrame) -> tuple[TrackingLoss, ...]:
    """Losses that begin or end between the first touches of these journeys and their ends."""
    first = paths["first_touch_at"].quantile(0.05)
    span = (first.to_pydatetime().date(), data.comparison.period.end)
    return tuple(loss for loss in tracking_losses(data) if _cuts(loss, span))


def _has_coverage_gap(paths: pd.DataFrame) -> bool:
    """Whether the shares of journeys that trace differ in the two periods."""
    is_untraced, is_now = paths["path"] == NOT_TRACED, paths["is_now"]
    n, n0 = int(is_now.sum()), int((~is_now).sum())
    if not n or not n0:
        return False
    k, k0 = int((is_untraced & is_now).sum()), int((is_untraced & ~is_now).sum())
    return abs(k / n - k0 / n0) >= LARGE_GAP and _fisher(k, n, k0, n0) < SURE


def _cuts(loss: TrackingLoss, span: tuple[dt.date, dt.date]) -> bool:
    """Whether a loss begins or ends within a span, and takes enough of its touches."""
    first, last = span
    since, until = loss.since or dt.date.min, loss.until or dt.date.max
    if not (first < since <= last or first <= until < last):
        return False
    days = (min(until, last) - max(since, first)).days + 1
    return (loss.share - loss.share_outside) * days / max((last - first).days + 1, 1) >= LEAST_LOST
