"""Spellings that count as one word, words that may be one, and the lines of the plan for them."""

import json
import tomllib

import pandas as pd
import pytest

from funnel.checks import findings, proposals
from funnel.checks.text import proposal_lines
from funnel.dataset import Tables, load
from funnel.dataset.spellings import near
from funnel.report.data_check import check_as_data, check_as_text


def leads_of(channels, **more):
    return pd.DataFrame(
        {"lead_id": [f"L{i}" for i in range(len(channels))], "created_at": "2026-03-03"}
        | {"channel": channels}
        | more
    )


def deals_of(reasons):
    return pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(len(reasons))],
            "created_at": "2026-02-03",
            "closed_at": "2026-03-03",
            "outcome": "lost",
            "loss_reason": reasons,
        }
    )


def found(data, table):
    rows = data.findings[data.findings["table"] == table]
    return dict(zip(rows["what"], rows["n"], strict=True))


def test_spellings_in_capitals_and_blanks_are_one_word_and_are_counted():
    channels = ["web", "Web", "WEB ", " web", "web", "paid  search", "Paid search", "Paid search"]
    data = Tables.of(leads=leads_of(channels))
    assert data.leads["channel"].tolist() == ["web"] * 5 + ["Paid search"] * 3
    # the blanks of one cell are no other spelling in themselves, but another cell is without
    assert found(data, "leads") == {"spelled_channel": 4}
    says = data.findings["says"].iloc[0]
    assert "Web as web" in says and "paid  search as Paid search" in says


def test_one_spelling_with_blanks_around_every_cell_is_no_finding():
    data = Tables.of(leads=leads_of(["web ", "web ", None]))
    assert data.leads["channel"].dropna().tolist() == ["web", "web"]
    assert found(data, "leads") == {}


def test_extra_columns_are_read_alike_and_numbers_are_not():
    data = Tables.of(
        leads=leads_of(["web"] * 3, tier=["one", "One ", "one "], size=["5", "5 ", "7"])
    )
    assert data.leads["tier"].tolist() == ["one"] * 3
    assert found(data, "leads") == {"spelled_tier": 2, "extra_columns": 2}


def test_tables_share_the_spelling_of_a_column():
    touches = pd.DataFrame({"occurred_at": "2026-03-03", "lead_id": "L0", "channel": ["WEB"] * 3})
    spend = pd.DataFrame({"spent_on": ["2026-03-03"], "channel": ["Web"], "amount": [3.0]})
    data = Tables.of(leads=leads_of(["web"]), touches=touches, spend=spend)
    assert {*data.touches["channel"], *data.spend["channel"]} == {"web"}
    assert found(data, "touches")["spelled_channel"] == 3
    assert found(data, "spend") == {"spelled_channel": 1}


def test_names_of_people_are_not_shown():
    leads = leads_of(["web"] * 3, owner=["Ann Lee", "ann lee", "Ann Lee"])
    data = Tables.of(leads=leads)
    assert found(data, "leads") == {"spelled_owner": 1}
    assert len(data.leads["owner"].unique()) == 1
    assert "lee" not in check_as_data(data).casefold()


def test_a_column_of_many_words_is_left_alone():
    names = [f"{word} {i}" for i in range(600) for word in ("Offer", "offer")]
    data = Tables.of(leads=leads_of(["web"] * 1_200, campaign=names))
    assert data.leads["campaign"].nunique() == 1_200 and found(data, "leads") == {}


def test_codes_of_the_package_keep_their_spelling():
    claims = pd.DataFrame(
        {"claim": ["a", "b"], "said_by": "sales", "direction": "up"}
        | {"driver": ["lead volume", "Lead volume"]}
    )
    data = Tables.of(leads=leads_of(["web"]), claims=claims)
    assert data.claims["driver"].nunique() == 2 and found(data, "claims") == {}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("E-Mail", "email", True),
        ("Café", "cafe", True),
        ("google / cpc", "google/cpc", True),
        ("paid_search", "Paid Search", True),
        ("2025-1-11 web", "2025-11-1 web", False),
        ("email", "email marketing", False),
        ("C++ tools", "C# tools", False),
    ],
)
def test_words_that_are_nearly_equal(one, other, alike):
    assert (near(one) == near(other)) is alike


