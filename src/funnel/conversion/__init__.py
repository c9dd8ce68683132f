"""Of leads of equal age: how many get on, how long it takes, and what they bring."""

from funnel.conversion.ages import aged, usual_ages
from funnel.conversion.answers import Cohorts, Conversion, Groups
from funnel.conversion.cohorts import cohorts, conversion, groups
from funnel.conversion.cycle import SalesCycle, sales_cycle
from funnel.conversion.reach import ReachByAge, reach_by_age
from funnel.conversion.reversal import Reversals, reversals
from funnel.conversion.times import TimeToConvert, WinRate, time_to_convert, win_rate

__all__ = [
    "Cohorts",
    "Conversion",
    "Groups",
    "ReachByAge",
    "Reversals",
    "SalesCycle",
    "TimeToConvert",
    "WinRate",
    "aged",
    "cohorts",
    "conversion",
    "groups",
    "reach_by_age",
    "reversals",
    "sales_cycle",
    "time_to_convert",
    "usual_ages",
    "win_rate",
]
