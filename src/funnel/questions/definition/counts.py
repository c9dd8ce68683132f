"""Leads, wins and money under each definition and where two overlap, with the further figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.methods.qualification import (
    SIDES,
    HandoffStages,
    Missing,
    by_span,
    handoff_stages,
    mature_leads,
    qualification,
)
from funnel.methods.question import Question, figure
from funnel.methods.rates import rate
from funnel.questions.definition.adherence import Adherence, adherence
from funnel.questions.definition.agreement import HANDED_OVER, Agreement, agreement
from funnel.questions.definition.calibration import Calibration, calibration
from funnel.questions.definition.criteria import Criteria, criteria
from funnel.questions.definition.leakage import leakage
from funnel.questions.definition.personas import Personas, personas
from funnel.questions.definition.points import Points, points
from funnel.questions.definition.reasons import Reasons, reasons
from funnel.questions.definition.thresholds import (
    ThresholdChanges,
    ThresholdReplay,
    threshold_changes,
    threshold_replay,
)
from funnel.results import Result, Stated, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

SPANS = ("period", "baseline", "matured")
BOTH, NEITHER, OPEN = "both", "neither", "cannot tell"
OUTCOMES = ("n_tried", "n_won", "win_rate", "win_rate_low", "win_rate_high", "amount")


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

    grouped = (
        SmallGroups(
            by=("definition",),
            counts={
                "n_qualified": ("share",),
                "n_tried": ("win_rate",),
                "n_won": ("win_rate", "amount"),
            },
            within=("span",),
        ),
    )

    basis: Basis
    days: float = float("nan")
    period: str = ""

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Leads of both periods."""
        leads = self.table.groupby("span")["n_leads"].max()
        both = self.data.comparison
        return tuple(
            Stated("leads", getattr(both, span).days, value=float(leads[span]))
            for span in ("period", "baseline")
            if span in leads
        )

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


@dataclass(frozen=True)
class Basis:
    """What counts under the definitions rest on, and what limits them.

    Attributes
    ----------
    handoff
        The stages of hand-off and acceptance.
    problems
        By side, why its definition cannot be used.
    unwritten
        The sides for which the plan has no definition.
    reads_touches
        Whether a definition reads touch counts.
    blanks
        By side, how many leads a blank field leaves open, and the columns that the side reads.
    leaking
        By side, the columns that its definition reads and that leak the outcome.
    missing
        Why no outcome is known, if none is.
    """

    handoff: HandoffStages
    problems: tuple[str, ...]
    unwritten: tuple[str, ...]
    reads_touches: bool
    blanks: tuple[tuple[str, int, tuple[str, ...]], ...]
    leaking: tuple[tuple[str, tuple[str, ...]], ...]
    missing: Missing | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Overlap(Result):
    """Leads that are qualified for both sides, for one only, or for neither.

    `table` has one row per `group` (`both`, `<side> only` for each of `sides`, `neither`, and
    `cannot tell` where a blank field leaves it open) and `span`:

    - `n`, `share` of all leads of the span with `share_low`, `share_high`, `n_handed_over`;
    - of mature leads also `n_tried`, `n_won`, `win_rate` with its interval, and `amount` (won,
      currency), as in `Definition`.

    `sides` names the two definitions, `days` is the age at which outcomes are compared, `period`
    the label of the period.
    """

    grouped = (
        SmallGroups(
            by=("group",),
            counts={
                "n": (),
                "n_handed_over": ("n_handed_over",),
                "n_tried": ("win_rate",),
                "n_won": ("win_rate", "amount"),
            },
            within=("span",),
            add_up=("n", "n_tried", "n_won"),
        ),
    )

    basis: Basis
    sides: tuple[str, str] = ("marketing", "sales")
    days: float = float("nan")
    period: str = ""


