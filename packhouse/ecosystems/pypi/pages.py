"""Records to pages: the simple API in JSON and HTML, its root lists, and the legacy JSON that mirrors read.

Everything here is pure: equal records give equal bytes. URLs are relative to the page, so that a channel
can be copied anywhere.

Source: PEP 503 and 833 (HTML), PEP 691 (JSON), 592, 658, 700, 714; API version 1.4.
"""

import gzip
import html
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from packhouse.ecosystems import Package, Page, Pages, Records
from packhouse.ecosystems.pypi.names import newest, parse_version, version_key
from packhouse.model import Area, Artifact, Ecosystem, Json

if sys.version_info >= (3, 14):  # pragma: no cover - the same module, at home in the standard library
    from compression import zstd
else:
    from backports import zstd

API_VERSION = "1.4"

_GZIP_LEVEL, _ZSTD_LEVEL = 6, 9
_JSON = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def render(area: Area, records: Records) -> Pages:
    """Render one area of kind `index` (key: a project) or `root`.

    A project without a live file has no pages.
    """
    if area.kind == "root":
        return Pages(leaves=tuple(_root(records.packages(Ecosystem.PYPI))))
    directory = f"packages/{area.key}"
    artifacts = in_order(records.live(Ecosystem.PYPI, directory=directory))
    if not artifacts:
        return Pages()
    # Deletions count too: a mirror learns of them by the serial.
    changed = records.changed(Ecosystem.PYPI, directory=directory, since=0)
    serial = max(changed.get(area.key, 0), *(artifact.serial for artifact in artifacts))
    latest = latest_of(artifacts)
    return Pages(
        leaves=(
            *variants(f"simple/{area.key}/index.json", project_json(area.key, artifacts, serial)),
            *variants(f"simple/{area.key}/index.html", project_html(area.key, artifacts)),
            Page(
                f"pypi/{area.key}/json",
                legacy_json(artifacts, serial, latest, records.details(latest.id)),
            ),
        )
    )


def in_order(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Return artifacts sorted by version (PEP 440, oldest first), then file name."""
    return sorted(artifacts, key=lambda artifact: (version_key(artifact.version), artifact.filename))


def latest_of(artifacts: Sequence[Artifact]) -> Artifact:
    """Return a file of the newest version (n >= 1 artifacts), one that is not yanked and a wheel if there is one."""
    standing = [artifact for artifact in artifacts if artifact.yanked is None] or artifacts
    version = newest(artifact.version for artifact in standing)
    return min(
        (artifact for artifact in standing if artifact.version == version),
        key=lambda artifact: (artifact.record["packagetype"] == "sdist", artifact.filename),
    )


def versions_of(artifacts: Iterable[Artifact]) -> list[str]:
    """Return the distinct versions, normalised, oldest first.

    PEP 700: "a list of version strings ... unique"; two spellings of one version are one version.
    """
    distinct: dict[object, str] = {}
    for artifact in in_order(artifacts):
        distinct.setdefault(
            parse_version(artifact.version) or artifact.version, str(artifact.record["version"])
        )
    return list(distinct.values())


def project_json(project: str, artifacts: Sequence[Artifact], serial: int) -> bytes:
    """Render a project's simple page as JSON.

    Args:
        project: normalised name.
        artifacts: n >= 1 live files, in the order in which they are to be listed.
        serial: the highest serial of the project.
    """
    return orjson.dumps(
        {
            "meta": {"api-version": API_VERSION, "_last-serial": serial},
            "name": project,
            "versions": versions_of(artifacts),
            "files": [_file(artifact) for artifact in artifacts],
        },
        option=_JSON,
    )


def _file(artifact: Artifact) -> dict[str, Json]:
    core = artifact.record["core_metadata"]
    metadata: Json = {"sha256": core} if core else False
    return {
        "filename": artifact.filename,
        "url": file_url(artifact),
        # SHA-256 alone: clients disagree on what `blake2b` means, and md5 proves nothing.
        "hashes": {"sha256": artifact.sha256},
        "requires-python": artifact.record["requires_python"],
        "size": artifact.size,
        "upload-time": upload_time(artifact),
        "yanked": False if artifact.yanked is None else artifact.yanked or True,
        "core-metadata": metadata,
        "dist-info-metadata": metadata,
    }


def file_url(artifact: Artifact) -> str:
    """Return the URL of a file, relative to any page two directories below the channel."""
    return f"../../{quote(artifact.path, safe='/+!')}"


def upload_time(artifact: Artifact) -> str:
    """Return the upload time as PEP 700 has it: `yyyy-mm-ddThh:mm:ss.ffffffZ`, always six digits."""
    return artifact.uploaded.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project_html(project: str, artifacts: Sequence[Artifact]) -> bytes:
    """Render a project's simple page as HTML, one anchor a line and no other anchor.

    PEP 833 froze it: what is newer than API version 1.4 is in JSON only.
    """
    return _document(f"Links for {project}", (_anchor(artifact) for artifact in artifacts))


def _anchor(artifact: Artifact) -> str:
    core = artifact.record["core_metadata"]
    attributes = {
        "href": f"{file_url(artifact)}#sha256={artifact.sha256}",
        "data-requires-python": artifact.record["requires_python"],
        "data-core-metadata": f"sha256={core}" if core else None,
        "data-dist-info-metadata": f"sha256={core}" if core else None,
        "data-yanked": artifact.yanked,
    }
    written = " ".join(
        f'{name}="{_attribute(value)}"' for name, value in attributes.items() if value is not None
    )
    return f"<a {written}>{html.escape(artifact.filename)}</a><br>"


def _attribute(text: str) -> str:
    """Escape an attribute's value; line breaks as references, so that an anchor stays on its line."""
    return html.escape(text).replace("\n", "&#10;").replace("\r", "&#13;")


def _document(title: str, lines: Iterable[str]) -> bytes:
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta name="pypi:repository-version" content="{API_VERSION}">',
            f"<title>{html.escape(title)}</title>",
            "</head>",
            "<body>",
            f"<h1>{html.escape(title)}</h1>",
            *lines,
            "</body>",
            "</html>",
            "",
        )
    ).encode()


