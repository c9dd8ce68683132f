"""Every sentence and table heading of journeys and paths."""

from __future__ import annotations

import pandas as pd

from funnel.checks.limits import MATURE_SHARE
from funnel.checks.text import sentence
from funnel.methods.paths.coded_paths import ARROW, NOT_TRACED, OTHER_PATHS
from funnel.methods.paths.results import Basis, Journeys, Paths, Unconverted
from funnel.results import Say, text
from funnel.stats import wilson

PATHS_SHOWN = 12
STEPS_SHOWN = 8


def short_path(path: str, most: int = STEPS_SHOWN) -> str:
    """Long path by its first steps, its last one, and the number of steps.

    Examples
    --------
    >>> short_path("web > web > email > demo", most=3)
    'web > web > ... > demo (4 steps)'
    """
    steps = path.split(ARROW)
    if len(steps) <= most:
        return path
    return ARROW.join([*steps[: most - 1], "...", steps[-1]]) + f" ({len(steps):,} steps)"


def basis_caveats(basis: Basis, say: Say) -> list[str]:
    """What a reader must know about the tables that journeys were read from."""
    caveats = []
    if basis.source == "none":
        caveats.append("There is no table of touches and no channel of leads, so nothing traces.")
    if basis.source == "leads":
        caveats.append(
            "There is no table of touches. The channel on a lead's own record stands in for the "
            "first known touch, on the day the lead was created. Later touches are not known."
        )
        caveats += [sentence(test, say) for test in basis.filled_by_outcome]
    if basis.lookback_days:
        caveats.append(
            f"A touch counts if it lies at most {basis.lookback_days} days before the milestone."
        )
    if basis.n_without_amount:
        caveats.append(
            f"{say.number(basis.n_without_amount)} of {say.number(basis.n_journeys)} won deals "
            "carry no amount. They count as deals and add nothing to value."
        )
    return caveats


@text.headline(Journeys)
def journeys_headline(journeys: Journeys, say: Say) -> str:
    """Share of won deals and of money that traces."""
    deals = journeys.deals
    n = len(deals)
    if not n:
        return "There are no won deals to trace."
    traced = deals["reason"] == ""
    k = int(traced.sum())
    low, high = wilson(k, n, say.level)
    sentence = (
        f"{say.number(k)} of {say.number(n)} won deals trace to a first known touch: "
        f"{say.share(k / n)} ({say.likely(low, high)})."
    )
    booked = deals["amount"].sum()
    if booked > 0:
        held = deals.loc[traced, "amount"].sum() / booked
        sentence += f" They hold {say.share(held)} of what was booked."
    return sentence


@text.caveats(Journeys)
def journeys_caveats(journeys: Journeys, say: Say) -> list[str]:
    """What the journeys were read from."""
    return basis_caveats(journeys.basis, say)


@text.headline(Paths)
def paths_headline(paths: Paths, say: Say) -> str:
    """The most frequent path, and the number of different ones."""
    table = paths.as_computed.table
    n_different = int(((table["conversions"] > 0) & (table["path"] != NOT_TRACED)).sum())
    if not n_different:
        return f"No path to {paths.noun} is known."
    n = say.number(table["conversions"].sum())
    there_are = f"There are {say.number(n_different)} different paths."
    named = paths.table[~paths.table["path"].isin([NOT_TRACED, OTHER_PATHS])]
    if named["conversions"].max() > 0:
        top = named.iloc[0]
        return (
            f"The most frequent path of {n} {paths.noun} is {short_path(top['path'])}, with "
            f"{say.number(top['conversions'])} of them. {there_are}"
        )
    return f"No path to {n} {paths.noun} is frequent enough to be shown. {there_are}"


@text.caveats(Paths)
def paths_caveats(paths: Paths, say: Say) -> list[str]:
    """What the paths were read from, and which of their journeys may still convert."""
    return [*basis_caveats(paths.basis, say), *_unconverted_caveats(paths.unconverted, say)]


@text.table(Paths)
def paths_table(paths: Paths, say: Say) -> text.Excerpt:
    """The most frequent paths of won deals."""
    converted = paths.table[paths.table["conversions"] > 0]
    rows = converted.head(PATHS_SHOWN)
    not_yet = "no won deal yet" if paths.to == "won" else f"not yet at {paths.to}"
    headings = {paths.noun: "conversions", say.company.currency: "value", not_yet: "nulls"}
    if not converted["value"].any():
        del headings[say.company.currency]
    shown = pd.DataFrame({"path": [short_path(path) for path in rows["path"]]})
    for heading, name in headings.items():
        shown[heading] = [say.number(each) for each in rows[name]]
    return text.Excerpt(shown, len(converted))


def _unconverted_caveats(unconverted: Unconverted, say: Say) -> list[str]:
    caveats = []
    n, immature = say.number(unconverted.n), say.number(unconverted.n_immature)
    if not unconverted.n:
        caveats.append(
            "Every journey converted, so journeys that convert cannot be compared with others."
        )
    elif unconverted.n_immature and unconverted.minimum_age_days:
        days = say.number(unconverted.minimum_age_days)
        caveats.append(
            f"Journeys without a conversion count once they are {days} days old; {immature} more "
            "recent ones are excluded."
        )
    elif unconverted.n_immature and unconverted.typical_days:
        caveats.append(
            f"{immature} of {n} journeys without a conversion may still convert: they are more "
            f"recent than the {say.number(unconverted.typical_days)} days within which "
            f"{say.share(MATURE_SHARE)} of the others did."
        )
    if unconverted.n_open:
        count = say.number(unconverted.n_open)
        verb = (
            "deal is open. Its journey counts"
            if unconverted.n_open == 1
            else ("deals are open. Their journeys count")
        )
        caveats.append(f"{count} {verb} among those that were not won, and may still be won.")
    return caveats
