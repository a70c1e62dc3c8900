"""What formats may ask of one channel while they render (`ecosystems.Records`).

Lists are for every reader of the channel, so what is asked of the channel as a whole leaves restricted packages out:
no format can forget to. What is asked of one package or one directory does not, since its own pages are rendered from
that, and they lie where only its readers come.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Self

from sqlalchemy import ColumnElement, Engine, Row, Select, String, and_, exists, func, literal, or_, select

from packhouse.catalog import schema
from packhouse.catalog.engine import reading
from packhouse.catalog.rows import to_artifact
from packhouse.ecosystems import Package
from packhouse.model import Area, Artifact, Ecosystem, Json, State

FileReader = Callable[[str], bytes | None]

_T = schema.artifacts


class ChannelRecords:
    """The records of one channel."""

    def __init__(
        self,
        engine: Engine,
        channel: str,
        read_file: FileReader,
        *,
        also: Collection[tuple[str, str]] = (),
        published: str = "",
    ) -> None:
        """Answer about `channel`; see `showing` and `naming_published` for the rest."""
        self._engine, self._channel, self._read_file = engine, channel, read_file
        self._also, self._published = also, published

    def showing(self, packages: Collection[tuple[str, str]]) -> Self:
        """Return the same records for somebody who may read these restricted packages, (ecosystem, package), too."""
        return type(self)(
            self._engine, self._channel, self._read_file, also=packages, published=self._published
        )

    def naming_published(self, kind: str) -> Self:
        """Return the same records whose `packages` names only those of which an area of that kind is published.

        A list that links to `simple/<project>/` must not name a project whose page is yet to come.
        """
        return type(self)(self._engine, self._channel, self._read_file, also=self._also, published=kind)

    def everything(self, ecosystem: Ecosystem) -> Iterator[Artifact]:
        """Live artifacts, those of restricted packages too, ordered by (package, path): never for a page."""
        query = select(_T).where(
            _T.c.channel == self._channel, _T.c.ecosystem == ecosystem, _T.c.state == State.LIVE
        )
        return self._artifacts(query)

    def unpublished(self, kind: str, ecosystem: Ecosystem | None = None) -> list[Area]:
        """Return the dirty areas of `kind` of packages that a list would name, of which nothing is published."""
        table, dirty = schema.packages, schema.dirty
        query = (
            select(table.c.ecosystem, table.c.package)
            # From the few that are dirty, never from the many that are there.
            .select_from(dirty)
            .join(
                table,
                and_(
                    table.c.channel == dirty.c.channel,
                    table.c.ecosystem == dirty.c.ecosystem,
                    table.c.package == dirty.c.key,
                ),
            )
            .where(
                dirty.c.channel == self._channel,
                dirty.c.kind == kind,
                table.c.files > 0,
                self._listed(table.c.ecosystem, table.c.package),
                ~self._is_published(table.c.ecosystem, table.c.package, kind),
            )
            .order_by(table.c.ecosystem, table.c.package)
        )
        if ecosystem is not None:
            query = query.where(table.c.ecosystem == ecosystem)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [Area(self._channel, row.ecosystem, kind, row.package) for row in rows]

    def live(
        self, ecosystem: Ecosystem, *, directory: str | None = None, package: str | None = None
    ) -> Iterator[Artifact]:
        """Live artifacts, ordered by (package, path)."""
        query = select(_T).where(
            _T.c.channel == self._channel, _T.c.ecosystem == ecosystem, _T.c.state == State.LIVE
        )
        if directory is not None:
            query = query.where(_T.c.directory == directory)
        if package is not None:
            query = query.where(_T.c.package == package)
        if directory is None and package is None:
            query = query.where(self._listed(_T.c.ecosystem, _T.c.package))
        return self._artifacts(query)

    def _artifacts(self, query: Select[Any]) -> Iterator[Artifact]:
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_T.c.package, _T.c.path)).all()
        return (to_artifact(row) for row in rows)

    def removed(self, ecosystem: Ecosystem, *, directory: str) -> Sequence[str]:
        """File names once live in `directory` and now gone, sorted."""
        with reading(self._engine) as connection:
            return sorted(
                connection.execute(
                    select(_T.c.filename)
                    .where(
                        _T.c.channel == self._channel,
                        _T.c.ecosystem == ecosystem,
                        _T.c.directory == directory,
                        _T.c.state == State.GONE,
                    )
                    .distinct()
                ).scalars()
            )

    def changed(self, ecosystem: Ecosystem, *, directory: str | None, since: int) -> Mapping[str, int]:
        """Packages with a row (live or gone) whose serial is above `since`: name to highest serial."""
        query = select(_T.c.package, func.max(_T.c.serial)).where(
            _T.c.channel == self._channel,
            _T.c.ecosystem == ecosystem,
            _T.c.serial > since,
            _T.c.state.in_((State.LIVE, State.GONE)),
        )
        if directory is not None:
            query = query.where(_T.c.directory == directory)
        else:
            query = query.where(self._listed(_T.c.ecosystem, _T.c.package))
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(_T.c.package))}

    def directories(self, ecosystem: Ecosystem) -> Sequence[str]:
        """Directories that ever held an artifact of the ecosystem, sorted."""
        query = select(_T.c.directory).where(
            _T.c.channel == self._channel,
            _T.c.ecosystem == ecosystem,
            _T.c.state.in_((State.LIVE, State.GONE)),
            self._listed(_T.c.ecosystem, _T.c.package),
        )
        with reading(self._engine) as connection:
            return sorted(connection.execute(query.distinct()).scalars())

    def packages(self, ecosystem: Ecosystem) -> Sequence[Package]:
        """Packages with at least one live file, sorted by name."""
        table = schema.packages
        query = select(table).where(
            table.c.channel == self._channel,
            table.c.ecosystem == ecosystem,
            table.c.files > 0,
            self._listed(table.c.ecosystem, table.c.package),
        )
        if self._published:
            query = query.where(self._is_published(table.c.ecosystem, table.c.package, self._published))
        with reading(self._engine) as connection:
            return [to_package(row) for row in connection.execute(query.order_by(table.c.package))]

    def details(self, artifact_id: int) -> Mapping[str, Json]:
        """What pages need of one artifact; empty for an unknown one."""
        table = schema.details
        with reading(self._engine) as connection:
            body = connection.execute(
                select(table.c.body).where(table.c.artifact == artifact_id)
            ).scalar_one_or_none()
        return body or {}

    def file(self, path: str) -> bytes | None:
        """A small operator's file of the channel, or None."""
        return self._read_file(path)

    def _listed(self, ecosystem: ColumnElement[str], package: ColumnElement[str]) -> ColumnElement[bool]:
        """Whether a package may stand in a list: it is not restricted, or whoever asks may read it."""
        table = schema.closed
        hidden = exists().where(
            table.c.channel == self._channel,
            table.c.ecosystem == ecosystem,
            table.c.package == package,
            table.c.restricted,
        )
        # By ecosystem, not one by one: SQLite takes expressions a thousand deep, and admins may read every package.
        allowed = [
            and_(ecosystem == eco, package.in_(sorted(name for of, name in self._also if of == eco)))
            for eco in sorted({eco for eco, _ in self._also})
        ]
        return or_(~hidden, *allowed)

    def _is_published(
        self, ecosystem: ColumnElement[str], package: ColumnElement[str], kind: str
    ) -> ColumnElement[bool]:
        """Whether a package's area of that kind has a file that was written, and not only announced."""
        table = schema.published
        area = literal(f"{self._channel}/", String) + ecosystem + literal(f"/{kind}/", String) + package
        return exists().where(
            table.c.channel == self._channel,
            table.c.area == area,
            table.c.sha256.is_not(None),
            table.c.mtime_s > 0,
        )


def to_package(row: Row[Any]) -> Package:
    """Return the value of a `packages` row."""
    return Package(
        name=row.package,
        display=row.display,
        serial=row.serial,
        files=row.files,
        latest=row.latest,
        summary=row.summary,
        updated_us=row.updated_us,
        size=row.size,
        subdirs=tuple(row.subdirs),
    )
