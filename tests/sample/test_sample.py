"""The generator of companies: same seed, same bytes; a truth that holds; causes that stay put."""

import datetime as dt
import functools
import gzip
import itertools
import json
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnel.contract.codebook import codebook
from funnel.contract.errors import FunnelError, ParameterError
from funnel.contract.plan import Plan
from funnel.contract.tables import TABLES, Kind
from funnel.sample import DEFAULT_SEED, SCENARIOS, company, write, write_sample
from funnel.sample.folder import csv_text
from funnel.sample.pipeline import stretched

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
END = pd.Timestamp("2026-06-30 22:00", tz="UTC")  # midnight in Berlin
START = pd.Timestamp("2026-03-31 22:00", tz="UTC")
BASELINE = pd.Timestamp("2025-12-31 23:00", tz="UTC")
DRIVERS = {
    "calendar", "lead volume", "mix", "timing", "deal size", "residual", "lead to mql",
    "mql to sal", "sal to sql", "sql to opportunity", "opportunity to won",
}  # fmt: skip
GUARDS = {None, "data", "definition", "maturity", "calendar", "mix", "noise"}
RENAMED_ONLY = ["threshold_lowered", "tracking_break", "definition_changed"]
NOT_IN_A_SAMPLE = {"deal_changes"}  # its deals keep what they were opened with


@functools.cache
def made(scenario, leads=1500, quarters=4, seed=7, weekly_dispersion=1.0):
    return company(
        scenario, seed=seed, leads=leads, quarters=quarters, weekly_dispersion=weekly_dispersion
    )


def entries(scenario, stage, since=START, until=END):
    changes = made(scenario).tables["stage_changes"]
    inside = (changes["entered_at"] >= since) & (changes["entered_at"] < until)
    return int((inside & (changes["stage"] == stage)).sum())


def created(scenario, since=START):
    return made(scenario).tables["leads"].query("created_at >= @since")


# What every company keeps to


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_table_keeps_the_contract(scenario):
    tables = made(scenario).tables
    assert list(tables) == [name for name in TABLES if name not in NOT_IN_A_SAMPLE]
    for name, frame in tables.items():
        table = TABLES[name]
        assert set(frame.columns) <= set(table.by_name), name
        assert frame[list(table.required)].notna().all(axis=None), name
        key = [column for column in table.key if column in frame]
        assert not (key and frame.duplicated(key).any()), name
        for column in table.columns:
            if column.name in frame:
                values = frame[column.name].dropna()
                assert not column.choices or values.isin(column.choices).all(), column
                if column.kind is Kind.TIME:
                    assert (values < END).all(), column
                if column.kind in (Kind.MONEY, Kind.COUNT):
                    assert (values >= 0).all(), column
        for first, then in table.ordered:
            assert not (frame[first] > frame[then]).any(), (name, first, then)
        for reference in table.references:
            known = tables[reference.table][TABLES[reference.table].key[0]]
            assert frame[reference.column].dropna().isin(known).all(), (name, reference)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_stages_and_deals_agree(scenario):
    tables = made(scenario).tables
    deals = tables["deals"]
    changes = tables["stage_changes"].merge(tables["leads"][["lead_id", "created_at"]])
    assert ((deals["outcome"] == "open") == deals["closed_at"].isna()).all()
    assert (changes["entered_at"] >= changes["created_at"]).all()
    for stage, outcome in (("won", "won"), ("lost", "lost")):
        of_deals = deals[(deals["outcome"] == outcome) & deals["lead_id"].notna()]
        of_stages = changes[changes["stage"] == stage]
        assert sorted(of_deals["lead_id"]) == sorted(of_stages["lead_id"])
    first = changes.groupby(["lead_id", "stage"])["entered_at"].min()
    order = ["mql", "sal", "sql", "opportunity", "won"]
    for before, after in itertools.pairwise(order):
        both = pd.concat([first.xs(stage, level="stage") for stage in (before, after)], axis=1)
        assert not (both.iloc[:, 0] > both.iloc[:, 1]).any(), (before, after)
    acted = tables["activities"].merge(tables["leads"][["lead_id", "assigned_at"]])
    assert (acted["occurred_at"] >= acted["assigned_at"]).all()


