"""Lists in pages: `?per_page=` (10, at most 50), `?page_token=`, and the address of the next page (RFC 8288).

A token names the last item that was shown by what never changes of it, so no item is left out or told twice because
others came or went between two pages. Its parts are joined with slashes, which no name holds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

from packhouse.errors import Malformed

PER_PAGE, MOST = 10, 50
"""Items of a page: where nothing is said, and at most."""

MAX_NUMBER = 10**18
"""Serials and row numbers are below it, and every database's integers hold it."""

T = TypeVar("T")


def per_page(query: Mapping[str, str]) -> int:
    """Return how many items a page is to have.

    Raises:
        Malformed: it is no number from 1 to 50.
    """
    size = number(query, "per_page", default=PER_PAGE)
    if not 1 <= size <= MOST:
        raise Malformed(f"per_page is {size}; send a number from 1 to {MOST}")
    return size


def number(query: Mapping[str, str], name: str, *, default: int) -> int:
    """Return a parameter that is a number from 0 to 10**18 - 1.

    Raises:
        Malformed: it is none.
    """
    text = query.get(name)
    return default if text is None else _number(name, text)


def window(query: Mapping[str, str], items: Sequence[T], place: Callable[[T], str]) -> tuple[list[T], str]:
    """Return one page of a list that is at hand as a whole.

    Args:
        query: of the request.
        items: all of them.
        place: an item's own text, by which the list is sorted and which is the token of what follows it.

    Returns:
        The items of the page, and the token of the next page; empty if there is none.

    Raises:
        Malformed: `per_page` is no number from 1 to 50.
    """
    size, after = per_page(query), query.get("page_token", "")
    rest = sorted((item for item in items if place(item) > after), key=place)
    return rest[:size], place(rest[size - 1]) if len(rest) > size else ""


def cut(items: Sequence[T], size: int, place: Callable[[T], Sequence[str | int]]) -> tuple[list[T], str]:
    """Return one page of a list of which one item more than a page was asked for.

    Args:
        items: at most `size` + 1.
        size: from `per_page`.
        place: what tells an item's place in the list, most significant first; texts without slashes, or numbers.

    Returns:
        The items of the page, and the token of the next page; empty if there is none.
    """
    token = "/".join(map(str, place(items[size - 1]))) if len(items) > size else ""
    return list(items[:size]), token


def texts(query: Mapping[str, str], count: int) -> tuple[str, ...] | None:
    """Return the parts of the token that `cut` made, or None where the first page is asked for.

    Raises:
        Malformed: it has another number of parts.
    """
    token = query.get("page_token", "")
    if not token:
        return None
    parts = tuple(token.split("/"))
    if len(parts) != count:
        raise Malformed(f"page_token is {token[:80]!r}; send the one that the last page's Link holds")
    return parts


def behind(query: Mapping[str, str]) -> int:
    """Return the number that is the token; 0 where the first page is asked for.

    Raises:
        Malformed: the token is no number.
    """
    found = texts(query, 1)
    return 0 if found is None else _number("page_token", found[0])


def rank(text: str) -> int:
    """Return a part of a token that is a number; raises `Malformed`."""
    return _number("page_token", text)


def next_page(path: str, query: Mapping[str, str], token: str) -> str:
    """Return the address of the next page, relative to the server; empty if there is none.

    Args:
        path: of the list, decoded; the request's own path may hold a key.
        query: of the request; what it asks for holds for the next page too.
        token: from `window` or `cut`.
    """
    return f"{quote(path, safe='/:+!')}?{urlencode({**query, 'page_token': token})}" if token else ""


def _number(name: str, text: str) -> int:
    # ASCII digits, and few: int() would take other scripts' and any number of them.
    if not (text.isascii() and text.isdigit() and len(text) < len(str(MAX_NUMBER))):
        raise Malformed(f"{name} is {text[:80]!r}; send a number")
    return int(text)
