"""The plan: what both teams agree on before anybody looks.

`funnel.toml` becomes a frozen `Plan`. Every key has a default, so an empty or missing file is a
valid plan; an unknown key is an error, since a typo would otherwise change nothing in silence.
The plan's hash is printed on every page, so that a plan changed after looking is seen.
"""

from funnel.contract.plan.parsing import FILE_NAME, PLAN_KEYS, overrides
from funnel.contract.plan.plan import Plan
from funnel.contract.plan.sections import CheckItem, Company, Definition
from funnel.contract.plan.validation import SEVEN_REASONS

__all__ = [
    "FILE_NAME",
    "PLAN_KEYS",
    "SEVEN_REASONS",
    "CheckItem",
    "Company",
    "Definition",
    "Plan",
    "overrides",
]
