"""Nobody's name, address or number gets past loading, when it works and when it does not."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import stat

import pandas as pd
import pytest

from funnel.contract.errors import FunnelError, ParameterError, TableError
from funnel.contract.tables import TABLES, Kind
from funnel.dataset import Tables, casts, label_key, load, privacy, table_reader
from funnel.dataset.engine import Engine

N = 400


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.delenv(label_key.HASH_KEY, raising=False)
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
        ("ask jane (at) example.org", "jane (at) example.org"),
        ("ask jane [at] example [dot] org", "jane [at] example [dot] org"),
        ("ask jane at example dot org", "jane at example dot org"),
        ("?mail=jane%40example.org", "jane%40example.org"),
        ('ask "jane doe"@example.org', '"jane doe"@example.org'),
        ("ask jane\uff20example.org", "jane\uff20example.org"),
        ("tel.7654-000123", "7654-000123"),
        ("call \uff0b49 151 2345678", "151 2345678"),
        ("call 0151\xa02345\u20116789", "0151\xa02345\u20116789"),
        ("call 912-345-678, or 612 345 678", "612 345 678"),
        ("call 030123456", "030123456"),
        ("call 98765 43210", "98765 43210"),
        ("call 11 91234-5678", "91234-5678"),
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
     "from 100 000 to 250 000", "v1.2.3", "on 05.01.2026", "/pricing?page=12", "650 000 000",
     "2026-01-05 to 2026-02-05", "at noon", "mobile 2026-01-05", "autumn offer 2022"],
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


@pytest.mark.parametrize(
    ("key", "is_identity"),
    [
        *((key, True) for key in (
            "jane@x.org", "+49 151 234567", "0151 2345678", "0151-2345678", "01512345678",
            "555-010-4477", "06.12.34.56.78", "jane (at) x.org", "jane%40x.org", "Jane Doe",
        )),
        *((key, False) for key in (
            "L-0001", "003Dn000004XyZ", "12345678901", "1234567890.1767225600", "a-b-c",
            "team one 2", "0000012345", "9b2e4c1a-0d3f-4e5a-8b7c-1a2b3c4d5e6f",
        )),
    ],
)  # fmt: skip
def test_a_key_that_is_an_identity_is_hashed_and_any_other_stays(engine, key, is_identity):
    shown = engine.rows(f"select {privacy.protected(Kind.ID, '$x')}", x=key)[0][0]
    assert shown.startswith("id-") if is_identity else shown == key
    simple = engine.rows(f"select {casts.all_simple('x')} from (select $x as x)", x=key)[0][0]
    assert not (simple and is_identity)


def test_a_promotion_s_name_loses_its_phone_number():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": "2026-01-05"})
    promos = pd.DataFrame(
        {
            "promo": ["spring offer, 0151 2345678"],
            "starts_on": "2026-01-05",
            "ends_on": "2026-01-06",
        }
    )
    assert re.fullmatch(
        "spring offer, id-[0-9a-f]{16}", Tables.of(leads=leads, promos=promos).promos["promo"][0]
    )


def test_free_text_is_hidden_where_the_plan_says_so():
    leads = pd.DataFrame(
        {"lead_id": ["a", "b"], "created_at": "2026-01-05", "notes": ["Jo Doe called", None],
         "channel": "web"}
    )  # fmt: skip
    changes = pd.DataFrame(
        {"lead_id": ["a"], "stage": "rejected", "entered_at": "2026-01-06", "reason": "too small"}
    )
    heard = pd.DataFrame({"heard_on": ["2026-01-05"], "heard_by": "sales", "what": "Jo Doe left"})
    tables = {"leads": leads, "stage_changes": changes, "heard": heard}
    shown = Tables.of(**tables)
    hidden = Tables.of(**tables, plan={"company": {"free_text": "hide"}})
    assert shown.heard["what"].tolist() == ["Jo Doe left"]
    assert hidden.heard["what"].tolist() == [privacy.HIDDEN]
    assert hidden.leads["notes"].tolist()[0] == privacy.HIDDEN and hidden.leads["notes"].isna()[1]
    assert hidden.leads["channel"].tolist() == ["web", "web"]
    assert hidden.stage_changes["reason"].tolist() == ["too small"]


def test_a_person_has_one_label_in_every_table():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": "2026-01-05", "owner": "Jane Doe"})
    reps = pd.DataFrame({"owner": ["jane  doe "], "started_on": "2025-01-01"})
    data = Tables.of(leads=leads, reps=reps)
    assert data.leads["owner"].tolist() == data.reps["owner"].tolist()
    assert data.leads["owner"].str.fullmatch(r"rep-[0-9a-f]{8}").all()


def test_an_owner_is_shown_by_a_role_of_the_plan_or_the_role_it_is():
    deals = pd.DataFrame(
        {
            "deal_id": ["D-1", "D-2", "D-3", "D-4"],
            "created_at": "2026-01-05",
            "outcome": "open",
            "owner": ["U-17", "Head of  Sales", "Ada Lovelace", "sales"],
        }
    )
    plan = {"roles": {"u-17": "Account executive, North"}}
    owner = Tables.of(deals=deals, plan=plan, as_of="2026-06-30").deals["owner"].tolist()
    assert owner[:2] == ["Account executive, North", "head of sales"]
    assert all(each.startswith("rep-") for each in owner[2:])


def test_the_key_is_saved_outside_the_company_s_folder(tmp_path, state):
    folder = tmp_path / "company"
    folder.mkdir()
    key = label_key.key_for(folder)
    assert key.is_secret and not key.is_portable and label_key.key_for(folder) == key
    assert key.secret not in repr(key) and key.secret not in key.fingerprint
    assert label_key.key_for(tmp_path).secret != key.secret
    assert label_key.key_for(None).secret not in (key.secret, "frames")
    for file in (state / "funnel" / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(folder.iterdir())


def test_a_named_key_gives_the_same_labels_in_another_home_and_path(tmp_path, monkeypatch, state):
    labels, prints = [], []
    for place in ("one", "other"):
        folder = tmp_path / place / "company"
        folder.mkdir(parents=True)
        (folder / "funnel.toml").write_text('[company]\nkey = "acme-2026"\n')
        (folder / "leads.csv").write_text("lead_id,created_at,owner\na,2026-01-05,Jo Doe\n")
        home = tmp_path / place / "state"
        monkeypatch.setenv("XDG_STATE_HOME", str(home))
        if labels:
            copied = label_key.key_file("acme-2026")
            copied.parent.mkdir(parents=True)
            shutil.copy(tmp_path / "one" / "state" / "funnel" / "keys" / "acme-2026", copied)
        data = load(folder)
        labels.append(data.leads["owner"].tolist())
        prints.append(data.label_key.fingerprint)
        assert data.label_key.is_portable
    assert labels[0] == labels[1] and prints[0] == prints[1]
    monkeypatch.setenv(label_key.HASH_KEY, label_key.key_file("acme-2026").read_text())
    assert load(folder, plan={"company": {"key": ""}}).leads["owner"].tolist() == labels[0]


@pytest.mark.parametrize("key", ["1", "golden", "a" * 64, "0123456789abcdef" * 2, "xyz" * 20])
def test_a_key_that_could_be_guessed_is_refused(tmp_path, monkeypatch, key):
    monkeypatch.setenv(label_key.HASH_KEY, key)
    with pytest.raises(ParameterError, match="openssl rand -hex 32"):
        label_key.key_for(tmp_path)


def test_a_key_that_cannot_be_saved_is_a_finding(tmp_path, monkeypatch, state):
    state.write_text("a file where a folder should be")
    folder = tmp_path / "company"
    folder.mkdir()
    (folder / "leads.csv").write_text("lead_id,created_at,email\na,2026-01-05,x@y.de\n")
    one, other = load(folder), load(folder)
    assert one.leads["email"].tolist() == other.leads["email"].tolist()
    assert one.findings["what"].tolist() == ["open_key"]
    frames = Tables.of(leads=pd.DataFrame({"lead_id": ["a"], "created_at": "2026-01-05"}))
    assert frames.findings["what"].tolist() == ["open_key"]
    monkeypatch.setenv(label_key.HASH_KEY, secrets.token_hex(16))
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
    for canary in ("canary", "personne", "151 7", "151-7", "+49"):
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


FIRST = "canary1@secret.example,Canary Personne1,0151-7000001,2026-01-05,email"


@pytest.mark.parametrize(
    ("leads", "plan"),
    [
        (f"{FIRST}\n{FIRST}\n", ""),  # no heading, and one cell happens to be a column's name
        (FIRST.replace("email", "web") + "\n", ""),
        (f"lead_id,owner,{FIRST}\nL-1,x,{FIRST}\n", ""),
        (f"lead_id,lead_id,created_at\n{FIRST}\n", ""),
        ("lead_id,created_at\n" + "".join(f"L-{i},Canary Personne{i}\n" for i in range(9)), ""),
        ("lead_id,created_at\n" + "".join(f"L-{i},1517000{i:04}\n" for i in range(9)), ""),
        ("lead_id,created_at\nL-1,2026-01-05\n", '[plan]\n"canary1@secret.example" = 1\n'),
        ("lead_id,created_at\nL-1,2026-01-05\n", '[plan]\nsegments = ["tel. 0151-7000001"]\n'),
        ("lead_id,created_at\nL-1,2026-01-05\n", "[plan]\nlevel = 'canary1@secret.example'\n"),
        ("lead_id,created_at\nL-1,2026-01-05\n", '[definition]\nsales = "x = \'canary@x.y\'"\n'),
    ],
)  # fmt: skip
def test_no_error_quotes_a_person(tmp_path, leads, plan):
    (tmp_path / "leads.csv").write_text(leads)
    (tmp_path / "Canary Personne.xlsx").write_text("")
    (tmp_path / "funnel.toml").write_text(plan)
    with pytest.raises(FunnelError) as stopped:
        load(tmp_path)
    assert_silent(str(stopped.value))


def test_no_heading_file_name_or_text_of_the_plan_shows_a_person(tmp_path):
    heading = "lead_id,created_at,campaign,canary1@secret.example,tier 2"
    rows = "L-1,2026-01-05,0151-7000001,x,1\nL-2,not a day,,y,2\nL-3,2026-01-05,,z,3\n"
    (tmp_path / "leads.csv").write_text(f"{heading}\n{rows}")
    (tmp_path / "Canary Personne.xlsx").write_text("")
    (tmp_path / "funnel.toml").write_text(
        '[company]\nname = "Acme \\u001b[31m canary1@secret.example"\n'
        '[plan]\nmax_rejected = 1.0\n[reasons]\n"call 0151-7000001" = "fit"\n'
        '[[checklist]]\nname = "mail canary1@secret.example"\nquestion = "0151-7000001?"\n'
    )
    data = load(tmp_path)
    assert list(data.extras["leads"]) == ["column_4", "tier 2"]
    data.write_rejects(tmp_path / "rejects")
    shown = json.dumps(data.plan.as_dict()) + repr(data) + data.findings.to_csv()
    shown += data.leads.to_csv() + (tmp_path / "rejects" / "leads.csv").read_text()
    assert_silent(shown)
    assert "\x1b" not in data.plan.company.name and "Acme" in data.plan.company.name


def test_a_word_that_may_be_a_name_is_quoted_only_where_many_rows_have_it():
    stages = ["Canary Personne", "Sold Well", "sold", *["Sold Well"] * 5]
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": "2026-01-05"})
    changes = pd.DataFrame({"lead_id": "a", "stage": stages, "entered_at": "2026-01-05"})
    data = Tables.of(leads=leads, stage_changes=changes, plan={"max_rejected": 1.0})
    reasons = data.rejects["reason"].str.partition(": ")[2].tolist()
    assert reasons == ["words", "'Sold Well'", "'sold'", *["'Sold Well'"] * 5]
    cells = data.rejected_tables["stage_changes"]["stage"]
    assert cells.isna().tolist() == [True, *[False] * 7]


def test_a_long_number_in_place_of_a_date_is_not_hashed():
    leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": ["2026-01-05", "1767225600"]})
    data = Tables.of(leads=leads, plan={"max_rejected": 1.0})
    assert data.rejects["reason"].tolist() == ["`created_at` is not a date: a number of 10 digits"]


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
