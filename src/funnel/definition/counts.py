"""Counts and money under each side's definition, and who falls between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import formats
from funnel.definition.judged import (
    SIDES,
    created_in,
    hand_over,
    judged,
    judging_rule,
    matured,
)
from funnel.evidence import wilson
from funnel.plan import Company
from funnel.results import Result, no_rows, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.load import Tables

HANDED_OVER = "handed over"
SPANS = ("period", "baseline", "matured")
_OUTCOMES = ("n_tried", "n_won", "win_rate", "win_rate_low", "win_rate_high", "amount")
_WON_OF = "won, of matured leads handed over"
BOTH, NEITHER, OPEN = "both", "neither", "cannot tell"


@dataclass(frozen=True, eq=False, kw_only=True)
class Definitions(Result):
    """How many leads each definition takes, and what became of them.

    `table` has one row per definition (`marketing`, `sales`, `agreed`, and `handed over`: what was
    in fact passed to sales) and `span`: leads created in the `period`, in the `baseline`, or
    `matured` (old enough for their outcome to be known):

    - `expression`, `n_leads`, `n_known` (leads of which the fields tell), `n_qualified`, `share`
      (of those known) with `share_low`, `share_high`;
    - of matured leads that qualify: `n_tried` (those handed over, which alone could be won; all
      of them where no hand-over is recorded), `n_won` of these by the age of `days`, `win_rate`
      with `win_rate_low`, `win_rate_high`, and `amount` (won, currency). Of younger ones these are
      missing.
    """

    company: Company = field(default_factory=Company)
    days: float = float("nan")
    period: str = ""

    @property
    def headline(self) -> str:
        """How many of the period's leads each definition takes."""
        rows = self.table[(self.table["span"] == "period")]
        written = rows[rows["definition"] != HANDED_OVER]
        if written.empty:
            return "No definition that can be read is in the plan, so there is none to compare."
        n = int(rows["n_leads"].iloc[0])
        if not n:
            return f"No lead was created in {self.period}, so no definition takes any."
        says = [
            f"{_WHOSE[row['definition']]} takes "
            f"{formats.number(row['n_qualified'], self.company)} ({_share(row, self.company)})"
            for _, row in written.iterrows()
        ]
        handed = rows[rows["definition"] == HANDED_OVER]
        end = ""
        if len(handed):
            n_handed = formats.number(handed["n_qualified"].iloc[0], self.company)
            end = f"; {n_handed} have been handed over"
        return (
            f"Of {formats.number(n, self.company)} leads of {self.period}, {', '.join(says)}{end}."
        )

    def shown(self) -> pd.DataFrame:
        """Give one row per definition: leads of the two periods, outcomes of matured ones."""
        table, company = self.table, self.company
        rows = {span: table[table["span"] == span].set_index("definition") for span in SPANS}
        names = list(rows["period"].index)
        shown = pd.DataFrame({"definition": names})
        for span, title in (("period", "this period"), ("baseline", "baseline")):
            shown[title] = [_counted(rows[span].loc[name], company) for name in names]
        if len(rows["matured"]) and rows["matured"]["n_leads"].gt(0).any():
            of_old = [rows["matured"].loc[name] for name in names]
            shown[_WON_OF] = [
                formats.share_estimate(row, "win_rate", company, of="n_tried") for row in of_old
            ]
            shown["won amount of these"] = [formats.money(row["amount"], company) for row in of_old]
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share that each definition takes, in both periods."""
        from funnel.plots import definition as plots

        return plots.definitions(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class Overlap(Result):
    """Who is qualified for both sides, for one only, or for neither.

    `table` has one row per `group` (`both`, `<side> only` for each of `sides`, `neither`,
    `cannot tell` where a blank field leaves it open) and `span`, with `n`, `share` of all leads of
    the span, `share_low`, `share_high`, `n_handed_over`; of matured leads also `n_tried`, `n_won`,
    `win_rate` with its interval, and `amount` (won, currency), as in `Definitions`.
    """

    company: Company = field(default_factory=Company)
    sides: tuple[str, str] = ("marketing", "sales")
    days: float = float("nan")
    period: str = ""

    @property
    def headline(self) -> str:
        """Who falls between the two definitions, and what became of those who are old enough."""
        period = self.table[self.table["span"] == "period"].set_index("group")
        if period.empty:
            return "Fewer than two definitions can be read, so none falls between them."
        number = self._number
        says = (
            f"{number(period.loc[BOTH, 'n'])} leads of {self.period} are qualified for both, "
            + " and ".join(
                f"{number(period.loc[f'{side} only', 'n'])} for {side} only" for side in self.sides
            )
        )
        old = self.table[self.table["span"] == "matured"].set_index("group")
        rates = [
            f"{_rate(old.loc[group], self.company)} of {number(old.loc[group, 'n_tried'])} {group}"
            for group in (BOTH, *(f"{side} only" for side in self.sides))
            if group in old.index and old.loc[group, "n_tried"]
        ]
        if rates:
            by = formats.number(self.days, self.company)
            says += f"; of those handed over long enough ago, won by day {by}: {', '.join(rates)}"
        return f"{says}."

    def _number(self, value: float) -> str:
        return formats.number(value, self.company)

    def shown(self) -> pd.DataFrame:
        """Give one row per group."""
        if self.table.empty:
            return pd.DataFrame()
        rows = {span: self.table[self.table["span"] == span] for span in SPANS}
        company = self.company
        shown = pd.DataFrame({"qualified for": rows["period"]["group"].to_numpy()})
        for span, title in (("period", "this period"), ("baseline", "baseline")):
            shown[title] = [
                f"{self._number(row['n'])} ({_share(row, company)})"
                for _, row in rows[span].iterrows()
            ]
        if len(rows["matured"]):
            shown["matured, never handed over"] = [
                self._number(row["n"] - row["n_tried"]) for _, row in rows["matured"].iterrows()
            ]
            shown[_WON_OF] = [
                formats.share_estimate(row, "win_rate", company, of="n_tried")
                for _, row in rows["matured"].iterrows()
            ]
            shown["won amount of these"] = [
                formats.money(row["amount"], company) for _, row in rows["matured"].iterrows()
            ]
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the groups of the period, side by side."""
        from funnel.plots import definition as plots

        return plots.overlap(self, ax)


