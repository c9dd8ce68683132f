"""Every sentence, table heading and label of attribution."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from funnel.checks.text import sentence
from funnel.contract.labels import NO_LEAD, NOT_RECORDED
from funnel.methods.paths import (
    NO_KEY,
    NOT_SUPPLIED,
    NOT_TRACED,
    OTHER_PATHS,
    TRACKING_BREAK,
    basis_caveats,
    short_path,
)
from funnel.questions.attribution.common_paths import CommonPaths
from funnel.questions.attribution.costs import CostPerWin
from funnel.questions.attribution.credit import Credit, ModelComparison
from funnel.questions.attribution.credited_deals import CreditedDeals
from funnel.questions.attribution.first_touches import (
    FirstTouches,
    NewestDeals,
    TracedByMonth,
    Untraced,
)
from funnel.questions.attribution.lift import CREDIT_MODEL, FEWER, FEWEST_EACH, MORE, Lift
from funnel.questions.attribution.path_changes import ENDS, FEWEST, FIRST, PathChanges
from funnel.questions.attribution.path_times import FIRST as WHOLE_PATH
from funnel.questions.attribution.path_times import PathTimes
from funnel.questions.attribution.removal_effects import RemovalEffects
from funnel.questions.attribution.self_reported import SelfReported
from funnel.questions.attribution.shapley import MOST_CHANNELS
from funnel.questions.attribution.trace import ACTION, STAGE, TOUCH, Trace
from funnel.results import ROWS_SHOWN, Say, text
from funnel.results.formats import NO_BREAK, NOT_KNOWN
from funnel.stats import CANNOT_TELL, MOVED, wilson
from funnel.stats.change_points import ShareInterval

_OF_EACH = 5  # common paths to each stage on a page
_CHANGES_SHOWN = 6
_NAMES_SHOWN = 3
_QUESTIONS = {
    NO_KEY: ("Sales Ops", "Which lead or account did these deals grow from?"),
    NO_LEAD: ("Sales Ops", "Which lead did these deals grow from?"),
    TRACKING_BREAK: ("Marketing Ops", "What was changed in tracking then, and can it be mended?"),
    NOT_SUPPLIED: ("Marketing Ops", "Can touches be exported, with their time and channel?"),
}
_QUESTION_ON_TOUCHES = (
    "Marketing Ops", "Where did these accounts first meet us, and is it recorded?",
)  # fmt: skip
_NO_DEALS = "There are no won deals to trace."


# first touches


@text.headline(FirstTouches)
def first_touches_headline(first: FirstTouches, say: Say) -> str:
    """The most frequent first touch, and what does not trace."""
    n = len(first.table)
    if not n:
        return _NO_DEALS
    ranked = first.by_channel[first.by_channel["is_ranked"]]
    if ranked.empty:
        return f"None of {say.number(n)} won deals traces to a first touch of a known channel."
    top = ranked.iloc[0]
    sentence = (
        f"Won deals most often begin with {top['channel']}: {say.number(top['n_deals'])} of "
        f"{say.number(n)}, {_likely(top, 'share', say)}."
        if top["n_deals"] > 0
        else f"Too few of {say.number(n)} won deals begin with any one channel to show how many."
    )
    untraced = int((~first.is_traced).sum())
    if not untraced:
        return f"{sentence} Every one traces to a first touch."
    booked, lost = first.table["amount"].sum(), first.table["amount"][~first.is_traced].sum()
    money = f", with {say.share(lost / booked)} of what was booked" if booked > 0 else ""
    return f"{sentence} {say.share(untraced / n)} do not trace to a first touch{money}."


@text.caveats(FirstTouches)
def first_touches_caveats(first: FirstTouches, say: Say) -> list[str]:
    """What the journeys were read from, and when touches were lost."""
    return [
        *basis_caveats(first.basis, say),
        *_coverage_caveats(first, say),
    ]


@text.table(FirstTouches)
def first_touches_table(first: FirstTouches, say: Say) -> pd.DataFrame:
    """Won deals by first touch, with what does not trace."""
    rows = first.by_channel
    columns = {
        "first touch": rows["channel"],
        "won deals": _numbers(rows, "n_deals", say),
        "share of won deals": _shares(rows, "share", say),
    }
    return pd.DataFrame(columns | _amounts(rows, say))


@text.headline(NewestDeals)
def newest_headline(newest: NewestDeals, say: Say) -> str:
    """How many of the newest won deals trace."""
    n = len(newest.table)
    if not n:
        return _NO_DEALS
    traced = int((newest.table["reason"] == "").sum())
    if n == 1:
        return f"The newest won deal {'traces' if traced else 'does not trace'} to a first touch."
    return f"Of the newest {n} won deals, {traced} trace to a first touch."


@text.table(NewestDeals)
def newest_table(newest: NewestDeals, say: Say) -> pd.DataFrame:
    """The newest won deals: first touch or the reason why there is none, and both days."""
    rows = newest.table
    columns = {
        "won deal": rows["deal_id"],
        "first touch": rows["first_touch"].mask(rows["reason"] != "", rows["reason"]),
        "on": [_day(moment, say) for moment in rows["first_touch_at"]],
        "closed": [_day(moment, say) for moment in rows["closed_at"]],
    }
    if rows["amount"].notna().any():
        columns[say.company.currency] = _numbers(rows, "amount", say)
    return pd.DataFrame(columns | {"channel of its lead": rows["lead_channel"]})


@text.headline(TracedByMonth)
def months_headline(months: TracedByMonth, say: Say) -> str:
    """The month in which the smallest share of won deals traces."""
    table = months.table
    if table.empty:
        return "No won deal closed in any month."
    lowest = table.iloc[::-1].iloc[table["traced_share"].to_numpy()[::-1].argmin()]
    return (
        f"Of {say.rows(len(table), 'month')}, {lowest['close_month']} has the smallest share of "
        f"won deals that trace: {say.share(lowest['traced_share'])} of "
        f"{say.number(lowest['n_deals'])}."
    )


@text.caveats(TracedByMonth)
def months_caveats(months: TracedByMonth, say: Say) -> list[str]:
    """The newest interval in which touches were lost or fewer deals trace."""
    return _coverage_caveats(months, say)[-1:]


@text.table(TracedByMonth)
def months_table(months: TracedByMonth, say: Say) -> pd.DataFrame:
    """Share of won deals and of money that traces, newest month first."""
    rows = months.table
    columns = {
        "closed in": rows["close_month"],
        "won deals that trace": _shares(rows, "traced_share", say, of="n_deals"),
    }
    if rows["amount"].any():
        columns["of what was booked"] = [say.share(share) for share in rows["amount_share"]]
    return pd.DataFrame(columns)


@text.headline(Untraced)
def untraced_headline(untraced: Untraced, say: Say) -> str:
    """How many won deals do not trace."""
    n = int(untraced.table["n_deals"].sum())
    if not untraced.n_won:
        return _NO_DEALS
    if not n:
        return "Every won deal traces to a first touch."
    return f"{say.rows(n, 'won deal')} {'does' if n == 1 else 'do'} not trace to a first touch."


@text.table(Untraced)
def untraced_table(untraced: Untraced, say: Say) -> pd.DataFrame:
    """Reasons, with the team to ask and the question."""
    rows = untraced.table
    questions = [_QUESTIONS.get(reason, _QUESTION_ON_TOUCHES) for reason in rows["reason"]]
    columns = {
        "team": [team for team, _ in questions],
        "what is missing": rows["reason"],
        "question": [question for _, question in questions],
        "won deals": _numbers(rows, "n_deals", say),
        **_amounts(rows, say),
        "for example": rows["examples"],
    }
    return pd.DataFrame(columns)


def _coverage_caveats(first: FirstTouches | TracedByMonth, say: Say) -> list[str]:
    """Losses of touches, then intervals in which fewer deals trace."""
    low = (_low_coverage(each, first.as_of, say) for each in first.low_coverage)
    return [*(sentence(loss, say) for loss in first.losses), *low]


def _low_coverage(low: ShareInterval, as_of: dt.date, say: Say) -> str:
    return (
        f"{say.share(low.share)} of {say.number(low.n)} won deals that closed "
        f"{_span(low, as_of, say)} do not trace; of the others "
        f"{say.share(low.share_outside)}. Fewer touches were recorded then: it is no shift between "
        "channels."
    )


# one deal, and paths


@text.headline(Trace)
def trace_headline(trace: Trace, say: Say) -> str:
    """First touch of the deal, its number of touches, and how it ended."""
    if not trace.deal_id:
        return "There are no deals to trace."
    touches = trace.table[(trace.table["event"] == TOUCH) & ~trace.table["is_after"]]
    deal = f"Deal {trace.deal_id}, {_outcome(trace, say)}"
    if touches.empty:
        return f"{deal}, does not trace: {trace.reason}."
    first, people = touches.iloc[0], touches["lead_id"].nunique()
    by = f" of {say.number(people)} people" if people > 1 else ""
    days = say.rows(max(round(first["days_before_close"]), 0), "day")
    return (
        f"{deal}, was first met through {first['what']} on {_day(first['happened_at'], say)}, "
        f"{days} before. {say.rows(len(touches), 'touch', 'touches')}{by} came before the end."
    )


@text.caveats(Trace)
def trace_caveats(trace: Trace, say: Say) -> list[str]:
    """Touches that count in no journey."""
    after = int((trace.table["is_after"] & (trace.table["event"] == TOUCH)).sum())
    if not after:
        return []
    verb = "lies after the close and counts" if after == 1 else "lie after the close and count"
    return [f"{say.rows(after, 'touch', 'touches')} {verb} in no journey."]


@text.table(Trace)
def trace_table(trace: Trace, say: Say) -> pd.DataFrame:
    """Events in order; of a long trace, those of sales and stages are left to the chart."""
    table = trace.table
    for event in (ACTION, STAGE):
        if len(table) > ROWS_SHOWN:
            table = table[table["event"] != event]
    rows = table.head(ROWS_SHOWN)
    columns = {
        "on": [_day(moment, say) for moment in rows["happened_at"]],
        "days before the end": _numbers(rows, "days_before_close", say),
        "event": rows["event"].where(~rows["is_after"], rows["event"] + ", after the end"),
        "what": rows["what"]
        .where(rows["event"] != STAGE, rows["what"].map(say.entered, na_action="ignore"))
        .fillna(""),
        "detail": rows["detail"].fillna(""),
        "lead": rows["lead_id"].fillna(""),
    }
    return _of_rows(columns, len(trace.table))


@text.headline(CommonPaths)
def common_paths_headline(common: CommonPaths, say: Say) -> str:
    """The most frequent path to the last stage and to the first one."""
    named = common.table[~common.table["path"].isin([NOT_TRACED, OTHER_PATHS])]
    sentences = []
    for to in dict.fromkeys([*list(common.nouns)[-1:], *list(common.nouns)[:1]]):
        rows, noun = named[named["to"] == to], say.stage(to)
        if rows.empty:
            sentences.append(f"No path to {noun} is common.")
            continue
        top = rows.iloc[0]
        path = short_path(top["path"])
        sentences.append(
            f"The most frequent path to {noun} is {path}: {_likely(top, 'share', say)} "
            f"of {say.number(top['of'])}."
        )
    return " ".join(sentences) or "There are no paths."


@text.caveats(CommonPaths)
def common_paths_caveats(common: CommonPaths, say: Say) -> list[str]:
    """What the journeys to each stage were read from."""
    return _distinct(each for basis in common.bases for each in basis_caveats(basis, say))


@text.table(CommonPaths)
def common_paths_table(common: CommonPaths, say: Say) -> pd.DataFrame:
    """The most frequent paths to each stage."""
    rows = common.table.groupby("to", sort=False).head(_OF_EACH)
    columns = {
        "to": rows["to"].map(say.stage),
        "path": [short_path(path) for path in rows["path"]],
        "journeys": _numbers(rows, "n", say),
        "share": _shares(rows, "share", say, of="of", digits=1),
    }
    return _of_rows(columns, len(common.table))


@text.headline(PathChanges)
def path_changes_headline(changes: PathChanges, say: Say) -> str:
    """Whether paths changed, and the one with the smallest q value."""
    period, baseline = changes.comparison.period.label, changes.comparison.baseline.label
    sizes = (
        f"{say.number(changes.n)} won deals of {period} compared with "
        f"{say.number(changes.n_before)} of {baseline}"
    )
    if not changes.is_comparable:
        reason = sentence(changes.losses[0], say) if changes.losses else _coverage(changes, say)
        return f"Whether paths changed is not known ({sizes}). {reason}"
    if min(changes.n, changes.n_before) < FEWEST:
        return f"Whether paths changed is not known: too few trace ({sizes})."
    if changes.p_value > changes.alpha:
        rows = changes.table[changes.table["grain"] == FIRST]
        least = say.number(100 * rows["smallest_detectable"].max())
        return (
            f"No sign that paths changed: {sizes}. A change of {least} points in the share of a "
            "first step would have been visible."
        )
    moved = changes.table[changes.table["verdict"] == MOVED]
    if moved.empty:
        return f"The paths changed, but no single path stands for it: {sizes}."
    top = moved.sort_values("q_value").iloc[0]
    verb = "rose" if top["change"] > 0 else "fell"
    return (
        f"The paths changed. The share of {change_label(top)} {verb} from "
        f"{say.share(top['share_before'])} to {say.share(top['share'])}, "
        f"{say.points_apart(top['change_low'], top['change_high'])}: {sizes}."
    )


@text.caveats(PathChanges)
def path_changes_caveats(changes: PathChanges, say: Say) -> list[str]:
    """What the journeys were read from, further losses, and how many trace."""
    caveats = [
        *basis_caveats(changes.basis, say),
        *(sentence(loss, say) for loss in changes.losses[1:]),
    ]
    return caveats if changes.has_coverage_gap else [*caveats, _coverage(changes, say)]


@text.table(PathChanges)
def path_changes_table(changes: PathChanges, say: Say) -> pd.DataFrame:
    """The paths with the smallest p values, or the largest changes where there is no p value."""
    ordered = changes.ordered()
    rows = ordered.head(_CHANGES_SHOWN)
    columns = {
        "path": [change_label(row) for _, row in rows.iterrows()],
        changes.comparison.baseline.label: [say.share(share) for share in rows["share_before"]],
        changes.comparison.period.label: [say.share(share) for share in rows["share"]],
        "points": _estimates(rows, "change", say, times=100, digits=1, sign=True),
        "verdict": rows["verdict"],
    }
    return _of_rows(columns, len(ordered))


def change_label(row: pd.Series) -> str:
    """Name of a row of path changes, by its grain and path.

    Examples
    --------
    >>> change_label(pd.Series({"grain": ENDS, "path": "web to demo"}))
    'paths from web to demo'
    """
    if row["grain"] == FIRST:
        return f"first step {row['path']}"
    if row["grain"] == ENDS:
        return f"paths from {row['path']}"
    return short_path(row["path"])


def _coverage(changes: PathChanges, say: Say) -> str:
    parts = [
        f"{say.number(n)} of {say.number(n_all)} in {period.label}"
        for n, n_all, period in (
            (changes.n, changes.n_all, changes.comparison.period),
            (changes.n_before, changes.n_all_before, changes.comparison.baseline),
        )
    ]
    return f"Journeys that trace: {' and '.join(parts)}. The others are excluded."


@text.headline(PathTimes)
def path_times_headline(times: PathTimes, say: Say) -> str:
    """Median days from the first touch to the end."""
    whole = times.table[times.table["step"] == WHOLE_PATH]
    if whole.empty:
        return "No path to won deals is known, so it has no time."
    row = whole.iloc[0]
    if np.isnan(row["n"]):
        return "Too few paths to won deals are known to show how long they take."
    low, median, high = (
        say.number(row[name]) for name in ("median_days_low", "median_days", "median_days_high")
    )
    return (
        f"From the first touch to the end takes a median of {median} days, likely {low} to {high} "
        f"({say.number(row['n'])} won deals that trace)."
    )


@text.caveats(PathTimes)
def path_times_caveats(times: PathTimes, say: Say) -> list[str]:
    """What the journeys were read from."""
    return basis_caveats(times.basis, say)


@text.table(PathTimes)
def path_times_table(times: PathTimes, say: Say) -> pd.DataFrame:
    """Median and quartiles of each step's days."""
    rows = times.table
    quartiles = (_numbers(rows, name, say, digits=1) for name in ("p25_days", "p75_days"))
    return pd.DataFrame(
        {
            "step": rows["step"],
            "journeys": _numbers(rows, "n", say),
            "days, median": _estimates(rows, "median_days", say, digits=1),
            "p25 to p75": [
                " to ".join(filter(None, ends)) for ends in zip(*quartiles, strict=True)
            ],
        }
    )


