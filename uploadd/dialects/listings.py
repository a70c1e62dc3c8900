"""Lists asked for with credentials: `/`, `/{channel}/`, `/{channel}/simple/`, `/{channel}/products/index.json`.

The lists that lie in the tree name what everyone (or every reader of a private channel) may read. Whoever may read
more gets the same page with that in it; whoever may read a few packages of a private channel and nothing else of it
gets a page of just those. nginx serves the public ones by itself when the daemon does not answer, so a dead daemon
hides nothing that all may see.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from packhouse import shelves
from packhouse.catalog.page_records import PageRecords
from packhouse.ecosystems import Package
from packhouse.ecosystems.generic.pages import root_listing
from packhouse.ecosystems.pypi.pages import root_html, root_json
from packhouse.errors import NotFound
from packhouse.model import Action, Channel, Ecosystem
from packhouse.pages.channel import channel_page
from packhouse.pages.feed import News
from packhouse.pages.frame import AT_ROOT, Frame
from packhouse.pages.site import MAX_NEWS, site_page
from uploadd.call import Call
from uploadd.door import no_channel
from uploadd.routing import ANYONE, Route

_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_JSON_NAMES = ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json")
_HTML_NAMES = (
    "text/html",
    "application/vnd.pypi.simple.v1+html",
    "application/vnd.pypi.simple.latest+html",
)
_NEWS_READ = 100
"""Events that are read for what is new: files of one release are one line."""
_Q = re.compile(r"[01](?:\.[0-9]{0,3})?")


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one caller may see of a channel, as far as a list needs to know.

    Attributes:
        whole: the ecosystems of which they see everything that every reader of the channel sees.
        more: restricted packages, (ecosystem, package); of the other ecosystems, all that they may see.
        as_published: whether the files in the tree say just that.
    """

    whole: frozenset[Ecosystem]
    more: frozenset[tuple[str, str]]
    as_published: bool


async def root(call: Call) -> web.Response:
    """The channels: the public ones, and those of which the caller may read something."""
    return _page(call, await call.services.ask(_root, call), _HTML)


async def channel(call: Call) -> web.Response:
    """The page of one channel."""
    return _page(call, await call.services.ask(_channel, call), _HTML)


async def simple(call: Call) -> web.Response:
    """The list of Python projects, as JSON or HTML (PEP 691)."""
    form = wanted_form(call.request.headers.get("Accept", ""), call.query.get("format", ""))
    body = await call.services.ask(_simple, call, form)
    return _page(call, body, _SIMPLE_JSON if form == "json" else _HTML)


async def products(call: Call) -> web.Response:
    """The list of build products."""
    return _page(call, await call.services.ask(_products, call), _JSON)


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


# --- what they may see -------------------------------------------------------------------------------------------


def _root(call: Call) -> bytes:
    services = call.services

    def shown(item: Channel) -> bool:
        # A channel in `public/` is no secret, whatever the scope of a key says.
        if item.place == "public" or call.principal.anonymous:
            return item.place == "public"
        return services.rights.anywhere(call.principal, Action.READ, item)

    found = [item for item in services.house.catalog.channels.list() if shown(item)]
    lines, news = [], list[News]()
    for item in found:
        whole, more = _whole(call, item, tuple(Ecosystem))
        records = _records(call, item, more)
        lines.append(shelves.line(item, records, sorted(whole)))
        news += shelves.news(one for one in records.happened(MAX_NEWS) if one.ecosystem in whole)
    closed = {item.name for item in found if item.place != "public"}
    return site_page(lines, news, services.house.settings, frame=AT_ROOT, closed=closed)


def _channel(call: Call) -> bytes:
    sight = _sight(call, *Ecosystem)
    if sight.as_published:
        return _published(call, "index.html")
    records = _records(call, call.here, sight.more)
    shown = [
        shelves.shelf(ecosystem, records)
        if ecosystem in sight.whole
        else shelves.shelf_of(ecosystem, _packages(call, sight, ecosystem, "page"))
        for ecosystem in Ecosystem
    ]
    happened = [
        item
        for item in records.happened(_NEWS_READ)
        if item.ecosystem in sight.whole or (item.ecosystem, item.package) in sight.more
    ]
    # The channel's own copy of the assets is for its readers.
    static = "_static/" if len(sight.whole) == len(Ecosystem) else "../static/"
    return channel_page(
        call.here,
        shown,
        shelves.news(happened),
        call.services.house.settings,
        frame=Frame(home="../", here="./", static=static),
    )


