"""From a company's folder to `Tables`: checked, in UTC, cut at the last day the data covers."""

from typing import Any

__all__ = ["Tables", "load"]


def __getattr__(name: str) -> Any:
    """Import the dataset when it is first used: `dataset.temporary` needs no pandas."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from funnel.dataset import tables

    return getattr(tables, name)
