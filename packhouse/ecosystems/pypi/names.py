"""Python file names: what PEP 427, 625, 440 and 503 say that a file name says."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from packhouse.errors import BadName
from packhouse.names import MAX_SEGMENT, Filename, ProjectName, parse_filename, parse_project

Kind = Literal["bdist_wheel", "sdist"]

SDIST_SUFFIXES = (".tar.gz", ".zip")
MAX_TAGS = 1_000

# PEP 425 tags, compressed with dots. `packaging` would let any text through (a right-to-left override).
_TAG_SET = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What one file name says.

    Attributes:
        project: normalised after PEP 503.
        version: compares after PEP 440.
        tags: the expanded tag set of a wheel; empty for an sdist.
        python: the python part as legacy JSON has it: `py3`, `cp311`, or `source`.
        warnings: rules of today that the name breaks without being ambiguous.
    """

    filename: Filename
    project: ProjectName
    version: Version
    kind: Kind
    tags: frozenset[Tag] = frozenset()
    python: str = "source"
    warnings: tuple[str, ...] = ()

    @property
    def directory(self) -> str:
        """Where the file lies inside its channel."""
        return f"packages/{self.project}"


def recognises(filename: str) -> bool:
    """Whether the extension is that of a wheel or an sdist."""
    return filename.endswith((".whl", *SDIST_SUFFIXES))


def parse_distribution(text: str) -> Distribution:
    """Return what the name of a wheel or sdist says.

    The safety gate comes first: `packaging` parses names, it does not judge whether they are safe.

    Raises:
        BadName: unsafe, neither a wheel nor an sdist, or broken by the rules of its kind.
    """
    filename = parse_filename(text)
    if filename.endswith(".whl"):
        return _wheel(filename)
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return _sdist(filename, suffix)
    raise BadName("Python file name", text, "it must end in .whl, .tar.gz or .zip")


def _wheel(filename: Filename) -> Distribution:
    kind = "wheel file name"
    parts = filename.removesuffix(".whl").split("-")
    if len(parts) not in (5, 6):
        # PEP 427: {distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}.whl
        raise BadName(kind, filename, "it must be name-version-[build-]python-abi-platform.whl")
    if len(parts[1]) > MAX_SEGMENT:
        raise BadName(kind, filename, f"its version has more than {MAX_SEGMENT} characters")
    count = 1
    for part in parts[-3:]:
        if not _TAG_SET.fullmatch(part):
            raise BadName(kind, filename, f"{part!r} is not a set of tags such as py3 or cp311.cp312")
        count *= part.count(".") + 1
    if count > MAX_TAGS:
        raise BadName(
            kind, filename, f"its tags expand to {count} combinations, at most {MAX_TAGS} are allowed"
        )
    project = parse_project(parts[0])
    try:
        _, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise BadName(kind, filename, _rule(error)) from error
    return Distribution(
        filename=filename,
        project=project,
        version=version,
        kind="bdist_wheel",
        tags=tags,
        python=parts[-3],
        # PEP 427 and the wheel specification: the name normalised with `_`, the version after PEP 440.
        warnings=_spelling(filename, (parts[0], parts[1]), project, version),
    )


def _sdist(filename: Filename, suffix: str) -> Distribution:
    kind = "sdist file name"
    name, dash, version_text = filename.removesuffix(suffix).rpartition("-")
    if not dash:
        raise BadName(kind, filename, f"it must be name-version{suffix}")
    if len(version_text) > MAX_SEGMENT:
        raise BadName(kind, filename, f"its version has more than {MAX_SEGMENT} characters")
    project = parse_project(name)
    try:
        _, version = parse_sdist_filename(filename)
    except InvalidSdistFilename as error:
        raise BadName(kind, filename, _rule(error)) from error
    return Distribution(
        filename=filename,
        project=project,
        version=version,
        kind="sdist",
        # PEP 625: {name}-{version}.tar.gz, both normalised.
        warnings=_spelling(filename, (name, version_text), project, version),
    )


def _rule(error: ValueError) -> str:
    """Return what `packaging` says is wrong, without its repetition of the whole name."""
    return str(error).split(": '", 1)[0]


def _spelling(
    filename: str, parts: tuple[str, str], project: ProjectName, version: Version
) -> tuple[str, ...]:
    wanted = (project.replace("-", "_"), str(version))
    if parts == wanted:
        return ()
    return (f"the file name is not normalised: today's tools would begin {filename} with {'-'.join(wanted)}",)


@lru_cache(maxsize=65_536)
def parse_version(text: str) -> Version | None:
    """Return the PEP 440 version, or None where the text is none (an imported oddity)."""
    if len(text) > MAX_SEGMENT:
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return None


def version_key(text: str) -> tuple[int, Version, str]:
    """Return a sort key: versions that PEP 440 does not know first, by their text; then by PEP 440."""
    version = parse_version(text)
    return (0, Version("0"), text) if version is None else (1, version, text)


def newest(versions: Iterable[str]) -> str:
    """Return the newest of n >= 1 versions: final releases before pre-releases, unknown ones last."""

    def rank(text: str) -> tuple[bool, tuple[int, Version, str]]:
        version = parse_version(text)
        return (version is not None and not version.is_prerelease, version_key(text))

    return max(versions, key=rank)


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions by PEP 440, oldest first and in its normal form; those that it does not know come first."""
    return sorted({str(parse_version(text) or text) for text in versions}, key=version_key)


def same_project(name: str, project: str) -> bool:
    """Whether a name as somebody spelled it is the normalised `project` (PEP 503)."""
    return canonicalize_name(name) == project
