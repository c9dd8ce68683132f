"""Trace every won deal to its first click, take the season out, and say what changed.

The public names, grouped as a reader meets them. Each is imported when first used, so that
starting costs nothing; where a question's function has its module's name, the function is meant.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_HOME = {
    # a company's folder, and what both teams agreed on
    "load": "load",
    "Tables": "load",
    "Plan": "plan",
    "overrides": "plan",
    # questions
    "readiness": "readiness",
    "trace": "journeys",
    "journeys": "journeys",
    "first_touches": "journeys",
    "paths": "journeys",
    "usual_paths": "journeys",
    "path_changes": "journeys",
    "path_times": "journeys",
    "attribute": "attribution",
    "compare_models": "attribution",
    "removal_effects": "attribution",
    "lift": "attribution",
    "cost_per_win": "attribution",
    "self_reported": "attribution",
    "ways": "attribution",
    "decompose": "seasonality",
    "series": "seasonality",
    "promo_effect": "seasonality",
    "promo_effects": "seasonality",
    "conversion": "conversion",
    "reach_by_age": "conversion",
    "definition": "definition",
    "overlap": "definition",
    "agreement": "definition",
    "adherence": "definition",
    "reasons": "definition",
    "criteria": "definition",
    "personas": "definition",
    "calibration": "definition",
    "points": "definition",
    "bar_replay": "definition",
    "bar_moves": "definition",
    "promises": "handoff",
    "follow_up": "handoff",
    "speed_to_lead": "handoff",
    "why": "why",
    "bridge": "bridge",
    "claims": "why",
    "actions": "why",
    "proposals": "why",
    "period_change": "change",
    "explain_change": "change",
    # answers
    "Result": "results",
    "keep": "results",
    # what can go wrong
    "FunnelError": "errors",
    "TableError": "errors",
    "PlanError": "errors",
    "ParameterError": "errors",
    "SourceError": "errors",
    "SnapshotError": "errors",
}
__all__ = list(_HOME)
__version__ = "0.1.0"


class _Package(ModuleType):
    """The package, on which `funnel.load` is the function also once its module is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in _HOME:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
