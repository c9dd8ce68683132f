"""How leads of equal age convert from stage to stage, how long it takes, and what they bring.

`conversion` answers for the period against the baseline. Its further figures are its methods:
`.cohorts()`, `.groups()`, `.within()`, `.simpson()`, `.time_to_convert()`, `.win_rate()`,
`.sales_cycle()`, `.deal_groups()` and `.open_deals()`. `reach_by_age` is the estimator on a plain
frame.
"""

from funnel.questions.conversion.comparison import conversion
from funnel.questions.conversion.reach import reach_by_age

__all__ = ["conversion", "reach_by_age"]
