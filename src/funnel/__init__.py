"""Trace every won deal to its first click, adjust for the season, and report what changed.

The public names, grouped as a reader meets them. Each is imported when first used, so that
starting costs nothing.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

_HOME = {
    # a company's folder, and what both teams agreed on
    "load": "dataset",
    "Tables": "dataset",
    "Plan": "contract.plan",
    "overrides": "contract.plan",
    # questions: each answers, and has its further figures as methods
    "readiness": "questions.readiness",
    "why": "questions.why",
    "attribution": "questions.attribution",
    "seasonality": "questions.seasonality",
    "promotions": "questions.promotions",
    "conversion": "questions.conversion",
    "definition": "questions.definition",
    "handoff": "questions.handoff",
    "revenue": "questions.revenue",
    "programmes": "questions.programmes",
    "winloss": "questions.winloss",
    # methods, also on frames of one's own
    "bridge": "methods.bridge",
    "explain_change": "methods.bridge",
    "reach_by_age": "questions.conversion",
    "journeys": "methods.paths",
    "paths": "methods.paths",
    "attribute": "questions.attribution",
    "removal_effects": "questions.attribution",
    "series": "methods.season",
    "decompose": "methods.season",
    "promo_effect": "questions.promotions",
    # results
    "Result": "results",
    "save": "results",
    # errors
    "FunnelError": "contract.errors",
    "TableError": "contract.errors",
    "PlanError": "contract.errors",
    "ParameterError": "contract.errors",
    "SourceError": "contract.errors",
    "SnapshotError": "contract.errors",
}
_OF_A_DATASET = frozenset(
    name
    for name, home in _HOME.items()
    if home.startswith("questions.") or name in ("bridge", "journeys", "paths", "series")
) - {"reach_by_age", "attribute", "removal_effects"}
__all__ = list(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _OF_A_DATASET:
        value = _of_a_dataset(value)
    globals()[name] = value
    return value


def _of_a_dataset(answer: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which tells a caller without a dataset how to load one."""

    @functools.wraps(answer)
    def of_a_dataset(data: Any, *args: Any, **named: Any) -> Any:
        from funnel.contract.errors import ParameterError
        from funnel.dataset import Tables

        if not isinstance(data, Tables):
            raise ParameterError(
                f"funnel.{answer.__name__} needs a dataset, not {type(data).__name__}: "
                f"`data = funnel.load(folder)`, then `funnel.{answer.__name__}(data)`."
            )
        return answer(data, *args, **named)

    return of_a_dataset


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
