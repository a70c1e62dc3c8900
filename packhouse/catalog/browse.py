"""What is there, page by page: channels' packages, versions, files, events, and search.

Every question takes a `Sight`: what the asker may see. It is part of the SQL, so that no answer, count or cursor can
tell of a package that is not theirs to see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, and_, case, exists, func, not_, or_, select, tuple_
from sqlalchemy.sql.selectable import Select

from packhouse.catalog import schema
from packhouse.catalog.engine import reading
from packhouse.catalog.rows import to_artifact
from packhouse.model import Artifact, State

_T, _P, _C = schema.artifacts, schema.packages, schema.closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What somebody may see.

    Attributes:
        channels: those whose lists they may read.
        extra: (channel, ecosystem, package) of restricted packages, and of single packages in channels they may
            not read as a whole, that they may see besides.
    """

    channels: frozenset[str]
    extra: frozenset[tuple[str, str, str]] = frozenset()

    def within(self, channel: str) -> "Sight":
        """Return what of it lies in one channel."""
        return Sight(
            channels=self.channels & {channel},
            extra=frozenset(item for item in self.extra if item[0] == channel),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """One package of a channel, as lists show it. Times in microseconds since 1970 UTC."""

    channel: str
    ecosystem: str
    name: str
    display: str
    latest: str
    summary: str
    files: int
    serial: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a package: its live files together; sizes in bytes."""

    version: str
    files: int
    size: int
    first_us: int
    last_us: int
    yanked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How much there is to see."""

    channels: int
    packages: int
    files: int
    bytes: int
    by_ecosystem: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Browse:
    """Questions over the whole catalog; nothing here writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def packages(
        self,
        sight: Sight,
        *,
        limit: int,
        ecosystem: str | None = None,
        after: tuple[str, str, str] | None = None,
    ) -> Sequence[PackageRow]:
        """Return packages with a live file, by (channel, ecosystem, name).

        Args:
            sight: what may be seen.
            limit: at most so many.
            ecosystem: only this one.
            after: go on behind this (channel, ecosystem, name).
        """
        query = select(_P).where(_P.c.files > 0, _seen(sight, _P.c.channel, _P.c.ecosystem, _P.c.package))
        if ecosystem is not None:
            query = query.where(_P.c.ecosystem == ecosystem)
        if after is not None:
            query = query.where(tuple_(_P.c.channel, _P.c.ecosystem, _P.c.package) > after)
        query = query.order_by(_P.c.channel, _P.c.ecosystem, _P.c.package).limit(limit)
        with reading(self._engine) as connection:
            return [_package(row) for row in connection.execute(query)]

    def package(self, sight: Sight, channel: str, ecosystem: str, name: str) -> PackageRow | None:
        """Return one package with a live file, or None."""
        query = select(_P).where(
            _P.c.channel == channel,
            _P.c.ecosystem == ecosystem,
            _P.c.package == name,
            _P.c.files > 0,
            _seen(sight, _P.c.channel, _P.c.ecosystem, _P.c.package),
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _package(row)

    def versions(self, sight: Sight, channel: str, ecosystem: str, name: str) -> Sequence[VersionRow]:
        """Return the versions of a package that have a live file, the one that changed last first."""
        last = func.max(_T.c.uploaded_us)
        query = (
            select(
                _T.c.version,
                func.count().label("files"),
                func.sum(_T.c.size).label("size"),
                func.min(_T.c.uploaded_us).label("first_us"),
                last.label("last_us"),
                func.min(case((_T.c.yanked.is_(None), 0), else_=1)).label("yanked"),
            )
            .where(*self._live(sight), _T.c.channel == channel)
            .where(_T.c.ecosystem == ecosystem, _T.c.package == name)
            .group_by(_T.c.version)
            .order_by(last.desc(), _T.c.version)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [
            VersionRow(
                version=row.version,
                files=row.files,
                size=row.size,
                first_us=row.first_us,
                last_us=row.last_us,
                yanked=bool(row.yanked),
            )
            for row in rows
        ]

    def files(
        self,
        sight: Sight,
        *,
        limit: int,
        channel: str | None = None,
        ecosystem: str | None = None,
        package: str | None = None,
        version: str | None = None,
        after: int = 0,
    ) -> Sequence[Artifact]:
        """Return live files as they came (by number); `after` goes on behind the file of that number."""
        query = select(_T).where(*self._live(sight), _T.c.id > after)
        for column, wanted in (
            (_T.c.channel, channel),
            (_T.c.ecosystem, ecosystem),
            (_T.c.package, package),
            (_T.c.version, version),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        with reading(self._engine) as connection:
            return [to_artifact(row) for row in connection.execute(query.order_by(_T.c.id).limit(limit))]

    def content(self, sight: Sight, sha256: str) -> Sequence[Artifact]:
        """Return the live files that have those bytes, by number; empty where none may be seen."""
        query = select(_T).where(*self._live(sight), _T.c.sha256 == sha256).order_by(_T.c.id)
        with reading(self._engine) as connection:
            return [to_artifact(row) for row in connection.execute(query)]

    def counters(self, sight: Sight) -> Counters:
        """Return how much there is to see; sizes in bytes."""
        query = (
            select(
                _T.c.ecosystem,
                func.count().label("files"),
                func.sum(_T.c.size).label("bytes"),
                func.count(func.distinct(_T.c.channel + "/" + _T.c.package)).label("packages"),
            )
            .where(*self._live(sight))
            .group_by(_T.c.ecosystem)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        each = {
            row.ecosystem: {"packages": row.packages, "files": row.files, "bytes": row.bytes} for row in rows
        }
        return Counters(
            channels=len(sight.channels | {channel for channel, _, _ in sight.extra}),
            packages=sum(item["packages"] for item in each.values()),
            files=sum(item["files"] for item in each.values()),
            bytes=sum(item["bytes"] for item in each.values()),
            by_ecosystem=each,
        )

    def search(
        self,
        sight: Sight,
        text: str,
        *,
        limit: int,
        offset: int = 0,
        ecosystem: str | None = None,
    ) -> Sequence[PackageRow]:
        """Return packages that match: the exact name first, then prefix, then part of the name, then the summary.

        Args:
            sight: what may be seen.
            text: words parted by blanks; every one must match. Letter case does not count.
            limit: at most so many.
            offset: leave out so many; a search has no other cursor, since its order is a rank.
            ecosystem: only this one.
        """
        words = text.lower().split()[:8]
        if not words:
            return []
        name, summary = func.lower(_P.c.package), func.lower(_P.c.summary)
        query = select(_P).where(_P.c.files > 0, _seen(sight, _P.c.channel, _P.c.ecosystem, _P.c.package))
        for word in words:
            query = query.where(
                or_(name.contains(word, autoescape=True), summary.contains(word, autoescape=True))
            )
        if ecosystem is not None:
            query = query.where(_P.c.ecosystem == ecosystem)
        rank = case(
            (name == text.lower().strip(), 0),
            (name.startswith(words[0], autoescape=True), 1),
            (name.contains(words[0], autoescape=True), 2),
            else_=3,
        )
        query = query.order_by(rank, func.length(_P.c.package), _P.c.package, _P.c.channel, _P.c.ecosystem)
        with reading(self._engine) as connection:
            return [_package(row) for row in connection.execute(query.limit(limit).offset(offset))]

    @staticmethod
    def _live(sight: Sight) -> Sequence[ColumnElement[bool]]:
        return (_T.c.state == State.LIVE, _seen(sight, _T.c.channel, _T.c.ecosystem, _T.c.package))


def _seen(
    sight: Sight, channel: ColumnElement[str], ecosystem: ColumnElement[str], package: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether a row's package may be seen: in a channel they read and not restricted, or shown to them besides."""
    hidden: Select[Any] = select(_C.c.package).where(
        _C.c.channel == channel, _C.c.ecosystem == ecosystem, _C.c.package == package, _C.c.restricted
    )
    listed = and_(channel.in_(sorted(sight.channels)), not_(exists(hidden)))
    if not sight.extra:
        return listed
    return or_(listed, tuple_(channel, ecosystem, package).in_(sorted(sight.extra)))


def _package(row: Row[Any]) -> PackageRow:
    return PackageRow(
        channel=row.channel,
        ecosystem=row.ecosystem,
        name=row.package,
        display=row.display,
        latest=row.latest,
        summary=row.summary,
        files=row.files,
        serial=row.serial,
        updated_us=row.updated_us,
    )
