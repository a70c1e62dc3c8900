"""What formats may ask of one channel while they render (`ecosystems.Records`)."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import Engine, func, select

from packhouse.catalog import schema
from packhouse.catalog.engine import reading
from packhouse.catalog.rows import to_artifact
from packhouse.ecosystems import Package
from packhouse.model import Artifact, Ecosystem, Json, State

FileReader = Callable[[str], bytes | None]

_T = schema.artifacts


class ChannelRecords:
    """The records of one channel."""

    def __init__(self, engine: Engine, channel: str, read_file: FileReader) -> None:
        self._engine, self._channel, self._read_file = engine, channel, read_file

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
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(_T.c.package))}

    def directories(self, ecosystem: Ecosystem) -> Sequence[str]:
        """Directories that ever held an artifact of the ecosystem, sorted."""
        query = select(_T.c.directory).where(
            _T.c.channel == self._channel,
            _T.c.ecosystem == ecosystem,
            _T.c.state.in_((State.LIVE, State.GONE)),
        )
        with reading(self._engine) as connection:
            return sorted(connection.execute(query.distinct()).scalars())

    def packages(self, ecosystem: Ecosystem) -> Sequence[Package]:
        """Packages with at least one live file, sorted by name."""
        table = schema.packages
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table)
                .where(table.c.channel == self._channel, table.c.ecosystem == ecosystem, table.c.files > 0)
                .order_by(table.c.package)
            ).all()
        return [
            Package(
                name=row.package,
                display=row.display,
                serial=row.serial,
                files=row.files,
                latest=row.latest,
                summary=row.summary,
                updated_us=row.updated_us,
            )
            for row in rows
        ]

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
