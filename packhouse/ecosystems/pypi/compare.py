"""What changed between two versions of a project: requirement lines, and the members of files that can be compared."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from packhouse.ecosystems.pypi.needs import normalised
from packhouse.ecosystems.view import Diff
from packhouse.model import Artifact, Json

Details = Callable[[Artifact], Mapping[str, Json]]

_INFO = re.compile(r"(.+?)-[^-/]+\.(dist-info|data)/")
_UNLOOKED = "the rest was not looked at"


def difference(
    shown: Sequence[Artifact], before: Sequence[Artifact], leads: tuple[Artifact, Artifact], details: Details
) -> Diff:
    """Compare the files of a version with those of the version before.

    Args:
        shown: files of the version, those that suit most readers first.
        before: files of the version before.
        leads: the file of each whose requirements count.
        details: asked of one file of each at most.
    """
    new, old = ({normalised(line) for line in lead.record["requires_dist"]} for lead in leads)
    diff = Diff(
        since=str(leads[1].record["version"]),
        requirements_added=sorted(new - old),
        requirements_removed=sorted(old - new),
    )
    pair = _comparable(shown, before)
    members = [paths for file in pair if (paths := _members(file, details(file))) is not None]
    if len(members) != 2:
        return diff
    return replace(
        diff,
        members_added=sorted(members[0] - members[1]),
        members_removed=sorted(members[1] - members[0]),
        members_compared=True,
    )


def _comparable(shown: Sequence[Artifact], before: Sequence[Artifact]) -> Sequence[Artifact]:
    """Return a file of each version with the same tags, or nothing; one for any platform if there is one."""
    kinds = {_kind(file): file for file in reversed(before)}
    pairs = [(file, kinds[_kind(file)]) for file in shown if _kind(file) in kinds]
    return min(pairs, key=lambda pair: not pair[0].filename.endswith("-any.whl"), default=())


def _kind(file: Artifact) -> str:
    """Return the tags of a wheel, or that it is none."""
    stem = file.filename.lower().removesuffix(".whl")
    return "-".join(stem.split("-")[-3:]) if stem != file.filename.lower() else "sdist"


def _members(file: Artifact, details: Mapping[str, Json]) -> frozenset[str] | None:
    """Return the paths of a file without the version in them, or None where the listing was cut short."""
    listed = details.get("members")
    if listed is None or len(listed) < details.get("members_total", len(listed)):
        return None
    if any(_UNLOOKED in warning for warning in file.warnings):
        return None
    paths = [str(path) for path, _size in listed]
    if file.filename.endswith(".whl"):
        return frozenset(_INFO.sub(r"\1.\2/", path, count=1) for path in paths)
    return frozenset(path.partition("/")[2] for path in paths)
