"""Sentences, table headings and labels of promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from funnel.questions.promotions.effect import PromoEffect
from funnel.questions.promotions.fit import DRIFTS, MOST_MOVED, MOVED
from funnel.questions.promotions.placebos import Placebos
from funnel.questions.promotions.promos import Promotion
from funnel.questions.promotions.promotions import Promotions
from funnel.questions.promotions.scope import Refusal
from funnel.questions.promotions.study import A_YEAR, FEWEST_WEEKS, Coverage
from funnel.questions.promotions.value import (
    CANNOT_TELL,
    FEW_WON,
    NO_AMOUNTS,
    NO_PRICE,
    NOT_VIABLE,
    VERDICT_LEVEL,
    VIABLE,
    Value,
)
from funnel.results import Say, text

Row = Mapping[str, Any]
VERDICTS = {VIABLE: "viable", NOT_VIABLE: "not viable", CANNOT_TELL: "inconclusive"}
_NAMED = 3  # promotions in a sentence
_Z = 1.645  # of a 90% interval
_MOST_TIMES = 20  # as many days of a promotion, beyond which nobody can wait for them


def scope_of(promotion: Promotion) -> str:
    """Channel and segment of a promotion, empty for all."""
    return " and ".join(part for part in (promotion.channel, promotion.segment) if part)


def measure_of(result: PromoEffect) -> str:
    """What is counted, in the promotion's scope."""
    scope = scope_of(result.promotion)
    return f"{result.of} in {scope}" if scope else result.of


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def refusal(result: PromoEffect, say: Say) -> str:
    """Why there is no estimate, as a clause; empty where there is one."""
    why = result.refused
    if why is None:
        return ""
    what = measure_of(result)
    day = say.day(why.day) if why.day else ""
    nearest = f" (the nearest is {why.nearest!r})" if why.nearest else ""
    clauses = {
        Refusal.NO_CHANNELS: f"it ran in {why.name!r}, and no channel is recorded",
        Refusal.UNKNOWN_CHANNEL: f"its channel {why.name!r} is in no row{nearest}",
        Refusal.UNKNOWN_SEGMENT: f"its segment {why.name!r} is in no column",
        Refusal.NOTHING_RECORDED: f"nothing is recorded of {what}",
        Refusal.ENDED_BEFORE: f"it ended before {what} begin, on {day}",
        Refusal.BEGINS_AFTER: f"it begins after the last day of the data, {day}",
        Refusal.NO_WHOLE_WEEK: f"no whole week of its days is recorded of {result.of}",
        Refusal.TOO_FEW_WEEKS: f"it needs {FEWEST_WEEKS} whole weeks outside it, free of other "
        f"promotions, and there are {say.number(why.n)}",
        Refusal.EMPTY_WEEKS: f"{say.number(why.n)} of {say.number(why.of)} weeks outside it hold "
        f"no {what}",
    }
    return clauses[why.reason]


@text.headline(PromoEffect)
def effect_headline(result: PromoEffect, say: Say) -> str:
    """Effect against the expected level, net, value and verdict."""
    name = result.promotion.name
    if result.refused:
        return f"The effect of {name} is not known: {refusal(result, say)}."
    row = result.table.iloc[0]
    effect = say.share(abs(row["effect"]))
    side = "above" if row["effect"] >= 0 else "below"
    chance = "" if row["low"] > 0 or row["high"] < 0 else "; that may be chance"
    what = measure_of(result)
    sentences = [
        f"During {name}, {what} were {effect} {side} expected "
        f"({_likely(row, 'low', 'high', say.share)}){chance}."
    ]
    if np.isfinite(row["net"]):
        net = say.share(row["net"], sign=True)
        ends = _likely(row, "net_low", "net_high", say.share)
        sentences.append(f"Net of the weeks around it: {net} ({ends}).")
    else:
        sentences.append("Its net is not known yet.")
    if np.isfinite(row["probability"]):
        value = say.short_money(row["value"], sign=True)
        ends = _likely(row, "value_low", "value_high", say.short_money)
        sentences.append(f"Value after discount and cost: {value} ({ends}).")
    sentences.append(f"Viable or not: {VERDICTS[result.verdict]}.")
    return " ".join(sentences)