# credit


@text.headline(Credit)
def credit_headline(credit: Credit, say: Say) -> str:
    """The channel with the largest share, and whether it is ahead of the next."""
    ranked = credit.ranked
    if ranked.empty or (ranked["conversions"] == 0).all():
        return f"No won deal can be credited to a channel ({model_label(credit.model)})."
    top = ranked.iloc[0]
    if np.isnan(top["share"]):
        return _too_few(credit)
    sentence = (
        f"{top['channel']} is credited with {_likely(top, 'share', say)} of {measured(credit)} by "
        f"{model_label(credit.model)} ({say.rows(credit.n_deals, 'won deal')})."
    )
    if len(ranked) == 1:
        return sentence
    second = ranked.iloc[1]
    share = say.share(second["share"])
    if credit.is_ahead:
        return f"{sentence} It is ahead of {second['channel']} with {share}."
    return f"{sentence} The gap to {second['channel']} with {share} is within chance."


@text.caveats(Credit)
def credit_caveats(credit: Credit, say: Say) -> list[str]:
    """What credit does not say, and what limits this one."""
    table, limits = credit.table, credit.limits
    caveats = list(credit.source.caveats) if credit.source is not None else []
    caveats.append("Credit follows how often a channel is touched. It does not measure its effect.")
    if len(table) and not credit.of_value:
        caveats.append("Won deals carry no value in sum, so shares are of won deals.")
    if limits.is_one_channel_each:
        caveats.append(
            "No journey has touches of two channels, so all models agree, and nothing is known of "
            "channels that work together."
        )
    unknown = table[~table["is_ranked"] & (table["channel"] != NOT_TRACED)]
    if len(unknown):
        names = ", ".join(unknown["channel"].fillna(NOT_RECORDED))
        caveats.append(f"{names}: the channel is not known there, so it is not ranked.")
    if limits.is_by_touch:
        caveats.append(
            "Paths hold no times, so time decay halves credit by the touch, not by days."
        )
    if limits.has_no_nulls:
        caveats.append(_NO_NULLS)
    if limits.is_value_by_wins:
        caveats.append("Some value is negative, so value is divided in proportion to wins.")
    if limits.never_alone:
        caveats.append(
            f"No journey met {_named(limits.never_alone)} alone. What such a channel wins by "
            "itself counts as nothing, and its interval allows for that."
        )
    if limits.n_pooled:
        caveats.append(
            f"Of {limits.n_pooled + MOST_CHANNELS - 1} channels, the {limits.n_pooled} with the "
            "fewest touches count as one together, and divide its credit by their touches."
        )
    return caveats


