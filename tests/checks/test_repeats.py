"""An event log that is read as leads, stages and touches says so, and other companies do not."""

import pandas as pd
import pytest

from funnel.checks.record_problems import record_problems
from funnel.checks.repeats import one_channel, out_of_order, repeat_leads
from funnel.checks.text import sentence
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.paths import journeys, paths
from funnel.results import Say

AS_OF = "2026-06-30"
START = pd.Timestamp("2026-01-05", tz="UTC")


def visits(n=40, accounts=10, moves=("mql", "sal"), channels=("web",)):
    """Leads a day apart, accounts in turn; each enters the same stages, an hour apart."""
    created = START + pd.to_timedelta(range(n), unit="D")
    lead_id = [f"L{i}" for i in range(n)]
    account = [f"A{i % accounts}" for i in range(n)]
    leads = pd.DataFrame({"lead_id": lead_id, "created_at": created, "account_id": account})
    frames = {"leads": leads.assign(channel="web")}
    frames["stage_changes"] = pd.concat(
        pd.DataFrame(
            {"lead_id": lead_id, "stage": stage, "entered_at": created + pd.Timedelta(hours=1 + k)}
        )
        for k, stage in enumerate(moves)
    )
    frames["touches"] = pd.concat(
        pd.DataFrame({"lead_id": lead_id, "occurred_at": created, "channel": channel})
        for channel in channels
    )
    return frames


def tables(**frames):
    return Tables.of(as_of=AS_OF, **frames)


@pytest.mark.parametrize(
    ("moves", "counts"),
    [
        (("mql", "sal", "mql"), "again (40), enter stages in another order than the plan's (0)"),
        (("sal", "mql"), "again (0), enter stages in another order than the plan's (40)"),
    ],
)
def test_stages_entered_again_or_in_another_order(moves, counts):
    found = out_of_order(tables(**visits(moves=moves)))
    assert (found.n, found.of) == (40, 40)
    assert counts in sentence(found, Say())
    assert "skip one (0)" in sentence(found, Say())


def test_one_lead_in_ten_is_no_problem():
    frames = visits()
    again = frames["stage_changes"].iloc[:4]
    data = tables(**{**frames, "stage_changes": pd.concat([frames["stage_changes"], again])})
    assert out_of_order(data) is None


def test_leads_of_known_accounts():
    found = repeat_leads(tables(**visits(n=60, accounts=20)))
    assert (found.n, found.of) == (40, 60)
    assert found.low < 2 / 3 < found.high
    # the twenty new accounts come on the first twenty days, from January 5 on
    assert "In 2026-01 there were 27 leads, 20 of them from new accounts" in sentence(found, Say())
    assert "in 2026-03 5, 0 of them from new ones" in sentence(found, Say())
    assert len(found.ids) == 40
    assert repeat_leads(tables(**visits(n=60, accounts=30))) is None


def test_one_channel_an_account_or_a_lead():
    assert "None of 20 accounts" in sentence(one_channel(tables(**visits(accounts=20))), Say())
    assert one_channel(tables(**visits(accounts=20, channels=("web", "email")))) is None
    assert one_channel(tables(**visits(accounts=10))) is None  # too few to say
    frames = visits()
    frames["leads"] = frames["leads"].drop(columns="account_id")
    assert "None of 40 leads" in sentence(one_channel(tables(**frames)), Say())


def test_touches_without_leads_are_counted_by_their_account():
    touches = visits(accounts=20)["touches"].rename(columns={"lead_id": "account_id"})
    deals = pd.DataFrame({"deal_id": ["D"], "created_at": [START], "outcome": ["open"]})
    assert "None of 40 accounts" in sentence(
        one_channel(tables(touches=touches, deals=deals)), Say()
    )


def test_every_such_problem_is_in_the_table_with_its_question():
    problems = record_problems(tables(**visits(accounts=20, n=60, moves=("sal", "mql"))))
    seen = problems.table.assign(question=problems.shown()["question"]).set_index("problem")
    assert {"no fixed order", "repeat leads", "one channel"} <= set(seen.index)
    seen = seen.loc[["no fixed order", "repeat leads", "one channel"]]
    assert (seen["low"] <= seen["value"]).all()
    assert seen["n"].tolist() == [60, 40, 20]
    assert seen["question"].str.endswith("?").all()


def test_the_win_may_have_any_name_in_the_plan():
    plan = Plan.of({"stages": {"order": ["visit", "basket", "purchase"], "exits": []}})
    deals = pd.DataFrame(
        {
            "deal_id": ["D"],
            "lead_id": ["L0"],
            "created_at": [START],
            "closed_at": [START],
            "outcome": ["won"],
        }
    )
    frames = visits(moves=("basket",)) | {"deals": deals}
    data = Tables.of(as_of=AS_OF, plan=plan, **frames)
    assert journeys(data).table["deal_id"].tolist() == ["D"]
    by_name = paths(data, to="purchase").table
    pd.testing.assert_frame_equal(paths(data).table, by_name)
