"""Which values a plan may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError

from funnel.contract.errors import PlanError
from funnel.contract.tables import TABLES, Kind

if TYPE_CHECKING:
    from funnel.contract.plan.plan import Plan

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
_NO_SEGMENTS = {
    column.name
    for table in (TABLES["leads"], TABLES["deals"])
    for column in table.columns
    if column.name in table.key or column.kind in (Kind.TIME, Kind.DATE, Kind.IDENTITY)
}
SEVEN_REASONS = ("fit", "size", "contact", "interest", "decision_maker", "pain", "timing", "other")


def check(plan: Plan) -> None:
    """Stop at the first value that makes no sense, and say what would."""
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
    alone = [name for name in plan.segments if name in _NO_SEGMENTS]
    if alone:
        raise PlanError(
            f"`segments` names {', '.join(alone)}, which hardly two rows share. Segments are "
            "groups that leads or deals are compared within, such as channel or region."
        )
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
