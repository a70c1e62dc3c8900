"""Move what may be read by others than before: a package between its channel and `restricted/`, a channel as a whole.

What may be read is a place, not a check. So a right that changes a place is given in three steps, while nobody else
writes into the channel's tree (`House.seizing`):

    1. one transaction says who may read, where the files belong, and marks what has to be published again
    2. renames: a channel is one, a package one per folder of it; going private what names the files goes first,
       going public it comes last
    3. the renames are made durable; only then is there an answer

After a crash anywhere in between, the catalog says where the files belong: `settle_places` moves the rest, in whichever
process comes to it first. Whoever writes meanwhile writes to where the files belong, and what meets there is merged.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from packhouse import areas as people
from packhouse.access import EVERYONE
from packhouse.catalog.areas import Printed
from packhouse.catalog.grants import Given
from packhouse.digest import digest
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import NotFound, PackhouseError
from packhouse.house import ASIDE, House, areas_of, births
from packhouse.model import Area, Ecosystem, Grant
from packhouse.placement import FOLDERS, Placement, normalised, tree_of
from packhouse.tree import Occupied

CACHES = (
    "copies fetched while it was public may lie in caches and on other machines: they cannot be called back"
)
"""What whoever makes something private has to know."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of a change of rights; everything is where it belongs by now.

    Attributes:
        changed: False where it was so already.
        awaited: generations to wait for until lists name what they may, and no more.
        note: a sentence for whoever asked; may be empty.
    """

    changed: bool
    awaited: Mapping[Area, int]
    note: str = ""


def give(house: House, grant: Grant) -> Moved:
    """Give a right, and move the package's files if it is the one that makes them restricted, or readable by all.

    Raises:
        NotFound: there is no such channel, user, service account or group.
        Unprocessable: a right that cannot be given: reading one conda package.
        Unavailable: the store failed half-way. The right is given; the files follow (`settle_places`).
    """
    return _change(house, grant, house.catalog.grants.give)


def take(house: House, grant: Grant) -> Moved:
    """Take a right away; the package stays closed. Raises `Unavailable` as `give` does."""
    return _change(house, grant, house.catalog.grants.take)


def close(house: House, channel: str, ecosystem: str, package: str) -> Moved:
    """Switch the defaults off for a package without granting anything. Raises `Unavailable` as `give` does."""
    with house.seizing(channel):
        areas = _areas(house, channel, ecosystem, package)
        given = house.catalog.grants.close(channel, ecosystem, package, areas=areas)
        return _follow(house, channel, given, areas, (ecosystem, package))


def set_private(house: House, name: str, private: bool) -> Moved:
    """Say that only who was granted reading reads a channel, or that the defaults apply to it; and move it.

    Raises:
        NotFound: there is no such channel.
        Unavailable: the store failed half-way. The channel is private (or not); the files follow.
    """
    return _set_private(house, name, private)


def settle_places(house: House) -> int:
    """Move what a crash left in another tree than the catalog says; doing it again does nothing.

    Cheap where all is well: it looks at the names of the channels, and at the folders of restricted packages.

    Returns:
        How many folders and files were moved.

    Raises:
        Unavailable: the store failed; the next call goes on.
    """
    count = 0
    failed: PackhouseError | None = None
    for channel in house.catalog.channels.list():
        try:
            # Looked at without the lock: a move that is under way looks like one that died.
            place = house.placement(channel.name)
            if place is not None and next(_misplaced(house, place), None) is not None:
                with house.seizing(channel.name):
                    count += _arrange(house, channel.name)
        except PackhouseError as error:
            failed = failed or error  # one folder that cannot be moved must not keep the others public
    if failed is not None:
        raise failed
    return count


def follow_settings(house: House) -> list[str]:
    """Move the channels whose place is another one since `default_read` was changed; for the start of a program.

    Not for a loop: two programs that were started with different settings would move them to and fro.

    Returns:
        The names of the channels that moved.
    """
    moved = []
    for channel in house.catalog.channels.list():
        if channel.place != tree_of(channel.private, house.settings.default_read):
            with suppress(NotFound):  # deleted meanwhile
                if _set_private(house, channel.name, None).changed:
                    moved.append(str(channel.name))
    return moved


# --- changing a right --------------------------------------------------------------------------------------------


def _set_private(house: House, name: str, private: bool | None) -> Moved:
    """See `set_private`; None leaves it as it is, and only its place follows the settings."""
    with house.seizing(name):
        before = house.catalog.channels.get(name)
        wanted = before.private if private is None else private
        place = tree_of(wanted, house.settings.default_read)
        # Each page says who may read it, and how a key is given.
        pages = [area for area in areas_of(house, name) if area.kind in ("page", "release")]
        changed, awaited = house.catalog.channels.set_private(
            name, private=wanted, place=place, areas=births(name), later=pages
        )
        moved = _arrange(house, name)
        if moved and not changed:
            awaited = _due(house, (*births(name), people.SITE))
    if changed or moved:
        house.wake.poke("wake")
    # Moved, although nothing changed: somebody died who was about to make it private.
    hidden = place != "public" and (before.place == "public" or moved > 0)
    return Moved(changed=changed, awaited=awaited, note=CACHES if hidden else "")


def _change(house: House, grant: Grant, change: Callable[..., Given]) -> Moved:
    with house.seizing(grant.channel):
        if grant.package is not None and grant.ecosystem is not None:
            package = (grant.ecosystem, grant.package)
            areas = _areas(house, grant.channel, *package)
            return _follow(house, grant.channel, change(grant, areas=areas), areas, package)
        if grant.principal != f"group:{EVERYONE}":
            return Moved(changed=change(grant).changed, awaited={})
        closed = {
            package: _areas(house, grant.channel, *package)
            for package in house.catalog.grants.closed(grant.channel)
        }
        every = [area for areas in closed.values() for area in areas]
        return _follow(house, grant.channel, change(grant, closed=closed), every, None)


def _follow(
    house: House, channel: str, given: Given, areas: Iterable[Area], package: tuple[str, str] | None
) -> Moved:
    """Move what the catalog says has to move; the caller has seized the channel.

    Whether or not that is new: somebody may have died, or the disk have failed, who was to move it, and whoever asks
    again is told that it is done.
    """
    moved = _arrange(house, channel, package)
    if not moved and not given.moved:
        return Moved(changed=given.changed, awaited=given.awaited)
    house.wake.poke("wake")
    place = house.placement(channel)
    public = place is not None and place.channel.place == "public"
    return Moved(
        changed=given.changed,
        awaited=given.awaited if given.moved else _due(house, areas),
        note=CACHES if given.restricted and public else "",
    )


def _due(house: House, areas: Iterable[Area]) -> dict[Area, int]:
    """Return what is yet to be published of some areas, and the generations to wait for."""
    found = {area: house.catalog.areas.generation(area) for area in areas}
    return {area: generation for area, generation in found.items() if generation}


def _areas(house: House, channel: str, ecosystem: str, package: str) -> list[Area]:
    """Return what is published of a package: its own pages, and everything else that names it."""
    rules = FORMATS[Ecosystem(ecosystem)]
    found: dict[Area, None] = {}
    for artifact in house.catalog.artifacts.of_version(channel, rules.ecosystem, package):
        found.update(dict.fromkeys((*rules.areas(artifact, first_or_last=True), *people.own(artifact))))
    if found:
        found.update(dict.fromkeys(people.naming(channel, ecosystem, package)))
        found.update(dict.fromkeys(house.catalog.artifacts.neighbours(channel, rules.ecosystem, package)))
    return list(found)


# --- moving --------------------------------------------------------------------------------------------------------


def _arrange(house: House, channel: str, only: tuple[str, str] | None = None) -> int:
    """Make the tree of a channel, or of one package, agree with the catalog; the caller has seized the channel."""
    place = house.placement(channel)
    if place is None:
        return 0
    mover = _Mover(house, place)
    for source, target in _misplaced(house, place, only):
        mover.move(source, target)
    if mover.moved:
        # A rename that is not durable could be undone by a power cut after the answer.
        house.tree.flush()
    return mover.moved


def _misplaced(
    house: House, place: Placement, only: tuple[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield (source, target) of the folders that lie in the wrong tree, in the order in which they are to be moved.

    Each is looked for when it is asked for: after the one before it was moved.
    """
    name = place.channel.name
    other = "public" if place.channel.place == "private" else "private"
    if name in house.tree.folders(
        other
    ):  # for one package too: what is not in its channel would be overlooked
        yield f"{other}/{name}", place.root
    spellings = _Spellings(house)
    for ecosystem, package in sorted(place.restricted):
        if only in (None, (ecosystem, package)):
            for folder in FOLDERS[Ecosystem(ecosystem)]:
                for spelled in spellings.of(f"{place.root}/{folder}", ecosystem, package):
                    path = f"{folder}/{spelled}"
                    yield f"{place.root}/{path}", f"{place.inner}/{path}"
    if only is None or only not in place.restricted:
        for path in _released(house, place, only):
            yield f"{place.inner}/{path}", f"{place.root}/{path}"


