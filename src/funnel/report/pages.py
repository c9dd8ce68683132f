"""Pages: one skeleton and one style for every HTML file that the package writes.

A page is one file that opens offline in any browser and on a phone, and prints on A4. It holds no
script and asks for nothing: a content security policy, first in `<head>`, forbids both, so that
even text which slipped through unescaped could not act. Images are embedded in the file.

The functions here take text and give HTML. What is called `body`, `nav` or `footer` is HTML that
the caller made, with `escape` around every text that came from data.
"""

from __future__ import annotations

import base64
import functools
import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from funnel.contract.outgoing_text import without_controls

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_FITS_A_PHONE = 3  # columns of a table
_STYLE = Path(__file__).with_name("pages.css")
_CURRENCIES = "".join(chr(n) for n in range(0x2100) if unicodedata.category(chr(n)) == "Sc")
_TAG = r'<(?:"[^"]*"|[^">])*>'
_SIGN = rf"(?<![\w-])[-+\u2212](?=[A-Z]{{0,3}}[{re.escape(_CURRENCIES)}]|[A-Z]{{2,3}}\s?\d)"
_TAG_OR_SIGN = re.compile(f"({_TAG})|{_SIGN}")
_JOINER = "\u2060"  # no width, and no line ends at it


def page(title: str, body: str, *, footer: str = "", nav: str = "", lang: str = "en") -> str:
    """Make a whole page.

    Parameters
    ----------
    title
        What the browser's tab says, as plain text. The heading is part of `body`.
    body
        HTML of the page, from its `<h1>` on.
    footer
        HTML of the provenance block: plan's hash, versions, anything that may differ between two
        runs of the same data, plan and `as_of`.
    nav
        HTML of the links above the page; left out in print.
    lang
        The language of the page, as in `en` or `de`.

    Examples
    --------
    >>> text = page("A & B", "<h1>A &amp; B</h1>")
    >>> text.index("Content-Security-Policy") < text.index("<title>A &amp; B</title>")
    True
    >>> "<script" in text
    False

    A browser may end a line after a sign; here it does not, between the sign and its amount:

    >>> "-\u2060€40" in page("", "<p>-€40</p>")
    True
    """
    # what a tag holds, such as an image, is left as it is
    body = _TAG_OR_SIGN.sub(lambda met: met[1] or f"{met[0]}{_JOINER}", body)
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(lang)}">\n<head>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
        + (f"<nav>{nav}</nav>\n" if nav else "")
        + f"<main>\n{body}\n</main>\n"
        + (f"<footer><div>{footer}</div></footer>\n" if footer else "")
        + "</body>\n</html>\n"
    )


def escape(text: object) -> str:
    """Make any text harmless inside HTML, and inside a quoted attribute.

    Examples
    --------
    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(without_controls(str(text)), quote=True)


def box_of_table(columns: Sequence[str]) -> str:
    """Classes of a table's box: with several columns, a row is a block of lines on a phone.

    Examples
    --------
    >>> box_of_table(["channel", "wins"]), box_of_table(["channel", "wins", "cost", "verdict"])
    ('wide', 'wide stacked')
    """
    return "wide stacked" if len(columns) > _FITS_A_PHONE else "wide"


def headings_of_cells(columns: Sequence[str]) -> list[str]:
    """Attribute that holds a cell's heading, for each column of a table whose rows are blocks.

    Examples
    --------
    >>> headings_of_cells(["channel", "leads", "wins", "cost"])
    ['', ' data-of="leads"', ' data-of="wins"', ' data-of="cost"']
    >>> headings_of_cells(["channel", "wins"])
    ['', '']
    """
    if len(columns) <= _FITS_A_PHONE:
        return [""] * len(columns)
    return ["", *(f' data-of="{escape(name)}"' if name else "" for name in columns[1:])]


def table(
    rows: Iterable[Sequence[object]],
    columns: Sequence[str],
    *,
    numbers: Iterable[str] = (),
    ready: Iterable[str] = (),
    caption: str = "",
) -> str:
    """Make a table in a box of its own, which scrolls sideways where the page is narrow.

    Parameters
    ----------
    rows
        Cells in the order of `columns`, as text that is ready to read.
    columns
        The heading of each column.
    numbers
        Those of `columns` that are set to the right.
    ready
        Those of `columns` whose cells are HTML already, such as a link or a `state`.
    caption
        What the table shows, in a line above it.

    Examples
    --------
    >>> print(table([["email", "<3"]], ["channel", "wins"], numbers=["wins"]))
    <div class="wide" tabindex="0"><table>
    <thead><tr><th scope="col">channel</th><th scope="col" class="number">wins</th></tr></thead>
    <tbody>
    <tr><td>email</td><td class="number">&lt;3</td></tr>
    </tbody>
    </table></div>
    """
    right = [' class="number"' if name in set(numbers) else "" for name in columns]
    made = [name in set(ready) for name in columns]
    under = headings_of_cells(columns)
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for name, kind in zip(columns, right, strict=True)
    )
    lines = [
        "<tr>"
        + "".join(
            f"<td{kind}{heading}>{cell if is_html else escape(cell)}</td>"
            for cell, kind, heading, is_html in zip(row, right, under, made, strict=True)
        )
        + "</tr>"
        for row in rows
    ]
    above = f"<caption>{escape(caption)}</caption>\n" if caption else ""
    box = box_of_table(columns)
    return (
        f'<div class="{box}" tabindex="0"><table>\n{above}<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody>\n</table></div>"
    )


def image(png: bytes, alt: str, *, caption: str = "", width: int | None = None) -> str:
    """Image inside the page.

    Parameters
    ----------
    png
        The bytes of a PNG file.
    alt
        What it shows, for those who cannot see it: the finding, not "a chart".
    caption
        A line below it.
    width
        Pixels at which it is shown; an image of double density is shown at half its own width.
    """
    data = base64.b64encode(png).decode("ascii")
    wide = f' width="{width}"' if width else ""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><div class="chart"><img src="data:image/png;base64,{data}"'
        f' alt="{escape(alt)}"{wide}></div>{below}</figure>'
    )


def state(word: str, kind: str = "") -> str:
    """Set a state or a verdict apart, by its word and then by its colour.

    Parameters
    ----------
    word
        What it says.
    kind
        `ok`, `warn`, `moved`, or nothing for one that is inconclusive.

    Examples
    --------
    >>> state("passed", "ok")
    '<span class="state ok">passed</span>'
    """
    return f'<span class="{escape(f"state {kind}".strip())}">{escape(word)}</span>'


def folded(summary: str, body: str, *, kind: str = "code") -> str:
    """Keep something behind a line that opens it; what is of kind `code` is not printed."""
    return (
        f'<details class="{escape(kind)}"><summary>{escape(summary)}</summary>\n{body}\n</details>'
    )


def links(targets: Mapping[str, str]) -> str:
    """Make the links above a page, from each label to its target.

    Examples
    --------
    >>> links({"First page": "index.html"})
    '<a href="index.html">First page</a>'
    """
    return "\n".join(
        f'<a href="{escape(target)}">{escape(label)}</a>' for label, target in targets.items()
    )


@functools.cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")
