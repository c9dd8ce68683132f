"""Words that no sentence of the package may use.

What is observed shows that two things went together, and never that one brought the other about;
and a page that two teams are to trust judges nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

CAUSAL = (
    "caused", "causes", "causing", "because", "due to", "owing to", "thanks to", "drove",
    "drives", "driven by", "led to", "leading to", "resulted in", "results in", "result of",
    "impact", "impacts", "impacted", "impacting", "responsible for", "attributable to",
    "blame", "blames", "blamed", "fault", "hence", "therefore", "consequently", "contributed to",
)  # fmt: skip
JUDGMENTS = (
    "bad", "badly", "poor", "poorly", "good", "weak", "weakly", "strong", "strongly", "great",
    "excellent", "terrible", "awful", "disappointing", "impressive", "healthy", "unhealthy",
    "worrying", "alarming", "outstanding", "underperformed", "underperforming", "outperformed",
    "junk", "lazy", "failing", "best", "worst", "unfortunately",
    "fortunately", "only just", "merely", "sadly", "inferior", "superior", "mediocre",
)  # fmt: skip

# statistics and private abbreviations, which the first screen of a page does without
NOT_ON_THE_FIRST_SCREEN = (
    "mql", "sal", "sql", "mix", "residual", "baseline", "interval", "driver", "timing", "p", "z",
    "test", "stand out", "stands out", "stood out", "cannot tell", "n/a", "nan",
)  # fmt: skip


def unfit_words(text: str, people: Iterable[str] = ()) -> list[str]:
    """Find the words in a text that it may not use.

    Parameters
    ----------
    text
        Sentences that the package made.
    people
        Names that may not be in it either.

    Returns
    -------
    list of str
        In the order of the list above, each once; empty where the text may stand.

    Examples
    --------
    >>> unfit_words("Wins fell due to poor leads.")
    ['due to', 'poor']
    >>> unfit_words("Wins in May were 12, 8% below April.")
    []
    """
    plain = " ".join(text.split())
    return [
        word
        for word in (*CAUSAL, *JUDGMENTS, *people)
        if word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", plain, re.IGNORECASE)
    ]
