"""Send what a source yields through the intake, several files at a time; doing it again goes on where it stopped."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum

from packhouse.client.connection import Unreachable
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import BadMetadata, NotFound, PackhouseError, Unavailable
from packhouse.house import House
from packhouse.importing.items import Item, Source
from packhouse.intake import changes
from packhouse.intake.receive import History, Intake
from packhouse.model import Area, Artifact, Channel, Claim, Ecosystem, Principal
from packhouse.names import parse_filename
from packhouse.tree import When

PRINCIPAL = Principal(name="import", kind="service", admin=True)


class Fate(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    SKIPPED = "skipped"
    """The same bytes were there already."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file; `notes` are the reason of a refusal, or warnings.

    `old_habits` tells that it was refused for its metadata, which a lenient import may take.
    """

    item: Item
    fate: Fate
    size: int = 0
    notes: tuple[str, ...] = ()
    old_habits: bool = False


@dataclass(slots=True)
class Report:
    """What became of all of them.

    Attributes:
        files, sizes: per fate.
        undated: how many imported files had no upload time.
        warned: how many were imported with a warning.
        old_habits: how many were refused for their metadata, which a lenient import may take.
        hotfixes: paths of the hotfix files taken along.
        kept: paths of hotfix files that were left, since the channel has other ones.
        awaited: what to wait for until everything is listed.
    """

    files: Counter[Fate] = field(default_factory=Counter)
    sizes: Counter[Fate] = field(default_factory=Counter)
    undated: int = 0
    warned: int = 0
    old_habits: int = 0
    hotfixes: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    awaited: dict[Area, int] = field(default_factory=dict)


Tell = Callable[[Result], None]


class Adoption:
    """One import into one channel."""

    def __init__(self, house: House, intake: Intake, channel: Channel, *, lenient: bool = False) -> None:
        self._house, self._intake, self._channel, self._lenient = house, intake, channel, lenient
        self._lock = threading.Lock()
        self.report = Report()

    def run(self, source: Source, *, jobs: int = 2, tell: Tell) -> Report:
        """Import everything.

        Args:
            source: what to read.
            jobs: how many files at once.
            tell: told of each file, in this thread.

        Raises:
            Unavailable: the source or the store failed; what was imported stays, and a second run goes on.
        """
        self._take_hotfixes(source)
        waiting: set[Future[Result]] = set()
        with ThreadPoolExecutor(jobs) as executor:
            try:
                for item in source.items():
                    waiting.add(executor.submit(self._one, item))
                    if len(waiting) >= 4 * jobs:
                        waiting = self._collect(waiting, tell)
                while waiting:
                    waiting = self._collect(waiting, tell)
            except BaseException:
                executor.shutdown(wait=True, cancel_futures=True)
                raise
        return self.report

    def _collect(self, waiting: set[Future[Result]], tell: Tell) -> set[Future[Result]]:
        done, rest = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            result = future.result()
            self.report.files[result.fate] += 1
            self.report.sizes[result.fate] += result.size
            self.report.old_habits += result.old_habits
            if result.fate is Fate.IMPORTED:
                self.report.undated += result.item.uploaded_us is None
                self.report.warned += bool(result.notes)
            tell(result)
        return rest

    def _one(self, item: Item) -> Result:
        """Import one file; a refusal is a result, a store that fails is not."""
        try:
            return self._receive(item)
        except Unreachable as error:
            return Result(item, Fate.REFUSED, notes=(str(error),))  # one file of a source; the others may do
        except Unavailable:
            raise
        except PackhouseError as error:
            liftable = isinstance(error, BadMetadata) and not self._lenient
            return Result(item, Fate.REFUSED, notes=(str(error),), old_habits=liftable)
        except OSError as error:
            return Result(item, Fate.REFUSED, notes=(f"it cannot be read: {error.strerror or error}",))

    def _receive(self, item: Item) -> Result:
        claim = Claim(
            channel=self._channel.name,
            ecosystem=item.ecosystem,
            filename=parse_filename(item.name),
            size=item.size,
            digests=item.digests,
            directory=item.directory,
            lenient=self._lenient,
        )
        if (there := self._there(claim, item.digests.get("sha256"))) is not None:
            self._yank(there, item)
            return Result(item, Fate.SKIPPED, there.size)
        self._intake.door(claim)
        with self._intake.stage() as stage:
            with item.body() as pieces:
                for piece in pieces:
                    stage.write(piece)
            if (there := self._there(claim, stage.finish().sha256)) is not None:
                self._yank(there, item)
                return Result(item, Fate.SKIPPED, there.size)
            history = History(uploaded_us=self._past(item.uploaded_us), imported=item.uploaded_us is None)
            receipt = self._intake.receive(claim, stage, PRINCIPAL, shelf=lambda *_: None, history=history)
        with self._lock:
            self.report.awaited.update(receipt.awaited)
        self._yank(receipt.artifact, item)
        fate = Fate.IMPORTED if receipt.created else Fate.SKIPPED
        return Result(item, fate, receipt.artifact.size, tuple(receipt.artifact.warnings))

    def _there(self, claim: Claim, sha256: str | None) -> Artifact | None:
        """Return the artifact that has these bytes already, as far as the name alone tells its place."""
        place = FORMATS[claim.ecosystem].place(claim)
        if place is None or sha256 is None:
            return None
        live = self._house.catalog.artifacts.live(claim.channel, place[1])
        return live if live is not None and live.sha256 == sha256 else None

    def _yank(self, artifact: Artifact, item: Item) -> None:
        """Keep the source's yanked state; a release that was yanked here stays as it is."""
        if item.yanked is None or artifact.yanked is not None or artifact.uploaded_by != PRINCIPAL.name:
            return
        change = changes.yank(self._house, [artifact], PRINCIPAL, item.yanked)
        with self._lock:
            self.report.awaited.update(change.awaited)

    def _past(self, uploaded_us: int | None) -> int | None:
        # A source whose clock is ahead must not make files that `--exclude-newer` hides from today.
        return None if uploaded_us is None else min(uploaded_us, self._house.catalog.clock())

    def _take_hotfixes(self, source: Source) -> None:
        """Copy hotfix files first, so that no index ever shows records without them."""
        marks: dict[Area, float] = {}
        for path, body in source.hotfixes().items():
            if not self._take_hotfix(path, body):
                self.report.kept.append(path)
                continue
            self.report.hotfixes.append(path)
            marks[Area(self._channel.name, Ecosystem.CONDA, "index", path.rpartition("/")[0])] = 0.0
        if marks:
            self.report.awaited.update(self._house.catalog.areas.mark(marks))
            self._house.wake.poke("wake")

    def _take_hotfix(self, path: str, body: bytes) -> bool:
        """Copy one hotfix file; False if the channel has another one."""
        with self._house.placing(self._channel.name) as place:
            if place is None:
                raise NotFound("channel", self._channel.name, "it was deleted during the import")
            before = self._house.read_at(place, path)
            if before is None:
                self._house.tree.put(place.where(path), body, when=When.ALWAYS)
                self._house.tree.flush()
            return before in (None, body)


def results(report: Report) -> Iterator[tuple[str, int, int]]:
    """Yield (fate, number of files, bytes) for a summary."""
    for fate in Fate:
        yield str(fate), report.files[fate], report.sizes[fate]
