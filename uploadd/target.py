"""The request line, taken apart: raw path and query to safe text, once.

aiohttp decodes `%2F` inside its own route parameters, so nothing here uses them: the raw path is split at
its slashes first, and every segment is decoded afterwards.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from packhouse.errors import BadName, Malformed

MAX_TARGET = 8000
"""Characters of a request target; nginx's own limit for a request line is 8 KiB."""
MAX_PARAMETERS = 32

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KIND = "path segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A request target.

    Attributes:
        segments: of the path, decoded; none is empty, `.` or `..`, none holds a slash, a backslash or a
            control character. A trailing slash makes no segment.
        query: parameter to value, decoded.
        key: the `<key>` of `/t/<key>/...`, which is no part of `segments`; empty without one.
    """

    segments: tuple[str, ...]
    query: Mapping[str, str]
    key: str = ""


def parse_target(raw: str) -> Target:
    """Take a raw request target apart.

    Raises:
        Malformed: it is no path, too long, or its query is broken.
        BadName: a segment is not valid UTF-8, or could be taken for another path.
    """
    if len(raw) > MAX_TARGET:
        raise Malformed(f"the request line has {len(raw)} characters, at most {MAX_TARGET} are allowed")
    path, _, query = raw.partition("?")
    if not path.startswith("/") or not raw.isascii() or "#" in raw:
        raise Malformed("the request target must be a path such as /main/legacy/, percent-encoded")
    raw_segments = path[1:].split("/")
    if raw_segments[-1] == "":
        raw_segments.pop()
    segments = tuple(_segment(text) for text in raw_segments)
    parameters = _query(query)
    if len(segments) >= 2 and segments[0] == "t":
        return Target(segments=segments[2:], query=parameters, key=segments[1])
    return Target(segments=segments, query=parameters)


def redact(raw: str) -> str:
    """Return a request target as a log may show it: no query, no key, one line of printable ASCII."""
    shown: list[str] = []
    first, secret = True, False
    for segment in raw.partition("?")[0][:MAX_TARGET].split("/"):
        plain = unquote(segment).lower()  # an encoded `t` or `pkh-` is one all the same
        hidden = (secret and segment != "") or "pkh-" in plain
        shown.append("***" if hidden else segment)
        if segment:
            secret, first = first and plain in _KEY_FOLLOWS, False
    return "/".join(shown).translate(_ESCAPES).encode("ascii", "backslashreplace").decode()


def without_keys(text: str) -> str:
    """Return a sentence for an answer with every API key in it starred, however it is spelled or encoded.

    A sentence quotes what the caller sent, and a key lands in a name's place by mistake; answers are kept in the logs
    of clients and build servers.
    """
    return _KEY.sub("pkh-***", text)


_KEY = re.compile(
    r"(?:p|%[57]0)(?:k|%[46]b)(?:h|%[46]8)(?:-|%2d)(?:[0-9a-z]|%[0-9a-f]{2})*", re.ASCII | re.IGNORECASE
)
_KEY_FOLLOWS = frozenset({"t", "fetch", "prune"})
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 0x22, 0x5C, 0x7F)}


def _segment(raw: str) -> str:
    if _BROKEN_ESCAPE.search(raw):
        raise BadName(_KIND, raw, "a % must be followed by two hexadecimal digits")
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise BadName(_KIND, raw, "it is not valid UTF-8") from error
    if text in ("", ".", ".."):
        raise BadName(_KIND, raw, "it must not be empty, . or ..")
    if "/" in text or "\\" in text or _CONTROL.search(text):
        raise BadName(_KIND, raw, "slashes, backslashes and control characters are not allowed in it")
    return text


def _query(raw: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise Malformed(f"the query of the request is broken: {error}") from error
    parameters: dict[str, str] = {}
    for name, value in pairs:
        # Two values of one name: which one counts would depend on who reads it.
        if name in parameters:
            raise Malformed(f"the parameter {name[:80]!r} occurs twice; send it once")
        parameters[name] = value
    return parameters


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return a yes-or-no parameter; absent is no.

    Raises:
        Malformed: it is neither.
    """
    text = query.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise Malformed(f"{name} is {text[:80]!r}; send true or false")
    return text in ("true", "1")
