"""Every sentence, table heading and label of the definition question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from funnel.contract.labels import EVERYBODY, NOT_RECORDED, POOLED
from funnel.contract.tables import TABLES
from funnel.methods.qualification import HandoffStages, Missing, outcomes
from funnel.methods.qualification.leads import HANDOFF
from funnel.methods.stage_steps import GRADE, grade_from
from funnel.questions.definition import (
    adherence,
    calibration,
    counts,
    criteria,
    leakage,
    personas,
    points,
    reasons,
    thresholds,
)
from funnel.questions.definition.agreement import HANDED_OVER, Agreement
from funnel.results import Say, text
from funnel.stats import MOVED

TITLES = {
    "definition": "Share of leads that each definition takes",
    "overlap": "Leads of {period}, by who takes them",
    "agreement": "Agreement beyond chance",
    "adherence": "What was agreed, and what is done",
    "reasons": "Why leads left before an opportunity",
    "criteria": "What each criterion is worth",
    "calibration": "Won, by grade and tenth of the score",
    "points": "Points that behaviours earn and are worth",
    "threshold_replay": "Recorded wins above each threshold",
    "threshold_changes": "Share of leads handed over, by week",
}
AXES = {
    "agreement": "0: as by chance, 1: always the same",
    "criteria": "points of win rate, one side less the other",
    "points": "points of the score",
    "threshold_replay": "leads a week (beside each dot: the threshold on {column})",
}
SPANS = ("this period", "baseline")
SINCE = ("since agreed", "year before")
EARNED = ("earns", "is worth")
EXPECTED = "expected"

_DEFINITIONS = {
    "marketing": "marketing's definition",
    "sales": "sales' definition",
    "agreed": "the agreed one",
}
_MISSING = {
    outcomes.NO_OUTCOME: "no outcome of a lead is recorded",
    outcomes.NO_WIN: "no win of a lead is recorded",
    outcomes.FEW_WINS: "{n} wins of leads are recorded, too few to show how long they take",
    outcomes.NONE_MATURE: "no lead is {n} days old yet",
    adherence.NOT_AGREED: "the plan has no agreed definition",
    adherence.NOT_USABLE: "the agreed definition cannot be used ({name})",
    adherence.NO_LEADS: "there are no leads",
    outcomes.NO_HANDOFF: "no hand-off is recorded",
    calibration.NO_SCORE: "no score or grade is filled",
    outcomes.FEW_WON: "of {of} mature leads handed over {n} were won",
    calibration.FEW_SCORED: "too few leads with a score or grade were handed over, or won",
    criteria.NO_COLUMN: "no column of leads is filled",
    personas.NO_ROLE: "no role and no function is filled",
    personas.NONE_HANDED: "no lead was handed over",
    points.NO_SCORE: "no score is filled",
    points.NO_KINDS: "touches have no kind",
    points.NO_BEHAVIOUR: "no kind of touch is shown by some leads handed over and not by others",
    points.FEW_SCORED_WON: "{n} mature leads with a score were won",
    points.NO_SLOPE: "the score itself is not associated with wins, so its points have no value",
    reasons.NO_EXIT: "no stage change records that a lead left",
    reasons.NO_EXIT_IN_PERIOD: "no lead left in the period",
    thresholds.NO_NUMBER: "leads have no number and no grade to set a threshold on",
    thresholds.NOT_FILLED: "no {name} is filled",
    thresholds.FEW_WON_AT_ONE: "{n} mature leads with a {name} were won at one threshold",
    thresholds.NO_THRESHOLD: "leads are not handed over by a threshold on {name}",
}
REMEDIES = {
    "fit": "target: aim programmes at other kinds of company",
    "size": "threshold: set the size in the agreed definition, or route small firms elsewhere",
    "contact": "data: check contact details at the form, and try another channel",
    "interest": "message: change what the offer says, and to whom",
    "decision_maker": "role: reach who decides, and ask the contact for an introduction",
    "pain": "value: show the problem first, and hand over when a need is named",
    "timing": "nurture: agree a date, and come back then",
    "other": "read these one by one",
    reasons.NOT_MAPPED: "map: add the words to [reasons] of the plan",
    reasons.SEVERAL: "ask: which of the reasons decided",
    NOT_RECORDED: "ask: a reason at every return, from those who return leads",
}
_OPEN_REASONS = (reasons.NOT_MAPPED, reasons.SEVERAL, NOT_RECORDED)


# --- shared phrases ---


def _why(missing: Missing, say: Say, leaks: Iterable[leakage.Leakage] = ()) -> str:
    """Why a figure is missing, as the end of a sentence."""
    if missing.code == leakage.LEAKS:
        return " ".join(_leak(each, say) for each in leaks).rstrip(".")
    n, of = (say.number(value) for value in (missing.n, missing.of))
    return _MISSING[missing.code].format(n=n, of=of, name=missing.name.rstrip("."))


def _leads(handoff: HandoffStages) -> str:
    return "leads handed over" if handoff.is_known else "leads"


def _percent(row: Mapping[str, Any], name: str, say: Say) -> str:
    """Share with its interval in brackets, for a cell that counts as well."""
    ends = (say.number(100 * row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{say.share(row[name])} {say.interval(*ends)}"


def _rows(table: pd.DataFrame) -> list[pd.Series]:
    return text.each_row(table)


def _list(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def touches_rule(handoff: HandoffStages, say: Say) -> str:
    """Up to when a definition counts touches."""
    if not handoff.is_known:
        return "No hand-off is recorded: touches count up to the lead's creation."
    return (
        f"Touches count up to the hand-off ({say.entered(handoff.stage)}). For leads not handed "
        f"over, they count up to {say.number(handoff.usual_days, digits=1)} days of age, by which "
        "nine in ten of the others were."
    )


def _leak(leak: leakage.Leakage, say: Say) -> str:
    """Why a column is excluded, and whom to ask."""
    share, other = say.share(leak.share), say.share(leak.share_other)
    n, n_other = say.number(leak.n), say.number(leak.n_other)
    if leak.test == leakage.DATED:
        found = f"{_dated(leak, say)}."
    elif leak.test == leakage.FILL:
        ends = {"d": leak.share - leak.share_other, "d_low": leak.low, "d_high": leak.high}
        found = (
            f"`{leak.column}` is filled for {share} of {n} won leads and for {other} of {n_other} "
            f"others ({say.points_estimate(ends, 'd')} points): it seems to be filled in once the "
            "outcome is known."
        )
    elif leak.test == leakage.SETTLED:
        found = (
            f"`{leak.column}` is filled for {other} of {n_other} leads that are still open, and "
            f"for {share} of those of the same age that were won or have left ({n}): it seems to "
            "be filled in with the outcome."
        )
    elif leak.test == leakage.AGE:
        ends = say.interval(say.share(leak.low), say.share(leak.high))
        found = (
            f"By `{leak.column}`, {n} leads too recent for their outcome look like leads that were "
            f"not won: {share} {ends} of what separates the wins to come is missing. It seems to "
            "be written with the outcome."
        )
    else:
        found = (
            f"`{leak.column}` ranks a won lead above another in {share} of pairs ({n} won, "
            f"{n_other} not), more than the {other} that what is known beforehand reaches. It may "
            "be measured during or after the outcome."
        )
    ask = f"Ask {TABLES['leads'].owner} when `{leak.column}` is written."
    return f"{found} It is excluded. {ask}"


def _dated(leak: leakage.Leakage, say: Say) -> str:
    return (
        f"By `{leak.dated_by}`, `{leak.column}` was written after the outcome (accepted, left or "
        f"won) of {say.number(leak.n)} of {say.number(leak.n_other)} leads that have one"
    )


# --- counts and overlap ---


@text.headline(counts.Definition)
def definition_headline(result: counts.Definition, say: Say) -> str:
    """How many of the period's leads each definition takes."""
    rows = result.table[result.table["span"] == "period"].set_index("definition")
    written = rows.drop(index=HANDED_OVER, errors="ignore")
    if written.empty:
        return "The plan has no definition that can be used, so there is none to compare."
    n = int(written["n_leads"].iloc[0])
    if not n:
        return f"No lead was created in {result.period}, so no definition takes any."
    parts = [
        f"{say.number(row['n_qualified'])} ({say.share(row['share'])}){' qualify' * (at == 0)} "
        f"under {_DEFINITIONS[name]}"
        for at, (name, row) in enumerate(written.iterrows())
    ]
    end = ""
    if HANDED_OVER in rows.index:
        end = f"; {say.number(rows.loc[HANDED_OVER, 'n_qualified'])} were handed over"
    return f"Of {say.number(n)} leads of {result.period}, {_list(parts)}{end}."


