"""Where tables and rows of steps pass between the engine and Spark."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnel.contract.errors import ParameterError
from funnel.dataset.engine import Engine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SHARED = "FUNNEL_SPARK_FOLDER"
_LOCAL = "file:"  # named outright, since a cluster's own default may be another file system


class Store:
    """A new folder of files, which Spark reads and writes under an address.

    Parameters
    ----------
    engine
        Its folder of temporary files holds the store, or copies of its files.
    within
        A folder or an address (`hdfs://`, `s3a://`) that every machine of the cluster sees.
        Default: what `FUNNEL_SPARK_FOLDER` names, else the engine's own folder, which does for a
        session on this machine.

    Attributes
    ----------
    folder
        Where the engine writes and reads files.
    address
        Where Spark does: the same folder, or one elsewhere that files are copied to and from.
    """

    def __init__(self, engine: Engine, within: str | Path | None = None) -> None:
        given = str(within or os.environ.get(SHARED) or engine.folder)
        name = f"spark-{uuid.uuid4().hex[:12]}"
        self.is_here = re.match(r"[A-Za-z][\w+.-]+:", given) is None or given.startswith(_LOCAL)
        if self.is_here:
            place = re.sub(rf"^{_LOCAL}(//)?", "", given)
            self.folder = Path(place).absolute() / name
            self.address = f"{_LOCAL}{self.folder}"
        else:
            self.folder = engine.folder / name
            self.address = f"{given.rstrip('/')}/{name}"
        engine.removes(self.folder)

    def new_name(self, what: str) -> str:
        """A name that no other file of the store has."""
        return f"{what}-{uuid.uuid4().hex[:12]}"

    def file(self, name: str) -> Path:
        """Where the engine writes a file, before it is `put`, and reads one after `fetch`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder / name

    def put(self, session: SparkSession, name: str) -> str:
        """Let Spark see a file that the engine wrote, and give its address."""
        address = f"{self.address}/{name}"
        if not self.is_here:
            system, path = _hadoop(session, address)
            system.copyFromLocalFile(True, True, path(f"{_LOCAL}{self.file(name)}"), path(address))
            system.deleteOnExit(path(self.address))
        return address

    def fetch(self, session: SparkSession, name: str) -> Path:
        """Folder of this machine with the files that Spark wrote."""
        place = self.file(name)
        if not self.is_here and not place.exists():
            system, path = _hadoop(session, self.address)
            system.copyToLocalFile(
                False, path(f"{self.address}/{name}"), path(f"{_LOCAL}{place}"), True
            )
        return place

    def remove(self, session: SparkSession, name: str = "") -> None:
        """Remove what Spark wrote under a name, or the whole store."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        if not self.is_here:
            system, path = _hadoop(session, self.address)
            system.delete(path(f"{self.address}/{name}" if name else self.address), True)


def _hadoop(session: SparkSession, address: str) -> tuple[Any, Any]:
    """File system of an address, in the process of Spark's driver, and its class of paths."""
    if not hasattr(session, "_jvm"):
        raise ParameterError(
            f"{SHARED} names {address}, which is not reached through Spark Connect; name a folder "
            "that is mounted here and on every machine of the cluster."
        )
    path = session._jvm.org.apache.hadoop.fs.Path
    return path(address).getFileSystem(session._jsparkSession.sessionState().newHadoopConf()), path
