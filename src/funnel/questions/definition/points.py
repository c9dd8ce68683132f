"""What each behaviour earns in points of the score, against what it is worth in wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.plan import Company
from funnel.methods.qualification.handoff import hand_over, leads_with_moments
from funnel.methods.qualification.leads import judging_rule, matured
from funnel.methods.qualification.leads import touch_counts as counts_of
from funnel.questions.definition.columns import CRITERIA, is_number
from funnel.questions.definition.leakage import set_aside
from funnel.questions.definition.regressions import linear, logistic
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import benjamini_hochberg, difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

Floats = NDArray[np.float64]
OVER, UNDER, ABOUT, CANNOT_TELL = "earns more", "earns less", "about right", "cannot tell"
FALSE_DISCOVERIES = 0.05
_FEWEST_WON = 40
_FEWEST_WITH = 30
_MOST_KINDS = 15
_MOST_VALUES = 12
_CLOSE = 0.1  # of the score's spread: points within that are about right


@dataclass(frozen=True, eq=False, kw_only=True)
class Points(Result):
    """What each behaviour earns in points, and what it is worth in the same points.

    `table` has one row per kind of touch: `behaviour`, `n` matured leads handed over that show it,
    `n_won` of these; `points` (what the score gives for it, like for like) with `points_low`,
    `points_high`; `worth` (points that go with as many more wins) with `worth_low`, `worth_high`;
    `difference` (points less worth) with `difference_low`, `difference_high`, `q_value`, `verdict`.
    """

    company: Company = field(default_factory=Company)
    explained: float = float("nan")
    per_point: float = float("nan")
    why: str = ""

    @property
    def headline(self) -> str:
        """Which behaviours earn more, or less, than they are worth."""
        if self.why:
            return f"What behaviours earn and are worth cannot be told: {self.why}."
        named = []
        for verdict, words in ((OVER, "more"), (UNDER, "less")):
            rows = self.table[self.table["verdict"] == verdict]
            named += [self._says(row, words) for _, row in rows.iterrows()]
        n = formats.number(len(self.table), self.company)
        begin = f"Of {n} behaviours, "
        if not named:
            return f"{begin}none is seen to earn more or less points than it is worth."
        return f"{begin}{'; '.join(named)}."

    def _says(self, row: pd.Series, words: str) -> str:
        earned, worth, low, high = (
            formats.number(row[name], self.company, digits=1)
            for name in ("points", "worth", "worth_low", "worth_high")
        )
        return (
            f"{row['behaviour']} earns {words} than it is worth: {earned} points, and worth "
            f"{worth} {formats.interval(low, high)}"
        )

    def shown(self) -> pd.DataFrame:
        """Give each behaviour with its points and its worth."""
        each = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "behaviour": [row["behaviour"] for row in each],
                "verdict": [row["verdict"] for row in each],
                "earns, points": [
                    formats.number_estimate(row, "points", self.company, digits=1, sign=True)
                    for row in each
                ],
                "worth, points": [
                    formats.number_estimate(row, "worth", self.company, digits=1, sign=True)
                    for row in each
                ],
                "leads": [formats.number(row["n"], self.company) for row in each],
                "of these won": [formats.number(row["n_won"], self.company) for row in each],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what each behaviour earns and what it is worth."""
        from funnel.questions.definition import charts

        return charts.points(self, ax)


