"""Why leads left before an opportunity: the company's words as the plan's seven reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.contract.labels import EVERYBODY, NOT_RECORDED
from funnel.contract.plan import SEVEN_REASONS
from funnel.dataset import stages
from funnel.methods.groups import group_labels, ordered, with_small_pooled
from funnel.methods.qualification import Missing, by_span
from funnel.methods.rates import rate, rate_change
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

NOT_MAPPED, SEVERAL = "not mapped", "several reasons"
NO_EXIT, NO_EXIT_IN_PERIOD = "no exit", "no exit in period"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reasons(Result):
    """Why leads left before they became an opportunity.

    `table` has one row per `group` (`all`, or a value of the column `by`) and reason:

    - `reason`: the plan's seven, `other`, `not mapped` (one row for each of the company's words,
      which stand in `words`), `several reasons` (a cell that names more than one, where there are
      such cells) or `not recorded`;
    - `n` leads of the period, `share` of the group's with `share_low`, `share_high`; the baseline's
      as `..._baseline`; `change` (points of 1) with `change_low`, `change_high` and `verdict`.

    Within a group `n` adds up to all that left. `phrases` has the company's own words in the
    period: `group`, `reason`, `words`, `n`. `is_mapped` is whether the plan maps any words.
    """

    grouped = (
        SmallGroups(
            by=("reason", "words"),
            counts={"n": ("share", "change"), "n_baseline": ("share_baseline", "change")},
            within=("group",),
            add_up=("n", "n_baseline"),
        ),
        SmallGroups(
            table="phrases",
            by=("reason", "words"),
            counts={"n": ()},
            within=("group",),
            add_up=("n",),
        ),
    )

    phrases: pd.DataFrame
    period: str = ""
    by: str = ""
    is_mapped: bool = True
    missing: Missing | None = None

    @property
    def not_mapped(self) -> pd.DataFrame:
        """The company's words that [reasons] does not map, with their counts."""
        rows = self.table[(self.table["group"] == EVERYBODY) & (self.table["reason"] == NOT_MAPPED)]
        return rows[["words", "n", "n_baseline"]].reset_index(drop=True)


def reasons(data: Tables, by: str = "") -> Reasons:
    """Counts of why leads left before they became an opportunity, as the seven reasons.

    Parameters
    ----------
    data
        The dataset; `[reasons]` of the plan maps the company's words. Capital letters and outer
        spaces do not matter, and a word that is itself one of the seven needs no mapping.
    by
        A column of leads to split by as well, such as `campaign`. Groups of fewer than the plan's
        `smallest_group` leads that left are pooled.

    Notes
    -----
    A lead counts once in a span, by the last time it left in it. Exits after the opportunity are
    reasons of loss, which are another question.
    """
    left = _exits(data)
    spans = {name: _last_exits(rows) for name, rows in by_span(data, left, "entered_at").items()}
    table, phrases, rows = [], [], [no_rows()]
    for group in _groups(data, spans, by):
        parts = {
            name: exits if group == EVERYBODY else exits[exits["group"] == group]
            for name, exits in spans.items()
        }
        for reason, words in _lines(parts):
            table.append(
                {"group": group, "reason": reason, "words": words}
                | _counted(parts, reason, words, data.plan.level)
            )
            here = _of(parts["period"], reason, words)
            phrases += _phrases(here, group, reason)
            label = f"{reason}: {words}" if words else reason
            rows.append(rows_of(f"{group}, {label}", "leads", here["lead_id"]))
    missing = Missing(NO_EXIT) if left.empty else None
    if missing is None and spans["period"].empty:
        missing = Missing(NO_EXIT_IN_PERIOD)
    return Reasons(
        table=pd.DataFrame(table, columns=_COLUMNS),
        rows=pd.concat(rows, ignore_index=True),
        units={"n": "leads", "share": "of leads that left", "change": "points of 1"},
        phrases=pd.DataFrame(phrases, columns=["group", "reason", "words", "n"]),
        period=data.comparison.period.label,
        by=by,
        is_mapped=bool(data.plan.reasons),
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("group", "reason", "words", "n", "share", "share_low", "share_high"),
    *("n_baseline", "share_baseline", "share_baseline_low", "share_baseline_high"),
    *("change", "change_low", "change_high", "verdict"),
]


