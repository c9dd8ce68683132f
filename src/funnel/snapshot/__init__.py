"""Snapshots: notebooks and a plan become `reports/<as_of>/`, whole or not at all.

The only part of the package that knows Papermill.
"""

from funnel.snapshot.make import (
    Run,
    Snapshot,
    make_snapshot,
    provenance,
)
from funnel.snapshot.manifest import verify
from funnel.snapshot.notebooks import notebooks_folder, notebooks_named

__all__ = [
    "Run",
    "Snapshot",
    "make_snapshot",
    "notebooks_folder",
    "notebooks_named",
    "provenance",
    "verify",
]
