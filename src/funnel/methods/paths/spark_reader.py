"""Paths as Spark counts them: touches stay there, and one row per different path comes back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.labels import NOT_RECORDED
from funnel.methods.paths.coded_paths import CodedPaths, concatenated
from funnel.methods.paths.converted import Converted, converted_from_rows
from funnel.methods.paths.runs import offsets_of

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Scope

_DIGITS = 5  # of a channel's code, as the step `unconverted_paths` writes it
_NEVER = dt.datetime(9999, 1, 1)


class StepReader:
    """Reads paths by steps that either engine runs; what it answers is that of `TouchReader`."""

    def __init__(self, data: Tables, scope: Scope, ends: pd.DataFrame) -> None:
        self.data, self.scope, self.ends = data, scope, ends

    def converted(self) -> Converted:
        """Journeys that converted, one path each."""
        codes = self.data.step(
            "channel_codes", from_leads=self.scope.source == "leads", not_recorded=NOT_RECORDED
        )
        codes = codes.drop_duplicates("code").sort_values("code")
        channels = tuple(codes["channel"].astype("str"))
        return converted_from_rows(self.data, self.scope, self.ends, channels)

    def every_path(
        self, immature_after: dt.datetime | None, *, leave_out_immature: bool
    ) -> tuple[Converted, CodedPaths, int]:
        """Journeys that converted, every path with its nulls, and how many nulls are immature."""
        converted = self.converted()
        parameters = self.scope.of_touches
        del parameters["lookback_days"]  # journeys that have not converted have no end to cut from
        found = self.data.step(
            "unconverted_paths",
            dated=immature_after is not None,
            immature_after=immature_after or _NEVER,
            **parameters,
        )
        if leave_out_immature:
            found = found.assign(nulls=found["nulls"] - found["n_immature"])
        unconverted = paths_of_digits(found[found["nulls"] > 0], converted.paths.channels)
        every = concatenated([converted.paths.grouped(), unconverted]).grouped()
        return converted, every.merged(), int(found["n_immature"].sum())


def paths_of_digits(found: pd.DataFrame, channels: tuple[str, ...]) -> CodedPaths:
    """Paths of a table of `path`, written as codes of five digits each, and `nulls`.

    Examples
    --------
    >>> found = pd.DataFrame({"path": ["0000100000", "00001"], "nulls": [2, 3]})
    >>> paths = paths_of_digits(found, ("demo", "web"))
    >>> paths.strings(), paths.nulls.tolist()
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
