"""Words for stages and for the steps between them: the company's labels, else plain ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

_STEP = re.compile(r"(.+) to (.+)")
_STAGES = {
    "lead": "leads",
    "mql": "leads qualified by marketing",
    "sal": "leads accepted by sales",
    "sql": "leads qualified by sales",
    "opportunity": "opportunities",
    "won": "won deals",
}
_INTO = {
    "mql": "qualified by marketing",
    "sal": "accepted by sales",
    "sql": "qualified by sales",
    "won": "won",
}
_PEOPLE = ("lead", "mql", "sal", "sql")  # stages at which a lead is still called one


def stage_words(stage: str, labels: Mapping[str, str]) -> str:
    """Those at a stage, in the plural.

    Examples
    --------
    >>> stage_words("sal", {}), stage_words("sal", {"sal": "accepted leads"})
    ('leads accepted by sales', 'accepted leads')
    """
    return labels.get(stage) or _STAGES.get(stage, f"those at {stage}")


def step_words(driver: str, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Who goes through a step from stage to stage, and what happens to them there.

    The second part is empty where the company has a label for the step itself. `None` for what is
    no step.

    Examples
    --------
    >>> step_words("opportunity to won", {}), step_words("sql to opportunity", {})
    (('opportunities', 'won'), ('leads', 'turned into opportunities'))
    >>> step_words("mql to sal", {"mql to sal": "Accepted by sales"})
    ('Accepted by sales', '')
    >>> step_words("demo to trial", {})
    ('those at demo', 'moved on to trial')
    """
    if driver in labels:
        return labels[driver], ""
    match = _STEP.fullmatch(driver)
    if match is None:
        return None
    start, end = match[1], match[2]
    is_lead = start == "lead" or (start in _PEOPLE and end != "won")
    who = labels.get(start) or ("leads" if is_lead else stage_words(start, labels))
    return who, entry_words(end, labels)


def entry_words(stage: str, labels: Mapping[str, str]) -> str:
    """What happened to those that entered a stage, after "were" or "are".

    Examples
    --------
    >>> entry_words("sal", {}), entry_words("sal", {"sal": "accepted leads"})
    ('accepted by sales', 'turned into accepted leads')
    """
    if stage in labels or stage == "opportunity":
        return f"turned into {stage_words(stage, labels)}"
    return _INTO.get(stage, f"moved on to {stage}")
