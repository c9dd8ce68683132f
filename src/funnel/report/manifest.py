"""The manifest: what a snapshot was made from, and how each of its files can be proved."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnel.contract.errors import SnapshotError

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.report.run_outcome import Run

NAME = "manifest.json"
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")


def manifest(
    data: Tables,
    parameters: Mapping[str, Any],
    runs: Sequence[Run],
    seconds: Mapping[str, float],
    inputs_sha256: str,
    contradictions: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """What a snapshot was made from: inputs, plan, versions, and how long it took.

    Parameters
    ----------
    data
        The company as it was loaded.
    parameters
        Of the run; `data_dir` is the folder's name, never its path, which would name a machine.
    runs
        State of each notebook.
    seconds
        Wall time by part of the run.
    inputs_sha256
        Hash of all that decided what the pages say.
    contradictions
        Figures that two results state differently.
    """
    counts = data.counts.drop(columns="files", errors="ignore")
    return {
        "as_of": data.as_of.isoformat(),
        "data": {
            "folder": parameters["data_dir"],
            "sha256": data_hash(data),
            "files": _records(data.sources),
            "tables": _records(counts),
        },
        "inputs_sha256": inputs_sha256,
        "label_key": _key(data),
        "plan": data.plan.as_dict(),
        "plan_sha256": data.plan.sha256,
        "parameters": dict(parameters),
        "engine": "duckdb" if data.spark is None else "spark",
        "notebooks": [
            {
                "name": run.name,
                "title": run.title,
                "state": run.state,
                "says": run.says,
                "cells": run.n_cells,
                "cells_run": run.n_ran,
                "seconds": round(run.seconds, 2),
            }
            for run in runs
        ],
        "contradictions": [dict(each) for each in contradictions],
        "python": platform.python_version(),
        "system": platform.system(),
        "packages": packages(),
        "git": git_commit(),
        "seconds": {part: round(value, 2) for part, value in seconds.items()},
    }


def _key(data: Tables) -> dict[str, Any] | None:
    """The key of labels by its name and fingerprint; the key itself is never written."""
    key = data.label_key
    return key and {"name": key.name, "fingerprint": key.fingerprint}


def data_hash(data: Tables) -> str:
    """Hash the hashes of every input file, in the order of their names."""
    names = data.sources.sort_values(["table", "file"])
    text = "\n".join(names["table"].astype("str") + " " + names["sha256"].astype("str"))
    return hashlib.sha256(text.encode()).hexdigest()


def packages() -> dict[str, str]:
    """Give the installed version of this package and of each one that it asks for."""
    try:
        required = importlib.metadata.requires("funnel") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    names = ["funnel", *(_REQUIREMENT.match(one)[0] for one in required if "extra ==" not in one)]
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_commit() -> str | None:
    """Name the commit of a checkout, with `-dirty` where files differ from it; no path."""
    here = Path(__file__).resolve().parents[3]
    if not (here / ".git").exists():
        return None
    ask = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(ask, cwd=here, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest, with the SHA-256 of every other file of the snapshot."""
    whole = {**facts, "files": {name: sha256(folder / name) for name in files_of(folder)}}
    text = json.dumps(whole, ensure_ascii=False, indent=1)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a snapshot's manifest.

    Raises
    ------
    SnapshotError
        If the folder holds none, or one that cannot be read.
    """
    try:
        facts = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SnapshotError(
            f"{folder} holds no {NAME}, so it is no snapshot. A snapshot is a folder such as "
            "reports/2026-06-30, made by `funnel report`."
        ) from None
    except (OSError, ValueError) as error:
        raise SnapshotError(
            f"{folder / NAME} cannot be read ({error}). Without it nothing can be verified in the "
            "snapshot; make it again with `funnel report --replace`."
        ) from None
    if not isinstance(facts, dict) or not isinstance(facts.get("files"), dict):
        raise SnapshotError(f"{folder / NAME} is not the manifest of a snapshot.")
    return facts


def has_finished_notebook(folder: Path) -> bool:
    """Whether at least one notebook of a snapshot came to its end."""
    try:
        runs = read_manifest(folder).get("notebooks", ())
    except SnapshotError:
        return False
    return any(run.get("state") == "ok" for run in runs)


def verify(folder: str | Path) -> list[str]:
    """Say in which files a snapshot differs from what was published; nothing if in none.

    Parameters
    ----------
    folder
        A snapshot, such as `reports/2026-06-30`.

    Raises
    ------
    SnapshotError
        If it is no snapshot.
    """
    folder = Path(folder)
    published = read_manifest(folder)["files"]
    there = set(files_of(folder))
    problems = [f"{name} is missing" for name in sorted(set(published) - there)]
    problems += [f"{name} was added" for name in sorted(there - set(published))]
    problems += [
        f"{name} was changed"
        for name in sorted(there & set(published))
        if sha256(folder / name) != published[name]
    ]
    return problems


def files_of(folder: Path) -> Iterator[str]:
    """Name every file of a snapshot but its manifest, in order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return (name for path in paths if (name := path.relative_to(folder).as_posix()) != NAME)


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _records(table: Any) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records"))
