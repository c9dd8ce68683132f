"""The question how bookings per head, deal size, recurring revenue and churn moved together.

`revenue(data)` answers with the four directions in one sentence. Its methods give the figures
behind it: `.movements()`, `.months()`, `.retention()`, `.churn()`, `.cohorts()`, `.bookings()`,
`.productivity()` and `.attainment()`.
"""

from funnel.questions.revenue.bookings import BookingsByTerm
from funnel.questions.revenue.movements import MonthlyMovements, Movements
from funnel.questions.revenue.productivity import Attainment, Productivity
from funnel.questions.revenue.retention import AccountCohorts, Churn, Retention
from funnel.questions.revenue.revenue import Revenue, revenue

__all__ = [
    "AccountCohorts",
    "Attainment",
    "BookingsByTerm",
    "Churn",
    "MonthlyMovements",
    "Movements",
    "Productivity",
    "Retention",
    "Revenue",
    "revenue",
]
