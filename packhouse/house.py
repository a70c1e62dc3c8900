"""One open data directory: settings, catalog, tree, locks and wake, as both programs and the command use them."""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from packhouse import areas as people
from packhouse.catalog import Catalog
from packhouse.coordination import Locks, Wake
from packhouse.coordination.locks import FileLocks
from packhouse.coordination.wake import FileWake
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import NotAPackhouse
from packhouse.model import Area, Channel
from packhouse.names import RESERVED_CHANNELS, ChannelName
from packhouse.placement import TREES, Placement, owner_of, tree_of
from packhouse.settings import Settings, load
from packhouse.tree import Tree, fsio
from packhouse.tree.fs import FsTree

FOLDERS = ("public", "private", "restricted", "incoming", "inbox", "state", "state/locks", "state/conf")
"""What a data directory holds (DESIGN section 3); all on one file system, since uploads are linked into place."""

ASIDE = "incoming/gone."
"""Where the files of deleted channels wait for their removal; nobody serves them there."""


@dataclass(frozen=True, slots=True)
class House:
    """Everything that lives in one data directory."""

    settings: Settings
    catalog: Catalog
    tree: Tree
    locks: Locks
    wake: Wake

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.settings.data

    # --- where things lie -----------------------------------------------------------------------------------

    @contextmanager
    def placing(self, channel: str) -> Iterator[Placement | None]:
        """Know where the files of a channel belong, for as long as nothing of it is moved: to write into its tree.

        Many do at once; whoever moves waits for all of them (`seizing`), and they for him. It comes after the lock of
        an area, of a name or of the channel, before the role under which the trash is emptied, and is never nested.

        Returns:
            A context manager that gives the placement; None if there is no such channel any more.
        """
        with self.locks.share(_placement_lock(channel)):
            yield self.placement(channel)

    @contextmanager
    def seizing(self, channel: str) -> Iterator[None]:
        """Keep everybody from writing into a channel's tree, to change where its files belong and to move them."""
        with self.locks.seize(_placement_lock(channel)):
            yield

    def placement(self, channel: str) -> Placement | None:
        """Return where the files of a channel belong just now; None if there is no such channel.

        For readers. Whoever writes goes by `placing`.
        """
        found = self.catalog.channels.find(channel)
        return None if found is None else Placement(found, self.catalog.grants.restricted(channel))

    def read(self, channel: Channel, path: str, limit: int = 64 << 20) -> bytes | None:
        """Return a small file of a channel, or None if it is not there; one that was moved meanwhile is found."""
        owned = owner_of(path) is not None
        first = Placement(channel, self.catalog.grants.restricted(channel.name) if owned else frozenset())
        body = self.read_at(first, path, limit)
        if body is None:
            now = self.placement(channel.name)
            if now is not None and now.where(path) != first.where(path):
                body = self.read_at(now, path, limit)
        return body

    def read_at(self, place: Placement, path: str, limit: int = 64 << 20) -> bytes | None:
        """Return a small file of a channel from where it belongs, or None if it is not there."""
        try:
            with self.tree.open(place.where(path)) as file:
                return file.read(limit)
        except FileNotFoundError:
            return None

    # --- channels -------------------------------------------------------------------------------------------

    def create_channel(
        self, name: ChannelName, *, private: bool = False, overwrite: bool = False
    ) -> dict[Area, int]:
        """Make a channel; every ecosystem's first pages are marked to be published.

        Returns:
            The generation to wait for, per area.

        Raises:
            ChannelExists: it is there already.
        """
        with self.locks.hold(_channel_lock(name)):
            if name in self.catalog.channels.deleted() and self.catalog.channels.find(name) is None:
                with self.seizing(name):
                    self._put_aside(name)  # its deletion was interrupted; the new channel starts empty
            awaited = self.catalog.channels.create(
                name,
                born=births(name),
                private=private,
                place=tree_of(private, self.settings.default_read),
                overwrite=overwrite,
            )
        self.wake.poke("wake")
        return awaited

    def delete_channel(self, name: ChannelName) -> Channel:
        """Forget an empty channel and serve nothing of it any more; its burnt names stay burnt.

        `remove_deleted` frees the room on the disk, and ends what a crash in here left half done.

        Raises:
            NotFound: there is no such channel.
            Unprocessable: it still holds files.
        """
        with self.locks.hold(_channel_lock(name)):
            with self.seizing(name):  # nobody writes into it any more
                gone = self.catalog.channels.delete(name)
                self._put_aside(name)
            self._remove_inbox(name)
        self.wake.poke("wake")
        return gone

    def put_deleted_aside(self) -> None:
        """Serve nothing of deleted channels, after an interrupted deletion."""
        there = {name for tree in TREES for name in self.tree.folders(tree)}
        for name in self.catalog.channels.deleted():
            if name not in there:
                continue
            # Held: a channel of that name is being made or deleted right now.
            with self.locks.hold(_channel_lock(name), timeout_s=0) as held:
                # One that is there again lost what was left of the earlier one when it was made.
                if held and self.catalog.channels.find(name) is None:
                    with self.seizing(name):
                        self._put_aside(name)

    def remove_deleted(self) -> int:
        """Remove the files of deleted channels.

        Returns:
            How many files were removed.
        """
        self.put_deleted_aside()
        count = 0
        for stat in list(self.tree.scan("incoming")):
            if stat.path.startswith(ASIDE):
                count += self.tree.remove(stat.path)
        if count:
            self.tree.flush()
        return count

    def _put_aside(self, name: str) -> None:
        """Move a deleted channel's folders out of what is served.

        One rename each, under the channel's locks: a new channel of the name never loses a file of its own.
        """
        moved = False
        for tree in TREES:
            with suppress(FileNotFoundError):
                self.tree.move(f"{tree}/{name}", f"{ASIDE}{uuid.uuid4().hex}")
                moved = True
        if moved:
            self.tree.flush()

    def _remove_inbox(self, name: str) -> None:
        with suppress(OSError):  # not there, or something was dropped there: its owner has to see to it
            inbox = os.open(self.data / "inbox", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fsio.rmdir(name, dir_fd=inbox)
            finally:
                os.close(inbox)

    def close(self) -> None:
        """Close the catalog."""
        self.catalog.close()


def _channel_lock(name: str) -> str:
    return f"channel:{name}"


def _placement_lock(name: str) -> str:
    return f"placement:{name}"


def births(channel: str) -> list[Area]:
    """Return the areas that exist from a channel's birth, of every ecosystem, each once."""
    return [
        *(area for format_ in FORMATS.values() for area in format_.birth(channel)),
        *people.birth(channel),
    ]


def areas_of(house: House, channel: str) -> list[Area]:
    """Return every area a channel must have: from its birth, from its live files, and those ever published."""
    found = {*births(channel), *house.catalog.areas.known(channel)}
    records = house.catalog.records(channel, lambda _path: None)
    for ecosystem, rules in FORMATS.items():
        for artifact in records.everything(ecosystem):
            found.update(rules.areas(artifact, first_or_last=True))
            found.update(people.own(artifact))
            found.add(people.listed(channel, ecosystem, artifact.package))
    return sorted(found)


def initialise(data: Path, channels: Iterable[str] = ()) -> None:
    """Make the folders of a data directory; those that are there stay as they are."""
    data.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        (data / folder).mkdir(parents=True, exist_ok=True)
    for channel in channels:
        (data / "inbox" / channel).mkdir(exist_ok=True)


def open_house(data: Path) -> House:
    """Open a data directory.

    Raises:
        NotAPackhouse: it is none, or belongs to somebody else (files written as another user would be
            unreadable for the programs), or its catalog is gone: a new one would forget which names are taken
            and which are burnt, and the indexer would write empty indexes over the full ones.
        BadSettings: its settings file is wrong.
    """
    data = data.absolute()
    if not (data / "state").is_dir() or not (data / "public").is_dir():
        raise NotAPackhouse(
            f"{data} is not a Packhouse data directory: make one with `packhouse serve {data}`"
        )
    owner = data.stat().st_uid
    if owner != os.geteuid():
        raise NotAPackhouse(
            f"{data} belongs to user {owner}, but this command runs as user {os.geteuid()}: "
            "run it as the owner, or its files would become unreadable for the server"
        )
    settings = load(data)
    _refuse_without_catalog(settings)
    return House(
        settings=settings,
        catalog=Catalog(settings.database),
        tree=FsTree(data),
        locks=FileLocks(data),
        wake=FileWake(data),
    )


def _refuse_without_catalog(settings: Settings) -> None:
    database = settings.database
    if database.is_file() and database.stat().st_size > 0:
        return
    # Every channel has its own page from its birth, in one of the two; a fresh data directory has none.
    held = sorted(
        page.parent.name
        for root in ("public", "private")
        for page in settings.data.glob(f"{root}/*/index.html")
    )
    held = [name for name in held if name not in RESERVED_CHANNELS]
    if held:
        raise NotAPackhouse(
            f"the catalog {database} is gone, but {settings.data} holds channels ({', '.join(held[:3])}): "
            "restore state/catalog.sqlite from a backup, then run `indexer check`; to start anew with the files "
            "alone, move the channels away and take them in with `packhouse import`"
        )