@text.table(Credit)
def credit_table(credit: Credit, say: Say) -> pd.DataFrame:
    """Credited deals and value by channel; with what is not traced they are all that was won."""
    rows = credit.table
    value = {f"credited {say.company.currency}": _numbers(rows, "value", say)}
    columns = {
        "channel": rows["channel"],
        "credited deals": _numbers(rows, "conversions", say, digits=1),
        **(value if credit.of_value else {}),
        f"share of {measured(credit)}": _shares(rows, "share", say),
        "won deals touched": _numbers(rows, "n_deals", say),
    }
    return pd.DataFrame(columns)


@text.headline(ModelComparison)
def models_headline(comparison: ModelComparison, say: Say) -> str:
    """The channel with the largest share under the first model, and whether models agree."""
    ranked = comparison.table[comparison.table["is_ranked"]]
    if ranked.empty or (ranked["conversions"] == 0).all():
        return "No won deal can be credited to a channel, whatever the model."
    first, last = comparison.credits[0], comparison.credits[-1]
    top = first.ranked.iloc[0]
    if np.isnan(top["share"]):
        return _too_few(first)
    sentence = (
        f"Of {say.rows(first.n_deals, 'won deal')}, {top['channel']} gets the largest share of "
        f"{measured(first)} by {model_label(first.model)}: {_likely(top, 'share', say)}"
        f"{_gap(first)}"
    )
    if len(comparison.credits) == 1:
        return f"{sentence}."
    shares = [_share_of(top["channel"], credit) for credit in comparison.credits]
    largest = [credit.ranked["share"].max() - 1e-9 for credit in comparison.credits]
    if all(share >= most for share, most in zip(shares, largest, strict=True)):
        low, high = (say.share(end(shares)) for end in (min, max))
        span = f", with {low} to {high}" if low != high else ""
        return f"{sentence}. It is first under each of {len(shares)} models{span}."
    other = last.ranked.iloc[0]
    return (
        f"{sentence}. By {model_label(last.model)} it is {other['channel']} with "
        f"{say.share(other['share'])}{_gap(last)}: the first channel depends on the model."
    )


