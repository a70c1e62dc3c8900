"""Compare the catalog with the files in the tree, take in files that nobody knows, and publish everything again.

The catalog is the truth about what happened: which names are retired, when a file came and from whom. No row is ever
changed or removed here. So what lies in the tree without a row is judged like any upload and becomes a row if it
passes; what has a row and no file, or another file, is reported, and whoever runs the server restores it from a backup.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from packhouse.areas import SITE
from packhouse.digest import digest
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import BadName, Busy, PackhouseError, StorageFull, Unavailable
from packhouse.house import House, areas_of
from packhouse.intake.moving import settle_places
from packhouse.intake.receive import History, Intake, reap
from packhouse.model import Area, Artifact, Claim, Ecosystem, Json, Principal
from packhouse.names import SUBDIRS, ChannelName, parse_filename
from packhouse.tree import Occupied, When

SHOWN = 1000
"""So many paths of each kind are told; all of them are counted."""

_CHUNK = 1 << 20
_LOCK = "rebuild"


@dataclass(slots=True)
class Report:
    """What was found and done; paths begin with the channel.

    Attributes:
        channels, files: how many were compared.
        adopted: files that had no row and have one now.
        refused: files without a row that this server would not take as an upload: path to the reason.
        retired: files that lie at a name that was deleted once; they are in no index and stay so.
        missing: rows whose file is not there.
        differing: rows whose file has another size, or other bytes where they were read.
        awaited: what to wait for until everything is published again.
    """

    channels: int = 0
    files: int = 0
    adopted: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    retired: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    awaited: dict[Area, int] = field(default_factory=dict)

    def told(self) -> dict[str, Json]:
        """Return the report as JSON: for each kind its number and its first paths."""
        lists: dict[str, list[Json]] = {
            "adopted": list(self.adopted),
            "refused": [{"path": path, "why": why} for path, why in self.refused.items()],
            "retired": list(self.retired),
            "missing": list(self.missing),
            "differing": list(self.differing),
        }
        counts = {name: len(found) for name, found in lists.items()}
        shown = {name: found[:SHOWN] for name, found in lists.items()}
        return {"channels": self.channels, "files": self.files, "counts": counts, **shown}


def rebuild(house: House, intake: Intake, principal: Principal, *, by_hash: bool = False) -> Report:
    """Compare every channel with its files, adopt what passes, and mark everything to be published again.

    Args:
        house: where.
        intake: the way in for files without a row.
        principal: who is noted as their uploader.
        by_hash: read every file instead of trusting its size.

    Raises:
        Busy: another one is under way.
        Unavailable, StorageFull: the store failed; what was done stays.
    """
    with house.locks.hold(_LOCK, timeout_s=0) as held:
        if not held:
            raise Busy("the catalog is being compared with the files already; wait for that to end")
        reap(house, intake.instance)
        settle_places(house)
        report, areas = Report(), dict[Area, float]()
        for channel in house.catalog.channels.list():
            _Comparison(house, intake, principal, report, channel.name).run(by_hash=by_hash)
            areas.update(dict.fromkeys(areas_of(house, channel.name), 0.0))
            report.channels += 1
        report.awaited = house.catalog.areas.mark({**areas, SITE: 0.0})
        house.wake.poke("wake")
        return report


class _Comparison:
    """One channel, compared."""

    def __init__(
        self, house: House, intake: Intake, principal: Principal, report: Report, channel: ChannelName
    ) -> None:
        self._house, self._intake, self._principal = house, intake, principal
        self._report, self._channel = report, channel

    def run(self, *, by_hash: bool) -> None:
        place = self._house.placement(self._channel)
        if place is None:  # deleted meanwhile
            return
        there = {path: size for root in (place.root, place.inner) for path, size in self._files(root)}
        rows = self._house.catalog.records(self._channel, lambda _path: None)
        for ecosystem in FORMATS:
            for artifact in rows.everything(ecosystem):
                self._report.files += 1
                size = there.pop(artifact.path, None)
                if size != artifact.size or by_hash:
                    self._look(artifact, by_hash=by_hash)
        self._adopt_all(there)

    def _files(self, root: str) -> Iterator[tuple[str, int]]:
        """Yield (path in the channel, size) of what may be an artifact, by where it lies."""
        for folder in self._house.tree.folders(root):
            depth = _DEPTHS.get(folder, 2 if folder in SUBDIRS else 0)
            for stat in self._house.tree.scan(f"{root}/{folder}") if depth else ():
                path = stat.path.removeprefix(f"{root}/")
                if path.count("/") + 1 == depth and _ecosystem(path) is not None:
                    yield path, stat.size

    def _look(self, artifact: Artifact, *, by_hash: bool) -> None:
        """Look at one row's file, now: rows and files were listed a moment ago, and uploads and moves go on."""
        row = self._house.catalog.artifacts.live(self._channel, artifact.path)
        place = self._house.placement(self._channel)
        # Of a staged overwrite the old bytes are still in place.
        if row is None or row.id != artifact.id or row.staged is not None or place is None:
            return
        lies_at, name = place.where(row.path), f"{self._channel}/{row.path}"
        stat = self._house.tree.stat(lies_at)
        if stat is None:
            self._report.missing.append(name)
        elif stat.size != row.size or (by_hash and self._sha256(lies_at) != row.sha256):
            self._report.differing.append(name)

    def _adopt_all(self, paths: dict[str, int]) -> None:
        catalog = self._house.catalog
        # In this order: an upload is pending, then placed, then live. What was placed when the files were listed and
        # is not pending now has its row by now.
        pending = {row.path for row, _, _ in catalog.artifacts.pending() if row.channel == self._channel}
        leaving = {path for _, path in catalog.areas.discarded(self._channel, due=False)}
        printed = catalog.areas.all_printed(self._channel)
        for path, size in sorted(paths.items()):
            if path in pending or path in leaving or path in printed:
                continue
            if catalog.artifacts.live(self._channel, path) is not None:
                continue
            name = f"{self._channel}/{path}"
            if catalog.artifacts.burnt(self._channel, path):
                self._report.retired.append(name)
                continue
            try:
                if self._adopt(path, size):
                    self._report.adopted.append(name)
            except (Unavailable, StorageFull):
                raise
            except PackhouseError as error:
                self._report.refused[name] = str(error)

    def _adopt(self, path: str, size: int) -> bool:
        """Judge a file as an upload of its own bytes; False if it went away meanwhile.

        Raises:
            PackhouseError: it is refused, and stays as it is.
        """
        house = self._house
        claim = _claim(self._channel, path, size)
        self._intake.door(claim)
        with _kept(house, self._channel, path) as copy, self._intake.stage() as stage:
            if copy is None:
                return False
            with house.tree.open(copy) as file:
                while chunk := file.read(_CHUNK):
                    stage.write(chunk)
            receipt = self._intake.receive(
                claim,
                stage,
                self._principal,
                shelf=lambda *_: None,
                # A file's mtime is no upload time: copying changes it.
                history=History(imported=True),
            )
        return receipt.created

    def _sha256(self, path: str) -> str:
        try:
            with self._house.tree.open(path) as file:
                return digest(iter(lambda: file.read(_CHUNK), b"")).sha256
        except FileNotFoundError:
            return ""


