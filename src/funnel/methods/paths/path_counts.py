"""Which ways were gone, and how often each ended where it was to lead."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.methods.paths.results import NOT_TRACED, TYPICAL_SHARE, Basis, Paths, Unconverted
from funnel.methods.paths.scope import Asked, asked, ends_of
from funnel.results import rows_of

if TYPE_CHECKING:
    from funnel.dataset import Tables

_FEWEST_DATED = 20
_DAY = dt.timedelta(days=1)


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
    """Count the ways that accounts went, won and not won.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads`, `touches`, and `stage_changes` for a stage.
    to
        A stage of the plan after the first: `won` counts won deals, `opportunity` all deals, any
        other the leads that reached it or a later one.
    until, by, collapse
        As in `journeys`; `until` for won deals only.
    lookback_days
        As in `journeys`; it cuts converted journeys only, since the others have no end yet.
    null_after_days
        A journey without an end counts as a null once its lead (its first touch, where the lead
        is not known) is at least so many days old. 0 counts all; `None` takes the age by which
        95 % of the journeys that ended had done so.

    Returns
    -------
    Paths
        One row per path. A caveat says how many nulls may still convert.

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
    which = asked(data, to=to, until=until, by=by, lookback_days=lookback_days)
    ends = ends_of(data, which)
    walked = walked_of(data, which, ends, collapse=collapse)
    ended = walked.groupby("path").agg(conversions=("value", "size"), value=("value", "sum"))
    usual = usual_days(ends)
    days = usual if null_after_days is None else null_after_days
    nulls = _nulls(data, which, collapse, days or usual)
    counted = nulls["nulls"] - (nulls["n_young"] if days else 0)
    table = ended.join(counted.rename("nulls"), how="outer").fillna(0.0).reset_index()
    table["path"] = table["path"].astype("str")
    for count in ("conversions", "nulls"):
        table[count] = table[count].astype("int64")
    table = table[(table["conversions"] > 0) | (table["nulls"] > 0)]
    table = table.sort_values(["conversions", "nulls", "path"], ascending=[False, False, True])
    return Paths(
        table=table.reset_index(drop=True)[["path", "conversions", "value", "nulls"]],
        as_of=data.as_of,
        rows=rows_of(which.noun, "deals" if which.is_of_deals else "leads", ends["journey_id"]),
        units={"value": data.plan.company.currency, "conversions": which.noun},
        level=data.plan.level,
        company=data.plan.company,
        plan=data.plan,
        to=to,
        noun=which.noun,
        basis=Basis.of(data, ends, which),
        unconverted=Unconverted(
            n=int(nulls["nulls"].sum()),
            n_immature=int(nulls["n_young"].sum()),
            minimum_age_days=days,
            typical_days=usual,
            n_open=_open_deals(data, which, ends),
        ),
    )


def walked_of(
    data: Tables, which: Asked, ends: pd.DataFrame, *, collapse: bool
) -> pd.DataFrame:  # fmt: skip
    """Give each journey that ended its path and what was booked by it.

    Returns
    -------
    DataFrame
        One row per row of `ends`, in its order: `journey_id`, `path` (`(not traced)` without a
        touch), `value`, `happened_at`, `first_touch_at`, `last_touch_at` (naive, UTC).
    """
    found = data.step("journey_paths", collapse=collapse, **which.of_touches)
    walked = ends[["journey_id", "amount", "happened_at"]].merge(found, on="journey_id", how="left")
    walked["path"] = walked["path"].astype("str").fillna(NOT_TRACED)
    return walked.assign(value=walked.pop("amount").fillna(0.0))


def _nulls(data: Tables, which: Asked, collapse: bool, days: float) -> pd.DataFrame:
    midnight = data.plan.midnight(data.as_of + _DAY).replace(tzinfo=None)
    parameters = which.of_touches
    del parameters["lookback_days"]
    young = midnight - days * _DAY
    found = data.step("null_paths", collapse=collapse, dated=True, young_after=young, **parameters)
    found["path"] = found["path"].astype("str")
    return found.set_index("path").astype("int64")


def usual_days(ends: pd.DataFrame) -> float:
    """Days from the lead's creation within which most journeys that ended did; 0 if not known."""
    days = ((ends["happened_at"] - ends["lead_created_at"]).dt.total_seconds() / 86_400).dropna()
    return float(days.quantile(TYPICAL_SHARE)) if len(days) >= _FEWEST_DATED else 0.0


def _open_deals(data: Tables, which: Asked, ends: pd.DataFrame) -> int:
    """Open deals whose journeys count as not won."""
    if which.target != "won" or not data.has("deals"):
        return 0
    deals = data.deals
    accounts = pd.Series(pd.NA, index=deals.index, dtype="str")
    if which.by == "account":
        accounts = deals["account_id"]
        if data.has("leads", "account_id"):
            of_leads = data.leads.drop_duplicates("lead_id").set_index("lead_id")["account_id"]
            accounts = accounts.fillna(deals["lead_id"].map(of_leads))
    won = pd.concat([ends["account_id"], ends["lead_account_id"]]).dropna()
    has_won = deals["lead_id"].isin(ends["lead_id"].dropna()) | accounts.isin(won)
    has_key = deals["lead_id"].notna() | accounts.notna()
    return int(((deals["outcome"] == "open") & has_key & ~has_won).sum())