def test_a_folder_loads_without_a_single_reject(tmp_path):
    load = pytest.importorskip("funnel.dataset").load
    write(made("both_at_fault"), tmp_path)
    data = load(tmp_path)
    assert data.as_of == dt.date(2026, 6, 30)
    assert data.counts["rows_rejected"].sum() == 0
    assert dict(zip(data.counts["table"], data.counts["rows_used"], strict=True)) == {
        name: len(frame) for name, frame in made("both_at_fault").tables.items()
    }


def test_no_real_person_or_address_is_in_it():
    leads, deals = made("none").tables["leads"], made("none").tables["deals"]
    assert leads["email"].str.fullmatch(r"person\d+@example\.com").all()
    assert deals["account_name"].str.fullmatch(r"Company \d+ Example").all()


def test_the_plan_is_valid():
    plan = Plan.of(tomllib.loads(made("none").plan_toml))
    assert plan.company.country == "DE"
    assert plan.comparison(made("none").as_of).period.start == dt.date(2026, 4, 1)
    changes, deals = made("none").tables["stage_changes"], made("none").tables["deals"]
    recorded = set(changes["reason"].dropna()) | set(deals["loss_reason"].dropna())
    assert recorded <= set(plan.reasons)


# Same seed, same bytes; same draws with and without the cause


def folder_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_same_seed_same_bytes(tmp_path):
    for name in ("one", "two"):
        write(company("leavers", leads=200, quarters=3, seed=3), tmp_path / name, truth=True)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    write(company("leavers", leads=200, quarters=3, seed=4), tmp_path / "two", truth=True)
    assert folder_bytes(tmp_path / "one") != folder_bytes(tmp_path / "two")


def test_draws_do_not_depend_on_numpys_global_state():
    first = company("mix", leads=60, quarters=3)
    np.random.seed(1)  # noqa: NPY002 - the very thing that must not matter
    second = company("mix", leads=60, quarters=3)
    for name, frame in first.tables.items():
        pd.testing.assert_frame_equal(frame, second.tables[name])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_truth_is_what_the_same_company_books_without_the_cause(scenario):
    truth, without = made(scenario).truth, made("none").truth
    assert (truth.booked_without, truth.wins_without) == (without.booked, without.wins)
    assert truth.baseline_booked_without == without.baseline_booked
    assert truth.difference == pytest.approx(truth.booked - without.booked, abs=0.005)
    deals = made(scenario).tables["deals"].query("outcome == 'won'")
    inside = deals[(deals["closed_at"] >= START) & (deals["closed_at"] < END)]
    assert truth.booked == pytest.approx(inside["amount"].sum(), abs=0.005)
    assert truth.wins == len(inside)


@pytest.mark.parametrize(
    "scenario",
    sorted(set(SCENARIOS) - {"whale", "season", "up_with_hidden_decline", "promo_pull_forward"}),
)
def test_a_cause_that_starts_with_the_period_changes_nothing_before(scenario):
    before, after = made("none").tables, made(scenario).tables
    for name, when in (("leads", "created_at"), ("deals", "created_at")):
        old = before[name][before[name][when] < START]
        new = after[name][after[name][when] < START]
        columns = ["lead_id", when] if name == "leads" else ["account_id", when, "kind"]
        assert old[columns].to_numpy().tolist() == new[columns].to_numpy().tolist()
    assert made(scenario).truth.baseline_booked == made("none").truth.baseline_booked


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_name_drivers_and_checks_of_the_contract(name):
    scenario = SCENARIOS[name]
    assert scenario.name == name
    assert set(scenario.drivers) <= DRIVERS
    assert scenario.guard in GUARDS
    assert scenario.driver == (scenario.drivers or (None,))[0]
    assert scenario.planted.endswith(".")


# Each cause moves what it says, and leaves alone what it does not name


@pytest.mark.parametrize("scenario", RENAMED_ONLY)
def test_changed_rules_change_no_deal_and_no_customer(scenario):
    for name in ("deals", "subscriptions", "spend", "reps"):
        assert csv_text(name, made(scenario).tables[name]) == csv_text(
            name, made("none").tables[name]
        )
    assert made(scenario).truth.difference == 0


