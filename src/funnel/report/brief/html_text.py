"""Sentences as HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from funnel.report import pages

_SIGNED = re.compile(r"(?<![\w&#;])([-+][^\s\w<>&]{0,3}\d[\d.,]*%?)")  # no line ends after a sign


def text(sentence: str) -> str:
    """Escape a sentence, and set what it quotes as a column or table in code.

    Examples
    --------
    >>> text("`mrr` of <Acme>: -4%")
    '<code>mrr</code> of &lt;Acme&gt;: <span class="n">-4%</span>'
    """
    made = re.sub(r"`([^`]+)`", r"<code>\1</code>", pages.escape(sentence))
    return _SIGNED.sub(r'<span class="n">\1</span>', made)


def items(sentences: Sequence[str], kind: str = "") -> str:
    """Set sentences as a list; one of kind `two` is set in two columns where there is room."""
    opened = f'<ul class="{kind}">' if kind else "<ul>"
    return f"{opened}{''.join(f'<li>{text(each)}</li>' for each in sentences)}</ul>"
