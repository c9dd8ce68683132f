"""What can go wrong, in words a user can act on.

Every message says what is wrong, how many and which; why it matters; and whom to ask. The command
line prints a `FunnelError` as one paragraph and ends with status 1, so no message may rely on a
traceback to be understood.
"""


class FunnelError(Exception):
    """The analysis stopped for a reason its reader can do something about."""

    def _render_traceback_(self) -> list[str]:
        """Show itself in a notebook as the paragraph it is (IPython asks for this method)."""
        return [str(self)]


class TableError(FunnelError):
    """A company's folder, or a table in it, does not hold what the contract asks for."""


class PlanError(FunnelError):
    """The plan, `funnel.toml` or a parameter that overrides it, cannot be followed."""


class ParameterError(FunnelError, ValueError):
    """A function was asked for something that does not exist or makes no sense."""


class SourceError(FunnelError):
    """An export of another system cannot be turned into the contract's tables."""


class SnapshotError(FunnelError):
    """A snapshot could not be made, published or read."""
