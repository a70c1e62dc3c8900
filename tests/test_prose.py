"""READMEs as they are written, and what a page shows of them."""

import pytest

from packhouse.prose import markup, sanitise

REL = 'rel="nofollow noopener ugc"'
DATA = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "kind",
    ["text/markdown", "text/markdown; charset=UTF-8; variant=GFM", "Text/Markdown;variant=CommonMark", 'text/markdown; charset="utf-8"'],
)  # fmt: skip
def test_markdown_is_read_in_either_variant(kind):
    text = "# T\n\n|a|b|\n|:-|-:|\n|1|~~2~~|\n\n<https://example.org>\n"

    written = markup(text, kind)

    assert '<h3 id="user-content-t">T</h3>' in written
    assert '<td class="align-right"><s>2</s></td>' in written
    assert f'<a href="https://example.org" {REL}>https://example.org</a>' in written


def test_restructuredtext_is_read():
    text = "T\n=\n\n``code`` and `a link <https://example.org>`_.\n\n.. code:: python\n\n   x = 1\n"

    written = markup(text, "text/x-rst; charset=UTF-8")

    assert "<h3>T</h3>" in written
    assert f'<code>code</code> and <a href="https://example.org" {REL}>a link</a>' in written
    assert '<pre tabindex="0"><code>x = 1</code></pre>' in written


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "", "markdown", "text/markdown\r\nX: y", "\0"])
def test_any_other_type_stays_plain_text(kind):
    assert markup("*x*", kind) == ""


@pytest.mark.parametrize(
    "text",
    [
        ".. include:: /etc/hostname\n",
        ".. csv-table:: t\n   :file: /etc/hostname\n",
        ".. csv-table:: t\n   :url: https://example.org/\n",
        ".. raw:: html\n   :file: /etc/hostname\n",
        ".. no-such-directive::\n",
        "`open",
    ],
)
def test_restructuredtext_that_asks_for_too_much_stays_plain_text(text):
    """No file, no raw HTML; and where something is wrong, the source loses nothing."""
    assert markup(text, "text/x-rst") == ""


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        # headings begin below the page's second level and skip none
        ("<h1>a</h1><h2>b</h2><h4>c</h4><h2>d</h2><h1>e</h1>", [3, 4, 5, 4, 3]),
        ("<h3>a</h3><h1>b</h1><h6>c</h6>", [3, 3, 4]),
        ("<h1>a</h1><h2>b</h2><h3>c</h3><h4>d</h4><h5>e</h5><h6>f</h6>", [3, 4, 5, 6, 6, 6]),
        ("<h1>a<h2>b</h2>", [3, 4]),
        ("<h1>a</h2>b", [3]),
    ],
)
def test_headings_keep_their_order(given, shown):
    written = sanitise(given)

    assert [int(part[0]) for part in written.split("<h")[1:]] == shown
    assert sanitise(written) == written


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f'<img src="{DATA}" alt="a &amp; b" width="9" height="x">', f'<img width="9" src="{DATA}" alt="a &amp; b">'),
        (f'<img src="{DATA}">', f'<img src="{DATA}" alt="">'),
        ('<img src="https://example.org/a%20b.png" alt="">', f'<a href="https://example.org/a%20b.png" {REL}>a b.png</a>'),
        ('<img src="https://example.org/">', f'<a href="https://example.org/" {REL}>picture</a>'),
        ('<img src="docs/logo.png" alt="logo">', "logo"),
        ('<img src="docs/logo.png">', ""),
        ('<a href="https://example.org"><img src="https://example.org/b.svg" alt="build"></a>', f'<a href="https://example.org" {REL}>build</a>'),
        ('<a href="https://example.org"><img src="https://example.org/b.svg"></a>', f'<a href="https://example.org" {REL}>b.svg</a>'),
        ('<a href="https://example.org"><img src="b.svg"></a>', ""),
        ("<p>see https://example.org/x?a=1&amp;b=2.</p>", f'<p>see <a href="https://example.org/x?a=1&amp;b=2" {REL}>https://example.org/x?a=1&amp;b=2</a>.</p>'),
        ("<code>https://example.org</code>", "<code>https://example.org</code>"),
        ('<a href="docs/x.md">x</a> <a href="mailto:a@example.org" title="t">y</a>', f'x <a title="t" href="mailto:a@example.org" {REL}>y</a>'),
        ('<a name="Top"></a><a href="#top">up</a> <a href="#gone">down</a>', f'<span id="user-content-Top"></span><a href="#user-content-Top" {REL}>up</a> down'),
        ('<h2 id="x y">One &amp; two</h2>', '<h3 id="user-content-one--two">One &amp; two</h3>'),
        ("<h2></h2><h2>!</h2>", "<h3>!</h3>"),
        ('<p id="x">a</p><p id="x">b</p>', '<p id="user-content-x">a</p><p>b</p>'),
        ("<p>a<p>b<div>c", "<p>a</p><p>b</p><div>c</div>"),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>"),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b>c"),
        ("a<br/>b</p>", "a<br>b"),
        ("<title>x</title><svg><title>y</svg>z</svg>", "z"),
        ("<center><tt>x</tt><blink>y</blink></center>", "<div><code>x</code>y</div>"),
        ('<ol start="3" reversed><li value="7">a</li></ol>', '<ol start="3" reversed=""><li value="7">a</li></ol>'),
        ("<details open><summary>s</summary>x</details>", '<details open=""><summary>s</summary>x</details>'),
        ('<p align="center" class="align-left x language-py" dir="rtl">x</p>', '<p class="align-left language-py align-center" dir="rtl">x</p>'),
        ('<abbr title="t">x</abbr>', '<abbr title="t">x</abbr>'),
        ('<aside class="admonition note"><p class="admonition-title">Note</p></aside>', '<div class="admonition"><p class="admonition-title">Note</p></div>'),
        ("<a href='https://example.org'>a<a href='https://example.com'>b</a>", f'<a href="https://example.org" {REL}>a</a><a href="https://example.com" {REL}>b</a>'),
    ],
)  # fmt: skip
def test_an_element_is_shown_as(given, shown):
    assert sanitise(given) == shown
    assert sanitise(shown) == shown


def test_a_wide_table_scrolls_in_a_region_of_its_own():
    written = sanitise(
        "<table><tr><th>a<th></th><tr><td>1<td></p>2</table><table><tbody><td>x<tbody><tr><td>y</table>"
    )

    assert written == (
        '<div class="table" role="region" aria-label="Table 1 of the description" tabindex="0">'
        "<table><tbody><tr><th>a</th><td></td></tr><tr><td>1</td><td>2</td></tr></tbody></table></div>"
        '<div class="table" role="region" aria-label="Table 2 of the description" tabindex="0">'
        "<table><tbody><tr><td>x</td></tr></tbody><tbody><tr><td>y</td></tr></tbody></table></div>"
    )
    assert sanitise(written) == written


def test_what_came_out_once_comes_out_unchanged():
    text = "# A\n\n[to b](#B)\n\n## B\n\n![p](https://example.org/p.png)\n\n|a|\n|-|\n|[x](y)|\n\n```py\n1<2\n```\n"
    written = markup(text, "text/markdown")

    assert f'<a href="#user-content-b" {REL}>to b</a>' in written
    assert sanitise(written) == written
