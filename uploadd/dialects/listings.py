"""Lists asked for with credentials: `/`, `/{channel}/`, `/{channel}/simple/`.

The same pages that lie in the tree, for whoever may read the channel. nginx serves the public ones by itself
when the daemon does not answer, so a dead daemon hides nothing that all may see.
"""

import hashlib
import re

from aiohttp import web

from packhouse.errors import Forbidden, NotFound
from packhouse.model import Action
from uploadd.call import Call
from uploadd.door import no_channel
from uploadd.routing import OPEN, Route

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "text/html; charset=utf-8"
_JSON_NAMES = ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json")
_HTML_NAMES = (
    "text/html",
    "application/vnd.pypi.simple.v1+html",
    "application/vnd.pypi.simple.latest+html",
)
_Q = re.compile(r"[01](?:\.[0-9]{0,3})?")


async def root(call: Call) -> web.Response:
    """The list of channels that everyone may see."""
    body = await call.services.ask(_public, call)
    return _page(call, body, _HTML)


async def channel(call: Call) -> web.Response:
    """The page of one channel."""
    return _page(call, await call.services.ask(_read, call, "index.html"), _HTML)


async def simple(call: Call) -> web.Response:
    """The list of Python projects, as JSON or HTML (PEP 691)."""
    form = wanted_form(call.request.headers.get("Accept", ""), call.query.get("format", ""))
    body = await call.services.ask(_read, call, f"simple/index.{form}")
    return _page(call, body, _JSON if form == "json" else _HTML)


def wanted_form(accept: str, format_: str = "") -> str:
    """Return `json` or `html`: what an Accept header prefers; `?format=` wins; a tie goes to JSON.

    Only the JSON media types ask for JSON: a browser's or hatch's `*/*` gets HTML.
    """
    if format_:
        return "json" if format_ == "json" or format_.replace(" ", "+") in _JSON_NAMES else "html"
    best = {"json": 0.0, "html": 0.0}
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        form = "json" if media in _JSON_NAMES else "html" if media in _HTML_NAMES else None
        if form is not None:
            best[form] = max(best[form], _quality(parameters))
    return "json" if best["json"] > 0 and best["json"] >= best["html"] else "html"


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            text = value.strip()
            return min(float(text), 1.0) if _Q.fullmatch(text) else 0.0
    return 1.0


def _public(call: Call) -> bytes:
    try:
        with call.services.house.tree.open("public/index.html") as file:
            return file.read()
    except FileNotFoundError:
        raise NotFound("page", "index.html", "the indexer has not written it yet") from None


def _read(call: Call, path: str) -> bytes:
    # The door lets in whoever may read one package; a list names them all.
    try:
        call.require(Action.READ)
    except Forbidden:
        raise no_channel(call.here.name) from None
    body = call.services.house.read(call.here, path)
    if body is None:
        raise NotFound("page", f"{call.here.name}/{path}", "the indexer has not written it yet")
    return body


def _page(call: Call, body: bytes, content_type: str) -> web.Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding, Authorization",
        "ETag": etag,
    }
    if call.request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)


ROUTES = (
    Route(method="GET", pattern="/", action=OPEN, handler=root),
    Route(method="GET", pattern="/{channel}", action=Action.READ, handler=channel),
    Route(method="GET", pattern="/{channel}/simple", action=Action.READ, handler=simple),
    Route(method="GET", pattern="/simple", action=Action.READ, handler=simple),
    Route(method="GET", pattern="/pypi", action=Action.READ, handler=simple),
)
