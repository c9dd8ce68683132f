"""Leads, wins and money under each definition: the answer, with its further figures as methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.qualification import handoff_stages, mature_leads, qualification
from funnel.methods.question import Question, figure
from funnel.questions.definition.adherence import Adherence, adherence
from funnel.questions.definition.agreement import HANDED_OVER, Agreement, agreement
from funnel.questions.definition.calibration import Calibration, calibration
from funnel.questions.definition.criteria import Criteria, criteria
from funnel.questions.definition.overlap import (
    OUTCOMES,
    Basis,
    Overlap,
    basis,
    leads_by_span,
    outcomes,
    overlap,
)
from funnel.questions.definition.personas import Personas, personas
from funnel.questions.definition.points import Points, points
from funnel.questions.definition.rates import rate
from funnel.questions.definition.reasons import Reasons, reasons
from funnel.questions.definition.threshold_changes import ThresholdChanges, threshold_changes
from funnel.questions.definition.threshold_replay import ThresholdReplay, threshold_replay
from funnel.results import no_rows, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class Definition(Question):
    """How many leads each definition qualifies, and what became of them.

    `table` has one row per definition (`marketing`, `sales`, `agreed`, and `handed over`: the leads
    that sales was in fact given) and `span`: leads created in the `period`, in the `baseline`, or
    `matured` (mature: their outcome is known):

    - `expression`, `n_leads`, `n_known` (leads whose fields decide it), `n_qualified`, `share` (of
      those known) with `share_low`, `share_high`;
    - of mature leads that qualify: `n_tried` (those handed over, which alone could be won; all of
      them where no hand-off is recorded), `n_won` of these by the age of `days`, `win_rate` with
      `win_rate_low`, `win_rate_high`, and `amount` (won, currency). Otherwise missing.
    """

    basis: Basis
    days: float = float("nan")
    period: str = ""

    @figure
    def overlap(self, sides: tuple[str, str] | None = None) -> Overlap:
        """Leads that are qualified for both of two sides, for one only, or for neither."""
        return overlap(self.data, sides)

    @figure
    def agreement(self) -> Agreement:
        """How often two definitions give the same answer, and how often chance would."""
        return agreement(self.data)

    @figure
    def adherence(self) -> Adherence:
        """How often both teams do what the agreed definition says."""
        return adherence(self.data)

    @figure
    def reasons(self, by: str = "") -> Reasons:
        """Why leads left before an opportunity; `by` splits them by a column of leads."""
        return reasons(self.data, by)

    @figure
    def criteria(self, *columns: str) -> Criteria:
        """How far each criterion separates won leads from others; all of them without names."""
        return criteria(self.data, columns)

    @figure
    def personas(self) -> Personas:
        """How often and how soon leads of each role and function are won."""
        return personas(self.data)

    @figure
    def calibration(self) -> Calibration:
        """Win rates by grade and by tenth of the score."""
        return calibration(self.data)

    @figure
    def points(self) -> Points:
        """Points of the score that each behaviour earns, and how many it is worth in wins."""
        return points(self.data)

    @figure
    def threshold_replay(self, column: str = "score") -> ThresholdReplay:
        """Recorded outcomes at other thresholds of the score, of the grade or of another number."""
        return threshold_replay(self.data, column)

    @figure
    def threshold_changes(self) -> ThresholdChanges:
        """Days on which a threshold changed, and the rates before and after."""
        return threshold_changes(self.data)


def definition(data: Tables) -> Definition:
    """Leads, wins and money under marketing's, sales' and the agreed definition.

    Parameters
    ----------
    data
        The dataset, with `[definition]` in its plan. A definition that cannot be used is named in
        the caveats, and the others are counted.

    Notes
    -----
    A lead is qualified by what was known when it was handed over (see `docs/definition.md`). Where
    a field that decides is blank, the answer is open and the lead counts on neither side. Wins are
    those of mature leads, by the age by which 95 % of wins have come, so that recent leads do not
    lower the win rate.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> definition(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'The plan has no definition that can be used, so there is none to compare.'
    """
    known, handoff = qualification(data), handoff_stages(data)
    was_handed = known.leads["handed_at"].notna().astype("boolean")
    frame = known.leads.assign(**{HANDED_OVER: was_handed})
    names = [*known.sides, *([HANDED_OVER] if handoff.is_known and known.sides else [])]
    spans = dict(leads_by_span(data, frame))
    table, rows = [], [no_rows()]
    for name in names:
        for span, leads in spans.items():
            answer = leads[name]
            qualified = leads[answer.fillna(False).to_numpy(bool)]
            n_known = int(answer.notna().sum())
            table.append(
                {
                    "definition": name,
                    "span": span,
                    "expression": known.texts.get(name, handoff.stage),
                    "n_leads": len(leads),
                    "n_known": n_known,
                    "n_qualified": len(qualified),
                    **rate("share", len(qualified), n_known, data.plan.level),
                    **outcomes(data, qualified, span),
                }
            )
            rows.append(rows_of(f"{name}, {span}", "leads", qualified["lead_id"]))
    columns = [
        *("definition", "span", "expression", "n_leads", "n_known", "n_qualified", "share"),
        *("share_low", "share_high", *OUTCOMES),
    ]
    return Definition(
        table=pd.DataFrame(table, columns=columns),
        rows=pd.concat(rows, ignore_index=True),
        units={
            "share": "of leads known",
            "win_rate": "share",
            "amount": data.plan.company.currency,
        },
        basis=basis(data),
        days=mature_leads(data).days,
        period=data.comparison.period.label,
        data=data,
        **speaks_for(data),
    )