def _likely(row: Row, low: str, high: str, write: Callable[..., str]) -> str:
    return f"likely {write(row[low], sign=True)} to {write(row[high], sign=True)}"


@text.caveats(PromoEffect)
def effect_caveats(result: PromoEffect, say: Say) -> list[str]:
    """What a reader must know of the estimate."""
    notes = promotion_notes(result.promotion, say)
    if result.refused or result.study.coverage is None:
        return notes
    first, last = (say.day(day) for day in (result.spans["before"][0], result.spans["after"][1]))
    found = [f"The net covers {first} to {last}; what comes later is not in it."]
    found += _other_promotions(result, say)
    found += _coverage(result.study.coverage, say)
    found += [*notes, _control(result, say), *_lacking(result, say)]
    if result.value is not None:
        found += _not_in_value(result.value, say)
    rates = result.rates
    if rates is not None and (rates.low > 0 or rates.high < 0):
        during, outside = (say.share(each, digits=1) for each in (rates.during, rates.outside))
        found.append(
            f"Of its {say.number(rates.n)} leads {during} are won, of others {outside}; the value "
            "counts them alike."
        )
    return list(dict.fromkeys(found))


def promotion_notes(promotion: Promotion, say: Say) -> list[str]:
    """What was odd in a promotion's row."""
    found = []
    recorded = promotion.discount_recorded
    if recorded < 0 or recorded > 1:
        begin = f"Its discount is recorded as {recorded:g}"
        if np.isfinite(promotion.discount):
            found.append(f"{begin}, and is read as {recorded:g}%.")
        else:
            found.append(f"{begin}, which is no share of a price; it counts as not recorded.")
    if promotion.cost_recorded < 0:
        cost = say.number(promotion.cost_recorded)
        found.append(f"Its cost is recorded as {cost}, below 0; it counts as not recorded.")
    return found


def _other_promotions(result: PromoEffect, say: Say) -> list[str]:
    study, found = result.study, []
    if study.n_left_out:
        found.append(
            f"{study.n_left_out} of the weeks around it are left out of the net, since "
            f"{_listed(study.around)} ran in them."
        )
    if study.overlapping:
        end = (
            "so its figures are of all of them together"
            if study.is_together
            else "and weeks free of them separate it from these"
        )
        found.append(f"{_listed(study.overlapping)} overlapped it for some of the same, {end}.")
    return found


def _coverage(seen: Coverage, say: Say) -> list[str]:
    found = []
    if seen.days_before_data:
        found.append(
            f"It began before the data: {seen.days_before_data} of its {seen.days} days are not "
            "recorded."
        )
    if seen.days_so_far:
        found.append(
            f"It is still running: {seen.days_so_far} of its {seen.days} days are recorded."
        )
    elif not seen.weeks_after:
        found.append("No whole week after it is recorded, so its net is not known.")
    elif not seen.is_after_over:
        found.append(
            f"{seen.weeks_after:.0f} of {seen.weeks_after_planned:.0f} weeks after it are "
            "recorded, and the net covers these."
        )
    if seen.weeks_outside < A_YEAR:
        found.append(
            f"The expected level rests on {say.rows(seen.weeks_outside, 'week')}, under a year: "
            "the season is hardly known."
        )
    elif not seen.has_year_before:
        found.append("The same weeks of the year before are not in the data.")
    return found