def overlap(data: Tables, sides: tuple[str, str] | None = None) -> Overlap:
    """Leads by which of two sides they are qualified for, and what became of them.

    Parameters
    ----------
    data
        The dataset, with `[definition]` in its plan.
    sides
        Two of `marketing`, `sales`, `agreed`; default: the first two that can be used.
    """
    known = qualification(data)
    pair = tuple(known.sides[:2] if sides is None else sides)
    if sides is not None and (len(pair) != 2 or not set(pair) <= set(SIDES)):
        raise ParameterError(f"overlap() needs two of {', '.join(SIDES)}, not {sides!r}.")
    usable = len(pair) == 2 and all(side in known.sides for side in pair)
    table, rows = [], [no_rows()]
    for span, leads in leads_by_span(data, known.leads) if usable else ():
        labels = _groups(leads, pair)
        for group in (BOTH, *(f"{side} only" for side in pair), NEITHER, OPEN):
            here = leads[(labels == group).to_numpy()]
            table.append(
                {"group": group, "span": span, "n": len(here)}
                | rate("share", len(here), len(leads), data.plan.level)
                | {"n_handed_over": int(here["handed_at"].notna().sum())}
                | outcomes(data, here, span)
            )
            rows.append(rows_of(f"{group}, {span}", "leads", here["lead_id"]))
    columns = ["group", "span", "n", "share", "share_low", "share_high", "n_handed_over"]
    return Overlap(
        table=pd.DataFrame(table, columns=[*columns, *OUTCOMES]),
        rows=pd.concat(rows, ignore_index=True),
        units={"share": "of leads", "win_rate": "share", "amount": data.plan.company.currency},
        basis=basis(data),
        sides=pair if usable else ("marketing", "sales"),
        days=mature_leads(data).days,
        period=data.comparison.period.label,
        **speaks_for(data),
    )


def leads_by_span(data: Tables, leads: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Leads created in the period, in the baseline, and mature ones with their outcome."""
    mature = mature_leads(data).leads
    yield from by_span(data, leads, "created_at").items()
    outcome = mature[["won", "had_a_chance"]]
    yield SPANS[2], leads.loc[mature.index].join(outcome)


def outcomes(data: Tables, leads: pd.DataFrame, span: str) -> dict[str, float]:
    """Wins among mature leads that had a chance: a lead never handed over has no outcome."""
    if span != SPANS[2]:
        return dict.fromkeys(OUTCOMES, np.nan)
    n, n_won = int(leads["had_a_chance"].sum()), int(leads["won"].sum())
    has_amount = data.has("deals", "amount")
    return {
        "n_tried": n,
        "n_won": n_won,
        **rate("win_rate", n_won, n, data.plan.level),
        "amount": float(leads.loc[leads["won"], "amount"].sum()) if has_amount else np.nan,
    }


def basis(data: Tables) -> Basis:
    """What the counts of a dataset rest on."""
    known = qualification(data)
    blanks = [
        (side, int(known.leads[side].isna().sum()), known.columns[side]) for side in known.sides
    ]
    leaks = {each.column for each in leakage(data)}
    leaking = [
        (side, tuple(name for name in known.columns[side] if name in leaks)) for side in known.sides
    ]
    return Basis(
        handoff=handoff_stages(data),
        problems=tuple(known.problems.values()),
        unwritten=tuple(side for side in SIDES if side not in known.texts),
        reads_touches=any(
            name.startswith("n_") for columns in known.columns.values() for name in columns
        ),
        blanks=tuple(each for each in blanks if each[1]),
        leaking=tuple(each for each in leaking if each[1]),
        missing=mature_leads(data).missing,
    )


def _groups(leads: pd.DataFrame, sides: tuple[str, ...]) -> pd.Series:
    """Group of each lead: which of two sides it is qualified for."""
    one, other = (leads[side] for side in sides)
    known = (one.notna() & other.notna()).to_numpy()
    first, second = (side.fillna(False).to_numpy(bool) for side in (one, other))
    labels = np.select(
        [~known, first & second, first, second],
        [OPEN, BOTH, f"{sides[0]} only", f"{sides[1]} only"],
        NEITHER,
    )
    return pd.Series(labels, index=leads.index)
