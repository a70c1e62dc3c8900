"""What there is: packages, versions, files, bytes, the history of a channel, counts and search; and the API itself.

GET /api/1/                                                                  every request of this API
GET /api/1/openapi.json                                                      the same as OpenAPI 3.1
GET /api/1/packages/                                                         ?ecosystem=
GET /api/1/channels/{channel}/packages/                                      ?ecosystem=
GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/
GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/versions/
GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/versions/{version}/
GET /api/1/channels/{channel}/files/                                         ?ecosystem= ?package= ?version=
GET /api/1/channels/{channel}/events/                                        ?since=
GET /api/1/content/sha256:<hex>/
GET /api/1/stat/counters/
GET /api/1/search/                                                           ?q= ?ecosystem=

Every answer is made from what the caller may see (`Sight`), so none can name or count anything else.
"""

import re
from collections.abc import Sequence

from aiohttp import web

from packhouse import manifest
from packhouse.catalog.browse import PackageRow, Rank, Sight, VersionRow
from packhouse.errors import Malformed, NotFound
from packhouse.model import Action, Artifact, Ecosystem, Event, Json
from packhouse.names import parse_project, parse_segment
from uploadd import openapi, paging
from uploadd.answers import record, when
from uploadd.call import Call
from uploadd.negotiate import answer, told
from uploadd.routing import ANYONE, OPEN, Route

_API = "/api/1"
_CHANNEL = f"{_API}/channels/{{channel}}"
_PACKAGE = f"{_CHANNEL}/packages/{{ecosystem}}/{{name}}"
_ALWAYS = frozenset({"fields"})
_LIST = _ALWAYS | {"per_page", "page_token"}
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


async def index(call: Call) -> web.Response:
    """List every request of this API."""
    _know(call, _ALWAYS)
    return answer(call, list(call.request.app[openapi.DESCRIPTION].index), title="The API")


async def description(call: Call) -> web.Response:
    """Describe this API as OpenAPI 3.1."""
    _know(call, _ALWAYS)
    return answer(call, dict(call.request.app[openapi.DESCRIPTION].document), title="OpenAPI")


# --- packages ------------------------------------------------------------------------------------------------------


async def packages(call: Call) -> web.Response:
    """List the packages of every channel."""
    return await _packages(call, None, f"{_API}/packages/")


async def channel_packages(call: Call) -> web.Response:
    """List the packages of a channel."""
    name = call.here.name
    return await _packages(call, name, f"{_API}/channels/{name}/packages/")


async def _packages(call: Call, channel: str | None, path: str) -> web.Response:
    query = _know(call, _LIST | {"ecosystem"})
    size, after, ecosystem = paging.per_page(query), paging.texts(query, 3), _asked_ecosystem(call)

    def found() -> Sequence[PackageRow]:
        return call.services.house.catalog.browse.packages(
            _sight(call, channel),
            limit=size + 1,
            ecosystem=ecosystem,
            after=None if after is None else (after[0], after[1], after[2]),
        )

    rows = await call.services.ask(found)
    shown, token = paging.cut(rows, size, lambda row: (row.channel, row.ecosystem, row.name))
    return answer(
        call,
        [_package_record(row) for row in shown],
        title=f"Packages of {channel}" if channel else "Packages",
        next_=paging.next_page(path, query, token),
    )


async def package(call: Call) -> web.Response:
    """Describe one package of a channel."""
    _know(call, _ALWAYS)
    ecosystem, name = _named(call)

    def found() -> PackageRow:
        sight = _sight(call, call.here.name)
        row = call.services.house.catalog.browse.package(sight, call.here.name, ecosystem, name)
        if row is None:
            raise _no_package(call, ecosystem, name)
        return row

    row = await call.services.ask(found)
    return answer(call, _package_record(row), title=f"{row.display} of {row.channel}")


async def search(call: Call) -> web.Response:
    """Find packages by name or summary, the best match first."""
    query = _know(call, _LIST | {"q", "ecosystem"})
    size, after, ecosystem = paging.per_page(query), paging.texts(query, 5), _asked_ecosystem(call)
    text = query.get("q", "")
    if not text.strip():
        raise Malformed("q is missing; send words of a package's name or summary, such as ?q=json+parser")
    behind = None
    if after is not None:
        behind = Rank(paging.rank(after[0]), paging.rank(after[1]), after[2], after[3], after[4])

    def found() -> Sequence[tuple[Rank, PackageRow]]:
        return call.services.house.catalog.browse.search(
            _sight(call), text, limit=size + 1, ecosystem=ecosystem, after=behind
        )

    shown, token = paging.cut(await call.services.ask(found), size, lambda hit: hit[0])
    return answer(
        call,
        [_package_record(row) for _, row in shown],
        title="Search",
        next_=paging.next_page(f"{_API}/search/", query, token),
    )