def _control(result: PromoEffect, say: Say) -> str:
    fit, name = result.fit, result.study.control_name.capitalize()
    assert fit is not None
    if fit.controlled is not None:
        moved, error = fit.leak
        low, high = (
            say.share(float(np.expm1(moved + side * _Z * error)), sign=True) for side in (-1, 1)
        )
        seen = f"In the same weeks their own level moved by {say.interval(low, high)}"
        farthest = max((moved + side * _Z * error for side in (-1, 1)), key=abs)
        if abs(farthest) > MOST_MOVED:
            most = say.share(float(np.expm1(farthest)), sign=True)
            return (
                f"{name} are the control, but an uncertain one. {seen}: that they stayed as they "
                f"were is not shown. If they moved by {most}, the effect is wrong by about as "
                "much. Compare with the estimate without a control."
            )
        return (
            f"{name} are the control. {seen}, and before they moved alike. A smaller leak into "
            "them would not be visible."
        )
    if fit.unfit:
        why = {MOVED: "they moved in the same weeks themselves", DRIFTS: "they drift away from it"}
        return f"{name} are no control: {why[fit.unfit]}."
    if result.promotion.is_for_all:
        return "It was for everybody, so there is no control."
    return "There is no control: those that it was not for have too few weeks."


def _lacking(result: PromoEffect, say: Say) -> list[str]:
    """What a verdict lacks, where the value is known but neither side of 0 is likely enough."""
    row = result.table.iloc[0]
    if not 1 - VERDICT_LEVEL < row["probability"] < VERDICT_LEVEL:
        return []
    if result.study.is_together:
        return ["A verdict needs weeks in which it ran alone."]
    value, needed = row["value"], result.needed_value
    likely = row["probability"] if value > 0 else 1 - row["probability"]
    side = "above" if value > 0 else "below"
    ask = (
        f"A value {side} 0 has a probability of {say.share(likely)}; a verdict needs "
        f"{say.share(VERDICT_LEVEL)}. With this uncertainty the value would have to be "
        f"{say.short_money(needed, sign=True)} instead of {say.short_money(value, sign=True)}"
    )
    more = (needed / value) ** 2 if value else np.inf
    if more <= _MOST_TIMES:
        times = say.number(float(np.ceil(10 * more) / 10), digits=1)
        ask += f"; with this value, it takes about {times} times as many days of the promotion"
    return [f"{ask}."]


def _not_in_value(value: Value, say: Say) -> list[str]:
    price = value.price
    clauses = {
        NO_PRICE: "the value of a lead at this stage is not known",
        NO_AMOUNTS: "no amounts of deals are recorded",
        FEW_WON: f"only {say.rows(price.n, 'won deal')} for the value of a unit",
    }
    found = [clauses[price.unknown]] if price.unknown else []
    if value.not_recorded:
        found.append(f"no {' and no '.join(value.not_recorded)} is recorded, and none is counted")
    return [f"Of its value: {'; '.join(found)}."] if found else []


@text.table(PromoEffect)
def effect_table(result: PromoEffect, say: Say) -> pd.DataFrame:
    """Each figure in words, with and without the control."""
    if result.refused:
        return pd.DataFrame()
    columns: dict[str, list[str]] = {"": list(_LINES)}
    for row in result.table.to_dict("records"):
        head = f"with {row['control']}" if row["control"] else "without a control"
        columns[head] = [line(say, row) for line in _LINES.values()]
    return pd.DataFrame(columns)


def _in_share(say: Say, row: Row, name: str) -> str:
    begin = {"effect": "", "plain_effect": "plain_"}.get(name, f"{name}_")
    low, high = (say.number(100 * row[begin + end], sign=True) for end in ("low", "high"))
    return say.estimate(say.share(row[name], sign=True), low, high)


def _in_money(say: Say, row: Row, name: str) -> str:
    figure = say.money(row[name])
    if f"{name}_low" not in row:
        return figure
    low, high = (say.money(row[f"{name}_{end}"], sign=True) for end in ("low", "high"))
    return say.estimate(figure, low, high)


