"""Setup of a snapshot's kernel at its start, forked or not.

Figures come at double density, and carry as alternative text the label that `plots` gave the
figure (`figure.set_label`), since it knows what was plotted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ALT = "alt"
ARGUMENTS = ("--InlineBackend.figure_formats=retina", "--HistoryManager.enabled=False")
PREPARE = (
    "import funnel.report.kernel_setup as _kernel; _kernel.prepare(get_ipython()); del _kernel"
)


def prepare(shell: InteractiveShell) -> None:
    """Make figures of a kernel carry their alternative text."""
    import matplotlib
    import matplotlib_inline.backend_inline as inline
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    from funnel.results.style import is_own

    matplotlib.use("module://matplotlib_inline.backend_inline")
    inline.InlineBackend.instance(parent=shell).print_figure_kwargs = {
        "bbox_inches": None,  # charts fit their figure; to measure them draws each one again
        "pil_kwargs": {"compress_level": 1},  # pages compress every image again
    }
    inline.configure_inline_support(shell, "inline")
    plt.uninstall_repl_displayhook()  # draws each figure once more, which nobody sees
    png = shell.display_formatter.formatters["image/png"]
    drawn = png.for_type(Figure)

    def with_alt(figure: Figure) -> Any:
        bbox = "standard" if is_own(figure) else "tight"
        with matplotlib.rc_context({"savefig.bbox": bbox}):
            made = drawn(figure)
        label = figure.get_label()
        if not made or not label:
            return made
        data, about = made if isinstance(made, tuple) else (made, {})
        return data, {**about, ALT: str(label)}

    png.for_type(Figure, with_alt)
