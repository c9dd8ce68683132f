"""Small inputs made after public bug reports give the right value, or ask the right question.

The folder `../shared/cases` is no part of the project: each `expected.md` there says the situation,
its source and the right value. A case is one entry of `CASES`: bookings and wins of the first
quarter of 2026 (or of all time), and findings; `STOPS` are the cases that must ask.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

import funnel

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "cases"


@dataclass(frozen=True)
class Case:
    """What a folder must give: won money and wins, and findings by table and kind."""

    bookings: float
    wins: int
    findings: dict[tuple[str, str], int]
    since: str = "2025-12-31 23:00"  # midnight in Berlin
    plan: dict = field(default_factory=dict)


QUARTER = (669_913.50, 59)
CASES = {
    "09-ids-zeros-floats": Case(
        3_000.0,
        30,
        {("deals", "zeros_lead_id"): 20, ("deals", "float_lead_id"): 20},
        since="2020-01-01",
    ),
    "10-deal-of-merged-contact": Case(*QUARTER, {("deals", "unlinked_lead_id"): 4}),
    "11-deal-several-companies": Case(*QUARTER, {("deals", "repeated_deals"): 82}),
    "14-split-deals": Case(
        *QUARTER, {("deals", "split_deals"): 117}, plan={"records": {"split_deals": "sum"}}
    ),
    "17-closed-before-created": Case(1_028_596.38, 59, {("deals", "closed_before_created"): 4}),
    "35-test-records": Case(
        *QUARTER,
        {("deals", "excluded"): 3, ("leads", "excluded"): 8},
        plan={
            "records": {
                "exclude": {
                    "deals": "amount = 999999 and account_name like 'TEST%'",
                    "leads": "email like '%@test.com'",
                }
            }
        },
    ),
    "43-salesforce-15-18": Case(
        18_000.0, 180, {("deals", "salesforce_lead_id"): 270}, since="2020-01-01"
    ),
    "47-owners-deleted": Case(
        *QUARTER,
        {
            ("deals", "no_owner"): 112,
            ("deals", "unlinked_owner"): 147,
            ("deals", "spelled_owner"): 159,
        },
    ),
    "52-leads-of-last-year-only": Case(*QUARTER, {("leads", "cut_by_date"): 2_335}),
}
STOPS = {"14-split-deals": r"differ in `amount`, `owner`.*split_deals"}


def folder_of(name):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"NOT RUN: {folder} is not there, so this case is untested")
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_the_right_value(name):
    case = CASES[name]
    data = funnel.load(folder_of(name), plan=case.plan)
    wins = data.sql(
        f"select count(*) as n, sum(amount) as money from deals "
        f"where outcome = 'won' and closed_at >= timestamp '{case.since}' "
        "and closed_at < timestamp '2026-03-31 22:00'"
    ).iloc[0]
    assert (wins["n"], wins["money"]) == (case.wins, pytest.approx(case.bookings))
    found = {(row.table, row.what): row.n for row in data.findings.itertuples()}
    assert found.items() >= case.findings.items()


@pytest.mark.parametrize("name", STOPS)
def test_a_case_asks_the_question(name):
    with pytest.raises(funnel.FunnelError, match=STOPS[name]):
        funnel.load(folder_of(name))
