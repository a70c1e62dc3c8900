"""What the fields of a query answer: plain values, and functions for what has to be looked up. Everything blocks.

An object is a mapping from the field's name in snake case. Whatever is told comes through the caller's `Sight`, so
that what is missing and what is not theirs to see give one answer.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from packhouse import access
from packhouse.catalog.browse import PackageRow, Rank, Sight, VersionRow
from packhouse.errors import Malformed
from packhouse.model import Artifact, Channel, Ecosystem, Event, Json
from packhouse.names import parse_project, parse_segment
from uploadd import keymaking
from uploadd.answers import record, when
from uploadd.call import Call
from uploadd.graphql.connections import connection, number, place, size
from uploadd.graphql.keyviews import key_view, my_keys, scope_view

Node = Mapping[str, Json]

_HEX_DIGITS = frozenset("0123456789abcdef")


class Asked:
    """One request, and what its caller may see; looked up once for each channel."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.catalog = call.services.house.catalog
        self._sights: dict[str | None, Sight] = {}

    def sight(self, channel: str | None = None) -> Sight:
        """Return what the caller may see, everywhere or in one channel."""
        if channel not in self._sights:
            self._sights[channel] = self.call.services.rights.sight(self.call.principal, channel)
        return self._sights[channel]


def query(asked: Asked) -> Node:
    """Return the root of queries."""
    root = (viewer, me, channel, channels, package, packages, search, content, counters)
    return {field.__name__: partial(field, asked) for field in root}


# --- who asks ------------------------------------------------------------------------------------------------------


def viewer(asked: Asked) -> Node | None:
    """Return whose credentials these are, and what limits them."""
    who = asked.call.principal
    if who.anonymous:
        return None
    return {
        "login": who.name,
        "kind": who.kind,
        "admin": who.admin,
        "groups": sorted(who.groups - access.BUILT_IN),
        "key": who.via.removeprefix("key:") if who.via.startswith("key:") else None,
        "scope": scope_view(who.channels, who.actions),
        "api_keys": partial(_api_keys, asked),
    }


def _api_keys(asked: Asked, first: int | None = None, after: str | None = None) -> Json:
    wanted, behind = size(first), place(after, 1)
    last = 0 if behind is None else number(behind[0])
    keys = [key for key in keymaking.visible(asked.call, asked.call.principal.name) if key.id > last]
    now = asked.catalog.clock()
    return connection(keys[: wanted + 1], wanted, lambda key: (key.id,), lambda key: key_view(key, now))


def me(asked: Asked) -> Node | None:
    """Return the same for Quilt's client."""
    return None if asked.call.principal.anonymous else my_keys(asked.call)


# --- channels ------------------------------------------------------------------------------------------------------


def channels(asked: Asked, first: int | None = None, after: str | None = None) -> Json:
    """List the channels of which the caller may read something."""
    wanted, behind = size(first), place(after, 1)
    there = [item for item in asked.catalog.channels.list() if item.name in asked.sight().named]
    rest = sorted(
        (item for item in there if behind is None or item.name > behind[0]), key=lambda item: item.name
    )
    return connection(
        rest[: wanted + 1], wanted, lambda item: (item.name,), lambda item: _channel(asked, item)
    )


def channel(asked: Asked, name: str) -> Node | None:
    """Return one of them."""
    found = asked.catalog.channels.find(name)
    if found is None or found.name not in asked.sight(found.name).named:
        return None
    return _channel(asked, found)


def _channel(asked: Asked, item: Channel) -> Node:
    return {
        "name": item.name,
        "private": item.private,
        "overwrite": item.overwrite,
        "created": when(item.created_us),
        "packages": partial(packages, asked, within=item.name),
        "package": partial(package, asked, item.name),
        "files": partial(_files, asked, channel=item.name),
        "events": partial(_events, asked, item.name),
    }


def _events(
    asked: Asked, name: str, since: Json = 0, first: int | None = None, after: str | None = None
) -> Json:
    wanted, behind = size(first), place(after, 1)
    start = 0 if since is None else number(since, "since")
    start = start if behind is None else max(start, number(behind[0]))
    found = asked.catalog.browse.events(asked.sight(name), name, since=start, limit=wanted + 1)
    return connection(found, wanted, lambda pair: (pair[0].serial,), lambda pair: _event(*pair))


def _event(event: Event, artifact: Artifact | None) -> Node:
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


# --- packages ------------------------------------------------------------------------------------------------------


def packages(
    asked: Asked,
    ecosystem: str | None = None,
    first: int | None = None,
    after: str | None = None,
    *,
    within: str | None = None,
) -> Json:
    """List the packages of every channel, or of one."""
    wanted, behind = size(first), place(after, 3)
    rows = asked.catalog.browse.packages(
        asked.sight(within),
        limit=wanted + 1,
        ecosystem=ecosystem,
        after=None if behind is None else (behind[0], behind[1], behind[2]),
    )
    return connection(
        rows, wanted, lambda row: (row.channel, row.ecosystem, row.name), lambda row: _package(asked, row)
    )


