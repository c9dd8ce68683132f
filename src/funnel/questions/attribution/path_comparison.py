"""Whether the paths of one period differ from those of another, and by which of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.text import sentence
from funnel.checks.tracking_losses import TrackingLoss, tracking_losses
from funnel.contract.errors import ParameterError
from funnel.contract.periods import Period
from funnel.methods.paths.path_counts import walked_of
from funnel.methods.paths.results import ARROW, NOT_TRACED
from funnel.methods.paths.scope import Asked, asked, ends_of
from funnel.methods.paths.tracing import caveats
from funnel.questions.attribution.common_paths import pooled
from funnel.questions.attribution.path_changes import ALONE, ENDS, FEWEST, FIRST, WHOLE, PathChanges
from funnel.results import Say, formats, rows_of
from funnel.stats import (
    CANNOT_TELL,
    MOVED,
    benjamini_hochberg,
    difference_of_rates,
    same_distribution,
    smallest_detectable_rate,
    verdict,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables

DRAWS = 2000
GRAINS = {FIRST: "first", ENDS: "ends", WHOLE: "path"}
NARROW = 0.05  # a share of all journeys; a change of at most this much may be called none
_LEAST_LOST = 0.02
_LARGE_GAP = 0.1
_SURE = 0.001


def path_changes(
    data: Tables,
    *,
    to: str = "won",
    by: str = "account",
    lookback_days: int | None = None,
    collapse: bool = True,
    draws: int = DRAWS,
) -> PathChanges:
    """Say whether the paths of the period differ from those of its baseline.

    A journey belongs to the period in which it ended. Those that trace are compared at three
    grains (their first step; their first and last; the whole path), by one test over all of
    them: how often do periods shuffled among the same journeys differ as much. Only where
    that is rare is a single path named, after Benjamini-Hochberg over all of them.

    Parameters
    ----------
    data
        A company's tables, with the plan's comparison.
    to
        As in `funnel.paths`.
    by, lookback_days, collapse
        As in `funnel.journeys`.
    draws
        Shuffles behind the test.

    Returns
    -------
    PathChanges
        One row per grain and path. Where touches were lost on the way between the first of these
        touches and the last, or fewer journeys trace in one of the periods, every verdict is
        `cannot tell`.

    Raises
    ------
    ParameterError
        As in `funnel.paths`; or if `draws` is not above 0.

    References
    ----------
    See `same_distribution` for the test. Newcombe (1998), Statistics in Medicine 17, 873-890.
    Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> path_changes(small_company()).headline[:34]
    'Whether paths changed cannot be to'
    """
    if draws < 1:
        raise ParameterError(f"draws={draws} must be at least 1.")
    which = asked(data, to=to, by=by, lookback_days=lookback_days)
    ends = ends_of(data, which)
    inside = [_within(data, ends, each) for each in (_period(data), _baseline(data))]
    ends = ends[inside[0] | inside[1]].assign(is_now=inside[0]).reset_index(drop=True)
    walked = walked_of(data, which, ends, collapse=collapse).assign(is_now=ends["is_now"])
    return compared(data, which, ends, walked, draws)


def compared(
    data: Tables, which: Asked, ends: pd.DataFrame, walked: pd.DataFrame, draws: int = DRAWS
) -> PathChanges:
    """Compare journeys that ended in the period (`is_now`) with the others.

    Parameters
    ----------
    data, which, ends
        The tables, what was asked, and the journeys' ends.
    walked
        As `walked_of` gives them, with `is_now`.
    draws
        Shuffles behind the test.
    """
    lost = _lost(data, which, walked)
    counts = _counts(walked)
    n, n_before = int(counts["n"].sum()), int(counts["n_before"].sum())
    tested = same_distribution(
        counts["n"], counts["n_before"], draws=draws, seed=data.plan.seed,
        groupings={
            grain: _pooled(counts, label, data.plan.smallest_group)
            for grain, label in GRAINS.items()
        },
    )  # fmt: skip
    is_usable = not lost and min(n, n_before) >= FEWEST
    p_value = tested.p_value if is_usable else float("nan")
    table = _rows(data, counts, (n, n_before), is_sure=p_value <= (1 - data.plan.level) / 2)
    if not is_usable:
        table = table.assign(p_value=np.nan, q_value=np.nan, verdict=CANNOT_TELL)
    of = "deals" if which.is_of_deals else "leads"
    behind = [
        rows_of(period.label, of, walked.loc[walked["is_now"] == is_now, "journey_id"])
        for is_now, period in ((True, _period(data)), (False, _baseline(data)))
    ]
    return PathChanges(
        table=table,
        as_of=data.as_of,
        rows=pd.concat(behind, ignore_index=True),
        units={"share": "0 to 1", "change": "0 to 1"},
        level=data.plan.level,
        written_caveats=(*caveats(data, ends, which), *lost[1:], _coverage(data, walked)),
        company=data.plan.company,
        comparison=data.comparison,
        noun=which.noun,
        p_value=p_value,
        n=n,
        n_before=n_before,
        lost=lost,
    )


def _period(data: Tables) -> Period:
    return data.comparison.period


def _baseline(data: Tables) -> Period:
    return data.comparison.baseline


def _within(data: Tables, ends: pd.DataFrame, period: Period) -> pd.Series:
    begin, after = (pd.Timestamp(data.plan.midnight(day)) for day in (period.start, period.after))
    return (ends["happened_at"] >= begin) & (ends["happened_at"] < after)


def _counts(walked: pd.DataFrame) -> pd.DataFrame:
    """Journeys that trace by whole path, and each path's first step, and first and last."""
    traced = walked[walked["path"] != NOT_TRACED]
    by_path = traced.groupby("path")["is_now"].agg(["sum", "size"])
    first = by_path.index.to_series().astype("str").str.split(ARROW, n=1, regex=False).str[0]
    last = by_path.index.to_series().astype("str").str.rsplit(ARROW, n=1).str[-1]
    is_one = ~by_path.index.to_series().astype("str").str.contains(ARROW, regex=False)
    return pd.DataFrame(
        {
            "path": by_path.index.astype("str"),
            "first": first.to_numpy(),
            "ends": (first + " to " + last).mask(is_one, first + ALONE).to_numpy(),
            "n": by_path["sum"].to_numpy("int64"),
            "n_before": (by_path["size"] - by_path["sum"]).to_numpy("int64"),
        }
    )


