"""Settings of the tests that a reader may ask about, each with its reason."""

from __future__ import annotations

# Verdicts
NARROW = 0.1  # of what it is compared with: a smaller change would alter no decision of the meeting

# Multiple testing
FALSE_DISCOVERIES = 0.05  # of what is named, by Benjamini-Hochberg

# Change points: steps of a share or a hazard, and intervals in which a share stands apart
SMALLEST_SIDE = 0.05  # of the rows before or after a step: fewer have no level of their own
FEWEST_ROWS = 40  # with fewer rows no step could be distinguished from chance
FEWEST_INSIDE = 20  # rows inside, and outside, of an interval: fewer have no share of their own
SMALLEST_RISE = 0.05  # of a share in an interval: less loses too few rows to mislead anybody
MOST_CUTS = 12  # of one series: more would be noise, or a share that never rests
DAYS_A_WEEK = 7  # dispersion is measured between weeks, so that weekdays do not count as noise
WORKING_DAYS_A_WEEK = 5
AGES = (0, 1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 45, 65)
"""Working days in a stage from which a group of ages begins: narrow where most leads move on."""
