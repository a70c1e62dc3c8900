"""Publish one area: read, render, write what changed in the order of publication, note it.

The reading order matters (DESIGN section 4, step 12): what is published, then the generation, then the rows. The
other order loses updates: rows read before a newer mark would be published as if they were the newer ones.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from indexer import pages as people
from indexer.plan import Plan, plan
from packhouse.catalog.areas import Printed
from packhouse.ecosystems import Format, Page, Pages
from packhouse.ecosystems.registry import FORMATS
from packhouse.house import House
from packhouse.intake import changes
from packhouse.model import Area, Channel, Ecosystem
from packhouse.tree import When, channel_root

SERIAL = "serial"
"""Key of the area of kind `channel` that holds `serial.json`; it ends a round (`settle`)."""

TRASH = "trash"
"""The role under which files leave the trash; it may be taken inside an area's lock, never the other way round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one publication changed.

    Attributes:
        written, removed: paths in the channel.
        notes: sentences for the operator.
        elapsed_ms: of the whole publication, waiting for the lock included.
    """

    area: Area
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    elapsed_ms: float = 0

    def __str__(self) -> str:
        changed = [
            f"{verb} {len(paths)}"
            for verb, paths in (("wrote", self.written), ("removed", self.removed))
            if paths
        ]
        return f"{self.area}: {', '.join(changed) or 'unchanged'}, {self.elapsed_ms:.0f} ms"


def publish(house: House, area: Area) -> Outcome:
    """Make one area right, and take its mark away if it is still the one that was read.

    Raises:
        PackhouseError: the store or the catalog failed; the mark stays and everything can be done again.
    """
    started = time.perf_counter()
    with house.locks.hold(str(area), timeout_s=None):
        before = house.catalog.areas.printed(area)
        gen = house.catalog.areas.generation(area)
        channel = house.catalog.channels.find(area.channel) if area.channel else None
        if area.channel and channel is None:  # deleted meanwhile; nothing of it is published any more
            house.catalog.areas.clear(area, gen)
            return Outcome(area=area)
        swapped = _swap(house, area, channel)
        pages = render(house, area, channel)
        while channel is not None and _swap(house, area, channel):
            # An overwrite was committed between the swap and the rows: its bytes go into place before an index
            # names them.
            pages = render(house, area, channel)
            swapped = True
        todo = _carry_out(house, area, channel, before, pages, gen)
    if not todo.empty or swapped or gen:
        house.wake.poke("published")
    return Outcome(
        area=area,
        written=tuple(page.path for page in todo.write),
        removed=tuple(todo.remove),
        notes=tuple(pages.notes),
        elapsed_ms=(time.perf_counter() - started) * 1000,
    )


def settle(house: House, channel: Channel, serial: int) -> bool:
    """Publish `serial.json`: everything up to `serial` is published. Returns whether it changed.

    The caller read `serial` before it looked for due areas, and published all of them.
    """
    area = Area(channel.name, "", "channel", SERIAL)
    body = people.serial(serial)
    with house.locks.hold(str(area), timeout_s=None):
        before = house.catalog.areas.printed(area)
        gen = house.catalog.areas.generation(area)
        todo = _carry_out(house, area, channel, before, body, gen)
    return not todo.empty


def render(
    house: House, area: Area, channel: Channel | None, formats: Mapping[Ecosystem, Format] = FORMATS
) -> Pages:
    """Render an area from what the catalog holds now.

    Args:
        house: where.
        area: of any kind.
        channel: the area's channel; None for the site.
        formats: those that exist; `indexer check` gives fresh ones, which remember nothing.
    """
    if channel is None:
        return people.site(house.catalog.channels.list(), house.settings)
    found = channel
    records = house.catalog.records(channel.name, lambda path: house.read(found, path))
    match area.kind:
        case "index" | "root":
            return formats[Ecosystem(area.ecosystem)].render(area, records)
        case "page":
            view = formats[Ecosystem(area.ecosystem)].view(area.key, records)
            return Pages() if view is None else people.package(channel, area.key, view, house.settings)
        case "channel" if area.key == SERIAL:
            return people.serial(channel.serial)
        case _:
            return people.channel(channel, records, house.settings)


def path_of(channel: Channel | None, path: str) -> str:
    """Return where a page lies in the tree; None is the site."""
    return f"{channel_root(channel) if channel else 'public'}/{path}"


def _swap(house: House, area: Area, channel: Channel | None) -> bool:
    """Rename staged overwrites of this area into place, in the hold that publishes their index."""
    if channel is None or area.kind != "index":
        return False
    waiting = [
        artifact
        for artifact in house.catalog.artifacts.staged(channel.name)
        if area in FORMATS[artifact.ecosystem].areas(artifact, first_or_last=False)
    ]
    for artifact in waiting:
        changes.swap(house, channel, artifact)
    return bool(waiting)


def _carry_out(
    house: House, area: Area, channel: Channel | None, before: Mapping[str, Printed], pages: Pages, gen: int
) -> Plan:
    """Write and remove what the plan says; a flush between the classes is the barrier of publication order."""
    known = dict(before)
    _doubt(house, channel, known, (page.path for page in pages.leaves))
    kept = _kept(house, area, channel, known, pages.fixed)
    todo = plan(known, pages)
    _announce(house, area, known, todo, kept)
    printed: dict[str, Printed] = {}
    for group in (todo.fixed, todo.leaves):
        for page in group:
            printed[page.path] = _put(house, channel, page, known.get(page.path))
        if group:
            house.tree.flush()
    for path in todo.remove:
        house.tree.remove(path_of(channel, path))
        printed[path] = Printed(None, 0, known[path].mtime_s)
    if todo.remove:
        house.tree.flush()
    drop = dict.fromkeys(todo.discard, float(house.settings.shard_grace_s))
    # The commit of a publication: a crash before it leaves the mark, and everything above is done again.
    if printed or drop or gen:
        house.catalog.areas.finish(area, gen, printed=printed, drop=drop)
    return todo


def _put(house: House, channel: Channel | None, page: Page, last: Printed | None) -> Printed:
    # nginx's ETag is mtime seconds and size: a changed file must never get its predecessor's second.
    now_s = house.catalog.clock() // 1_000_000
    stat = house.tree.put(
        path_of(channel, page.path),
        page.body,
        when=When.ALWAYS,
        mtime_s=max(now_s, last.mtime_s + 1 if last else 0),
    )
    return Printed(hashlib.sha256(page.body).hexdigest(), stat.size, stat.mtime_s)


def _doubt(house: House, channel: Channel | None, known: dict[str, Printed], paths: Iterable[str]) -> None:
    """Believe that a file is published only if the tree holds one of that size and time."""
    for path in paths:
        printed = known.get(path)
        if printed is None or printed.sha256 is None:
            continue
        stat = house.tree.stat(path_of(channel, path))
        if stat is None or (stat.size, stat.mtime_s) != (printed.size, printed.mtime_s):
            later = max(printed.mtime_s, stat.mtime_s if stat else 0)
            known[path] = Printed("", printed.size, later)


def _kept(
    house: House, area: Area, channel: Channel | None, known: dict[str, Printed], fixed: Iterable[Page]
) -> list[str]:
    """Return content-addressed paths that wait in the trash and are named again."""
    wanted = {page.path for page in fixed}
    if not wanted:
        return []
    kept = sorted(wanted & {path for _, path in house.catalog.areas.discarded(area.channel, due=False)})
    _doubt(house, channel, known, kept)
    return kept


def _announce(
    house: House, area: Area, known: Mapping[str, Printed], todo: Plan, kept: Iterable[str]
) -> None:
    """Write down which new paths are about to appear, so that a crash leaves no file nobody knows of."""
    fresh = {
        page.path: Printed(hashlib.sha256(page.body).hexdigest(), len(page.body), 0)
        for page in todo.write
        if page.path not in known
    }
    if not fresh and not kept:
        return
    if not kept:
        house.catalog.areas.announce(area, fresh)
        return
    with house.locks.exclusive(TRASH, timeout_s=None):  # nobody empties the trash meanwhile
        house.catalog.areas.announce(area, fresh, kept)
