"""Dirty marks, generations and what is published.

Regeneration is level-triggered: a mark says "make this area right", not "do this job". A mark's generation
is a fresh value each time, so that a late worker never clears a newer mark.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from packhouse.catalog import schema
from packhouse.catalog.clock import Clock, next_value
from packhouse.catalog.engine import reading, writing
from packhouse.model import Area

_FEW = 100
"""Up to how many areas are looked up one by one; more are read with all of their channel."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What is published at one path.

    `sha256` is None for a file that was removed (its mtime still counts), and empty where something else lies than
    was written. `mtime_s` 0 is a path that was announced: its file may or may not be there.
    """

    sha256: str | None
    size: int
    mtime_s: int


_ITS = {name: bindparam(f"its_{name}", type_=String) for name in Area._fields}
_GEN, _DUE = bindparam("its_gen", type_=BigInteger), bindparam("its_due", type_=BigInteger)
_MINE = and_(*(schema.dirty.c[name] == value for name, value in _ITS.items()))
_AGAIN = (
    update(schema.dirty)
    .where(_MINE)
    .values(gen=_GEN, due_us=case((schema.dirty.c.due_us > _DUE, _DUE), else_=schema.dirty.c.due_us))
)
_FRESH = insert(schema.dirty).from_select(
    [*_ITS, "gen", "due_us"], select(*_ITS.values(), _GEN, _DUE).where(~exists().where(_MINE))
)


def mark(connection: Connection, delays: Mapping[Area, float], now_us: int) -> dict[Area, int]:
    """Mark areas dirty inside a write transaction.

    Args:
        connection: of a write transaction.
        delays: seconds each area may wait; an earlier mark that is due sooner keeps its time.
        now_us: microseconds since 1970 UTC.

    Returns:
        The generation of each area that is due at once, for the uploader to wait for.
    """
    if not delays:
        return {}
    gen = next_value(connection, "generation")
    rows = [
        {**{f"its_{name}": value for name, value in area._asdict().items()}, "its_gen": gen, "its_due": due}
        for area, due in ((area, now_us + int(delay_s * 1_000_000)) for area, delay_s in delays.items())
    ]
    # Two statements, however many areas there are: a channel has hundreds of thousands when all of it is marked, and
    # nobody else writes meanwhile.
    connection.execute(_AGAIN, rows)
    connection.execute(_FRESH, rows)
    return {area: gen for area, delay_s in delays.items() if delay_s == 0}


class Areas:
    """The areas of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def mark(self, delays: Mapping[Area, float]) -> dict[Area, int]:
        """Mark areas dirty; seconds each may wait. Returns the generations to wait for."""
        with writing(self._engine) as connection:
            return mark(connection, delays, self._clock())

    def due(self) -> list[Area]:
        """Return the dirty areas whose time has come: indexes first, then what refers to them."""
        table = schema.dirty
        order = {
            "index": 0,
            "root": 1,
            "release": 2,
            "page": 3,
            "list": 4,
            "search": 5,
            "channel": 6,
            "site": 7,
        }
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table.c.channel, table.c.ecosystem, table.c.kind, table.c.key)
                .where(table.c.due_us <= self._now(connection))
                .order_by(table.c.due_us, table.c.gen)
            ).all()
        return sorted((Area(*row) for row in rows), key=lambda area: order[area.kind])

    def next_due_us(self) -> int | None:
        """Return when the earliest mark is due, or None if nothing is dirty."""
        with reading(self._engine) as connection:
            due: int | None = connection.execute(select(func.min(schema.dirty.c.due_us))).scalar_one()
            return due

    def dirty(self, channel: str) -> list[Area]:
        """Return every dirty area of a channel, due or not."""
        table = schema.dirty
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table.c.channel, table.c.ecosystem, table.c.kind, table.c.key).where(
                    table.c.channel == channel
                )
            ).all()
        return [Area(*row) for row in rows]

    def queued(self, limit: int) -> list[tuple[Area, int]]:
        """Return (area, when it is due in microseconds since 1970 UTC) of dirty areas, the earliest first."""
        table = schema.dirty
        columns = (table.c.channel, table.c.ecosystem, table.c.kind, table.c.key)
        query = select(*columns, table.c.due_us).order_by(table.c.due_us, table.c.gen, *columns).limit(limit)
        with reading(self._engine) as connection:
            return [(Area(*row[:4]), row.due_us) for row in connection.execute(query)]

    def queue_lengths(self) -> dict[str, int]:
        """Return how many dirty areas each channel has that has any; the site's own are under the empty name."""
        table = schema.dirty
        query = select(table.c.channel, func.count()).group_by(table.c.channel)
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def generation(self, area: Area) -> int:
        """Return the mark's generation, 0 if the area is clean. Read it before the rows it stands for."""
        with reading(self._engine) as connection:
            gen = connection.execute(
                select(schema.dirty.c.gen).where(_is(schema.dirty, area))
            ).scalar_one_or_none()
        return gen or 0

    def due_generation(self, area: Area) -> int:
        """Return the mark's generation if its time has come; 0 if the area is clean or may lag yet."""
        with reading(self._engine) as connection:
            gen = connection.execute(
                select(schema.dirty.c.gen).where(
                    _is(schema.dirty, area), schema.dirty.c.due_us <= self._now(connection)
                )
            ).scalar_one_or_none()
        return gen or 0

    def printed(self, area: Area) -> dict[str, Printed]:
        """Return what is published of an area: path in the channel to what lies there (removed files too)."""
        table = schema.published
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table.c.path, table.c.sha256, table.c.size, table.c.mtime_s).where(
                    table.c.channel == area.channel, table.c.area == str(area)
                )
            ).all()
        return {row.path: Printed(row.sha256, row.size, row.mtime_s) for row in rows}

    def all_printed(self, channel: str) -> dict[str, tuple[Area, Printed]]:
        """Return every published path of a channel with its area (`indexer check`)."""
        table = schema.published
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).where(table.c.channel == channel)).all()
        return {row.path: (Area.parse(row.area), Printed(row.sha256, row.size, row.mtime_s)) for row in rows}

    def announce(self, area: Area, printed: Mapping[str, Printed], keep: Iterable[str] = ()) -> None:
        """Note paths before anything is written to them, and take paths out of the trash.

        A crash between the writing and `finish` then leaves no file that nobody knows of. An announced path has
        mtime 0: nobody may believe that its bytes are there.
        """
        with writing(self._engine) as connection:
            _record(connection, area, {path: Printed(p.sha256, p.size, 0) for path, p in printed.items()})
            _untrash(connection, area.channel, keep)

    def record(self, area: Area, printed: Mapping[str, Printed]) -> None:
        """Note what was just written or removed; call it after the files are durable."""
        if not printed:
            return
        with writing(self._engine) as connection:
            _record(connection, area, printed)

    def finish(
        self, area: Area, gen: int, *, printed: Mapping[str, Printed], drop: Mapping[str, float]
    ) -> bool:
        """End a publication in one transaction; call it after the files are durable.

        Args:
            area: what was published.
            gen: the generation read before the rows.
            printed: paths written or removed.
            drop: content-addressed files nothing refers to any more: path to the seconds they stay.

        Returns:
            Whether the area is clean now (as of `clear`).
        """
        table = schema.published
        with writing(self._engine) as connection:
            _record(connection, area, printed)
            for part in _parts(drop):
                connection.execute(
                    delete(table).where(table.c.channel == area.channel, table.c.path.in_(part))
                )
            discard(connection, area.channel, drop, self._clock())
            return _clear(connection, area, gen)

    def clear(self, area: Area, gen: int) -> bool:
        """Say that `area` is published as of generation `gen`.

        The mark goes only if its generation is still the one read; a newer mark stays.

        Returns:
            Whether the area is clean now.
        """
        with writing(self._engine) as connection:
            return _clear(connection, area, gen)

    def unpublished(self, awaited: Mapping[Area, int]) -> set[Area]:
        """Return those of the awaited areas whose generation is not published yet."""
        table = schema.areas
        reached: dict[Area, int] = {}
        with reading(self._engine) as connection:
            if len(awaited) <= _FEW:
                for area in awaited:
                    found = connection.execute(select(table.c.gen).where(_is(table, area)))
                    reached[area] = found.scalar_one_or_none() or 0
            else:  # all areas of a channel may be awaited, and no statement names hundreds of thousands
                columns = (table.c.channel, table.c.ecosystem, table.c.kind, table.c.key, table.c.gen)
                for channel in {area.channel for area in awaited}:
                    rows = connection.execute(select(*columns).where(table.c.channel == channel))
                    reached |= {Area(*row[:4]): row[4] for row in rows}
        return {area for area, gen in awaited.items() if reached.get(area, 0) < gen}

    def known(self, channel: str) -> list[Area]:
        """Return every area of a channel that was ever published or marked."""
        found: set[Area] = set()
        with reading(self._engine) as connection:
            for table in (schema.areas, schema.dirty):
                rows = connection.execute(
                    select(table.c.channel, table.c.ecosystem, table.c.kind, table.c.key).where(
                        table.c.channel == channel
                    )
                ).all()
                found.update(Area(*row) for row in rows)
        return sorted(found)

    # --- files that leave later -----------------------------------------------------------------------------

    def discard(self, channel: str, delays: Mapping[str, float]) -> None:
        """Let files go after a grace: path in the channel to seconds."""
        with writing(self._engine) as connection:
            discard(connection, channel, delays, self._clock())

    def keep(self, channel: str, paths: Iterable[str]) -> None:
        """Take paths out of the trash: they are referred to again."""
        with writing(self._engine) as connection:
            _untrash(connection, channel, paths)

    def discarded(self, channel: str | None = None, *, due: bool) -> list[tuple[str, str]]:
        """Return (channel, path) of files in the trash; with `due` only those whose grace is over."""
        table = schema.trash
        query = select(table.c.channel, table.c.path).order_by(table.c.channel, table.c.path)
        if channel is not None:
            query = query.where(table.c.channel == channel)
        with reading(self._engine) as connection:
            if due:
                query = query.where(table.c.due_us <= self._now(connection))
            return [(row.channel, row.path) for row in connection.execute(query)]

    def _now(self, connection: Connection) -> int:
        """The later of the wall clock and the last server time: marks carry the latter (a clock set back)."""
        clock = connection.execute(
            select(schema.counters.c.value).where(schema.counters.c.name == "clock")
        ).scalar_one_or_none()
        return max(self._clock(), clock or 0)


