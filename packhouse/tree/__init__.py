"""The file store behind a protocol. Paths are relative to the data directory, with `/` between segments.

`public/`, `private/` and `restricted/` hold what is served; `incoming/` what is in flight. `fs.py` keeps
them on one disk. A second store is one more file that passes `tests/test_tree_contract.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Protocol

from packhouse.model import Channel


class When(Enum):
    """The condition of a `put`."""

    ABSENT = "absent"
    """Create only: an object that is there stays, and `Occupied` is raised."""
    ALWAYS = "always"
    """Replace what is there, atomically; readers see the old bytes or the new ones."""


@dataclass(frozen=True, slots=True)
class Match:
    """Replace only the object that carries this tag; else `Changed` is raised."""

    tag: str


class Occupied(Exception):
    """A create-only `put` found an object."""


class Changed(Exception):
    """A conditional `put` found another object than the expected one."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What the store knows of one object: size in bytes, mtime in whole seconds, an opaque tag."""

    path: str
    size: int
    mtime_s: int
    tag: str


class Tree(Protocol):
    """A store of named objects.

    Every method raises `packhouse.errors.Unavailable` when the store fails, `StorageFull` when it has no room.
    """

    def put(self, path: str, body: bytes | Path, *, when: When | Match, mtime_s: int | None = None) -> Stat:
        """Store one object; content is on stable storage when this returns, its *name* after `flush`.

        Args:
            path: where; missing directories are made.
            body: the bytes, or a file of the same store: ABSENT links it (it keeps its own name too), ALWAYS
                renames it.
            when: the condition.
            mtime_s: modification time to give, whole seconds since 1970; None leaves it to the store. A replaced
                object always gets a later second than its predecessor (nginx's ETag is mtime seconds and size).

        Raises:
            Occupied, Changed: the condition failed; nothing was written.
        """
        ...

    def flush(self) -> None:
        """Make every name that this object put, linked or removed since the last flush durable."""
        ...

    def stat(self, path: str) -> Stat | None:
        """Return what is there, or None. Symbolic links are never followed."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open for reading; raises FileNotFoundError."""
        ...

    def scan(self, prefix: str) -> Iterator[Stat]:
        """Every object below the directory `prefix`, sorted by path."""
        ...

    def folders(self, path: str) -> Sequence[str]:
        """Return the names of the directories directly in the directory `path`, sorted; none where it is not there.

        A store of objects answers with what stands between `path/` and the next slash.
        """
        ...

    def remove(self, path: str) -> bool:
        """Remove one object and directories that become empty; False if nothing was there."""
        ...

    def ensure_room(self, reserve: int, *, size: int = 0) -> None:
        """Raise `StorageFull` if taking `size` bytes would leave less than `reserve` bytes (and room for names)."""
        ...

    def move(self, source: str, target: str) -> None:
        """Rename a file or a whole directory; raises `Occupied` if the target is there."""
        ...


def channel_root(channel: Channel) -> str:
    """Where a channel's files lie: `public/<name>` or `private/<name>`.

    What may be read is a place, not a check (DESIGN, sentence 2). Files of restricted packages lie elsewhere:
    `packhouse.placement` knows where.
    """
    return f"{channel.place}/{channel.name}"
