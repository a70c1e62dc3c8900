"""What the page of a conda package, or of one of its versions, shows to people."""

import re
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from packhouse.ecosystems import Records
from packhouse.ecosystems.conda.channeldata import recency
from packhouse.ecosystems.conda.checks import checks
from packhouse.ecosystems.conda.compare import difference
from packhouse.ecosystems.conda.names import split_extension
from packhouse.ecosystems.conda.needs import requirements, requires
from packhouse.ecosystems.conda.platforms import in_words, rank
from packhouse.ecosystems.conda.record import REVISION, timestamp_ms
from packhouse.ecosystems.conda.versions import in_order, is_prerelease, newest
from packhouse.ecosystems.view import FileView, PackageView, Readme, VersionView
from packhouse.model import Artifact, Ecosystem, Json, from_us

__all__ = ["MAX_FILES", "requires", "view"]

MAX_FILES = 500
"""Files of one version that a page lists."""

_MAX_TAGS = 50

_LINKS = (
    ("home", "Home page"),
    ("dev_url", "Source code"),
    ("doc_url", "Documentation"),
    ("doc_source_url", "Source of the documentation"),
    ("source_url", "Source archive"),
    ("license_url", "Licence text"),
    ("remote_url", "Recipe repository"),
)
_NOARCH = {"python": "pure Python (noarch)", "generic": "the same files everywhere (noarch)"}
_WHEN = "%Y-%m-%d %H:%M UTC"


def view(package: str, records: Records, version: str | None = None) -> PackageView | None:
    """Return what the page of a package shows, or None when it has no live file, or none of that version.

    Args:
        package: its name.
        records: of its channel. Details are asked for of the files shown, and of one file to compare with.
        version: the one to show; None is the newest, final before pre-release.
    """
    by_version: dict[str, list[Artifact]] = {}
    for row in records.live(Ecosystem.CONDA, package=package):
        by_version.setdefault(row.version, []).append(row)
    if not by_version or (version is not None and version not in by_version):
        return None
    versions = in_order(by_version)[::-1]
    shown = newest(versions) if version is None else version
    rows = sorted(by_version[shown], key=_helpful)
    lead = max(rows, key=recency)
    details = {row.id: records.details(row.id) for row in (*rows[:MAX_FILES], lead)}
    about: Mapping[str, Json] = details[lead.id].get("about") or {}
    origin: Mapping[str, Json] = details[lead.id].get("origin") or {}
    summary = " ".join(_text(about.get("summary")).split())
    before = _before(shown, versions)
    return PackageView(
        ecosystem=Ecosystem.CONDA.value,
        name=package,
        version=shown,
        summary=summary,
        # Conda's order knows no pre-releases: where one is newer, an open command would install it.
        install=_install(package, shown if version is not None or shown != versions[0] else None),
        facts=_facts(rows, lead, about, origin),
        tags=_tags(about),
        links=_links({**about, **origin}),
        marks=_marks(shown),
        readme=_readme(about, details[lead.id], summary),
        warnings=_warnings(shown, rows),
        versions=[_version(text, by_version[text]) for text in versions],
        files=[_file(row, details[row.id]) for row in rows[:MAX_FILES]],
        requirements=requirements(rows),
        diff=difference(
            rows,
            sorted(by_version[before], key=_helpful),
            lambda row: details[row.id] if row.id in details else records.details(row.id),
        )
        if before is not None
        else None,
    )


def _before(shown: str, versions: Sequence[str]) -> str | None:
    """Return the version to compare with: the one before, for a final one the final one before."""
    older = versions[versions.index(shown) + 1 :]
    if not is_prerelease(shown):
        older = [text for text in older if not is_prerelease(text)] or older
    return older[0] if older else None


def _helpful(row: Artifact) -> tuple[tuple[int, str], int, str, bool]:
    """Sort key of one version's files: common platforms first, newest build first, `.conda` before `.tar.bz2`."""
    record = row.record
    return (
        rank(row.directory),
        -int(record.get("build_number", 0)),
        str(record.get("build", "")),
        not row.filename.endswith(".conda"),
    )


def _install(package: str, version: str | None) -> Mapping[str, str]:
    """Return the commands. Other channels stay as the reader has them: dependencies often live there.

    pixi takes a channel into the workspace, not into `add`; the spec then names it, so that the package comes from
    there whatever the order of the channels. `rattler-build --variant` pins what a recipe leaves open.
    """
    spec = shlex.quote(package if version is None else f"{package}=={version}")
    pinned = "" if version is None else f" --variant {shlex.quote(f'{package}={version}')}"
    here = shlex.quote(f"{{channel}}::{package if version is None else f'{package}=={version}'}")
    return {
        "pixi": f"pixi workspace channel add {{channel}} && pixi add {here}",
        "conda": f"conda install --channel {{channel}} {spec}",
        "mamba": f"mamba install --channel {{channel}} {spec}",
        "rattler-build": f"rattler-build build --recipe recipe.yaml --channel {{channel}}{pinned}",
    }


# --- what the package says of itself -----------------------------------------------------------------------


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> list[str]:
    return [
        text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text
    ]