def _root(packages: Sequence[Package]) -> Iterator[Page]:
    yield from variants("simple/index.json", root_json(packages))
    yield from variants("simple/index.html", root_html(packages))


def root_json(packages: Sequence[Package]) -> bytes:
    """Render the list of projects as JSON; bandersnatch compares `_last-serial` of each with what it has."""
    return orjson.dumps(
        {
            "meta": {
                "api-version": API_VERSION,
                "_last-serial": max((package.serial for package in packages), default=0),
            },
            "projects": [
                {"name": package.name, "_last-serial": package.serial} for package in _by_name(packages)
            ],
        },
        option=_JSON,
    )


def root_html(packages: Sequence[Package]) -> bytes:
    """Render the list of projects as HTML (PEP 503)."""
    anchors = (f'<a href="{quote(p.name)}/">{html.escape(p.name)}</a><br>' for p in _by_name(packages))
    return _document("Simple index", anchors)


def _by_name(packages: Sequence[Package]) -> list[Package]:
    return sorted(packages, key=lambda package: package.name)


def variants(path: str, body: bytes) -> Iterator[Page]:
    """Yield one page in the order of publication: `.zst` (one frame), `.gz` (no time in it), plain."""
    yield Page(f"{path}.zst", zstd.compress(body, _ZSTD_LEVEL))
    yield Page(f"{path}.gz", gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0))
    yield Page(path, body)


# --- the legacy JSON -----------------------------------------------------------------------------------------

# `info` key to the field of `packaging.metadata`; what legacy readers expect to be there as text.
_INFO_TEXT = {
    "author": "author",
    "author_email": "author_email",
    "description": "description",
    "description_content_type": "description_content_type",
    "home_page": "home_page",
    "license": "license",
    "license_expression": "license_expression",
    "maintainer": "maintainer",
    "maintainer_email": "maintainer_email",
}


def legacy_json(
    artifacts: Sequence[Artifact], serial: int, latest: Artifact, details: Mapping[str, Json]
) -> bytes:
    """Render `pypi/<project>/json`: `info`, `releases`, `urls`, `last_serial`.

    bandersnatch takes the files from here, whichever API it lists projects by. It insists on file URLs that
    begin with `/packages` and appends them to the address of its master, which is the channel: so here, and
    only here, a URL is written from the channel's root.

    Args:
        artifacts: n >= 1 live files in order.
        serial: the highest serial of the project.
        latest: the file whose metadata is shown.
        details: of `latest`.
    """
    releases: dict[str, list[dict[str, Json]]] = {version: [] for version in versions_of(artifacts)}
    by_version = {parse_version(version) or version: version for version in releases}
    for artifact in artifacts:
        spelled = by_version[parse_version(artifact.version) or artifact.version]
        releases[spelled].append(_legacy_file(artifact))
    newest_version = by_version[parse_version(latest.version) or latest.version]
    metadata: Mapping[str, Any] = details.get("metadata", {})
    info = {key: metadata.get(field) for key, field in _INFO_TEXT.items()}
    info |= {
        "classifiers": metadata.get("classifiers", []),
        "keywords": ",".join(metadata.get("keywords", [])),
        "name": latest.record["name"],
        "project_urls": metadata.get("project_urls"),
        "requires_dist": latest.record["requires_dist"],
        "requires_python": latest.record["requires_python"],
        "summary": latest.record["summary"],
        "version": newest_version,
        "yanked": latest.yanked is not None,
        "yanked_reason": latest.yanked or None,
    }
    return orjson.dumps(
        {
            "info": info,
            "last_serial": serial,
            "releases": releases,
            "urls": releases[newest_version],
            "vulnerabilities": [],
        },
        option=_JSON,
    )


def _legacy_file(artifact: Artifact) -> dict[str, Json]:
    return {
        "comment_text": "",
        "digests": {"md5": artifact.md5, "sha256": artifact.sha256},
        "filename": artifact.filename,
        "has_sig": False,
        "md5_digest": artifact.md5,
        "packagetype": artifact.record["packagetype"],
        "python_version": artifact.record["python_version"],
        "requires_python": artifact.record["requires_python"],
        "size": artifact.size,
        "upload_time": artifact.uploaded.strftime("%Y-%m-%dT%H:%M:%S"),
        "upload_time_iso_8601": upload_time(artifact),
        "url": f"/{quote(artifact.path, safe='/+!')}",
        "yanked": artifact.yanked is not None,
        "yanked_reason": artifact.yanked or None,
    }
