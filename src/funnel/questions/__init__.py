"""The questions of the meeting, each listed once.

The reading order of notebooks, what readiness looks for, the cards of the first page and the index
of the docs all follow from `QUESTIONS`. To add a question: a package here, a notebook, its tests, a
page in `docs`, and one line below. Readiness then asks for its tables; whatever else it rests on is
added in `readiness/requirements.py`. A question that no saved figure answers is not listed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QuestionEntry:
    """One question of the meeting.

    Attributes
    ----------
    name
        In a few words, as charts and tables show it.
    title
        The question as it is asked.
    page
        The notebook that answers it, by its file's name without the ending.
    figures
        Names under which that notebook saves the results that answer it, the main one first.
    docs
        Page of the docs that holds the method.
    tables
        Tables without which nothing can be answered.
    """

    name: str
    title: str
    page: str
    figures: tuple[str, ...]
    docs: str
    tables: tuple[str, ...] = ()


QUESTIONS: tuple[QuestionEntry, ...] = (
    QuestionEntry(
        "readiness", "Which questions can this data answer?",
        "readiness", ("readiness", "coverage", "record_problems"), "docs/readiness.md",
    ),
    QuestionEntry(
        "the change", "What changed against the comparison, and by how much?",
        "why", ("why", "bridge"), "docs/change.md",
    ),
    QuestionEntry(
        "goal", "Is the goal of the period met?",
        "why", ("comparisons",), "docs/change.md", ("targets", "deals"),
    ),
    QuestionEntry(
        "lead volume", "Did the number of leads change?",
        "why", ("why", "bridge"), "docs/change.md", ("leads",),
    ),
    QuestionEntry(
        "mix", "Did the kinds of leads change?",
        "why", ("why", "bridge"), "docs/change.md", ("leads",),
    ),
    QuestionEntry(
        "deal size", "Did the size of won deals change?",
        "why", ("why", "bridge"), "docs/change.md", ("deals",),
    ),
    QuestionEntry(
        "claims", "What speaks for and against each claim?",
        "why", ("claims", "heard"), "docs/brief.md", ("claims",),
    ),
    QuestionEntry(
        "actions", "Does what was agreed last time show?",
        "why", ("actions",), "docs/brief.md", ("actions",),
    ),
    QuestionEntry(
        "first click", "To which first contact does each won deal go back?",
        "attribution", ("first_touches", "traced_by_month"), "docs/tracing.md", ("deals",),
    ),
    QuestionEntry(
        "credit by channel", "Which channels share the credit for what is won?",
        "attribution", ("attribution", "lift"), "docs/attribution.md", ("touches", "deals"),
    ),
    QuestionEntry(
        "cost by channel", "What does a lead, and a won deal, cost by channel?",
        "attribution", ("cost_per_win",), "docs/attribution.md", ("spend",),
    ),
    QuestionEntry(
        "season", "How much of the change does the time of year account for?",
        "seasonality", ("seasonality_bookings", "seasonality_wins", "seasonality_leads"),
        "docs/seasonality.md", ("deals",),
    ),
    QuestionEntry(
        "promotions", "Did a promotion pay, net of what it only moved forward?",
        "seasonality", ("seasonality_promos",), "docs/promotions.md", ("promos", "deals"),
    ),
    QuestionEntry(
        "conversion by stage", "Did the share of leads that reach each stage change?",
        "conversion", ("conversion", "conversion_groups"), "docs/conversion.md",
        ("leads", "deals"),
    ),
    QuestionEntry(
        "win rate", "Did the share of deals that are won change?",
        "conversion", ("win_rate",), "docs/conversion.md", ("deals",),
    ),
    QuestionEntry(
        "the definition", "Do both teams mean the same qualified lead?",
        "definition", ("definition", "definition_agreement"), "docs/definition.md", ("leads",),
    ),
    QuestionEntry(
        "scores", "Do scores and grades separate leads that are won from others?",
        "definition", ("definition_calibration",), "docs/definition.md", ("leads", "deals"),
    ),
    QuestionEntry(
        "follow-up", "How soon are leads followed up, and is the SLA met?",
        "handoff", ("handoff", "handoff_follow_up"), "docs/handoff.md", ("leads", "activities"),
    ),
    QuestionEntry(
        "revenue", "How did bookings per head, deal size, recurring revenue and churn move?",
        "revenue", ("revenue", "revenue_movements", "revenue_churn"), "docs/revenue.md",
        ("subscriptions",),
    ),
    QuestionEntry(
        "productivity", "Does sales book more per head, or has it more people?",
        "revenue", ("productivity", "attainment"), "docs/revenue.md", ("deals", "reps"),
    ),
    QuestionEntry(
        "programmes", "Which campaigns earn more than they cost, and which are too recent to tell?",
        "programmes", ("programmes", "programmes_recent"), "docs/programmes.md",
        ("spend", "leads"),
    ),
    QuestionEntry(
        "win and loss", "Which deals are won and lost, and why?",
        "winloss", ("winloss", "winloss_reasons", "winloss_owners"), "docs/winloss.md",
        ("deals",),
    ),
)  # fmt: skip

PAGES = tuple(dict.fromkeys(entry.page for entry in QUESTIONS))
"""Notebooks in the order in which they are read."""
