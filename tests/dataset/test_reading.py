"""Files as other programs write them: read rightly, or stopped in words; no row lost in silence."""

import gzip

import pytest

from funnel.contract.errors import TableError
from funnel.dataset import load

HEADER = "deal_id,created_at,closed_at,outcome,amount,account_name,region"
ROWS = [
    "D1,2026-01-05,2026-02-10,won,1000,Plain,North",
    "D2,2026-01-06,2026-02-11,won,2000,Two,South",
    "D3,2026-01-07,,open,500,Three,North",
]


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("FUNNEL_CACHE", "off")


def text(separator=",", end="\n", above=()):
    lines = [line.replace(",", separator) for line in (HEADER, *ROWS)]
    return end.join([*above, *lines]) + end


def loaded(folder, content, encoding="utf-8", name="deals.csv", **plan):
    raw = content if isinstance(content, bytes) else content.encode(encoding)
    (folder / name).write_bytes(raw)
    return load(folder, plan=plan or None)


def amounts(data):
    return dict(zip(data.deals["deal_id"], data.deals["amount"], strict=True))


ALL = {"D1": 1000, "D2": 2000, "D3": 500}


def says(data, what):
    return data.findings.loc[data.findings["what"] == what, "says"].tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^", "~", ":", "||"])
def test_separators(tmp_path, separator):
    assert amounts(loaded(tmp_path, text(separator))) == ALL


def test_a_separator_of_two_characters_is_named(tmp_path):
    with pytest.raises(TableError, match="separated by `::`"):
        loaded(tmp_path, text("::"))


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;;;;"])
def test_a_first_line_that_names_the_separator(tmp_path, first):
    data = loaded(tmp_path, text(";", end="\r\n", above=[first]))
    assert amounts(data) == ALL
    assert not says(data, "lines_above")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_title_lines_above_the_header(tmp_path, end, encoding):
    data = loaded(tmp_path, text(end=end, above=['Bericht "März"', "", "a, b"]), encoding)
    assert amounts(data) == ALL
    assert says(data, "lines_above") == [
        "The first 2 lines of deals.csv stand above the header and held no rows."
    ]


def test_lines_of_rejected_rows_count_from_the_top_of_the_file(tmp_path):
    content = (
        text(above=["Title", "Filter: all"])
        + "D4,2026-01-01,,perhaps,1,Four,N\nD5,2026-01-01,open\n"
    )
    data = loaded(tmp_path, content, max_rejected=0.9)
    assert data.rejects["line"].tolist() == [7, 8]
    data = loaded(
        tmp_path, text(above=["T"]) + "D4,2026-01-01,,perhaps,1,Four,N\n", max_rejected=0.9
    )
    assert data.rejects["line"].tolist() == [6]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n", "\n\r\n"])
def test_line_ends(tmp_path, end):
    assert amounts(loaded(tmp_path, text(end=end))) == ALL


@pytest.mark.parametrize("n_before", [0, 2000])
def test_null_characters_are_removed_and_told(tmp_path, n_before):
    before = "".join(f"E{i},2026-01-05,,open,1,One,West\n" for i in range(n_before))
    content = text().replace("Plain", "Pl\0ain") + before
    data = loaded(tmp_path, content)
    assert len(data.deals) == 3 + n_before
    assert says(data, "null_characters") == ["1 null character was removed from deals.csv."]


def test_a_file_of_zeros_is_binary(tmp_path):
    with pytest.raises(TableError, match="binary"):
        loaded(tmp_path, text().encode() + b"\0" * 1000)


@pytest.mark.parametrize(
    "cell",
    [
        r'"The \"Best\" Ltd, Ulm"', r'"5\" pipes"', '5" pipes', 'a "b" c', '"a ""b"", c"',
        '"one\ntwo"', '"one\r\ntwo, ""three"""', r'"C:\"', r"back\slash",
    ],
)  # fmt: skip
def test_quotes_and_line_breaks_in_a_cell(tmp_path, cell):
    assert amounts(loaded(tmp_path, text().replace("Plain", cell))) == ALL


def test_escaped_quotes_are_told_with_a_line(tmp_path):
    data = loaded(tmp_path, text().replace("Two", r'"\"Two\""'))
    assert says(data, "backslash_quotes") == [
        'In 1 line of deals.csv (such as line 3) quotes within a cell are written \\" and were '
        'read so; CSV doubles them, "".'
    ]


