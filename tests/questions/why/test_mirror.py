"""The same loss before and after the hand-off: the same page, only the nouns swap."""

import json
import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from funnel.dataset import Tables
from funnel.methods.bridge.text import driver_clause, driver_label
from funnel.questions.why import why
from funnel.questions.why.actions import proposals
from funnel.questions.why.claims import claims
from funnel.questions.why.findings import CHECKS, Finding, drivers_touched, findings_table
from funnel.questions.why.open_questions import needed_to_settle, questions_about, unmoved
from funnel.questions.why.text import question_sentence, settle_sentence, unmoved_sentence
from funnel.questions.why.verdicts import gated
from funnel.report import brief
from funnel.report.brief.screen.text import ASK_HEADING
from funnel.report.brief.text import QUESTIONS_HEADING
from funnel.results import Result, Say, text, write_result
from funnel.results.neutral_words import unfit_words

BEFORE, AFTER = "lead to mql", "sql to opportunity"
STAGES = ("lead", "mql", "sal", "sql", "opportunity", "won")
DRIVERS = [
    "calendar", "lead volume", "mix", "lead to mql", "mql to sal", "sal to sql",
    "sql to opportunity", "opportunity to won", "timing", "deal size", "residual",
]  # fmt: skip
LOSSES = {
    "moved": (-900.0, -1400.0, -400.0),
    "did not move": (-20.0, -90.0, 60.0),
    "cannot tell": (-300.0, -900.0, 250.0),
}
NO, YES, OPEN = "not supported", "supported", "cannot tell"
EXPECTED = {
    "moved": {"down": YES, "up": NO, "same": NO},
    "did not move": {"down": NO, "up": NO, "same": YES},
    "cannot tell": {"down": OPEN, "up": OPEN, "same": OPEN},
}
# words of the two steps, as records and as pages write them: "leads qualified by marketing"
NOUNS = {"lead", "mql", "sql", "opportunity", "sales", "marketing", "to"}
NOUNS |= {"Leads", "leads", "qualified", "by", "turned", "into", "opportunities"}
NOUNS |= {"accepted", "Before", "After", "Sales", "Marketing"}


def planted(driver, verdict):
    """A bridge in which one driver takes, and all others stay."""
    rows = [
        {"driver": name, "segment": segment, "contribution": 0.0, "low": -50.0, "high": 50.0,
         "verdict": "cannot tell" if name == "residual" else "did not move",
         "smallest_detectable": 80.0}
        for segment in (None, "web", "email")
        for name in DRIVERS
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    at = (table["driver"] == driver) & table["segment"].isna()
    value, low, high = LOSSES[verdict]
    table.loc[at, ["contribution", "low", "high"]] = [value, low, high]
    table.loc[at, "verdict"] = verdict
    half = (table["driver"] == driver) & table["segment"].notna()
    table.loc[half, ["contribution", "low", "high"]] = [value / 2, low, high]
    return table


def passed_checks():
    kinds = {"data": "tests", "definition": "tests", "maturity": "recent leads", "mix": "mix"}
    kinds |= {"calendar": "no leads", "noise": "inconclusive drivers"}
    return findings_table(
        Finding(check=name, state="passed", kind=kinds[name], subject="channel", change=0.0,
                low=-5.0, high=5.0, unit="money", days=30.0)
        for name in CHECKS
    )  # fmt: skip


NOTHING_TOUCHED = drivers_touched(passed_checks())


def gated_table(driver, verdict):
    """The planted bridge after checks without a finding."""
    table = planted(driver, verdict)
    sure = {"moved": 1e-6}
    tests = table[["driver", "segment"]].assign(p_combined=table["verdict"].map(sure).fillna(0.5))
    return gated(table, tests, NOTHING_TOUCHED, 0.1)


def company(driver, side, more=True):
    """Leads of which every other one is lost at a driver's step; if `more`, more in the period."""
    n = 120
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i:03}" for i in range(n)],
            "created_at": pd.date_range("2026-01-01", "2026-06-25", periods=n),
        }
    )
    in_period = leads["created_at"] >= "2026-04-01"
    lost = (leads.index % 2 == 1) | (more & in_period & (leads.index % 4 == 0))
    first = driver.split(" to ")[0]
    entered = []
    for stage in STAGES[1:5]:
        here = leads[~lost | (STAGES.index(stage) <= STAGES.index(first))]
        entered.append(here.assign(stage=stage))
    entered.append(leads[lost].assign(stage="rejected"))
    changes = pd.concat(entered).rename(columns={"created_at": "entered_at"})
    won = leads[~lost]
    deals = pd.DataFrame(
        {
            "deal_id": won["lead_id"].str.replace("L", "D"),
            "lead_id": won["lead_id"],
            "created_at": won["created_at"],
            "closed_at": won["created_at"],
            "outcome": "won",
            "amount": 100.0,
        }
    )
    brought = {
        "claim": [f"It is the {driver} that takes."] * 3,
        "said_by": side,
        "driver": driver,
        "direction": ["down", "up", "same"],
    }
    return Tables.of(
        as_of="2026-06-30",
        leads=leads,
        stage_changes=changes,
        deals=deals,
        claims=pd.DataFrame(brought),
    )


