"""Every sentence, table heading and label of the question how leads of equal age convert."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.checks.text import sentence
from funnel.contract.labels import EVERYBODY, NOT_RECORDED, POOLED
from funnel.methods.ages import RowFacts
from funnel.questions.conversion.cohorts import Cohorts, Groups
from funnel.questions.conversion.comparison import (
    NEITHER,
    OVERALL_ONLY,
    REVERSED,
    SAME,
    WITHIN_ONLY,
    Conversion,
    Simpson,
)
from funnel.questions.conversion.deal_groups import DealGroups, OpenDeals
from funnel.questions.conversion.pipeline import FEWEST_WINS, SPANS, SalesCycle, WinRate
from funnel.questions.conversion.reach import (
    COMPARABLE,
    IMMATURE,
    NOBODY,
    NOT_COVERED,
    ReachByAge,
)
from funnel.questions.conversion.time_to_convert import TimeToConvert
from funnel.results import Say, text
from funnel.results.formats import NO_BREAK, NOT_KNOWN
from funnel.results.text import capital
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED

_MONTHS_SHOWN = 12
_NO_STAGE = "no stage"
_REASONS = {
    _NO_STAGE: "no stage after the first is recorded",
    IMMATURE: "these {unit} are too recent to judge",
    NOT_COVERED: "outcomes were not recorded yet when they were new",
    NOBODY: "the period or its baseline has no {unit}",
}
_STATES = {
    IMMATURE: "too recent to judge",
    NOT_COVERED: "not recorded then",
    NOBODY: "no {unit}",
}
_OUTCOMES = {
    MOVED: "this is a change",
    DID_NOT_MOVE: "no sign of a change",
    CANNOT_TELL: "inconclusive",
}
_DIRECTIONS = {
    REVERSED: "opposite directions (Simpson's paradox)",
    SAME: "same direction",
    OVERALL_ONLY: "change overall only",
    WITHIN_ONLY: "change within groups only",
    NEITHER: "no change seen",
}


# Reach by age


@text.headline(ReachByAge)
def reach_headline(reach: ReachByAge, say: Say) -> str:
    """Share that reaches the last stage at the last age that is known."""
    known = reach.table.dropna(subset="reached")
    if known.empty:
        return "No lead was followed for as long as was asked."
    last = known[known["age_days"] == known["age_days"].max()].iloc[-1]
    n, entered = say.rows(last["n"], "lead"), say.entered(last["stage"])
    return (
        f"By day {last['age_days']:g}, {say.rate(last['reached'])} of {n} are {entered} "
        f"{likely(say, last, 'reached')}."
    )


@text.caveats(ReachByAge)
def reach_caveats(reach: ReachByAge, say: Say) -> list[str]:
    """Entries dated before creation."""
    if not reach.n_early:
        return []
    entries = say.rows(reach.n_early, "stage entry is", "stage entries are")
    return [f"{entries} dated before the lead's creation; they count at age 0."]


# Conversion of the period and the baseline


@text.headline(Conversion)
def conversion_headline(conversion: Conversion, say: Say) -> str:
    """Steps that changed at the oldest comparable age, else first to last stage."""
    if conversion.by:
        return _groups_changed(conversion, say)
    overall = _overall(conversion)
    known = overall[overall["state"] == COMPARABLE]
    if known.empty:
        states = sorted(set(overall["state"])) or [_NO_STAGE]
        reasons = "; ".join(_REASONS[state].format(unit=conversion.facts.unit) for state in states)
        return f"Conversion cannot be compared at equal age: {reasons}."
    row = known.iloc[-1]
    steps = _all_leads(conversion)
    steps = steps[(steps["age_days"] == row["age_days"]) & ~steps["is_overall"]]
    moved = [step for _, step in steps.iterrows() if step["verdict"] == MOVED]
    if not moved:
        outcome = _OUTCOMES[row["verdict"]]
        return (
            f"No step is seen to have changed. {_was(say, row)} by day {row['age_days']:g}: "
            f"{outcome}."
        )
    sentences = [f"{_was(say, step)} ({points_apart(say, step, 'change')})." for step in moved]
    count = f"{len(moved)} of {say.rows(len(steps), 'step')} changed"
    return f"{' '.join(sentences)} {count}, by day {row['age_days']:g} of age."


def _was(say: Say, row: pd.Series) -> str:
    """`Leads accepted by sales: 41%, was 58%`."""
    step = capital(say.step(row["step"]))
    return f"{step}: {say.rate(row['rate'])}, was {say.rate(row['rate_baseline'])}"


def _groups_changed(conversion: Conversion, say: Say) -> str:
    rows = at_comparable_age(conversion)
    comparable = rows[(rows["segment"] != EVERYBODY) & (rows["state"] == COMPARABLE)]
    if comparable.empty:
        return f"No group of {conversion.facts.unit} can be compared at equal age."
    columns = " and ".join(conversion.by)
    sentences = []
    for step in _steps_that_changed(rows):
        of_step = comparable[comparable["step"] == step]
        change = of_step.loc[of_step["verdict"] == MOVED, "change"]
        rose, fell = int((change > 0).sum()), int((change < 0).sum())
        counted = f"{say.number(rose + fell)} of {say.rows(len(of_step), 'group')} by {columns}"
        directions = f" ({rose} rose, {fell} fell)" if rose + fell else ""
        sentences.append(f"{capital(say.step(step))}: {counted} changed{directions}.")
    return f"{' '.join(sentences)} All by day {comparable['age_days'].iloc[0]:g} of age."


_OTHER_RATES = (
    "These rates are of what was created in each period. A rate beside a claim is another figure: "
    "of all that were at the step in the period, whenever created."
)


@text.caveats(Conversion)
def conversion_caveats(conversion: Conversion, say: Say) -> list[str]:
    """What a reader must know of ages and rows."""
    return [*_recent(conversion, say), *row_sentences(conversion.facts, say), _OTHER_RATES]


def _recent(conversion: Conversion, say: Say) -> list[str]:
    if not conversion.full_ages:
        return []
    compared, full = (
        " and ".join(say.number(age) for age in ages)
        for ages in (conversion.ages, conversion.full_ages)
    )
    unit = conversion.facts.unit
    return [
        f"This period's {unit} are compared at {compared} days of age. Half, and nine in ten, of "
        f"the wins take up to about {full} days; most of these {unit} are too recent for that."
    ]


@text.table(Conversion)
def conversion_table(conversion: Conversion, say: Say) -> pd.DataFrame:
    """Steps at the oldest age that can be compared; or groups at the step that changed most."""
    rows = at_comparable_age(conversion)
    if not (rows["state"] == COMPARABLE).any():
        return pd.DataFrame()  # the headline says why
    unit = conversion.facts.unit
    if not conversion.by:
        return _compared_rates(rows, "step", rows["step"].map(say.step), unit, say)
    step = _steps_that_changed(rows)[0]
    rows = rows[rows["step"] == step]
    names = group_names(rows).mask(rows["segment"] == EVERYBODY, f"all {unit}")
    return _compared_rates(rows, say.step(step), names, unit, say)


def _compared_rates(
    rows: pd.DataFrame, heading: str, names: pd.Series, unit: str, say: Say
) -> pd.DataFrame:
    return text.cells(
        rows.assign(name=names),
        {
            f"{heading}, by day {rows['age_days'].iloc[0]:g}": "name",
            "change, points": lambda row: say.points_estimate(row, "change"),
            "verdict": lambda row: _or_state(row, row["verdict"], unit),
            "this period": lambda row: say.share_estimate(row, "rate", of="n"),
            "baseline": lambda row: say.share_estimate(row, "rate_baseline", of="n_baseline"),
        },
    )


def _all_leads(conversion: Conversion) -> pd.DataFrame:
    return conversion.table[conversion.table["segment"] == EVERYBODY]


def _overall(conversion: Conversion) -> pd.DataFrame:
    rows = _all_leads(conversion)
    return rows[rows["is_overall"].astype(bool)]


def at_comparable_age(conversion: Conversion) -> pd.DataFrame:
    """Rows of the oldest age at which first to last stage can be compared; else of the oldest."""
    overall = _overall(conversion)
    known = overall[overall["state"] == COMPARABLE]
    age = (known if len(known) else _all_leads(conversion))["age_days"].max()
    return conversion.table[conversion.table["age_days"] == age]


def _steps_that_changed(rows: pd.DataFrame) -> list[str]:
    """Steps that changed for all leads, the largest change first; else first to last stage."""
    rows = rows[rows["segment"] == EVERYBODY]
    moved = rows[(rows["verdict"] == MOVED) & ~rows["is_overall"]]
    moved = moved.sort_values("change", key=abs, ascending=False, kind="stable")
    return (moved if len(moved) else rows[rows["is_overall"]])["step"].tolist()


# Months and groups


@text.headline(Cohorts)
def cohorts_headline(cohorts: Cohorts, say: Say) -> str:
    """Newest mature month, and the range of all mature months."""
    unit = cohorts.facts.unit
    if cohorts.table.empty:
        return f"No month of {unit} to follow."
    last = cohorts.table[cohorts.table["stage"] == cohorts.table["stage"].iloc[-1]]
    known = last[last["state"] == COMPARABLE]
    if known.empty:
        return f"No month's {unit} can be followed for long enough, with outcomes recorded."
    age = known["age_days"].max()
    known = known[known["age_days"] == age]
    row = known.iloc[-1]
    n_immature = int(((last["age_days"] == age) & (last["state"] == IMMATURE)).sum())
    low, high = (say.rate(known["reached"].agg(end)) for end in ("min", "max"))
    months = say.rows(n_immature, "month is", "months are")
    return (
        f"Of {say.number(row['n'])} {unit} created in {row['cohort_month']}, "
        f"{say.rate(row['reached'])} are {say.entered(row['stage'])} by day {age:g} "
        f"{likely(say, row, 'reached')}. Mature months range from {low} to {high}; {months} too "
        "recent to judge."
    )


@text.table(Cohorts)
def cohorts_table(cohorts: Cohorts, say: Say) -> pd.DataFrame:
    """Newest months first: the share that reaches the last stage by each age."""
    last = cohorts.table[cohorts.table["stage"].isin(cohorts.table["stage"].tail(1))]
    last = last.assign(name=last["cohort_month"])[::-1]
    return _by_age(
        last, "created in", "reached", last["stage"].map(say.entered), cohorts.facts.unit, say
    )


@text.headline(Groups)
def groups_headline(groups: Groups, say: Say) -> str:
    """Range of conversion over the groups of the first column."""
    unit = groups.facts.unit
    known = groups.table[groups.table["is_overall"] & (groups.table["state"] == COMPARABLE)]
    known = known[~known["group"].isin([POOLED, NOT_RECORDED])]
    if known.empty:
        return f"No group of {unit} can be followed for long enough, with outcomes recorded."
    known = known[known["segment"] == known["segment"].iloc[0]]
    known = known[known["age_days"] == known["age_days"].max()].sort_values("rate")
    begin = f"{capital(say.step(known['step'].iloc[0]))} by day {known['age_days'].iloc[0]:g}"
    ends = [known.iloc[0], known.iloc[-1]]
    low, high = (f"{say.rate(row['rate'])} ({row['group']})" for row in ends)
    if len(known) == 1:
        return f"{begin}: {low}."
    return f"{begin}: {low} to {high}, over {len(known)} groups by {known['segment'].iloc[0]}."


@text.table(Groups)
def groups_table(groups: Groups, say: Say) -> pd.DataFrame:
    """Each group's conversion from the first stage to the last, by each age."""
    overall = groups.table[groups.table["is_overall"]]
    overall = overall.assign(name=group_names(overall))
    return _by_age(overall, "group", "rate", overall["step"].map(say.step), groups.facts.unit, say)


