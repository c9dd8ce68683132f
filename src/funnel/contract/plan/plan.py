"""The plan as one frozen value, its hash, and the periods that it compares."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from funnel.contract.errors import PlanError
from funnel.contract.periods import Comparison, named_comparison, running_comparison
from funnel.contract.plan.parsing import (
    FILE_NAME,
    check_items,
    fields,
    promise_of,
    reasons_of,
    refuse_unknown,
    section_as,
    section_of,
    words_of,
)
from funnel.contract.plan.sections import CheckItem, Company, Definition
from funnel.contract.plan.validation import check

if TYPE_CHECKING:
    import pandas as pd


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
    company: Company = field(default_factory=Company)
    stages: tuple[str, ...] = ("lead", "mql", "sal", "sql", "opportunity", "won")
    exits: tuple[str, ...] = ("rejected", "recycled", "disqualified", "lost")
    definition: Definition = field(default_factory=Definition)
    promise: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"A": 1.0, "B": 3.0, "C": 14.0, "feedback": 7.0})
    )
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    checklist: tuple[CheckItem, ...] = ()
    named_period: str = ""

    def __post_init__(self) -> None:
        check(self)

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
        refuse_unknown("the file", raw, sections, kind="section")
        values = fields("[plan]", section_of(raw, "plan")) | fields("the parameters", overrides)
        stages = section_of(raw, "stages")
        refuse_unknown("[stages]", stages, ("order", "exits"))
        if "order" in stages:
            values["stages"] = words_of("stages.order", stages["order"])
        if "exits" in stages:
            values["exits"] = words_of("stages.exits", stages["exits"])
        promise = section_of(raw, "promise")
        return cls(
            **values,
            company=section_as(Company, "[company]", section_of(raw, "company")),
            definition=section_as(Definition, "[definition]", section_of(raw, "definition")),
            reasons=reasons_of(section_of(raw, "reasons")),
            checklist=check_items(raw.get("checklist", ())),
            **({"promise": promise_of(promise)} if promise else {}),
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
        return dataclasses.replace(self, **fields("the parameters", overrides))

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

    def within(self, moments: pd.Series, start: dt.date, after: dt.date) -> pd.Series:
        """Mark moments (UTC) from the beginning of one local day until that of another."""
        return (moments >= self.midnight(start)) & (moments < self.midnight(after))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value
