"""One open data directory: settings, catalog, tree, locks and wake, as both programs and the command use them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packhouse.catalog import Catalog
from packhouse.coordination import Locks, Wake
from packhouse.coordination.locks import FileLocks
from packhouse.coordination.wake import FileWake
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import NotAPackhouse
from packhouse.model import Area, Channel
from packhouse.names import ChannelName
from packhouse.settings import Settings, load
from packhouse.tree import Tree, channel_root
from packhouse.tree.fs import FsTree

FOLDERS = ("public", "private", "restricted", "incoming", "inbox", "state", "state/locks", "state/conf")
"""What a data directory holds (DESIGN section 3); all on one file system, since uploads are linked into place."""


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

    def read(self, channel: Channel, path: str, limit: int = 64 << 20) -> bytes | None:
        """Return a small file of a channel, or None if it is not there."""
        try:
            with self.tree.open(f"{channel_root(channel)}/{path}") as file:
                return file.read(limit)
        except FileNotFoundError:
            return None

    def create_channel(
        self, name: ChannelName, *, private: bool = False, overwrite: bool = False
    ) -> dict[Area, int]:
        """Make a channel; every ecosystem's first pages are marked to be published.

        Returns:
            The generation to wait for, per area.

        Raises:
            ChannelExists: it is there already.
        """
        born = births(name)
        awaited = self.catalog.channels.create(name, born=born, private=private, overwrite=overwrite)
        self.wake.poke("wake")
        return awaited

    def close(self) -> None:
        """Close the catalog."""
        self.catalog.close()


def births(channel: str) -> list[Area]:
    """Return the areas that exist from a channel's birth, of every ecosystem, each once."""
    areas: dict[Area, None] = {}
    for format_ in FORMATS.values():
        areas.update(dict.fromkeys(format_.birth(channel)))
    return list(areas)


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
            unreadable for the programs).
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
    return House(
        settings=settings,
        catalog=Catalog(settings.database),
        tree=FsTree(data),
        locks=FileLocks(data),
        wake=FileWake(data),
    )