def test_words_that_look_alike_are_not_merged_but_reported():
    data = Tables.of(leads=leads_of(["email", "email", "E-Mail", "web", "(not set)", "unknown"]))
    assert data.leads["channel"].nunique() == 5
    assert found(data, "leads") == {"near_channel": 1, "placeholder_channel": 1}
    channels = ["direct", "direct", "(direct) / (none)", "direct mail"]
    assert found(Tables.of(leads=leads_of(channels)), "leads") == {"near_channel": 1}


def test_reasons_that_are_joined_or_hold_a_note_are_reported():
    reasons = ["price", "price", "PRICE (too high)", "price;timing", "n/a", ".", None, "see notes"]
    data = Tables.of(deals=deals_of(reasons))
    assert found(data, "deals") == {
        "noted_loss_reason": 1,
        "joined_loss_reason": 1,
        "placeholder_loss_reason": 3,
    }
    reasons = ["Price", "Price", "too expensive", "zu teuer", "timing", "price rise"]
    data = Tables.of(deals=deals_of(reasons))
    assert found(data, "deals") == {"alike_loss_reason": 2}
    assert proposal_lines(proposals(data)) == [
        'aliases.loss_reason = { "too expensive" = "Price", "zu teuer" = "Price" }'
    ]
    # of a channel, a note may well be a channel of its own
    assert found(Tables.of(leads=leads_of(["event", "event (online)"])), "leads") == {}


ODD = ["email", "email", "email", "E-Mail", "e-mail", "Email", "(not set)", 'a "b" \\', 'A "b" \\']


def test_the_proposed_lines_are_valid_and_settle_the_findings(tmp_path):
    leads_of([*ODD, 'A "b" \\'], **{"my tier": "one"}).to_csv(tmp_path / "leads.csv", index=False)
    deals_of(["price", "price", "PRICE (high)", "Price", ".", "no-fit", "No fit", "no-fit"]).to_csv(
        tmp_path / "deals.csv", index=False
    )
    data = load(tmp_path)
    kinds = ("spelled", "near", "noted", "placeholder")
    assert {what.split("_")[0] for what in data.findings["what"]}.issuperset(kinds)
    lines = proposal_lines(proposals(data))
    assert [line.partition(" = ")[0] for line in lines] == [
        "aliases.channel",
        "aliases.loss_reason",
    ]
    (tmp_path / "funnel.toml").write_text("[records]\n" + "\n".join(lines))
    after = load(tmp_path)
    assert sorted(after.leads["channel"].unique()) == ['A "b" \\', "email", "unknown"]
    assert sorted(after.deals["loss_reason"].dropna().unique()) == ["no-fit", "price", "unknown"]
    assert not after.findings["what"].str.startswith(kinds).any()
    assert proposal_lines(proposals(after)) == []


def test_a_proposed_line_holds_what_the_plan_says_already():
    plan = {"records": {"aliases": {"channel": {"letter": "mail"}}}}
    data = Tables.of(leads=leads_of(["email", "email", "E-Mail", "letter"]), plan=plan)
    (line,) = proposal_lines(proposals(data))
    assert tomllib.loads(line)["aliases"]["channel"] == {"letter": "mail", "E-Mail": "email"}


def test_the_check_shows_the_lines():
    data = Tables.of(leads=leads_of(ODD))
    facts = json.loads(check_as_data(data))["proposals"]
    assert {"column": "channel", "from": "(not set)", "to": "unknown", "rows": 1} in facts[
        "aliases"
    ]
    assert facts["lines"][0] in check_as_text(data) and facts["exclusions"] == []
    assert facts["lines"][0] in findings(data).caveats[0]
    assert "[records]" not in check_as_text(Tables.of(leads=leads_of(["web"])))


def test_an_alias_holds_for_every_spelling_and_names_the_spelling():
    plan = {"records": {"aliases": {"channel": {"E-Mail": "Mail"}}}}
    data = Tables.of(leads=leads_of(["E-Mail", "e-mail", "mail", "mail", "web"]), plan=plan)
    assert data.leads["channel"].tolist() == ["Mail"] * 4 + ["web"]
    assert found(data, "leads") == {"alias_channel": 2, "spelled_channel": 2}
