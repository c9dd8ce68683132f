"""From a company's folder and a plan to one dated snapshot."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnel.contract.errors import ParameterError, SnapshotError
from funnel.contract.outgoing_text import clean_path
from funnel.contract.plan import Plan
from funnel.dataset import saved, temporary
from funnel.dataset.spark import CHOSEN, engine_named, served
from funnel.report import pages, publishing
from funnel.report.first_page import provenance, write_brief
from funnel.report.identity_scan import refuse_identities
from funnel.report.notebooks import notebooks_named, read_notebook
from funnel.report.progress import Silent
from funnel.report.run_outcome import Run, Snapshot
from funnel.report.unchanged import inputs_hash
from funnel.results import SNAPSHOT_FOLDER, Say

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.report.kernels import Kernels
    from funnel.report.notebook_run import Record

_CELL_SECONDS = 1800.0
_OWN_KEY = (
    "The labels of people are made with a key that only this machine has, so they differ on any "
    'other. `key = "a-name"` under [company] in the plan names one that can be copied.'
)
_AGAIN = "The next report writes them again."


def make_snapshot(
    data_dir: str | Path,
    *,
    out: str | Path = "reports",
    as_of: str | dt.date | None = None,
    notebooks: Sequence[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    replace: bool = False,
    jobs: int | None = None,
    engine: str | None = None,
    progress: Silent | None = None,
    notebooks_dir: str | Path | None = None,
    cell_seconds: float = _CELL_SECONDS,
    fork: bool | None = None,
    inputs_sha256: str = "",
) -> Snapshot:
    """Run every notebook on a company's folder, and publish the pages as one dated folder.

    The snapshot appears as `<out>/<as_of>/` in one step when all is written, also where a
    notebook failed: its page then says so. Where none came to its end, `latest` stays on the
    newest snapshot in which one did. Where the data cannot be loaded nothing is published.

    Parameters
    ----------
    data_dir
        The company's folder.
    out
        The folder of snapshots.
    as_of
        The last day that the data speaks for; default: the newest day of ordinary activity.
    notebooks
        Names of those to run; default: all.
    overrides
        Keys of `[plan]` that take the place of the plan's.
    replace
        Whether a snapshot of the same day may be replaced.
    jobs
        Notebooks at once; default: 2, or 1 on a machine with a single core.
    engine
        As in `load`, here and in each notebook.
    progress
        Receives what happens.
    notebooks_dir
        Where the notebooks are; default: those that come with the package.
    cell_seconds
        How long one cell may take.
    fork
        Whether kernels are forked from a prepared process; default: where that is safe.
    inputs_sha256
        What `inputs_hash` gives, where the caller has it already.

    Raises
    ------
    FunnelError
        If a parameter, the plan or the data stops it; nothing was published then.
    """
    from funnel.dataset import load
    from funnel.dataset.raw_identities import raw_identities
    from funnel.report.contradictions import contradictions_in, contradictions_text
    from funnel.report.listing import write_listing
    from funnel.report.manifest import manifest, write_manifest

    began = time.monotonic()
    progress = progress or Silent()
    out, data_dir = Path(out), Path(data_dir)
    day, at_once, engine = _day(as_of), _jobs(jobs), engine_named(engine)
    sources = notebooks_named(notebooks, Path(notebooks_dir) if notebooks_dir else None)
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    plan = Plan.read(data_dir, **given)
    if day:
        _refuse_existing(out / day.isoformat(), replace)

    read = {path: read_notebook(path) for path in sources}
    # before anything is read: where a file changes during the run, the next one is not skipped
    wanted = day.isoformat() if day else ""
    inputs = inputs_sha256 or inputs_hash(data_dir, sources, as_of=wanted, overrides=given)

    from funnel.report.kernels import Kernels

    waiting = f"Another run is writing to {out}; waiting for it to end."
    with (
        _Publication() as publication,
        publishing.locked(out, lambda: progress.say(waiting)),
        temporary.run_folder() as own,
        Kernels(fork=fork) as kernels,
        contextlib.closing(load(data_dir, as_of=day, plan=given, engine=engine)) as data,
    ):
        final = out / data.as_of.isoformat()
        _refuse_existing(final, replace)
        _ = data.comparison  # a period that has not begun would fail every notebook
        if data.plan.measure != plan.measure:
            given["measure"] = data.plan.measure  # as the rows allow
        with temporary.writing():
            saved.save(data, own / "dataset")
            data.shared_in = saved.shared_results(own / "dataset")
        loaded = time.monotonic()
        if not data.label_key.is_portable:
            progress.say(_OWN_KEY)
        parameters = {
            "data_dir": str(data_dir.resolve()),
            "as_of": data.as_of.isoformat(),
            **{key: list(v) if isinstance(v, tuple) else v for key, v in given.items()},
        }
        with _staged(out) as staging, served(data.spark, own / "dataset"):
            data.write_rejects(staging / "rejects")
            environment = {
                SNAPSHOT_FOLDER: str(staging.resolve()),
                CHOSEN: engine,
                saved.HANDED: str(own / "dataset"),
                temporary.VARIABLE: str(own),
            }
            name = clean_path(data_dir.resolve().name)
            work = _Work(staging, data, name, parameters, environment, progress)
            runs = work.run(read, kernels, at_once, cell_seconds)
            ran = time.monotonic()
            says = write_brief(data, staging, runs)
            seconds = {
                "load": loaded - began,
                "notebooks": ran - loaded,
                "total": time.monotonic() - began,
            }
            shown = parameters | {"data_dir": name}
            found = contradictions_in(staging)
            if found:
                progress.say(contradictions_text(found))
            write_manifest(staging, manifest(data, shown, runs, seconds, inputs, found))
            refuse_identities(staging, raw_identities(data), data.plan.texts)
            with publication.of(staging, final):
                publishing.publish(staging, final)
                latest = publishing.point_to_newest(out)
                write_listing(out)
    return Snapshot(final, tuple(runs), says, latest)


@dataclass(frozen=True)
class _Work:
    """One run over notebooks: what each needs, and the folder they fill."""

    staging: Path
    data: Tables
    folder_name: str
    parameters: Mapping[str, Any]
    environment: Mapping[str, str]
    progress: Silent

    def run(
        self, sources: Mapping[Path, Any], kernels: Kernels, jobs: int, cell_seconds: float
    ) -> list[Run]:
        """Run the notebooks, some at once, and write each page as soon as it can be."""
        n_cells = sum(
            cell.cell_type == "code" for notebook in sources.values() for cell in notebook.cells
        )
        # Papermill puts a cell of its own into each notebook for the parameters.
        self.progress.begin([path.stem for path in sources], n_cells + len(sources))
        done: dict[str, Run] = {}
        with ThreadPoolExecutor(jobs, thread_name_prefix="notebook") as pool:
            waiting = [pool.submit(self._one, path, kernels, cell_seconds) for path in sources]
            try:
                for future in as_completed(waiting):
                    run = future.result()
                    done[run.name] = run
            except BaseException:
                for future in waiting:
                    future.cancel()
                kernels.close()  # so that no thread goes on waiting for its kernel
                raise
            finally:
                self.progress.end()
        return [done[path.stem] for path in sources]

    def _one(self, source: Path, kernels: Kernels, cell_seconds: float) -> Run:
        from funnel.report.notebook_run import run_notebook

        self.progress.started(source.stem)
        record = run_notebook(
            source,
            self.staging / f"{source.stem}.ipynb",
            self.parameters,
            kernels,
            environment=self.environment,
            timeout=cell_seconds,
            cell_done=self.progress.cell_done,
        )
        run = self._write(source, record)
        self.progress.finished(run.name, run.state, run.seconds)
        return run

    def _write(self, source: Path, record: Record) -> Run:
        import nbformat

        from funnel.report import rendering

        notebook = record.notebook or nbformat.read(source, as_version=4)
        notebook = rendering.steady(notebook, self.folder_name)
        run = Run(
            name=source.stem,
            title=rendering.title_of(notebook, source.stem),
            state=record.state,
            says=record.says,
            seconds=record.seconds,
            n_cells=record.n_cells,
            n_ran=len(record.ran),
        )
        nbformat.write(notebook, self.staging / f"{source.stem}.ipynb")
        company = self.data.plan.company
        started = {*record.ran, *([] if record.failed_at is None else [record.failed_at])}
        page = rendering.notebook_page(
            notebook,
            source.stem,
            run,
            rendering.Provenance(
                pages.escape(
                    f"{company.name} \u00b7 data up to {Say(company).day(self.data.as_of)}"
                ),
                provenance(self.data),
            ),
            ran=started,
            lang=company.locale.split("_")[0],
        )
        (self.staging / f"{source.stem}.html").write_text(page, encoding="utf-8")
        return run


@contextlib.contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Give a hidden folder to write into, and remove what is left of it."""
    staging = publishing.staging_folder(out)
    try:
        yield staging
    except OSError as error:
        raise SnapshotError(
            f"The snapshot could not be written to {out}: {error.strerror or error}. Nothing was "
            "published, and what was published before is as it was."
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _Publication:
    """Says that the snapshot is published where something ends the run after that.

    Around a whole run it tells of a request to stop, also while the run tidies up; `of` tells of
    errors in what follows the publication.
    """

    def __init__(self) -> None:
        self._final, self._inode = Path(), -1

    @property
    def _is_done(self) -> bool:
        return self._final.exists() and self._final.stat().st_ino == self._inode

    @contextlib.contextmanager
    def of(self, staging: Path, final: Path) -> Iterator[None]:
        """Publish within this block."""
        self._final, self._inode = final, staging.stat().st_ino  # a renamed folder keeps it
        try:
            yield
        except OSError as error:
            if not self._is_done:
                raise
            raise SnapshotError(f"{self._says}: {error.strerror or error}. {_AGAIN}") from None

    @property
    def _says(self) -> str:
        return (
            f"The snapshot is published as {self._final}, but `{publishing.LATEST}` and the list "
            f"of snapshots, {self._final.parent / 'index.html'}, may be as they were before"
        )

    def __enter__(self) -> _Publication:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyboardInterrupt) and self._is_done:
            error.args = (f"{self._says}. {_AGAIN}",)


def _refuse_existing(final: Path, replace: bool) -> None:
    if final.exists() and not replace:
        raise SnapshotError(
            f"{final} is there already, and a snapshot is not changed once people have read it. "
            "Nothing was computed. Use --replace to make it again, or --out for another folder."
        )


def _day(as_of: str | dt.date | None) -> dt.date | None:
    if not as_of or isinstance(as_of, dt.date):
        return as_of or None
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        raise ParameterError(
            f"as_of is {as_of!r}; it must be a day written as 2026-06-30."
        ) from None


def _jobs(jobs: int | None) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if jobs is None:
        return min(2, cores or 1)
    if jobs < 1:
        raise ParameterError(f"jobs is {jobs}; it must be 1 or more.")
    return jobs
