"""The inbox: a file copied into `<data>/inbox/<channel>/` is verified and published like an upload.

    inbox/<channel>/<file>                                     a conda or Python package, told by its extension
    inbox/<channel>/products/<product>/<version>/<file>        a build product, whatever its name
    inbox/.refused/<channel>/...                               what was refused, beside a `<file>.reason`

Whoever can write to this folder is trusted as an operator: no rights are asked. The bytes are copied, never
linked or renamed into the tree, since the dropper may still hold the file open; and no symbolic link is
followed anywhere below the folder. Files whose name starts with a dot or ends in .part or .tmp are somebody's
unfinished work and left alone.
"""

import logging
import os
import stat as stat_bits
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from packhouse.coordination.wake import watch
from packhouse.ecosystems.registry import format_of
from packhouse.errors import (
    BadArchive,
    BadName,
    Malformed,
    NotFound,
    PackhouseError,
    StorageFull,
    Unavailable,
)
from packhouse.house import House
from packhouse.intake.receive import Inspector, Intake
from packhouse.model import Claim, Ecosystem, Principal
from packhouse.names import parse_channel, parse_filename
from packhouse.tree import fsio

log = logging.getLogger("indexer.inbox")

PRINCIPAL = Principal(name="inbox", kind="service", admin=True)
REFUSED = ".refused"

_UNFINISHED = (".part", ".tmp")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
_DEPTH = 6
"""How deep directories are looked into; what lies deeper is nowhere a package belongs."""

_Identity = tuple[int, int, int]


class _Moving(Exception):
    """The file changed while it was read: it is not finished yet."""


@dataclass(frozen=True, slots=True)
class Drop:
    """What became of one dropped file: `path` is relative to the inbox, `reason` empty if it was taken in."""

    path: str
    reason: str = ""


