"""Sections of `funnel.toml`, each read and checked key by key.

An unknown key is an error: a typing mistake would otherwise change nothing, unnoticed.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from funnel.contract.errors import PlanError
from funnel.contract.outgoing_text import clean_plan_text, without_mail
from funnel.contract.periods import FiscalWeeks
from funnel.contract.placeholders import NOT_KNOWN
from funnel.contract.tables import TABLES

FILE_NAME = "funnel.toml"
SECTIONS = (
    "company", "plan", "stages", "definition", "promise", "reasons", "losses", "checklist",
    "labels", "roles", "links", "records", "calendar",
)  # fmt: skip
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
MERGED = ("leads", "accounts", "deals")  # whose records the plan may say were merged
LINKED = ("deal", "lead", "account")  # records that [links] may hold the address of
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_RECORDS_KEYS = ("exclude", "aliases", "merged", "split_deals", "rates", "rates_per", "event")
# every address of a company: no person's, so a condition may name it
_ANY_OF_A_DOMAIN = re.compile(r"'%@[\w.%-]+'")
_NAMED_PERIOD = re.compile(r"\d{4}(Q[1-4]|-\d{2})")
_SET_PARAMETERS = "# Parameters\n"  # how the cell that Papermill adds begins
_DURATION = re.compile(r"(\d+)\s*([dh])")


@dataclass(frozen=True)
class Company:
    """Whom the plan is for, how its pages write dates and money, and what they hide.

    `free_text` is `show` or `hide`; `key` names the key of the labels of people. `labels` is the
    section of that name: the company's own words for stages, drivers and segments.
    """

    name: str = "Company"
    currency: str = "EUR"
    timezone: str = "UTC"
    country: str = ""
    locale: str = "en"
    fiscal_year_starts: int = 1
    free_text: str = "show"
    key: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Definition:
    """What a qualified lead is, as SQL expressions over the columns of `leads`."""

    marketing: str = ""
    sales: str = ""
    agreed: str = ""
    agreed_on: dt.date | None = None


@dataclass(frozen=True)
class RecordsEvent:
    """Something that happened to the records and not to the business: the day, and what."""

    on: dt.date
    what: str


@dataclass(frozen=True)
class Records:
    """What the records need before anything is counted.

    Attributes
    ----------
    split_deals
        What several rows of one deal are, which differ in owner and amount: `stop` asks, `sum` adds
        the amounts up, `first` uses one row.
    aliases
        By column, the words that are read as another word.
    exclude
        By table, a condition as SQL: rows that it matches are not used.
    merged
        For leads, accounts or deals, the file with the keys that became another one.
    rates
        The file with exchange rates; empty for none.
    rates_per
        What a rate is: company money per unit of the other (`foreign`), or the reverse (`home`).
    events
        What happened to the records.
    """

    split_deals: str = "stop"
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    exclude: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    merged: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rates: str = ""
    rates_per: str = "foreign"
    events: tuple[RecordsEvent, ...] = ()

    @property
    def files(self) -> dict[str, str]:
        """Name of each file that the plan names, by its key."""
        merged = {f"merged.{of}": name for of, name in self.merged.items()}
        return merged | ({"rates": self.rates} if self.rates else {})


@dataclass(frozen=True)
class CheckItem:
    """An event that the teams added to the checklist: when it was, and what to ask about it."""

    name: str
    question: str = ""
    from_: dt.date | None = None
    to: dt.date | None = None


def refuse_unknown(
    where: str, given: Mapping[str, Any], known: tuple[str, ...], *, kind: str = "key"
) -> None:
    """Raise a `PlanError` at a name that the plan does not know, with the nearest one it does."""
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
        hint = f"did you mean `{near[0]}`?" if near else f"it knows {', '.join(known)}."
        raise PlanError(f"{FILE_NAME}: {where} has no {kind} `{key}`; {hint}")


def fields_of(
    sections: Mapping[str, Any],
    company: Company,
    definition: Definition,
    *,
    where: str = "the file",
) -> dict[str, Any]:
    """Fields of a `Plan` from sections as `funnel.toml` has them; a missing section gives none.

    Parameters
    ----------
    sections
        Section names to their keys.
    company, definition
        What the keys that these two sections leave out are taken from.
    where
        What an error calls the place of the sections.

    Raises
    ------
    PlanError
        If a section or key is unknown, or a value is of another kind.
    """
    refuse_unknown(where, sections, SECTIONS, kind="section")
    fields = plan_keys("[plan]", _section(sections, "plan"))
    if "company" in sections or "labels" in sections:
        keys = _section_keys(Company, "[company]", _section(sections, "company"))
        labels = _words("[labels]", _section(sections, "labels")) or company.labels
        fields["company"] = dataclasses.replace(company, **keys, labels=labels)
    if "definition" in sections:
        keys = _section_keys(Definition, "[definition]", _section(sections, "definition"))
        fields["definition"] = dataclasses.replace(definition, **keys)
    stages = _section(sections, "stages")
    refuse_unknown("[stages]", stages, ("order", "exits"))
    for key, name in (("order", "stages"), ("exits", "exits")):
        if key in stages:
            fields[name] = _names(f"stages.{key}", stages[key])
    if promise := _section(sections, "promise"):
        fields["promise"] = _days_by_grade(promise)
    for name in ("reasons", "losses"):
        if words := _section(sections, name):
            fields[name] = _reasons(f"[{name}]", words)
    if "roles" in sections:
        fields["roles"] = _roles(_section(sections, "roles"))
    if "links" in sections:
        fields["links"] = _links(_section(sections, "links"))
    if "records" in sections:
        fields["records"] = _records(_section(sections, "records"))
    if "calendar" in sections:
        fields["calendar"] = _calendar(_section(sections, "calendar"))
    if "checklist" in sections:
        fields["checklist"] = tuple(map(_check_item, _sections("checklist", sections)))
    return fields


def plan_keys(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Plan` from keys of `[plan]`; a key that is `None` gives no field."""
    values = {key: value for key, value in given.items() if value is not None}
    refuse_unknown(where, values, PLAN_KEYS)
    if "segments" in values:
        values["segments"] = tuple(dict.fromkeys(_names("segments", values["segments"])))
    period = values.get("period", "")
    if isinstance(period, str) and _NAMED_PERIOD.fullmatch(period):
        values |= {"period": "quarter" if "Q" in period else "month", "named_period": period}
    elif period:
        values["named_period"] = ""
    return values


