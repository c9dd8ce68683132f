"""Spark, where touches outgrow one machine: one session a run, and steps written in its dialect."""

from funnel.dataset.spark.run_steps import RunSteps, served, spark_for
from funnel.dataset.spark.session import CHOSEN, ENGINES, MASTER, available, engine_named
from funnel.dataset.spark.steps import STEPS, Spark, written_for
from funnel.dataset.spark.store import SHARED

__all__ = [
    "CHOSEN", "ENGINES", "MASTER", "SHARED", "STEPS", "RunSteps", "Spark", "available",
    "engine_named", "served", "spark_for", "written_for",
]  # fmt: skip