def _by_age(
    rows: pd.DataFrame, heading: str, figure: str, what: pd.Series, unit: str, say: Say
) -> pd.DataFrame:
    """Rows by their `name`, with a column of the figure for each age."""
    names = rows["name"].drop_duplicates()
    shown = pd.DataFrame({heading: names.to_numpy()})
    for age, of_age in rows.groupby("age_days"):
        shown[f"{what.iloc[0]} by day {age:g}"] = [
            _or_state(row, say.share_estimate(row, figure, of="n"), unit)
            for row in text.each_row(of_age.set_index("name").loc[names])
        ]
    return shown


@text.caveats(Cohorts)
@text.caveats(Groups)
def cohort_caveats(cohorts: Cohorts | Groups, say: Say) -> list[str]:
    """What a reader must know of the rows."""
    return row_sentences(cohorts.facts, say)


def group_names(rows: pd.DataFrame) -> pd.Series:
    """Names of groups, with their column where there are several."""
    is_one = len(set(rows["segment"]) - {EVERYBODY}) <= 1
    return rows["group"] if is_one else rows["segment"] + ": " + rows["group"]


# Simpson's paradox


@text.headline(Simpson)
def simpson_headline(simpson: Simpson, say: Say) -> str:
    """Steps for which groups and all leads differ; else that none does."""
    if simpson.table.empty:
        return "No step can be compared within groups."
    apart = simpson.table[simpson.table["state"].isin([REVERSED, OVERALL_ONLY])]
    apart = apart.sort_values("state", key=lambda state: state != REVERSED, kind="stable")
    if apart.empty:
        n = say.rows(len(simpson.table), "step")
        return f"No step changed in opposite directions overall and within groups ({n} compared)."
    return " ".join(_parted(row, say) for _, row in apart.iterrows())


