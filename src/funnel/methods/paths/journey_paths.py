"""The one engine of paths: converted journeys and counted paths of a dataset, each read once.

Every figure about paths starts here, whatever the size of the company and on either engine.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.limits import MATURE_SHARE
from funnel.dataset.cache import cached
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.converted import Converted
from funnel.methods.paths.scope import Scope, journey_ends
from funnel.methods.paths.spark_reader import StepReader
from funnel.methods.paths.touch_reader import TouchReader

if TYPE_CHECKING:
    from funnel.dataset import Tables

_DAY = dt.timedelta(days=1)
_FEWEST_DATED = 20


@dataclass(frozen=True, eq=False)
class CountedPaths:
    """Every path of a dataset, with its conversions and nulls.

    Attributes
    ----------
    paths
        Each different path once; `nulls` counts the journeys on it that have not converted.
    n_immature
        Journeys without a conversion that are too immature to count on one (immatureer than
        `immature_days`); in `nulls` unless `leaves_out_immature`.
    immature_days
        The age that tells them; 0 where it is not known.
    leaves_out_immature
        Whether immature journeys are in no null.
    """

    paths: CodedPaths
    n_immature: int = 0
    immature_days: float = 0.0
    leaves_out_immature: bool = False

    @property
    def n_nulls(self) -> int:
        """Journeys without a conversion, immature ones included."""
        counted = int(self.paths.nulls.sum())
        return counted + self.n_immature if self.leaves_out_immature else counted


@dataclass
class _Read:
    """What has been read of a scope so far."""

    converted: Converted | None = None
    counted: dict[int | None, CountedPaths] = field(default_factory=dict)


@cached
def _read(_data: Tables, _scope: Scope) -> _Read:
    return _Read()


def converted_journeys(data: Tables, scope: Scope, *, collapse: bool = False) -> Converted:
    """Converted journeys of a dataset, one path each, in the order of their keys.

    Parameters
    ----------
    data
        A company's tables.
    scope
        As `scope_of` gives it.
    collapse
        Whether touches of one channel in a row are one step.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> from funnel.methods.paths.scope import scope_of
    >>> data = small_company()
    >>> journeys = converted_journeys(data, scope_of(data))
    >>> journeys.paths.names.tolist(), journeys.paths.strings()
    (['D-1'], ['web > demo'])
    """
    read = _read(data, scope)
    if read.converted is None:
        with _reader(data, scope) as reader:
            read.converted = reader.converted().cleaned()
    return read.converted.collapsed() if collapse else read.converted


def counted_paths(
    data: Tables, scope: Scope, *, collapse: bool = False, null_after_days: int | None = 0
) -> CountedPaths:
    """Every different path of a dataset, converted and not.

    Parameters
    ----------
    data, scope, collapse
        As in `converted_journeys`.
    null_after_days
        As in `funnel.paths`.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> from funnel.methods.paths.scope import scope_of
    >>> data = small_company()
    >>> paths = counted_paths(data, scope_of(data)).paths
    >>> sorted(zip(paths.strings(), paths.conversions.tolist(), paths.nulls.tolist()))
    [('web', 0.0, 1.0), ('web > demo', 1.0, 0.0)]
    """
    read = _read(data, scope)
    if null_after_days not in read.counted:
        typical = typical_days(journey_ends(data, scope))
        days = typical if null_after_days is None else null_after_days
        leave_out = bool(days)
        days = days or typical
        immature_after = data.ends_at.tz_localize(None) - days * _DAY if days else None
        with _reader(data, scope) as reader:
            converted, paths, n = reader.every_path(immature_after, leave_out_immature=leave_out)
        read.converted = read.converted or converted.cleaned()
        # intervals of credit from paths take the conversions of a path as of equal value
        paths = replace(paths, squares=None)
        read.counted[null_after_days] = CountedPaths(paths, n, days, leave_out)
    counted = read.counted[null_after_days]
    if not collapse:
        return counted
    return replace(counted, paths=counted.paths.collapsed().grouped())


def paths_by_journey(
    data: Tables, scope: Scope, ends: pd.DataFrame, *, collapse: bool
) -> pd.DataFrame:
    """Path and booked value of each converted journey.

    Parameters
    ----------
    data, scope, collapse
        As in `converted_journeys`.
    ends
        The journeys wanted: rows of `journey_ends`.

    Returns
    -------
    DataFrame
        One row per row of `ends`, in its order: `journey_id`, `path` ("A > B"; `(not traced)`
        without a touch), `value`, `happened_at`, `first_touch_at`, `last_touch_at` (UTC).
    """
    found = converted_journeys(data, scope, collapse=collapse).by_journey()
    table = ends[["journey_id", "amount", "happened_at"]].merge(found, on="journey_id", how="left")
    return table.assign(value=table.pop("amount").fillna(0.0))


def typical_days(ends: pd.DataFrame) -> float:
    """Age by which 95 % of journeys had converted, in days; 0 where fewer than 20 have dates."""
    days = ((ends["happened_at"] - ends["lead_created_at"]).dt.total_seconds() / 86_400).dropna()
    return float(days.quantile(MATURE_SHARE)) if len(days) >= _FEWEST_DATED else 0.0


@contextlib.contextmanager
def _reader(data: Tables, scope: Scope) -> Iterator[StepReader | TouchReader]:
    ends = journey_ends(data, scope)
    if data.spark is not None:
        yield StepReader(data, scope, ends)
        return
    with TouchReader(data, scope, ends) as reader:
        yield reader
