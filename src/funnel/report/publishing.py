"""Publishing: a snapshot appears under its name whole, or not at all.

Everything is written into a hidden folder beside it, flushed to the disk, and renamed once. A run
that is killed leaves only that hidden folder, which the next one removes.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from funnel.contract.errors import SnapshotError
from funnel.report.manifest import has_finished_notebook

STAGING = ".staging-"
LATEST = "latest"
_LOCK = ".lock"
_SNAPSHOT = re.compile(r"\d{4}-\d{2}-\d{2}")
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP}  # a file system that has none
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def locked(out: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the folder of snapshots for one run at a time.

    Parameters
    ----------
    out
        The folder of snapshots; made if it is not there.
    waiting
        Called once if another run holds it.

    Raises
    ------
    SnapshotError
        If the folder cannot be made or written to, or holds a `latest` that is no link.
    """
    latest = out / LATEST
    if latest.exists() and not latest.is_symlink():
        raise SnapshotError(
            f"{latest} is a folder or a file of its own and no link, so it cannot lead to the "
            "newest snapshot. Nothing was computed. Copying or synchronising a folder of snapshots "
            "makes such a copy: rename or remove it, or choose another folder with --out."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SnapshotError(_cannot_write(out, error)) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def staging_folder(out: Path) -> Path:
    """Remove what killed runs left behind, and make a new hidden folder; needs the lock."""
    for left in out.glob(f"{STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)
    staging = out / f"{STAGING}{secrets.token_hex(6)}"
    try:
        staging.mkdir()
    except OSError as error:
        raise SnapshotError(_cannot_write(out, error)) from None
    return staging


def snapshots(out: Path) -> list[Path]:
    """List the snapshots of a folder, newest first."""
    found = (path for path in out.iterdir() if _SNAPSHOT.fullmatch(path.name))
    return sorted((path for path in found if path.is_dir()), reverse=True)


def publish(staging: Path, final: Path) -> None:
    """Give a finished folder its name, in one step; needs the lock.

    One that has the name already is swapped out in the same step where the system can, so that
    there is no moment without a snapshot; else by two renames.
    """
    flush(staging)
    if not final.exists():
        staging.rename(final)
    elif _exchanged(staging, final):
        shutil.rmtree(staging, ignore_errors=True)
    else:
        old = staging.with_name(f"{STAGING}old-{secrets.token_hex(6)}")
        final.rename(old)
        try:
            staging.rename(final)
        except OSError:
            old.rename(final)
            raise
        shutil.rmtree(old, ignore_errors=True)
    _flush_one(final.parent)


def point_to_newest(out: Path) -> str:
    """Make `latest` lead to the newest snapshot with a finished notebook; give its name.

    Where there is none, there is no `latest` and the name is empty.
    """
    newest = next((path.name for path in snapshots(out) if has_finished_notebook(path)), "")
    if not newest:
        if (out / LATEST).is_symlink():
            (out / LATEST).unlink()
        return ""
    link = out / f"{STAGING}latest-{secrets.token_hex(6)}"
    try:
        link.symlink_to(newest, target_is_directory=True)
        link.replace(out / LATEST)
    except OSError as error:
        link.unlink(missing_ok=True)
        if error.errno in _NO_LINKS:
            return ""
        raise
    return newest


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    half = path.with_name(f"{STAGING}{path.name}-{secrets.token_hex(6)}")
    try:
        half.write_text(text, encoding="utf-8")
        _flush_one(half)
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
    _flush_one(path.parent)


def flush(folder: Path) -> None:
    """Bring every file and folder below to the disk."""
    for root, _, files in os.walk(folder):
        for name in files:
            _flush_one(Path(root) / name)
        _flush_one(Path(root))


def _flush_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one step (Linux); false where that cannot be done."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    done = rename(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    return done == 0


def _cannot_write(out: Path, error: OSError) -> str:
    why = {
        errno.EACCES: "this user may not write there",
        errno.EPERM: "this user may not write there",
        errno.EROFS: "it lies on a disk that is read-only",
        errno.ENOSPC: "the disk is full",
        errno.ENOTDIR: "a part of its path is a file",
        errno.EEXIST: "there is a file of that name",
    }.get(error.errno or 0, error.strerror or "it cannot be opened")
    return (
        f"No snapshot can be written to the folder {out}: {why}. Nothing was computed. Choose "
        "another folder with --out, or ask whoever keeps this one."
    )
