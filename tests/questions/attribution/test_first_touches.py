"""First touches and the question object: by hand, what does not trace, and what is shared."""

import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.methods.paths import NO_KEY, NOT_TRACED, journeys
from funnel.questions.attribution import OF_JOURNEYS, Attribution, attribution, first_touches
from funnel.results.formats import NO_BREAK
from funnel.results.neutral_words import unfit_words


def test_without_touches_a_leads_own_channel_stands_in(tables):
    first = first_touches(tables(touches=None))
    met = first.table.set_index("deal_id")
    assert met["first_touch"].to_dict() == {
        "D1": "web",
        "D2": "not recorded",
        "D3": "web",
        "D4": NOT_TRACED,
    }
    assert met.loc["D1", "lead_channel"] == "email"
    assert first.basis.source == "leads"
    assert any("stands in for the first known touch" in caveat for caveat in first.caveats)


def test_first_touches_by_channel_are_those_counted_by_hand(tables):
    first = first_touches(tables({"smallest_group": 1}))
    by_channel = first.by_channel.set_index("channel")
    assert by_channel["n_deals"].to_dict() == {"web": 2, NOT_TRACED: 2}
    assert by_channel["amount"].sum() == first.table["amount"].sum()
    assert by_channel["share"].sum() == pytest.approx(1)
    assert by_channel.index[-1] == NOT_TRACED
    assert first.headline.startswith("Won deals most often begin with web: 2 of 4, 50% (likely")


def test_months_count_deals_and_money(tables):
    months = first_touches(tables()).months().table.set_index("close_month")
    assert months.loc["2026-03", ["n_deals", "n_traced"]].tolist() == [2, 1]
    assert months.loc["2026-03", "amount_share"] == pytest.approx(100 / 300)
    assert months.loc["2026-03", "traced_share_low"] < 0.5 < months["traced_share_high"].max()
    assert pd.isna(months.loc["2026-05", "amount_share"])
    assert months["n_deals"].sum() == 4


def test_untraced_deals_come_with_a_question_and_three_ids(tables):
    untraced = first_touches(tables()).untraced()
    row = untraced.table.set_index("reason").loc[NO_KEY]
    assert row[["n_deals", "examples"]].tolist() == [1, "D4"]
    assert untraced.table["reason"].tolist().count(NO_KEY) == 1
    assert untraced.shown().set_index("what is missing").loc[NO_KEY, "team"] == "Sales Ops"


def test_the_newest_deals_are_shown_first(tables):
    shown = first_touches(tables()).newest().shown()
    assert shown["won deal"].tolist() == ["D4", "D3", "D2", "D1"]
    assert shown["closed"].tolist()[0].replace(NO_BREAK, " ") == "May 1, 2026"


def test_months_and_what_does_not_trace_are_shown_formatted(tables):
    first = first_touches(tables({"smallest_group": 1}))
    months = first.months()
    assert months.shown()["closed in"].tolist() == sorted(months.table["close_month"])[::-1]
    assert len(months.shown().columns) == 3
    assert first.untraced().headline == "2 won deals do not trace to a first touch."
    assert first.untraced().shown()["won deals"].astype(int).sum() == 2
    bare = first_touches(tables(deals=tables.deals.assign(amount=None)))
    assert "EUR" in first.shown() and "EUR" not in bare.shown()
    assert "EUR" in first.newest().shown() and "EUR" not in bare.newest().shown()
    assert len(bare.months().shown().columns) == 2 and "EUR" not in bare.untraced().shown()


def test_no_won_deals_is_an_answer(tables):
    first = first_touches(tables(deals=tables.deals.assign(outcome="open", closed_at=None)))
    assert first.headline == "There are no won deals to trace."
    assert first.months().table.empty and first.untraced().table.empty
    for result in (first, first.months(), first.untraced(), first.newest()):
        assert result.headline and isinstance(result._repr_html_(), str)
    for result in (first, first.months()):
        assert result.plot().figure.get_label() == result.headline


def test_a_single_channel(tables):
    touches = pd.DataFrame({"lead_id": ["L1"], "occurred_at": ["2026-01-01"], "channel": ["web"]})
    first = first_touches(tables(touches=touches))
    assert first.table["first_touch"].isin(["web", NOT_TRACED]).all()


def test_the_question_shares_journeys_and_paths(tables):
    answer = attribution(tables())
    assert isinstance(answer, Attribution)
    pd.testing.assert_frame_equal(answer.table, first_touches(answer.data).table)
    assert answer.journeys() is answer.journeys() and answer.paths() is answer.paths()
    assert answer.credit() is answer.models().credits[0]
    assert answer.credit("markov").source is answer.paths()
    assert answer.credit("linear").source is answer.journeys()
    assert answer.cost_per_win().table.empty


def test_models_stand_in_their_order_and_agree_with_single_credits(tables):
    answer = attribution(tables())
    models = answer.models()
    assert models.table["model"].drop_duplicates().tolist() == list(OF_JOURNEYS)
    assert [credit.model for credit in models.credits] == list(OF_JOURNEYS)
    labels = [model.replace("_", " ") for model in OF_JOURNEYS]
    assert models.shown().columns.tolist() == ["channel", *labels]
    for credit in models.credits:
        rows = models.table[models.table["model"] == credit.model].set_index("channel")
        single = answer.credit(credit.model).table.set_index("channel")
        assert rows["share"].to_dict() == single.loc[rows.index, "share"].to_dict()


def test_the_lookback_reaches_every_figure(tables):
    short = attribution(tables(), lookback_days=30)
    assert short.basis.lookback_days == 30
    expected = journeys(tables(), lookback_days=30).table
    pd.testing.assert_frame_equal(short.journeys().table, expected)
    for result in (short, short.paths(), short.path_times(), short.common_paths()):
        assert any("at most 30 days" in caveat for caveat in result.caveats)
    with pytest.raises(ParameterError, match="negative"):
        attribution(tables(), lookback_days=-1)


def test_every_figure_of_the_question_speaks_in_neutral_sentences(tables):
    answer = attribution(tables())
    figures = [answer, answer.months(), answer.untraced(), answer.newest(), answer.credit()]
    figures += [answer.models(), answer.lift(), answer.removal_effects(), answer.trace()]
    figures += [answer.paths(), answer.common_paths(), answer.path_changes(), answer.path_times()]
    figures += [answer.cost_per_win(), answer.self_reported(), answer.credited_deals()]
    for result in figures:
        for sentence in (result.headline, *result.caveats):
            assert unfit_words(sentence) == [] and sentence.endswith((".", "?"))
        assert isinstance(result._repr_html_(), str)
    assert answer.credited_deals("markov").in_proportion
    assert answer.findings().headline
