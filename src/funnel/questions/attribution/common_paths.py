"""Which paths are common: to a qualified lead, to an opportunity, to a won deal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.dataset.stages import opportunity_stage, recorded_stages, won_stage
from funnel.methods.paths.path_counts import walked_of
from funnel.methods.paths.results import NOT_TRACED, short_path
from funnel.methods.paths.scope import asked, ends_of
from funnel.methods.paths.tracing import caveats
from funnel.questions.attribution.path_flow import flow_of
from funnel.results import Result, first_rows, formats, rows_of
from funnel.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

OTHER_PATHS = "(other paths)"
_SHOWN_OF_EACH = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class UsualPaths(Result):
    """The commonest paths to each stage asked for.

    `table` has one row per stage and path, commonest first: `to` (the stage), `path`, `n` (how
    many came that way), `of` (all that came to it), `share`, `share_low`, `share_high` (Wilson).
    Paths of fewer than the plan's smallest group are one row, `(other paths)`; what does not trace
    is another. `flow` says how those to the last stage went from step to step: `position` (1: from
    the first step to the second), `from_channel`, `to_channel` (or where they ended), `n`.
    """

    company: Company
    flow: pd.DataFrame
    nouns: dict[str, str]

    @property
    def headline(self) -> str:
        """The commonest path to the first and to the last stage."""
        named = self.table[~self.table["path"].isin([NOT_TRACED, OTHER_PATHS])]
        said = []
        for to in dict.fromkeys([*list(self.nouns)[-1:], *list(self.nouns)[:1]]):
            rows = named[named["to"] == to]
            if rows.empty:
                said.append(f"no path to {self.nouns[to]} is common")
                continue
            share = formats.share_estimate(rows.iloc[0], "share", self.company, of="of")
            path = short_path(rows.iloc[0]["path"])
            said.append(f"{path} is the commonest path to {self.nouns[to]}: {share}")
        says = "; ".join(said)
        return f"{says[:1].upper()}{says[1:]}." if says else "There are no paths."

    def shown(self) -> pd.DataFrame:
        """Give the five commonest paths to each stage."""
        rows = self.table.groupby("to", sort=False).head(_SHOWN_OF_EACH)
        shown = pd.DataFrame(
            {
                "to": rows["to"],
                "path": [short_path(path) for path in rows["path"]],
                "how many": [formats.number(n, self.company) for n in rows["n"]],
                "share": [
                    formats.share_estimate(row, "share", self.company, of="of")
                    for _, row in rows.iterrows()
                ],
            }
        )
        shown.attrs["n_rows"] = len(self.table)
        return first_rows(shown)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how the steps flow to the last stage."""
        from funnel.questions.attribution.path_charts import flow

        return flow(self, ax)


def usual_paths(
    data: Tables,
    to: tuple[str, ...] | None = None,
    *,
    by: str = "account",
    lookback_days: int | None = None,
    collapse: bool = True,
) -> UsualPaths:
    """Say which paths are common to a qualified lead, to an opportunity and to a won deal.

    Parameters
    ----------
    data
        A company's tables.
    to
        Stages of the plan; the first one recorded after the lead, the opportunity and the win if
        left out.
    by, lookback_days
        As in `funnel.journeys`.
    collapse
        Whether touches of one channel in a row are one step.

    Returns
    -------
    UsualPaths
        One row per stage and path.

    Raises
    ------
    ParameterError
        If a stage is none of the plan's, or none is named.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> usual = usual_paths(small_company(), ("mql", "won"))
    >>> usual.table[["to", "path", "n", "of"]].values.tolist()
    [['mql', '(other paths)', 1, 1], ['won', '(other paths)', 1, 1]]
    """
    stages = _usual_stages(data) if to is None else tuple(to)
    if not stages:
        raise ParameterError("usual_paths: name at least one stage in `to`.")
    parts, rows, said, nouns = [], [], [], {}
    walked = pd.DataFrame()
    for stage in stages:
        which = asked(data, to=stage, by=by, lookback_days=lookback_days)
        ends = ends_of(data, which)
        walked = walked_of(data, which, ends, collapse=collapse)
        parts.append(_counted(data, walked, stage))
        table = "deals" if which.is_of_deals else "leads"
        rows.append(rows_of(stage, table, ends["journey_id"]))
        said += [each for each in caveats(data, ends, which) if each not in said]
        nouns[stage] = which.noun
    return UsualPaths(
        table=pd.concat(parts, ignore_index=True),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True),
        units={"share": "0 to 1"},
        level=data.plan.level,
        written_caveats=tuple(said),
        company=data.plan.company,
        flow=flow_of(walked["path"], end=stages[-1]),
        nouns=nouns,
    )


def pooled(paths: pd.Series, n: pd.Series, smallest: int) -> pd.Series:
    """Name each path, or `(other paths)` where fewer than `smallest` came that way.

    Examples
    --------
    >>> pooled(pd.Series(["a", "b"]), pd.Series([9, 2]), 5).tolist()
    ['a', '(other paths)']
    """
    return paths.where((n >= smallest) | (paths == NOT_TRACED), OTHER_PATHS)


def _usual_stages(data: Tables) -> tuple[str, ...]:
    """Name the first stage recorded after the lead, the opportunity and the win."""
    plan = data.plan
    opportunity, won = opportunity_stage(plan.stages), won_stage(plan.stages)
    recorded = [stage for stage in recorded_stages(data) if stage != plan.stages[0]]
    chosen = (*recorded[:1], opportunity, won)
    return tuple(dict.fromkeys(stage for stage in chosen if stage))


def _counted(data: Tables, walked: pd.DataFrame, stage: str) -> pd.DataFrame:
    n = walked.groupby("path").size().rename("n").reset_index()
    n["path"] = pooled(n["path"].astype("str"), n["n"], data.plan.smallest_group)
    n = n.groupby("path", as_index=False)["n"].sum()
    is_last = n["path"].map({OTHER_PATHS: 1, NOT_TRACED: 2}).fillna(0)
    n = n.assign(is_last=is_last).sort_values(
        ["is_last", "n", "path"], ascending=[True, False, True]
    )
    of = len(walked)
    low, high = wilson(n["n"], of, data.plan.level)
    table = n.assign(to=stage, of=of, share=n["n"] / of if of else 0.0)
    table = table.assign(share_low=low, share_high=high)
    columns = ["to", "path", "n", "of", "share", "share_low", "share_high"]
    return table[columns].astype({"to": "str", "path": "str", "n": "int64", "of": "int64"})
