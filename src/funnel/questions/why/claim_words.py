"""What a claim is about by its own words: a measure, a segment and a direction."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from funnel.dataset.cache import cached
from funnel.questions.why.measures import (
    ADS,
    DEAL_SIZE,
    FOLLOW_UP,
    TIMING,
    WIN_RATE,
    Measured,
    Measures,
    canonical,
)
from funnel.questions.why.records import Gap

if TYPE_CHECKING:
    from funnel.dataset import Tables

LOST_ON_PRICE, LOST_TO_COMPETITOR = "lost on price", "lost to a competitor"
NUMBERS = ("employees", "annual_revenue", "score")
GROUPS = ("channel", "motion", "region", "industry", "seniority", "job_function")
DRIVER, WORDS, MEASURE = "driver", "words", "measure"  # what decides what is tested
_LOSSES = {
    LOST_ON_PRICE: "price",
    LOST_TO_COMPETITOR: "competitor",
}
_FIRM = r"(?:firm|compan|account|business|customer|organi[sz]ation)\w*"
_SIZED = r"(?:small(?:er|est)?|larg(?:e|er|est)|big(?:ger|gest)?)"
# the words of each measure, and the drivers whose own figure it already is
_TOPICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "employees": (
        rf"employees|head ?count|{_FIRM} size|size of (?:the )?{_FIRM}|"
        rf"{_SIZED}(?: \w+)? {_FIRM}|{_FIRM}(?: \w+){{0,3}} {_SIZED}",
        (),
    ),
    "annual_revenue": (r"annual revenue|turnover|(?:firm|company) revenue", ()),
    "score": (r"scores?|scored|scoring", ()),
    "seniority": (r"senior(?:ity)?|junior|decision[- ]makers?|executives?", ()),
    "job_function": (r"job functions?|job titles?|departments?", ()),
    "region": (r"regions?|territor(?:y|ies)|countr(?:y|ies)", ()),
    "industry": (r"industr(?:y|ies)|sectors?|verticals?", ()),
    DEAL_SIZE: (rf"deal sizes?|{_SIZED} deals|deals are {_SIZED}", (DEAL_SIZE, ADS)),
    FOLLOW_UP: (
        r"waits?|waiting|waited|follow(?:ed)?[- ]ups?|response times?|first (?:call|action)|"
        r"call(?:ed)? (?:back|late|later|too late)|speed to lead",
        (),
    ),
    LOST_ON_PRICE: (r"pric(?:e|es|ed|ing)|expensive", (DEAL_SIZE, ADS)),
    LOST_TO_COMPETITOR: (r"competit(?:ors?|ion)|rivals?", ()),
    TIMING: (r"sales cycles?|longer to close|slower to close|close later", (TIMING,)),
    WIN_RATE: (r"win rates?", ("opportunity to won", WIN_RATE)),
}
_UP = (
    r"more|rise|rises|rose|rising|grow\w*|grew|larger|bigger|higher|increas\w+|slower|longer|"
    r"(?:is|are|went) up"
)
_DOWN = (
    r"fewer|less|fall|falls|fell|falling|smaller|lower|decreas\w+|declin\w+|drop\w*|shorter|"
    r"faster|sooner|(?:is|are|went) down"
)
_NOT = r"not|no|never|nobody|\w+n[^\w\s]t"  # the claim's own direction holds then
_WON = r"wins?|won|deals?|customers?|sold"
_NO_VALUES = {"sales", "marketing", "other", "unknown", "lead", "leads", "deal", "deals", "new"}
_SHORT = 3  # letters of a value, such as IT, that is read as it is written only


@dataclass(frozen=True)
class Subject:
    """What a claim is tested on.

    Attributes
    ----------
    measure
        Narrower than the driver; empty where the driver itself is tested.
    segment, column
        The segment, and the column of leads that holds it; empty for everybody.
    direction
        Sign of the measure's change that is claimed; missing where the claim's own direction,
        which is about the period's value, is all there is.
    by
        `driver`, `words` or `measure`: what decided.
    of_won
        Whether the words are about won deals and not about leads.
    gap
        Why it cannot be tested.
    """

    measure: str = ""
    segment: str = ""
    column: str = ""
    direction: int | None = None
    by: str = DRIVER
    of_won: bool = False
    gap: Gap | None = None

    def figure(self, data: Tables) -> Measured:
        """The measure in both periods, with the gap where there is no comparison."""
        measures = Measures(data, segment=self.segment, column=self.column)
        if self.measure in NUMBERS:
            found = measures.median(self.measure, of_won=self.of_won)
        elif self.measure in _LOSSES:
            found = measures.lost_with(self.measure, _LOSSES[self.measure])
        elif self.measure == FOLLOW_UP:
            found = measures.follow_up_time()
        elif self.measure in GROUPS and self.segment:
            everybody = Measures(data)
            found = everybody.share_with(self.measure, self.segment, of_won=self.of_won)
        elif self.measure in GROUPS:
            return Measured(self.measure, "rate", "leads", gap=Gap("no value", self.measure))
        elif self.measure == DEAL_SIZE:
            found = measures.driver(DEAL_SIZE) or measures.figure(ADS)
        else:
            found = measures.figure(self.measure)
        assert found is not None  # `known_measures` holds nothing else
        return found


def subject_of(claim: Mapping[str, Any], driver: str, data: Tables) -> Subject:
    """What a claim is about: its `measure` and `segment` where given, else its words.

    Parameters
    ----------
    claim
        `claim`, `direction`, and perhaps `measure` and `segment`.
    driver
        The driver that it names.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L1"], "created_at": ["2026-05-05"], "employees": [9]})
    >>> data = Tables.of(leads=leads, as_of="2026-06-30")
    >>> claim = {"claim": "The leads come from smaller firms.", "direction": "down"}
    >>> found = subject_of(claim, "mix", data)
    >>> found.measure, found.direction, found.by
    ('employees', -1, 'words')
    """
    claimed = re.sub(r"\s+", " ", str(claim["claim"]))
    segment, column = str(claim.get("segment") or ""), ""
    written = str(claim.get("measure") or "")
    if segment:
        column = _column_of(segment, data)
        if not column and not Measures(data, segment=segment).has_rows:
            known = _values(data)
            if known:
                gap = Gap("unknown value", _nearest(segment, known))
                return Subject(segment=segment, gap=gap)
    if written:
        names = known_measures(data)
        measure = {normalised(name): name for name in names}.get(
            normalised(written), canonical(written)
        )
        is_filled = measure.endswith(" filled") and Measures(data).figure(measure) is not None
        if measure not in names and not is_filled:
            return Subject(written, segment, gap=Gap("unknown measure", _nearest(measure, names)))
        sign = {"down": -1, "up": 1, "same": 0}[claim["direction"]]
        return Subject(measure, segment, column, sign, MEASURE)
    labels = data.plan.company.labels
    topics = [name for name in _TOPICS if _is_named(_words_of(name, labels), claimed)]
    own = [name for name in topics if driver in _TOPICS[name][1]]
    named = {} if segment else _named_values(claimed, data)
    if len(named) > 1 or (not own and len(topics) > 1):
        return Subject(gap=Gap("several", "; ".join(named if len(named) > 1 else topics)))
    if named:
        ((segment, column),) = named.items()
    measure = "" if own or not topics else topics[0]
    if measure in GROUPS and column != measure and segment:
        measure = ""  # the value is what the words are about
    if not measure and segment and not Measures(data).drivers().count(driver):
        measure = column if column in GROUPS else ""  # `mix` is about shares
    by = WORDS if measure else DRIVER
    signs = {sign for sign, words in ((1, _UP), (-1, _DOWN)) if _is_named(words, claimed)}
    is_clear = len(signs) == 1 and not _is_named(_NOT, claimed)
    sign = 0 if claim["direction"] == "same" else signs.pop() if is_clear else None
    return Subject(measure, segment, column, sign, by, measure in (*NUMBERS, *GROUPS) and
                  _is_named(_WON, claimed))  # fmt: skip


def known_measures(data: Tables) -> list[str]:
    """Names that the column `measure` of claims may hold."""
    others = [name for name in Measures(data).names() if not name.startswith("<")]
    return [*others, DEAL_SIZE, FOLLOW_UP, *_LOSSES, *NUMBERS, *GROUPS]


def _words_of(name: str, labels: Mapping[str, str]) -> str:
    own = [_TOPICS[name][0], *(re.escape(labels[name]) for _ in "1" if name in labels)]
    return "|".join(own)


def _is_named(words: str, claimed: str) -> bool:
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", claimed, re.IGNORECASE) is not None


@cached
def _values(data: Tables) -> dict[str, str]:
    """Values of the columns that make segments, each with its column; the plan's come first."""
    found: dict[str, str] = {}
    for column in dict.fromkeys((*data.plan.segments, *GROUPS)):
        if data.has("leads", column) and column not in NUMBERS:
            for value in data.leads[column].dropna().unique():
                found.setdefault(str(value).strip(), column)
    return found


