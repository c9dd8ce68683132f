"""Every figure of a dataset that holds next to nothing says why there is none."""

import inspect

import pandas as pd
import pytest

import funnel
from funnel.dataset import Tables
from funnel.questions.conversion.comparison import simpson

ONE_LEAD = Tables.of(
    leads=pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]}), as_of="2026-06-30"
)
ONE_DEAL = Tables.of(
    deals=pd.DataFrame(
        {
            "deal_id": ["D-1"],
            "created_at": ["2026-01-05"],
            "outcome": ["won"],
            "closed_at": ["2026-01-06"],
        }
    ),
    as_of="2026-06-30",
)
HEADLINES = {
    "definition": {
        "adherence": "Adherence is not known: the plan has no agreed definition.",
        "agreement": "Fewer than two definitions can be applied to leads of this period, so none "
        "can be compared.",
        "calibration": "What grades and scores are worth is not known: no score or grade is "
        "filled.",
        "criteria": "What criteria are worth is not known: no win of a lead is recorded.",
        "overlap": "Fewer than two definitions can be used, so there is no overlap to show.",
        "personas": "How leads of each role and function are won is not known: no role and no "
        "function is filled.",
        "points": "What behaviours earn and are worth is not known: no score is filled.",
        "reasons": "Why leads come back is not known: no stage change records that a lead left.",
        "threshold_changes": "Whether a threshold changed is not known: no hand-off is recorded.",
        "threshold_replay": "Other thresholds cannot be replayed: no score is filled.",
    },
    "conversion": {
        "cohorts": "No month of leads to follow.",
        "groups": "No group of leads can be followed for long enough, with outcomes recorded.",
        "time_to_convert": "Too few leads have converted from any stage to show how long it takes.",
    },
    "handoff": {
        "follow_up": "No sales action is recorded, so there is no response time.",
        "time_split": "Routing and the time of the salesperson cannot be separated here.",
        "speed_to_lead": "Speed to lead is not compared: no sales action is recorded.",
        "handoff_point": "The hand-off point is not compared: no action and owner are recorded "
        "together.",
        "nurture_pool": "No recycled lead is recorded, so there is no nurture pool.",
    },
}


@pytest.mark.parametrize(
    ("question", "figure"),
    [(question, figure) for question, figures in HEADLINES.items() for figure in figures],
)
def test_a_figure_of_one_lead_says_what_is_missing(question, figure):
    found = getattr(getattr(funnel, question)(ONE_LEAD), figure)()
    assert found.headline == HEADLINES[question][figure]
    assert isinstance(found.shown(), pd.DataFrame)


def test_no_step_of_one_lead_is_compared_within_groups():
    assert simpson(funnel.conversion(ONE_LEAD)).headline == "No step can be compared within groups."


def test_one_won_deal_has_no_win_rate():
    headline = funnel.conversion(ONE_DEAL).win_rate().headline
    assert headline == "No lost deal is recorded, so there is no win rate by closing date."


ALONE = {
    "subscriptions": Tables.of(
        plan={"measure": "mrr"},
        subscriptions=pd.DataFrame(
            {"account_id": ["A", "A", "B"], "mrr": [9.0, 8.0, 5.0],
             "month": ["2026-02-01", "2026-05-01", "2026-05-01"]}
        ),
    ),
    "touches": Tables.of(
        touches=pd.DataFrame(
            {"occurred_at": ["2026-01-05", "2026-01-06"], "channel": "web", "account_id": "A"}
        )
    ),
    "renewals": Tables.of(
        deals=pd.DataFrame(
            {"deal_id": ["D-1", "D-2"], "created_at": "2026-03-02", "outcome": ["won", "open"],
             "closed_at": ["2026-03-02", None], "amount": 7.0, "kind": "renewal"}
        )
    ),
}  # fmt: skip
QUESTIONS = (
    "why",
    "attribution",
    "seasonality",
    "conversion",
    "definition",
    "handoff",
    "revenue",
    "programmes",
    "winloss",
)


def figures_of(answer):
    """Names of the figures that need no choice."""
    for name, each in vars(type(answer)).items():
        if hasattr(each, "__wrapped__") and not name.startswith("_"):
            _, *others = inspect.signature(each).parameters.values()
            if all(
                one.default is not one.empty or one.kind == one.VAR_POSITIONAL for one in others
            ):
                yield name


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("data", ALONE.values(), ids=list(ALONE))
def test_every_figure_of_one_table_alone_has_a_sentence(question, data):
    answer = getattr(funnel, question)(data)
    found = [answer, *(getattr(answer, name)() for name in figures_of(answer))]
    assert all(each.headline.endswith((".", "?")) for each in found)
    assert all(isinstance(each.shown(), pd.DataFrame) for each in found)


def test_subscriptions_alone_give_movements_and_logo_churn():
    answer = funnel.why(ALONE["subscriptions"])
    assert answer.headline.startswith("Recurring revenue rose by €4 (44%), from €9")
    figures = answer.change().table.set_index("measure")
    assert figures.loc["mrr", ["value", "baseline"]].tolist() == [13.0, 9.0]
    assert "logo churn" in figures.index
    shown = answer.change().shown()["figure"].tolist()
    assert shown == ["Monthly recurring revenue", "Logo churn"]
