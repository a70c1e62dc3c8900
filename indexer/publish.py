"""Publish one area: read, render, write what changed in the order of publication, note it.

The reading order matters (DESIGN section 4, step 12): what is published, then the generation, then the rows. The
other order loses updates: rows read before a newer mark would be published as if they were the newer ones.

From the rows to the files nothing of the channel is moved between the trees (`House.placing`): what was rendered for
everyone is not written where it may have become private, nor the other way round.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from indexer import pages as people
from indexer.plan import Plan, plan
from packhouse import areas as everywhere
from packhouse.catalog.areas import Printed
from packhouse.catalog.page_records import PageRecords
from packhouse.ecosystems import Format, Page, Pages
from packhouse.ecosystems.registry import FORMATS
from packhouse.house import House
from packhouse.intake import changes
from packhouse.model import Area, Channel, Ecosystem
from packhouse.placement import Placement
from packhouse.tree import When

SERIAL = "serial"
"""Key of the area of kind `channel` that holds `serial.json`; it ends a round (`settle`)."""

TRASH = "trash"
"""The role under which files leave the trash; taken inside an area's lock and `House.placing`, never around them."""

_log = logging.getLogger("indexer")


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


def publish(house: House, area: Area, *, first: Callable[[Area], object] | None = None) -> Outcome:
    """Make one area right, and take its mark away if it is still the one that was read.

    Args:
        house: where.
        area: of any kind.
        first: publishes an area whose pages this one is about to link to for the first time; it raises nothing.

    Raises:
        PackhouseError: the store or the catalog failed; the mark stays and everything can be done again.
    """
    started = time.perf_counter()
    with house.locks.hold(str(area), timeout_s=None):
        before = house.catalog.areas.printed(area)
        gen = house.catalog.areas.generation(area)
        # Never reference what is not yet there. A package committed after the generation was read may come later: its
        # mark on this area is a newer one. One that cannot be published now is not named; see `_mark_lists`.
        for named in _unpublished(house, area):
            (first or partial(_quietly, house))(named)
        with _placing(house, area) as place:
            if area.channel and place is None:  # deleted meanwhile; nothing of it is published any more
                house.catalog.areas.clear(area, gen)
                return Outcome(area=area)
            swapped = _swap(house, area, place)
            pages = render(house, area, place)
            while _swap(house, area, place):
                # An overwrite was committed between the swap and the rows: its bytes go into place before an index
                # names them.
                pages = render(house, area, place)
                swapped = True
            todo = _carry_out(house, area, place, before, pages, gen)
        _mark_lists(house, area, before, pages)
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
        with _placing(house, area) as place:
            if place is None:
                return False
            todo = _carry_out(house, area, place, before, body, gen)
    return not todo.empty


def render(  # noqa: PLR0911 - one for each kind
    house: House, area: Area, place: Placement | None, formats: Mapping[Ecosystem, Format] = FORMATS
) -> Pages:
    """Render an area from what the catalog holds now.

    Args:
        house: where.
        area: of any kind.
        place: where the files of the area's channel belong; None for the site.
        formats: those that exist; `indexer check` gives fresh ones, which remember nothing.
    """
    if place is None:
        return people.site(house.catalog.channels.list(), partial(_listing, house), house.settings)
    here, channel = place, place.channel
    records = house.catalog.records(channel.name, lambda path: house.read_at(here, path))
    if kind := _named(area):
        records = records.naming_published(kind)
    match area.kind:
        case "index" | "root":
            return formats[Ecosystem(area.ecosystem)].render(area, records)
        case "release" | "page":
            render_one = people.release if area.kind == "release" else people.package
            return render_one(area.key, formats[Ecosystem(area.ecosystem)], records, place, house.settings)
        case "list":
            return people.listed(area.key, Ecosystem(area.ecosystem), records, channel)
        case "search":
            return people.search(records, channel, house.settings)
        case _:
            if area.key == SERIAL:
                return people.serial(channel.serial)
            return people.channel(channel, records, house.settings)


def path_of(place: Placement | None, path: str) -> str:
    """Return where a page lies in the tree; None is the site."""
    return place.where(path) if place else f"public/{path}"


def _placing(house: House, area: Area) -> AbstractContextManager[Placement | None]:
    return house.placing(area.channel) if area.channel else nullcontext()


def _named(area: Area) -> str:
    """Return the kind of area, one per package, to whose pages this one links; empty for an area that links to none.

    Conda's root lists do not link: they come from indexes of many packages, and stand beside those.
    """
    if area.kind == "root" and area.ecosystem != Ecosystem.CONDA:
        return "index"
    return "page" if area.kind in ("list", "search", "channel") and area.key != SERIAL else ""


def _listing(house: House, channel: str) -> PageRecords:
    """Return what the front page may name of a channel: nothing in it is read from files."""
    return house.catalog.records(channel, lambda _path: None).naming_published("page")


