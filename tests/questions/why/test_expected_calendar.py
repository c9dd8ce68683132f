"""The bridge's calendar and the page of seasons state the same."""

import pytest
from funnel.questions.why.expected_calendar import usual_calendar, usual_of_leads

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.season import decompose, series
from funnel.sample import company


def test_the_page_of_seasons_and_the_bridge_state_the_same():
    """The check's sentence is the season's own, and claims about leads are adjusted by it."""
    made = company("season", seed=3, leads=500)
    frames = {name: made.tables[name] for name in ("leads", "stage_changes", "deals")}
    data = Tables.of(plan=Plan.of({"company": {"country": "DE"}}), as_of=made.as_of, **frames)
    calendar = usual_calendar(data)
    page = decompose(series(data)).share_of_change()
    assert calendar.says == page.headline
    assert calendar.n_months == page.n_months and calendar.p_value == page.p_value
    part = "usual" if page.season_is_claimed else "calendar"
    row = page.table.set_index("part").loc[part]
    assert usual_of_leads(data) == pytest.approx(row[["change", "low", "high"]])