def definition(data: Tables) -> Definitions:
    """Count leads, wins and money under marketing's, sales' and the agreed definition.

    Parameters
    ----------
    data
        A company's tables, with `[definition]` in its plan. A definition that cannot be read or
        run is told among the caveats, and the others are counted all the same.

    Notes
    -----
    A lead is judged by what was known when it was handed over (see `docs/definition.md`). Where a
    field that decides is blank, the answer is open, and the lead counts on neither side. Wins are
    those of matured leads, by the age by which 95 % of wins have come, so that younger leads do not
    look as if they won less.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.load import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> definition(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No definition that can be read is in the plan, so there is none to compare.'
    """
    who, old = judged(data), matured(data)
    way = hand_over(data)
    frame = who.leads.assign(**{HANDED_OVER: who.leads["handed_at"].notna().astype("boolean")})
    names = [*who.sides, *([HANDED_OVER] if way.is_known and who.sides else [])]
    table, rows = [], []
    for name in names:
        for span in SPANS:
            leads = _of_span(data, frame, old, span)
            answer = leads[name]
            takes = answer.fillna(False).to_numpy(bool)
            n, k = int(answer.notna().sum()), int(takes.sum())
            table.append(
                {
                    "definition": name,
                    "span": span,
                    "expression": who.texts.get(name, way.stage),
                    "n_leads": len(leads),
                    "n_known": n,
                    "n_qualified": k,
                    "share": k / n if n else np.nan,
                    **_ends("share", k, n, data.plan.level),
                    **_outcomes(leads[takes], span, data.plan.level),
                }
            )
            rows.append(rows_of(f"{name}, {span}", "leads", leads.loc[takes, "lead_id"]))
    columns = [
        *("definition", "span", "expression", "n_leads", "n_known", "n_qualified", "share"),
        *("share_low", "share_high", *_OUTCOMES),
    ]
    return Definitions(
        table=pd.DataFrame(table, columns=columns),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={
            "share": "of leads known",
            "win_rate": "share",
            "amount": data.plan.company.currency,
        },
        level=data.plan.level,
        caveats=_caveats(data),
        company=data.plan.company,
        days=old.attrs["days"],
        period=data.comparison.period.label,
    )


