"""Claims, actions and proposals: by hand, and one rule whoever says it."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.why.actions import _usual, actions, expected_of, proposals
from funnel.questions.why.claims import claims, verdict_of
from funnel.questions.why.measures import Measured, Measures
from funnel.questions.why.open_questions import (
    inconclusive,
    needed_to_settle,
    questions_about,
    unmoved,
)
from funnel.questions.why.text import (
    action_sentence,
    claim_evidence,
    question_sentence,
    settle_sentence,
)
from funnel.questions.why.time_in_stage import Visits, share_by_age, time_by_age
from funnel.results import Say
from funnel.results.neutral_words import unfit_words

SAY = Say()
LEADS = pd.DataFrame({"lead_id": ["L1"], "created_at": ["2026-05-05"]})
OPPOSITE = {"down": "up", "up": "down"}


def row(driver="timing", segment=None, value=-40.0, low=-70.0, high=-10.0, verdict="moved", by=""):
    return {
        "driver": driver, "segment": segment, "contribution": value, "low": low, "high": high,
        "verdict": verdict, "smallest_detectable": 50.0, "explained_by": by,
    }  # fmt: skip


def bridge_of(*rows):
    return pd.DataFrame(rows or [row()]).iloc[: None if rows else 0]


def evidence(found):
    """The sentences of both sides, as a page writes them from a row of the table."""
    return claim_evidence(found, SAY)


def compared(claim, *rows):
    brought = {"claim": "It is so.", "said_by": "sales", "driver": "timing", "direction": "down"}
    data = Tables.of(as_of="2026-06-30", leads=LEADS, claims=pd.DataFrame([brought | claim]))
    return claims(data, bridge_of(*rows)).table.iloc[0]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["supported", "not supported", "not supported"]),
        ({"value": 40.0}, ["not supported", "supported", "not supported"]),
        ({"verdict": "did not move"}, ["not supported", "not supported", "supported"]),
        ({"verdict": "cannot tell"}, ["cannot tell"] * 3),
        ({"by": "data"}, ["cannot tell"] * 3),
        ({"driver": "calendar", "by": "calendar"}, ["supported", "not supported", "not supported"]),
        ({"driver": "residual"}, ["cannot tell"] * 3),
    ],
)
def test_verdicts_on_claims_by_hand(changed, expected):
    assert [
        verdict_of(direction, row(**changed)) for direction in ("down", "up", "same")
    ] == expected


ENDS = {"moved": (0.2, 0.4), "did not move": (-0.05, 0.05), "cannot tell": (-0.4, 0.5)}


def own(verdict="moved", sign=1, direction=1):
    """A figure with a verdict and a direction, seen from the period's value."""
    low, high = (sign * direction * end for end in ENDS[verdict])
    return Measured(
        "mql to sal", "rate", "leads", 0.5, 0.5, (low + high) / 2, min(low, high), max(low, high),
        (9, 9), direction=direction,
    )  # fmt: skip


@given(
    value=st.floats(-1e6, 1e6),
    verdict=st.sampled_from(["moved", "did not move", "cannot tell"]),
    by=st.sampled_from(["", "data", "definition"]),
    claimed=st.sampled_from(["down", "up"]),
    own_verdict=st.sampled_from([None, *ENDS]),
    direction_sign=st.sampled_from([1, -1]),
)
def test_turning_the_claim_and_the_figures_round_changes_no_verdict(
    value, verdict, by, claimed, own_verdict, direction_sign
):
    one, other = (
        verdict_of(
            direction,
            row(value=sign * value, verdict=verdict, by=by),
            own(own_verdict, sign, direction_sign) if own_verdict else None,
        )
        for direction, sign in ((claimed, 1), (OPPOSITE[claimed], -1))
    )
    assert one == other


@pytest.mark.parametrize(
    ("verdict", "sign", "expected"),
    [
        ("moved", -1, ["supported", "not supported", "not supported"]),
        ("moved", 1, ["not supported", "supported", "not supported"]),
        ("did not move", 1, ["not supported", "not supported", "supported"]),
    ],
)
@pytest.mark.parametrize("direction_sign", [1, -1])
@pytest.mark.parametrize("part", ["moved", "did not move", "cannot tell"])
def test_the_figure_decides_first_whatever_its_contribution(
    part, direction_sign, verdict, sign, expected
):
    measure = own(verdict, sign, direction_sign)
    found = [verdict_of(each, row(verdict=part), measure) for each in ("down", "up", "same")]
    assert found == expected
    assert verdict_of("down", row(verdict=part), measure, check="definition") == "cannot tell"