def discard(connection: Connection, channel: str, delays: Mapping[str, float], now_us: int) -> None:
    """Put paths into the trash inside a write transaction; a path that is there gets the new time."""
    for path, delay_s in delays.items():
        due = now_us + int(delay_s * 1_000_000)
        where = and_(schema.trash.c.channel == channel, schema.trash.c.path == path)
        connection.execute(delete(schema.trash).where(where))
        connection.execute(insert(schema.trash).values(channel=channel, path=path, due_us=due))


def _parts(paths: Iterable[str]) -> Iterator[list[str]]:
    """Cut paths into lists that one statement takes."""
    wanted = list(paths)
    for start in range(0, len(wanted), 500):
        yield wanted[start : start + 500]


def _record(connection: Connection, area: Area, printed: Mapping[str, Printed]) -> None:
    table = schema.published
    for part in _parts(printed):
        connection.execute(delete(table).where(table.c.channel == area.channel, table.c.path.in_(part)))
        connection.execute(
            insert(table),
            [
                {
                    "channel": area.channel,
                    "path": path,
                    "area": str(area),
                    "sha256": printed[path].sha256,
                    "size": printed[path].size,
                    "mtime_s": printed[path].mtime_s,
                }
                for path in part
            ],
        )


def _untrash(connection: Connection, channel: str, paths: Iterable[str]) -> None:
    table = schema.trash
    for part in _parts(paths):
        connection.execute(delete(table).where(table.c.channel == channel, table.c.path.in_(part)))


def _clear(connection: Connection, area: Area, gen: int) -> bool:
    if gen == 0:  # it was clean and is published again: no mark to take away, no generation to note
        return True
    done = connection.execute(delete(schema.dirty).where(_is(schema.dirty, area), schema.dirty.c.gen == gen))
    known = connection.execute(select(schema.areas.c.gen).where(_is(schema.areas, area))).scalar_one_or_none()
    if known is None:
        connection.execute(insert(schema.areas).values(**area._asdict(), gen=gen))
    elif known < gen:
        connection.execute(update(schema.areas).where(_is(schema.areas, area)).values(gen=gen))
    return bool(done.rowcount)


def _is(table: Table, area: Area) -> ColumnElement[bool]:
    return and_(
        table.c.channel == area.channel,
        table.c.ecosystem == area.ecosystem,
        table.c.kind == area.kind,
        table.c.key == area.key,
    )
