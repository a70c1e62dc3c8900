"""The formats. Each folder is one; siblings never import each other.

A format is a module-level object that satisfies `Format`. The registry of those that exist is
`packhouse/ecosystems/registry.py`; a fourth ecosystem is one folder and one line there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packhouse.ecosystems.view import PackageView
from packhouse.model import Area, Artifact, Claim, Ecosystem, Json, Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What inspection may spend on one file; sizes in bytes of decompressed data."""

    metadata_bytes: int = 64 << 20
    """The info part of a conda package, or one metadata member of a wheel or sdist."""
    member_bytes: int = 8 << 20
    """One member that is read whole (METADATA, index.json)."""
    members: int = 100_000
    scan_bytes: int = 2 << 30
    """How much payload is decompressed to list and verify members; past it, the rest is not looked at and
    the artifact carries a warning that says so."""
    now_us: int = 0
    """The server's clock, microseconds since 1970 UTC, for rules about times in the future."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file to publish; `path` is relative to the channel (to the root for the area `site`)."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Everything one area publishes, in three classes that fix the order of publication.

    Attributes:
        fixed: content-addressed files (shards): their path names their content; published first, removed late.
        leaves: indexes and pages, in the order in which they are to be written: compressed variant before
            plain, shard index after its shards.
        notes: sentences for the operator (a hotfix that could not be applied).
    """

    fixed: Sequence[Page] = ()
    leaves: Sequence[Page] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of a channel, as the catalog counts it: for lists.

    `size` is the bytes of all live files; `subdirs` are conda's, empty elsewhere.
    """

    name: str
    display: str
    serial: int
    files: int
    latest: str
    summary: str
    updated_us: int
    size: int = 0
    subdirs: Sequence[str] = ()


class Records(Protocol):
    """What a format may ask of the catalog while it renders; every answer is of one channel."""

    def live(
        self, ecosystem: Ecosystem, *, directory: str | None = None, package: str | None = None
    ) -> Iterator[Artifact]:
        """Live artifacts, ordered by (package, path)."""
        ...

    def removed(self, ecosystem: Ecosystem, *, directory: str) -> Sequence[str]:
        """File names once live in `directory` and now gone, sorted."""
        ...

    def changed(self, ecosystem: Ecosystem, *, directory: str | None, since: int) -> Mapping[str, int]:
        """Packages with a row (live or gone) whose serial is above `since`: name to highest serial."""
        ...

    def directories(self, ecosystem: Ecosystem) -> Sequence[str]:
        """Directories that ever held an artifact of the ecosystem, sorted."""
        ...

    def packages(self, ecosystem: Ecosystem) -> Sequence[Package]:
        """Packages with at least one live file, sorted by name."""
        ...

    def details(self, artifact_id: int) -> Mapping[str, Json]:
        """What pages need of one artifact."""
        ...

    def file(self, path: str) -> bytes | None:
        """A small operator's file of the channel (`<subdir>/patch_instructions.json`), or None."""
        ...


class Format(Protocol):
    """What an ecosystem gives to the rest."""

    ecosystem: Ecosystem

    def recognises(self, filename: str) -> bool:
        """Whether a dropped or pushed file of that name is one of ours, by its extension."""
        ...

    def place(self, claim: Claim) -> tuple[str, str] | None:
        """What a claim alone fixes: (package, path in the channel); None where the bytes must be opened first.

        Raises:
            BadName: the file name breaks the format's own naming rule.
        """
        ...

    def inspect(self, path: Path, claim: Claim, limits: Limits) -> Observed:
        """Open the archive at `path` and judge it; runs in a resource-limited child.

        Raises:
            BadArchive: unreadable or ambiguous, for whatever reason a parser fails.
            BadMetadata: readable, but breaks the format's rules.
            BadName: the file name breaks the format's own naming rule.
        """
        ...

    def newest(self, versions: Iterable[str]) -> str:
        """Return the newest of some versions (n >= 1), by the format's own order, final before pre-release."""
        ...

    def in_order(self, versions: Iterable[str]) -> list[str]:
        """Return different versions by the format's own order, oldest first, each spelled as its pages are."""
        ...

    def requires(self, record: Mapping[str, Json]) -> Sequence[str]:
        """Return the normalised names of the packages that a file needs at run time, from its record."""
        ...

    def mentions(self, record: Mapping[str, Json]) -> Sequence[str]:
        """Return the normalised names of all packages to which its requirements on a page may lead, needed or not."""
        ...

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        """Areas that a change of `artifact` makes dirty, each with the delay in seconds it may take.

        `first_or_last`: the package appears or vanishes with this change. A delay of 0 is waited for by the
        uploader; lists that may lag (the root's serials) take up to 5 s.
        """
        ...

    def birth(self, channel: str) -> Sequence[Area]:
        """Areas that exist from the channel's birth (noarch, the roots)."""
        ...

    def render(self, area: Area, records: Records) -> Pages:
        """Render one of this ecosystem's areas of kind `index` or `root`; equal records give equal bytes."""
        ...

    def view(self, package: str, records: Records, version: str | None = None) -> PackageView | None:
        """What the page of a package (at its newest version), or of one version, shows; None without a live file."""
        ...
