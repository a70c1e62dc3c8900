"""What the pages of signed-in people share: who may see them, their forms, times, notices, and lists in pages."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode

from aiohttp import web

from packhouse.catalog.sessions import Session
from packhouse.errors import PackhouseError, Unauthenticated
from packhouse.intake.moving import CACHES, Moved
from packhouse.model import Grant
from uploadd import auditing, browser, pages, paging
from uploadd.call import Call
from uploadd.forms import read_form
from uploadd.granting import LATE

PER_PAGE = 50
"""Rows of a table."""

_US = 1_000_000
_AFTER = {"caches": CACHES, "late": LATE}
"""What a change of rights may have to say more, by the word that stands for it in an address."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as a page shows it, as it says it in full, and as programs read it."""

    text: str
    full: str
    iso: str


def moment(time_us: int) -> Moment:
    """Return a time, microseconds since 1970 UTC, for a page."""
    then = time.gmtime(time_us // _US)
    return Moment(
        time.strftime("%Y-%m-%d %H:%M UTC", then),
        time.strftime("%A, %d %B %Y, %H:%M:%S UTC", then),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", then),
    )


# --- who asks ----------------------------------------------------------------------------------------------------


def session_of(call: Call) -> Session:
    """Return the session of the browser that asks.

    Raises:
        Unauthenticated: nobody signed in with one. A key is for programs, and there is an API for each page.
    """
    if call.session is None:
        raise Unauthenticated("this page is for a browser that signed in: sign in, then open it again")
    return call.session


async def own_form(call: Call) -> Mapping[str, str]:
    """Return the fields of a form that this browser's own page sent.

    Raises:
        CrossSite: another page sent it.
        Unauthenticated: nobody is signed in with a browser.
    """
    browser.need_own_page(call)
    if call.session is None:
        raise Unauthenticated(
            "nobody is signed in here any more, so nothing was changed: sign in and repeat it"
        )
    form = await read_form(call)
    browser.check_form(call, form)
    return form


# --- what came of it ---------------------------------------------------------------------------------------------


def refused(call: Call, error: PackhouseError | None) -> tuple[int, dict[str, str], str]:
    """Return status, headers and sentence of a page that tells of a refusal beside its form; and have it audited."""
    if error is None:
        return 200, {}, ""
    status, headers = pages.told(error)
    auditing.tell(call, outcome=error.code)
    return status, headers, pages.sentence(error)


def address(*segments: str) -> str:
    """Return the path of a page; names may hold `@` and `+`, and are quoted."""
    return "/".join(("", *(quote(segment, safe="") for segment in segments), ""))


def rights_page(grant: Grant) -> str:
    """Return the path of the page on which a grant stands."""
    package = (grant.ecosystem, grant.package) if grant.ecosystem and grant.package else ()
    return address("account", "admin", "rights", grant.channel, *package)


def done(path: str, word: str, *more: str) -> web.Response:
    """Go on to a page that tells by a word what was done; a page that is loaded again does it no second time."""
    return browser.go(f"{path}?{urlencode({'done': '.'.join((word, *more))})}")


def notice(call: Call, sentences: Mapping[str, str]) -> str:
    """Return what a page says of what was done before it; only words that it knows are said."""
    words = call.query.get("done", "").split(".")
    known = {**sentences, **_AFTER}
    return " ".join(
        f"{text[:1].upper()}{text[1:].rstrip('.')}." for word in words if (text := known.get(word))
    )


async def moved_words(call: Call, moved: Moved) -> Sequence[str]:
    """Wait until a change of rights is published; return the words of what there is to say of it."""
    listed = await call.services.publication.wait(moved.awaited)
    return [word for word, text in _AFTER.items() if (text == LATE and not listed) or text == moved.note]


# --- lists -------------------------------------------------------------------------------------------------------


def window(call: Call, items: Sequence[T], place: Callable[[T], str], path: str) -> tuple[list[T], str]:
    """Return the rows of one page of a list, and the address of the next page; empty if there is none.

    Raises:
        Malformed: `per_page` is no number from 1 to 50.
    """
    query = {"per_page": str(PER_PAGE), **call.query}
    rows, token = paging.window(query, items, place)
    return rows, next_page(call, path, token)


def next_page(call: Call, path: str, token: str) -> str:
    """Return the address of the next page; what was done before this one is not said there again."""
    return paging.next_page(path, {name: text for name, text in call.query.items() if name != "done"}, token)