def _column_of(segment: str, data: Tables) -> str:
    """The column that holds a segment; empty where the plan's columns do, or none does."""
    if Measures(data, segment=segment).has_rows:
        return ""
    wanted = segment.strip().casefold()
    return next((col for value, col in _values(data).items() if value.casefold() == wanted), "")


def _named_values(claimed: str, data: Tables) -> dict[str, str]:
    """Values that the words name, each with its column; one that is part of another is not."""
    labels, found = data.plan.company.labels, {}
    for value, column in _values(data).items():
        if value.casefold() in _NO_VALUES:
            continue
        flags = re.NOFLAG if len(value) <= _SHORT else re.IGNORECASE
        words = "|".join(re.escape(each) for each in (value, labels.get(value)) if each)
        if re.search(rf"(?<!\w)(?:{words})s?(?!\w)", claimed, flags):
            found[value] = column
    return {
        value: column
        for value, column in found.items()
        if not any(value != other and value.casefold() in other.casefold() for other in found)
    }


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like it; all known ones where none is."""
    plain = {normalised(each): each for each in known}
    near = difflib.get_close_matches(normalised(name), plain, n=1, cutoff=0.5)
    return plain[near[0]] if near else "; ".join(plain.values())


def normalised(name: object) -> str:
    """A name as people write it, for comparison: lower case, one space between words."""
    return re.sub(r"[\s_-]+", " ", str(name)).strip().casefold()
