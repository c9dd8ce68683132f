"""Outcome of a run: each notebook's state, and the snapshot that they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """Outcome of one notebook.

    Attributes
    ----------
    name
        Its file's name without the ending; its page is `<name>.html`.
    title
        Its first heading.
    state
        `ok`, `failed`, or `not run`.
    says
        Why it stopped, as one paragraph; empty if it did not.
    seconds
        Wall time it took.
    n_cells, n_ran
        Code cells in it, and those that came to their end.
    """

    name: str
    title: str
    state: str
    says: str = ""
    seconds: float = 0.0
    n_cells: int = 0
    n_ran: int = 0


@dataclass(frozen=True)
class Snapshot:
    """A published snapshot.

    Attributes
    ----------
    path
        Its folder.
    runs
        Outcome of each notebook.
    says
        Why the first page could not be written; empty if it was.
    latest
        Name of the snapshot that `latest` leads to; empty where there is no such link.
    """

    path: Path
    runs: tuple[Run, ...]
    says: str = ""
    latest: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything in it came to its end."""
        return not self.says and all(run.state == "ok" for run in self.runs)
