"""Guess of the encoding of a text that is not Unicode, by the words it would give.

A word counts where one language of the encoding has all of its letters: `Łódź` is a word of Polish,
and `£ódŸ`, the same bytes in Windows-1252, is none of any language. Statistical detectors need more
text than a column of regions has, and take German or Portuguese in Windows-1252 for Windows-1250.
"""

from __future__ import annotations

import codecs
import re

NAMES = {
    "cp1252": "Windows-1252",
    "cp1254": "Windows-1254",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp1257": "Windows-1257",
    "koi8_r": "KOI8-R",
    "cp932": "Shift-JIS",
    "cp949": "EUC-KR",
    "gb18030": "GB 18030",
    "big5": "Big5",
}
# letters beside A to Z of each language; of encodings that fit equally well, the first counts
_LETTERS = {
    "cp1252": ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "áàâãçéêíóôú", "àèéìòù", "åäöæøé", "ëïéèöü"),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1254": ("çğıİöşüâî",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),
}
_SCRIPTS = {
    "cp1251": "\u0400-\u045f\u0490\u0491",
    "koi8_r": "\u0401\u0410-\u044f\u0451",
    "cp1253": "\u0386-\u03ce",
    "cp932": "\u3005\u3040-\u30ff\u4e00-\u9fff",
    "cp949": "\uac00-\ud7a3",
    "gb18030": "\u4e00-\u9fff",
    "big5": "\u4e00-\u9fff",
}
_PATTERNS = {
    # Portuguese has õ before e only, which tells it from the ő of Hungarian
    encoding: re.compile("|".join(f"(?:[a-zA-Z{each}{each.upper()}]|õ(?=e))+" for each in letters))
    for encoding, letters in _LETTERS.items()
} | {encoding: re.compile(f"[{letters}]+") for encoding, letters in _SCRIPTS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_COMMON = {"gb18030": "gb2312", "cp932": "euc_jp"}  # the characters that are in daily use
_MOST_LINES = 2000


def guess(text: bytes) -> str:
    """Encoding, of those in `NAMES`, that gives the most words.

    Examples
    --------
    >>> [guess(word.encode(e)) for e, word in (("cp1250", "Łódź"), ("cp932", "大阪"))]
    ['cp1250', 'cp932']
    """
    sample = b"\n".join([line for line in text.splitlines() if not line.isascii()][:_MOST_LINES])
    return max(NAMES, key=lambda encoding: _share(sample, encoding))


def odd_words(text: str) -> list[str]:
    """Words with letters beyond ASCII, those with most of them first.

    Examples
    --------
    >>> odd_words("Nowa Huta; Łódź")
    ['Łódź']
    """
    words = {word for word in _WORD.findall(text) if not word.isascii()}
    return sorted(words, key=lambda word: (-sum(not char.isascii() for char in word), word))


def is_mostly_utf8(text: bytes) -> bool:
    """Whether a text is UTF-8 but for a few bytes."""
    decoded = text.decode("utf-8", errors="replace")
    n_bad = decoded.count("\ufffd")
    return sum(not char.isascii() for char in decoded) - n_bad > 10 * n_bad


def known(name: str) -> str:
    """Python's name of an encoding; empty where there is none for text.

    Examples
    --------
    >>> known("Windows-1250"), known("utf8"), known("klingon")
    ('cp1250', 'utf-8', '')
    """
    try:
        return codecs.lookup(name).name if "a".encode(name) else ""
    except (LookupError, ValueError):
        return ""


def _share(sample: bytes, encoding: str) -> float:
    """Share of the characters beyond ASCII that are in words of the encoding's languages."""
    text = sample.decode(encoding, errors="replace")
    n = sum(not char.isascii() for char in text)
    counted = sum(
        sum(not char.isascii() for char in word)
        for word in _WORD.findall(text)
        if not word.isascii() and _is_word(word, encoding)
    )
    return counted / n if n else 0.0


def _is_word(word: str, encoding: str) -> bool:
    if not _PATTERNS[encoding].fullmatch(word):
        return False
    if encoding in _COMMON:
        try:
            word.encode(_COMMON[encoding])
        except UnicodeError:
            return False
    return word == word.upper() or word[1:] == word[1:].lower()


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8, in a file that otherwise is, read as Windows-1252."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


FALLBACK = "funnel.windows-1252"
codecs.register_error(FALLBACK, _as_windows)
