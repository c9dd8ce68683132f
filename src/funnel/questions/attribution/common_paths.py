"""Common paths to a stage (a qualified lead, an opportunity, a won deal), and their step flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.dataset.stages import opportunity_stage, recorded_stages, won_stage
from funnel.methods.paths import ARROW, NOT_TRACED, Basis
from funnel.questions.attribution.selection import (
    journey_ends,
    paths_of,
    scope_of,
    table_of,
)
from funnel.results import Result, rows_of, speaks_for
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

OTHER_PATHS = "(other paths)"
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

    flow: pd.DataFrame
    nouns: dict[str, str]
    bases: tuple[Basis, ...] = ()


def common_paths(
    data: Tables,
    to: tuple[str, ...] | None = None,
    *,
    by: str = "account",
    lookback_days: int | None = None,
    collapse: bool = True,
) -> CommonPaths:
    """Most frequent paths to a qualified lead, to an opportunity and to a won deal.

    Parameters
    ----------
    data
        The dataset.
    to
        Stages of the plan. By default the first one recorded after the lead, the opportunity and
        the win.
    by, lookback_days
        As in `funnel.journeys`.
    collapse
        Whether touches of one channel in a row are one step.

    Returns
    -------
    CommonPaths
        One row per stage and path.

    Raises
    ------
    ParameterError
        If a stage is none of the plan's, or none is named.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> common = common_paths(small_company(), ("mql", "won"))
    >>> common.table[["to", "path", "n", "of"]].values.tolist()
    [['mql', '(other paths)', 1, 1], ['won', '(other paths)', 1, 1]]
    """
    stages = _default_stages(data) if to is None else tuple(to)
    if not stages:
        raise ParameterError("common_paths: name at least one stage in `to`.")
    parts, rows, bases, nouns = [], [], [], {}
    paths = pd.DataFrame()
    for stage in stages:
        scope = scope_of(data, to=stage, by=by, lookback_days=lookback_days)
        ends = journey_ends(data, scope)
        paths = paths_of(data, scope, ends, collapse=collapse)
        parts.append(_counted(data, paths, stage))
        rows.append(rows_of(stage, table_of(scope), ends["journey_id"]))
        bases.append(Basis.of(data, ends, scope))
        nouns[stage] = scope.noun
    return CommonPaths(
        table=pd.concat(parts, ignore_index=True),
        rows=pd.concat(rows, ignore_index=True),
        units={"share": "0 to 1"},
        flow=step_flow(paths["path"], end=stages[-1]),
        nouns=nouns,
        bases=tuple(bases),
        **speaks_for(data),
    )


def pooled(paths: pd.Series, n: pd.Series, smallest: int) -> pd.Series:
    """Each path, or `(other paths)` where it has fewer than `smallest` journeys.

    Examples
    --------
    >>> pooled(pd.Series(["a", "b"]), pd.Series([9, 2]), 5).tolist()
    ['a', '(other paths)']
    """
    return paths.where((n >= smallest) | (paths == NOT_TRACED), OTHER_PATHS)


def _default_stages(data: Tables) -> tuple[str, ...]:
    """The first stage recorded after the lead, the opportunity and the win."""
    plan = data.plan
    opportunity, won = opportunity_stage(plan.stages), won_stage(plan.stages)
    recorded = [stage for stage in recorded_stages(data) if stage != plan.stages[0]]
    chosen = (*recorded[:1], opportunity, won)
    return tuple(dict.fromkeys(stage for stage in chosen if stage))


def _counted(data: Tables, paths: pd.DataFrame, stage: str) -> pd.DataFrame:
    n = paths.groupby("path").size().rename("n").reset_index()
    n["path"] = pooled(n["path"].astype("str"), n["n"], data.plan.smallest_group)
    n = n.groupby("path", as_index=False)["n"].sum()
    is_last = n["path"].map({OTHER_PATHS: 1, NOT_TRACED: 2}).fillna(0)
    n = n.assign(is_last=is_last).sort_values(
        ["is_last", "n", "path"], ascending=[True, False, True]
    )
    of = len(paths)
    low, high = wilson(n["n"], of, data.plan.level)
    table = n.assign(to=stage, of=of, share=n["n"] / of if of else 0.0)
    table = table.assign(share_low=low, share_high=high)
    columns = ["to", "path", "n", "of", "share", "share_low", "share_high"]
    return table[columns].astype({"to": "str", "path": "str", "n": "int64", "of": "int64"})


def step_flow(
    paths: pd.Series,
    n: pd.Series | None = None,
    *,
    end: str = "won",
    steps: int = STEPS_FOLLOWED,
    channels: int = CHANNELS_FOLLOWED,
) -> pd.DataFrame:
    """Number of journeys from each step to the next.

    Parameters
    ----------
    paths
        "A > B", one per journey or per path.
    n
        Journeys on each path; one if left out.
    end
        Name of the end, after a path's last step.
    steps
        Steps that are followed; later ones are `more steps`.
    channels
        Channels with a name, those on most steps; the others are `other channels`.

    Returns
    -------
    DataFrame
        `position` (1: from the first step to the second), `from_channel`, `to_channel`, `n`.

    Examples
    --------
    >>> step_flow(pd.Series(["web > demo", "web"])).values.tolist()
    [[1, 'web', 'demo', 1], [1, 'web', 'won', 1], [2, 'demo', 'won', 1]]
    """
    counts = pd.DataFrame({"path": paths, "n": 1 if n is None else n})
    counts = counts[counts["path"] != NOT_TRACED].groupby("path", as_index=False)["n"].sum()
    # a path of a hundred thousand steps is cut before it is split
    parts = counts["path"].astype("str").str.split(ARROW, n=steps, regex=False)
    counts = counts.assign(parts=parts)
    flows: dict[tuple[int, str, str], int] = {}
    named = _named(counts, steps, channels)
    for each, count in zip(counts["parts"], counts["n"], strict=True):
        kept = [step if step in named else OTHER_CHANNELS for step in each[:steps]]
        kept.append(MORE if len(each) > steps else end)
        for position in range(len(kept) - 1):
            key = (position + 1, kept[position], kept[position + 1])
            flows[key] = flows.get(key, 0) + int(count)
    rows = [(*key, count) for key, count in flows.items()]
    flow = pd.DataFrame(rows, columns=["position", "from_channel", "to_channel", "n"])
    flow = flow.astype(
        {"position": "int64", "from_channel": "str", "to_channel": "str", "n": "int64"}
    )
    order = ["position", "n", "from_channel", "to_channel"]
    return flow.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def _named(counts: pd.DataFrame, steps: int, channels: int) -> set[str]:
    """Channels on most of the steps that are followed."""
    each = counts.assign(step=counts["parts"].str[:steps]).explode("step")
    by_step = each.groupby("step")["n"].sum().reset_index()
    by_step = by_step.sort_values(["n", "step"], ascending=[False, True])
    return set(by_step["step"].head(channels))