def _exits(data: Tables) -> pd.DataFrame:
    """Exits before the opportunity: the lead, when, the words recorded, the reason they map to."""
    changes = data.stage_changes
    exits = changes[changes["stage"].isin(data.plan.exits)][["lead_id", "entered_at", "reason"]]
    exits = exits[exits["lead_id"].isin(data.leads["lead_id"])]
    stage = stages.opportunity_stage(data.plan.stages) or stages.won_stage(data.plan.stages)
    if stages.is_followed_by_lead(data) and len(exits):
        opened = stages.reached(data).set_index("lead_id")[f"{stage}_at"]
        opened = opened.reindex(exits["lead_id"]).set_axis(exits.index)
        exits = exits[opened.isna() | (exits["entered_at"] < opened)]
    words = exits["reason"].astype("str").str.strip()
    known = {word.strip().casefold(): reason for word, reason in data.plan.reasons.items()}
    known |= {r: r for r in SEVEN_REASONS if r not in known}
    none = is_unknown(exits["reason"])
    reason_of = {word: _mapped(word, known) for word in words.dropna().unique()}
    return exits.assign(
        words=words.where(~none, ""),
        mapped=words.map(reason_of).astype("str").where(~none, NOT_RECORDED),
    )


def _mapped(words: str, known: Mapping[str, str]) -> str:
    """The reason that a cell means; cells of a system may hold several, joined by semicolons."""
    plain = words.casefold()
    reason = known.get(plain) or known.get(re.sub(r"[\s-]+", "_", plain))
    parts = [part.strip() for part in words.split(";") if part.strip()]
    if reason or len(parts) < 2:
        return reason or NOT_MAPPED
    meant = {_mapped(part, known) for part in parts}
    return meant.pop() if len(meant) == 1 and NOT_MAPPED not in meant else SEVERAL


def _last_exits(here: pd.DataFrame) -> pd.DataFrame:
    here = here.sort_values(["entered_at", "words"], kind="stable")
    return here.drop_duplicates("lead_id", keep="last").assign(group=EVERYBODY)


def _groups(data: Tables, spans: dict[str, pd.DataFrame], by: str) -> list[str]:
    """Groups in the order of the table; labels the exits of each span with their group."""
    if not by:
        return [EVERYBODY] if any(len(rows) for rows in spans.values()) else []
    if by not in data.leads:
        raise ParameterError(
            f"by={by!r}: leads have no such column; they have {', '.join(data.leads.columns)}."
        )
    values = group_labels(data.leads.set_index("lead_id")[by], by)
    n = values.reindex(spans["period"]["lead_id"]).value_counts()
    values = with_small_pooled(values, n, data.plan.smallest_group)
    for name, rows in spans.items():
        spans[name] = rows.assign(group=values.reindex(rows["lead_id"]).to_numpy(dtype=object))
    return [EVERYBODY, *ordered(spans["period"]["group"])]


def _lines(parts: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Each reason, and each of the company's words that is not mapped, in order."""
    both = pd.concat(parts.values())
    odd = _by_frequency(both.loc[both["mapped"] == NOT_MAPPED, "words"])
    return [
        *((reason, "") for reason in SEVEN_REASONS),
        *((NOT_MAPPED, words) for words in odd),
        *([(SEVERAL, "")] if (both["mapped"] == SEVERAL).any() else []),
        (NOT_RECORDED, ""),
    ]


def _of(exits: pd.DataFrame, reason: str, words: str) -> pd.DataFrame:
    here = exits["mapped"] == reason
    return exits[here & (exits["words"] == words)] if reason == NOT_MAPPED else exits[here]


def _phrases(exits: pd.DataFrame, group: str, reason: str) -> list[dict[str, object]]:
    """The company's words for a reason, the most frequent first."""
    if reason == NOT_RECORDED:
        return []
    return [
        {"group": group, "reason": reason, "words": words, "n": n}
        for words, n in _by_frequency(exits["words"]).items()
    ]


def _by_frequency(words: pd.Series) -> dict[str, int]:
    counts = words.value_counts()
    return {each: int(counts[each]) for each in sorted(counts.index, key=lambda w: (-counts[w], w))}


def _counted(
    parts: dict[str, pd.DataFrame], reason: str, words: str, level: float
) -> dict[str, object]:
    row: dict[str, object] = {}
    for exits, end in ((parts["period"], ""), (parts["baseline"], "_baseline")):
        k = len(_of(exits, reason, words))
        row |= {f"n{end}": k, **rate(f"share{end}", k, len(exits), level)}
    return row | rate_change(row, "share", "share_baseline")
