"""Of leads of equal age: how many get on, how long it takes, and what they bring."""

from funnel.conversion.reach import ReachByAge, reach_by_age

__all__ = ["ReachByAge", "reach_by_age"]
