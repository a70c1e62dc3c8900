"""READMEs: their source to HTML in the inspecting child (`markup`), and that HTML to what a page may hold (`sanitise`).

A README is hostile twice. A renderer may be given what takes it for ever: `markup` is bounded in size and processor
time, and what it cannot read stays plain text. And what comes out is whatever the author wanted in a reader's browser:
`sanitise` lets through a closed list of elements, attributes and addresses, and nothing that reaches another host.
"""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from types import FrameType
from typing import Any

import nh3

from packhouse.rewriter import EMPTIED, PICTURE, PREFIX, TAGS, Rewriter, TooDeepError

MAX_MARKDOWN, MAX_RST = 256 << 10, 128 << 10
"""Bytes of source that are rendered; longer ones are shown as they are."""
MAX_HTML = 1 << 20
"""Characters of HTML: a reference to a long address is short in the source and long in the result."""
CPU_S = 2.0
"""Seconds of processor time for one README."""

_MAX_NESTING = 20
"""Quotes and lists within each other in Markdown: the value of GitHub-like renderers."""


class _TooSlowError(BaseException):
    """The time is up; no `except Exception` of a renderer may keep it."""


# --- source to HTML --------------------------------------------------------------------------------------------


def markup(text: str, content_type: str) -> str:
    """Return `text` as HTML, sanitised for the first time, or an empty string where it is to be shown as it is.

    Args:
        text: a README or description.
        content_type: `text/markdown` or `text/x-rst`, with any parameters; all others are plain text.
    """
    message = Message()
    message["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    kind = message.get_content_type()
    size = len(text.encode("utf-8", "replace"))
    try:
        with _bounded(CPU_S):
            if kind == "text/markdown" and size <= MAX_MARKDOWN:
                written = _markdown(text)
            elif kind == "text/x-rst" and size <= MAX_RST:
                written = _rst(text)
            else:
                return ""
            return sanitise(written)
    except (_TooSlowError, Exception):  # noqa: BLE001 - a README that breaks a renderer, however, is plain text
        return ""


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 70 ms that only a process that reads uploads needs

    # CommonMark with GitHub's tables and strikethrough, whatever `variant` says: the rest of the difference is
    # `linkify`, which `sanitise` does. HTML is let through, since half of all READMEs begin with it.
    reader = MarkdownIt("commonmark", {"html": True, "maxNesting": _MAX_NESTING})
    reader.enable(["table", "strikethrough"])
    tokens = reader.parse(text)
    # `[a]: <long address>` once, `[a]` ten thousand times: the tokens share the text, the HTML does not.
    attributes = (
        len(str(value))
        for token in tokens
        for child in (token, *(token.children or ()))
        for value in child.attrs.values()
    )
    if sum(attributes) > MAX_HTML:
        return ""
    return str(reader.renderer.render(tokens, reader.options, {}))


def _rst(text: str) -> str:
    # 220 ms that only a process that reads uploads needs
    from docutils.core import publish_parts  # type: ignore[import-untyped]  # noqa: PLC0415
    from docutils.writers.html5_polyglot import Writer  # type: ignore[import-untyped]  # noqa: PLC0415
    from readme_renderer.rst import SETTINGS, ReadMeHTMLTranslator  # noqa: PLC0415

    writer = Writer()
    writer.translator_class = ReadMeHTMLTranslator
    # readme-renderer's settings (no file insertion, no raw HTML, nothing rendered where there is an error) and:
    settings: dict[str, Any] = {
        **SETTINGS,
        "_disable_config": True,  # no docutils.conf of the machine has a say
        "syntax_highlight": "none",  # a lexer is a heap of regular expressions on hostile text
        "smart_quotes": False,
        "warning_stream": False,
    }
    parts = publish_parts(text, writer=writer, settings_overrides=settings)
    return str(parts["docinfo"] + parts["fragment"])


@contextmanager
def _bounded(cpu_s: float) -> Iterator[None]:
    """Raise `_TooSlowError` in the block once it has used `cpu_s` seconds of processor time.

    Only a main thread can be interrupted like that; the inspecting child works in its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


# --- HTML to what a page may hold ------------------------------------------------------------------------------

_ID = r"[^\s\x00-\x1f\x7f]{1,220}"
_ADDRESS = r"(?:https?://|mailto:)[^\s\x00-\x1f\x7f\\\"<>`]+"
_CLASS = r"(?:language-[\w+#.-]{1,40}|admonition|admonition-title|align-left|align-center|align-right)"
_REL = "nofollow noopener ugc"
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")
_TEXT = re.compile(r"[^\x00]{0,1000}")
_EMPTY = re.compile("")

# Element -> attribute -> values that may stand on a page; `*` is every element.
_ATTRIBUTES: dict[str, dict[str, re.Pattern[str]]] = {
    "*": {
        "id": re.compile(PREFIX + _ID),
        "class": re.compile(rf"{_CLASS}(?: {_CLASS})*"),
        "dir": re.compile("ltr|rtl|auto"),
    },
    "a": {
        "href": re.compile(rf"{_ADDRESS}|#{PREFIX}{_ID}", re.IGNORECASE),
        "title": _TEXT,
        "rel": re.compile(_REL),
    },
    "abbr": {"title": _TEXT},
    "details": {"open": _EMPTY},
    "div": {
        "class": re.compile(rf"table|{_CLASS}(?: {_CLASS})*"),
        "role": re.compile("region"),
        "aria-label": re.compile(r"Table [0-9]+ of the description"),
        "tabindex": re.compile("0"),
    },
    "img": {"src": PICTURE, "alt": _TEXT, "width": _NUMBER, "height": _NUMBER},
    "li": {"value": _NUMBER},
    "ol": {"start": _NUMBER, "reversed": _EMPTY},
    "pre": {"tabindex": re.compile("0")},
    "td": {"colspan": _NUMBER, "rowspan": _NUMBER},
    "th": {"colspan": _NUMBER, "rowspan": _NUMBER},
}


def sanitise(written: str) -> str:
    """Return HTML as it may stand on a page, below a heading of the second level; empty for what is too much.

    Headings begin at the third level and skip none; pictures of other hosts become links; ids get a prefix; what can
    be wider than a telephone scrolls in a region of its own. What came out of here once comes out again unchanged.
    """
    if len(written) > MAX_HTML:
        return ""
    rewriter = Rewriter()
    try:
        rewriter.feed(written)
        rewriter.close()
    except TooDeepError:
        return ""

    def judge(tag: str, name: str, value: str) -> str | None:
        rule = _ATTRIBUTES.get(tag, {}).get(name) or _ATTRIBUTES["*"].get(name)
        return value if rule is not None and rule.fullmatch(value) else None

    shown = str(
        nh3.clean(
            rewriter.result(),
            tags=set(TAGS),
            clean_content_tags=set(EMPTIED),
            attributes={tag: set(allowed) - {"rel"} for tag, allowed in _ATTRIBUTES.items()},
            attribute_filter=judge,
            url_schemes={"http", "https", "mailto", "data"},  # `data` is a picture's: `judge` sees to it
            link_rel=_REL,
        )
    )
    return shown if len(shown) <= MAX_HTML else ""
