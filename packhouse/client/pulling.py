"""Downloading a version: all of its files, each as the manifest says, or none.

Everything is written into a folder of its own beside the target and compared with the manifest on the way; only when
all of it is there and right, the files get their names. What is begun and not ended leaves nothing behind, and is begun
anew the next time.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packhouse.client import session, stopping
from packhouse.client.connection import Server
from packhouse.client.reading import public_first, url_path
from packhouse.client.registry import Registry
from packhouse.client.versions import HashMismatch, find
from packhouse.errors import PackhouseError
from packhouse.manifest import File
from packhouse.model import Ecosystem
from packhouse.tree import fsio

_CHUNK = 1 << 18

Progress = Callable[[int], None]
"""Told how many bytes more came; a negative number takes back what a try that failed had brought."""


class LocalFileExists(PackhouseError):
    """A file of that name and with other bytes is there already; nothing was changed."""

    code = "local-file-exists"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is there already with other bytes: pull to another folder, or with overwrite=True"
        )


def pull(
    name: str,
    version: str | None = None,
    *,
    top_hash: str | None = None,
    dest: str | os.PathLike[str] = ".",
    registry: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Download the files of a version, and return where they lie now: all of them, or none.

    Every file is compared with the size and SHA-256 of the manifest, and the manifest with its top hash. A file that is
    there already with the right bytes is not downloaded again. Files of a conda package lie in a folder for each
    subdir, all others in `dest` itself. For a public channel no daemon is needed.

    Args:
        name: `ecosystem/name`, or the bare name if only one ecosystem has it.
        version: as `list_package_versions` or the package's page spells it; None is the latest.
        top_hash: of the version, or its first 6 or more characters; with `version` too, both have to fit.
        dest: folder; it is made if it is not there.
        registry: URL of the channel; None is the configured one.
        overwrite: replace files of the same names that have other bytes.
        progress: told of the bytes that come.

    Raises:
        Missing: there is no such package, version or top hash, or the key's holder may not know of it.
        Ambiguous: several ecosystems have the name, or several versions such a top hash.
        HashMismatch: what came is not what the manifest says, or the manifest not what the top hash says.
        LocalFileExists: a file with other bytes is in the way.
        KeyRefused, Unreachable, Malformed: as `list_packages`.
        StorageFull, Unavailable: the disk does not take it.
    """
    where = session.registry_of(registry)
    found = find(where, name)
    chosen = found.at(version, top_hash)
    folder = Path(dest)
    placed = _placed(folder, found.name.ecosystem, chosen.files)
    wanted = [(path, file) for path, file in placed if not _is(path, file)]
    if not overwrite and (taken := next((path for path, _ in wanted if os.path.lexists(path)), None)):
        raise LocalFileExists(taken)
    with fsio.answering(str(folder)):
        _make(folder)
    with _room(folder) as room:
        for number, (_, file) in enumerate(wanted):
            _download(where, file, room / str(number), progress or _ignore)
        stopping.check()
        with fsio.answering(str(folder)):
            for number, (path, _) in enumerate(wanted):
                _make(path.parent)
                _put(room / str(number), path)
    return [path for path, _ in placed]


def _placed(dest: Path, ecosystem: Ecosystem, files: Iterable[File]) -> list[tuple[Path, File]]:
    """Return where each file goes: a conda name may lie in several subdirs, a product under several spellings."""
    files = list(files)
    apart = len({file.filename for file in files}) < len(files)
    whole = ecosystem is Ecosystem.CONDA or apart
    return [(dest / (file.path if whole else file.filename), file) for file in files]


def _is(path: Path, file: File) -> bool:
    """Whether a file with these bytes is there."""
    try:
        if path.is_symlink() or path.stat().st_size != file.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def _download(where: Registry, file: File, target: Path, progress: Progress) -> None:
    came = 0

    def take(pieces: Iterator[bytes]) -> None:
        nonlocal came
        progress(-came)
        came, digest = 0, hashlib.sha256()
        with fsio.answering(target.name):
            with suppress(FileNotFoundError):
                fsio.unlink(target)
            descriptor = fsio.create(target, mode=0o666)  # as any file of this user: the umask narrows it
            try:
                for piece in pieces:
                    came += len(piece)
                    progress(len(piece))
                    if came > file.size:
                        raise HashMismatch(file.path, "size", file.size, f"more than {file.size}")
                    digest.update(piece)
                    fsio.write(descriptor, piece)
                fsio.sync_file(descriptor)
            finally:
                os.close(descriptor)
        if came != file.size:
            raise HashMismatch(file.path, "size", file.size, came)
        if digest.hexdigest() != file.sha256:
            raise HashMismatch(file.path, "SHA-256", file.sha256, digest.hexdigest())

    def read(server: Server) -> None:
        server.copy(url_path(where, file.path), take)

    public_first(where, read)


@contextmanager
def _room(dest: Path) -> Iterator[Path]:
    """Make a folder for what is not whole yet, on the disk where it will lie; it is gone afterwards."""
    room = dest / f".packhouse-{secrets.token_hex(8)}"
    with fsio.answering(str(room)):
        fsio.mkdir(room)
    try:
        yield room
    finally:
        with suppress(OSError):
            for left in room.iterdir():
                fsio.unlink(left)
            with _opened(dest) as folder:
                fsio.rmdir(room.name, dir_fd=folder)


def _put(source: Path, target: Path) -> None:
    with _opened(source.parent) as here, _opened(target.parent) as there:
        fsio.replace(source.name, target.name, source_dir=here, target_dir=there)
        fsio.sync_directory(there)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    for missing in (item for item in (*reversed(folder.parents), folder) if not item.exists()):
        with suppress(FileExistsError):  # somebody else was faster
            fsio.mkdir(missing)


def _ignore(_came: int) -> None:
    """Nobody watches."""
