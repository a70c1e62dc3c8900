"""Where each file of a channel lies: pure.

`public/<channel>/` is what anyone may read, `private/<channel>/` a channel that is not for everyone, and
`restricted/<channel>/` the packages of either kind of channel that are for fewer people than it (DESIGN section 3).
The layout inside is the same. Which of them a file belongs to follows from the channel's place and from the package
that owns its path. This leaves to others: reading both from the catalog while nobody moves anything
(`House.placing`), and moving (`intake/moving.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packhouse.access import EVERYONE
from packhouse.errors import BadName
from packhouse.model import Artifact, Channel, Ecosystem
from packhouse.names import parse_project
from packhouse.tree import channel_root

TREES = ("public", "private", "restricted")
"""What is served; one channel may have files in two of them."""

REPLACED = "replaced"
"""Folder of a channel for bytes that were overwritten: `replaced/<ecosystem>/<package>/<sha256>/<file>`."""

FOLDERS: Mapping[Ecosystem, Sequence[str]] = {
    Ecosystem.PYPI: ("simple", "pypi", "packages", f"{REPLACED}/{Ecosystem.PYPI}"),
    Ecosystem.GENERIC: ("products", "generic", f"{REPLACED}/{Ecosystem.GENERIC}"),
}
"""The folders of a channel that hold one folder per package, what names the files before the files themselves.

Conda is not among them: `repodata.json` is one file for all packages of a subdir, so reading it is per channel.
"""

_OWNERS = {folder: ecosystem for ecosystem, folders in FOLDERS.items() for folder in folders}


def owner_of(path: str) -> tuple[str, str] | None:
    """Return the ecosystem and the normalised package that own a path of a channel, or None if no package does.

    Args:
        path: relative to the channel, decoded; it may come from a request, in any spelling of the package's name.

    Returns:
        (ecosystem, package), as `closed` and grants hold them. None for a list, an index of conda, and whatever has
        something else than a name where a package's should be.
    """
    segments = path.split("/")
    named = segments[:3] if segments[0] == REPLACED else segments[:2]
    if len(segments) <= len(named):  # a file beside the packages' folders, as the list of them is
        return None
    ecosystem = _OWNERS.get("/".join(named[:-1]))
    if ecosystem is None:
        return None
    package = normalised(ecosystem, named[-1])
    return None if package is None else (ecosystem, package)


def normalised(ecosystem: Ecosystem, text: str) -> str | None:
    """Return the one spelling of a package's name under which its rights are kept, or None if it is no name."""
    if ecosystem is not Ecosystem.PYPI:
        return text.lower() or None  # a product keeps its case on the disk
    try:
        return parse_project(text)
    except BadName:
        return None


def kept_at(artifact: Artifact, sha256: str) -> str:
    """Return where bytes with that digest are kept that an overwrite of `artifact` replaced; in its channel."""
    return f"{REPLACED}/{artifact.ecosystem}/{artifact.package}/{sha256}/{artifact.filename}"


def tree_of(private: bool, default_read: str) -> str:
    """Return the tree of a channel that is private or not, where the setting `default_read` has that value."""
    return "private" if private or default_read != EVERYONE else "public"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the files of one channel belong, as of one moment.

    Attributes:
        channel: with the place of that moment.
        restricted: (ecosystem, package) of its restricted packages.
    """

    channel: Channel
    restricted: frozenset[tuple[str, str]] = frozenset()

    @property
    def root(self) -> str:
        """The folder of everything that no restricted package owns, relative to the data directory."""
        return channel_root(self.channel)

    @property
    def inner(self) -> str:
        """The folder of restricted packages, relative to the data directory."""
        return f"restricted/{self.channel.name}"

    def where(self, path: str) -> str:
        """Return where a path of the channel belongs, relative to the data directory."""
        hidden = bool(self.restricted) and owner_of(path) in self.restricted
        return f"{self.inner if hidden else self.root}/{path}"
