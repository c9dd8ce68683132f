"""An empty company: a plan with every key explained, and tables that hold only their headings."""

from __future__ import annotations

from pathlib import Path

from funnel.contract.errors import SourceError
from funnel.contract.plan import FILE_NAME
from funnel.contract.tables import TABLES

PLAN_TEXT = """\
# The plan: what sales and marketing agree on before anybody looks at the figures.
# Every key has a default, which is the value it has here; a key that is not needed can go.
# A snapshot prints the hash of the plan, so that a plan changed after looking is seen.

[company]
name = "Company"         # shown on every page
currency = "EUR"         # the one currency of every amount (ISO 4217)
timezone = "UTC"         # where the company is, such as "Europe/Berlin"; days begin there
country = ""             # whose public holidays count, such as "DE"; empty: none
locale = "en"            # how numbers and dates are written, such as "de" or "en_GB"
fiscal_year_starts = 1   # month in which the fiscal year begins

[plan]
measure = "bookings"     # bookings (won amount by closing date) | wins | mrr
period = "quarter"       # month | quarter; one by name, such as "2026Q2", asks for that one
compare = "previous"     # previous | year_ago
segments = ["channel"]   # columns of leads (or deals) by which the change and the rates are split
level = 0.9              # of every interval, from 0.5 to 0.999
seed = 20260101          # of every random draw, so that two runs agree
margin = 0.7             # contribution margin, 0 to 1, for promotions and thresholds
lookback_days = 0        # how far back a first touch may lie; 0: no limit
smallest_group = 5       # smaller groups are pooled on pages
max_rejected = 0.05      # a larger share of rejected rows stops the run

[stages]
order = ["lead", "mql", "sal", "sql", "opportunity", "won"]   # the way to a won deal
exits = ["rejected", "recycled", "disqualified", "lost"]      # the ways out

[definition]             # what a qualified lead is: SQL over the columns of leads
marketing = ""           # what marketing passes on, such as "score >= 40"
sales = ""               # what sales takes up, such as "employees >= 50"
agreed = ""              # what both signed
# agreed_on = 2026-01-15 # the day they did

[promise]                # days ("3d") or hours ("4h") to the first follow-up of a lead, by grade
A = "1d"
B = "3d"
C = "14d"
feedback = "7d"          # and from sales back to marketing

[reasons]                # the company's words for why a lead or deal was not taken -> one of: fit,
                         # size, contact, interest, decision_maker, pain, timing, other
# "wrong company type" = "fit"

# [[checklist]]          # something of the meeting's own that began on a day; as many as needed
# name = "Price list raised"
# from = 2026-03-01
# question = "Which deals were quoted under both lists?"
"""


def write_template(folder: str | Path) -> list[Path]:
    """Write a plan and one CSV file per table, with its heading row only.

    Parameters
    ----------
    folder
        Where to; made if it is not there.

    Returns
    -------
    list of Path
        The files written, the plan first.

    Raises
    ------
    SourceError
        If one of the files is there already (nothing is written then), or none can be written.
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
            "folder, or ask whoever keeps this one."
        ) from None
    return [folder / name for name in texts]
