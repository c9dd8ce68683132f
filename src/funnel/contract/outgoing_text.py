r"""What leaves the package as text: no address, phone number or control character, whatever it is.

Each kind of text has one function: a message, a line of the plan, a heading, a path or file name, a
cell. The patterns are written so that Python and DuckDB (RE2) read them alike; `dataset.privacy`
makes its SQL from the same ones. A person's name looks like other words, so a heading or
file name that may be one is not quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# controls, soft hyphens, direction and byte-order marks
STRANGE = (
    r"\x00-\x1f\x7f-\x9f" + "\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
)
_AT_SIGNS, _PLUS = "@\uff20\ufe6b", "+\uff0b"  # full-width and small forms too
_AT = rf"(?:[{_AT_SIGNS}]|%40|\s?[\[({{<]\s?(?i:at)\s?[\])}}>]\s?)"
_NOT_PART = rf"\s{_AT_SIGNS},;:<>()\[\]{{}}\"|"
MAIL = (
    rf'(?:"[^"\n]{{1,64}}"|[^{_NOT_PART}]{{1,64}}){_AT}[^{_NOT_PART}]*[^{_NOT_PART}.!?]'
    r"(?:\s?[\[({]\s?(?i:dot)\s?[\])}]\s?[\w-]+)*"
    r"|[\w.+-]{1,64}(?i: at )[\w.-]{1,64}(?i: dot )\w+"
)
_DASHES = "\xa0\u2007\u2009\u202f./\u2010-\u2013-"  # what stands between digits, blanks apart
_BETWEEN = f"[ \t{_DASHES}]"
_MORE = rf"[\d\s(){_DASHES}]"
# a number written with a plus, brackets, a label or in the groups of some country
WRITTEN_PHONE = "|".join(
    (
        rf"[{_PLUS}]\(?\d{_MORE}{{5,}}\d",
        rf"\(\+?\d{{1,5}}\){_BETWEEN}?\d[\d {_DASHES}]{{4,}}\d",
        r"(?i:\b(?:tel|telephone|telefon|phone|fax|fon)\b[.:]?|\b(?:mobile?|mob|handy|cell)[.:])"
        rf"\s{{0,2}}[\d(]{_MORE}{{4,}}\d",
        rf"(?:^|[\s:,;])0\d{{2,5}}{_BETWEEN}{{1,3}}\d[\d {_DASHES}]{{3,}}\d",
        r"(?:^|[\s:,;])0\d[ -]\d{3,4}[ -]\d{4}\b",
        rf"\b(?:1{_BETWEEN})?\d{{3}}{_BETWEEN}\d{{3}}{_BETWEEN}\d{{4}}\b",
        r"\b\d{3}-\d{3}-\d{3}\b",
        rf"\b(?:\d{{2}}{_BETWEEN}){{4}}\d{{2}}\b",
        r"\b(?:\d{2} ){3}\d{2}\b",
        r"\b\d{2} \d{4,5}-\d{4}\b",
        r"\b\d{5} \d{5}\b",
        r"\b[6-9]\d\d \d{3} (?:[1-9]\d\d|\d[1-9]\d|\d\d[1-9])\b",  # 650 000 000 is an amount
    )
)
PHONE = rf"{WRITTEN_PHONE}|(?:^|[\s:,;])0[1-9]\d{{7,}}\b|\b\d{{10,15}}\b"
_ADDRESS = rf"[{_AT_SIGNS}]|%40|[\[({{<]\s?(?i:at)\s?[\])}}>]|(?i: dot )"
# quick searches for what may hold any of them, in a key and in a text
ODD_KEY = rf"[{STRANGE}]|{_ADDRESS}|[(]\+?\d|[{_PLUS}]\(?\d"
ODD = rf"{ODD_KEY}|\d{_MORE}{{5,}}\d"

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_STRANGE = re.compile(f"[{STRANGE}]+")
_MAIL = re.compile(MAIL, re.ASCII)
_WRITTEN_PHONE = re.compile(WRITTEN_PHONE, re.ASCII)
_PHONE = re.compile(PHONE, re.ASCII)
_AT_SIGN = re.compile(_ADDRESS)
_WORD = re.compile(r"[^\W\d_]+")
_VALUE = re.compile(r"\s*[+-]?\d|.*@", re.DOTALL)  # how a cell begins that is no heading
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_LONGEST_NAME = 40
_ODD_LINE = re.compile(
    rf"^[{re.escape(''.join(_FORMULA))}]|{_ADDRESS}|{_CONTROL.pattern}", re.MULTILINE
)


def without_controls(text: str) -> str:
    r"""Text without what a terminal or a bidirectional layout would act on; lines stay.

    Examples
    --------
    >>> without_controls("\x1b[31mred\x1b[0m")
    'red'
    """
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def without_mail(text: str) -> str:
    """Text with `[e-mail]` in place of each address.

    Examples
    --------
    >>> without_mail("ask jane (at) example.org or j.doe@example.org.")
    'ask [e-mail] or [e-mail].'
    """
    return _MAIL.sub("[e-mail]", text) if _AT_SIGN.search(text) else text


def clean_message(text: str) -> str:
    r"""Message that names no address and no phone number, for terminals, logs and pages.

    A run of bare digits stays: in a message it is a count, a size or a part of a path.

    Examples
    --------
    >>> clean_message("no key `\x1b[1mtel. 7654-000123`; 17672256000 bytes on 2026-01-05")
    'no key `[number]`; 17672256000 bytes on 2026-01-05'
    """
    return _WRITTEN_PHONE.sub(_number, without_mail(without_controls(text)))


def clean_plan_text(text: str) -> str:
    r"""Text of the plan that pages show: one line without addresses and phone numbers.

    Examples
    --------
    >>> clean_plan_text("Ask Jo\x07, 0151 2345678")
    'Ask Jo, [number]'
    """
    return _PHONE.sub(_number, without_mail(_STRANGE.sub(" ", without_controls(text))))


def holds_identity(text: str) -> bool:
    """Whether a text holds an address, a phone number or a control character.

    Examples
    --------
    >>> [holds_identity(text) for text in ("0151 2345678", "mql to sal")]
    [True, False]
    """
    return clean_plan_text(text) != text


def clean_cell(cell: object) -> object:
    """Cell or heading of a CSV file, without addresses, and not taken for a formula.

    Phone numbers are left here: a key of ten digits looks like one, and cells were cleaned when
    they were read.

    Examples
    --------
    >>> [clean_cell(cell) for cell in ("=1+1", "\uff1dA1", "a@b.de", 3)]
    ["'=1+1", "'\uff1dA1", '[e-mail]', 3]
    """
    if not isinstance(cell, str):
        return cell
    clean = without_mail(without_controls(cell))
    return f"'{clean}" if clean.startswith(_FORMULA) else clean


def are_clean(cells: Iterable[object]) -> bool:
    """Whether `clean_cell` would surely change no cell; one search for all of them.

    Examples
    --------
    >>> are_clean(["L-1", 3]), are_clean(["L-1", "-1"])
    (True, False)
    """
    return not _ODD_LINE.search("\n".join(cell for cell in cells if isinstance(cell, str)))


def clean_headings(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Headings as a message may quote them.

    Parameters
    ----------
    names
        A file's first line.
    known
        Names that the contract or the plan has.

    Returns
    -------
    list
        The names in their order; `column 3` in place of one that may be a person's cell. Where
        some cell of the line is a figure or an address, the file may have no heading at all, and
        only the known names are quoted.

    Examples
    --------
    >>> clean_headings(["lead_id", "Created On", "tier 2"], ["lead_id"])
    ['lead_id', 'Created On', 'column 3']
    >>> clean_headings(["email", "2026-01-05", "Jane Doe"], ["email"])
    ['email', 'column 2', 'column 3']
    """
    names, known = list(names), set(known)
    has_values = any(_VALUE.match(name) for name in names)
    shown = []
    for position, name in enumerate(names, start=1):
        plain = name.strip().strip("\ufeff").casefold()
        is_heading = re.fullmatch(r"[^\W\d]+(?:[ .-][^\W\d]+)*", name.strip("\ufeff \t"))
        fits = plain in known or (is_heading and not has_values and len(name) <= _LONGEST_NAME)
        shown.append(name.strip("\ufeff \t") if fits else f"column {position}")
    return shown


def clean_path(path: str | Path) -> str:
    r"""Path or name of a folder, for messages and files.

    Examples
    --------
    >>> clean_path("/data/jane@example.org/\x1b[2J2026")
    '/data/[e-mail]/2026'
    """
    parts = _STRANGE.sub(" ", without_controls(str(path))).split("/")
    return "/".join(map(without_mail, parts))


def clean_file_name(name: str) -> str:
    """Name of a file in a company's folder; only its kind where the name may be a person's.

    Examples
    --------
    >>> [clean_file_name(name) for name in ("lead.csv", "deals 2026.xlsx", "Jane Doe.xlsx")]
    ['lead.csv', 'deals 2026.xlsx', 'a .xlsx file']
    """
    path = Path(name)
    if len(_WORD.findall(path.stem)) < 2 and not holds_identity(name):
        return name
    ending = path.suffix if re.fullmatch(r"\.\w{1,8}", path.suffix) else ""
    return f"a {ending} file" if ending else "a file without an ending"


def _number(found: re.Match[str]) -> str:
    lead = re.match(r"[\s:,;]?", found[0])
    return f"{lead[0] if lead else ''}[number]"
