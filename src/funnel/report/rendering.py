"""An executed notebook becomes a page, and a file that is the same whenever it is made.

Only what is on a list is shown: charts (PNG), plain text, and HTML and Markdown after a
sanitiser. All else an output may hold (scripts, SVG, widgets, styles) is left out.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from funnel.report import pages
from funnel.report.error_text import cut, discreet, error_paragraph, plain
from funnel.report.kernel_setup import ALT

_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "div", "span", "blockquote", "pre"),
    *("a", "abbr", "b", "code", "del", "em", "i", "s", "small", "strong", "sub", "sup", "u"),
    *("ul", "ol", "li", "dl", "dt", "dd", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
_DROPPED_WHOLE = {
    *("script", "style", "svg", "math", "iframe", "object", "embed", "template", "noscript"),
    *("form", "select", "textarea", "button", "video", "audio", "canvas", "title", "head", "link"),
}
_CLASSES = {
    name: {
        "answer",
        "box",
        "cards",
        "caveat",
        "figures",
        "kicker",
        "moved",
        "note",
        "number",
        "ok",
        "sides",
    }
    | {"long", "state", "text", "warn", "wide"}
    for name in ("div", "p", "span", "ul", "dl", "dd", "td", "th", "details")
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "details": {"open"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
}
_NOT_WORTH_SHOWING = re.compile(r"<(Axes|Figure|matplotlib|AxesSubplot|Subplot)[^\n]*>|None")
_TABLE = re.compile(r"<table>(.*?)</table>", re.DOTALL)
_ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[hd])((?: [a-z]+=\"[^\"]*\")*)>(.*?)</\1>", re.DOTALL)
_NUMBER = re.compile(r"[+\-\u2212]?[^\w\s<&]{0,2}\d[\d.,\u202f\u00a0']*(e[+-]?\d+)?\s?[%\u20ac$]?")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")  # a browser may end a line at its dashes
_QUOTED = re.compile(r"`([^`<>\n]{1,60})`")  # how our sentences name a column or a table
_CAVEAT = re.compile(r'<p class="caveat">.*?</p>\n?', re.DOTALL)
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$", re.MULTILINE)
_COLOURS = 128
_LONG_CELL = 36


@dataclass(frozen=True)
class Provenance:
    """What the page of a notebook says of where it comes from; all of it HTML."""

    kicker: str
    footer: str


def title_of(notebook: Any, name: str) -> str:
    """Give a notebook's title: its first heading, else its name."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := _HEADING.search(cell.source)):
            return _unmarked(found[2])
    return name


def steady(notebook: Any, folder: str) -> Any:
    """Take out of an executed notebook what differs from run to run or tells of the machine.

    Charts are reduced to a palette, which at double density is still smaller than full colour at
    single density. `folder` is written in place of the data folder's path.
    """
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{number}"
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.source = re.sub(
                r"(?m)^data_dir = .*$", lambda _: f"data_dir = {json.dumps(folder)}", cell.source
            )
        cell.outputs = [
            out for out in map(_steady_output, _joined(cell.outputs)) if out is not None
        ]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def notebook_page(
    notebook: Any, name: str, run: Any, provenance: Provenance, *, ran: set[int], lang: str = "en"
) -> str:
    """Make the page of an executed notebook that went through `steady`.

    Parameters
    ----------
    notebook
        With its outputs, as far as it came.
    name
        The file's name, without its ending.
    run
        What happened: reads `state`, `says`, `title`.
    provenance
        What stands above the title and at the page's end.
    ran
        Positions of the code cells that were started.
    """
    parts = [f'<p class="kicker">{provenance.kicker}</p>']
    stopped = [] if run.state == "ok" else [stopped_box(run)]
    section = run.title
    code: list[str] = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts += _folded_code(code)
            parts += [markdown(cell.source), *stopped]
            stopped = []
            headings = _HEADING.findall(cell.source)
            section = _unmarked(headings[-1][1]) if headings else section
        elif cell.cell_type == "code" and number in ran:
            code.append(_shown_source(cell))
            shown = [_output(out, section) for out in cell.outputs]
            if any(shown):
                parts += [*filter(None, shown), *_folded_code(code)]
        elif cell.cell_type == "code":
            parts += _folded_code(code)
            parts.append('<p class="note">This step was not run.</p>')
            code.append(_shown_source(cell))
    parts += [*_folded_code(code), *stopped]
    nav = pages.links({"\u2190 First page": "index.html", "This notebook": f"{name}.ipynb"})
    body = _without_repeats("\n".join(parts))
    return pages.page(run.title, body, footer=provenance.footer, nav=nav, lang=lang)


def _without_repeats(body: str) -> str:
    """Leave out a caveat that stands further up on the page."""
    seen: set[str] = set()

    def once(found: re.Match[str]) -> str:
        repeats = found[0] in seen
        seen.add(found[0])
        return "" if repeats else found[0]

    return _CAVEAT.sub(once, body)


def stopped_box(run: Any) -> str:
    """Say at the top of a page that its notebook stopped, and why."""
    return (
        f'<div class="box warn"><p>{pages.state(run.state, "warn")} '
        "This notebook did not come to its end. What stands here was computed before it "
        f'stopped.</p><p class="text">{pages.escape(run.says)}</p></div>'
    )


def markdown(text: str) -> str:
    """Turn Markdown into harmless HTML; HTML inside it stays text."""
    import mistune

    made = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
    return harmless(str(made(plain(text))))


