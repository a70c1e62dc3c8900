"""What the page of a Python project, or of one of its releases, shows to people."""

import re
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from packhouse.ecosystems import Records
from packhouse.ecosystems.pypi.checks import checks
from packhouse.ecosystems.pypi.compare import difference
from packhouse.ecosystems.pypi.names import parse_version
from packhouse.ecosystems.pypi.needs import requirements, requires
from packhouse.ecosystems.pypi.pages import in_order, latest_of
from packhouse.ecosystems.pypi.tags import target
from packhouse.ecosystems.view import FileView, PackageView, Readme, VersionView
from packhouse.model import Artifact, Ecosystem, Json, from_us

__all__ = ["MAX_FILES", "requires", "view"]

MAX_FILES = 500
"""Files of one version that a page lists."""

_MAX_TAGS, _MAX_LINKS = 200, 50
_WHEN = "%Y-%m-%d %H:%M UTC"
_INACTIVE = "Development Status :: 7 - Inactive"
# Where most readers find theirs first.
_PLATFORMS = ("any", "linux", "musl", "macos", "windows")


def view(package: str, records: Records, version: str | None = None) -> PackageView | None:
    """Return what the page of a project shows, or None when it has no live file, or none of that version.

    Args:
        package: its normalised name.
        records: of its channel. Details are asked for of the files shown, and of one file to compare with.
        version: the one to show, in any spelling of PEP 440; None is the newest, final before pre-release.
    """
    rows = in_order(records.live(Ecosystem.PYPI, package=package))
    by_version: dict[object, list[Artifact]] = {}
    for row in reversed(rows):  # newest first
        by_version.setdefault(_identity(row.version), []).append(row)
    if not rows:
        return None
    wanted = _identity(latest_of(rows).version if version is None else version)
    if wanted not in by_version:
        return None
    files = sorted(by_version[wanted], key=_helpful)
    lead = latest_of(files)
    details = {
        artifact: records.details(artifact) for artifact in {row.id for row in (*files[:MAX_FILES], lead)}
    }
    metadata: Mapping[str, Json] = details[lead.id].get("metadata") or {}
    before = _before(wanted, list(by_version))
    older = sorted(by_version[before], key=_helpful) if before is not None else []
    return PackageView(
        ecosystem=Ecosystem.PYPI.value,
        name=str(lead.record["name"]),
        version=_spelled(by_version[wanted]),
        summary=str(lead.record["summary"] or ""),
        install=_install(package, lead),
        facts=_facts(files, lead, metadata),
        tags=_tags(metadata),
        links=_links(metadata),
        marks=_marks(_spelled(by_version[wanted]), files, metadata),
        readme=_readme(details[lead.id], metadata),
        warnings=_warnings(_spelled(by_version[wanted]), files),
        versions=[_version(group) for group in by_version.values()],
        files=[_file(row, details[row.id]) for row in files[:MAX_FILES]],
        requirements=requirements(lead.record["requires_dist"], metadata.get("provides_extra") or ()),
        diff=difference(
            files[:MAX_FILES],
            older,
            (lead, latest_of(older)),
            lambda row: details[row.id] if row.id in details else records.details(row.id),
        )
        if older
        else None,
    )


def _identity(version: str) -> object:
    """PEP 440: `1.0` and `1.0.0` are one version."""
    return parse_version(version) or version


def _spelled(rows: Sequence[Artifact]) -> str:
    """Return the version of some rows, newest first, as the index's `versions` spells it."""
    return str(rows[-1].record["version"])


def _before(shown: object, versions: Sequence[object]) -> object:
    """Return the version to compare with: the one before, for a final one the final one before; or None."""
    older = versions[versions.index(shown) + 1 :]
    if not _prerelease(shown):
        older = [version for version in older if not _prerelease(version)] or older
    return older[0] if older else None


def _prerelease(version: object) -> bool:
    return bool(getattr(version, "is_prerelease", False))


