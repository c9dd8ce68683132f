"""Every sentence, table heading and label of the question whether both teams met the SLA."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.contract.labels import EVERYBODY
from funnel.questions.handoff.attention import FEWEST_WEEKS, LOAD, RETURNED, Attention
from funnel.questions.handoff.nurture import NurturePool
from funnel.questions.handoff.response_times import (
    ASSIGNMENT,
    CREATION,
    FEEDBACK,
    LONG,
    SPANS,
    FollowUp,
    TimeSplit,
)
from funnel.questions.handoff.sla import (
    ASSIGNED,
    DEFINITION,
    FIRST_ACTION,
    MARKETING,
    NO_DEFINITION,
    SALES,
    Handoff,
)
from funnel.questions.handoff.speed_to_lead import (
    NO_ACTION,
    NO_OWNER,
    NO_PAIR,
    ONE_SIDED,
    SPEED,
    STRATIFIED,
    TOO_FEW,
    UNADJUSTED,
    Association,
)
from funnel.results import Say, text
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED

_PER = {RETURNED: "ten points more leads sent back", LOAD: "one lead more per salesperson"}
COMPARISONS = {UNADJUSTED: "as they are", STRATIFIED: "like for like"}


# The SLA


@text.headline(Handoff)
def handoff_headline(handoff: Handoff, say: Say) -> str:
    """Each part of the SLA of sales, then of marketing."""
    if handoff.table.empty:
        return "No lead was handed over, so there is no SLA to compare."
    return f"{_part_of(handoff, SALES, say)} {_part_of(handoff, MARKETING, say)}"


def _part_of(handoff: Handoff, side: str, say: Say) -> str:
    known = handoff.table[handoff.table["side"] == side].dropna(subset="met")
    name = side.capitalize()
    if known.empty:
        return f"{name} SLA: not known."
    sentences = [f"{_met(row, say)}." for _, row in known.iterrows()]
    return f"{name} SLA. {' '.join(sentences)}"


def _met(row: pd.Series, say: Say) -> str:
    label = sla_label(row)
    if row["sla"] == FIRST_ACTION:
        label = f"grade {row['grade']} acted on within {days_text(row['within_days'])}"
    now = f"{text.capital(label)}: {say.rate(row['met'])}"
    if np.isnan(row["met_baseline"]):
        return now
    return f"{now}, was {say.rate(row['met_baseline'])} ({_outcome(row, say)})"


def _outcome(row: pd.Series, say: Say) -> str:
    if row["verdict"] != MOVED:
        return {DID_NOT_MOVE: "no sign of a change", CANNOT_TELL: "inconclusive"}[row["verdict"]]
    return say.points_apart(row["change_low"], row["change_high"])


def sla_label(row: pd.Series) -> str:
    """One part of the SLA in words, such as `A: first action within 1 day`."""
    if row["sla"] == DEFINITION:
        return "handed over as agreed"
    within = f"within {days_text(row['within_days'])}"
    labels = {
        FIRST_ACTION: f"{row['grade']}: first action {within}",
        FEEDBACK: f"feedback {within}",
        ASSIGNED: f"assigned {within}",
    }
    return labels[row["sla"]]


def days_text(days: float) -> str:
    """`1 day`, `3 days`, or hours where the days are not whole."""
    if days < 1 or days != int(days):
        hours = 24 * days
        return f"{hours:g} hour{'s' * (hours != 1)}"
    return f"{days:g} day{'s' * (days != 1)}"


@text.caveats(Handoff)
def handoff_caveats(handoff: Handoff, say: Say) -> list[str]:
    """What the hand-off is, and what does not count or is not known."""
    what = {CREATION: "a lead's creation", ASSIGNMENT: "a lead's assignment"}
    start = what.get(handoff.stage, f"the first time that a lead is {say.entered(handoff.stage)}")
    sentences = [f"The hand-off is {start}; a lead counts once, at its first."]
    for n, event in (
        (handoff.n_acted_before, "a sales action"),
        (handoff.n_feedback_before, "feedback"),
    ):
        if n:
            leads = say.rows(n, "lead has", "leads have")
            sentences.append(
                f"{leads} {event} before the hand-off; it does not count as a response."
            )
    if handoff.n_not_graded:
        leads = say.rows(handoff.n_not_graded, "lead has", "leads have")
        sentences.append(f"{leads} no grade, and so no days in the SLA.")
    if handoff.definition_problem == NO_DEFINITION:
        sentences.append(
            "Marketing's part of the SLA is not known: the plan holds no agreed definition of a "
            "lead. Both teams can write it down under [definition]."
        )
    elif handoff.definition_problem:
        sentences.append(f"Marketing's part of the SLA is not known: {handoff.definition_problem}")
    if not handoff.has_activities:
        sentences.append(
            "Sales' part of the SLA is not known: no sales action is recorded (table activities). "
            "Ask Sales Ops for the log of calls, e-mails and meetings."
        )
    return sentences


@text.table(Handoff)
def handoff_table(handoff: Handoff, say: Say) -> pd.DataFrame:
    """Each part of the SLA in both periods, and its change."""
    return text.cells(
        handoff.table,
        {
            "side": "side",
            "SLA": sla_label,
            "verdict": "verdict",
            "this period": lambda row: say.share_estimate(row, "met", of="n"),
            "too recent to judge": lambda row: say.number(row["n_immature"]),
            "baseline": lambda row: say.share_estimate(row, "met_baseline", of="n_baseline"),
            "change, points": lambda row: say.points_estimate(row, "change"),
        },
    )


# Response times


@text.headline(FollowUp)
def follow_up_headline(follow_up: FollowUp, say: Say) -> str:
    """Median response time of both periods, and leads without an action."""
    rows = follow_up.table[follow_up.table["grade"] == EVERYBODY].set_index("span")
    if rows.empty or not rows["n_responded"].sum():
        return "No sales action is recorded, so there is no response time."
    now, then = (rows.loc[span] for span in SPANS)
    median, was = (
        "not known yet" if np.isnan(row["median_days"]) else say.duration(row["median_days"])
        for row in (now, then)
    )
    begin = f"Median time from hand-off to first sales action: {median}, was {was}."
    if np.isnan(now["by_30_days"]):
        return begin
    likely = say.likely(1 - now["by_30_days_high"], 1 - now["by_30_days_low"])
    return (
        f"{begin} {say.rate(1 - now['by_30_days'])} of {say.rows(now['n'], 'lead')} have none "
        f"after {LONG:g} days ({likely})."
    )


@text.table(FollowUp)
def follow_up_table(follow_up: FollowUp, say: Say) -> pd.DataFrame:
    """Medians and shares acted on, one row per grade and period."""
    return text.cells(
        follow_up.table,
        {
            "grade": "grade",
            "leads of": "span",
            "handed over": lambda row: say.number(row["n"]),
            "median": lambda row: say.duration(row["median_days"]),
            "median business hours": lambda row: say.number(row["median_business_hours"], digits=1),
            f"acted on by day {LONG:g}": lambda row: say.share_estimate(
                row, "by_30_days", of="n_followed"
            ),
        },
    )


@text.headline(TimeSplit)
def time_split_headline(split: TimeSplit, say: Say) -> str:
    """Share of the time before the assignment."""
    rows = split.table[(split.table["grade"] == EVERYBODY) & (split.table["span"] == "period")]
    if rows.empty or np.isnan(rows["routing_share"].iloc[0]):
        return "Routing and the time of the salesperson cannot be separated here."
    row = rows.iloc[0]
    likely = say.likely(row["routing_share_low"], row["routing_share_high"])
    return (
        f"{say.rate(row['routing_share'])} of the time from hand-off to first action is before the "
        f"assignment ({likely}; {say.rows(row['n'], 'lead')})."
    )


@text.table(TimeSplit)
def time_split_table(split: TimeSplit, say: Say) -> pd.DataFrame:
    """Parts of the mean time, one row per grade and period."""
    return text.cells(
        split.table,
        {
            "grade": "grade",
            "leads of": "span",
            "mean": lambda row: say.duration(row["mean_days"]),
            "routing": lambda row: say.duration(row["routing_days"]),
            "salesperson": lambda row: say.duration(row["rep_days"]),
            "routing's share": lambda row: say.share_estimate(row, "routing_share", of="n"),
        },
    )


# Weeks


@text.headline(Attention)
def attention_headline(attention: Attention, say: Say) -> str:
    """Slopes on returned leads and on load, by one rule."""
    if attention.table.empty:
        return (
            f"Too few weeks to associate follow-up with returns or load: {len(attention.weeks)} "
            f"can be used, and {FEWEST_WEEKS} are needed."
        )
    return " ".join(_line(attention, line, say) for line in (RETURNED, LOAD))


def _line(attention: Attention, line: str, say: Say) -> str:
    rows = attention.table[attention.table["line"] == line]
    if rows.empty:
        return f"{text.capital(line)}: not recorded."
    moved = rows[rows["verdict"] == MOVED]
    row = (moved if len(moved) else rows).sort_values("p_adjusted", kind="stable").iloc[0]
    low, high = (
        say.number(100 * row[f"slope_{end}"], digits=1, sign=True) for end in ("low", "high")
    )
    when = f"{row['lag_weeks']:g} weeks later" if row["lag_weeks"] else "in the same week"
    slope = say.number(100 * row["slope"], digits=1, sign=True)
    outcome = f"likely {low} to {high}" if len(moved) else "inconclusive"
    return f"Per {_PER[line]}: {slope} points of follow-up {when} ({outcome})."


@text.caveats(Attention)
def attention_caveats(attention: Attention, say: Say) -> list[str]:
    """How follow-up of a week differs from the share that met the SLA."""
    return [
        "Follow-up of a week counts days from the hand-off. The share that met the SLA is another "
        "figure: it counts days from the assignment to a salesperson."
    ]


@text.table(Attention)
def attention_table(attention: Attention, say: Say) -> pd.DataFrame:
    """Slopes in points, one row per line and lag."""
    return text.cells(
        attention.table,
        {
            "line": lambda row: f"per {_PER[row['line']]}",
            "weeks later": lambda row: f"{row['lag_weeks']:g}",
            "follow-up, points": lambda row: say.points_estimate(row, "slope"),
            "verdict": "verdict",
            "weeks": lambda row: say.number(row["n"]),
        },
    )


# Associations


def association_title(association: Association) -> str:
    """Name of a comparison of two groups of leads."""
    return "Speed to lead" if association.about == SPEED else "The hand-off point"


def association_groups(association: Association) -> tuple[str, str]:
    """Names of the two groups of leads."""
    if association.about == SPEED:
        return f"acted on within {days_text(association.within_days)}", "acted on later"
    return "pre-qualified by somebody else", "first acted on by their owner"


def _missing(association: Association) -> str:
    most = "their owner" if association.by_owner_share >= 0.5 else "somebody else"
    return {
        NO_ACTION: "no sales action is recorded",
        NO_OWNER: "no action and owner are recorded together",
        ONE_SIDED: f"nearly all leads were first acted on by {most}",
        TOO_FEW: "too few of these leads reached the next stages, or were followed long enough",
        NO_PAIR: "no two leads of equal score and source are in both groups",
    }[association.missing]


@text.headline(Association)
def association_headline(association: Association, say: Say) -> str:
    """Stratified ratio, then the unadjusted one, called an association."""
    title, (first, _) = association_title(association), association_groups(association)
    table = association.table
    rows = table.dropna(subset="ratio") if len(table) else table
    if rows.empty:
        return f"{title} is not compared: {_missing(association)}."
    rows = rows[rows["outcome"] == rows["outcome"].iloc[0]].set_index("comparison")
    if STRATIFIED not in rows.index:
        return f"{title} is not compared like for like: {_missing(association)}."
    row = rows.loc[STRATIFIED]
    ratio, low, high, raw = (
        say.number(value, digits=2)
        for value in (row["ratio"], row["ratio_low"], row["ratio_high"],
                      rows.loc[UNADJUSTED, "ratio"])
    )  # fmt: skip
    return (
        f"{title}, like for like: leads {first} reach {row['outcome']} {ratio} times as often as "
        f"others (likely {low} to {high}). As they are: {raw} times. This is an association."
    )


@text.caveats(Association)
def association_caveats(association: Association, say: Say) -> list[str]:
    """What is held equal, and for how long leads are followed."""
    if association.table.empty:
        return []
    alike = f"equal {', '.join(association.strata)}" if association.strata else "nothing held equal"
    days = say.number(association.horizon_days)
    return [
        f"Like for like means {alike}. Each lead is followed for {days} days from its hand-off; "
        "later leads are too recent to judge. What else decides whom to call first is still in the "
        "ratio."
    ]


@text.table(Association)
def association_table(association: Association, say: Say) -> pd.DataFrame:
    """Ratios and rates of both groups."""
    first, other = association_groups(association)
    return text.cells(
        association.table,
        {
            "reached": "outcome",
            "compared": lambda row: COMPARISONS[row["comparison"]],
            "times as often": lambda row: say.number_estimate(row, "ratio", digits=2),
            first: lambda row: _rate(row, "", say),
            other: lambda row: _rate(row, "_other", say),
        },
    )


def _rate(row: pd.Series, side: str, say: Say) -> str:
    return f"{say.share(row[f'rate{side}'], digits=1)} of {say.number(row[f'n{side}'])}"


# The nurture pool


@text.headline(NurturePool)
def nurture_headline(pool: NurturePool, say: Say) -> str:
    """Size and age of the pool, and the share that comes back."""
    rows = pool.table[pool.table["grade"] == EVERYBODY]
    if rows.empty or not rows["n_recycled"].iloc[0]:
        return "No recycled lead is recorded, so there is no nurture pool."
    row = rows.iloc[-1]
    waiting = f"{say.rows(row['n_waiting'], 'recycled lead waits', 'recycled leads wait')}"
    if not np.isnan(row["median_age_days"]):
        waiting += f", half of them for more than {say.number(row['median_age_days'])} days"
    known = rows.dropna(subset="returned")
    if known.empty:
        return f"{waiting}. Whether they come back is not known yet."
    row = known.iloc[-1]
    n, back = say.number(row["n_recycled"]), say.rate(row["returned"])
    return (
        f"{waiting}. Of {n} ever recycled, {back} came back within {row['by_days']:g} days "
        f"({say.likely(row['returned_low'], row['returned_high'])})."
    )


@text.caveats(NurturePool)
def nurture_caveats(pool: NurturePool, say: Say) -> list[str]:
    """What the share that comes back does not show."""
    if not pool.table["n_recycled"].any():
        return []
    return ["Which leads came back was somebody's choice; it does not show what others would do."]


@text.table(NurturePool)
def nurture_table(pool: NurturePool, say: Say) -> pd.DataFrame:
    """The pool by grade, and what came of it by the longest time that is known."""
    last = pool.table.dropna(subset="returned")["by_days"].max()
    return text.cells(
        pool.table[pool.table["by_days"] == last],
        {
            "grade": "grade",
            "waiting": lambda row: say.number(row["n_waiting"]),
            "median age, days": lambda row: say.number(row["median_age_days"]),
            f"back by day {last:g}": lambda row: say.share_estimate(
                row, "returned", of="n_followed"
            ),
            f"won by day {last:g}": lambda row: say.share_estimate(row, "won"),
            "won so far": lambda row: say.money(row["won_amount"]),
        },
    )