def harmless(html: str) -> str:
    """Leave only allowed tags of a piece of HTML, and give its tables a box to scroll in.

    Examples
    --------
    >>> harmless('<p onclick="x()">a<script>x()</script><a href="javascript:x()">b</a></p>')
    '<p>a<a rel="noopener noreferrer">b</a></p>'
    """
    import nh3

    clean = nh3.clean(
        plain(html),
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        generic_attribute_prefixes=set(),
    )
    return _TABLE.sub(lambda found: _boxed(found[1]), clean)


def palette(png: bytes) -> bytes:
    """Image reduced to a palette; one that cannot be read stays as it is."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as image:
            flat = Image.new("RGB", image.size, "white")
            rgba = image.convert("RGBA")
            flat.paste(rgba, mask=rgba.getchannel("A"))
    except (UnidentifiedImageError, OSError, ValueError):
        return png
    small = io.BytesIO()
    # a chart has few colours: the octree finds them in a sixth of the time of Pillow's default
    few = flat.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(small, "PNG")
    return min(png, small.getvalue(), key=len)


def _joined(outputs: list[Any]) -> list[Any]:
    """Make one of the pieces in which printed text happens to arrive."""
    joined: list[Any] = []
    for name, pieces in itertools.groupby(outputs, lambda out: out.get("name")):
        first, *others = pieces
        if name is None:  # no printed text
            joined += [first, *others]
        else:
            first.text = "".join([first.text, *(out.text for out in others)])
            joined.append(first)
    return joined


def _steady_output(out: Any) -> Any:
    if out.output_type == "stream":
        out.text = discreet(out.text)
        return None if out.name == "stderr" else out
    if out.output_type == "error":
        out.evalue = error_paragraph(out.ename, out.evalue)
        out.traceback = [out.evalue]
        return out
    if out.output_type == "execute_result":
        out.execution_count = None
    data = out.get("data", {})
    if "text/plain" in data:
        data["text/plain"] = plain(cut(data["text/plain"]))
    if "image/png" in data:
        small = palette(base64.b64decode(data["image/png"]))
        data["image/png"] = base64.b64encode(small).decode("ascii")
    return out


def _output(out: Any, section: str) -> str:
    if out.output_type == "stream":
        return _text(out.text)
    if out.output_type == "error":
        return ""  # said once, at the top of the page
    data, about = out.get("data", {}), out.get("metadata", {})
    if "image/png" in data:
        facts = about.get("image/png", {})
        width = facts.get("width")
        return pages.image(
            base64.b64decode(data["image/png"]),
            plain(str(facts.get(ALT) or f"Figure: {section}")),
            width=width if isinstance(width, int) else None,
        )
    if "text/html" in data:
        return _QUOTED.sub(r"<code>\1</code>", harmless(data["text/html"]))
    if "text/markdown" in data:
        return markdown(data["text/markdown"])
    return _text(data.get("text/plain", ""))


def _text(text: str) -> str:
    text = plain(text).strip("\n")
    if not text.strip() or _NOT_WORTH_SHOWING.fullmatch(text.strip()):
        return ""
    return f'<pre class="text">{pages.escape(text)}</pre>'


def _folded_code(code: list[str]) -> list[str]:
    source = "\n\n".join(filter(None, code))
    code.clear()
    if not source:
        return []
    return [pages.folded("Code", f"<pre><code>{pages.escape(source)}</code></pre>")]


def _shown_source(cell: Any) -> str:
    """Give a cell's code, without the one parameter that says where the data lay."""
    source = plain(cell.source).strip()
    if "injected-parameters" in cell.metadata.get("tags", ()):
        source = re.sub(r"(?m)^data_dir = .*\n?", "", source)
    return source


def _boxed(inside: str) -> str:
    """Set numbers of a table to the right, each with its heading, and give long text room."""
    rows = [[cell[2] for cell in _CELL.findall(row)] for row in _ROW.findall(inside)]
    width = max(map(len, rows), default=0)
    body = [row for row in rows[1:] if len(row) == width]
    columns = [unescape(heading) for heading in rows[0]] if rows else []
    under = pages.headings_of_cells(columns)
    right = [
        bool(body)
        and any(row[i].strip() for row in body)
        and all(_NUMBER.fullmatch(row[i].strip()) for row in body if row[i].strip())
        for i in range(width)
    ]

    def row(found: re.Match[str]) -> str:
        cells = _CELL.findall(found[1])
        if len(cells) != width:
            return found[0]
        return "<tr>" + "".join(map(cell, cells, right, under)) + "</tr>"

    def cell(parts: tuple[str, str, str], is_number: bool, heading: str) -> str:
        tag, attributes, text = parts
        n = len(unescape(text))
        kind = "number" if is_number else "long" if n > 4 * _LONG_CELL else "text"
        if kind == "text" and n <= _LONG_CELL:
            kind = "n" if _DATE.fullmatch(text.strip()) else ""
        if kind and "class=" not in attributes:
            attributes += f' class="{kind}"'
        attributes += heading if tag == "td" else ""
        return f"<{tag}{attributes}>{text}</{tag}>"

    none = "" if body else '<p class="note">No rows.</p>'
    box = pages.box_of_table(columns)
    return f'<div class="{box}" tabindex="0"><table>{_ROW.sub(row, inside)}</table></div>{none}'


def _unmarked(heading: str) -> str:
    return plain(re.sub(r"[*_`]", "", heading)).strip()
