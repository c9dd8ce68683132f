"""How leads of equal age convert from stage to stage, how long it takes, and what they bring.

`conversion` answers for the period against the baseline. Its further figures are its methods:
`.cohorts()`, `.groups()`, `.within()`, `.simpson()`, `.time_to_convert()`, `.win_rate()` and
`.sales_cycle()`. `reach_by_age` is the estimator on a plain frame.
"""

from funnel.questions.conversion.cohorts import Cohorts, cohorts
from funnel.questions.conversion.comparison import Conversion, conversion
from funnel.questions.conversion.groups import Groups, groups
from funnel.questions.conversion.reach import ReachByAge, reach_by_age
from funnel.questions.conversion.sales_cycle import SalesCycle, sales_cycle
from funnel.questions.conversion.simpson import Simpson, simpson
from funnel.questions.conversion.time_to_convert import TimeToConvert, time_to_convert
from funnel.questions.conversion.win_rate import WinRate, win_rate

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
