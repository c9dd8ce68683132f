"""`funnel.toml` becomes a frozen plan, and an unknown key in it is an error."""

import dataclasses
import datetime as dt
import re
import tomllib

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import PlanError
from funnel.contract.periods import Period
from funnel.contract.plan import PLAN_KEYS, Plan, overrides
from funnel.dataset.engine import Engine

WHOLE = """
[company]
name = "Acme"
currency = "EUR"
timezone = "Europe/Berlin"
country = "DE"
locale = "de"
fiscal_year_starts = 4

[plan]
measure = "wins"
period = "month"
compare = "year_ago"
segments = ["channel", "region"]
level = 0.95
seed = 1
margin = 0.5
lookback_days = 90
smallest_group = 10
max_rejected = 0.1

[stages]
order = ["lead", "mql", "opportunity", "won"]
exits = ["lost"]

[definition]
marketing = "score >= 40"
agreed_on = 2026-01-15

[promise]
A = "4h"
feedback = "7d"

[reasons]
"wrong company type" = "fit"

[[checklist]]
name = "Price list raised"
from = 2026-03-01
question = "Which deals were quoted under both lists?"
"""

SECTIONS = ["company", "plan", "stages", "definition", "promise", "reasons", "checklist"]
KEYS = [*PLAN_KEYS, "name", "locale", "timezone", "order", "exits", "agreed", "agreed_on", "A"]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
VALUES |= st.dates() | st.datetimes() | st.times()
ANYTHING = VALUES | st.lists(VALUES, max_size=2) | st.lists(st.lists(VALUES), max_size=1)
KEYED = st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=2)
KEYED |= st.lists(KEYED, max_size=2)


def test_a_missing_or_empty_file_is_a_valid_plan(tmp_path):
    missing = Plan.read(tmp_path)
    (tmp_path / "funnel.toml").write_text("")
    assert Plan.read(tmp_path) == missing == Plan()
    assert missing.stages == ("lead", "mql", "sal", "sql", "opportunity", "won")


def test_every_key_is_read(tmp_path):
    (tmp_path / "funnel.toml").write_text(WHOLE)
    plan = Plan.read(tmp_path)
    for key in PLAN_KEYS:
        assert getattr(plan, key) != getattr(Plan(), key), key
    assert plan.company.fiscal_year_starts == 4
    assert plan.stages == ("lead", "mql", "opportunity", "won")
    assert plan.exits == ("lost",)
    assert plan.definition.agreed_on == dt.date(2026, 1, 15)
    assert plan.promise == {"A": 4 / 24, "feedback": 7}
    assert plan.reasons == {"wrong company type": "fit"}
    assert plan.checklist[0].from_ == dt.date(2026, 3, 1)


def test_the_plan_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Plan().level = 0.5
    with pytest.raises(TypeError):
        Plan().promise["A"] = 2


def test_the_hash_depends_on_values_and_not_on_spacing_or_comments(tmp_path):
    (tmp_path / "funnel.toml").write_text(WHOLE)
    plan = Plan.read(tmp_path)
    commented = WHOLE.replace("level = 0.95", "level   =  0.95  # wide")
    (tmp_path / "funnel.toml").write_text(commented)
    assert Plan.read(tmp_path).sha256 == plan.sha256
    (tmp_path / "funnel.toml").write_text(WHOLE.replace("0.95", "0.9"))
    assert Plan.read(tmp_path).sha256 != plan.sha256


