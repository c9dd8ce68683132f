"""Last guard: what chance can do, and the one deal that stands out from all others like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.bridge import Bridge
from funnel.methods.bridge.stage_stays import won_deals
from funnel.methods.bridge.tests import like_for_like
from funnel.questions.why.guard_findings import (
    CANNOT_SAY,
    DOWN,
    FALSE_ALARMS,
    FOUND,
    PASSED,
    UP,
    Found,
)
from funnel.questions.why.guard_text import Row, row_of
from funnel.questions.why.outlier import outlying_deal
from funnel.results import formats
from funnel.stats import CANNOT_TELL

if TYPE_CHECKING:
    from funnel.dataset import Tables

_TOLD = 1.645  # deviate that chance passes once in ten, two-sided


def noise_row(data: Tables, bridge: Bridge) -> Row:
    """Count the drivers that chance could move as much, and tell a deal that stands out."""
    company = data.plan.company
    totals = bridge.totals[~bridge.totals["driver"].isin(["residual"])]
    open_ = totals[totals["verdict"] == CANNOT_TELL]
    n = bridge.period_wins + bridge.baseline_wins
    looks = formats.number(bridge.n_looks, company)
    says = (
        f"{formats.number(len(open_), company)} of {formats.number(len(totals), company)} drivers "
        f"cannot be told after {looks} looks, with {formats.number(n, company)} deals "
        f"won in the two periods{': ' if len(open_) else ''}{', '.join(open_['driver'])}."
    )
    deals = won_deals(data)
    standing = outlying_deal(deals)
    if standing is None or standing[1] >= FALSE_ALARMS or data.plan.measure == "wins":
        return row_of("noise", CANNOT_SAY if len(open_) else PASSED, says, n=n)
    deal = deals.iloc[standing[0]]
    period = data.comparison.period if deal["is_new"] else data.comparison.baseline
    value = formats.short_money(deal["value"], company)
    without, with_it = (
        formats.short_money(each, company, sign=True)
        for each in (_without(bridge, deal), bridge.change)
    )
    says += (
        f" One deal of {period.label}, {value}, stands out from others like it: without it the two "
        f"differ by {without}, with it by {with_it}."
    )
    way = UP if deal["is_new"] else DOWN
    explains = (("deal size", way),) if _hangs_on(deals, standing[0]) else ()
    found = Found("noise", says, explains=explains, n=n, p_value=standing[1])
    return row_of("noise", FOUND, says, (found,), n)


def _hangs_on(deals: pd.DataFrame, at: int) -> bool:
    """Say whether deal sizes, like for like, differ no longer without one deal."""
    rest = deals.drop(deals.index[at])
    _, z = like_for_like(
        rest["value"].to_numpy(), rest["is_new"].to_numpy(), rest[["segment", "employees"]]
    )
    return not abs(z) > _TOLD


def _without(bridge: Bridge, deal: pd.Series) -> float:
    return bridge.change - float(deal["value"]) * (1 if deal["is_new"] else -1)