# --- versions ------------------------------------------------------------------------------------------------------


async def versions(call: Call) -> web.Response:
    """List the versions of a package, by their text."""
    query = _know(call, _LIST)
    ecosystem, name = _named(call)
    rows = await call.services.ask(_versions, call, ecosystem, name)
    shown, token = paging.window(query, rows, lambda row: row.version)
    path = f"{_API}/channels/{call.here.name}/packages/{ecosystem}/{name}/versions/"
    return answer(
        call,
        [_version_record(row) for row in shown],
        title=f"Versions of {name} of {call.here.name}",
        next_=paging.next_page(path, query, token),
    )


async def version(call: Call) -> web.Response:
    """Describe one version of a package, with its files."""
    _know(call, _ALWAYS)
    ecosystem, name = _named(call)
    text = call.path["version"]
    for row in await call.services.ask(_versions, call, ecosystem, name, text):
        body = {**_version_record(row), "manifest": manifest.as_json(row.manifest)}
        return answer(call, body, title=f"{name} {row.version} of {call.here.name}")
    wanted = parse_segment("version", text)
    raise NotFound("version", f"{wanted} of {ecosystem} package {name} in channel {call.here.name}")


def _versions(call: Call, ecosystem: Ecosystem, name: str, text: str | None = None) -> Sequence[VersionRow]:
    browse, sight = call.services.house.catalog.browse, _sight(call, call.here.name)
    rows = browse.versions(sight, call.here.name, ecosystem, name, text)
    if not rows and browse.package(sight, call.here.name, ecosystem, name) is None:
        raise _no_package(call, ecosystem, name)
    return rows


# --- files ---------------------------------------------------------------------------------------------------------


async def files(call: Call) -> web.Response:
    """List the files of a channel in the order in which they came."""
    query = _know(call, _LIST | {"ecosystem", "package", "version"})
    size, after, ecosystem = paging.per_page(query), paging.behind(query), _asked_ecosystem(call)
    name = query.get("package")
    if name is not None and ecosystem is None:
        raise Malformed(
            "package needs its ecosystem: names of two ecosystems have nothing to do with each other"
        )
    wanted = None if name is None or ecosystem is None else _normalised(ecosystem, name)

    def found() -> Sequence[Artifact]:
        return call.services.house.catalog.browse.files(
            _sight(call, call.here.name),
            limit=size + 1,
            channel=call.here.name,
            ecosystem=ecosystem,
            package=wanted,
            version=query.get("version"),
            after=after,
        )

    shown, token = paging.cut(await call.services.ask(found), size, lambda artifact: (artifact.id,))
    return answer(
        call,
        [record(artifact) for artifact in shown],
        title=f"Files of {call.here.name}",
        next_=paging.next_page(f"{_API}/channels/{call.here.name}/files/", query, token),
    )


async def content(call: Call) -> web.Response:
    """Find the files that have certain bytes, in every channel."""
    _know(call, _ALWAYS)
    text = call.path["digest"]
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise Malformed(
            f"{text[:80]!r} names no content: send sha256: and 64 hexadecimal digits in lower case"
        )

    def found() -> Sequence[Artifact]:
        return call.services.house.catalog.browse.content(_sight(call), match[1])

    artifacts = await call.services.ask(found)
    if not artifacts:
        raise NotFound("content", text)
    body = {
        "sha256": match[1],
        "size": artifacts[0].size,
        "files": [record(artifact) for artifact in artifacts],
    }
    return answer(call, body, title=text)


async def events(call: Call) -> web.Response:
    """Tell the history of a channel, oldest first: what a mirror follows."""
    query = _know(call, _LIST | {"since"})
    size, since = paging.per_page(query), paging.number(query, "since", default=0)
    after = max(since, paging.behind(query))

    def found() -> Sequence[tuple[Event, Artifact | None]]:
        return call.services.house.catalog.browse.events(
            _sight(call, call.here.name), call.here.name, since=after, limit=size + 1
        )

    shown, token = paging.cut(await call.services.ask(found), size, lambda pair: (pair[0].serial,))
    return answer(
        call,
        [_event_record(event, artifact) for event, artifact in shown],
        title=f"History of {call.here.name}",
        next_=paging.next_page(f"{_API}/channels/{call.here.name}/events/", query, token),
    )