def overrides(names: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of `[plan]` that a notebook's parameters set.

    Parameters
    ----------
    names
        A notebook's `globals()`. Names that are no key of `[plan]`, and keys that are `None`, are
        ignored.

    Raises
    ------
    PlanError
        If Papermill set a parameter that the notebook does not have.

    Examples
    --------
    >>> overrides({"level": 0.95, "measure": None, "data_dir": "x"})
    {'level': 0.95}
    """
    cells = [cell for cell in names.get("In", ()) if isinstance(cell, str)]
    for cell in cells:
        if cell.startswith(_SET_PARAMETERS):
            known = dict.fromkeys((*_assigned(cells, ast.AnnAssign), *PLAN_KEYS))
            _refuse_unknown_parameters(_assigned([cell], ast.Assign), tuple(known))
    return {key: names[key] for key in PLAN_KEYS if names.get(key) is not None}


def _refuse_unknown_parameters(given: Iterable[str], known: tuple[str, ...]) -> None:
    """Raise a `PlanError` at a parameter that a notebook does not have."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(known)}."
            raise PlanError(
                f"This notebook has no parameter `{name}`; {hint} A name that it does not use "
                "would change nothing, unnoticed."
            )


def _assigned(cells: Iterable[str], kind: type) -> list[str]:
    """Names assigned in cells by statements of one kind; a cell that is no Python has none."""
    names = []
    for cell in cells:
        try:
            statements = ast.parse(cell).body
        except SyntaxError:  # a magic command
            continue
        for one in statements:
            if isinstance(one, kind):
                targets = [one.target] if isinstance(one, ast.AnnAssign) else one.targets
                names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def _section(sections: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = sections.get(name, {})
    if not isinstance(section, Mapping):
        raise PlanError(f"{FILE_NAME}: `{name}` must be a section, written [{name}].")
    return section


def _section_keys(cls: type, where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a section, checked against the fields of the dataclass that holds it."""
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name != "labels"}
    refuse_unknown(where, given, tuple(fields))
    for key, value in given.items():
        wanted = {"int": int, "str": str}.get(str(fields[key].type), dt.date)
        _refuse_other_kind(where, key, value, wanted)
    if cls is Definition:
        for key, value in given.items():
            if isinstance(value, str):
                _refuse_identity(f"{where} `{key}`", value, without_mail)
        return dict(given)
    return {key: _cleaned(value) for key, value in given.items()}


def _cleaned(value: Any) -> Any:
    return clean_plan_text(value) if isinstance(value, str) else value


def _refuse_identity(what: str, given: str, clean: Callable[[str], str]) -> None:
    """Refuse an address or number in a name or condition, which is compared with hashed cells."""
    if clean(given) != given:
        raise PlanError(
            f"{FILE_NAME}: {what} holds an e-mail address, a phone number or a control character. "
            "Pages would show it, and no row could match it, since identities are hashed before "
            "anything is compared."
        )


def _check_item(item: Mapping[str, Any]) -> CheckItem:
    if "name" not in item:
        raise PlanError(f"{FILE_NAME}: each [[checklist]] needs a `name`.")
    refuse_unknown("[[checklist]]", item, ("name", "question", "from", "to"))
    for key, value in item.items():
        _refuse_other_kind("[[checklist]]", key, value, dt.date if key in ("from", "to") else str)
    name, question = _cleaned(item["name"]), _cleaned(item.get("question", ""))
    return CheckItem(name, question, item.get("from"), item.get("to"))


def _records(given: Mapping[str, Any]) -> Records:
    refuse_unknown("[records]", given, _RECORDS_KEYS)
    fields: dict[str, Any] = {}
    for key in ("split_deals", "rates_per"):
        if key in given:
            _refuse_other_kind("[records]", key, given[key], str)
            fields[key] = given[key]
    if "rates" in given:
        fields["rates"] = _file_name("[records] `rates`", given["rates"])
    for key, known in (("aliases", ()), ("exclude", tuple(TABLES)), ("merged", MERGED)):
        where = f"records.{key}"
        parts = _section({where: given.get(key, {})}, where)
        if known:
            refuse_unknown(f"[records] {key}", parts, known, kind="table")
        read = {"aliases": _aliases, "exclude": _exclude, "merged": _file_name}[key]
        fields[key] = MappingProxyType(
            {name: read(f"{where}.{name}", each) for name, each in parts.items()}
        )
    fields["events"] = tuple(_event(each) for each in _sections("records.event", given))
    return Records(**fields)


def _sections(name: str, given: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Sections written [[name]], of which the last word is a key of those given."""
    found = given.get(name.rpartition(".")[2], ())
    if not isinstance(found, list | tuple) or not all(isinstance(each, Mapping) for each in found):
        raise PlanError(f"{FILE_NAME}: `{name}` must be sections, each written [[{name}]].")
    return found


def _event(given: Mapping[str, Any]) -> RecordsEvent:
    refuse_unknown("[[records.event]]", given, ("on", "what"))
    for key, kind in (("on", dt.date), ("what", str)):
        if key not in given:
            raise PlanError(f"{FILE_NAME}: each [[records.event]] needs `on`, a day, and `what`.")
        _refuse_other_kind("[[records.event]]", key, given[key], kind)
    what = _cleaned(given["what"]).strip()
    if not what:
        raise PlanError(f"{FILE_NAME}: the [[records.event]] of {given['on']} has no `what`.")
    return RecordsEvent(given["on"], what)


def _exclude(where: str, given: Any) -> str:
    """Condition on a table's cells as they are in the file, addresses included."""
    if not isinstance(given, str) or not given.strip():
        raise PlanError(
            f"{FILE_NAME}: {where} is {given!r}; it must be one condition in quotes, such as "
            '"amount = 999999".'
        )
    if without_mail(plain := _ANY_OF_A_DOMAIN.sub("''", given)) != plain:
        raise PlanError(
            f"{FILE_NAME}: {where} holds an e-mail address, and pages show the plan. Write it "
            "without the name before the @, such as \"email like '%@example.com'\", or name the "
            "rows by their key."
        )
    return given


def _file_name(where: str, given: Any) -> str:
    """Name of a file beside the plan."""
    if not isinstance(given, str) or not given.strip(" ./\\") or set(given) & set("/\\"):
        raise PlanError(
            f"{FILE_NAME}: {where} is {given!r}; it must be the name of a file in the same folder, "
            "such as 'rates.csv'."
        )
    _refuse_identity(where, given, clean_plan_text)
    return given


def _aliases(where: str, given: Any) -> Mapping[str, str]:
    """Words of one column that are read as another word."""
    for word, meant in _section({where: given}, where).items():
        _refuse_other_kind(where, word, meant, str)
        for text in (word, meant):
            _refuse_identity(f"a word of {where}", text, clean_plan_text)
    # an empty cell would be a broken row where a column is required
    return MappingProxyType({word: meant.strip() or NOT_KNOWN for word, meant in given.items()})


def _calendar(given: Mapping[str, Any]) -> FiscalWeeks:
    keys = _section_keys(FiscalWeeks, "[calendar]", given)
    for key in ("weeks", "year_ends"):
        if key not in keys:
            raise PlanError(
                f'{FILE_NAME}: [calendar] has no `{key}`. It needs `weeks`, such as "4-4-5", and '
                '`year_ends`, such as "last Saturday of January".'
            )
    return FiscalWeeks(**keys)


def _words(where: str, given: Mapping[str, Any]) -> Mapping[str, str]:
    """Names, each with the words that pages show in its place."""
    for name, words in given.items():
        _refuse_other_kind(where, name, words, str)
        if not words.strip():
            raise PlanError(f"{FILE_NAME}: {where} `{name}` is empty; remove it, or give words.")
    return MappingProxyType({_cleaned(name): _cleaned(words) for name, words in given.items()})


def _roles(given: Mapping[str, Any]) -> Mapping[str, str]:
    """Roles by owner, as the records write the owner; no two owners have one role."""
    for owner, role in given.items():
        _refuse_other_kind("[roles]", owner, role, str)
        _refuse_identity(f"the role of {owner!r} in [roles]", role, clean_plan_text)
        if not role.strip():
            raise PlanError(f"{FILE_NAME}: [roles] gives {owner!r} no role.")
    roles = [" ".join(role.split()) for role in given.values()]
    if twice := next((role for role in roles if roles.count(role) > 1), ""):
        raise PlanError(
            f"{FILE_NAME}: [roles] gives {twice!r} to {roles.count(twice)} owners, whose deals "
            "would count as those of one. Tell them apart, such as by region, or leave them out."
        )
    return MappingProxyType(dict(zip(given, roles, strict=True)))


def _links(given: Mapping[str, Any]) -> Mapping[str, str]:
    """Address of a record by what it is, with its key in braces."""
    refuse_unknown("[links]", given, LINKED)
    for name, address in given.items():
        _refuse_other_kind("[links]", name, address, str)
        if not _ADDRESS.fullmatch(address) or f"{{{name}_id}}" not in address:
            raise PlanError(
                f"{FILE_NAME}: [links] `{name}` is {address!r}; it must be a web address that "
                f'holds {{{name}_id}}, such as "https://crm.example/{name}/{{{name}_id}}".'
            )
    return MappingProxyType(dict(given))


def _reasons(where: str, given: Mapping[str, Any]) -> Mapping[str, str]:
    for key, value in given.items():
        _refuse_other_kind(where, key, value, str)
    return MappingProxyType({_cleaned(key): value for key, value in given.items()})


def _days_by_grade(given: Mapping[str, Any]) -> Mapping[str, float]:
    """Days by grade; `feedback` is the one key that is no grade."""
    days = {}
    for key, value in given.items():
        _refuse_identity("a key of [promise]", key, clean_plan_text)
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise PlanError(
                f"{FILE_NAME}: [promise] `{key}` is {value!r}; write days or hours: '3d' or '4h'."
            )
        days[key] = int(match[1]) / (24 if match[2] == "h" else 1)
    return MappingProxyType(days)


def _names(key: str, value: Any) -> tuple[str, ...]:
    """Names from a list, or from one text with commas."""
    names = [name for name in value.split(",") if name] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) and name.strip() for name in names
    ):
        raise PlanError(f"`{key}` is {value!r}; it must be a list of names.")
    for name in names:
        _refuse_identity(f"`{key}`", name, clean_plan_text)
    return tuple(name.strip() for name in names)


def _refuse_other_kind(where: str, key: str, value: Any, wanted: type) -> None:
    # to Python a moment is a day, and a truth value is a whole number
    if isinstance(value, wanted) and not isinstance(value, bool | dt.datetime):
        return
    kind = {int: "a whole number", str: "text in quotes", dt.date: "a day"}[wanted]
    raise PlanError(f"{FILE_NAME}: {where} `{key}` is {value!r}; it must be {kind}.")
