"""The command line: `funnel` with its commands, `report`, `check`, `import` and others.

The exit status is 0 when done, 1 when the analysis stopped (one paragraph gives the reason), 2 on
wrong usage, 130 when interrupted (Ctrl-C) and 143 when asked to end (SIGTERM). A command imports
the heavy libraries that it needs when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import re
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from funnel.contract.errors import FunnelError, ParameterError
from funnel.contract.outgoing_text import clean_message, clean_path, without_controls, without_mail

if TYPE_CHECKING:
    from funnel.report.run_outcome import Snapshot

DONE, STOPPED, WRONG_USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
DEBUG = "FUNNEL_DEBUG"
_SOURCES = ("salesforce", "hubspot", "ga4", "marketo", "mapping")
_PERIOD = re.compile(r"month|quarter|\d{4}Q[1-4]|\d{4}-(0[1-9]|1[0-2])")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        Words after `funnel`; by default those it was called with.

    Returns
    -------
    int
        The exit status.
    """
    # Some installers leave packages uncompiled and forbid Python to save the compiled code; every
    # start would then compile it again.
    sys.dont_write_bytecode = False
    try:
        args = _parser().parse_args(argv)
        with _terminable():
            status = args.run(args)
        sys.stdout.flush()
    except SystemExit as ended:  # from argparse, which has printed its message
        return int(ended.code or 0)
    except FunnelError as error:
        _print_paragraph(str(error))
        return STOPPED
    except KeyboardInterrupt as request:
        _print_paragraph(f"Stopped on request. {str(request) or 'Nothing was published.'}")
        return TERMINATED if isinstance(request, _Terminated) else INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it; Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        from funnel.report.error_text import error_paragraph

        _print_paragraph(
            f"{error_paragraph(type(error).__name__, str(error))}. This is a fault of the program, "
            f"not of the data. Set {DEBUG}=1 and run it again to see where."
        )
        return STOPPED
    return status


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Raise `_Terminated` at the first SIGTERM; another must not interrupt the tidying up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may receive signals
        return

    def end(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="funnel",
        description="Reads the tables of sales and marketing and writes one page for both.",
        epilog="Exit status: 0 done; 1 the analysis stopped, with the reason; 2 wrong usage; "
        "130 or 143 stopped on request.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run, usage_error=made.error)
        return made

    report = command(
        "report", _report, "Run the notebooks on a company and write a dated snapshot."
    )
    report.add_argument(
        "data", nargs="?", metavar="DATA", help="the company's folder (default: data/sample)"
    )
    _as_of(report)
    report.add_argument(
        "--notebooks", type=_names, metavar="NAME,...", help="run only these (default: all)"
    )
    report.add_argument(
        "--out", default="reports", metavar="DIR", help="folder of snapshots (default: %(default)s)"
    )
    report.add_argument("--compare", choices=("previous", "year_ago"), help="override the plan")
    report.add_argument("--measure", choices=("bookings", "wins", "mrr"), help="override the plan")
    report.add_argument(
        "--segments", type=_names, metavar="NAME,...", help="columns to split by, not the plan's"
    )
    report.add_argument(
        "--period", type=_period, help="month, quarter, or one by name: 2026Q2, 2026-06"
    )
    report.add_argument(
        "--replace", action="store_true", help="replace the snapshot of the same day"
    )
    report.add_argument(
        "--force", action="store_true", help="make it again also where nothing has changed"
    )
    report.add_argument("--jobs", type=_count, metavar="N", help="notebooks at once (default: 2)")
    report.add_argument(
        "--engine",
        choices=("duckdb", "spark"),
        help="engine for the queries on touches (default: FUNNEL_ENGINE, else duckdb)",
    )

    check = command(
        "check",
        _check,
        "List what a company's tables hold and can answer.",
    )
    check.add_argument("data", metavar="DATA", help="the company's folder")
    _as_of(check)
    check.add_argument("--json", action="store_true", help="print JSON, for other programs")

    source = command("import", _import, "Write a company's folder from exports of other systems.")
    source.add_argument("source", choices=_SOURCES, metavar="SOURCE", help=", ".join(_SOURCES))
    source.add_argument(
        "paths",
        nargs="+",
        metavar="[FILE] EXPORTS",
        help="the folder with the exports; for `mapping`, the mapping file before it: a TOML file "
        "that names the file and column of each value, which rows to read (`where`), and of which "
        "only the earliest (`first_per`, for event logs); see docs/mapping.md",
    )
    source.add_argument("--out", required=True, metavar="DATA", help="the company's folder")

    init = command("init", _init, "Write a plan and empty tables to fill in.")
    init.add_argument("folder", metavar="DIR", help="an empty or new folder")

    sample = command("sample", _sample, "Write a generated company with a known cause.")
    sample.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    sample.add_argument("--scenario", metavar="NAME", help="planted cause")
    sample.add_argument("--seed", type=int, metavar="N", help="seed of the random draws")
    sample.add_argument("--leads", type=_count, metavar="N", help="leads per quarter")

    diff = command("diff", _diff, "List the differences between two snapshots.")
    diff.add_argument("old", metavar="OLD", help="a snapshot, such as reports/2026-03-31")
    diff.add_argument("new", metavar="NEW", help="another one")

    verify = command("verify", _verify, "Check that a snapshot is as it was published.")
    verify.add_argument("report", metavar="REPORT", help="a snapshot, such as reports/2026-06-30")

    command("schedule", _schedule, "Print examples that run the report on a schedule.")
    return parser


def _report(args: argparse.Namespace) -> int:
    from funnel.report.notebooks import notebooks_named
    from funnel.report.unchanged import inputs_hash, unchanged_snapshot

    data_dir = Path(args.data or _sample_folder(args))
    overrides = {name: getattr(args, name) for name in ("compare", "measure", "period", "segments")}
    try:
        notebooks = notebooks_named(args.notebooks)
    except ParameterError as error:
        args.usage_error(str(error))
    inputs = inputs_hash(data_dir, notebooks, as_of=str(args.as_of or ""), overrides=overrides)
    if not args.force and (there := unchanged_snapshot(Path(args.out), inputs)):
        _print(clean_path(there.resolve() / "index.html"))
        _print_paragraph(
            "Nothing has changed since this snapshot was made: the data, the plan and the program "
            "are the same. --force --replace makes it again."
        )
        return DONE

    from funnel.report.progress import progress_for
    from funnel.report.snapshot import make_snapshot

    snapshot = make_snapshot(
        data_dir,
        out=args.out,
        as_of=args.as_of,
        notebooks=args.notebooks,
        overrides=overrides,
        replace=args.replace,
        jobs=args.jobs,
        engine=args.engine,
        progress=progress_for(sys.stderr),
        inputs_sha256=inputs,
    )
    _print(clean_path(snapshot.path.resolve() / "index.html"))
    if snapshot.ok:
        return DONE
    _print_paragraph(_stopped(snapshot))
    return STOPPED


def _stopped(snapshot: Snapshot) -> str:
    stopped = [run for run in snapshot.runs if run.state != "ok"]
    reasons = [f"{run.name}: {run.says}" for run in stopped]
    if snapshot.says:
        reasons.append(f"the first page: {snapshot.says}")
    total = len(snapshot.runs)
    if len(stopped) == total:
        return (
            f"The snapshot is published, but not one of its {total} notebooks came to its end. "
            + (f"`latest` leads to {snapshot.latest}. " if snapshot.latest else "")
            + " ".join(reasons)
        )
    return (
        f"The snapshot is published, but {len(stopped)} of its {total} notebooks did not finish. "
        f"The pages of the others can be read. {' '.join(reasons)}"
    )


def _sample_folder(args: argparse.Namespace) -> Path:
    folder = Path(__file__).resolve().parents[2] / "data" / "sample"
    if not folder.is_dir():
        args.usage_error("give a company's folder: this installation has no data/sample")
    return folder


def _check(args: argparse.Namespace) -> int:
    from funnel.dataset import load
    from funnel.report.data_check import check_as_data, check_as_text

    data = load(args.data, as_of=args.as_of)
    _print(check_as_data(data) if args.json else check_as_text(data))
    return DONE


def _import(args: argparse.Namespace) -> int:
    if args.source != "mapping":
        args.usage_error(
            f"the source `{args.source}` is not there yet; `mapping` reads the exports of any "
            "system, with a file that names their columns"
        )
    if len(args.paths) != 2:
        args.usage_error("`mapping` needs the mapping file and the folder with the exports")
    from funnel.sources.mapping import convert

    _print(str(convert(args.paths[0], args.paths[1], args.out)))
    return DONE


def _init(args: argparse.Namespace) -> int:
    from funnel.contract.template import write_template

    written = write_template(args.folder)
    _print(f"{written[0]}: the plan, each key explained")
    print(f"{len(written) - 1} tables in the same folder, each with its header only. Remove those")
    _print(f"that you do not record, fill in the others, then run: funnel check {args.folder}")
    return DONE


def _sample(args: argparse.Namespace) -> int:
    from funnel import sample

    given = {"scenario": args.scenario, "seed": args.seed, "leads": args.leads}
    if args.scenario is not None and args.scenario not in sample.SCENARIOS:
        args.usage_error(
            f"there is no scenario {args.scenario!r}; there are {', '.join(sample.SCENARIOS)}"
        )
    sample.write_sample(
        args.out, **{key: value for key, value in given.items() if value is not None}
    )
    _print(args.out)
    return DONE


def _diff(args: argparse.Namespace) -> int:
    from funnel.report.comparison import differences

    _print("\n".join(differences(args.old, args.new)) or "The two snapshots have the same content.")
    return DONE


def _verify(args: argparse.Namespace) -> int:
    from funnel.report.manifest import read_manifest, verify

    differences = verify(args.report)
    if not differences:
        n_files = len(read_manifest(Path(args.report))["files"])
        _print(f"{args.report}: all {n_files} files are as they were published.")
        return DONE
    _print("\n".join(differences))
    _print_paragraph(
        f"{args.report} is not as it was published: {len(differences)} files differ. Its figures "
        "may be wrong. Make it again from the data with `funnel report --replace`."
    )
    return STOPPED


def _schedule(args: argparse.Namespace) -> int:
    from funnel.report.schedule import SNIPPETS

    print(SNIPPETS, end="")
    return DONE


def _as_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as-of", type=_day, metavar="DATE", help="last day that the data covers: 2026-06-30"
    )


def _day(text: str) -> dt.date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        return dt.date.fromisoformat(text)
    except ValueError:
        _wrong(f"{text!r} is not a day; write it as 2026-06-30")


def _period(text: str) -> str:
    if not _PERIOD.fullmatch(text):
        _wrong(f"{text!r} is not a period; write month, quarter, 2026Q2 or 2026-06")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        _wrong(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _wrong(message: str) -> NoReturn:
    raise argparse.ArgumentTypeError(message)


def _print(text: str) -> None:
    """Print to standard output what names no address and acts on no terminal."""
    print(without_mail(without_controls(text)))


def _print_paragraph(text: str) -> None:
    """Print one paragraph to standard error, where it does not mix with the output."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    paragraph = textwrap.fill(
        f"funnel: {' '.join(clean_message(text).split())}",
        width,
        break_long_words=False,
        break_on_hyphens=False,
    )
    with contextlib.suppress(BrokenPipeError):
        print(paragraph, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