def test_volume_lowers_the_leads_of_every_channel_equally():
    fewer, unchanged = created("volume"), created("none")
    assert set(fewer["lead_id"]) < set(unchanged["lead_id"])
    assert len(fewer) / len(unchanged) == pytest.approx(0.70, abs=0.05)
    change = fewer["channel"].value_counts() / unchanged["channel"].value_counts()
    assert change.between(0.55, 0.85).all()
    kept = unchanged[unchanged["lead_id"].isin(fewer["lead_id"])]
    pd.testing.assert_frame_equal(
        fewer.drop(columns="owner").reset_index(drop=True),
        kept.drop(columns="owner").reset_index(drop=True),
    )


def test_mix_shifts_leads_to_social_and_to_smaller_firms():
    shifted, unchanged = created("mix"), created("none")
    assert shifted["lead_id"].tolist() == unchanged["lead_id"].tolist()
    assert (shifted["channel"] == "social").sum() > 2 * (unchanged["channel"] == "social").sum()
    assert shifted["employees"].median() < 0.85 * unchanged["employees"].median()
    assert made("mix").truth.difference < 0


def test_follow_up_lowers_acceptance_and_nothing_before_it():
    assert entries("follow_up", "mql") == pytest.approx(entries("none", "mql"), rel=0.01)
    assert entries("follow_up", "sal") < 0.75 * entries("none", "sal")

    def days_to_first_action(scenario):
        tables = made(scenario).tables
        first = tables["activities"].groupby("lead_id")["occurred_at"].min()
        leads = created(scenario).set_index("lead_id")
        return ((first - leads["assigned_at"]) / pd.Timedelta("1D")).median()

    assert days_to_first_action("follow_up") > 1.8 * days_to_first_action("none")


def test_win_rate_turns_won_deals_into_lost_ones_on_the_same_day():
    deals, unchanged = made("win_rate").tables["deals"], made("none").tables["deals"]
    keys = ["account_id", "created_at", "lead_id"]
    both = deals.merge(unchanged, on=keys, suffixes=("", "_unchanged"))
    turned = both[(both["outcome"] == "lost") & (both["outcome_unchanged"] == "won")]
    assert len(turned) == made("none").truth.wins - made("win_rate").truth.wins
    assert (turned["closed_at"] == turned["closed_at_unchanged"]).all()
    assert (turned["closed_at"] >= START).all()
    assert made("win_rate").truth.wins < 0.85 * made("none").truth.wins


def test_deal_size_lowers_amounts_and_no_count():
    truth, unchanged = made("deal_size").truth, made("none").truth
    assert truth.wins == unchanged.wins
    assert truth.booked / unchanged.booked == pytest.approx(0.75, abs=0.02)


def test_slippage_delays_deals_and_loses_none_for_good():
    slipped, unchanged = (
        made(name).tables["deals"].query("lead_id.notna()") for name in ("slippage", "none")
    )
    both = slipped.merge(
        unchanged, on=["account_id", "created_at", "lead_id"], suffixes=("", "_unchanged")
    )
    assert len(both) == len(unchanged)
    closed = both["closed_at"].notna()
    assert (both.loc[closed, "closed_at"] >= both.loc[closed, "closed_at_unchanged"]).all()
    assert (both.loc[closed, "outcome"] == both.loc[closed, "outcome_unchanged"]).all()
    assert made("slippage").truth.wins < 0.9 * made("none").truth.wins
    assert (slipped["outcome"] == "open").sum() > (unchanged["outcome"] == "open").sum()


def test_the_season_is_low_in_every_year():
    leads = company("season", leads=600, quarters=8, seed=7).tables["leads"]["created_at"]
    unchanged = company("none", leads=600, quarters=8, seed=7).tables["leads"]["created_at"]
    for year in (2025, 2026):
        share = {
            months: leads[leads.dt.year.eq(year) & leads.dt.month.isin(months)].size
            / unchanged[unchanged.dt.year.eq(year) & unchanged.dt.month.isin(months)].size
            for months in ((4, 5, 6), (1,))
        }
        assert share[4, 5, 6] == pytest.approx(0.62, abs=0.08)
        assert share[(1,)] == 1


