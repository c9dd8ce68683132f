"""Why did the period change: drivers that moved, checks, claims, actions and questions.

`why` is the question: one object whose further figures are its methods.
"""

from funnel.questions.why.why import why

__all__ = ["why"]
