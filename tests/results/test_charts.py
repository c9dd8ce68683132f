"""Every chart draws the figures of its result: each interval, and the mark that it belongs to.

One dataset for all, and one rule: wherever an interval is drawn, its ends and the mark beside it
are one row of the result. A chart that is added is drawn here too, or the first test fails.
"""

import importlib
import pkgutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection

import funnel
from funnel.dataset import Tables
from funnel.methods.bridge import bridge
from funnel.questions.why import why
from funnel.results import charts

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
QUESTIONS = {
    "attribution": funnel.attribution,
    "conversion": funnel.conversion,
    "definition": funnel.definition,
    "handoff": funnel.handoff,
    "programmes": funnel.programmes,
    "promotions": funnel.promotions,
    "readiness": funnel.readiness,
    "revenue": funnel.revenue,
    "winloss": funnel.winloss,
    "seasonality": funnel.seasonality,
    "why": partial(why, draws=5),
    "bridge": partial(bridge, draws=5),
}
LEADS = pd.DataFrame(
    {
        "mql_age": [2, 5, 4, None],
        "won_age": [9, None, None, None],
        "follow_up": [40, 40, 40, 3],
    }
)
WITH_INTERVALS = {
    "AccountCohorts": lambda of: of("revenue").cohorts(),
    "Adherence": lambda of: of("definition").adherence(),
    "Agreement": lambda of: of("definition").agreement(),
    "Association": lambda of: of("handoff").speed_to_lead(),
    "Attainment": lambda of: of("revenue").attainment(),
    "BookingsByTerm": lambda of: of("revenue").bookings(),
    "Bridge": lambda of: of("bridge"),
    "Calibration": lambda of: of("definition").calibration(),
    "Churn": lambda of: of("revenue").churn(),
    "Cohorts": lambda of: of("conversion").cohorts(),
    "Conversion": lambda of: of("conversion"),
    "Conversion groups": lambda of: of("conversion").within("channel"),
    "Credit": lambda of: of("attribution").credit("linear"),
    "Criteria": lambda of: of("definition").criteria(),
    "Definition": lambda of: of("definition"),
    "ExpectedBand": lambda of: of("seasonality").band("bookings"),
    "FirstTouches": lambda of: of("attribution"),
    "FollowUp": lambda of: of("handoff").follow_up(),
    "Groups": lambda of: of("conversion").groups("channel"),
    "Handoff": lambda of: of("handoff"),
    "InQuarter": lambda of: of("seasonality").in_quarter("bookings"),
    "Lift": lambda of: of("attribution").lift(),
    "ModelComparison": lambda of: of("attribution").models(),
    "Movements": lambda of: of("revenue").movements(),
    "NurturePool": lambda of: of("handoff").nurture_pool(),
    "PathChanges": lambda of: of("attribution").path_changes(),
    "PathTimes": lambda of: of("attribution").path_times(),
    "PeriodChange": lambda of: of("why").change(),
    "Placebos": lambda of: of("promotions").placebos(),
    "Points": lambda of: of("definition").points(),
    "Programmes": lambda of: of("programmes"),
    "WinLoss": lambda of: of("winloss"),
    "PromoEffect": lambda of: of("promotions").newest,
    "Promotions": lambda of: of("promotions"),
    "Promotions newest": lambda of: of("promotions"),
    "ReachByAge": lambda of: funnel.reach_by_age(LEADS, 30),
    "Reasons": lambda of: of("definition").reasons(),
    "Retention": lambda of: of("revenue").retention(),
    "Revenue": lambda of: of("revenue"),
    "ShareOfChange": lambda of: of("seasonality").change("bookings"),
    "ThresholdReplay": lambda of: of("definition").threshold_replay(),
    "TimeToConvert": lambda of: of("conversion").time_to_convert(),
    "TracedByMonth": lambda of: of("attribution").months(),
    "Why": lambda of: of("why"),
    "WinRate": lambda of: of("conversion").win_rate(),
}
TABLES = (
    *("leads", "stage_changes", "deals", "touches", "activities", "promos", "spend", "reps"),
    *("subscriptions", "targets"),
)
WITHOUT_INTERVALS = {
    *("Attention", "CommonPaths", "CoverageGrid", "Decomposition", "MonthlyMovements"),
    *("Outlook", "Overlap", "Productivity", "Readiness", "RecordProblems", "SalesCycle"),
    *("ThresholdChanges", "Trace", "Years"),
}
OTHER_TABLES = ("by_channel", "curve", "shares", "weekly")
FIGURES = ("contribution", "change", "effect", "expected")  # of a plain `low` and `high`