def _facts(
    rows: Sequence[Artifact], lead: Artifact, about: Mapping[str, Json], origin: Mapping[str, Json]
) -> list[tuple[str, str]]:
    record, first = lead.record, min(rows, key=lambda row: row.uploaded_us)
    subdirs = sorted({row.directory for row in rows}, key=rank)
    built = timestamp_ms(record.get("timestamp") or 0)
    kinds = sorted({str(row.record["noarch"]) for row in rows if row.record.get("noarch")})
    facts = [
        ("Platforms", "; ".join(in_words(subdir) for subdir in subdirs)),
        ("Subdirs", ", ".join(subdirs)),
        ("Kind", "; ".join(_NOARCH.get(kind, "noarch") for kind in kinds)),
        ("Licence", _text(record.get("license")) or _text(about.get("license"))),
        ("Licence family", _text(record.get("license_family")) or _text(about.get("license_family"))),
        ("Released", from_us(first.uploaded_us).strftime(_WHEN)),
        ("Built", from_us(built * 1000).strftime(_WHEN) if built else ""),
        ("Uploaded by", ", ".join(sorted({row.uploaded_by for row in rows}))),
        ("Recipe maintainers", ", ".join(_texts(origin.get("maintainers")))),
        ("Recipe commit", _text(origin.get("sha"))),
        ("Python files go to", _text(record.get("python_site_packages_path"))),
        ("Track features", _text(record.get("track_features"))),
        ("Flags", ", ".join(_texts(record.get("flags")))),
        ("Package URLs", ", ".join(_texts(record.get("purls")))),
        ("Identifiers", ", ".join(text for text in _texts(about.get("identifiers")) if not _address(text))),
        ("Needs", "a client that reads repodata of revision 3 (CEP 48)" if record.get(REVISION) == 3 else ""),
    ]
    return [(label, " ".join(text.split())) for label, text in facts if text]


def _tags(about: Mapping[str, Json]) -> list[str]:
    words = [" ".join(word.split()) for key in ("keywords", "tags") for word in _texts(about.get(key))]
    return list(dict.fromkeys(word for word in words if word))[:_MAX_TAGS]


def _address(text: str) -> str:
    """Return a web address as it may be linked, or nothing; about.json is the uploader's text."""
    if not re.fullmatch(r"https?://[^\s\x00-\x1f\x7f\\]+", text, re.IGNORECASE):
        return ""
    try:
        return text if urlsplit(text).hostname else ""
    except ValueError:  # a bracket that no IPv6 address follows
        return ""


def _links(about: Mapping[str, Json]) -> list[tuple[str, str]]:
    found = [(label, _address(text.strip())) for key, label in _LINKS for text in _texts(about.get(key))]
    found += [("Identifier", _address(text)) for text in _texts(about.get("identifiers"))]
    once = {address: label for label, address in reversed(found) if address}  # the first label wins
    return [(label, address) for address, label in reversed(once.items())]


def _marks(version: str) -> list[tuple[str, str]]:
    if not is_prerelease(version):
        return []
    return [
        ("prerelease", f"{version} is a pre-release; conda's order takes it for a version like any other.")
    ]


def _readme(about: Mapping[str, Json], details: Mapping[str, Json], summary: str) -> Readme | None:
    text = _text(about.get("description")).strip()
    if not text or " ".join(text.split()) == summary:
        return None
    return Readme(text=text, html=_text(details.get("description_html")))


# --- files and versions ------------------------------------------------------------------------------------


def _warnings(version: str, rows: Sequence[Artifact]) -> list[str]:
    """Return each warning once, with the files it is about where it is not about all."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for warning in row.warnings:
            about.setdefault(warning, []).append(row.filename)
    found = [
        warning
        if len(names) == len(rows)
        else f"{names[0]}: {warning}"
        if len(names) == 1
        else f"{len(names)} of {len(rows)} files: {warning}"
        for warning, names in about.items()
    ]
    if len(rows) > MAX_FILES:
        found.append(f"{version} has {len(rows):,} files; the first {MAX_FILES} are listed.")
    return found


def _version(text: str, rows: Sequence[Artifact]) -> VersionView:
    return VersionView(
        version=text,
        uploaded_us=min(row.uploaded_us for row in rows),
        files=len(rows),
        size=sum(row.size for row in rows),
        prerelease=is_prerelease(text),
    )


def _file(row: Artifact, details: Mapping[str, Json]) -> FileView:
    build, number = str(row.record.get("build", "")), str(row.record.get("build_number", ""))
    # Most build strings end with the number (`py311h1234567_3`); where one does not, people still need it.
    told = not number or build == number or re.search(rf"(?:\A|_){number}(?:_|\Z)", build)
    members = details.get("members") or ()
    return FileView(
        path=row.path,
        filename=row.filename,
        kind=f"Conda package ({split_extension(row.filename)[1]})",
        size=row.size,
        sha256=row.sha256,
        uploaded_us=row.uploaded_us,
        uploaded_by=row.uploaded_by,
        version=row.version,
        target=in_words(row.directory) if told else f"{in_words(row.directory)}, build number {number}",
        platform=row.directory,
        build=build,
        warnings=row.warnings,
        members=[(str(path), int(size)) for path, size in members],
        members_total=int(details.get("files", len(members))),
        checks=checks(row, details),
    )