def points(data: Tables) -> Points:
    """Say what each behaviour earns in points, against what it is worth in wins.

    Parameters
    ----------
    data
        A company's tables, with `score` of leads and `kind` of touches.

    Notes
    -----
    The points of a behaviour are its coefficient in a linear regression of the score on behaviours
    (any touch of the kind by the lead's creation, or by the hand-over where most touches come after
    the creation) and attributes, over all leads old enough to have been
    handed over: so they are told apart from what else the score counts. Its worth is its
    coefficient in a logistic regression of the win on the same, over leads handed over and
    matured, divided by the log-odds that go with one point of the score: points that go with as
    many more wins. Both are associations. How much of the score the recorded columns account for is
    told; the rest may hold behaviours that are not recorded.

    References
    ----------
    Gelman, Jakulin, Pittau and Su (2008), Ann. Applied Statistics 2, 1360-1383, for the weak prior
    that keeps coefficients of rare behaviours finite (normal here, sd 2.5).

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> points(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'What behaviours earn and are worth cannot be told: no score is filled.'
    """
    why = _why_not(data)
    table, explained, slope = pd.DataFrame(columns=_COLUMNS), np.nan, np.nan
    tried = matured(data)
    tried = tried[tried["had_a_chance"].to_numpy(bool)]
    if not why:
        all_leads = _scored(data, leads_with_moments(data))
        tried = _scored(data, tried)
        names = _behaviours(data, tried)
        if not names:
            why = "no kind of touch is shown by some of the leads handed over, and not by others"
        elif tried["won"].sum() < _FEWEST_WON:
            won = formats.number(tried["won"].sum(), data.plan.company)
            why = f"{won} matured leads with a score were won"
    if not why:
        table, explained, slope = _measured(data, all_leads, tried, names)
        if not slope > 0:
            why = "the score itself is not seen to go with wins, so a point is worth nothing known"
            table = table.iloc[:0]
    return Points(
        table=table,
        as_of=data.as_of,
        rows=rows_of("all", "leads", tried["lead_id"]) if not why else no_rows(),
        units={"points": "points of the score", "worth": "points of the score"},
        level=data.plan.level,
        written_caveats=() if why else (_of_the_score(data, explained), _rule(data)),
        company=data.plan.company,
        explained=explained,
        per_point=slope,
        why=why,
    )


_COLUMNS = [
    *("behaviour", "n", "n_won", "points", "points_low", "points_high"),
    *("worth", "worth_low", "worth_high", "difference", "difference_low", "difference_high"),
    *("q_value", "verdict"),
]


def _why_not(data: Tables) -> str:
    if data.leads.empty or not data.has("leads", "score"):
        return "no score is filled"
    if not data.has("touches", "lead_id", "kind"):
        return "touches do not say what kind they are"
    if matured(data).attrs["why"]:
        return matured(data).attrs["why"]
    late = [each.says for each in set_aside(data) if each.column == "score"]
    return late[0].rstrip(".") if late else ""


def _scored(data: Tables, leads: pd.DataFrame) -> pd.DataFrame:
    score = data.leads.set_index("lead_id")["score"].reindex(leads["lead_id"]).to_numpy(float)
    way = hand_over(data)
    old = leads["age_days"] >= way.usual_days if way.is_known else leads["age_days"] >= 0
    return leads.assign(score=score)[~np.isnan(score) & old.to_numpy(bool)]


def _behaviours(data: Tables, tried: pd.DataFrame) -> list[str]:
    """Kinds of touch that some of the leads show, and some do not."""
    shown = _shown(data, tried)
    n = shown.sum()
    names = n[(n >= _FEWEST_WITH) & (len(tried) - n >= _FEWEST_WITH)]
    return sorted(names.sort_values(ascending=False).index[:_MOST_KINDS])


def _until(data: Tables) -> str:
    """Choose up to when behaviours count: both regressions need one moment for all leads.

    Up to the creation, where most of the touches known by the hand-over lie before it: who waits
    long for the hand-over, as leads of low score do, then has no more of them. Else the hand-over.
    """
    before, all_of_them = (
        float(counts_of(data, until)["n_touches"].sum()) for until in ("creation", "hand-over")
    )
    return "creation" if before >= all_of_them / 2 else "hand-over"


def _shown(data: Tables, leads: pd.DataFrame) -> pd.DataFrame:
    counts = counts_of(data, _until(data)).set_index("lead_id").drop(columns="n_touches")
    return counts.reindex(leads["lead_id"]).fillna(0.0).gt(0).astype(float)


