"""A house whose clock stands still, a tree that crashes on demand, and what every reader may rely on."""

import dataclasses
import json
import shutil
import threading

import msgpack
from backports import zstd
from conda_support import make_conda
from house_support import ADMIN, Direct, new_house, take_in
from pypi_support import make_wheel

from indexer.watch import Reconciler
from packhouse.catalog import Catalog
from packhouse.house import open_house
from packhouse.intake import changes
from packhouse.intake.receive import Intake
from packhouse.model import Ecosystem
from packhouse.tree.fs import FsTree


class Clock:
    """Moves only when told."""

    def __init__(self, us):
        self.us = us

    def __call__(self):
        return self.us

    def forward(self, seconds):
        self.us += int(seconds * 1_000_000)

    def seconds(self):
        return self.us / 1_000_000


class Crash(BaseException):
    """The process dies here."""


class Tree:
    """A real tree that looks at the world at each mutation, and dies at the n-th one."""

    def __init__(self, inner, before=lambda: None):
        self._inner, self._before = inner, before
        self.log = []
        self.crash_at = None
        self._lock = threading.Lock()

    def _step(self, *what):
        with self._lock:
            self._before()
            if self.crash_at is not None and len(self.log) == self.crash_at:
                raise Crash
            self.log.append(what)

    def put(self, path, body, *, when, mtime_s=None):
        self._step("put", path)
        return self._inner.put(path, body, when=when, mtime_s=mtime_s)

    def flush(self):
        self._step("flush")
        self._inner.flush()

    def remove(self, path):
        self._step("remove", path)
        return self._inner.remove(path)

    def move(self, source, target):
        self._step("move", source, target)
        self._inner.move(source, target)

    def __getattr__(self, name):
        return getattr(self._inner, name)


class World:
    """One house, one clock, one tree."""

    def __init__(self, folder, *channels, overwrite=False):
        plain = new_house(folder, *channels, overwrite=overwrite)
        self.clock = Clock(plain.catalog.clock())  # past every mark of the plain house
        self._open(plain)

    def _open(self, plain):
        plain.catalog.close()
        self.tree = Tree(FsTree(plain.data, now_s=self.clock.seconds))
        self.house = dataclasses.replace(
            plain, catalog=Catalog(plain.settings.database, clock=self.clock), tree=self.tree
        )
        self.intake = Intake(self.house, Direct())
        self.monotonic = 0.0
        self.reconciler = self.fresh()

    def copy(self, folder):
        """The same world somewhere else; this one is closed."""
        shutil.copytree(self.house.data, folder / "data")
        other = object.__new__(World)
        other.clock = Clock(self.clock.us)
        other._open(open_house(folder / "data"))
        return other

    def fresh(self):
        """A new process."""
        return Reconciler(self.house, monotonic=lambda: self.monotonic)

    def settle(self, seconds=10.0):
        """Let the lags pass and publish until nothing is due."""
        self.clock.forward(seconds)
        outcomes = []
        while True:
            round_ = self.reconciler.reconcile()
            outcomes += round_.outcomes
            if not round_.more and not self.house.catalog.areas.due():
                return outcomes

    def wheel(self, name="tiny", version="1.0", channel="main", force=False, **more):
        filename, body = make_wheel(name, version, **more)
        return take_in(self.intake, filename, body, channel=channel, force=force)

    def conda(self, name="tiny", version="1.0", channel="main", subdir="noarch", force=False, **more):
        filename, body = make_conda(name, version, subdir=subdir, **more)
        return take_in(
            self.intake,
            filename,
            body,
            channel=channel,
            force=force,
            ecosystem=Ecosystem.CONDA,
            directory=subdir,
        )

    def product(
        self, name="tool", version="1.0", filename="tool.bin", body=b"bits", channel="main", force=False
    ):
        return take_in(
            self.intake,
            filename,
            body,
            channel=channel,
            force=force,
            ecosystem=Ecosystem.GENERIC,
            directory=f"products/{name}/{version}",
        )

    def delete(self, path, channel="main", now=False):
        return changes.delete(self.house, self.house.catalog.artifacts.live(channel, path), ADMIN, now=now)

    def files(self, prefix="public"):
        """Path to bytes of everything that is served."""
        root = self.house.data
        return {stat.path: (root / stat.path).read_bytes() for stat in self.tree.scan(prefix)}

    def stats(self, prefix="public"):
        """Path to (inode, mtime) of everything that is served."""
        found = {stat.path: (self.house.data / stat.path).stat() for stat in self.tree.scan(prefix)}
        return {path: (info.st_ino, info.st_mtime_ns) for path, info in found.items()}

    def close(self):
        self.house.close()


def broken_promises(root):
    """What an index names and is not there, in any channel of `public/`."""
    channels = [
        folder for folder in (root / "public").iterdir() if folder.is_dir() and folder.name != "static"
    ]
    named = [pair for channel in sorted(channels) for reader in READERS for pair in reader(channel)]
    return [(index, path) for index, path in named if not path.exists()]


def _projects(channel):
    for index in channel.glob("simple/*/index.json"):
        yield from ((index, index.parent / file["url"]) for file in json.loads(index.read_bytes())["files"])
    for index in channel.glob("simple/index.json"):
        for project in json.loads(index.read_bytes())["projects"]:
            yield index, index.parent / project["name"] / "index.json"


def _subdirs(channel):
    for index in channel.glob("*/repodata.json"):
        repodata = json.loads(index.read_bytes())
        yield from ((index, index.parent / name) for name in repodata["packages"])
        yield from ((index, index.parent / name) for name in repodata["packages.conda"])
    for index in channel.glob("*/repodata_shards.msgpack.zst"):
        for raw in msgpack.unpackb(zstd.decompress(index.read_bytes()))["shards"].values():
            yield index, index.parent / "shards" / f"{raw.hex()}.msgpack.zst"


def _products(channel):
    for index in channel.glob("products/*/index.json"):
        for files in json.loads(index.read_bytes())["versions"].values():
            yield from ((index, index.parent / file["url"]) for file in files)


READERS = (_projects, _subdirs, _products)