def without_nouns(text):
    """Count the words that are no stage's and no side's name."""
    found = re.findall(r"[^\s]+", text)
    return Counter(word for word in found if re.sub(r"\W", "", word) not in NOUNS)


@pytest.mark.parametrize("verdict", LOSSES)
def test_claims_questions_and_proposals_swap_their_nouns_only(verdict):
    both, say = [], Say()
    for driver, side in ((BEFORE, "sales"), (AFTER, "marketing")):
        data = company(driver, side, more=verdict == "moved")
        table = gated_table(driver, verdict)
        made = claims(data, table)
        found = dict(zip(made.table["direction"], made.table["verdict"], strict=True))
        assert found == EXPECTED[verdict]
        questions = questions_about(table)
        assert questions["side"].value_counts().to_dict() == (
            {"sales": 1, "marketing": 1} if verdict == "cannot tell" else {}
        )
        proposed = proposals(data, table)
        assert proposed.table["owner"].tolist() == (
            ["head of sales", "head of marketing"] if verdict == "moved" else []
        )
        needed = needed_to_settle(table, data, (30, 30), 3000.0)
        both.append(
            {
                "claims": made.shown().drop(columns="claim").to_dict("records"),
                "questions": [question_sentence(row, say) for row in questions.to_dict("records")],
                "proposed": proposed.shown().drop(columns="owner").to_dict("records"),
                "unmoved": sorted(unmoved_sentence(row, "money", say) for row in unmoved(table)),
                "settled": [settle_sentence(each, "money", say) for each in needed],
                "rank": table["rank"].dropna().tolist(),
            }
        )
    before, after = both
    for part in ("questions", "proposed", "settled", "unmoved", "claims"):
        texts = [json.dumps(each[part], ensure_ascii=False) for each in both]
        assert without_nouns(texts[0]) == without_nouns(texts[1]), part
        assert texts[0].count(".") == texts[1].count(".")
    assert before["rank"] == after["rank"]


class Planted(Result):
    """A planted table, saved as a notebook would."""


@text.headline(Planted)
def planted_headline(result, say):
    return "Planted."


def save_planted(folder, driver):
    """Save a planted bridge as a notebook would."""
    table = gated_table(driver, "moved")
    folder.mkdir()
    day = pd.Timestamp("2026-06-30").date()
    write_result(Planted(table=table, as_of=day), "why", folder)
    write_result(Planted(table=passed_checks(), as_of=day), "guards", folder)


WHY = SimpleNamespace(name="why", title="What changed?", state="failed", says="It stopped.")


