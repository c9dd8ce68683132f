"""Folder of a generated company on disk, the same bytes for the same company."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from funnel.contract.codebook import codebook
from funnel.contract.errors import FunnelError
from funnel.contract.plan import FILE_NAME
from funnel.contract.tables import TABLES, Kind
from funnel.sample.meeting import MARK

TRUTH_NAME = "truth.json"
_SMALL = 2_000  # rows up to which a table is written unpacked


def write_folder(
    tables: Mapping[str, pd.DataFrame],
    plan_toml: str,
    out: Path,
    truth: Mapping[str, object] | None = None,
) -> None:
    """Write tables, plan and codebook, and remove the files of an earlier sample."""
    out = Path(out)
    try:
        _make_room(out)
        for name, frame in tables.items():
            text = csv_text(name, frame)
            if len(frame) <= _SMALL:
                (out / f"{name}.csv").write_bytes(text)
            else:
                (out / f"{name}.csv.gz").write_bytes(_zipped(text))
        (out / "README.md").write_text(codebook(), encoding="utf-8", newline="\n")
        if truth is not None:
            text = json.dumps(truth, indent=2) + "\n"
            (out / TRUTH_NAME).write_text(text, encoding="utf-8", newline="\n")
        # last, since this file marks the folder as a sample that may be overwritten
        (out / FILE_NAME).write_text(plan_toml, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FunnelError(
            f"The sample cannot be written to {out}: {error.strerror}. The folder "
            "may be incomplete. Name another folder with --out."
        ) from None


def csv_text(name: str, frame: pd.DataFrame) -> bytes:
    r"""CSV of a table, each kind of cell as the contract defines it.

    Examples
    --------
    >>> goal = {"period_start": pd.to_datetime(["2026-04-01"]), "measure": ["wins"]}
    >>> csv_text("targets", pd.DataFrame(goal | {"target": [105.0]}))
    b'period_start,measure,target\n2026-04-01,wins,105\n'
    """
    columns = TABLES[name].by_name
    text = pd.DataFrame({name: _cells(frame[name], columns[name].kind) for name in frame.columns})
    buffer = io.StringIO()
    text.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue().encode()


def _cells(values: pd.Series, kind: Kind) -> np.ndarray | pd.Series:
    missing = values.isna().to_numpy()
    if kind is Kind.TIME:
        stamps = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        cells = np.datetime_as_string(stamps, unit="m").astype(object) + "Z"
    elif kind is Kind.DATE:
        cells = np.datetime_as_string(values.to_numpy(), unit="D").astype(object)
    elif kind is Kind.MONEY:
        cells = np.array([f"{value:.2f}".removesuffix(".00") for value in values], dtype=object)
    elif kind in (Kind.NUMBER, Kind.COUNT):
        cells = np.array([f"{value:.10g}" for value in values], dtype=object)
    else:
        return values
    cells[missing] = ""
    return cells


def _zipped(text: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffer, mtime=0) as file:
        file.write(text)
    return buffer.getvalue()


def _make_room(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    plan = out / FILE_NAME
    is_sample = plan.is_file() and plan.read_text(encoding="utf-8", errors="replace").startswith(
        MARK
    )
    if any(out.iterdir()) and not is_sample:
        raise FunnelError(
            f"{out} is not empty, and its content was not made by `funnel sample`. Nothing was "
            "written, since a sample must not be mixed with real tables. Name another folder with "
            "--out."
        )
    for name in TABLES:
        for suffix in (".csv", ".csv.gz", ".parquet"):
            (out / f"{name}{suffix}").unlink(missing_ok=True)
    (out / TRUTH_NAME).unlink(missing_ok=True)
