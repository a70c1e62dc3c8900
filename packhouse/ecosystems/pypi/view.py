"""What the page of one Python project shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from packhouse.ecosystems import PackageView, Records, Section
from packhouse.ecosystems.pypi.pages import file_url, in_order, latest_of, upload_time
from packhouse.model import Artifact, Ecosystem

MAX_FILES_SHOWN = 500

_LINKS = ("https://", "http://", "mailto:")


def view(package: str, records: Records) -> PackageView | None:
    """Return the page of `package`, or None when it has no live file."""
    artifacts = in_order(records.live(Ecosystem.PYPI, package=package))
    if not artifacts:
        return None
    latest = latest_of(artifacts)
    metadata: Mapping[str, Any] = records.details(latest.id).get("metadata", {})
    record = latest.record
    pin = f"{package}=={record['version']}"
    sections = [_dependencies(record["requires_dist"]), _files(artifacts)]
    return PackageView(
        ecosystem="pypi",
        name=str(record["name"]),
        version=str(record["version"]),
        summary=str(record["summary"]),
        install={
            "pip": f"pip install --index-url {{channel}}/simple/ {pin}",
            "uv": f"uv pip install --index-url {{channel}}/simple/ {pin}",
        },
        facts=tuple(_facts(artifacts, latest, metadata)),
        links=tuple(_links(metadata)),
        description=str(metadata.get("description", "")),
        warnings=tuple(
            f"{artifact.filename}: {warning}"
            for artifact in artifacts
            if artifact.version == latest.version
            for warning in artifact.warnings
        ),
        sections=tuple(section for section in sections if section.rows),
    )


def _facts(
    artifacts: Sequence[Artifact], latest: Artifact, metadata: Mapping[str, Any]
) -> list[tuple[str, str]]:
    # The order of a reader's questions: when, for what, may I, who.
    facts = [
        ("Released", upload_time(latest)[:10]),
        ("Requires Python", str(latest.record["requires_python"] or "")),
        ("License", str(metadata.get("license_expression") or metadata.get("license") or "")[:200]),
        ("Author", str(metadata.get("author") or metadata.get("author_email") or "")),
        ("Maintainer", str(metadata.get("maintainer") or metadata.get("maintainer_email") or "")),
        ("Keywords", ", ".join(metadata.get("keywords", []))),
        ("Files", str(len(artifacts))),
    ]
    return [(label, value) for label, value in facts if value]


def _links(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, address) pairs; an address that a browser would execute is left out."""
    links = [*metadata.get("project_urls", {}).items(), ("Home page", metadata.get("home_page", ""))]
    return [(label, address) for label, address in links if address.lower().startswith(_LINKS)]


def _dependencies(requirements: Sequence[str]) -> Section:
    rows = []
    for requirement in requirements:
        wanted, _, marker = requirement.partition(";")
        rows.append((wanted.strip(), marker.strip()))
    return Section(title="Dependencies", head=("Requirement", "When"), rows=rows, anchor="dependencies")


def _files(artifacts: Sequence[Artifact]) -> Section:
    """List the files, newest version first; the page of a project with thousands of them stays readable."""
    shown = [*reversed(artifacts)][:MAX_FILES_SHOWN]
    rows: list[tuple[str | tuple[str, str], ...]] = [
        (
            (artifact.filename, file_url(artifact)),
            "yanked" + (f": {artifact.yanked}" if artifact.yanked else "")
            if artifact.yanked is not None
            else "",
            str(artifact.size),
            upload_time(artifact),
            artifact.sha256,
        )
        for artifact in shown
    ]
    title = (
        "Files" if len(shown) == len(artifacts) else f"Files (the newest {len(shown)} of {len(artifacts)})"
    )
    return Section(title=title, head=("File", "", "Bytes", "Uploaded", "SHA-256"), rows=rows, anchor="files")
