"""Run one notebook by Papermill, and keep our own record of what ran.

Papermill's stamps cannot be trusted for that: after a dead kernel or a timeout it marks cells that
never ran as completed. The record here is written by the engine as each cell ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from funnel.report.error_text import error_paragraph
from funnel.report.kernels import UNKNOWN, Kernels, kernel_environment

ENGINE = "funnel"


@dataclass
class Record:
    """What happened to a notebook, written while it happens.

    Attributes
    ----------
    n_cells
        Code cells in it, once it was read.
    ran
        Positions of the code cells that came to an end without an error.
    failed_at
        Position of the cell that stopped it.
    says
        Why it stopped, in words for a page.
    notebook
        The notebook with its outputs, as far as it came.
    """

    n_cells: int = 0
    ran: list[int] = field(default_factory=list)
    failed_at: int | None = None
    says: str = ""
    notebook: Any = None
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """`ok`, `failed`, or `not run` where not one cell was started."""
        if self.failed_at is None and not self.says:
            return "ok" if self.notebook is not None and len(self.ran) == self.n_cells else "failed"
        return "failed" if self.ran or self.failed_at is not None else "not run"


def run_notebook(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    kernels: Kernels,
    *,
    environment: Mapping[str, str],
    timeout: float,
    cell_done: Callable[[], None] = lambda: None,
) -> Record:
    """Run a notebook with parameters into a file that nobody else reads yet.

    Parameters
    ----------
    source, target
        The notebook, and where Papermill writes the executed one.
    parameters
        Checked before: names and values go into the notebook's code.
    kernels
        Where its kernel comes from.
    environment
        Names added to the kernel's environment.
    timeout
        Seconds that one cell may take.
    cell_done
        Called after each code cell.

    Returns
    -------
    Record
        Always, whatever went wrong in the notebook or with its kernel.

    Notes
    -----
    Call it from a thread of its own: it closes the thread's event loop.
    """
    with without_slow_import():
        from jupyter_core.utils import ensure_event_loop
        from papermill import execute_notebook
        from papermill.engines import papermill_engines
        from papermill.exceptions import PapermillExecutionError

    papermill_engines.register(ENGINE, _engine())
    # It would warn of each key of the plan that a notebook takes from `overrides` alone.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    record = Record()
    began = time.monotonic()
    try:
        execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            engine_name=ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            record=record,
            kernels=kernels,
            start_options={
                "env": kernel_environment(**environment),
                "cwd": str(source.parent.resolve()),
            },
            execution_timeout=timeout,
            cell_done=cell_done,
        )
    except PapermillExecutionError:
        pass  # the record says so already
    except Exception as error:
        record.says = record.says or error_paragraph(type(error).__name__, str(error))
    finally:
        _close(ensure_event_loop())  # of this thread, opened by nbclient and not closed by it
    record.seconds = time.monotonic() - began
    return record


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End a loop together with what still waits in it, such as for the words of a dead kernel."""
    waiting = asyncio.all_tasks(loop)
    for task in waiting:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    loop.close()


@contextlib.contextmanager
def without_slow_import() -> Any:
    """Keep `jsonschema` from importing a grammar that takes a second and is of no use here.

    It checks the spelling of IRIs in schemas; `jsonschema` does without it where it is missing.
    """
    name = "rfc3987_syntax"
    blocked = name not in sys.modules
    if blocked:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if blocked:
            sys.modules.pop(name, None)


def _ended(status: int | None) -> str:
    """Say how the process of a notebook ended; a negative status is the signal that ended it."""
    how = "ended at this step"
    if status == -signal.SIGKILL:
        how = "was killed at this step (signal 9), most often for lack of memory"
    elif status is not None and status < 0:
        how = f"was ended at this step by signal {-status}"
    elif status is not None and status != UNKNOWN:
        how = f"ended by itself at this step, with exit status {status}"
    return f"The process that computed it {how}."


def _engine() -> type:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbclient.util import run_sync
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine

    class Client(PapermillNotebookClient):
        record: Record
        cell_done: Callable[[], None]

        def papermill_execute_cells(self) -> None:
            for index, cell in enumerate(self.nb.cells):
                if cell.cell_type != "code":
                    continue
                self.nb_man.cell_start(cell, index)
                try:
                    self.execute_cell(cell, index)
                except CellExecutionError as error:
                    self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                    self._failed(index, error_paragraph(error.ename, error.evalue))
                    return
                except DeadKernelError:
                    self._failed(index, _ended(run_sync(self.km.provisioner.poll)()))
                    raise
                except CellTimeoutError:
                    self._failed(index, f"The step took more than {self.timeout:g} seconds.")
                    raise
                self.nb_man.cell_complete(cell, cell_index=index)
                self.record.ran.append(index)
                self.cell_done()

        def _failed(self, index: int, says: str) -> None:
            self.record.failed_at = index
            self.record.says = says

    class ForkEngine(Engine):
        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,
            kernel_name: str,
            *,
            record: Record,
            kernels: Kernels,
            start_options: dict[str, Any],
            execution_timeout: float,
            cell_done: Callable[[], None],
            **_: Any,
        ) -> None:
            record.n_cells = sum(cell.cell_type == "code" for cell in nb_man.nb.cells)
            manager = kernels.manager()
            client = Client(
                nb_man,
                km=manager,
                timeout=execution_timeout,
                kernel_name=kernel_name,
                shutdown_kernel="immediate",
            )
            client.record, client.cell_done = record, cell_done
            try:
                client.execute(**start_options, cleanup_kc=True)
            finally:
                record.notebook = copy.deepcopy(nb_man.nb)
                # of a kernel that died at its start nbclient leaves sockets open, and whoever
                # collects them as garbage later waits for ever
                if not manager.context.closed:
                    manager.context.destroy(linger=0)

    return ForkEngine
