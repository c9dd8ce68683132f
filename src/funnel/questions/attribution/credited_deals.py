"""Drill-down of credit: the won deals and paths behind a channel's credit, with the same total."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths import NOT_TRACED, Journeys
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.credit import Credit
from funnel.questions.attribution.joint_models import Joint
from funnel.questions.attribution.rules import weights_of
from funnel.results import Result, rows_of
from funnel.results.small_groups import SmallGroups

NO_WIN = "(no won deal)"
_NEAR = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class CreditedDeals(Result):
    """Won deals and paths behind one channel's credit.

    `table` has one row per won deal (per path, where credit was computed from paths alone), the
    largest first: `deal_id` (only for deals), `path`, `n_deals` (won), `conversions`, `value`
    (credited to the channel), `booked` (by those deals, to any channel). The sums of `conversions`
    and `value` are the channel's in the table of credit.

    Attributes
    ----------
    in_proportion
        Whether a model of all journeys together was allocated to deals by what they booked.
    """

    grouped = (SmallGroups(by=("path",), counts={"n_deals": ()}, add_up=("n_deals",)),)

    channel: str
    model: str
    in_proportion: bool

    def paths(self) -> pd.DataFrame:
        """Sums by path.

        Returns
        -------
        DataFrame
            `path`, `n_deals`, `conversions`, `value`, `booked`, the largest credit first.
        """
        by_path = self.table.groupby("path", as_index=False)[
            ["n_deals", "conversions", "value", "booked"]
        ].sum()
        return _largest_first(by_path, "path")


def credited_deals(
    credit: Credit, channel: str = "", journeys: Journeys | None = None
) -> CreditedDeals:
    """Won deals and paths behind one channel's credit.

    A rule gives each deal its own part. A model of all journeys together (`markov`,
    `shapley_rate`) has no part for a single deal: its credit is allocated to the won deals that
    the channel touched, in proportion to what they booked (to their number, where nothing was).

    Parameters
    ----------
    channel
        A channel of its table; the first of it if left out.
    journeys
        The same won business deal by deal, where credit was computed from paths.

    Returns
    -------
    CreditedDeals
        One row per won deal or path. Its sums are those of the table of credit.

    Raises
    ------
    ParameterError
        If credit has no such channel, or was computed from other journeys.

    Examples
    --------
    >>> from funnel.questions.attribution.credit import attribute
    >>> won = pd.DataFrame({"path": ["web > demo", "demo"], "conversions": [3, 1],
    ...                     "value": [300.0, 100.0]})
    >>> credited_deals(attribute(won, "linear"), "demo").table[["path", "value"]].values.tolist()
    [['web > demo', 150.0], ['demo', 100.0]]
    """
    channel = channel or next(iter(credit.table["channel"]), "")
    row = credit.table[credit.table["channel"] == channel]
    if channel and row.empty:
        names = ", ".join(credit.table["channel"])
        raise ParameterError(f"Credit has no channel {channel!r}; it has {names or 'none'}.")
    paths, solver = credit.paths, credit.solver
    if journeys is not None:
        paths = journeys.coded
    paths = paths.taken(paths.conversions > 0)
    total = row[["conversions", "value"]].sum().to_numpy(dtype="float64")
    parts = _parts(paths, solver, channel, total)
    if np.abs(parts.sum(axis=0) - total).max() > _NEAR * max(1.0, np.abs(total).max()):
        raise ParameterError(
            f"These journeys give {parts[:, 1].sum():,.2f} to {channel}, and this credit gives "
            f"{total[1]:,.2f}: it was computed from other journeys."
        )
    table = _table(paths, channel, parts)
    ids = table.get("deal_id")
    return CreditedDeals(
        table=table,
        as_of=credit.as_of,
        rows=credit.rows[credit.rows["figure"] == channel].reset_index(drop=True)
        if ids is None
        else rows_of(channel, "deals", ids),
        units=credit.units,
        level=credit.level,
        company=credit.company,
        smallest_group=credit.smallest_group,
        channel=channel,
        model=credit.model,
        in_proportion=isinstance(solver, Joint) and len(table) > 0,
    )


def _parts(
    paths: CodedPaths, solver: object, channel: str, total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Wins and value of the channel by path; a last row for credit without a won deal."""
    booked = np.column_stack([paths.conversions, paths.value])
    if channel == NOT_TRACED:
        return np.vstack([booked * ~paths.is_traced[:, None], np.zeros(2)])
    met = paths.codes == (paths.channels.index(channel) if channel in paths.channels else -1)
    if not isinstance(solver, Joint):
        weight = np.bincount(paths.path_of[met], weights_of(paths, solver)[met], paths.n_paths)
        return np.vstack([booked * weight[:, None], np.zeros(2)])
    held = booked * (np.bincount(paths.path_of[met], minlength=paths.n_paths) > 0)[:, None]
    if held[:, 1].sum() <= 0 or held[:, 1].min() < 0:
        held[:, 1] = held[:, 0]
    sums = held.sum(axis=0)
    if not sums[0]:
        return np.vstack([np.zeros_like(held), total])
    return np.vstack([held / sums * total, np.zeros(2)])


def _table(paths: CodedPaths, channel: str, parts: NDArray[np.float64]) -> pd.DataFrame:
    is_part = (parts != 0).any(axis=1)
    chosen = np.flatnonzero(is_part[:-1])
    some = paths.taken(chosen)
    table = pd.DataFrame(
        {
            "path": pd.Series(some.strings(), dtype="str"),
            "n_deals": np.rint(some.conversions).astype("int64"),
            "conversions": parts[chosen, 0],
            "value": parts[chosen, 1],
            "booked": some.value,
        }
    )
    key = "path"
    if paths.names is not None:
        key = "deal_id"
        table.insert(0, key, pd.Series(some.names, dtype="str"))
    table = _largest_first(table, key)
    if is_part[-1]:
        rest = dict(zip(("conversions", "value"), parts[-1], strict=True))
        rest |= {"path": NO_WIN, "n_deals": 0, "booked": 0.0}
        table = pd.concat([table, pd.DataFrame([rest])], ignore_index=True)
    return table


def _largest_first(table: pd.DataFrame, key: str) -> pd.DataFrame:
    order = ["value", "conversions", key]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)
