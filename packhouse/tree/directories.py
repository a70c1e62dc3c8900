"""The directories of a store on one disk: entered without following links, and made durable in batches.

fsync of a file says nothing about its name: that is in the directory, whose own name is in the directory above.
What is noted here is synced by the next `flush`, whichever thread noted it.
"""

import os
import stat as stat_bits
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from packhouse.errors import Unavailable
from packhouse.tree import fsio

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a directory is opened: a symbolic link in its place is an error."""

_KNOWN = 50_000


class Directories:
    """The directories below `data`; thread-safe."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._pending: set[str] = set()  # directories with a name that may not be durable yet
        self._durable: dict[str, int] = {}  # directories whose own name is durable, with their inode
        self._met: dict[str, int] = {}  # those that become durable with the next flush
        self._removals = 0
        self._broken = ""

    @contextmanager
    def entered(self, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """Open a directory without following a symbolic link; `make` creates what is missing."""
        if make:
            self.refuse_if_broken()
        fd = os.open(self._data, DIRECTORY & ~os.O_NOFOLLOW)
        try:
            for depth, part in enumerate(parts):
                child = self._enter(fd, part, "/".join(parts[: depth + 1]), make=make)
                os.close(fd)
                fd = child
            yield fd
        finally:
            os.close(fd)

    def _enter(self, parent: int, name: str, path: str, *, make: bool) -> int:
        made = False
        try:
            fd = os.open(name, DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            with suppress(FileExistsError):  # another thread or process was first
                fsio.mkdir(name, dir_fd=parent)
                made = True
            fd = os.open(name, DIRECTORY, dir_fd=parent)
        try:
            found = os.fstat(fd)
            if made and stat_bits.S_IMODE(found.st_mode) != fsio.DIRECTORY_MODE:  # a narrow umask
                fsio.chmod(fd, fsio.DIRECTORY_MODE)
        except BaseException:
            os.close(fd)
            raise
        if make:
            with self._lock:
                # Whoever made it, its name must be durable before ours counts: sync the parent once.
                if made or self._durable.get(path) != found.st_ino:
                    self._durable.pop(path, None)
                    self._met[path] = found.st_ino
                    self._pending.add(path.rpartition("/")[0])
        return fd

    def note(self, directory: str) -> None:
        """Remember that a name in `directory` changed."""
        with self._lock:
            self._pending.add(directory)

    def _forget(self, directory: str) -> None:
        """Trust nothing known of a directory that went away; the caller holds the lock."""
        self._removals += 1
        for known in (self._durable, self._met):
            for path in [path for path in known if f"{path}/".startswith(f"{directory}/")]:
                del known[path]

    def refuse_if_broken(self) -> None:
        """Raise `Unavailable` once a directory could not be synced."""
        if self._broken:
            raise Unavailable(
                f"{self._broken}: nothing more is written until an operator has checked the disk and "
                "restarted this program"
            )

    def prune(self, directory: Sequence[str]) -> None:
        """Remove a directory and those above it while they are empty; the first one stays."""
        for depth in range(len(directory) - 1, 0, -1):
            above, name = directory[:depth], directory[depth]
            try:
                with self.entered(above) as parent:
                    fsio.rmdir(name, dir_fd=parent)
            except OSError:
                return  # not empty, or already gone
            with self._lock:
                self._forget("/".join(directory[: depth + 1]))
            self.note("/".join(above))

    @contextmanager
    def moving(self, source: str, target: str) -> Iterator[None]:
        """Rename a directory or a file within the block; no flush looks for the old name meanwhile."""
        with self._flushing:
            yield
            self._moved(source, target)

    def _moved(self, source: str, target: str) -> None:
        with self._lock:
            self._forget(source)
            # What was put below the old name is now below the new one, and still to be made durable.
            inside = {directory for directory in self._pending if f"{directory}/".startswith(f"{source}/")}
            self._pending -= inside
            self._pending |= {target + directory[len(source) :] for directory in inside}
            self._pending |= {source.rpartition("/")[0], target.rpartition("/")[0]}

    def flush(self) -> None:
        """Make every name of this object durable, whichever thread made it.

        Raises:
            Unavailable: a directory could not be synced; from now on this object refuses to write.
        """
        # One at a time: a thread whose names another thread is syncing must wait until that is done.
        with self._flushing:
            self.refuse_if_broken()
            with self._lock:
                taken, self._pending = self._pending, set()
                met, self._met = self._met, {}
                removals = self._removals
            try:
                # Deepest first: a directory's own names before the name that leads to it.
                for path in sorted(taken, key=lambda path: (-path.count("/") - bool(path), path)):
                    with fsio.answering(path or "the data directory"), suppress(FileNotFoundError):
                        self._sync(path)
            except BaseException:
                with self._lock:
                    self._pending |= taken
                raise
            with self._lock:
                if removals == self._removals:
                    if len(self._durable) > _KNOWN:
                        self._durable.clear()
                    self._durable.update(met)

    def _sync(self, path: str) -> None:
        with self.entered(path.split("/") if path else ()) as fd:
            try:
                fsio.sync_directory(fd)
            except OSError as error:
                self._broken = f"{path or 'the data directory'} could not be synced ({error.strerror})"
                raise
