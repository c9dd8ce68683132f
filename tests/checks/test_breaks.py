"""Breaks in the records are found where they are planted, dated, and nowhere else."""

import datetime as dt
import tomllib

import numpy as np
import pandas as pd
import pytest

from funnel.checks import proposals, record_breaks, record_problems
from funnel.checks.breaks import KINDS, RecordBreak
from funnel.checks.natures import ASK, RECORDS
from funnel.checks.text import proposal_lines, sentence
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.why.findings import findings_table
from funnel.questions.why.record_changes import record_findings
from funnel.questions.why.text import check_sentence
from funnel.results import Say
from funnel.sample import company
from funnel.sample.defects import DEFECTS

NAMES = ("leads", "stage_changes", "deals", "touches", "activities")
DAY = dt.date(2026, 2, 10)
# defects that leave each other alone, so that one company shows several
TOGETHER = (
    ("channel renamed", "deal keys", "touches begin", "cents", "industry blank", "unknown stage"),
    ("new region", "owner ids", "bulk recycle", "doubled leads", "gross", "reasons required"),
    ("industry dropped", "outage", "doubled touches", "deals unlinked", "list import"),
    ("bought team", "other clock", "opened when closed", "reassigned"),
    ("migration", "dates only", "doubled deals", "won only"),
    ("leads begin", "mass closing", "won of a product"),
    ("leads with deals",),
    ("keys used again", "stages begin"),
)


@pytest.fixture(scope="module")
def made():
    return company(seed=11, leads=1000, quarters=9)


def dataset(made, *defects):
    """A company's dataset with these defects, from the same day on."""
    tables = {name: made.tables[name] for name in NAMES}
    rng = np.random.default_rng(1)
    for name in defects:
        tables = DEFECTS[name].plant(tables, pd.Timestamp(DAY, tz="UTC"), rng)
    plan = Plan.of(tomllib.loads(made.plan_toml)).with_keys(max_rejected=0.5)
    return Tables.of(plan=plan, as_of=made.as_of, **tables)


@pytest.mark.parametrize("defects", TOGETHER, ids=", ".join)
def test_a_planted_defect_is_found_and_dated(made, defects):
    found = record_breaks(dataset(made, *defects))
    for name in defects:
        defect = DEFECTS[name]
        days = [e.since for e in found if e.what in defect.what and e.table == defect.table]
        assert any(abs((day - DAY).days) <= 7 for day in days), (name, found)


def test_closings_of_the_last_days_are_missed():
    made = company(seed=3000, leads=2000, quarters=9)
    tables = {name: made.tables[name] for name in ("leads", "deals")}
    day = pd.Timestamp(made.as_of - dt.timedelta(days=11), tz="UTC")
    tables = DEFECTS["late closings"].plant(tables, day, np.random.default_rng(1))
    (found,) = record_breaks(Tables.of(as_of=made.as_of, **tables))
    assert found.what == "closings entered late" and found.n < found.expected / 2
    assert abs((found.since - day.date()).days) <= 7 and found.at_most > 0


def test_closings_that_only_the_stage_history_has_are_missed():
    days = pd.date_range("2026-01-05", periods=160, freq="D")
    keys = [f"L{i:03d}" for i in range(len(days))]
    leads = pd.DataFrame({"lead_id": keys, "created_at": days})
    closed = days + pd.Timedelta(days=5)
    changes = pd.DataFrame({"lead_id": keys, "stage": "won", "entered_at": closed})
    deals = pd.DataFrame(
        {"deal_id": keys, "lead_id": keys, "created_at": days + pd.Timedelta(days=1),
         "closed_at": closed, "outcome": "won", "amount": 100.0}
    )  # fmt: skip
    as_of = closed[-1].date().isoformat()
    clean = Tables.of(leads=leads, stage_changes=changes, deals=deals, as_of=as_of)
    assert not [e for e in record_breaks(clean) if e.what == "closings entered late"]
    late = deals.index >= len(deals) - 5
    deals = deals.assign(
        outcome=deals["outcome"].mask(late, "open"), closed_at=deals["closed_at"].mask(late)
    )
    found = record_breaks(Tables.of(leads=leads, stage_changes=changes, deals=deals, as_of=as_of))
    (missing,) = [e for e in found if e.what == "closings entered late"]
    assert (missing.since, missing.n, missing.expected) == (closed[-5].date(), 0, 5.0)
    assert missing.at_most == 500.0
    assert "5 deals of these are still open" in sentence(missing, Say())


