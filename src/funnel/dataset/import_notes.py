"""What an import had to choose to read its exports, kept beside the tables it wrote.

The tables themselves no longer show it: a guessed encoding is UTF-8 by then. So `load` gives each
note as a finding, as long as the table is the one that the import wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

FILE_NAME = "_import.json"


def write(folder: Path, notes: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Write notes by table: the hash of its file, and sentences; those of other tables stay."""
    path = folder / FILE_NAME
    kept = _content(folder) | {
        table: {"sha256": sha256, "says": [*says]} for table, (sha256, says) in notes.items()
    }
    kept = {table: note for table, note in kept.items() if note["says"]}
    path.unlink(missing_ok=True)
    if kept:
        path.write_text(json.dumps(kept, indent=1), encoding="utf-8")


def read(folder: Path, sha256: Mapping[str, str]) -> list[tuple[str, str]]:
    """Table and sentence of each note on a table whose file has this hash."""
    return [
        (table, says)
        for table, note in _content(folder).items()
        if note.get("sha256") == sha256.get(table)
        for says in note.get("says", ())
    ]


def _content(folder: Path) -> dict[str, dict]:
    """Notes by table; none where the file is not there, or is not one that an import wrote."""
    try:
        content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {table: note for table, note in content.items() if isinstance(note, dict)}
