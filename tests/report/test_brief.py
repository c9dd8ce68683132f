"""The brief: every number from a result, both sides alike, no word that judges."""

import functools
import importlib
import json
import re
from html import unescape
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from funnel.checks import reconciliation, record_problems
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.bridge.bridge import shown_totals
from funnel.methods.bridge.expected_calendar import ExpectedCalendar
from funnel.methods.bridge.text import driver_label
from funnel.methods.paths import journeys, paths
from funnel.questions import PAGES, QUESTIONS
from funnel.questions.attribution import attribute, first_touches, side_by_side
from funnel.questions.why import why
from funnel.questions.why.text import (
    change_cell,
    compared_cell,
    figure_name,
    figure_value,
    goal_cell,
)
from funnel.report import brief
from funnel.report.brief import facts, text
from funnel.report.brief.text import QUESTIONS_BY_STATE
from funnel.results import Say
from funnel.results.neutral_words import unfit_words
from funnel.results.text import capital

RUNS = (
    SimpleNamespace(name="why", title="What changed?", state="ok", says=""),
    SimpleNamespace(name="attribution", title="Which channels?", state="ok", says=""),
    SimpleNamespace(name="conversion", title="Which rates?", state="failed", says="It <stopped>."),
)


def make_quick(patch):
    """Few draws, and no look at earlier years: what is usual has tests of its own."""
    patch.setattr(facts, "why", functools.partial(why, draws=8))
    for name in ("funnel.methods.bridge.bridge", "funnel.questions.why.checks"):
        module = importlib.import_module(name)
        patch.setattr(module, "expected_calendar", lambda data: ExpectedCalendar())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    make_quick(monkeypatch)


def company(n=400, seed=1, **changed):
    random = np.random.default_rng(seed)
    created = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(
        np.sort(random.uniform(0, 890, n)), unit="D"
    )
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(n)],
            "created_at": created,
            "channel": random.choice(["web", "email", "event", "unknown"], n),
            "owner": "owner A",
        }
    )
    closed = created + pd.to_timedelta(random.uniform(5, 20, n), unit="D")
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(n)],
            "lead_id": leads["lead_id"],
            "created_at": created + pd.Timedelta(days=1),
            "closed_at": closed,
            "outcome": random.choice(["won", "lost"], n),
            "amount": np.exp(random.normal(9, 0.7, n)).round(2),
        }
    )
    frames = {"leads": leads, "deals": deals} | changed
    return {name: frame for name, frame in frames.items() if frame is not None}


def no_deals():
    return company(deals=None)


def all_open():
    frames = company()
    return frames | {"deals": frames["deals"].assign(outcome="open", closed_at=pd.NaT)}


def late_record():
    frames = company()
    return frames | {"deals": frames["deals"].iloc[320:].reset_index(drop=True)}


def no_amounts():
    frames = company()
    return frames | {"deals": frames["deals"].assign(amount=np.nan)}


def refunds():
    frames = company()
    amount = frames["deals"]["amount"].where(frames["deals"].index % 7 > 0, -100.0)
    return frames | {"deals": frames["deals"].assign(amount=amount)}


def nothing_now():
    frames = company()
    before = frames["deals"]["closed_at"] < pd.Timestamp("2026-04-01", tz="UTC")
    return frames | {"deals": frames["deals"][before].reset_index(drop=True)}


COMPANIES = {
    "won only": lambda: {"deals": company()["deals"].query("outcome == 'won'")},
    "one won deal": lambda: {"deals": company()["deals"].query("outcome == 'won'").tail(1)},
    "refunds": refunds,
    "nothing now": nothing_now,
    "whole": company,
    "large": lambda: company(n=6000, seed=2),
    "few": lambda: company(n=12),
    "leads only": no_deals,
    "deals only": lambda: company(leads=None),
    "all open": all_open,
    "late record": late_record,
    "no amounts": no_amounts,
}


def test_a_collapse_is_named_before_the_figures():
    frames = company(n=6000, seed=2)
    deals = frames["deals"]
    is_late = (deals["closed_at"] >= "2026-03-01") & (deals.index % 20 > 0)
    is_late |= deals["closed_at"] >= "2026-06-09"  # after the last lead, which is a warning too
    data = Tables.of(as_of="2026-05-31", **frames | {"deals": deals[~is_late]})
    about = {"data": data, "record_problems": record_problems(data), "say": Say()}
    made = SimpleNamespace(
        **about,
        reconciliation=reconciliation(data),
        cards=[],
        possible_tests=(),
        plan_changed_since="",
    )
    opened, closed = text.notices(made)
    assert opened.startswith("New deals fell to")
    assert closed.startswith("Closings of deals fell to")
    assert not unfit_words(closed)


