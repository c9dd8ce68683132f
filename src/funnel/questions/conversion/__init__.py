"""How leads of equal age convert from stage to stage, how long it takes, and what they bring.

`conversion` answers for the period against the baseline. Its further figures are its methods:
`.cohorts()`, `.groups()`, `.within()`, `.simpson()`, `.time_to_convert()`, `.win_rate()` and
`.sales_cycle()`. `reach_by_age` is the estimator on a plain frame.
"""

from funnel.questions.conversion.cohorts import Cohorts, Groups, cohorts, groups
from funnel.questions.conversion.comparison import Conversion, Simpson, conversion, simpson
from funnel.questions.conversion.pipeline import SalesCycle, WinRate, sales_cycle, win_rate
from funnel.questions.conversion.reach import ReachByAge, reach_by_age
from funnel.questions.conversion.time_to_convert import TimeToConvert, time_to_convert

__all__ = [
    "Cohorts",
    "Conversion",
    "Groups",
    "ReachByAge",
    "SalesCycle",
    "Simpson",
    "TimeToConvert",
    "WinRate",
    "cohorts",
    "conversion",
    "groups",
    "reach_by_age",
    "sales_cycle",
    "simpson",
    "time_to_convert",
    "win_rate",
]
