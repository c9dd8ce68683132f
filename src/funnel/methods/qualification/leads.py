"""Every lead under every definition of the plan, by what was known when it was handed over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.conditions import Condition
from funnel.contract.errors import FunnelError, PlanError
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import shared
from funnel.dataset.engine import quoted
from funnel.methods.qualification.expressions import (
    COUNT_PREFIX,
    count_name,
    counts_among,
    read_expression,
)
from funnel.methods.qualification.handoff import (
    ASSIGNED,
    HandoffStages,
    handoff_stages,
    leads_with_handoff,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables

HANDOFF, CREATION = "hand-off", "creation"
SIDES = ("marketing", "sales", "agreed")
ALL_TOUCHES = "n_touches"
_HIDDEN = (Kind.IDENTITY, Kind.PERSON)
_COUNTS = "_touch_counts"


@dataclass(frozen=True, eq=False)
class Qualification:
    """Leads under each definition.

    Attributes
    ----------
    leads
        The columns of `leads_with_handoff`, and one for each of `marketing`, `sales` and `agreed`
        that can be used: true, false, or missing where a blank field leaves the answer open.
    texts
        By side, the definition as the plan writes it.
    problems
        By side, why its definition cannot be used.
    columns
        By side, the columns that its definition reads.
    """

    leads: pd.DataFrame
    texts: dict[str, str]
    problems: dict[str, str]
    columns: dict[str, tuple[str, ...]]

    @property
    def sides(self) -> tuple[str, ...]:
        """The definitions that can be used, in the plan's order."""
        return tuple(side for side in SIDES if side in self.leads)


@shared
def qualification(data: Tables) -> Qualification:
    """Every lead under each definition of the plan.

    Touches count up to the hand-off. Of a lead that was not handed over they count up to the age by
    which nine in ten of the others had been. Where no hand-off is recorded, they count up to the
    lead's creation. So no definition reads what came later.

    Parameters
    ----------
    data
        The dataset. A definition that cannot be used is a problem of its own side only.
    """
    plan = data.plan.definition
    texts = {side: getattr(plan, side).strip() for side in SIDES}
    texts = {side: text for side, text in texts.items() if text}
    frame = leads_with_handoff(data).copy()
    problems: dict[str, str] = {}
    columns: dict[str, tuple[str, ...]] = {}
    if data.leads.empty:
        return Qualification(frame, texts, problems, columns)
    known = known_columns(data)
    for side, text in texts.items():
        try:
            expression = read_expression(text, known, name=side)
            frame[side] = _answers(data, side, expression)
            columns[side] = expression.columns
        except PlanError as error:
            problems[side] = str(error)
    return Qualification(frame, texts, problems, columns)


def known_columns(data: Tables) -> list[str]:
    """The columns that a definition may read: those of leads that name no person, touch counts."""
    hidden = {column.name for column in TABLES["leads"].columns if column.kind in _HIDDEN}
    own = [name for name in data.leads.columns if name not in hidden]
    counts = [name for name in touch_counts(data) if name != "lead_id"]
    return own + [name for name in counts if name not in own]


@shared
def touch_counts(data: Tables, until: str = HANDOFF) -> pd.DataFrame:
    """Touches of each lead by kind, up to its hand-off or up to its creation.

    Parameters
    ----------
    data
        The dataset.
    until
        `hand-off`, with the rule of `qualification` for leads not handed over, or `creation`.

    Returns
    -------
    DataFrame
        One row per lead that has any touch: `lead_id`, `n_touches`, and `n_<kind>` for each kind.
        Without touches there are no counts.
    """
    if data.leads.empty or not data.has("touches", "lead_id"):
        return pd.DataFrame({"lead_id": pd.Series(dtype="str")})
    handoff = handoff_stages(data) if until == HANDOFF else HandoffStages()
    stages = data.plan.stages
    later = stages[stages.index(handoff.stage) :] if handoff.stage in stages else ()
    usual_days = max(handoff.usual_days, 0.0) if handoff.usual_days == handoff.usual_days else 0.0
    found = data.step(
        "touches_known",
        handed_by="".join(f"|{stage}" for stage in later) + "|",
        by_deal=bool(later),
        by_assignment=handoff.stage == ASSIGNED,
        usual_microseconds=round(usual_days * 86_400_000_000),
    )
    names = {kind: count_name(kind) for kind in found["kind"].dropna().unique()}
    found["name"] = found["kind"].map(names)
    wide = found.pivot_table(
        index="lead_id", columns="name", values="n", aggfunc="sum", fill_value=0, sort=True
    )
    total = found.groupby("lead_id", sort=True)["n"].sum()
    counts = wide.reindex(total.index, fill_value=0).drop(columns=ALL_TOUCHES, errors="ignore")
    counts = counts.drop(columns=COUNT_PREFIX, errors="ignore").astype(float)
    counts.insert(0, ALL_TOUCHES, total.astype(float))
    counts.columns.name = None
    return counts.reset_index()


def by_span(data: Tables, rows: pd.DataFrame, at: str) -> dict[str, pd.DataFrame]:
    """Rows of the `period` and of the `baseline`, by the time in a column."""
    spans = {"period": data.comparison.period, "baseline": data.comparison.baseline}
    return {name: rows[data.plan.within(rows[at], span)] for name, span in spans.items()}


def _answers(data: Tables, side: str, expression: Condition) -> pd.Series:
    """Answer of a definition for each lead: true, false or missing."""
    where = f"funnel.toml: [definition] `{side}`"
    source = "leads"
    counts = [name for name in counts_among(expression.columns) if name not in data.leads]
    if counts:
        data.engine.register(_COUNTS, touch_counts(data))
        filled = ", ".join(f"coalesce(c.{quoted(n)}, 0) as {quoted(n)}" for n in counts)
        source = f"(select l.*, {filled} from leads l left join {_COUNTS} c using (lead_id))"
    query = f"select lead_id, {expression.sql} as answer from {source}"
    try:
        kind = data.sql(f"describe {query}")["column_type"].iloc[1]
        if kind != "BOOLEAN":
            raise PlanError(
                f"{where} gives {_type_name(kind)}, not yes or no; compare it with a value."
            )
        found = data.sql(query)
    except PlanError:
        raise
    except FunnelError as error:
        problem = str(error).removeprefix("A query cannot be run: ")
        raise PlanError(
            f"{where} cannot be run on these leads: {problem}. Compare numbers with numbers, and "
            "text with text in quotes."
        ) from None
    found = found.set_index("lead_id")["answer"].reindex(data.leads["lead_id"])
    return pd.Series(found.to_numpy(dtype=object), dtype="boolean")


def _type_name(kind: str) -> str:
    return "text" if kind == "VARCHAR" else "a number" if kind != "NULL" else "nothing"