def test_money_that_no_total_holds_is_named_before_the_figures():
    frames = company(n=600, seed=2)
    deals = frames["deals"].assign(currency="EUR")
    won = deals.index[(deals["outcome"] == "won") & (deals["closed_at"] >= "2026-04-01")][:4]
    deals.loc[won[:2], "currency"] = "USD"
    deals.loc[won[2:], "closed_at"] = pd.Timestamp("2062-05-03", tz="UTC")
    data = Tables.of(as_of="2026-05-31", **frames | {"deals": deals})
    made = SimpleNamespace(
        data=data, record_problems=record_problems(data), say=Say(data.plan.company, 0.9),
        reconciliation=reconciliation(data), cards=[], possible_tests=(), plan_changed_since="",
    )  # fmt: skip
    share = deals[deals["outcome"] == "won"].nlargest(1, "amount").assign(owner="owner B")
    shares = pd.concat([deals.assign(owner="owner A"), share], ignore_index=True)
    again = Tables.of(as_of="2026-05-31", **frames | {"deals": shares})
    assert any(
        each.startswith("1 row of deals repeats a deal and its amount for another owner")
        for each in text.notices(SimpleNamespace(**vars(made) | {"data": again}))
    )
    unknown, mistyped = text.notices(made)
    assert "is unknown (USD 2, without a rate in the plan)" in unknown
    assert mistyped.startswith("2 deals won or lost on a day after the data ends hold ")
    # wins are counted, whatever their money
    wins = data.with_plan({"measure": "wins"})
    assert text.notices(SimpleNamespace(**vars(made) | {"data": wins})) == []


def test_amounts_in_another_unit_are_named_before_the_figures():
    frames = company(n=1200, seed=2)
    deals = frames["deals"]
    factor = np.where(deals["closed_at"] >= "2026-04-10", 100, 1)
    deals = deals.assign(amount=deals["amount"] * factor)
    data = Tables.of(as_of="2026-05-31", **frames | {"deals": deals})
    made = SimpleNamespace(
        data=data, record_problems=record_problems(data), say=Say(data.plan.company, 0.9),
        reconciliation=reconciliation(data), cards=[], possible_tests=(), plan_changed_since="",
    )  # fmt: skip
    (only,) = text.notices(made)
    assert only.startswith("Amounts of deals are ") and "The unit changed" in only


def written(folder, frames=None, plan=None, as_of="2026-05-31", runs=RUNS):
    folder.mkdir(parents=True, exist_ok=True)
    data = Tables.of(as_of=as_of, plan=plan, **(company() if frames is None else frames))
    made = brief.write(data, folder, runs)
    said = json.loads((folder / "brief.json").read_text(encoding="utf-8"))
    return made, said, (folder / "index.html").read_text(encoding="utf-8")


def text_of(page):
    body = re.sub(r"<(style|head).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", body)


@pytest.mark.parametrize("name", COMPANIES)
def test_a_page_for_every_company(tmp_path, name):
    made, said, page = written(tmp_path, COMPANIES[name]())
    assert said["answer"].startswith(made.change.headline)
    assert made.evidence.stopped == {}
    assert "nan" not in re.findall(r"\w+", text_of(page).lower())
    assert len(said["questions"]["sales"]) == len(said["questions"]["marketing"]) == 3
    assert unfit_words(text_of(page), people=["owner A", "owner"]) == []


@pytest.mark.parametrize("name", COMPANIES)
def test_no_sentence_of_attribution_judges_or_explains(name):
    data = Tables.of(as_of="2026-05-31", **COMPANIES[name]())
    traced = journeys(data)
    credits_ = [attribute(traced, model) for model in ("first_touch", "linear", "time_decay")]
    results = [traced, first_touches(data), paths(data), *credits_, side_by_side(credits_)]
    said = [sentence for each in results for sentence in (each.headline, *each.caveats)]
    assert [unfit_words(sentence) for sentence in said] == [[]] * len(said)
    assert all(sentence.endswith((".", "?")) for sentence in said)


