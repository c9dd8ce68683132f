"""How journeys flow from step to step."""

from __future__ import annotations

import pandas as pd

from funnel.methods.paths.results import ARROW, NOT_TRACED

STEPS_FOLLOWED = 4
CHANNELS_FOLLOWED = 6
OTHER_CHANNELS = "other channels"
MORE = "more steps"


def flow_of(
    paths: pd.Series,
    n: pd.Series | None = None,
    *,
    end: str = "won",
    steps: int = STEPS_FOLLOWED,
    channels: int = CHANNELS_FOLLOWED,
) -> pd.DataFrame:
    """Count how many go from each step to the next.

    Parameters
    ----------
    paths
        "A > B", one per journey or per path.
    n
        How many went each path; one if left out.
    end
        What comes after a path's last step.
    steps
        Steps that are followed; what comes after them is `more steps`.
    channels
        Channels that are named, those of most first steps; the rest are `other channels`.

    Returns
    -------
    DataFrame
        `position` (1: from the first step to the second), `from_channel`, `to_channel`, `n`.

    Examples
    --------
    >>> flow_of(pd.Series(["web > demo", "web"])).values.tolist()
    [[1, 'web', 'demo', 1], [1, 'web', 'won', 1], [2, 'demo', 'won', 1]]
    """
    walked = pd.DataFrame({"path": paths, "n": 1 if n is None else n})
    walked = walked[walked["path"] != NOT_TRACED].groupby("path", as_index=False)["n"].sum()
    # a path of a hundred thousand steps is cut before it is split
    parts = walked["path"].astype("str").str.split(ARROW, n=steps, regex=False)
    walked = walked.assign(parts=parts)
    counted: dict[tuple[int, str, str], int] = {}
    named = _named(walked, steps, channels)
    for each, count in zip(walked["parts"], walked["n"], strict=True):
        kept = [step if step in named else OTHER_CHANNELS for step in each[:steps]]
        kept.append(MORE if len(each) > steps else end)
        for position in range(len(kept) - 1):
            key = (position + 1, kept[position], kept[position + 1])
            counted[key] = counted.get(key, 0) + int(count)
    rows = [(*key, count) for key, count in counted.items()]
    flow = pd.DataFrame(rows, columns=["position", "from_channel", "to_channel", "n"])
    flow = flow.astype(
        {"position": "int64", "from_channel": "str", "to_channel": "str", "n": "int64"}
    )
    order = ["position", "n", "from_channel", "to_channel"]
    return flow.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def _named(walked: pd.DataFrame, steps: int, channels: int) -> set[str]:
    """Name the channels that stand on most of the steps followed."""
    each = walked.assign(step=walked["parts"].str[:steps]).explode("step")
    by_step = each.groupby("step")["n"].sum().reset_index()
    by_step = by_step.sort_values(["n", "step"], ascending=[False, True])
    return set(by_step["step"].head(channels))
