"""Journeys of a dataset that the figures of attribution share, read once for each scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funnel.dataset.cache import cached
from funnel.methods.paths.path_counts import walked_of as paths_of
from funnel.methods.paths.scope import Asked as Scope
from funnel.methods.paths.scope import asked as scope_of
from funnel.methods.paths.scope import ends_of, utc
from funnel.methods.paths.tracing import reasons

if TYPE_CHECKING:
    import pandas as pd

    from funnel.dataset import Tables

__all__ = ["Scope", "journey_ends", "paths_of", "reasons", "scope_of", "table_of", "utc"]


@cached
def journey_ends(data: Tables, scope: Scope) -> pd.DataFrame:
    """End of each journey in a scope, in the order they happened; shared, so not to be changed.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> data = small_company()
    >>> journey_ends(data, scope_of(data))["journey_id"].tolist()
    ['D-1']
    """
    return ends_of(data, scope)


def table_of(scope: Scope) -> str:
    """Table that the keys of journeys in a scope are of: `deals` or `leads`."""
    return "deals" if scope.is_of_deals else "leads"
