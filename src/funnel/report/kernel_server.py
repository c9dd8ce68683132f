"""The process that kernels are forked from: all is imported once, nothing is opened.

Run as `python -m funnel.report.kernel_server FD`, where FD is one end of a socket pair. It speaks
one line of JSON at a time: `{"start": {...}}` is answered by `{"pid": n}`, `{"poll": n}` by
`{"status": null}` or the exit status. When the other end closes, every kernel is stopped.

A fork is safe only from a process with a single thread and no open connection, so this one
computes with a single BLAS thread, connects to nothing, and never runs a notebook itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import signal
import socket
import sys
from typing import Any

_HEAVY = (
    "pandas",
    "duckdb",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "IPython.core.pylabtools",
    "holidays.countries",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "statsmodels.genmod.generalized_linear_model",
    "statsmodels.nonparametric.smoothers_lowess",
    "statsmodels.regression.linear_model",
    "statsmodels.stats.proportion",
    "statsmodels.stats.rates",
    "statsmodels.tsa.seasonal",
    "scipy.linalg",
    "scipy.stats",
    "sqlglot.generators",
    "pandas.io.formats.html",
    "pandas.io.formats.csvs",
    "PIL.PngImagePlugin",
)
_NEVER_IN_A_KERNEL = {"cli", "report", "sample", "sources"}


def main() -> None:
    """Serve until the other end closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _preload()
    kernels: dict[int, int | None] = {}
    with control, control.makefile("rw", encoding="utf-8") as line_by_line:
        try:
            for line in line_by_line:
                request = json.loads(line)
                if "start" in request:
                    pid = _fork(request["start"], control)
                    kernels[pid] = None
                    answer: dict[str, Any] = {"pid": pid}
                else:
                    answer = {"status": _poll(request["poll"], kernels)}
                line_by_line.write(json.dumps(answer) + "\n")
                line_by_line.flush()
        finally:
            for pid, status in kernels.items():
                if status is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)


def _preload() -> None:
    """Import what notebooks use; one that is missing is for the notebook to report."""
    import funnel

    own = [
        module.name
        for module in pkgutil.walk_packages(funnel.__path__, "funnel.")
        if module.name.split(".")[1] not in _NEVER_IN_A_KERNEL
    ]
    for name in (*_HEAVY, *own):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # keeps the collector of each kernel from copying the pages all of them share


def _fork(request: dict[str, Any], control: socket.socket) -> int:
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            control.close()
            _become_kernel(request, server)
            status = 0
        finally:
            os._exit(status)
    # Both sides set the group: whoever comes first, it is there before the pid is reported, so that
    # a signal to the group reaches the kernel and what it started, and nobody else.
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)
    return pid


def _become_kernel(request: dict[str, Any], server: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()

    from ipykernel.kernelapp import IPKernelApp

    from funnel.report import kernel_setup

    sys.argv = ["ipykernel_launcher"]
    # Polls for the server every second, so that no kernel is left behind where that was killed.
    app = IPKernelApp.instance(parent_handle=server)
    app.initialize([*kernel_setup.ARGUMENTS, "-f", request["connection_file"]])
    kernel_setup.prepare(app.shell)
    app.start()


def _poll(pid: int, kernels: dict[int, int | None]) -> int | None:
    if kernels.get(pid, 1) is None:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            kernels[pid] = 1
        else:
            kernels[pid] = os.waitstatus_to_exitcode(status) if ended else None
    return kernels.get(pid, 1)


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing was opened, and tearing down what was only imported takes time
