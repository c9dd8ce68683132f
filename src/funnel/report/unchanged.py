"""Whether a run would make a snapshot that is there already.

A snapshot depends on the files of the company's folder, the plan, the parameters, the key of the
hashes, this code and the libraries it stands on. Their hash is in the manifest. Nothing heavy is
imported here, so that a schedule which finds nothing new is done at once.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from funnel.contract.plan import Plan
from funnel.dataset.label_key import key_for
from funnel.report.earlier import plan_changed_since, read_json
from funnel.report.manifest import NAME, packages, sha256, verify
from funnel.report.publishing import snapshots

_CODE = (".py", ".sql", ".css")


def inputs_hash(
    data_dir: Path,
    notebooks: Sequence[Path],
    *,
    as_of: str,
    overrides: Mapping[str, Any],
) -> str:
    """Hash of all that decides what the pages of a run say.

    Parameters
    ----------
    data_dir
        The company's folder; every file in it counts, the plan included.
    notebooks
        Those to run.
    as_of
        The day wanted; empty for the newest.
    overrides
        Keys of `[plan]` that take the place of the plan's; `None` changes nothing.

    Notes
    -----
    The engine does not count: every engine gives the same figures.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    key = key_for(data_dir, Plan.read(data_dir, **given).company.key)
    package = Path(__file__).parents[1]
    facts = [
        dict(_hashed(data_dir, data_dir.rglob("*"))),
        [(path.stem, sha256(path)) for path in notebooks],
        as_of,
        {name: str(value) for name, value in sorted(given.items())},
        key.fingerprint,
        dict(_hashed(package, (p for p in package.rglob("*") if p.suffix in _CODE))),
        packages(),
        platform.python_version(),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def unchanged_snapshot(out: Path, inputs_sha256: str) -> Path | None:
    """The snapshot made from these inputs, if every notebook came to its end and it is whole."""
    for folder in snapshots(out) if out.is_dir() else ():
        about = read_json(folder / NAME)
        if about.get("inputs_sha256") == inputs_sha256 and _would_be_equal(folder, about):
            return folder
    return None


def _would_be_equal(folder: Path, about: Mapping[str, Any]) -> bool:
    runs = about.get("notebooks") or ()
    if not runs or any(run.get("state") != "ok" for run in runs) or verify(folder):
        return False
    brief = read_json(folder / "brief.json")
    return bool(brief) and brief["plan_changed"] == bool(plan_changed_since(brief, folder))


def _hashed(base: Path, paths: Iterator[Path]) -> Iterator[tuple[str, str]]:
    for path in sorted(paths):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(base).as_posix(), sha256(path)