@text.table(counts.Definition)
def definition_table(result: counts.Definition, say: Say) -> pd.DataFrame:
    """One row per definition: leads of the two periods, outcomes of mature leads."""
    spans = {span: rows.set_index("definition") for span, rows in result.table.groupby("span")}
    if not spans:
        return pd.DataFrame()
    names = list(spans["period"].index)
    shown = pd.DataFrame({"definition": names})
    for span, title in zip(("period", "baseline"), SPANS, strict=True):
        shown[title] = [_counted(spans[span].loc[name], say) for name in names]
    mature = spans["matured"].loc[names]
    if mature["n_leads"].gt(0).any():
        shown = shown.assign(**_outcome_columns(mature, result.basis.handoff, say))
    return shown


def _counted(row: pd.Series, say: Say) -> str:
    if not row["n_known"]:
        return "no leads"
    of = f"{say.number(row['n_qualified'])} of {say.number(row['n_known'])}"
    return f"{of} ({_percent(row, 'share', say)})"


def _outcome_columns(
    mature: pd.DataFrame, handoff: HandoffStages, say: Say
) -> dict[str, list[str]]:
    shown = text.cells(
        mature,
        {
            f"won, of mature {_leads(handoff)}": lambda row: say.share_estimate(
                row, "win_rate", of="n_tried"
            ),
            "won amount of these": lambda row: say.money(row["amount"]),
        },
    )
    return shown.to_dict("list")


