"""Make a channel, or a part of it, right by hand: everything derived is compared, marked and published again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from indexer import state
from indexer.publish import SERIAL
from indexer.survey import Survey, areas_below
from indexer.watch import Reconciler
from packhouse.areas import SITE
from packhouse.catalog.areas import Printed
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import Unavailable
from packhouse.house import House, areas_of
from packhouse.model import Area, Artifact, Channel
from packhouse.names import parse_channel
from packhouse.tree import When

_LOOK_AGAIN_S = 0.5

Progress = Callable[[int, int], None]
"""Told (areas done, areas in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a reindex changed in one channel (empty: the site): paths."""

    channel: str
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()


def reindex(
    house: House, channel: str | None = None, key: str | None = None, *, progress: Progress | None = None
) -> list[Change]:
    """Publish everything again, and say what changed.

    While an indexer runs, it does the work and this waits; otherwise the work is done here. The same code
    runs in both cases, and every area has its lock.

    Args:
        house: where.
        channel: only this one; None is every channel and the site.
        key: only this subdir, project or product of the channel.
        progress: told how far it is.

    Raises:
        NotFound: no such channel, or nothing of that key in it.
        Unavailable: an area could not be published; the sentence says which and why.
    """
    catalog = house.catalog
    channels = catalog.channels.list() if channel is None else [catalog.channels.get(parse_channel(channel))]
    names = [*(item.name for item in channels), *([""] if channel is None else [])]
    sidecars: dict[str, tuple[str, ...]] = {item.name: restore_sidecars(house, item) for item in channels}
    before = {name: catalog.areas.all_printed(name) for name in names}
    Survey(house).compare(channel, by_hash=True)
    wanted: list[Area] = [] if channel is not None else [SITE]
    wanted += [Area(item.name, "", "channel", SERIAL) for item in channels]
    for item in channels:
        wanted += areas_of(house, item.name) if key is None else areas_below(house, item, key)
    awaited = catalog.areas.mark(dict.fromkeys(wanted, 0.0))
    house.wake.poke("wake")
    if state.running(house):
        _wait(house, awaited, progress)
    else:
        _work(house, awaited, progress)
    return [
        _difference(name, before[name], catalog.areas.all_printed(name), sidecars.get(name, ()))
        for name in names
    ]


def restore_sidecars(house: House, channel: Channel) -> tuple[str, ...]:
    """Put sidecar files back that are missing or differ from the catalog; returns their paths."""
    records = house.catalog.records(channel.name, lambda path: house.read(channel, path))
    restored: list[str] = []
    for ecosystem in FORMATS:
        for artifact in records.everything(ecosystem):
            for suffix, body in house.catalog.artifacts.sidecars(artifact.id).items():
                path = f"{artifact.path}{suffix}"
                if house.read(channel, path, len(body) + 1) != body and _put_back(
                    house, channel, artifact, path, body
                ):
                    restored.append(path)
    return tuple(restored)


def _put_back(house: House, channel: Channel, artifact: Artifact, path: str, body: bytes) -> bool:
    """Put one sidecar back, if its artifact is still what is served; returns whether it was.

    The rows were read long ago. Under the lock of the area no deletion can be published, so no file that is deleted
    from now on leaves the tree before its sidecar is back, and goes with it. Of a staged overwrite the old bytes are
    still in place, with their own sidecars: the swap brings the new ones.
    """
    areas = FORMATS[artifact.ecosystem].areas(artifact, first_or_last=False)
    index = next(area for area in areas if area.kind == "index")
    with house.locks.hold(str(index), timeout_s=None):
        now = house.catalog.artifacts.live(artifact.channel, artifact.path)
        if now is None or now.id != artifact.id or now.staged is not None:
            return False
        with house.placing(channel.name) as place:
            if place is None:
                return False
            house.tree.put(place.where(path), body, when=When.ALWAYS)
            house.tree.flush()  # before it may be moved: it would be looked for at its old place
    return True


def _work(house: House, awaited: Mapping[Area, int], progress: Progress | None) -> None:
    reconciler = Reconciler(house)
    while True:
        round_ = reconciler.reconcile()
        left = house.catalog.areas.unpublished(awaited)
        _tell(progress, awaited, left)
        if not left:
            return
        _complain(left, {area: failure.reason for area, failure in reconciler.failing.items()})
        if not round_.more:
            house.wake.wait("wake", reconciler.pause_s())


def _wait(house: House, awaited: Mapping[Area, int], progress: Progress | None) -> None:
    while left := house.catalog.areas.unpublished(awaited):
        _tell(progress, awaited, left)
        said = state.read(house)
        # What failed before our mark may work now: only a try that saw the mark counts.
        _complain(left, {a: why for a, why in said.failing.items() if said.tried[a] >= awaited.get(a, 0)})
        if not state.running(house):  # it ended before it was done
            _work(house, awaited, progress)
            return
        house.wake.wait("published", _LOOK_AGAIN_S)
    _tell(progress, awaited, ())


def _tell(progress: Progress | None, awaited: Mapping[Area, int], left: Iterable[Area]) -> None:
    if progress is not None:
        progress(len(awaited) - len(set(left)), len(awaited))


def _complain(left: Iterable[Area], failing: Mapping[Area, str]) -> None:
    # `serial.json` waits for the others of its channel, so it never stands for itself.
    waiting = {area for area in left if area.key != SERIAL or area.kind != "channel"}
    stuck = sorted(waiting & failing.keys())
    if stuck and len(stuck) == len(waiting):
        raise Unavailable(
            f"{len(stuck)} areas could not be published; the first is {stuck[0]}: {failing[stuck[0]]}"
        )


def _difference(
    channel: str,
    before: Mapping[str, tuple[Area, Printed]],
    after: Mapping[str, tuple[Area, Printed]],
    sidecars: Iterable[str],
) -> Change:
    def there(side: Mapping[str, tuple[Area, Printed]]) -> dict[str, Printed]:
        return {path: printed for path, (_, printed) in side.items() if printed.sha256 is not None}

    old, new = there(before), there(after)
    return Change(
        channel=channel,
        written=tuple(sorted(path for path in new if new[path] != old.get(path))),
        removed=tuple(sorted(old.keys() - new.keys())),
        sidecars=tuple(sidecars),
    )
