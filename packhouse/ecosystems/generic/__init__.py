"""Build products: any file, at `products/<product>/<version>/<filename>`.

The uploader names product and version; the bytes say nothing, so inspection opens nothing.

Product names keep their case on disk, but case never makes two products: the package, which owns rights, index
and page, is the product in lower case. `Tool/1.0` and `tool/1.1` are two versions of one product, `tool`, and
its index lies below every spelling in use.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packhouse.ecosystems import Limits, PackageView, Pages, Records
from packhouse.ecosystems.generic import names, pages
from packhouse.model import Area, Artifact, Claim, Ecosystem, Observed

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

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        channel, product = artifact.channel, artifact.package
        lag = 0.0 if first_or_last else LAG_S
        return {
            Area(channel, "generic", "index", product): 0.0,
            Area(channel, "generic", "page", product): 0.0,
            Area(channel, "generic", "root"): lag,
            Area(channel, "", "channel"): lag,
        }

    def birth(self, channel: str) -> Sequence[Area]:
        return (Area(channel, "generic", "root"), Area(channel, "", "channel"))

    def render(self, area: Area, records: Records) -> Pages:
        return pages.render(area, records)

    def view(self, package: str, records: Records) -> PackageView | None:
        return pages.view(package, records)


GENERIC = _Generic()
"""Build products."""
