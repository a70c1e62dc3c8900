"""What the page of a build product, or of one of its versions, shows to people."""

import re
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from packhouse.ecosystems import Records
from packhouse.ecosystems.generic.kinds import is_companion, signatures, words
from packhouse.ecosystems.generic.names import newest
from packhouse.ecosystems.generic.pages import by_version
from packhouse.ecosystems.view import Check, Diff, FileView, PackageView, VersionView
from packhouse.model import Artifact, Ecosystem, Json, from_us

__all__ = ["MAX_FILES", "requires", "view"]

MAX_FILES = 500
"""Files of one version that a page lists."""

_WHEN = "%Y-%m-%d %H:%M UTC"

_HASHED = (
    "SHA-256 and length were computed from the bytes received; an upload that announced others was refused."
)
_UNOPENED = (
    "The content was not opened: any bytes are stored as they came, and handed out as a download only."
)
_UNSIGNED = "No signature lies beside it: who built it rests on the word of who uploaded it."


def requires(record: Mapping[str, Json]) -> Sequence[str]:  # noqa: ARG001 - a file of any kind says nothing of needs
    """Return nothing: what a product needs, its bytes do not say."""
    return ()


def view(package: str, records: Records, version: str | None = None) -> PackageView | None:
    """Return what the page of a product shows, or None when it has no live file, or none of that version.

    Args:
        package: the product in lower case.
        records: of its channel.
        version: the one to show; None is the newest, final before pre-release.
    """
    versions = by_version(list(records.live(Ecosystem.GENERIC, package=package)))
    if not versions or (version is not None and version not in versions):
        return None
    shown = newest(versions) if version is None else version
    early = _prereleases(versions)
    rows = sorted(versions[shown], key=_helpful)
    beside = signatures([row.path for row in rows])
    return PackageView(
        ecosystem=Ecosystem.GENERIC.value,
        name=str(rows[0].record["name"]),
        version=shown,
        summary="",
        install={"curl": _download(rows[0])},
        facts=_facts(package, rows),
        marks=[("prerelease", f"{shown} is a pre-release.")] if shown in early else [],
        warnings=_warnings(shown, rows),
        versions=[_version(text, files, early) for text, files in versions.items()],
        files=[_file(row, beside.get(row.path, ())) for row in rows[:MAX_FILES]],
        diff=_difference(shown, versions, early),
    )


def _prereleases(versions: Mapping[str, Sequence[Artifact]]) -> frozenset[str]:
    """Return the pre-releases, where every version is one of PEP 440: otherwise the order knows none either."""
    try:
        return frozenset(text for text in versions if Version(text).is_prerelease)
    except InvalidVersion:
        return frozenset()


def _helpful(row: Artifact) -> tuple[bool, str, str]:
    """Sort key of one version's files: signatures and checksums after what they are about."""
    return (is_companion(row.filename), row.filename.lower(), row.path)


def _download(row: Artifact) -> str:
    """Return a line that downloads one file and compares its SHA-256; it fails where either fails."""
    # `!` is history expansion in an interactive shell, so it is encoded; what is left needs no quotes in an address.
    address = f"{{channel}}/{quote(row.path, safe='/+')}"
    name = shlex.quote(row.filename)
    line = shlex.quote(f"{row.sha256}  {row.filename}")
    return f"curl --fail --location --output {name} {address} && echo {line} | sha256sum --check"


def _facts(package: str, rows: Sequence[Artifact]) -> list[tuple[str, str]]:
    size = sum(row.size for row in rows)
    return [
        ("Released", from_us(min(row.uploaded_us for row in rows)).strftime(_WHEN)),
        ("Uploaded by", ", ".join(sorted({row.uploaded_by for row in rows}))),
        ("Files", f"{len(rows):,}"),
        ("Total size", f"{size:,} bytes"),
        ("Listing (JSON)", f"products/{package}/index.json"),
    ]


def _warnings(version: str, rows: Sequence[Artifact]) -> list[str]:
    found = [f"{row.filename}: {warning}" for row in rows for warning in row.warnings]
    if len(rows) > MAX_FILES:
        found.append(f"{version} has {len(rows):,} files; the first {MAX_FILES} are listed.")
    return found


def _version(text: str, rows: Sequence[Artifact], early: frozenset[str]) -> VersionView:
    return VersionView(
        version=text,
        uploaded_us=min(row.uploaded_us for row in rows),
        files=len(rows),
        size=sum(row.size for row in rows),
        prerelease=text in early,
    )


def _file(row: Artifact, beside: Sequence[str]) -> FileView:
    signed = [(path.rpartition("/")[2], path) for path in beside]
    checks = [Check(outcome="verified", text=_HASHED)]
    if row.imported:
        checks.append(
            Check(
                outcome="missing", text="The source of the import told no upload time; the import's is shown."
            )
        )
    checks.append(Check(outcome="missing", text=_UNOPENED))
    if signed:
        names = ", ".join(name for name, _path in signed)
        checks.append(
            Check(outcome="missing", text=f"A signature lies beside it and was not verified here: {names}.")
        )
    elif not is_companion(row.filename):
        checks.append(Check(outcome="missing", text=_UNSIGNED))
    return FileView(
        path=row.path,
        filename=row.filename,
        kind=words(str(row.record.get("kind", ""))),
        size=row.size,
        sha256=row.sha256,
        uploaded_us=row.uploaded_us,
        uploaded_by=row.uploaded_by,
        version=row.version,
        warnings=row.warnings,
        sidecars=signed,
        checks=checks,
    )


def _difference(shown: str, versions: Mapping[str, Sequence[Artifact]], early: frozenset[str]) -> Diff | None:
    """Compare file names with those of the version before (for a final one, of the final one before)."""
    order = list(versions)
    older = order[order.index(shown) + 1 :]
    if shown not in early:
        older = [text for text in older if text not in early] or older
    if not older:
        return None
    ours, theirs = (
        {_normal(row.filename, text): row.filename for row in versions[text]} for text in (shown, older[0])
    )
    return Diff(
        since=older[0],
        members_added=[ours[key] for key in sorted(ours.keys() - theirs.keys())],
        members_removed=[theirs[key] for key in sorted(theirs.keys() - ours.keys())],
        members_compared=True,
    )


def _normal(filename: str, version: str) -> str:
    """Return a file name without the version, which would make every file a new one."""
    return re.sub(rf"(?<![0-9A-Za-z])v?{re.escape(version)}(?![0-9])", "", filename)
