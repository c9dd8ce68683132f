"""Words that systems write where nothing is known, and the words for visits without a referrer.

These are the words of GA4, HubSpot, Salesforce, Adobe and spreadsheets. Case, blanks, brackets and
marks around a word do not matter. An answer is none of them: `Other`, `OFFLINE` (imported or met in
person) and `direct mail` are values like any other.

References
----------
Google, "[GA4] Traffic-source dimensions"; HubSpot, "Understand source properties".
"""

from __future__ import annotations

from collections.abc import Collection

NOT_KNOWN = "unknown"  # the word that stands for all of them
BRACKETS = "()[]<>{}\"'`"
_MARKS = str.maketrans(
    dict.fromkeys(BRACKETS, "") | {"_": " ", "/": " / ", "\xa0": " ", "\N{EN DASH}": "-"}
)
AROUND = " -.,:;?!#*/\\|~=+\N{EM DASH}\N{HORIZONTAL ELLIPSIS}"


def plain(word: str) -> str:
    """A word in lower case, without brackets, blanks and marks around it.

    Examples
    --------
    >>> [plain(word) for word in ("(Not Set)", "DIRECT_TRAFFIC", "--None--", "#N/A", " . ")]
    ['not set', 'direct traffic', 'none', 'n / a', '']
    """
    return " ".join(word.casefold().translate(_MARKS).split()).strip(AROUND)


UNKNOWN_WORDS = frozenset(
    plain(word)
    for word in (
        "", "blank", "empty", "n/a", "n.a", "na", "nan", "nil", "none", "null", "undefined",
        "unknown", "unspecified", "unassigned", "not available", "data not available", "not known",
        "not provided", "not recorded", "not set", "not specified", "not defined", "not selected",
        "no value", "no data", "tbd", "select", "select one", "please select", "please choose",
        "choose one", "see notes", "see note", "see comments", "see description",
        "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!",
        "k.a", "keine angabe", "unbekannt", "siehe notizen", "bitte wählen", "bitte auswählen",
    )
)  # fmt: skip
"""Words that stand for "not known", as `plain` writes them."""
DIRECT_WORDS = frozenset(
    plain(word)
    for word in (
        "direct", "direct traffic", "direct entry", "$direct", "typed / bookmarked", "no referrer",
    )
)  # fmt: skip
"""Names of a channel that means "no referrer", as `plain` writes them."""
_OVERFLOW = "(other)"  # what GA4 writes for values beyond its limit; without brackets it is a value
_NORTH_AMERICA = "na"
_REGIONS = frozenset(("amer", "anz", "apac", "apj", "emea", "eu", "europe", "latam", "mea"))


def is_unknown_word(word: str) -> bool:
    """Whether a cell holds a word that stands for "not known"; a pair of such words is one too.

    Examples
    --------
    >>> [is_unknown_word(word) for word in ("(not set) / (not set)", "?", "Other", "(other)")]
    [True, True, False, True]
    """
    if word[-1:].isdigit():  # most keys end so, and no word here does
        return False
    known = plain(word)
    if known in UNKNOWN_WORDS:
        return True
    if " / " in known and UNKNOWN_WORDS.issuperset(map(plain, known.split(" / "))):
        return True
    return known == "other" and word.strip().casefold() == _OVERFLOW


def is_direct_word(word: str) -> bool:
    """Whether a cell names the channel of visits without a referrer.

    A source and medium, such as `(direct) / (none)`, is direct where the other half is unknown.

    Examples
    --------
    >>> [is_direct_word(word) for word in ("(direct) / (none)", "Direct / None", "direct / email")]
    [True, True, False]
    """
    known = plain(word)
    parts = [known] if known in DIRECT_WORDS else known.split(" / ")
    others = [part for part in parts if part not in DIRECT_WORDS]
    return len(others) < len(parts) and UNKNOWN_WORDS.issuperset(others)


def unknown_among(words: Collection[str]) -> set[str]:
    """Those of a column's words that stand for "not known".

    `NA` beside EMEA or APAC is North America.

    Examples
    --------
    >>> sorted(unknown_among(["EMEA", "NA", "(not set)"])), sorted(unknown_among(["DE", "NA"]))
    (['(not set)'], ['NA'])
    """
    unknown = {word for word in words if is_unknown_word(word)}
    is_region = {word for word in unknown if plain(word) == _NORTH_AMERICA}
    if is_region and any(plain(word) in _REGIONS for word in words):
        return unknown - is_region
    return unknown
