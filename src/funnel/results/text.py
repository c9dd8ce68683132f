"""Where a question's `text.py` registers its sentences.

Each function takes the result and a `Say` in the company's locale:

- `headline(Kind)`: one sentence, the answer;
- `caveats(Kind)`: what a reader must know before using it, a list of sentences;
- `table(Kind)`: the table as a page shows it, every cell formatted; else it is shown as it is.
"""

from __future__ import annotations

from funnel.results.rooms import Registry

headline = Registry("text", "headline")
caveats = Registry("text", "caveats")
table = Registry("text", "table in words")
