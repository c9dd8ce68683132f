"""The hand-off from marketing to sales: whether both teams met the SLA, and where the time goes.

`handoff` answers for the period against the baseline. Its further figures are its methods:
`.follow_up()`, `.time_split()`, `.attention()`, `.speed_to_lead()`, `.handoff_point()` and
`.nurture_pool()`.
"""

from funnel.questions.handoff.sla import handoff

__all__ = ["handoff"]