@text.caveats(ModelComparison)
def models_caveats(comparison: ModelComparison, say: Say) -> list[str]:
    """Caveats of all models, each once."""
    return _distinct(caveat for credit in comparison.credits for caveat in credit.caveats)


@text.table(ModelComparison)
def models_table(comparison: ModelComparison, say: Say) -> pd.DataFrame:
    """Share of each channel, one column per model."""
    table = pd.DataFrame({"channel": comparison.table["channel"].drop_duplicates().to_numpy()})
    for credit in comparison.credits:
        cells = dict(zip(credit.table["channel"], _shares(credit.table, "share", say), strict=True))
        # a channel that only journeys without a win have gets no credit by any rule
        shown = [cells.get(channel, say.share(0.0)) for channel in table["channel"]]
        table[model_label(credit.model)] = shown
    return table


def measured(credit: Credit) -> str:
    """What the shares of a credit are of."""
    return "booked value" if credit.of_value else "won deals"


def model_label(model: str) -> str:
    """Name of a model for a page.

    Examples
    --------
    >>> model_label("first_touch")
    'first touch'
    """
    return model.replace("_", " ")


_NO_NULLS = (
    "No journey without a win is known. The figures count wins on paths through a channel, and not "
    "how much less often journeys are won without it."
)


def _too_few(credit: Credit) -> str:
    return (
        f"Too few won deals are credited to any one channel by {model_label(credit.model)} to show "
        "its share."
    )


