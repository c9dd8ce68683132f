"""Results computed once, for as long as the dataset or the question that they belong to lives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Computed = TypeVar("Computed")


def cached(compute: Callable[..., Computed]) -> Callable[..., Computed]:
    """Function that computes once for each first argument and the other arguments beside it.

    Parameters
    ----------
    compute
        Its first argument is a `Tables` or a question, which is held weakly; the others are
        hashable. What it returns is shared: a caller copies a frame before changing it.

    Examples
    --------
    >>> class Dataset:
    ...     pass
    >>> calls = []
    >>> count = cached(lambda data, column: calls.append(column) or len(calls))
    >>> data = Dataset()
    >>> count(data, "channel"), count(data, "channel"), count(data, "region")
    (1, 1, 2)
    """
    known: WeakKeyDictionary[Any, dict[Hashable, Computed]] = WeakKeyDictionary()

    @functools.wraps(compute)
    def once(first: Any, /, *others: Hashable, **named: Hashable) -> Computed:
        results = known.setdefault(first, {})
        key = (others, tuple(sorted(named.items())))
        if key not in results:
            results[key] = compute(first, *others, **named)
        return results[key]

    return once
