"""The plan: what both teams agree on before anybody looks.

`funnel.toml` becomes a frozen `Plan`. Every key has a default, so an empty or missing file is a
valid plan; an unknown key is an error, since a typo would otherwise change nothing in silence.
The plan's hash is printed on every page, so that a plan changed after looking is seen.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError

from funnel.errors import PlanError
from funnel.periods import Comparison, named_comparison, running_comparison

FILE_NAME = "funnel.toml"
_NAMED_PERIOD = re.compile(r"\d{4}(Q[1-4]|-\d{2})")
_DURATION = re.compile(r"(\d+)\s*([dh])")


@dataclass(frozen=True)
class Company:
    """Who the plan is for, and how its pages write dates and money."""

    name: str = "Company"
    currency: str = "EUR"
    timezone: str = "UTC"
    country: str = ""
    locale: str = "en"
    fiscal_year_starts: int = 1


@dataclass(frozen=True)
class Definition:
    """What a qualified lead is, as SQL expressions over the columns of `leads`."""

    marketing: str = ""
    sales: str = ""
    agreed: str = ""
    agreed_on: dt.date | None = None


@dataclass(frozen=True)
class CheckItem:
    """A variable of the meeting's own: something that began on a day, and what to ask about it."""

    name: str
    question: str = ""
    from_: dt.date | None = None
    to: dt.date | None = None


