"""One loop that makes what is published equal to what the catalog says.

Start-up, a wake-up and the poll run the same `Reconciler.reconcile`: whatever a crash left half done is done
again by the path that runs every second (a lost wake costs latency, never correctness).
"""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from indexer import state
from indexer.publish import SERIAL, TRASH, Outcome, publish, settle
from indexer.state import Failure
from indexer.survey import Survey
from packhouse.areas import SITE
from packhouse.errors import PackhouseError
from packhouse.house import House
from packhouse.intake import moving
from packhouse.intake.changes import tidy
from packhouse.intake.receive import reap
from packhouse.intake.stage import sweep
from packhouse.model import Area, Channel
from packhouse.names import ChannelName

log = logging.getLogger("indexer")

_SLICE_S = 0.5
"""How long a round publishes what is new, and how long what was due before, until it looks again for what is due."""
_BACKOFF_S = (0.5, 60.0)
"""First and longest pause before an area that failed is tried again, in seconds."""
_HEARTBEAT_S = 10.0
_CHECK_AGAIN_S = 60.0
_PLACES_AGAIN_S = 5.0
"""How often what a crash left between the trees is looked for, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did. `more`: look again at once, areas may still be due."""

    outcomes: tuple[Outcome, ...] = ()
    failed: tuple[Area, ...] = ()
    more: bool = False


@dataclass(slots=True, kw_only=True)
class _Batch:
    """The areas that were due at one moment, worked off in one or more rounds.

    Attributes:
        serials: of each channel, and `trash`: files whose grace was over, both read before the areas. What they say
            is covered once every area was visited.
        left: areas not visited yet, indexes first, then what refers to them.
        blocked: channels of which an area could not be published.
        rounds: how many have worked on it.
    """

    serials: Mapping[ChannelName, int]
    trash: Sequence[tuple[str, str]]
    left: deque[Area]
    blocked: set[str] = field(default_factory=set)
    rounds: int = 0