def package(asked: Asked, channel: str, ecosystem: str, name: str) -> Node | None:
    """Return one package."""
    spelled = _normalised(Ecosystem(ecosystem), name)
    row = asked.catalog.browse.package(asked.sight(channel), channel, ecosystem, spelled)
    return None if row is None else _package(asked, row)


def search(
    asked: Asked, text: str, ecosystem: str | None = None, first: int | None = None, after: str | None = None
) -> Json:
    """Find packages by name or summary, the best match first."""
    wanted, behind = size(first), place(after, 5)
    if not text.strip():
        raise Malformed("text is empty; send words of a package's name or summary")
    start = (
        None
        if behind is None
        else Rank(number(behind[0]), number(behind[1]), behind[2], behind[3], behind[4])
    )
    found = asked.catalog.browse.search(
        asked.sight(), text, limit=wanted + 1, ecosystem=ecosystem, after=start
    )
    return connection(found, wanted, lambda hit: hit[0], lambda hit: _package(asked, hit[1]))


def _package(asked: Asked, row: PackageRow) -> Node:
    return {
        "channel": row.channel,
        "ecosystem": row.ecosystem,
        "name": row.name,
        "display": row.display,
        "latest": row.latest,
        "summary": row.summary,
        "file_count": row.files,
        "serial": row.serial,
        "updated": when(row.updated_us),
        # Names hold nothing that an address would have to escape (`packhouse.names`).
        "url": f"{row.channel}/{row.ecosystem}/{row.name}/",
        "versions": partial(_versions, asked, row),
        "version": partial(_version_of, asked, row),
    }


def _versions(asked: Asked, row: PackageRow, first: int | None = None, after: str | None = None) -> Json:
    wanted, behind = size(first), place(after, 1)
    rest = [item for item in _rows(asked, row) if behind is None or item.version > behind[0]]
    found = sorted(rest, key=lambda item: item.version)[: wanted + 1]
    return connection(found, wanted, lambda item: (item.version,), lambda item: _version(asked, row, item))


def _version_of(asked: Asked, row: PackageRow, version: str) -> Node | None:
    return next((_version(asked, row, item) for item in _rows(asked, row, version)), None)


def _rows(asked: Asked, row: PackageRow, version: str | None = None) -> Sequence[VersionRow]:
    sight = asked.sight(row.channel)
    return asked.catalog.browse.versions(sight, row.channel, row.ecosystem, row.name, version)


def _version(asked: Asked, row: PackageRow, item: VersionRow) -> Node:
    return {
        "version": item.version,
        "file_count": item.files,
        "size": item.size,
        "first_uploaded": when(item.first_us),
        "last_uploaded": when(item.last_us),
        "yanked": item.yanked,
        "top_hash": item.top_hash,
        "files": partial(
            _files,
            asked,
            channel=row.channel,
            ecosystem=row.ecosystem,
            package=row.name,
            version=item.version,
        ),
    }


# --- files ---------------------------------------------------------------------------------------------------------


def _files(
    asked: Asked,
    *,
    channel: str,
    ecosystem: str | None = None,
    package: str | None = None,
    version: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Json:
    wanted, behind = size(first), place(after, 1)
    found = asked.catalog.browse.files(
        asked.sight(channel),
        limit=wanted + 1,
        channel=channel,
        ecosystem=ecosystem,
        package=package,
        version=version,
        after=0 if behind is None else number(behind[0]),
    )
    return connection(found, wanted, lambda artifact: (artifact.id,), record)


def content(asked: Asked, sha256: str, first: int | None = None, after: str | None = None) -> Json:
    """Find the files that have certain bytes, in every channel."""
    wanted, behind = size(first), place(after, 1)
    if len(sha256) != 64 or not set(sha256) <= _HEX_DIGITS:
        raise Malformed("sha256 names no content; send 64 hexadecimal digits in lower case")
    last = 0 if behind is None else number(behind[0])
    found = [item for item in asked.catalog.browse.content(asked.sight(), sha256) if item.id > last]
    return connection(found[: wanted + 1], wanted, lambda artifact: (artifact.id,), record)


def counters(asked: Asked) -> Node:
    """Count what there is to see."""
    there = asked.catalog.browse.counters(asked.sight())
    return {
        "channels": there.channels,
        "packages": there.packages,
        "files": there.files,
        "bytes": there.bytes,
        "ecosystems": [{"ecosystem": name, **each} for name, each in sorted(there.by_ecosystem.items())],
    }


def _normalised(ecosystem: Ecosystem, text: str) -> str:
    """Return the one spelling of a package's name under which it is kept."""
    if ecosystem is Ecosystem.PYPI:
        return parse_project(text)
    return parse_segment(f"{ecosystem} package", text).lower()
