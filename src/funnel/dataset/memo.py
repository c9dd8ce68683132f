"""Answers kept for as long as the tables they were asked of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from funnel.dataset import Tables

Answer = TypeVar("Answer")


def remembered(ask: Callable[..., Answer]) -> Callable[..., Answer]:
    """Ask once for each company's tables: several pages rest on the same few answers.

    Whoever is given a frame copies it before changing it.
    """
    known: WeakKeyDictionary[Tables, dict[Hashable, Answer]] = WeakKeyDictionary()

    @functools.wraps(ask)
    def asked(data: Tables, *arguments: Hashable, **named: Hashable) -> Answer:
        answers = known.setdefault(data, {})
        key = (arguments, tuple(sorted(named.items())))
        if key not in answers:
            answers[key] = ask(data, *arguments, **named)
        return answers[key]

    return asked
