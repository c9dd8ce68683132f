"""What is odd in single rows of a dataset, by the team that can settle it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funnel.checks.proposals import Proposals, proposals
from funnel.results import Result, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class RowFindings(Result):
    """What is odd in single rows, and usable all the same.

    `table` is `Tables.findings`, by team (`owner`) and with the most rows (`n`) first. `proposals`
    would settle some of them.
    """

    proposals: Proposals


def findings(data: Tables) -> RowFindings:
    """What is odd in a dataset's rows, by team, the most rows first.

    Parameters
    ----------
    data
        The dataset; what was found in it while it was loaded is `data.findings`.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-31"]})
    >>> findings(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Nothing odd was found in the rows.'
    """
    table = data.findings.sort_values(["owner", "n"], ascending=[True, False], kind="stable")
    return RowFindings(
        table=table.reset_index(drop=True), proposals=proposals(data), **speaks_for(data)
    )