@contextmanager
def _kept(house: House, channel: ChannelName, path: str) -> Iterator[str | None]:
    """Keep a second name of a file while it is judged; None if the file is not there.

    An upload that fails after its name was claimed takes its bytes away again. These are not its own: they were here
    before, and are put back, to where the channel's files belong by then.
    """
    aside = f"incoming/orphan.{uuid.uuid4().hex}"
    with house.placing(channel) as place:
        found = place is not None and house.tree.stat(place.where(path)) is not None
        if place is not None and found:
            house.tree.put(aside, house.data / place.where(path), when=When.ABSENT)
    if not found:
        yield None
        return
    try:
        yield aside
    finally:
        with house.placing(channel) as place:
            if (
                place is not None
                and house.tree.stat(place.where(path)) is None
                and _is_nobodys(house, channel, path)
            ):
                with suppress(Occupied):  # somebody uploads it at this moment
                    house.tree.put(place.where(path), house.data / aside, when=When.ABSENT)
            house.tree.remove(aside)
            house.tree.flush()


def _is_nobodys(house: House, channel: ChannelName, path: str) -> bool:
    """Whether nothing is known of a path: it is neither live, nor was it deleted since."""
    artifacts = house.catalog.artifacts
    return artifacts.live(channel, path) is None and not artifacts.burnt(channel, path)


_DEPTHS = {"packages": 3, "products": 4}
"""Folders of a channel that hold files by package, and how many segments the path of a file there has."""


def _ecosystem(path: str) -> Ecosystem | None:
    folder, name = path.partition("/")[0], path.rpartition("/")[2]
    if folder == "products":
        return Ecosystem.GENERIC
    ecosystem = Ecosystem.PYPI if folder == "packages" else Ecosystem.CONDA
    return ecosystem if FORMATS[ecosystem].recognises(name) else None


def _claim(channel: ChannelName, path: str, size: int) -> Claim:
    """Return what a file claims by where it lies.

    Raises:
        BadName: by its name it is no artifact, or it belongs elsewhere.
    """
    directory, _, name = path.rpartition("/")
    ecosystem = _ecosystem(path) or Ecosystem.GENERIC
    claim = Claim(channel=channel, ecosystem=ecosystem, filename=parse_filename(name), size=size)
    if ecosystem is not Ecosystem.PYPI:
        claim = replace(claim, directory=directory)
    place = FORMATS[ecosystem].place(claim)
    if place is None or place[1] != path:
        raise BadName(
            "place of a file", path, f"by its name it belongs to {place[1] if place else 'another one'}"
        )
    return claim
