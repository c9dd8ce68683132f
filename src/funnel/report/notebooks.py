"""The notebooks that come with the package: where they are, in which order they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from funnel.contract.errors import ParameterError
from funnel.questions import PAGES


def notebooks_folder() -> Path:
    """Find the notebooks: beside `src` in a checkout, inside the package where installed."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "notebooks"
    return checkout if checkout.is_dir() else package / "notebooks"


def notebooks_named(names: Sequence[str] | None = None, folder: Path | None = None) -> list[Path]:
    """Find notebooks by name; without names all of them, in the order they are best read.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    folder = folder or notebooks_folder()
    found = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    order = {name: place for place, name in enumerate(PAGES)}
    known = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    if not known:
        raise ParameterError(f"There are no notebooks in {folder}.")
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise ParameterError(
            f"There is no notebook {', '.join(map(repr, unknown))}; there are {', '.join(known)}."
        )
    return [found[name] for name in known if names is None or name in names]


def read_notebook(path: Path) -> Any:
    """Read a notebook, before anything is started.

    Raises
    ------
    ParameterError
        If it is none.
    """
    from funnel.report.notebook_run import without_slow_import

    with without_slow_import():
        import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise ParameterError(
            f"The notebook {path.name} cannot be read: {type(error).__name__}. Nothing was run; "
            "restore the file as it came, or leave it out with --notebooks."
        ) from None