@pytest.mark.parametrize("part", ["moved", "did not move", "cannot tell"])
def test_where_the_figure_is_inconclusive_the_contribution_decides(part):
    for direction in ("down", "up", "same"):
        with_it = verdict_of(direction, row(verdict=part), own("cannot tell"))
        assert with_it == verdict_of(direction, row(verdict=part))


@pytest.mark.parametrize("said_by", ["sales", "marketing"])
@pytest.mark.parametrize("direction", ["down", "up", "same"])
@pytest.mark.parametrize("driver", ["timing", " Timing ", "weather", "mix"])
def test_both_cells_are_filled_and_neutral(driver, direction, said_by):
    claim = {"driver": driver, "direction": direction, "said_by": said_by}
    found = compared(claim, row(), row("timing", "web"), row("timing", "email", 5.0, -1.0, 9.0))
    cells = evidence(found)
    for cell in cells.values():
        assert cell.endswith(".")
        assert unfit_words(cell) == []
    if "iming" not in driver:
        assert found["verdict"] == "cannot tell"
        assert "timing" in cells["for"]


def test_an_unknown_segment_names_the_known_ones():
    found = compared({"segment": "fax"}, row(), row(segment="web"))
    assert found["verdict"] == "cannot tell"
    assert "'fax'" in evidence(found)["for"] and "web" in evidence(found)["against"]


def test_without_a_bridge_claims_are_open():
    assert compared({})["verdict"] == "cannot tell"


# --- the driver's own measure ---

START = pd.Timestamp("2026-01-01", tz="UTC")


def leads_of(before, after, table="leads", **columns):
    """As many leads in the first and in the second quarter, evenly through each."""
    days = [
        *pd.date_range("2026-01-01", "2026-03-31", periods=before),
        *pd.date_range("2026-04-01", "2026-06-30", periods=after),
    ]
    return pd.DataFrame(
        {"lead_id": [f"L{i:04}" for i in range(len(days))], "created_at": days} | columns
    )


def test_fewer_leads_are_fewer_leads_though_their_contribution_is_inconclusive():
    brought = {"claim": ["Fewer.", "As many."], "said_by": ["sales", "marketing"],
               "driver": "lead volume", "direction": ["down", "same"]}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", leads=leads_of(500, 300), claims=pd.DataFrame(brought))
    part = row("lead volume", value=2.0, low=-90.0, high=95.0, verdict="cannot tell")
    found = claims(data, bridge_of(part))
    assert found.table["verdict"].tolist() == ["not supported", "supported"]
    first = found.table.iloc[1]
    cells = evidence(first)
    assert "Leads 300 compared with 500: -40% [" in cells["for"]
    assert "Its contribution +€2 [-€90 to +€95] (cannot tell)" in cells["against"]
    assert first[["value", "baseline", "n_period", "n_baseline"]].tolist() == [300, 500, 300, 500]
    assert first[["contribution", "contribution_low", "contribution_high"]].tolist() == [2, -90, 95]
    assert found.rows.groupby("figure").size().tolist() == [500, 300, 500, 300]
    for place, label in ((0, "2026Q2"), (300, "2026Q1")):
        assert label in found.rows["figure"].iloc[place]


def test_a_figure_that_a_check_explains_decides_nothing():
    brought = {"claim": ["Fewer."], "said_by": ["sales"], "driver": ["lead volume"],
               "direction": ["down"]}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", leads=leads_of(500, 300), claims=pd.DataFrame(brought))
    part = row("lead volume", value=2.0, low=-90.0, high=95.0, verdict="cannot tell")
    for direction, most, verdict in (
        ("up", math.inf, "supported"), ("either", math.inf, "cannot tell"),
        ("either", 1.0, "supported"),  # it explains less than the contribution
    ):  # fmt: skip
        touched = pd.DataFrame(
            [("data", "mix", "up", math.inf), ("data", "lead volume", direction, most)],
            columns=["check", "driver", "direction", "at_most"],
        )
        found = claims(data, bridge_of(part), touched).table.iloc[0]
        assert found["verdict"] == verdict
        explained = "the check data explains it" in evidence(found)["against"]
        assert explained is (verdict == "cannot tell")


def test_without_a_bridge_the_figures_still_decide():
    brought = {"claim": ["Fewer.", "Slower."], "said_by": ["sales"] * 2, "direction": ["down"] * 2,
               "driver": ["Leads", "timing"]}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", leads=leads_of(500, 300), claims=pd.DataFrame(brought))
    found = claims(data, bridge_of()).table
    assert found["verdict"].tolist() == ["supported", "cannot tell"]
    assert evidence(found.iloc[0])["against"] == "Its contribution has no interval."
    assert found["gap"].tolist()[1] == "no bridge"
    assert "is not explained by drivers" in evidence(found.iloc[1])["for"]


