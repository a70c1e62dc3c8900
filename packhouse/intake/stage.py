"""Staging: the bytes of an upload go to `<data>/incoming/`, hashed while they are written.

A staged file is named `<instance>.<n>`; while the instance lives it belongs to an upload, after that it is
litter that `sweep` takes away.
"""

import itertools
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from packhouse.coordination import Locks
from packhouse.digest import Digests, Hasher
from packhouse.errors import TooLarge
from packhouse.tree import fsio

_STAGED = re.compile(r"([0-9a-f]{16})\.[0-9]+")
_PUT = re.compile(r"put\.[0-9]+\.[0-9]+")
_PUT_LIFE_S = 600
_numbers = itertools.count(1)


class Stage:
    """One body on its way in: a context manager; on exit the staged file is gone, unless it was taken.

    Nobody else can read or change the bytes before they are judged: the file is 0600 until `finish`.
    """

    def __init__(self, data: Path, instance: str, *, max_bytes: int, what: str = "the upload") -> None:
        self.path = data / "incoming" / f"{instance}.{next(_numbers)}"
        self._max_bytes, self._what = max_bytes, what
        self._hasher = Hasher()
        self._fd: int | None = None
        self._digests: Digests | None = None
        self._taken = False

    def __enter__(self) -> Self:
        with fsio.answering(self._what):
            self._fd = fsio.create(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if not self._taken:
            with suppress(FileNotFoundError):  # a `put` renamed it into the tree
                fsio.unlink(self.path)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._hasher.size

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            TooLarge: the body goes on past the limit; the chunk was not written.
            StorageFull, Unavailable: the disk does not take it; the stage is dead.
        """
        if self._hasher.size + len(chunk) > self._max_bytes:
            raise TooLarge(self._what, None, self._max_bytes)
        with fsio.answering(self._what):
            try:
                fsio.write(self._open_fd(), chunk)
            except OSError:
                self._close()
                raise
        self._hasher.update(chunk)

    def finish(self) -> Digests:
        """Make the bytes durable and readable; returns what they hash to. A second call says the same.

        Raises:
            StorageFull, Unavailable: they could not be made durable; the stage is dead.
        """
        if self._digests is None:
            with fsio.answering(self._what):
                fd = self._open_fd()
                try:
                    fsio.chmod(fd, fsio.FILE_MODE)
                    fsio.sync_file(fd)
                finally:
                    self._close()
            self._digests = self._hasher.digests()
        return self._digests

    def take(self) -> Path:
        """Return the path of the finished file, which the caller now has to place or unlink."""
        if self._digests is None:
            raise RuntimeError("only a finished stage can be taken")
        self._taken = True
        return self.path

    def _open_fd(self) -> int:
        if self._fd is None:
            raise RuntimeError(
                "the stage is not open: entered never, finished already, or dead after an error"
            )
        return self._fd

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def sweep(data: Path, locks: Locks) -> list[str]:
    """Remove what dead processes left under `incoming/`.

    Staged files of processes that no longer live go at once; half-made files of a `put` after ten minutes
    (a `put` takes seconds). Anything else there has an owner in the catalog and stays.

    Returns:
        The names removed, sorted.

    Raises:
        Unavailable: the directory cannot be read.
    """
    removed = []
    with fsio.answering("incoming"):
        for path in sorted((data / "incoming").iterdir()):
            staged = _STAGED.fullmatch(path.name)
            if (staged and not locks.alive(staged[1])) or (_PUT.fullmatch(path.name) and _old(path)):
                with suppress(FileNotFoundError):
                    fsio.unlink(path)
                    removed.append(path.name)
    locks.bury()
    return removed


def _old(path: Path) -> bool:
    # ctime: the mtime of a successor may lie in the future (see `FsTree`).
    with suppress(FileNotFoundError):
        return time.time() - path.lstat().st_ctime > _PUT_LIFE_S
    return False
