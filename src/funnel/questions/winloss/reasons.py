"""Why deals were lost: counts, and the bounds that blanks leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy.special import bdtrc

from funnel.contract.labels import NOT_RECORDED
from funnel.contract.plan import LOSS_REASONS
from funnel.methods.loss_reasons import NOT_MAPPED, SEVERAL
from funnel.questions.winloss.closed_deals import ENDS
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import CANNOT_TELL, difference, verdict, wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

RANKED_FROM = 0.5  # share of lost deals with a reason from which reasons are ranked


@dataclass(frozen=True, eq=False, kw_only=True)
class LossReasons(Result):
    """Reasons of the deals lost in the period.

    `table` has one row per reason, the most frequent first: `reason` (of the plan's seven those
    that occur, `not mapped`, `several reasons`, `not recorded`), `n`, `share_low` and `share_high`
    of all lost deals with every blank out and in, `n_buyer` (as the buyer gave it), the same with
    `_baseline`, and `verdict` of the change.

    Attributes
    ----------
    n_lost, coverage, coverage_baseline
        Deals lost in the period, and the share of each period's that has a reason.
    first
        The reason that comes first whatever the blanks are; empty where none is.
    words_changed
        Words in use in one period alone: the list changed, so no change of reasons is read.
    n_both, n_agree
        Lost deals with the reason of sales and of the buyer, and those where both agree.
    named_won, named_lost
        Shares of won and of lost deals on which a competitor is named.
    named_low, named_high
        Win rate where a competitor was in the deal, with every blank of wins out and in.
    """

    grouped = (
        SmallGroups(
            by=("reason",),
            counts={
                "n": ("share_low", "share_high"),
                "n_baseline": ("share_low_baseline", "share_high_baseline"),
                "n_buyer": (),
            },
            add_up=("n", "n_baseline"),
        ),
    )

    n_lost: int = 0
    coverage: float = float("nan")
    coverage_baseline: float = float("nan")
    first: str = ""
    words_changed: tuple[str, ...] = ()
    n_both: int = 0
    n_agree: int = 0
    named_won: float = float("nan")
    named_lost: float = float("nan")
    named_low: float = float("nan")
    named_high: float = float("nan")


def reasons_of(data: Tables, deals: pd.DataFrame) -> LossReasons:
    """Reasons of lost deals, from closed deals."""
    lost, now = deals[~deals["is_won"]], deals[deals["span"].eq("period")]
    parts = {"": lost[lost["span"].eq("period")], "_baseline": lost[lost["span"].eq("baseline")]}
    changed = _words_changed(parts, data.plan.smallest_group)
    level, rows = data.plan.level, []
    for reason in (*LOSS_REASONS, NOT_MAPPED, SEVERAL, NOT_RECORDED):
        row = _counted(parts, reason)
        if any(row[f"n{end}"] for end in ENDS):
            rows.append(row | {"verdict": _change(row, parts, level, bool(changed))})
    rows.sort(key=lambda row: (row["reason"] == NOT_RECORDED, -row["n"]))
    here = parts[""]
    both = here[here["reason"].isin(LOSS_REASONS) & here["buyer"].isin(LOSS_REASONS)]
    columns = ["reason", *(f"{n}{end}" for end in ENDS for n in ("n", "share_low", "share_high"))]
    return LossReasons(
        table=pd.DataFrame(rows, columns=[*columns, "n_buyer", "verdict"]),
        rows=rows_of("lost", "deals", here["deal_id"]),
        units={"n": "lost deals", "share_low": "of lost deals"},
        n_lost=len(here),
        coverage=_coverage(here),
        coverage_baseline=_coverage(parts["_baseline"]),
        first=_first(here, level),
        words_changed=changed,
        n_both=len(both),
        n_agree=int((both["reason"] == both["buyer"]).sum()),
        **_named(now),
        **speaks_for(data),
    )


def _coverage(lost: pd.DataFrame) -> float:
    return float(lost["reason"].ne(NOT_RECORDED).mean()) if len(lost) else float("nan")


def _counted(parts: dict[str, pd.DataFrame], reason: str) -> dict[str, Any]:
    row: dict[str, Any] = {"reason": reason, "n_buyer": int(parts[""]["buyer"].eq(reason).sum())}
    for end, lost in parts.items():
        n, k = len(lost), int(lost["reason"].eq(reason).sum())
        blank = 0 if reason == NOT_RECORDED else int(lost["reason"].eq(NOT_RECORDED).sum())
        row |= {
            f"n{end}": k,
            f"share_low{end}": k / n if n else float("nan"),
            f"share_high{end}": (k + blank) / n if n else float("nan"),
        }
    return row


def _change(
    row: dict[str, Any], parts: dict[str, pd.DataFrame], level: float, words_changed: bool
) -> str:
    """Verdict of a share's change, whatever the blanks are."""
    if words_changed or not all(len(lost) for lost in parts.values()):
        return CANNOT_TELL
    ends = []
    for end, lost in parts.items():
        n = len(lost)
        k, most = (round(row[f"share_{side}{end}"] * n) for side in ("low", "high"))
        low, high = wilson(k, n, level)[0], wilson(most, n, level)[1]
        ends += [(k + most) / 2 / n, low, high]
    return verdict(*difference(*ends), 0.0)


def _first(lost: pd.DataFrame, level: float) -> str:
    """The reason that is ahead of every other by more than chance, all blanks being another's."""
    counts = lost.loc[lost["reason"].isin(LOSS_REASONS), "reason"].value_counts()
    if counts.empty or not _coverage(lost) >= RANKED_FROM:
        return ""
    known, rest = int(counts.iloc[0]), len(lost) - int(counts.sum())
    rival = rest + (int(counts.iloc[1]) if len(counts) > 1 else 0)
    p = float(bdtrc(known - 1, known + rival, 0.5))
    return str(counts.index[0]) if p < (1 - level) / len(LOSS_REASONS) else ""


def _words_changed(parts: dict[str, pd.DataFrame], least: int) -> tuple[str, ...]:
    """Words of one period alone, used often enough that the list of choices must have changed."""
    counts = [
        lost.loc[lost["reason"].ne(NOT_RECORDED), "loss_reason"].astype("str").value_counts()
        for lost in parts.values()
    ]
    if any(count.empty for count in counts):
        return ()
    return tuple(
        sorted(
            str(word)
            for one, other in (counts, counts[::-1])
            for word in one.index[one >= least]
            if word not in other.index
        )
    )


def _named(deals: pd.DataFrame) -> dict[str, float]:
    """Where a competitor is named, by outcome, and the win rate against one."""
    is_named, is_won = deals["competitor"].notna(), deals["is_won"]
    if not is_named.any():
        return {}
    n_won, n_lost = int(is_won.sum()), int((~is_won).sum())
    won, lost = int((is_named & is_won).sum()), int((is_named & ~is_won).sum())
    nothing = float("nan")
    return {
        "named_won": won / n_won if n_won else nothing,
        "named_lost": lost / n_lost if n_lost else nothing,
        "named_low": won / (won + n_lost) if won + n_lost else nothing,
        "named_high": n_won / (n_won + lost) if n_won + lost else nothing,
    }