def _helpful(row: Artifact) -> tuple[int, int, tuple[int, ...], str]:
    """Sort key of one version's files: for any platform, then common platforms, newest Python first; source last."""
    platform = target(row.filename).platform
    family = platform.partition("-")[0]
    rank = _PLATFORMS.index(family) if family in _PLATFORMS else len(_PLATFORMS)
    python = re.search(r"[0-9]+", str(row.record["python_version"]))
    # `cp311` is 3.11, `py3` is 3: compare as (3, 11) and (3,)
    numbers = (int(python[0][0]), int(python[0][1:] or 0)) if python else (0, 0)
    return (platform == "source", rank, tuple(-number for number in numbers), row.filename)


def _install(package: str, lead: Artifact) -> Mapping[str, str]:
    """Return the commands; each takes the project from this channel, and only pip and uv the rest as well.

    Poetry keeps a source of its own for what is asked of it (`explicit`), so that no other name comes from there.
    """
    pin = shlex.quote(f"{package}=={lead.record['version']}")
    source = f"packhouse-{lead.channel}"
    return {
        "pip": f"pip install --index-url {{channel}}/simple/ {pin}",
        "uv": f"uv pip install --default-index {{channel}}/simple/ {pin}",
        "poetry": f"poetry source add --priority=explicit {source} {{channel}}/simple/\n"
        f"poetry add --source {source} {pin}",
    }


