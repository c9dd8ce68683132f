"""Temporary folders: all of a process lie in one, which a later run removes if the process died.

A run of notebooks makes one folder and names it to its kernels in `FUNNEL_TEMPORARY`; they put
theirs into it, and the run removes it at its end, whatever became of the kernels.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from funnel.contract.errors import TemporaryError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks: nothing is swept there
    fcntl = None  # type: ignore[assignment]

VARIABLE = "FUNNEL_TEMPORARY"
PREFIX = "funnel-"
_LOCK = "owner.lock"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_QUOTES = re.compile(r'["\\]+')  # around a file in an error of the engine
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
    with writing():
        return Path(tempfile.mkdtemp(prefix=name or "data-", dir=_root()))


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """The folder of a run, removed at its end with what other processes put there."""
    folder = new_folder("run-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn what the system says of a full folder for temporary data into an error of our own.

    For blocks that write there and may read elsewhere, and for queries of the engine, which puts
    there what does not fit into memory.

    Raises
    ------
    TemporaryError
        If the folder is full or cannot be written to, or the engine's memory is used up.

    Examples
    --------
    >>> with writing():
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    funnel.contract.errors.TemporaryError: The folder for temporary data, ...
    """
    try:
        yield
    except TemporaryError:
        raise
    except Exception as error:
        message = _of_system(error) if isinstance(error, OSError) else _of_engine(str(error))
        if message:
            raise TemporaryError(message) from None
        raise


def _of_system(error: OSError) -> str:
    number = error.errno or 0
    file = os.fsdecode(error.filename) if error.filename else ""
    if number in _FULL or (number in _REFUSED and _is_temporary(file)):
        return _unwritable(number)
    if number == errno.ENOENT and "temporary directory" in str(error):  # none of those tried
        return (
            f"There is no folder for temporary data that can be written to: {error.strerror}. "
            "Nothing is wrong with the data. Free some space, or name another folder in TMPDIR."
        )
    return ""


def _of_engine(text: str) -> str:
    if "max_temp_directory_size" in text:
        return _unwritable(errno.ENOSPC)
    if text.startswith("Out of Memory Error"):
        return (
            f"The memory for queries is used up: {text.splitlines()[0]}. Nothing is wrong with the "
            "data. FUNNEL_MEMORY_LIMIT names more, such as 8GB."
        )
    files = _QUOTES.split(text)
    if text.startswith("IO Error") and any(map(_is_temporary, files)):
        found = (each for each in (*_FULL, *_REFUSED) if os.strerror(each) in text)
        return next(map(_unwritable, found), "")
    return ""


def _unwritable(number: int) -> str:
    what = "is full" if number in _FULL else f"cannot be written to ({os.strerror(number)})"
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free / 2**20
    return (
        f"The folder for temporary data, {folder}, {what}: {free:,.0f} MiB are free. Nothing is "
        "wrong with the data. It holds unpacked exports, the checked tables and what does not fit "
        "into memory, together a few times the size of the exports. Free some space, or name a "
        "folder on another disk in TMPDIR and run it again."
    )


def _is_temporary(file: str) -> bool:
    """Whether a file lies in a folder of this package; a company's folder may be near it."""
    path, base, given = Path(file), Path(tempfile.gettempdir()), os.environ.get(VARIABLE)
    if given and path.is_relative_to(given):
        return True
    return base in path.parents and path.relative_to(base).parts[0].startswith(PREFIX)


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
