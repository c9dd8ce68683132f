"""A result's rooms: the `text` and `charts` modules of the package that its class lives in.

Computing modules never import these. A result finds its sentences and its charts by its class, so
that arithmetic runs without a formatter or matplotlib, and no module imports another in a circle.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Registry:
    """Functions by the class of result they are for, found in one room of its package.

    Parameters
    ----------
    room
        Name of the module beside the class's own: `text` or `charts`.
    what
        What the functions make, for the error where none is there.

    Examples
    --------
    >>> headlines = Registry("text", "headline")
    >>> @headlines(int)
    ... def of_number(number):
    ...     return f"{number} leads."
    >>> headlines.function(int)(12)
    '12 leads.'
    """

    def __init__(self, room: str, what: str) -> None:
        self._room = room
        self._what = what
        self._functions: dict[tuple[type, str], Callable[..., Any]] = {}

    def __call__(self, kind: type, name: str = "") -> Callable[[Function], Function]:
        """Register a function for a class; `name` tells several of one class apart."""

        def register(function: Function) -> Function:
            self._functions[kind, name] = function
            return function

        return register

    def find(self, kind: type, name: str = "") -> Callable[..., Any] | None:
        """Function for a class or the nearest class it derives from; `None` where there is none."""
        for each in kind.__mro__:
            if (each, name) not in self._functions:
                _open(each, self._room)
            if (each, name) in self._functions:
                return self._functions[each, name]
        return None

    def function(self, kind: type, name: str = "") -> Callable[..., Any]:
        """As `find`, for a function that must be there.

        Raises
        ------
        NotImplementedError
            If the class has none.
        """
        found = self.find(kind, name)
        if found is None:
            label = f" {name!r}" if name else ""
            others = [repr(other) for of, other in self._functions if of in kind.__mro__ and other]
            hint = f"; it has {', '.join(others)}" if others else ""
            raise NotImplementedError(f"{kind.__name__} has no {self._what}{label}{hint}.")
        return found


def _open(kind: type, room: str) -> None:
    """Import the room of a class's package, where there is one."""
    package = kind.__module__.rpartition(".")[0]
    if package.startswith("funnel.") and importlib.util.find_spec(f"{package}.{room}"):
        importlib.import_module(f"{package}.{room}")
