"""Temporary folders: all of a process lie in one, which a later run removes if the process died.

A run of notebooks makes one folder and names it to its kernels in `FUNNEL_TEMPORARY`; they put
theirs into it, and the run removes it at its end, whatever became of the kernels.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks: nothing is swept there
    fcntl = None  # type: ignore[assignment]

VARIABLE = "FUNNEL_TEMPORARY"
PREFIX = "funnel-"
_LOCK = "owner.lock"
_roots: dict[int, tuple[Path, int]] = {}  # by process, since a fork must not share its parent's


def new_folder(name: str = "") -> Path:
    """A new private folder for temporary data.

    It lies in the folder that `FUNNEL_TEMPORARY` names, else in one of this process, which is
    removed when the process ends.

    Examples
    --------
    >>> folder = new_folder("spill-")
    >>> folder.is_dir(), folder.name.startswith("spill-")
    (True, True)
    """
    return Path(tempfile.mkdtemp(prefix=name or "data-", dir=_root()))


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """The folder of a run, removed at its end with what other processes put there."""
    folder = new_folder("run-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of processes that ended without removing them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_ownerless(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    given = os.environ.get(VARIABLE)
    if given and Path(given).is_dir():
        return Path(given)
    pid = os.getpid()
    if pid not in _roots or not _roots[pid][0].is_dir():
        sweep()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        # never closed: the lock, there from the file's first moment, shows that the process lives
        mine = folder / f"{_LOCK}.new"
        descriptor = os.open(mine, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine.rename(folder / _LOCK)
        _roots[pid] = folder, descriptor
        atexit.register(_remove, pid)
    return _roots[pid][0]


def _remove(pid: int) -> None:
    if pid == os.getpid():
        shutil.rmtree(_roots[pid][0], ignore_errors=True)


def _is_ownerless(folder: Path) -> bool:
    """Whether nobody holds the lock of a folder that has one."""
    if fcntl is None or folder.stat().st_uid != os.getuid():
        return False
    with (folder / _LOCK).open("rb+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