def overlap(data: Tables, sides: tuple[str, str] | None = None) -> Overlap:
    """Say which leads are qualified for both sides, for one only, or for neither.

    Parameters
    ----------
    data
        A company's tables, with `[definition]` in its plan.
    sides
        Two of `marketing`, `sales`, `agreed`; default: the first two that can be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.load import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> overlap(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Fewer than two definitions can be read, so none falls between them.'
    """
    who, old = judged(data), matured(data)
    pair = tuple(who.sides[:2] if sides is None else sides)
    able = len(pair) == 2 and all(side in who.sides for side in pair)
    table, rows = [], []
    for span in SPANS if able else ():
        leads = _of_span(data, who.leads, old, span)
        labels = groups_of(leads, pair)
        for group in (BOTH, *(f"{side} only" for side in pair), NEITHER, OPEN):
            here = leads[(labels == group).to_numpy()]
            table.append(
                {
                    "group": group,
                    "span": span,
                    "n": len(here),
                    "share": len(here) / len(leads) if len(leads) else np.nan,
                    **_ends("share", len(here), len(leads), data.plan.level),
                    "n_handed_over": int(here["handed_at"].notna().sum()),
                    **_outcomes(here, span, data.plan.level),
                }
            )
            rows.append(rows_of(f"{group}, {span}", "leads", here["lead_id"]))
    columns = [
        *("group", "span", "n", "share", "share_low", "share_high", "n_handed_over"),
        *_OUTCOMES,
    ]
    return Overlap(
        table=pd.DataFrame(table, columns=columns),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"share": "of leads", "win_rate": "share", "amount": data.plan.company.currency},
        level=data.plan.level,
        caveats=_caveats(data),
        company=data.plan.company,
        sides=pair if able else ("marketing", "sales"),
        days=old.attrs["days"],
        period=data.comparison.period.label,
    )


def groups_of(leads: pd.DataFrame, sides: tuple[str, ...]) -> pd.Series:
    """Name for each lead who of two sides takes it."""
    one, other = (leads[side] for side in sides)
    known = (one.notna() & other.notna()).to_numpy()
    first, second = (side.fillna(False).to_numpy(bool) for side in (one, other))
    labels = np.select(
        [~known, first & second, first, second],
        [OPEN, BOTH, f"{sides[0]} only", f"{sides[1]} only"],
        NEITHER,
    )
    return pd.Series(labels, index=leads.index)


def _of_span(data: Tables, frame: pd.DataFrame, old: pd.DataFrame, span: str) -> pd.DataFrame:
    if span != "matured":
        return frame[created_in(data, frame["created_at"], span)]
    chosen = frame.loc[old.index]
    return chosen.assign(won=old["won"], had_a_chance=old["had_a_chance"])


def _outcomes(leads: pd.DataFrame, span: str, level: float) -> dict[str, float]:
    """Count wins among those that had a chance: what was never handed over has no outcome."""
    if span != "matured":
        return dict.fromkeys(_OUTCOMES, np.nan)
    n = int(leads["had_a_chance"].sum())
    n_won = int(leads["won"].sum())
    return {
        "n_tried": n,
        "n_won": n_won,
        "win_rate": n_won / n if n else np.nan,
        **_ends("win_rate", n_won, n, level),
        "amount": float(leads.loc[leads["won"], "amount"].sum()),
    }


def _ends(name: str, k: int, n: int, level: float) -> dict[str, float]:
    low, high = wilson(k, n, level) if n else (np.nan, np.nan)
    return {f"{name}_low": float(low), f"{name}_high": float(high)}


def _caveats(data: Tables) -> tuple[str, ...]:
    who, old, company = judged(data), matured(data), data.plan.company
    says = list(who.caveats)
    missing = [side for side in SIDES if side not in who.texts]
    if missing:
        says.append(f"The plan's [definition] leaves out {', '.join(missing)}.")
    if any(name.startswith("n_") for used in who.columns.values() for name in used):
        says.append(judging_rule(data))
    for side in who.sides:
        n_open = int(who.leads[side].isna().sum())
        if n_open:
            says.append(
                f"Of {formats.number(n_open, company)} leads a blank field leaves open whether "
                f"they meet `{side}` ({', '.join(who.columns[side])}); they count on neither side."
            )
    if old.attrs["why"]:
        why = old.attrs["why"]
        says.append(f"What became of the leads cannot be told yet: {why}.")
    return tuple(says)


_WHOSE = {
    "marketing": "marketing's definition",
    "sales": "sales' definition",
    "agreed": "the agreed one",
}


def _share(row: pd.Series, company: Company) -> str:
    share = formats.share(row["share"], company)
    low, high = (formats.number(100 * row[f"share_{end}"], company) for end in ("low", "high"))
    return f"{share} {formats.interval(low, high)}"


def _rate(row: pd.Series, company: Company) -> str:
    rate = formats.share(row["win_rate"], company, digits=1)
    low, high = (
        formats.number(100 * row[f"win_rate_{end}"], company, digits=1) for end in ("low", "high")
    )
    return f"{rate} {formats.interval(low, high)}"


def _counted(row: pd.Series, company: Company) -> str:
    if not row["n_known"]:
        return "no leads"
    n = formats.number(row["n_qualified"], company)
    return f"{n} of {formats.number(row['n_known'], company)} ({_share(row, company)})"
