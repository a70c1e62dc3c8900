"""The conda ecosystem as one object."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

from packhouse.ecosystems import Limits, Pages, Records
from packhouse.ecosystems.conda import needs, people
from packhouse.ecosystems.conda.channeldata import render_root
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.memo import Memo
from packhouse.ecosystems.conda.names import parse_coordinates, split_extension
from packhouse.ecosystems.conda.pages import SubdirMemo, render_subdir
from packhouse.ecosystems.conda.versions import MAX_NUMBER, in_order, newest
from packhouse.ecosystems.view import PackageView
from packhouse.model import Area, Artifact, Claim, Ecosystem, Json, Observed
from packhouse.names import SUBDIRS

_KEPT = 256
"""Memos of so many areas are kept; an older one is built again when it is needed."""


M = TypeVar("M")


class CondaFormat:
    """Conda's implementation of `packhouse.ecosystems.Format`.

    The one thing it remembers is what `render` made of packages that did not change since. Rendering is serialised;
    forgetting everything changes no byte of what is rendered.
    """

    ecosystem = Ecosystem.CONDA

    def __init__(self) -> None:
        self._memos: OrderedDict[Area, object] = OrderedDict()
        self._lock = Lock()

    def recognises(self, filename: str) -> bool:
        """Whether the name ends in `.conda` or `.tar.bz2`."""
        return bool(split_extension(filename)[1])

    def place(self, claim: Claim) -> tuple[str, str] | None:
        """Return package and path where the claim names a subdir; otherwise only the bytes know.

        Raises:
            BadName: the file name breaks CEP 26.
        """
        coordinates = parse_coordinates(claim.filename, max_number=2**63 - 1 if claim.lenient else MAX_NUMBER)
        if claim.directory not in SUBDIRS:
            return None
        return coordinates.name, f"{claim.directory}/{claim.filename}"

    def inspect(self, path: Path, claim: Claim, limits: Limits) -> Observed:
        """Open the package and judge it: see `packhouse.ecosystems.conda.inspect`.

        Raises:
            BadName, BadArchive, BadMetadata: as the protocol says.
        """
        return inspect(path, claim, limits)

    def newest(self, versions: Iterable[str]) -> str:
        """Return the newest of n >= 1 versions (CEP 33), final before pre-release."""
        return newest(versions)

    def in_order(self, versions: Iterable[str]) -> list[str]:
        """Return versions sorted, oldest first (CEP 33); what is no version comes before those that are."""
        return in_order(versions)

    def requires(self, record: Mapping[str, Json]) -> Sequence[str]:
        """Return the names of the packages that `depends` asks for."""
        return people.requires(record)

    def mentions(self, record: Mapping[str, Json]) -> Sequence[str]:
        """Return the names of the packages that its requirements name in any way."""
        return needs.mentions(record)

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:  # noqa: ARG002 - nothing of these may lag
        """Return the subdir's indexes and channeldata."""
        channel = artifact.channel
        return {
            Area(channel, self.ecosystem, "index", artifact.directory): 0,
            Area(channel, self.ecosystem, "root"): 0,
        }

    def birth(self, channel: str) -> Sequence[Area]:
        """Return the areas of an empty channel: clients take a channel without `noarch` for a mistake."""
        return (
            Area(channel, self.ecosystem, "index", "noarch"),
            Area(channel, self.ecosystem, "root"),
        )

    def render(self, area: Area, records: Records) -> Pages:
        """Render the indexes of a subdir (`index`) or channeldata.json (`root`)."""
        with self._lock:
            if area.kind == "index":
                return render_subdir(area.key, records, self._memo(area, SubdirMemo))
            return render_root(records, self._memo(area, Memo[bytes]))

    def _memo(self, area: Area, make: Callable[[], M]) -> M:
        memo = self._memos.pop(area, None) or make()
        self._memos[area] = memo
        while len(self._memos) > _KEPT:
            self._memos.popitem(last=False)
        return memo  # type: ignore[return-value] # one kind of area has one kind of memo

    def view(self, package: str, records: Records, version: str | None = None) -> PackageView | None:
        """Return what the page of one package shows; None when it has no live file."""
        return people.view(package, records, version)


CONDA = CondaFormat()