def _gap(credit: Credit) -> str:
    return "" if credit.is_ahead else ", with its gap to the next within chance"


def _share_of(channel: str, credit: Credit) -> float:
    return float(credit.table.loc[credit.table["channel"] == channel, "share"].sum())


@text.headline(CreditedDeals)
def credited_deals_headline(deals: CreditedDeals, say: Say) -> str:
    """Credit of the channel, and the deals it comes from."""
    table = deals.table
    if table.empty:
        return f"No won deal is credited to {deals.channel or 'any channel'}."
    table = deals.as_computed.table
    n = say.number(table["n_deals"].sum())
    credited = say.number(table["conversions"].sum(), digits=1)
    sentence = f"{deals.channel} is credited with {credited} of {n} won deals"
    if table["booked"].any():
        value, booked = (say.money(table[column].sum()) for column in ("value", "booked"))
        sentence += f" and {value} of the {booked} they booked"
    return f"{sentence} ({model_label(deals.model)})."


@text.caveats(CreditedDeals)
def credited_deals_caveats(deals: CreditedDeals, say: Say) -> list[str]:
    """How a model of all journeys is allocated to deals."""
    if not deals.in_proportion:
        return []
    return [
        "This model uses all journeys together and has no part for a single deal. Its credit is "
        "allocated to the won deals that the channel touched, in proportion to what they booked."
    ]


