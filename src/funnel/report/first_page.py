"""The first page of a snapshot, and what every page says it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from funnel.contract.errors import FunnelError
from funnel.report import pages
from funnel.report.error_text import error_paragraph
from funnel.report.manifest import data_hash, packages
from funnel.report.run_outcome import Run
from funnel.results import Say

if TYPE_CHECKING:
    from funnel.dataset import Tables


def write_brief(data: Tables, staging: Path, runs: Iterable[Run]) -> str:
    """Write `index.html` and `brief.json`; if that fails, a page that says so."""
    runs = tuple(runs)
    try:
        from funnel.report import brief

        brief.write(data, staging, runs)
    except Exception as error:
        own = isinstance(error, FunnelError)
        says = str(error) if own else error_paragraph(type(error).__name__, str(error))
        (staging / "index.html").write_text(_plain_index(data, runs, says), encoding="utf-8")
        return says
    return ""


def _plain_index(data: Tables, runs: Sequence[Run], says: str) -> str:
    company = data.plan.company
    items = "\n".join(
        f'<li><a href="{pages.escape(run.name)}.html">{pages.escape(run.title)}</a> '
        f"{pages.state(run.state, 'ok' if run.state == 'ok' else 'warn')}</li>"
        for run in runs
    )
    body = (
        f'<p class="kicker">{pages.escape(company.name)}</p>\n'
        f"<h1>{pages.escape(Say(company).day(data.as_of))}</h1>\n"
        f'<div class="box warn"><p>This page could not be written. {pages.escape(says)}</p></div>\n'
        f'<ul class="cards">{items}</ul>'
    )
    return pages.page(company.name, body, footer=provenance(data))


def provenance(data: Tables) -> str:
    """Say at the end of a page what it was made from, so that anybody can make it again."""
    company = data.plan.company
    return (
        f"Data up to {pages.escape(Say(company).day(data.as_of))}, "
        f"fingerprint <code>{data_hash(data)[:12]}</code>. "
        f"Plan <code>{data.plan.sha256[:12]}</code>. "
        f"funnel {pages.escape(packages().get('funnel', ''))}. "
        'Inputs, versions and checksums: <a href="manifest.json">manifest.json</a>.'
    )
