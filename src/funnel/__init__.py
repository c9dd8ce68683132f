"""Trace every won deal to its first click, adjust for the season, and report what changed.

The public names, grouped as a reader meets them. Each is imported when first used, so that
starting costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    # a company's folder, and what both teams agreed on
    "load": "dataset",
    "Tables": "dataset",
    "Plan": "contract.plan",
    "overrides": "contract.plan",
    # questions
    "readiness": "questions.readiness",
    "trace": "questions.attribution",
    "journeys": "methods.paths",
    "first_touches": "methods.paths",
    "paths": "methods.paths",
    "usual_paths": "questions.attribution",
    "path_changes": "questions.attribution",
    "path_times": "questions.attribution",
    "attribute": "questions.attribution",
    "compare_models": "questions.attribution",
    "removal_effects": "questions.attribution",
    "lift": "questions.attribution",
    "cost_per_win": "questions.attribution",
    "self_reported": "questions.attribution",
    "ways": "methods.paths",
    "decompose": "methods.season",
    "series": "methods.season",
    "promo_effect": "questions.promotions",
    "promo_effects": "questions.promotions",
    "conversion": "questions.conversion",
    "reach_by_age": "questions.conversion",
    "definition": "questions.definition",
    "overlap": "questions.definition",
    "agreement": "questions.definition",
    "adherence": "questions.definition",
    "reasons": "questions.definition",
    "criteria": "questions.definition",
    "personas": "questions.definition",
    "calibration": "questions.definition",
    "points": "questions.definition",
    "bar_replay": "questions.definition",
    "bar_moves": "questions.definition",
    "promises": "questions.handoff",
    "follow_up": "questions.handoff",
    "speed_to_lead": "questions.handoff",
    "why": "questions.why",
    "bridge": "methods.bridge",
    "claims": "questions.why",
    "actions": "questions.why",
    "proposals": "questions.why",
    "period_change": "questions.why",
    "explain_change": "methods.bridge",
    # answers
    "Result": "results",
    "save": "results",
    # what can go wrong
    "FunnelError": "contract.errors",
    "TableError": "contract.errors",
    "PlanError": "contract.errors",
    "ParameterError": "contract.errors",
    "SourceError": "contract.errors",
    "SnapshotError": "contract.errors",
}
__all__ = list(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
