"""Nobody's name, address or number gets past loading, when it works and when it does not."""

from __future__ import annotations

import stat

import pandas as pd
import pytest

from funnel.contract.errors import TableError
from funnel.contract.tables import TABLES
from funnel.dataset import Tables, load, privacy, table_reader
from funnel.dataset.engine import Engine

N = 400


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.delenv(privacy.KEY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def engine():
    with Engine() as engine:
        privacy.install(engine, "a key")
        yield engine


def cleaned(engine, text):
    return engine.rows("select case when _odd($x) then _cleaned($x) else $x end", x=text)[0][0]


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("mail jane.doe+crm@mail.example.co.uk, please", "jane.doe+crm@mail.example.co.uk"),
        ("<JANE@EXAMPLE.ORG>.", "JANE@EXAMPLE.ORG"),
        ("xa@b.de and a@b.de", "xa@b.de"),
        ("call +49 (151) 2345-6789 now", "+49 (151) 2345-6789"),
        ("call 0151 / 23456789 now", "0151 / 23456789"),
        ("call (555) 010-4477 now", "(555) 010-4477"),
        ("call 555-010-4477 now", "555-010-4477"),
        ("call 15550104477", "15550104477"),
        ("tel:01 23 45 67 89", "01 23 45 67 89"),
    ],
)
def test_identities_in_text_are_replaced(engine, text, identity):
    seen = cleaned(engine, text)
    assert identity not in seen and identity.lower() not in seen.lower()
    assert "id-" in seen
    assert seen == cleaned(engine, seen)


@pytest.mark.parametrize(
    "text",
    ["down 12.5 % since 2026-01-05", "2026-01-05 10:00:00", "Q3 2025/26: 1,200 leads", "plan B (2)",
     "from 100 000 to 250 000", "v1.2.3", "on 05.01.2026", "/pricing?page=12"],
)  # fmt: skip
def test_figures_and_dates_in_text_are_not_hashed(engine, text):
    assert cleaned(engine, text) == text


def test_control_characters_and_long_texts_are_cleaned(engine):
    assert cleaned(engine, "a\x00b\u202ec\u200b d\n") == "a b c  d"
    assert len(cleaned(engine, "x" * 9_000)) == privacy.LONGEST_TEXT
    assert "@" not in cleaned(engine, "x" * 495 + " jane@example.org")


def test_an_address_as_a_key_still_joins():
    leads = pd.DataFrame({"lead_id": ["jane@x.org", "+49 151 234567"], "created_at": "2026-01-05"})
    deals = pd.DataFrame(
        {"deal_id": "d", "lead_id": ["jane@x.org"], "created_at": "2026-01-05", "outcome": "open"}
    )
    data = Tables.of(leads=leads, deals=deals)
    assert data.leads["lead_id"].str.startswith("id-").all()
    assert len(data.sql("select 1 from deals join leads using (lead_id)")) == 1


def test_a_person_has_one_label_in_every_table():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": "2026-01-05", "owner": "Jane Doe"})
    reps = pd.DataFrame({"owner": ["jane  doe "], "started_on": "2025-01-01"})
    data = Tables.of(leads=leads, reps=reps)
    assert data.leads["owner"].tolist() == data.reps["owner"].tolist()
    assert data.leads["owner"].str.fullmatch(r"rep-[0-9a-f]{8}").all()