class _Spellings:
    """Under which names the folders of packages lie; the folder of all products is listed once, not once for each."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._products: dict[str, dict[str | None, list[str]]] = {}

    def of(self, above: str, ecosystem: str, package: str) -> Sequence[str]:
        """Return the names of the package's folders in `above`: a product's keep their case."""
        if not above.endswith("/products"):
            there = next(self._house.tree.scan(f"{above}/{package}"), None) is not None
            return [package] if there else []
        if above not in self._products:
            found = self._products[above] = {}
            for name in self._house.tree.folders(above):
                found.setdefault(normalised(Ecosystem(ecosystem), name), []).append(name)
        return self._products[above].get(package, [])


def _released(house: House, place: Placement, only: tuple[str, str] | None) -> Iterator[str]:
    """Yield the folders below `restricted/` of packages that are not restricted, files before what names them."""
    for ecosystem, folders in FOLDERS.items():
        for folder in reversed(folders):
            if only is None:
                spelled = house.tree.folders(f"{place.inner}/{folder}")
            elif only[0] == ecosystem:
                spelled = _Spellings(house).of(f"{place.inner}/{folder}", *only)
            else:
                continue
            for name in spelled:
                if (ecosystem, normalised(ecosystem, name)) not in place.restricted:
                    yield f"{folder}/{name}"


class _Mover:
    """Moves folders of one channel; the caller has seized it."""

    def __init__(self, house: House, place: Placement) -> None:
        self._house, self._place = house, place
        self.moved = 0

    @cached_property
    def _printed(self) -> Mapping[str, tuple[Area, Printed]]:
        return self._house.catalog.areas.all_printed(self._place.channel.name)

    def move(self, source: str, target: str) -> None:
        """Rename a folder; where both are there, after a crash, rename what is in it.

        Nothing is left at `source`, whatever it was.
        """
        tree = self._house.tree
        try:
            tree.move(source, target)
            self.moved += 1
        except FileNotFoundError:
            return
        except Occupied:
            for name in tree.folders(source):
                self.move(f"{source}/{name}", f"{target}/{name}")
            for stat in list(tree.scan(source)):
                self._move_file(stat.path, f"{target}/{stat.path.removeprefix(f'{source}/')}")
            with suppress(FileNotFoundError):
                # An empty folder, or something that no program of ours made, and nothing that is served follows.
                tree.move(source, f"{ASIDE}{uuid.uuid4().hex}")

    def _move_file(self, source: str, target: str) -> None:
        tree = self._house.tree
        self.moved += 1
        try:
            tree.move(source, target)
        except Occupied:
            path = target.removeprefix(f"{self._root(target)}/")
            if path in self._printed:
                # Two pages: whichever is right, the next publication writes it.
                area, printed = self._printed[path]
                areas = self._house.catalog.areas
                areas.record(area, {path: Printed("", printed.size, printed.mtime_s)})
                areas.mark({area: 0.0})
                tree.remove(source)
            elif self._sha256(source) == self._sha256(target):
                tree.remove(source)
            elif self._is_live(path, source):
                tree.move(target, f"incoming/orphan.{uuid.uuid4().hex}")
                tree.move(source, target)
            else:
                tree.move(source, f"incoming/orphan.{uuid.uuid4().hex}")

    def _root(self, target: str) -> str:
        inner = self._place.inner
        return inner if target.startswith(f"{inner}/") else self._place.root

    def _is_live(self, path: str, lies_at: str) -> bool:
        live = self._house.catalog.artifacts.live(self._place.channel.name, path)
        return live is not None and live.sha256 == self._sha256(lies_at)

    def _sha256(self, path: str) -> str:
        with self._house.tree.open(path) as file:
            return digest(iter(lambda: file.read(_CHUNK), b"")).sha256
