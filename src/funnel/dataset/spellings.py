"""Words of a column that are read as another word: by the plan's aliases, or as one spelling.

Words that differ in capitals and blanks only (`web`, `Web`, `WEB `) are one word, read in its most
frequent spelling. Tables share the spelling of a column that the contract names in both, since
spend has its channels "in the words of leads and touches". Only columns of few words are compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from funnel.contract.loss_words import REASON_OF
from funnel.contract.outgoing_text import holds_identity
from funnel.contract.placeholders import (
    NOT_KNOWN,
    is_direct_word,
    is_unknown_word,
    unknown_among,
)
from funnel.contract.plan import Plan
from funnel.contract.tables import TABLES, Column, Kind
from funnel.dataset import privacy
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.files import Source, described

FIRST_ROWS = 100_000  # they show whether a column has few words
MOST_WORDS = 1_000  # a column with more words holds names or sentences, no categories
_LONGEST = 80  # letters of a word that is shown
_BLANKS = " \t\n\r\xa0"  # those that `casts.bare` takes away
SPELLED, NEAR, NOTED, JOINED, PLACEHOLDER = "spelled", "near", "noted", "joined", "placeholder"
ALIKE = "alike"
_ORDINARY = frozenset(("unknown", "none"))  # no line of the plan makes these any clearer
_BETWEEN = r"[\s\-_./\u2010-\u2015]+"
_NOTE = re.compile(r"\s*(\(.*\)|\[.*\]|\s[-/:]\s.*)$")
_CODES = frozenset(("stage", "measure", "driver"))  # words that the plan or the package fixes


@dataclass(frozen=True)
class Respelling:
    """Words of one column that are read as another.

    Attributes
    ----------
    aliases
        Words that the plan gives another word for, with that word.
    spellings
        Other words, with the most frequent spelling of each.
    padded
        Words that some cells have blanks around, and some have not.
    rows
        Number of rows with a word of `spellings`.
    usual
        The spelling of each word of the column, by the word in lower case with single blanks.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    padded: frozenset[str] = frozenset()
    rows: Mapping[str, int] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> dict[str, str]:
        """Every word that is read as another, with that word."""
        return {**self.aliases, **self.spellings}


def same(word: str) -> str:
    """What spellings of one word have in common: lower case, single blanks.

    Examples
    --------
    >>> same(" Paid  Search ") == same("paid search")
    True
    """
    return " ".join(word.casefold().split())


def may_be_shown(word: str) -> bool:
    """Whether a word is short, and no address, phone number or control character is in it."""
    return len(word) <= _LONGEST and not holds_identity(word)


def is_category(table: str, column: str) -> bool:
    """Whether spellings of a column's words may differ, and people are no matter."""
    known = TABLES[table].by_name.get(column)
    kind = known.kind if known else privacy.kind_by_name(column)
    return kind is Kind.TEXT and not (known and _is_fixed(table, known))


def respellings(
    engine: Engine,
    source: Source,
    scan: str,
    plan: Plan,
    earlier: Iterable[Mapping[str, Respelling]],
) -> dict[str, Respelling]:
    """What is read as another word, by column; columns without such words are in it too.

    Parameters
    ----------
    engine
        It can read `scan`.
    source
        Its `words` are the words of columns that have few.
    scan
        SQL of its rows.
    plan
        Its `[records] aliases` hold for every spelling of a word. The word that they give is
        spelled as there.
    earlier
        The same of the tables read before.
    """
    found = {}
    for given, name in source.names.items():
        aliases = plan.records.aliases.get(name, {})
        words = source.words.get(name)
        known = source.table.by_name.get(name)
        kind = known.kind if known else privacy.kind_by_name(name)
        if words is None or kind not in (Kind.TEXT, Kind.PERSON):
            if aliases and kind is Kind.TEXT:
                found[name] = Respelling(aliases=aliases)
            continue
        if kind is Kind.PERSON:
            words = [word for word in words if not is_unknown_word(word)]
        usual = {same(meant): meant for meant in aliases.values()}
        if known:
            others = (each[name].usual for each in earlier if name in each)
            usual = {form: word for each in others for form, word in each.items()} | usual
        if known and _is_fixed(source.table.name, known):
            words, usual = [word for word in words if _alias(word, aliases)], {}
        found[name] = _respelling(engine, quoted(given), scan, words, aliases, usual)
    return found


def _is_fixed(table: str, column: Column) -> bool:
    return bool(column.choices) or column.name in (*_CODES, *TABLES[table].key)


def _alias(word: str, aliases: Mapping[str, str]) -> str | None:
    """The word that the plan gives for a word, or for another spelling of it."""
    if word in aliases:
        return aliases[word]
    return next((meant for name, meant in aliases.items() if same(name) == same(word)), None)


def _respelling(
    engine: Engine,
    cell: str,
    scan: str,
    words: Iterable[str],
    aliases: Mapping[str, str],
    usual: Mapping[str, str],
) -> Respelling:
    raw_by_word: dict[str, set[str]] = {}
    for raw in words:
        if word := raw.strip(_BLANKS):
            raw_by_word.setdefault(word, set()).add(raw)
    renamed = {
        word: meant
        for word in raw_by_word
        if (meant := _alias(word, aliases)) is not None and meant != word
    }
    forms: dict[str, list[str]] = {}
    for word in sorted(raw_by_word.keys() - renamed.keys()):
        forms.setdefault(same(word), []).append(word)
    compared = [
        word
        for form, each in forms.items()
        if len(each) > 1 or usual.get(form, each[0]) != each[0]
        for word in each
    ]
    rows = _rows(engine, cell, scan, {raw for word in compared for raw in raw_by_word[word]})
    n = {word: sum(rows[raw] for raw in raw_by_word[word]) for word in compared}
    chosen = {
        form: usual.get(form) or max(each, key=lambda word: n.get(word, 0))
        for form, each in forms.items()
    }
    spelled = {word: chosen[same(word)] for word in compared if chosen[same(word)] != word}
    return Respelling(
        aliases=renamed,
        spellings=spelled,
        padded=frozenset(word for word, raw in raw_by_word.items() if len(raw) > 1),
        rows={word: n[word] for word in spelled},
        usual=chosen,
    )


