"""Records that may be tests: found by names, addresses and amounts, and only there."""

import tomllib

import numpy as np
import pandas as pd
import pytest

from funnel.checks import possible_tests, proposals
from funnel.checks.text import possible_tests_sentence, proposal_lines
from funnel.contract.conditions import read_condition
from funnel.contract.tables import TABLES
from funnel.dataset import Tables
from funnel.results import Say

TESTS = (
    "TEST do not use", "Test Account 1", "test", "Demo Company", "Acme (TEST)", "Siemens TEST",
    "Kunde Test", "dummy", "QA Test GmbH", "test - Miller", "DO NOT USE old entry", "test2",
)  # fmt: skip
NAMES = (
    "Testa GmbH", "Latest", "Contest Media", "Protest Ltd", "Test Equipment Corp", "Democracy Now",
    "Öko-Test Verlag", "Demographics Inc", "Use Case AG", "Best Western", "Attest",
    "Useful Demos Ltd", "Siemens", "My Company", None,
)  # fmt: skip


def company(n=60, **deals):
    numbers = np.arange(n)
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in numbers],
            "created_at": "2026-02-03",
            "email": [f"p{i}@firm{i}.example" for i in numbers],
            "channel": "A/B test",
        }
    )
    table = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in numbers],
            "lead_id": leads["lead_id"],
            "created_at": "2026-02-05",
            "closed_at": "2026-03-05",
            "outcome": "won",
            "amount": 9_000.0 + 37 * numbers,
            "account_name": [f"Firm {i}" for i in numbers],
        }
    )
    return leads, table.assign(**deals)


def found(leads, deals):
    table = Tables.of(leads=leads, deals=deals).findings
    is_test = table["what"].str.startswith(("test_", "repeated_address", "placeholder_amounts"))
    return {row.what: (row.n, row.money, row.since) for row in table[is_test].itertuples()}


@pytest.mark.parametrize("name", TESTS)
def test_a_name_of_a_test_is_found_with_its_money(name):
    leads, deals = company()
    deals.loc[3, "account_name"] = name
    assert found(leads, deals) == {"test_account_name": (1, 9_111.0, "2026-03-05")}


def test_a_word_within_a_name_is_none():
    leads, deals = company()
    deals.loc[: len(NAMES) - 1, "account_name"] = NAMES
    deals["notes"] = "Asked for a demo and a test account; please do not use e-mail"
    assert found(leads, deals) == {}


def test_an_address_on_many_leads_is_found_and_not_shown():
    leads, deals = company()
    leads.loc[:7, "email"] = "jo@firm.example"
    data = Tables.of(leads=leads, deals=deals)
    assert found(leads, deals) == {"repeated_address": (8, deals["amount"][:8].sum(), "2026-02-03")}
    (line,) = proposal_lines(proposals(data))
    assert tomllib.loads(line)["exclude"]["leads"].startswith("lead_id in ('L0', 'L1', ")
    assert "firm.example" not in line + data.findings.to_csv()


def test_addresses_that_all_repeat_are_none():
    leads, deals = company()
    leads["email"] = [f"p{i % 20}@firm.example" for i in range(60)]  # three leads of each person
    leads.loc[:5, "email"] = "p0@firm.example"
    assert found(leads, deals) == {}


def test_an_address_of_a_test_is_found():
    leads, deals = company()
    leads.loc[[0, 1], "email"] = ["test@test.com", "max.tester@firm.example"]
    assert found(leads, deals) == {"test_email": (1, 9_000.0, "2026-02-03")}


@pytest.mark.parametrize(
    ("amounts", "n"),
    [
        ([999_999.0], 1),  # far above all others
        ([12_345.0] * 3, 3),  # as large as others, but no other repeats
        ([123_456.0, 1_111_111.0], 2),
        ([99_999.99] * 3, 3),
        ([12_345.0], 0),
        ([100_000.0], 0),
        ([11_111.0, 11_111.0], 0),
    ],
)
def test_amounts_that_fill_a_field(amounts, n):
    leads, deals = company()
    deals.loc[: len(amounts) - 1, "amount"] = amounts
    expected = {"placeholder_amounts": (n, sum(amounts), "2026-03-05")} if n else {}
    assert found(leads, deals) == expected


def test_a_price_among_list_prices_is_none():
    leads, deals = company(amount=[9_999.0, 99_999.0, 49_999.0] * 20)
    assert found(leads, deals) == {}


def test_the_proposed_condition_names_amounts_and_keys():
    leads, deals = company()
    deals.loc[[0, 1], "amount"] = 999_999.0
    deals.loc[[1, 2], "account_name"] = "TEST do not use"
    (line,) = proposal_lines(proposals(Tables.of(leads=leads, deals=deals)))
    assert line == "exclude.deals = \"amount in (999999) or deal_id in ('D2')\""


def test_the_money_of_possible_tests_is_shown_by_period():
    leads, deals = company()
    deals.loc[[0, 1], "amount"] = 999_999.0
    data = Tables.of(leads=leads, deals=deals, as_of="2026-03-31")
    period, baseline = possible_tests(data)
    assert (period.n, period.money, baseline.n) == (2, 1_999_998.0, 0)
    assert period.share == pytest.approx(1_999_998 / deals["amount"].sum())
    sentence = possible_tests_sentence(period, Say(data.plan.company, 0.9))
    assert "2 won deals of 2026Q1 may be test records" in sentence


def test_the_proposed_condition_can_be_read():
    leads, deals = company()
    leads.loc[:7, "email"] = "jo@firm.example"
    deals["account_name"] = deals["account_name"].mask(deals.index < 2, "it's a TEST")
    deals["deal_id"] = deals["deal_id"].replace("D1", "D'1")
    lines = proposal_lines(proposals(Tables.of(leads=leads, deals=deals)))
    for table, text in tomllib.loads("\n".join(lines))["exclude"].items():
        condition = read_condition(text, TABLES[table].by_name, place="here", rows=table)
        assert condition.columns == (f"{table.removesuffix('s')}_id",)


def test_a_word_for_unknown_is_no_address_and_no_account():
    leads, deals = company(owner=["n/a", "--None--", "Unassigned"] + ["Ann"] * 57)
    leads.loc[:9, "email"] = "n/a"
    deals.loc[:8, "account_name"] = "(not set)"
    leads["account_id"] = ["Unknown"] * 30 + [f"A{i}" for i in range(30)]
    data = Tables.of(leads=leads, deals=deals)
    assert data.leads["email"].isna().sum() == 10 and data.deals["owner"].isna().sum() == 3
    assert data.leads["account_id"].isna().sum() == 30
    counted = data.findings.set_index(["table", "what"])["n"]
    assert counted.to_dict() == {
        ("leads", "placeholder_account_id"): 30,
        ("leads", "placeholder_email"): 10,
        ("deals", "no_owner"): 3,
        ("deals", "placeholder_account_name"): 9,
        ("deals", "placeholder_owner"): 3,
    }
