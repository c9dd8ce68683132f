"""Cost per win: spend by channel, for wins credited to it and for wins associated with it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.paths import NOT_TRACED, Journeys, journeys
from funnel.questions.attribution.credit import attribute, without_value
from funnel.questions.attribution.lift import CREDIT_MODEL, Lift
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

_ENDS = (("", ""), ("_low", "_high"), ("_high", "_low"))


@dataclass(frozen=True, eq=False, kw_only=True)
class CostPerWin(Result):
    """Spend on each channel, with the wins credited to it and associated with it.

    `table` has one row per channel with spend, most first: `channel`, `spend` (currency of the
    plan), `spend_share`, `credited_wins`, `cost_per_credited_win`, `lifted_wins` and
    `cost_per_lifted_win`, each with its interval, and `n_deals` (won deals that touched it). A
    cost is missing where the interval of wins includes zero.

    Attributes
    ----------
    first_day
        First day with spend; wins count from then on.
    not_touched
        Channels with spend that no touch of a won deal names.
    without_spend
        Channels of won deals without spend.
    """

    grouped = (
        SmallGroups(
            by=("channel",),
            counts={
                "n_deals": (
                    "credited_wins",
                    "cost_per_credited_win",
                    "lifted_wins",
                    "cost_per_lifted_win",
                ),
                "credited_wins": ("cost_per_credited_win",),
            },
        ),
    )

    first_day: dt.date | None = None
    n_deals: int = 0
    not_touched: tuple[str, ...] = ()
    without_spend: tuple[str, ...] = ()


def cost_per_win(
    data: Tables, *, lifted: Lift | None = None, traced: Journeys | None = None
) -> CostPerWin:
    """Cost per win by channel, for credited wins and for wins associated with the channel.

    Deals won since spend is recorded are compared with the spend of the same days. Money is spent
    before deals are won, so a channel that grows looks more expensive than it is, and one that
    shrinks looks cheaper.

    Credited wins are by the linear model. Lifted wins need `lifted`, the lift of the same journeys;
    `traced` are the journeys of `data`, computed if left out.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "lead_id": ["L-1"], "outcome": ["won"],
    ...     "created_at": ["2026-02-01"], "closed_at": ["2026-03-01"], "amount": [900.0]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-02"]})
    >>> touches = pd.DataFrame({"lead_id": ["L-1"], "channel": ["web"],
    ...     "occurred_at": ["2026-01-01"]})
    >>> spend = pd.DataFrame({"spent_on": ["2026-01-01"], "channel": ["web"], "amount": [250.0]})
    >>> data = Tables.of(as_of="2026-06-30", deals=deals, leads=leads, touches=touches, spend=spend)
    >>> cost_per_win(data).table[["channel", "spend", "cost_per_credited_win"]].values.tolist()
    [['web', 250.0, 250.0]]
    """
    spent = data.spend[["spent_on", "channel", "amount"]].dropna()
    traced = journeys(data) if traced is None else traced
    if spent.empty:
        return CostPerWin(table=_nothing(), **speaks_for(data))
    first_day = spent["spent_on"].min().date()
    since = data.plan.midnight(first_day)
    won = traced.deals.loc[traced.deals["closed_at"] >= since, "deal_id"]
    paths = without_value(traced.coded.taken(pd.Series(traced.coded.names).isin(won).to_numpy()))
    credit = attribute(paths, CREDIT_MODEL, plan=data.plan)
    table = spent.groupby("channel", as_index=False)["amount"].sum()
    table = table.rename(columns={"amount": "spend"})
    table["channel"] = table["channel"].astype("str")
    table["spend_share"] = table["spend"] / table["spend"].sum()
    shares = credit.table.set_index("channel").reindex(table["channel"])
    lifts = pd.DataFrame(columns=["lift", "lift_low", "lift_high"], dtype="float64")
    if lifted is not None:
        lifts = lifted.table.set_index("channel")
    lifts = lifts.reindex(table["channel"])
    for end in ("", "_low", "_high"):
        table[f"credited_wins{end}"] = shares[f"share{end}"].fillna(0.0).to_numpy() * paths.n_paths
        table[f"lifted_wins{end}"] = lifts[f"lift{end}"].to_numpy() * paths.is_traced.sum()
    for kind in ("credited", "lifted"):
        for end, other in _ENDS:
            wins = table[f"{kind}_wins{other}"]
            # a cost is shown only where the interval of wins excludes zero
            some = (wins > 0) & (table[f"{kind}_wins_low"] > 0)
            table[f"cost_per_{kind}_win{end}"] = table["spend"] / wins.where(some)
    table["n_deals"] = shares["n_deals"].fillna(0).astype("int64").to_numpy()
    table = table.sort_values(["spend", "channel"], ascending=[False, True])
    touched = credit.table["channel"]
    return CostPerWin(
        table=table[_nothing().columns].reset_index(drop=True),
        rows=rows_of("won deals", "deals", won),
        first_day=first_day,
        n_deals=paths.n_paths,
        not_touched=tuple(table.loc[~table["channel"].isin(touched), "channel"]),
        without_spend=tuple(sorted(set(touched) - set(table["channel"]) - {NOT_TRACED})),
        units={"spend": data.plan.company.currency, "credited_wins": "deals"},
        **speaks_for(data),
    )


def _nothing() -> pd.DataFrame:
    figures = ["spend", "spend_share"]
    for name in ("credited_wins", "cost_per_credited_win", "lifted_wins", "cost_per_lifted_win"):
        figures += [name, f"{name}_low", f"{name}_high"]
    columns = {"channel": pd.Series(dtype="str")}
    columns |= {name: pd.Series(dtype="float64") for name in [*figures, "n_deals"]}
    return pd.DataFrame(columns)
