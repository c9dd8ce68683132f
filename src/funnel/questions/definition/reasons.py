"""Why sales hands leads back: the company's words as the seven reasons, each with its remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.contract.plan import SEVEN_REASONS, Company
from funnel.dataset import stages
from funnel.methods.qualification.leads import in_span
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import NARROW, difference_of_rates, verdict, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

NOT_MAPPED, NOT_GIVEN, EVERYBODY = "not mapped", "none given", "all"
REMEDIES = {
    "fit": "target: aim programmes at other kinds of company",
    "size": "bar: set the size in the agreed definition, or send small firms another way",
    "contact": "data: check contact details at the form, and try another channel",
    "interest": "message: change what the offer says, and to whom",
    "decision_maker": "role: reach who decides, and ask the contact for an introduction",
    "pain": "value: show the problem first, and hand over when a need is named",
    "timing": "nurture: agree a date, and come back then",
    "other": "read these one by one",
    NOT_MAPPED: "map: add the words to [reasons] of the plan",
    NOT_GIVEN: "ask: a reason at every return, by those who return leads",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Reasons(Result):
    """Why leads left before they became an opportunity.

    `table` has one row per `group` (`all`, or a value of the column split by) and reason:

    - `reason`: the plan's seven, `other`, `not mapped` (one row for each of the company's words) or
      `none given`; `words` (the company's, with their counts), `remedy`;
    - `n` leads of the period, `share` of the group's with `share_low`, `share_high`; the baseline's
      as `..._baseline`; `change` (points of 1) with `change_low`, `change_high` and `verdict`.

    Within a group `n` adds up to all that left.
    """

    company: Company = field(default_factory=Company)
    period: str = ""
    by: str = ""
    why: str = ""

    @property
    def headline(self) -> str:
        """The reason given most, and how many leads came back without one that can be counted."""
        rows = self.table[self.table["group"] == EVERYBODY]
        total = int(rows["n"].sum())
        if not total:
            return f"Why leads come back cannot be told: {self.why}."
        number = formats.number(total, self.company)
        named = rows[~rows["reason"].isin([NOT_MAPPED, NOT_GIVEN])]
        begin = f"{number} leads left before an opportunity in {self.period}"
        if not named["n"].sum():
            return f"{begin}; none of them has a reason that [reasons] of the plan maps."
        top = named.loc[named["n"].idxmax()]
        open_ = int(rows.loc[rows["reason"].isin([NOT_MAPPED, NOT_GIVEN]), "n"].sum())
        return (
            f"{begin}; {top['reason'].replace('_', ' ')} is named most, for "
            f"{self._part(top)}; {formats.number(open_, self.company)} have no reason, or one "
            "that is not mapped."
        )

    def _part(self, row: pd.Series) -> str:
        share = formats.share(row["share"], self.company)
        ends = (formats.number(100 * row[f"share_{end}"], self.company) for end in ("low", "high"))
        return f"{share} {formats.interval(*ends)}"

    @property
    def not_mapped(self) -> pd.DataFrame:
        """The company's words that [reasons] does not map, with their counts in the period."""
        rows = self.table[(self.table["group"] == EVERYBODY) & (self.table["reason"] == NOT_MAPPED)]
        return rows[["words", "n", "n_baseline"]].reset_index(drop=True)

    def shown(self) -> pd.DataFrame:
        """Give each reason with its remedy; where leads are split, the reason of most by group."""
        if self.by:
            return self._by_group()
        rows = self.table[(self.table["n"] > 0) | (self.table["n_baseline"] > 0)]
        each = [row for _, row in rows.iterrows()]
        return pd.DataFrame(
            {
                "reason": [row["reason"].replace("_", " ") for row in each],
                "in the company's words": [row["words"] for row in each],
                "leads": [formats.number(row["n"], self.company) for row in each],
                "share": [formats.share_estimate(row, "share", self.company) for row in each],
                "change, points": [
                    formats.number_estimate(
                        row, "change", self.company, times=100, digits=1, sign=True
                    )
                    for row in each
                ],
                "verdict": [row["verdict"] for row in each],
                "what it asks for": [row["remedy"] for row in each],
            }
        )

    def _by_group(self) -> pd.DataFrame:
        rows = []
        for group, each in self.table.groupby("group", sort=False):
            named = each[~each["reason"].isin([NOT_MAPPED, NOT_GIVEN])]
            if group == EVERYBODY or not named["n"].sum():
                continue
            top = named.loc[named["n"].idxmax()]
            rows.append(
                {
                    self.by: group,
                    "leads that left": formats.number(each["n"].sum(), self.company),
                    "named most": top["reason"].replace("_", " "),
                    "share": formats.share_estimate(top, "share", self.company),
                    "what it asks for": top["remedy"],
                }
            )
        return pd.DataFrame(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of each reason, in both periods."""
        from funnel.questions.definition import charts

        return charts.reasons(self, ax)


def reasons(data: Tables, by: str = "") -> Reasons:
    """Count why leads left before they became an opportunity, as the seven reasons.

    Parameters
    ----------
    data
        A company's tables; `[reasons]` of the plan maps the company's words. Capital letters and
        outer spaces do not matter, and a word that is itself one of the seven needs no mapping.
    by
        A column of leads to split by as well, such as `campaign`. Groups of fewer than the plan's
        `smallest_group` leads that left are pooled.

    Notes
    -----
    A lead counts once in a span, by the last time it left in it. Exits after the opportunity are
    reasons of loss, which are another question.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> reasons(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Why leads come back cannot be told: no stage change says that a lead left.'
    """
    left = _left(data)
    why = _why_not(data, left)
    spans = {name: _last_exits(data, left, name) for name in ("period", "baseline")}
    groups = _groups(data, spans, by)
    table, rows = [], []
    for group in groups:
        parts = {
            name: rows_ if group == EVERYBODY else rows_[rows_["group"] == group]
            for name, rows_ in spans.items()
        }
        for reason, words in _lines(parts):
            table.append(
                {"group": group, "reason": reason, "words": _told(parts, reason, words)}
                | _counted(parts, reason, words, data.plan.level)
            )
            ids = _of(parts["period"], reason, words)["lead_id"]
            label = reason if reason != NOT_MAPPED else f"{reason}: {words}"
            rows.append(rows_of(f"{group}, {label}", "leads", ids))
    return Reasons(
        table=pd.DataFrame(table, columns=_COLUMNS),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"n": "leads", "share": "of leads that left", "change": "points of 1"},
        level=data.plan.level,
        written_caveats=_caveats(data, spans["period"]),
        company=data.plan.company,
        period=data.comparison.period.label,
        by=by,
        why=why,
    )


_COLUMNS = [
    *("group", "reason", "words", "remedy", "n", "share", "share_low", "share_high"),
    *("n_baseline", "share_baseline", "share_baseline_low", "share_baseline_high"),
    *("change", "change_low", "change_high", "verdict"),
]


def _left(data: Tables) -> pd.DataFrame:
    """Give each exit before the opportunity: the lead, when, the words given, the reason."""
    changes = data.stage_changes
    exits = changes[changes["stage"].isin(data.plan.exits)][["lead_id", "entered_at", "reason"]]
    exits = exits[exits["lead_id"].isin(data.leads["lead_id"])]
    frame = stages.reached(data)
    stage = stages.opportunity_stage(data.plan.stages) or stages.won_stage(data.plan.stages)
    if frame.attrs["unit"] == "leads" and len(exits):
        opened = frame.set_index("lead_id")[f"{stage}_at"].reindex(exits["lead_id"]).to_numpy()
        moments = exits["entered_at"].to_numpy("datetime64[us]")
        opened = pd.Series(opened).to_numpy("datetime64[us]")
        exits = exits[np.isnat(opened) | (moments < opened)]
    words = exits["reason"].astype("str").str.strip()
    known = {word.strip().casefold(): reason for word, reason in data.plan.reasons.items()}
    known |= {r: r for r in SEVEN_REASONS if r not in known}
    plain = words.str.casefold()
    mapped = plain.map(known).fillna(plain.str.replace(r"[\s-]+", "_", regex=True).map(known))
    none = is_unknown(exits["reason"])
    return exits.assign(
        words=words.where(~none, ""),
        mapped=mapped.astype("str").fillna(NOT_MAPPED).where(~none, NOT_GIVEN),
    )


def _last_exits(data: Tables, left: pd.DataFrame, name: str) -> pd.DataFrame:
    here = left[in_span(data, left["entered_at"], name)]
    here = here.sort_values(["entered_at", "words"], kind="stable")
    return here.drop_duplicates("lead_id", keep="last").assign(group=EVERYBODY)


def _groups(data: Tables, spans: dict[str, pd.DataFrame], by: str) -> list[str]:
    """Label the leads with their group, and list the groups, all together first."""
    if not by:
        return [EVERYBODY] if any(len(rows) for rows in spans.values()) else []
    if by not in data.leads:
        raise ParameterError(
            f"by={by!r}: leads have no such column; they have {', '.join(data.leads.columns)}."
        )
    values = data.leads.set_index("lead_id")[by]
    values = values.astype("str").where(~is_unknown(values), "not recorded")
    sizes = values.reindex(spans["period"]["lead_id"]).value_counts()
    small = set(sizes.index[sizes < data.plan.smallest_group]) - {"not recorded"}
    for name, rows in spans.items():
        labels = values.reindex(rows["lead_id"]).to_numpy(dtype=object)
        spans[name] = rows.assign(
            group=["smaller groups" if v in small or v not in sizes else v for v in labels]
        )
    found = spans["period"]["group"].value_counts()
    last = {"smaller groups": 1, "not recorded": 2}
    return [EVERYBODY, *sorted(found.index, key=lambda g: (last.get(g, 0), -found[g], g))]


def _lines(parts: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Each reason, and each of the company's words that is not mapped, in order."""
    both = pd.concat(parts.values())
    odd = both.loc[both["mapped"] == NOT_MAPPED, "words"].value_counts()
    odd = sorted(odd.index, key=lambda words: (-odd[words], words))
    return [
        *((reason, "") for reason in SEVEN_REASONS),
        *((NOT_MAPPED, words) for words in odd),
        (NOT_GIVEN, ""),
    ]


def _of(rows: pd.DataFrame, reason: str, words: str) -> pd.DataFrame:
    here = rows["mapped"] == reason
    return rows[here & (rows["words"] == words)] if reason == NOT_MAPPED else rows[here]


def _told(parts: dict[str, pd.DataFrame], reason: str, words: str) -> str:
    if reason in (NOT_MAPPED, NOT_GIVEN):
        return words
    counts = _of(parts["period"], reason, words)["words"].value_counts()
    ordered = sorted(counts.index, key=lambda each: (-counts[each], each))
    return "; ".join(f"{each} {counts[each]}" for each in ordered)


def _counted(
    parts: dict[str, pd.DataFrame], reason: str, words: str, level: float
) -> dict[str, object]:
    sizes = {name: len(rows) for name, rows in parts.items()}
    counts = {name: len(_of(rows, reason, words)) for name, rows in parts.items()}
    values: dict[str, object] = {"remedy": REMEDIES[reason]}
    for name, end in (("period", ""), ("baseline", "_baseline")):
        n, k = sizes[name], counts[name]
        low, high = wilson(k, n, level) if n else (np.nan, np.nan)
        values |= {
            f"n{end}": k,
            f"share{end}": k / n if n else np.nan,
            f"share{end}_low": float(low),
            f"share{end}_high": float(high),
        }
    both = all(sizes.values())
    low, high = (np.nan, np.nan)
    if both:
        ends = (counts["period"], sizes["period"], counts["baseline"], sizes["baseline"])
        low, high = difference_of_rates(*ends, level)
    before = values["share_baseline"]
    return values | {
        "change": values["share"] - before,
        "change_low": float(low),
        "change_high": float(high),
        "verdict": verdict(low, high, NARROW * before if both else 0.0),
    }


def _why_not(data: Tables, left: pd.DataFrame) -> str:
    if left.empty:
        return "no stage change says that a lead left"
    return f"none left in {data.comparison.period.label}"


def _caveats(data: Tables, period: pd.DataFrame) -> tuple[str, ...]:
    says, company = [], data.plan.company
    if period.empty:
        return ()
    if not data.plan.reasons:
        says.append("[reasons] of the plan is empty: the company's words are listed as they are.")
    odd = period.loc[period["mapped"] == NOT_MAPPED, "words"]
    if len(odd):
        says.append(
            f"{formats.number(odd.nunique(), company)} of the company's reasons, given for "
            f"{formats.number(len(odd), company)} leads, are not mapped in [reasons]: they are "
            "listed as they stand, and sales and marketing say together what they mean."
        )
    return tuple(says)