def _parted(row: pd.Series, say: Say) -> str:
    overall = f"{capital(say.step(row['step']))}: {points_apart(say, row, 'change')} overall"
    if row["state"] == REVERSED:
        within = points_apart(say, row, "within")
        return (
            f"{overall}, but {within} within groups of {row['segment']} (Simpson's paradox): read "
            "the groups."
        )
    return (
        f"{overall}. Within groups of {row['segment']} no change is seen, and their mix differs: "
        "read the groups."
    )


@text.table(Simpson)
def simpson_table(simpson: Simpson, say: Say) -> pd.DataFrame:
    """Both changes in points, one row per step."""
    return text.cells(
        simpson.table,
        {
            "step": lambda row: say.step(row["step"]),
            "by": "segment",
            "overall, points": lambda row: say.points_estimate(row, "change"),
            "within groups": lambda row: say.points_estimate(row, "within"),
            "groups": lambda row: f"{row['n_groups']:g}",
            "": lambda row: _DIRECTIONS[row["state"]],
        },
    )


# Times


@text.headline(TimeToConvert)
def times_headline(times: TimeToConvert, say: Say) -> str:
    """Median time from the first stage to the last."""
    known = times.table.dropna(subset="median_days") if len(times.table) else times.table
    if known.empty:
        return "Too few leads have converted from any stage to show how long it takes."
    row = known.iloc[-1]
    digits = _digits(row)
    days, low, high = (
        say.number(row[f"median_days{end}"], digits=digits) for end in ("", "_low", "_high")
    )
    return (
        f"{capital(say.step(row['step']))}: half take up to {days} days (likely {low} to {high}). "
        f"{say.number(row['n_moved'])} converted; {say.number(row['n_waiting'])} have "
        "neither converted nor left."
    )


