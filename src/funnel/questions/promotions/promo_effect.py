"""Whether a promotion paid: above the usual, net of the weeks around it, less what it took."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.questions.promotions.fit import DRAWS, Estimate
from funnel.questions.promotions.model import Fitted, Look, fitted, look_at
from funnel.questions.promotions.placebo import placebos, usual_units
from funnel.questions.promotions.result import COLUMNS, PromoEffect, PromoEffects
from funnel.questions.promotions.scope import measure_of
from funnel.questions.promotions.table import named, promotions
from funnel.questions.promotions.value import (
    CANNOT_TELL,
    Price,
    Value,
    WinRate,
    usual_price,
    value_of,
    win_rate,
)
from funnel.questions.promotions.weeks import WEEKS_BEFORE
from funnel.results import formats, no_rows, rows_of
from funnel.stats import percentiles, smallest_detectable

if TYPE_CHECKING:
    from funnel.dataset import Tables

_PICTURE_WEEKS = 20


def promo_effect(
    data: Tables,
    promo: str | Mapping[str, Any] | pd.Series,
    *,
    of: str | None = None,
    weeks_before: int = WEEKS_BEFORE,
    weeks_after: int | None = None,
) -> PromoEffect:
    """Say what a promotion brought above the usual, net of the weeks around it, and if it paid.

    Parameters
    ----------
    data
        A company's tables; reads `promos`, and `leads` or `deals`.
    promo
        Its name in the table `promos`, in any case, or its row.
    of
        What is counted: `leads`, `wins`, `bookings` or a stage. Default: leads where it ran in a
        channel, for few deals close within its days; else wins, if there are three a week.
    weeks_before, weeks_after
        Weeks around it in which a dip is looked for, and over which the net is told. Default: 2
        before; one and a half times as many after as it ran, at least 4 and at most 13.

    Returns
    -------
    PromoEffect
        With a control in the first row where channels or segments that it was not for passed the
        checks. What cannot be told is missing, and the headline says why.

    Raises
    ------
    ParameterError
        If no promotion of that name is in the table, or there is no such measure.

    Notes
    -----
    Log totals of seven-day weeks, per unit of what their days are worth, on a shrunken season, a
    wandering level, and columns for the weeks of the promotion, before and after it; weeks of
    other promotions for the same are left out. See `docs/promo.md`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> days = pd.date_range("2025-01-01", "2025-12-31", freq="4h", tz="UTC")
    >>> leads = pd.DataFrame({"lead_id": [f"L{n}" for n in range(len(days))], "created_at": days})
    >>> promos = pd.DataFrame({"promo": ["May"], "starts_on": ["2025-05-05"],
    ...                        "ends_on": ["2025-05-25"]})
    >>> result = promo_effect(Tables.of(leads=leads, promos=promos, as_of="2025-12-31"), "may")
    >>> result.verdict, bool(abs(result.table["effect"].iloc[0]) < 0.05)
    ('cannot tell', True)
    """
    if not (isinstance(weeks_before, int) and isinstance(weeks_after, int | None)):
        raise ParameterError("weeks_before and weeks_after must be whole numbers of weeks.")
    if not 0 <= weeks_before <= 26 or not (weeks_after is None or 1 <= weeks_after <= 26):
        raise ParameterError(
            f"weeks_before={weeks_before} must be from 0 to 26, weeks_after={weeks_after} from 1 "
            "to 26: further away, nobody can tell a pay-back from the season."
        )
    promotion = named(data, promo)
    measure = measure_of(data, promotion, of)
    look = look_at(data, promotion, measure, n_before=weeks_before, n_after=weeks_after)
    if look.refused:
        return _result(data, look, _blank(measure))
    seed = data.plan.seed
    fit = fitted(look, seed=seed, n_draws=DRAWS)
    made = [
        (name, each)
        for name, each in ((look.control_name, fit.beside), ("", fit.plain))
        if each is not None
    ]
    outside = ~look.scope.rows_in((look.own["before"][0], look.own["after"][1]))
    price = usual_price(data, look.scope, measure, outside)
    rate = win_rate(data, look.scope, measure, look.is_promoted, outside, data.plan.level)
    rows, values = [], []
    for name, each in made:
        value = _value(data, look, each, price)
        rows.append(_row(data, look, each, value, name) | _of_rate(rate))
        values.append(value)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return replace(
        _result(data, look, table),
        written_caveats=(
            *_caveats(data, look, fit, values[0]),
            *_of_leads(rate, data.plan.company),
        ),
        weekly=_weekly(look, fit.chosen, data.plan.level),
        repeat=lambda: placebos(data, look),
    )


def promo_effects(data: Tables, *, of: str | None = None) -> PromoEffects:
    """Say of every promotion of the table what it brought and whether it paid.

    Parameters
    ----------
    data
        A company's tables; reads `promos`, and `leads` or `deals`.
    of
        As in `promo_effect`.

    Returns
    -------
    PromoEffects
        Newest first; without promotions, a sentence.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> promo_effects(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No promotions are listed, so whether one paid is not asked.'
    """
    every = promotions(data)[::-1]
    effects = tuple(promo_effect(data, one.name, of=of) for one in every)
    frames = [
        effect.table.head(1).assign(
            promo=effect.promotion.name,
            starts_on=pd.Timestamp(effect.promotion.first),
            ends_on=pd.Timestamp(effect.promotion.last),
            channel=effect.promotion.channel,
            segment=effect.promotion.segment,
            refused=effect.refused,
        )
        for effect in effects
    ]
    heads = ["promo", "starts_on", "ends_on", "channel", "segment"]
    columns = [*heads, *COLUMNS, "refused"]
    table = (
        pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
    )
    rows = [
        effect.rows.assign(figure=effect.promotion.name + ": " + effect.rows["figure"])
        for effect in effects
        if len(effect.rows)
    ]
    return PromoEffects(
        table=table,
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"value": data.plan.company.currency, "cost": data.plan.company.currency},
        level=data.plan.level,
        written_caveats=tuple(dict.fromkeys(_of_each(effects))),
        effects=effects,
        says="" if effects else "No promotions are listed, so whether one paid is not asked.",
        company=data.plan.company,
    )


def _of_each(effects: tuple[PromoEffect, ...]) -> list[str]:
    """Give what is to be known of single promotions, by name."""
    return [
        f"{effect.promotion.name}: {caveat[:1].lower()}{caveat[1:]}"
        for effect in effects
        for caveat in effect.caveats
        if caveat in effect.promotion.notes
    ]


def _value(data: Tables, look: Look, each: Estimate, price: Price) -> Value:
    net = each.net if each.seen["after"] > 0 else np.full_like(each.net, np.nan)
    promotion = look.promotion
    return value_of(
        net,
        look.observed,
        price,
        margin=data.plan.margin,
        discount=promotion.discount,
        cost=promotion.cost,
        random=np.random.default_rng(data.plan.seed),
    )


def _row(data: Tables, look: Look, each: Estimate, value: Value, control: str) -> dict[str, Any]:
    level = data.plan.level
    usual = usual_units(look, each)
    is_net = each.seen["after"] > 0
    blank = np.full_like(usual, np.nan)
    draws = {
        "effect": each.effect / usual,
        "effect_units": each.effect,
        "pull_forward": each.pull_forward / usual if is_net else blank,
        "pull_forward_units": each.pull_forward if is_net else blank,
        "net": each.net / usual if is_net else blank,
        "net_units": each.net if is_net else blank,
        "value": value.value,
    }
    row: dict[str, Any] = {"measure": look.of, "control": control}
    for name, drawn in draws.items():
        row[name] = float(drawn[0])
        ends = percentiles(drawn[1:], level) if np.isfinite(drawn).all() else (np.nan, np.nan)
        names = ("low", "high") if name == "effect" else (f"{name}_low", f"{name}_high")
        row |= {key: float(end) for key, end in zip(names, ends, strict=True)}
    is_whole_verdict = is_net and not look.is_together
    return {name: row[name] for name in row if name in COLUMNS} | {
        "smallest_detectable": float(np.expm1(smallest_detectable(each.log_error, level))),
        "observed": look.observed,
        "usual": float(usual[0]),
        "discount_given": value.discount_given,
        "cost": look.promotion.cost,
        "probability": value.probability,
        "verdict": value.verdict if is_whole_verdict else CANNOT_TELL,
        "n": int(look.is_promoted.sum()),
        "n_weeks": each.n_weeks,
    }


def _of_rate(rate: WinRate) -> dict[str, float]:
    return {
        "win_rate": rate.during,
        "usual_win_rate": rate.outside,
        "win_rate_change_low": rate.low,
        "win_rate_change_high": rate.high,
    }


def _of_leads(rate: WinRate, company: Company) -> tuple[str, ...]:
    """Say where leads of a promotion are won more or less often: what it left counts all alike."""
    if not (rate.low > 0 or rate.high < 0):
        return ()
    share = [formats.share(each, company, digits=1) for each in (rate.during, rate.outside)]
    return (
        f"Of its {formats.number(rate.n, company)} leads {share[0]} are won, of others {share[1]}: "
        "what it left counts them alike.",
    )


def _blank(of: str) -> pd.DataFrame:
    words = {"measure": of, "control": "", "verdict": CANNOT_TELL, "n": 0, "n_weeks": 0}
    return pd.DataFrame([{name: words.get(name, np.nan) for name in COLUMNS}])


def _result(data: Tables, look: Look, table: pd.DataFrame) -> PromoEffect:
    scope = look.scope
    rows = [
        rows_of(
            name,
            scope.table,
            scope.ids[look.is_promoted if name == "during" else scope.rows_in(span)],
        )
        for name, span in look.own.items()
    ]
    unit = data.plan.company.currency if look.of == "bookings" else look.of
    return PromoEffect(
        table=table,
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={
            "effect": "share of the usual",
            "effect_units": unit,
            "net_units": unit,
            "value": data.plan.company.currency,
        },
        level=data.plan.level,
        promotion=look.promotion,
        of=look.of,
        refused=look.refused,
        spans=look.own,
        company=data.plan.company,
        written_caveats=look.promotion.notes,
    )


def _caveats(data: Tables, look: Look, fit: Fitted, value: Value) -> tuple[str, ...]:
    first, last = (
        formats.day(when, data.plan.company)
        for when in (look.own["before"][0], look.own["after"][1])
    )
    says = [
        f"Net of {first} to {last}; what comes later is not in it.",
        *look.says,
        *look.promotion.notes,
    ]
    if fit.beside is not None:
        moved, error = fit.leak
        low, high = (np.expm1(moved + side * 1.645 * error) for side in (-1, 1))
        ends = formats.interval(
            *(formats.share(float(end), data.plan.company, sign=True) for end in (low, high))
        )
        says.append(
            f"{look.control_name.capitalize()} stand beside it: in the same weeks their own level "
            f"moved by {ends}, and they kept pace before. A smaller leak into them is not seen."
        )
    elif fit.unfit:
        says.append(f"{look.control_name.capitalize()} are no control: they {fit.unfit}.")
    elif look.promotion.runs_for:
        says.append("Nobody that it was not for has weeks enough to stand beside it.")
    else:
        says.append("It was for everybody, so nobody can stand beside it.")
    if value.leaves_out:
        says.append(f"Of what it left: {'; '.join(value.leaves_out)}.")
    return tuple(dict.fromkeys(says))


def _weekly(look: Look, each: Estimate, level: float) -> pd.DataFrame:
    """Give what came by week near the promotion, and the usual with its interval where told."""
    weeks = look.weeks
    assert weeks is not None
    begin = look.own["before"][0] - dt.timedelta(weeks=_PICTURE_WEEKS)
    end = look.own["after"][1] + dt.timedelta(weeks=_PICTURE_WEEKS)
    usual = each.usual
    table = pd.DataFrame({"starts_on": weeks.starts, "observed": weeks.total})
    for name, values in zip(
        ("usual", "low", "high"), (usual[0], *percentiles(usual[1:], level)), strict=True
    ):
        table[name] = np.nan
        table.loc[each.touched, name] = values
    near = (weeks.starts >= pd.Timestamp(begin)) & (weeks.starts <= pd.Timestamp(end))
    return table[near].reset_index(drop=True)
