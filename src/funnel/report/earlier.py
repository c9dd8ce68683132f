"""Earlier snapshots of the same period, as a later first page reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plan_changed_since(brief: Mapping[str, Any], folder: Path) -> str:
    """Day of the newest earlier snapshot of a brief's period, if its plan was another one.

    Parameters
    ----------
    brief
        A first page as data; reads `as_of`, `period` and `plan_sha256`.
    folder
        Its snapshot, or the one being made; the others are beside it.
    """
    for path in sorted(folder.parent.glob("[0-9]*/brief.json"), reverse=True):
        other = read_json(path)
        earlier = str(other.get("as_of") or "")
        if (
            path.parent.resolve() == folder.resolve()
            or not earlier
            or earlier > brief["as_of"]
            or _start(other) != _start(brief)
        ):
            continue
        return earlier if other.get("plan_sha256") != brief["plan_sha256"] else ""
    return ""


def read_json(path: Path) -> dict[str, Any]:
    """Object that a JSON file holds; empty where it holds none, or cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _start(brief: Mapping[str, Any]) -> Any:
    period = brief.get("period")
    return period.get("start") if isinstance(period, dict) else None
