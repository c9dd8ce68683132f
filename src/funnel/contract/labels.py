"""Labels of rows that stand for more, or less, than one value of a column.

They are shown on pages and saved in results as they are here, so that a group that is pooled, or
that nothing is recorded of, has one name in every table.
"""

from __future__ import annotations

EVERYBODY = "all"  # all rows, where others of the table are for one group
POOLED = "smaller groups"  # groups below the plan's `smallest_group`, together
NOT_RECORDED = "not recorded"  # the cell is blank, or says that nothing is known
NO_LEAD = "no lead"  # deals that name no lead, where a column or the touches of leads are read
