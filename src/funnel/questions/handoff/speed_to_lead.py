"""Leads acted on soon beside leads acted on later, like for like: an association."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Company, Plan
from funnel.dataset import stages
from funnel.questions.handoff.times import DAY, FEEDBACK, handovers
from funnel.results import Result, formats, rows_of, speaks_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

SOON, PREQUALIFIED = "speed", "hand-over point"
RAW, ALIKE = "as they are", "like for like"
_BINS, _PER_BIN = 20, 40
_FEWEST_EVENTS = 10
_FEWEST_LEADS = 30  # in either hand, or there is no hand-over point to compare
_HORIZONS = (14, 30, 45, 60, 90, 120, 180, 270, 365)


@dataclass(frozen=True, eq=False, kw_only=True)
class Association(Result):
    """Two groups of leads and what share of each gets on, raw and like for like.

    `table` has one row per outcome and `comparison` (`as they are`, `like for like`): `outcome`
    (a stage), `n` and `rate` of the first group, `n_other` and `rate_other` of the other one,
    `ratio` of the two rates with `ratio_low`, `ratio_high`, and `n_strata` that held both.
    """

    about: str
    groups: tuple[str, str]
    horizon_days: float
    company: Company = field(default_factory=Company)
    why_not: str = ""

    @property
    def headline(self) -> str:
        """The ratio like for like, beside the raw one, called an association."""
        rows = self.table.dropna(subset="ratio") if len(self.table) else self.table
        if rows.empty:
            return f"{self.about}: cannot be told, since {self.why_not}."
        rows = rows[rows["outcome"] == rows["outcome"].iloc[0]].set_index("comparison")
        if ALIKE not in rows.index:
            return f"{self.about}: cannot be told like for like, since {self.why_not}."
        like = rows.loc[ALIKE]
        ratio, low, high, raw = (
            formats.number(value, self.company, digits=2)
            for value in (like["ratio"], like["ratio_low"], like["ratio_high"],
                          rows.loc[RAW, "ratio"])
        )  # fmt: skip
        n, other = (formats.number(like[name], self.company) for name in ("n", "n_other"))
        return (
            f"{self.about}: leads {self.groups[0]} reach {like['outcome']} {ratio} times as often "
            f"{formats.interval(low, high)} as those {self.groups[1]}, like for like ({raw} as "
            f"they are; {n} and {other} leads): an association."
        )

    def shown(self) -> pd.DataFrame:
        """Give rates and ratio of both groups."""
        rows = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "reached": self.table["outcome"],
                "compared": self.table["comparison"],
                "times as often": [
                    formats.number_estimate(row, "ratio", self.company, digits=2) for row in rows
                ],
                self.groups[0]: [self._rate(row, "") for row in rows],
                self.groups[1]: [self._rate(row, "_other") for row in rows],
            }
        )

    def _rate(self, row: pd.Series, side: str) -> str:
        n = formats.number(row[f"n{side}"], self.company)
        return f"{formats.share(row[f'rate{side}'], self.company, digits=1)} of {n}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both ratios with their intervals."""
        from funnel.questions.handoff import charts

        return charts.association(self, ax)


def speed_to_lead(data: Tables, *, within_days: float | None = None) -> Association:
    """Compare leads acted on soon with leads acted on later, of equal score and source.

    Parameters
    ----------
    data
        A company's tables.
    within_days
        What counts as soon, from the assignment (the hand-over, where none is recorded); default:
        the shortest promise of the plan.

    Returns
    -------
    Association
        For the opportunity and the win, as far as they are recorded.

    Notes
    -----
    Leads thought more likely to buy are called first, so that the raw ratio holds the choice of
    whom to call. Leads are put into strata of score (twenty bins, fewer where few), grade and
    channel; Mantel and Haenszel's ratio holds each stratum's soon ones against its own later ones.
    Only leads that were acted on count, each followed for equally long from its hand-over.
    Whatever else decides whom to call first is still in the ratio.

    References
    ----------
    Mantel and Haenszel (1959), J. Natl. Cancer Inst. 22, 719-748; Greenland and Robins (1985),
    Biometrics 41, 55-68, for the variance.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> speed_to_lead(Tables.of(leads=leads, as_of="2026-06-30")).headline
    'Speed to lead: cannot be told, since no sales action is recorded.'
    """
    frame = handovers(data)
    days = [kept for grade, kept in data.plan.promise.items() if grade != FEEDBACK]
    within = within_days or (min(days) if days else 1.0)
    acted = frame[frame["rep_days"].notna()]
    is_first = (acted["rep_days"] <= within).to_numpy()
    unit = f"{within:g} day{'s' * (within != 1)}" if within >= 1 else f"{24 * within:g} hours"
    groups = (f"acted on within {unit}", "acted on later")
    why_not = "" if len(acted) else "no sales action is recorded"
    return _association(data, acted, is_first, "Speed to lead", groups, why_not)