def _features(data: Tables, leads: pd.DataFrame, names: list[str]) -> Floats:
    """Behaviours first, then attributes as controls, centred."""
    columns = [_shown(data, leads)[names].to_numpy(float)]
    frame = data.leads.set_index("lead_id").loc[leads["lead_id"]]
    late = {each.column for each in set_aside(data)}
    for name in (*CRITERIA, "channel"):
        if name in late:
            continue
        cells = frame[name]
        unknown = is_unknown(cells).to_numpy(bool)
        if unknown.all():
            continue
        if is_number(data, name):
            value = np.log1p(np.clip(cells.to_numpy(float), 0, None))
            filled = np.where(unknown, np.nanmean(value[~unknown]), value)
            columns += [filled[:, None], unknown[:, None].astype(float)]
        else:
            words = cells.astype("str").where(~unknown, "")
            common = words.value_counts().index[1:_MOST_VALUES]
            columns.append(
                np.stack([(words == word).to_numpy(float) for word in common], axis=1)
                if len(common)
                else np.zeros((len(words), 0))
            )
    features = np.column_stack(columns)
    features = features - features.mean(axis=0)
    return features[:, [*range(len(names)), *_varying(features, len(names))]]


def _varying(features: Floats, first: int) -> list[int]:
    """Columns after the first ones that vary, and are no mixture of those before them."""
    gram = features.T @ features
    kept = list(range(first))
    for at in range(first, features.shape[1]):
        own = gram[at, at]
        with_others = gram[kept, at]
        rest = own - with_others @ np.linalg.lstsq(gram[np.ix_(kept, kept)], with_others)[0]
        if own > 1e-9 and rest > 1e-8 * own:
            kept.append(at)
    return kept[first:]


def _measured(
    data: Tables, all_leads: pd.DataFrame, tried: pd.DataFrame, names: list[str]
) -> tuple[pd.DataFrame, float, float]:
    from scipy.special import ndtri
    from scipy.stats import norm

    z = float(ndtri((1 + data.plan.level) / 2))
    earned, earned_error, explained = linear(
        _features(data, all_leads, names), all_leads["score"].to_numpy(float)
    )
    won = tried["won"].to_numpy(bool)
    odds, odds_error = logistic(_features(data, tried, names), won)
    score = tried["score"].to_numpy(float)
    slope, slope_error = logistic((score - score.mean())[:, None], won)
    slope, slope_error = float(slope[0]), float(slope_error[0])
    shown = _shown(data, tried)[names]
    table = pd.DataFrame({"behaviour": [name.removeprefix("n_") for name in names]})
    table["n"] = shown.sum().to_numpy(int)
    table["n_won"] = shown[won].sum().to_numpy(int)
    if not slope > z * slope_error:
        return table.reindex(columns=_COLUMNS), explained, float("nan")
    k = len(names)
    worth = odds[:k] / slope
    # the spread of a ratio of two independent figures, to first order
    worth_error = np.hypot(odds_error[:k], worth * slope_error) / slope
    for name, value, error in (
        ("points", earned[:k], earned_error[:k]),
        ("worth", worth, worth_error),
    ):
        table[name], table[f"{name}_low"], table[f"{name}_high"] = (
            value,
            value - z * error,
            value + z * error,
        )
    table["difference"] = table["points"] - table["worth"]
    low, high = difference(
        *(table[f"points{end}"] for end in ("", "_low", "_high")),
        *(table[f"worth{end}"] for end in ("", "_low", "_high")),
    )
    table["difference_low"], table["difference_high"] = low, high
    error = np.hypot(earned_error[:k], worth_error)
    table["q_value"] = benjamini_hochberg(2 * norm.sf(np.abs(table["difference"]) / error))
    close = _CLOSE * score.std()
    table["verdict"] = [_verdict(row, close) for _, row in table.iterrows()]
    return table[_COLUMNS], explained, slope


def _verdict(row: pd.Series, close: float) -> str:
    if row["q_value"] < FALSE_DISCOVERIES:
        return OVER if row["difference"] > 0 else UNDER
    is_close = max(-row["difference_low"], row["difference_high"]) <= close
    return ABOUT if is_close else CANNOT_TELL


def _of_the_score(data: Tables, explained: float) -> str:
    share = formats.share(explained, data.plan.company)
    return (
        f"Recorded behaviours and attributes account for {share} of how the score varies; what "
        "else it counts is not recorded here."
    )


def _rule(data: Tables) -> str:
    if _until(data) == "hand-over":
        return judging_rule(data)
    return "Here touches count up to the lead's creation, the same moment for leads of any score."
