"""A figure of credit, opened: the won deals and paths that it is made of, with the same total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.methods.paths import NOT_TRACED, Journeys, short_path
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.frames import coded_journeys
from funnel.questions.attribution.joint_models import Joint
from funnel.questions.attribution.models import weights_of
from funnel.results import Result, first_rows, formats, rows_of

if TYPE_CHECKING:
    from funnel.questions.attribution.credit import Credit

NO_WIN = "(no won deal)"
_NEAR = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenedCredit(Result):
    """What one channel's credit is made of.

    `table` has one row per won deal (per path, where credit was worked out from paths alone), the
    largest first: `deal_id` (only for deals), `path`, `n_deals` (won), `conversions`, `value`
    (credited to the channel), `booked` (by those deals, whoever is credited). The sums of
    `conversions` and `value` are the channel's in the table of credit.
    """

    channel: str
    model: str
    company: Company

    @property
    def headline(self) -> str:
        """How much the channel is credited with, and of how many deals."""
        company, table = self.company, self.table
        if table.empty:
            return f"No won deal is credited to {self.channel or 'any channel'}."
        n = formats.number(table["n_deals"].sum(), company)
        credited = formats.number(table["conversions"].sum(), company, digits=1)
        says = f"{self.channel} is credited with {credited} of {n} won deals"
        if table["booked"].any():
            value, booked = (formats.money(table[c].sum(), company) for c in ("value", "booked"))
            says += f" and {value} of the {booked} they booked"
        return f"{says} ({self.model.replace('_', ' ')})."

    def paths(self) -> pd.DataFrame:
        """Sum up by path.

        Returns
        -------
        DataFrame
            `path`, `n_deals`, `conversions`, `value`, `booked`, the largest credit first.
        """
        by_path = self.table.groupby("path", as_index=False)[
            ["n_deals", "conversions", "value", "booked"]
        ].sum()
        return _largest_first(by_path, "path")

    def shown(self) -> pd.DataFrame:
        """Give the deals, or paths, of most credit."""
        company = self.company
        rows = first_rows(self.table)
        columns = {"deal": rows["deal_id"]} if "deal_id" in rows else {}
        columns["path"] = [short_path(path) for path in rows["path"]]
        names = {"won deals": ("n_deals", 0), "credited deals": ("conversions", 2),
                 f"credited {company.currency}": ("value", 0),
                 f"booked {company.currency}": ("booked", 0)}  # fmt: skip
        if "deal_id" in rows:
            del names["won deals"]
        for heading, (name, digits) in names.items():
            columns[heading] = [formats.number(n, company, digits=digits) for n in rows[name]]
        shown = pd.DataFrame(columns)
        shown.attrs = rows.attrs
        return shown


def opened(credit: Credit, channel: str = "", journeys: Journeys | None = None) -> OpenedCredit:
    """Open one channel's credit down to the won deals and paths behind it.

    A model by rule gives each deal its own part. A model of all journeys together (`markov`,
    `shapley`) has no part for a single deal: its credit is laid on the won deals that the channel
    touched, in proportion to what they booked (to their number, where nothing was booked).

    Parameters
    ----------
    credit
        What `funnel.attribute` made.
    channel
        A channel of its table; the first of it if left out.
    journeys
        The same won business deal by deal, where credit was worked out from paths.

    Returns
    -------
    OpenedCredit
        One row per won deal or path. Its sums are those of the table of credit.

    Raises
    ------
    ParameterError
        If credit has no such channel, or the journeys are not those that it was worked out from.

    Examples
    --------
    >>> from funnel.questions.attribution import attribute
    >>> won = pd.DataFrame({"path": ["web > demo", "demo"], "conversions": [3, 1],
    ...                     "value": [300.0, 100.0]})
    >>> opened(attribute(won, "linear"), "demo").table[["path", "value"]].values.tolist()
    [['web > demo', 150.0], ['demo', 100.0]]
    """
    if not channel and credit.table.empty:
        return _nothing(credit)
    channel = channel or str(credit.table["channel"].iloc[0])
    row = credit.table[credit.table["channel"] == channel]
    if row.empty:
        names = ", ".join(credit.table["channel"])
        raise ParameterError(f"Credit has no channel {channel!r}; it has {names or 'none'}.")
    ways, solver = credit.ways, credit.solver
    if ways is None or solver is None:
        raise ParameterError(
            "This credit was not made by `funnel.attribute`, and cannot be opened."
        )
    if journeys is not None:
        ways = coded_journeys(journeys.table)
    ways = ways.taken(ways.conversions > 0)
    total = row[["conversions", "value"]].iloc[0].to_numpy(dtype="float64")
    parts = _parts(ways, solver, channel, total)
    if np.abs(parts.sum(axis=0) - total).max() > _NEAR * max(1.0, np.abs(total).max()):
        raise ParameterError(
            f"The journeys given make {parts[:, 1].sum():,.2f} for {channel}, and this credit says "
            f"{total[1]:,.2f}: they are not those that it was worked out from."
        )
    table = _table(ways, channel, parts)
    ids = table.get("deal_id")
    return OpenedCredit(
        table=table,
        as_of=credit.as_of,
        rows=credit.rows[credit.rows["figure"] == channel].reset_index(drop=True)
        if ids is None
        else rows_of(channel, "deals", ids),
        units={"value": credit.plan.company.currency, "conversions": "deals"},
        level=credit.level,
        written_caveats=_caveats(solver),
        channel=channel,
        model=credit.model,
        company=credit.plan.company,
    )


def _nothing(credit: Credit) -> OpenedCredit:
    """Answer where nothing was won."""
    table = pd.DataFrame({"path": pd.Series(dtype="str"), "n_deals": pd.Series(dtype="int64")})
    return OpenedCredit(
        table=table.assign(conversions=0.0, value=0.0, booked=0.0),
        as_of=credit.as_of,
        level=credit.level,
        channel="",
        model=credit.model,
        company=credit.plan.company,
    )


def _parts(
    ways: CodedPaths, solver: object, channel: str, total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Wins and value of the channel on each path; a last row for what no won deal holds."""
    booked = np.column_stack([ways.conversions, ways.value])
    if channel == NOT_TRACED:
        share = (~ways.is_traced).astype(float)
        return np.vstack([booked * share[:, None], np.zeros(2)])
    met = ways.codes == (ways.channels.index(channel) if channel in ways.channels else -1)
    if not isinstance(solver, Joint):
        weight = np.bincount(ways.path_of[met], weights_of(ways, solver)[met], ways.n_paths)
        return np.vstack([booked * weight[:, None], np.zeros(2)])
    holds = np.bincount(ways.path_of[met], minlength=ways.n_paths) > 0
    held = booked * holds[:, None]
    if held[:, 1].sum() <= 0 or held[:, 1].min() < 0:
        held[:, 1] = held[:, 0]
    sums = held.sum(axis=0)
    if not sums[0]:
        return np.vstack([np.zeros_like(held), total])
    return np.vstack([held / sums * total, np.zeros(2)])


def _table(ways: CodedPaths, channel: str, parts: NDArray[np.float64]) -> pd.DataFrame:
    is_part = (parts != 0).any(axis=1)
    chosen = np.flatnonzero(is_part[:-1])
    some = ways.taken(chosen)
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
    if ways.names is not None:
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


def _caveats(solver: object) -> tuple[str, ...]:
    if not isinstance(solver, Joint):
        return ()
    return (
        "This model looks at all journeys together and has no part for a single deal: its credit "
        "is laid on the won deals that the channel touched, in proportion to what they booked.",
    )
