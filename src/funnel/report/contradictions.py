"""Figures that two results of a snapshot state differently, found before it is published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from funnel.results.stated import contradictions


def contradictions_in(folder: Path) -> list[dict[str, Any]]:
    """What the saved results of a snapshot state differently; see `results.stated`."""
    saved = sorted((folder / "results").glob("*.json"))
    return contradictions({path.stem: json.loads(path.read_text())["stated"] for path in saved})


def contradictions_text(found: Sequence[Mapping[str, Any]]) -> str:
    """Sentence about them for the log of a run: which, where, whom to ask."""
    each = found[0]
    one, other = each["results"]
    return (
        f"{len(found)} figure(s) are stated differently on two pages, which is a defect of this "
        f"package. The first: {each['figure']} of {each['span']}, {each['part']} "
        f"{each['state'][0]} in {one} and {each['state'][1]} in {other}. `manifest.json` lists "
        "all; please report them."
    )
