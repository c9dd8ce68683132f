"""Words of a column that the plan reads as another word."""

import pandas as pd
import pytest

from funnel.contract.errors import PlanError
from funnel.contract.plan import Plan
from funnel.dataset import Tables, load

LEADS = pd.DataFrame(
    {
        "lead_id": ["L-1", "L-2", "L-3", "L-4"],
        "created_at": "2026-05-05",
        "channel": ["email", "E-Mail", " E-Mail ", None],
        "tier": ["one", "1st", "two", None],
    }
)
ALIASES = {"channel": {"E-Mail": "email"}, "tier": {"1st": "one"}, "stage": {"Qualified": "mql"}}


def of(aliases=ALIASES, **frames):
    plan = {"records": {"aliases": aliases}}
    return Tables.of(as_of="2026-06-30", plan=plan, **{"leads": LEADS, **frames})


def finding(data, table, what):
    found = data.findings
    return found[(found["table"] == table) & (found["what"] == what)].iloc[0]


def test_words_are_read_as_the_word_they_mean_and_counted():
    data = of()
    assert data.leads["channel"].fillna("").tolist() == ["email", "email", "email", ""]
    assert data.leads["tier"].fillna("").tolist() == ["one", "one", "two", ""]
    found = finding(data, "leads", "alias_channel")
    assert found["n"] == 2 and found["examples"] == "L-2, L-3"
    assert "aliases" in found["says"] and finding(data, "leads", "alias_tier")["n"] == 1


@pytest.mark.parametrize("meant", ["", "unknown"])
def test_a_word_for_not_known_counts_as_not_recorded(meant):
    data = of({"channel": {"please choose": meant}}, leads=LEADS.assign(channel="Please choose"))
    assert data.leads["channel"].unique().tolist() == ["unknown"]
    assert finding(data, "leads", "alias_channel")["n"] == 4


def test_a_stage_may_have_another_name():
    changes = pd.DataFrame(
        {"lead_id": ["L-1"], "stage": ["Qualified"], "entered_at": ["2026-05-06"]}
    )
    assert of(stage_changes=changes).stage_changes["stage"].tolist() == ["mql"]


def test_files_are_read_alike(tmp_path):
    LEADS.to_csv(tmp_path / "leads.csv", index=False)
    (tmp_path / "funnel.toml").write_text('[records]\naliases.channel = {"E-Mail" = "email"}\n')
    assert load(tmp_path).leads["channel"].dropna().unique().tolist() == ["email"]


@pytest.mark.parametrize(
    "aliases",
    [{"channel": "email"}, {"channel": {"E-Mail": 3}}, {"channel": {"a@b.example": "email"}}],
)  # fmt: skip
def test_what_is_no_alias_is_refused(aliases):
    with pytest.raises(PlanError, match=r"records\.aliases\.channel"):
        Plan.of({"records": {"aliases": aliases}})
