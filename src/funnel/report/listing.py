"""The page that lists a folder's snapshots, newest first."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from funnel.contract.plan import Company
from funnel.report import pages
from funnel.report.earlier import read_json
from funnel.report.manifest import NAME
from funnel.report.publishing import snapshots, write_whole
from funnel.results import Say


def write_listing(out: Path) -> None:
    """Write `index.html` over all snapshots of a folder, from what each says of itself."""
    items = "\n".join(filter(None, map(_item, snapshots(out))))
    body = (
        '<p class="kicker">Sales and marketing, one page</p>\n<h1>Snapshots</h1>\n'
        "<p>One for each day that the data spoke for, newest first.</p>\n"
        f'<ul class="cards">\n{items}\n</ul>'
    )
    write_whole(out / "index.html", pages.page("Snapshots", body))


def _item(folder: Path) -> str:
    about = read_json(folder / NAME)
    plan = about.get("plan", {})
    company = Company(**{k: v for k, v in plan.get("company", {}).items() if k in _FIELDS})
    day = Say(company).day(dt.date.fromisoformat(folder.name))
    stopped = [run for run in about.get("notebooks", ()) if run.get("state") != "ok"]
    total = len(about.get("notebooks", ()))
    word = pages.state("complete", "ok")
    if stopped:
        word = pages.state(f"{len(stopped)} of {total} notebooks stopped", "warn")
    elif not about:
        word = pages.state("no manifest", "warn")
    answer = read_json(folder / "brief.json").get("answer") or ""
    return (
        f'<li><a href="{pages.escape(folder.name)}/index.html">{pages.escape(day)}</a> {word}\n'
        f'<p class="note">{pages.escape(company.name)}</p>\n<p>{pages.escape(answer)}</p></li>'
    )


_FIELDS = set(Company.__dataclass_fields__)