def test_contributions_and_verdicts_of_two_claims_are_not_swapped():
    """Every number of a sentence comes from its own row."""
    brought = {"claim": ["Mix.", "Time."], "said_by": ["sales", "marketing"],
               "driver": ["mix", "timing"], "direction": "down"}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", leads=LEADS, claims=pd.DataFrame(brought))
    parts = [row("mix", value=-31.0, low=-41.0, high=-21.0),
             row("timing", value=-77.0, low=-99.0, high=5.0, verdict="cannot tell")]  # fmt: skip
    shown = claims(data, bridge_of(*parts)).shown()
    assert shown["verdict"].tolist() == ["supported", "cannot tell"]
    assert shown["for"].tolist() == [
        "Its contribution -€31 [-€41 to -€21] (moved).",
        "Its contribution -€77 [-€99 to +€5] (cannot tell).",
    ]


def steps(before, after, days=2, n=400):
    """Leads of which a share becomes mql after some days; the others are rejected then."""
    leads = leads_of(n, n)
    share = np.where(leads["created_at"] < "2026-04-01", before, after)
    place = leads.index.to_numpy()
    advances = np.floor((place + 1) * share) > np.floor(place * share)
    stage = np.where(advances, "mql", "rejected")
    entered = leads["created_at"] + pd.Timedelta(days=days)
    return leads, pd.DataFrame({"lead_id": leads["lead_id"], "stage": stage, "entered_at": entered})


@pytest.mark.parametrize(
    ("after", "verdict"), [(0.3, "moved"), (0.5, "did not move"), (0.46, "cannot tell")]
)
def test_a_step_is_measured_at_equal_age(after, verdict):
    leads, changes = steps(0.5, after, n=2000 if verdict == "did not move" else 400)
    data = Tables.of(as_of="2026-06-30", leads=leads, stage_changes=changes)
    found = Measures(data).driver("lead to mql")
    # leads of the last days, which have not had the time, are no failure
    assert found.value == pytest.approx(after, abs=0.01)
    assert found.baseline == pytest.approx(0.5, abs=0.01)
    assert found.verdict == verdict
    assert (found.measure, found.age_days) == ("lead to mql", 2)


def test_a_wave_of_recent_leads_is_no_fall_of_a_rate():
    """Twice as many leads in the last week, most of whom have not had their time yet."""
    leads, changes = steps(0.5, 0.5, days=21)
    wave = leads_of(0, 200).assign(
        created_at=pd.date_range("2026-06-24", "2026-06-30", periods=200)
    )
    wave["lead_id"] = wave["lead_id"].str.replace("L", "W")
    data = Tables.of(
        as_of="2026-06-30", leads=pd.concat([leads, wave], ignore_index=True), stage_changes=changes
    )
    found = Measures(data).driver("lead to mql")
    assert found.value == pytest.approx(0.5, abs=0.03)
    assert found.verdict != "moved"


def deals_of(days_before, days_after, n=600):
    created = pd.Series(pd.date_range("2025-10-01", "2026-06-28", periods=n, tz="UTC"))
    place = np.arange(n)
    days = np.where(created < "2026-04-01", days_before, days_after) * (0.5 + place % 7 / 7)
    closed = created + pd.to_timedelta(days, unit="D")
    ended = closed < "2026-07-01"
    outcome = np.where(ended, np.where(place % 3 == 0, "lost", "won"), "open")
    return pd.DataFrame(
        {"deal_id": [f"D{i:03}" for i in place], "created_at": created,
         "closed_at": closed.where(ended), "outcome": outcome, "amount": 100.0}
    )  # fmt: skip


def test_slower_deals_point_down():
    for after, sign in ((45, -1), (20, 1)):
        data = Tables.of(as_of="2026-06-30", deals=deals_of(30, after))
        found = Measures(data).driver("timing")
        assert found.unit == "days" and found.verdict == "moved"
        assert found.sign == sign
        assert found.age_days > 0


