"""Small inputs made after public bug reports give the right value, or ask the right question.

The folder `../shared/cases` is no part of the project: each `expected.md` there says the situation,
its source and the right value. A case is one entry of `CASES`: bookings and wins of the first
quarter of 2026 (or of all time), and findings; `STOPS` are the cases that must ask.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import funnel
from funnel import checks
from funnel.checks.text import proposal_lines

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
    "36-loss-reasons": Case(
        *QUARTER,
        {
            ("deals", "spelled_loss_reason"): 24,
            ("deals", "joined_loss_reason"): 55,
            ("deals", "noted_loss_reason"): 71,
            ("deals", "placeholder_loss_reason"): 93,
        },
    ),
    "40-channel-spellings": Case(
        *QUARTER,
        {
            ("leads", "spelled_channel"): 932,
            ("leads", "near_channel"): 415,
            ("touches", "spelled_channel"): 1_466,
            ("touches", "near_channel"): 649,
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


def test_direct_and_unknown_are_no_channels_of_a_win():
    data = funnel.load(folder_of("28-ga4-words"))
    credit = funnel.attribution(data).credit("last_non_direct")
    table = credit.table.set_index("channel")
    assert table["conversions"].to_dict() == {
        "google / cpc": 12,
        "google / organic": 8,
        "(direct) / (none)": 6,
        "(not set)": 0,
    }
    assert table.index[~table["is_ranked"]].tolist() == ["(not set)"]
    assert "placeholder_channel" in set(data.findings["what"])


def test_coverage_of_loss_reasons_counts_no_placeholder():
    data = funnel.load(folder_of("36-loss-reasons"))
    lost = data.deals[data.deals["outcome"] == "lost"]
    n = int((~lost["loss_reason"].fillna("").isin(["", ".", "n/a", "see notes"])).sum())
    filled = checks.filled(data).set_index(["rows_of", "column"])["n_filled"]
    assert filled["lost deals", "loss_reason"] == n < len(lost)


def test_the_headline_counts_one_channel_once():
    data = funnel.load(folder_of("40-channel-spellings"))
    channels = set(data.leads["channel"]) | set(data.touches["channel"])
    assert len({" ".join(channel.casefold().split()) for channel in channels}) == len(channels)
    lines = proposal_lines(checks.proposals(data))
    assert lines[0].startswith("aliases.channel = { ") and '"E-Mail" = "email"' in lines[0]


def test_records_of_tests_are_found_and_the_proposed_lines_leave_them_out():
    data = funnel.load(folder_of("35-test-records"))
    found = {row.what: (row.n, row.money) for row in data.findings.itertuples()}
    of_tests = 2_999_997.0
    assert (
        found.items()
        >= {
            "placeholder_amounts": (3, of_tests),
            "test_account_name": (3, of_tests),
            "repeated_address": (8, of_tests),
            "test_email": (8, of_tests),
        }.items()
    )
    lines = tomllib.loads("\n".join(proposal_lines(checks.proposals(data))))
    after = funnel.load(folder_of("35-test-records"), plan={"records": lines})
    used = checks.reconciliation(after).row(after.comparison.period, "used")
    assert used[1] == pytest.approx(QUARTER[0])
    assert not {"placeholder_amounts", "test_account_name", "test_email"} & set(
        after.findings["what"]
    )
