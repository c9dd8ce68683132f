"""The questions that sales and marketing bring to the meeting, and what each one rests on."""

from __future__ import annotations

from dataclasses import dataclass

from funnel.questions.readiness import needs
from funnel.questions.readiness.needs import Need


@dataclass(frozen=True)
class Question:
    """One question of the meeting: what it cannot do without, and what makes its answer whole."""

    topic: str
    question: str
    needs: tuple[Need, ...]
    helps: tuple[Need, ...] = ()


QUESTIONS: tuple[Question, ...] = (
    Question(
        "the change",
        "What changed against the comparison, and by how much?",
        (needs.table("deals"), needs.measured_on_both_sides),
        (needs.on_both_sides("leads"), needs.stages_recorded),
    ),
    Question(
        "lead volume",
        "Did the number of leads change?",
        (needs.table("leads"), needs.on_both_sides("leads")),
    ),
    Question(
        "mix",
        "Did the kinds of leads change?",
        (needs.on_both_sides("leads"), needs.segments_filled),
        (needs.segments_neutral,),
    ),
    Question(
        "conversion by stage",
        "Did the share of leads that reach each stage change?",
        (
            needs.table("leads"),
            needs.table("deals"),
            needs.filled_for("won new deals", "lead_id"),
            needs.recorded("won"),
            needs.comparable_cohorts,
        ),
        (needs.stages_recorded,),
    ),
    Question(
        "follow-up",
        "How soon are leads followed up, and is the promise kept?",
        (needs.table("leads"), needs.table("activities")),
        (needs.filled_for("worked leads", "assigned_at"), needs.filled_for("leads", "grade")),
    ),
    Question(
        "win rate",
        "Did the share of deals that are won change?",
        (
            needs.recorded("lost"),
            needs.on_both_sides("won deals", least=5),
            needs.on_both_sides("lost deals", least=5),
        ),
    ),
    Question(
        "deal size",
        "Did the size of won deals change?",
        (needs.filled_for("won deals", "amount"), needs.on_both_sides("won deals", least=5)),
    ),
    Question(
        "season",
        "What part of the change is usual for the time of year?",
        (needs.history("won deals"),),
        (needs.history("leads"),),
    ),
    Question(
        "first click",
        "To which first contact does each won deal go back?",
        (needs.table("deals"), needs.touches_known),
        (needs.filled_for("won new deals", "lead_id"), needs.neutral("channel")),
    ),
    Question(
        "credit by channel",
        "Which channels share the credit for what is won?",
        (needs.table("touches"), needs.table("deals")),
        (
            needs.filled_for("won new deals", "lead_id"),
            needs.filled_for("leads", "touch"),
            needs.neutral("channel"),
        ),
    ),
    Question(
        "cost by channel",
        "What does a lead, and a won deal, cost by channel?",
        (needs.table("spend"), needs.filled_for("leads", "channel")),
        (needs.filled_for("won new deals", "lead_id"), needs.neutral("channel")),
    ),
    Question(
        "promotions",
        "Did a promotion pay, net of what it only moved forward?",
        (needs.table("promos"), needs.history("won deals")),
        (needs.filled_for("won deals", "amount"),),
    ),
    Question(
        "reasons of loss",
        "Why are deals lost?",
        (needs.filled_for("lost deals", "loss_reason"),),
    ),
    Question(
        "competition",
        "Which competitors are named in lost deals?",
        (needs.filled_for("lost deals", "competitor"),),
        (needs.table("competitor_log"),),
    ),
    Question(
        "recurring revenue",
        "How do recurring revenue, expansion and churn move?",
        (needs.months_of("subscriptions", least=2, enough=13),),
    ),
    Question(
        "bookings per head",
        "How much does each salesperson at work book?",
        (
            needs.table("reps"),
            needs.filled_for("won deals", "owner"),
            needs.filled_for("won deals", "amount"),
        ),
    ),
    Question("goals", "How far is the period from its goals?", (needs.goals,)),
    Question(
        "the definition",
        "Do both teams mean the same qualified lead?",
        (needs.table("leads"), needs.definitions),
    ),
    Question(
        "scores",
        "Do scores and grades tell leads that are won from others?",
        (needs.scored, needs.recorded("won")),
    ),
    Question("claims", "What speaks for and against each claim?", (needs.table("claims"),)),
    Question("what is heard", "What is heard that no table shows?", (needs.table("heard"),)),
    Question("actions", "Does what was agreed last time show?", (needs.table("actions"),)),
)