# --- what the project says of itself -----------------------------------------------------------------------


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _facts(files: Sequence[Artifact], lead: Artifact, metadata: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return label and text in the order of a reader's questions: for what, may I, who, when."""
    first = min(files, key=lambda row: row.uploaded_us)
    facts = [
        ("Requires Python", _text(lead.record["requires_python"])),
        ("Licence", _licence(metadata)),
        ("Author", _text(metadata.get("author")) or _text(metadata.get("author_email"))),
        ("Maintainer", _text(metadata.get("maintainer")) or _text(metadata.get("maintainer_email"))),
        ("Released", from_us(first.uploaded_us).strftime(_WHEN)),
        ("Uploaded by", ", ".join(sorted({row.uploaded_by for row in files}))),
    ]
    return [(label, " ".join(text.split())) for label, text in facts if text.strip()]


def _licence(metadata: Mapping[str, Json]) -> str:
    """Return the expression, or the first line of what may be a whole licence, or what the classifiers say."""
    expression, text = _text(metadata.get("license_expression")), _text(metadata.get("license")).strip()
    classified = [
        line.rpartition(" :: ")[2]
        for line in _texts(metadata.get("classifiers"))
        if line.startswith("License :: ")
    ]
    first = text.partition("\n")[0].strip()
    shortened = f"{first[:100]} …" if first != text or len(first) > 100 else first
    if expression or (text and shortened == text):
        return expression or text
    return ", ".join(classified) or shortened.removeprefix(" …")


def _tags(metadata: Mapping[str, Json]) -> list[str]:
    keywords = [part for word in _texts(metadata.get("keywords")) for part in word.split(",")]
    words = [" ".join(word.split()) for word in [*_texts(metadata.get("classifiers")), *keywords]]
    return list(dict.fromkeys(word for word in words if word))[:_MAX_TAGS]


def _links(metadata: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return label and address, each address once; project URLs first, since they have the author's labels."""
    urls = metadata.get("project_urls")
    found = list(urls.items()) if isinstance(urls, dict) else []
    found += [("Home page", metadata.get("home_page")), ("Download", metadata.get("download_url"))]
    once: dict[str, str] = {}
    for label, value in found:
        address = _address(_text(value).strip())
        if address:
            once.setdefault(address, " ".join(label.split()) or "Link")
    return [(label, address) for address, label in once.items()][:_MAX_LINKS]


def _address(text: str) -> str:
    """Return an address as it may be linked, or nothing; METADATA is the uploader's text."""
    if re.fullmatch(r"mailto:[^\s\x00-\x1f\x7f\\]+", text, re.IGNORECASE):
        return text
    if not re.fullmatch(r"https?://[^\s\x00-\x1f\x7f\\]+", text, re.IGNORECASE):
        return ""
    try:
        return text if urlsplit(text).hostname else ""
    except ValueError:  # a bracket that no IPv6 address follows
        return ""


def _marks(version: str, files: Sequence[Artifact], metadata: Mapping[str, Json]) -> list[tuple[str, str]]:
    marks = []
    reason = _yanked(files)
    if reason is not None:
        why = f": {reason}" if reason else "; no reason was given"
        # PEP 592: "An installer MUST ignore yanked releases, if ... satisfied by a non-yanked version"
        marks.append(("yanked", f"{version} was yanked{why}. Installers take it only where it is pinned."))
    if _INACTIVE in _texts(metadata.get("classifiers")):
        marks.append(("archived", "The project calls itself inactive."))
    if _prerelease(_identity(version)):
        marks.append(
            ("prerelease", f"{version} is a pre-release: installers take it only where it is asked for.")
        )
    return marks


def _yanked(files: Sequence[Artifact]) -> str | None:
    """Return the reason, if every file is yanked: the first one that says anything."""
    reasons = [row.yanked for row in files if row.yanked is not None]
    return next(filter(None, reasons), "") if len(reasons) == len(files) else None


def _readme(details: Mapping[str, Json], metadata: Mapping[str, Json]) -> Readme | None:
    text = _text(metadata.get("description")).strip("\n")
    # setuptools wrote UNKNOWN for a field that it was not given
    if text.strip() in ("", "UNKNOWN"):
        return None
    return Readme(text=text, html=_text(details.get("description_html")))


# --- files and versions ------------------------------------------------------------------------------------


def _warnings(version: str, files: Sequence[Artifact]) -> list[str]:
    """Return each warning once, with the files it is about where it is not about all."""
    about: dict[str, list[str]] = {}
    for row in files:
        for warning in row.warnings:
            about.setdefault(warning, []).append(row.filename)
    found = []
    for warning, names in about.items():
        which = names[0] if len(names) == 1 else f"{len(names)} of {len(files)} files"
        found.append(warning if len(names) == len(files) else f"{which}: {warning}")
    if len(files) > MAX_FILES:
        found.append(f"{version} has {len(files):,} files; the first {MAX_FILES} are listed.")
    return found


def _version(rows: Sequence[Artifact]) -> VersionView:
    return VersionView(
        version=_spelled(rows),
        uploaded_us=min(row.uploaded_us for row in rows),
        files=len(rows),
        size=sum(row.size for row in rows),
        yanked=_yanked(rows),
        prerelease=_prerelease(_identity(rows[0].version)),
    )


def _file(row: Artifact, details: Mapping[str, Json]) -> FileView:
    wheel = row.record["packagetype"] == "bdist_wheel"
    whom, build = target(row.filename), _build(row.filename) if wheel else ""
    members = details.get("members") or ()
    return FileView(
        path=row.path,
        filename=row.filename,
        kind="Wheel" if wheel else "Source distribution",
        size=row.size,
        sha256=row.sha256,
        uploaded_us=row.uploaded_us,
        uploaded_by=row.uploaded_by,
        version=str(row.record["version"]),
        target=f"{whom.words}, build {build}" if build else whom.words,
        platform=whom.platform,
        yanked=row.yanked,
        warnings=row.warnings,
        sidecars=[(".metadata", f"{row.path}.metadata")] if row.record["core_metadata"] else [],
        members=[(str(path), int(size)) for path, size in members],
        members_total=int(details.get("members_total", len(members))),
        checks=checks(row),
    )


def _build(filename: str) -> str:
    """Return a wheel's build tag; PEP 427: `name-version(-build)?-python-abi-platform.whl`."""
    parts = filename.split("-")
    return parts[2] if len(parts) == 6 else ""