def test_a_lower_threshold_hands_off_more_leads_and_wins_the_same():
    assert entries("threshold_lowered", "mql") > 1.2 * entries("none", "mql")
    assert entries("threshold_lowered", "won") == entries("none", "won")
    assert entries("threshold_lowered", "opportunity") == entries("none", "opportunity")
    scenarios = ("threshold_lowered", "none")
    rate = {name: entries(name, "sal") / entries(name, "mql") for name in scenarios}
    assert rate["threshold_lowered"] < 0.9 * rate["none"]
    changes = made("threshold_lowered").tables["stage_changes"].query("stage == 'mql'")
    first = changes.groupby("lead_id")["entered_at"].min().rename("mql_at")
    leads = made("threshold_lowered").tables["leads"].set_index("lead_id").join(first, how="inner")
    soon = leads[leads["mql_at"] < leads["created_at"] + pd.Timedelta("3D")]
    assert soon.loc[soon["created_at"] < START, "score"].min() == 40
    assert soon.loc[soon["created_at"] >= START, "score"].min() == 32


def test_tracking_break_loses_channels_and_touches_only():
    broken, unchanged = made("tracking_break").tables, made("none").tables
    pd.testing.assert_frame_equal(
        broken["leads"].drop(columns=["channel", "campaign"]),
        unchanged["leads"].drop(columns=["channel", "campaign"]),
    )
    lost = created("tracking_break")["channel"].isin(["direct", "unknown"])
    assert lost.mean() > 0.2
    assert not created("none")["channel"].isin(["direct", "unknown"]).any()
    assert broken["stage_changes"].equals(unchanged["stage_changes"])
    assert len(broken["touches"]) < len(unchanged["touches"])


def test_whale_is_one_deal_of_the_baseline():
    with_it, without = made("whale").tables["deals"], made("none").tables["deals"]
    changed = with_it["amount"].ne(without["amount"]) & with_it["amount"].notna()
    assert changed.sum() == 1
    truth = made("whale").truth
    assert truth.baseline_booked > 1.2 * truth.baseline_booked_without
    assert truth.baseline_wins == truth.baseline_wins_without
    assert truth.difference == 0


def test_churn_is_flat_on_a_growing_base():
    def churn(scenario):
        table = company(scenario, leads=6000, quarters=8, seed=7).tables["subscriptions"]
        by_month = table.pivot_table(
            index="account_id", columns="month", values="mrr", aggfunc="sum", fill_value=0.0
        )
        before, after = by_month.iloc[:, -7:-1], by_month.iloc[:, -6:]
        churned = before.where(after.to_numpy() == 0, 0.0)
        n_churned = (churned > 0).to_numpy().sum()
        return n_churned / (before > 0).to_numpy().sum(), churned.to_numpy().sum()

    (rate, money), (unchanged_rate, unchanged_money) = churn("churn_growing_base"), churn("none")
    assert rate == pytest.approx(unchanged_rate, rel=0.2)
    assert money > 1.2 * unchanged_money
    assert made("churn_growing_base").truth.difference == 0


def test_growth_hides_a_falling_win_rate():
    truth = made("up_with_hidden_decline").truth
    assert truth.booked > truth.booked_without
    assert len(created("up_with_hidden_decline")) > 1.5 * len(created("none"))

    def win_rate(scenario):
        won, lost = (entries(scenario, stage) for stage in ("won", "lost"))
        return won / (won + lost)

    assert win_rate("up_with_hidden_decline") < 0.95 * win_rate("none")


def test_both_at_fault_changes_both_sides_of_the_handoff():
    rates = {}
    for name in ("both_at_fault", "none"):
        won, lost = entries(name, "won"), entries(name, "lost")
        rates[name] = (entries(name, "sal") / entries(name, "mql"), won / (won + lost))
    assert len(created("both_at_fault")) < 0.88 * len(created("none"))
    assert rates["both_at_fault"][0] < 0.85 * rates["none"][0]
    assert rates["both_at_fault"][1] < 0.95 * rates["none"][1]


