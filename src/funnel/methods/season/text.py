"""Sentences, table headings and labels of decompositions and of shares of a change."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.methods.season.decomposition import Decomposition
from funnel.methods.season.expected import Refusal
from funnel.methods.season.monthly import FEW_DEGREES, FEWEST_MONTHS, SEASON_LEVEL
from funnel.methods.season.share import CLOSINGS, ShareOfChange
from funnel.results import Say, text

PARTS = {
    "observed": "observed change",
    "calendar": "calendar (days)",
    "season": "season (months)",
    "usual": "expected: both",
    "rest": "unexplained",
}
_LARGE = 100_000  # units that a page counts in thousands


def capital(of: str) -> str:
    """Measure as the first word of a sentence."""
    return of[:1].upper() + of[1:]


def refusal(reason: Refusal, n: int, of: str, say: Say) -> str:
    """Why something of a measure is not known, as a clause."""
    months = say.rows(n, "month")
    clauses = {
        Refusal.BASELINE_LATE: "the baseline must end before the period begins",
        Refusal.NOTHING_RECORDED: "nothing is recorded of it in the two windows",
        Refusal.DAYS_MISSING: f"{say.rows(n, 'day')} of the two windows "
        f"{'is' if n == 1 else 'are'} not recorded",
        Refusal.WINDOW_EMPTY: "one of the two windows holds nothing, or less than nothing",
        Refusal.TOO_FEW_MONTHS: f"it needs {FEWEST_MONTHS} whole months before the period, and "
        f"there {'is' if n == 1 else 'are'} {say.number(n)}",
        Refusal.MONTHS_EMPTY: f"the {months} before the period hold nothing",
        Refusal.MONTHS_NEGATIVE: f"{months} before the period add up to less than 0",
        Refusal.MONTHS_UNSEEN: "these months of the year were not seen in an earlier year",
        Refusal.TOO_WIDE: f"the days before the period hold too few {of} to tell even a tenfold "
        "change from none",
        Refusal.INSEPARABLE: f"the {months} recorded before the period are too few of each month "
        "of the year",
    }
    return clauses[reason]


def _moved(value: float, say: Say) -> str:
    """Change in log units, as a verb with its size."""
    share = float(np.expm1(value))
    if not round(share, 3):
        return "did not change"
    return f"{'rose' if share > 0 else 'fell'} by {say.share(abs(share), digits=1)}"


def _expected(row: pd.Series, say: Say) -> str:
    """Expected change with its range, as a clause."""
    change, low, high = (
        say.share(float(np.expm1(row[name])), digits=1, sign=True)
        for name in ("change", "low", "high")
    )
    return f"{change} was expected (likely {low} to {high})"


@text.headline(ShareOfChange)
def share_headline(result: ShareOfChange, say: Say) -> str:
    """What changed, and how much of it was expected."""
    rows = result.table.set_index("part")
    of = capital(result.of)
    if not np.isfinite(rows.loc["observed", "change"]):
        why = refusal(result.refused, result.n_refused, result.of, say)
        return f"How {result.of} changed is not known: {why}."
    begin = f"{of} {_moved(rows.loc['observed', 'change'], say)}"
    if all(result.n_reports):
        period, baseline = (say.number(n) for n in result.n_reports)
        per_report = rows.loc["observed", "change"] - np.log(np.divide(*result.n_reports))
        begin += f" ({period} weekly records instead of {baseline}: per record, they "
        begin += f"{_moved(per_report, say)})"
    if not np.isfinite(rows.loc["calendar", "change"]):
        why = refusal(result.refused, result.n_refused, result.of, say)
        return f"{begin}. How much of it was to be expected, we cannot tell: {why}."
    if result.season_is_claimed:
        return f"{begin}; from calendar and season {_expected(rows.loc['usual'], say)}."
    calendar = f"{begin}; from the calendar alone {_expected(rows.loc['calendar'], say)}."
    if result.refused:
        why = refusal(result.refused, result.n_refused, result.of, say)
        return f"{calendar} The season is not known: {why}."
    return f"{calendar} No seasonal pattern found."


@text.caveats(ShareOfChange)
def share_caveats(result: ShareOfChange, say: Say) -> list[str]:
    """What the season is based on, and what else a reader must know."""
    return [*history_caveats(result, say), *other_caveats(result, say)]


def history_caveats(result: ShareOfChange, say: Say) -> list[str]:
    """What the season is based on."""
    if not result.n_months:
        return []
    agree, n_years = result.earlier_years
    same = f"The same months moved in this direction in {agree} of {n_years} earlier years."
    return [
        f"Based on the {say.rows(result.n_months, 'month')} before the period."
        + (f" {same}" if n_years else "")
    ]


def other_caveats(result: ShareOfChange, say: Say) -> list[str]:
    """What else a reader must know before using it."""
    found = []
    if all(result.n_reports):
        period, baseline = (say.number(n) for n in result.n_reports)
        found.append(
            f"{capital(result.of)} are recorded on one day a week. The calendar counts these days: "
            f"{period} in the period, {baseline} in the baseline."
        )
    if result.of in CLOSINGS:
        found.append(
            f"This is what the history of {result.of} itself lets expect. `Season and working "
            "days` of the bridge is another figure: it follows the leads that wins come from."
        )
    if result.n_months:
        found += _season_caveats(result, say)
    if result.unknown_country:
        found.append(
            f"The public holidays of {result.unknown_country!r}, the plan's country, are not "
            "known: only weekends count as days off. Countries are written in two letters, such "
            "as DE."
        )
    for item in result.special:
        if item.n_earlier:
            days = say.rows(item.n_earlier, "earlier day")
            found.append(
                f"{item.name}, of the plan's checklist, is part of the calendar, estimated from "
                f"{days}."
            )
        else:
            found.append(
                f"{item.name}, of the plan's checklist ({say.day(item.begins)}), is part of the "
                "unexplained change: no earlier day shows its effect."
            )
    return found


def _season_caveats(result: ShareOfChange, say: Say) -> list[str]:
    found = []
    if result.degrees < FEW_DEGREES:
        found.append("The season is known from little more than one earlier year.")
    for day, step in result.steps:
        size = say.share(float(np.expm1(step)), sign=True)
        found.append(
            f"The level stepped by about {size} in the week of {say.day(day)}; the season leaves "
            "that step out."
        )
    if not result.season_is_claimed:
        found.append(
            f"Months of the year do not differ beyond chance (p = {result.p_value:.2g}). The row "
            "of the season shows how large it could be."
        )
    if result.change_p_value < SEASON_LEVEL:
        found.append(
            "The season itself is changing: months of the year move against each other from year "
            f"to year (p = {result.change_p_value:.2g}). Its interval is wider by that movement."
        )
    if result.is_small_count:
        found.append(
            f"Some weeks or months hold few {result.of} or none, so they are modelled as counts."
        )
    return found


@text.table(ShareOfChange)
def share_table(result: ShareOfChange, say: Say) -> pd.DataFrame:
    """Each part in per cent of the baseline, and in units of the series."""
    known = result.table.dropna(subset="change")
    unit = result.units.get("change_units", "")
    unit = unit if unit not in ("", "number") else f"in {result.of}"
    is_large = bool((known["change_units"].abs() >= _LARGE).any())
    rows = known.to_dict("records")
    return pd.DataFrame(
        {
            "part": known["part"].map(PARTS).to_numpy(),
            "change": [_in_per_cent(row, say) for row in rows],
            f"{unit}, thousands" if is_large else unit: [
                _in_units(row, 1 / 1000 if is_large else 1.0, say) for row in rows
            ],
        }
    )


def _in_per_cent(row: dict, say: Say) -> str:
    shares = {name: float(np.expm1(row[name])) for name in ("change", "low", "high")}
    change = say.share(shares["change"], digits=1, sign=True)
    if row["part"] == "observed":
        return change
    ends = (say.number(100 * shares[end], digits=1, sign=True) for end in ("low", "high"))
    return say.estimate(change, *ends)


def _in_units(row: dict, times: float, say: Say) -> str:
    if row["part"] == "observed":
        return say.number(times * row["change_units"], sign=True)
    return say.number_estimate(row, "change_units", times=times, sign=True)


@text.headline(Decomposition)
def decomposition_headline(result: Decomposition, say: Say) -> str:
    """How long the series is, and how much of its movement the season makes up."""
    of = result.context.of
    known = result.table.dropna(subset="observed")
    if known.empty:
        return f"Nothing is recorded of {of}."
    first, last = (say.day(known["date"].iloc[end]) for end in (0, -1))
    begin = f"{capital(of)} by {result.grain}, {first} to {last}"
    if np.isnan(result.strength):
        return f"{begin}: shorter than two years, so the chart shows no season of the year."
    share = say.share(result.strength)
    return f"{begin}: the season makes up {share} of the movement around the trend."
