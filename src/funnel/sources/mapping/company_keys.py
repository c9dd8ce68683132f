"""Time zone and currency of a mapping, in the section `[company]` of the plan it writes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence

from funnel.contract.plan import Company

_MATTERS = {
    "timezone": "Periods begin at its midnight.",
    "currency": "Pages write amounts in it, and none is converted.",
}


def completed(text: str, known: Mapping[str, Sequence[str]]) -> tuple[str, dict[str, str]]:
    """Text of a plan with the keys of `[company]` that it lacks, and these keys.

    Parameters
    ----------
    text
        The plan, a TOML file; empty where there is none.
    known
        By key, the values that the mapping gives. A key with several is left out.
    """
    raw = tomllib.loads(text).get("company", {})
    keys = {key: given[0] for key, given in known.items() if len(given) == 1 and key not in raw}
    if not keys:
        return text, {}
    lines = "".join(f'{key} = "{value}"\n' for key, value in keys.items())
    heading = re.search(r"^\[company\][ \t]*(#.*)?\n", text, re.MULTILINE)
    if heading:
        written = text[: heading.end()] + lines + text[heading.end() :]
    else:
        written = f"{text.rstrip()}\n\n[company]\n{lines}".lstrip()
    try:
        is_as_meant = tomllib.loads(written)["company"] == raw | keys
    except tomllib.TOMLDecodeError:  # `company` is an inline table
        is_as_meant = False
    return (written, keys) if is_as_meant else (text, {})


def disagreements(text: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """Sentences on keys of `[company]` that are not what the mapping says."""
    raw = tomllib.loads(text).get("company", {})
    found = []
    for key, given in known.items():
        of_plan = raw.get(key, getattr(Company(), key))
        if given and [*given] != [of_plan]:
            found.append(
                f"`{key}` of the plan is {of_plan}, and the mapping has "
                f'{" and ".join(given)}. {_MATTERS[key]} In [company], `{key} = "{given[0]}"` '
                "makes both the same."
            )
    return found
