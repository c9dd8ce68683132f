"""Steps of a run: its notebooks ask the process that has the session, and share what it computed.

The one that loaded the dataset listens on this machine, and leaves its port and a key beside the
dataset that it hands to notebooks. They ask for a step by name, and read its rows from files.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import pandas as pd

from funnel.contract.errors import FunnelError
from funnel.dataset.engine import Engine
from funnel.dataset.spark.steps import Spark, rows_in

_FILE = "spark.json"
_HOST = "127.0.0.1"
_WAITING = 16  # notebooks that ask at the same moment


class RunSteps:
    """Runs steps by asking the run that a notebook belongs to."""

    def __init__(self, engine: Engine, port: int, key: str, folder: str) -> None:
        self.engine, self.folder = engine, Path(folder)
        self._port, self._key = port, bytes.fromhex(key)

    def step(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Rows of a step, as `Spark.step` gives them."""
        try:
            with Client((_HOST, self._port), authkey=self._key) as connection:
                connection.send((name, parameters))
                answer = connection.recv()
        except (OSError, EOFError, AuthenticationError):
            answer = FunnelError(
                f"Spark cannot run {name}: the run that this notebook belongs to has ended."
            )
        if isinstance(answer, FunnelError):
            raise answer
        return rows_in(self.engine, answer)

    def close(self) -> None:
        """Leave the run as it is; others may still ask it."""


def spark_for(engine: Engine, dataset: Path | None = None) -> Spark | RunSteps:
    """What runs steps on Spark: the run that handed out the saved dataset, else this process."""
    if dataset is not None and (dataset / _FILE).is_file():
        return RunSteps(engine, **json.loads((dataset / _FILE).read_text()))
    return Spark(engine)


@contextlib.contextmanager
def served(spark: Spark | RunSteps | None, dataset: Path) -> Iterator[None]:
    """Answer the notebooks that are handed a dataset; without Spark there is nothing to answer."""
    if not isinstance(spark, Spark):
        yield
        return
    key = secrets.token_bytes(32)
    with Listener((_HOST, 0), backlog=_WAITING, authkey=key) as listener:
        port = listener.address[1]
        facts = {"port": port, "key": key.hex(), "folder": str(spark.folder)}
        (dataset / _FILE).write_text(json.dumps(facts))  # in the run's folder, which is private
        ended = threading.Event()
        threading.Thread(target=_listen, args=(listener, spark, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                Client((_HOST, port), authkey=key).close()  # so that it stops waiting


def _listen(listener: Listener, spark: Spark, ended: threading.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(OSError, EOFError, AuthenticationError):
            connection = listener.accept()
            threading.Thread(target=_answer, args=(connection, spark), daemon=True).start()


def _answer(connection: Connection, spark: Spark) -> None:
    with connection, contextlib.suppress(OSError, EOFError):  # the notebook has ended
        name, parameters = connection.recv()
        try:
            connection.send(spark.rows(name, parameters))
        except FunnelError as error:
            connection.send(error)
        except Exception as error:
            connection.send(FunnelError(f"Spark cannot run {name}: {type(error).__name__}."))
