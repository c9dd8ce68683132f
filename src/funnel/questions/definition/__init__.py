"""Whether both teams mean the same lead, and what the criteria, the score and its threshold do.

`definition(data)` answers with the leads, wins and money under each definition. Its methods give
the further figures: overlap, agreement, adherence, reasons, criteria, personas, calibration,
points, threshold_replay and threshold_changes.
"""

from funnel.questions.definition.counts import definition

__all__ = ["definition"]
