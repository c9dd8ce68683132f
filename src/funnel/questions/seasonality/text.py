"""Sentences, table headings and labels of the question about the season."""

from __future__ import annotations

from calendar import month_name

import pandas as pd

from funnel.methods.season.text import (
    PARTS,
    capital,
    history_caveats,
    other_caveats,
    refusal,
    share_table,
)
from funnel.questions.seasonality.months import ExpectedBand, Years
from funnel.questions.seasonality.quarter import InQuarter
from funnel.questions.seasonality.seasonality import Comparisons
from funnel.results import Say, text

BASELINES = {"previous": "the previous period", "year_ago": "the same period a year ago"}


@text.headline(Comparisons)
def comparisons_headline(result: Comparisons, say: Say) -> str:
    """What each comparison shows."""
    return " ".join(
        f"Compared with {BASELINES[name]}: {share.headline[0].lower()}{share.headline[1:]}"
        for name, share in result.shares.items()
    )


@text.caveats(Comparisons)
def comparisons_caveats(result: Comparisons, say: Say) -> list[str]:
    """Those of the first comparison, and what is new in the others."""
    first, *others = result.shares.items()
    found = [*history_caveats(first[1], say), *other_caveats(first[1], say)]
    for name, share in others:
        new = [caveat for caveat in other_caveats(share, say) if caveat not in found]
        found += [f"Compared with {BASELINES[name]}: {caveat}" for caveat in new]
    return found


@text.table(Comparisons)
def comparisons_table(result: Comparisons, say: Say) -> pd.DataFrame:
    """One row per part, and one column per baseline, in per cent."""
    columns = {
        f"since {BASELINES[name]}": share_table(share, say).set_index("part")["change"]
        for name, share in result.shares.items()
    }
    order = [word for word in PARTS.values() if any(word in col for col in columns.values())]
    return pd.DataFrame(columns).reindex(order).fillna("").rename_axis("part").reset_index()


@text.headline(ExpectedBand)
def band_headline(result: ExpectedBand, say: Say) -> str:
    """How many of the months held out lie in their range."""
    if result.refused:
        why = refusal(result.refused, result.n_refused, result.of, say)
        return f"The range expected for months of {result.of} is not known: {why}."
    held = result.held_out
    if held.empty:
        return f"No whole month of {result.of} lies in the period."
    inside = int(held["observed"].between(held["low"], held["high"]).sum())
    below = int((held["observed"] < held["low"]).sum())
    above = int((held["observed"] > held["high"]).sum())
    places = [f"{inside} within the expected range"]
    places += [f"{n} {word}" for n, word in ((below, "below"), (above, "above")) if n]
    months = say.rows(len(held), "whole month")
    return f"Of {months} of {result.of} since the period began: {', '.join(places)}."


@text.caveats(ExpectedBand)
def band_caveats(result: ExpectedBand, say: Say) -> list[str]:
    """What the range means."""
    if result.refused:
        return []
    return [f"If all goes on as before, {say.share(result.level)} of months lie within the range."]


@text.headline(Years)
def years_headline(result: Years, say: Say) -> str:
    """Highest and lowest month of the newest year."""
    known = result.table.dropna(subset="value")
    if known.empty:
        return f"Nothing is recorded of {result.of}."
    last = int(known["year"].iloc[-1])
    values = known[known["year"] == last].set_index("month")["value"]
    is_money = result.units["value"] == result.company.currency
    write = say.short_money if is_money else say.number
    top, bottom = (
        f"{month_name[month]} ({write(values[month])})"
        for month in (values.idxmax(), values.idxmin())
    )
    n_years = say.rows(known["year"].nunique(), "year")
    return (
        f"{capital(result.of)} by month for {n_years}; in {last} the highest month is {top}, the "
        f"lowest {bottom}."
    )


@text.headline(InQuarter)
def quarter_headline(result: InQuarter, say: Say) -> str:
    """Share of the third month, and what its working days alone would have."""
    months = result.table[result.table["kind"] == "month"]
    if months.empty:
        return f"Too few whole quarters of {result.of} to show how a quarter's total is spread."
    third = months.iloc[-1]
    share, low, high = (
        say.share(float(third[name]), digits=1) for name in ("value", "value_low", "value_high")
    )
    return (
        f"The third month holds {share} of a quarter's {result.of} (likely {low} to {high}); by "
        f"working days alone it would hold {say.share(float(third['by_days']), digits=1)}."
    )


@text.caveats(InQuarter)
def quarter_caveats(result: InQuarter, say: Say) -> list[str]:
    """What cannot be shown."""
    if not result.is_by_report:
        return []
    return [
        f"{capital(result.of)} are recorded on one day a week: whether the last days of a quarter "
        "hold more than others, we cannot tell. That needs the day of each row."
    ]


@text.table(InQuarter)
def quarter_table(result: InQuarter, say: Say) -> pd.DataFrame:
    """Shares in per cent, and days as multiples of another day."""
    rows = []
    for row in result.table.to_dict("records"):
        is_month = row["kind"] == "month"
        if pd.isna(row["value"]):
            value = f"cannot tell: too few {result.of} on them"
        elif is_month:
            value = say.share_estimate(row, "value")
        else:
            value = say.number_estimate(row, "value", digits=2)
        by_days = say.share(row["by_days"], digits=1) if is_month else "1"
        rows.append((row["place"], value, by_days, row["n"]))
    columns = ["place", "share, or times another day", "by working days", "n"]
    return pd.DataFrame(rows, columns=columns)