@pytest.mark.parametrize(
    ("encoding", "name", "words"),
    [
        ("cp1250", "Windows-1250", "Łódź Plzeň Győr"),
        ("cp1251", "Windows-1251", "Москва Київ"),
        ("cp1252", "Windows-1252", "München São Orléans Coruña Malmö"),
        ("cp1253", "Windows-1253", "Αθήνα Πάτρα"),
        ("cp1254", "Windows-1254", "Muğla Şişli"),
        ("cp1257", "Windows-1257", "Šiauliai Rīga Kėdainiai"),
        ("koi8_r", "KOI8-R", "Москва Тверь"),
        ("cp932", "Shift-JIS", "大阪 ウェブ"),
        ("gb18030", "GB 18030", "北京 上海"),
        ("big5", "Big5", "台北 高雄"),
        ("cp949", "EUC-KR", "서울 부산"),
    ],
)
def test_the_encoding_is_guessed_by_its_words_and_told(tmp_path, encoding, name, words):
    rows = "".join(f"L{i},2026-01-05,{word}\n" for i, word in enumerate(words.split()))
    data = loaded(tmp_path, f"lead_id,created_at,region\n{rows}", encoding, "leads.csv")
    assert sorted(data.leads["region"]) == sorted(words.split())
    (finding,) = says(data, "encoding")
    assert f"read as {name}, which is a guess" in finding
    assert any(word in finding for word in words.split())
    assert f'`encoding = "{encoding}"`' in finding


def test_a_sample_word_is_nobody_s_name(tmp_path):
    content = text().replace("account_name,region", "Vorname,Kontakt").replace("Plain", "Jürgen")
    data = loaded(
        tmp_path, content.replace("Vorname", "owner").replace("Kontakt", "notes"), "cp1252"
    )
    (finding,) = says(data, "encoding")
    assert "Jürgen" not in finding and "no word" in finding


def test_one_wrong_byte_does_not_garble_the_rest(tmp_path):
    rows = "".join(f"L{i},2026-01-05,Łódź\n" for i in range(20)).encode()
    content = b"lead_id,created_at,region\n" + rows + b"M1,2026-01-05,M\xfcnchen\n"
    data = loaded(tmp_path, content, name="leads.csv")
    assert set(data.leads["region"]) == {"Łódź", "München"}
    assert len(says(data, "encoding")) == 1


def test_a_packed_file_is_guessed_too(tmp_path):
    content = gzip.compress("lead_id,created_at,region\nL1,2026-01-05,Łódź\n".encode("cp1250"))
    data = loaded(tmp_path, content, name="leads.csv.gz")
    assert list(data.leads["region"]) == ["Łódź"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_wide_characters_of_any_script(tmp_path, encoding):
    rows = "".join(f"L{i},2026-01-05,Москва и область\n" for i in range(500))
    data = loaded(tmp_path, f"lead_id,created_at,region\n{rows}", encoding, "leads.csv")
    assert len(data.leads) == 500
    assert data.findings.empty


@pytest.mark.parametrize(
    ("cell", "what", "form"),
    [
        ("1767258000", "seconds since 1970", "epoch_s"),
        ("1767258000.5", "seconds since 1970", "epoch_s"),
        ("1767258000000", "milliseconds", "epoch_ms"),
        ("1767258000000000", "microseconds", "epoch_us"),
        ("20260101", "eight digits", "%Y%m%d"),
        ("20260101090000", "fourteen digits", "%Y%m%d%H%M%S"),
        ("46023", "days as spreadsheets count them", "spreadsheet"),
        ("46023.375", "days as spreadsheets count them", "spreadsheet"),
    ],
)
def test_times_that_are_numbers_are_named_with_the_line_to_paste(tmp_path, cell, what, form):
    with pytest.raises(TableError) as error:
        loaded(tmp_path, f"lead_id,created_at\nL1,{cell}\nL2,{cell}\n", name="leads.csv")
    assert what in str(error.value)
    assert "2026-01-01" in str(error.value)
    assert f'dates.created_at = "{form}"' in str(error.value)


def test_dots_that_may_mark_thousands_are_asked(tmp_path):
    content = text().replace("1000", "1.000").replace("2000", "12.500")
    (finding,) = says(loaded(tmp_path, content), "threes")
    assert finding.startswith("2 of 3 `amount` have a dot and three digits after it, such as 1.000")
    assert not says(loaded(tmp_path, content.replace("500,Three", "500.5,Three")), "threes")
