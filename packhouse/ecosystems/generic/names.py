"""Product coordinates: where a claim wants a file, and how versions are ordered."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from packhouse.errors import BadName
from packhouse.model import Claim
from packhouse.names import Filename, Segment, parse_filename, parse_segment

_INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One file of one version of a product, `name` as the uploader spells it."""

    name: Segment
    version: Segment
    filename: Filename

    @property
    def package(self) -> str:
        """The product in lower case: what owns rights, index and page."""
        return self.name.lower()

    @property
    def directory(self) -> str:
        """Where the file lies inside its channel."""
        return f"products/{self.name}/{self.version}"


def parse_product(claim: Claim) -> Product:
    """Return the coordinates that a claim names: by its directory, or by its package and version.

    Raises:
        BadName: they are missing or unsafe, or would lie where an index lies.
    """
    if claim.directory is None:
        parts = ["products", claim.package or "", claim.version or ""]
    else:
        parts = claim.directory.split("/")
    if len(parts) != 3 or parts[0] != "products":
        raise BadName("product directory", claim.directory or "", "it must be products/<product>/<version>")
    return Product(
        name=parse_part("product name", parts[1]),
        version=parse_part("product version", parts[2]),
        filename=parse_filename(claim.filename),
    )


def parse_part(kind: str, text: str) -> Segment:
    """Return a product's name or version, or raise `BadName`: it is unsafe, or an index lies there."""
    name = parse_segment(kind, text)
    # products/index.json and products/<product>/index.json are ours, precompressed forms included.
    if name.lower().startswith(_INDEX):
        raise BadName(kind, name, "the name is taken by an index; choose another")
    return name


def kind(filename: str) -> str:
    """Return the extension in lower case, `tar.gz` and friends whole; empty where there is none."""
    found = re.search(r"\.((?:tar\.)?[A-Za-z0-9]+)\Z", filename)
    return found[1].lower() if found else ""


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions sorted, oldest first.

    By PEP 440 if every one of them is such a version (then a release candidate precedes its release); else
    naturally: runs of digits compare as numbers.
    """
    texts: Sequence[str] = sorted(set(versions))
    try:
        return sorted(texts, key=Version)
    except InvalidVersion:
        return sorted(texts, key=_natural)


def newest(versions: Iterable[str]) -> str:
    """Return the newest of n >= 1 versions, final before pre-release where PEP 440 can tell."""
    texts = in_order(versions)
    try:
        finals = [text for text in texts if not Version(text).is_prerelease]
    except InvalidVersion:
        finals = []
    return (finals or texts)[-1]


def _natural(text: str) -> list[tuple[int, int, str]]:
    # [0-9], not \d: `int` of other scripts' digits would make two spellings equal. At most 128 characters.
    runs = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(1, int(run), "") if run[0] in "0123456789" else (0, 0, run) for run in runs]
