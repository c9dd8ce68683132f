"""Snapshots: notebooks and a plan become `reports/<as_of>/`, whole or not at all.

The only part of the package that knows Papermill.
"""

from funnel.snapshot.front import provenance
from funnel.snapshot.make import make_snapshot
from funnel.snapshot.manifest import verify
from funnel.snapshot.notebooks import notebooks_folder, notebooks_named
from funnel.snapshot.runs import Run, Snapshot

__all__ = [
    "Run",
    "Snapshot",
    "make_snapshot",
    "notebooks_folder",
    "notebooks_named",
    "provenance",
    "verify",
]
