"""Sentences, table headings and labels of the question on revenue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from funnel.checks.subscription_months import (
    HALF_LOADED_MONTH,
    LOADED,
    MISSING_MONTH,
)
from funnel.checks.text import sentence
from funnel.contract.labels import EVERYBODY
from funnel.methods.recurring import (
    CHURN,
    CONTRACTION,
    CURRENCY,
    EXPANSION,
    MOVEMENTS,
    NEW,
    REACTIVATION,
)
from funnel.methods.recurring.text import month_gap
from funnel.questions.revenue.bookings import LONGER, BookingsByTerm
from funnel.questions.revenue.movements import MonthlyMovements, Movements
from funnel.questions.revenue.productivity import (
    BOOKINGS,
    CAPACITY,
    HEADS,
    JOINERS,
    LEAVERS,
    PER_HEAD,
    PRODUCTIVITY,
    Attainment,
    Productivity,
)
from funnel.questions.revenue.retention import (
    FIRST_MONTH,
    GROSS,
    LOGO,
    LOGO_CHURN,
    MRR_CHURN,
    NET,
    AccountCohorts,
    Churn,
    Retention,
)
from funnel.questions.revenue.revenue import DEAL_SIZE, MRR, RATE, Revenue
from funnel.results import Say, text
from funnel.results.text import Excerpt, capital, cells
from funnel.stats import MOVED

Row = Mapping[str, Any]
FIGURES = {
    PER_HEAD: "bookings per salesperson",
    DEAL_SIZE: "average deal size",
    MRR: "MRR (recurring revenue a month)",
    LOGO_CHURN: "logo churn (share of accounts lost)",
    MRR_CHURN: "MRR churn (share of MRR lost with them)",
}
_SUBJECTS = {
    PER_HEAD: "bookings per salesperson",
    DEAL_SIZE: "deal size",
    MRR: "recurring revenue",
    MRR_CHURN: "MRR churn",
}
MOVEMENT_NAMES = {
    NEW: "new",
    EXPANSION: "expansion",
    CONTRACTION: "contraction",
    CHURN: "churn",
    REACTIVATION: "back after a pause",
    CURRENCY: "exchange rates",
}
_GAPS = {
    "no reps": "there is no table of salespeople",
    "no won deals": "no deal with an amount was won",
    "currencies": "deals are in several currencies",
    "no heads": "nobody was at work and ramped in one of the periods",
    "no month": "no month of one of the periods is recorded",
}
_MONTHS_SHOWN = 13  # a year, and the month it is compared with


def gap_text(gap: str, subject: str) -> str:
    """Why a figure has no comparison, as the end of a sentence."""
    if gap == "no table":
        return f"there is no table of {subject}"
    return month_gap(gap, subject) or _GAPS.get(gap, gap)


# --- the four directions


@text.headline(Revenue)
def revenue_headline(result: Revenue, say: Say) -> str:
    """The directions in one sentence, and the money that left where the rate of churn is flat."""
    rows = result.table.set_index("figure")
    known = rows[rows["value"].notna() & rows["baseline"].notna()]
    names = [name for name in _SUBJECTS if name in known.index]
    gap, month = rows.loc[MRR, "gap"], rows.loc[MRR, "gap_subject"]
    if not names:
        why = gap_text(rows.loc[PER_HEAD, "gap"], "")
        return f"Nothing can be compared: {why}, and {gap_text(gap, month)}."
    moved = [name for name in names if known.loc[name, "verdict"] == MOVED]
    clauses = [_direction(known.loc[name], name, say) for name in moved]
    if flat := [_SUBJECTS[name] for name in names if name not in moved]:
        verb = "shows" if len(flat) == 1 else "show"
        clauses.append(f"{_listed(flat)} {verb} no clear change")
    if MRR_CHURN in names and MRR_CHURN not in moved:
        clauses += _with_the_base(result.churned_more, say)
    lacking = f" Recurring revenue is not compared: {gap_text(gap, month)}." if gap else ""
    return f"{capital('; '.join(clauses))}.{lacking}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _direction(row: pd.Series, name: str, say: Say) -> str:
    verb = "rose" if row["change"] > 0 else "fell"
    if row["unit"] == RATE:
        now, then = say.rate(row["value"]), say.rate(row["baseline"])
        return f"{_SUBJECTS[name]} {verb} to {now} (was {then})"
    size = abs(row["change"] / row["baseline"]) if row["baseline"] else math.nan
    by = say.share(size) if math.isfinite(size) else say.short_money(abs(row["change"]))
    return f"{_SUBJECTS[name]} {verb} by {by}"


def _with_the_base(churned: pd.Series | None, say: Say) -> list[str]:
    """What a base of another size lost more, at the earlier rate of churn."""
    if churned is None or not round(churned["from_base"], 2):
        return []
    base, how = ("larger", "more") if churned["from_base"] > 0 else ("smaller", "less")
    size = say.short_money(abs(churned["from_base"]))
    return [f"at the earlier rate the {base} base lost {size} a month {how}"]


@text.caveats(Revenue)
def revenue_caveats(result: Revenue, say: Say) -> list[str]:
    """What has no comparison, and why."""
    del say
    found: dict[str, list[str]] = {}
    for row in result.table.to_dict("records"):
        if row["gap"]:
            name = FIGURES[row["figure"]].partition(" (")[0]
            found.setdefault(gap_text(row["gap"], row["gap_subject"]), []).append(name)
    return [f"Not compared: {', '.join(names)}; {why}." for why, names in found.items()]


@text.table(Revenue)
def revenue_table(result: Revenue, say: Say) -> pd.DataFrame:
    """Each figure, before and now."""

    def value(row: Row, name: str) -> str:
        if not math.isfinite(row[name]):
            return ""
        return say.share(row[name], digits=1) if row["unit"] == RATE else say.money(row[name])

    return cells(
        result.table,
        {
            "figure": lambda row: FIGURES[row["figure"]],
            "period": lambda row: value(row, "value"),
            "baseline": lambda row: value(row, "baseline"),
            "change": lambda row: change_cell(row, say),
            "verdict": "verdict",
        },
    )


def change_cell(row: Row, say: Say) -> str:
    """Change with its interval: points of a rate, else per cent of the baseline."""
    if not math.isfinite(row["change_low"]) or not row["baseline"]:
        return ""
    names = ("change", "change_low", "change_high")
    if row["unit"] == RATE:
        points = (say.number(100 * row[name], digits=1, sign=True) for name in names)
        return f"{say.estimate(*points)} points"
    return say.estimate(*(say.share(row[name] / row["baseline"], sign=True) for name in names))


# --- movements


@text.headline(Movements)
def movements_headline(result: Movements, say: Say) -> str:
    """MRR then and now, and what it is made of."""
    gap = next((each for each in (result.now, result.then) if each.gap), None)
    if gap is not None:
        why = gap_text(gap.gap, gap.label)
        return f"Movements of recurring revenue are not computed: {why}."
    change = result.mrr_now - result.mrr_then
    then, now = result.then.label, result.now.label
    ends = (
        f"MRR {'rose' if change > 0 else 'fell'} from {say.money(result.mrr_then)} in {then} to "
        f"{say.money(result.mrr_now)} in {now}"
        if change
        else f"MRR was {say.money(result.mrr_now)} in both {then} and {now}"
    )
    parts = [
        f"{MOVEMENT_NAMES[row['movement']]} {say.money(row['change'], sign=True)}"
        for row in result.table.to_dict("records")
        if row["n"]
    ]
    return f"{ends}: {', '.join(parts)}." if parts else f"{ends}."


@text.table(Movements)
def movements_table(result: Movements, say: Say) -> pd.DataFrame:
    """Each movement with its accounts."""
    rows = result.table[result.table["n"] > 0]
    return cells(
        rows,
        {
            "movement": lambda row: MOVEMENT_NAMES[row["movement"]],
            "MRR": lambda row: _money_cell(row, "change", say),
            "accounts": lambda row: say.number(row["n"]),
        },
    )


def _money_cell(row: Row, name: str, say: Say) -> str:
    ends = (say.money(row[f"{name}_{end}"], sign=True) for end in ("low", "high"))
    return say.estimate(say.money(row[name], sign=True), *ends)


@text.headline(MonthlyMovements)
def months_headline(result: MonthlyMovements, say: Say) -> str:
    """How many months add up, and which of them no figure reads."""
    table = result.table
    if table.empty:
        return "There is no table of subscriptions, so there are no movements of MRR."
    first, last = table["month"].iloc[0], table["month"].iloc[-1]
    holes = table.loc[table["state"] != LOADED, "month"].tolist()
    n = int((table["since"] != "").sum())
    begin = (
        f"{first} is the opening balance; the movements of {say.rows(n, 'month')} up to {last} add "
        "up to the change of MRR"
    )
    if not holes:
        return f"{begin}."
    shown = ", ".join(holes[:3]) + (" and more" if len(holes) > 3 else "")
    return f"{begin}, without {shown}."


@text.caveats(MonthlyMovements)
def months_caveats(result: MonthlyMovements, say: Say) -> list[str]:
    """What is odd in the months."""
    return [sentence(each, say) for each in result.found]


@text.table(MonthlyMovements)
def months_table(result: MonthlyMovements, say: Say) -> Excerpt:
    """The last year, newest first."""
    table = result.table
    rows = table.iloc[::-1].head(_MONTHS_SHOWN)
    has_rates = bool((table[CURRENCY].fillna(0) != 0).any()) if len(table) else False
    names = [name for name in MOVEMENTS if name != CURRENCY or has_rates]

    def money(name: str) -> Any:
        return lambda row: "" if math.isnan(row[name]) else say.money(row[name], sign=name != MRR)

    shown = cells(
        rows,
        {
            "month": "month",
            **{MOVEMENT_NAMES[name]: money(name) for name in names},
            "MRR": money(MRR),
            "accounts": lambda row: (
                say.number(row["n_accounts"]) if row["n_accounts"] == row["n_accounts"] else ""
            ),
            "compared with": _month_note,
        },
    )
    return Excerpt(shown, len(table))


def _month_note(row: Row) -> str:
    if row["state"] != LOADED:
        return {MISSING_MONTH: "missing", HALF_LOADED_MONTH: "loaded in part"}[row["state"]]
    return row["since"] or "opening balance"


# --- retention, churn, cohorts


@text.headline(Retention)
def retention_headline(result: Retention, say: Say) -> str:
    """Net and gross retention of the same accounts."""
    rows = result.table.set_index("figure")
    if not rows["value"].notna().all():
        gap = next((each for each in (result.now, result.then) if each.gap), None)
        why = gap_text(gap.gap, gap.label) if gap else "no account paid twelve months ago"
        if gap is not None and gap.gap == "no month":
            why = "no month of twelve months ago is recorded"
        return f"Retention over twelve months is not known: {why}."
    net, gross = (say.share(rows.loc[name, "value"]) for name in (NET, GROSS))
    likely = say.likely(*rows.loc[NET, ["value_low", "value_high"]])
    return (
        f"The accounts of {result.then.label} pay {net} of what they paid then ({likely}); without "
        f"expansion {gross}."
    )


@text.caveats(Retention)
def retention_caveats(result: Retention, say: Say) -> list[str]:
    """Who is in neither figure."""
    if math.isnan(result.table["value"].iloc[0]):
        return []
    found = ["The same accounts then and now."]
    if result.n_later:
        n, mrr = say.rows(result.n_later, "account"), say.short_money(result.mrr_later)
        found.append(f"Accounts that came later are in neither figure: {n}, {mrr} a month.")
    if result.n_returned:
        n, mrr = say.rows(result.n_returned, "account"), say.short_money(result.mrr_returned)
        found.append(
            f"Accounts that did not pay in {result.then.label} and had before are back, not kept, "
            f"and in neither figure: {n}, {mrr} a month."
        )
    return found


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


@text.table(Retention)
def retention_table(result: Retention, say: Say) -> pd.DataFrame:
    """Each figure, for the period and the baseline."""
    names = {
        NET: "net retention (MRR)",
        GROSS: "gross retention (MRR, without expansion)",
        LOGO: "logo retention (accounts)",
    }
    return _rates(result.table, names, say, "twelve months to the period", "to the baseline")


def _rates(
    table: pd.DataFrame, names: Mapping[str, str], say: Say, now: str, then: str
) -> pd.DataFrame:
    return cells(
        table,
        {
            "figure": lambda row: names[row["figure"]],
            now: lambda row: say.share_estimate(row, "value", of="n"),
            then: lambda row: say.share_estimate(row, "value_baseline", of="n_baseline"),
            "change, points": lambda row: say.points_estimate(row, "change"),
            "verdict": "verdict",
        },
    )


@text.headline(Churn)
def churn_headline(result: Churn, say: Say) -> str:
    """Churned money as base and rate, and the two rates."""
    if result.gap is not None:
        return f"Churn is not computed: {gap_text(result.gap.gap, result.gap.label)}."
    rows = result.table.set_index("figure")
    money, logos = rows.loc[MRR_CHURN], rows.loc[LOGO_CHURN]
    if not logos["n"]:
        return "No account paid in the month before the period, so there is no churn."
    lost = f"{say.short_money(money['lost'])} a month left with lost accounts"
    if not logos["n_baseline"]:
        rates = f"MRR churn {say.rate(money['value'])}, logo churn {say.rate(logos['value'])}"
        gap = result.gap_baseline
        why = f": {gap_text(gap.gap, gap.label)}" if gap else ""
        return f"{lost}: {rates}. There is no comparison{why}."
    change = money["lost"] - money["lost_baseline"]
    rates = (
        f"MRR churn {say.rate(money['value'])} (was {say.rate(money['value_baseline'])}), logo "
        f"churn {say.rate(logos['value'])} (was {say.rate(logos['value_baseline'])})"
    )
    if not round(change, 2):
        return f"{lost}, as before: {rates}."
    size = say.short_money(abs(change))
    base, of_rate = (say.short_money(money[name], sign=True) for name in ("from_base", "from_rate"))
    return (
        f"{lost}, {size} {'more' if change > 0 else 'less'} than before: {base} with the size of "
        f"the base, {of_rate} with the rate. {capital(rates)}."
    )


@text.caveats(Churn)
def churn_caveats(result: Churn, say: Say) -> list[str]:
    """What the base is, and who is not in it."""
    if result.gap is not None:
        return []
    joiners = result.table.set_index("figure").loc[FIRST_MONTH]
    found = [
        "Of the accounts that paid in the month before each period, those that do not pay in its "
        "last month. An account that comes back within the period is not lost."
    ]
    if joiners["base"]:
        found.append(
            f"{say.number(joiners['lost'])} of {say.rows(int(joiners['base']), 'account')} that "
            "joined stopped paying after their first month; they stand in a row of their own."
        )
    return found


@text.table(Churn)
def churn_table(result: Churn, say: Say) -> pd.DataFrame:
    """Each rate, now and before."""
    names = {
        LOGO_CHURN: "logo churn (accounts)",
        MRR_CHURN: "MRR churn (of the same accounts)",
        FIRST_MONTH: "joiners lost in their first month",
    }
    if result.table.empty:
        return result.table
    return _rates(result.table, names, say, "period", "baseline")


@text.headline(AccountCohorts)
def cohorts_headline(result: AccountCohorts, say: Say) -> str:
    """The newest cohort compared with all earlier ones, at its age."""
    table = result.table
    if table.empty:
        return "No account began late enough to be followed: there are no cohorts."
    newest = table[table["cohort"] == table["cohort"].iloc[-1]].iloc[-1]
    age = int(newest["age_months"])
    others = table[(table["age_months"] == age) & (table["cohort"] != newest["cohort"])]
    months, kept = say.rows(age, "month"), say.share(newest["kept"])
    begin = f"After {months}, {kept} of the accounts that began in {newest['cohort']} still paid"
    if others.empty:
        return f"{begin}."
    kept = (others["kept"] * others["n"]).sum() / others["n"].sum()
    return f"{begin}; of all earlier ones at that age it was {say.share(kept)}."


@text.caveats(AccountCohorts)
def cohorts_caveats(result: AccountCohorts, say: Say) -> list[str]:
    """Who has no cohort."""
    if not result.n_before:
        return []
    return [
        f"{say.rows(result.n_before, 'account')} of the table's first month have no cohort: when "
        "they began is unknown."
    ]


@text.table(AccountCohorts)
def cohorts_table(result: AccountCohorts, say: Say) -> pd.DataFrame:
    """One row per cohort, newest first, one column per age."""
    table = result.table
    if table.empty:
        return table
    ages = sorted(table["age_months"].unique())
    rows = []
    for cohort, of_cohort in table.groupby("cohort", sort=False):
        at = of_cohort.set_index("age_months")
        row = {"began": cohort, "accounts": say.number(at["n"].iloc[0])}
        row |= {
            f"after {say.rows(int(age), 'month')}": (
                say.share_estimate(at.loc[age], "kept", digits=0) if age in at.index else ""
            )
            for age in ages
        }
        rows.append(row)
    return pd.DataFrame(rows[::-1])


# --- bookings, productivity, quota


@text.headline(BookingsByTerm)
def bookings_headline(result: BookingsByTerm, say: Say) -> str:
    """What longer contracts add to bookings and not to MRR."""
    table = result.table
    if not table[["n", "n_baseline"]].to_numpy(float).sum() > 0:
        return "No deal with an amount was won in the two periods."
    if not result.has_mrr:
        return "Won deals have no MRR, so bookings cannot be compared with it."
    if not (math.isfinite(result.term) and math.isfinite(result.term_baseline)):
        return "Only one of the periods has won deals with an MRR, so terms are not compared."
    mrr, term = (say.short_money(each, sign=True) for each in (result.from_mrr, result.from_term))
    now, then = (say.number(each, digits=1) for each in (result.term, result.term_baseline))
    return (
        f"Bookings changed by {mrr} with the MRR that was won, and by {term} with the length of "
        f"contracts: {now} months on average (was {then})."
    )


@text.caveats(BookingsByTerm)
def bookings_caveats(result: BookingsByTerm, say: Say) -> list[str]:
    """What a longer term does to bookings."""
    rows = result.table.set_index("term")
    if not (rows.loc[LONGER, ["n", "n_baseline"]].fillna(1) > 0).any():
        return []
    return ["A contract of three years books three times the amount of one year, at the same MRR."]


@text.table(BookingsByTerm)
def bookings_table(result: BookingsByTerm, say: Say) -> pd.DataFrame:
    """Bookings and won MRR by term."""
    return cells(
        result.table,
        {
            "contract": "term",
            "bookings": lambda row: say.money(row["bookings"]),
            "baseline": lambda row: say.money(row["bookings_baseline"]),
            "change": lambda row: _money_cell(row, "change", say),
            "MRR": lambda row: say.money(row["mrr"]),
            "MRR, baseline": lambda row: say.money(row["mrr_baseline"]),
            "deals": lambda row: f"{say.number(row['n'])} (was {say.number(row['n_baseline'])})",
        },
    )


@text.headline(Productivity)
def productivity_headline(result: Productivity, say: Say) -> str:
    """The change of bookings as capacity and productivity."""
    if result.gap:
        return f"Bookings per salesperson are not compared: {gap_text(result.gap, '')}."
    rows, parts = result.table.set_index("figure"), result.parts.set_index("part")
    now, then = (say.number(rows.loc[HEADS, name], digits=1) for name in ("value", "baseline"))
    per_head, before = (say.short_money(rows.loc[PER_HEAD, name]) for name in ("value", "baseline"))
    capacity, work = (
        say.short_money(parts.loc[name, "change"], sign=True) for name in (CAPACITY, PRODUCTIVITY)
    )
    change = say.short_money(rows.loc[BOOKINGS, "change"], sign=True)
    return (
        f"{per_head} per ramped salesperson (was {before}), with {now} of them (were {then}). The "
        f"change of bookings, {change}, is {capacity} capacity and {work} productivity."
    )


@text.caveats(Productivity)
def productivity_caveats(result: Productivity, say: Say) -> list[str]:
    """Leavers, people not ramped yet, and wins without a salesperson at work."""
    found = []
    if not result.gap:
        n_left = int(result.parts.set_index("part").loc[LEAVERS, "n"])
        if n_left:
            found.append(
                f"{capital(say.number(n_left))} left or had fewer days: that is capacity, not "
                "productivity."
            )
        if result.n_ramping:
            found.append(
                f"{say.number(result.n_ramping)} at work {_are(result.n_ramping)} not ramped yet, "
                "and counted as no head."
            )
    if result.n_after_leaving:
        n, money = result.n_after_leaving, say.short_money(result.amount_after_leaving)
        found.append(f"{say.rows(n, 'win')} ({money}) closed after the owner left. Whose are they?")
    if result.n_unknown_owner and result.gap != "no reps":
        found.append(
            f"{say.rows(result.n_unknown_owner, 'deal')} "
            f"({say.short_money(result.amount_unknown_owner)}) have an owner who is not among the "
            "salespeople; they are counted in bookings, and the owner in no head."
        )
    return found


@text.table(Productivity)
def productivity_table(result: Productivity, say: Say) -> pd.DataFrame:
    """Capacity and productivity."""
    if result.gap:
        return result.table
    names = {
        CAPACITY: "capacity",
        LEAVERS: "of that, leavers",
        JOINERS: "of that, joiners and ramp",
        PRODUCTIVITY: "productivity",
    }
    return cells(
        result.parts,
        {
            "part": lambda row: names[row["part"]],
            "change of bookings": lambda row: _money_cell(row, "change", say),
            "of": lambda row: say.rows(
                row["n"], *(("deal", "") if row["part"] == PRODUCTIVITY else ("person", "people"))
            ),
        },
    )


@text.headline(Attainment)
def attainment_headline(result: Attainment, say: Say) -> str:
    """Attainment of all, of the quota in force."""
    whole = result.as_computed.table
    if whole.empty:
        return "Nobody at work in the period has a quota."
    row = whole[whole["owner"] == EVERYBODY].iloc[0]
    plain = row["bookings"] / result.full_quota
    more = ""
    if round(row["quota"] - result.full_quota, 2):
        more = f"; of the full quotas, {say.share(plain, digits=1)}"
    return (
        f"Bookings are {say.share(row['attainment'], digits=1)} of the quota that was in force: "
        f"{say.short_money(row['bookings'])} of {say.short_money(row['quota'])}{more}."
    )


@text.caveats(Attainment)
def attainment_caveats(result: Attainment, say: Say) -> list[str]:
    """How a quota is prorated."""
    if result.table.empty:
        return []
    return [
        f"A quota counts for the days at work, of {say.number(result.period_days)} in the period. "
        "All is the sum of bookings over the sum of quotas, not the mean of percentages."
    ]


@text.table(Attainment)
def attainment_table(result: Attainment, say: Say) -> pd.DataFrame:
    """Attainment of all, then of each."""
    table = result.table
    if table.empty:
        return table
    is_all = table["owner"] == EVERYBODY
    return cells(
        pd.concat([table[is_all], table[~is_all]]),
        {
            "salesperson": "owner",
            "days": lambda row: say.number(row["days"]),
            "quota in force": lambda row: say.money(row["quota"]),
            "bookings": lambda row: say.money(row["bookings"]),
            "attainment": lambda row: say.share_estimate(row, "attainment", digits=0),
            "deals": lambda row: say.number(row["n"]),
        },
    )
