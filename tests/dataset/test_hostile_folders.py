"""Odd folders through the command line: a clear error or a sentence on a page, never a traceback.

What each function answers on such rows has tests of its own; here a user's commands are run.
"""

import functools
import html
import importlib
import re

import numpy as np
import pandas as pd
import pytest

from funnel.cli import DONE, STOPPED, main
from funnel.dataset import Tables
from funnel.methods.bridge.expected_calendar import ExpectedCalendar
from funnel.questions.why import why
from funnel.report.brief import facts
from funnel.report.brief import text as brief_text

PLAN = """
[promise]
A = "1d"
feedback = "7d"

[definition]
marketing = "score >= 40"
sales = "employees >= 50"
agreed = "score >= 50 and employees >= 50"
agreed_on = 2026-01-15
"""
START = pd.Timestamp("2025-07-01T09:00:00Z")


def days(n):
    return pd.to_timedelta(n, unit="D")


def company(n=360, seed=1):
    """A year of leads, one a day, of which each tenth is won a month later."""
    random = np.random.default_rng(seed)
    created = START + days(range(n))
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(n)],
            "created_at": created,
            "channel": random.choice(["web", "event"], n),
            "score": random.integers(0, 100, n),
            "employees": random.integers(1, 200, n),
            "grade": random.choice(list("ABCD"), n),
        }
    )
    moves = [
        pd.DataFrame(
            {"lead_id": leads["lead_id"], "stage": stage, "entered_at": created + days(at)}
        )
        for at, stage in ((1, "mql"), (3, "sal"), (9, "sql"))
    ]
    deals = leads.loc[::10, ["lead_id"]].assign(
        deal_id=[f"D{i}" for i in range(len(leads[::10]))],
        created_at=created[::10] + days(12),
        closed_at=created[::10] + days(30),
        outcome=np.where(np.arange(len(leads[::10])) % 3, "won", "lost"),
        amount=random.lognormal(9, 0.5, len(leads[::10])).round(2),
    )
    activities = leads[["lead_id"]].assign(occurred_at=created + days(2), kind="call")
    frames = {"leads": leads, "deals": deals, "activities": activities}
    return frames | {"stage_changes": pd.concat(moves, ignore_index=True)}


def write(folder, frames, plan=PLAN):
    folder.mkdir()
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    (folder / "funnel.toml").write_text(plan)
    return folder


def with_more(frames, table, rows):
    return frames | {table: pd.concat([frames[table], pd.DataFrame(rows)], ignore_index=True)}


def oddities():
    """Cycles, moves before creation, stages and grades nobody knows, a lead of 10,000 calls."""
    frames = company()
    leads = frames["leads"]
    order = ["sal", "mql", "recycled", "mql", "sal", "mql"]
    moves = [
        {"lead_id": lead, "stage": stage, "entered_at": START + days(250 + k)}
        for lead in leads["lead_id"][:60]
        for k, stage in enumerate(order)
    ]
    moves += [
        {"lead_id": lead, "stage": "sql", "entered_at": START - days(40)}
        for lead in leads["lead_id"][100:130]
    ]
    moves += [
        {"lead_id": "L5", "stage": "dreaming", "entered_at": START + days(90)} for _ in range(9)
    ]
    frames = with_more(frames, "stage_changes", moves)
    calls = [
        {"lead_id": "L340", "occurred_at": START + days(341 + k / 2000), "kind": "call"}
        for k in range(10_000)
    ]
    frames = with_more(frames, "activities", calls)
    grade = leads["grade"].where(leads.index % 30 > 0, "E")
    return frames | {"leads": leads.assign(grade=grade)}


BAD_PLAN = PLAN.replace('"score >= 40"', '"score >=> 40"').replace(
    '"employees >= 50"', '"empoyees >= 50"', 1
)