def _unpublished(house: House, area: Area) -> list[Area]:
    """Return the areas that a list would link to, and of which nothing is published yet."""
    kind = _named(area)
    if not kind:
        return []
    records = house.catalog.records(area.channel, lambda _path: None)
    found = records.unpublished(kind, Ecosystem(area.ecosystem) if area.ecosystem else None)
    if area.kind == "list":  # the pages of other letters are not its business
        found = [named for named in found if everywhere.letter_of(named.key) == area.key]
    return found


def _quietly(house: House, area: Area) -> None:
    try:
        publish(house, area)
    except Exception as error:  # noqa: BLE001 - it is due itself: whoever is at it then tells what is wrong
        _log.debug("%s: not published: %r", area, error)


def _mark_lists(house: House, area: Area, before: Mapping[str, Printed], pages: Pages) -> None:
    """Have the lists written that could not name a package until now, unless they are due anyway."""
    if not pages.leaves:
        return
    if area.kind == "index":
        lists: Sequence[Area] = [Area(area.channel, area.ecosystem, "root")]
    elif area.kind == "release":
        lists = [everywhere.page(area.channel, area.ecosystem, area.key.partition("/")[0])]
    elif area.kind == "page":
        lists = everywhere.naming(area.channel, area.ecosystem, area.key)
    else:
        return
    if any(printed.sha256 is not None and printed.mtime_s for printed in before.values()):
        return
    late = {parent: 0.0 for parent in lists if not house.catalog.areas.generation(parent)}
    if area.kind == "page":
        near = house.catalog.artifacts.neighbours(area.channel, Ecosystem(area.ecosystem), area.key)
        late |= dict.fromkeys(near, everywhere.LIST_LAG_S)
    if late:
        house.catalog.areas.mark(late)


def _swap(house: House, area: Area, place: Placement | None) -> bool:
    """Rename staged overwrites of this area into place, in the hold that publishes their index."""
    if place is None or area.kind != "index":
        return False
    waiting = [
        artifact
        for artifact in house.catalog.artifacts.staged(place.channel.name)
        if area in FORMATS[artifact.ecosystem].areas(artifact, first_or_last=False)
    ]
    for artifact in waiting:
        changes.swap(house, place, artifact)
    return bool(waiting)


def _carry_out(
    house: House, area: Area, place: Placement | None, before: Mapping[str, Printed], pages: Pages, gen: int
) -> Plan:
    """Write and remove what the plan says; a flush between the classes is the barrier of publication order."""
    known = dict(before)
    _doubt(house, place, known, (page.path for page in pages.leaves))
    kept = _kept(house, area, place, known, pages.fixed)
    todo = plan(known, pages)
    _announce(house, area, known, todo, kept)
    printed: dict[str, Printed] = {}
    for group in (todo.fixed, todo.leaves):
        for page in group:
            printed[page.path] = _put(house, place, page, known.get(page.path))
        if group:
            house.tree.flush()
    for path in todo.remove:
        house.tree.remove(path_of(place, path))
        printed[path] = Printed(None, 0, known[path].mtime_s)
    if todo.remove:
        house.tree.flush()
    drop = dict.fromkeys(todo.discard, float(house.settings.shard_grace_s))
    # The commit of a publication: a crash before it leaves the mark, and everything above is done again.
    if printed or drop or gen:
        house.catalog.areas.finish(area, gen, printed=printed, drop=drop)
    return todo


def _put(house: House, place: Placement | None, page: Page, last: Printed | None) -> Printed:
    # nginx's ETag is mtime seconds and size: a changed file must never get its predecessor's second.
    now_s = house.catalog.clock() // 1_000_000
    stat = house.tree.put(
        path_of(place, page.path),
        page.body,
        when=When.ALWAYS,
        mtime_s=max(now_s, last.mtime_s + 1 if last else 0),
    )
    return Printed(hashlib.sha256(page.body).hexdigest(), stat.size, stat.mtime_s)


def _doubt(house: House, place: Placement | None, known: dict[str, Printed], paths: Iterable[str]) -> None:
    """Believe that a file is published only if the tree holds one of that size and time."""
    for path in paths:
        printed = known.get(path)
        if printed is None or printed.sha256 is None:
            continue
        stat = house.tree.stat(path_of(place, path))
        if stat is None or (stat.size, stat.mtime_s) != (printed.size, printed.mtime_s):
            later = max(printed.mtime_s, stat.mtime_s if stat else 0)
            known[path] = Printed("", printed.size, later)


def _kept(
    house: House, area: Area, place: Placement | None, known: dict[str, Printed], fixed: Iterable[Page]
) -> list[str]:
    """Return content-addressed paths that wait in the trash and are named again."""
    wanted = {page.path for page in fixed}
    if not wanted:
        return []
    kept = sorted(wanted & {path for _, path in house.catalog.areas.discarded(area.channel, due=False)})
    _doubt(house, place, known, kept)
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