@text.caveats(counts.Definition)
@text.caveats(counts.Overlap)
def basis_caveats(result: counts.Definition | counts.Overlap, say: Say) -> list[str]:
    """What counts under the definitions rest on."""
    basis, found = result.basis, list(result.basis.problems)
    if basis.unwritten:
        found.append(f"The plan has no definition of {_list(basis.unwritten)}.")
    if basis.reads_touches:
        found.append(touches_rule(basis.handoff, say))
    found += [
        f"For {say.rows(n, 'lead')} a blank field leaves open whether they meet `{side}` "
        f"({', '.join(columns)}); they count on neither side."
        for side, n, columns in basis.blanks
    ]
    found += [
        f"`{side}` reads {', '.join(columns)}, which seems to be written after the outcome: win "
        "rates under it may only repeat the outcome."
        for side, columns in basis.leaking
    ]
    if basis.missing:
        found.append(f"What became of the leads is not known yet: {_why(basis.missing, say)}.")
    return found


@text.headline(counts.Overlap)
def overlap_headline(result: counts.Overlap, say: Say) -> str:
    """Which leads only one side takes, and how often they were won."""
    table = result.as_computed.without_small_groups(marked=True).table
    period, mature = (
        table[table["span"] == span].set_index("group") for span in ("period", "matured")
    )
    if period.empty:
        return "Fewer than two definitions can be used, so there is no overlap to show."
    only = [f"{side} only" for side in result.sides]
    of_one = [f"{say.number(period.loc[group, 'n'])} for {group}" for group in only]
    found = (
        f"{say.number(period.loc[counts.BOTH, 'n'])} leads of {result.period} are qualified for "
        f"both, {_list(of_one)}."
    )
    rates = [
        f"{say.share(mature.loc[group, 'win_rate'], digits=1)} of {group}"
        for group in (counts.BOTH, *only)
        if group in mature.index and mature.loc[group, "n_tried"]
    ]
    if rates:
        leads = _leads(result.basis.handoff)
        days = say.number(result.days)
        found += f" Of mature {leads}, won by day {days}: {', '.join(rates)}."
    return found


@text.table(counts.Overlap)
def overlap_table(result: counts.Overlap, say: Say) -> pd.DataFrame:
    """One row per group: leads of the two periods, outcomes of mature leads."""
    if result.table.empty:
        return pd.DataFrame()
    spans = {span: result.table[result.table["span"] == span] for span in counts.SPANS}
    shown = pd.DataFrame({"qualified for": spans["period"]["group"].to_numpy()})
    for span, title in zip(("period", "baseline"), SPANS, strict=True):
        shown[title] = [_with_share(row, say) for row in _rows(spans[span])]
    mature = spans["matured"]
    if mature["n"].sum():
        if result.basis.handoff.is_known:
            never = mature["n"] - mature["n_tried"]
            shown["mature, never handed over"] = [say.number(n) for n in never]
        shown = shown.assign(**_outcome_columns(mature, result.basis.handoff, say))
    return shown


def _with_share(row: pd.Series, say: Say) -> str:
    n = say.number(row["n"])
    return n if np.isnan(row["n"]) else f"{n} ({_percent(row, 'share', say)})"


# --- agreement and adherence ---


@text.headline(Agreement)
def agreement_headline(result: Agreement, say: Say) -> str:
    """How often the first two definitions agree, and how often chance would."""
    rows = result.table[(result.table["span"] == "period") & (result.table["n"] > 0)]
    if rows.empty:
        return (
            "Fewer than two definitions can be applied to leads of this period, so none can be "
            "compared."
        )
    row = rows.iloc[0]
    return (
        f"{row['one'].capitalize()} and {row['other']} agree on {say.share(row['agree'])} of "
        f"{say.number(row['n'])} leads of {result.period}; by chance it would be "
        f"{say.share(row['agree_by_chance'])}."
    )