def test_two_currencies_stop_the_money_and_leave_the_rest(tmp_path):
    frames = company()
    currency = np.where(frames["deals"].index % 9, "EUR", "USD")
    mixed = frames | {"deals": frames["deals"].assign(currency=currency)}
    made, said, page = written(tmp_path, mixed)
    assert set(made.evidence.stopped) == {"why", "guards"}
    assert "USD 45)" in said["answer"] and "USD 45)" in text_of(page)
    assert said["period"]["value"] is None and said["period"]["wins"] > 0
    assert said["bridge"] == []
    assert unfit_words(text_of(page)) == []


def test_rows_of_the_bridge_add_up_to_the_cent(tmp_path):
    _, said, _ = written(tmp_path)
    parts = [row["contribution"] for row in said["bridge"] if row["segment"] is None]
    change = said["period"]["value"] - said["baseline"]["value"]
    assert round(sum(parts), 2) == round(change, 2)


@pytest.mark.parametrize("measure", ["wins", "mrr"])
def test_rows_add_up_for_every_measure(tmp_path, measure):
    frames = company()
    deals = frames["deals"].assign(mrr=frames["deals"]["amount"] / 12)
    months = pd.DataFrame({"account_id": ["A"], "month": ["2026-05-01"], "mrr": [10.0]})
    frames |= {"deals": deals, "subscriptions": months}
    _, said, _ = written(tmp_path, frames, plan=Plan(measure=measure))
    parts = [row["contribution"] for row in said["bridge"] if row["segment"] is None]
    assert round(sum(parts), 2) == round(said["period"]["value"] - said["baseline"]["value"], 2)


def test_recurring_revenue_that_no_deal_carries_is_that_of_accounts(tmp_path):
    months = pd.DataFrame({"account_id": ["A"], "month": ["2026-05-01"], "mrr": [10.0]})
    made, said, page = written(tmp_path / "a", company(subscriptions=months), Plan(measure="mrr"))
    assert made.evidence.stopped == {} and said["bridge"] == []
    assert "no month of one of the periods is recorded" in text_of(page)
    both = pd.concat([months, months.assign(month="2026-02-01", mrr=14.0)])
    _, said, page = written(tmp_path / "b", {"subscriptions": both}, Plan(measure="mrr"))
    assert {row["driver"]: row["contribution"] for row in said["bridge"]}["contraction"] == -4.0
    assert said["period"]["value"] - said["baseline"]["value"] == -4.0
    assert "Logo churn" in text_of(page)
    none = company(subscriptions=None)
    made, said, page = written(tmp_path / "c", none, plan=Plan(measure="mrr"))
    assert set(made.evidence.stopped) == {"why", "guards"} and said["bridge"] == []
    assert "No won deal has an" in text_of(page)
    assert len(said["questions"]["sales"]) == 3


def test_a_page_of_deals_alone_has_no_sentence_of_leads_or_forms(tmp_path):
    _, said, page = written(tmp_path, company(leads=None))
    body = page[: page.index("Behind this page")]
    about = re.findall(r"\b(?:leads?|forms?|budgets?)\b", text_of(body))
    known = ("There are no leads: deals are followed", "expected from leads or deals, and none")
    assert len(about) == sum(text_of(body).count(each) for each in known)
    assert "deals opened" in text_of(body)
    assert "calendar" not in {ask.split(":")[0] for ask in said["questions"]["sales"]}


def test_without_the_notebook_of_the_change_nothing_of_it_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "why", None)
    made, said, page = written(tmp_path, runs=RUNS[1:])
    assert said["answer"] == made.change.headline and said["bridge"] == said["claims"] == []
    assert page.count("was not run for this snapshot") >= 3
    assert "Nothing is recorded" not in page and unfit_words(text_of(page)) == []


