"""The brief as a page and as data: the answer first, and every number from a kept result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from funnel.report import pages
from funnel.report.brief import sections
from funnel.report.brief.gather import Brief, NotebookRun, gather
from funnel.report.brief.html_text import text
from funnel.results import formats, write_result
from funnel.results.legend import verdict_legend

if TYPE_CHECKING:
    from funnel.dataset import Tables


def write(data: Tables, folder: str | Path, runs: Iterable[NotebookRun]) -> Brief:
    """Write `index.html`, `brief.json` and the period's change into a snapshot.

    Parameters
    ----------
    data
        A company's tables.
    folder
        The snapshot being made; `results/` holds what the notebooks kept.
    runs
        What became of each notebook, in the order of the page.

    Returns
    -------
    Brief
        What was written.
    """
    folder = Path(folder)
    brief = gather(data, folder, runs)
    write_result(brief.change, sections.MEASURES, folder)
    said = json.dumps(brief.as_dict(), ensure_ascii=False, indent=1)
    (folder / "brief.json").write_text(f"{said}\n", encoding="utf-8")
    (folder / "index.html").write_text(page(brief), encoding="utf-8")
    return brief


def page(brief: Brief) -> str:
    """Set the brief as one page.

    Parameters
    ----------
    brief
        What `gather` found.

    Returns
    -------
    str
        HTML that needs nothing beside it.
    """
    company = brief.data.plan.company
    period = brief.data.comparison.period
    when = brief.say.span(period.start, period.end)
    parts = [
        f'<p class="kicker">{pages.escape(company.name)} \u00b7 data up to '
        f"{pages.escape(formats.day(brief.data.as_of, company))}</p>",
        f"<h1>What changed in {pages.escape(when)}</h1>",
        f'<p class="answer">{text(brief.answer)}</p>',
        *_notices(brief),
        *sections.measures(brief),
        '<div class="pair"><div>',
        *sections.bridge(brief),
        *sections.did_not_move(brief),
        "</div><div>",
        *sections.guards(brief),
        "</div></div>",
        *sections.claims(brief),
        *sections.cannot_tell(brief),
        *sections.asked(brief),
        *sections.agreed(brief),
        *sections.proposed(brief),
        *sections.data_holds(brief),
        *sections.notebooks(brief),
    ]
    title = f"{company.name}, {when}"
    return pages.page(
        title, "\n".join(parts), footer=_footer(brief), lang=company.locale.split("_")[0]
    )


def _notices(brief: Brief) -> list[str]:
    said = list(brief.change.caveats)
    boxes = []
    if brief.plan_changed_since:
        boxes.append(
            "The plan is not the one of the snapshot of this period made for "
            f"{brief.plan_changed_since}: it was changed after looking. Compare the two plans in "
            "their `manifest.json` before comparing figures."
        )
    stopped = [each for each in brief.notebooks if not each.is_ok]
    if stopped:
        names = ", ".join(each.name for each in stopped)
        boxes.append(f"Not every notebook came to its end: {names}. The others stand.")
    return [
        *(f'<div class="box warn"><p>{text(each)}</p></div>' for each in boxes),
        *(f'<p class="note">{text(each)}</p>' for each in said),
    ]


def _footer(brief: Brief) -> str:
    data, comparison = brief.data, brief.data.comparison
    company, plan = data.plan.company, data.plan
    days = " against ".join(
        f"{each.label} ({formats.day(each.start, company)} to {formats.day(each.end, company)})"
        for each in (comparison.period, comparison.baseline)
    )
    return (
        f"{pages.escape(days)}, days of {pages.escape(company.timezone)}. Measure: {plan.measure}. "
        f"{verdict_legend(brief.say)} Data up to {data.as_of.isoformat()}. Plan "
        f"<code>{plan.sha256[:12]}</code>. Inputs, versions and checksums: "
        '<a href="manifest.json">manifest.json</a>; this page as data: '
        '<a href="brief.json">brief.json</a>.'
    )