def _rows(engine: Engine, cell: str, scan: str, words: set[str]) -> dict[str, int]:
    if not words:
        return {}
    listed = ", ".join(literal(word) for word in sorted(words))
    query = f"select {cell}, count(*) from {scan} where {cell} in ({listed}) group by 1"
    return dict(engine.rows(query))


@dataclass(frozen=True)
class OddWord:
    """A word of a category that may not be a value of its own.

    Attributes
    ----------
    kind
        `near`: it differs from a more frequent word by hyphens, blanks or accents only; `noted`: it
        is another reason with a note; `alike`: it is a reason of the same meaning; `joined`: it
        holds several reasons; `placeholder`: it stands for "not known"; `spelled`: it is read as
        the most frequent spelling.
    table, column, word
        Where it is, and the word.
    meant
        The word that it may mean; empty for `joined`.
    rows
        Number of rows.
    """

    kind: str
    table: str
    column: str
    word: str
    meant: str
    rows: int


def odd_words(engine: Engine, tables: Iterable[str]) -> list[OddWord]:
    """Words of loaded tables that may not be values of their own; nothing was changed by them.

    A column that several tables have is compared as one, since an alias holds for all of them.
    """
    rows: dict[str, dict[str, dict[str, int]]] = {}
    for table in tables:
        for column, words in _words_of(engine, table).items():
            for word, n in words.items():
                if may_be_shown(word):
                    rows.setdefault(column, {}).setdefault(word, {})[table] = n
    return [
        OddWord(kind, table, column, word, meant, n)
        for column, tables_of in rows.items()
        for word, (kind, meant) in _odd(column, tables_of).items()
        for table, n in tables_of[word].items()
    ]


def _words_of(engine: Engine, table: str) -> dict[str, dict[str, int]]:
    """Words of a loaded table's categories with their rows, where they are few."""
    names = [
        name
        for name, type_ in described(engine, table).items()
        if type_ == "VARCHAR" and is_category(table, name)
    ]
    if not names:
        return {}
    cells = ", ".join(map(quoted, names))
    counts = ", ".join(f"count(distinct {quoted(name)})" for name in names)
    first = engine.rows(f"select {counts} from (select {cells} from {table} limit {FIRST_ROWS})")
    names = [name for name, n in zip(names, first[0], strict=True) if 0 < n <= MOST_WORDS]
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    if names:
        cells = ", ".join(map(quoted, names))
        sets = ", ".join(f"({quoted(name)})" for name in names)
        for *words, n in engine.rows(
            f"select {cells}, count(*) from {table} group by grouping sets ({sets})"
        ):
            # of each row all cells but one are empty
            for name, word in zip(names, words, strict=True):
                if word is not None:
                    found[name][word] = n
    return {name: words for name, words in found.items() if len(words) <= MOST_WORDS}


def _odd(column: str, tables_of: Mapping[str, Mapping[str, int]]) -> dict[str, tuple[str, str]]:
    """Kind of each odd word of a column, and the word that it may mean."""
    n = {word: sum(rows.values()) for word, rows in tables_of.items()}
    by_rows = sorted(n, key=lambda word: (-n[word], word))
    is_reason = column.casefold().endswith(("reason", "reasons"))
    unknown = unknown_among(n)
    odd: dict[str, tuple[str, str]] = {
        word: (PLACEHOLDER, NOT_KNOWN)
        for word in by_rows
        if word in unknown and word.strip().casefold() not in _ORDINARY
    }
    if is_reason:
        odd |= {word: (JOINED, "") for word in by_rows if _is_joined(word)}
    first: dict[str, str] = {}
    for word in by_rows:
        form = "direct" if is_direct_word(word) else near(word)
        if (
            form
            and word not in odd
            and word not in unknown
            and first.setdefault(form, word) != word
        ):
            odd[word] = (NEAR, first[form])
    if is_reason:
        for word in by_rows:
            base = first.get(near(_NOTE.sub("", word)))
            if word not in odd and word not in unknown and base not in (None, word):
                odd[word] = (NOTED, base)
        of_meaning: dict[str, str] = {}
        for word in by_rows:
            meaning = REASON_OF.get(near(word))
            if meaning is not None and word not in odd:
                base = of_meaning.setdefault(meaning, word)
                odd |= {word: (ALIKE, base)} if base != word else {}
    return odd


def _is_joined(word: str) -> bool:
    return sum(bool(part.strip()) for part in word.split(";")) > 1


def near(word: str) -> str:
    """What is left of a word without capitals, accents, and hyphens and blanks beside letters.

    Empty for a word of fewer than two letters, such as a range of numbers.

    Examples
    --------
    >>> [near(word) for word in ("E-Mail", "Google / CPC", "Zürich", "2026-01 web", "1-10")]
    ['email', 'googlecpc', 'zurich', '2026-01web', '']
    """
    text = unicodedata.normalize("NFKD", word.casefold())
    text = "".join(mark for mark in text if not unicodedata.combining(mark))
    text = re.sub(rf"(?<!\d){_BETWEEN}|{_BETWEEN}(?!\d)", "", text)
    return text if sum(map(str.isalpha, text)) > 1 else ""