def test_the_key_is_saved_outside_the_company_s_folder(tmp_path, state):
    folder = tmp_path / "company"
    folder.mkdir()
    key, is_secret = privacy.key_for(folder)
    assert is_secret and privacy.key_for(folder) == (key, True)
    assert privacy.key_for(tmp_path)[0] != key
    for file in (state / "funnel" / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(folder.iterdir())


def test_a_key_that_cannot_be_saved_is_a_finding(tmp_path, monkeypatch, state):
    state.write_text("a file where a folder should be")
    folder = tmp_path / "company"
    folder.mkdir()
    (folder / "leads.csv").write_text("lead_id,created_at,email\na,2026-01-05,x@y.de\n")
    one, other = load(folder), load(folder)
    assert one.leads["email"].tolist() == other.leads["email"].tolist()
    assert one.findings["what"].tolist() == ["open_key"]
    monkeypatch.setenv(privacy.KEY_VARIABLE, "given")
    assert load(folder).leads["email"].tolist() != one.leads["email"].tolist()


def canaries():
    """Write identities into every kind of cell, rows that break the contract included."""
    mail = [f"canary{i}@secret{i}.example" for i in range(N)]
    name = [f"Canary Personne{i}" for i in range(N)]
    phone = [f"+49 151 7{i:07d}" for i in range(N)]
    staff = [7 if i % 7 else mail[i] for i in range(N)]
    day = ["2026-01-05" if i % 9 else f"not a day, {mail[i]}" for i in range(N)]
    leads = pd.DataFrame(
        {"lead_id": mail, "created_at": day, "email": mail, "owner": name, "Phone Number": phone,
         "contact": name, "campaign": phone, "employees": staff,
         "grade": [m if i % 5 else "A" for i, m in enumerate(mail)]}
    )  # fmt: skip
    deals = pd.DataFrame(
        {"deal_id": phone, "created_at": "2026-01-05", "account_name": name, "loss_reason": mail,
         "lead_id": [*mail[:-20], *(f"lost-{m}" for m in mail[-20:])],
         "outcome": ["lost" if i % 11 else mail[i] for i in range(N)],
         "closed_at": "2026-01-06", "owner": name}
    )  # fmt: skip
    claims = pd.DataFrame(
        {"claim": [f"{m} called {p}" for m, p in zip(mail, phone, strict=True)],
         "said_by": "sales", "driver": mail, "direction": ["up"] * (N - 5) + mail[-5:]}
    )  # fmt: skip
    return {"leads": leads, "deals": deals, "claims": claims}


def assert_silent(text):
    for canary in ("canary", "personne", "151 7", "+49"):
        assert canary not in text.lower()


@pytest.mark.parametrize("broken", ["", '"unclosed, canary1@secret.example\nCanary Personne9,x\n'])
def test_no_identity_reaches_a_frame_a_file_or_a_message(tmp_path, state, broken):
    folder = tmp_path / "company"
    folder.mkdir()
    for table, frame in canaries().items():
        (folder / f"{table}.csv").write_text(frame.to_csv(index=False) + broken)
    data = load(folder, plan={"max_rejected": 1.0})
    data.write_rejects(tmp_path / "rejects")
    assert len(data.rejects) > N // 4 and len(data.leads) > N // 2
    seen = [data.frame(table).to_csv() for table in TABLES]
    seen += [data.findings.to_csv(), data.rejects.to_csv(), data.counts.to_csv()]
    seen += [file.read_text() for file in (tmp_path / "rejects").iterdir()]
    for text in seen:
        assert_silent(text)
    with pytest.raises(TableError) as stopped:
        load(folder)
    assert_silent(str(stopped.value))


def test_keys_that_hold_an_address_are_hashed_in_big_tables_too(tmp_path, monkeypatch):
    monkeypatch.setattr(table_reader, "BIG", 0)
    people = ["a@example.com", "b-2", "c-3"]
    leads = pd.DataFrame({"lead_id": people, "created_at": "2026-01-05"})
    touches = pd.DataFrame(
        {
            "touch_id": ["T-1", "T-2", "T-3@example.com"],
            "lead_id": people,
            "occurred_at": "2026-01-05",
            "channel": "web",
        }
    )
    for name, frame in {"leads": leads, "touches": touches}.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    data = load(tmp_path)
    shown = data.touches[["touch_id", "lead_id"]].astype("str").to_csv()
    assert "@" not in shown
    assert set(data.touches["lead_id"]) == set(data.leads["lead_id"])
    assert "T-2" in shown
