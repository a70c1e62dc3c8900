"""READMEs that attack: whatever goes in, nothing active comes out, and a renderer that is led astray is stopped."""

import re
import threading
from contextlib import suppress
from html import escape

import html5lib
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pypi_support import make_wheel
from xss_payloads import ADDRESSES, ALL, HTML, MARKDOWN, RST

from packhouse import prose
from packhouse.ecosystems import Limits
from packhouse.intake.pool import InspectionPool
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename
from packhouse.prose import markup, sanitise
from packhouse.rewriter import MAX_DEPTH, PREFIX, TAGS

ATTRIBUTES = frozenset(
    [
        "alt",
        "aria-label",
        "class",
        "colspan",
        "dir",
        "height",
        "href",
        "id",
        "open",
        "rel",
        "reversed",
        "role",
        "rowspan",
        "src",
        "start",
        "tabindex",
        "title",
        "value",
        "width",
    ]
)
ADDRESS = re.compile(r"(https?://|mailto:)[^\s\\\"<>]+|#user-content-\S+", re.IGNORECASE)


def complaints(written: str) -> list[str]:
    """What is wrong with HTML that may be on a page, as a browser reads it."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parseFragment(written, container="div")
    found, ids = [], set()
    for element in tree.iter():
        if not isinstance(element.tag, str) or element.tag == "DOCUMENT_FRAGMENT":
            found += [] if isinstance(element.tag, str) else ["a comment"]
            continue
        if element.tag not in TAGS:
            found.append(f"<{element.tag}>")
        for name, value in element.attrib.items():
            if name not in ATTRIBUTES:
                found.append(f"{element.tag} {name}={value}")
            elif name == "href" and not ADDRESS.fullmatch(value):
                found.append(f"href={value}")
            elif name == "src" and not re.fullmatch(
                r"data:image/(png|jpeg|gif|webp);base64,[\w+/]+={0,2}", value
            ):
                found.append(f"src={value}")
            elif name == "id":
                found += [f"id={value}"] if not value.startswith(PREFIX) or value in ids else []
                ids.add(value)
        if element.tag == "a" and "href" in element.attrib:
            found += [] if element.get("rel") == "nofollow noopener ugc" else ["a link that is followed"]
    return found


def test_the_table_is_worth_its_name():
    assert len(HTML) >= 60
    assert len(ADDRESSES) >= 25
    assert len(set(ALL.values())) == len(ALL)


@pytest.mark.parametrize(
    "planted",
    [
        "<script>alert(1)</script>", "<p onclick=x>", "<a href='javascript:x'>x</a>", "<a href='/x' rel='nofollow noopener ugc'>x</a>",
        "<a href='https://x'>x</a>", "<img src='https://x'>", "<p id=x>", "<p style='x'>", "<svg></svg>", "<!-- x -->",
        "<p id=user-content-x><p id=user-content-x>",
    ],
)  # fmt: skip
def test_the_judge_finds_what_it_looks_for(planted):
    assert complaints(planted) != []


@pytest.mark.parametrize("payload", ALL.values(), ids=ALL)
def test_a_payload_becomes_harmless_wherever_it_stands(payload):
    contexts = (
        payload,
        f"<p>{payload}</p>",
        f"<table><tr><td>{payload}</td></tr></table>",
        f"<p title='{payload}'>x</p>",
        f'<a href="{payload}">x</a>',
        f'<img src="{payload}" alt="x">',
        f'<a href="{escape(payload)}" id="{escape(payload)}" name="{escape(payload)}">x</a>',
        f'<img src="{escape(payload)}" alt="{escape(payload)}">',
        f"<pre><code>{payload}</code></pre>",
        f"<!-- {payload} -->",
    )
    for context in contexts:
        assert complaints(sanitise(context)) == [], context
        assert complaints(sanitise(sanitise(context))) == [], context


@pytest.mark.parametrize("payload", [*MARKDOWN.values(), *HTML.values(), *ADDRESSES.values()])
def test_a_payload_in_markdown_becomes_harmless(payload):
    for text in (payload, f"# {payload}", f"- {payload}", f"[x](<{payload}>)", f"![{payload}]({payload})"):
        written = markup(text, "text/markdown")

        assert complaints(written) == []
        assert sanitise(written) == written


@pytest.mark.parametrize("payload", [*RST.values(), *HTML.values(), *ADDRESSES.values()])
def test_a_payload_in_restructuredtext_becomes_harmless(payload):
    for text in (
        payload,
        f"``{payload}``",
        f"`x <{payload}>`_",
        f".. image:: {payload}\n   :alt: {payload}\n",
    ):
        written = markup(text, "text/x-rst")

        assert complaints(written) == []
        assert sanitise(written) == written


PIECES = st.sampled_from(
    [*ALL.values(), *(f"<{tag}>" for tag in sorted(TAGS)), *(f"</{tag}>" for tag in sorted(TAGS)), "<!--", "-->",
     "<svg>", "</svg>", "<math>", "<style>", "</style>", "<title>", "<h1>", "</h2>", "\0", "&", "'", '"', "<", ">", "text"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=10), max_size=12).map("".join))
@example("<b><a href=https://x><table><a href=https://y>")
@example("<p><table><td></p>x")
def test_whatever_goes_in_nothing_active_comes_out(text):
    written = sanitise(text)

    assert complaints(written) == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PIECES | st.text(max_size=10), max_size=12).map("".join),
    st.sampled_from(["text/markdown", "text/x-rst"]),
)
def test_whatever_the_source_nothing_active_comes_out(text, kind):
    assert complaints(markup(text, kind)) == []


# --- too much ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["div", "ul><li", "b", "table><tr><td", "blockquote", "span class=x"])
def test_deeper_than_a_hand_writes_is_too_much(tag):
    """The sanitiser walks up its tree for each element, and cannot be interrupted."""
    assert sanitise(f"<{tag}>" * (MAX_DEPTH + 1)) == ""
    assert "x" in sanitise(f"<{tag}>" * 20 + "x")


def test_longer_than_a_page_bears_is_too_much():
    assert sanitise("a" * (prose.MAX_HTML + 1)) == ""
    assert sanitise("&" * (prose.MAX_HTML // 2)) == ""  # five characters each, when it is written
    assert sanitise("a" * 1000) == "a" * 1000


@pytest.mark.parametrize(
    ("kind", "limit"), [("text/markdown", prose.MAX_MARKDOWN), ("text/x-rst", prose.MAX_RST)]
)
def test_a_long_source_stays_plain_text(kind, limit, monkeypatch):
    monkeypatch.setattr(prose, "_markdown", lambda text: "<p>read</p>")
    monkeypatch.setattr(prose, "_rst", lambda text: "<p>read</p>")

    assert markup("ä" * (limit // 2), kind) == "<p>read</p>"
    assert markup("ä" * (limit // 2 + 1), kind) == ""


def test_a_short_source_cannot_become_a_long_page():
    text = f"[a]: https://example.org/{'y' * 100_000}\n\n" + "[a] " * 1_000

    assert markup(text, "text/markdown") == ""


def test_a_renderer_without_end_is_stopped(monkeypatch):
    def endless(text):
        while True:
            with suppress(Exception):
                sum(range(1000))

    monkeypatch.setattr(prose, "_markdown", endless)
    monkeypatch.setattr(prose, "CPU_S", 0.05)

    assert markup("x", "text/markdown") == ""


def test_a_regular_expression_without_end_is_stopped(monkeypatch):
    monkeypatch.setattr(prose, "_rst", lambda text: str(re.match(r"(a+)+$", "a" * 64 + "b")))
    monkeypatch.setattr(prose, "CPU_S", 0.05)

    assert markup("x", "text/x-rst") == ""


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError, AssertionError])
def test_a_renderer_that_fails_gives_plain_text(error, monkeypatch):
    def fails(text):
        raise error

    monkeypatch.setattr(prose, "_markdown", fails)

    assert markup("x", "text/markdown") == ""


def test_a_thread_renders_too():
    """Only a main thread can be interrupted; another one is none the worse."""
    done: list[str] = []
    thread = threading.Thread(target=lambda: done.append(markup("*x*", "text/markdown")))
    thread.start()
    thread.join()

    assert done == ["<p><em>x</em></p>\n"]


@pytest.mark.parametrize("unit", ["[", "<!--", "* a\n", "> ", "`a", "|a|\n|-|\n", "<div>", "- - "])
def test_a_hostile_description_stops_no_upload(unit, tmp_path):
    """The whole way, in the confined child that reads uploads."""
    filename, data = make_wheel(
        description=(unit * (250_000 // len(unit)))[:250_000],
        metadata_extra="Description-Content-Type: text/markdown\n",
    )
    path = tmp_path / filename
    path.write_bytes(data)
    claim = Claim(channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename))
    with InspectionPool(workers=1) as pool:
        observed = pool.inspect("pypi", path, claim, Limits())

    assert observed.package == "tiny"
    assert isinstance(observed.details["description_html"], str)