def test_leavers_leave_and_their_leads_wait():
    reps = made("leavers").tables["reps"]
    left = reps[reps["left_on"] >= "2026-04-01"]
    assert len(left) == round(0.3 * len(reps[reps["left_on"].isna() | reps.index.isin(left.index)]))
    assert created("leavers")["assigned_at"].notna().sum() < (
        created("none")["assigned_at"].notna().sum()
    )
    done = made("leavers").tables["activities"].merge(left, on="owner")
    assert (done["occurred_at"].dt.tz_localize(None) <= done["left_on"] + pd.Timedelta("2D")).all()
    assert entries("leavers", "sal") < 0.92 * entries("none", "sal")


def test_changed_definition_moves_sql_from_the_middle_on():
    middle = START + (END - START) / 2
    assert entries("definition_changed", "sql", until=middle) == entries(
        "none", "sql", until=middle
    )
    assert entries("definition_changed", "sql", middle) > 1.2 * entries("none", "sql", middle)
    assert entries("definition_changed", "opportunity") == entries("none", "opportunity")


def test_a_promotion_pulls_deals_forward_and_adds_none():
    truth = made("promo_pull_forward").truth
    assert truth.baseline_wins > truth.baseline_wins_without
    assert truth.wins + truth.baseline_wins == truth.wins_without + truth.baseline_wins_without
    both = truth.booked + truth.baseline_booked
    assert both == pytest.approx(truth.booked_without + truth.baseline_booked_without, abs=0.01)
    promo = made("promo_pull_forward").tables["promos"].iloc[-1]
    assert promo["promo"] == "quarter-end offer"
    assert promo["starts_on"] == pd.Timestamp(truth.starts_on)


# The shape of arrivals and sizes


def weekly_counts(weekly_dispersion, seed):
    leads = made("none", 1500, 8, seed, weekly_dispersion).tables["leads"]["created_at"]
    local = leads.dt.tz_convert("Europe/Berlin").dt.tz_localize(None)
    return local.dt.to_period("W-SUN").value_counts().sort_index().iloc[1:-1]


@pytest.mark.parametrize("given", [1.0, 4.0])
def test_weekly_counts_have_the_given_dispersion(given):
    """Pearson's dispersion about weekly means taken over many seeds, with 5 x 102 weeks."""
    counts = pd.concat([weekly_counts(given, seed) for seed in range(5)], axis=1).to_numpy(float)
    mean = counts.mean(axis=1, keepdims=True)
    dispersion = ((counts - mean) ** 2 / mean).sum() / (counts.shape[0] * (counts.shape[1] - 1))
    # Its standard error is sqrt(2 / 408) of itself: 0.07; four of them.
    assert dispersion == pytest.approx(given, rel=0.28)


def test_leads_arrive_by_weekday_and_month_and_few_on_holidays():
    leads = made("none", 1500, 8, 0).tables["leads"]["created_at"].dt.tz_convert("Europe/Berlin")
    by_weekday = leads.dt.day_of_week.value_counts()
    assert by_weekday[[5, 6]].max() < 0.5 * by_weekday[[0, 1, 2, 3]].min()
    by_month = (
        leads.groupby(leads.dt.month).size()
        / leads.dt.normalize().groupby(leads.dt.month).nunique()
    )
    assert by_month[8] < 0.9 * by_month[[6, 9, 10]].min()
    fair = leads[made("none", 1500, 8, 0).tables["leads"]["channel"] == "events"].dt.month
    assert (fair == 10).sum() > 2 * (fair == 8).sum()
    days = leads.dt.date.value_counts()
    assert days[dt.date(2026, 5, 1)] < 0.7 * days[dt.date(2026, 4, 24)]  # a Friday off