@dataclass(frozen=True)
class Plan:
    """What is measured, over which period, against which, and by which rules.

    The fields are the keys of `funnel.toml`; `[plan]` itself lies flat, the other sections are
    fields of their own. `named_period` is set where a period was asked for by name (`2026Q2`).

    Examples
    --------
    >>> plan = Plan(measure="wins")
    >>> plan.comparison(dt.date(2026, 6, 30)).period.label
    '2026Q2'
    >>> Plan.of({"plan": {"mesure": "wins"}})
    Traceback (most recent call last):
    funnel.errors.PlanError: funnel.toml: [plan] has no key `mesure`; did you mean `measure`?
    """

    measure: str = "bookings"
    period: str = "quarter"
    compare: str = "previous"
    segments: tuple[str, ...] = ("channel",)
    level: float = 0.9
    seed: int = 20260101
    margin: float = 0.7
    lookback_days: int = 0
    smallest_group: int = 5
    max_rejected: float = 0.05
    company: Company = Company()
    stages: tuple[str, ...] = ("lead", "mql", "sal", "sql", "opportunity", "won")
    exits: tuple[str, ...] = ("rejected", "recycled", "disqualified", "lost")
    definition: Definition = Definition()
    promise: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"A": 1.0, "B": 3.0, "C": 14.0, "feedback": 7.0})
    )
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    checklist: tuple[CheckItem, ...] = ()
    named_period: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def read(cls, data_dir: str | Path, **overrides: Any) -> Plan:
        """Read the plan of a company's folder.

        Parameters
        ----------
        data_dir
            The folder that holds `funnel.toml`; without that file every key has its default.
        overrides
            Keys of `[plan]` that take the place of the file's; `None` leaves the file's as it is.

        Raises
        ------
        PlanError
            If the file cannot be read, has an unknown key, or a value that makes no sense.
        """
        path = Path(data_dir) / FILE_NAME
        if not path.exists():
            return cls.of({}, **overrides)
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PlanError(
                f"{FILE_NAME} cannot be read: {error}. Nothing was computed, since the plan says "
                "what to compute. Whoever keeps the plan can mend the line named."
            ) from None
        except OSError as error:
            raise PlanError(f"{FILE_NAME} cannot be read: {error.strerror}.") from None
        return cls.of(raw, **overrides)

    @classmethod
    def of(cls, raw: Mapping[str, Any], **overrides: Any) -> Plan:
        """Make a plan from the tables of `funnel.toml`, checked key by key."""
        sections = ("company", "plan", "stages", "definition", "promise", "reasons", "checklist")
        _known("the file", raw, sections, kind="section")
        values = _fields("[plan]", _section(raw, "plan")) | _fields("the parameters", overrides)
        stages = _section(raw, "stages")
        _known("[stages]", stages, ("order", "exits"))
        if "order" in stages:
            values["stages"] = _words("stages.order", stages["order"])
        if "exits" in stages:
            values["exits"] = _words("stages.exits", stages["exits"])
        promise = _section(raw, "promise")
        return cls(
            **values,
            company=_made(Company, "[company]", _section(raw, "company")),
            definition=_made(Definition, "[definition]", _section(raw, "definition")),
            reasons=MappingProxyType(dict(_section(raw, "reasons"))),
            checklist=tuple(_check_item(item) for item in raw.get("checklist", ())),
            **({"promise": _promise(promise)} if promise else {}),
        )

    @property
    def sha256(self) -> str:
        """Hash of every effective value, so that comments and spacing do not matter."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Every effective value as plain data, for the manifest and the hash."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        if not self.named_period:
            del plain["named_period"]
        return plain

    def with_keys(self, **overrides: Any) -> Plan:
        """Take the place of some keys of `[plan]`; `None` leaves a key as it is."""
        return dataclasses.replace(self, **_fields("the parameters", overrides))

    def comparison(self, as_of: dt.date) -> Comparison:
        """Say which period is looked at on a day, and which one it is compared with.

        Parameters
        ----------
        as_of
            The last day that the data speaks for.

        Raises
        ------
        PlanError
            If a period was named of which no day has passed.
        """
        rules = (self.period, self.compare, self.company.fiscal_year_starts)
        if self.named_period:
            return named_comparison(self.named_period, as_of, *rules)
        return running_comparison(as_of, *rules)

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.company.timezone)

    def midnight(self, day: dt.date) -> dt.datetime:
        """Give the moment (UTC) at which a day begins where the company is."""
        local = dt.datetime.combine(day, dt.time(), self.zone)
        return local.astimezone(dt.UTC)


PLAN_KEYS = (
    "measure",
    "period",
    "compare",
    "segments",
    "level",
    "seed",
    "margin",
    "lookback_days",
    "smallest_group",
    "max_rejected",
)
_CHOICES = {
    "measure": ("bookings", "wins", "mrr"),
    "period": ("month", "quarter"),
    "compare": ("previous", "year_ago"),
}
_BETWEEN = {
    "level": (0.5, 0.999),
    "margin": (0.0, 1.0),
    "max_rejected": (0.0, 1.0),
    "lookback_days": (0, 36_500),
    "smallest_group": (1, 1_000_000),
    "seed": (0, 2**63 - 1),
}
_WHOLE = ("seed", "lookback_days", "smallest_group")
SEVEN_REASONS = ("fit", "size", "contact", "interest", "decision_maker", "pain", "timing", "other")


def overrides(names: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the keys of `[plan]` that a notebook's parameters set.

    Parameters
    ----------
    names
        A notebook's `globals()`. Names that are no key of `[plan]`, and keys left at `None`, are
        passed over.

    Examples
    --------
    >>> overrides({"level": 0.95, "measure": None, "data_dir": "x"})
    {'level': 0.95}
    """
    return {key: names[key] for key in PLAN_KEYS if names.get(key) is not None}


