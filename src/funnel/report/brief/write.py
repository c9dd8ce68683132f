"""The first page and its data, written into a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from funnel.report.brief.as_data import as_data
from funnel.report.brief.facts import CHANGE, Brief, NotebookRun, gather
from funnel.report.brief.page import page
from funnel.report.brief.records_page import FILE as RECORDS_PAGE
from funnel.report.brief.records_page import records_page
from funnel.results import write_result

if TYPE_CHECKING:
    from funnel.dataset import Tables


def write(data: Tables, folder: str | Path, runs: Iterable[NotebookRun]) -> Brief:
    """Write `index.html`, `records.html`, `brief.json` and the period's change into a snapshot.

    Parameters
    ----------
    data
        A dataset.
    folder
        The snapshot being made; `results/` holds what the notebooks saved.
    runs
        State of each notebook, in the order of the page.

    Returns
    -------
    Brief
        The facts that were written.
    """
    folder = Path(folder)
    brief = gather(data, folder, runs)
    write_result(brief.change, CHANGE, folder)
    content = json.dumps(as_data(brief), ensure_ascii=False, indent=1)
    (folder / "brief.json").write_text(f"{content}\n", encoding="utf-8")
    (folder / "index.html").write_text(page(brief), encoding="utf-8")
    if records := records_page(brief):
        (folder / RECORDS_PAGE).write_text(records, encoding="utf-8")
    return brief
