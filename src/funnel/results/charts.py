"""Where a question's `charts.py` registers its charts: functions `(result, ax) -> Axes`.

A class with several charts names all but the first: `@charts.of(Conversion, "groups")`.
"""

from __future__ import annotations

from funnel.results.rooms import Registry

of = Registry("charts", "chart")
