"""The conda ecosystem as one object."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

from packhouse.ecosystems import Limits, PackageView, Pages, Records
from packhouse.ecosystems.conda.channeldata import render_root
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.memo import Memo
from packhouse.ecosystems.conda.names import parse_coordinates, split_extension
from packhouse.ecosystems.conda.pages import SubdirMemo, render_subdir
from packhouse.ecosystems.conda.versions import MAX_NUMBER, newest
from packhouse.ecosystems.conda.view import view_package
from packhouse.model import Area, Artifact, Claim, Ecosystem, Observed
from packhouse.names import SUBDIRS

_KEPT = 256
"""Memos of so many areas are kept; an older one is built again when it is needed."""

_LAG_S = 5.0
"""How long a channel's own page may lag behind when no package appears or vanishes, in seconds."""

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

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        """Return the subdir's indexes, channeldata, the package's page, and the channel's page, which may lag."""
        channel = artifact.channel
        return {
            Area(channel, self.ecosystem, "index", artifact.directory): 0,
            Area(channel, self.ecosystem, "root"): 0,
            Area(channel, self.ecosystem, "page", artifact.package): 0,
            Area(channel, "", "channel"): 0 if first_or_last else _LAG_S,
        }

    def birth(self, channel: str) -> Sequence[Area]:
        """Return the areas of an empty channel: clients take a channel without `noarch` for a mistake."""
        return (
            Area(channel, self.ecosystem, "index", "noarch"),
            Area(channel, self.ecosystem, "root"),
            Area(channel, "", "channel"),
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

    def view(self, package: str, records: Records) -> PackageView | None:
        """Return what the page of one package shows; None when it has no live file."""
        return view_package(package, records)


CONDA = CondaFormat()
