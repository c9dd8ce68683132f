"""A company's folder, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from funnel.contract.errors import SourceError
from funnel.dataset.files import ENDINGS


@contextmanager
def staged_folder(out: Path, tables: Sequence[str]) -> Iterator[Path]:
    """Folder that replaces `out` when the block ends without an error, and is removed otherwise.

    Parameters
    ----------
    out
        The company's folder, new or existing. Its other files are copied.
    tables
        The tables that will be written; their older files are not copied.

    Raises
    ------
    SourceError
        If nothing can be written there.
    """
    parent = out.absolute().parent
    if out.exists() and not out.is_dir():
        raise SourceError(f"{out} is a file; --out must name a folder. Nothing was written.")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=parent))
    except OSError as error:
        raise SourceError(
            f"Nothing can be written to {out}: {error.strerror}. Choose another folder with --out."
        ) from None
    try:
        staged.chmod(0o755)
        if out.is_dir():
            shutil.copytree(out, staged, dirs_exist_ok=True, symlinks=True)
            _remove_tables(staged, tables)
        yield staged
        _replace(staged, out)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{out} cannot be written: {reason}. It was not changed.") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _remove_tables(staged: Path, tables: Sequence[str]) -> None:
    for table in tables:
        for ending in ENDINGS:
            (staged / f"{table}{ending}").unlink(missing_ok=True)
        if (staged / table).is_dir():
            shutil.rmtree(staged / table)


def _replace(staged: Path, out: Path) -> None:
    old = staged.with_name(f"{staged.name}-old")
    if out.exists():
        out.rename(old)
    try:
        staged.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
