"""One publication, and the ways to do it wrong: what the crash tests run, kill and cut the power of.

Run as `python crash_support.py ROOT NAME [BUG]`; prints `ACK` when the publication is promised to be durable.
"""

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from packhouse.coordination.locks import FileLocks
from packhouse.intake.stage import Stage
from packhouse.tree import Occupied, When, fsio
from packhouse.tree.fs import FsTree

INDEX = "public/main/index.json"
FILES = "public/main/files"


def body(name: str) -> bytes:
    return name.encode() * 20_000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def prepare(root: Path) -> None:
    for folder in ("incoming", "public", "state/locks"):
        (root / folder).mkdir(parents=True)


def _write_index(tree: FsTree, name: str) -> None:
    try:
        with tree.open(INDEX) as file:
            index = json.load(file)
    except FileNotFoundError:
        index = {}
    index[name] = sha256(body(name))
    tree.put(INDEX, json.dumps(index).encode(), when=When.ALWAYS)
    tree.flush()


def publish(root: Path, name: str, instance: str, ack: Callable[[], None], bug: str = "") -> None:
    """Stage, place, flush, index, flush, acknowledge; safe to do again after a crash."""
    tree = FsTree(root)
    if bug == "index-first":
        _write_index(tree, name)
    if bug == "in-place":
        (root / FILES).mkdir(parents=True, exist_ok=True)
        fd = fsio.create(root / FILES / name)
        for start in range(0, len(body(name)), 20_000):
            fsio.write(fd, body(name)[start : start + 20_000])
        fsio.sync_file(fd)
        os.close(fd)
    with Stage(root, instance, max_bytes=1 << 20) as stage:
        stage.write(body(name)[:30_000])
        stage.write(body(name)[30_000:])
        stage.finish()
        try:
            tree.put(f"{FILES}/{name}", stage.path, when=When.ABSENT)
        except Occupied:
            with tree.open(f"{FILES}/{name}") as file:
                assert file.read() == body(name)
        if bug != "no-flush-before-index":
            tree.flush()
    if bug == "ack-early":
        ack()
    _write_index(tree, name)
    ack()


@contextmanager
def replaced(doubles: dict[str, Any]) -> Iterator[None]:
    """Put other functions in the place of some of `fsio`."""
    with ExitStack() as stack:
        for name, double in doubles.items():
            stack.enter_context(mock.patch.object(fsio, name, double))
        yield


@contextmanager
def planted(bug: str) -> Iterator[None]:
    """Break one call of `fsio`, as a careless change would."""
    broken: dict[str, Any] = {}
    if bug == "no-file-sync":
        broken["sync_file"] = lambda fd: None
    if bug == "no-directory-sync":
        broken["sync_directory"] = lambda fd: None
    if bug == "no-parent-sync":
        leaves = ("/files", "/main")
        real = fsio.sync_directory
        broken["sync_directory"] = lambda fd: (
            real(fd) if str(Path(f"/proc/self/fd/{fd}").readlink()).endswith(leaves) else None
        )
    with replaced(broken):
        yield


def complaint(lookup: Callable[[str], bytes | None], files: Iterator[str], *, acked: str | None) -> str:
    """Say what is wrong with what is left after a crash; empty if nothing is."""
    text = lookup(INDEX)
    try:
        index = {} if text is None else json.loads(text)
    except ValueError:
        return "the index is torn"
    for name, promised in index.items():
        content = lookup(f"{FILES}/{name}")
        if content is None:
            return f"the index names {name}, which is not there"
        if sha256(content) != promised:
            return f"the index names {name}, which has other bytes"
    for name in files:
        if lookup(f"{FILES}/{name}") != body(name):
            return f"{name} is visible and torn"
    if acked is not None and acked not in index:
        return f"{acked} was acknowledged and is lost"
    return ""


def complaint_of_disk(root: Path, *, acked: str | None) -> str:
    def lookup(path: str) -> bytes | None:
        return (root / path).read_bytes() if (root / path).exists() else None

    folder = root / FILES
    return complaint(lookup, iter(sorted(path.name for path in folder.glob("*"))), acked=acked)


