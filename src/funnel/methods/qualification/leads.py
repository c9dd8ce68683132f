"""Every lead under every definition, as known when it was handed over, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel import checks
from funnel.contract.errors import FunnelError, PlanError
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import cached
from funnel.dataset.engine import quoted
from funnel.methods.qualification.expressions import (
    COUNT_PREFIX,
    Expression,
    count_name,
    read_expression,
)
from funnel.methods.qualification.handoff import HandOver, hand_over, leads_with_moments
from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

SIDES = ("marketing", "sales", "agreed")
ALL_TOUCHES = "n_touches"
FEWEST_WINS = 10
_HIDDEN = (Kind.IDENTITY, Kind.PERSON)
_DAY = pd.Timedelta(days=1)
_COUNTS = "_touch_counts"


@dataclass(frozen=True)
class Judged:
    """Leads under each definition.

    Attributes
    ----------
    leads
        The columns of `leads_with_moments`, and one for each of `marketing`, `sales` and `agreed`
        that is written: true, false, or missing where a blank field leaves it open.
    texts
        What the plan writes, by side.
    problems
        By side, why it cannot be used.
    columns
        By side, the names that it reads.
    """

    leads: pd.DataFrame
    texts: dict[str, str]
    problems: dict[str, str]
    columns: dict[str, tuple[str, ...]]

    @property
    def sides(self) -> tuple[str, ...]:
        """The definitions that can be used, in the plan's order."""
        return tuple(side for side in SIDES if side in self.leads)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What is wrong with the others, as sentences."""
        return tuple(self.problems.values())


@cached
def judged(data: Tables) -> Judged:
    """Judge every lead by each definition of the plan.

    Touches count up to the hand-over, or, of leads that were not handed over, up to the age by
    which nine in ten of the others were; so no definition sees what came later. Where no hand-over
    is recorded, touches count up to the lead's creation.

    Parameters
    ----------
    data
        A company's tables. A definition that cannot be used is a problem of its own side only.
    """
    plan = data.plan.definition
    texts = {side: getattr(plan, side).strip() for side in SIDES}
    texts = {side: text for side, text in texts.items() if text}
    frame = leads_with_moments(data).copy()
    problems: dict[str, str] = {}
    columns: dict[str, tuple[str, ...]] = {}
    if data.leads.empty:
        return Judged(frame, texts, problems, columns)
    known = known_columns(data)
    for side, text in texts.items():
        try:
            expression = read_expression(text, known, name=side)
            frame[side] = _answers(data, side, expression)
            columns[side] = expression.columns
        except PlanError as error:
            problems[side] = str(error)
    return Judged(frame, texts, problems, columns)


def known_columns(data: Tables) -> list[str]:
    """Name what a definition may read: columns of leads that name nobody, and counts of touches."""
    hidden = {column.name for column in TABLES["leads"].columns if column.kind in _HIDDEN}
    own = [name for name in data.leads.columns if name not in hidden]
    counts = [name for name in touch_counts(data) if name != "lead_id"]
    return own + [name for name in counts if name not in own]


@cached
def touch_counts(data: Tables, until: str = "hand-over") -> pd.DataFrame:
    """Count each lead's touches by kind, up to the moment at which it is judged.

    Parameters
    ----------
    data
        A company's tables.
    until
        `hand-over`, as in `judged`, or `creation` of the lead.

    Returns
    -------
    DataFrame
        `lead_id`, `n_touches`, and `n_<kind>` for each kind; one row per lead that has any touch at
        all. Without touches there are no counts.
    """
    if data.leads.empty or not data.has("touches", "lead_id"):
        return pd.DataFrame({"lead_id": pd.Series(dtype="str")})
    way = hand_over(data) if until == "hand-over" else HandOver()
    stages = data.plan.stages
    later = stages[stages.index(way.stage) :] if way.stage in stages else ()
    usual_days = max(way.usual_days, 0.0) if way.usual_days == way.usual_days else 0.0
    found = data.step(
        "touches_known",
        handed_by="".join(f"|{stage}" for stage in later) + "|",
        by_deal=bool(later),
        by_assignment=way.stage == "assigned_at",
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


@cached
def matured(data: Tables) -> pd.DataFrame:
    """Give the leads whose outcome is known, all judged at the same age.

    Returns
    -------
    DataFrame
        The columns of `leads_with_moments`, `won` (by that age), `had_a_chance` (handed over by
        that age, or true where no hand-over is recorded) and `quarter` of creation; leads created
        since wins are recorded and as old as that. `attrs["days"]` is the age by which 95 % of the
        wins have come; `attrs["why"]` says why there are none, else it is empty.
    """
    frame = leads_with_moments(data)
    how_long = checks.maturity(data)
    followed = checks.times_to(data, "won")
    why = ""
    if data.leads.empty or checks.table_followed(data, "won") != "leads":
        why = "no outcome of a lead is recorded"
    elif not how_long.n_won >= FEWEST_WINS or how_long.mature_days != how_long.mature_days:
        n = formats.number(how_long.n_won, data.plan.company)
        why = f"{n} wins of leads are recorded, too few to tell how long they take"
        if not how_long.n_won:
            why = "no win of a lead is recorded"
    days = max(how_long.mature_days, 1.0) if not why else float("nan")
    since = checks.outcomes_recorded_since(data).covered_from
    # to compare with a missing age is false: then there are none
    keep = (frame["age_days"] >= days).to_numpy(copy=True)
    if since is not None:
        keep &= (frame["created_at"] >= pd.Timestamp(data.plan.midnight(since))).to_numpy()
    if not why and not keep.any():
        why = f"no lead is {formats.number(days, data.plan.company)} days old yet"
    if why:
        keep[:] = False
    old = frame[keep].copy()
    if len(old):
        outcome = followed.set_index("id").loc[old["lead_id"]]
        is_won = outcome["happened"] & (outcome["age_days"] <= days)
        old["won"] = is_won.to_numpy()
    else:
        old["won"] = pd.Series(dtype=bool)
    passed = (old["handed_at"] - old["created_at"]) / _DAY <= days
    old["had_a_chance"] = (passed | old["won"]) if hand_over(data).is_known else True
    local = old["created_at"].dt.tz_convert(data.plan.company.timezone).dt.tz_localize(None)
    old["quarter"] = local.dt.to_period("Q").astype("str")
    old.attrs.update(days=days, why=why)
    return old


def in_span(data: Tables, moments: pd.Series, span: str) -> pd.Series:
    """Mark moments within the `period` or the `baseline` of the comparison."""
    chosen = getattr(data.comparison, span)
    return data.plan.within(moments, chosen.start, chosen.after)


def judging_rule(data: Tables) -> str:
    """Say up to when a definition sees a lead."""
    way, company = hand_over(data), data.plan.company
    if not way.is_known:
        return "No hand-over is recorded: touches count up to the lead's creation."
    days = formats.number(way.usual_days, company, digits=1)
    return (
        f"Touches count up to the hand-over (`{way.stage}`); of leads not handed over, up to "
        f"{days} days of age, by which nine in ten of the others were."
    )


def _answers(data: Tables, side: str, expression: Expression) -> pd.Series:
    """Run a definition over all leads: true, false or missing."""
    where = f"funnel.toml: [definition] `{side}`"
    source = "leads"
    counts = [name for name in expression.counts if name not in data.leads]
    if counts:
        data.engine.register(_COUNTS, touch_counts(data))
        filled = ", ".join(f"coalesce(c.{quoted(n)}, 0) as {quoted(n)}" for n in counts)
        source = f"(select l.*, {filled} from leads l left join {_COUNTS} c using (lead_id))"
    query = f"select lead_id, {expression.sql} as answer from {source}"
    try:
        kind = data.sql(f"describe {query}")["column_type"].iloc[1]
        if kind != "BOOLEAN":
            raise PlanError(
                f"{where} gives {_kind_words(kind)}, not yes or no; compare it with a value."
            )
        found = data.sql(query)
    except PlanError:
        raise
    except FunnelError as error:
        says = str(error).removeprefix("A query cannot be run: ")
        raise PlanError(
            f"{where} cannot be run on these leads: {says}. Compare numbers with numbers, and "
            "words with words in quotes."
        ) from None
    found = found.set_index("lead_id")["answer"].reindex(data.leads["lead_id"])
    return pd.Series(found.to_numpy(dtype=object), dtype="boolean")


def _kind_words(kind: str) -> str:
    return "text" if kind == "VARCHAR" else "a number" if kind != "NULL" else "nothing"