def test_a_default_that_is_written_out_has_the_same_hash():
    assert Plan.of({"plan": {"level": 0.9}}).sha256 == Plan().sha256


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"plan": {"lookback": 3}}, "did you mean `lookback_days`?"),
        ({"company": {"currancy": "EUR"}}, "did you mean `currency`?"),
        ({"companies": {}}, "no section `companies`; did you mean `company`?"),
        ({"stages": {"exit": []}}, "did you mean `exits`?"),
        ({"definition": {"marketting": ""}}, "did you mean `marketing`?"),
        ({"checklist": [{"name": "x", "form": 1}]}, "did you mean `from`?"),
        ({"plan": {"xyzzy": 3}}, "it knows measure, period"),
        ({"plan": {"measure": "revenue"}}, "must be bookings or wins or mrr"),
        ({"plan": {"period": "week"}}, "such as 2026Q2 or 2026-06"),
        ({"plan": {"level": "high"}}, "`level` is 'high'"),
        ({"plan": {"level": 90}}, "from 0.5 to 0.999"),
        ({"plan": {"seed": 1.5}}, "a whole number"),
        ({"plan": {"smallest_group": True}}, "a whole number"),
        ({"plan": {"segments": 3}}, "a list of names"),
        ({"plan": 3}, "written \\[plan\\]"),
        ({"company": {"timezone": "Berlin"}}, "no known time zone"),
        ({"company": {"name": 3}}, "must be text in quotes"),
        ({"company": {"locale": "klingon"}}, "no known locale"),
        ({"company": {"fiscal_year_starts": 13}}, "a month from 1 to 12"),
        ({"stages": {"order": ["won"]}}, "at least two stages"),
        ({"stages": {"order": ["lead", "won", "lead"]}}, "no stage named twice"),
        ({"promise": {"A": "soon"}}, "days or hours"),
        ({"reasons": {"too dear": "price"}}, "the words to map to are fit"),
        ({"checklist": [{"question": "?"}]}, "needs a `name`"),
        ({"plan": {"segments": ["channel", "lead_id"]}}, "names lead_id, which hardly two rows"),
        ({"checklist": 3}, "must be sections"),
        ({"checklist": [{"name": "x", "from": "soon"}]}, "`from` is 'soon'; it must be a day"),
        ({"reasons": {"too small": ["size"]}}, "must be text in quotes"),
        ({"losses": {"went dark": "contact"}}, r"\[losses\] maps to .*competitor, no_decision"),
        ({"stages": {"order": ["lead", " "]}}, "must be a list of names"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(raw, says):
    with pytest.raises(PlanError, match=says):
        Plan.of(raw)


@given(raw=st.dictionaries(st.sampled_from(SECTIONS), ANYTHING | KEYED, max_size=3))
def test_any_file_is_a_plan_or_a_plan_error(raw):
    try:
        plan = Plan.of(raw)
    except PlanError:
        return
    assert Plan.of(raw).sha256 == plan.sha256


def test_a_file_that_is_not_toml_is_an_error_without_a_traceback(tmp_path):
    (tmp_path / "funnel.toml").write_text("[plan\nlevel = 0.9")
    with pytest.raises(PlanError, match="cannot be read") as caught:
        Plan.read(tmp_path)
    assert caught.value.__cause__ is None


def test_parameters_override_the_file(tmp_path):
    (tmp_path / "funnel.toml").write_text(WHOLE)
    plan = Plan.read(tmp_path, level=0.8, measure=None, segments="channel, region")
    assert (plan.level, plan.measure) == (0.8, "wins")
    assert plan.segments == ("channel", "region")
    assert plan == Plan.read(tmp_path).with_keys(level=0.8)


def test_keys_override_single_keys_and_leave_every_other_key_of_the_file(tmp_path):
    (tmp_path / "funnel.toml").write_text(WHOLE)
    plan = Plan.read(tmp_path)
    changed = plan.with_keys({"segments": ["region"]})
    assert changed == dataclasses.replace(plan, segments=("region",))
    assert changed == Plan.read(tmp_path, segments=["region"])
    assert changed.company == plan.company
    assert changed.definition == plan.definition


def test_a_section_overrides_only_the_keys_that_it_names():
    plan = Plan.of(tomllib.loads(WHOLE))
    changed = plan.with_keys(
        {"company": {"currency": "USD"}, "definition": {"sales": "employees >= 50"}}
    )
    assert changed.company == dataclasses.replace(plan.company, currency="USD")
    assert changed.definition == dataclasses.replace(plan.definition, sales="employees >= 50")
    assert changed.stages == plan.stages
    assert plan.with_keys({"stages": {"exits": ["left"]}}).stages == plan.stages


def test_a_plan_in_place_of_another_is_taken_whole_and_none_changes_nothing():
    plan = Plan.of(tomllib.loads(WHOLE))
    assert plan.overridden_by(None) is not None
    assert plan.overridden_by(None) == plan.overridden_by({}) == plan
    assert plan.overridden_by(Plan(measure="mrr")) == Plan(measure="mrr")
    assert plan.overridden_by({"measure": "mrr"}) == dataclasses.replace(plan, measure="mrr")


@pytest.mark.parametrize("key", ["levels", "companies"])
def test_an_unknown_key_that_overrides_is_an_error(key):
    with pytest.raises(PlanError, match=f"has no key `{key}`"):
        Plan().with_keys({key: 1})


def test_a_parameter_that_is_no_key_is_an_error():
    with pytest.raises(PlanError, match="did you mean `compare`"):
        Plan().with_keys(compares="previous")


@pytest.mark.parametrize(
    ("name", "kind", "start"),
    [("2026Q1", "quarter", "2026-01-01"), ("2026-02", "month", "2026-02-01")],
)
def test_a_period_by_name(name, kind, start):
    plan = Plan().with_keys(period=name)
    assert plan.period == kind
    assert plan.comparison(dt.date(2026, 6, 30)).period.start == dt.date.fromisoformat(start)
    assert plan.with_keys(period=kind) == Plan(period=kind)


def test_a_segment_named_twice_counts_once():
    assert Plan.of({"plan": {"segments": ["region", "channel", "region"]}}).segments == (
        "region",
        "channel",
    )


def test_a_period_by_name_may_be_in_the_file():
    assert Plan.of({"plan": {"period": "2026Q1"}}).named_period == "2026Q1"


def test_overrides_pick_only_keys_that_are_set():
    names = {"level": 0.5, "seed": None, "data": object(), "__name__": "x"}
    assert overrides(names) == {"level": 0.5}


@given(st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)))
def test_a_day_begins_at_local_midnight(day):
    plan = Plan.of({"company": {"timezone": "America/Sao_Paulo"}})
    local = plan.midnight(day).astimezone(plan.zone)
    assert local.date() == day
    assert local.time() in {dt.time(0), dt.time(1)}  # midnight itself can be skipped in spring


