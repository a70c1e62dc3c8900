"""Every file of a channel is accounted for: an artifact, a sidecar, published, in the trash, or a stray."""

import hashlib

from indexer.check.shelf import Finding, Shelf
from indexer.survey import HOTFIX
from packhouse.tree import channel_root

_REPLACED = "replaced"


def census(shelf: Shelf) -> None:
    """Compare the files of a channel with the catalog, by hash."""
    _artifacts(shelf)
    sidecars = _sidecars(shelf)
    _published(shelf)
    trash = {path for _, path in shelf.house.catalog.areas.discarded(shelf.name, due=False)}
    known = shelf.artifacts.keys() | sidecars | shelf.published.keys() | trash
    for path in _files(shelf):
        if path not in known and path.rpartition("/")[2] != HOTFIX:
            shelf.wrong(path, "is a stray: no artifact, sidecar or published file, and not in the trash")
    deleted = _deleted(shelf, trash)
    for path in sorted(trash - shelf.artifacts.keys()):
        _kept(shelf, path, deleted.get(path))


def _artifacts(shelf: Shelf) -> None:
    for path, artifact in shelf.artifacts.items():
        found = shelf.digests.get(path)
        if found is None:
            shelf.wrong(path, "is missing, but the catalog holds it as live")
        elif (found.sha256, found.md5, found.size) != (artifact.sha256, artifact.md5, artifact.size):
            shelf.wrong(path, f"has sha256 {found.sha256}, but {artifact.sha256} was uploaded")


def _sidecars(shelf: Shelf) -> set[str]:
    known: set[str] = set()
    for path, artifact in shelf.artifacts.items():
        for suffix, body in shelf.house.catalog.artifacts.sidecars(artifact.id).items():
            known.add(path + suffix)
            found = shelf.body(path + suffix)
            if found != body:
                shelf.wrong(path + suffix, "is missing" if found is None else "is not what the upload held")
    return known


def _published(shelf: Shelf) -> None:
    for path, (area, printed) in shelf.published.items():
        body = shelf.body(path)
        if body is None:
            shelf.wrong(path, f"is missing, but {area} published it")
        elif hashlib.sha256(body).hexdigest() != printed.sha256:
            shelf.wrong(path, f"is not what {area} published")


def _deleted(shelf: Shelf, trash: set[str]) -> dict[str, str]:
    """Return the sha256 of deleted files that are still served; history knows what they held."""
    found: dict[str, str] = {}
    since = 0
    while trash and (events := shelf.house.catalog.artifacts.events(shelf.name, since=since)):
        since = events[-1].serial
        found |= {event.path: event.sha256 for event in events if event.path in trash}
    return found


def _kept(shelf: Shelf, path: str, wanted: str | None) -> None:
    """Files in the trash are still served: what they must hold is in history, or in their own name."""
    if path.startswith(f"{_REPLACED}/"):
        wanted = path.split("/")[1]
    elif "/shards/" in path:
        wanted = path.rpartition("/")[2].partition(".")[0]
    body = shelf.body(path) if wanted else None
    if body is not None and hashlib.sha256(body).hexdigest() != wanted:
        shelf.wrong(path, "does not hold the bytes it was published with")


def _files(shelf: Shelf) -> list[str]:
    """Return every file of the channel; for the site, those that lie in no channel."""
    prefix = f"{shelf.root}/"
    found = [stat.path.removeprefix(prefix) for stat in shelf.house.tree.scan(shelf.root)]
    if shelf.channel is not None:
        return found
    channels = tuple(
        f"{channel_root(channel)}/".removeprefix(prefix) for channel in shelf.house.catalog.channels.list()
    )
    return [path for path in found if not path.startswith(channels)]


def outside(shelf: Shelf) -> list[Finding]:
    """Name files of `private/` that belong to no channel."""
    roots = tuple(f"{channel_root(channel)}/" for channel in shelf.house.catalog.channels.list())
    return [
        Finding(stat.path, "is a stray: it lies in no channel")
        for stat in shelf.house.tree.scan("private")
        if not stat.path.startswith(roots)
    ]