def _pooled(counts: pd.DataFrame, label: str, smallest: int) -> pd.Series:
    total = counts["n"] + counts["n_before"]
    return pooled(counts[label], total.groupby(counts[label]).transform("sum"), smallest)


def _rows(
    data: Tables, counts: pd.DataFrame, sizes: tuple[int, int], *, is_sure: bool
) -> pd.DataFrame:  # fmt: skip
    parts = []
    for grain, label in GRAINS.items():
        path = _pooled(counts, label, data.plan.smallest_group)
        part = counts.groupby(path.rename("path"))[["n", "n_before"]].sum().reset_index()
        parts.append(part.assign(grain=grain).sort_values("n", ascending=False, kind="stable"))
    table = pd.concat(parts, ignore_index=True)
    n, n_before = sizes
    level = data.plan.level
    share, before = table["n"] / max(n, 1), table["n_before"] / max(n_before, 1)
    low, high = difference_of_rates(table["n"], n, table["n_before"], n_before, level)
    pairs = zip(table["n"], table["n_before"], strict=True)
    p_value = np.array([_fisher(k, n, k0, n_before) for k, k0 in pairs])
    q_value = benjamini_hochberg(p_value)
    narrow = [
        verdict(a, b, NARROW) for a, b in zip(np.atleast_1d(low), np.atleast_1d(high), strict=True)
    ]
    found = is_sure & (q_value <= (1 - level) / 2)
    said = np.where(np.array(narrow) == MOVED, CANNOT_TELL, narrow)
    table = table.assign(
        share=share,
        share_before=before,
        change=share - before,
        change_low=low,
        change_high=high,
        p_value=p_value,
        q_value=q_value,
        verdict=np.where(found, MOVED, said),
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


def _lost(data: Tables, which: Asked, walked: pd.DataFrame) -> tuple[str, ...]:
    """Say what was lost between the first touches of these journeys and their ends."""
    if which.source != "touches" or walked["first_touch_at"].isna().all():
        return ()
    first = walked["first_touch_at"].quantile(0.05)
    span = (first.to_pydatetime().date(), _period(data).end)
    say = Say(data.plan.company, data.plan.level)
    said = [sentence(each, say) for each in tracking_losses(data) if _cuts(each, span)]
    now, then = (walked[walked["is_now"] == each] for each in (True, False))
    k, k0 = ((each["path"] == NOT_TRACED).sum() for each in (now, then))
    if len(now) and len(then) and not said:
        gap = abs(k / len(now) - k0 / len(then))
        if gap >= _LARGE_GAP and _fisher(k, len(now), k0, len(then)) < _SURE:
            said.append(_coverage(data, walked))
    return tuple(said)


def _cuts(loss: TrackingLoss, span: tuple[dt.date, dt.date]) -> bool:
    """Whether a loss begins or ends within a span, and takes enough of it to be seen."""
    first, last = span
    since, until = loss.since or dt.date.min, loss.until or dt.date.max
    if not (first < since <= last or first <= until < last):
        return False
    days = (min(until, last) - max(since, first)).days + 1
    return (loss.share - loss.share_outside) * days / max((last - first).days + 1, 1) >= _LEAST_LOST


def _coverage(data: Tables, walked: pd.DataFrame) -> str:
    said = []
    for is_now, period in ((True, _period(data)), (False, _baseline(data))):
        rows = walked[walked["is_now"] == is_now]
        n = formats.number(len(rows), data.plan.company)
        k = formats.number((rows["path"] != NOT_TRACED).sum(), data.plan.company)
        said.append(f"{k} of {n} in {period.label}")
    return f"Journeys that trace: {' and '.join(said)}; the others are in no share."
