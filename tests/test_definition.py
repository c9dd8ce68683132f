"""Whether both teams mean the same lead: by hand, laws, planted companies and hostile plans."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.definition import (
    adherence,
    agreement,
    definition,
    hand_over,
    judged,
    kappa,
    matured,
    overlap,
    read_expression,
    reasons,
)
from funnel.errors import ParameterError, PlanError
from funnel.load import Tables
from funnel.plan import Plan

COLUMNS = ["score", "employees", "seniority", "industry", "n_demo", "n_web_visit"]
AS_OF = "2026-06-30"


def company(n=1200, *, seed=0, days=720, plan=None, **columns):
    """Leads that arrive evenly; those of score 50 and more are handed over within two days.

    Half of these are accepted, and a fifth of the accepted are won, twice as many from 75 on.
    """
    random = np.random.default_rng(seed)
    end = pd.Timestamp(AS_OF, tz="UTC") + pd.Timedelta(days=1)
    created = (end - pd.to_timedelta(np.sort(random.uniform(0.1, days, n))[::-1], unit="D")).round(
        "s"
    )
    score = np.round(random.uniform(0, 100, n))
    ids = pd.Series([f"L{i:05d}" for i in range(n)])
    given = {
        "employees": np.round(np.exp(random.normal(4, 1, n))),
        "seniority": random.choice(["VP", "Director", "Manager"], n),
        "industry": random.choice(["software", "retail", "logistics"], n),
        "score": score,
    } | columns
    leads = pd.DataFrame({"lead_id": ids, "created_at": created, **given})
    handed = score >= 50
    taken = handed & (random.random(n) < 0.5)
    won = taken & (random.random(n) < np.where(score >= 75, 0.4, 0.2))
    days_after = [random.uniform(0.1, top, n) for top in (2, 6, 40)]
    at = created + pd.to_timedelta(days_after[0], unit="D")
    taken_at = at + pd.to_timedelta(days_after[1], unit="D")
    won_at = taken_at + pd.to_timedelta(days_after[2], unit="D")
    exits = at + pd.to_timedelta(days_after[1], unit="D")
    words = random.choice(["too small", "Wrong Company ", "moon phase", ""], n)
    changes = pd.concat(
        [
            pd.DataFrame({"lead_id": ids[handed], "stage": "mql", "entered_at": at[handed]}),
            pd.DataFrame({"lead_id": ids[taken], "stage": "sal", "entered_at": taken_at[taken]}),
            pd.DataFrame(
                {
                    "lead_id": ids[handed & ~taken],
                    "stage": "rejected",
                    "entered_at": exits[handed & ~taken],
                    "reason": words[handed & ~taken],
                }
            ),
        ]
    )
    deals = pd.DataFrame(
        {
            "deal_id": "D" + ids[won],
            "lead_id": ids[won],
            "created_at": taken_at[won],
            "outcome": "won",
            "closed_at": won_at[won],
            "amount": 1000.0,
        }
    )
    made = Plan.of({"definition": {}, **(plan or {})})
    changes = changes[changes["entered_at"] < end]
    deals = deals[deals["closed_at"] < end]
    return Tables.of(leads=leads, stage_changes=changes, deals=deals, as_of=AS_OF, plan=made)


def plan_of(marketing="", sales="", agreed="", **more):
    written = {"marketing": marketing, "sales": sales, "agreed": agreed}
    return {"definition": {key: text for key, text in written.items() if text}, **more}


THREE = plan_of("score >= 50", "seniority in ('VP', 'Director')", "score >= 60 and employees > 40")


# --- what a definition may say ---


@pytest.mark.parametrize(
    "text",
    [
        "score >= 50 and employees >= 50",
        "Seniority in ('VP', 'Director') or not (n_demo between 1 and 3)",
        "lower(industry) like 'soft%' and coalesce(score, 0) / 2 + 1 > 3",
        "industry is not null and seniority is distinct from 'VP' -- a remark",
        "case when employees > 50 then score > 40 else score > 60 end",
        "least(score, 100) > 3 and length(trim(industry)) > 2",
        "true",
        "n_web_visit * 10 >= 30",
    ],
)
def test_what_a_definition_needs_is_let_through(text):
    assert read_expression(text, COLUMNS).sql


@pytest.mark.parametrize(
    "text",
    [
        "1; drop table leads",
        "score > 1; select 1",
        "exists (select 1 from leads)",
        "score in (select 1)",
        "score > (select max(score) from leads)",
        "read_csv('x') > 1",
        "read_text('x') is null",
        "getenv('HOME') = 'x'",
        "leads.score > 3",
        "score >=",
        "score => 3",
        "count(*) > 1",
        "sum(score) over () > 1",
        "columns(*) > 1",
        "$x > 1",
        "? > 1",
        "score::int > 3",
        "score > 1 union select true",
        "select 1",
        "score > 1 as x",
        "current_date > '2026-01-01'",
        "x -> x > 1",
        "{'a': 1} > 2",
        "[1] = [2]",
        "score > any([1, 2])",
        "'unterminated",
        "attach 'x' as y",
        "copy leads to 'x'",
        "pragma version",
        "",
        "(" * 1500 + "score > 1" + ")" * 1500,
        "not " * 900 + "score > 1",
        "score > 1" + " or score > 1" * 400,
        "industry like '" + "%a" * 5000 + "'",
        "random() > 0.5",
        "regexp_matches(industry, '(a+)+$')",
    ],
)
def test_nothing_else_is(text):
    with pytest.raises(PlanError, match=r"\[definition\] `agreed`"):
        read_expression(text, COLUMNS)


@settings(max_examples=80)
@given(st.text(max_size=60))
def test_any_text_is_a_definition_or_a_plan_error(text):
    try:
        read = read_expression(text, COLUMNS)
    except PlanError:
        return
    assert set(read.columns) <= set(COLUMNS)


@pytest.mark.parametrize(
    ("text", "near"), [("scor > 1", "`score`"), ("n_dem > 1", "`n_demo`"), ("zzz = 1", "score, ")]
)
def test_an_unknown_column_names_the_nearest(text, near):
    with pytest.raises(PlanError, match="which leads do not have") as error:
        read_expression(text, COLUMNS)
    assert near in str(error.value)


def test_a_definition_that_cannot_be_used_leaves_the_others_standing():
    broken = plan_of("score >= 50", "employes > 3", "score > 'abc'")
    data = company(plan=broken)
    who = judged(data)
    assert who.sides == ("marketing",)
    assert "did you mean `employees`" in who.problems["sales"]
    assert "`agreed` cannot be run" in who.problems["agreed"]
    result = definition(data)
    assert set(result.table["definition"]) == {"marketing", "handed over"}
    assert sum("employes" in caveat for caveat in result.caveats) == 1
    assert "Fewer than two" in overlap(data).headline
    assert "cannot be used" in adherence(data).headline
    assert reasons(data).table["n"].sum() > 0


@pytest.mark.parametrize("text", ["score", "'yes'", "null", "1 + 1", "industry"])
def test_a_definition_must_say_yes_or_no(text):
    assert "not yes or no" in judged(company(50, plan=plan_of(text))).problems["marketing"]


def test_columns_that_name_somebody_are_no_criterion():
    data = company(50, plan=plan_of("email like '%a%'", "owner = 'x'"))
    assert set(judged(data).problems) == {"marketing", "sales"}


# --- when a lead is judged ---


def test_touches_count_up_to_the_hand_over_and_no_further():
    day = pd.Timestamp("2026-01-10", tz="UTC")
    leads = pd.DataFrame({"lead_id": ["a", "b", "c", "d"], "created_at": day})
    changes = pd.DataFrame(
        {
            "lead_id": ["a", "b"],
            "stage": "mql",
            "entered_at": [day + pd.Timedelta(days=4), day + pd.Timedelta(days=8)],
        }
    )
    touches = pd.DataFrame(
        {
            "lead_id": ["a", "a", "b", "c", "c", "d"],
            "channel": "web",
            "kind": ["Demo call", "Demo call", "Demo call", "Demo call", "Demo call", "visit"],
            "occurred_at": [day + pd.Timedelta(days=n) for n in (3, 5, 8, 1, 30, -3)],
        }
    )
    data = Tables.of(
        leads=leads,
        stage_changes=changes,
        touches=touches,
        as_of=AS_OF,
        plan=Plan.of(plan_of("n_demo_call >= 2", "n_touches >= 1")),
    )
    assert hand_over(data).usual_days == pytest.approx(7.6)
    found = judged(data).leads.set_index("lead_id")
    assert found["sales"].tolist() == [True, True, True, True]
    assert not found["marketing"].any()  # each second call came after the hand-over, or too late


def test_a_blank_field_leaves_the_answer_open():
    size = np.where(np.arange(1200) % 4 == 0, np.nan, 100.0)
    data = company(plan=plan_of("score >= 50", "employees >= 50"), employees=size)
    table = overlap(data).table.set_index(["span", "group"])
    both = data.comparison.period
    inside = data.leads["created_at"] >= pd.Timestamp(both.start, tz="UTC")
    assert (
        table.loc[("period", "cannot tell"), "n"]
        == data.leads.loc[inside, "employees"].isna().sum()
    )
    assert any("blank field" in caveat for caveat in overlap(data).caveats)


# --- counts ---


def test_equal_definitions_leave_no_gap_anywhere():
    text = "score >= 55 and industry <> 'retail'"
    data = company(plan=plan_of(text, text, text))
    table = definition(data).table.drop(columns="expression")
    parts = [
        table[table["definition"] == side].drop(columns="definition").reset_index(drop=True)
        for side in ("marketing", "sales", "agreed")
    ]
    pd.testing.assert_frame_equal(parts[0], parts[1])
    pd.testing.assert_frame_equal(parts[0], parts[2])
    between = overlap(data).table
    assert between.loc[between["group"].str.endswith("only"), "n"].sum() == 0
    alike = agreement(data).table
    defined = alike[alike["other"].isin(["sales", "agreed"])]
    assert defined["agree"].tolist() == [1.0] * len(defined)
    assert defined["kappa"].tolist() == pytest.approx([1.0] * len(defined))


def test_groups_add_up_to_the_leads_of_each_span():
    data = company(plan=THREE)
    for pair in (None, ("marketing", "agreed")):
        table = overlap(data, pair).table
        whole = definition(data).table.drop_duplicates("span").set_index("span")["n_leads"]
        assert table.groupby("span")["n"].sum().to_dict() == whole.to_dict()
        won = matured(data)
        old = table[table["span"] == "matured"]
        assert old["n_won"].sum() == won["won"].sum()
        assert old["amount"].sum() == won.loc[won["won"], "amount"].sum()


def test_win_rates_are_of_leads_that_had_a_chance():
    data = company(6000, plan=plan_of("score >= 40", "score >= 75"))
    old = overlap(data).table
    old = old[old["span"] == "matured"].set_index("group")
    won = matured(data)
    score = data.leads.set_index("lead_id")["score"].reindex(won["lead_id"]).to_numpy()
    middle = (score >= 40) & (score < 75)
    row = old.loc["marketing only"]
    assert row["n"] == middle.sum()
    assert row["n_tried"] == (middle & (score >= 50)).sum()
    assert row["win_rate"] == won["won"][middle].sum() / row["n_tried"]
    assert row["win_rate"] == pytest.approx(0.1, abs=0.03)
    assert old.loc["both", "win_rate"] == pytest.approx(0.2, abs=0.04)
    assert "for marketing only" in overlap(data).headline


def test_every_figure_names_its_leads():
    data = company(plan=THREE)
    result = definition(data)
    for _, row in result.table.iterrows():
        figure = f"{row['definition']}, {row['span']}"
        assert (result.rows["figure"] == figure).sum() == row["n_qualified"]


def test_nothing_that_is_too_young_has_an_outcome():
    data = company(300, days=30, plan=THREE)
    result = definition(data)
    assert matured(data).empty
    assert result.table["win_rate"].isna().all()
    assert any("cannot be told yet" in caveat for caveat in result.caveats)
    assert "won" not in overlap(data).headline


@pytest.mark.parametrize("which", ["leads", "deals", "touches"])
def test_a_company_of_one_table_gets_its_sentences(which):
    data = company(200, plan=THREE)
    touches = pd.DataFrame(
        {"lead_id": ["L00000"], "occurred_at": ["2026-05-01"], "channel": "web", "kind": "visit"}
    )
    frames = {"leads": data.leads, "deals": data.deals, "touches": touches}
    if which == "touches":
        frames = {"leads": data.leads[["lead_id", "created_at"]], "touches": touches}
    else:
        frames = {which: frames[which]}
    alone = Tables.of(**frames, as_of=AS_OF, plan=Plan.of(THREE))
    for ask in (definition, overlap, agreement, adherence, reasons):
        result = ask(alone)
        assert result.headline.endswith(".")
        assert result.plot().figure.get_label().endswith(".")
        assert result._repr_html_()


# --- agreement ---


def test_kappa_by_hand_and_where_nearly_all_qualify():
    assert kappa(20, 5, 10, 15) == pytest.approx(0.4)
    # of 1,000 leads 97 % qualify for each, and both say the same of 95 %
    assert kappa(945, 25, 25, 5) == pytest.approx(0.14, abs=0.005)
    assert np.isnan(kappa(10, 0, 0, 0))
    assert kappa(0, 5, 5, 0) == pytest.approx(-1)


@given(*[st.integers(0, 400)] * 4)
def test_kappa_is_that_of_statsmodels(a, b, c, d):
    from statsmodels.stats.inter_rater import cohens_kappa

    ours = kappa(a, b, c, d)
    if np.isnan(ours):
        return
    theirs = cohens_kappa(np.array([[a, b], [c, d]]), return_results=False)
    assert ours == pytest.approx(float(theirs), abs=1e-12)
    assert kappa(d, c, b, a) == pytest.approx(ours)
    assert kappa(a, c, b, d) == pytest.approx(ours)


def test_agreement_stands_with_its_prevalence():
    data = company(plan=THREE)
    result = agreement(data)
    row = result.table.iloc[0]
    assert row["n"] == row[["n_both", "n_one_only", "n_other_only", "n_neither"]].sum()
    assert row["kappa_low"] <= row["kappa"] <= row["kappa_high"]
    assert "where marketing takes" in result.headline
    differ = result.rows["figure"] == "marketing and sales differ, period"
    assert differ.sum() == row["n_one_only"] + row["n_other_only"]


# --- what was agreed, and what is done ---


def test_adherence_is_counted_since_the_agreement_and_before():
    agreed_on = dt.date(2026, 1, 1)
    plan = plan_of("score >= 50", "", "score >= 75")
    plan["definition"]["agreed_on"] = agreed_on
    data = company(4000, plan=plan)
    table = adherence(data).table.set_index(["comparison", "what"])
    frame = judged(data).leads
    handed = frame[frame["handed_at"] >= pd.Timestamp(agreed_on, tz="UTC")]
    row = table.loc[("agreement", "of leads handed over, meet it")]
    assert (row["n"], row["k"]) == (len(handed), int(handed["agreed"].sum()))
    assert row["share"] == pytest.approx(0.5, abs=0.06)
    assert set(table["half"]) == {"marketing", "sales"}
    assert table.loc[("agreement", "of leads that meet it, handed over"), "share"] > 0.85
    young = frame["age_days"] < hand_over(data).usual_days
    assert not set(frame.loc[young, "lead_id"]) & set(
        adherence(data).rows.query("figure.str.contains('leads that meet it')")["id"]
    )


def test_an_agreement_of_tomorrow_is_told():
    plan = plan_of("", "", "score >= 75")
    plan["definition"]["agreed_on"] = dt.date(2026, 9, 1)
    result = adherence(company(plan=plan))
    assert set(result.table["comparison"]) == {"period"}
    assert any("after the last day" in caveat for caveat in result.caveats)


# --- why leads come back ---


def test_reasons_add_up_and_words_that_are_not_mapped_are_listed():
    data = company(plan={"reasons": {"Too small": "size", "wrong company": "fit"}})
    result = reasons(data)
    changes = data.stage_changes
    begin = pd.Timestamp(data.comparison.period.start, tz="UTC")
    left = changes[(changes["stage"] == "rejected") & (changes["entered_at"] >= begin)]
    said = left["reason"].str.strip().str.lower().fillna("")
    counted = result.table.groupby("reason")["n"].sum()
    assert counted.sum() == len(left)
    assert counted["size"] == (said == "too small").sum()
    assert counted["fit"] == (said == "wrong company").sum()
    assert counted["none given"] == (said == "").sum()
    assert result.not_mapped.to_dict("list")["words"] == ["moon phase"]
    assert result.not_mapped["n"].iloc[0] == (said == "moon phase").sum()
    remedies = result.table.drop_duplicates("reason")["remedy"]
    assert remedies.nunique() == len(remedies)


def test_reasons_by_group_add_up_to_all():
    data = company(plan={"reasons": {"too small": "size"}})
    table = reasons(data, by="industry").table
    whole = table[table["group"] == "all"].groupby("reason")["n"].sum()
    parts = table[table["group"] != "all"].groupby("reason")["n"].sum()
    assert parts.to_dict() == whole.to_dict()
    with pytest.raises(ParameterError, match="no such column"):
        reasons(data, by="weather")


def test_a_lead_that_left_twice_counts_once():
    day = pd.Timestamp("2026-05-01", tz="UTC")
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": [day]})
    changes = pd.DataFrame(
        {
            "lead_id": "a",
            "stage": ["recycled", "mql", "rejected"],
            "entered_at": [day + pd.Timedelta(days=n) for n in (1, 2, 3)],
            "reason": ["timing", None, "Decision maker"],
        }
    )
    result = reasons(Tables.of(leads=leads, stage_changes=changes, as_of=AS_OF))
    named = result.table[result.table["n"] > 0]
    assert named["reason"].tolist() == ["decision_maker"]
    assert named["n"].tolist() == [1]
