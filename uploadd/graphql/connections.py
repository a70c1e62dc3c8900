"""Lists in pages: `first`, `after`, edges with cursors (the Relay connection specification): pure.

A cursor names an item by what never changes of it, so none is left out or told twice because others came or went
between two pages. It is opaque to clients.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from packhouse.errors import Malformed
from packhouse.model import Json

USUAL, MOST = 10, 100
"""Items of a page: where nothing is said, and at most."""

_DIGITS = 18
"""Serials and row numbers have no more, and every database's integers hold so many."""

T = TypeVar("T")


def size(first: int | None) -> int:
    """Return how many items a page is to have.

    Raises:
        Malformed: it is no number from 1 to 100. Most of these are refused with the query (`limits.py`), but a variable
            may be a number in another spelling, such as 1e9.
    """
    wanted = USUAL if first is None else first
    if not 1 <= wanted <= MOST:
        raise Malformed(f"first is {wanted}; send a number from 1 to {MOST}")
    return wanted


def place(after: str | None, parts: int) -> tuple[str, ...] | None:
    """Return the parts of a cursor, or None where the first page is asked for.

    Raises:
        Malformed: no cursor of such a list looks so.
    """
    if after is None:
        return None
    found = tuple(after.split("/"))
    if len(found) != parts:
        raise Malformed("after is no cursor of this list; send the endCursor of the page before")
    return found


def number(text: object, what: str = "after") -> int:
    """Return a number of at most 18 digits, sent as one or within a cursor.

    Args:
        text: the number, or its digits.
        what: the argument's name.

    Raises:
        Malformed: it is none.
    """
    digits = str(text) if type(text) in (int, str) else ""
    # ASCII digits, and few: int() would take other scripts' and any number of them.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise Malformed(f"{what} is no number that was told here; send one of at most {_DIGITS} digits")
    return int(digits)


def connection(
    items: Sequence[T],
    wanted: int,
    where: Callable[[T], Sequence[str | int]],
    node: Callable[[T], Json],
) -> Json:
    """Return one page of a list.

    Args:
        items: the page's, and one more if there is one.
        wanted: from `size`.
        where: an item's place in the list, most significant first: numbers, or texts without slashes.
        node: what is told of an item.
    """
    page = items[:wanted]
    edges = [{"cursor": "/".join(map(str, where(item))), "node": node(item)} for item in page]
    return {
        "edges": edges,
        "nodes": [edge["node"] for edge in edges],
        "page_info": {
            "has_next_page": len(items) > wanted,
            "end_cursor": edges[-1]["cursor"] if edges else None,
        },
    }
