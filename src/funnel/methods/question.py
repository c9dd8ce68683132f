"""A question of the meeting as one object: the answer, with its further figures as methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funnel.checks import findings
from funnel.dataset.cache import cached
from funnel.results import Result

if TYPE_CHECKING:
    import pandas as pd

    from funnel.dataset import Tables

__all__ = ["Question", "figure"]

figure = cached  # marks a method of a question: computed when asked for, once for its arguments


@dataclass(frozen=True, eq=False, kw_only=True)
class Question(Result):
    """The answer to a question of the meeting.

    It is the `Result` that answers, and shows itself. Its further figures are methods marked
    `@figure`, each a `Result` that is computed when asked for, and once.

    Attributes
    ----------
    data
        The dataset that the question was asked of.
    """

    data: Tables = field(repr=False)

    def findings(self) -> pd.DataFrame:
        """What is odd in the dataset's rows: how many, three ids, which team to ask what."""
        return findings(self.data)
