"""What the three verdicts mean, as a sentence made from the one margin."""

from __future__ import annotations

from funnel.results.say import Say
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED, NARROW


def verdict_legend(say: Say) -> str:
    """Meaning of the verdicts, from the level of the intervals and the margin of the verdicts.

    Examples
    --------
    >>> print(verdict_legend(Say()).partition(". Else")[0])
    Moved: the 90% interval excludes zero. Did not move: it is within 10% of the earlier value
    """
    names = [f"{name[:1].upper()}{name[1:]}" for name in (MOVED, DID_NOT_MOVE)]
    return (
        f"{names[0]}: the {say.share(say.level)} interval excludes zero. {names[1]}: it is within "
        f"{say.share(NARROW)} of the earlier value. Else: {CANNOT_TELL}."
    )
