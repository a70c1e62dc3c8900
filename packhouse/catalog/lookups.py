"""Questions about artifacts and the history; nothing here writes."""

from typing import Any

from sqlalchemy import Engine, Row, case, func, select

from packhouse.catalog import schema
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading
from packhouse.catalog.packages import neighbours
from packhouse.catalog.rows import is_burnt, live_row, to_artifact
from packhouse.model import Area, Artifact, Ecosystem, Event, EventKind, State
from packhouse.names import ChannelName

_T = schema.artifacts


class Lookups:
    """The reading half of `Artifacts`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def live(self, channel: str, path: str) -> Artifact | None:
        """Return the live artifact at a path, or None."""
        with reading(self._engine) as connection:
            row = live_row(connection, channel, path)
        return None if row is None else to_artifact(row)

    def named(self, channel: str, filename: str) -> list[Artifact]:
        """Return the live artifacts of that file name (a conda name may lie in several subdirs)."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(_T).where(_T.c.channel == channel, _T.c.filename == filename, _T.c.state == State.LIVE)
            ).all()
        return [to_artifact(row) for row in rows]

    def of_version(
        self, channel: str, ecosystem: Ecosystem, package: str, version: str | None = None
    ) -> list[Artifact]:
        """Return the live artifacts of a package, or of one version of it."""
        query = select(_T).where(
            _T.c.channel == channel,
            _T.c.ecosystem == ecosystem,
            _T.c.package == package,
            _T.c.state == State.LIVE,
        )
        if version is not None:
            query = query.where(_T.c.version == version)
        with reading(self._engine) as connection:
            return [to_artifact(row) for row in connection.execute(query.order_by(_T.c.path))]

    def neighbours(self, channel: str, ecosystem: Ecosystem, package: str) -> list[Area]:
        """Return the pages of other packages that link to a package, or list it among those that require them."""
        with reading(self._engine) as connection:
            return neighbours(connection, channel, ecosystem, package)

    def states(
        self, channel: str, ecosystem: Ecosystem, package: str, version: str | None = None
    ) -> frozenset[State]:
        """Return the states that files of a package, or of one version of it, are in: deleted and coming ones too."""
        query = select(_T.c.state).where(
            _T.c.channel == channel, _T.c.ecosystem == ecosystem, _T.c.package == package
        )
        if version is not None:
            query = query.where(_T.c.version == version)
        with reading(self._engine) as connection:
            return frozenset(State(state) for state in connection.execute(query.distinct()).scalars())

    def versions(self, channel: str, ecosystem: Ecosystem) -> dict[str, set[str]]:
        """Return the versions of every package of a channel that has a live file: those not yanked, if there are any.

        Restricted packages are among them: whoever asks leaves out what is not to be named.
        """
        standing = func.max(case((_T.c.yanked.is_(None), 1), else_=0))
        query = (
            select(_T.c.package, _T.c.version, standing)
            .where(_T.c.channel == channel, _T.c.ecosystem == ecosystem, _T.c.state == State.LIVE)
            .group_by(_T.c.package, _T.c.version)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        every: dict[str, set[str]] = {}
        good: dict[str, set[str]] = {}
        for package, version, stands in rows:
            every.setdefault(package, set()).add(version)
            if stands:
                good.setdefault(package, set()).add(version)
        return every | good

    def uploaded_by(self, account: str) -> frozenset[tuple[str, str, str]]:
        """Return (channel, ecosystem, package) of every package that holds a live file which that account uploaded."""
        query = select(_T.c.channel, _T.c.ecosystem, _T.c.package).where(
            _T.c.uploaded_by == account, _T.c.state == State.LIVE
        )
        with reading(self._engine) as connection:
            return frozenset(tuple(row) for row in connection.execute(query.distinct()))

    def burnt(self, channel: str, path: str) -> bool:
        """Whether the name was deleted once."""
        with reading(self._engine) as connection:
            return is_burnt(connection, channel, path)

    def get(self, artifact_id: int) -> Artifact | None:
        """Return a row in whatever state, or None if it was released."""
        with reading(self._engine) as connection:
            row = connection.execute(select(_T).where(_T.c.id == artifact_id)).one_or_none()
        return None if row is None else to_artifact(row)

    def holder(self, artifact_id: int) -> str | None:
        """Return the token that holds the lease of a pending row; None if it is pending no more."""
        with reading(self._engine) as connection:
            token: str | None = connection.execute(
                select(_T.c.token).where(_T.c.id == artifact_id, _T.c.state == State.PENDING)
            ).scalar_one_or_none()
        return token

    def pending(self) -> list[tuple[Artifact, str, bool]]:
        """Return (artifact, token, lease over) of every pending row, for the reaper."""
        now = self._clock()
        with reading(self._engine) as connection:
            rows = connection.execute(select(_T).where(_T.c.state == State.PENDING).order_by(_T.c.id)).all()
        return [(to_artifact(row), row.token, row.lease_us <= now) for row in rows]

    def staged(self, channel: str, directory: str | None = None) -> list[Artifact]:
        """Return live artifacts whose bytes still wait to be renamed over the old ones."""
        query = select(_T).where(_T.c.channel == channel, _T.c.state == State.LIVE, _T.c.staged.is_not(None))
        if directory is not None:
            query = query.where(_T.c.directory == directory)
        with reading(self._engine) as connection:
            return [to_artifact(row) for row in connection.execute(query)]

    def replaced_sha256(self, channel: str, path: str) -> str | None:
        """Return the digest of the bytes that the live artifact at a path replaced last, or None."""
        with reading(self._engine) as connection:
            found: str | None = connection.execute(
                select(_T.c.sha256)
                .where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.REPLACED)
                .order_by(_T.c.serial.desc())
                .limit(1)
            ).scalar_one_or_none()
        return found

    def sidecars(self, artifact_id: int) -> dict[str, bytes]:
        """Return the sidecar files of an artifact: suffix to bytes."""
        table = schema.sidecars
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table.c.suffix, table.c.body).where(table.c.artifact == artifact_id)
            )
            return {row.suffix: row.body for row in rows}

    def events(self, channel: str, *, since: int = 0, limit: int = 1000) -> list[Event]:
        """Return the channel's history after serial `since`, oldest first."""
        table = schema.events
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table)
                .where(table.c.channel == channel, table.c.serial > since)
                .order_by(table.c.serial)
                .limit(limit)
            ).all()
        return [to_event(row) for row in rows]


def to_event(row: Row[Any]) -> Event:
    """Return the model's value of an `events` row."""
    return Event(
        channel=ChannelName(row.channel),
        serial=row.serial,
        kind=EventKind(row.kind),
        path=row.path,
        sha256=row.sha256,
        by=row.by,
        at_us=row.at_us,
        note=row.note,
        origin=row.origin,
    )