def _fields(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn keys of `[plan]` into fields of `Plan`; a key left at `None` says nothing."""
    values = {key: value for key, value in given.items() if value is not None}
    _known(where, values, PLAN_KEYS)
    if "segments" in values:
        values["segments"] = _words("segments", values["segments"])
    period = values.get("period", "")
    if isinstance(period, str) and _NAMED_PERIOD.fullmatch(period):
        values |= {"period": "quarter" if "Q" in period else "month", "named_period": period}
    elif period:
        values["named_period"] = ""
    return values


def _check(plan: Plan) -> None:
    for key, choices in _CHOICES.items():
        value = getattr(plan, key)
        if value not in choices:
            hint = " or a period by name, such as 2026Q2 or 2026-06" if key == "period" else ""
            raise PlanError(f"`{key}` is {value!r}; it must be {' or '.join(choices)}{hint}.")
    for key, (low, high) in _BETWEEN.items():
        value = getattr(plan, key)
        fits = isinstance(value, int if key in _WHOLE else (int, float))
        if not fits or isinstance(value, bool) or not low <= value <= high:
            what = "a whole number" if key in _WHOLE else "a number"
            raise PlanError(f"`{key}` is {value!r}; it must be {what} from {low} to {high}.")
    company = plan.company
    if not _is_locale(company.locale):
        raise PlanError(
            f"`company.locale` is {company.locale!r}, which is no known locale. It says how pages "
            "write numbers and dates; names look like en, de or pt_BR."
        )
    try:
        ZoneInfo(company.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise PlanError(
            f"`company.timezone` is {company.timezone!r}, which is no known time zone. Periods "
            "begin at local midnight, so it matters. Names look like Europe/Berlin."
        ) from None
    if company.fiscal_year_starts not in range(1, 13):
        raise PlanError("`company.fiscal_year_starts` must be a month from 1 to 12.")
    if len(plan.stages) < 2 or len(set(plan.stages) | set(plan.exits)) < len(plan.stages) + len(
        plan.exits
    ):
        raise PlanError("[stages] needs at least two stages in order, and no stage named twice.")
    strange = sorted(set(plan.reasons.values()) - set(SEVEN_REASONS))
    if strange:
        raise PlanError(
            f"[reasons] maps to {', '.join(map(repr, strange))}; the words to map to are "
            f"{', '.join(SEVEN_REASONS)}."
        )


def _is_locale(name: str) -> bool:
    try:
        return bool(Locale.parse(name))
    except (UnknownLocaleError, ValueError):
        return False


def _known(
    where: str, given: Mapping[str, Any], known: tuple[str, ...], *, kind: str = "key"
) -> None:
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"it knows {', '.join(known)}."
        raise PlanError(f"{FILE_NAME}: {where} has no {kind} `{key}`; {hint}")


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name, {})
    if not isinstance(section, Mapping):
        raise PlanError(f"{FILE_NAME}: `{name}` must be a section, written [{name}].")
    return section


def _made(cls: type, where: str, given: Mapping[str, Any]) -> Any:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    _known(where, given, tuple(fields))
    for key, value in given.items():
        wanted = {"int": int, "str": str}.get(str(fields[key].type), dt.date)
        if not isinstance(value, wanted) or isinstance(value, bool):
            kind = {int: "a whole number", str: "text in quotes", dt.date: "a day"}[wanted]
            raise PlanError(f"{FILE_NAME}: {where} `{key}` is {value!r}; it must be {kind}.")
    return cls(**given)


def _check_item(item: Any) -> CheckItem:
    if not isinstance(item, Mapping) or "name" not in item:
        raise PlanError(f"{FILE_NAME}: each [[checklist]] needs a `name`.")
    _known("[[checklist]]", item, ("name", "question", "from", "to"))
    return CheckItem(item["name"], item.get("question", ""), item.get("from"), item.get("to"))


def _promise(given: Mapping[str, Any]) -> Mapping[str, float]:
    """Days by grade; `feedback` is the one key that is no grade."""
    promise = {}
    for key, value in given.items():
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise PlanError(
                f"{FILE_NAME}: [promise] `{key}` is {value!r}; write days or hours: '3d' or '4h'."
            )
        promise[key] = int(match[1]) / (24 if match[2] == "h" else 1)
    return MappingProxyType(promise)


def _words(key: str, value: Any) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise PlanError(f"`{key}` is {value!r}; it must be a list of names.")
    return tuple(word.strip() for word in words)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value
