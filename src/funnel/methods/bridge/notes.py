"""What a reader of the bridge must know first, and the rows behind its figures."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.bridge.stage_stays import NO_LEAD, Paths
from funnel.results import formats, rows_of

if TYPE_CHECKING:
    from funnel.dataset import Tables

_FEW_WINS = 60


def caveats_of(
    data: Tables,
    paths: Paths,
    has_calendar: bool,
    wins: NDArray[np.int64],
    deals: pd.DataFrame,
) -> tuple[str, ...]:
    """Say what limits this bridge, each as one sentence, computed from the tables."""
    plan, comparison = data.plan, data.comparison
    company = plan.company
    now, then = comparison.period, comparison.baseline

    def count(n: float) -> str:
        return formats.number(n, company)

    said = []
    if not comparison.is_complete:
        said.append(
            f"{now.label} has not ended: its {count(now.n_days)} days to "
            f"{formats.day(now.end, company)} stand against the first {count(then.n_days)} days "
            f"of {then.label}."
        )
    if not data.has("deals"):
        said.append("There are no deals, so nothing can be said of bookings or deal size.")
    elif not wins.any():
        said.append(f"No deal was won in {now.label} or {then.label}.")
    elif not wins.all():
        empty = (then if wins[0] == 0 else now).label
        said.append(
            f"No deal was won in {empty}: its rates and deal size, where nobody was there, are "
            "taken from the other period, so they move nothing."
        )
    if not data.has("leads"):
        said.append(
            "There are no leads: deals are followed from their opening, lead volume counts deals "
            "opened, and nothing before the opportunity can be told."
        )
    elif not data.has("stage_changes"):
        said.append(
            f"There are no stage changes: the stages are {', '.join(paths.stages)}, read from "
            "leads and deals."
        )
    since = _recorded_since(data)
    if since is not None and since.timestamp() > paths.windows[0].start:
        said.append(
            f"Leads are on record from {formats.day(since.date(), company)} on, which is less than "
            f"{count(paths.windows[0].n_blocks)} periods to the end of {then.label}: what came "
            "earlier is not seen, so lead volume reads as growth by as much."
        )
    ends = zip(paths.steps, paths.is_exit_recorded, strict=True)
    unseen = [step for step, is_recorded in ends if not is_recorded]
    if unseen:
        said.append(
            f"{', '.join(unseen)}: leaving without an advance is mostly not recorded. The rate is "
            "advances over those due by the timing of both periods together, so a slower and a "
            "smaller share that moves on are hard to tell apart there."
        )
    if not has_calendar:
        said.append(
            "No earlier years were used: the calendar's part is not known, and lead volume and "
            "timing hold what is usual for the season."
        )
    if data.has("leads"):
        alone = int((deals["segment"] == NO_LEAD).sum())
        if alone:
            said.append(
                f"{count(alone)} of {count(len(deals))} deals won in the two periods have no lead: "
                f"they are the segment {NO_LEAD}, from their opening on."
            )
    blank = int(deals["value"].isna().sum())
    if blank:
        said.append(
            f"{count(blank)} of {count(len(deals))} won deals have no amount; they count 0."
        )
    refunds = int((deals["value"] < 0).sum())
    if refunds:
        said.append(f"{count(refunds)} won deals have an amount below 0; they count as they are.")
    if 0 < wins.min() < _FEW_WINS:
        said.append(
            f"With {count(wins[0])} and {count(wins[-1])} wins only large changes can be told "
            "from chance; each row says how large."
        )
    return tuple(said)


def _recorded_since(data: Tables) -> dt.datetime | None:
    first = data.sql("select min(created_at) as first from leads")["first"].iloc[0]
    return None if pd.isna(first) else first.to_pydatetime().replace(tzinfo=dt.UTC)


def rows_behind(data: Tables, deals: pd.DataFrame) -> pd.DataFrame:
    """Name the deals behind both values, and the leads that came in each period."""
    plan, comparison = data.plan, data.comparison
    parts = [
        rows_of("period", "deals", deals.loc[deals["is_new"], "deal_id"]),
        rows_of("baseline", "deals", deals.loc[~deals["is_new"], "deal_id"]),
    ]
    for figure, period in (("period", comparison.period), ("baseline", comparison.baseline)):
        came = data.sql(
            "select lead_id from leads where epoch(created_at) >= $start "
            "and epoch(created_at) < $after order by lead_id",
            start=plan.midnight(period.start).timestamp(),
            after=plan.midnight(period.after).timestamp(),
        )
        parts.append(rows_of(figure, "leads", came["lead_id"]))
    return pd.concat(parts, ignore_index=True)