@text.table(Agreement)
def agreement_table(result: Agreement, say: Say) -> pd.DataFrame:
    """One row per pair: the agreement, kappa in both periods, and the share that each takes."""
    now, then = (result.table[result.table["span"] == span] for span in ("period", "baseline"))
    shown = text.cells(
        now,
        {
            "between": lambda row: f"{row['one']} and {row['other']}",
            "same answer": lambda row: say.share_estimate(row, "agree", of="n"),
            "by chance": lambda row: say.share(row["agree_by_chance"]),
            "kappa": lambda row: _kappa(row, say),
            "each takes": lambda row: (
                f"{say.share(row['one_share'])}, {say.share(row['other_share'])}"
            ),
        },
    )
    before = [_kappa(row, say) for _, row in then.iterrows()]
    shown.insert(shown.columns.get_loc("each takes"), "kappa, baseline", before)
    return shown


@text.caveats(Agreement)
def agreement_caveats(result: Agreement, say: Say) -> list[str]:
    """Which definitions cannot be used."""
    return list(result.problems)


def _kappa(row: pd.Series, say: Say) -> str:
    if np.isnan(row["kappa"]):
        return "not defined (both take all leads, or none)"
    return say.number_estimate(row, "kappa", digits=2)


@text.headline(adherence.Adherence)
def adherence_headline(result: adherence.Adherence, say: Say) -> str:
    """What marketing handed over and what sales accepted, one clause each."""
    if result.missing:
        return f"Adherence is not known: {_why(result.missing, say)}."
    rows, parts = result.shares, []
    for what, words in (
        (adherence.MEETS, "{} leads handed over meet the agreed definition"),
        (adherence.TAKEN_MEETING, "sales accepted {} that meet it"),
    ):
        if what in rows.index and rows.loc[what, "n"]:
            row = rows.loc[what]
            before = f" (before: {say.share(row['share_before'])})" if row["n_before"] else ""
            of = f"{say.share(row['share'])} of {say.number(row['n'])}"
            parts.append(words.format(of) + before)
    if not parts:
        return "Adherence is not known: no lead was handed over."
    since = "In this period"
    if result.agreed_on is not None and result.comparison == "agreement":
        since = f"Since {say.day(result.agreed_on)}"
    return f"{since}, {'; '.join(parts)}."


@text.table(adherence.Adherence)
def adherence_table(result: adherence.Adherence, say: Say) -> pd.DataFrame:
    """Each share since the agreement and before, or in the two periods."""
    now, then = SINCE if result.comparison == "agreement" else SPANS
    return text.cells(
        result.shares.reset_index(),
        {
            "team": "half",
            "share": "what",
            now: lambda row: say.share_estimate(row, "share", of="n"),
            then: lambda row: say.share_estimate(row, "share_before", of="n_before"),
            "change, points": lambda row: say.points_estimate(row, "change"),
            "verdict": "verdict",
        },
    )


@text.caveats(adherence.Adherence)
def adherence_caveats(result: adherence.Adherence, say: Say) -> list[str]:
    """Which stages are meant, and since when it is agreed."""
    if result.missing:
        return []
    handoff, agreed_on = result.handoff, result.agreed_on
    accepted = f"accepted means {say.entered(handoff.accepted)}" if handoff.accepted else ""
    accepted = accepted or "no acceptance is recorded"
    found = [f"Handed over means {say.entered(handoff.stage)}; {accepted}."]
    if agreed_on is None:
        found.append("The plan has no day of the agreement, so the two periods are compared.")
    elif agreed_on > result.as_of:
        day = say.day(agreed_on)
        found.append(f"The definition is agreed from {day} on, after the last day of the data.")
    return [*found, *result.problems]


# --- reasons ---


@text.headline(reasons.Reasons)
def reasons_headline(result: reasons.Reasons, say: Say) -> str:
    """The reason given most, and how many leads have none that counts."""
    if result.missing:
        return f"Why leads come back is not known: {_why(result.missing, say)}."
    rows = result.table[result.table["group"] == EVERYBODY]
    open_ = rows["reason"].isin(_OPEN_REASONS)
    every = result.as_computed.table.loc[rows.index, "n"]
    n = say.number(every.sum())
    begin = f"{n} leads left before an opportunity in {result.period}"
    if not every[~open_].sum():
        return f"{begin}; none of them has a reason that [reasons] of the plan maps."
    top = rows.loc[every[~open_].idxmax()]
    share = "" if np.isnan(top["share"]) else f" ({say.share(top['share'])})"
    n_open = say.number(every[open_].sum())
    return (
        f"{begin}. The reason given most is {_reason(top)}{share}; {n_open} have no reason, or one "
        "that is not mapped."
    )


def _reason(row: pd.Series) -> str:
    return row["reason"].replace("_", " ")


