"""Money spent beside wins: what a credited and a lifted win cost."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Plan
from funnel.methods.paths import NOT_TRACED, Journeys, journeys
from funnel.methods.paths.frames import coded_journeys
from funnel.questions.attribution.attribute import attribute
from funnel.questions.attribution.lift import Lift
from funnel.results import Result, formats, rows_of

if TYPE_CHECKING:
    from funnel.dataset import Tables

_ENDS = (("", ""), ("_low", "_high"), ("_high", "_low"))


@dataclass(frozen=True, eq=False, kw_only=True)
class CostPerWin(Result):
    """What was spent on each channel, beside the wins that it is credited with and goes with.

    `table` has one row per channel that money was spent on, most first: `channel`, `spend`
    (currency of the plan), `spend_share`, `credited_wins`, `cost_per_credited_win`, `lifted_wins`
    and `cost_per_lifted_win`, each with its ends, and `n_deals` (won deals that touched it). A
    cost is missing where there may be no such win.
    """

    plan: Plan
    model: str
    first_day: dt.date | None
    n_deals: int

    @property
    def headline(self) -> str:
        """What a credited win of the channel with most spend cost, and since when."""
        if self.table.empty:
            return "No spend is recorded, so what a win cost cannot be told."
        company, top = self.plan.company, self.table.iloc[0]
        says = (
            f"Since {formats.day(self.first_day, company)}, most was spent on {top['channel']}: "
            f"{formats.money(top['spend'], company)}"
        )
        if np.isfinite(top["cost_per_credited_win"]):
            says += f", or {_cost(top, 'credited', company)} for each win credited to it"
        if np.isfinite(top["cost_per_lifted_win"]):
            says += f" and {_cost(top, 'lifted', company)} for each win that goes with it"
        return f"{says} ({formats.number(self.n_deals, company)} won deals)."

    def shown(self) -> pd.DataFrame:
        """Give spend and costs in words."""
        company, rows = self.plan.company, [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "channel": self.table["channel"],
                f"spend, {company.currency}": [
                    formats.number(row["spend"], company) for row in rows
                ],
                "share of spend": [formats.share(row["spend_share"], company) for row in rows],
                "credited wins": [
                    formats.number_estimate(row, "credited_wins", company) for row in rows
                ],
                "cost of a credited win": [
                    formats.number_estimate(row, "cost_per_credited_win", company) for row in rows
                ],
                "lifted wins": [
                    formats.number_estimate(row, "lifted_wins", company) for row in rows
                ],
                "cost of a lifted win": [
                    formats.number_estimate(row, "cost_per_lifted_win", company) for row in rows
                ],
            }
        )


def cost_per_win(
    data: Tables,
    model: str = "linear",
    *,
    lifted: Lift | None = None,
    traced: Journeys | None = None,
) -> CostPerWin:
    """Put what was spent on each channel beside the wins it is credited with and goes with.

    Deals won since spend is recorded are set against the spend of the same days. Money is spent
    before deals are won, so a channel that grows looks dearer than it is, and one that shrinks
    looks cheaper.

    Parameters
    ----------
    data
        A company's tables. Reads `spend`, and what `funnel.journeys` reads.
    model
        Whose credit is counted; a model by rule.
    lifted
        What `funnel.lift` made; without it lifted wins are missing.
    traced
        What `funnel.journeys` made, where it is at hand.

    Returns
    -------
    CostPerWin
        One row per channel with spend.

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
    about = {
        "as_of": data.as_of,
        "level": data.plan.level,
        "plan": data.plan,
        "units": {"spend": data.plan.company.currency, "credited_wins": "deals"},
    }
    if spent.empty:
        return CostPerWin(table=_nothing(), model=model, first_day=None, n_deals=0, **about)
    first_day = spent["spent_on"].min().date()
    since = pd.Timestamp(data.plan.midnight(first_day))
    won = traced.table[traced.table["closed_at"] >= since]
    ways = coded_journeys(won)
    ways = replace(ways, value=np.zeros(ways.n_paths), squares=None)
    credit = attribute(ways, model, plan=data.plan)
    table = spent.groupby("channel", as_index=False)["amount"].sum()
    table = table.rename(columns={"amount": "spend"})
    table["channel"] = table["channel"].astype("str")
    table["spend_share"] = table["spend"] / table["spend"].sum()
    shares = credit.table.set_index("channel").reindex(table["channel"])
    for end in ("", "_low", "_high"):
        table[f"credited_wins{end}"] = shares[f"share{end}"].fillna(0.0).to_numpy() * ways.n_paths
    n_traced = float(ways.is_traced.sum())
    for end in ("", "_low", "_high"):
        share = pd.Series(np.nan, index=table["channel"])
        if lifted is not None:
            share = lifted.table.set_index("channel")[f"lift{end}"].reindex(table["channel"])
        table[f"lifted_wins{end}"] = share.to_numpy() * n_traced
    for kind in ("credited", "lifted"):
        for end, other in _ENDS:
            wins = table[f"{kind}_wins{other}"]
            # a cost is told only where there surely is such a win
            some = (wins > 0) & (table[f"{kind}_wins_low"] > 0)
            table[f"cost_per_{kind}_win{end}"] = table["spend"] / wins.where(some)
    table["n_deals"] = shares["n_deals"].fillna(0).astype("int64").to_numpy()
    table = table.sort_values(["spend", "channel"], ascending=[False, True])
    return CostPerWin(
        table=table[_nothing().columns].reset_index(drop=True),
        rows=rows_of("won deals", "deals", won["deal_id"].drop_duplicates()),
        written_caveats=_caveats(table, credit.table["channel"]),
        model=credit.model,
        first_day=first_day,
        n_deals=ways.n_paths,
        **about,
    )


def _nothing() -> pd.DataFrame:
    figures = ["spend", "spend_share"]
    for name in ("credited_wins", "cost_per_credited_win", "lifted_wins", "cost_per_lifted_win"):
        figures += [name, f"{name}_low", f"{name}_high"]
    columns = {"channel": pd.Series(dtype="str")}
    columns |= {name: pd.Series(dtype="float64") for name in [*figures, "n_deals"]}
    return pd.DataFrame(columns)


def _caveats(table: pd.DataFrame, touched: pd.Series) -> tuple[str, ...]:
    said = [
        "Spend is set against deals won in the same days; money is spent before deals are won.",
    ]
    unmet = table.loc[~table["channel"].isin(touched), "channel"].tolist()
    if unmet:
        said.append(
            f"{', '.join(unmet)}: money is spent there, and no touch of a won deal names it. "
            "Is it called by another name in the touches? Marketing Ops can tell."
        )
    unpaid = sorted(set(touched) - set(table["channel"]) - {NOT_TRACED})
    if unpaid:
        said.append(f"{', '.join(unpaid)}: no spend is recorded, so no cost is shown.")
    return tuple(said)


def _cost(row: pd.Series, kind: str, company: object) -> str:
    name = f"cost_per_{kind}_win"
    value, low, high = (
        formats.money(row[f"{name}{end}"], company) for end in ("", "_low", "_high")
    )
    return formats.estimate(value, low, high)
