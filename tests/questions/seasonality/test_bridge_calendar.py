"""The bridge's calendar and the page of seasons state the same."""

import pytest

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.bridge.expected_calendar import expected_calendar, expected_leads
from funnel.questions.seasonality import seasonality
from funnel.sample import company


def test_the_page_of_seasons_and_the_bridge_state_the_same():
    """The check's figures are the season's own, and claims about leads are adjusted by them."""
    made = company("season", seed=3, leads=500)
    frames = {name: made.tables[name] for name in ("leads", "stage_changes", "deals")}
    data = Tables.of(plan=Plan.of({"company": {"country": "DE"}}), as_of=made.as_of, **frames)
    share, page = expected_calendar(data).share, seasonality(data).change("leads")
    assert share.headline == page.headline
    assert share.table.equals(page.table)
    part = "usual" if page.season_is_claimed else "calendar"
    row = page.table.set_index("part").loc[part]
    assert expected_leads(data) == pytest.approx(row[["change", "low", "high"]])
