"""Common paths to a stage (a qualified lead, an opportunity, a won deal), and their step flow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from funnel.dataset.stages import opportunity_stage, recorded_stages, won_stage
from funnel.methods.groups import with_small_pooled
from funnel.methods.paths import (
    ARROW,
    NOT_TRACED,
    OTHER_PATHS,
    Basis,
    journey_ends,
    paths_by_journey,
    scope_of,
)
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

STEPS_FOLLOWED = 4
CHANNELS_FOLLOWED = 6
OTHER_CHANNELS = "other channels"
MORE = "more steps"


@dataclass(frozen=True, eq=False, kw_only=True)
class CommonPaths(Result):
    """Most frequent paths to each stage.

    `table` has one row per stage and path, most frequent first: `to` (the stage), `path`, `n`
    (journeys on it), `of` (journeys to the stage), `share`, `share_low`, `share_high` (Wilson).
    Paths of fewer journeys than the plan's smallest group are one row, `(other paths)`; journeys
    that do not trace are another.

    Attributes
    ----------
    flow
        Steps of journeys to the last stage: `position` (1: from the first step to the second),
        `from_channel`, `to_channel` (or the end), `n`.
    nouns
        Journeys to each stage, as a noun.
    bases
        What the journeys to each stage were read from.
    """

    grouped = (SmallGroups(by=("path",), counts={"n": ("share",)}, within=("to",), add_up=("n",)),)

    flow: pd.DataFrame
    nouns: dict[str, str]
    bases: tuple[Basis, ...]


def common_paths(data: Tables, *, lookback_days: int | None = None) -> CommonPaths:
    """Most frequent paths to a qualified lead, to an opportunity and to a won deal.

    The stages are the first one recorded after the lead, the opportunity and the win. Touches of
    one channel in a row are one step.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> common_paths(small_company()).table[["to", "path", "n", "of"]].values.tolist()[::2]
    [['mql', '(other paths)', 1, 1], ['won', '(other paths)', 1, 1]]
    """
    stages = _stages(data)
    parts, rows, bases, nouns = [], [], [], {}
    paths = pd.Series(dtype="str")
    for stage in stages:
        scope = scope_of(data, to=stage, lookback_days=lookback_days)
        ends = journey_ends(data, scope)
        paths = paths_by_journey(data, scope, collapse=True)["path"]
        parts.append(_counted(data, paths, stage))
        rows.append(rows_of(stage, scope.table, ends["journey_id"]))
        bases.append(Basis.of(data, ends, scope))
        nouns[stage] = scope.noun
    return CommonPaths(
        table=pd.concat(parts, ignore_index=True),
        rows=pd.concat(rows, ignore_index=True),
        units={"share": "0 to 1"},
        flow=step_flow(paths, end=stages[-1]),
        nouns=nouns,
        bases=tuple(bases),
        **speaks_for(data),
    )


def _stages(data: Tables) -> tuple[str, ...]:
    """The first stage recorded after the lead, the opportunity and the win."""
    plan = data.plan
    opportunity, won = opportunity_stage(plan.stages), won_stage(plan.stages)
    ends = (plan.stages[0], won)
    recorded = [stage for stage in recorded_stages(data) if stage not in ends]
    chosen = (*recorded[:1], opportunity, won)
    return tuple(dict.fromkeys(stage for stage in chosen if stage))


def _counted(data: Tables, paths: pd.Series, stage: str) -> pd.DataFrame:
    """Rows of one stage, from the path of each journey to it."""
    paths = with_small_pooled(
        paths,
        paths.value_counts(),
        data.plan.smallest_group,
        pool=OTHER_PATHS,
        not_pooled=NOT_TRACED,
    )
    n = paths.value_counts().rename_axis("path").rename("n").reset_index().astype({"path": "str"})
    is_last = n["path"].map({OTHER_PATHS: 1, NOT_TRACED: 2}).fillna(0)
    n = n.assign(is_last=is_last).sort_values(
        ["is_last", "n", "path"], ascending=[True, False, True]
    )
    of = len(paths)
    low, high = wilson(n["n"], of, data.plan.level)
    share = n["n"] / max(of, 1)
    table = n.assign(to=stage, of=of, share=share, share_low=low, share_high=high)
    columns = ["to", "path", "n", "of", "share", "share_low", "share_high"]
    return table[columns].astype({"to": "str", "path": "str", "n": "int64", "of": "int64"})


def step_flow(paths: pd.Series, end: str = "won") -> pd.DataFrame:
    """Number of journeys from each step to the next.

    Parameters
    ----------
    paths
        "A > B", one per journey.
    end
        Name of the end, after a path's last step.

    Returns
    -------
    DataFrame
        `position` (1: from the first step to the second), `from_channel`, `to_channel`, `n`. Steps
        after the fourth are `more steps`; channels beyond the six on most steps, `other channels`.

    Examples
    --------
    >>> step_flow(pd.Series(["web > demo", "web"])).values.tolist()
    [[1, 'web', 'demo', 1], [1, 'web', 'won', 1], [2, 'demo', 'won', 1]]
    """
    counts = paths[paths != NOT_TRACED].value_counts()
    # a path of a hundred thousand steps is cut before it is split
    steps = counts.index.astype("str").str.split(ARROW, n=STEPS_FOLLOWED, regex=False)
    n_by_step: dict[str, int] = {}
    for path, n in zip(steps, counts, strict=True):
        for step in path[:STEPS_FOLLOWED]:
            n_by_step[step] = n_by_step.get(step, 0) + int(n)
    most = sorted(n_by_step, key=lambda step: (-n_by_step[step], step))
    named = set(most[:CHANNELS_FOLLOWED])
    flows: dict[tuple[int, str, str], int] = {}
    for path, n in zip(steps, counts, strict=True):
        kept = [step if step in named else OTHER_CHANNELS for step in path[:STEPS_FOLLOWED]]
        kept.append(MORE if len(path) > STEPS_FOLLOWED else end)
        for position, pair in enumerate(pairwise(kept), 1):
            flows[position, *pair] = flows.get((position, *pair), 0) + int(n)
    rows = [(*key, n) for key, n in flows.items()]
    flow = pd.DataFrame(rows, columns=["position", "from_channel", "to_channel", "n"])
    flow = flow.astype(
        {"position": "int64", "from_channel": "str", "to_channel": "str", "n": "int64"}
    )
    order = ["position", "n", "from_channel", "to_channel"]
    return flow.sort_values(order, ascending=[True, False, True, True], ignore_index=True)
