"""The question how much of a change the calendar and the season account for.

`seasonality(data)` answers for the plan's measure; its methods show other measures, both
comparisons, the range expected for each month, and the distribution within a quarter.
"""

from funnel.questions.seasonality.months import ExpectedBand, Years
from funnel.questions.seasonality.quarter import InQuarter
from funnel.questions.seasonality.seasonality import Comparisons, Seasonality, seasonality

__all__ = ["Comparisons", "ExpectedBand", "InQuarter", "Seasonality", "Years", "seasonality"]
