"""The one engine of paths: converted journeys and counted paths of a dataset, each read once.

Every figure about paths starts here, whatever the size of the company and on either engine.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.limits import MATURE_SHARE
from funnel.contract.errors import ParameterError
from funnel.dataset.cache import cached
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.converted import Converted
from funnel.methods.paths.results import Basis, Paths, Unconverted
from funnel.methods.paths.scope import Scope, journey_ends, scope_of
from funnel.methods.paths.spark_reader import StepReader
from funnel.methods.paths.touch_reader import TouchReader
from funnel.results import rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

_FEWEST_DATED = 20  # journeys, for the age by which most of them had converted


@dataclass
class _Read:
    """What has been read of a scope so far; counted paths by the age from which nulls count."""

    converted: Converted | None = None
    counted: dict[int | None, tuple[CodedPaths, Unconverted]] = field(default_factory=dict)


@cached
def _read(_data: Tables, _scope: Scope) -> _Read:
    return _Read()


def converted_journeys(data: Tables, scope: Scope, *, collapse: bool = False) -> Converted:
    """Converted journeys of a dataset, one path each, in the order of their keys.

    With `collapse`, touches of one channel in a row are one step.

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


def paths_by_journey(data: Tables, scope: Scope, *, collapse: bool) -> pd.DataFrame:
    """Path of each converted journey.

    Returns
    -------
    DataFrame
        One row per row of `journey_ends`, in its order, as `Converted.by_journey` has them.
    """
    found = converted_journeys(data, scope, collapse=collapse).by_journey()
    return journey_ends(data, scope)[["journey_id"]].merge(found, on="journey_id", how="left")


def paths(
    data: Tables,
    *,
    to: str = "won",
    until: str = "closed_at",
    lookback_days: int | None = None,
    by: str = "account",
    collapse: bool = False,
    null_after_days: int | None = 0,
) -> Paths:
    """Different paths of a company, and how many journeys on each converted.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads`, `touches`, and `stage_changes` for a stage.
    to
        What counts as a conversion, a stage of the plan after the first: `won` counts won deals,
        `opportunity` all deals, any other the leads that reached it or a later one.
    until, by, collapse
        As in `journeys`; `until` for won deals only.
    lookback_days
        As in `journeys`; it cuts converted journeys alone, since the others have no end yet.
    null_after_days
        A journey without a conversion counts as a null once its lead (its first touch, where the
        lead is not known) is at least so many days old. 0 counts all; `None` takes the age by
        which 95 % of the converted journeys had converted.

    Returns
    -------
    Paths
        One row per path; its caveats state how many nulls may still convert.

    Raises
    ------
    ParameterError
        As in `journeys`; and if `to` is no stage, or `null_after_days` is negative.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> paths(small_company()).table.values.tolist()
    [['web > demo', 1, 900.0, 0], ['web', 0, 0.0, 1]]
    >>> paths(small_company(), to="mql").table.values.tolist()
    [['web', 1, 900.0, 1]]
    """
    if null_after_days is not None and null_after_days < 0:
        raise ParameterError(f"null_after_days={null_after_days} must not be negative.")
    scope = scope_of(data, to=to, until=until, by=by, lookback_days=lookback_days)
    ends = journey_ends(data, scope)
    counted, unconverted = _counted(data, scope, null_after_days)
    return Paths(
        coded=counted.collapsed().grouped() if collapse else counted,
        rows=rows_of(scope.noun, scope.table, ends["journey_id"]),
        units={"value": data.plan.company.currency, "conversions": scope.noun},
        plan=data.plan,
        to=to,
        noun=scope.noun,
        basis=Basis.of(data, ends, scope),
        unconverted=unconverted,
        **speaks_for(data),
    )


def _counted(
    data: Tables, scope: Scope, null_after_days: int | None
) -> tuple[CodedPaths, Unconverted]:
    """Every different path of a dataset, and what is known of those without a conversion."""
    read = _read(data, scope)
    if null_after_days not in read.counted:
        typical = _typical_days(journey_ends(data, scope))
        minimum = typical if null_after_days is None else null_after_days
        days = minimum or typical
        immature_after = data.ends_at.tz_localize(None) - days * dt.timedelta(1) if days else None
        with _reader(data, scope) as reader:
            converted, paths, n_immature = reader.every_path(
                immature_after, leave_out_immature=bool(minimum)
            )
        read.converted = read.converted or converted.cleaned()
        unconverted = Unconverted(
            n=int(paths.nulls.sum()) + n_immature * bool(minimum),
            n_immature=n_immature,
            minimum_age_days=minimum,
            typical_days=typical,
            n_open=_open_deals(data, scope),
        )
        read.counted[null_after_days] = paths, unconverted
    return read.counted[null_after_days]


def _typical_days(ends: pd.DataFrame) -> float:
    """Age by which 95 % of journeys had converted, in days; 0 where fewer than 20 have dates."""
    days = ((ends["happened_at"] - ends["lead_created_at"]).dt.total_seconds() / 86_400).dropna()
    return float(days.quantile(MATURE_SHARE)) if len(days) >= _FEWEST_DATED else 0.0


def _open_deals(data: Tables, scope: Scope) -> int:
    """Open deals whose journeys count as not won."""
    if scope.target != "won" or not data.has("deals"):
        return 0
    by_account = scope.by == "account"
    found = data.step("open_deals", **{**scope.of_ends, "by_account": by_account})
    return int(found["n"].iloc[0])


@contextlib.contextmanager
def _reader(data: Tables, scope: Scope) -> Iterator[StepReader | TouchReader]:
    ends = journey_ends(data, scope)
    if data.spark is not None:
        yield StepReader(data, scope, ends)
        return
    with TouchReader(data, scope, ends) as reader:
        yield reader