def reason_labels(rows: pd.DataFrame) -> list[str]:
    """Names of reasons, the company's own words in quotes where they are not mapped."""
    return [
        f'"{row["words"]}"' if row["reason"] == reasons.NOT_MAPPED else _reason(row)
        for row in _rows(rows)
    ]


@text.table(reasons.Reasons)
def reasons_table(result: reasons.Reasons, say: Say) -> pd.DataFrame:
    """Each reason with its remedy; where leads are split, the reason given most by group."""
    if result.by:
        return _reasons_by_group(result, say)
    return text.cells(
        result.table[(result.table["n"] > 0) | (result.table["n_baseline"] > 0)],
        {
            "reason": _reason,
            "in the company's words": lambda row: _phrases(result, row, say),
            "leads": lambda row: say.number(row["n"]),
            "share": lambda row: say.share_estimate(row, "share"),
            "change, points": lambda row: say.points_estimate(row, "change"),
            "verdict": "verdict",
            "what it asks for": lambda row: REMEDIES[row["reason"]],
        },
    )


def _phrases(result: reasons.Reasons, row: pd.Series, say: Say) -> str:
    if row["words"]:
        return row["words"]
    here = result.phrases
    here = here[(here["group"] == row["group"]) & (here["reason"] == row["reason"])]
    pairs = zip(here["words"], here["n"], strict=True)
    return "; ".join(words if np.isnan(n) else f"{words} {say.number(n)}" for words, n in pairs)


def _reasons_by_group(result: reasons.Reasons, say: Say) -> pd.DataFrame:
    rows = []
    for group, each in result.table.groupby("group", sort=False):
        named = each[~each["reason"].isin(_OPEN_REASONS)]
        every = result.as_computed.table.loc[each.index, "n"]
        if group == EVERYBODY or not every[named.index].sum():
            continue
        top = named.loc[every[named.index].idxmax()]
        rows.append(
            {
                result.by: group,
                "leads that left": say.number(every.sum()),
                "reason given most": _reason(top),
                "share": say.share_estimate(top, "share"),
                "what it asks for": REMEDIES[top["reason"]],
            }
        )
    return pd.DataFrame(rows)


@text.caveats(reasons.Reasons)
def reasons_caveats(result: reasons.Reasons, say: Say) -> list[str]:
    """Which of the company's words are not mapped."""
    if result.missing:
        return []
    found, odd = [], result.not_mapped[result.not_mapped["n"] > 0]
    if not result.is_mapped:
        found.append("[reasons] of the plan is empty: the company's words are listed as they are.")
    if len(odd):
        found.append(
            f"{say.rows(len(odd), 'reason')} of the company, given for "
            f"{say.rows(odd['n'].sum(), 'lead')}, are not mapped in [reasons] and are listed as "
            "they stand. Sales and marketing decide together what they mean."
        )
    return found


# --- criteria, personas, calibration, points ---


@text.headline(criteria.Criteria)
def criteria_headline(result: criteria.Criteria, say: Say) -> str:
    """Which criteria are kept, and how many of the others are not."""
    if result.missing:
        return f"What criteria are worth is not known: {_why(result.missing, say)}."
    table = result.table
    counts = table["verdict"].value_counts()
    kept = table.loc[table["verdict"] == criteria.KEPT, "criterion"]
    parts = [
        f"{say.number(counts[verdict])} {words}"
        for verdict, words in (
            (criteria.DROPPED, "worth too little to choose by"),
            (criteria.NO_EVIDENCE, "without evidence"),
            (criteria.EXCLUDED, "excluded"),
        )
        if verdict in counts
    ]
    named = f": {', '.join(kept)}" if len(kept) else ""
    return (
        f"{say.number(len(kept))} of {say.rows(len(table), 'criterion', 'criteria')} separate won "
        f"leads from others{named}.{' The others: ' if parts else ''}{', '.join(parts)}"
        f"{'.' * bool(parts)}"
    )


@text.table(criteria.Criteria)
def criteria_table(result: criteria.Criteria, say: Say) -> pd.DataFrame:
    """Each criterion with its worth in points of win rate and its verdict."""
    return text.cells(
        result.table,
        {
            "criterion": "criterion",
            "verdict": "verdict",
            "worth, points of win rate": lambda row: say.points_estimate(row, "worth"),
            "won, compared with the rest": lambda row: _split(row, say),
            "over time": "stable",
            "leads": lambda row: say.number(row["n"]),
            "used by": "used_by",
        },
    )


def _split(row: pd.Series, say: Say) -> str:
    if np.isnan(row["worth"]):
        return ""
    rates = (say.share(row[name], digits=1) for name in ("rate_in", "rate_out"))
    return f"{_split_name(row, say)}: {' and '.join(rates)}"


