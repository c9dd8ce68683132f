"""Generated companies with a planted cause, to test whether an analysis finds it."""

from funnel.sample.generated_company import (
    DEFAULT_SEED,
    SampleCompany,
    Truth,
    company,
    write,
    write_sample,
)
from funnel.sample.scenarios import SCENARIOS, Scenario

__all__ = [
    "DEFAULT_SEED",
    "SCENARIOS",
    "SampleCompany",
    "Scenario",
    "Truth",
    "company",
    "write",
    "write_sample",
]
