"""One period held against the previous one and against a year ago, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from funnel.methods.season.series import BASELINES
from funnel.methods.season.share import LEARNT, WORDS, ShareOfChange
from funnel.results import Result


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparisons(Result):
    """The parts of a change, once against each baseline.

    `table` has the rows of `ShareOfChange.table` for each baseline, named in `compared`:
    `previous` or `year_ago`.
    """

    each: Mapping[str, ShareOfChange]

    @property
    def headline(self) -> str:
        """What each comparison says."""
        return " ".join(
            f"Against {BASELINES[name]}: {shown.headline[0].lower()}{shown.headline[1:]}"
            for name, shown in self.each.items()
        )

    def shown(self) -> pd.DataFrame:
        """Give one row per part, and one column per baseline, in per cent."""
        columns = {
            f"against {BASELINES[name]}": shown.shown().set_index("part")["change"]
            for name, shown in self.each.items()
        }
        order = [word for word in WORDS.values() if any(word in col for col in columns.values())]
        return pd.DataFrame(columns).reindex(order).fillna("").rename_axis("part").reset_index()


def compared(each: Mapping[str, ShareOfChange]) -> Comparisons:
    """Put statements of one series against several baselines side by side."""
    tables = [shown.table.assign(compared=name) for name, shown in each.items()]
    first = next(iter(each.values()))
    rows = pd.concat([shown.rows for shown in each.values()], ignore_index=True)
    caveats = list(first.caveats)
    for name, shown in each.items():
        new = [caveat for caveat in shown.caveats if caveat not in first.caveats]
        new = [caveat for caveat in new if not caveat.startswith(LEARNT)]  # once is enough
        caveats += [f"Against {BASELINES[name]}: {caveat}" for caveat in new]
    return Comparisons(
        table=pd.concat(tables, ignore_index=True)[["compared", *first.table.columns]],
        as_of=first.as_of,
        rows=rows.drop_duplicates(ignore_index=True),
        units=first.units,
        level=first.level,
        written_caveats=tuple(caveats),
        each=each,
    )
