"""Small inputs made after public bug reports: each is read rightly, or a word says why not."""

import datetime as dt
from pathlib import Path

import pytest

import funnel
from funnel.contract.errors import FunnelError
from funnel.contract.plan import overrides
from funnel.sources.mapping import convert

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"the shared cases are not there: {CASES} is missing"
)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("FUNNEL_CACHE", "off")


def imported(case, out, mapping="mapping.toml", exports="exports"):
    report = convert(CASES / case / mapping, CASES / case / exports, out)
    return report, lambda **plan: funnel.load(out, plan=plan or None)


def won(data):
    deals = data.deals
    return deals.loc[deals["outcome"].astype(str) == "won", "amount"].sum()


@pytest.mark.parametrize(
    ("mapping", "exports"),
    [
        ("mapping.toml", "exports"),
        ("mapping_space.toml", "exports"),
        ("mapping_space.toml", "exports2"),
    ],
)
def test_02_headers_with_line_breaks_and_title_lines(tmp_path, mapping, exports):
    _, load = imported("02-header-newline-preamble", tmp_path / "out", mapping, exports)
    data = load()
    assert (len(data.deals), won(data)) == (3, 1000)


def test_06_ambiguous_dates(tmp_path):
    report, load = imported("06-ambiguous-dates", tmp_path / "out")
    assert "fit day/month and month/day, such as 03/04/2026" in str(report)
    data = load(max_rejected=0.5)
    days = data.deals.set_index("deal_id")["created_at"].dropna()  # of 8 it is unknown
    days = days.dt.strftime("%Y-%m-%d").to_dict()
    assert days == {
        "1": "2026-04-03", "2": "2026-03-25", "3": "2026-03-25", "4": "2025-11-14",
        "5": "2025-11-14", "6": "2026-03-01", "7": "2026-03-01",
    }  # fmt: skip
    found = data.findings.set_index("what")
    assert found.loc["unread_created_at", ["n", "examples"]].tolist() == [1, "8"]
    assert data.findings["says"].str.contains("fit day/month and month/day").any()


@pytest.mark.parametrize(
    ("encoding", "regions"),
    [
        ("cp1250", ["Łódź", "Śląsk", "Żywiec"]),
        ("cp1251", ["Москва", "Пермь", "Тверь"]),
        ("sjis", ["名古屋", "大阪", "東京"]),
    ],
)
def test_33_encodings(encoding, regions):
    data = funnel.load(CASES / "33-central-european-encoding" / encoding)
    assert sorted(data.leads["region"].astype(str).unique()) == regions
    (finding,) = data.findings.query("what == 'encoding'")["says"]
    assert "which is a guess" in finding and regions[0] in finding


@pytest.mark.parametrize(
    "kind",
    ["backslash", "crcr", "inch", "nullbytes", "pipe", "quotednl", "sepline"],
)
def test_34_separators_and_quotes(kind):
    data = funnel.load(CASES / "34-separators-and-quotes" / kind)
    assert (len(data.deals), won(data)) == (3, 3000)


def test_37_parameters_of_notebooks():
    folder = CASES / "37-papermill-parameters"

    def load(as_of="2026-03-31", **names):
        return funnel.load(folder, as_of=as_of, plan=overrides(names))

    given = load(dt.date(2026, 3, 31), period="2026Q1", segments=["region"], level=0.8)
    assert given.as_of == dt.date(2026, 3, 31)
    assert (given.plan.segments, given.plan.level) == (("region",), 0.8)
    assert given.comparison.period.label == "2026Q1"
    assert load(period="2026-02").comparison.period.label == "2026-02"
    for wrong in ({"level": ".8"}, {"segments": [1]}, {"as_of": 20260331}, {"period": 202602}):
        with pytest.raises(FunnelError, match="must be"):
            load(**wrong)
    with pytest.raises(FunnelError, match="must be the path"):
        funnel.load(5)


def test_44_epoch_times(tmp_path):
    line = 'dates.created_at = "epoch_ms"'
    with pytest.raises(FunnelError, match=f"milliseconds since 1970, from 2026-01-01 .*{line}"):
        funnel.load(CASES / "44-epoch-times" / "native")
    with pytest.raises(FunnelError, match=line):
        imported("44-epoch-times", tmp_path / "out")
    given = (CASES / "44-epoch-times" / "mapping.toml").read_text()
    (tmp_path / "ms.toml").write_text(f"{given}\n{line}\n")
    convert(tmp_path / "ms.toml", CASES / "44-epoch-times" / "exports", tmp_path / "ms")
    moments = funnel.load(tmp_path / "ms").leads["created_at"]
    assert moments.min() == dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC)
    _, load = imported("44-epoch-times", tmp_path / "ga4", "mapping_ga4.toml")
    assert load().leads["created_at"].min() == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_46_the_time_zone_of_a_mapping_reaches_the_plan(tmp_path):
    report, load = imported("46-mapping-timezone-no-plan", tmp_path / "out")
    assert 'timezone = "Europe/Berlin"' in str(report)
    data = load(period="2026Q1")
    deals = data.deals[data.plan.within(data.deals["closed_at"], data.comparison.period)]
    assert deals["amount"].sum() == 11_000