@pytest.mark.parametrize(("n_lost", "is_found"), [(8, True), (4, False)])
def test_a_quarter_of_few_open_deals_lost_on_one_day_is_a_mass_closing(n_lost, is_found):
    days = pd.date_range("2025-01-06", periods=150, freq="3D")
    deals = pd.DataFrame(
        {"deal_id": [f"D{i:03d}" for i in range(len(days))], "created_at": days,
         "closed_at": days + pd.Timedelta(days=40), "outcome": "lost", "amount": 100.0}
    )  # fmt: skip
    day = pd.Timestamp("2026-02-10 10:00")
    is_open = (deals["created_at"] < day) & (deals["closed_at"] > day)
    chosen = deals.index[is_open][:n_lost]
    hours = pd.to_timedelta(np.arange(n_lost), unit="h")
    deals.loc[chosen, "closed_at"] = day + hours
    found = record_breaks(Tables.of(deals=deals, as_of="2026-03-31"))
    assert any(e.what == "mass closing" for e in found) == is_found


def test_every_defect_is_planted_here():
    planted = {name for each in TOGETHER for name in each} | {"late closings"}
    assert planted == set(DEFECTS) and len({e.what for e in DEFECTS.values()}) >= 18


def test_a_clean_company_has_none(made):
    assert record_breaks(dataset(made)) == ()


def test_an_export_from_one_day_on_is_no_break():
    made = company(seed=3, leads=400, quarters=4)
    assert record_breaks(dataset(made)) == ()


def test_a_rule_applied_to_all_leads_at_once_is_no_defect():
    made = company("definition_changed", seed=3, leads=1000, quarters=9)
    found = record_breaks(dataset(made))
    assert {each.nature for each in found} <= {ASK}


def test_what_a_break_holds(made):
    data = dataset(made, *TOGETHER[0], "new region")
    found = {(each.what, each.column): each for each in record_breaks(data)}
    channel = found["value renamed", "channel"]
    assert channel.nature == RECORDS and channel.words == ("paid search", "PPC")
    assert channel.remedy == 'aliases.channel = { "paid search" = "PPC" }'
    assert channel.touched == (("mix", "either"),) and channel.team == "Marketing Ops"
    stage = found["rows rejected", "stage"]
    assert stage.remedy == 'aliases.stage = { "Sales qualified" = "sql" }'
    assert {driver for driver, _ in stage.touched} == {
        "sal to sql", "sql to opportunity", "timing",
    }  # fmt: skip
    amounts = found["amounts rescaled", "amount"]
    assert amounts.after == pytest.approx(100, rel=0.2) and amounts.at_most > 0
    assert amounts.touched == (("deal size", "up"),)
    # a region may be new in the business, so no driver is explained by it
    assert found["value begins", "region"].nature == ASK

    problems = record_problems(data)
    table = problems.table.set_index(["problem", "column"])
    assert table.loc[("value renamed", "channel"), "remedy"] == channel.remedy
    assert problems.shown()["what was found"].str.endswith(("`.", ".")).all()
    assert "source stopped" not in set(problems.table["problem"])

    explained = {each.kind: each for each in record_findings(data)}
    assert "value begins" not in explained and "touches begin" not in explained
    rows = findings_table(explained.values()).to_dict("records")
    says = {row["kind"]: check_sentence(row, Say()) for row in rows}
    assert says["value renamed"].startswith("`channel` of leads: PPC begins on Feb 1")
    assert "100" in says["amounts rescaled"] or "Amounts of deals" in says["amounts rescaled"]


@pytest.mark.parametrize("what", KINDS)
def test_every_kind_has_a_sentence(what):
    found = RecordBreak(
        what=what, nature=RECORDS, table="deals", column="owner", words=("a", "b"), since=DAY,
        n=1234, before=0.25, after=0.5, expected=99.0, days=3.0,
    )  # fmt: skip
    text = sentence(found, Say())
    assert (text.endswith(".") and "nan" not in text and "Feb 10, 2026" in text) or "last 3" in text


def test_rows_rejected_up_to_a_day_are_no_rows_from_it_on():
    days = pd.date_range("2025-07-01", "2026-06-30")
    leads = pd.DataFrame({"lead_id": [f"L-{i}" for i in range(len(days))], "created_at": days})
    changes = leads.rename(columns={"created_at": "entered_at"}).assign(stage="mql")
    changes.loc[changes["entered_at"] < "2026-03-01", "stage"] = "Qualified"
    data = Tables.of(leads=leads, stage_changes=changes, plan={"max_rejected": 1.0})
    found = next(each for each in record_breaks(data) if each.what == "rows rejected")
    assert "rows of stage_changes before Mar 1, 2026 were rejected" in sentence(found, Say())


