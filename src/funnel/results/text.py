"""Where a question's `text.py` registers its sentences.

Each function takes the result and a `Say` in the company's locale:

- `headline(Kind)`: one sentence, the answer;
- `caveats(Kind)`: what a reader must know before using it, a list of sentences;
- `table(Kind)`: the table as a page shows it, every cell formatted: a frame, or an `Excerpt`.
  Without one, the table is shown as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from funnel.results.rooms import Registry


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The formatted first rows of a table that has `n_rows`."""

    rows: pd.DataFrame
    n_rows: int


headline = Registry("text", "headline")
caveats = Registry("text", "caveats")
table = Registry("text", "table in words")