def _split_name(row: pd.Series, say: Say) -> str:
    if row["split"] == criteria.ANY:
        return "any"
    if row["split"] == criteria.FROM:
        start = row["split_from"]
        return f"from {say.number(start, digits=0 if start == round(start) else 2)} up"
    return row["split_values"] or "no value in both halves of time"


@text.caveats(criteria.Criteria)
def criteria_caveats(result: criteria.Criteria, say: Say) -> list[str]:
    """Which columns are excluded, and among which leads worth is measured."""
    found = [_leak(each, say) for each in result.leaks]
    found += [f"{_dated(each, say)}; too few to change what it is worth." for each in result.dated]
    if (result.table["kind"] == criteria.BEHAVIOUR).any():
        found.append(touches_rule(result.handoff, say))
    if result.handoff.is_known and len(result.table):
        found.append(
            "Worth is measured among leads handed over, the only ones that could be won. A "
            "criterion that decides who is handed over shows only what it adds beyond that."
        )
    return found


_PAIRS = {
    personas.ROLE: ("pairs of role and function", "Both are"),
    personas.ROLE[:1]: ("roles", "It is"),
    personas.ROLE[1:]: ("functions", "It is"),
}


@text.headline(personas.Personas)
def personas_headline(result: personas.Personas, say: Say) -> str:
    """Which pairs are won more or less often than the others, and for how many it is recorded."""
    if result.missing:
        why = _why(result.missing, say, result.leaks)
        return f"How leads of each role and function are won is not known: {why}."
    table = result.table[result.table["contact"] == personas.DECIDING]
    table = table.assign(name=_pair_names(table))
    compared = table[table["verdict"] != personas.NOT_COMPARED]
    parts = [
        f"{'; '.join(compared.loc[compared['verdict'] == verdict, 'name'])} {verdict}"
        for verdict in (personas.MORE_OFTEN, personas.LESS_OFTEN)
        if (compared["verdict"] == verdict).any()
    ]
    what, recorded = _PAIRS[result.read]
    n = say.number(len(compared))
    found = (
        f"Of {n} {what}, these are won more or less often than the others: {', and '.join(parts)}."
        if parts
        else f"None of {n} {what} is seen to be won more or less often than the others."
    )
    n_leads = result.as_computed.table.loc[table.index, "n"].sum()
    return (
        f"{found} {recorded} recorded for {say.share(result.filled)} of "
        f"{say.number(n_leads)} {_leads(result.handoff)}."
    )


def _pair_names(table: pd.DataFrame) -> list[str]:
    """Names of pairs, without a part that nobody has, and without saying the same word twice."""
    for name, other in (personas.ROLE, personas.ROLE[::-1]):
        if set(table[name]) <= {NOT_RECORDED, POOLED}:
            return table[other].tolist()
    return [
        role if role == function else f"{role}, {function}"
        for role, function in zip(table["seniority"], table["job_function"], strict=True)
    ]


@text.table(personas.Personas)
def personas_table(result: personas.Personas, say: Say) -> pd.DataFrame:
    """Each pair, the deciding contact before the first."""
    return text.cells(
        result.table.assign(name=_pair_names(result.table)),
        {
            "contact": "contact",
            "role and function": "name",
            "won": lambda row: say.share_estimate(row, "win_rate", of="n"),
            "than the others": "verdict",
            "median days to the win": lambda row: say.number_estimate(row, "days"),
        },
    )


@text.caveats(personas.Personas)
def personas_caveats(result: personas.Personas, say: Say) -> list[str]:
    """Which of the two columns is excluded."""
    return [] if result.missing else [_leak(each, say) for each in result.leaks]


_ORDERS = {
    calibration.IN_ORDER: "in order as far as can be seen",
    calibration.OUT_OF_ORDER: "out of order",
    calibration.CANNOT_TELL: "highest and lowest not clearly apart",
}


@text.headline(calibration.Calibration)
def calibration_headline(result: calibration.Calibration, say: Say) -> str:
    """Whether win rates rise with the grade, and with the score."""
    if result.missing:
        why = _why(result.missing, say)
        if result.missing.code == leakage.LEAKS:
            why = "what there is seems to be written after the outcome"
        return f"What grades and scores are worth is not known: {why}."
    n = say.number(result.as_computed.table.groupby("by")["n"].sum().max())
    parts = [_calibrated(result.table, row, say) for row in _rows(result.verdicts)]
    first, *others = parts
    others = [f" {text.capital(each)}." for each in others]
    return f"Of {n} mature {_leads(result.handoff)}, {first}.{''.join(others)}"