@text.table(CreditedDeals)
def credited_deals_table(deals: CreditedDeals, say: Say) -> pd.DataFrame:
    """The deals, or paths, with most credit."""
    rows = deals.table.head(ROWS_SHOWN)
    columns: dict[str, object] = {}
    if "deal_id" in rows:
        columns["deal"] = rows["deal_id"].fillna("")
    columns["path"] = [short_path(path) for path in rows["path"]]
    if "deal_id" not in rows:
        columns["won deals"] = _numbers(rows, "n_deals", say)
    columns["credited deals"] = _numbers(rows, "conversions", say, digits=2)
    for name in ("value", "booked"):
        heading = "credited" if name == "value" else "booked"
        columns[f"{heading} {say.company.currency}"] = [say.number(n) for n in rows[name]]
    return _of_rows(columns, len(deals.table))


@text.headline(RemovalEffects)
def removal_effects_headline(effects: RemovalEffects, say: Say) -> str:
    """The channel with the largest removal effect."""
    if effects.table["removal_effect"].isna().all():
        return "No won deal traces, so there is no removal effect."
    top = effects.table.iloc[0]
    return (
        f"Without steps into {top['channel']}, the chain of {say.number(effects.n_journeys)} "
        f"journeys loses {_likely(top, 'removal_effect', say)} of its "
        f"{say.rows(effects.n_deals, 'won deal')}."
    )


@text.caveats(RemovalEffects)
def removal_effects_caveats(effects: RemovalEffects, say: Say) -> list[str]:
    """Caveats of the journeys, and what is missing without null journeys."""
    caveats = list(effects.source.caveats) if effects.source is not None else []
    return [*caveats, _NO_NULLS] if effects.has_no_nulls else caveats


@text.table(RemovalEffects)
def removal_effects_table(effects: RemovalEffects, say: Say) -> pd.DataFrame:
    """Removal effect of each channel."""
    rows = effects.table
    return pd.DataFrame(
        {
            "channel": rows["channel"],
            "removal effect": _shares(rows, "removal_effect", say),
            "journeys": _numbers(rows, "n_journeys", say),
            "won deals": _numbers(rows, "n_deals", say),
        }
    )


# lift, spend and what buyers say


@text.headline(Lift)
def lift_headline(lift: Lift, say: Say) -> str:
    """The channels that wins are associated with, and where credit disagrees."""
    known = lift.table[lift.table["lift"].notna()]
    if known.empty:
        return (
            "Lift is not known: it needs journeys with and without a win, and with and without "
            "each channel."
        )
    sizes = f"{say.number(lift.n_journeys)} journeys with {say.rows(lift.n_deals, 'won deal')}"
    more, fewer = (known[known["verdict"] == verdict] for verdict in (MORE, FEWER))
    sentence = f"No channel is shown to be associated with more wins ({sizes})."
    if len(more):
        top = more.iloc[0]
        sentence = (
            f"Most wins are associated with {top['channel']}: {_likely(top, 'lift', say)} of them, "
            f"from {sizes}."
        )
    if len(fewer):
        sentence += f" Fewer wins are associated with {_named(fewer['channel'])}."
    if lift.common_direction and known["verdict"].eq(CANNOT_TELL).all():
        sentence += f" {_length_of_journeys(lift, say)}"
    n = int(known["disagrees"].sum())
    if n:
        sentence += f" Credit and lift disagree on {say.rows(n, 'channel')}."
    return sentence