@text.caveats(TimeToConvert)
def times_caveats(times: TimeToConvert, say: Say) -> list[str]:
    """Stages that are recorded late."""
    return [sentence(late, say) for late in times.recorded_late]


@text.table(TimeToConvert)
def times_table(times: TimeToConvert, say: Say) -> pd.DataFrame:
    """Median with its interval, quartiles and counts of each step."""
    return text.cells(
        times.table,
        {
            "step": lambda row: say.step(row["step"]),
            "median days": lambda row: say.number_estimate(row, "median_days", digits=_digits(row)),
            "p25 to p75": lambda row: _quartiles(row, say),
            "converted": lambda row: (
                f"{say.number(row['n_moved'])} of{NO_BREAK}{say.number(row['n_entered'])}"
            ),
            "still waiting": lambda row: say.number(row["n_waiting"]),
        },
    )


def _quartiles(row: pd.Series, say: Say) -> str:
    ends = [say.number(row[name], digits=_digits(row)) for name in ("p25_days", "p75_days")]
    return NOT_KNOWN if NOT_KNOWN in ends else f"{ends[0]} to{NO_BREAK}{ends[1]}"


def _digits(row: pd.Series) -> int:
    return 0 if row["median_days"] >= 10 else 1


# Win rate by closing date


@text.headline(WinRate)
def win_rate_headline(win_rate: WinRate, say: Say) -> str:
    """Win rate of the period, and of the baseline."""
    table = win_rate.new_business
    if table["n_lost"].sum() == 0:
        return "No lost deal is recorded, so there is no win rate by closing date."
    now, then = (table[table["span"] == span].iloc[0] for span in SPANS)
    if np.isnan(now["win_rate"]):
        return f"No deal was closed this period; {say.rate(then['win_rate'])} were won before."
    n = say.number(now["n_won"] + now["n_lost"])
    return (
        f"{say.rate(now['win_rate'])} of {n} deals closed this period were won "
        f"{likely(say, now, 'win_rate')}, was {say.rate(then['win_rate'])}."
    )


