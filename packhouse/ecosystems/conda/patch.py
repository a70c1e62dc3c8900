"""Hotfixes: `<subdir>/patch_instructions.json` corrects records without new packages (versions 1 and 2, CEP 21)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packhouse.ecosystems.conda.names import Coordinates, split_extension
from packhouse.ecosystems.conda.record import judge
from packhouse.ecosystems.conda.strictjson import JsonError, parse_json
from packhouse.errors import BadHotfix
from packhouse.model import Json

REVOKED = "package_has_been_revoked"
"""A dependency that no channel has: what depends on it cannot be installed."""

# What the file is, and what the server alone states (CEP 47, CEP 50), is not open to corrections.
_OPEN = frozenset(
    {
        "arch",
        "build_number",
        "constrains",
        "depends",
        "extra_depends",
        "features",
        "flags",
        "license",
        "license_family",
    }
    | {
        "noarch",
        "platform",
        "purls",
        "python_site_packages_path",
        "run_exports",
        "timestamp",
        "track_features",
    }
)


@dataclass(frozen=True, slots=True)
class Patches:
    """Parsed instructions.

    Attributes:
        version: 1, or 2, which may also correct `run_exports`.
        fixes: file name to keys and values; a value None deletes the key.
        remove: file names to leave out of the index.
        revoke: file names to make uninstallable.
    """

    version: int = 1
    fixes: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    revoke: frozenset[str] = frozenset()

    def hides(self, filename: str) -> bool:
        """Whether the file is left out of the index."""
        return not self.remove.isdisjoint(_spellings(filename))

    def apply(self, filename: str, record: Mapping[str, Json]) -> tuple[Mapping[str, Json], Sequence[str]]:
        """Return the corrected record of one file, and a sentence for everything that was not applied.

        A correction after which the record would be refused at the door is not applied at all.
        """
        notes: list[str] = []
        for spelling in _spellings(filename):
            if spelling in self.fixes:
                record = self._fixed(filename, record, self.fixes[spelling], notes)
        if not self.revoke.isdisjoint(_spellings(filename)):
            record = {**record, "depends": [*record["depends"], REVOKED], "revoked": True}
        return record, notes

    def _fixed(
        self, filename: str, record: Mapping[str, Json], fix: Mapping[str, Json], notes: list[str]
    ) -> Mapping[str, Json]:
        closed = sorted(fix.keys() - _OPEN | ({"run_exports"} & fix.keys() if self.version < 2 else set()))
        if closed:
            notes.append(
                f"{filename}: a hotfix must not change {', '.join(closed)[:200]}; the rest of it was applied"
            )
        wanted = dict(record)
        for key in sorted(fix.keys() - set(closed)):
            wanted.pop(key, None)
            if fix[key] is not None:
                wanted[key] = fix[key]
        exports = wanted.pop("run_exports", None)
        stem, extension = split_extension(filename)
        name, version, build = stem.rsplit("-", 2)
        wanted.setdefault("depends", [])
        found = judge(wanted, Coordinates(name, version, build, extension), run_exports=exports, lenient=True)
        if found.problems:
            notes.append(f"{filename}: a hotfix was not applied: {'; '.join(found.problems)[:500]}")
            return record
        # Judged, not merged: a condition that a hotfix brings moves the record to revision 3.
        return found.record


def _spellings(filename: str) -> tuple[str, ...]:
    """Under which names instructions reach a file: those for a .tar.bz2 hold for the .conda of the same stem too."""
    stem, extension = split_extension(filename)
    return (stem + ".tar.bz2", filename) if extension == ".conda" else (filename,)


def parse_patches(text: bytes | None) -> Patches:
    """Return the instructions of one subdir; None is no file.

    Raises:
        BadHotfix: the document is not understood. To go on without it would take every hotfix back in silence.
    """
    if text is None:
        return Patches()
    try:
        document = parse_json(text)
    except JsonError as error:
        raise BadHotfix([str(error)]) from error
    version = document.get("patch_instructions_version") if isinstance(document, dict) else None
    if version not in {1, 2} or isinstance(version, bool):
        raise BadHotfix(["patch_instructions_version is neither 1 nor 2"])
    problems: list[str] = []
    fixes: dict[str, Mapping[str, Json]] = {}
    for key, suffix, fixed in _maps(document):
        if not isinstance(fixed, dict) or not all(isinstance(fix, dict) for fix in fixed.values()):
            problems.append(f"{key} must map file names to objects")
            continue
        fixes.update({filename + suffix: fix for filename, fix in fixed.items()})
    sets: dict[str, frozenset[str]] = {}
    for key in ("remove", "revoke"):
        names = document.get(key) or []
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            sets[key] = frozenset(names)
        else:
            problems.append(f"{key} must be a list of file names")
    if problems:
        raise BadHotfix(problems)
    return Patches(version, fixes, sets["remove"], sets["revoke"])


def _maps(document: Mapping[str, Json]) -> list[tuple[str, str, Json]]:
    """The maps of corrections: name, what to add to a key to get a file name, value."""
    third = document.get("v3")
    third = third if isinstance(third, dict) else {}
    return [
        ("packages", "", document.get("packages") or {}),
        ("packages.conda", "", document.get("packages.conda") or {}),
        ("v3.conda", ".conda", third.get("conda") or {}),
        ("v3.tar.bz2", ".tar.bz2", third.get("tar.bz2") or {}),
    ]