def test_rows_of_leads_from_before_a_cut_are_one_finding():
    days = pd.date_range("2025-07-01", "2026-06-30")
    leads = pd.DataFrame({"lead_id": [f"L-{i}" for i in range(len(days))], "created_at": days})
    changes = leads.rename(columns={"created_at": "entered_at"}).assign(stage="mql")
    data = Tables.of(leads=leads[days >= "2026-01-15"], stage_changes=changes)
    assert "cut_by_date" in set(data.findings["what"])
    assert "rows rejected" not in {each.what for each in record_breaks(data)}


def test_rows_of_one_day_are_no_renamed_word_and_no_clean_up():
    days = pd.date_range("2025-07-01", "2026-06-30", freq="8h")
    leads = pd.DataFrame({"lead_id": [f"L-{i}" for i in range(len(days))], "created_at": days})
    changes = leads.rename(columns={"created_at": "entered_at"}).assign(stage="mql")
    mass = changes[:300].assign(stage="recycled", entered_at=pd.Timestamp("2026-05-12 02:00"))
    data = Tables.of(leads=leads, stage_changes=pd.concat([changes, mass]))
    assert {each.what for each in record_breaks(data)} == {"mass exit"}

    day = "2026-06-30"
    deals = pd.DataFrame(
        {"deal_id": [f"D-{i}" for i in range(60)], "outcome": ["lost", "won"] * 30}
    )
    deals = deals.assign(created_at="2026-06-01", closed_at=day, amount=10.0)
    (found,) = [e for e in record_breaks(Tables.of(deals=deals)) if e.column == "closed_at"]
    assert found.what == "rows on one day" and not found.touched
    assert "All 60 rows of deals with a `closed_at` have Jun 30, 2026" in sentence(found, Say())


def test_only_won_deals_are_told_once_and_not_for_each_person():
    days = pd.date_range("2025-07-01", "2026-06-30", freq="12h")
    deals = pd.DataFrame({"deal_id": [f"D-{i}" for i in range(len(days))], "closed_at": days})
    deals["outcome"] = np.where(
        (days < "2026-04-01") | (np.arange(len(days)) % 2 > 0), "won", "lost"
    )
    deals["owner"] = [f"u-{i % 3}" for i in range(len(days))]
    deals = deals.assign(created_at=days - pd.Timedelta(days=30), amount=10.0)
    found = [
        each for each in record_breaks(Tables.of(deals=deals)) if each.what == "only won deals"
    ]
    assert [each.column for each in found] == [""]


def test_a_fall_of_three_weeks_is_asked_and_one_of_four_is_a_collapse():
    days = pd.date_range("2024-01-01", "2026-06-30", freq="6h")
    deals = pd.DataFrame({"deal_id": [f"D-{i}" for i in range(len(days))], "created_at": days})
    closed = days + pd.Timedelta(days=30)
    for first, what in (("2026-06-10", "closings entered late"), ("2026-05-20", "collapse")):
        is_closed = (closed < first) | ((closed < "2026-07-01") & (np.arange(len(days)) % 12 == 0))
        made = deals.assign(
            closed_at=closed.where(is_closed),
            outcome=np.where(is_closed, "won", "open"),
            amount=1.0,
        )
        table = record_problems(Tables.of(deals=made)).table
        table = table[table["column"] == "closed_at"]
        assert (table["problem"].tolist(), table["nature"].tolist()) == ([what], [ASK])


def test_a_renamed_word_joins_the_line_of_its_column(made):
    data = dataset(made, "channel renamed")
    capitals = data.leads["channel"].where(data.leads.index % 5 > 0, "Paid Search").to_numpy()
    leads = made.tables["leads"].assign(
        channel=np.where(data.leads["channel"].eq("paid search"), capitals, data.leads["channel"])
    )
    plan = data.plan.with_keys(records={"aliases": {"channel": {"letter": "mail"}}})
    again = Tables.of(plan=plan, as_of=made.as_of, leads=leads, deals=made.tables["deals"])
    lines = [each for each in proposal_lines(proposals(again)) if "channel" in each]
    assert len(lines) == 1
    words = tomllib.loads(lines[0])["aliases"]["channel"]
    assert words["paid search"] == words["Paid Search"] == "PPC" and words["letter"] == "mail"
    assert '"letter" = "mail"' in record_problems(again).table["remedy"].max()


def test_what_a_problem_can_move_is_shown_with_its_money(made):
    problems = record_problems(dataset(made, "cents", "new region"))
    shown = problems.shown().set_index("problem")["what it can move"]
    assert shown["amounts rescaled"].startswith("deal size; at most €")
    assert shown["value begins"] == "records or business: ask"