def test_the_contract_s_own_example_is_a_valid_plan():
    example = re.sub(r"\s+#.*", "", WHOLE)
    assert Plan.of(tomllib.loads(example)).measure == "wins"


def test_moments_within_days_of_the_company_begin_and_end_at_its_midnight():
    plan = Plan.of({"company": {"timezone": "Europe/Berlin"}})
    moments = pd.Series(
        pd.to_datetime(
            [
                "2026-03-31T21:59Z",
                "2026-03-31T22:00Z",
                "2026-04-30T21:59Z",
                "2026-04-30T22:00Z",
                None,
            ]
        )
    )
    expected = [False, True, True, False, False]
    april = Period(dt.date(2026, 4, 1), dt.date(2026, 4, 30), "2026-04")
    assert plan.within(moments, april).tolist() == expected
    assert plan.bounds(april) == (moments[1], moments[3])
    assert plan.local_days(moments).dt.month.tolist()[:4] == [3, 4, 4, 5]


ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Auckland", "Asia/Kolkata"]


@settings(max_examples=40, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=st.dates(dt.date(2015, 1, 1), dt.date(2030, 1, 1)),
    n_days=st.integers(1, 100),
    hours=st.lists(st.integers(-2500, 2500), min_size=1, max_size=20),
)
def test_frames_and_the_engine_agree_on_the_rows_of_a_period(zone, start, n_days, hours):
    plan = Plan.of({"company": {"timezone": zone}})
    period = Period.between(start, start + dt.timedelta(days=n_days))
    assert period.n_days == n_days
    first = plan.midnight(start)
    moments = pd.Series([*(first + pd.Timedelta(hours=hour) for hour in hours), pd.NaT])
    by_local_day = plan.local_days(moments).between(str(period.start), str(period.end))
    assert plan.within(moments, period).tolist() == by_local_day.tolist()
    days = plan.local_days(moments)
    assert plan.within(days, period).tolist() == by_local_day.tolist()
    with Engine(threads=1) as engine:
        engine.register(
            "rows",
            pd.DataFrame({"at": moments.dt.tz_convert("UTC").dt.tz_localize(None), "on": days}),
        )
        of_moments = plan.within_sql('"at"', period)
        of_days = plan.within_sql('cast("on" as date)', period, is_date=True)
        found = engine.rows(
            f"select coalesce({of_moments}, false), coalesce({of_days}, false) from rows"
        )
    assert [row[0] for row in found] == [row[1] for row in found] == by_local_day.tolist()


