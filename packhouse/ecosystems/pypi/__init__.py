"""Python packages: wheels and sdists, the simple API in HTML and JSON."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packhouse.ecosystems import Limits, Pages, Records
from packhouse.ecosystems.pypi import inspect, names, needs, pages, people
from packhouse.ecosystems.view import PackageView
from packhouse.model import Area, Artifact, Claim, Ecosystem, Json, Observed

__all__ = ["PYPI"]

LAG_S = 5.0
"""How long lists may lag behind whose members did not change: only serials in them did."""


class _Pypi:
    """The Python ecosystem as a `Format`."""

    ecosystem = Ecosystem.PYPI

    def recognises(self, filename: str) -> bool:
        return names.recognises(filename)

    def place(self, claim: Claim) -> tuple[str, str]:
        distribution = names.parse_distribution(claim.filename)
        return distribution.project, f"{distribution.directory}/{distribution.filename}"

    def inspect(self, path: Path, claim: Claim, limits: Limits) -> Observed:
        return inspect.inspect(path, claim, limits)

    def newest(self, versions: Iterable[str]) -> str:
        return names.newest(versions)

    def in_order(self, versions: Iterable[str]) -> list[str]:
        return names.in_order(versions)

    def requires(self, record: Mapping[str, Json]) -> Sequence[str]:
        return people.requires(record)

    def mentions(self, record: Mapping[str, Json]) -> Sequence[str]:
        return needs.mentions(record)

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        channel, project = artifact.channel, artifact.package
        lag = 0.0 if first_or_last else LAG_S
        return {
            Area(channel, "pypi", "index", project): 0.0,
            Area(channel, "pypi", "root"): lag,
        }

    def birth(self, channel: str) -> Sequence[Area]:
        return (Area(channel, "pypi", "root"),)

    def render(self, area: Area, records: Records) -> Pages:
        return pages.render(area, records)

    def view(self, package: str, records: Records, version: str | None = None) -> PackageView | None:
        return people.view(package, records, version)


PYPI = _Pypi()
"""The Python ecosystem."""
