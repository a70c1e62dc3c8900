"""What changed between two versions of a conda package: dependency lines, and members of comparable builds."""

import re
from collections.abc import Callable, Mapping, Sequence

from packhouse.ecosystems.conda.names import split_extension
from packhouse.ecosystems.view import Diff
from packhouse.model import Artifact, Json

Details = Callable[[Artifact], Mapping[str, Json]]

_HASH = re.compile(r"h[0-9a-f]{7,40}")
"""conda-build and rattler-build name a build by what it was built from: other bytes, not another variant."""

# What carries the Python version or the package's own, and would make every member a new one.
_NOISE = (
    (re.compile(r"\A(?:lib/python[0-9]+\.[0-9]+t?|Lib)/site-packages/"), "site-packages/"),
    (re.compile(r"\A(lib|include)/python[0-9]+\.[0-9]+t?/"), r"\1/python/"),
    (re.compile(r"-[^/-]+\.dist-info(?=/|\Z)"), ".dist-info"),
    (re.compile(r"-[^/-]+(?:-py[0-9.]+)?\.egg-info(?=/|\Z)"), ".egg-info"),
    (re.compile(r"\.(?:cpython-|cp|pypy)[0-9]+[^/.]*(?=(?:\.opt-[12])?\.(?:pyc|so|pyd)\Z)"), ""),
)


def variant(row: Artifact) -> str:
    """Return what a build string says of the variant: `py311`, `cuda118_py311`; hash and build number left out."""
    words = re.split(r"[_-]", str(row.record.get("build", "")))
    number = str(row.record.get("build_number", ""))
    return "_".join(_HASH.sub("", word) for word in words if word != number and _HASH.sub("", word))


def difference(shown: Sequence[Artifact], before: Sequence[Artifact], details: Details) -> Diff:
    """Return what changed.

    Args:
        shown: n >= 1 files of the version shown, the most helpful first.
        before: n >= 1 files of the version to compare with, in the same order.
        details: of one file; asked for the two that are compared.
    """
    pair = _comparable(shown, before)
    new, old = pair or (shown[0], before[0])
    lines, lines_before = _lines(new), _lines(old)
    ours, theirs = (_members(details(new)), _members(details(old))) if pair else (None, None)
    compared = ours is not None and theirs is not None
    ours, theirs = (ours or {}, theirs or {}) if compared else ({}, {})
    return Diff(
        since=old.version,
        requirements_added=[line for line in lines if line not in lines_before],
        requirements_removed=[line for line in lines_before if line not in lines],
        members_added=[ours[key] for key in sorted(ours.keys() - theirs.keys())],
        members_removed=[theirs[key] for key in sorted(theirs.keys() - ours.keys())],
        members_compared=compared,
    )


def _comparable(shown: Sequence[Artifact], before: Sequence[Artifact]) -> tuple[Artifact, Artifact] | None:
    """Return the first file of `shown` that has a counterpart in the same subdir, and that counterpart.

    A counterpart is of the same variant; where no file has one, any of the same subdir stands in (the Python
    version is left out of the comparison anyway). The same container is preferred.
    """
    for rule in (_same_variant, _same_subdir):
        for row in shown:
            found = [other for other in before if rule(row, other)]
            if found:
                return row, min(found, key=lambda other: _extension(other) != _extension(row))
    return None


def _same_subdir(row: Artifact, other: Artifact) -> bool:
    return row.directory == other.directory


def _same_variant(row: Artifact, other: Artifact) -> bool:
    return row.directory == other.directory and variant(row) == variant(other)


def _extension(row: Artifact) -> str:
    return split_extension(row.filename)[1]


def _lines(row: Artifact) -> Sequence[str]:
    return tuple(dict.fromkeys(row.record.get("depends") or ()))


def _members(details: Mapping[str, Json]) -> dict[str, str] | None:
    """Return the members by the path to compare, or None where the listing is missing or was cut."""
    members: Sequence[Sequence[Json]] = details.get("members") or ()
    whole = bool((details.get("checked") or {}).get("whole", True))
    if not whole or details.get("files") != len(members):
        return None
    return {normal(str(path)): str(path) for path, _size in members}


def normal(path: str) -> str:
    """Return a member's path without the versions of Python and of the package itself."""
    for pattern, plain in _NOISE:
        path = pattern.sub(plain, path)
    return path
