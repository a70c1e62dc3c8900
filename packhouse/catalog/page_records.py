"""What pages for people ask of one channel besides what formats do: lists, letters, news, dependents, history.

As in `records.py`, nothing here names a restricted package but to whom it is shown, and `naming_published` leaves out
packages whose page is yet to come.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from packhouse.areas import letter_of
from packhouse.catalog import schema
from packhouse.catalog.engine import reading
from packhouse.catalog.lookups import to_event
from packhouse.catalog.records import ChannelRecords, to_package
from packhouse.ecosystems import Package
from packhouse.model import Ecosystem, Event

_C, _T, _P, _R, _E = schema.channels, schema.artifacts, schema.packages, schema.requirements, schema.events
_BATCH = 500


class Happened(NamedTuple):
    """One event of a channel, and of which package: what is new. `there`: lists name the package now."""

    event: Event
    ecosystem: str
    package: str
    display: str
    version: str
    there: bool


class PageRecords(ChannelRecords):
    """The records of one channel, for pages."""

    def total(self, ecosystem: Ecosystem) -> int:
        """Return how many packages a list would name."""
        with reading(self._engine) as connection:
            count: int = connection.execute(
                select(func.count()).select_from(_P).where(*self._named(ecosystem))
            ).scalar_one()
            return count

    def subdirs(self, ecosystem: Ecosystem) -> Sequence[str]:
        """Return the subdirs in which a list's packages have files, sorted."""
        query = select(_P.c.subdirs).where(*self._named(ecosystem)).distinct()
        with reading(self._engine) as connection:
            return sorted({name for names in connection.execute(query).scalars() for name in names})

    def letters(self, ecosystem: Ecosystem) -> Mapping[str, int]:
        """Return under which letters packages are listed, in order, and how many each has."""
        first = func.substr(_P.c.package, 1, 1)
        query = select(first, func.count()).where(*self._named(ecosystem)).group_by(first)
        found: dict[str, int] = {}
        with reading(self._engine) as connection:
            for text, count in connection.execute(query):
                letter = letter_of(text)
                found[letter] = found.get(letter, 0) + count
        return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))

    def under(self, ecosystem: Ecosystem, letter: str) -> Sequence[Package]:
        """Return the packages that are listed under a letter, by name."""
        query = select(_P).where(*self._named(ecosystem), _begins(letter)).order_by(_P.c.package)
        with reading(self._engine) as connection:
            return [to_package(row) for row in connection.execute(query)]

    def news(self, limit: int, ecosystem: Ecosystem | None = None) -> Sequence[tuple[Ecosystem, Package]]:
        """Return the packages that changed last, the last one first."""
        query = select(_P).where(*self._named(ecosystem))
        query = query.order_by(_P.c.updated_us.desc(), _P.c.ecosystem, _P.c.package).limit(limit)
        with reading(self._engine) as connection:
            return [(Ecosystem(row.ecosystem), to_package(row)) for row in connection.execute(query)]

    def existing(self, ecosystem: Ecosystem, names: Collection[str]) -> frozenset[str]:
        """Return those of some normalised names under which a list would name a package."""
        wanted, found = sorted(set(names)), set[str]()
        with reading(self._engine) as connection:
            for start in range(0, len(wanted), _BATCH):
                some = _P.c.package.in_(wanted[start : start + _BATCH])
                found |= set(
                    connection.execute(select(_P.c.package).where(*self._named(ecosystem), some)).scalars()
                )
        return frozenset(found)

    def dependents(self, ecosystem: Ecosystem, package: str, limit: int) -> tuple[Sequence[str], int]:
        """Return the first packages by name whose newest version requires `package`, and how many there are."""
        needing = select(_R.c.package).where(
            _R.c.channel == self._channel,
            _R.c.ecosystem == ecosystem,
            _R.c.requires == package,
            ~_R.c.optional,
        )
        query: Select[Any] = select(_P.c.package).where(
            *self._named(ecosystem), _P.c.package.in_(needing), _P.c.package != package
        )
        with reading(self._engine) as connection:
            total: int = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            names = connection.execute(query.order_by(_P.c.package).limit(limit)).scalars()
            return list(names), total

    def history(self, ecosystem: Ecosystem, package: str, limit: int) -> Sequence[Event]:
        """Return what happened to a package's files, the last first."""
        paths = select(_T.c.path).where(
            _T.c.channel == self._channel, _T.c.ecosystem == ecosystem, _T.c.package == package
        )
        query = select(_E).where(_E.c.channel == self._channel, _E.c.path.in_(paths), self._of_this_life())
        with reading(self._engine) as connection:
            # A sum, so that SQLite looks the paths up: by the order of the serials it would read all of the channel's
            # history to find the few events of most packages.
            rows = connection.execute(query.order_by((_E.c.serial + 0).desc()).limit(limit)).all()
        return [to_event(row) for row in rows]

    def happened(self, limit: int) -> Sequence[Happened]:
        """Return what happened last in the channel, to packages that may be named, the last first."""
        same_path = and_(_T.c.channel == _E.c.channel, _T.c.path == _E.c.path)
        last = select(func.max(_T.c.id)).where(same_path).correlate(_E).scalar_subquery()
        mine = and_(
            _P.c.channel == _T.c.channel, _P.c.ecosystem == _T.c.ecosystem, _P.c.package == _T.c.package
        )
        query = (
            select(_E, _T.c.ecosystem, _T.c.package, _T.c.version, _P.c.display)
            .add_columns(and_(*self._named(None)).label("there"))
            .select_from(_E)
            .join(_T, _T.c.id == last)
            .join(_P, mine)
            .where(
                _E.c.channel == self._channel,
                self._of_this_life(),
                self._listed(_T.c.ecosystem, _T.c.package),
            )
            .order_by(_E.c.serial.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [
                Happened(to_event(row), row.ecosystem, row.package, row.display, row.version, bool(row.there))
                for row in connection.execute(query)
            ]

    def released(self, ecosystem: Ecosystem, package: str) -> frozenset[str]:
        """Return the versions of a package whose own page is published."""
        prefix = f"{self._channel}/{ecosystem.value}/release/{package}/"
        table = schema.published
        query = select(table.c.area).where(
            table.c.channel == self._channel,
            table.c.area >= prefix,
            table.c.area < prefix[:-1] + "0",  # the character that follows the slash
            table.c.sha256.is_not(None),
            table.c.mtime_s > 0,
        )
        with reading(self._engine) as connection:
            return frozenset(
                area.removeprefix(prefix) for area in connection.execute(query.distinct()).scalars()
            )

    def _of_this_life(self) -> ColumnElement[bool]:
        """Whether an event is of the channel that is there: an earlier one of its name may have been private."""
        born = select(_C.c.created_us).where(_C.c.name == self._channel).scalar_subquery()
        return _E.c.at_us >= func.coalesce(born, 0)

    def _named(self, ecosystem: Ecosystem | None) -> list[ColumnElement[bool]]:
        """Return what holds of the packages that a list of the channel names."""
        where = [_P.c.channel == self._channel, _P.c.files > 0, self._listed(_P.c.ecosystem, _P.c.package)]
        if ecosystem is not None:
            where.append(_P.c.ecosystem == ecosystem)
        if self._published:
            where.append(self._is_published(_P.c.ecosystem, _P.c.package, self._published))
        return where


def _begins(letter: str) -> ColumnElement[bool]:
    """Whether a package is listed under the letter (`areas.letter_of`); a range, which the primary key answers."""
    if len(letter) == 1:
        return and_(_P.c.package >= letter, _P.c.package < chr(ord(letter) + 1))
    if letter == "0-9":
        return and_(_P.c.package >= "0", _P.c.package < ":")
    return or_(_P.c.package < "0", and_(_P.c.package >= ":", _P.c.package < "a"), _P.c.package >= "{")
