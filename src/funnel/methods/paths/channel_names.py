"""Channel names of paths: cleaned, and made common to paths that were coded apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from funnel.contract.labels import NOT_RECORDED
from funnel.methods.paths.coded_paths import CodedPaths, concatenated


def joined(parts: Sequence[CodedPaths]) -> CodedPaths:
    """Paths of all parts, equal ones counted once, over the channels that are on any of them.

    Examples
    --------
    >>> parts = [CodedPaths.of([["a"], ["b"]], conversions=[1, 2]),
    ...          CodedPaths.of([["b"]], conversions=[3])]
    >>> both = joined(parts)
    >>> sorted(zip(both.strings(), both.conversions.tolist()))
    [('a', 1.0), ('b', 5.0)]
    """
    used = {part.channels[code] for part in parts for code in used_codes(part)}
    channels = tuple(sorted(used))
    code_of = {channel: code for code, channel in enumerate(channels)}
    return concatenated([_recoded(part, code_of, channels) for part in parts]).grouped()


def cleaned(paths: CodedPaths) -> CodedPaths:
    """The same paths over the channels that are on them: no blank around a name, no arrow within.

    Examples
    --------
    >>> cleaned(CodedPaths.of([["b", "a > c "]], conversions=[1])).channels
    ('a>c', 'b')
    """
    names = [name.replace(" > ", ">").strip() or NOT_RECORDED for name in paths.channels]
    channels = tuple(sorted({names[code] for code in used_codes(paths)}))
    code_of = {channel: code for code, channel in enumerate(channels)}
    return _recoded(replace(paths, channels=tuple(names)), code_of, channels)


def merged(paths: CodedPaths) -> CodedPaths:
    """As `cleaned`, with paths that have become equal counted once.

    Examples
    --------
    >>> paths = merged(CodedPaths.of([["a > b"], ["a>b"]], conversions=[1, 2]))
    >>> paths.strings(), paths.conversions.tolist()
    (['a>b'], [3.0])
    """
    clean = cleaned(paths)
    return clean.grouped() if len(clean.channels) < len(used_codes(paths)) else clean


def used_codes(paths: CodedPaths) -> NDArray[np.int64]:
    """Codes of the channels that are on some path, ascending."""
    n = len(paths.channels)
    counts = np.zeros(n)
    for _, some in paths.in_blocks():
        counts += np.bincount(some.codes, minlength=n)
    return np.flatnonzero(counts)


def _recoded(
    paths: CodedPaths, code_of: dict[str, int], channels: tuple[str, ...]
) -> CodedPaths:  # fmt: skip
    """The same paths with other codes; a channel without a code is on no path."""
    new = np.array([code_of.get(name, -1) for name in paths.channels], dtype=np.int32)
    is_same = len(channels) == len(new) and (new == np.arange(len(new))).all()
    codes = paths.codes if is_same or not len(paths.codes) else new[paths.codes]
    return replace(paths, channels=channels, codes=codes)