def test_deal_size_is_held_equal_for_the_size_of_the_firm():
    """Only larger firms, at the prices they always paid, are no higher prices."""
    leads = leads_of(200, 200)
    is_new = (leads["created_at"] >= "2026-04-01").to_numpy()
    leads["employees"] = np.where((leads.index % 4 == 0) ^ is_new, 50.0, 500.0)
    noise = 1 + leads.index.to_numpy() % 5 / 50
    deals = pd.DataFrame(
        {"deal_id": leads["lead_id"].str.replace("L", "D"), "lead_id": leads["lead_id"],
         "created_at": leads["created_at"], "closed_at": leads["created_at"], "outcome": "won",
         "amount": 10 * leads["employees"] * noise}
    )  # fmt: skip
    found = Measures(Tables.of(as_of="2026-06-30", leads=leads, deals=deals)).driver("deal size")
    assert found.value < found.baseline
    assert found.verdict == "did not move"
    lower = deals.assign(amount=deals["amount"] * np.where(is_new, 0.7, 1.0))
    found = Measures(Tables.of(as_of="2026-06-30", leads=leads, deals=lower)).driver("deal size")
    assert found.verdict == "moved" and found.change == pytest.approx(-0.3, abs=0.02)


@pytest.mark.parametrize("driver", ["calendar", "mix", "residual", "mql to sal", "nonsense"])
def test_what_has_no_measure_of_its_own_has_none(driver):
    data = Tables.of(as_of="2026-06-30", leads=leads_of(50, 50))
    assert Measures(data).driver(driver) is None


def test_a_segment_is_measured_alone():
    leads = leads_of(400, 400)
    is_new = leads["created_at"] >= "2026-04-01"
    leads["channel"] = np.where(is_new & (leads.index % 2 == 0), "web", "email")
    data = Tables.of(as_of="2026-06-30", leads=leads, plan={"segments": ["channel"]})

    def value(segment):
        return Measures(data, segment=segment).driver("lead volume").value

    assert [value(segment) for segment in ("web", "EMAIL ")] == [200, 200]
    assert Measures(data, segment="fax").driver("lead volume") is None
    assert value("") == 400


def visits_of(rows):
    """Visits from (day entered, day it ended or None, whether by an advance), in days of 2026."""
    frame = pd.DataFrame(rows, columns=["entered", "left", "advanced"])
    at = [START + pd.to_timedelta(frame[name] + 0.5, unit="D") for name in ("entered", "left")]
    return Visits.within(
        pd.Series(range(len(frame))), *at, frame["advanced"],
        START + pd.Timedelta(days=30), START + pd.Timedelta(days=60),
    )  # fmt: skip


def by_a_slow_loop(rows, age):
    """Share that advances by an age, and mean days until leaving, day by day of age."""
    remaining, share, days = 1.0, 0.0, 0.0
    for day in range(age + 1):
        at_risk = advanced = left = 0
        for entered, end, advances in rows:
            last = 59 if end is None or end >= 60 else end
            if entered >= 60 or last < 30:
                continue
            if max(30 - entered - 1, 0) <= day <= last - entered:
                at_risk += 1
                if end is not None and end < 60 and day == end - entered:
                    advanced, left = advanced + advances, left + (not advances)
        share += remaining * advanced / at_risk
        remaining *= 1 - (advanced + left) / at_risk
        days += remaining
    return share, days


VISIT = st.tuples(st.integers(0, 59), st.one_of(st.none(), st.integers(0, 50)), st.booleans()).map(
    lambda row: (row[0], None if row[1] is None else row[0] + row[1], row[2])
)


@given(rows=st.lists(VISIT, min_size=25, max_size=60))
@settings(max_examples=40, deadline=None)
def test_shares_and_times_are_those_of_a_slow_loop(rows):
    rows = [*rows, *((30 + i % 5, None, False) for i in range(20))]
    visits = visits_of(rows)
    for compare, place in ((share_by_age, 0), (time_by_age, 1)):
        found = compare(visits, visits, Plan())
        if found is None:
            continue
        age, (value, baseline, change, low, high) = found
        assert value == baseline == pytest.approx(by_a_slow_loop(rows, age)[place])
        assert change == 0 and low <= 0 <= high


# --- claims narrower than their driver ---


def described(n=400):
    """Leads by firm size, region and channel, with a mix that moved and sizes that did not."""
    leads = leads_of(n, n)
    place, is_new = leads.index.to_numpy(), (leads["created_at"] >= "2026-04-01").to_numpy()
    leads["employees"] = 80.0 + place % 40
    leads["region"] = np.where(place % 4 == 0, "EMEA", "APAC")
    leads["channel"] = np.where(place % np.where(is_new, 2, 4) == 0, "social", "paid search")
    leads["seniority"] = np.where(place % 5 == 0, "Director", "Manager")
    return leads


