"""Snapshots: notebooks and a plan become `reports/<as_of>/`, whole or not at all.

The only part of the package that knows Papermill.
"""

from funnel.report.first_page import provenance
from funnel.report.manifest import verify
from funnel.report.notebooks import notebooks_folder, notebooks_named
from funnel.report.run_outcome import Run, Snapshot
from funnel.report.snapshot import make_snapshot

__all__ = [
    "Run",
    "Snapshot",
    "make_snapshot",
    "notebooks_folder",
    "notebooks_named",
    "provenance",
    "verify",
]