def _calibrated(table: pd.DataFrame, row: pd.Series, say: Say) -> str:
    groups = table[table["by"] == row["by"]]
    if row["test"] == calibration.CHANCES:
        as_often = "as often as" if row["verdict"] == calibration.NOT_OFF else "not as often as"
        return f"wins come {as_often} the scores say"
    rates = [say.share(rate, digits=1) for rate in groups["rate"]]
    if row["by"] == "grade":
        pairs = zip(groups["group"][::-1], rates[::-1], strict=True)
        found = f"grades won {', '.join(f'{grade} {rate}' for grade, rate in pairs)}"
    else:
        found = f"tenths of the score won from {rates[0]} (lowest) to {rates[-1]} (highest)"
    return f"{found}, {_ORDERS[row['verdict']]}"


@text.table(calibration.Calibration)
def calibration_table(result: calibration.Calibration, say: Say) -> pd.DataFrame:
    """Each grade and tenth with its win rate, the highest first."""
    table = result.table[::-1]
    table = pd.concat([table[table["by"] == "grade"], table[table["by"] != "grade"]])
    columns = {
        "by": "by",
        "group": "group",
        "won": lambda row: say.share_estimate(row, "rate", of="n"),
    }
    if table["expected"].notna().any():
        columns["expected by the score"] = lambda row: say.share(row["expected"], digits=1)
    return text.cells(table, columns)


@text.caveats(calibration.Calibration)
def calibration_caveats(result: calibration.Calibration, say: Say) -> list[str]:
    """Which of grade and score is excluded."""
    return [_leak(each, say) for each in result.leaks]


@text.headline(points.Points)
def points_headline(result: points.Points, say: Say) -> str:
    """Which behaviours earn more, or fewer, points than they are worth."""
    if result.missing:
        why = _why(result.missing, say, result.leaks)
        return f"What behaviours earn and are worth is not known: {why}."
    parts = [
        f"{row['behaviour']} earns {words} than it is worth ({say.number(row['points'], digits=1)} "
        f"points, worth {say.number(row['worth'], digits=1)})"
        for verdict, words in ((points.OVER, "more"), (points.UNDER, "less"))
        for row in _rows(result.table[result.table["verdict"] == verdict])
    ]
    n = say.rows(len(result.table), "behaviour")
    if not parts:
        return f"Of {n}, none is seen to earn more or fewer points than it is worth."
    return f"Of {n}, {'; '.join(parts)}."


@text.table(points.Points)
def points_table(result: points.Points, say: Say) -> pd.DataFrame:
    """Each behaviour with the points that it earns and is worth."""
    return text.cells(
        result.table,
        {
            "behaviour": "behaviour",
            "verdict": "verdict",
            "earns, points": lambda row: say.number_estimate(row, "points", digits=1, sign=True),
            "worth, points": lambda row: say.number_estimate(row, "worth", digits=1, sign=True),
            "leads": lambda row: say.number(row["n"]),
            "of these won": lambda row: say.number(row["n_won"]),
        },
    )


@text.caveats(points.Points)
def points_caveats(result: points.Points, say: Say) -> list[str]:
    """How much of the score is explained, and up to when touches count."""
    if result.missing:
        return []
    rule = "Here touches count up to the lead's creation, the same time for leads of any score."
    return [
        f"Recorded behaviours and attributes explain {say.share(result.explained)} of the score's "
        "variance. What else it counts is not recorded here.",
        touches_rule(result.handoff, say) if result.until == HANDOFF else rule,
    ]


# --- thresholds ---


def threshold_label(column: str, value: float, say: Say) -> str:
    """A threshold as the company writes it: a grade by its letter."""
    if column == GRADE:
        return grade_from(value) or "above A"
    return say.number(value, digits=0 if value == round(value) else 2)


@text.headline(thresholds.ThresholdReplay)
def replay_headline(result: thresholds.ThresholdReplay, say: Say) -> str:
    """What a threshold with about a quarter less load would have kept."""
    if result.missing:
        return f"Other thresholds cannot be replayed: {_why(result.missing, say, result.leaks)}."
    now, row = result.in_force, result.with_less_load
    label = threshold_label(result.column, result.now, say)
    found = (
        f"The threshold on {result.column} is {label}, with {say.number(now['per_week'])} leads a "
        "week."
    )
    if row is not None:
        higher = threshold_label(result.column, row["threshold"], say)
        found += (
            f" From {higher} up it would have been {say.number(row['per_week'])}, with "
            f"{say.share(row['kept_share'])} of the {say.number(now['wins_kept'])} recorded wins."
        )
    return f"{found} Leads below {label} have no outcome, since they were not handed over."


