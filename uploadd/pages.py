"""Pages that depend on who asks: rendered per request, kept by nobody, and with nothing in them that runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from packhouse import access
from packhouse.errors import PackhouseError, RateLimited, Unauthenticated
from packhouse.pages.frame import Frame
from packhouse.render import render
from uploadd.call import Call
from uploadd.problems import Statuses, status_of
from uploadd.target import without_keys

_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization, Cookie",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # nginx sends these two itself; a daemon that is asked without it must not lack them.
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

_FRAME = Frame(home="/", here="", static="/static/")
"""Packhouse has the root of its host, and these pages come under several paths."""

ENTRANCE = "/account/sign-in"

_SIGNED_OUT = "Nobody is signed in here any more, so nothing was changed: sign in and repeat it."
"""What a form is told whose session has ended."""

FOLDERS = ("account", "search")
"""First segments of the paths whose refusals are pages, too."""


_PLACES = (("/account/", "Account"), ("/account/packages/", "My packages"))
_ADMIN_PLACES = (
    ("/account/admin/users/", "Users"),
    ("/account/admin/groups/", "Groups"),
    ("/account/admin/rights/", "Rights"),
    ("/account/admin/channels/", "Channels"),
    ("/account/admin/audit/", "Audit log"),
    ("/account/admin/indexer/", "Indexer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One link of the account's navigation; `here` on its own pages."""

    address: str
    name: str
    here: bool


def page(
    call: Call,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    place: str = "",
    up: Sequence[tuple[str, str]] = (),
    **values: Any,
) -> web.Response:
    """Render a page of `templates/account/` for whoever asks.

    Args:
        call: the request.
        template: of the page.
        status: of the answer.
        headers: of the answer, besides what every page has.
        place: where in the account's navigation the page belongs: the last segment of that place's address.
        up: (address, name) of the pages above this one, below the account's own.
        **values: what it shows.
    """
    me = call.principal.name if call.session is not None else ""
    token = call.session.csrf if call.session is not None else ""
    shown = _places(call, place)
    return _html(template, status, headers, me=me, token=token, places=shown, up=up, **values)


def _places(call: Call, here: str) -> Sequence[Place]:
    if call.session is None:
        return ()
    there = (*_PLACES, *(_ADMIN_PLACES if access.administers(call.principal) else ()))
    return [
        Place(address=path, name=name, here=path.rstrip("/").rpartition("/")[2] == here)
        for path, name in there
    ]


def wanted(request: web.Request) -> bool:
    """Whether a refusal should be a page: a browser asks, and for a page."""
    first = request.raw_path.partition("?")[0].lstrip("/").partition("/")[0]
    return first in FOLDERS and "text/html" in request.headers.get("Accept", "")


def refusal(error: PackhouseError, request: web.Request, overrides: Statuses | None = None) -> web.Response:
    """Return a refusal as a page, for a browser that gets no form to correct.

    Who opens a page of the account without being signed in is led to the sign-in page, and back from there.
    """
    if isinstance(error, Unauthenticated) and request.method in ("GET", "HEAD") and _leads_on(request):
        target = urlencode({"next": request.raw_path})
        return web.Response(
            status=303, headers={"Location": f"{ENTRANCE}?{target}", "Cache-Control": "no-store"}
        )
    status, headers = told(error, overrides)
    unknown = isinstance(error, Unauthenticated)
    # A form has no use for what programs are told there: how to send a key.
    signed_out = unknown and request.method == "POST" and not request.headers.get("Authorization")
    return _html(
        "account/refusal.html",
        status,
        headers,
        me="",
        token="",
        places=(),
        up=(),
        title="Not done",
        error=_SIGNED_OUT if signed_out else sentence(error),
        sign_in=unknown,
    )


def _leads_on(request: web.Request) -> bool:
    # Not from the entrance itself: with credentials that are refused there too it would go in a circle.
    return request.raw_path.partition("?")[0].rstrip("/") != ENTRANCE and not request.headers.get(
        "Authorization"
    )


def told(error: PackhouseError, overrides: Statuses | None = None) -> tuple[int, dict[str, str]]:
    """Return the status of a page that tells of a refusal, and the headers it has more.

    A page says 403 where other answers say 401: a 401 has to name a scheme (RFC 9110 section 11.6.1), and the browser
    would ask for a password in a window of its own.
    """
    status = 403 if isinstance(error, Unauthenticated) else status_of(type(error), overrides)
    return status, {"Retry-After": str(error.retry_after_s)} if isinstance(error, RateLimited) else {}


def sentence(error: PackhouseError) -> str:
    """Return what a page says of a refusal: its sentence, written like one."""
    text = without_keys(str(error))
    return f"{text[:1].upper()}{text[1:]}."


def _html(template: str, status: int, headers: Mapping[str, str] | None, **values: Any) -> web.Response:
    body = render(template, **_FRAME.values(), **values)
    return web.Response(body=body, status=status, headers={**_HEADERS, **(headers or {})})
