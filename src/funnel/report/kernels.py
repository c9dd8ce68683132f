"""Kernels of a snapshot: forked from a prepared process, or ordinary ones where none can be.

Most of a notebook's cost is start-up. A process that imported everything once hands out a kernel
per notebook by `fork`, for about a tenth of the price. Kernels are those of the Python that runs
this, whatever the machine's kernel specs say, and talk over sockets in a private folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import KernelProvisionerBase

from funnel.dataset.temporary import new_folder
from funnel.report import kernel_setup

# Importing numpy would start BLAS threads, and a process with threads must not be forked; the
# order of sets is fixed so that two runs write the same page.
_STEADY = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}

UNKNOWN = 256  # the status of a kernel whose end nobody saw; no process can have it


_LONGEST_PLACE = 90  # bytes of a socket's path; a system takes some 104, with a port at the end


def kernel_environment(**extra: str) -> dict[str, str]:
    """Say what a kernel finds in its environment."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return inherited | _STEADY | extra


class Kernels:
    """Starts kernels; closing it ends every one of them.

    Parameters
    ----------
    fork
        Whether to fork them from a prepared process. By default where that is known to be safe,
        which is Linux: elsewhere system libraries may not survive it.
    """

    def __init__(self, *, fork: bool | None = None) -> None:
        self._folder = new_folder("kernels-")
        self._lock = threading.Lock()
        self._n_started = 0
        self.running: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform == "linux" if fork is None else fork:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "funnel.report.kernel_server", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=kernel_environment(),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the one who asked, who then closes this
                )
            self._control = ours
            self._lines = ours.makefile("rw", encoding="utf-8")

    def manager(self) -> AsyncKernelManager:
        """Make the manager of one kernel, not yet started."""
        with self._lock:
            self._n_started += 1
            number = self._n_started
        place = str(self._folder / f"{number}")
        manager = _Manager(connection_file=f"{place}.json")
        if os.name == "posix" and len(os.fsencode(place)) <= _LONGEST_PLACE:
            manager.transport, manager.ip = "ipc", place
        if self._process is not None:
            manager.provisioner = _Forked(
                kernel_id=str(number), kernel_spec=manager.kernel_spec, parent=manager
            )
            manager.provisioner.kernels = self
        return manager

    def ask(self, **request: Any) -> Any:
        """Ask the process that forks; without an answer it counts as ended."""
        with self._lock:
            try:
                self._lines.write(json.dumps(request) + "\n")
                self._lines.flush()
                answer = self._lines.readline()
            except (OSError, ValueError):
                answer = ""
        return json.loads(answer) if answer else {}

    def close(self) -> None:
        """End every kernel and what they were forked from."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
            with self._lock, contextlib.suppress(OSError):
                self._lines.close()
                self._control.close()
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:  # it may still be importing
                self._process.kill()
                self._process.wait()
            for pid in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            self.running.clear()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Manager(AsyncKernelManager):
    """A manager whose kernels are this very Python, whatever specs are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(
            argv=[
                sys.executable,
                "-m",
                "ipykernel_launcher",
                *kernel_setup.ARGUMENTS,
                f"--IPKernelApp.exec_lines={kernel_setup.PREPARE}",
                "-f",
                "{connection_file}",
            ],
            display_name="Python 3",
            language="python",
        )


class _Forked(KernelProvisionerBase):
    """Starts a kernel by asking for a fork, and speaks to it by signals."""

    kernels: Kernels
    pid: int | None = None

    @property
    def has_process(self) -> bool:
        return self.pid is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        self.parent.write_connection_file()
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        request = {
            "connection_file": self.parent.connection_file,
            "env": kwargs.get("env") or kernel_environment(),
            "cwd": kwargs.get("cwd") or str(Path.cwd()),
        }
        answer = await asyncio.to_thread(self.kernels.ask, start=request)
        if "pid" not in answer:
            raise RuntimeError("The process that starts kernels has ended.")
        self.pid = answer["pid"]
        self.kernels.running.add(self.pid)
        return self.parent.get_connection_info()

    async def poll(self) -> int | None:
        if self.pid is None:
            return 0
        return self.kernels.ask(poll=self.pid).get("status", UNKNOWN)

    async def wait(self) -> int | None:
        while (status := await self.poll()) is None:
            await asyncio.sleep(0.02)
        self.kernels.running.discard(self.pid)
        self.pid = None
        return status

    async def send_signal(self, signum: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        pass
