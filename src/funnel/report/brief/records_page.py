"""The page of records: of each driver those to read, and where the others are."""

from __future__ import annotations

from funnel.questions.why.text import driver_label, record_cells, records_drawn
from funnel.report import pages
from funnel.report.brief import text
from funnel.report.brief.facts import LISTS, Brief
from funnel.results.text import capital, cells

FILE = "records.html"


def records_page(brief: Brief) -> str:
    """One section a driver, with its records in a table; empty where there are no records."""
    table = brief.evidence.lists.table
    if table.empty:
        return ""
    company, say = brief.say.company, brief.say
    parts = [
        f"<h1>{text.LISTS_HEADING}</h1>",
        f'<p class="text">{pages.escape(brief.evidence.lists.headline)} {text.LISTS_NOTE} '
        f'<a href="rows/{LISTS}.csv">rows/{LISTS}.csv</a></p>',
    ]
    of_links = table["table"].str.removesuffix("s").isin(brief.data.plan.links)
    if of_links.any() and table["link"].isna().all():
        parts.append(f'<p class="note">{text.NO_LINKS}</p>')
    columns = record_cells(say, brief.data.plan.exits)
    del columns["driver"]
    for driver, rows in table.groupby("driver", sort=False):
        first = rows.iloc[0].to_dict()
        shown = cells(rows, columns)
        shown = shown.loc[:, shown.ne("").any()]
        shown["record"] = [
            f'<a href="{pages.escape(link)}" rel="noopener noreferrer">{pages.escape(name)}</a>'
            if isinstance(link, str)
            else pages.escape(name)
            for name, link in zip(shown["record"], rows["link"], strict=True)
        ]
        parts += [
            f'<h2 id="{anchor(driver)}">{pages.escape(capital(driver_label(driver, say)))}</h2>',
            f"<p>{pages.escape(records_drawn(first, len(rows), say))}</p>",
            pages.table(
                shown.itertuples(index=False), list(shown), numbers=["amount"], ready=["record"]
            ),
        ]
    nav = pages.links({"\u2190 First page": "index.html"})
    title = f"{company.name}: {text.LISTS_HEADING}"
    return pages.page(title, "\n".join(parts), nav=nav, lang=company.locale.split("_")[0])


def records_of(driver: str, brief: Brief) -> str:
    """Address of a driver's records, where this snapshot has them; else empty."""
    there = brief.evidence.lists.table
    has_any = len(there) and bool((there["driver"] == driver).any())
    return f"{FILE}#{anchor(driver)}" if has_any else ""


def anchor(driver: str) -> str:
    """Name of a driver's section within the page.

    Examples
    --------
    >>> anchor("opportunity to won")
    'opportunity-to-won'
    """
    return "".join(each if each.isalnum() else "-" for each in driver)