@text.table(WinRate)
def win_rate_table(win_rate: WinRate, say: Say) -> pd.DataFrame:
    """The period, the baseline, both by kind, and the newest months, newest first."""
    table = win_rate.table
    if table["n_lost"].sum() == 0:
        return pd.DataFrame()  # the headline says why
    is_month = table["span"] == "month"
    names = {"period": " (this period)", "baseline": " (baseline)"}
    kind = {"kind": lambda row: row["kind"] if isinstance(row["kind"], str) else "new"}
    return text.cells(
        pd.concat([table[~is_month], table[is_month][::-1].head(_MONTHS_SHOWN)]),
        {
            "deals closed in": lambda row: f"{row['label']}{names.get(row['span'], '')}",
            **(kind if table["kind"].notna().any() else {}),
            "won of closed": lambda row: say.share_estimate(row, "win_rate"),
            "won": lambda row: say.number(row["n_won"]),
            "lost": lambda row: say.number(row["n_lost"]),
        },
    )


@text.caveats(WinRate)
def win_rate_caveats(win_rate: WinRate, say: Say) -> list[str]:
    """Kinds that are rows of their own."""
    kinds = sorted(win_rate.table["kind"].dropna().unique())
    if not kinds:
        return []
    others = ", ".join(kinds)
    return [f"The rate is of new business. Other kinds are in rows of their own: {others}."]


# Deals by group, and open deals


@text.headline(DealGroups)
def deal_groups_headline(groups: DealGroups, say: Say) -> str:
    """The group of the first column with the largest won value."""
    if not groups.n_won:
        return "No deal was won this period, so there is none to group."
    known = groups.table[groups.table["value"] > 0]
    if known.empty:
        return f"{say.rows(groups.n_won, 'deal was', 'deals were')} won this period."
    first = known[known["by"] == known["by"].iloc[0]]
    top = first.loc[first["value"].idxmax()]
    return (
        f"By {top['by']}, most is won with {top['group']}: {say.short_money(top['value'])}, was "
        f"{say.short_money(top['value_baseline'])}."
    )