def test_deals_close_on_working_days_and_most_at_the_end_of_a_quarter():
    deals = made("none", 6000, 4, 1).tables["deals"]
    closed = deals.loc[deals["outcome"] == "won", "closed_at"].dt.tz_convert("Europe/Berlin")
    assert (closed.dt.day_of_week < 5).all()
    assert closed.dt.hour.between(8, 18).all()
    by_weekday = closed.dt.day_of_week.value_counts()
    assert by_weekday.max() < 1.5 * by_weekday.min()
    # Three open days before each quarter's end, against the same days of the week in mid-quarter.
    ends = pd.to_datetime(["2025-09-30", "2025-12-31", "2026-03-31", "2026-06-30"])
    days = closed.dt.tz_localize(None).dt.normalize()
    last = sum(days.between(end - pd.Timedelta("4D"), end).sum() for end in ends)
    middle = sum(
        days.between(end - pd.Timedelta("39D"), end - pd.Timedelta("35D")).sum() for end in ends
    )
    assert last > 1.5 * middle


def test_companies_have_the_given_size():
    tables = made("none", 2000, 16, DEFAULT_SEED).tables
    assert len(tables["leads"]) / 16 == pytest.approx(2000, rel=0.02)
    won = tables["deals"].query("outcome == 'won'")
    assert len(won) / 16 == pytest.approx(100, rel=0.1)
    quarters = won["closed_at"].dt.tz_localize(None).dt.to_period("Q").value_counts()
    assert quarters.min() > 70  # the first quarters are not empty
    assert 0.15 < len(made("none", 60, 3, 1).tables["leads"]) / (60 * 3) < 2


def test_a_wait_is_longer_only_after_the_start():
    begin = np.array([0.0, 8.0, 0.0])
    wait = np.array([4.0, 4.0, 20.0])
    assert stretched(begin, wait, 3.0, 10.0).tolist() == [4.0, 16.0, 40.0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"scenario": "wine_rate"}, "no scenario 'wine_rate'.*win_rate"),
        ({"leads": 0}, "leads=0 is too small"),
        ({"quarters": 2}, "quarters=2 is too small"),
        ({"weekly_dispersion": 0.5}, "weekly_dispersion=0.5 is too small"),
        ({"seed": -1}, "seed=-1 is too small"),
    ],
)
def test_impossible_parameters_are_errors(given, says):
    with pytest.raises(ParameterError, match=says):
        company(**given)


# The folder


def test_the_folder_holds_tables_plan_and_codebook_but_not_the_truth(tmp_path):
    write(made("none"), tmp_path / "new")
    names = {
        path.name.removesuffix(".gz").removesuffix(".csv") for path in (tmp_path / "new").iterdir()
    }
    assert names == {*TABLES, "funnel.toml", "README.md"} - NOT_IN_A_SAMPLE
    assert (tmp_path / "new" / "README.md").read_text(encoding="utf-8") == codebook()


def test_an_earlier_sample_is_replaced_whole(tmp_path):
    write(made("none"), tmp_path, truth=True)
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert truth["booked"] == made("none").truth.booked
    small = write_sample(tmp_path, scenario="volume", leads=20)
    leads = [path.name for path in tmp_path.glob("leads.*")]
    assert leads == ["leads.csv"]
    assert len(pd.read_csv(tmp_path / "leads.csv")) == len(small.tables["leads"])
    assert not (tmp_path / "truth.json").exists()


def test_a_folder_with_other_files_is_not_changed(tmp_path):
    (tmp_path / "leads.csv").write_text("lead_id,created_at\n", encoding="utf-8")
    with pytest.raises(FunnelError, match=r"is not empty.*--out"):
        write(made("none"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["leads.csv"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FunnelError, match=r"cannot be written to .*--out"):
        write(made("none"), tmp_path / "file" / "below")


def content(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_the_sample_in_the_repository_is_made_by_this_code(tmp_path):
    write_sample(tmp_path)
    saved = {path.name: content(path) for path in SAMPLE.iterdir()}
    assert saved == {path.name: content(path) for path in tmp_path.iterdir()}
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 5_000_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_docs_of_the_sample_describe_every_scenario(name):
    page = (SAMPLE.parents[1] / "docs" / "sample.md").read_text(encoding="utf-8")
    scenario = SCENARIOS[name]
    drivers = ", ".join(scenario.drivers) or "none"
    assert f"| `{name}` | {scenario.planted} | {drivers} | {scenario.guard or ''} |" in page