@pytest.mark.parametrize("plan", ["wins", 5, ["wins"]])
def test_what_is_no_plan_and_no_keys_is_an_error(plan):
    with pytest.raises(PlanError, match="must be a plan, or keys of"):
        Plan().overridden_by(plan)


def test_a_key_like_none_of_the_plan_names_them_all():
    with pytest.raises(PlanError, match=r"\[plan\] has no key `nope`; it knows measure, period"):
        Plan().with_keys(nope=1)


@pytest.mark.parametrize("currency", ["EURO", "eur", "", "points"])
def test_an_unknown_currency_is_refused(currency):
    with pytest.raises(PlanError, match=r"company\.currency"):
        Plan.of({"company": {"currency": currency}})


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("# Parameters\nlevle = 0.8\n", "no parameter `levle`; did you mean `level`"),
        ('# Parameters\ndeal = "D-1"\n', "no parameter `deal`; did you mean `deal_id`"),
        ("# Parameters\nseed = 5\nlevel = 0.8\n", ""),
        ("levle = 0.8\n", ""),  # a cell of the notebook's reader
    ],
)
def test_a_parameter_that_a_notebook_does_not_have_is_an_error(cell, says):
    cells = ["", 'data_dir: str = "x"\ndeal_id: str = ""\n', "%matplotlib inline", cell]
    given = {"In": cells, "level": 0.8}
    if not says:
        assert overrides(given) == {"level": 0.8}
        return
    with pytest.raises(PlanError, match=says):
        overrides(given)


def test_labels_roles_and_links_are_read_and_older_plans_keep_their_hash():
    plan = Plan.of(
        {
            "company": {"name": "Acme"},
            "labels": {"mql": "qualified leads"},
            "roles": {"u-17": "Head  of Sales"},
            "links": {"deal": "https://crm.example/deal/{deal_id}"},
        }
    )
    assert plan.company.labels == {"mql": "qualified leads"} and plan.company.name == "Acme"
    assert plan.roles == {"u-17": "Head of Sales"}
    assert plan.with_keys({"company": {"currency": "USD"}}).company.labels == plan.company.labels
    assert plan.sha256 != Plan.of({"company": {"name": "Acme"}}).sha256
    # an owner may be a person's name, and anybody may read the manifest
    assert plan.as_dict()["roles"] == ["Head of Sales"]
    assert plan.with_keys(roles={"u-18": "Head of Sales"}).sha256 != plan.sha256
    without = Plan().as_dict()
    assert not {"roles", "links"} & set(without) and "labels" not in without["company"]


@pytest.mark.parametrize(
    ("section", "given", "says"),
    [
        ("labels", {"mql": " "}, "`mql` is empty"),
        ("roles", {"u-1": "AE", "u-2": "AE"}, "to 2 owners, whose deals would count as those of"),
        ("roles", {"u-1": "a@b.example"}, "holds an e-mail address"),
        ("links", {"deal": "https://crm.example/deal"}, "holds {deal_id}"),
        ("links", {"deal": "javascript:{deal_id}"}, "must be a web address"),
        ("links", {"deals": "https://crm.example/{deal_id}"}, "did you mean `deal`"),
    ],
)
def test_words_of_the_company_that_make_no_sense_are_refused(section, given, says):
    with pytest.raises(PlanError, match=re.escape(says)):
        Plan.of({section: given})


def test_words_of_losses_are_a_section_and_a_plan_without_them_keeps_its_hash():
    plan = Plan.of({"losses": {" Went with a rival ": "competitor"}})
    assert list(plan.losses.values()) == ["competitor"]
    assert plan.sha256 != Plan().sha256
    assert "losses" not in Plan().as_dict()
