"""The store on one disk: a directory tree that nginx serves as plain files.

How one object becomes durable, in this order:

    create incoming/put.<n> 0600; write; chmod 0644; set the mtime; fsync       any error: this file is dead
    ABSENT  link(2) to the final name     a taken name is EEXIST, where rename(2) would overwrite in silence
    ALWAYS  rename(2) over the final name
    flush   fsync each directory with a new name, new directories before their parents

Every path is walked one directory at a time with O_NOFOLLOW, so a symbolic link inside the tree is never
followed, whoever put it there. The data directory itself may be reached through one.
"""

import errno
import itertools
import os
import stat as stat_bits
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from packhouse.errors import StorageFull
from packhouse.tree import Changed, Match, Occupied, Stat, When, fsio
from packhouse.tree.directories import DIRECTORY, Directories

# O_NONBLOCK: opening a FIFO that somebody left in the tree must not wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TRIES = 8
_numbers = itertools.count(1)


def _split(path: str) -> tuple[str, ...]:
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ValueError(f"{path!r} is not a path of the store: names pass packhouse.names first")
    return parts


def _tag(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"


def _stat(path: str, found: os.stat_result) -> Stat:
    return Stat(path=path, size=found.st_size, mtime_s=int(found.st_mtime), tag=_tag(found))


def _look(name: str, parent: int) -> os.stat_result | None:
    """Return what has the name, of whatever kind; None for nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


class FsTree:
    """A `Tree` in one directory, all of it on one file system.

    Thread-safe. A `flush` covers what every thread put before it was called. After a directory could not be
    synced this object refuses to write: what the kernel dropped then cannot be known.
    """

    def __init__(self, data: Path, *, now_s: Callable[[], float] = time.time) -> None:
        self._data = Path(os.path.abspath(data))  # noqa: PTH100 - resolve() would follow links in the paths given
        self._now_s = now_s
        self._folders = Directories(self._data)

    # --- reading -------------------------------------------------------------------------------------------

    def stat(self, path: str) -> Stat | None:
        """Return what is there, or None; only regular files are there."""
        *above, name = _split(path)
        with fsio.answering(path):
            try:
                with self._folders.entered(above) as parent:
                    found = _look(name, parent)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return _stat(path, found) if found and stat_bits.S_ISREG(found.st_mode) else None

    def open(self, path: str) -> BinaryIO:
        """Open for reading; raises FileNotFoundError for whatever is no regular file."""
        *above, name = _split(path)
        missing = FileNotFoundError(errno.ENOENT, "no such object in the store", path)
        fd = -1
        with fsio.answering(path):
            try:
                with self._folders.entered(above) as parent:
                    found = _look(name, parent)
                    if found and stat_bits.S_ISREG(found.st_mode):
                        fd = os.open(name, _FILE, dir_fd=parent)
            except (FileNotFoundError, NotADirectoryError):
                pass
        if fd < 0:
            raise missing
        return os.fdopen(fd, "rb")

    def scan(self, prefix: str) -> Iterator[Stat]:
        """Every regular file below the directory `prefix`, sorted by path; whatever its name is."""
        with fsio.answering(prefix):
            try:
                with self._folders.entered(_split(prefix)) as top:
                    yield from self._scan(prefix, top)
            except (FileNotFoundError, NotADirectoryError):
                return

    def _scan(self, prefix: str, directory: int) -> Iterator[Stat]:
        found: list[tuple[str, os.stat_result]] = []
        with os.scandir(directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # removed while we look
                    info = entry.stat(follow_symlinks=False)
                    # "a-b" sorts before "a/c": a directory takes its place with its slash.
                    is_directory = stat_bits.S_ISDIR(info.st_mode)
                    found.append((entry.name + "/" if is_directory else entry.name, info))
        for name, info in sorted(found, key=lambda pair: pair[0]):
            path = f"{prefix}/{name}"
            if stat_bits.S_ISREG(info.st_mode):
                yield _stat(path, info)
            elif stat_bits.S_ISDIR(info.st_mode):
                try:
                    inner = os.open(name.rstrip("/"), DIRECTORY, dir_fd=directory)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                try:
                    yield from self._scan(path.rstrip("/"), inner)
                finally:
                    os.close(inner)

    def folders(self, path: str) -> Sequence[str]:
        """Return the names of the directories directly in the directory `path`, sorted; empty ones too."""
        with fsio.answering(path):
            try:
                with self._folders.entered(_split(path)) as top, os.scandir(top) as entries:
                    return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
            except (FileNotFoundError, NotADirectoryError):
                return ()

    def free_bytes(self) -> int:
        """Return how many bytes the disk can still take; 0 when it has no inode left."""
        with fsio.answering("the data directory"):
            disk = os.statvfs(self._data)
        # Some file systems have no fixed number of inodes and say 0 of 0.
        return disk.f_bavail * disk.f_frsize if disk.f_favail or not disk.f_files else 0

    def room_for(self, size: int, *, reserve: int = 0) -> bool:
        """Whether `size` bytes fit and leave `reserve` bytes free."""
        return self.free_bytes() - size >= reserve

    def ensure_room(self, reserve: int, *, size: int = 0) -> None:
        """Refuse an upload before it starves the indexer, which must still write its pages.

        Raises:
            StorageFull: fewer than `reserve` bytes would be free after `size` more.
        """
        if not self.room_for(size, reserve=reserve):
            raise StorageFull(
                f"the disk has no room for this upload: {reserve} bytes must stay free for the indexes; "
                "ask an operator to make room, then upload again"
            )

    # --- writing -------------------------------------------------------------------------------------------

    def put(self, path: str, body: bytes | Path, *, when: When | Match, mtime_s: int | None = None) -> Stat:
        """Store one object.

        A `Path` under `incoming/` is taken over. Any other file of the store may be given a second name with
        `When.ABSENT`; it keeps its mtime then, since its first name is being served.
        """
        *above, name = _split(path)
        with fsio.answering(path), self._source(body) as (source, served):
            if served and when is not When.ABSENT:
                raise ValueError(f"{body!r} is not under incoming/: it can be linked, not taken over")
            for left in reversed(range(_TRIES)):
                try:
                    with self._folders.entered(above, make=True) as parent:
                        return self._put(parent, path, name, source, when, None if served else mtime_s or 0)
                except Changed:
                    self._folders.prune(above)  # nothing was written: no empty directory either
                    raise
                except FileNotFoundError:
                    # Another thread removed the directory as empty, between our walk and our link.
                    if not left:
                        raise
        raise AssertionError("the loop returns or raises")

    def _put(
        self, parent: int, path: str, name: str, source: "_Source", when: When | Match, mtime_s: int | None
    ) -> Stat:
        before = _look(name, parent)
        if when is When.ABSENT and before is not None:
            raise Occupied(path)
        if isinstance(when, Match) and (before is None or _tag(before) != when.tag):
            raise Changed(path)
        if mtime_s is not None:
            # nginx's ETag is mtime in whole seconds and size: a successor needs a later second.
            after = int(before.st_mtime) + 1 if before else 0
            source.finish(max(int(self._now_s()), after, mtime_s))
        if when is When.ABSENT:
            try:
                fsio.link(source.name, name, source_dir=source.parent, target_dir=parent)
            except FileExistsError:
                raise Occupied(path) from None
        else:
            fsio.replace(source.name, name, source_dir=source.parent, target_dir=parent)
        self._folders.note(path.rpartition("/")[0])
        return _stat(path, os.fstat(source.fd))

    @contextmanager
    def _source(self, body: bytes | Path) -> Iterator[tuple["_Source", bool]]:
        """Give the bytes a name in the store: (it, whether it is an object that is served already)."""
        if isinstance(body, Path):
            parts = _split(str(Path(os.path.abspath(self._data / body)).relative_to(self._data)))  # noqa: PTH100
            with self._folders.entered(parts[:-1]) as parent:
                fd = os.open(parts[-1], _FILE, dir_fd=parent)
                try:
                    if not stat_bits.S_ISREG(os.fstat(fd).st_mode):
                        raise ValueError(f"{body} is not a regular file")
                    yield _Source(parts[-1], parent, fd), parts[0] != "incoming"
                finally:
                    os.close(fd)
            return
        name = f"put.{os.getpid()}.{next(_numbers)}"
        with self._folders.entered(("incoming",), make=True) as parent:
            fd = fsio.create(name, dir_fd=parent)
            try:
                fsio.write(fd, body)
                yield _Source(name, parent, fd), False
            finally:
                os.close(fd)
                with suppress(OSError):  # renamed already; or litter, which does not undo a put that worked
                    fsio.unlink(name, dir_fd=parent)

    def remove(self, path: str) -> bool:
        """Remove one object and the directories that become empty, except the first one of the path."""
        *above, name = _split(path)
        with fsio.answering(path):
            self._folders.refuse_if_broken()
            try:
                with self._folders.entered(above) as parent:
                    found = _look(name, parent)
                    if found is None or not stat_bits.S_ISREG(found.st_mode):
                        return False
                    fsio.unlink(name, dir_fd=parent)
            except (FileNotFoundError, NotADirectoryError):
                return False
            self._folders.note("/".join(above))
            self._folders.prune(above)
        return True

    def move(self, source: str, target: str) -> None:
        """Rename a file or a whole directory; the target's directories are made.

        Raises:
            Occupied: something has the target's name; nothing was moved.
            FileNotFoundError: there is no source.
        """
        *from_, old = _split(source)
        *to, new = _split(target)
        if target.startswith(f"{source}/"):
            raise ValueError(f"{source} cannot be moved into itself")
        with fsio.answering(source):
            for left in reversed(range(_TRIES)):
                try:
                    with (
                        self._folders.entered(from_) as source_dir,
                        self._folders.entered(to, make=True) as target_dir,
                        self._folders.moving(source, target),
                    ):
                        fsio.rename_absent(old, new, source_dir=source_dir, target_dir=target_dir)
                except FileExistsError:
                    raise Occupied(target) from None
                except FileNotFoundError:
                    if not left or not self._is_there(from_, old):
                        break
                else:
                    self._folders.prune(from_)
                    return
            self._folders.prune(to)
        raise FileNotFoundError(errno.ENOENT, "no such object in the store", source)

    def _is_there(self, above: list[str], name: str) -> bool:
        try:
            with self._folders.entered(above) as parent:
                return _look(name, parent) is not None
        except FileNotFoundError:
            return False

    def flush(self) -> None:
        """Make every name of this object durable, whichever thread made it.

        Raises:
            Unavailable: a directory could not be synced; from now on this object refuses to write.
        """
        self._folders.flush()


class _Source:
    """A file in the store that is about to get its name."""

    def __init__(self, name: str, parent: int, fd: int) -> None:
        self.name, self.parent, self.fd = name, parent, fd

    def finish(self, mtime_s: int) -> None:
        """Give it its final attributes and make it durable; a file that cannot be synced is unlinked."""
        try:
            fsio.chmod(self.fd, fsio.FILE_MODE)
            fsio.set_mtime(self.fd, mtime_s)
            fsio.sync_file(self.fd)
        except OSError:
            with suppress(OSError):
                fsio.unlink(self.name, dir_fd=self.parent)
            raise
