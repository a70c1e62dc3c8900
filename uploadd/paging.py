"""Lists in pages: `?per_page=` (10, at most 100), `?page_token=`, and a link to the next page (RFC 8288)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web

from packhouse.errors import Malformed

PER_PAGE, MOST = 10, 100
"""Items of a page: where nothing is said, and at most."""

T = TypeVar("T")


def per_page(query: Mapping[str, str]) -> int:
    """Return how many items a page is to have.

    Raises:
        Malformed: it is no number from 1 to 100.
    """
    text = query.get("per_page", str(PER_PAGE))
    # At most three digits, and ASCII ones: int() would take other scripts' and any number of them.
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MOST):
        raise Malformed(f"per_page is {text[:80]!r}; send a number from 1 to {MOST}")
    return int(text)


def window(query: Mapping[str, str], items: Sequence[T], place: Callable[[T], str]) -> tuple[list[T], str]:
    """Return one page of a list.

    Args:
        query: of the request.
        items: all of them.
        place: an item's own text, by which the list is sorted and which is the token of what follows it: no item is
            left out or told twice because another one came or went.

    Returns:
        The items of the page, and the token of the next page; empty if there is none.

    Raises:
        Malformed: `per_page` is no number from 1 to 100.
    """
    size, after = per_page(query), query.get("page_token", "")
    rest = sorted((item for item in items if place(item) > after), key=place)
    return rest[:size], place(rest[size - 1]) if len(rest) > size else ""


def link_next(response: web.Response, path: str, query: Mapping[str, str], token: str) -> web.Response:
    """Return an answer with the link to its next page, if `token` says that there is one.

    Args:
        response: the page.
        path: of the list; the request's own path may hold a key.
        query: of the request; what it asks for holds for the next page too.
        token: from `window`, or the list's own.
    """
    if token:
        parameters = urlencode({**query, "page_token": token})
        response.headers["Link"] = f'<{path}?{parameters}>; rel="next"'
    return response
