"""Findings: what is odd but usable, with its count, examples and the team to ask."""

from __future__ import annotations

import pandas as pd
import pytest

from funnel.checks import findings
from funnel.contract.tables import TABLES
from funnel.dataset import Tables, load

LEADS = pd.DataFrame({"lead_id": ["a", "b"], "created_at": ["2026-01-05", "2026-01-20"]})
DEALS = {"deal_id": ["x", "y"], "created_at": "2026-01-06", "outcome": "won"}


def with_lead(created_at):
    return pd.concat([LEADS, LEADS.iloc[:1].assign(lead_id="c", created_at=created_at)])


def found(**frames):
    data = Tables.of(**({"leads": LEADS} | {k: pd.DataFrame(v) for k, v in frames.items()}))
    assert data.findings["question"].str.endswith("?").all()
    assert data.findings["owner"].ne("").all() and data.findings["says"].str.endswith(".").all()
    return {(row.table, row.what): (row.n, row.examples) for row in data.findings.itertuples()}


def test_a_dataset_without_anything_odd_has_no_finding():
    assert found(deals=DEALS | {"closed_at": "2026-01-09", "amount": 5}) == {}


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (
            {"deals": DEALS | {"closed_at": "2026-01-09", "amount": [0, 5]}},
            {("deals", "won_without_amount"): (1, "x")},
        ),
        (
            {"deals": DEALS | {"closed_at": "2026-01-09", "lead_id": ["a", "b"]}},
            {("deals", "closed_before_lead"): (1, "y")},
        ),
        (
            {"deals": DEALS | {"closed_at": "2026-01-09", "kind": ["New", "upsell"]}},
            {("deals", "unknown_kind"): (1, "y")},
        ),
        (
            {
                "touches": {
                    "occurred_at": ["2026-01-20"] * 3,
                    "channel": ["web", "web", "ad"],
                    "lead_id": "a",
                    "touch_id": ["1", "2", "3"],
                }
            },
            {("touches", "repeated_touches"): (1, "a")},
        ),
        (
            {
                "leads": pd.concat(
                    [
                        LEADS.assign(account_id="x", created_at="2026-01-05 10:20:31"),
                        # a day alone does not show that two leads are one
                        LEADS.assign(account_id="y", lead_id=["c", "d"], created_at="2026-01-05"),
                    ]
                )
            },
            {("leads", "repeated_leads"): (1, "b")},
        ),
        (
            {"touches": {"occurred_at": ["2026-01-02"], "channel": "web", "lead_id": "a"}},
            {("touches", "stopped_early"): (18, "")},
        ),
        (
            {"stage_changes": {"lead_id": ["b"], "stage": "mql", "entered_at": "2026-01-19"}},
            {("stage_changes", "before_lead"): (1, "b")},
        ),
        (
            {"leads": LEADS.assign(assigned_at="2026-01-06")},
            {("leads", "assigned_before_created"): (1, "b")},
        ),
        (
            {"leads": with_lead("1900-01-01")},
            {("leads", "early_rows"): (1, "c")},
        ),
        (
            {"leads": with_lead("2099-01-01")},
            {("leads", "stray_rows"): (1, "c")},
        ),
        (
            {"leads": LEADS.assign(Tier=["EUR", "usd"])},
            {("leads", "extra_columns"): (1, "tier")},
        ),
        (
            {"leads": LEADS.rename(columns={"lead_id": " Lead_ID"})},
            {("leads", "renamed"): (1, "")},
        ),
        (
            {"leads": LEADS.rename(columns={"created_at": "Created\nAt"})},
            {("leads", "renamed"): (1, "")},
        ),
        (
            {"leads": LEADS.assign(**{"Lead ID": "mine"})},
            {("leads", "extra_columns"): (1, "lead id")},
        ),
    ],
)  # fmt: skip
def test_each_kind_of_finding(frames, expected):
    assert found(**frames) == expected


def test_a_kind_of_another_word_is_named_and_counts_as_new():
    deals = pd.DataFrame(DEALS | {"closed_at": "2026-01-09", "kind": ["New", "upsell"]})
    row = Tables.of(leads=LEADS, deals=deals, as_of="2026-01-20").findings.iloc[0]
    assert row["says"].startswith(
        "1 row of deals has a `kind` other than new, expansion, renewal (upsell); it counts as new "
        "business."
    )
    assert "`[records] aliases.kind`" in row["question"]


def test_an_unknown_file_and_another_encoding_are_findings(tmp_path):
    (tmp_path / "campaigns.csv").write_text("a\n")
    text = "lead_id,created_at,region\nL,2026-01-05,Zürich\n"
    (tmp_path / "leads.csv").write_bytes(text.encode("cp1252"))
    data = load(tmp_path)
    assert data.findings["what"].tolist() == ["unknown_file", "encoding"]
    assert data.findings["owner"].tolist()[1] == TABLES["leads"].owner
    assert data.leads["region"].tolist() == ["Zürich"]


@pytest.mark.parametrize(
    ("n", "says"),
    [(1, "1 row of deals is won with no amount"), (2, "2 rows of deals are won with no amount")],
)
def test_a_finding_about_one_row_is_in_the_singular(n, says):
    amounts = [0] * n + [5] * (2 - n)
    deals = pd.DataFrame(DEALS | {"closed_at": "2026-01-09", "amount": amounts})
    assert Tables.of(leads=LEADS, deals=deals).findings["says"].iloc[0].startswith(says)
    late = with_lead("2099-01-05")
    strays = Tables.of(leads=late, plan={"max_rejected": 1.0}).findings["says"].iloc[0]
    assert strays.startswith("1 row of leads lies after 2026-01-20") and " is not used" in strays


def test_the_headline_without_findings():
    tidy = findings(Tables.of(leads=LEADS))
    assert tidy.table.empty
    assert tidy._repr_html_() == "<p><strong>Nothing odd was found in the rows.</strong></p>"


def test_findings_are_listed_by_team_with_their_question():
    data = Tables.of(leads=with_lead("1987-01-05"), as_of="2026-03-31")
    shown = findings(data)
    assert len(shown.table) == len(data.findings) > 0
    assert shown.shown()["question"].tolist() == shown.table["question"].tolist()
    assert shown.shown()["team"].is_monotonic_increasing
    assert str(len(data.findings)) in shown.headline
