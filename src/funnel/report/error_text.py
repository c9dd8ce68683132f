"""What a page may say of an error: one paragraph, no path, no person."""

from __future__ import annotations

import re

from funnel.contract.outgoing_text import clean_message, without_controls, without_mail

_PHONE = re.compile(r"(?<![\w.-])\+?\d[\d ()/.-]{7,}\d(?![\w.-])")
_PATH = re.compile(r"(?<![\w.<:/])(?:[A-Za-z]:)?(?:[/\\][\w.+@~ -]+)+[/\\]([\w.+@~-]+)")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST = 1200
LONGEST_TEXT = 20_000


def cut(text: str) -> str:
    """Shorten a text to what a page shows, at the end of a word so that no address is cut in two.

    Examples
    --------
    >>> cut("one line")
    'one line'
    >>> cut("word " * 10_000)[-31:]
    '... and 30,001 more characters.'
    """
    if len(text) <= LONGEST_TEXT:
        return text
    end = LONGEST_TEXT
    while end and not text[end].isspace():
        end -= 1
    end = end or LONGEST_TEXT
    return f"{text[:end]}\n... and {len(text) - end:,} more characters."


def plain(text: str) -> str:
    r"""Take out what a terminal or a bidirectional layout would act on, and what varies by run.

    Examples
    --------
    >>> plain("\x1b[31mred\x1b[0m <thing at 0x7f00aa>")
    'red <thing>'
    """
    return _ADDRESS.sub("", without_controls(text))


def discreet(text: str) -> str:
    """Keep people and folders out of a text that was not written for a page, and cut it.

    It is cut first: on a text without end the patterns take time without end.

    Examples
    --------
    >>> discreet("no a.smith@example.com in /srv/asmith/data/leads.csv")
    'no [e-mail] in leads.csv'
    """
    return _PATH.sub(r"\1", without_mail(plain(cut(text))))


def error_paragraph(name: str, message: str) -> str:
    r"""Say in one paragraph why a notebook stopped.

    An error of our own was written for a reader and stands as it is; of any other, its name and
    last line.

    Examples
    --------
    >>> error_paragraph("PlanError", "`level` is 2.\nIt must be less than 1.")
    '`level` is 2. It must be less than 1.'
    >>> error_paragraph("KeyError", "'stage'")
    "An unforeseen error: KeyError: 'stage'"
    """
    from funnel.contract import errors

    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.FunnelError):
        return " ".join(clean_message(plain(cut(message))).split())[:_LONGEST]
    last = message.strip().rpartition("\n")[2]
    message = _PHONE.sub(lambda m: m[0] if _DAY.search(m[0]) else "[number]", discreet(last))
    lines = [line.strip() for line in message.splitlines() if line.strip()][:1]
    return ": ".join(["An unforeseen error", name, *lines[-1:]])[:_LONGEST]
