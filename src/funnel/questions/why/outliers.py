"""The deal whose size differs most from those like it."""

from __future__ import annotations

import numpy as np
import pandas as pd

_FEWEST_DEALS = 20
_FEWEST_ALIKE = 10


def outlying_deal(deals: pd.DataFrame) -> tuple[int, float] | None:
    """The deal whose size differs most from that of the others, and its p value.

    Sizes are compared as logarithms, for equal segment and firm size where known.

    Parameters
    ----------
    deals
        Won deals: `value`, `segment`, `employees`.

    Returns
    -------
    tuple or None
        Its position, and the p value of the largest of as many deals (Bonferroni); nothing with
        fewer than twenty deals.

    References
    ----------
    Grubbs (1969), Technometrics 11, 1-21, with residuals of a regression: Weisberg (2014), Applied
    Linear Regression, section 9.4.

    Examples
    --------
    >>> values = [*np.linspace(90, 110, 40), 5000.0]
    >>> outlying_deal(pd.DataFrame({"value": values, "segment": "a", "employees": 10.0}))[0]
    40
    """
    from scipy.stats import t

    values = deals["value"].to_numpy(float)
    usable = np.flatnonzero(np.isfinite(values) & (values > 0))
    if len(usable) < _FEWEST_DEALS:
        return None
    rows, logs = deals.iloc[usable], np.log(values[usable])
    columns = [np.ones(len(rows))]
    sizes = rows["segment"].value_counts()
    columns += [(rows["segment"] == name).to_numpy(float) for name in sizes.index[sizes >= 10][1:]]
    people = rows["employees"].to_numpy(float)
    known = np.isfinite(people) & (people > 0)
    if known.sum() >= _FEWEST_DEALS:
        of_people = np.log(np.where(known, people, 1.0))
        columns.append(np.where(known, of_people - of_people[known].mean(), 0.0))
        columns.append((~known).astype(float))
    design = np.column_stack(columns)
    hat = design @ np.linalg.pinv(design)
    residual, leverage = logs - hat @ logs, np.clip(np.diag(hat), 0, 0.9)
    squares = residual**2 / (1 - leverage)
    if not squares.sum() > 1e-9:
        return None
    p_values = np.ones(len(rows))
    # Sizes of deals whose firm is not known scatter more, so each kind has its own spread.
    alike = [known, ~known] if min(known.sum(), (~known).sum()) >= _FEWEST_ALIKE else [known | True]
    for group in alike:
        freedom = group.sum() - 2
        without = np.maximum((squares[group].sum() - squares[group]) / freedom, 1e-12)
        t_values = np.sign(residual[group]) * np.sqrt(squares[group] / without)
        p_values[group] = t.sf(t_values, freedom)
    at = int(np.argmin(p_values))
    return int(usable[at]), min(float(p_values[at]) * len(rows), 1.0)