def test_every_chart_that_is_registered_is_drawn_here():
    for module in pkgutil.walk_packages(funnel.__path__, "funnel."):
        if module.name.endswith(".charts"):
            importlib.import_module(module.name)
    there = {
        f"{kind.__name__} {name}".strip()
        for kind, name in charts.of._functions
        if kind.__module__.startswith("funnel.")
    }
    assert there == {*WITH_INTERVALS} | WITHOUT_INTERVALS


@pytest.fixture(scope="module")
def of():
    """Answers to the questions by name, each computed once, on an eighth of the sample's leads."""
    whole, answers = funnel.load(SAMPLE), {}
    frames = {name: whole.frame(name) for name in TABLES}
    some = frames["leads"]["lead_id"].iloc[::8]
    for name, frame in frames.items():
        if "lead_id" in frame:
            frames[name] = frame[frame["lead_id"].isin(some)].reset_index(drop=True)
    plan = replace(whole.plan, smallest_group=1)  # so few leads are all drawn
    data = Tables.of(plan=plan, as_of=whole.as_of, **frames)

    def answer(name):
        if name not in answers:
            answers[name] = QUESTIONS[name](data)
        return answers[name]

    return answer


def figures_of(frame):
    """Each figure of a table as (value, low, high), one row per figure and row."""
    for low in (name for name in frame if name == "low" or name.endswith("_low")):
        stem = low.removesuffix("low").removesuffix("_")
        high = f"{stem}_high" if stem else "high"
        for value in (stem, f"{stem}_effect") if stem else FIGURES:
            if value in frame:
                yield frame[[value, low, high]].to_numpy(float)
    if "p25_days" in frame:
        yield frame[["median_days", "p25_days", "p75_days"]].to_numpy(float)


def as_drawn(result):
    """Figures of every table of a result, in each unit in which a chart may draw them."""
    frames = [result.table, *(getattr(result, name, None) for name in OTHER_TABLES)]
    for frame in (each for each in frames if isinstance(each, pd.DataFrame)):
        for values in figures_of(frame):
            yield from (values, 100 * values, 100 * np.clip(values, -1, 3))
            yield 100 * np.expm1(np.clip(values, -5, 5))  # of log units
            if "baseline" in frame:
                yield values / frame[["baseline"]].to_numpy(float)


def marks_of(ax):
    """Places across and along both axes of what is drawn beside intervals, and where it begins."""
    marks = []
    for line in ax.lines:
        x, y = (np.asarray(each, float) for each in line.get_data(orig=False))
        marks += [(x[i], y[i], 0.0, 0.0) for i in range(len(x))]
    for each in ax.collections:
        if isinstance(each, PathCollection):
            marks += [(x, y, 0.0, 0.0) for x, y in np.asarray(each.get_offsets())]
    for bars in ax.containers:
        for bar in bars:
            x, y = bar.get_x(), bar.get_y()
            if bars.orientation == "horizontal":
                marks.append((x + bar.get_width(), y + bar.get_height() / 2, x, 0.0))
            else:
                marks.append((x + bar.get_width() / 2, y + bar.get_height(), 0.0, y))
    return np.array(marks, float)


def intervals_of(ax):
    """Intervals drawn as lines or bands: the axis they lie along, their place, low and high."""
    found = []
    for each in ax.collections:
        if isinstance(each, LineCollection) and each.get_label().startswith("_"):
            for (x, y), (to_x, to_y) in each.get_segments():
                found.append((0, y, x, to_x) if y == to_y else (1, x, y, to_y))
        elif isinstance(each, PolyCollection):
            corners = np.concatenate([path.vertices for path in each.get_paths()])
            for x in np.unique(corners[:, 0]):
                here = corners[corners[:, 0] == x, 1]
                found.append((1, x, here.min(), here.max()))
    return [each for each in found if np.isfinite(each).all()]


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_each_interval_and_its_mark_are_one_row_of_the_result(name, of):
    result = WITH_INTERVALS[name](of)
    chart = name.partition(" ")[2]
    ax = result.plot(chart=chart)
    shown = result.newest if chart == "newest" else result
    known, marks = np.concatenate([*as_drawn(shown)]), marks_of(ax)
    drawn = intervals_of(ax)
    assert any(low < high for *_, low, high in drawn)
    for axis, place, low, high in drawn:
        here = marks[np.isclose(marks[:, 1 - axis], place)]
        begin = here[:, 2 + axis]
        rows = np.stack([here[:, axis] - begin, low - begin, high - begin], axis=1)
        is_known = np.isclose(rows[:, None], known[None], rtol=1e-6, atol=1e-9).all(axis=2)
        assert is_known.any(), (place, low, high, here[:, axis])
    plt.close("all")
