"""Why did the period change: drivers that moved, checks, claims, actions and questions.

`why` is the question: one object whose further figures are its methods.
"""

from funnel.questions.why.actions import Actions, Proposals
from funnel.questions.why.change import PeriodChange
from funnel.questions.why.checks import Checks
from funnel.questions.why.claims import Claims
from funnel.questions.why.open_questions import Questions
from funnel.questions.why.why import Why, why

__all__ = [
    "Actions",
    "Checks",
    "Claims",
    "PeriodChange",
    "Proposals",
    "Questions",
    "Why",
    "why",
]
