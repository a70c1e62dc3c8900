"""Every file of a channel is accounted for: an artifact, a sidecar, published, in the trash, or a stray."""

import hashlib
from collections.abc import Iterator

from indexer.check.shelf import Finding, Shelf
from indexer.survey import HOTFIX
from packhouse.house import House
from packhouse.placement import REPLACED, TREES


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
    shelf.findings += _misplaced(shelf)
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
    if path.startswith(f"{REPLACED}/"):
        wanted = path.split("/")[-2]
    elif "/shards/" in path:
        wanted = path.rpartition("/")[2].partition(".")[0]
    body = shelf.body(path) if wanted else None
    if body is not None and hashlib.sha256(body).hexdigest() != wanted:
        shelf.wrong(path, "does not hold the bytes it was published with")


def _files(shelf: Shelf) -> list[str]:
    """Return every file of the channel that lies where it belongs; for the site, those that lie in no channel."""
    if shelf.place is None:
        names = {channel.name for channel in shelf.house.catalog.channels.list()}
        found = [stat.path.removeprefix("public/") for stat in shelf.house.tree.scan("public")]
        return [path for path in found if path.partition("/")[0] not in names]
    return [path for path, lies_at in _everywhere(shelf) if shelf.where(path) == lies_at]


def _misplaced(shelf: Shelf) -> list[Finding]:
    """Name files that lie in another tree than the one they belong to: others may read them, or fewer."""
    if shelf.place is None:
        return []
    return [
        Finding(lies_at, f"lies in the wrong tree, it belongs to {shelf.where(path)}: an indexer moves it")
        for path, lies_at in _everywhere(shelf)
        if shelf.where(path) != lies_at
    ]


def _everywhere(shelf: Shelf) -> Iterator[tuple[str, str]]:
    """Yield (path in the channel, path in the data directory) of every file of the channel, in all trees."""
    for tree in TREES:
        root = f"{tree}/{shelf.name}"
        for stat in shelf.house.tree.scan(root):
            yield stat.path.removeprefix(f"{root}/"), stat.path


def outside(house: House) -> list[Finding]:
    """Name files of `private/` and `restricted/` that belong to no channel."""
    names = {channel.name for channel in house.catalog.channels.list()}
    return [
        Finding(stat.path, "is a stray: it lies in no channel")
        for tree in ("private", "restricted")
        for stat in house.tree.scan(tree)
        if stat.path.split("/")[1] not in names
    ]
