"""Stores for tests: one in memory, and one that fails after it has done what was asked."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from packhouse.errors import Unavailable
from packhouse.tree import Changed, Match, Occupied, Stat, Tree, When


class MemoryTree:
    """A `Tree` in a dictionary; `durable` is what a power cut would leave."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.objects: dict[str, tuple[bytes, int, int]] = {}
        self.durable: dict[str, bytes] = {}
        self._count = 0

    def put(self, path: str, body: bytes | Path, *, when: When | Match, mtime_s: int | None = None) -> Stat:
        before = self.objects.get(path)
        if when is When.ABSENT and before is not None:
            raise Occupied(path)
        if isinstance(when, Match) and (before is None or self._stat(path).tag != when.tag):
            raise Changed(path)
        taken = body.read_bytes() if isinstance(body, Path) else body
        if isinstance(body, Path) and when is not When.ABSENT:
            body.unlink()
        self._count += 1
        after = before[1] + 1 if before else 0
        self.objects[path] = (taken, max(1_700_000_000, after, mtime_s or 0), self._count)
        return self._stat(path)

    def flush(self) -> None:
        self.durable = {path: body for path, (body, _, _) in self.objects.items()}

    def stat(self, path: str) -> Stat | None:
        return self._stat(path) if path in self.objects else None

    def _stat(self, path: str) -> Stat:
        body, mtime_s, number = self.objects[path]
        return Stat(path=path, size=len(body), mtime_s=mtime_s, tag=str(number))

    def open(self, path: str) -> BinaryIO:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return io.BytesIO(self.objects[path][0])

    def scan(self, prefix: str) -> Iterator[Stat]:
        for path in sorted(self.objects):
            if path.startswith(f"{prefix}/"):
                yield self._stat(path)

    def folders(self, path: str) -> list[str]:
        below = [p[len(path) + 1 :] for p in self.objects if p.startswith(f"{path}/")]
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def remove(self, path: str) -> bool:
        return self.objects.pop(path, None) is not None

    def move(self, source: str, target: str) -> None:
        moved = {p: o for p, o in self.objects.items() if f"{p}/".startswith(f"{source}/")}
        if not moved:
            raise FileNotFoundError(source)
        if any(f"{p}/".startswith(f"{target}/") for p in self.objects):
            raise Occupied(target)
        for path, held in moved.items():
            del self.objects[path]
            self.objects[target + path[len(source) :]] = held


class HostileTree:
    """Wraps a store: the mutating calls numbered in `failing` (from 1) are carried out, and then fail.

    That is what a network does to an answer. Whoever retries must find the first try's work.
    """

    def __init__(self, tree: Tree, failing: set[int]) -> None:
        self._tree, self._failing = tree, failing
        self.calls = 0
        self.stat, self.open, self.scan, self.folders = tree.stat, tree.open, tree.scan, tree.folders

    def _fail(self) -> None:
        self.calls += 1
        if self.calls in self._failing:
            raise Unavailable("the answer was lost")

    def put(self, path: str, body: bytes | Path, *, when: When | Match, mtime_s: int | None = None) -> Stat:
        stat = self._tree.put(path, body, when=when, mtime_s=mtime_s)
        self._fail()
        return stat

    def flush(self) -> None:
        self._tree.flush()
        self._fail()

    def remove(self, path: str) -> bool:
        was_there = self._tree.remove(path)
        self._fail()
        return was_there

    def move(self, source: str, target: str) -> None:
        self._tree.move(source, target)
        self._fail()
