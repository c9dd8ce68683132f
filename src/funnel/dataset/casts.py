"""How a cell becomes a value: one SQL expression per kind of column.

`bare` trims a text cell and makes an empty one NULL; the other expressions start from that. Each
gives NULL for a cell that cannot be read. Only ISO 8601 is a date and only a plain number is a
number, since anything else would be a guess.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from funnel.contract.placeholders import UNKNOWN_WORDS
from funnel.contract.tables import Column, Kind
from funnel.dataset.engine import literal

LONGEST_TEXT = 500
NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.COUNT)
WHOLE_OR_MONEY = (Kind.MONEY, Kind.COUNT)
TIMES = (Kind.TIME, Kind.DATE)
TEXTS = (Kind.TEXT, Kind.FREE)

_SQL_TYPE = {Kind.TIME: "timestamp", Kind.DATE: "date"} | dict.fromkeys(NUMBERS, "double")
_CLOCK = r"[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?"
_COMMON = {20: "%Y-%m-%dT%H:%M:%SZ", 17: "%Y-%m-%dT%H:%MZ"}
_OFFSET = r" ?([Zz]|[+-]\d{2}(:?\d{2})?)"
# a phone number among keys; a key of digits alone, without a zero in front, is taken for a number
PHONE_KEY = (
    r"0{1,2}[1-9][\d./-]{7,}\d|(?:1[./-]?)?\d{3}[./-]\d{3}[./-]\d{4}|\d{3}-\d{3}-\d{3}"
    r"|(?:\d{2}[./-]){3,4}\d{2}"
)
_APOSTROPHE, _MINUS = "\u2019", "\u2212"
_BLANKS = r"\s\x{a0}\x{2009}\x{202f}"
# a word beside an amount that is no currency may be thousands or millions, so only these are read
_CURRENCY = (
    r"EUR|USD|GBP|CHF|JPY|CNY|PLN|CZK|HUF|RON|BGN|SEK|NOK|DKK|ISK|CAD|AUD|NZD|INR|BRL|MXN|TRY|RUB"
    r"|UAH|ZAR|SGD|HKD|KRW|ILS|AED|SAR|THB|(?:US|CA|AU|NZ|HK|S|R|A|C)?\$|€|£|¥|₹|₺|₽|₴|₩|₪|zł|Kč|Ft|kr\.?"
    r"|lei|S?Fr\."
)
CURRENCY_CODES = {
    "€": "EUR", "£": "GBP", "$": "USD", "US$": "USD", "CA$": "CAD", "C$": "CAD", "AU$": "AUD",
    "A$": "AUD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "R$": "BRL", "¥": "JPY", "₹": "INR",
    "₺": "TRY", "₽": "RUB", "₴": "UAH", "₩": "KRW", "₪": "ILS", "ZŁ": "PLN", "KČ": "CZK",
    "FT": "HUF", "LEI": "RON", "KR": "SEK", "KR.": "DKK", "FR.": "CHF", "SFR.": "CHF",
}  # fmt: skip
# signs of several currencies
SHARED_SIGNS = {
    "$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN"),
    "KR": ("SEK", "NOK", "DKK", "ISK"),
    "KR.": ("DKK", "NOK", "SEK", "ISK"),
    "¥": ("JPY", "CNY"),
}
_SPACE = literal(" \t\n\r\xa0")


@dataclass(frozen=True)
class Unit:
    """One way to write a moment as a number.

    Attributes
    ----------
    form
        Its name in a mapping, or the format that reads it.
    what
        Its name in a sentence.
    per_second
        Steps of the number in one second; 0 where its digits are those of a date.
    since
        The moment that is 0, in seconds since 1970.
    is_local
        Whether it counts in the source's time zone.
    """

    form: str
    what: str
    per_second: float = 0
    since: float = 0
    is_local: bool = False

    def moment(self, number: float) -> dt.datetime | None:
        """Moment of a number; None where that is no time at which a company did business."""
        try:
            if self.per_second:
                moment = _EPOCH + dt.timedelta(seconds=number / self.per_second + self.since)
            else:  # of ten digits, `strptime` would take some fields for shorter
                digits = f"{number:.0f}".ljust(_LONGEST_DIGITS if "%H" in self.form else 8, "x")
                moment = dt.datetime.strptime(digits, self.form)
        except (ValueError, OverflowError):
            return None
        return moment if _FIRST <= moment < _LAST else None

    def day(self, number: float) -> str:
        """Day of a number."""
        moment = self.moment(number)
        return f"{moment:%Y-%m-%d}" if moment else ""

    def sql(self, cell: str) -> str:
        """SQL of the moment of a bare cell; NULL where it is no such number."""
        number = f"try_cast({cell} as double)"
        low, high = (
            ((at - _EPOCH).total_seconds() - self.since) * self.per_second for at in (_FIRST, _LAST)
        )
        return (
            f"case when regexp_full_match({cell}, {literal(COUNTED)}) "
            f"and {number} >= {low!r} and {number} < {high!r} then make_timestamp(cast(round("
            f"{number} * {1e6 / self.per_second!r} + {self.since * 1e6!r}) as bigint)) end"
        )


_EPOCH, _FIRST, _LAST = (dt.datetime(year, 1, 1) for year in (1970, 1990, 2100))
COUNTED = r"\d{5,19}(\.\d+)?"
_DAY = 24 * 60 * 60
_LONGEST_DIGITS = 14
UNITS = {
    unit.form: unit
    for unit in (
        Unit("epoch_s", "seconds since 1970", 1),
        Unit("epoch_ms", "milliseconds since 1970", 1e3),
        Unit("epoch_us", "microseconds since 1970", 1e6),
        Unit("epoch_ns", "nanoseconds since 1970", 1e9),
        # a spreadsheet takes 1900 for a leap year, so its day 0 is that much earlier
        Unit("spreadsheet", "days as spreadsheets count them", 1 / _DAY, -25_569 * _DAY, True),
    )
}
_DIGITS = (
    Unit("%Y%m%d", "days of eight digits, such as 20260331"),
    Unit("%Y%m%d%H%M%S", "times of fourteen digits, such as 20260331093000"),
)


def is_counted(cell: str) -> bool:
    """Whether a cell is a number that may stand for a time."""
    return bool(re.fullmatch(COUNTED, cell, re.ASCII))


def unit_of(low: float, high: float) -> Unit | None:
    """How a column's lowest and highest number write a time; None where they do not.

    Examples
    --------
    >>> [unit_of(n, n).form for n in (20260331, 46112, 1774915200, 1774915200000)]
    ['%Y%m%d', 'spreadsheet', 'epoch_s', 'epoch_ms']
    """
    units = (*_DIGITS, *UNITS.values())
    return next((unit for unit in units if unit.moment(low) and unit.moment(high)), None)


def sql_type(kind: Kind) -> str:
    """Type that a column of this kind has in the engine."""
    return _SQL_TYPE.get(kind, "varchar")


def is_number_type(given: str) -> bool:
    """Whether a source's column holds numbers already.

    Examples
    --------
    >>> is_number_type("DECIMAL(18,2)"), is_number_type("VARCHAR")
    (True, False)
    """
    return given.endswith(("INT", "INTEGER", "FLOAT", "DOUBLE")) or given.startswith("DECIMAL")


def is_always_number(given: str) -> bool:
    """Whether every cell of the type is a finite number or NULL."""
    return is_number_type(given) and given not in ("FLOAT", "DOUBLE")


def bare(cell: str, given: str, kind: Kind = Kind.TEXT) -> str:
    """SQL of a cell without blanks around its text, and NULL for an empty text or a NaN."""
    if given == "VARCHAR":
        # few cells have a blank at either end, and testing for one is cheaper than trimming
        plain = is_plain(cell)
        if kind is Kind.TIME:
            plain = f"{cell} >= '0' and {cell} < ':' and ends_with({cell}, 'Z') or {plain}"
        return f"case when {plain} then {cell} else nullif(trim({cell}, {_SPACE}), '') end"
    if given in ("FLOAT", "DOUBLE"):
        return f"case when isnan({cell}) then null else {cell} end"
    return cell


def is_plain(cell: str) -> str:
    """SQL condition that a text begins and ends with an ASCII character, and needs no trimming."""
    return f"{cell} >= '!' and {cell} < '{{' and {cell}[-1] between '!' and 'z'"


def is_simple(cell: str) -> str:
    """SQL condition that a text holds only letters, digits and the punctuation of keys.

    Such a text needs no trimming and holds no address and no invisible character.
    """
    # `url_encode` leaves such a text as it is, and takes half the time of the pattern, whose ranges
    # (comma to question mark, letters) hold neither @ nor + nor a blank
    held = (
        f"case when url_encode({cell}) = {cell} then true "
        f"else not ({cell} glob '*[!,-?A-Z_a-z]*') end"
    )
    return f"({cell} <> '' and {held})"


def is_key(cell: str) -> str:
    """SQL condition that a text is simple and no phone number, and may be shown as a key."""
    # most keys begin with a letter, or are digits alone: no pattern is needed for those
    is_other = (
        f"{cell} >= ':' or {cell} < '0' "
        f"or ({cell} >= '1' and not contains({cell}, '-') and not contains({cell}, '.'))"
    )
    phone = f"regexp_full_match({cell}, {literal(PHONE_KEY)})"
    return f"({is_simple(cell)} and case when {is_other} then true else not {phone} end)"


def all_simple(cell: str) -> str:
    """SQL aggregate: whether every text may be shown as a key, and none is so long as to be cut."""
    return (
        f"coalesce(bool_and({cell} is null or {is_key(cell)}), true) "
        f"and coalesce(max(strlen({cell})), 0) <= {LONGEST_TEXT}"
    )


def text(cell: str, given: str) -> str:
    """SQL of a bare cell as text; a key that became a float (1001.0) is a whole number again."""
    if given == "VARCHAR":
        return cell
    if given in ("FLOAT", "DOUBLE") or given.startswith("DECIMAL"):
        return (
            f"case when {cell} = trunc({cell}) and abs({cell}) < 1e15 "
            f"then cast(cast({cell} as bigint) as varchar) else cast({cell} as varchar) end"
        )
    return f"cast({cell} as varchar)"


def number(cell: str, given: str) -> str:
    """SQL of a bare cell as a finite number."""
    if given == "VARCHAR":
        value = f"try_cast({cell} as double)"
        return f"case when isfinite({value}) and not contains({cell}, '_') then {value} end"
    if given in ("FLOAT", "DOUBLE"):
        return f"case when isfinite({cell}) then cast({cell} as double) end"
    return f"cast({cell} as double)" if is_number_type(given) else "cast(null as double)"


def is_three(cell: str) -> str:
    """SQL condition that a number has one dot, and three digits after it, as thousands have."""
    return f"regexp_full_match({cell}, '[+-]?[1-9]\\d{{0,2}}\\.\\d{{3}}')"


def says_threes(name: str, n_threes: int, n: int, example: str) -> str:
    """Sentence on amounts that may be thousands, of which none shows the contrary."""
    return (
        f"{n_threes:,} of {n:,} `{name}` have a dot and three digits after it, such as {example}, "
        "and no other has a dot. The dot was read as the decimal point. If it marks thousands, "
        '`funnel import mapping` reads it with the line `decimal = ","`.'
    )


def marked_number(cell: str, decimal: str) -> str:
    """SQL of a number written with marks: `[text of a plain number, currency]`, or NULL.

    Marks of thousands must stand between groups of three digits, and be the same ones throughout.
    A minus may stand before, after, or be brackets around; a currency before or after.

    Parameters
    ----------
    cell
        SQL that names the bare cell.
    decimal
        The mark before the cents, `.` or `,`.
    """
    other = "," if decimal == "." else "."
    marks = (re.escape(other), " ", f"['{_APOSTROPHE}]")
    groups = "|".join(rf"\d{{1,3}}(?:{mark}\d{{3}})+" for mark in marks)
    amount = rf"(?:\d+|{groups})(?:{re.escape(decimal)}\d+)?"
    before, after = rf"([(+{_MINUS}-]?)", r"([)-]?)"
    pattern = rf"{before} ?({_CURRENCY})? ?{before} ?({amount}) ?{after} ?({_CURRENCY})? ?{after}"
    spaced = f"regexp_replace({cell}, {literal(f'[{_BLANKS}]+')}, ' ', 'g')"
    names = "['a', 'b', 'c', 'd', 'e', 'f', 'g']"
    parts = f"regexp_extract({spaced}, {literal(f'^(?i:{pattern})$')}, {names})"
    between = literal(f"[ {other}'{_APOSTROPHE}]")
    plain = f"replace(regexp_replace(p.d, {between}, '', 'g'), ',', '.')"
    sign = "p.a || p.c || p.e || p.g"
    return (
        f"list_transform([{parts}], lambda p: case when p.d <> '' and (p.b = '' or p.f = '') "
        f"and {sign} in ('', '+') then [{plain}, upper(p.b || p.f)] "
        f"when p.d <> '' and (p.b = '' or p.f = '') and {sign} in ('-', '{_MINUS}', '()') "
        f"then ['-' || {plain}, upper(p.b || p.f)] end)[1]"
    )


def currency_code(cell: str, own: str) -> str:
    """SQL of the code of a currency that a cell names; a sign of several is the company's own.

    NULL for an empty cell, and for a word that stands for nothing known.
    """
    word = f"nullif(upper(trim(cast({cell} as varchar), {_SPACE})), '')"
    codes = {"EURO": "EUR", **CURRENCY_CODES}
    codes |= {sign: own for sign, shared in SHARED_SIGNS.items() if own in shared}
    cases = " ".join(f"when {literal(sign)} then {literal(code)}" for sign, code in codes.items())
    unknown = ", ".join(literal(word.upper().replace(" / ", "/")) for word in sorted(UNKNOWN_WORDS))
    return f"case when {word} not in ({unknown}) then case {word} {cases} else {word} end end"


def time(cell: str, given: str, zone: str) -> str:
    """SQL of a bare cell as a moment, UTC; a day is its midnight in the company's time zone."""
    if given == "VARCHAR":
        day = _midnight(f"try_cast({cell} as date)", zone)
        point = f"replace({cell}, ',', '.')"
        # a cast to a timestamp ignores an offset, so a cell with one is cast to timestamptz
        with_z = f"regexp_replace({point}, ' ?([Zz])$', 'Z')"
        moment = f"timezone('UTC', try_cast({with_z} as timestamptz))"
        # the most frequent formats of a moment; at these lengths no field lacks a digit
        formats = (f"when {n} then try_strptime({cell}, '{form}')" for n, form in _COMMON.items())
        common = f"case strlen({cell}) {' '.join(formats)} end"
        plain = "'____-__-__%__:__:__'"
        return (
            f"coalesce({common}, case when strlen({cell}) = 19 and {cell} like {plain} "
            f"and substr({cell}, 11, 1) in ('T', ' ') then try_cast({cell} as timestamp) "
            f"when strlen({cell}) = 10 and {cell} like '____-__-__' then {day} "
            f"when regexp_full_match({cell}, '\\d{{4}}-\\d\\d-\\d\\d{_CLOCK}') "
            f"then try_cast({point} as timestamp) "
            f"when regexp_full_match({cell}, '\\d{{4}}-\\d\\d-\\d\\d{_CLOCK}{_OFFSET}') "
            f"then {moment} end)"
        )
    if given == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {cell})"
    if given.startswith("TIMESTAMP"):
        return f"cast({cell} as timestamp)"
    return _midnight(cell, zone) if given == "DATE" else "cast(null as timestamp)"


