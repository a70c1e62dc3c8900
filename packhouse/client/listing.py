"""Which packages a channel has, which versions, and search.

`<channel>/simple/index.json`, `products/index.json` and `channeldata.json` name the packages that all readers of the
channel see; they are files, which nginx serves while the daemon is down. What only the holder of a key sees, and
search, are the daemon's to say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from packhouse.client import session
from packhouse.client.connection import Server, Unreachable
from packhouse.client.reading import number, sensible, static, text
from packhouse.client.registry import Registry
from packhouse.client.versions import find
from packhouse.errors import Malformed
from packhouse.model import Json
from packhouse.names import parse_project

LATEST: Literal["latest"] = "latest"
_PER_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package that a search found.

    Attributes:
        channel, ecosystem, name: where it is and what it is called; `registry` has the channel's URL.
        display: the name as its author spells it.
        latest: the newest version.
        summary: one line, may be empty.
        files: how many there are.
        serial: the channel's serial of its last change.
        updated: when that was, UTC.
        url: of its page.
    """

    registry: str
    channel: str
    ecosystem: str
    name: str
    display: str
    latest: str
    summary: str
    files: int
    serial: int
    updated: datetime
    url: str


def list_packages(registry: str | None = None) -> list[str]:
    """Return the packages of a channel as `ecosystem/name`, sorted.

    Without a key, these are the packages that everybody sees, read from files: no daemon is needed. With a key, the
    server is asked for all that its holder may see, and the files are read only where it does not answer.

    Args:
        registry: URL of the channel; None is the configured one.

    Raises:
        KeyRefused: the key is no good, or there is none and the channel is private or not there.
        Missing: there is no such channel for the key's holder.
        Unreachable: the server does not answer; `TimedOut` if it is slow.
        Malformed: that is no URL of a channel.
    """
    where = session.registry_of(registry)
    if key := session.current_key(where.server):
        try:
            return _asked(session.with_key(where.server, key), where)
        except Unreachable:
            return _listed(where)  # what nginx serves is there all the same
    return _listed(where)


def _asked(server: Server, where: Registry) -> list[str]:
    query = {"per_page": str(_PER_PAGE), "fields": "ecosystem,name"}
    found = []
    for page in server.pages(f"/api/1/channels/{where.channel}/packages/", query):
        with sensible(where.server):
            found += [f"{text(item, 'ecosystem')}/{text(item, 'name')}" for item in page.items]
    return sorted(found)


def _listed(where: Registry) -> list[str]:
    projects = static(where, "simple/index.json").body
    products = static(where, "products/index.json").body
    conda = static(where, "channeldata.json").body
    with sensible(where.server):
        return sorted(
            [
                *(f"pypi/{parse_project(text(item, 'name'))}" for item in projects["projects"]),
                *(f"generic/{text(item, 'product')}" for item in products["products"]),
                *(f"conda/{name}" for name in conda["packages"]),
            ]
        )


def list_package_versions(
    name: str, registry: str | None = None
) -> list[tuple[int | Literal["latest"], str]]:
    """Return the versions of a package as pairs: when its last file was uploaded, and its top hash; oldest first.

    The time is in whole seconds since 1970 UTC. The last pair has `latest` instead, and the top hash of the newest
    version by the ecosystem's order (PEP 440, conda's), which `pull` takes if nothing else is said. All is read from
    files: for a public channel no daemon is needed.

    Args:
        name: `ecosystem/name`, or the bare name if only one ecosystem has it.
        registry: URL of the channel; None is the configured one.

    Raises:
        Missing: there is no such package, or the key's holder may not know of it.
        Ambiguous: several ecosystems have the name.
        HashMismatch: a top hash is not that of the files it stands for.
        KeyRefused, Unreachable, Malformed: as `list_packages`.
    """
    found = find(session.registry_of(registry), name)
    by_age = sorted(found.versions, key=lambda version: (version.last_uploaded, version.version))
    pairs: list[tuple[int | Literal["latest"], str]] = [
        (int(version.last_uploaded.timestamp()), version.top_hash) for version in by_age
    ]
    return [*pairs, (LATEST, found.latest.top_hash)]


def search(query: str, limit: int = 10, registry: str | None = None) -> list[Package]:
    """Find packages of all channels by name or summary, the best match first.

    Args:
        query: words of the name or the summary.
        limit: at most so many.
        registry: URL of any channel of the server; None is the configured one.

    Raises:
        Malformed: nothing is asked for, or `limit` is less than 1.
        KeyRefused: the key is no good. Without one, what everybody sees is found.
        Unreachable: the server does not answer; `TimedOut` if it is slow.
    """
    if limit < 1:
        raise Malformed(f"limit is {limit}: ask for at least one package")
    where = session.registry_of(registry)
    server = session.with_key(where.server, session.current_key(where.server))
    found: list[Package] = []
    asked = {"q": query, "per_page": str(min(limit, _PER_PAGE))}
    for page in server.pages("/api/1/search/", asked):
        with sensible(where.server):
            found += _packages(where.server, page.items)
        if len(found) >= limit:
            break
    return found[:limit]


def _packages(server: str, items: tuple[Mapping[str, Json], ...]) -> Iterator[Package]:
    for item in items:
        yield Package(
            registry=f"{server}/{text(item, 'channel')}",
            channel=text(item, "channel"),
            ecosystem=text(item, "ecosystem"),
            name=text(item, "name"),
            display=text(item, "display"),
            latest=text(item, "latest"),
            summary=text(item, "summary"),
            files=number(item, "files"),
            serial=number(item, "serial"),
            updated=datetime.fromisoformat(text(item, "updated")),
            url=f"{server}/{text(item, 'url')}",
        )
