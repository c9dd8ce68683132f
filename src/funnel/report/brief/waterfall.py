"""The bridge as the page shows it: a waterfall of lines, each with its bar, figure and verdict.

It is text with bars beside it, not a picture, so that it is read as well on a phone as in print,
and aloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.methods.bridge import text as bridge_text
from funnel.questions.why.verdicts import explained_by, is_in_play, is_named
from funnel.report import pages
from funnel.results import Say

if TYPE_CHECKING:
    from funnel.dataset import Tables

KINDS = {"moved": "moved", "did not move": "ok", "cannot tell": ""}
_MARGIN = 0.03


def waterfall(table: pd.DataFrame, data: Tables, baseline: float, value: float) -> str:
    """Set the bridge as lines from the baseline's value to the period's.

    Parameters
    ----------
    table
        Rows of the bridge.
    data
        A company's tables.
    baseline, value
        Of the plan's measure in the two periods.

    Returns
    -------
    str
        HTML of a list; each line names its driver, its part with the interval, and its verdict.
    """
    say, comparison = Say(data.plan.company, data.plan.level), data.comparison
    then, now = (
        say.span(each.start, each.end) for each in (comparison.baseline, comparison.period)
    )
    unit = bridge_text.unit_of(data.plan.measure)

    def amount(value: float, *, sign: bool = False) -> str:
        return bridge_text.amount(value, unit, say, sign=sign)

    totals = table[table["segment"].isna()].reset_index(drop=True)
    steps = totals["contribution"].to_numpy(float)
    begin = baseline + np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    low, high = (begin + totals[end].fillna(0.0).to_numpy(float) for end in ("low", "high"))
    reach = np.concatenate([[baseline, value], begin, begin + steps, low, high])
    width = max(float(np.ptp(reach)), 1e-9)
    left = float(reach.min()) - _MARGIN * width
    scale = 100 / ((1 + 2 * _MARGIN) * width)

    def at(start: float, end: float) -> str:
        first, last = sorted(((start - left) * scale, (end - left) * scale))
        return f'style="left:{first:.2f}%;width:{max(last - first, 0.3):.2f}%"'

    lines = [_end(then, amount(baseline), at(left, baseline))]
    for place, row in enumerate(totals.to_dict("records")):
        bar = f'<i class="bar" {at(begin[place], begin[place] + steps[place])}></i>'
        reached = f'<i class="reach" {at(low[place], high[place])}></i>' if is_in_play(row) else ""
        kind = KINDS[row["verdict"]] if not explained_by(row) else ""
        ends = (amount(row[end], sign=True) for end in ("low", "high"))
        interval = f"<small>{pages.escape(say.interval(*ends))}</small>" if reached else ""
        state = pages.state(row["verdict"], kind)
        if guard := explained_by(row):
            state += f" <small>{pages.escape(guard)} explains it</small>"
        lines.append(
            f'<li class="{kind or "unsure"}{" named" if is_named(row) else ""}">'
            f'<span class="what">{pages.escape(row["driver"])}</span>'
            f'<span class="track" aria-hidden="true">{bar}{reached}</span>'
            f'<span class="value">{pages.escape(amount(row["contribution"], sign=True))}'
            f" {interval}</span><span>{state}</span></li>"
        )
    lines.append(_end(now, amount(value), at(left, value)))
    return f'<ol class="fall">{"".join(lines)}</ol>'


def _end(when: str, shown: str, place: str) -> str:
    return (
        f'<li class="end"><span class="what">{pages.escape(when)}</span>'
        f'<span class="track" aria-hidden="true"><i class="bar" {place}></i></span>'
        f'<span class="value">{pages.escape(shown)}</span><span></span></li>'
    )