def text_of(html):
    body = re.sub(r"<(style|head).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_whole_page_swaps_its_nouns_only(tmp_path):
    pages, sentences = [], []
    for name, driver, side in (("a", BEFORE, "sales"), ("b", AFTER, "marketing")):
        save_planted(tmp_path / name, driver)
        made = brief.write(company(driver, side), tmp_path / name, [WHY])
        assert made.evidence.stopped == {}
        html = (tmp_path / name / "index.html").read_text(encoding="utf-8")
        # a lead that is lost later has passed more stages, so the tables have more rows
        words, n_blanked = re.subn(r"All [\d,]+ rows", "All rows", text_of(html))
        assert n_blanked == 1
        pages.append(words)
        sentences.append(len(re.findall(r"[.?](?= [A-Z]|$)", words)))
    before, after = pages
    assert before != after
    assert sentences[0] == sentences[1]
    assert without_nouns(before) == without_nouns(after)


# --- the same on companies that are generated, from their rows to the page ---

PERIOD_START = np.datetime64("2026-04-01")


def generated(seed, driver, side, lost):
    """A company of five steps alike, of which one loses a share more from the period's start on.

    Companies of one seed hold the same leads, the same luck and the same waits: but those of the
    two steps in question change places, so that what is lost early in one is lost late in the
    other.
    """
    n = 6000
    random = np.random.default_rng(seed)
    days = pd.to_timedelta(np.sort(random.uniform(0, 911, n)), unit="D")
    created = (pd.Timestamp("2024-01-01") + days).as_unit("us")
    luck, waits = random.random((n, 5)), random.exponential(1.5, (n, 5))
    amount = np.round(1000 * np.exp(0.2 * random.standard_normal(n)))
    channel, is_hit = random.choice(["web", "email", "event"], n), random.random(n) < lost
    if driver == AFTER:
        luck, waits = luck[:, [3, 1, 2, 0, 4]], waits[:, [3, 1, 2, 0, 4]]
    seconds = (np.cumsum(waits, axis=1) * 86_400).astype("timedelta64[s]")
    at = created.to_numpy()[:, None] + seconds
    goes_on = luck < 0.7
    step = STAGES.index(driver.split(" to ")[0])
    goes_on[:, step] &= ~(is_hit & (at[:, step] >= PERIOD_START))
    is_seen = at <= np.datetime64("2026-06-30T20:00")
    here, entered = np.ones(n, bool), []
    lead_id = np.array([f"L{i:04}" for i in range(n)])
    for place, stage in enumerate(STAGES[1:]):
        passed = here & goes_on[:, place] & is_seen[:, place]
        left = here & ~goes_on[:, place] & is_seen[:, place]
        if stage in STAGES[1:4]:
            entered.append((lead_id[passed], at[passed, place], stage))
        if stage != "won":
            entered.append((lead_id[left], at[left, place], "rejected"))
            opened, here = passed, passed
    outcome = np.select([passed, left], ["won", "lost"], "open")
    deals = pd.DataFrame(
        {
            "deal_id": np.char.replace(lead_id, "L", "D"),
            "lead_id": lead_id,
            "created_at": at[:, 3],
            "closed_at": np.where(outcome == "open", np.datetime64("NaT"), at[:, 4]),
            "outcome": outcome,
            "amount": np.where(outcome == "open", np.nan, amount),
        }
    )[opened]
    columns = ["lead_id", "entered_at", "stage"]
    changes = pd.concat([pd.DataFrame(dict(zip(columns, each, strict=True))) for each in entered])
    brought = {
        "claim": [f"It is the {driver} that takes."] * 3,
        "said_by": side,
        "driver": driver,
        "direction": ["down", "up", "same"],
    }
    return Tables.of(
        as_of="2026-06-30",
        leads=pd.DataFrame({"lead_id": lead_id, "created_at": created, "channel": channel}),
        stage_changes=changes,
        deals=deals,
        claims=pd.DataFrame(brought),
    )


def without_chance(html, driver):
    """Items of the first page as words that are no number and no noun of a side, each counted.

    Items that name another driver are dropped, and so are the questions to ask, of which the places
    that no driver takes go to the records: the other drivers have their own chance, and one more or
    one less of them is inconclusive. What is left reads alike on either side.
    """
    names = [name for name in DRIVERS if name not in (driver, "calendar", "mix")]
    others = [part for name in names for part in words_for(name)]
    # a step's leads are named by the step before, which is another driver
    html = re.sub(r"Read twenty .*? that left", "Read twenty that left", html)
    html = re.sub(r"(\d and [\d,]+) (?:leads|opportunities) [^;)]*", r"\1 leads", html)
    for heading in (ASK_HEADING, QUESTIONS_HEADING):
        html = re.sub(f"<h2>{heading}.*?(?=<h2>)", "", html, flags=re.DOTALL)
    first, compared, more, answer, rest = re.split(r'<p class="answer">(.*?)</p>', html, maxsplit=2)
    parts = [first, compared, more, *re.split(r"(?<=[.]) (?=[A-Z])", answer)]
    items = [text_of(part) for part in [*parts, *re.split(r"</(?:li|p|dd|h\d)>", rest)]]
    about = [item for item in items if not any(name in item for name in others)]
    blanked = (re.sub(r"\S*\d\S*|\b(?:web|email|event)\b", "#", item) for item in about)
    words = Counter(" ".join(sorted(without_nouns(each).elements())) for each in blanked)
    own = words_for(driver)
    return words, sum(any(name in item for name in own) for item in about)


def words_for(driver):
    """Names of a driver, and the beginnings of its sentences."""
    say = Say()
    clauses = [
        driver_clause({"driver": driver, "contribution": sign}, say).capitalize()
        for sign in (-1, 1)
    ]
    label = driver_label(driver, say)
    return [driver, label, label.capitalize(), *(f"{clause}:" for clause in clauses)]


@pytest.mark.parametrize("seed", [11, 14])
def test_a_generated_loss_reads_alike_on_either_side(seed, tmp_path):
    seen, pages = [], []
    for driver, side in ((BEFORE, "sales"), (AFTER, "marketing")):
        data = generated(seed, driver, side, lost=0.5)
        result = why(data, draws=20)
        folder = tmp_path / side
        folder.mkdir()
        write_result(result, "why", folder)
        write_result(result.guards(), "guards", folder)
        brief.write(data, folder, [WHY])
        html = (folder / "index.html").read_text(encoding="utf-8")
        asked = json.loads((folder / "brief.json").read_text(encoding="utf-8"))["questions"]
        row = result.totals.set_index("driver").loc[driver]
        words, n_about = without_chance(html, driver)
        pages.append(words)
        seen.append(
            {
                "first": result.named[0] == driver,
                "verdict": row["verdict"],
                "rank": row["rank"],
                "claims": result.claims().table["verdict"].tolist(),
                "items of it": n_about,
                "asked": {team: len(asks) for team, asks in asked.items()},
                "unfit": unfit_words(text_of(html)),
            }
        )
    assert seen[0] == seen[1]
    assert seen[0]["first"]
    assert seen[0]["verdict"] == "moved"
    assert seen[0]["claims"] == ["supported", "not supported", "not supported"]
    assert seen[0]["items of it"] >= 6  # the answer, the bridge, three claims, the proposal
    assert pages[0] == pages[1]


def test_a_smaller_loss_is_named_alike_on_either_side():
    for driver, side in ((BEFORE, "sales"), (AFTER, "marketing")):
        result = why(generated(12, driver, side, lost=0.25), draws=40)
        assert result.named[0] == driver
