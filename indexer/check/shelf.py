"""What `indexer check` knows of one channel: every file read at most once, and what the catalog says of it."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from indexer.publish import path_of
from packhouse.catalog.areas import Printed
from packhouse.digest import Digests, digest
from packhouse.ecosystems.registry import FORMATS
from packhouse.house import House
from packhouse.model import Area, Artifact, Channel, Ecosystem
from packhouse.placement import Placement

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 1 << 20
_MAX_DECODED = 1 << 30


@cache
def optional(name: str) -> Any:
    """Return a module of an extra, or None where it is not installed: the other readers remain.

    Asked for when something is checked: `indexer watch` needs none of them, and they take a quarter of its start.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `path` is relative to the data directory."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass
class Shelf:
    """One channel, or the site (place None), under examination; `findings` collects what is wrong."""

    house: House
    place: Placement | None
    findings: list[Finding] = field(default_factory=list)
    read: int = 0
    """Files read so far."""

    @property
    def channel(self) -> Channel | None:
        """The channel; None for the site."""
        return self.place.channel if self.place else None

    @property
    def name(self) -> str:
        """The channel's name; empty for the site."""
        return self.place.channel.name if self.place else ""

    def where(self, path: str) -> str:
        """Return where a path of the channel belongs, relative to the data directory."""
        return path_of(self.place, path)

    @cached_property
    def artifacts(self) -> dict[str, Artifact]:
        """Live artifacts by path, those of restricted packages too."""
        if self.place is None:
            return {}
        records = self.house.catalog.records(self.name, self.body)
        return {
            artifact.path: artifact for ecosystem in FORMATS for artifact in records.everything(ecosystem)
        }

    def listed(self, ecosystem: Ecosystem) -> list[str]:
        """Return the packages that the channel's lists must name, sorted."""
        hidden = self.place.restricted if self.place else frozenset()
        return sorted(
            {
                artifact.package
                for artifact in self.artifacts.values()
                if artifact.ecosystem == ecosystem and (artifact.ecosystem, artifact.package) not in hidden
            }
        )

    @cached_property
    def published(self) -> dict[str, tuple[Area, Printed]]:
        """Published paths that should be there."""
        rows = self.house.catalog.areas.all_printed(self.name)
        return {path: row for path, row in rows.items() if row[1].sha256 is not None}

    @cached_property
    def digests(self) -> Mapping[str, Digests]:
        """What the bytes of each live artifact hash to: each is read once."""
        found: dict[str, Digests] = {}
        for path in self.artifacts:
            try:
                with self.house.tree.open(self.where(path)) as file:
                    found[path] = digest(iter(lambda f=file: f.read(_CHUNK), b""))  # type: ignore[misc]
                    self.read += 1
            except FileNotFoundError:
                continue
        return found

    def body(self, path: str) -> bytes | None:
        """Return the bytes of an index, page or sidecar, or None."""
        try:
            with self.house.tree.open(self.where(path)) as file:
                self.read += 1
                return file.read()
        except FileNotFoundError:
            return None

    def wrong(self, path: str, what: str) -> None:
        """Note a finding about a path of the channel."""
        self.findings.append(Finding(self.where(path), what))

    def unzstd(self, path: str, *, window_log: int) -> bytes | None:
        """Decode a file that must be exactly one zstd frame; a finding and None if it is not.

        rattler, conda and libmamba agree on one frame only; `window_log` is the largest window they all take.
        """
        body = self.body(path)
        if body is None:
            self.wrong(path, "is missing")
            return None
        decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})
        try:
            decoded = decoder.decompress(body, max_length=_MAX_DECODED)
        except zstd.ZstdError as error:
            self.wrong(path, f"is no valid zstd: {error}")
            return None
        if not decoder.eof or decoder.unused_data:
            self.wrong(path, "is not exactly one zstd frame")
            return None
        return bytes(decoded)

    def entry(self, index: str, path: str, *, size: object, sha256: object, md5: object = None) -> None:
        """Compare what an index says of one file with the bytes of that file."""
        found = self.digests.get(path)
        if found is None:
            self.wrong(index, f"names {path}, which is no live file")
            return
        said = {"size": (size, found.size), "sha256": (sha256, found.sha256), "md5": (md5, found.md5)}
        for what, (claimed, real) in said.items():
            if claimed is not None and claimed != real:
                self.wrong(index, f"says {what} {claimed} of {path}, but its bytes have {real}")
        if size is None or sha256 is None:
            self.wrong(index, f"names {path} without its size and sha256")
