"""Draw the figure of each page of the docs from the sample, and write its finding as alt text."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from golden import KEY
from PIL import Image

import funnel
from funnel import Result, Tables

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COLOURS = 48  # of a palette: enough for smooth type, a third of the bytes

FIGURES: dict[str, Callable[[Tables], Result]] = {
    "dataset": lambda data: funnel.readiness(data).coverage(),
    "readiness": lambda data: funnel.readiness(data),
    "change": lambda data: funnel.why(data),
    "brief": lambda data: funnel.why(data).change(),
    "guards": lambda data: funnel.definition(data).threshold_changes(),
    "tracing": lambda data: funnel.attribution(data).trace("D001287"),
    "attribution": lambda data: funnel.attribution(data).lift(),
    "seasonality": lambda data: funnel.seasonality(data).change("leads"),
    "promotions": lambda data: funnel.promotions(data),
    "conversion": lambda data: funnel.conversion(data),
    "definition": lambda data: funnel.definition(data).overlap(),
    "handoff": lambda data: funnel.handoff(data),
    "programmes": lambda data: funnel.programmes(data).recent(),
    "winloss": lambda data: funnel.winloss(data),
    "revenue": lambda data: funnel.revenue(data).movements(),
    "sample": lambda data: funnel.seasonality(data).band("leads"),
}


def main() -> None:
    """Draw every figure; change a page only in its figure's alt text."""
    os.environ["FUNNEL_HASH_KEY"] = KEY
    mpl.use("Agg")
    data = funnel.load(ROOT / "data" / "sample")
    (DOCS / "img").mkdir(exist_ok=True)
    for page, result in FIGURES.items():
        figure = result(data).plot().figure
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=150, bbox_inches="tight", facecolor="white")
        image = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        image.save(DOCS / "img" / f"{page}.png", optimize=True)
        mpl.pyplot.close(figure)
        text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
        alt = f"![{figure.get_label()}](img/{page}.png)".replace("\\", r"\\")
        text = re.sub(rf"!\[.*\]\(img/{page}\.png\)", alt, text)
        (DOCS / f"{page}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