class Reconciler:
    """The work of one indexer; used by one thread."""

    def __init__(
        self, house: House, *, visible: bool = False, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Work for `house`; `visible` says so in the state file (the indexer that runs all the time does)."""
        self._house, self._visible, self._monotonic = house, visible, monotonic
        self._instance = house.locks.instance()
        self._survey = Survey(house)
        self._settled: dict[str, int] = {}
        self._batch: _Batch | None = None
        self._next_check: float | None = None
        self._next_places: float | None = None
        self._last_beat: float | None = None
        self.failing: dict[Area, Failure] = {}

    def reconcile(self) -> Round:
        """Finish dead moves and uploads, publish what is due, note the serials, empty the trash."""
        house = self._house
        _attempt("what a crash left between the trees could not be moved", self._places)
        _attempt("the tree could not be compared with the catalog", self._checks)
        _attempt("unfinished uploads could not be looked at", lambda: reap(house, self._instance))
        batch, fresh = self._due()
        done: list[Outcome] = []
        failed: list[Area] = []
        # What came after the batch has a slice of its own, before it: an upload waits for no full reindex. The batch
        # has one whatever came: an index that is dirty again and again keeps nothing else from being published.
        self._publish(fresh, done, failed, set())
        self._publish(batch.left, done, failed, batch.blocked)
        more = bool(batch.left) or batch.rounds > 1
        if not batch.left:
            self._batch = None
            self._finish(batch)
        self._beat(changed=bool(failed) or any(outcome.area in self.failing for outcome in done))
        return Round(outcomes=tuple(done), failed=tuple(failed), more=more)

    def _due(self) -> tuple[_Batch, deque[Area]]:
        """Return the batch to go on with, and the areas that became due since it was read."""
        house, areas = self._house, self._house.catalog.areas
        batch = self._batch
        if batch is None:
            # Read before the due areas: what these say is covered once every one of those is published.
            serials = {channel.name: channel.serial for channel in house.catalog.channels.list()}
            trash = areas.discarded(due=True)
            due = areas.due()
            batch = self._batch = _Batch(serials=serials, trash=trash, left=deque(due))
            fresh: deque[Area] = deque()
        else:
            due = areas.due()
            known = set(batch.left)
            fresh = deque(area for area in due if area not in known)
        batch.rounds += 1
        # A channel came or went; whatever this process wrote for it after its end is there by now.
        if SITE in due:
            _attempt("deleted channels could not be put aside", house.put_deleted_aside)
        return batch, fresh

    def _finish(self, batch: _Batch) -> None:
        """Note the serials and empty the trash: every area of the batch was visited."""
        # Looked up again: a channel may have been deleted, or made anew, while the batch was worked off.
        channels = [
            replace(channel, serial=batch.serials[channel.name])
            for channel in self._house.catalog.channels.list()
            if channel.name in batch.serials and channel.name not in batch.blocked
        ]
        self._settle(channels)
        self._empty_trash(batch.trash, channels)

    def pause_s(self) -> float:
        """Return how long to wait for a wake-up before looking again, in seconds."""
        pause = self._house.settings.reconcile_s
        next_due = self._house.catalog.areas.next_due_us()
        if next_due is not None:
            ahead_s = (next_due - self._house.catalog.clock()) / 1_000_000
            if ahead_s > 0:
                pause = min(pause, ahead_s)
        if self.failing:
            soonest = min(failure.retry_at for failure in self.failing.values()) - self._monotonic()
            pause = min(pause, max(soonest, 0))
        return max(pause, 0.005)

    def _publish(self, left: deque[Area], done: list[Outcome], failed: list[Area], blocked: set[str]) -> None:
        """Publish in order for one slice, at least one area; one area's failure stops no other.

        Args:
            left: what is to be published; loses what was visited.
            done: gains what was published.
            failed: gains what could not be published.
            blocked: gains the channels of areas that failed, now or before.
        """
        started = self._monotonic()
        while left:
            area = left[0]
            if area.kind == "channel" and area.key == SERIAL:
                self._settled.pop(area.channel, None)  # written when the batch ends
            elif self._rests(area):
                blocked.add(area.channel)
            elif self._monotonic() - started > _SLICE_S:
                return
            elif (outcome := self._try(area)) is not None:
                done.append(outcome)
            else:
                failed.append(area)
                blocked.add(area.channel)
            left.popleft()  # only now: whoever ends this early goes on with the same area

    def _rests(self, area: Area) -> bool:
        """Whether an area failed and is not to be tried again yet."""
        failure = self.failing.get(area)
        if failure is None or failure.retry_at <= self._monotonic():
            return False
        # Marked anew since: somebody mended what was wrong, and waits.
        return self._house.catalog.areas.generation(area) == failure.gen

    def _try(self, area: Area) -> Outcome | None:
        """Publish one area; None if it failed."""
        gen = self._house.catalog.areas.generation(area)
        try:
            outcome = publish(self._house, area, first=self._first)
        except Exception as error:  # noqa: BLE001 - a fault of one area must not stop the others
            self._fail(area, error, gen)
            return None
        if self.failing.pop(area, None) is not None:
            log.info("%s: works again", area)
        _report(outcome)
        return outcome

    def _first(self, area: Area) -> None:
        """Publish an area before its turn, unless it failed and is not to be tried again yet."""
        if not self._rests(area):
            self._try(area)

    def _fail(self, area: Area, error: Exception, gen: int) -> None:
        failure = self.failing.setdefault(area, Failure("", self._house.catalog.clock()))
        first, longest = _BACKOFF_S
        failure.gen = gen
        failure.reason = str(error) if isinstance(error, PackhouseError) else repr(error)
        failure.retry_at = self._monotonic() + min(first * 2**failure.tries, longest)
        failure.tries += 1
        # A refusal explains itself; anything else is a fault of ours and needs its traceback.
        unexpected = None if isinstance(error, PackhouseError) else error
        log.error("%s: not published (try %d): %s", area, failure.tries, failure.reason, exc_info=unexpected)

    def _settle(self, channels: Iterable[Channel]) -> None:
        for channel in channels:
            if self._settled.get(channel.name) != channel.serial:
                _attempt(
                    f"{channel.name}: serial.json could not be written", partial(self._settle_one, channel)
                )

    def _settle_one(self, channel: Channel) -> None:
        settle(self._house, channel, channel.serial)
        self._settled[channel.name] = channel.serial

    def _empty_trash(self, trash: Iterable[tuple[str, str]], channels: Iterable[Channel]) -> None:
        by_channel: defaultdict[str, list[str]] = defaultdict(list)
        for name, path in trash:
            by_channel[name].append(path)
        for channel in channels:
            paths = by_channel[channel.name]
            if paths:
                _attempt(
                    f"{channel.name}: the trash could not be emptied", partial(self._empty, channel, paths)
                )

    def _empty(self, channel: Channel, paths: Iterable[str]) -> None:
        removed = empty_trash(self._house, channel, paths)
        log.info("%s: %d files whose grace is over are removed", channel.name, removed)

    def _checks(self) -> None:
        """Compare tree and catalog at start-up and every `full_check_s`; what differs is marked."""
        now = self._monotonic()
        if self._next_check is None:
            self._survey.renew()
        elif now < self._next_check:
            return
        self._next_check = now + min(_CHECK_AGAIN_S, self._house.settings.full_check_s)  # if it fails now
        self._settled.clear()
        sweep(self._house.data, self._house.locks)
        self._house.remove_deleted()
        tidy(self._house)
        self._survey.superseded()
        self._survey.hotfixes()
        for area in self._survey.compare():
            log.warning("%s: what is published differs from the catalog, publishing again", area)
        self._next_check = now + self._house.settings.full_check_s

    def _places(self) -> None:
        """Make the tree agree with the catalog about what is private; at the start also with the settings."""
        now = self._monotonic()
        if self._next_places is None:
            moving.follow_settings(self._house)
        elif now < self._next_places:
            return
        self._next_places = now + _PLACES_AGAIN_S
        if moved := moving.settle_places(self._house):
            log.warning("%d folders lay where others may read, or fewer: moved to where they belong", moved)

    def _beat(self, *, changed: bool) -> None:
        """Note that the indexer lives, and which areas fail."""
        now = self._monotonic()
        if not changed and self._last_beat is not None and now - self._last_beat < _HEARTBEAT_S:
            return
        self._last_beat = now
        if self._visible:
            state.write(self._house, self._instance, self.failing)


def empty_trash(house: House, channel: Channel, paths: Iterable[str]) -> int:
    """Remove files whose grace is over and that nothing live refers to; returns how many.

    The caller published every area that was due after it read `paths`: no index names them any more.
    """
    with house.placing(channel.name) as place, house.locks.exclusive(TRASH, timeout_s=None):
        if place is None:
            return 0
        # Asked again under the lock: a publication may have taken some out meanwhile.
        still = {path for _, path in house.catalog.areas.discarded(channel.name, due=True)}
        over = [path for path in paths if path in still]
        doomed = [path for path in over if not _in_use(house, channel.name, path)]
        for path in doomed:
            house.tree.remove(place.where(path))
        house.tree.flush()
        house.catalog.areas.keep(channel.name, over)
    return len(doomed)


def _in_use(house: House, channel: str, path: str) -> bool:
    """Whether a live artifact lies at the path, or the path is a sidecar of one."""
    if house.catalog.artifacts.live(channel, path) is not None:
        return True
    folder, _, name = path.rpartition("/")
    for cut in (place for place, letter in enumerate(name) if letter == "." and place):
        owner = house.catalog.artifacts.live(channel, f"{folder}/{name[:cut]}")
        if owner is not None and name[cut:] in house.catalog.artifacts.sidecars(owner.id):
            return True
    return False


def _attempt(what: str, action: Callable[[], object]) -> None:
    """Do a part of the round that must not keep the other parts from their work."""
    try:
        action()
    except PackhouseError as error:
        log.error("%s: %s", what, error)  # noqa: TRY400 - the sentence explains itself


def _report(outcome: Outcome) -> None:
    quiet = not outcome.written and not outcome.removed
    log.log(logging.DEBUG if quiet else logging.INFO, "%s", outcome)
    for note in outcome.notes:
        log.warning("%s: %s", outcome.area, note)


def run(house: House, stop: threading.Event) -> None:
    """Reconcile until `stop` is set; who sets it pokes `wake`, so that a wait ends at once."""
    reconciler = Reconciler(house, visible=True)
    while not stop.is_set():
        round_ = _one_round(reconciler)
        if round_ is not None and round_.more:
            continue
        house.wake.wait("wake", reconciler.pause_s())


def _one_round(reconciler: Reconciler) -> Round | None:
    try:
        return reconciler.reconcile()
    except PackhouseError as error:
        # The catalog or the disk is away: say so and look again at the next poll.
        log.error("nothing could be published: %s", error)  # noqa: TRY400 - the sentence explains itself
        return None