async def counters(call: Call) -> web.Response:
    """Count what there is to see."""
    _know(call, _ALWAYS)

    def found() -> dict[str, Json]:
        there = call.services.house.catalog.browse.counters(_sight(call))
        return {
            "channels": there.channels,
            "packages": there.packages,
            "files": there.files,
            "bytes": there.bytes,
            "by_ecosystem": {name: dict(each) for name, each in there.by_ecosystem.items()},
        }

    return answer(call, await call.services.ask(found), title="Counters")


# --- what is asked -------------------------------------------------------------------------------------------------


def _know(call: Call, known: frozenset[str]) -> dict[str, str]:
    """Return the parameters; a misspelled filter would look like an answer, so an unknown one is refused."""
    strange = sorted(set(call.query) - known)
    if strange:
        raise Malformed(f"{strange[0][:80]!r} is not known here; these are: {', '.join(sorted(known))}")
    return dict(call.query)


def _sight(call: Call, channel: str | None = None) -> Sight:
    return call.services.rights.sight(call.principal, channel)


def _asked_ecosystem(call: Call) -> Ecosystem | None:
    text = call.query.get("ecosystem")
    return None if text is None else _ecosystem(text)


def _named(call: Call) -> tuple[Ecosystem, str]:
    ecosystem = _ecosystem(call.path["ecosystem"])
    return ecosystem, _normalised(ecosystem, call.path["name"])


def _ecosystem(text: str) -> Ecosystem:
    try:
        return Ecosystem(text)
    except ValueError:
        raise Malformed(f"{text[:80]!r} is no ecosystem; these are: {', '.join(Ecosystem)}") from None


def _normalised(ecosystem: Ecosystem, text: str) -> str:
    """Return the one spelling of a package's name under which it is kept."""
    if ecosystem is Ecosystem.PYPI:
        return parse_project(text)
    return parse_segment(f"{ecosystem} package", text).lower()


def _no_package(call: Call, ecosystem: Ecosystem, name: str) -> NotFound:
    return NotFound("package", f"{ecosystem}/{name} in channel {call.here.name}")


# --- what is answered ----------------------------------------------------------------------------------------------


def _package_record(row: PackageRow) -> dict[str, Json]:
    body = {
        "channel": row.channel,
        "ecosystem": row.ecosystem,
        "name": row.name,
        "display": row.display,
        "latest": row.latest,
        "summary": row.summary,
        "files": row.files,
        "serial": row.serial,
        "updated": when(row.updated_us),
        # Names hold nothing that an address would have to escape (`packhouse.names`).
        "url": f"{row.channel}/{row.ecosystem}/{row.name}/",
    }
    return told(body, row.undecodable)


def _version_record(row: VersionRow) -> dict[str, Json]:
    return {
        "version": row.version,
        "files": row.files,
        "size": row.size,
        "first_uploaded": when(row.first_us),
        "last_uploaded": when(row.last_us),
        "yanked": row.yanked,
        "top_hash": row.top_hash,
    }


def _event_record(event: Event, artifact: Artifact | None) -> dict[str, Json]:
    return {
        "serial": event.serial,
        "kind": str(event.kind),
        "path": event.path,
        "sha256": event.sha256,
        "by": event.by,
        "at": when(event.at_us),
        "note": event.note,
        "file": None if artifact is None else record(artifact),
    }


ROUTES = (
    Route(method="GET", pattern=_API, action=OPEN, handler=index),
    Route(method="GET", pattern=f"{_API}/openapi.json", action=OPEN, handler=description),
    Route(method="GET", pattern=f"{_API}/packages", action=ANYONE, handler=packages),
    Route(method="GET", pattern=f"{_CHANNEL}/packages", action=Action.READ, handler=channel_packages),
    Route(method="GET", pattern=_PACKAGE, action=Action.READ, handler=package),
    Route(method="GET", pattern=f"{_PACKAGE}/versions", action=Action.READ, handler=versions),
    Route(method="GET", pattern=f"{_PACKAGE}/versions/{{version}}", action=Action.READ, handler=version),
    Route(method="GET", pattern=f"{_CHANNEL}/files", action=Action.READ, handler=files),
    Route(method="GET", pattern=f"{_CHANNEL}/events", action=Action.READ, handler=events),
    Route(method="GET", pattern=f"{_API}/content/{{digest}}", action=ANYONE, handler=content),
    Route(method="GET", pattern=f"{_API}/stat/counters", action=ANYONE, handler=counters),
    Route(method="GET", pattern=f"{_API}/search", action=ANYONE, handler=search),
)