def _length_of_journeys(lift: Lift, say: Say) -> str:
    won, others = (say.number(n, digits=1) for n in (lift.touches_won, lift.touches_not_won))
    wins = "more wins" if lift.common_direction == MORE else "fewer wins"
    return (
        f"Without regard to length, all channels would be associated with {wins}. That is the "
        f"length of journeys, and no channel: won ones have {won} touches, the others {others}."
    )


@text.caveats(Lift)
def lift_caveats(lift: Lift, say: Say) -> list[str]:
    """Why lift is an association, and which channels have none."""
    caveats = [
        "Lift is an association: who touches a channel may have been closer to buying before. Its "
        "interval covers the sample, not that. Switching a channel off for some buyers at random "
        "would show more.",
        "A journey without a win yet counts as not won. Won journeys run on to the close, so "
        "journeys are compared at an equal number of touches. A channel touched late in a sale "
        "may still be associated with wins for that alone.",
    ]
    if lift.is_relative:
        caveats.append(
            "Each channel is compared with the average channel: the records do not tell whether "
            "all channels together are associated with wins, or the number of touches is."
        )
    if lift.common_direction and lift.table["verdict"].ne(CANNOT_TELL).any():
        caveats.append(_length_of_journeys(lift, say))
    missing = lift.table.loc[lift.table["lift"].isna(), "channel"]
    if lift.has_no_nulls:
        caveats.append(
            "No journey without a win is known, so journeys with and without a channel cannot be "
            "compared."
        )
    elif len(missing):
        caveats.append(
            f"{_named(missing)}: no lift, with fewer than {FEWEST_EACH} journeys with or without "
            "it, or among the least met of many channels."
        )
    return caveats


@text.table(Lift)
def lift_table(lift: Lift, say: Say) -> pd.DataFrame:
    """Lift and credit of each channel."""
    rows = lift.table
    return pd.DataFrame(
        {
            "channel": rows["channel"],
            "lift, of won deals": _shares(rows, "lift", say),
            "verdict": rows["verdict"],
            "share of lift": _shares(rows, "lift_share", say),
            f"share of credit, {model_label(CREDIT_MODEL)}": _shares(rows, "credit_share", say),
            "credit and lift": ["disagree" if disagrees else "" for disagrees in rows["disagrees"]],
            "journeys": _numbers(rows, "n_journeys", say),
            "won deals": _numbers(rows, "n_deals", say),
        }
    )


@text.headline(CostPerWin)
def cost_per_win_headline(costs: CostPerWin, say: Say) -> str:
    """Spend on the channel with most of it, and what a win cost there."""
    if costs.table.empty:
        return "No spend is recorded, so the cost of a win is not known."
    top = costs.table.iloc[0]
    sentence = (
        f"Since {say.day(costs.first_day)}, most was spent on {top['channel']}: "
        f"{say.short_money(top['spend'])} ({say.rows(costs.n_deals, 'won deal')})."
    )
    parts = [
        f"{_cost(top, kind, say)} for each win {label}"
        for kind, label in (("credited", "credited to it"), ("lifted", "associated with it"))
        if np.isfinite(top[f"cost_per_{kind}_win"])
    ]
    return f"{sentence} That is {' and '.join(parts)}." if parts else sentence


@text.caveats(CostPerWin)
def cost_per_win_caveats(costs: CostPerWin, say: Say) -> list[str]:
    """How spend and wins are matched, and what is missing on either side."""
    if costs.table.empty:
        return []
    caveats = [
        "Spend is compared with deals won in the same days; money is spent before deals are won."
    ]
    if costs.not_touched:
        caveats.append(
            f"{', '.join(costs.not_touched)}: money is spent there, and no touch of a won deal "
            "names it. Does it have another name in the touches? Marketing Ops can check."
        )
    if costs.without_spend:
        caveats.append(
            f"{', '.join(costs.without_spend)}: no spend is recorded, so no cost is shown."
        )
    return caveats


@text.table(CostPerWin)
def cost_per_win_table(costs: CostPerWin, say: Say) -> pd.DataFrame:
    """Spend, wins and cost per win by channel."""
    rows = costs.table
    columns = {
        "channel": rows["channel"],
        f"spend, {say.company.currency}": _numbers(rows, "spend", say),
        "share of spend": [say.share(share) for share in rows["spend_share"]],
    }
    for name, heading in (
        ("credited_wins", "credited wins"),
        ("cost_per_credited_win", "cost of a credited win"),
        ("lifted_wins", "lifted wins"),
        ("cost_per_lifted_win", "cost of a lifted win"),
    ):
        columns[heading] = _estimates(rows, name, say)
    return pd.DataFrame(columns)


