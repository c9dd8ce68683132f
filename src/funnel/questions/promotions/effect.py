"""Effect of one promotion: net of the weeks around it, and its value less discount and cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.methods.question import figure
from funnel.questions.promotions.fit import DRAWS, Estimate, StudyFit, fit_study
from funnel.questions.promotions.placebos import (
    PLACEBO_COLUMNS,
    Placebos,
    expected_units,
    placebo_windows,
)
from funnel.questions.promotions.promos import Promotion, find_promotion
from funnel.questions.promotions.scope import Refused, measure_of
from funnel.questions.promotions.study import Study, study_of
from funnel.questions.promotions.value import (
    CANNOT_TELL,
    VERDICT_LEVEL,
    Price,
    Value,
    WinRate,
    unit_price,
    value_of,
    win_rate,
)
from funnel.questions.promotions.weeks import WEEKS_BEFORE, Span
from funnel.results import Result, rows_of
from funnel.stats import percentiles, smallest_detectable, standard_error

if TYPE_CHECKING:
    from funnel.dataset import Tables

COLUMNS = (
    "measure", "control", "effect", "low", "high", "pull_forward", "pull_forward_low",
    "pull_forward_high", "net", "net_low", "net_high", "smallest_detectable", "observed",
    "expected", "effect_units", "effect_units_low", "effect_units_high", "pull_forward_units",
    "net_units", "net_units_low", "net_units_high", "discount_given", "cost", "value", "value_low",
    "value_high", "probability", "verdict", "n", "n_weeks", "win_rate", "other_win_rate",
    "win_rate_change_low", "win_rate_change_high",
)  # fmt: skip
_CHART_WEEKS = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class PromoEffect(Result):
    """Effect of a promotion against the expected level, pull-forward, net, and value.

    `table` has one row per `control` (the row that counts first; an empty `control` is the fit
    without one):

    - `effect`, `low`, `high`: observed in its days less expected, as a share of the expected;
    - `pull_forward`: shortfall of the weeks before and after it, as a share of the same;
    - `net` = `effect` - `pull_forward`; each also in units, `<name>_units`;
    - `smallest_detectable`: the minimum share that would be found four times in five;
    - `observed`, `expected`: units in its days; `n` rows in them, `n_weeks` outside it;
    - `discount_given`, `cost` (fixed, as recorded), `value` = margin x price x net units -
      discount - cost, in currency, and the `probability` that it is above 0;
    - `win_rate`, `other_win_rate` of mature leads of its days and of other days, and the interval
      `win_rate_change_low`, `win_rate_change_high` of their difference;
    - `verdict`: `viable` from a probability of 0.9, `not viable` to 0.1, else `cannot tell`.

    Intervals are `<name>_low`, `<name>_high`. What is not known is missing.

    Attributes
    ----------
    study, fit, value, rates
        What the table is made from: rows and weeks, the fit, the value of its first row, and win
        rates; the last three are `None` where it is refused.
    weekly
        Near the promotion, one row per week: `starts_on`, `observed`, `expected`, `low`, `high`.
    data
        The dataset.
    """

    study: Study = field(repr=False)
    data: Tables = field(repr=False)
    fit: StudyFit | None = field(default=None, repr=False)
    value: Value | None = field(default=None, repr=False)
    rates: WinRate | None = None
    weekly: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def promotion(self) -> Promotion:
        """The promotion."""
        return self.study.promotion

    @property
    def of(self) -> str:
        """What is counted."""
        return self.study.of

    @property
    def refused(self) -> Refused | None:
        """Why there is no estimate; `None` where there is one."""
        return self.study.refused

    @property
    def spans(self) -> dict[str, Span]:
        """Days before, during and after it."""
        return self.study.spans

    @property
    def verdict(self) -> str:
        """`viable`, `not viable` or `cannot tell`."""
        return str(self.table["verdict"].iloc[0])

    @property
    def needed_value(self) -> float:
        """Value from which, or down to which, there were a verdict with the present uncertainty."""
        from scipy.special import ndtri

        row = self.table.iloc[0]
        error = standard_error(row["value_low"], row["value_high"], self.level)
        return float(np.copysign(ndtri(VERDICT_LEVEL) * error, row["value"]))

    @figure
    def placebos(self) -> Placebos:
        """The same fit on the same days of other periods, in which nothing was promoted."""
        own, plain = self.table.iloc[0], self.table.iloc[-1]
        mine = {
            "promo": self.promotion.name,
            "first": pd.Timestamp(self.promotion.first),
            "last": pd.Timestamp(self.promotion.last),
            "quarters": 0,
            "control": own["control"],
        }
        for name in ("effect", "low", "high"):
            mine |= {name: own[name], f"plain_{name}": plain[name]}
        found = [] if self.refused else [mine, *placebo_windows(self.data, self.study)]
        return Placebos(
            table=pd.DataFrame(found, columns=list(PLACEBO_COLUMNS)),
            as_of=self.as_of,
            level=self.level,
            company=self.company,
            units={"effect": "share of the expected"},
            of=self.promotion.name,
        )


def promo_effect(
    data: Tables,
    promo: str | Mapping[str, Any] | pd.Series,
    *,
    of: str | None = None,
    weeks_before: int = WEEKS_BEFORE,
    weeks_after: int | None = None,
) -> PromoEffect:
    """Effect of a promotion, net of the weeks around it, and whether it was viable.

    Parameters
    ----------
    data
        A dataset; reads `promos`, and `leads` or `deals`.
    promo
        Its name in the table `promos`, in any case, or its row.
    of
        What is counted: `leads`, `wins`, `bookings` or a stage. Default: leads where it ran in a
        channel, for few deals close within its days; else wins, if there are three a week.
    weeks_before, weeks_after
        Weeks around it in which a shortfall is estimated, and over which the net counts. Default: 2
        before; one and a half times as many after as it ran, at least 4 and at most 13.

    Returns
    -------
    PromoEffect
        With a control in the first row where channels or segments that it was not for passed the
        checks. What is not known is missing, and the headline says why.

    Raises
    ------
    ParameterError
        If no promotion of that name is in the table, or there is no such measure.

    Notes
    -----
    Log totals of seven-day weeks, per unit of exposure, on a shrunken season, a random-walk level,
    and columns for the weeks of the promotion, before and after it; weeks of other promotions for
    the same are left out. See `docs/promotions.md`.

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
            "to 26: further away, a pay-back cannot be separated from the season."
        )
    promotion = find_promotion(data, promo)
    measure = measure_of(data, promotion, of)
    study = study_of(data, promotion, measure, n_before=weeks_before, n_after=weeks_after)
    if study.refused:
        return _result(data, study, [_blank(measure)])
    level = data.plan.level
    fit = fit_study(study, seed=data.plan.seed, n_draws=DRAWS)
    outside = ~study.scope.rows_in((study.spans["before"][0], study.spans["after"][1]))
    price = unit_price(data, study.scope, measure, outside)
    rates = win_rate(data, study.scope, measure, study.is_promoted, outside, level)
    rows, values = [], []
    for name, each in ((study.control_name, fit.controlled), ("", fit.plain)):
        if each is not None:
            value = _value(data, study, each, price)
            rows.append(_row(study, each, value, name, level) | _of_rates(rates))
            values.append(value)
    return replace(
        _result(data, study, rows),
        fit=fit,
        value=values[0],
        rates=rates,
        weekly=_weekly(study, fit.chosen, level),
    )


