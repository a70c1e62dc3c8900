"""Text from outside on pages: links that may be links, paths as addresses, characters that markup may hold."""

import re
from urllib.parse import quote, urlsplit

_WEB = ("https://", "http://", "mailto:")

# HTML and XML 1.0 allow tab, line feed and carriage return of the control characters, and neither surrogates nor
# U+FFFE and U+FFFF; HTML forbids the other control characters (C1) and noncharacters as well.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


def printable(text: str) -> str:
    """Return text with U+FFFD in place of each character that neither HTML nor XML may hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def may_link(address: str) -> bool:
    """Whether an address from outside may become a link: the web or mail, never `javascript:`, and readable."""
    if not address.lower().startswith(_WEB) or re.search(r"[\s<>\"\\]", address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:  # `https://[`
        return False
    return bool(parts.netloc or parts.scheme == "mailto")


def segment(text: str) -> str:
    """Return a name as one segment of a relative address."""
    return quote(text, safe="")


def address(path: str) -> str:
    """Return a decoded path of several segments as a relative address."""
    return quote(path, safe="/")
