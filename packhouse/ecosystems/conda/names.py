"""Conda file names: `<name>-<version>-<build>.<extension>` and back (CEP 26)."""

import re
from dataclasses import dataclass

from packhouse.ecosystems.conda.versions import version_problem
from packhouse.errors import BadName
from packhouse.names import MAX_FILENAME, Filename, parse_filename

EXTENSIONS = (".conda", ".tar.bz2")

MAX_PART = 64
"""CEP 26: a name, a version and a build string have at most 64 characters each."""

# CEP 26's own expression ends in a group that may match nothing, so it also takes `foo-` and `foo.`; here the
# last character is a letter, a digit or an underscore, and runs of separators are as short as there: one, or `_`s.
_NAME = re.compile(r"(?:[a-z0-9]|_(?!_))[a-z0-9_.-]*")
_DOUBLE = re.compile(r"[.-][._-]|_[.-]")
_BUILD = re.compile(r"[a-zA-Z0-9_.+]+")


@dataclass(frozen=True, slots=True)
class Coordinates:
    """What a file name says: three parts and the extension with its dot."""

    name: str
    version: str
    build: str
    extension: str

    @property
    def stem(self) -> str:
        """The file name without its extension: the key of `v3` records (CEP 48)."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def filename(self) -> Filename:
        """The file name."""
        return Filename(self.stem + self.extension)


def split_extension(filename: str) -> tuple[str, str]:
    """Return stem and extension; the extension is empty when it is none of conda's."""
    for extension in EXTENSIONS:
        if filename.endswith(extension):
            return filename.removesuffix(extension), extension
    return filename, ""


def name_problem(name: str) -> str:
    """Say what keeps `name` from being a package name; empty if nothing does.

    Source: CEP 26; a leading `__` is reserved for virtual packages.
    """
    if not name or len(name) > MAX_PART:
        return f"a package name has 1 to {MAX_PART} characters (CEP 26)"
    if name.startswith("__"):
        return "names that begin with __ are reserved for virtual packages (CEP 26)"
    if not _NAME.fullmatch(name):
        return "a package name is lower-case letters, digits and . _ -, and begins with no . or - (CEP 26)"
    if name[-1] in ".-":
        return "a package name must not end with . or - (CEP 26)"
    if _DOUBLE.search(name):
        return "a package name must not have two separators in a row (CEP 26)"
    return ""


def build_problem(build: str) -> str:
    """Say what keeps `build` from being a build string; empty if nothing does (CEP 26)."""
    if len(build) > MAX_PART or not _BUILD.fullmatch(build):
        return f"a build string is 1 to {MAX_PART} letters, digits and _ . + (CEP 26)"
    return ""


def parse_coordinates(filename: str, *, max_number: int = 2**31 - 1) -> Coordinates:
    """Return what a conda file name says.

    Args:
        filename: text from outside; it passes the safety gate here.
        max_number: the largest run of digits to allow in the version.

    Raises:
        BadName: over 211 characters, an unknown extension, or a part that breaks its rule.
    """
    kind = "conda file name"
    if len(filename) > MAX_FILENAME:  # before any expression sees it
        raise BadName(
            kind, filename, f"it has {len(filename)} characters, at most {MAX_FILENAME} are allowed"
        )
    parse_filename(filename)
    stem, extension = split_extension(filename)
    if not extension:
        raise BadName(kind, filename, "it must end with .conda or .tar.bz2")
    parts = stem.rsplit("-", 2)
    if len(parts) != 3:
        raise BadName(
            kind, filename, "it must read <name>-<version>-<build>, for example zlib-1.3.1-h4ab18f5_1"
        )
    name, version, build = parts
    for problem in (
        name_problem(name),
        version_problem(version, max_number=max_number),
        build_problem(build),
    ):
        if problem:
            raise BadName(kind, filename, problem)
    return Coordinates(name, version, build, extension)