def test_money_rejected_and_money_of_tests_are_stated_on_the_first_page(tmp_path):
    frames = company()
    deals = frames["deals"].astype({"deal_id": "object"})
    of_period = pd.to_datetime(deals["closed_at"], utc=True) >= "2026-04-15"
    won = deals.index[of_period & deals["outcome"].eq("won")]
    lost, filled = won[:1], won[1:2]
    frames["deals"] = deals.assign(
        deal_id=deals["deal_id"].mask(deals.index.isin(lost)),
        amount=deals["amount"].mask(deals.index.isin(filled), 222_222.0),
    )
    _, said, page = written(tmp_path, frames, plan=Plan(max_rejected=1.0))
    amount = float(frames["deals"].loc[lost[0], "amount"])
    money = said["records"]["period"]["money"]
    assert money["rejected"] == round(amount, 2)
    for counted in said["records"]["period"].values():
        assert counted["in"] == pytest.approx(sum(counted.values()) - counted["in"])
    assert {"leads", "deals"} <= said["records"]["tables"].keys()
    for sides in said["records"]["tables"].values():
        for counted in sides.values():
            assert counted["in"] == sum(counted.values()) - counted["in"]
    assert money["used"] == pytest.approx(said["period"]["value"])
    assert "1 rejected deal" in text_of(page) and "No figure on this page counts it" in page
    assert "may be a test record, with" in text_of(page)


