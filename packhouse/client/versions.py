"""The versions of a package, from `<channel>/<ecosystem>/<package>/versions.json`: every file's size and SHA-256.

What the file says of a version is checked against the version's top hash, and what is downloaded against the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from packhouse.client.connection import Missing
from packhouse.client.reading import number, sensible, static, text
from packhouse.client.registry import PackageName, Registry, parse_package
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import BadName, Malformed, PackhouseError
from packhouse.manifest import File, top_hash
from packhouse.model import Json
from packhouse.names import parse_filename, parse_segment

SHORTEST_HASH = 6
"""How many characters of a top hash are enough to name a version."""


class Ambiguous(Malformed):
    """The name or the hash means several things; the sentence names them."""

    code = "ambiguous"


class HashMismatch(PackhouseError):
    """What arrived is not what the manifest or the top hash says. Nothing of it was kept."""

    code = "hash-mismatch"

    def __init__(self, what: str, field: str, expected: object, observed: object) -> None:
        self.what, self.field, self.expected, self.observed = what, field, expected, observed
        super().__init__(
            f"{what} is refused: its {field} is {observed}, and should be {expected}; try again, and tell the "
            "server's operator if it stays so"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a package.

    Attributes:
        version: as its files spell it.
        top_hash: the digest that stands for all of its files.
        yanked: whether installers pass it over (PEP 592).
        last_uploaded: when its newest file was uploaded, UTC.
        files: by file name.
    """

    version: str
    top_hash: str
    yanked: bool
    last_uploaded: datetime
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A package that is there, and its n >= 1 versions."""

    name: PackageName
    versions: Sequence[Version]

    @property
    def latest(self) -> Version:
        """The newest version by its ecosystem's order; a yanked one only if all are."""
        standing = [version for version in self.versions if not version.yanked] or self.versions
        newest = FORMATS[self.name.ecosystem].newest(version.version for version in standing)
        return next(version for version in standing if version.version == newest)

    def at(self, version: str | None = None, hash_: str | None = None) -> Version:
        """Return the version of that name, or of that top hash, or the latest.

        Versions with the same files have the same top hash: the one that was uploaded last is returned.

        Raises:
            Missing: there is none.
            Ambiguous: the beginning of a hash is that of several versions.
            BadName: it is too short, or no hash.
            HashMismatch: the version is there, and its top hash is another one.
        """
        if version is None:
            return self.latest if hash_ is None else self._by_hash(_start(hash_))
        found = next((item for item in self.versions if item.version == version), None)
        if found is None:
            raise missing(f"there is no version {version} of {self.name}")
        if hash_ is not None and not found.top_hash.startswith(_start(hash_)):
            raise HashMismatch(f"{self.name} {version}", "top hash", hash_, found.top_hash)
        return found

    def _by_hash(self, start: str) -> Version:
        hits = [item for item in self.versions if item.top_hash.startswith(start)]
        if not hits:
            raise missing(f"no version of {self.name} has a top hash that begins with {start}")
        if len({item.top_hash for item in hits}) > 1:
            raise self.several(hits, start)
        return max(hits, key=lambda item: (item.last_uploaded, item.version))

    def only(self, version: str | None, hash_: str) -> Version:
        """Return the one version of that top hash; raises as `at`, and `Ambiguous` where two have the same files."""
        found = self.at(version, hash_)
        same = [item for item in self.versions if item.top_hash == found.top_hash]
        if version is None and len(same) > 1:
            raise self.several(same, hash_)
        return found

    def several(self, versions: Sequence[Version], start: str) -> Ambiguous:
        """Return the refusal of a hash that is that of several versions."""
        shown = ", ".join(f"{item.version} ({item.top_hash})" for item in versions)
        return Ambiguous(
            f"several versions of {self.name} have a top hash that begins with {start}: {shown}; "
            "give more of it, or the version too"
        )


def find(where: Registry, name: str) -> Found:
    """Return a package by its name.

    Args:
        where: the channel.
        name: `ecosystem/name`, or the bare name if only one ecosystem has it.

    Raises:
        Missing: there is no such package, or the key's holder may not know of it.
        Ambiguous: several ecosystems have the name.
        BadName: no ecosystem takes it.
        HashMismatch: a version's top hash is not that of its files.
        KeyRefused, Unreachable: as `reading.static`.
    """
    found: list[Found] = []
    for package in parse_package(name):
        try:
            found.append(Found(package, _versions(where, package)))
        except Missing:
            continue
    if not found:
        raise missing(f"there is no package {name} in {where.url}, or you may not see it")
    if len(found) > 1:
        several = ", ".join(str(one.name) for one in found)
        raise Ambiguous(f"{name} is several packages of {where.url}: name one of {several}")
    return found[0]


def missing(sentence: str) -> Missing:
    """Return the refusal of what is not there, as the server would say it."""
    return Missing(404, "not-found", sentence)


def _versions(where: Registry, package: PackageName) -> Sequence[Version]:
    said = static(where, f"{package}/versions.json").body
    with sensible(where.server):
        versions = [_version(item) for item in said["versions"]]
    if not versions:
        raise missing(f"there is no version of {package}")
    for version in versions:
        if (computed := top_hash(version.files)) != version.top_hash:
            raise HashMismatch(f"{package} {version.version}", "top hash", version.top_hash, computed)
    return versions


def _version(item: Mapping[str, Json]) -> Version:
    return Version(
        version=text(item, "version"),
        top_hash=text(item, "top_hash"),
        yanked=item.get("yanked") not in {None, False},
        last_uploaded=datetime.fromisoformat(text(item, "last_uploaded")),
        files=tuple(_file(file) for file in item["files"]),
    )


def _file(item: Mapping[str, Json]) -> File:
    # Names from outside become names on this disk: they pass the gate of the server's own names.
    filename, path = parse_filename(text(item, "filename")), text(item, "path")
    *folders, last = path.split("/")
    if last != filename or [parse_segment("folder", folder) for folder in folders] != folders:
        raise BadName("path", path, "it does not end in the file's name")
    return File(path=path, filename=filename, size=number(item, "size"), sha256=text(item, "sha256"))


def _start(hash_: str) -> str:
    lower = hash_.lower()
    if len(lower) < SHORTEST_HASH or not set(lower) <= set("0123456789abcdef"):
        raise BadName("top hash", hash_, f"give {SHORTEST_HASH} to 64 hex digits")
    return lower
