"""What browsers need beside the answer: where a request comes from, whether a cookie would hold, the cookie."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web

from packhouse.errors import TlsNeeded
from uploadd.call import Call, forged
from uploadd.identity import COOKIE
from uploadd.target import without_keys

HOME, ENTRANCE = "/account/", "/account/sign-in"

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def need_own_page(call: Call) -> None:
    """Pass if a form comes from a page of this server, or from a program that is no browser.

    For forms that anybody may send, who have no session's token yet: without this, a foreign page could sign a
    visitor in as somebody else (login CSRF). Browsers say where a request comes from in Sec-Fetch-Site (over TLS and
    on localhost) and, for every POST, in Origin.

    Raises:
        CrossSite: it comes from elsewhere, be it only another host of the same domain.
    """
    headers = call.request.headers
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise forged()
    origin = headers.get("Origin")
    if origin is not None and _netloc(origin) not in _own_hosts(call):
        raise forged()


def check_form(call: Call, form: Mapping[str, str]) -> None:
    """Pass if the form, or a header beside it, carries the token of the session it acts for; raises `CrossSite`."""
    call.check_token(form.get("token") or call.request.headers.get("X-Packhouse-Token") or "")


def is_secure(call: Call) -> bool:
    """Whether a browser would keep a `__Host-` cookie: over TLS, or on localhost.

    nginx says in X-Forwarded-Proto how it was asked and lets no caller say it. A proxy before nginx that does the TLS
    is known by a `base_url` with https.
    """
    settings = call.services.house.settings
    if settings.base_url.startswith("https://") or call.request.headers.get("X-Forwarded-Proto") == "https":
        return True
    try:
        host = urlsplit("//" + call.request.headers.get("Host", "")).hostname or ""
    except ValueError:
        return False
    return host in _LOOPBACK or host.endswith(".localhost")


def need_secure(call: Call) -> None:
    """Pass if the session's cookie would be kept; raises `TlsNeeded`."""
    if not is_secure(call):
        raise TlsNeeded


def local_path(text: str) -> str:
    """Return a path of this server to go on to: `text` if it is one, else the account's page.

    Nothing that a browser could take for another host: two slashes, a backslash, a scheme, control characters.
    """
    plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else HOME


def go(path: str) -> web.Response:
    """Send the browser on to a page with GET."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def sign_in(call: Call, account: str) -> str:
    """Make a session and return its cookie's value, a fresh one; one that the browser had ends. Blocking."""
    sessions = call.services.house.catalog.sessions
    if call.shown.session:
        sessions.end(call.shown.session)
    agent = without_keys(call.request.headers.get("User-Agent", ""))
    return sessions.create(account, origin=call.address, agent=agent)[1]


def keep(response: web.Response, secret: str) -> web.Response:
    """Hand the session to the browser: no script reads it, no other host or scheme gets it, no foreign form uses it."""
    # `__Host-` (RFC 6265bis section 4.1.3.2): Secure, Path=/ and no Domain, or the browser refuses it.
    response.set_cookie(COOKIE, secret, path="/", secure=True, httponly=True, samesite="Lax")
    return response


def drop(response: web.Response) -> web.Response:
    """Let the browser forget the session."""
    response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
    return response


def _own_hosts(call: Call) -> set[str]:
    configured = _netloc(call.services.house.settings.base_url)
    return {call.request.headers.get("Host", "").lower(), configured} - {""}


def _netloc(address: str) -> str:
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""
