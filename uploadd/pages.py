"""Pages that depend on who asks: rendered per request, kept by nobody, and with nothing in them that runs."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from packhouse.errors import PackhouseError, RateLimited, Unauthenticated
from packhouse.render import render
from uploadd.call import Call
from uploadd.problems import Statuses, status_of
from uploadd.target import without_keys

_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization, Cookie",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # nginx sends these two itself; a daemon that is asked without it must not lack them.
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

STATIC = "/static/"
"""Where the assets lie: Packhouse has the root of its host, and these pages come under several paths."""

FOLDER = "account"
"""First segment of the paths whose refusals are pages, too."""


def page(
    call: Call,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> web.Response:
    """Render a page of `templates/account/` for whoever asks; `values` are what it shows."""
    me = call.principal.name if call.session is not None else ""
    token = call.session.csrf if call.session is not None else ""
    return _html(template, status, headers, me=me, token=token, **values)


def wanted(request: web.Request) -> bool:
    """Whether a refusal should be a page: a browser asks, and for a page."""
    first = request.raw_path.partition("?")[0].split("/")[1:2]
    return first == [FOLDER] and "text/html" in request.headers.get("Accept", "")


def refusal(error: PackhouseError, overrides: Statuses | None = None) -> web.Response:
    """Return a refusal as a page, for a browser that gets no form to correct."""
    status, headers = told(error, overrides)
    return _html(
        "account/refusal.html", status, headers, me="", token="", title="Not done", error=sentence(error)
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
    body = render(template, static=STATIC, **values)
    return web.Response(body=body, status=status, headers={**_HEADERS, **(headers or {})})
