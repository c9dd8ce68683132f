"""Every page: one file, no script, nothing fetched, harmless whatever the text is."""

import base64
import io
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from funnel.contract.outgoing_text import without_controls
from funnel.report import pages

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;"


def parsed(html):
    """Give the tags of a page as a browser would find them, each with its attributes."""
    from html.parser import HTMLParser

    class Collector(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags, self.text = [], []

        def handle_starttag(self, tag, attributes):
            self.tags.append((tag, dict(attributes)))

        def handle_data(self, data):
            self.text.append(data)

    collector = Collector()
    collector.feed(html)
    return collector


def test_the_policy_comes_before_anything_it_should_govern():
    head = pages.page("Title", "<h1>Title</h1>").split("<head>")[1].lstrip()
    assert head.startswith('<meta http-equiv="Content-Security-Policy"')
    assert "default-src 'none'" in head
    assert "script-src" not in head  # so that none is allowed


def test_a_page_asks_for_nothing():
    tags = parsed(pages.page("Title", "<h1>Title</h1>", footer="from", nav="to")).tags
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in tags}
    style = pages.page("Title", "").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


@given(text=st.text() | st.just(HOSTILE))
def test_no_text_becomes_a_tag(text):
    made = pages.page(text, pages.table([[text]], [text], caption=text) + pages.state(text))
    clean = pages.page("", pages.table([[""]], [""], caption="x") + pages.state(""))
    assert [tag for tag, _ in parsed(made).tags if tag != "caption"] == [
        tag for tag, _ in parsed(clean).tags if tag != "caption"
    ]


@given(text=st.text())
def test_escaped_text_reads_as_it_was_without_control_characters(text):
    import html

    assert html.unescape(pages.escape(text)) == without_controls(text)


def test_a_picture_travels_inside_the_page_with_its_words():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 2)).save(buffer, "PNG")
    tags = dict(parsed(pages.image(buffer.getvalue(), HOSTILE, width=2)).tags)
    kind, data = tags["img"]["src"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == buffer.getvalue()
    assert tags["img"]["alt"] == HOSTILE
    assert tags["img"]["width"] == "2"


def test_cells_are_text_unless_said_otherwise():
    made = pages.table([["<i>", "<i>x</i>"]], ["a", "b"], ready=["b"])
    assert "<td>&lt;i&gt;</td><td><i>x</i></td>" in made


def test_a_row_that_does_not_fit_its_headings_is_refused():
    with pytest.raises(ValueError, match="argument"):
        pages.table([["one"]], ["a", "b"])


def test_the_style_is_one_for_screens_phones_print_and_the_dark():
    style = pages.page("", "")
    for rule in ("@media print", "size: A4", "prefers-color-scheme: dark", "overflow-x: auto"):
        assert rule in style
    # In print neither the code nor a dark ground.
    assert re.search(r"@media print \{.*details\.code \{ display: none", style, re.DOTALL)
    assert "@media screen and (prefers-color-scheme: dark)" in style


@given(st.text(alphabet="+/AB€1 =>", max_size=40))
def test_what_a_tag_holds_is_left_as_it_is(held):
    picture = f'<img alt="-€4 {pages.escape(held)}" src="data:image/png;base64,/+AB1{held}">'
    page = pages.page("", f"<p>-€5</p>{picture}<p>+€6</p>")
    assert picture in page
    assert "-\u2060€5" in page and "+\u2060€6" in page


@pytest.mark.browser
def test_no_page_is_wider_than_a_phone(chromium, tmp_path: Path):
    body = (
        "<h1>A title that is long enough to need several lines</h1>"
        + pages.table([["x" * 60] * 3], ["one", "two", "three"])
        + pages.table([["x" * 60] * 12], [f"column {i}" for i in range(12)])
        + f"<pre>{'y' * 400}</pre><p>{'z' * 300}</p>"
        # without the joiner, a line ends between the sign and the amount
        + "<p style='width:0;overflow-wrap:normal'><span id='minus'>-€123K</span></p>"
    )
    (tmp_path / "page.html").write_text(pages.page("Wide", body), encoding="utf-8")
    # A window is never narrower than some 500 px, so a frame of 390 px stands in for a phone; what
    # measures it is a page of the test's own, since ours runs no script.
    (tmp_path / "phone.html").write_text(
        '<iframe id="phone" src="page.html" style="width:390px;height:6000px;border:0"></iframe>'
        "<script>onload = () => { const page = document.getElementById('phone').contentDocument;"
        "const box = page.querySelector('.wide'), stacked = page.querySelector('.stacked');"
        "const minus = page.getElementById('minus');"
        "document.title = 'width ' + page.documentElement.scrollWidth"
        " + (box.scrollWidth > box.clientWidth ? ' scrolls' : ' is cut')"
        " + (stacked.scrollWidth > stacked.clientWidth ? ' is cut' : ' stacks')"
        " + (minus.getClientRects().length < 2 ? ' in one line' : ' in two'); }</script>",
        encoding="utf-8",
    )
    told = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu"),
            *("--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom"),
            (tmp_path / "phone.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    ).stdout
    assert "<title>width 390 scrolls stacks in one line</title>" in told