def brought(claim, leads, driver="mix", direction="down", rows=(), **more):
    claim = {"claim": claim, "said_by": "sales", "driver": driver, "direction": direction} | more
    tables = {name: more.pop(name) for name in ("deals", "activities") if name in more}
    claim = {name: value for name, value in claim.items() if name not in tables}
    data = Tables.of(
        as_of="2026-06-30", leads=leads, claims=pd.DataFrame([claim]), **tables,
        plan={"segments": ["channel"]},
    )  # fmt: skip
    parts = rows or (row("mix"), row("lead volume", verdict="cannot tell"))
    return claims(data, bridge_of(*parts)).table.iloc[0]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "not supported"), (0.5, "supported"), (2.0, "not supported")]
)
def test_smaller_firms_are_about_employees_and_not_about_the_mix(factor, verdict):
    """The mix moved down, which says nothing of the size of firms."""
    leads = described()
    is_new = leads["created_at"] >= "2026-04-01"
    leads["employees"] *= np.where(is_new, factor, 1.0)
    found = brought("The leads come from smaller firms.", leads)
    assert found["verdict"] == verdict
    assert (found["tested_by"], found["measure"]) == ("words", "median employees")
    assert found["value"] == pytest.approx(99.5 * factor) and found["baseline"] == 99.5
    assert found["low"] <= found["change"] <= found["high"]
    assert (found["p_value"] < 0.001) == (factor != 1)
    assert pd.isna(found["contribution"])
    cells = evidence(found)
    tested = cells["for" if verdict == "supported" else "against"]
    assert tested.startswith("Tested on: median employees of leads") and "400 leads; p = " in tested
    assert "contribution" not in " ".join(cells.values())


def test_both_sides_and_both_directions_have_one_standard():
    leads = described()
    leads["employees"] *= np.where(leads["created_at"] >= "2026-04-01", 0.5, 1.0)
    for claimed, verdict in (("smaller", "supported"), ("larger", "not supported")):
        found = [
            brought(f"We get leads of {claimed} firms.", leads, said_by=side)["verdict"]
            for side in ("sales", "marketing")
        ]
        assert found == [verdict] * 2


@pytest.mark.parametrize(
    ("claim", "direction", "tested"),
    [
        ("Follow-up is faster.", "down", "down"),
        ("Follow-up is bad.", "down", "up"),  # longer takes from the value
        ("Leads don't come from smaller firms.", "up", "up"),
        ("As many small firms as ever.", "same", "same"),
        ("Leads of larger firms are fewer.", "down", "down"),
    ],
)
def test_the_direction_is_that_of_the_words_where_they_give_one(claim, direction, tested):
    calls = pd.DataFrame({"lead_id": ["L0001"], "occurred_at": ["2026-05-01"], "kind": ["call"]})
    leads = described().assign(assigned_at=lambda each: each["created_at"])
    found = brought(claim, leads, "lead volume", direction, activities=calls)
    assert found["tested_direction"] == tested


@pytest.mark.parametrize(
    ("claim", "more", "gap", "needs"),
    [
        ("Their annual revenue fell.", {}, "no column", "annual_revenue of leads"),
        ("Leads wait too long.", {}, "no table", "activities"),
        ("We lose on price.", {}, "no column", "loss_reason of deals"),
        ("The leads are less senior.", {}, "no value", "the value of `seniority`"),
        ("EMEA and APAC fell.", {}, "several", "EMEA, APAC"),
        ("Smaller firms, lower scores.", {}, "several", "employees, score"),
        ("It is so.", {"measure": "employes"}, "unknown measure", "'employes'; write employees"),
        ("It is so.", {"measure": "weather filled"}, "unknown measure", "'weather filled'"),
        ("It is so.", {"segment": "socal"}, "unknown value", "'socal'; write social"),
    ],
)
def test_a_claim_that_cannot_be_tested_says_what_it_needs(claim, more, gap, needs):
    found = brought(claim, described(), **more)
    assert (found["verdict"], found["gap"]) == ("cannot tell", gap)
    assert needs in evidence(found)["for"]
    assert unfit_words(evidence(found)["for"]) == []


def test_a_column_filled_in_one_period_only_is_no_change_of_its_values():
    leads = described()
    is_new = leads["created_at"] >= "2026-04-01"
    leads["employees"] = leads["employees"].where(~is_new | (leads["employees"] < 100))
    found = brought("The leads come from smaller firms.", leads)
    assert (found["verdict"], found["gap"]) == ("cannot tell", "filled otherwise")


def test_a_segment_in_the_words_is_that_segment_of_the_driver():
    leads = described()
    leads = leads[(leads["region"] != "EMEA") | (leads["created_at"] < "2026-04-01")]
    leads = pd.concat([leads, described().tail(80).assign(
        lead_id=[f"X{i}" for i in range(80)], region="APAC")])  # fmt: skip
    found = brought("Fewer leads from EMEA.", leads, "lead volume")
    assert (found["tested_by"], found["tested_segment"]) == ("driver", "EMEA")
    assert (found["verdict"], found["value"], found["baseline"]) == ("supported", 0, 100)
    part = row("lead volume", "paid search", -900.0, verdict="cannot tell")
    found = brought("Paid search brings less.", described(), "lead volume", rows=(part,))
    assert (found["tested_segment"], found["contribution"]) == ("paid search", -900)


