"""Differences between two snapshots: inputs, answers and headlines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from funnel.contract.errors import SnapshotError
from funnel.report.manifest import read_manifest


def differences(old: str | Path, new: str | Path) -> list[str]:
    """Inputs, answers and headlines that differ between two snapshots, as lines of text.

    Parameters
    ----------
    old, new
        Two snapshots, such as `reports/2026-03-31` and `reports/2026-06-30`.

    Raises
    ------
    SnapshotError
        If one of them is no snapshot.
    """
    before, after = _statements(Path(old)), _statements(Path(new))
    lines = []
    for what in dict.fromkeys([*before, *after]):
        was, now = before.get(what), after.get(what)
        if was != now:
            lines += [what, f"  - {'not there' if was is None else was}"]
            lines += [f"  + {'not there' if now is None else now}"]
    return lines


def _statements(folder: Path) -> dict[str, str]:
    """Gather what a snapshot states, from a label to its text."""
    about = read_manifest(folder)
    stated = {
        "as of": about.get("as_of"),
        "data": f"fingerprint {about.get('data', {}).get('sha256', '')[:12]}",
        "plan": f"hash {about.get('plan_sha256', '')[:12]}",
        "key of labels": f"fingerprint {(about.get('label_key') or {}).get('fingerprint', '')}",
        "funnel": about.get("packages", {}).get("funnel"),
        **{f"notebook {run['name']}": run["state"] for run in about.get("notebooks", ())},
    }
    if (folder / "brief.json").exists():
        brief = _read(folder / "brief.json")
        stated["answer"] = brief.get("answer")
        for side in ("baseline", "period"):
            one = brief.get(side) or {}
            stated[side] = f"{one.get('start')} to {one.get('end')}: {one.get('value')}"
        for row in brief.get("bridge") or ():
            if row.get("segment") is None:
                stated[f"bridge, {row.get('driver')}"] = (
                    f"{row.get('contribution')} "
                    f"[{row.get('low')} to {row.get('high')}], {row.get('verdict')}"
                )
    for path in sorted((folder / "results").glob("*.json")):
        stated[f"result {path.stem}"] = _read(path).get("headline")
    return {what: str(text) for what, text in stated.items() if text is not None}


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path} cannot be read: {error}.") from None
