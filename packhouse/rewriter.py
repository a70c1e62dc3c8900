"""Anybody's HTML to HTML that fits into a page: balanced, of known elements, below the page's own headings.

This decides what a README looks like, not whether it is safe: `packhouse/prose.py` gives the result to a sanitiser.
That one walks up its tree for each element and cannot be interrupted, so it is given balanced trees of bounded depth.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TypeAlias
from urllib.parse import unquote

MAX_DEPTH = 200
"""Elements within each other; browsers cut at 512."""
PREFIX = "user-content-"
"""Before every id, so that none is the page's own: an id becomes a property of `document` (DOM clobbering)."""

TAGS = frozenset(
    "a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h3 h4 "  # noqa: SIM905 - a list of words
    "h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead "
    "tr u ul var".split()
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
# Old names, and landmarks that are the page's business.
_INSTEAD = {
    "acronym": "abbr", "article": "div", "aside": "div", "center": "div", "footer": "div", "header": "div",
    "main": "div", "nav": "div", "section": "div", "strike": "s", "tt": "code",
}  # fmt: skip
EMPTIED = frozenset(
    "applet audio canvas iframe math noembed noframes noscript object plaintext script select style svg template "  # noqa: SIM905 - a list of words
    "textarea title video xmp".split()
)
"""Elements that go with what is in them; of all others that are unknown only the tags go."""
_VOID = frozenset({"br", "col", "hr", "img"})
_INLINE = frozenset(
    "a abbr b cite code del dfn em i ins kbd mark q s samp small span strong sub sup u var".split()  # noqa: SIM905 - a list of words
)
_TABLE = frozenset("caption col colgroup table tbody td tfoot th thead tr".split())  # noqa: SIM905 - a list of words

_SAYS_SOMETHING = {"th": "td", "a": "span", **dict.fromkeys(_HEADINGS, "span")}

_CELL, _ROW = frozenset({"td", "th"}), frozenset({"tr", "td", "th", "caption", "colgroup"})
_ITEM = frozenset({"dt", "dd"})
# Element -> (which open ones end where it begins, which one keeps them open).
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "table"})),
    "dt": (_ITEM, frozenset({"dl", "table"})),
    "dd": (_ITEM, frozenset({"dl", "table"})),
    "td": (_CELL, frozenset({"tr", "table"})),
    "th": (_CELL, frozenset({"tr", "table"})),
    "tr": (_ROW, frozenset({"tbody", "thead", "tfoot", "table"})),
    **{
        part: (_ROW | {"tbody", "thead", "tfoot"}, frozenset({"table"}))
        for part in ("tbody", "thead", "tfoot")
    },
}

# RFC 3986 knows none of these characters; browsers take a backslash for a slash.
_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f\x7f\\\"<>`]+", re.IGNORECASE)
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}", re.IGNORECASE)
_ID = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")
_CLASSES = re.compile(r"language-[\w+#.-]{1,40}|admonition|admonition-title|align-(?:left|center|right)")
_ALIGNED = re.compile(r"text-align:\s*(left|center|right)|(left|center|right)")
# GitHub's autolinks; what ends a sentence ends no address.
_BARE = re.compile(r"\bhttps?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}*_]")

_NUMBERS = {
    "img": ("width", "height"),
    "li": ("value",),
    "ol": ("start",),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan"),
}
_FLAGS = {"details": "open", "ol": "reversed"}

_Given: TypeAlias = dict[str, str]


class TooDeepError(ValueError):
    """Elements lie deeper within each other than anybody writes by hand."""


@dataclass(slots=True, eq=False)
class _Element:
    """An element of the result; it may become another one, or nothing, until everything is known.

    `name` is what the author called it, and ends it; `start` is where it begins in the output; `seen`, whether a
    reader sees anything of it.
    """

    name: str
    tag: str
    start: int
    attributes: dict[str, str]
    seen: bool = False

    def settle(self, ids: Mapping[str, str]) -> None:
        """Decide what it is, once all ids are known."""
        if not self.seen and self.tag in _SAYS_SOMETHING:
            # Who listens instead of looking is not to meet a link, a heading or a column's head that says nothing.
            self.tag = _SAYS_SOMETHING[self.tag]
        href = self.attributes.get("href", "")
        if href.startswith("#"):
            # A link into the README finds the heading however it is spelled, or is none.
            found = ids.get(href[1:].casefold())
            self.attributes.pop("href")
            self.attributes |= {"href": f"#{found}"} if found else {}
        if self.tag == "a" and "href" not in self.attributes:
            self.tag = "span"
        if self.tag == "span":
            self.attributes = {
                name: value for name, value in self.attributes.items() if name not in ("href", "title")
            }
            self.tag = "span" if self.attributes else ""


