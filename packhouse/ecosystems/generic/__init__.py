"""Build products: any file, at `products/<product>/<version>/<filename>`.

The uploader names product and version; the bytes say nothing, so inspection opens nothing.

Product names keep their case on disk, but case never makes two products: the package, which owns rights, index
and page, is the product in lower case. `Tool/1.0` and `tool/1.1` are two versions of one product, `tool`, and
its index lies below every spelling in use.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packhouse.ecosystems import Limits, Pages, Records
from packhouse.ecosystems.generic import names, pages, people
from packhouse.ecosystems.view import PackageView
from packhouse.model import Area, Artifact, Claim, Ecosystem, Json, Observed

__all__ = ["GENERIC"]

LAG_S = 5.0
"""How long lists may lag behind whose members did not change."""


class _Generic:
    """Build products as a `Format`."""

    ecosystem = Ecosystem.GENERIC

    def recognises(self, filename: str) -> bool:  # noqa: ARG002 - any name could be a product's: never by name
        return False

    def place(self, claim: Claim) -> tuple[str, str]:
        product = names.parse_product(claim)
        return product.package, f"{product.directory}/{product.filename}"

    def inspect(self, path: Path, claim: Claim, limits: Limits) -> Observed:  # noqa: ARG002 - opens nothing
        product = names.parse_product(claim)
        return Observed(
            filename=product.filename,
            package=product.package,
            version=product.version,
            directory=product.directory,
            record={
                "name": product.name,
                "version": product.version,
                "kind": names.kind(product.filename),
                "summary": "",
            },
            details={"size": path.stat().st_size},
        )

    def newest(self, versions: Iterable[str]) -> str:
        return names.newest(versions)

    def in_order(self, versions: Iterable[str]) -> list[str]:
        return names.in_order(versions)

    def requires(self, record: Mapping[str, Json]) -> Sequence[str]:
        return people.requires(record)

    def mentions(self, record: Mapping[str, Json]) -> Sequence[str]:
        return people.requires(record)

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        channel, product = artifact.channel, artifact.package
        lag = 0.0 if first_or_last else LAG_S
        return {
            Area(channel, "generic", "index", product): 0.0,
            Area(channel, "generic", "root"): lag,
        }

    def birth(self, channel: str) -> Sequence[Area]:
        return (Area(channel, "generic", "root"),)

    def render(self, area: Area, records: Records) -> Pages:
        return pages.render(area, records)

    def view(self, package: str, records: Records, version: str | None = None) -> PackageView | None:
        return people.view(package, records, version)


GENERIC = _Generic()
"""Build products."""
