"""Write the golden results of the sample anew; read the difference before committing it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from funnel.report.snapshot import make_snapshot

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
KEY = "8d1f2e3c4b5a69780f1e2d3c4b5a6978"  # of the labels; the one of the tests
MOST_ROWS = 100  # of a long table its first rows, so that a difference can be read


def main() -> None:
    """Make a snapshot of the sample and keep its results' tables."""
    os.environ["FUNNEL_HASH_KEY"] = KEY
    with tempfile.TemporaryDirectory() as folder:
        made = make_snapshot(ROOT / "data" / "sample", out=folder)
        shutil.rmtree(GOLDEN, ignore_errors=True)
        GOLDEN.mkdir()
        for path in sorted((made.path / "results").glob("*.csv")):
            rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            (GOLDEN / path.name).write_text("".join(rows[: 1 + MOST_ROWS]), encoding="utf-8")


if __name__ == "__main__":
    main()
