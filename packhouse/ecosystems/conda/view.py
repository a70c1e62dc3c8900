"""What the page of one conda package shows."""

from collections.abc import Mapping, Sequence

from packhouse.ecosystems import PackageView, Records, Section
from packhouse.ecosystems.conda.channeldata import recency
from packhouse.ecosystems.conda.record import timestamp_ms
from packhouse.ecosystems.conda.versions import newest
from packhouse.model import Artifact, Ecosystem, Json, from_us

_LINKS = (
    ("home", "Home page"),
    ("dev_url", "Source code"),
    ("doc_url", "Documentation"),
    ("doc_source_url", "Source of the documentation"),
    ("source_url", "Source archive"),
)


def view_package(package: str, records: Records) -> PackageView | None:
    """Return what the page of a package shows, or None when it has no live file.

    Files are linked relative to `<channel>/conda/<package>/index.html`.
    """
    rows = sorted(records.live(Ecosystem.CONDA, package=package), key=recency, reverse=True)
    if not rows:
        return None
    version = newest(row.version for row in rows)
    shown = next(row for row in rows if row.version == version)
    details = records.details(shown.id)
    about: Mapping[str, Json] = details.get("about", {})
    return PackageView(
        ecosystem=Ecosystem.CONDA.value,
        name=package,
        version=version,
        summary=_text(about.get("summary")),
        install={
            "conda": f"conda install --channel {{channel}} {package}",
            "mamba": f"mamba install --channel {{channel}} {package}",
            "pixi": f"pixi add --channel {{channel}} {package}",
        },
        facts=_facts(shown, rows, about),
        links=[(label, url) for key, label in _LINKS for url in _urls(about.get(key))],
        description=_text(about.get("description")),
        warnings=[f"{row.filename}: {warning}" for row in rows for warning in row.warnings],
        sections=[
            section
            for section in (_files(rows), _dependencies(shown), _members(shown, details))
            if section.rows
        ],
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _urls(value: Json) -> list[str]:
    """Return the links of a field; about.json is the uploader's text, so other schemes are left out."""
    values = value if isinstance(value, list) else [value]
    return [url for url in values if isinstance(url, str) and url.startswith(("https://", "http://"))]


def _facts(shown: Artifact, rows: Sequence[Artifact], about: Mapping[str, Json]) -> list[tuple[str, str]]:
    facts = [
        ("Licence", shown.record.get("license") or _text(about.get("license"))),
        ("Platforms", ", ".join(sorted({row.directory for row in rows}))),
        ("Uploaded", from_us(max(row.uploaded_us for row in rows)).strftime("%Y-%m-%d %H:%M UTC")),
        ("Files", str(len(rows))),
    ]
    built = shown.record.get("timestamp", 0)
    if built:
        facts.append(("Built", from_us(timestamp_ms(built) * 1000).strftime("%Y-%m-%d %H:%M UTC")))
    return [(label, text) for label, text in facts if text]


def _files(rows: Sequence[Artifact]) -> Section:
    return Section(
        title="Files",
        head=("File", "Platform", "Version", "Build", "Size", "Uploaded", "SHA-256"),
        rows=[
            (
                (row.filename, f"../../{row.directory}/{row.filename}"),
                row.directory,
                row.version,
                str(row.record.get("build", "")),
                str(row.size),
                from_us(row.uploaded_us).strftime("%Y-%m-%d %H:%M"),
                row.sha256,
            )
            for row in rows
        ],
        anchor="files",
    )


def _dependencies(shown: Artifact) -> Section:
    record = shown.record
    rows = [("depends", spec) for spec in record.get("depends", ())]
    rows += [("constrains", spec) for spec in record.get("constrains", ())]
    for group, specs in record.get("extra_depends", {}).items():
        rows += [(f"extra {group}", spec) for spec in specs]
    for kind, specs in record.get("run_exports", {}).items():
        rows += [(f"run export ({kind})", spec) for spec in specs]
    return Section(
        title=f"Dependencies of {shown.filename}", head=("Kind", "Spec"), rows=rows, anchor="dependencies"
    )


def _members(shown: Artifact, details: Mapping[str, Json]) -> Section:
    members: Sequence[Sequence[Json]] = details.get("members", ())
    return Section(
        title=f"Contents of {shown.filename}",
        head=("Path", "Size"),
        rows=[(str(path), str(size)) for path, size in members],
        anchor="contents",
    )
