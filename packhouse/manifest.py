"""What a version of a package consists of, and the one digest that stands for it: pure.

The digest (`top_hash`) is told by the API and by the static `versions.json` of each package, so that a version can be
verified from its files alone. This leaves to others: which files a version has, and reading their bytes.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from packhouse.model import Artifact, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a version: `path` is relative to the channel, `size` in bytes, `sha256` lower-case hex."""

    path: str
    filename: str
    size: int
    sha256: str


def file_of(artifact: Artifact) -> File:
    """Return the line of a manifest for an artifact."""
    return File(path=artifact.path, filename=artifact.filename, size=artifact.size, sha256=artifact.sha256)


def ordered(files: Iterable[File]) -> list[File]:
    """Return files by name, then by path: a conda name may lie in several subdirs."""
    return sorted(files, key=lambda file: (file.filename, file.path))


def top_hash(files: Iterable[File]) -> str:
    """Return the digest of a version: lower-case hex SHA-256 over one UTF-8 line for each file.

    A line is the file name, a tab, the size in decimal, a tab, the file's SHA-256 in hex, a line feed. Lines are in
    the order of `ordered`. Names hold neither tabs nor line feeds, so no two lists of files give the same lines.
    """
    lines = "".join(f"{file.filename}\t{file.size}\t{file.sha256}\n" for file in ordered(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def as_json(files: Iterable[File]) -> list[Json]:
    """Return a manifest as JSON, in the order of `ordered`."""
    return [
        {"path": file.path, "filename": file.filename, "size": file.size, "sha256": file.sha256}
        for file in ordered(files)
    ]