class Rewriter(HTMLParser):
    """Feed it HTML, close it, and take `result()`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._ids: dict[str, str] = {}  # folded spelling to spelling
        self._out: list[str | tuple[_Element, bool]] = []  # text, and elements where they begin and end
        self._open: list[_Element] = []
        self._emptied: list[str] = []
        self._levels: list[int] = []
        self._tables = 0

    def result(self) -> str:
        """Return everything, with what is still open closed."""
        self._close_to(0)
        written = []
        for part in self._out:
            if isinstance(part, str):
                written.append(part)
                continue
            element, begins = part
            if begins:
                element.settle(self._ids)
                written.append(f"<{element.tag}{_attributes(element.attributes)}>" if element.tag else "")
            else:
                written.append(f"</{element.tag}>" if element.tag else "")
        return "".join(written)

    # --- what the parser sees

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element, or none."""
        if tag in EMPTIED:
            self._emptied.append(tag)
        if self._emptied:
            return
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "img":
            self._picture(given)
        elif tag in _HEADINGS:
            self._begin(tag, self._heading(tag), given)
        elif tag == "span" and "literal" in given.get("class", "").split():
            self._begin(tag, "code", given)  # docutils
        elif _INSTEAD.get(tag, tag) in TAGS:
            self._begin(tag, _INSTEAD.get(tag, tag), given)

    def handle_endtag(self, tag: str) -> None:
        """Close an element with all that is open in it; without an element that is open, nothing."""
        if self._emptied:
            if tag in self._emptied:
                while self._emptied.pop() != tag:
                    pass
            return
        for place in range(len(self._open) - 1, -1, -1):
            name = self._open[place].name
            if name == tag or (name in _HEADINGS and tag in _HEADINGS):
                self._close_to(place)
                return
            if name in _TABLE and tag not in _TABLE:
                return  # a cell keeps what began before its table

    def handle_data(self, data: str) -> None:
        """Write text; an address in it becomes a link."""
        if self._emptied:
            return
        self._write(data)

    def _write(self, data: str) -> None:
        if data.strip():
            self._see()
        if any(element.tag in ("a", "code", "pre") for element in self._open):
            self._out.append(html.escape(data))
            return
        end = 0
        for match in _BARE.finditer(data):
            address = html.escape(match[0])
            self._out += (html.escape(data[end : match.start()]), f'<a href="{address}">{address}</a>')
            end = match.end()
        self._out.append(html.escape(data[end:]))

    # --- elements

    def _begin(self, name: str, tag: str, given: _Given) -> None:
        self._end_implied(tag)
        if len(self._open) >= MAX_DEPTH:
            raise TooDeepError
        kept = self._kept(tag, given)
        if tag in _VOID:
            self._out.append(f"<{tag}{_attributes(kept)}>")
            return
        if tag == "table":
            self._tables += 1
            label = f'role="region" aria-label="Table {self._tables} of the description"'
            self._out.append(f'<div class="table" {label} tabindex="0">')
        elif tag == "div" and given.get("class") == "table":
            tag = ""  # ours, of the first time
        elif tag == "a" and "href" not in kept:
            tag = "span"
        element = _Element(name, tag, len(self._out), kept)
        self._open.append(element)
        self._out.append((element, True))

    def _end_implied(self, tag: str) -> None:
        """End what HTML ends where `tag` begins: `<li>` an item before it, a block a paragraph, a link a link."""
        if tag in _ENDS:
            ended, kept = _ENDS[tag]
        elif tag == "a":
            ended, kept = frozenset({"a"}), _TABLE
        elif tag in _HEADINGS:
            ended, kept = _HEADINGS | {"p"}, TAGS - _INLINE - _HEADINGS - {"p"}
        elif tag not in _INLINE and tag != "br":
            ended, kept = frozenset({"p"}), TAGS - _INLINE - {"p"}
        else:
            return
        found = None
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].tag in kept:
                break
            if self._open[place].tag in ended:
                found = place
        if found is not None:
            self._close_to(found)

    def _close_to(self, place: int) -> None:
        while len(self._open) > place:
            element = self._open.pop()
            if element.seen and self._open:
                self._open[-1].seen = True
            if element.tag in _HEADINGS and element.seen and "id" not in element.attributes:
                text = "".join(part for part in self._out[element.start :] if isinstance(part, str))
                identity = self._identity(_slug(html.unescape(text)))
                element.attributes |= {"id": identity} if identity else {}
            self._out.append((element, False))
            if element.tag == "table":
                self._out.append("</div>")

    def _see(self) -> None:
        if self._open:
            self._open[-1].seen = True

    def _heading(self, tag: str) -> str:
        """Return the level at which a heading of a README stands: below the page's h2, and none skipped."""
        level = int(tag[1])
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
        self._levels.append(level)
        return f"h{min(2 + len(self._levels), 6)}"

    def _picture(self, given: _Given) -> None:
        """A picture that travels in the page stays one; one of another host becomes a link, its text outside."""
        source, text = given.get("src", ""), " ".join(given.get("alt", "").split())
        if PICTURE.fullmatch(source):
            self._see()
            attributes = _attributes(self._kept("img", given))
            self._out.append(f'<img{attributes} src="{source}" alt="{html.escape(text[:1000])}">')
        elif _ADDRESS.fullmatch(source):
            label = text or unquote(source.rpartition("/")[2]).strip() or "picture"
            if any(element.tag == "a" for element in self._open):
                self._write(label)
            else:
                self._see()
                self._out.append(f'<a href="{html.escape(source)}">{html.escape(label)}</a>')
        else:
            self._write(text)

    # --- attributes

    def _kept(self, tag: str, given: _Given) -> dict[str, str]:
        kept: dict[str, str] = {}
        identity = self._identity(given.get("id") or (given.get("name", "") if tag == "a" else ""))
        if identity:
            kept["id"] = identity
        classes = [name for name in given.get("class", "").split()[:20] if _CLASSES.fullmatch(name)]
        aligned = _ALIGNED.fullmatch(given.get("align", "") or given.get("style", ""))
        if aligned and tag in ("td", "th", "p", "div"):
            classes.append(f"align-{aligned[1] or aligned[2]}")
        if classes:
            kept["class"] = " ".join(dict.fromkeys(classes))
        if given.get("dir") in ("ltr", "rtl", "auto"):
            kept["dir"] = given["dir"]
        if tag in ("a", "abbr") and given.get("title"):
            kept["title"] = given["title"][:1000]
        if tag == "a":
            kept |= self._address(given.get("href", "").strip())
        if tag == "pre":
            kept["tabindex"] = "0"  # it scrolls, and a keyboard must be able to do it
        kept |= {
            name: given[name] for name in _NUMBERS.get(tag, ()) if _NUMBER.fullmatch(given.get(name, ""))
        }
        if tag in _FLAGS and _FLAGS[tag] in given:
            kept[_FLAGS[tag]] = ""
        return kept

    def _identity(self, name: str) -> str:
        name = f"{PREFIX}{name.removeprefix(PREFIX)}"
        if not _ID.fullmatch(name) or name == PREFIX or name.casefold() in self._ids:
            return ""
        self._ids[name.casefold()] = name
        return name

    def _address(self, address: str) -> dict[str, str]:
        """A relative address means a file of the author's repository, which is not here."""
        if address.startswith("#"):
            return {"href": f"#{PREFIX}{unquote(address[1:]).removeprefix(PREFIX)}"}
        return {"href": address} if _ADDRESS.fullmatch(address) else {}


def _attributes(kept: Mapping[str, str]) -> str:
    return "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())


def _slug(text: str) -> str:
    """Return the id by which tables of contents written for GitHub point to a heading."""
    return re.sub(r"[^\w -]", "", text.strip().lower())[:200].replace(" ", "-")