@text.table(thresholds.ThresholdReplay)
def replay_table(result: thresholds.ThresholdReplay, say: Say) -> pd.DataFrame:
    """Each threshold with its load and the wins above it; without these where no lead was tried."""
    shown = text.cells(
        result.table,
        {
            f"threshold on {result.column}": lambda row: (
                threshold_label(result.column, row["threshold"], say)
                + " (in force)" * bool(row["in_force"])
            ),
            "leads a week": lambda row: say.number(row["per_week"], digits=1),
            "recorded wins kept": lambda row: say.share_estimate(row, "kept_share", digits=0),
            "won, of those handed over": lambda row: say.share_estimate(
                row, "win_rate", of="n_tried"
            ),
            "wins lost": lambda row: say.number_estimate(row, "wins_lost"),
            "won amount lost": lambda row: say.money(row["amount_lost"]),
        },
    )
    below = (result.table["state"] != thresholds.REPLAYED).to_numpy()
    shown.loc[below, ["wins lost", "won amount lost"]] = ""
    shown.loc[below, "recorded wins kept"] = [
        _below(row, say) for _, row in result.table[below].iterrows()
    ]
    return shown


def _below(row: pd.Series, say: Say) -> str:
    more = say.number(row["n_passed"] - row["n_tried"])
    return f"cannot tell: {more} more leads, none handed over"


@text.caveats(thresholds.ThresholdReplay)
def replay_caveats(result: thresholds.ThresholdReplay, say: Say) -> list[str]:
    """Which leads are replayed, and what a replay leaves open."""
    if result.missing:
        return []
    start, end = say.day(result.created_from), say.day(result.created_to)
    found = [
        f"Outcomes are those recorded for leads created from {start} to {end}, each by "
        f"{say.number(result.days)} days of age. With fewer leads, sales may do better or worse "
        "with each: a replay does not show that."
    ]
    if result.n_below:
        found.append(
            f"{say.rows(result.n_below, 'lead')} handed over from below the threshold are excluded."
        )
    return found


@text.headline(thresholds.ThresholdChanges)
def changes_headline(result: thresholds.ThresholdChanges, say: Say) -> str:
    """The latest change, or that none was found."""
    if result.missing:
        return f"Whether a threshold changed is not known: {_why(result.missing, say)}."
    if result.table.empty:
        n = say.number(result.n_tests)
        return f"No change of a threshold was found, in {n} tests of columns and half-years."
    n = len(result.table) - 1
    earlier = f" {say.number(n)} earlier {'one was' if n == 1 else 'ones were'} found." if n else ""
    return f"{_changed(result.table.iloc[-1], say)}{earlier}"


def _changed(row: pd.Series, say: Say) -> str:
    followed = [each for each in (_followed(row, name, say) for name in _SAME) if each]
    return (
        f"From {say.day(row['day'])} on, the threshold for {row['stage']} on {row['column']} was "
        f"{row['move']} from {' to '.join(_thresholds(row, say))}: {', '.join(followed)}."
    )


_SAME = {"passed": "as many passed", "accepted": "as many accepted", "won": "wins the same"}


def _followed(row: pd.Series, name: str, say: Say) -> str:
    """What was seen of a rate after the change: more, fewer, or as many."""
    low, high = row[f"{name}_change_low"], row[f"{name}_change_high"]
    if np.isnan(low):
        return "wins are not known yet" if name == "won" else ""
    if row[f"{name}_verdict"] == MOVED:
        return f"{'more' if low > 0 else 'fewer'} {'wins' if name == 'won' else name}"
    if row[f"{name}_verdict"] == "did not move":
        return _SAME[name]
    ends = (say.number(100 * end, digits=1, sign=True) for end in (low, high))
    return f"{_SAME[name]} as far as can be seen ({' to '.join(ends)} points)"


@text.table(thresholds.ThresholdChanges)
def changes_table(result: thresholds.ThresholdChanges, say: Say) -> pd.DataFrame:
    """Each change with its day and the rates before and after."""
    return text.cells(
        result.table,
        {
            "from": lambda row: say.day(row["day"]),
            "threshold": lambda row: (
                f"{row['column']}: {row['move']} from {' to '.join(_thresholds(row, say))}"
            ),
            **{
                name: lambda row, name=name: _before_and_after(row, name, say)
                for name in thresholds.FIGURES
            },
        },
    )


def _thresholds(row: pd.Series, say: Say) -> list[str]:
    """The threshold before and after a change."""
    return [
        threshold_label(row["column"], row[f"threshold_{when}"], say)
        for when in ("before", "after")
    ]


def _before_and_after(row: pd.Series, name: str, say: Say) -> str:
    if np.isnan(row[f"{name}_change_low"]):
        return "cannot tell"
    rates = (say.share(row[f"{name}_{when}"], digits=1) for when in ("before", "after"))
    ends = (
        say.number(100 * row[f"{name}_change_{end}"], digits=1, sign=True)
        for end in ("low", "high")
    )
    return f"{' to '.join(rates)} {say.interval(*ends)}"