def text_of(page, without="style|head|details"):
    body = re.sub(rf"<({without}).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_check_lists_unknown_stages_and_grades(tmp_path, capsys):
    status = main(["check", str(write(tmp_path / "odd", oddities(), BAD_PLAN))])
    text = " ".join(capsys.readouterr().out.split())
    assert status == DONE
    assert "`stage` is no stage of the plan: 'dreaming' 9" in text
    assert "12 rows of leads have a `grade` other than A, B, C, D" in text
    assert "30 rows of stage_changes lie before the lead was created" in text


def test_pages_of_such_a_company_name_what_is_inconclusive(tmp_path, capsys):
    folder = write(tmp_path / "odd", oddities(), BAD_PLAN)
    out = tmp_path / "reports"
    names = "conversion,definition,handoff"
    status = main(["report", str(folder), "--out", str(out), "--notebooks", names])
    text = capsys.readouterr()
    assert status == DONE, text.err
    pages = {
        name: text_of((out / "latest" / f"{name}.html").read_text(encoding="utf-8"))
        for name in names.split(",")
    }
    assert not any("Traceback" in page for page in (*pages.values(), text.out, text.err))
    assert "marketing cannot be read" in pages["definition"]
    assert re.search(r"names empoyees ?, which leads do not have", pages["definition"])
    assert "30 leads have a stage dated before their creation" in pages["conversion"]
    assert "handed over as agreed" in pages["handoff"]
    front = text_of((out / "latest" / "index.html").read_text(encoding="utf-8"), "style|head")
    # the card of the hand-off has a figure of each team
    assert "Sales SLA" in front
    assert "Marketing SLA" in front
    # a lead counts once, however often it was called
    assert re.search(r"Median time from hand-off to first sales action: [\d.]+ ", pages["handoff"])


def all_open(frames):
    return frames | {"deals": frames["deals"].assign(outcome="open", closed_at=None)}


def refunds(frames):
    return frames | {"deals": frames["deals"].assign(amount=-frames["deals"]["amount"])}


def currencies(frames):
    deals = frames["deals"]
    return frames | {"deals": deals.assign(currency=np.where(deals.index % 20, "USD", "EUR"))}


ODD = {
    "no row in the period": (
        lambda frames: frames,
        ["--period", "2024Q2"],
        "are unknown: won deals are recorded from",
    ),
    "one segment": (
        lambda frames: frames | {"leads": frames["leads"].assign(channel="web")},
        [],
        "did not move|inconclusive",
    ),
    "all open": (all_open, [], "are unknown: there are no won deals"),
    "refunds": (refunds, [], "to -€"),
    "two currencies": (currencies, [], "deals name currencies without a rate"),
    "in the middle": (
        lambda frames: frames,
        ["--as-of", "2026-05-20"],
        "compared with the first 50 days of the comparison period",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_the_first_page_is_made_and_names_the_problem(
    name, tmp_path, capsys, monkeypatch, stub_notebooks
):
    monkeypatch.setattr(facts, "why", functools.partial(why, draws=8))
    for module in ("funnel.methods.bridge.bridge", "funnel.questions.why.checks"):
        monkeypatch.setattr(
            importlib.import_module(module), "expected_calendar", lambda data: ExpectedCalendar()
        )
    odd, options, says = ODD[name]
    folder = write(tmp_path / "odd", odd(company()))
    out = tmp_path / "reports"
    status = main(["report", str(folder), "--out", str(out), *options])
    text = capsys.readouterr()
    assert status == DONE, text.err
    page = text_of((out / "latest" / "index.html").read_text(encoding="utf-8"), "style|head")
    assert re.search(says, page.replace("\u2060", "")), page
    assert "Traceback" not in page + text.err
    screen = page.partition(brief_text.FIGURES_HEADING)[0]
    assert bool(re.search(r"Bookings \S*€", screen)) == ("are unknown: " not in page), screen
    assert brief_text.OPEN_HEADING in page
    assert brief_text.QUESTIONS_HEADING in page


def test_an_empty_company_stops_with_one_paragraph(tmp_path, capsys):
    frames = {name: frame.iloc[:0] for name, frame in company().items()}
    status = main(["report", str(write(tmp_path / "none", frames)), "--out", str(tmp_path / "r")])
    text = capsys.readouterr().err
    assert status == STOPPED
    assert "hold no row that can be used" in " ".join(text.split())
    assert "Traceback" not in text


def test_a_lead_that_came_after_the_period_breaks_nothing():
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-07-01"]})
    assert "no change to explain" in why(Tables.of(leads=leads, as_of="2026-07-01")).headline