def hand_over_point(data: Tables) -> Association:
    """Compare leads pre-qualified by somebody else with leads that went to their owner at once.

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    Association
        Pre-qualified: the first sales action on the lead was not its owner's.

    Notes
    -----
    As in `speed_to_lead`; who passes through whose hands is somebody's choice, so this is an
    association too.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> hand_over_point(Tables.of(leads=leads, as_of="2026-06-30")).headline
    'Hand-over point: cannot be told, since no action and owner are recorded together.'
    """
    frame = handovers(data)
    acts = data.activities
    acts = acts[acts["kind"].str.lower().ne(FEEDBACK).fillna(True) & acts["owner"].notna()]
    first = acts.sort_values("occurred_at", kind="stable").drop_duplicates("lead_id")
    actor = frame["lead_id"].map(first.set_index("lead_id")["owner"])
    known = frame[actor.notna() & frame["owner"].notna()]
    is_first = (actor[known.index] != known["owner"]).to_numpy()
    why_not = "" if len(known) else "no action and owner are recorded together"
    if len(known) and min(is_first.sum(), (~is_first).sum()) < _FEWEST_LEADS:
        most = "somebody else" if is_first.mean() > 0.5 else "its owner"
        why_not = f"nearly every lead was first acted on by {most}"
    groups = ("pre-qualified by somebody else", "first acted on by their owner")
    return _association(data, known, is_first, "Hand-over point", groups, why_not)