class Inbox:
    """The inbox of one house; used by one thread."""

    def __init__(
        self, house: House, inspector: Inspector, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._house, self._monotonic = house, monotonic
        self._intake = Intake(house, inspector)
        self._root = house.data / "inbox"
        self._seen: dict[str, tuple[_Identity, float]] = {}
        self._left: dict[str, _Identity] = {}
        """Files that could neither be removed nor moved: not looked at again until they change."""

    def run(self, stop: threading.Event) -> None:
        """Scan whenever something is dropped, and at every poll, until `stop` is set."""
        settings = self._house.settings
        poll_s = min(settings.reconcile_s, max(settings.inbox_settle_s / 2, 0.1))
        for _ in watch([self._root], poll_s, stop):
            try:
                drops = self.scan()
            except (PackhouseError, OSError) as error:
                log.error("the inbox could not be read: %s", error)  # noqa: TRY400 - the sentence explains itself
                continue
            for drop in drops:
                if drop.reason:
                    log.warning("inbox/%s: %s", drop.path, drop.reason)
                else:
                    log.info("inbox/%s: taken in", drop.path)

    def scan(self) -> list[Drop]:
        """Take in, or refuse, every file whose size and time stood still for `inbox_settle_s`."""
        self._make_folders()
        now = self._monotonic()
        drops: list[Drop] = []
        seen: dict[str, tuple[_Identity, float]] = {}
        with self._open(()) as root:
            found = list(_walk(root, (), _DEPTH))
        for parts, info in found:
            path = "/".join(parts)
            identity = (info.st_ino, info.st_size, info.st_mtime_ns)
            if self._left.get(path) == identity:
                continue
            before, since = self._seen.get(path, (identity, now))
            seen[path] = (identity, since if before == identity else now)
            if now - seen[path][1] >= self._house.settings.inbox_settle_s:
                drop = self._take(parts, info)
                if drop is None:
                    seen[path] = (identity, now)  # not before it stood still once more
                else:
                    drops.append(drop)
                    del seen[path]
        self._seen = seen
        return drops

    def _make_folders(self) -> None:
        """Every channel has its folder, so that there is somewhere to drop."""
        with self._open(()) as root:
            for channel in self._house.catalog.channels.list():
                with suppress(FileExistsError):
                    fsio.mkdir(channel.name, dir_fd=root)

    def _take(self, parts: tuple[str, ...], info: os.stat_result) -> Drop | None:
        path = "/".join(parts)
        try:
            self._receive(parts, info)
        except (_Moving, FileNotFoundError):
            return None
        except (Unavailable, StorageFull) as error:  # the disk, the catalog: nothing is wrong with the file
            log.error("inbox/%s: waits: %s", path, error)  # noqa: TRY400 - the sentence explains itself
            return None
        except PackhouseError as error:
            try:
                self._refuse(parts, info, str(error))
            except StorageFull as full:
                log.error("inbox/%s: waits: %s", path, full)  # noqa: TRY400 - the sentence explains itself
                return None
            return Drop(path, str(error))
        self._remove(parts, info)
        return Drop(path)

    def _receive(self, parts: tuple[str, ...], info: os.stat_result) -> None:
        if not stat_bits.S_ISREG(info.st_mode):
            raise BadArchive(parts[-1], "it is no regular file: copy the file itself, not a link to it")
        claim = claim_of(parts)
        if self._house.catalog.channels.find(claim.channel) is None:
            raise NotFound(
                "channel",
                claim.channel,
                f"create it with `packhouse channel create {claim.channel}`, then drop the file again",
            )
        self._intake.door(claim)
        with self._intake.stage() as stage:
            with self._open(parts[:-1]) as parent:
                fd = _open_file(parts[-1], parent)
                try:
                    while chunk := os.read(fd, _CHUNK):
                        stage.write(chunk)
                    after = os.fstat(fd)
                finally:
                    os.close(fd)
            if _identity(after) != _identity(info):
                raise _Moving
            self._intake.receive(claim, stage, PRINCIPAL, shelf=lambda *_: None)

    def _remove(self, parts: tuple[str, ...], info: os.stat_result) -> None:
        """Remove a dropped file, if it is still the one that was read."""
        try:
            with self._open(parts[:-1]) as parent:
                now = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
                if _identity(now) == _identity(info):
                    fsio.unlink(parts[-1], dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as error:
            self._leave(parts, info, error.strerror or str(error))

    def _refuse(self, parts: tuple[str, ...], info: os.stat_result, reason: str) -> None:
        """Move a refused file aside, with its reason beside it.

        Raises:
            StorageFull: no room for the reason; the file is where it was.
        """
        name = parts[-1]
        try:
            with (
                fsio.answering(f"inbox/{'/'.join(parts)}"),
                self._open(parts[:-1]) as source,
                self._open((REFUSED, *parts[:-1]), make=True) as target,
            ):
                written = f".{name[:200]}.reason"
                with suppress(FileNotFoundError):
                    fsio.unlink(written, dir_fd=target)
                fd = fsio.create(written, dir_fd=target)
                try:
                    fsio.write(fd, f"{reason}\n".encode("utf-8", "backslashreplace"))
                    fsio.chmod(fd, fsio.FILE_MODE)
                finally:
                    os.close(fd)
                # The reason first: a file that lies there without one would never get it.
                fsio.replace(written, f"{name[:240]}.reason", source_dir=target, target_dir=target)
                fsio.replace(name, name, source_dir=source, target_dir=target)
        except Unavailable as error:
            self._leave(parts, info, str(error))

    def _leave(self, parts: tuple[str, ...], info: os.stat_result, why: str) -> None:
        path = "/".join(parts)
        self._left[path] = _identity(info)
        log.error("inbox/%s: cannot be taken away (%s); it stays until it changes", path, why)

    @contextmanager
    def _open(self, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
        """Open a directory of the inbox, following no symbolic link below it."""
        fd = os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)
        try:
            for part in parts:
                if make:
                    with suppress(FileExistsError):
                        fsio.mkdir(part, dir_fd=fd)
                inner = os.open(part, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)


def claim_of(parts: tuple[str, ...]) -> Claim:
    """Return what the place of a dropped file says of it; `parts` are the path's segments below the inbox.

    Raises:
        BadName: a name is unsafe, or its extension is none that an ecosystem knows.
        Malformed: the place is none where a package belongs.
    """
    match parts:
        case (channel, name):
            return Claim(
                channel=parse_channel(channel),
                ecosystem=format_of(name).ecosystem,
                filename=parse_filename(name),
            )
        case (channel, "products", product, version, name):
            return Claim(
                channel=parse_channel(channel),
                ecosystem=Ecosystem.GENERIC,
                filename=parse_filename(name),
                directory=f"products/{product}/{version}",
            )
        case _:
            raise Malformed(
                "a file belongs into inbox/<channel>/, or into inbox/<channel>/products/<product>/<version>/: "
                "drop it there"
            )


def _walk(
    directory: int, above: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], os.stat_result]]:
    """Yield what is dropped and finished by its name: path segments and what lstat says, sorted."""
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name.startswith(".") or name.endswith(_UNFINISHED):
            continue
        try:
            info = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if not stat_bits.S_ISDIR(info.st_mode):
                yield (*above, name), info
                continue
            inner = os.open(name, _DIRECTORY, dir_fd=directory)
        except (FileNotFoundError, NotADirectoryError):
            continue  # taken away while we look
        try:
            if depth > 1:
                yield from _walk(inner, (*above, name), depth - 1)
        finally:
            os.close(inner)


def _open_file(name: str, parent: int) -> int:
    try:
        fd = os.open(name, _FILE, dir_fd=parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadName(
            "dropped file", name, f"it cannot be read ({error.strerror}); let its mode allow it"
        ) from error
    if not stat_bits.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _Moving
    return fd


def _identity(info: os.stat_result) -> _Identity:
    return (info.st_ino, info.st_size, info.st_mtime_ns)
