"""Stage conversion rates of a cohort by equal ages, and where they cannot be given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from funnel.contract.plan import Plan
from funnel.methods.ages import is_mature
from funnel.questions.conversion.reach import reach_by_age

COMPARABLE, IMMATURE, NOT_COVERED, NOBODY = "comparable", "immature", "not covered", "nobody"
STEP_COLUMNS = ("segment", "group", "age_days", "step", "stage", "is_overall", "state")
RATE_COLUMNS = ("n", "rate", "rate_low", "rate_high")
_READ = ("lost_age", "follow_up", "value")


def reached_by(
    cohort: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    """Rows of `reach_by_age` with their `state`: comparable, immature, or nobody there."""
    columns = [f"{stage}_age" for stage in names[1:]]
    table = reach_by_age(
        cohort[cohort.columns.intersection([*columns, *_READ])], ages, level=plan.level
    ).table
    mature = is_mature(table["n_followed"], table["n"], plan.smallest_group)
    immature = ~mature | table["reached"].isna()
    table["state"] = np.select([table["n"] == 0, immature], [NOBODY, IMMATURE], COMPARABLE)
    return table


def step_rates(reached: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Conversion rates of each step, and below them from the first stage to the last."""
    previous = dict(zip(names[1:], names, strict=False))
    steps = reached.assign(
        step=[f"{previous[stage]} to {stage}" for stage in reached["stage"]],
        n=reached["n_before"],
        is_overall=len(names) == 2,
    )
    if len(names) == 2:
        return steps
    last = reached[reached["stage"] == names[-1]]
    overall = last.assign(
        step=f"{names[0]} to {names[-1]}",
        is_overall=True,
        **{f"rate{end}": last[f"reached{end}"] for end in ("", "_low", "_high")},
    )
    order = ["age_days", "is_overall"]
    return pd.concat([steps, overall]).sort_values(order, kind="stable").reset_index(drop=True)


def without_incomparable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with figures missing in rows that are not comparable."""
    figures = [c for c in table if c.startswith(("reached", "rate", "value", "change"))]
    figures += [c for c in ("smallest_detectable",) if c in table]
    table.loc[table["state"] != COMPARABLE, figures] = np.nan
    return table


def no_steps(columns: Sequence[str]) -> pd.DataFrame:
    """The empty form of a table of steps."""
    return pd.DataFrame(columns=list(columns)).astype({"is_overall": bool})
