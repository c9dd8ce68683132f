"""From what `funnel.toml` holds to values of the plan, key by key."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from funnel.contract.errors import PlanError
from funnel.contract.plan.sections import CheckItem

FILE_NAME = "funnel.toml"
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
_NAMED_PERIOD = re.compile(r"\d{4}(Q[1-4]|-\d{2})")
_DURATION = re.compile(r"(\d+)\s*([dh])")


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


def fields(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn keys of `[plan]` into fields of `Plan`; a key left at `None` says nothing."""
    values = {key: value for key, value in given.items() if value is not None}
    refuse_unknown(where, values, PLAN_KEYS)
    if "segments" in values:
        values["segments"] = tuple(dict.fromkeys(words_of("segments", values["segments"])))
    period = values.get("period", "")
    if isinstance(period, str) and _NAMED_PERIOD.fullmatch(period):
        values |= {"period": "quarter" if "Q" in period else "month", "named_period": period}
    elif period:
        values["named_period"] = ""
    return values


def refuse_unknown(
    where: str, given: Mapping[str, Any], known: tuple[str, ...], *, kind: str = "key"
) -> None:
    """Stop at a name that the plan does not know, and say which one may be meant."""
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"it knows {', '.join(known)}."
        raise PlanError(f"{FILE_NAME}: {where} has no {kind} `{key}`; {hint}")


def section_of(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give one section, empty where the file has none."""
    section = raw.get(name, {})
    if not isinstance(section, Mapping):
        raise PlanError(f"{FILE_NAME}: `{name}` must be a section, written [{name}].")
    return section


def section_as(cls: type, where: str, given: Mapping[str, Any]) -> Any:
    """Make a section the dataclass that holds it, its keys and kinds of values checked."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    refuse_unknown(where, given, tuple(fields))
    for key, value in given.items():
        wanted = {"int": int, "str": str}.get(str(fields[key].type), dt.date)
        _refuse_other_kind(where, key, value, wanted)
    return cls(**given)


def check_items(given: Any) -> tuple[CheckItem, ...]:
    """Read every `[[checklist]]`."""
    if not isinstance(given, list | tuple):
        raise PlanError(f"{FILE_NAME}: `checklist` must be sections, each written [[checklist]].")
    return tuple(_check_item(item) for item in given)


def reasons_of(given: Mapping[str, Any]) -> Mapping[str, str]:
    """Read what each of the company's own words for a reason stands for."""
    for key, value in given.items():
        _refuse_other_kind("[reasons]", key, value, str)
    return MappingProxyType(dict(given))


def _check_item(item: Any) -> CheckItem:
    if not isinstance(item, Mapping) or "name" not in item:
        raise PlanError(f"{FILE_NAME}: each [[checklist]] needs a `name`.")
    refuse_unknown("[[checklist]]", item, ("name", "question", "from", "to"))
    for key, value in item.items():
        _refuse_other_kind("[[checklist]]", key, value, dt.date if key in ("from", "to") else str)
    return CheckItem(item["name"], item.get("question", ""), item.get("from"), item.get("to"))


def _refuse_other_kind(where: str, key: str, value: Any, wanted: type) -> None:
    # a moment is a day to Python, and a truth is a whole number
    if isinstance(value, wanted) and not isinstance(value, bool | dt.datetime):
        return
    kind = {int: "a whole number", str: "text in quotes", dt.date: "a day"}[wanted]
    raise PlanError(f"{FILE_NAME}: {where} `{key}` is {value!r}; it must be {kind}.")


def promise_of(given: Mapping[str, Any]) -> Mapping[str, float]:
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


def words_of(key: str, value: Any) -> tuple[str, ...]:
    """Read a list of names, also where it is written as one text with commas."""
    words = [word for word in value.split(",") if word] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(
        isinstance(word, str) and word.strip() for word in words
    ):
        raise PlanError(f"`{key}` is {value!r}; it must be a list of names.")
    return tuple(word.strip() for word in words)