def test_what_a_notebook_kept_is_read_and_not_computed_again(tmp_path, monkeypatch):
    first, said, page = written(tmp_path / "a")
    kept = tmp_path / "b" / "results"
    kept.mkdir(parents=True)
    for path in (tmp_path / "a" / "results").iterdir():
        if path.stem != "change":
            (kept / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(facts, "why", None)
    again, same, also = written(tmp_path / "b")
    assert (same, also) == (said, page)
    assert first.evidence.stopped == again.evidence.stopped == {}


def test_a_part_that_fails_leaves_the_page_standing(tmp_path, monkeypatch):
    def fails(data):
        raise ZeroDivisionError

    monkeypatch.setattr(facts, "actions", fails)
    made, said, page = written(tmp_path)
    assert set(made.evidence.stopped) == {"actions"}
    assert "ZeroDivisionError" in page and said["bridge"] and said["actions"] == []


def test_the_form_is_the_contracts(tmp_path):
    _, said, _ = written(tmp_path)
    assert list(said) == [
        "version", "as_of", "measure", "currency", "period", "baseline", "headline", "answer",
        "comparisons", "inputs", "bridge", "guards", "claims", "questions", "actions", "outlook",
        "records",
        "plan_sha256", "plan_changed",
    ]  # fmt: skip
    assert set(said["period"]) == {"start", "end", "value", "wins"}
    assert [guard["guard"] for guard in said["guards"]] == [
        "data", "definition", "maturity", "calendar", "mix", "noise",
    ]  # fmt: skip
    assert said["period"]["end"] == "2026-05-31"
    assert said["plan_changed"] is False


def test_every_figure_can_be_computed_again_from_the_rows(tmp_path):
    frames = company()
    _, said, _ = written(tmp_path, frames)
    kept = pd.read_csv(tmp_path / "results" / "change.csv").set_index("measure")
    rows = pd.read_csv(tmp_path / "rows" / "change.csv")
    deals = frames["deals"].set_index("deal_id")
    for side, label in (("value", "2026Q2"), ("baseline", "2026Q1")):
        ids = rows.loc[rows["figure"] == f"bookings, {label}", "id"]
        assert deals.loc[ids, "amount"].sum() == pytest.approx(kept.loc["bookings", side])
        assert kept.loc["wins", side] == len(ids)
    assert said["period"]["value"] == pytest.approx(kept.loc["bookings", "value"], abs=0.005)
    assert said["baseline"]["wins"] == kept.loc["wins", "baseline"]


def test_a_notebook_answers_with_the_result_of_its_name(tmp_path):
    (tmp_path / "results").mkdir(parents=True)
    (tmp_path / "results" / "attribution.json").write_text('{"headline": "Web & co stand first."}')
    _, _, page = written(tmp_path)
    assert "Web &amp; co stand first." in page
    assert 'href="attribution.html"' in page
    assert "It &lt;stopped&gt;." in page
    assert "Notebooks that stopped: conversion." in page
    assert page.count('<span class="state warn">failed</span>') == 1
    assert ">ok</span>" not in page  # after a question it would read as "yes"


def test_questions_are_answered_where_a_figure_was_saved_and_link_its_page(tmp_path):
    (tmp_path / "results").mkdir(parents=True)
    for name in ("definition", "win_rate"):
        (tmp_path / "results" / f"{name}.json").write_text('{"headline": "It is."}')
    _, _, page = written(tmp_path)
    notes = re.findall(r'<p class="note">(.*?)\.</p>', page)
    parts = (note.partition(": ") for note in notes)
    by_state = {state: names for state, _, names in parts if state in QUESTIONS_BY_STATE.values()}
    linked = re.findall(r'<a href="(\w+)\.html">([^<]+)</a>', " ".join(by_state.values()))
    saved = {path.stem for path in (tmp_path / "results").glob("*.json")}
    pages = {each.name: each.page for each in QUESTIONS if saved.intersection(each.figures)}
    assert {name: target for target, name in linked}.items() <= pages.items()
    assert ("conversion", "win rate") in linked
    assert "credit by channel" in page and "credit by channel" not in dict(linked).values()
    named = re.sub(r"<[^>]+>", "", ", ".join(by_state.values())).split(", ")
    assert sorted(["readiness", *named]) == sorted(each.name for each in QUESTIONS)


def test_a_notebook_of_several_results_answers_with_the_plans_measure(tmp_path):
    (tmp_path / "results").mkdir(parents=True)
    for saved in ("leads", "wins"):
        text = json.dumps({"headline": f"About {saved}."})
        (tmp_path / "results" / f"seasonality_{saved}.json").write_text(text)
    runs = [SimpleNamespace(name="seasonality", title="Which season?", state="ok", says="")]
    assert "About wins." in written(tmp_path / ".", plan={"measure": "wins"}, runs=runs)[2]


def test_a_plan_changed_after_looking_is_told(tmp_path):
    _, first, page = written(tmp_path / "2026-05-30", as_of="2026-05-30")
    assert "changed after looking" not in page
    _, same, _ = written(tmp_path / "2026-05-31")
    assert first["plan_sha256"] == same["plan_sha256"] and not same["plan_changed"]
    _, other, page = written(tmp_path / "later", plan=Plan(level=0.8))
    assert other["plan_changed"] is True
    assert "changed after looking" in page and "2026-05-31" in page


def test_an_earlier_snapshot_of_another_period_says_nothing_of_the_plan(tmp_path):
    written(tmp_path / "2026-03-31", as_of="2026-03-31", plan=Plan(level=0.8))
    assert written(tmp_path / "now")[1]["plan_changed"] is False


def test_a_broken_neighbour_stops_nothing(tmp_path):
    (tmp_path / "2026-05-01").mkdir()
    (tmp_path / "2026-05-01" / "brief.json").write_text("[1, 2")
    assert written(tmp_path / "now")[1]["plan_changed"] is False


def test_the_same_input_gives_the_same_page(tmp_path):
    assert written(tmp_path / "a")[2] == written(tmp_path / "b")[2]


def test_hostile_names_stay_text(tmp_path):
    plan = Plan.of({"company": {"name": "<script>alert(1)</script> $x_{1$"}})
    _, _, page = written(tmp_path, plan=plan)
    assert "<script" not in page


def test_up_and_down_have_the_same_sections(tmp_path):
    headings = []
    for side, size in (("up", 3.0), ("down", 0.3)):
        frames = company(n=2000)
        now = frames["deals"]["closed_at"] >= pd.Timestamp("2026-04-01", tz="UTC")
        amount = frames["deals"]["amount"].where(~now, frames["deals"]["amount"] * size)
        made, _, page = written(
            tmp_path / side, frames | {"deals": frames["deals"].assign(amount=amount)}
        )
        assert made.change.table.loc[0, "verdict"] == "moved"
        headings.append(re.findall("<h2>(.*?)</h2>", page))
    assert headings[0] == headings[1]


def test_words_are_found_whole_and_in_any_case():
    assert unfit_words("Because of Strong growth; a weakness") == ["because", "strong"]
    assert unfit_words("asked by Ada", people=["Ada"]) == ["Ada"]


# --- every number of the page, compared with the files that it links to ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A page with all its parts: smaller deals in the period, claims, actions, rejected rows."""
    frames = company(n=1200)
    deals = frames["deals"]
    now = deals["closed_at"] >= pd.Timestamp("2026-04-01", tz="UTC")
    deals = deals.assign(amount=deals["amount"].where(~now, deals["amount"] * 0.3))
    late = frames["leads"].assign(created_at=frames["leads"]["created_at"].astype("str"))
    late.loc[:2, "created_at"] = ""
    brought = pd.DataFrame(
        {"claim": ["Deals are smaller."], "said_by": "sales", "driver": "deal size",
         "direction": "down"}
    )  # fmt: skip
    agreed = pd.DataFrame(
        {"action": ["Call twice."], "owner": "head of sales", "due_on": "2026-04-15",
         "measure": "win rate", "expected": "+3 points", "decided_on": "2026-03-20"}
    )  # fmt: skip
    frames |= {"deals": deals, "leads": late, "claims": brought, "actions": agreed}
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        made, said, page = written(folder, frames)
    tables = {path.stem: pd.read_csv(path) for path in (folder / "results").glob("*.csv")}
    body = page[page.index("<body") :]
    return SimpleNamespace(folder=folder, made=made, said=said, page=body, tables=tables)


def part_of(page, heading):
    """HTML of the part under a heading, up to the next one."""
    return re.search(rf"<h2>{re.escape(heading)}</h2>(.*?)(?=<h2>|<footer|$)", page, re.DOTALL)[1]


def words_of(html):
    return " ".join(unescape(text_of(html)).replace("\u2060", "").split())


def test_each_figure_of_the_page_is_that_of_its_measure_and_period(published):
    say, table = published.made.say, published.tables["change"]
    listed = re.search(r'<dl class="figures">(.*?)</dl>', published.page, re.DOTALL)[1]
    shown = [re.findall(r"<d[td].*?>(.*?)</d[td]>", each) for each in listed.split("</div>")[:-1]]
    assert len(shown) == len(table) >= 5
    for (name, value, note, *also), row in zip(shown, table.to_dict("records"), strict=True):
        assert unescape(name) == figure_name(row["measure"])
        assert unescape(value) == figure_value(row["value"], row["unit"], say)
        change = change_cell(row, say)
        n, n_before = say.number(row["n_period"]), say.number(row["n_baseline"])
        assert unescape(note) == f"{change}; {n} / {n_before} {row['counted']}"
        year_ago = published.made.comparisons.row("year_ago", row["measure"])
        assert compared_cell(year_ago, say) in unescape(also[0])
        if goal := published.made.comparisons.row("target", row["measure"]):
            assert goal_cell(goal, say) in unescape(also[0])
    assert (table["value"] != table["baseline"]).any()
    assert (table["n_period"] != table["n_baseline"]).any()


def test_the_waterfall_of_the_page_draws_and_states_the_rows_of_the_bridge(published):
    say, change = published.made.say, published.tables["change"].iloc[0]
    rows = shown_totals(published.tables["why"]).to_dict("records")
    listed = re.search(r'<ol class="fall">(.*?)</ol>', published.page, re.DOTALL)[1]
    first, *lines, last = [line for line in listed.split("</li>") if line]
    marks = [
        {name: (float(left), float(left) + float(width))
         for name, left, width in re.findall(
             r'<i class="(\w+)" style="left:(.*?)%;width:(.*?)%"', line)}
        for line in (first, *lines, last)
    ]  # fmt: skip
    # both ends of the waterfall give the scale: money begins where the page's axis does
    before, after = marks[0]["bar"][1], marks[-1]["bar"][1]
    scale = (after - before) / (change["value"] - change["baseline"])

    def place(value):
        return before + scale * (value - change["baseline"])

    reached = change["baseline"]
    for row, line, drawn in zip(rows, lines, marks[1:-1], strict=True):
        ends = sorted((reached, reached + row["contribution"]))
        assert drawn["bar"][0] == pytest.approx(place(ends[0]), abs=0.05)
        assert drawn["bar"][1] == pytest.approx(
            max(place(ends[1]), drawn["bar"][0] + 0.3), abs=0.05
        )
        if "reach" in drawn:
            low, high = (place(reached + row[end]) for end in ("low", "high"))
            assert drawn["reach"][0] == pytest.approx(low, abs=0.05)
            assert drawn["reach"][1] == pytest.approx(max(high, low + 0.3), abs=0.05)
        reached += row["contribution"]
        amount, low, high = (
            say.short_money(row[name], sign=True).replace("\u2060", "")
            for name in ("contribution", "low", "high")
        )
        words = words_of(line)
        assert words.startswith(f"{capital(driver_label(row['driver'], say))} {amount}")
        assert words.split(" explains it")[0].count(row["verdict"]) == 1
        assert ("reach" in drawn) == (f"[{low} to {high}]" in words) == (row["low"] != row["high"])
    assert sum("reach" in drawn for drawn in marks) >= 4
    assert reached == pytest.approx(change["value"], abs=0.01)
    assert words_of(first).endswith(say.short_money(change["baseline"]))
    assert words_of(last).endswith(say.short_money(change["value"]))


def test_the_data_of_the_page_are_those_of_its_files(published):
    said, change = published.said, published.tables["change"].set_index("measure")
    both = published.made.data.comparison
    for name, column, span in (
        ("period", "value", both.period), ("baseline", "baseline", both.baseline),
    ):  # fmt: skip
        assert said[name] == {
            "start": span.start.isoformat(),
            "end": span.end.isoformat(),
            "value": pytest.approx(change.loc["bookings", column], abs=0.005),
            "wins": change.loc["wins", column],
        }
    assert change.loc["wins", "value"] != change.loc["wins", "baseline"]
    rows = published.tables["why"]
    assert len(said["bridge"]) == len(rows)
    for found, row in zip(said["bridge"], rows.to_dict("records"), strict=True):
        assert (found["driver"], found["verdict"]) == (row["driver"], row["verdict"])
        for name in ("contribution", "low", "high"):
            assert found[name] == pytest.approx(row[name], abs=0.005)
    for name, key in (("guards", "guard"), ("claims", "claim"), ("actions", "action")):
        saved = published.tables[name]["check" if name == "guards" else key]
        assert [each[key] for each in said[name]] == saved.drop_duplicates().tolist()


def test_each_part_of_the_page_links_to_its_own_files(published):
    page, folder = published.page, published.folder
    of_part = {
        text.BRIDGE_HEADING: "why",
        text.CHECKS_HEADING: "guards",
        text.CLAIMS_HEADING: "claims",
        text.AGREED_HEADING: "actions",
        text.PROPOSED_HEADING: "proposals",
    }
    parts = {name: part_of(page, heading) for heading, name in of_part.items()}
    parts["change"] = page[: page.index(f"<h2>{text.BRIDGE_HEADING}")]
    for name, part in parts.items():
        links = re.findall(r'href="((?:results|rows)/.*?)"', part)
        assert links == [f"results/{name}.csv", f"rows/{name}.csv"]
        assert all((folder / link).is_file() for link in links)
        assert all(f">{link}</a>" in part for link in links)


def test_rejected_rows_are_counted_by_table_with_a_link_to_each(published):
    counts = published.made.data.counts.set_index("table")
    lost = counts[counts["rows_rejected"] > 0]
    broken = lost["rows_rejected"] - lost["rows_after_as_of"]
    assert broken.to_dict() == {"leads": 3, "deals": 0}
    part = part_of(published.page, text.RECORDS_HEADING)
    for table, row in lost.iterrows():
        later = f" ({row['rows_after_as_of']} dated later)"
        n = f"{row['rows_rejected']:,} of {row['rows_in']:,} rows{later}"
        assert f'{n} of <a href="rejects/{table}.csv">{table}</a>' in part


def test_excluded_rows_are_counted_beside_rejected_ones():
    leads = pd.DataFrame({"lead_id": ["L-1", "T-1", "L-2"], "created_at": "2026-05-05"})
    plan = {"records": {"exclude": {"leads": "lead_id like 'T-%'"}}}
    brief = SimpleNamespace(data=Tables.of(leads=leads, plan=plan), say=Say())
    assert text.rejected_rows(brief) == [("1 of 3 rows (1 excluded by the plan)", "leads")]


def test_every_caveat_of_the_change_and_of_the_bridge_is_on_the_page(published):
    caveats = [*published.made.change.caveats, *published.made.evidence.why.caveats]
    assert published.made.evidence.why.caveats
    words = words_of(published.page)
    assert [each for each in caveats if words_of(each) not in words] == []


@pytest.mark.parametrize("page_name", PAGES)
def test_a_card_shows_a_figure_of_its_own_notebook(tmp_path, page_name):
    (tmp_path / "results").mkdir()
    of_page = {}
    for entry in QUESTIONS:
        for name in entry.figures:
            of_page.setdefault(entry.page, []).append(name)
            about = json.dumps({"headline": f"About {name}."})
            (tmp_path / "results" / f"{name}.json").write_text(about)
    run = SimpleNamespace(name=page_name, title="Which?", state="ok", says="")
    card = facts._card(run, tmp_path, "bookings")
    own = of_page[page_name]
    first = page_name if page_name in own else own[0]
    assert card.message == f"About {first}."