def test_more_from_a_channel_is_its_share():
    for claim, verdict in (("More leads come from social.", "supported"),
                           ("Fewer leads come from social.", "not supported")):  # fmt: skip
        found = brought(claim, described())
        assert (found["measure"], found["verdict"]) == ("share with channel social", verdict)
        assert (found["value"], found["baseline"]) == (0.5, 0.25)


def test_the_columns_measure_and_segment_beat_the_words():
    leads = described()
    found = brought("Smaller firms come from social.", leads, measure="seniority",
                    segment="Director")  # fmt: skip
    assert (found["tested_by"], found["measure"]) == ("measure", "share with seniority Director")
    found = brought("Smaller firms.", leads, measure="Leads", direction="same")
    assert (found["measure"], found["verdict"]) == ("leads", "cannot tell")


def test_the_companys_own_words_name_a_measure_and_a_segment():
    leads = described()
    brings = {"claim": ["Heads are fewer.", "Insta brings more."], "said_by": "sales",
              "driver": "mix", "direction": "down"}  # fmt: skip
    plan = {"segments": ["channel"]}
    data = Tables.of(as_of="2026-06-30", leads=leads, claims=pd.DataFrame(brings), plan=plan)
    company = replace(data.plan.company, labels={"employees": "heads", "social": "Insta"})
    data = data.with_plan(replace(data.plan, company=company))
    found = claims(data, bridge_of(row("mix"))).table.set_index("claim")["measure"]
    assert found.tolist() == ["median employees", "share with channel social"]


@pytest.mark.parametrize(("days", "verdict"), [(2, "supported"), (1, "not supported")])
def test_waiting_for_a_call_is_the_time_to_the_first_action(days, verdict):
    leads, changes = steps(0.5, 0.5)
    handed = changes[changes["stage"] == "mql"]
    is_new = handed["entered_at"] >= "2026-04-01"
    rest = handed.index.to_numpy() % 3
    waits = pd.to_timedelta(np.where(is_new, days + rest, 1 + rest) + 0.5, unit="D")
    calls = pd.DataFrame({"lead_id": handed["lead_id"], "kind": "call",
                          "occurred_at": handed["entered_at"] + waits})  # fmt: skip
    claim = {"claim": ["Leads wait too long."], "said_by": "sales", "driver": "lead to mql",
             "direction": "down"}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", leads=leads, stage_changes=changes, activities=calls,
                     claims=pd.DataFrame(claim))  # fmt: skip
    found = claims(data, bridge_of(row("lead to mql"))).table.iloc[0]
    assert (found["measure"], found["tested_direction"]) == ("follow-up time", "up")
    assert found["verdict"] == verdict


def test_lost_on_price_is_the_share_of_lost_deals_with_that_reason():
    deals = deals_of(30, 30).assign(loss_reason=None, lead_id=None)
    lost = deals["outcome"] == "lost"
    is_new = deals["closed_at"] >= pd.Timestamp("2026-04-01", tz="UTC")
    deals.loc[lost, "loss_reason"] = np.where(is_new[lost], "Price too high", "no decision")
    found = brought("We lose on price.", described(), "lead volume", deals=deals)
    assert (found["measure"], found["verdict"]) == ("lost on price", "supported")
    assert (found["value"], found["baseline"], found["p_value"]) == (1, 0, 0.001)


# --- what was expected of an action ---


@pytest.mark.parametrize(
    ("text", "before", "unit", "change"),
    [
        ("up by 5 points", 0.4, "rate", 0.05),
        ("down by 2.5 points", 0.4, "rate", -0.025),
        ("at least 0.9", 0.8, "rate", 0.1),
        ("at least 90%", 0.8, "rate", 0.1),
        ("10% fewer", 200.0, "count", -20.0),
        ("up by 20", 200.0, "count", 20.0),
        ("to 1,200", 1000.0, "count", 200.0),
        ("a next step on each", 10.0, "count", np.nan),
    ],
)
def test_what_was_expected_is_read_as_people_write_it(text, before, unit, change):
    assert expected_of(text).change(before, unit) == pytest.approx(change, nan_ok=True)


