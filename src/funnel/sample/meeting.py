"""Tables that the teams fill in for the meeting: plan, goals, claims, things heard, actions.

Their texts are the same in every scenario: people say these things in every company.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from funnel.sample.calendar import COUNTRY, TIMEZONE, day_number, day_of
from funnel.sample.cells import dates
from funnel.sample.market import Spec, stream

MARK = "# A generated company: made by `funnel sample`, with nothing in it from a real one."

_PLAN = """{mark}
# Every key has a default; see the codebook for the tables beside this file.

[company]
name = "Acme Example"
currency = "EUR"
timezone = "{timezone}"
country = "{country}"
locale = "en"
fiscal_year_starts = 1

[plan]
measure = "bookings"
period = "quarter"
compare = "previous"
segments = ["channel"]
level = 0.9
seed = 20260101
margin = 0.7
lookback_days = 0
smallest_group = 5
max_rejected = 0.05

[stages]
order = ["lead", "mql", "sal", "sql", "opportunity", "won"]
exits = ["rejected", "recycled", "disqualified", "lost"]

[definition]
marketing = "score >= 40"
sales = "employees >= 50 and seniority in ('Director', 'VP')"
agreed = "score >= 50 and employees >= 50"
agreed_on = {agreed_on}

[promise]
A = "1d"
B = "3d"
C = "14d"
feedback = "7d"

[reasons]
"wrong company type" = "fit"
"student or supplier" = "fit"
"missing feature" = "fit"
"too small" = "size"
"wrong contact" = "contact"
"no reply" = "contact"
"not interested" = "interest"
"not the decision maker" = "decision_maker"
"sponsor left" = "decision_maker"
"no need seen" = "pain"
"no decision" = "pain"
"no budget this year" = "timing"
"price" = "other"
"lost to competitor" = "other"
"duplicate" = "other"

[[checklist]]
name = "Price list raised"
from = {raised_on}
question = "Which deals were quoted under both lists?"

[[checklist]]
name = "Product update shown to sales"
from = {shown_on}
question = "Who has seen the demo of the update, and who has not?"
"""


def plan_toml(spec: Spec) -> str:
    """Text of the company's `funnel.toml`."""
    start = spec.comparison.period.start
    return _PLAN.format(
        mark=MARK,
        timezone=TIMEZONE,
        country=COUNTRY,
        agreed_on=start - dt.timedelta(days=75),
        raised_on=start - dt.timedelta(days=31),
        shown_on=start + dt.timedelta(days=20),
    )


