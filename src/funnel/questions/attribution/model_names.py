"""The models of credit by name."""

from __future__ import annotations

from funnel.contract.errors import ParameterError
from funnel.questions.attribution.joint_models import Joint, Markov, RateShapley
from funnel.questions.attribution.models import PRESETS, RULES, Model, linear_distinct

# `shapley` is the value of the game of wins, which is exactly this rule
_BY_RULE: dict[str, Model] = {**RULES, "shapley": linear_distinct, **PRESETS}
BY_TIME = (RULES["time_decay"],)
MODELS = (*RULES, "markov", "shapley", "shapley_rate", *PRESETS)
SIDE_BY_SIDE = ("first_touch", "linear", "position_based", "last_touch")
# from the models that look at the beginning of a journey to those that look at its end
OF_JOURNEYS = (
    "first_touch", "w_shaped", "full_path", "position_based", "linear", "shapley", "markov",
    "time_decay", "last_non_direct", "last_touch",
)  # fmt: skip
OF_PATHS = tuple(
    name for name in OF_JOURNEYS if name not in ("time_decay", "w_shaped", "full_path")
)


def model_of(model: str | Model | Joint, order: int) -> tuple[str, Model | Joint]:
    """Give a model its name, and a name its model.

    Raises
    ------
    ParameterError
        If there is no model of that name.

    Examples
    --------
    >>> model_of("markov", 2)
    ('markov_2', Markov(order=2))
    """
    if isinstance(model, Joint):
        return "own model", model
    if callable(model):
        return getattr(model, "__name__", "own model"), model
    if model == "markov":
        return ("markov" if order == 1 else f"markov_{order}"), Markov(order)
    if model == "shapley_rate":
        return model, RateShapley()
    if not isinstance(model, str) or model not in _BY_RULE:
        raise ParameterError(f"There is no model {model!r}; there are {', '.join(MODELS)}.")
    return model, _BY_RULE[model]