def _value(data: Tables, study: Study, each: Estimate, price: Price) -> Value:
    net = each.net if each.seen["after"] > 0 else np.full_like(each.net, np.nan)
    promotion = study.promotion
    return value_of(
        net,
        study.observed,
        price,
        margin=data.plan.margin,
        discount=promotion.discount,
        cost=promotion.cost,
        random=np.random.default_rng(data.plan.seed),
    )


def _row(study: Study, each: Estimate, value: Value, control: str, level: float) -> dict[str, Any]:
    expected = expected_units(study, each)
    is_net = each.seen["after"] > 0
    blank = np.full_like(expected, np.nan)
    draws = {
        "effect": each.effect / expected,
        "effect_units": each.effect,
        "pull_forward": each.pull_forward / expected if is_net else blank,
        "pull_forward_units": each.pull_forward if is_net else blank,
        "net": each.net / expected if is_net else blank,
        "net_units": each.net if is_net else blank,
        "value": value.value,
    }
    row: dict[str, Any] = {"measure": study.of, "control": control}
    for name, drawn in draws.items():
        row[name] = float(drawn[0])
        ends = percentiles(drawn[1:], level) if np.isfinite(drawn).all() else (np.nan, np.nan)
        names = ("low", "high") if name == "effect" else (f"{name}_low", f"{name}_high")
        row |= {key: float(end) for key, end in zip(names, ends, strict=True)}
    is_whole_verdict = is_net and not study.is_together
    return {name: row[name] for name in row if name in COLUMNS} | {
        "smallest_detectable": float(np.expm1(smallest_detectable(each.log_error, level))),
        "observed": study.observed,
        "expected": float(expected[0]),
        "discount_given": value.discount_given,
        "cost": study.promotion.cost,
        "probability": value.probability,
        "verdict": value.verdict if is_whole_verdict else CANNOT_TELL,
        "n": int(study.is_promoted.sum()),
        "n_weeks": each.n_weeks,
    }


def _of_rates(rates: WinRate) -> dict[str, float]:
    return {
        "win_rate": rates.during,
        "other_win_rate": rates.outside,
        "win_rate_change_low": rates.low,
        "win_rate_change_high": rates.high,
    }


def _blank(of: str) -> dict[str, Any]:
    known = {"measure": of, "control": "", "verdict": CANNOT_TELL, "n": 0, "n_weeks": 0}
    return {name: known.get(name, np.nan) for name in COLUMNS}


def _result(data: Tables, study: Study, table: list[dict[str, Any]]) -> PromoEffect:
    scope = study.scope
    rows = [
        rows_of(
            name,
            scope.table,
            scope.ids[study.is_promoted if name == "during" else scope.rows_in(span)],
        )
        for name, span in study.spans.items()
    ]
    company = data.plan.company
    unit = company.currency if study.of == "bookings" else study.of
    return PromoEffect(
        table=pd.DataFrame(table, columns=list(COLUMNS)),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True),
        units={
            "effect": "share of the expected",
            "effect_units": unit,
            "net_units": unit,
            "value": company.currency,
        },
        level=data.plan.level,
        company=company,
        study=study,
        data=data,
    )


def _weekly(study: Study, each: Estimate, level: float) -> pd.DataFrame:
    """Weeks near the promotion: observed, and expected with its interval where it is estimated."""
    weeks = study.weeks
    assert weeks is not None
    begin = study.spans["before"][0] - dt.timedelta(weeks=_CHART_WEEKS)
    end = study.spans["after"][1] + dt.timedelta(weeks=_CHART_WEEKS)
    expected = each.expected
    table = pd.DataFrame({"starts_on": weeks.starts, "observed": weeks.total})
    for name, values in zip(
        ("expected", "low", "high"), (expected[0], *percentiles(expected[1:], level)), strict=True
    ):
        table[name] = np.nan
        table.loc[each.touched, name] = values
    near = (weeks.starts >= pd.Timestamp(begin)) & (weeks.starts <= pd.Timestamp(end))
    return table[near].reset_index(drop=True)
