"""Different paths of a company, with the journeys on each that converted and that did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funnel.contract.errors import ParameterError
from funnel.methods.paths.journey_paths import counted_paths, typical_days
from funnel.methods.paths.results import Basis, Paths, Unconverted
from funnel.methods.paths.scope import Scope, journey_ends, scope_of
from funnel.results import rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables


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
    counted = counted_paths(data, scope, collapse=collapse, null_after_days=null_after_days)
    return Paths(
        coded=counted.paths,
        rows=rows_of(scope.noun, "deals" if scope.is_of_deals else "leads", ends["journey_id"]),
        units={"value": data.plan.company.currency, "conversions": scope.noun},
        plan=data.plan,
        to=to,
        noun=scope.noun,
        basis=Basis.of(data, ends, scope),
        unconverted=Unconverted(
            n=counted.n_nulls,
            n_immature=counted.n_immature,
            minimum_age_days=counted.immature_days if counted.leaves_out_immature else 0.0,
            typical_days=typical_days(ends),
            n_open=_open_deals(data, scope),
        ),
        **speaks_for(data),
    )


def _open_deals(data: Tables, scope: Scope) -> int:
    """Open deals whose journeys count as not won."""
    if scope.target != "won" or not data.has("deals"):
        return 0
    by_account = scope.by == "account"
    found = data.step("open_deals", **{**scope.of_ends, "by_account": by_account})
    return int(found["n"].iloc[0])