def _association(
    data: Tables,
    frame: pd.DataFrame,
    is_first: NDArray[np.bool_],
    about: str,
    groups: tuple[str, str],
    why_not: str,
) -> Association:
    reached = stages.reached(data) if len(data.leads) else None
    rows, horizon = [], np.nan
    if reached is not None and not why_not:
        reached = reached.set_index("lead_id").reindex(frame["lead_id"])
        for outcome in _outcomes(data.plan, reached):
            at = reached[f"{outcome}_at"].set_axis(frame.index)
            took = (at - frame["handed_at"]).dt.total_seconds() / DAY
            horizon = _horizon(took, frame["watched_days"])
            use = (frame["watched_days"] >= horizon).to_numpy() & ~(took < 0).to_numpy()
            happened = (took <= horizon).to_numpy()[use]
            if use.sum() == 0 or happened.sum() < _FEWEST_EVENTS:
                continue
            strata = _strata(frame[use])
            rows += _ratios(outcome, is_first[use], happened, strata, data.plan.level)
        why_not = "" if rows else "too few of these leads have got on, or have had the time to"
    columns = ["outcome", "comparison", "n", "rate", "n_other", "rate_other", "ratio",
               "ratio_low", "ratio_high", "n_strata"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    if len(table) and table.loc[table["comparison"] == ALIKE, "ratio"].isna().all():
        why_not = "no two leads of equal score and source are found in both groups"
    return Association(
        table=table,
        rows=rows_of("compared", "leads", frame["lead_id"]),
        units={"ratio": "one share over the other"},
        written_caveats=(_told(frame, horizon, data.plan),) if rows else (),
        about=about,
        groups=groups,
        horizon_days=float(horizon),
        **speaks_for(data),
        why_not=why_not,
    )


def _told(frame: pd.DataFrame, horizon: float, plan: Plan) -> str:
    same = [name for name in ("score", "grade", "channel") if frame[name].notna().any()]
    alike = f"equal {', '.join(same)}" if same else "no field to be held equal by"
    days = formats.number(horizon, plan.company)
    return (
        f"Like for like means {alike}. Each lead is followed for {days} days from its hand-over; "
        "younger ones are left out. What else decides whom to call first is still in the ratio."
    )


def _outcomes(plan: Plan, reached: pd.DataFrame) -> list[str]:
    wanted = [stages.opportunity_stage(plan.stages), stages.won_stage(plan.stages)]
    return [name for name in wanted if name and reached[f"{name}_at"].notna().any()]


def _horizon(took: pd.Series, watched: pd.Series) -> float:
    """Choose a usual time by which nine in ten of those who get there do, if leads are so old."""
    took = took[took >= 0]
    wanted = took.quantile(0.9) if len(took) else 90.0
    longest = watched.quantile(0.8)
    fits = [days for days in _HORIZONS if days <= longest]
    chosen = next((days for days in _HORIZONS if days >= wanted), _HORIZONS[-1])
    return float(min(chosen, fits[-1])) if fits else float(_HORIZONS[0])


def _strata(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Give each lead the number of its cell of score bin, grade and channel."""
    n_bins = int(np.clip(len(frame) // _PER_BIN, 1, _BINS))
    score = frame["score"].rank(pct=True, method="average")
    bins = np.ceil(score * n_bins).fillna(0)  # no score is a bin of its own
    keys = [bins, frame["channel"].fillna("").astype("str"), frame["grade"]]
    return pd.DataFrame(dict(enumerate(keys))).groupby([0, 1, 2], sort=False).ngroup().to_numpy()


def _ratios(
    outcome: str,
    is_first: NDArray[np.bool_],
    happened: NDArray[np.bool_],
    strata: NDArray[np.int64],
    level: float,
) -> list[list]:
    rows = []
    for words, cells in ((RAW, np.zeros(len(strata), np.int64)), (ALIKE, strata)):
        n_cells = cells.max() + 1
        a, n1 = (np.bincount(cells[is_first], weights, n_cells)
                 for weights in (happened[is_first], None))  # fmt: skip
        c, n0 = (np.bincount(cells[~is_first], weights, n_cells)
                 for weights in (happened[~is_first], None))  # fmt: skip
        both = (n1 > 0) & (n0 > 0)
        ratio, low, high = mantel_haenszel(a[both], n1[both], c[both], n0[both], level)
        rows.append(
            [outcome, words, int(n1.sum()), _over(a.sum(), n1.sum()), int(n0.sum()),
             _over(c.sum(), n0.sum()), ratio, low, high, int(both.sum())]
        )  # fmt: skip
    return rows


def mantel_haenszel(
    events1: NDArray[np.float64],
    n1: NDArray[np.float64],
    events0: NDArray[np.float64],
    n0: NDArray[np.float64],
    level: float,
) -> tuple[float, float, float]:
    """Give the ratio of two shares over strata, with its interval.

    Parameters
    ----------
    events1, n1
        By stratum: how many of the first group, and of how many. Each stratum holds both groups.
    events0, n0
        The same of the other group.
    level
        Of the interval.

    References
    ----------
    Greenland and Robins (1985), Biometrics 41, 55-68, equation 13.

    Examples
    --------
    >>> import numpy as np
    >>> ratio, low, high = mantel_haenszel(*(np.array([x]) for x in (20., 100., 10., 100.)), 0.9)
    >>> print(f"{ratio:.2f} [{low:.2f} to {high:.2f}]")
    2.00 [1.11 to 3.62]
    """
    from scipy.special import ndtri

    n = n1 + n0
    above, below = (events1 * n0 / n).sum(), (events0 * n1 / n).sum()
    if not (above > 0 and below > 0):
        return (np.nan,) * 3
    spread = (n1 * n0 * (events1 + events0) - events1 * events0 * n) / n**2
    error = np.sqrt(spread.sum() / (above * below))
    ratio = above / below
    reach = np.exp(ndtri((1 + level) / 2) * error)
    return float(ratio), float(ratio / reach), float(ratio * reach)


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan
