"""Sharing won business out among channels, with intervals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.methods.paths import NOT_TRACED, Paths
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.credit import Credit, ModelComparison
from funnel.questions.attribution.input_paths import Given, about_nulls, asked, whole
from funnel.questions.attribution.joint_models import Joint, RateShapley
from funnel.questions.attribution.model_names import BY_TIME, MODELS, SIDE_BY_SIDE, model_of
from funnel.questions.attribution.models import Model
from funnel.questions.attribution.sampling_distribution import FEWEST_TO_RESAMPLE, Law, intervals
from funnel.questions.attribution.shapley import MOST_CHANNELS
from funnel.questions.attribution.shares import Solved, solved


def attribute(
    journeys: Given,
    model: str | Model | Joint = "first_touch",
    *,
    order: int = 1,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
    draws: int = 0,
) -> Credit:
    """Share won business out among the channels on the way to it.

    Touches that cannot be put in order, because they happened at the same moment and have no
    key, share the credit of their places.

    Parameters
    ----------
    journeys
        What `funnel.journeys` or `funnel.paths` made, or a frame with their columns: `deal_id`,
        `position`, `channel`, `amount`; or `path`, `conversions`, `value`, `nulls`.
    model
        `first_touch`, `last_touch`, `last_non_direct`, `linear`, `linear_distinct`,
        `position_based`, `time_decay`, `w_shaped`, `full_path`, `markov`, `shapley`,
        `shapley_rate`, a preset by whose it is (`hubspot_u_shaped`, ...); or a function that takes
        `CodedPaths` and gives each touch its weight.
    order
        Of `markov`: how many touches a state remembers, 1 to 4.
    as_of
        The day that a frame speaks for; the results of `funnel` know theirs.
    plan
        Gives a frame's level, seed and currency; the results of `funnel` know theirs.
    draws
        Bootstrap samples to draw and solve one by one. Without any, intervals come from the law
        that more and more samples tend to; some thousand show the same.

    Returns
    -------
    Credit
        One row per channel; together they are all won business.

    Raises
    ------
    ParameterError
        If there is no such model, a column is missing, or a count is no number or negative.

    Notes
    -----
    Intervals speak of the sample: of won deals for rules, of all journeys for `markov` and
    `shapley_rate`. The spread of bootstrap samples is added up from the influence of each journey
    (the infinitesimal jackknife), and a share's interval is Wilson's for the number of deals that
    would be as certain, with Student's quantile where the spread hangs on few deals. With fewer
    than ten deals, or where a channel has all or nothing, that number is Kish's effective sample
    size. Shares that may be negative have Student's interval.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22. Franco, Little,
    Louis and Slud (2019), Journal of Survey Statistics and Methodology 7. Kish (1965), Survey
    Sampling, section 11.7. The models' sources stand with each of them.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo", "demo"], "conversions": [3, 1],
    ...                     "value": [300.0, 100.0], "nulls": [0, 6]})
    >>> credit = attribute(won, "linear", as_of=dt.date(2026, 6, 30))
    >>> credit.table[["channel", "conversions", "value", "share"]].values.tolist()
    [['demo', 2.5, 250.0, 0.625], ['web', 1.5, 150.0, 0.375]]
    >>> attribute(won, "markov").table["share"].round(3).tolist()
    [0.769, 0.231]
    """
    name, solver = model_of(model, order)
    given = asked(journeys, as_of, plan)
    ways = given.ways
    of_value = bool(ways.value.sum() > 0)
    answer = solved(ways, solver, of_value=of_value, draws=draws, seed=given.plan.seed)
    table = pd.DataFrame(
        {
            "channel": pd.Series([*ways.channels, NOT_TRACED], dtype="str"),
            "conversions": answer.conversions,
            "value": answer.value,
            "n_deals": whole(answer.touched),
        }
    )
    what = "value" if of_value else "conversions"
    total = table[what].sum()
    table["share"] = table[what] / total if total else np.nan
    table["is_ranked"] = ~(is_unknown(table["channel"]) | (table["channel"] == NOT_TRACED))
    n_deals = ways.conversions.sum()
    low, high = intervals(
        table["share"].to_numpy(), answer.law, _effective(ways, of_value), n_deals, given.level,
        within=_within(ways, solver),
    )  # fmt: skip
    table["share_low"], table["share_high"] = low, high
    if not (ways.conversions[~ways.is_traced].any() or ways.value[~ways.is_traced].any()):
        table = table.iloc[:-1]
    if not n_deals:
        table = table.iloc[:0]
    order_of = table.sort_values(
        ["is_ranked", "share", "conversions", "channel"], ascending=[False, False, False, True]
    ).index
    table = table.loc[order_of]
    is_ahead = _is_ahead(table, answer.law, n_deals, given.level)
    table = table.reset_index(drop=True)
    return Credit(
        table=table[
            [
                "channel", "conversions", "value", "share", "share_low", "share_high", "n_deals",
                "is_ranked",
            ]
        ],
        as_of=given.as_of,
        rows=_rows(answer) if ways.names is not None else given.rows,
        units={"value": given.plan.company.currency, "share": "0 to 1", "conversions": "deals"},
        level=given.level,
        written_caveats=(*given.caveats, *_caveats(table, ways, solver, of_value)),
        model=name,
        n_deals=round(n_deals),
        plan=given.plan,
        of_value=of_value,
        is_ahead=is_ahead,
        ways=ways,
        solver=solver,
    )  # fmt: skip


def compare_models(
    journeys: Given,
    models: Sequence[str] = SIDE_BY_SIDE,
    *,
    paths: Paths | CodedPaths | pd.DataFrame | None = None,
    order: int = 1,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
    draws: int = 0,
) -> ModelComparison:
    """Share the same won business out under several models, side by side.

    Parameters
    ----------
    journeys, order, as_of, plan, draws
        As in `attribute`.
    models
        Names of models, the one that sets the order first.
    paths
        The same won business as paths, with the journeys that were not won: what `markov` and
        `shapley_rate` are worked out from, where `journeys` holds won deals alone.

    Returns
    -------
    ModelComparison
        One row per channel and model.

    Raises
    ------
    ParameterError
        If a model is unknown, or none is named.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo"], "conversions": [20], "value": [900.0]})
    >>> compared = compare_models(won, ["first_touch", "last_touch"], as_of=dt.date(2026, 6, 30))
    >>> compared.table[["channel", "model", "share"]].values.tolist()[:2]
    [['web', 'first_touch', 1.0], ['web', 'last_touch', 0.0]]
    """
    if isinstance(models, str) or not models:
        raise ParameterError(f"compare_models: give a list of one or more of {', '.join(MODELS)}.")
    needs_all = [isinstance(model_of(model, order)[1], Joint) for model in models]
    credits_ = tuple(
        attribute(
            paths if paths is not None and from_all else journeys, model,
            order=order, as_of=as_of, plan=plan, draws=draws,
        )
        for model, from_all in zip(models, needs_all, strict=True)
    )  # fmt: skip
    return side_by_side(credits_)


def side_by_side(credits_: Sequence[Credit]) -> ModelComparison:
    """Put the credit of several models side by side; a channel that one of them lacks gets 0.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo"], "conversions": [20], "value": [900.0]})
    >>> compared = side_by_side([attribute(won, "first_touch"), attribute(won, "linear")])
    >>> compared.table["spread"].tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    table = pd.concat(
        [credit.table.assign(model=credit.model) for credit in credits_], ignore_index=True
    )
    by_channel = table.groupby("channel")["share"]
    # a channel that one of the models does not meet has nothing there
    met = by_channel.transform("size")
    lowest = by_channel.transform("min").where(met == len(credits_), 0.0)
    table["spread"] = by_channel.transform("max") - lowest
    order_of = {channel: i for i, channel in enumerate(table["channel"].drop_duplicates())}
    place = {credit.model: i for i, credit in enumerate(credits_)}
    table = table.sort_values(
        ["channel", "model"],
        key=lambda column: column.map(order_of if column.name == "channel" else place),
    )
    first = credits_[0]
    columns = ["channel", "model", *[c for c in table if c not in ("channel", "model")]]
    return ModelComparison(
        table=table[columns].reset_index(drop=True),
        as_of=first.as_of,
        rows=first.rows,
        units={**first.units, "spread": "0 to 1"},
        level=first.level,
        written_caveats=tuple(
            dict.fromkeys(said for credit in credits_ for said in credit.caveats)
        ),
        credits=tuple(credits_),
    )


def _effective(ways: CodedPaths, of_value: bool) -> float:
    """Count the wins of equal size that would be as certain."""
    if not of_value:
        return float(ways.conversions.sum())
    squares = ways.squares
    if squares is None:
        wins = np.maximum(ways.conversions, 1.0)
        squares = ways.value**2 / wins
    return float(ways.value.sum() ** 2 / squares.sum())


def _within(ways: CodedPaths, model: Model | Joint) -> bool:
    """Whether no share can be negative."""
    return not isinstance(model, RateShapley) and ways.value.min(initial=0.0) >= 0


def _is_ahead(table: pd.DataFrame, law: Law | None, n_wins: float, level: float) -> bool:
    """Whether the first is told apart from the second; rows are numbered as the law's shares."""
    if law is None or table["is_ranked"].sum() < 2 or n_wins < FEWEST_TO_RESAMPLE:
        return False
    first, second = table.index[:2]
    return law.apart(first, second, table["share"].iloc[0] - table["share"].iloc[1], level)


def _rows(answer: Solved) -> pd.DataFrame:
    """Name the deals behind each channel's credit."""
    channel, path = answer.credited
    channels = pd.Series([*answer.won.channels, NOT_TRACED], dtype="str")
    deals = pd.Series(answer.won.names, dtype="str")
    return pd.DataFrame(
        {
            "figure": channels.take(channel).array,
            "table": pd.Series(["deals"], dtype="str").take(np.zeros_like(path)).array,
            "id": deals.take(path).array,
        }
    )


def _has_two_channels(ways: CodedPaths) -> bool:
    same_path = np.ones(max(len(ways.codes) - 1, 0), dtype=bool)
    ends = ways.offsets[1:-1]
    same_path[ends[(ends > 0) & (ends < len(ways.codes))] - 1] = False
    return bool((same_path & (ways.codes[1:] != ways.codes[:-1])).any())


def _caveats(
    table: pd.DataFrame, ways: CodedPaths, model: Model | Joint, of_value: bool
) -> tuple[str, ...]:
    said = ["Credit follows how often a channel was touched. It is no measure of its effect."]
    if len(table) and not of_value:
        said.append("Won deals carry no value in sum, so shares are of won deals.")
    if len(ways.codes) and not _has_two_channels(ways):
        said.append(
            "No journey holds touches of two channels, so every model says what the first touch "
            "says, and which channels work together cannot be told."
        )
    unknown = table[~table["is_ranked"] & (table["channel"] != NOT_TRACED)]
    if len(unknown):
        names = ", ".join(unknown["channel"].fillna("(blank)"))
        said.append(f"{names}: no channel is known there, so it is kept and not ranked.")
    if model in BY_TIME and ways.days_left is None and len(ways.codes):
        said.append("Paths hold no times, so time decay halves credit by the touch, not by days.")
    if isinstance(model, Joint):
        said += about_nulls(ways)
        if ways.value.min(initial=0.0) < 0:
            said.append("Some value is negative, so value is shared out as wins are.")
    if isinstance(model, RateShapley):
        said += _about_alone(ways)
    if isinstance(model, RateShapley) and len(ways.channels) > MOST_CHANNELS:
        said.append(
            f"Of {len(ways.channels)} channels, {MOST_CHANNELS - 1} are told apart; the others, "
            "the least met, count as one together, and share its credit as they are met."
        )
    return tuple(said)


def _about_alone(ways: CodedPaths) -> list[str]:
    """Name the channels of which it is not known what they win by themselves."""
    went = (ways.conversions + ways.nulls > 0) & ways.is_traced
    of_one = ways.codes[ways.offsets[:-1][went & (ways.n_touches == 1)]]
    if len(np.unique(of_one)) == len(ways.channels):
        return []
    first = np.full(ways.n_paths, -1)
    first[ways.is_traced] = ways.codes[ways.firsts]
    is_alone = np.ones(ways.n_paths, dtype=bool)
    if len(ways.codes):
        same = ways.codes == ways.spread(first)
        is_alone[ways.is_traced] = np.logical_and.reduceat(same, ways.firsts)
    k = len(ways.channels)
    is_met = np.bincount(ways.codes, minlength=k) > 0
    is_met &= np.bincount(first[went & is_alone], minlength=k) == 0
    missing = [ways.channels[code] for code in np.flatnonzero(is_met)]
    if not missing:
        return []
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return [
        f"No journey met {', '.join(missing[:3])}{more} alone. What such a channel wins by itself "
        "counts as nothing, and its interval is as wide as that leaves it."
    ]
