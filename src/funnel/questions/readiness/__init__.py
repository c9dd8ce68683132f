"""Readiness: which questions this data can answer, and what would settle the others.

`readiness(data)` is the answer; its further figures are `coverage()`, `reconciliation()`,
`record_problems()`, `latest_cohorts()` and `open_questions()`. `answered` says at the end of a run
which questions were.
"""

from funnel.questions.readiness.readiness import (
    STATES,
    LatestCohorts,
    OpenQuestions,
    Readiness,
    answered,
    readiness,
)

__all__ = ["STATES", "LatestCohorts", "OpenQuestions", "Readiness", "answered", "readiness"]
