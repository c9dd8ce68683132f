"""What promotions brought: one of them, all of them, and the same days of other periods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.questions.promotions.table import Promotion
from funnel.questions.promotions.value import CANNOT_TELL, NOT_VIABLE, VIABLE
from funnel.questions.promotions.weeks import Span
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (
    "measure", "control", "effect", "low", "high", "pull_forward", "pull_forward_low",
    "pull_forward_high", "net", "net_low", "net_high", "smallest_detectable", "observed", "usual",
    "effect_units", "effect_units_low", "effect_units_high", "pull_forward_units", "net_units",
    "net_units_low", "net_units_high", "discount_given", "cost", "value", "value_low",
    "value_high", "probability", "verdict", "n", "n_weeks", "win_rate", "usual_win_rate",
    "win_rate_change_low", "win_rate_change_high",
)  # fmt: skip
_SAID = {VIABLE: "it is viable", NOT_VIABLE: "it is not viable"}


PLACEBO_COLUMNS = (
    "promo", "first", "last", "quarters", "control", "effect", "low", "high",
    "plain_effect", "plain_low", "plain_high",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Placebos(Result):
    """A promotion beside the same days of other periods, in which nothing was promoted.

    `table` has one row per window, the promotion's own with 0 `quarters` away: `promo`, `first`,
    `last`, `quarters`, the `control` used, and `effect`, `low`, `high` (share of the usual) with
    and, as `plain_...`, without it.
    """

    of: str = ""
    company: Company = field(default_factory=Company)

    @property
    def others(self) -> pd.DataFrame:
        """The windows that hold no promotion."""
        return self.table[self.table["quarters"] != 0]

    @property
    def headline(self) -> str:
        """In how many of the other windows an effect would be claimed."""
        others = self.others
        if others.empty:
            return f"No other period has the same days free of promotions{self._of}."
        beyond = int(((others["low"] > 0) | (others["high"] < 0)).sum())
        expected = formats.share(1 - self.level, self.company)
        return (
            f"On the same days of {len(others)} other periods{self._of}, in which nothing was "
            f"promoted, {beyond} intervals leave zero out; about {expected} would by chance."
        )

    @property
    def _of(self) -> str:
        return f" as {self.of}" if self.of else ""

    def shown(self) -> pd.DataFrame:
        """Give one line per window in words."""
        plain = {"effect": "plain_effect", "low": "plain_low", "high": "plain_high"}
        rows = [row for _, row in self.table.iterrows()]
        days = [
            " to ".join(formats.day(row[end].date(), self.company) for end in ("first", "last"))
            for row in rows
        ]
        without = [pd.Series({name: row[column] for name, column in plain.items()}) for row in rows]
        return pd.DataFrame(
            {
                "days": days,
                "above the usual": [_in_share(self.company, row, "effect") for row in rows],
                "without the control": [_in_share(self.company, row, "effect") for row in without],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the promotion's effect and those of the other windows."""
        from funnel.questions.promotions import charts

        return charts.placebos(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class PromoEffect(Result):
    """What a promotion brought above the usual, what the weeks around it lack, and what it left.

    `table` has one row per `control` (the row that counts first; an empty `control` is the fit
    without one):

    - `effect`, `low`, `high`: what came in its days above the usual, as a share of the usual;
    - `pull_forward`: what the weeks before and after it lack, as a share of the same usual;
    - `net` = `effect` - `pull_forward`; each also in units, `<name>_units`;
    - `smallest_detectable`: the share that would be found four times in five;
    - `observed`, `usual`: units in its days; `n` rows in them, `n_weeks` outside it;
    - `discount_given`, `cost` (fixed, as recorded), `value` = margin x price x net units -
      discount - cost, in currency, and the `probability` that it is above 0;
    - `win_rate`, `usual_win_rate` of leads of its days and of others, old enough to have won, and
      the interval `win_rate_change_low`, `win_rate_change_high` of their difference;
    - `verdict`: `viable` from a probability of 0.9, `not viable` to 0.1, else `cannot tell`.

    Intervals are `<name>_low`, `<name>_high`. What cannot be told is missing.
    """

    promotion: Promotion
    of: str
    refused: str = ""
    spans: dict[str, Span] = field(default_factory=dict)
    weekly: pd.DataFrame = field(default_factory=pd.DataFrame)
    company: Company = field(default_factory=Company)
    repeat: Callable[[], list[dict[str, Any]]] | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """`viable`, `not viable` or `cannot tell`."""
        return str(self.table["verdict"].iloc[0])

    @property
    def headline(self) -> str:
        """Its distance from the usual, the same net of the weeks around, and whether it paid."""
        name = self.promotion.name
        if self.refused:
            return f"What {name} brought cannot be told: {self.refused}."
        row = self.table.iloc[0]
        whose = f" in {self.promotion.runs_for}" if self.promotion.runs_for else ""
        net = f"net of the weeks around it by {self._share(row, 'net')}"
        if not np.isfinite(row["net"]):
            net = "net of the weeks around it cannot be told yet"
        may = "" if row["low"] > 0 or row["high"] < 0 else ", which may be chance"
        return (
            f"During {name}, {self.of}{whose} differ from the usual by "
            f"{self._share(row, 'effect')}{may}; {net}; {self._viability(row)}."
        )

    def _viability(self, row: pd.Series) -> str:
        if not np.isfinite(row["probability"]):
            return _SAID.get(self.verdict, "whether it was viable cannot be told")
        worth = formats.money(row["value"], self.company, sign=True)
        ends = formats.interval(
            *(
                formats.money(row[f"value_{end}"], self.company, sign=True)
                for end in ("low", "high")
            )
        )
        chance = formats.share(row["probability"], self.company)
        end = _SAID.get(self.verdict, "whether it was viable cannot be told")
        return f"what it left is {worth} {ends}, above 0 with a probability of {chance}: {end}"

    def _share(self, row: pd.Series, name: str) -> str:
        ends = ("low", "high") if name == "effect" else (f"{name}_low", f"{name}_high")
        low, high = (formats.share(row[end], self.company, sign=True) for end in ends)
        return f"{formats.share(row[name], self.company, sign=True)} {formats.interval(low, high)}"

    @cached_property
    def placebos(self) -> Placebos:
        """The same fit on the same days of other periods, in which nothing was promoted.

        Whole years away first, then quarters; at most 8 that no promotion for the same comes near.
        """
        own, plain = self.table.iloc[0], self.table.iloc[-1]
        found = self.repeat() if self.repeat is not None else []
        mine = {
            "promo": self.promotion.name,
            "first": pd.Timestamp(self.promotion.first),
            "last": pd.Timestamp(self.promotion.last),
            "quarters": 0,
            "control": own["control"],
        }
        for name, column in (("effect", "effect"), ("low", "low"), ("high", "high")):
            mine |= {name: own[column], f"plain_{name}": plain[column]}
        table = pd.DataFrame([] if self.refused else [mine, *found], columns=list(PLACEBO_COLUMNS))
        return Placebos(
            table=table, as_of=self.as_of, level=self.level, units={"effect": "share of the usual"},
            of=self.promotion.name, company=self.company,
        )  # fmt: skip

    def shown(self) -> pd.DataFrame:
        """Give each figure in words, with and without the control."""
        if self.refused:
            return pd.DataFrame()
        columns = {"": list(_LINES)}
        for _, row in self.table.iterrows():
            head = f"beside {row['control']}" if row["control"] else "without a control"
            columns[head] = [line(self.company, row) for line in _LINES.values()]
        return pd.DataFrame(columns)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what came by week, and what would be usual in its weeks and those around."""
        from funnel.questions.promotions import charts

        return charts.promo_effect(self, ax)


def _in_units(company: Company, row: pd.Series, name: str) -> str:
    ends = [f"{name}_{end}" for end in ("low", "high") if f"{name}_{end}" in row]
    figures = (formats.number(row[each], company, sign=True) for each in (name, *ends))
    return formats.estimate(*figures) if ends else next(figures)


def _in_share(company: Company, row: pd.Series, name: str) -> str:
    ends = ("low", "high") if name == "effect" else (f"{name}_low", f"{name}_high")
    if not np.isfinite(row[name]):
        return formats.NOT_KNOWN
    figures = (formats.number(100 * row[end], company, sign=True) for end in ends)
    return formats.estimate(formats.share(row[name], company, sign=True), *figures)


def _in_money(company: Company, row: pd.Series, name: str) -> str:
    figures = [formats.money(row[name], company)]
    if f"{name}_low" in row:
        figures += [
            formats.money(row[f"{name}_{end}"], company, sign=True) for end in ("low", "high")
        ]
        return formats.estimate(*figures)
    return figures[0]


def _in_rate(company: Company, row: pd.Series) -> str:
    if not np.isfinite(row["win_rate"]):
        return formats.NOT_KNOWN
    during, outside = (
        formats.share(row[name], company, digits=1) for name in ("win_rate", "usual_win_rate")
    )
    return f"{during} (others {outside})"


_LINES: dict[str, Callable[[Company, pd.Series], str]] = {
    "came in its days": lambda company, row: formats.number(row["observed"], company),
    "usual there": lambda company, row: formats.number(row["usual"], company),
    "above the usual": lambda company, row: _in_share(company, row, "effect"),
    "lacking in the weeks around": lambda company, row: _in_share(company, row, "pull_forward"),
    "net": lambda company, row: _in_share(company, row, "net"),
    "net, in units": lambda company, row: _in_units(company, row, "net_units"),
    "smallest detectable": lambda company, row: formats.share(
        row["smallest_detectable"], company, sign=True
    ),
    "won, of its leads": lambda company, row: _in_rate(company, row),
    "discount given": lambda company, row: _in_money(company, row, "discount_given"),
    "cost": lambda company, row: _in_money(company, row, "cost"),
    "what it left": lambda company, row: _in_money(company, row, "value"),
    "probability above 0": lambda company, row: formats.share(row["probability"], company),
    "verdict": lambda company, row: row["verdict"],
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PromoEffects(Result):
    """Every promotion of the table, newest first.

    `table` has one row per promotion: `promo`, `starts_on`, `ends_on`, `channel`, `segment`, then
    the columns of the first row of its own result (see `PromoEffect`), and `refused`.
    """

    effects: tuple[PromoEffect, ...] = ()
    says: str = ""
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """How many were viable, and how many can be told."""
        if self.says:
            return self.says
        verdicts = [effect.verdict for effect in self.effects]
        n = len(verdicts)
        counts = {word: verdicts.count(word) for word in (VIABLE, NOT_VIABLE, CANNOT_TELL)}
        said = ", ".join(f"{word}: {count}" for word, count in counts.items())
        return f"Of {n} promotion{'s' * (n != 1)}, {said}."

    def shown(self) -> pd.DataFrame:
        """Give one line per promotion in words."""
        rows = [(effect, effect.table.iloc[0]) for effect in self.effects]
        return pd.DataFrame(
            {
                "promotion": [effect.promotion.name for effect, _ in rows],
                "for": [effect.promotion.runs_for or "all" for effect, _ in rows],
                "measure": [effect.of for effect, _ in rows],
                "above the usual": [_in_share(self.company, row, "effect") for effect, row in rows],
                "net": [_in_share(self.company, row, "net") for effect, row in rows],
                "what it left": [_in_money(self.company, row, "value") for effect, row in rows],
                "verdict": [effect.refused or row["verdict"] for effect, row in rows],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each promotion's effect and net with their intervals."""
        from funnel.questions.promotions import charts

        return charts.promo_effects(self, ax)

    @property
    def newest(self) -> PromoEffect | None:
        """The newest promotion of which something can be told."""
        return next((effect for effect in self.effects if not effect.refused), None)

    @property
    def placebos(self) -> Placebos:
        """The newest promotion beside the same days of other periods."""
        if self.newest is not None:
            return self.newest.placebos
        table = pd.DataFrame(columns=list(PLACEBO_COLUMNS))
        return Placebos(table=table, as_of=self.as_of, level=self.level, company=self.company)

    def plot_newest(self, ax: Axes | None = None) -> Axes:
        """Draw the newest promotion of which something can be told, by week."""
        from funnel.questions.promotions import charts

        return charts.promo_effect(self.newest, ax) if self.newest else charts.none(self, ax)
