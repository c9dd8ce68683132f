"""Of leads of equal age: how many get on, how long it takes, and what they bring."""

from funnel.questions.conversion.cohorts import cohorts, conversion, groups
from funnel.questions.conversion.reach import ReachByAge, reach_by_age
from funnel.questions.conversion.results import Cohorts, Conversion, Groups
from funnel.questions.conversion.sales_cycle import SalesCycle, sales_cycle
from funnel.questions.conversion.simpson import Reversals, reversals
from funnel.questions.conversion.time_to_convert import (
    TimeToConvert,
    WinRate,
    time_to_convert,
    win_rate,
)

__all__ = [
    "Cohorts",
    "Conversion",
    "Groups",
    "ReachByAge",
    "Reversals",
    "SalesCycle",
    "TimeToConvert",
    "WinRate",
    "cohorts",
    "conversion",
    "groups",
    "reach_by_age",
    "reversals",
    "sales_cycle",
    "time_to_convert",
    "win_rate",
]
