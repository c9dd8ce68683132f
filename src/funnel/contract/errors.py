"""Errors that a user can act on.

Every message says what is wrong, how many and which; why it matters; and whom to ask. The command
line prints a `FunnelError` as one paragraph and ends with status 1, so a message must be clear
without a traceback, and names no address or phone number, whatever was put into it.
"""

from funnel.contract.outgoing_text import clean_message


class FunnelError(Exception):
    """The analysis stopped for a reason that its reader can change."""

    def __init__(self, message: object = "") -> None:
        super().__init__(clean_message(str(message)))

    def _render_traceback_(self) -> list[str]:
        """Lines that a notebook shows in place of a traceback (IPython calls this method)."""
        return [str(self)]


class TableError(FunnelError):
    """A company's folder, or a table in it, breaks the contract."""


class PlanError(FunnelError):
    """The plan, `funnel.toml` or a parameter that overrides it, cannot be followed."""


class ParameterError(FunnelError, ValueError):
    """An argument of a function names something that does not exist, or makes no sense."""


class SourceError(FunnelError):
    """An export of another system cannot be turned into the contract's tables."""


class TemporaryError(FunnelError):
    """The folder for temporary data is full or cannot be written to, or memory is used up."""


class SnapshotError(FunnelError):
    """A snapshot could not be made, published or read."""
