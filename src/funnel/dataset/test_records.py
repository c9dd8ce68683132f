"""Records that may have been made to try the system out, and that no export leaves out.

Names and addresses are hashed before anything is shown, so words in them are looked for while rows
are read. Amounts and repeated addresses are looked for in the loaded tables.
"""

from __future__ import annotations

from funnel.contract.tables import TABLES, Kind
from funnel.dataset import privacy
from funnel.dataset.engine import Engine, literal, quoted

TABLES_WITH_NAMES = ("leads", "deals")
FEWEST_REPEATS, FEWEST_AMOUNTS, FEWEST_OTHERS = 5, 3, 20
TIMES_OTHERS = 3  # how often an address occurs, or how large an amount is, beside ordinary ones
_MOST_ADDRESSES = 3
_WORD = (
    r"(?:tests?|testing|tester|demo|dummy|pruebas?"
    r"|test(?:kunden?|firma|lead|konto|deal|account|eintrag|datensatz))\d*"
)
# beside a word for tests, these make no name
_FILLER = (
    r"(?:an?|the|my|our|new|old|this|is|for|only|accounts?|company|companies|customer|client|lead"
    r"|contact|user|person|deal|opportunity|opp|record|entry|data|do|not|use|please|ignore|delete"
    r"|internal|qa|uat|zz+|xx+|x|co|corp|inc|ltd|llc|gmbh|ag|kg|sa|bv|plc|firma|kunde|konto"
    r"|bitte|nicht|de|cuenta|cliente|compte|\d+)"
)
_UNUSED = (
    r"(do not|don.?t) use|please ignore|nicht (be)?nutzen|nicht verwenden|bitte ignorieren"
    r"|ne pas utiliser|no usar|non usare|n\wo usar|niet gebruiken"
)
_ANY = rf"(^|[^\pL])({_WORD}|{_UNUSED})([^\pL]|$)"
_NOTHING_ELSE = rf"[^\pL\d]*({_WORD}|{_FILLER})([^\pL\d]+({_WORD}|{_FILLER}))*[^\pL\d]*"
_PHRASE = rf"(^|[^\pL])({_UNUSED}|dummy)([^\pL]|$)"
_AT_END = r"[\s(\[:_,;/](test|demo)[)\].!\s]*$"
_AT_START = r"^\W*(test|demo)\s*[-:_]\s"
_CAPITALS = r"(^|[^\pL])(TEST|DEMO)([^\pL]|$)"
_MAIL = r"(^|\+)(tests?|testing|dummy)[._0-9-]*@|@(test|dummy)\."
_AMOUNT = "|".join(
    (*(f"{digit}{{5,}}" for digit in range(1, 10)), "123456?7?8?9?", "12345", "654321", "987654321")
)


def macros() -> tuple[str, ...]:
    """SQL macros: whether a name, a note or an address is that of a test.

    A word must stand by itself: there is none in `Testa GmbH` and `Latest`. In a name it must be
    the last word, in capitals beside small letters, or beside words that make no name; a note
    must hold nothing else.
    """
    word, nothing_else = literal(_ANY), literal(_NOTHING_ELSE)
    has_word = literal(rf"(^|[^\pL]){_WORD}([^\pL]|$)")
    is_only = (
        f"(regexp_matches(lower(x), {has_word}) and regexp_full_match(lower(x), {nothing_else}))"
    )
    capitals = f"(regexp_matches(x, {literal(_CAPITALS)}) and regexp_matches(x, '\\p{{Ll}}'))"
    others = " or ".join(
        f"regexp_matches(lower(x), {literal(form)})" for form in (_PHRASE, _AT_END, _AT_START)
    )
    return (
        f"_is_test_note(x) as {is_only}",
        # one pattern is enough for most names
        f"_is_test_name(x) as case when regexp_matches(lower(x), {word}) "
        f"then {is_only} or {capitals} or {others} else false end",
        "_is_test_mail(x) as case when contains(lower(x), 'test') or contains(lower(x), 'dummy') "
        f"then regexp_matches(lower(x), {literal(_MAIL)}) else false end",
    )


def condition(table: str, column: str, kind: Kind) -> str:
    """SQL condition that a cell is that of a test, before it is hashed; empty where none is."""
    if table not in TABLES_WITH_NAMES:
        return ""
    name = column.casefold()
    if kind is Kind.IDENTITY:
        macro = "_is_test_mail" if name.endswith("mail") else "_is_test_name"
    elif kind is Kind.FREE:
        macro = "_is_test_note"
    elif kind is Kind.TEXT and name.endswith(("name", "title", "subject")):
        macro = "_is_test_name"
    else:
        return ""
    return f"{macro}({quoted(column)})"


def repeated_addresses(engine: Engine) -> tuple[str, list[str]]:
    """Column of leads with addresses, and the hashes that are on far more leads than any other."""
    types = engine.rows("select column_name from (describe leads)")
    for (column,) in types:
        known = TABLES["leads"].by_name.get(column)
        kind = known.kind if known else privacy.kind_by_name(column)
        if kind is not Kind.IDENTITY or not column.casefold().endswith("mail"):
            continue
        cell = quoted(column)
        most = engine.rows(
            f"select {cell}, count(*), count(*) over () from leads where {cell} is not null "
            f"group by 1 order by 2 desc, 1 limit {_MOST_ADDRESSES + 1}"
        )
        if not most or most[0][2] < FEWEST_OTHERS:
            continue
        for at in range(len(most) - 1, 0, -1):
            if most[at - 1][1] >= max(FEWEST_REPEATS, TIMES_OTHERS * most[at][1]):
                return column, [address for address, *_ in most[:at]]
    return "", []


def placeholder_amounts(engine: Engine) -> list[float]:
    """Amounts such as 999,999 or 123,456 that repeat as no other does, or are far larger."""
    return [
        amount
        for (amount,) in engine.rows(
            "with counted as (select amount, count(*) as n, "
            f"regexp_full_match(cast(cast(trunc(amount) as bigint) as varchar), '{_AMOUNT}') "
            "and (amount = trunc(amount) or abs(amount - trunc(amount) - 0.99) < 0.001) as is_odd "
            "from deals where amount > 0 group by amount), "
            "others as (select quantile_cont(amount, 0.99) as large, max(n) as most, "
            "sum(n) as n_rows from counted where not is_odd) "
            "select amount from counted, others where is_odd "
            f"and n_rows >= {FEWEST_OTHERS} and (amount > {TIMES_OTHERS} * large "
            f"or (n >= {FEWEST_AMOUNTS} and n > 2 * most)) order by 1"
        )
    ]
