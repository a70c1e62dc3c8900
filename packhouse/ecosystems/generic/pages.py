"""Records to pages: a JSON listing per product, the list of products, and what people see.

The listing of a product (`products/<product>/index.json`):

    {"product": "tool", "latest": "1.1",
     "versions": {"1.1": [{"name": "tool.tar.gz", "url": "../tool/1.1/tool.tar.gz", "size": 12,
                           "sha256": "...", "upload-time": "2026-01-01T00:00:00.000000Z"}], ...}}

Versions come newest first, files by name; URLs are relative to the listing.
"""

from collections.abc import Sequence
from urllib.parse import quote

import orjson

from packhouse.ecosystems import Package, Page, Pages, Records
from packhouse.ecosystems.generic.names import in_order, newest
from packhouse.model import Area, Artifact, Ecosystem, Json


def render(area: Area, records: Records) -> Pages:
    """Render one area of kind `index` (key: a product in lower case) or `root`.

    A product without a live file has no listing.
    """
    if area.kind == "root":
        body = root_listing(records.packages(Ecosystem.GENERIC))
        return Pages(leaves=(Page("products/index.json", body),))
    artifacts = list(records.live(Ecosystem.GENERIC, package=area.key))
    if not artifacts:
        return Pages()
    body = listing(area.key, artifacts)
    spellings = sorted({area.key, *(str(artifact.record["name"]) for artifact in artifacts)})
    return Pages(leaves=tuple(Page(f"products/{name}/index.json", body) for name in spellings))


def by_version(artifacts: Sequence[Artifact]) -> dict[str, list[Artifact]]:
    """Return version to its files by path, newest version first."""
    versions: dict[str, list[Artifact]] = {
        version: [] for version in reversed(in_order(artifact.version for artifact in artifacts))
    }
    for artifact in sorted(artifacts, key=lambda artifact: artifact.path):
        versions[artifact.version].append(artifact)
    return versions


def listing(product: str, artifacts: Sequence[Artifact]) -> bytes:
    """Render the listing of one product with n >= 1 live files."""
    versions = by_version(artifacts)
    return orjson.dumps(
        {
            "product": product,
            "latest": newest(versions),
            "versions": {
                version: [_file(artifact) for artifact in files] for version, files in versions.items()
            },
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def _file(artifact: Artifact) -> dict[str, Json]:
    below = artifact.path.removeprefix("products/")
    return {
        "name": artifact.filename,
        "url": f"../{quote(below, safe='/+!')}",
        "size": artifact.size,
        "sha256": artifact.sha256,
        "upload-time": _moment(artifact),
    }


def _moment(artifact: Artifact) -> str:
    return artifact.uploaded.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def root_listing(packages: Sequence[Package]) -> bytes:
    """Render the list of products (`products/index.json`), by name; each `url` is relative to it."""
    products = [
        {
            "product": package.name,
            "url": f"{quote(package.name, safe='+!')}/index.json",
            "latest": package.latest,
            "files": package.files,
            "serial": package.serial,
        }
        for package in sorted(packages, key=lambda package: package.name)
    ]
    return orjson.dumps({"products": products}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