class Model:
    """A file system that keeps, at a crash, what was synced and any subset of the rest.

    It records the calls of `fsio`. Directory entries and file contents are separate things there, as POSIX has
    them: real file systems keep more, and so hide a forgotten fsync of a directory.
    """

    def __init__(self, root: Path) -> None:
        self._ids = itertools.count(1)
        self._id_of: dict[int, int] = {}
        self.initial: dict[int, dict[str, int]] = {}
        self.log: list[tuple[Any, ...]] = []
        self.root = self._adopt(root)

    def _adopt(self, folder: Path) -> int:
        me = self._fresh(folder.stat().st_ino)
        self.initial[me] = {child.name: self._adopt(child) for child in folder.iterdir() if child.is_dir()}
        return me

    def _fresh(self, inode: int) -> int:
        self._id_of[inode] = next(self._ids)  # an inode number may be used again: a new file is a new id
        return self._id_of[inode]

    def _dir(self, name: str | Path, dir_fd: int | None) -> tuple[int, str]:
        folder = os.fstat(dir_fd) if dir_fd is not None else Path(name).parent.stat()
        return self._id_of[folder.st_ino], Path(name).name

    def _entry(self, name: str, dir_fd: int) -> int:
        return self._id_of[os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_ino]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record every call of `fsio` until the end of the block."""
        real = {
            name: getattr(fsio, name)
            for name in (
                "create",
                "write",
                "sync_file",
                "sync_directory",
                "link",
                "replace",
                "unlink",
                "mkdir",
            )
        }

        def create(name, *, dir_fd=None):
            fd = real["create"](name, dir_fd=dir_fd)
            self.log.append(("entries", [(*self._dir(name, dir_fd), self._fresh(os.fstat(fd).st_ino))]))
            return fd

        def write(fd, content):
            real["write"](fd, content)
            self.log.append(("write", self._id_of[os.fstat(fd).st_ino], bytes(content)))

        def sync(kind):
            def record(fd):
                real[kind](fd)
                self.log.append((kind, self._id_of[os.fstat(fd).st_ino]))

            return record

        def link(source, target, *, source_dir, target_dir):
            real["link"](source, target, source_dir=source_dir, target_dir=target_dir)
            self.log.append(("entries", [(*self._dir(target, target_dir), self._entry(target, target_dir))]))

        def replace(source, target, *, source_dir, target_dir):
            real["replace"](source, target, source_dir=source_dir, target_dir=target_dir)
            gone = (*self._dir(source, source_dir), None)
            self.log.append(
                ("entries", [gone, (*self._dir(target, target_dir), self._entry(target, target_dir))])
            )

        def unlink(name, *, dir_fd=None):
            real["unlink"](name, dir_fd=dir_fd)
            self.log.append(("entries", [(*self._dir(name, dir_fd), None)]))

        def mkdir(name, *, dir_fd=None):
            real["mkdir"](name, dir_fd=dir_fd)
            made = self._fresh(os.stat(name, dir_fd=dir_fd).st_ino)
            self.initial[made] = {}
            self.log.append(("entries", [(*self._dir(name, dir_fd), made)]))

        doubles = {
            "create": create,
            "write": write,
            "sync_file": sync("sync_file"),
            "sync_directory": sync("sync_directory"),
            "link": link,
            "replace": replace,
            "unlink": unlink,
            "mkdir": mkdir,
        }
        with replaced(doubles):
            yield

    def crashes(self) -> Iterator[tuple[Callable[[str], bytes | None], Iterator[str], bool]]:
        """Every state that a power cut may leave: (lookup, visible files, whether ACK was said)."""
        for point in range(len(self.log) + 1):
            past = self.log[:point]
            acked = ("ack",) in past
            kept, loose = self._entries(past)
            for choice in itertools.product((False, True), repeat=len(loose)):
                chosen = sorted(kept + [n for n, keep in zip(loose, choice, strict=True) if keep])
                folders = {me: dict(names) for me, names in self.initial.items()}
                for number in chosen:
                    for folder, name, entry in past[number][1]:
                        folders[folder][name] = entry
                for torn in (False, True):
                    contents = self._contents(past, torn=torn)
                    yield self._lookup(folders, contents), self._visible(folders), acked

    @staticmethod
    def _entries(past: list[tuple[Any, ...]]) -> tuple[list[int], list[int]]:
        """Return the numbers of the entry changes that a sync forced, and of the others."""
        kept, loose = [], []
        for number, (kind, *rest) in enumerate(past):
            if kind == "entries":
                folders = {folder for folder, _, _ in rest[0]}
                later = {call[1] for call in past[number:] if call[0] == "sync_directory"}
                (kept if folders & later else loose).append(number)
        return kept, loose

    @staticmethod
    def _contents(past: list[tuple[Any, ...]], *, torn: bool) -> dict[int, bytes]:
        durable: dict[int, bytes] = {}
        written: dict[int, bytes] = {}
        for kind, *rest in past:
            if kind == "write":
                written[rest[0]] = written.get(rest[0], b"") + rest[1]
            elif kind == "sync_file":
                durable[rest[0]] = written.get(rest[0], b"")
        return durable if torn else written

    def _lookup(
        self, folders: dict[int, dict[str, int]], contents: dict[int, bytes]
    ) -> Callable[[str], bytes | None]:
        def lookup(path: str) -> bytes | None:
            found: int | None = self.root
            for part in path.split("/"):
                found = folders.get(found, {}).get(part) if found is not None else None
            return None if found is None else contents.get(found, b"")

        return lookup

    def _visible(self, folders: dict[int, dict[str, int]]) -> Iterator[str]:
        found: int | None = self.root
        for part in FILES.split("/"):
            found = folders.get(found, {}).get(part) if found is not None else None
        return iter([name for name, entry in folders.get(found or 0, {}).items() if entry is not None])


if __name__ == "__main__":
    root_, name_, bug_ = Path(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [""])[0]
    with planted(bug_):
        publish(root_, name_, FileLocks(root_).instance(), lambda: os.write(1, b"ACK\n") and None, bug_)
