"""Journeys of a dataset that the figures of attribution share, read once for each scope."""

from __future__ import annotations

from funnel.methods.paths import Scope, journey_ends, reasons, scope_of, utc
from funnel.methods.paths import paths_by_journey as paths_of

__all__ = ["Scope", "journey_ends", "paths_of", "reasons", "scope_of", "table_of", "utc"]


def table_of(scope: Scope) -> str:
    """Table that the keys of journeys in a scope are of: `deals` or `leads`."""
    return "deals" if scope.is_of_deals else "leads"