def _in_rate(say: Say, row: Row) -> str:
    if not np.isfinite(row["win_rate"]):
        return say.share(row["win_rate"])
    during, outside = (say.share(row[name], digits=1) for name in ("win_rate", "other_win_rate"))
    return f"{during} (others {outside})"


_LINES: dict[str, Callable[[Say, Row], str]] = {
    "observed in its days": lambda say, row: say.number(row["observed"]),
    "expected in its days": lambda say, row: say.number(row["expected"]),
    "above expected": lambda say, row: _in_share(say, row, "effect"),
    "shortfall in the weeks around": lambda say, row: _in_share(say, row, "pull_forward"),
    "net": lambda say, row: _in_share(say, row, "net"),
    "net, in units": lambda say, row: say.number_estimate(row, "net_units", sign=True),
    "minimum detectable change": lambda say, row: say.share(row["smallest_detectable"], sign=True),
    "win rate of its leads": lambda say, row: _in_rate(say, row),
    "discount given": lambda say, row: _in_money(say, row, "discount_given"),
    "cost": lambda say, row: _in_money(say, row, "cost"),
    "value": lambda say, row: _in_money(say, row, "value"),
    "probability of a value above 0": lambda say, row: say.share(row["probability"]),
    "verdict": lambda say, row: VERDICTS[row["verdict"]],
}


@text.headline(Promotions)
def promotions_headline(result: Promotions, say: Say) -> str:
    """How many promotions got each verdict."""
    if not result.effects:
        return "No promotions are listed."
    verdicts = [each.verdict for each in result.effects]
    counts = ", ".join(f"{word}: {verdicts.count(code)}" for code, word in VERDICTS.items())
    return f"Of {say.rows(len(verdicts), 'promotion')}, {counts}."


@text.caveats(Promotions)
def promotions_caveats(result: Promotions, say: Say) -> list[str]:
    """What was odd in the rows of single promotions."""
    return [
        f"{each.promotion.name}: {note[:1].lower()}{note[1:]}"
        for each in result.effects
        for note in promotion_notes(each.promotion, say)
    ]


@text.table(Promotions)
def promotions_table(result: Promotions, say: Say) -> pd.DataFrame:
    """One line per promotion in words."""
    rows = [(each, each.table.iloc[0]) for each in result.effects]
    return pd.DataFrame(
        {
            "promotion": [each.promotion.name for each, _ in rows],
            "for": [scope_of(each.promotion) or "all" for each, _ in rows],
            "measure": [each.of for each, _ in rows],
            "above expected": [_in_share(say, row, "effect") for _, row in rows],
            "net": [_in_share(say, row, "net") for _, row in rows],
            "value": [_in_money(say, row, "value") for _, row in rows],
            "verdict": [refusal(each, say) or VERDICTS[each.verdict] for each, _ in rows],
        }
    )


@text.headline(Placebos)
def placebos_headline(result: Placebos, say: Say) -> str:
    """In how many of the other periods an effect would be shown."""
    others = result.others
    of = f" as {result.of}" if result.of else ""
    if others.empty:
        return f"No other period has the same days{of} free of promotions."
    beyond = int(((others["low"] > 0) | (others["high"] < 0)).sum())
    return (
        f"On the same days{of} in {say.rows(len(others), 'other period')} without a promotion, "
        f"{beyond} would show an effect; about {say.share(1 - result.level)} would by chance."
    )


@text.table(Placebos)
def placebos_table(result: Placebos, say: Say) -> pd.DataFrame:
    """One line per window in words."""
    rows = result.table.to_dict("records")
    return pd.DataFrame(
        {
            "days": [
                " to ".join(say.day(row[end].date()) for end in ("first", "last")) for row in rows
            ],
            "above expected": [_in_share(say, row, "effect") for row in rows],
            "without the control": [_in_share(say, row, "plain_effect") for row in rows],
        }
    )