def agreed(expected="up by 20 points", since=0.5, measure="win rate", **changed):
    """Win rate of a half up to the end of March, then another; some 770 closed deals a quarter."""
    closed = pd.date_range("2025-12-01", "2026-06-30", periods=1800, tz="UTC")
    place = np.arange(1800)
    share = np.where(closed < pd.Timestamp("2026-04-01", tz="UTC"), 0.5, since)
    won = np.floor((place + 1) * share) > np.floor(place * share)
    deals = pd.DataFrame(
        {"deal_id": [f"D{i}" for i in place], "created_at": "2025-11-01", "closed_at": closed,
         "outcome": np.where(won, "won", "lost"), "amount": 100.0}
    )  # fmt: skip
    action = {"action": "Call earlier", "owner": "Ada", "due_on": "2026-04-01",
              "decided_on": "2026-03-31", "measure": measure, "expected": expected}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", deals=deals, actions=pd.DataFrame([action | changed]))
    return actions(data)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "no effect seen"),
        ({"since": 0.7}, "moved as expected"),
        ({"since": 0.3}, "moved the other way"),
        ({"since": 0.3, "expected": "another talk"}, "moved"),
        ({"expected": "up by 2 points"}, "cannot tell"),
        ({"due_on": "2026-07-15"}, "cannot tell yet"),
        ({"measure": "morale"}, "cannot tell"),
        ({"segment": "fax"}, "cannot tell"),
        ({"measure": "lead to opportunity"}, "cannot tell"),
    ],
)
def test_actions_are_measured_again(changed, verdict):
    result = agreed(**changed)
    assert result.table["verdict"].tolist() == [verdict]
    assert "Ada" not in result.table.to_csv()
    sentences = [action_sentence(row, SAY) for row in result.table.to_dict("records")]
    for sentence in (*sentences, result.headline, *result.caveats):
        assert unfit_words(sentence) == []
        assert "nan" not in sentence.lower()


def test_the_sentence_of_an_action_gives_the_numbers_of_its_row():
    result = agreed(since=0.7)
    found = result.table.iloc[0]
    sentence = result.shown()["its measure"].iloc[0]
    assert sentence.startswith(
        f"{SAY.share(found['before'], digits=1)} before, {SAY.share(found['since'], digits=1)} "
        f"since: {SAY.number(100 * found['change'], digits=1, sign=True)} points ["
    )
    assert f"from {SAY.number(found['n_before'])} and {SAY.number(found['n_since'])}" in sentence


def test_an_action_is_compared_over_as_many_days_and_names_its_rows():
    result = agreed(since=0.7)
    found = result.table.iloc[0]
    # 92 days from the day on which it was decided, and the 92 before
    n = result.rows.groupby("figure").size().to_dict()
    assert n == {
        "1. Call earlier, since": found["n_since"],
        "1. Call earlier, before": found["n_before"],
    }
    assert found["since"] - found["before"] == pytest.approx(found["change"])
    assert found["low"] < 0.2 < found["high"]


def after_a_bad_month(usual, before, since):
    """An action decided on after a month whose win rate was not as usual; 400 deals a month."""
    begin = pd.date_range(end="2026-06-01", periods=9, freq="30D", tz="UTC")
    shares = [usual] * 7 + [before, since]
    deals = pd.DataFrame(
        {"deal_id": f"{day:%m%d}-{i}", "created_at": "2025-01-01", "closed_at": day,
         "outcome": "won" if i < 400 * share else "lost", "amount": 100.0}
        for day, share in zip(begin, shares, strict=True) for i in range(400)
    )  # fmt: skip
    action = {"action": "Coach", "owner": "Ada", "due_on": "2026-06-10", "measure": "win rate",
              "decided_on": "2026-06-01", "expected": "up by 5 points"}  # fmt: skip
    return actions(
        Tables.of(as_of="2026-06-30", deals=deals, actions=pd.DataFrame([action]))
    ).table.iloc[0]


@pytest.mark.parametrize(
    ("months", "verdict"),
    [
        ((0.4, 0.25, 0.4), "within its usual range"),
        ((0.4, 0.4, 0.6), "moved as expected"),
        ((0.4, 0.5, 0.4), "within its usual range"),
        ((0.4, 0.4, 0.2), "moved the other way"),
    ],
)
def test_a_return_to_what_is_usual_is_no_effect_of_an_action(months, verdict):
    found = after_a_bad_month(*months)
    usual, before, since = months
    assert (found["before"], found["since"]) == (before, since)
    assert found["verdict"] == verdict
    assert found["usual"] == pytest.approx(usual) and found["n_usual"] == 7
    assert found["beyond"] == pytest.approx(since - usual)
    assert found["beyond_low"] < found["beyond"] < found["beyond_high"]


