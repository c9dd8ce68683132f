"""Ways that have not won, as an engine counts them that runs elsewhere: one text of digits each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.runs import offsets_of

if TYPE_CHECKING:
    import pandas as pd

    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Asked

_DIGITS = 5  # of a channel's code, as the step `null_codes` writes it


def not_won(data: Tables, which: Asked) -> CodedPaths:
    """Count the ways of those that have not won where the touches are, one row a different way."""
    asked_of = which.of_touches
    channels = data.step("size_channels", from_leads=asked_of["from_leads"])
    del asked_of["lookback_days"]  # it cuts journeys that ended; the others have no end yet
    found = data.step("null_codes", dated=False, **asked_of)
    names = channels.drop_duplicates("code").sort_values("code")["channel"]
    return read_digits(found, tuple(names))


def read_digits(found: pd.DataFrame, channels: tuple[str, ...]) -> CodedPaths:
    """Read paths that are written as codes of five digits.

    Examples
    --------
    >>> import pandas as pd
    >>> found = pd.DataFrame({"path": ["0000100000", "00001"], "nulls": [2, 3]})
    >>> ways = read_digits(found, ("demo", "web"))
    >>> ways.strings(), ways.nulls.tolist()
    (['web > demo', 'web'], [2.0, 3.0])
    """
    texts = found["path"].tolist()
    digits = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8).reshape(-1, _DIGITS)
    codes = np.zeros(len(digits), dtype=np.int32)
    for place in range(_DIGITS):
        codes = codes * 10 + (digits[:, place] - ord("0"))
    n = len(texts)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
    return CodedPaths(
        channels,
        codes,
        offsets_of(lengths // _DIGITS),
        np.zeros(n),
        np.zeros(n),
        found["nulls"].to_numpy(dtype="float64"),
    )
