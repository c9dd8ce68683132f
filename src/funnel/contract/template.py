"""Template of a company's folder: a plan with every key explained, and tables without rows."""

from __future__ import annotations

from pathlib import Path

from funnel.contract.errors import SourceError
from funnel.contract.plan import FILE_NAME
from funnel.contract.tables import TABLES

PLAN_TEXT = """\
# The plan: what sales and marketing agree on before anybody sees the figures.
# Every key has a default, which is the value here; a key that is not needed can be removed.
# Every snapshot prints the hash of the plan, so that a later change of the plan can be seen.

[company]
name = "Company"         # shown on every page
currency = "EUR"         # the one currency of every amount (ISO 4217)
timezone = "UTC"         # where the company is, such as "Europe/Berlin"; days begin there
country = ""             # whose public holidays count, such as "DE"; empty: none
locale = "en"            # how numbers and dates are written, such as "de" or "en_GB"
fiscal_year_starts = 1   # month in which the fiscal year begins
free_text = "show"       # show | hide: (hidden) in place of notes and other written sentences
key = ""                 # name of the key of labels, such as "acme-2026": the same labels elsewhere

[plan]
measure = "bookings"     # bookings (won amount by closing date) | wins | mrr
period = "quarter"       # month | quarter | one by name, such as "2026Q2" or "2026-06"
compare = "previous"     # previous | year_ago
segments = ["channel"]   # columns of leads (or deals) by which the change and the rates are split
level = 0.9              # of every interval, from 0.5 to 0.999
seed = 20260101          # of every random draw, so that two runs agree
margin = 0.7             # contribution margin, 0 to 1, for promotions and thresholds
lookback_days = 0        # how far back a first touch may lie; 0: no limit
smallest_group = 5       # smaller groups are pooled or shown without figures; 1: all are shown
max_rejected = 0.05      # a larger share of rejected rows, or of their money, stops the run

[stages]
order = ["lead", "mql", "sal", "sql", "opportunity", "won"]   # in this order to a won deal
exits = ["rejected", "recycled", "disqualified", "lost"]      # how a lead can leave

[definition]             # what a qualified lead is: SQL over the columns of leads
marketing = ""           # what marketing hands off, such as "score >= 40"
sales = ""               # what sales accepts, such as "employees >= 50"
agreed = ""              # what both teams agreed
# agreed_on = 2026-01-15 # and since when

[promise]                # days ("3d") or hours ("4h") to the first follow-up of a lead, by grade
A = "1d"
B = "3d"
C = "14d"
feedback = "7d"          # and from sales back to marketing

[reasons]                # the company's words for why a lead was not taken -> one of: fit,
                         # size, contact, interest, decision_maker, pain, timing, other
# "wrong company type" = "fit"

[losses]                 # the company's words for why a deal was lost -> one of: competitor,
                         # no_decision, price, product, timing, fit, other
# "went with a rival" = "competitor"

[labels]                 # the company's own words on pages, for stages, drivers and segments
# mql = "qualified leads"
# "mql to sal" = "accepted by sales"

[roles]                  # owners that pages may show, by role; all others are stable labels
# "u-17" = "Head of Sales"

[links]                  # where a record lives, for lists of records: deal, lead, account
# deal = "https://crm.example/deal/{deal_id}"

[records]                # what the records need before anything is counted
split_deals = "stop"     # rows of a deal: shares of owners, lines of products: stop | sum | first
rates_per = "foreign"    # foreign: a rate is own money per unit of the other | home: the reverse
# rates = "rates.csv"    # columns currency, from, rate: amounts in other currencies become EUR
# aliases.channel = { "E-Mail" = "email" }    # words read as another; `funnel check` has more
# exclude.leads = "email like '%@example.com'"    # SQL over the columns: these rows are not used
# merged.leads = "merged_leads.csv"    # columns old_id, new_id; also merged.accounts, merged.deals

# [[records.event]]      # something that happened to the records and not to the business
# on = 2025-10-15
# what = "CRM migration"

# [calendar]             # where the fiscal year has 52 or 53 weeks; then no fiscal_year_starts
# weeks = "4-4-5"        # weeks of the months of a quarter: 4-4-5 | 4-5-4 | 5-4-4
# year_ends = "last Saturday of January"    # or "Saturday nearest January 31"

# [[checklist]]          # an event that the teams want checked, with its date; as many as needed
# name = "Price list raised"
# from = 2026-03-01
# question = "Which deals were quoted under both lists?"
"""


def write_template(folder: str | Path) -> list[Path]:
    """Write a plan and one CSV file per table, with its header only.

    Parameters
    ----------
    folder
        The folder to write; created if needed.

    Returns
    -------
    list of Path
        The files written, the plan first.

    Raises
    ------
    SourceError
        If one of the files exists already (nothing is written then), or none can be written.
    """
    folder = Path(folder)
    texts = {FILE_NAME: PLAN_TEXT} | {
        f"{table.name}.csv": ",".join(table.by_name) + "\n" for table in TABLES.values()
    }
    try:
        there = [name for name in texts if (folder / name).exists()]
        if there:
            raise SourceError(
                f"{folder} holds {len(there)} of these files already ({', '.join(there[:3])}). "
                "Nothing was written, so that no data is lost. Choose a folder that is empty."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"Nothing can be written to the folder {folder}: {error.strerror}. Choose another "
            "folder, or ask who may write to this one."
        ) from None
    return [folder / name for name in texts]