def test_what_is_usual_varies_as_much_as_it_did_before():
    earlier = [0.2, 0.6, 0.3, 0.5, 0.4]
    found = Measured("win rate", "rate", "deals", value=0.7, change=0.3, low=0.2, high=0.4)
    row = _usual(found, earlier, level=0.9)
    half = 2.1318 * np.std(earlier, ddof=1) * np.sqrt(1.2)  # 95 % point of t with 4 degrees
    assert row["beyond_low"] == pytest.approx(0.3 - half, abs=1e-4)
    assert row["beyond_high"] == pytest.approx(0.3 + half, abs=1e-4)
    assert _usual(found, earlier[:2], level=0.9) == {}


def test_an_action_six_points_up_can_be_chance(trap):
    data, expected = trap("e01")
    row = actions(data).table.iloc[0]
    assert (row["before"], row["since"]) == (
        float(Fraction(expected["before"])),
        float(Fraction(expected["now"])),
    )
    assert [row["low"], row["high"]] == pytest.approx(expected["newcombe_90_approx"], abs=0.002)
    assert row["low"] < 0 < 0.05 < row["high"]
    assert row["verdict"] == expected["verdict"]
    both = "No change and the +5.0 points expected both lie within that range."
    assert both in action_sentence(row, SAY)


def test_without_a_named_driver_nothing_is_proposed():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    made = proposals(data, bridge_of(row(verdict="cannot tell"), row("mix", by="data")))
    assert made.table.empty
    assert made.headline.startswith("No action is proposed")


def test_nobody_has_to_work_on_the_calendar():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    made = proposals(data, bridge_of(row("calendar"), row("residual")))
    assert made.table.empty
    assert "no driver that work could move" in made.headline
    assert set(proposals(data, bridge_of(row("calendar"), row("timing"))).table["measure"]) == {
        "timing"
    }


def test_at_most_five_as_many_to_each_side():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    names = ("lead volume", "mql to sal", "timing", "deal size")
    made = proposals(
        data, bridge_of(*(row(name, value=-10.0 * i) for i, name in enumerate(names, 1)))
    )
    assert made.table["owner"].value_counts().to_dict() == {
        "head of sales": 2,
        "head of marketing": 2,
    }
    assert made.table["measure"].tolist() == ["deal size"] * 2 + ["timing"] * 2


def test_questions_are_about_inconclusive_drivers_largest_first():
    rows = [
        row("mix", value=0.0, low=0.0, high=0.0, verdict="cannot tell"),
        row("timing", low=-20.0, high=30.0, verdict="cannot tell"),
        row("mql to sal", low=-90.0, high=30.0, verdict="cannot tell"),
        row("deal size"),
    ]
    table = bridge_of(*rows)
    assert [each["driver"] for each in inconclusive(table)] == ["mql to sal", "timing"]
    questions = questions_about(table)
    for side in ("sales", "marketing"):
        rows = questions[questions["side"] == side]
        assert rows["driver"].tolist() == ["mql to sal", "timing"]
        assert rows["kind"].tolist() == ["step", "timing"]
    sentences = [question_sentence(each, SAY) for each in questions.to_dict("records")]
    assert "leads qualified by marketing" in sentences[0] and sentences[0].endswith("?")
    assert len(set(sentences)) == 4


def test_what_would_settle_it_grows_with_the_square():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    table = bridge_of(row(verdict="cannot tell", low=-70.0, high=20.0))
    # a change of 50 is visible now; a tenth of 250 is half of it, and takes four times the wins
    (needed,) = needed_to_settle(table, data, (40, 30), 250.0)
    assert (needed.n_wins, needed.days) == (120, 4 * 91)
    sentence = settle_sentence(needed, "money", SAY)
    assert "about 120 wins" in sentence
    assert "52 weeks" in sentence


def test_a_wait_of_years_becomes_a_question_and_chance_is_mentioned():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    table = bridge_of(row(verdict="cannot tell", low=-70.0, high=-2.0))
    (needed,) = needed_to_settle(table, data, (40, 30), 100.0)
    sentence = settle_sentence(needed, "money", SAY)
    assert "Over all tests it may be chance" in sentence
    assert sentence.endswith("(about 6 years of data: ask rather than wait).")


def test_where_nothing_was_won_no_claim_is_supported_by_a_part_of_nothing():
    nothing = row("lead volume", value=0.0, low=0.0, high=0.0, verdict="did not move")
    for direction in ("down", "up", "same"):
        found = compared({"driver": "lead volume", "direction": direction}, nothing)
        assert found["verdict"] == "cannot tell"
    assert unmoved(bridge_of(nothing)) == []
