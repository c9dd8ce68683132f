"""What is shown while a snapshot is made: a bar on a terminal, plain lines elsewhere."""

# ruff: noqa: D102  # `Silent` says what each method is for

from __future__ import annotations

import sys
import threading
from typing import Any, TextIO

from funnel.contract.outgoing_text import clean_message


class Silent:
    """Shows nothing; the others say what they show by the same methods."""

    def say(self, text: str) -> None:
        """Tell of something that is no notebook."""

    def begin(self, names: list[str], n_cells: int) -> None:
        """Tell that notebooks are about to run."""

    def started(self, name: str) -> None:
        """Tell that a notebook began."""

    def cell_done(self) -> None:
        """Tell that one cell of some notebook came to its end."""

    def finished(self, name: str, state: str, seconds: float) -> None:
        """Tell how a notebook ended."""

    def end(self) -> None:
        """Tell that nothing more will come."""


class Lines(Silent):
    """One line when a notebook begins, one when it ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        with self._lock:
            print(clean_message(text), file=self._stream, flush=True)

    def started(self, name: str) -> None:
        self.say(f"{name}: started")

    def finished(self, name: str, state: str, seconds: float) -> None:
        self.say(f"{name}: {state} after {seconds:.1f} s")


class Bar(Silent):
    """A bar over all cells of all notebooks."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._running: list[str] = []
        self._bar: Any = None

    def say(self, text: str) -> None:
        text = clean_message(text)
        with self._lock:
            if self._bar is not None:
                self._bar.write(text, file=self._stream)
            else:
                print(text, file=self._stream, flush=True)

    def begin(self, names: list[str], n_cells: int) -> None:
        from tqdm import tqdm

        form = "{desc} {bar} {n_fmt}/{total_fmt} cells  {elapsed}"
        self._bar = tqdm(total=n_cells, bar_format=form, file=self._stream, leave=False)

    def started(self, name: str) -> None:
        with self._lock:
            self._running.append(name)
            self._bar.set_description_str(", ".join(self._running))

    def cell_done(self) -> None:
        with self._lock:
            self._bar.update()

    def finished(self, name: str, state: str, seconds: float) -> None:
        with self._lock:
            self._running.remove(name)
            self._bar.set_description_str(", ".join(self._running))
        if state != "ok":
            self.say(f"{name}: {state} after {seconds:.1f} s")

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def progress_for(stream: TextIO) -> Silent:
    """Choose what fits where it is shown."""
    return Bar(stream) if stream.isatty() else Lines(stream)
