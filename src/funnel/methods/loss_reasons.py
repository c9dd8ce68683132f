"""What the company's words for lost deals mean: one of the plan's seven reasons, or none."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.labels import NOT_RECORDED
from funnel.contract.loss_words import REASON_OF
from funnel.contract.placeholders import plain
from funnel.contract.plan import LOSS_REASONS
from funnel.dataset.spellings import near

NOT_MAPPED, SEVERAL = "not mapped", "several reasons"
_COMMON = {
    reason: re.compile(words)
    for reason, words in {
        "competitor": r"competit|\brival|other (?:vendor|supplier|provider)",
        "no_decision": r"no decision|no (?:reply|response|answer)|unresponsive|status quo|"
        r"went (?:dark|silent)|do nothing",
        "price": r"\bpric|expensive|budget|\bcosts?\b|discount",
        "product": r"product|\bfeatures?\b|functionality|integration",
        "timing": r"timing|too (?:early|late)|postpone|next year|not now",
        "fit": r"\bfit\b|wrong (?:company|size|industry)|too (?:small|large|big)",
    }.items()
}  # read where the plan maps nothing


def loss_reasons(words: pd.Series, known: Mapping[str, str]) -> pd.Series:
    """Reason that each cell means: one of the plan's seven, or why it is none of them.

    Examples
    --------
    >>> cells = pd.Series(["Zu teuer", "On hold", "timing;price", "n/a", "Sponsor left"])
    >>> loss_reasons(cells, {"on hold": "no_decision"}).tolist()
    ['price', 'no_decision', 'several reasons', 'not recorded', 'not mapped']
    """
    own = {plain(word): reason for word, reason in known.items()}
    blank = is_unknown(words)
    meant = {word: _meant(str(word), own) for word in words[~blank].unique()}
    return words.map(meant).astype("object").where(~blank, NOT_RECORDED)


def _meant(cell: str, own: Mapping[str, str]) -> str:
    """The company's mapping first; else the one of the seven that the cell's words mean."""
    if plain(cell) in own:
        return own[plain(cell)]
    if near(cell) in REASON_OF:
        return REASON_OF[near(cell)]
    parts = [part for part in cell.split(";") if part.strip()]
    if len(parts) > 1:
        found = {_meant(part, own) for part in parts}
        return found.pop() if len(found) == 1 and NOT_MAPPED not in found else SEVERAL
    words = re.sub(r"[\W_]+", " ", cell.casefold()).strip()
    named = [reason for reason in LOSS_REASONS if reason.replace("_", " ") == words]
    named = named or [reason for reason, pattern in _COMMON.items() if pattern.search(words)]
    return named[0] if len(named) == 1 else SEVERAL if named else NOT_MAPPED
