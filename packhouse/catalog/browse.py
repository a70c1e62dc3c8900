"""What is there, page by page: channels' packages, versions, files, events, and search.

Every question takes a `Sight`: what the asker may see. It is part of the SQL, so that no answer, count or cursor can
tell of a package that is not theirs to see.
"""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
)

from packhouse.catalog import schema
from packhouse.catalog.engine import reading
from packhouse.catalog.lookups import to_event
from packhouse.catalog.rows import to_artifact
from packhouse.manifest import File, top_hash
from packhouse.model import Artifact, Event, EventKind, State

_T, _P, _C, _E = schema.artifacts, schema.packages, schema.closed, schema.events

_MAX_WORDS = 8
"""Words of a search that count."""

_ESCAPED = re.compile(r"\\x[89a-f][0-9a-f]")
"""How text shows a byte that was not UTF-8; text that is UTF-8 may hold the same four characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What somebody may see.

    Attributes:
        channels: those whose lists they may read.
        ecosystems: (channel, ecosystem) that they may read of channels they may not read as a whole.
        extra: (channel, ecosystem, package) of restricted packages, and of single packages in channels they may
            not read as a whole, that they may see besides.
    """

    channels: frozenset[str]
    ecosystems: frozenset[tuple[str, str]] = frozenset()
    extra: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def named(self) -> frozenset[str]:
        """The channels of which they may see something."""
        return self.channels | {item[0] for item in (*self.ecosystems, *self.extra)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """One package of a channel, as lists show it. Times in microseconds since 1970 UTC.

    Attributes:
        undecodable: names of those attributes whose text was not UTF-8 in the package's metadata; each bad byte in
            them is shown as a backslash, an x and two hex digits.
    """

    channel: str
    ecosystem: str
    name: str
    display: str
    latest: str
    summary: str
    files: int
    serial: int
    updated_us: int
    undecodable: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a package: its live files together. Sizes in bytes, times in microseconds since 1970 UTC.

    Attributes:
        yanked: whether each of its files is.
        top_hash: see `packhouse.manifest`.
        manifest: its files.
    """

    version: str
    files: int
    size: int
    first_us: int
    last_us: int
    yanked: bool
    top_hash: str
    manifest: Sequence[File]


class Rank(NamedTuple):
    """The place of a package among what a search found; the lowest comes first, and no two are equal."""

    rank: int
    length: int
    name: str
    channel: str
    ecosystem: str


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
            return _packages(connection, query)

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
            found = _packages(connection, query)
        return found[0] if found else None

    def versions(
        self, sight: Sight, channel: str, ecosystem: str, name: str, version: str | None = None
    ) -> Sequence[VersionRow]:
        """Return the versions of a package that have a live file, or one of them; the one that changed last first."""
        query = select(
            _T.c.version, _T.c.path, _T.c.filename, _T.c.size, _T.c.sha256, _T.c.uploaded_us, _T.c.yanked
        ).where(*_live(sight), _T.c.channel == channel, _T.c.ecosystem == ecosystem, _T.c.package == name)
        if version is not None:
            query = query.where(_T.c.version == version)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        together: dict[str, list[Any]] = {}
        for row in rows:
            together.setdefault(row.version, []).append(row)
        found = [_version(text, of_it) for text, of_it in together.items()]
        return sorted(found, key=lambda item: (-item.last_us, item.version))

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
        query = select(_T).where(*_live(sight), _T.c.id > after)
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
        query = select(_T).where(*_live(sight), _T.c.sha256 == sha256).order_by(_T.c.id)
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
            .where(*_live(sight))
            .group_by(_T.c.ecosystem)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        each = {
            row.ecosystem: {"packages": row.packages, "files": row.files, "bytes": row.bytes} for row in rows
        }
        return Counters(
            channels=len(sight.named),
            packages=sum(item["packages"] for item in each.values()),
            files=sum(item["files"] for item in each.values()),
            bytes=sum(item["bytes"] for item in each.values()),
            by_ecosystem=each,
        )

    def events(
        self, sight: Sight, channel: str, *, since: int = 0, limit: int
    ) -> Sequence[tuple[Event, Artifact | None]]:
        """Return a channel's history after serial `since`, oldest first, as far as it is about what may be seen.

        Returns:
            Each event, with the file that came with it if that one is still there: an upload or a replacement whose
            bytes were replaced or deleted since, and each deletion, has None.
        """
        owned = select(_T.c.id).where(
            _T.c.channel == _E.c.channel,
            _T.c.path == _E.c.path,
            _seen(sight, _T.c.channel, _T.c.ecosystem, _T.c.package),
        )
        query = select(_E).where(_E.c.channel == channel, _E.c.serial > since, exists(owned))
        with reading(self._engine) as connection:
            found = [to_event(row) for row in connection.execute(query.order_by(_E.c.serial).limit(limit))]
            paths = {event.path for event in found}
            rows = connection.execute(
                select(_T).where(_T.c.channel == channel, _T.c.path.in_(paths), _T.c.state == State.LIVE)
            ).all()
        there = {(row.path, row.sha256): to_artifact(row) for row in rows}
        return [
            (event, None if event.kind is EventKind.DELETE else there.get((event.path, event.sha256)))
            for event in found
        ]

    def search(
        self,
        sight: Sight,
        text: str,
        *,
        limit: int,
        ecosystem: str | None = None,
        after: Rank | None = None,
    ) -> Sequence[tuple[Rank, PackageRow]]:
        """Return packages that match: the exact name first, then prefix, then part of the name, then the summary.

        Args:
            sight: what may be seen.
            text: words parted by blanks; every one must match. The case of ASCII letters does not count.
            limit: at most so many.
            ecosystem: only this one.
            after: go on behind this place.
        """
        # SQLite's lower() knows ASCII only: what is compared to it must not be lowered further.
        lowered = text.translate(_LOWER)
        words = lowered.split()[:_MAX_WORDS]
        if not words:
            return []
        names, summary = (func.lower(_P.c.package), func.lower(_P.c.display)), func.lower(_P.c.summary)
        rank = _rank(names, words[0], lowered.strip())
        place = (rank, func.length(_P.c.package), _P.c.package, _P.c.channel, _P.c.ecosystem)
        query = select(_P).where(_P.c.files > 0, _seen(sight, _P.c.channel, _P.c.ecosystem, _P.c.package))
        for word in words:
            query = query.where(
                or_(*(column.contains(word, autoescape=True) for column in (*names, summary)))
            )
        if ecosystem is not None:
            query = query.where(_P.c.ecosystem == ecosystem)
        if after is not None:
            query = query.where(tuple_(*place) > tuple(after))
        query = query.add_columns(rank.label("rank")).order_by(*place).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            found = [_package(connection, row) for row in rows]
        return [
            (Rank(row.rank, len(item.name), item.name, item.channel, item.ecosystem), item)
            for row, item in zip(rows, found, strict=True)
        ]


_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _live(sight: Sight) -> Sequence[ColumnElement[bool]]:
    return (_T.c.state == State.LIVE, _seen(sight, _T.c.channel, _T.c.ecosystem, _T.c.package))


def _seen(
    sight: Sight, channel: ColumnElement[str], ecosystem: ColumnElement[str], package: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether a row's package may be seen: in a channel they read and not restricted, or shown to them besides."""
    hidden: Select[Any] = select(_C.c.package).where(
        _C.c.channel == channel, _C.c.ecosystem == ecosystem, _C.c.package == package, _C.c.restricted
    )
    whole: ColumnElement[bool] = channel.in_(sorted(sight.channels))
    if sight.ecosystems:
        whole = or_(whole, tuple_(channel, ecosystem).in_(sorted(sight.ecosystems)))
    listed = and_(whole, not_(exists(hidden)))
    if not sight.extra:
        return listed
    return or_(listed, tuple_(channel, ecosystem, package).in_(sorted(sight.extra)))


def _rank(names: Sequence[ColumnElement[str]], word: str, whole: str) -> ColumnElement[int]:
    """How well the name matches the first word (the whole text, for the best): 0 to 3."""
    return case(
        (or_(*(name == whole for name in names)), literal(0, Integer)),
        (or_(*(name.startswith(word, autoescape=True) for name in names)), literal(1, Integer)),
        (or_(*(name.contains(word, autoescape=True) for name in names)), literal(2, Integer)),
        else_=literal(3, Integer),
    )


def _version(version: str, rows: Sequence[Any]) -> VersionRow:
    files = [File(path=row.path, filename=row.filename, size=row.size, sha256=row.sha256) for row in rows]
    return VersionRow(
        version=version,
        files=len(rows),
        size=sum(row.size for row in rows),
        first_us=min(row.uploaded_us for row in rows),
        last_us=max(row.uploaded_us for row in rows),
        yanked=all(row.yanked is not None for row in rows),
        top_hash=top_hash(files),
        manifest=files,
    )


def _packages(connection: Connection, query: Select[Any]) -> list[PackageRow]:
    return [_package(connection, row) for row in connection.execute(query).all()]


def _package(connection: Connection, row: Row[Any]) -> PackageRow:
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
        undecodable=_undecodable(connection, row) if _ESCAPED.search(row.summary) else (),
    )


def _undecodable(connection: Connection, row: Row[Any]) -> Sequence[str]:
    """Ask the file that the package's line speaks from (the last one of the newest version) what was not UTF-8."""
    record = connection.execute(
        select(_T.c.record)
        .where(
            _T.c.channel == row.channel,
            _T.c.ecosystem == row.ecosystem,
            _T.c.package == row.package,
            _T.c.version == row.latest,
            _T.c.state == State.LIVE,
        )
        .order_by(_T.c.id.desc())
        .limit(1)
    ).scalar_one()
    return tuple(name for name in ("summary",) if name in record.get("undecodable", ()))
