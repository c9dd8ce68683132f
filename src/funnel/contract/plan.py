"""The plan: what both teams agree on before anybody sees a figure.

`funnel.toml` becomes a frozen `Plan`. Every key has a default, so an empty or missing file is a
valid plan. Pages print the plan's hash, so that a later change of the plan can be seen.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from funnel.contract import periods
from funnel.contract.errors import PlanError
from funnel.contract.periods import Comparison, Fiscal, FiscalMonths, FiscalWeeks, Period
from funnel.contract.plan_sections import (
    FILE_NAME,
    PLAN_KEYS,
    SECTIONS,
    CheckItem,
    Company,
    Definition,
    Records,
    RecordsEvent,
    fields_of,
    overrides,
    plan_keys,
)
from funnel.contract.tables import TABLES, Kind

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FILE_NAME",
    "LOSS_REASONS",
    "PLAN_KEYS",
    "SEVEN_REASONS",
    "CheckItem",
    "Company",
    "Definition",
    "Plan",
    "Records",
    "RecordsEvent",
    "overrides",
]

SEVEN_REASONS = ("fit", "size", "contact", "interest", "decision_maker", "pain", "timing", "other")
LOSS_REASONS = ("competitor", "no_decision", "price", "product", "timing", "fit", "other")
_CHOICES = {
    "measure": ("bookings", "wins", "mrr"),
    "period": ("month", "quarter"),
    "compare": ("previous", "year_ago"),
}
_RECORDS_CHOICES = {"split_deals": ("stop", "sum", "first"), "rates_per": ("foreign", "home")}
# keys of [records] that came later: plans without them keep the hash that they had, as do plans
# without [labels], [roles], [links] and [losses]
_LATER = ("exclude", "merged", "rates", "rates_per", "events")
_BETWEEN = {
    "level": (0.5, 0.999),
    "margin": (0.0, 1.0),
    "max_rejected": (0.0, 1.0),
    "lookback_days": (0, 36_500),
    "smallest_group": (1, 1_000_000),
    "seed": (0, 2**63 - 1),
}
_WHOLE = ("seed", "lookback_days", "smallest_group")
# shorter than the names of keys that the plan does not name, and no name of a folder above
_KEY_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
NO_SEGMENTS = {
    column.name
    for table in (TABLES["leads"], TABLES["deals"])
    for column in table.columns
    if column.name in table.key or column.kind in (Kind.TIME, Kind.DATE, Kind.IDENTITY)
}


@dataclass(frozen=True)
class Plan:
    """What is measured, over which period, compared with which, and by which rules.

    The fields are the keys of `funnel.toml`: those of `[plan]` directly, each other section as one
    field. `named_period` is set where a period was chosen by name (`2026Q2`).

    Examples
    --------
    >>> plan = Plan(measure="wins")
    >>> plan.comparison(dt.date(2026, 6, 30)).period.label
    '2026Q2'
    >>> Plan.of({"plan": {"levels": 0.95}})
    Traceback (most recent call last):
    funnel.contract.errors.PlanError: funnel.toml: [plan] has no key `levels`; did you mean `level`?
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
    company: Company = field(default_factory=Company)
    stages: tuple[str, ...] = ("lead", "mql", "sal", "sql", "opportunity", "won")
    exits: tuple[str, ...] = ("rejected", "recycled", "disqualified", "lost")
    definition: Definition = field(default_factory=Definition)
    promise: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"A": 1.0, "B": 3.0, "C": 14.0, "feedback": 7.0})
    )
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    losses: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    checklist: tuple[CheckItem, ...] = ()
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    records: Records = field(default_factory=Records)
    calendar: FiscalWeeks | None = None
    named_period: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def read(cls, data_dir: str | Path, **overrides: Any) -> Plan:
        """Plan of a company's folder.

        Parameters
        ----------
        data_dir
            The folder that holds `funnel.toml`; without that file every key has its default.
        overrides
            Keys that take the place of the file's, as `with_keys` takes them.

        Raises
        ------
        PlanError
            If the file cannot be read, has an unknown key, or a value that makes no sense.
        """
        path = Path(data_dir) / FILE_NAME
        if not path.exists():
            return cls.of({}, **overrides)
        if not path.is_file():
            raise PlanError(f"{FILE_NAME} is no regular file, so it cannot be read.")
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PlanError(
                f"{FILE_NAME} cannot be read: {error}. Nothing was computed, since the plan says "
                "what to compute. Whoever maintains the plan can correct the line named."
            ) from None
        except OSError as error:
            raise PlanError(f"{FILE_NAME} cannot be read: {error.strerror}.") from None
        return cls.of(raw, **overrides)

    @classmethod
    def of(cls, raw: Mapping[str, Any], **overrides: Any) -> Plan:
        """Plan from the sections of `funnel.toml`, checked key by key."""
        of_file = fields_of(raw, Company(), Definition())
        base = (of_file.get("company", Company()), of_file.get("definition", Definition()))
        return cls(**of_file | _overriding(overrides, *base))

    def with_keys(self, keys: Mapping[str, Any] | None = None, **more: Any) -> Plan:
        """Plan with some keys replaced; every other key, of every section, stays as it is.

        Parameters
        ----------
        keys, more
            Keys of `[plan]`, of which `None` leaves the key as it is; or a section's name with
            its keys, as `funnel.toml` has them.

        Raises
        ------
        PlanError
            If a key is unknown, or a value makes no sense.

        Examples
        --------
        >>> plan = Plan.of({"company": {"name": "Acme", "currency": "USD"}})
        >>> plan = plan.with_keys({"segments": ["region"], "company": {"name": "Acme Ltd"}})
        >>> plan.segments, plan.company.name, plan.company.currency
        (('region',), 'Acme Ltd', 'USD')
        """
        if not isinstance(keys, Mapping | None):
            raise PlanError(
                f"plan={keys!r} must be a plan, or keys of `[plan]` with their values, such as "
                '{"measure": "wins"}.'
            )
        given = {**(keys or {}), **more}
        return dataclasses.replace(self, **_overriding(given, self.company, self.definition))

    def overridden_by(self, plan: Plan | Mapping[str, Any] | None) -> Plan:
        """Plan that an argument `plan=` stands for.

        Parameters
        ----------
        plan
            Another plan, which takes this one's place; or keys that are replaced in this one, as
            `with_keys` takes them; or None, for this one.

        Examples
        --------
        >>> Plan(level=0.8).overridden_by({"measure": "wins"}).level
        0.8
        >>> Plan(level=0.8).overridden_by(Plan(measure="wins")).level
        0.9
        """
        return plan if isinstance(plan, Plan) else self.with_keys(plan)

    @property
    def sha256(self) -> str:
        """Hash of every effective value, so that comments and spacing do not matter."""
        values = self.as_dict() | ({"roles": dict(self.roles)} if self.roles else {})
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Every effective value as plain data, for the manifest; of owners with a role, the role.

        An owner may be a person's name, and anybody may read the manifest.
        """
        plain = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        for key in _LATER:
            if getattr(self.records, key) == getattr(Records(), key):
                del plain["records"][key]
        if not plain["company"]["labels"]:
            del plain["company"]["labels"]
        plain["roles"] = sorted(self.roles.values())
        for key in ("named_period", "calendar", "roles", "links", "losses"):
            if not plain[key]:
                del plain[key]
        return plain

    @property
    def texts(self) -> tuple[str, ...]:
        """What the plan's authors wrote for pages to show."""
        items = (text for item in self.checklist for text in (item.name, item.question))
        records = (*self.records.exclude.values(), *(each.what for each in self.records.events))
        words = (*self.company.labels, *self.company.labels.values(), *self.roles.values())
        named = (self.company.name, *self.stages, *self.exits, *self.reasons, *self.losses)
        return (*named, *words, *items, *records)

    def comparison(self, as_of: dt.date) -> Comparison:
        """The period that a dataset is analysed for, and the one it is compared with.

        Parameters
        ----------
        as_of
            The last day that the data covers.

        Raises
        ------
        PlanError
            If a period was named that begins after `as_of`.
        """
        rules = (self.period, self.compare, self.fiscal)
        if self.named_period:
            return periods.named_comparison(self.named_period, as_of, *rules)
        return periods.running_comparison(as_of, *rules)

    @property
    def fiscal(self) -> Fiscal:
        """The company's fiscal months and quarters."""
        return self.calendar or FiscalMonths(self.company.fiscal_year_starts)

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.company.timezone)

    def midnight(self, day: dt.date) -> pd.Timestamp:
        """Moment (UTC) at which a day begins in the company's time zone."""
        import pandas as pd

        return pd.Timestamp(periods.midnight(day, self.zone))

    def bounds(self, period: Period) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Moments (UTC) at which a period begins, which is in it, and ends, which is not."""
        return self.midnight(period.start), self.midnight(period.after)

    def within(self, rows: pd.Series, period: Period) -> pd.Series:
        """Which rows fall into a period, by the company's local day; see `periods.within`.

        Examples
        --------
        >>> import pandas as pd
        >>> plan = Plan.of({"company": {"timezone": "Europe/Berlin"}})
        >>> closed_at = pd.Series(pd.to_datetime(["2026-03-31T21:59Z", "2026-03-31T22:00Z"]))
        >>> plan.within(closed_at, plan.comparison(dt.date(2026, 6, 30)).period).tolist()
        [False, True]
        """
        return periods.within(rows, period, self.zone)

    def within_sql(self, column: str, period: Period, *, is_date: bool = False) -> str:
        """SQL condition that a row falls into a period; see `periods.within_sql`."""
        return periods.within_sql(column, period, self.zone, is_date=is_date)

    def local_days(self, moments: pd.Series) -> pd.Series:
        """Days on which moments (UTC) fall in the company's time zone, without a time zone."""
        return periods.local_days(moments, self.zone)


