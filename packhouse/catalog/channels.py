"""Channels and their settings."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from packhouse.areas import SITE
from packhouse.catalog import schema
from packhouse.catalog.areas import mark
from packhouse.catalog.clock import Clock, next_value
from packhouse.catalog.engine import reading, writing
from packhouse.errors import ChannelExists, NotFound, Unprocessable
from packhouse.model import Area, Channel, Ecosystem
from packhouse.names import ChannelName

_DELETED = "deleted:"
"""Before a name in the counters: how often a channel of that name was deleted."""

LATER_S = 1.0
"""How long pages wait that only mention who may read their channel: nobody waits for thousands of them."""


class Channels:
    """The channels of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def create(
        self,
        name: ChannelName,
        *,
        born: Iterable[Area],
        private: bool = False,
        place: str = "public",
        overwrite: bool = False,
    ) -> dict[Area, int]:
        """Make a channel and mark what exists from its birth.

        Args:
            name: passed `names.parse_channel`.
            born: areas of every ecosystem's `birth`.
            private: only who was granted reading reads it.
            place: the tree its files belong to, as `packhouse.placement.tree_of` says.
            overwrite: let `force` replace files.

        Returns:
            The generation to wait for, per area.

        Raises:
            ChannelExists: it is there already.
        """
        with writing(self._engine) as connection:
            if _row(connection, name) is not None:
                raise ChannelExists(name)
            # An indexer that was in the middle of an earlier channel of this name may have noted pages since.
            _forget(connection, name)
            # Burnt names and events of an earlier channel of this name stay: the serial goes on counting.
            serial = connection.execute(
                select(schema.counters.c.value).where(schema.counters.c.name == f"serial:{name}")
            ).scalar_one_or_none()
            connection.execute(
                insert(schema.channels).values(
                    name=name,
                    private=private,
                    place=place,
                    overwrite=overwrite,
                    serial=serial or 0,
                    created_us=self._clock(),
                )
            )
            return mark(connection, dict.fromkeys((*born, SITE), 0.0), self._clock())

    def get(self, name: str) -> Channel:
        """Return a channel, or raise `NotFound`."""
        with reading(self._engine) as connection:
            row = _row(connection, name)
        if row is None:
            raise NotFound("channel", name, "create it with `packhouse channel create`")
        return _channel(row)

    def find(self, name: str) -> Channel | None:
        """Return a channel, or None."""
        with reading(self._engine) as connection:
            row = _row(connection, name)
        return None if row is None else _channel(row)

    def list(self) -> list[Channel]:
        """Return every channel, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schema.channels).order_by(schema.channels.c.name)).all()
        return [_channel(row) for row in rows]

    def holdings(self) -> dict[str, tuple[int, int]]:
        """Return how many packages and how many files each channel holds that holds any, restricted ones too."""
        table = schema.packages
        query = (
            select(table.c.channel, func.count(), func.sum(table.c.files))
            .where(table.c.files > 0)
            .group_by(table.c.channel)
        )
        with reading(self._engine) as connection:
            return {row[0]: (row[1], int(row[2])) for row in connection.execute(query)}

    def set(self, name: str, *, overwrite: bool) -> Channel:
        """Change the settings of a channel; raises `NotFound`."""
        self.get(name)
        with writing(self._engine) as connection:
            connection.execute(
                update(schema.channels).where(schema.channels.c.name == name).values(overwrite=overwrite)
            )
        return self.get(name)

    def set_private(
        self,
        name: str,
        *,
        private: bool,
        place: str,
        areas: Iterable[Area] = (),
        later: Iterable[Area] = (),
    ) -> tuple[bool, dict[Area, int]]:
        """Say who may read a channel and which tree it belongs to; the caller moves the files.

        Args:
            name: of the channel.
            private: only who was granted reading reads it.
            place: the tree its files belong to from now on.
            areas: what is published of that; marked in the same transaction, together with the site's front page.
            later: what says so only in passing, and is not waited for; marked too.

        Returns:
            Whether anything changed, and the generations to wait for.

        Raises:
            NotFound: there is no such channel.
        """
        table = schema.channels
        with writing(self._engine) as connection:
            row = _row(connection, name)
            if row is None:
                raise NotFound("channel", name, "create it with `packhouse channel create`")
            if (row.private, row.place) == (private, place):
                return False, {}
            connection.execute(update(table).where(table.c.name == name).values(private=private, place=place))
            delays = dict.fromkeys(later, LATER_S) | dict.fromkeys((*areas, SITE), 0.0)
            return True, mark(connection, delays, self._clock())

    def delete(self, name: str) -> Channel:
        """Forget an empty channel and everything published in it; its burnt names stay burnt.

        Nobody has a right on a later channel of that name because of what they were granted on this one. Its packages
        stay closed, and are restricted now: their names are in the history, which the later channel goes on with.

        Raises:
            NotFound: there is no such channel.
            Unprocessable: it still holds files.
        """
        with writing(self._engine) as connection:
            row = _row(connection, name)
            if row is None:
                raise NotFound("channel", name)
            held = connection.execute(
                select(schema.artifacts.c.path)
                .where(schema.artifacts.c.channel == name, schema.artifacts.c.state.in_(("live", "pending")))
                .limit(1)
            ).scalar_one_or_none()
            if held is not None:
                raise Unprocessable(f"channel {name} still holds files ({held}, ...): delete them first")
            # The artifact rows are tombstones and refer to the channel by name; only the channel goes.
            _forget(connection, name)
            connection.execute(delete(schema.channels).where(schema.channels.c.name == name))
            connection.execute(delete(schema.grants).where(schema.grants.c.channel == name))
            closed = schema.closed
            connection.execute(
                update(closed)
                .where(closed.c.channel == name, closed.c.ecosystem != Ecosystem.CONDA)
                .values(restricted=True)
            )
            next_value(connection, f"{_DELETED}{name}")
            mark(connection, {SITE: 0.0}, self._clock())
        return _channel(row)

    def deleted(self) -> Sequence[str]:
        """Return the names of which a channel was ever deleted, by name; one may be there again."""
        counter = schema.counters.c.name
        with reading(self._engine) as connection:
            rows = connection.execute(select(counter).where(counter.startswith(_DELETED))).scalars().all()
        return tuple(sorted(row.removeprefix(_DELETED) for row in rows))


def _forget(connection: Connection, name: str) -> None:
    for table in (schema.dirty, schema.areas, schema.trash, schema.packages):
        connection.execute(delete(table).where(table.c.channel == name))
    # The mtimes stay: a channel of the same name starts later than this one ended, or nginx's ETag (seconds and
    # size) would come again for other content.
    published = schema.published
    connection.execute(update(published).where(published.c.channel == name).values(sha256=None))


def _row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(schema.channels).where(schema.channels.c.name == name)).one_or_none()


def _channel(row: Row[Any]) -> Channel:
    return Channel(
        name=ChannelName(row.name),
        private=row.private,
        overwrite=row.overwrite,
        serial=row.serial,
        created_us=row.created_us,
        place=row.place,
    )
