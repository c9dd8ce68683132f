"""Search of a finished snapshot for identities of the exports, before it is published.

It checks what loading did, and finds what loading cannot: the full name of a person or
customer that somebody typed into a campaign, a note or the plan.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path

from funnel.contract.errors import SnapshotError
from funnel.contract.tables import TABLES
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.files import described
from funnel.dataset.raw_identities import RawIdentities
from funnel.report.notebooks import notebooks_folder

_IMAGES = ("base64,", '"image/png": "')  # what stands before one; a quote ends it
_BREAK = re.compile(r"[\s\"'<>(),;:=`\[\]{}]")
_LONGEST_PART = 64
_PHONE = re.compile(r"(?<![\w.])[+(]?\d[\d ()./+-]{5,}\d(?![\w.])")
_WORD = re.compile(r"[^\W\d_]+(?:['.-]+[^\W\d_]+)*")
_DIGITS = re.compile(r"(?<![\w.-])\d{10,15}(?![\w.-])")
_TEXTS = {".html", ".ipynb", ".json", ".csv", ".svg", ".txt", ".eml", ".md"}
_MOST_PLACES = 3
# modules whose words reach pages
_WORDED = ("text.py", "charts.py", "requirements.py", "tables.py", "pages.py", "page.py")
_ROWS = "rows"


def refuse_identities(folder: Path, identities: RawIdentities, allowed: Iterable[str]) -> None:
    """Raise where a file of the snapshot holds an identity of the exports.

    Parameters
    ----------
    folder
        The finished snapshot, not yet published.
    identities
        What must not be in it.
    allowed
        Texts of the plan: a customer whose name stands in one is no hit.

    Raises
    ------
    SnapshotError
        If there is one; it names the file, and the column of the exports, never the value.
    """
    search = _Search(identities, allowed)
    texts = _texts(folder, apart=search.reads_words)
    hits = [(name, column) for name, text in texts for column in search.columns_in(text)]
    if not hits:
        return
    columns = sorted({column for _, column in hits})
    places = list(dict.fromkeys(name for name, _ in hits))
    more = f" and {len(places) - _MOST_PLACES:,} more files" if len(places) > _MOST_PLACES else ""
    raise SnapshotError(
        f"The finished pages hold identities as the exports have them in {_listed(columns)}, so "
        f"nothing was published. They are in {', '.join(places[:_MOST_PLACES])}{more}. Most often "
        "somebody typed a person's or a customer's name where a category or a note belongs. A name "
        "that is an ordinary phrase is allowed once it stands in the plan, as in a [[checklist]]. "
        f'{_owners(columns)} can correct that cell; where it is a note, `free_text = "hide"` '
        "under [company] in the plan hides all notes."
    )


class _Search:
    """Looks up what a text holds among many identities, in one pass over the text."""

    def __init__(self, identities: RawIdentities, allowed: Iterable[str]) -> None:
        by_shape = identities.by_shape
        self.mails, self.phones = by_shape["mail"], by_shape["phone"]
        self.digits = by_shape["digits"]
        known = [" ".join(_words(text)) for text in [*allowed, *_own_texts()]]
        own = f" {' . '.join(known)} "
        self.names: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for value, column in by_shape["name"].items():
            words = _words(value)
            name = " ".join(words)
            if len(words) > 1 and f" {name} " not in own:
                self.names[words[0]].append((name, column))

    @property
    def reads_words(self) -> bool:
        """Whether it looks up more than addresses, which their at-sign finds at once."""
        return bool(self.names or self.phones or self.digits)

    def columns_in(self, text: str) -> set[str]:
        """Columns of the exports that some identity in a text comes from."""
        text = (unescape(text) if "&" in text else text).lower()
        found = set()
        if self.mails and "@" in text:
            found |= {self.mails[mail] for mail in _mails(text) if mail in self.mails}
        if self.phones:
            found |= {
                self.phones[phone] for phone in set(_PHONE.findall(text)) if phone in self.phones
            }
        if self.digits:
            found |= {self.digits[n] for n in set(_DIGITS.findall(text)) if n in self.digits}
        return found | self._names_in(text)

    def _names_in(self, text: str) -> set[str]:
        if not self.names:
            return set()
        words = _words(text)
        there = set(words)
        candidates = [
            each
            for first in there & self.names.keys()
            for each in self.names[first]
            if there.issuperset(each[0].split(" "))
        ]
        if not candidates:
            return set()
        joined = f" {' '.join(words)} "
        return {column for name, column in candidates if f" {name} " in joined}


def _own_texts() -> Iterator[str]:
    """What pages say whatever the data holds: a customer called "Lead Volume" is no hit."""
    for name in _WORDED:
        for file in sorted(Path(__file__).parents[1].rglob(name)):
            yield file.read_text(encoding="utf-8")
    for notebook in sorted(notebooks_folder().glob("*.ipynb")):
        yield notebook.read_text(encoding="utf-8").replace("\\n", " ")


def _texts(folder: Path, *, apart: bool) -> Iterator[tuple[str, str]]:
    """Name and text of each file; `apart`, of `rows` each different cell once (keys recur)."""
    for path in sorted(folder.rglob("*")):
        is_apart = apart and path.parent == folder / _ROWS
        if path.is_file() and path.suffix in _TEXTS and not is_apart:
            text = _without_images(path.read_text(encoding="utf-8", errors="replace"))
            # in JSON two characters end a line, and one of them is a letter
            text = text.replace("\\n", " ") if path.suffix in (".ipynb", ".json") else text
            yield path.relative_to(folder).as_posix(), text
    if not apart or not any((folder / _ROWS).glob("*.csv")):
        return
    with Engine() as engine:
        scan = (
            f"read_csv({literal(str(folder / _ROWS / '*.csv'))}, all_varchar = true, "
            "header = true, delim = ',', quote = '\"', escape = '\"', union_by_name = true, "
            "filename = 'file:')"
        )
        names = [quoted(name) for name in described(engine, scan) if name != "file:"]
        cells = f'select unnest([{", ".join(names)}]) as cell, "file:" as file from {scan}'
        rows = engine.rows(
            f"select file, string_agg(cell, chr(10)) from (select min(file) as file, cell from "
            f"({cells}) where cell is not null group by cell) group by file"
        )
    for file, text in rows:
        yield f"{_ROWS}/{Path(file).name}", text


def _without_images(text: str) -> str:
    for mark in _IMAGES:
        before, *parts = text.split(mark)
        text = before + "".join(part[part.find('"') :] for part in parts)
    return text


def _mails(text: str) -> Iterator[str]:
    """What stands around each at-sign, up to the next blank or bracket."""
    parts = text.split("@")
    for before, after in itertools.pairwise(parts):
        local = _BREAK.split(before[-_LONGEST_PART:])[-1]
        domain = _BREAK.split(after[: 4 * _LONGEST_PART], maxsplit=1)[0]
        yield f"{local}@{domain.rstrip('.!?')}"


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _listed(columns: list[str]) -> str:
    return " and ".join(columns) if len(columns) < 3 else f"{len(columns)} columns of people"


def _owners(columns: list[str]) -> str:
    owners = {TABLES[column.rpartition(" ")[2]].owner for column in columns}
    return " or ".join(sorted(owners))
