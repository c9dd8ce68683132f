"""Companies with a known cause: it is named where it must be, and nobody where nothing was planted.

The same questions for many companies, and how often each holds: `benchmarks/known_causes.py`.
"""

import tomllib

import pytest

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.why import why
from funnel.questions.why.why import Why
from funnel.sample import company

NOBODY = {"calendar", "mix"}  # drivers that are checks at once


def answer(scenario: str, *, seed: int, leads: int, quarters: int) -> Why:
    made = company(scenario, seed=seed, leads=leads, quarters=quarters)
    frames = {name: made.tables[name] for name in ("leads", "stage_changes", "deals")}
    plan = Plan.of(tomllib.loads(made.plan_toml))
    return why(Tables.of(plan=plan, as_of=made.as_of, **frames), draws=40)


@pytest.mark.parametrize(
    ("scenario", "driver", "leads"),
    [("win_rate", "opportunity to won", 6000), ("mix", "mix", 4000)],
)
def test_a_cause_is_named_first_where_it_must_be(scenario, driver, leads):
    found = answer(scenario, seed=21, leads=leads, quarters=7)
    assert found.named[0] == driver
    assert set(found.named) <= {driver, *NOBODY}


def test_nobody_is_named_where_nothing_was_planted():
    named = [answer("none", seed=seed, leads=400, quarters=7).named for seed in (31, 32)]
    assert [set(names) - NOBODY for names in named] == [set(), set()]


def test_a_season_is_the_calendar_and_no_team():
    found = answer("season", seed=41, leads=1500, quarters=12)
    assert found.named[0] == "calendar"
    assert set(found.named) <= NOBODY