def _cost(row: pd.Series, kind: str, say: Say) -> str:
    name = f"cost_per_{kind}_win"
    value, low, high = (say.money(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{value} (likely {low} to {high})"


@text.headline(SelfReported)
def self_reported_headline(reported: SelfReported, say: Say) -> str:
    """How often buyers name the channel of the first tracked touch."""
    if not reported.column:
        return (
            "No column of deals or leads holds what buyers say, so tracked sources have nothing to "
            "be compared with. Sales could ask each buyer and record it."
        )
    if not reported.n_deals:
        return f"No won deal has a source in `{reported.column}`, so there is nothing to compare."
    n_agree = reported.as_computed.n_agree
    low, high = wilson(n_agree, reported.n_deals, reported.level)
    share = say.share(n_agree / reported.n_deals)
    return (
        f"{say.number(reported.n_deals)} of {say.rows(reported.n_won, 'won deal')} name a source "
        f"in `{reported.column}`. {share} of these ({say.likely(low, high)}) "
        "name the channel of the first tracked touch."
    )


@text.caveats(SelfReported)
def self_reported_caveats(reported: SelfReported, say: Say) -> list[str]:
    """What either source misses."""
    if not reported.column:
        return []
    caveats = [
        "Buyers name what they remember; tracking sees what leaves a trace. Neither is complete."
    ]
    table = reported.table
    untraced = int(table.loc[table["first_touch"] == NOT_TRACED, "n_deals"].sum())
    if untraced:
        verb = "names a source and does" if untraced == 1 else "name a source and do"
        caveats.append(f"{say.rows(untraced, 'won deal')} {verb} not trace to a touch.")
    silent = reported.n_won - reported.n_deals
    if silent:
        caveats.append(
            f"{say.number(silent)} of {say.rows(reported.n_won, 'won deal')} name no source."
        )
    return caveats


@text.table(SelfReported)
def self_reported_table(reported: SelfReported, say: Say) -> pd.DataFrame:
    """The most frequent pairs of answer and first touch."""
    rows = reported.table
    return pd.DataFrame(
        {
            "buyers say": rows["self_reported"],
            "first touch": rows["first_touch"],
            "won deals": _numbers(rows, "n_deals", say),
            "share": _shares(rows, "share", say),
        }
    )


# pieces


def _likely(row: pd.Series, name: str, say: Say) -> str:
    return f"{say.rate(row[name])} ({say.likely(row[f'{name}_low'], row[f'{name}_high'])})"


def _numbers(rows: pd.DataFrame, name: str, say: Say, *, digits: int = 0) -> list[str]:
    """Cells of a column of numbers, empty where one is missing."""
    cells = (say.number(n, digits=digits) for n in rows[name])
    return ["" if cell == NOT_KNOWN else cell for cell in cells]


def _amounts(rows: pd.DataFrame, say: Say) -> dict[str, list[str]]:
    """The column of amounts, where any is known."""
    if not rows["amount"].any():
        return {}
    return {say.company.currency: _numbers(rows, "amount", say)}


def _shares(rows: pd.DataFrame, name: str, say: Say, *, of: str = "", digits: int = 0) -> list[str]:
    return [say.share_estimate(row, name, of=of, digits=digits) for row in text.each_row(rows)]


def _estimates(rows: pd.DataFrame, name: str, say: Say, **options: Any) -> list[str]:
    return [say.number_estimate(row, name, **options) for row in text.each_row(rows)]


def _of_rows(columns: dict[str, object], n_rows: int) -> text.Excerpt:
    """Cells of the first rows of a result that has `n_rows`."""
    return text.Excerpt(pd.DataFrame(columns).reset_index(drop=True), n_rows)


def _distinct(sentences: object) -> list[str]:
    return list(dict.fromkeys(sentences))


def _named(channels: pd.Series | tuple[str, ...]) -> str:
    names = list(channels)
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _day(moment: pd.Timestamp, say: Say) -> str:
    """Day in the company's time zone, without a break; empty where there is none."""
    if pd.isna(moment):
        return ""
    return say.day(moment.tz_convert(say.company.timezone).date()).replace(" ", NO_BREAK)


def _outcome(trace: Trace, say: Say) -> str:
    end = trace.table.loc[trace.table["event"] == f"deal {trace.outcome}", "happened_at"]
    money = "" if np.isnan(trace.amount) else f" ({say.money(trace.amount)})"
    return f"{trace.outcome}{f' on {_day(end.iloc[0], say)}' if len(end) else ''}{money}"


def _span(low: ShareInterval, as_of: dt.date, say: Say) -> str:
    since = "" if low.from_start else say.day(low.since)
    until = say.day(low.until) if low.until is not None and low.until < as_of else ""
    if since and until:
        return f"from {since} to {until}"
    if until:
        return f"up to {until}"
    return f"from {since} on" if since else "at any time"
