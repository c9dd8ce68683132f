"""A finished snapshot that holds an identity of the exports is not published."""

from __future__ import annotations

import io
import json

import pytest

from funnel.contract.errors import SnapshotError
from funnel.dataset import label_key, load
from funnel.dataset.raw_identities import raw_identities
from funnel.report.identity_scan import refuse_identities
from funnel.report.progress import Lines
from funnel.report.snapshot import make_snapshot

HEADING = "lead_id,created_at,owner,email,contact,phone,campaign"
ROWS = [
    "L-1,2026-01-05,Jo Roe,jo@canary.example,Canary Personne,+49 151 7000001,web",
    "L-2,2026-01-06,head of sales,,Cher,5550104477,mail",
    'L-3,2026-01-06,,,"Personne, Canary B",12345,mail',
]


@pytest.fixture
def company(tmp_path):
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "leads.csv").write_text("\n".join([HEADING, *ROWS]) + "\n")
    return folder


def test_identities_are_those_specific_enough_to_be_told_apart(company):
    assert raw_identities(load(company)).by_shape == {
        "mail": {"jo@canary.example": "`email` of leads"},
        "phone": {"+49 151 7000001": "`phone` of leads"},
        "digits": {"5550104477": "`phone` of leads"},
        "name": {
            "jo roe": "`owner` of leads",
            "canary personne": "`contact` of leads",
            "personne, canary b": "`contact` of leads",
        },
    }
    text = (company / "leads.csv").read_text()
    (company / "leads.csv").write_text(text.replace("L-", "7000000") + '"never closed\n')
    found = raw_identities(load(company, plan={"max_rejected": 1.0})).by_shape
    assert found["mail"] and found["name"] and not found["digits"]


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.html", "<p>ask JO@canary.example.</p>", "`email`"),
        ("a.html", "<td>+49 151 7000001</td>", "`phone`"),
        ("results/a.csv", "x\n5550104477\n", "`phone`"),
        ("a.ipynb", '"of\\nCanary  Personne,"', "`contact`"),
        ("brief.json", '{"answer": "Personne, Canary B"}', "`contact`"),
        ("rows/a.csv", "figure,table,id\nfor Jo Roe,leads,L-1\n", "`owner`"),
        ("a.html", "Jo and Roe; Personne Canary; 0.5550104477; head of sales; Cher; 12345", ""),
        ("a.html", '<img src="data:image/png;base64,jo@canary.example">', ""),
    ],
)
def test_a_hit_names_the_place_and_never_the_value(company, tmp_path, name, text, place):
    page = tmp_path / "snapshot" / name
    page.parent.mkdir(parents=True)
    page.write_text(text)
    identities = raw_identities(load(company))
    if not place:
        refuse_identities(tmp_path / "snapshot", identities, [])
        return
    with pytest.raises(SnapshotError, match="nothing was published") as stopped:
        refuse_identities(tmp_path / "snapshot", identities, [])
    says = str(stopped.value)
    assert f"{place} of leads" in says and name in says
    for value in ("canary", "personne", "roe", "7000001", "4477"):
        assert value not in says.lower()
    if "Roe" in text:
        refuse_identities(tmp_path / "snapshot", identities, ["Jo Roe"])  # the company's own name


def test_a_customer_whose_name_is_a_phrase_of_every_page_is_no_hit(company, tmp_path):
    text = (company / "leads.csv").read_text()
    (company / "leads.csv").write_text(text.replace("Canary Personne", "Lead Volume"))
    page = tmp_path / "snapshot" / "a.html"
    page.parent.mkdir()
    page.write_text("<p>Lead volume did not move.</p>")
    refuse_identities(page.parent, raw_identities(load(company)), [])
    page.write_text("<p>Ask Jo Roe.</p>")
    with pytest.raises(SnapshotError):
        refuse_identities(page.parent, raw_identities(load(company)), [])


def test_a_name_typed_as_a_campaign_stops_publishing(company, tmp_path, stub_notebooks):
    with (company / "leads.csv").open("a") as leads:
        leads.write("L-1,2026-01-05,,,,,with Canary Personne\n")
    out, said = tmp_path / "out", io.StringIO()
    options = {"out": out, "overrides": {"max_rejected": 0.5}}
    with pytest.raises(SnapshotError, match=r"rejects/leads\.csv"):
        make_snapshot(company, **options)
    assert {path.name for path in out.iterdir()} == {".lock"}
    text = (company / "leads.csv").read_text().replace("with Canary Personne", "web")
    (company / "leads.csv").write_text(text)
    made = make_snapshot(company, **options, progress=Lines(said))
    assert "only this machine" not in said.getvalue()
    about = json.loads((made.path / "manifest.json").read_text())
    key = label_key.key_for(company)
    assert about["label_key"] == {"name": "", "fingerprint": key.fingerprint}
    assert key.secret not in (made.path / "manifest.json").read_text()


def test_a_run_says_that_labels_differ_elsewhere(company, tmp_path, stub_notebooks, monkeypatch):
    monkeypatch.delenv(label_key.HASH_KEY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for plan, is_said in (("", True), ('[company]\nkey = "acme-2026"\n', False)):
        (company / "funnel.toml").write_text(plan)
        said = io.StringIO()
        make_snapshot(company, out=tmp_path / "out", replace=True, progress=Lines(said))
        assert ("only this machine" in said.getvalue()) is is_said