@text.table(DealGroups)
def deal_groups_table(groups: DealGroups, say: Say) -> pd.DataFrame:
    """Each group with its won value, deals and win rate."""
    has_rate = groups.table["win_rate"].notna().any()
    won = {"won of closed": lambda row: say.share_estimate(row, "win_rate")} if has_rate else {}
    return text.cells(
        groups.table,
        {
            "by": "by",
            "group": "group",
            "won value": lambda row: say.short_money(row["value"]),
            "baseline's": lambda row: say.short_money(row["value_baseline"]),
            "won": lambda row: say.number(row["n_won"]),
            "won in the baseline": lambda row: say.number(row["n_won_baseline"]),
            **won,
        },
    )


@text.headline(OpenDeals)
def open_deals_headline(open_ones: OpenDeals, say: Say) -> str:
    """How many deals are open, and their money."""
    if not open_ones.n_open:
        return "No open deal is recorded."
    n, value = say.rows(open_ones.n_open, "deal is", "deals are"), open_ones.value
    return f"{n} open{f', {say.short_money(value)} in all' if value else ''}."


@text.caveats(OpenDeals)
def open_deals_caveats(open_ones: OpenDeals, say: Say) -> list[str]:
    """Open deals in no row."""
    n = open_ones.n_unknown
    return [f"{say.rows(n, 'open deal has', 'open deals have')} no known opening."] if n else []


@text.table(OpenDeals)
def open_deals_table(open_ones: OpenDeals, say: Say) -> pd.DataFrame:
    """Open deals by stage and age."""
    stage = (
        {"stage": lambda row: say.stage(row["stage"])}
        if open_ones.table["stage"].ne(EVERYBODY).any()
        else {}
    )
    return text.cells(
        open_ones.table,
        {
            **stage,
            "open for": "age",
            "deals": lambda row: say.number(row["n"]),
            "amount": lambda row: say.short_money(row["value"]),
        },
    )


# Sales cycle

_SPAN_LABELS = (("period", "this period"), ("baseline", "the baseline"))


@text.headline(SalesCycle)
def cycle_headline(cycle: SalesCycle, say: Say) -> str:
    """Median cycle of the period and of the baseline, and whether it changed."""
    rows = cycle.table.set_index("span")
    if cycle.no_opening:
        return f"No sales cycle is recorded. {sentence(cycle.no_opening, say)}"
    if rows.loc[list(SPANS), "cycle_days"].isna().any():
        return (
            f"No sales cycle is given: fewer than {FEWEST_WINS} deals were won in the period or "
            "in its baseline."
        )
    now, then = (rows.loc[span] for span in SPANS)
    low, high = (say.number(now[f"cycle_days_{end}"]) for end in ("low", "high"))
    return (
        f"Half of the won deals take up to {say.number(now['cycle_days'])} days (likely {low} to "
        f"{high}), was {say.number(then['cycle_days'])}: "
        f"{_OUTCOMES[rows.loc['change', 'verdict_cycle']]}."
    )


@text.caveats(SalesCycle)
def cycle_caveats(cycle: SalesCycle, say: Say) -> list[str]:
    """Velocity that bookings contradict, deals excluded, lost ones missing, closed too early."""
    sentences = _disagreements(cycle, say)
    if cycle.n_not_new:
        n = say.rows(cycle.n_not_new, "expansion or renewal is", "expansions and renewals are")
        sentences.append(f"New business only: {n} excluded.")
    if not cycle.has_lost:
        sentences.append(
            "No lost deal is recorded, so every deal that closes is a won one here, and the win "
            "rate has no meaning."
        )
    if cycle.n_backwards:
        n = say.rows(cycle.n_backwards, "deal")
        sentences.append(f"Closed before they were opened: {n}; they count as closed on day 0.")
    return sentences


