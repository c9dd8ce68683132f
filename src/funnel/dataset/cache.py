"""Results computed once: in a process by `cached`, in all processes of a run by `shared`."""

from __future__ import annotations

import contextlib
import copyreg
import functools
import hashlib
import pickle
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks: two notebooks both compute
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from funnel.dataset import Tables

Computed = TypeVar("Computed")


def _read_only(words: dict[str, str]) -> MappingProxyType[str, str]:
    return MappingProxyType(words)


# words of the plan are read-only mappings, which results hold and pickle does not know
copyreg.pickle(MappingProxyType, lambda words: (_read_only, (dict(words),)))


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


def shared(compute: Callable[..., Computed]) -> Callable[..., Computed]:
    """Function of a dataset that one process of a run computes, and the others read.

    The notebooks of a run and its first page open one saved dataset. What one of them computed is
    saved beside it, for as long as the run lasts. A dataset of no run is only `cached`.

    Parameters
    ----------
    compute
        Its first argument is a `Tables`; the other arguments are hashable and have a `repr` that
        tells them apart. What it returns can be pickled and holds no `Tables`.
    """

    @cached
    @functools.wraps(compute)
    def once(data: Tables, /, *others: Hashable, **named: Hashable) -> Computed:
        if data.shared_in is None:
            return compute(data, *others, **named)
        key = repr((data.as_of, data.plan.sha256, others, sorted(named.items())))
        name = f"{compute.__module__}.{compute.__qualname__}"
        file = data.shared_in / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        with _alone(file):
            if file.exists():
                return pickle.loads(file.read_bytes())
            result = compute(data, *others, **named)
            half = file.with_name(f"{file.name}.half")
            with contextlib.suppress(OSError):  # a full disk costs time, not the answer
                half.write_bytes(pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))
                half.rename(file)
            return result

    return once


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold a file's lock, so that a second process waits for the result instead of computing."""
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