def meeting_tables(spec: Spec, deals: pd.DataFrame, leads: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables that people fill in by hand."""
    return {
        "targets": _targets(spec),
        "competitor_log": _competitor_log(spec),
        "claims": _claims(),
        "heard": _heard(spec, deals, leads),
        "actions": _actions(spec),
    }


def _frame(columns: tuple[str, ...], rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in columns:
        if name.endswith("_on") or name == "period_start":
            frame[name] = dates(frame[name].to_numpy(float))
        elif name != "target":
            frame[name] = frame[name].astype("str")
    return frame


def _targets(spec: Spec) -> pd.DataFrame:
    """Goals by quarter, the one after the last day included, in round figures."""
    rows = []
    for place in range(spec.quarters + 1):
        months = spec.start.year * 12 + spec.start.month - 1 + 3 * place
        start = float(day_number(dt.date(months // 12, months % 12 + 1, 1)))
        grown = 0.85 + 0.25 * place / spec.quarters
        scale = grown * spec.leads / 2000
        rows += [
            (start, "bookings", round(2_300_000 * scale, -4), "sales"),
            (start, "wins", float(round(105 * scale)), "sales"),
            (start, "leads", float(round(2_100 * scale, -1)), "marketing"),
            (start, "mqls", float(round(1_000 * scale, -1)), "marketing"),
        ]
    return _frame(("period_start", "measure", "target", "team"), rows)


def _competitor_log(spec: Spec) -> pd.DataFrame:
    seen = (
        ("Rival One", "cut the price of its entry plan", "price page"),
        ("Rival Two", "announced a connector to the usual accounting systems", "press note"),
        ("Rival Three", "hired a partner manager for the region", "job advert"),
        ("Rival Four", "ran a fair stand beside ours", "fair visit"),
        ("Rival One", "offered a free move from other products", "customer call"),
        ("Rival Two", "ended support of its old version", "product page"),
    )
    rng = stream(spec.seed, "competitor log")
    first, last = day_number(spec.start), day_number(spec.end)
    when = np.sort(rng.integers(first, last - 5, 3 * spec.quarters // 4))
    what = rng.integers(0, len(seen), len(when))
    rows = [(float(day), *seen[pick]) for day, pick in zip(when, what, strict=True)]
    return _frame(("seen_on", "competitor", "what", "source"), rows)


def _claims() -> pd.DataFrame:
    return _frame(
        ("claim", "said_by", "driver", "direction", "segment"),
        [
            ("There are fewer leads to work with.", "sales", "lead volume", "down", None),
            ("The leads come from smaller firms than before.", "sales", "mix", "down", None),
            (
                "Social brings leads that nobody can sell to.",
                "sales",
                "lead to mql",
                "down",
                "social",
            ),
            ("Deals take longer to close.", "sales", "timing", "down", None),
            ("We send as many leads as ever.", "marketing", "lead volume", "same", None),
            ("Leads wait too long for a call.", "marketing", "mql to sal", "down", None),
            (
                "Fewer of the opportunities are closed.",
                "marketing",
                "opportunity to won",
                "down",
                None,
            ),
            ("Deals are sold at lower prices.", "marketing", "deal size", "down", None),
        ],
    )


def _heard(spec: Spec, deals: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Sentences about the latest lost deal, or the latest lead, that there was by then."""
    start, last = day_number(spec.comparison.period.start), day_number(spec.end)
    days = [start - 20, *np.linspace(start + 5, last - 1, 8).astype(int).tolist()]
    sentences = (
        ("sales", "Buyers ask who else in their trade uses it.", "", None),
        ("sales", "The budget was moved to next year.", "deal", "timing"),
        ("sales", "They had a lower offer on the table.", "deal", "deal size"),
        ("sales", "It is too expensive.", "deal", None),
        ("sales", "The person had left the firm.", "lead", "mql to sal"),
        ("sales", "It is too expensive.", "deal", None),
        ("marketing", "At the fair, visitors asked for a demo in vain.", "", "mql to sal"),
        ("marketing", "The form was filled in twice by many.", "lead", "lead volume"),
        ("marketing", "The offer came three weeks after the call.", "deal", "timing"),
    )
    lost = deals[deals["outcome"] == "lost"].sort_values(["closed_at", "deal_id"])
    rows = []
    for day, (by, what, about, driver) in zip(days, sentences, strict=True):
        before = pd.Timestamp(day_of(day), tz="UTC")
        deal = _last(lost, "closed_at", before, "deal_id") if about == "deal" else None
        lead = _last(leads, "created_at", before, "lead_id") if about == "lead" else None
        rows.append((float(day), by, what, deal, lead, driver))
    return _frame(("heard_on", "heard_by", "what", "deal_id", "lead_id", "driver"), rows)


def _last(frame: pd.DataFrame, when: str, before: pd.Timestamp, key: str) -> str | None:
    known = frame.loc[frame[when] < before, key]
    return known.iloc[-1] if len(known) else None


def _actions(spec: Spec) -> pd.DataFrame:
    start = float(day_number(spec.comparison.period.start))
    sales, marketing = "head of sales", "head of marketing"
    agreed = (  # what, who, due (days from the period's first), measure, expected, segment, decided
        ("Call A and B leads within a day", sales, 15, "mql to sal", "up by 5 points", None, -80),
        ("Pause lookalikes", marketing, 30, "lead to mql", "up by 3 points", "social", -80),
        (
            "Name a reason on lost deals",
            sales,
            45,
            "loss reasons filled",
            "at least 0.9",
            None,
            -80,
        ),
        ("Show prices on events", marketing, 60, "sal to sql", "up by 2 points", "events", 6),
        ("Review deals open for 90 days", sales, 106, "timing", "a next step on each", None, 6),
        ("Sign the definition again", marketing, 121, "mql to sal", "up by 4 points", None, 6),
    )
    rows = [
        (what, who, start + due, measure, expected, segment, start + decided)
        for what, who, due, measure, expected, segment, decided in agreed
    ]
    return _frame(
        ("action", "owner", "due_on", "measure", "expected", "segment", "decided_on"), rows
    )