def _overriding(
    given: Mapping[str, Any], company: Company, definition: Definition
) -> dict[str, Any]:
    """Fields from keys of `[plan]` and from whole sections, given side by side."""
    sections = {key: value for key, value in given.items() if key in SECTIONS}
    keys = {key: value for key, value in given.items() if key not in SECTIONS}
    return fields_of(sections, company, definition) | plan_keys("[plan]", keys)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _check(plan: Plan) -> None:
    """Raise a `PlanError` at the first value that makes no sense."""
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
    _check_company(plan.company)
    for key, choices in _RECORDS_CHOICES.items():
        value = getattr(plan.records, key)
        if value not in choices:
            raise PlanError(f"`records.{key}` is {value!r}; it must be {' or '.join(choices)}.")
    if plan.calendar is not None and plan.company.fiscal_year_starts != 1:
        raise PlanError(
            f"[calendar] says that a fiscal year ends on the {plan.calendar.year_ends}, and "
            f"`company.fiscal_year_starts` that it begins with month "
            f"{plan.company.fiscal_year_starts}. Only one of them can hold: remove the other."
        )
    if len(plan.stages) < 2 or len(set(plan.stages) | set(plan.exits)) < len(plan.stages) + len(
        plan.exits
    ):
        raise PlanError("[stages] needs at least two stages in order, and no stage named twice.")
    alone = [name for name in plan.segments if name in NO_SEGMENTS]
    if alone:
        raise PlanError(
            f"`segments` names {', '.join(alone)}, which hardly two rows share. Segments are "
            "groups that leads or deals are compared within, such as channel or region."
        )
    for section, words in (("reasons", SEVEN_REASONS), ("losses", LOSS_REASONS)):
        unknown = sorted(set(getattr(plan, section).values()) - set(words))
        if unknown:
            raise PlanError(
                f"[{section}] maps to {', '.join(map(repr, unknown))}; the words to map to are "
                f"{', '.join(words)}."
            )


def _check_company(company: Company) -> None:
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
    if company.currency not in get_global("all_currencies"):
        raise PlanError(
            f"`company.currency` is {company.currency!r}, which is no known currency. Pages write "
            "amounts in it; names have three letters, such as EUR or USD."
        )
    if company.free_text not in ("show", "hide"):
        raise PlanError(
            f"`company.free_text` is {company.free_text!r}; it must be show, or hide, which puts "
            "(hidden) in place of sentences that people wrote."
        )
    if company.key and not _KEY_NAME.fullmatch(company.key):
        raise PlanError(
            f"`company.key` is {company.key!r}; it names a key and is not the key itself: up to 31 "
            "small letters, digits and dashes, beginning with a letter, such as acme-2026."
        )
    if company.fiscal_year_starts not in range(1, 13):
        raise PlanError("`company.fiscal_year_starts` must be a month from 1 to 12.")


def _is_locale(name: str) -> bool:
    try:
        return bool(Locale.parse(name))
    except (UnknownLocaleError, ValueError):
        return False
