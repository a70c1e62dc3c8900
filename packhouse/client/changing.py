"""Changing a channel: uploading, deleting, yanking, and waiting until it shows."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from packhouse.client import session, stopping, uploads
from packhouse.client.connection import Answer, Missing, Server
from packhouse.client.reading import url_path
from packhouse.client.registry import Registry, parse_package
from packhouse.client.uploads import LISTED_S, Progress, Pushed, pack, wait_until_listed
from packhouse.client.versions import Version, find
from packhouse.errors import BadName, Malformed
from packhouse.model import Ecosystem
from packhouse.names import parse_segment

_ACCEPTED = 202

PathLike = str | os.PathLike[str]


def push(
    files: PathLike | Iterable[PathLike],
    registry: str | None = None,
    *,
    product: str | None = None,
    version: str | None = None,
    force: bool = False,
    skip_existing: bool = False,
    progress: Progress | None = None,
) -> list[Pushed]:
    """Upload files, one after the other, and return when every index lists them.

    What a file is, its name tells: .conda, .tar.bz2, .whl, .tar.gz, .zip; any other file needs `product` and
    `version`. The same bytes again are a success, so what failed in the middle may be begun anew.

    Args:
        files: one path, or several.
        registry: URL of the channel; None is the configured one.
        product: the files are build products of this name, with `version`.
        version: of the build product.
        force: replace other bytes; the channel must allow it.
        skip_existing: other bytes under the name are no error; they stay.
        progress: told of the bytes sent; a negative number takes back what an earlier try had sent.

    Returns:
        What became of each file, in their order.

    Raises:
        BadName: no ecosystem knows such a file; nothing was sent.
        Malformed: only one of `product` and `version` is given, or that is no URL of a channel.
        KeyRefused: there is no key, or it is no good. NotPermitted: it lacks the right.
        ServerRefused: the server does not take a file; the sentence says why. Earlier files are uploaded.
        Unreachable: it does not answer, or does not list a file in time; `TimedOut` if it is slow.
        OSError: a file cannot be read.
    """
    if (product is None) != (version is None):
        raise Malformed("a build product has a name and a version: give both, or neither")
    where = session.registry_of(registry)
    paths = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    server = session.keyed(where.server)
    # All of them are understood before the first one is sent.
    parcels = [
        pack(Path(path), where.channel, product=product, version=version, force=force) for path in paths
    ]
    pushed = []
    for parcel in parcels:
        stopping.check()
        pushed.append(uploads.push(server, parcel, skip_existing=skip_existing, progress=progress))
    return pushed


def delete(path: str, registry: str | None = None, *, now: bool = False, reason: str = "") -> None:
    """Delete one file, and return when no index lists it. Its name stays retired.

    Args:
        path: in the channel, such as `noarch/hello-1.0-0.conda`, or the URL that the file is read from.
        registry: URL of the channel; None is the configured one.
        now: take the bytes away at once (a leaked secret, malware), not after a grace.
        reason: why, for the history.

    Raises:
        Missing: it is not there. BadName: that is no path of a file.
        KeyRefused, NotPermitted, Unreachable, Malformed: as `push`.
    """
    where = session.registry_of(registry)
    server = session.keyed(where.server)
    _listed(server, where, _delete(server, where, _in_channel(where, path), now=now, reason=reason))


def delete_package(
    name: str, registry: str | None = None, top_hash: str | None = None, *, version: str | None = None
) -> None:
    """Delete a package, or one version of it, and return when no index lists it. The files' names stay retired.

    Args:
        name: `ecosystem/name`, or the bare name if only one ecosystem has it.
        registry: URL of the channel; None is the configured one.
        top_hash: of the version, or its first 6 or more characters.
        version: as its files spell it. Two versions of the same files have the same top hash: then this tells them
            apart. Without both the whole package is deleted.

    Raises:
        Missing: there is no such package or version.
        HashMismatch: the version has another top hash.
        Ambiguous: several ecosystems have the name, or several versions such a top hash.
        KeyRefused, NotPermitted, Unreachable, Malformed: as `push`. Some files may be deleted then.
    """
    where = session.registry_of(registry)
    server = session.keyed(where.server)
    found = find(where, name)
    chosen: Iterable[Version] = found.versions
    if top_hash is not None:
        chosen = [found.only(version, top_hash)]
    elif version is not None:
        chosen = [found.at(version)]
    late = None
    for file in (file for version in chosen for file in version.files):
        try:
            answer = _delete(server, where, file.path)
        except Missing:
            continue  # somebody else was faster, or an earlier call that was broken off
        late = answer if answer.status == _ACCEPTED else late
    if late is not None:
        _listed(server, where, late)


def yank(name: str, version: str, reason: str = "", registry: str | None = None) -> None:
    """Yank a Python release (PEP 592), and return when the index says so: only those who pin it still get it.

    Args:
        name: of the project, with or without `pypi/`.
        version: of the release.
        reason: why; installers show it.
        registry: URL of the channel; None is the configured one.

    Raises:
        Missing: there is no such release. BadName: it is no Python project.
        KeyRefused, NotPermitted, Unreachable, Malformed: as `push`.
    """
    body = json.dumps({"reason": reason}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    where, server, path = _release(name, version, registry)
    _listed(server, where, server.ask("POST", path, headers=headers, body=lambda: [body]))


def unyank(name: str, version: str, registry: str | None = None) -> None:
    """Take the yank of a Python release back; arguments and errors are those of `yank`."""
    where, server, path = _release(name, version, registry)
    _listed(server, where, server.ask("DELETE", path))


def wait(serial: int, registry: str | None = None, timeout: float = LISTED_S) -> None:
    """Wait until everything of a channel is published up to a serial, as `<channel>/serial.json` says.

    Args:
        serial: such as the one in the answer to an upload.
        registry: URL of the channel; None is the configured one.
        timeout: the longest wait, in seconds.

    Raises:
        Unreachable: it is not published in that time.
        KeyRefused: the channel is private or not there, and there is no key or a wrong one.
        Malformed: that is no URL of a channel.
    """
    where = session.registry_of(registry)
    server = session.with_key(where.server, session.current_key(where.server))
    wait_until_listed(server, where.channel, serial, within_s=timeout)


def _release(name: str, version: str, registry: str | None) -> tuple[Registry, Server, str]:
    where = session.registry_of(registry)
    package = parse_package(name if "/" in name else f"{Ecosystem.PYPI}/{name}")[0]
    if package.ecosystem is not Ecosystem.PYPI:
        raise BadName("Python project", name, "only Python releases can be yanked (PEP 592)")
    spelled = quote(parse_segment("version", version), safe="")
    return where, session.keyed(where.server), f"/api/1/{where.channel}/{package.name}/{spelled}/yank"


def _in_channel(where: Registry, path: str) -> str:
    """Return the path in the channel of a path or a URL."""
    inside = path
    if "://" in path:
        if not path.startswith(f"{where.url}/"):
            raise BadName("URL", path, f"it is not below {where.url}: name its channel with registry=")
        inside = unquote(urlsplit(path).path).removeprefix(urlsplit(where.url).path)
    inside = inside.lstrip("/")
    if "/" not in inside or inside.endswith("/"):
        raise BadName("file", path, "give its path in the channel, such as noarch/hello-1.0-0.conda")
    return inside


def _delete(server: Server, where: Registry, path: str, *, now: bool = False, reason: str = "") -> Answer:
    query = {"now": "true" if now else "", "reason": reason}
    return server.ask("DELETE", url_path(where, path), query=query)


def _listed(server: Server, where: Registry, answer: Answer) -> None:
    """Wait until the indexes show a change that was answered before they did."""
    if answer.status == _ACCEPTED:
        wait_until_listed(server, where.channel, int(answer.body.get("serial", 0)))