def date(cell: str, given: str, zone: str) -> str:
    """SQL of a bare cell as a day; a moment after midnight falls on its local day."""
    if given == "VARCHAR":
        return (
            f"case when strlen({cell}) = 10 and {cell} like '____-__-__' "
            f"then try_cast({cell} as date) "
            f"when regexp_full_match({cell}, '\\d{{4}}-\\d\\d-\\d\\d[T ]00:00(:00([.,]0+)?)?') "
            f"then try_cast(left({cell}, 10) as date) "
            f"else {local_day(time(cell, given, zone), zone)} end"
        )
    if given == "TIMESTAMP WITH TIME ZONE":
        return local_day(f"timezone('UTC', {cell})", zone)
    if given.startswith("TIMESTAMP"):
        moment = f"cast({cell} as timestamp)"
        return (
            f"case when {moment} = date_trunc('day', {moment}) then cast({moment} as date) "
            f"else {local_day(moment, zone)} end"
        )
    return cell if given == "DATE" else "cast(null as date)"


def local_day(moment: str, zone: str) -> str:
    """SQL of the day on which a moment (UTC) falls in the company's time zone."""
    if zone == "UTC":
        return f"cast({moment} as date)"
    return f"cast(timezone({literal(zone)}, timezone('UTC', {moment})) as date)"


def value(column: Column, cell: str, given: str, zone: str) -> str:
    """SQL of a bare cell as a value of its column's kind.

    Parameters
    ----------
    column
        The contract's column.
    cell
        SQL that names the bare cell.
    given
        The type it has in the source, as DuckDB calls it.
    zone
        The company's time zone.
    """
    if column.kind is Kind.TIME:
        return time(cell, given, zone)
    if column.kind is Kind.DATE:
        return date(cell, given, zone)
    return number(cell, given) if column.kind in NUMBERS else text(cell, given)


def _midnight(day: str, zone: str) -> str:
    at = f"cast({day} as timestamp)"
    return at if zone == "UTC" else f"timezone('UTC', timezone({literal(zone)}, {at}))"
