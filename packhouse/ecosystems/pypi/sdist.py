"""What an sdist must contain: one top-level directory with PKG-INFO in it.

Source: PEP 517 and PEP 625; the source distribution format.
"""

from typing import BinaryIO

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.names import Distribution, parse_version, same_project
from packhouse.ecosystems.pypi.tarwalk import TarReader
from packhouse.ecosystems.pypi.wheel import Content
from packhouse.ecosystems.pypi.zipend import looks_like_zip
from packhouse.ecosystems.pypi.zipread import ZipReader
from packhouse.errors import BadArchive

_NAME = "PKG-INFO"


def read_sdist(file: BinaryIO, distribution: Distribution, limits: Limits) -> Content:
    """Read a `.tar.gz` or `.zip` sdist without extracting it.

    Raises:
        BadArchive: not one strict archive, several top-level directories, or no PKG-INFO in the one there is.
    """
    read = _zip if distribution.filename.endswith(".zip") else _tar
    return read(file, distribution, limits)


def _tar(file: BinaryIO, distribution: Distribution, limits: Limits) -> Content:
    filename = distribution.filename
    if looks_like_zip(file):
        raise BadArchive(filename, "it can be read as a zip as well as a tar archive")
    reader = TarReader(file, filename, limits)
    members, kept = reader.members(_NAME)
    root = _root([member.path for member in members], filename)
    if f"{root}/{_NAME}" not in kept:
        raise BadArchive(filename, f"it has no {root}/{_NAME}, so it is no sdist")
    warnings = list(_root_warnings(root, distribution))
    if not reader.complete:
        warnings.append(f"the rest was not looked at: it unpacks to more than {limits.scan_bytes} bytes")
    return Content(
        metadata=kept[f"{root}/{_NAME}"],
        members=tuple((member.path, member.size) for member in members if not member.path.endswith("/")),
        warnings=tuple(warnings),
    )


def _zip(file: BinaryIO, distribution: Distribution, limits: Limits) -> Content:
    filename = distribution.filename
    reader = ZipReader(file, filename, limits)
    layout = reader.layout
    files = {member.path: member for member in layout.members if not member.directory}
    root = _root([member.path for member in layout.members], filename)
    if f"{root}/{_NAME}" not in files:
        raise BadArchive(filename, f"it has no {root}/{_NAME}, so it is no sdist")
    looked, skipped = 0, 0
    for member in files.values():
        if looked + member.size > limits.scan_bytes:
            skipped += 1
            continue
        looked += member.size
        reader.verify(member)
    warnings = [*layout.warnings, *_root_warnings(root, distribution)]
    if skipped:
        warnings.append(
            f"{skipped} of {len(files)} members were not looked at: it unpacks to more than "
            f"{limits.scan_bytes} bytes"
        )
    return Content(
        metadata=reader.read(files[f"{root}/{_NAME}"]),
        members=tuple((member.path, member.size) for member in files.values()),
        warnings=tuple(warnings),
    )


def _root(paths: list[str], filename: str) -> str:
    roots = sorted({path.split("/", 1)[0] for path in paths})
    if len(roots) != 1:
        raise BadArchive(filename, f"it has {len(roots)} top-level entries, an sdist has one directory")
    return roots[0]


def _root_warnings(root: str, distribution: Distribution) -> tuple[str, ...]:
    """PEP 517: "a single top-level directory called {name}-{version}"."""
    name, dash, version = root.rpartition("-")
    if dash and same_project(name, distribution.project) and parse_version(version) == distribution.version:
        return ()
    return (f"its top-level directory {root[:200]} is not called name-version after the file",)