def _simple(call: Call, form: str) -> bytes:
    sight = _sight(call, Ecosystem.PYPI)
    if sight.as_published:
        return _published(call, f"simple/index.{form}")
    packages = _packages(call, sight, Ecosystem.PYPI, "index")
    return root_json(packages) if form == "json" else root_html(packages)


def _products(call: Call) -> bytes:
    sight = _sight(call, Ecosystem.GENERIC)
    if sight.as_published:
        return _published(call, "products/index.json")
    return root_listing(_packages(call, sight, Ecosystem.GENERIC, "index"))


def _sight(call: Call, *asked: Ecosystem) -> _Sight:
    """Return what the caller may see of some ecosystems of the channel, now.

    Raises:
        Unauthenticated: nothing of the channel, and nobody signed in.
        NotFound: nothing of the channel: as if it were not there.
    """
    rights, principal, here = call.services.rights, call.principal, call.here
    whole, restricted = _whole(call, here, asked)
    if len(whole) == len(asked):
        return _Sight(whole, restricted, as_published=not restricted)
    if principal.anonymous:
        rights.require(principal, Action.READ, here)
    if not rights.anywhere(principal, Action.READ, here):
        raise no_channel(here.name)
    return _Sight(whole, rights.granted(principal, here) | restricted, as_published=False)


def _whole(
    call: Call, here: Channel, asked: Sequence[Ecosystem]
) -> tuple[frozenset[Ecosystem], frozenset[tuple[str, str]]]:
    """Return the ecosystems of which the caller sees what all readers see, and the restricted packages besides."""
    rights, principal = call.services.rights, call.principal
    whole = frozenset(
        ecosystem for ecosystem in asked if rights.permits(principal, Action.READ, here, ecosystem)
    )
    return whole, frozenset(
        (str(ecosystem), name)
        for ecosystem in whole
        for name in rights.restricted_for(principal, here, ecosystem)
    )


def _records(call: Call, channel: Channel, more: frozenset[tuple[str, str]]) -> PageRecords:
    """Return the records of a channel as the caller may see them; of packages whose pages are there to be read."""
    records = call.services.house.catalog.records(channel.name, lambda _path: None)
    return records.naming_published("page").showing(more)


def _packages(call: Call, sight: _Sight, ecosystem: Ecosystem, kind: str) -> list[Package]:
    """Return the packages that a list for the caller names, by name; only those whose pages are there to be read."""
    records = call.services.house.catalog.records(call.here.name, lambda _path: None)
    found = records.naming_published(kind).showing(sight.more).packages(ecosystem)
    if ecosystem in sight.whole:
        return list(found)
    return [package for package in found if (ecosystem, package.name) in sight.more]


def _published(call: Call, path: str) -> bytes:
    body = call.services.house.read(call.here, path)
    if body is None:
        raise NotFound("page", f"{call.here.name}/{path}", "the indexer has not written it yet")
    return body


def _page(call: Call, body: bytes, content_type: str) -> web.Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding, Authorization, Cookie",
        "ETag": f'"{tag}"',
    }
    if any(known.value in (tag, "*") for known in call.request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)


ROUTES = (
    Route(method="GET", pattern="/", action=ANYONE, handler=root),
    Route(method="GET", pattern="/{channel}", action=Action.READ, handler=channel),
    Route(method="GET", pattern="/{channel}/simple", action=Action.READ, handler=simple),
    Route(method="GET", pattern="/simple", action=Action.READ, handler=simple),
    Route(method="GET", pattern="/pypi", action=Action.READ, handler=simple),
    Route(method="GET", pattern="/{channel}/products/index.json", action=Action.READ, handler=products),
)
