"""What was odd in the rows, in words: whom to ask what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnel.results import Listing, formats

if TYPE_CHECKING:
    from funnel.dataset import Tables


def findings(data: Tables) -> Listing:
    """List what was odd in a company's rows, by team.

    Parameters
    ----------
    data
        A company's tables; what was found in them while they were loaded is `data.findings`.

    Returns
    -------
    Listing
        `table` is `data.findings`, teams in order and the most rows first; a page shows the
        sentence, the team, the question and examples.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-31"]})
    >>> findings(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Nothing odd was found in the rows.'
    """
    company = data.plan.company
    table = data.findings.sort_values(["owner", "n"], ascending=[True, False], kind="stable")
    table = table.reset_index(drop=True)
    words = pd.DataFrame(
        {
            "team": table["owner"],
            "what was found": table["says"],
            "question": table["question"],
            "for example": table["examples"],
        }
    )
    if table.empty:
        says = "Nothing odd was found in the rows."
    else:
        n, teams = formats.number(len(table), company), ", ".join(table["owner"].unique())
        things = "thing raises" if len(table) == 1 else "things raise"
        says = f"In the rows {n} {things} a question for {teams}."
    return Listing(table=table, words=words, says=says, as_of=data.as_of, level=data.plan.level)
