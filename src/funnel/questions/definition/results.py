"""What the counts under each definition are shown as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.plan import Company
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HANDED_OVER = "handed over"
SPANS = ("period", "baseline", "matured")
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
    unit: str = "leads handed over"

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
            shown[f"won, of matured {self.unit}"] = [
                formats.share_estimate(row, "win_rate", company, of="n_tried") for row in of_old
            ]
            shown["won amount of these"] = [formats.money(row["amount"], company) for row in of_old]
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share that each definition takes, in both periods."""
        from funnel.questions.definition import charts

        return charts.definitions(self, ax)


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
    unit: str = "leads handed over"

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
            says += f"; of matured {self.unit}, won by day {by}: {', '.join(rates)}"
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
            if self.unit != "leads":
                shown["matured, never handed over"] = [
                    self._number(row["n"] - row["n_tried"]) for _, row in rows["matured"].iterrows()
                ]
            shown[f"won, of matured {self.unit}"] = [
                formats.share_estimate(row, "win_rate", company, of="n_tried")
                for _, row in rows["matured"].iterrows()
            ]
            shown["won amount of these"] = [
                formats.money(row["amount"], company) for _, row in rows["matured"].iterrows()
            ]
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the groups of the period, side by side."""
        from funnel.questions.definition import charts

        return charts.overlap(self, ax)


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