def _disagreements(cycle: SalesCycle, say: Say) -> list[str]:
    rows = cycle.table.set_index("span")
    apart = [
        (label, rows.loc[span]) for span, label in _SPAN_LABELS if not rows.loc[span, "agrees"]
    ]
    return [
        f"In {label}, velocity is {say.short_money(row['velocity'])} a day where "
        f"{say.short_money(row['bookings'])} a day was booked. Deals that are still open do not "
        "explain the difference: either they are not worked on, or not every opening and closing "
        "is recorded. So whether velocity changed is inconclusive."
        for label, row in apart
    ]


@text.table(SalesCycle)
def cycle_table(cycle: SalesCycle, say: Say) -> pd.DataFrame:
    """Each figure of the pipeline in both spans, and the change."""
    rows = cycle.table.set_index("span")
    each = [(rows.loc[span], span == "change") for span in (*SPANS, "change")]
    figures = {
        "deals in the pipeline": [say.number(row["n_deals"], sign=sign) for row, sign in each],
        "won": [say.number(row["n_won"], sign=sign) for row, sign in each],
        "won of those that close, %": [
            say.number_estimate(row, "win_rate", times=100, digits=1, sign=sign)
            for row, sign in each
        ],
        "median days to win": [
            say.number_estimate(row, "cycle_days", sign=sign) for row, sign in each
        ],
        "mean deal": [_money(say, row, "avg_deal_size", sign) for row, sign in each],
        "open on an average day": [
            say.number_estimate(row, "n_open", sign=sign) for row, sign in each
        ],
        "mean days open": [say.number_estimate(row, "days_open", sign=sign) for row, sign in each],
        "velocity, a day": [_money(say, row, "velocity", sign) for row, sign in each],
        "booked, a day": [_money(say, row, "bookings", sign) for row, sign in each],
    }
    names = ["this period", "baseline", "change"]
    return pd.DataFrame(figures, index=names).T.rename_axis("figure").reset_index()


def _money(say: Say, row: pd.Series, name: str, sign: bool) -> str:
    return say.estimate(
        *(say.money(row[f"{name}{end}"], sign=sign) for end in ("", "_low", "_high"))
    )


# The rows behind all of these


def row_sentences(facts: RowFacts, say: Say) -> list[str]:
    """What a reader must know of the rows: late, missing, out of order, early or excluded."""
    sentences = [sentence(late, say) for late in facts.recorded_late]
    if facts.missing_stages:
        names = ", ".join(map(say.stage, facts.missing_stages))
        sentences.append(f"Nothing records {names}; these stages are left out.")
    if facts.out_of_order is not None:
        sentences.append(sentence(facts.out_of_order, say))
    if facts.n_early:
        rows = say.rows(facts.n_early, facts.unit[:-1])
        sentences.append(f"{rows} have a stage dated before their creation; it counts at age 0.")
    if facts.n_deals_without_lead:
        n, won = say.number(facts.n_deals_without_lead), say.money(facts.amount_without_lead)
        sentences.append(
            f"{n} deals name no lead and are in no rate here; the won ones are worth {won}."
        )
    if facts.unit == "deals":
        sentences.append("Without leads, deals are followed from their own creation.")
    return sentences + [sentence(each, say) for each in facts.filled_by_outcome]


# Shared


def likely(say: Say, row: pd.Series, name: str) -> str:
    """`(likely 28% to 38%)`."""
    return f"({say.likely(row[f'{name}_low'], row[f'{name}_high'])})"


def points_apart(say: Say, row: pd.Series, name: str) -> str:
    """`likely 11 to 19 points lower`."""
    return say.points_apart(row[f"{name}_low"], row[f"{name}_high"])


def _or_state(row: pd.Series, cell: str, unit: str) -> str:
    """The cell; where its row cannot be compared, why."""
    return cell if row["state"] == COMPARABLE else _STATES[row["state"]].format(unit=unit)
