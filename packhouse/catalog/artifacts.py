"""Claim, commit, delete, yank: the life of an artifact, each step one transaction.

The record is the commit: `commit` flips a row from pending to live, and that is the moment an upload becomes
real. A crash before it leaves a pending row, which nothing names; after it everything else can be redone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Row, and_, delete, func, insert, select, update

from packhouse.catalog import schema
from packhouse.catalog.areas import discard, mark
from packhouse.catalog.clock import Clock, next_value, server_time
from packhouse.catalog.engine import only, reading, writing
from packhouse.digest import Sha256
from packhouse.errors import Burnt, Busy, Exists, NotFound
from packhouse.model import Area, Artifact, Ecosystem, Event, EventKind, State, Verified
from packhouse.names import ChannelName, Filename

_T = schema.artifacts


class Rules(Protocol):
    """What the catalog asks of a format when a package changes (a part of `ecosystems.Format`)."""

    def newest(self, versions: Iterable[str]) -> str:
        """Return the newest of n >= 1 versions."""
        ...

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        """Return the areas to mark, with the seconds each may wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A claimed name. `token` is the lease; a commit whose token is no longer the row's fails."""

    id: int
    token: str
    channel: ChannelName
    path: str
    replaces: bool


@dataclass(frozen=True, slots=True)
class Same:
    """The same bytes are live already."""

    artifact: Artifact


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same bytes are being uploaded by somebody else right now."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transaction changed, and the generations that publish it."""

    artifacts: tuple[Artifact, ...]
    serial: int
    awaited: Mapping[Area, int] = field(default_factory=dict)


class Artifacts:
    """The artifacts of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    # --- looking --------------------------------------------------------------------------------------------

    def live(self, channel: str, path: str) -> Artifact | None:
        """Return the live artifact at a path, or None."""
        with reading(self._engine) as connection:
            row = _live(connection, channel, path)
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

    def burnt(self, channel: str, path: str) -> bool:
        """Whether the name was deleted once."""
        with reading(self._engine) as connection:
            return _burnt(connection, channel, path)

    def get(self, artifact_id: int) -> Artifact | None:
        """Return a row in whatever state, or None if it was released."""
        with reading(self._engine) as connection:
            row = connection.execute(select(_T).where(_T.c.id == artifact_id)).one_or_none()
        return None if row is None else to_artifact(row)

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
        return [
            Event(
                channel=ChannelName(row.channel),
                serial=row.serial,
                kind=EventKind(row.kind),
                path=row.path,
                sha256=row.sha256,
                by=row.by,
                at_us=row.at_us,
                note=row.note,
            )
            for row in rows
        ]

    # --- uploading ------------------------------------------------------------------------------------------

    def claim(
        self,
        verified: Verified,
        *,
        by: str,
        token: str,
        lease_s: float,
        overwrite: bool = False,
        uploaded_us: int | None = None,
        imported: bool = False,
    ) -> Ticket | Same | InFlight:
        """Claim a name: insert the artifact as pending.

        Args:
            verified: what is to be committed.
            by: the account.
            token: the lease's token, unique per attempt; starts with the instance that holds it.
            lease_s: seconds until the reaper may take the row over.
            overwrite: other bytes may replace the live ones (the right was checked).
            uploaded_us: the upload time that the source of an import told; None lets the server assign it.
            imported: the source told no upload time.

        Returns:
            A ticket; or `Same` or `InFlight` where the same bytes are live or being uploaded.

        Raises:
            Exists: live or pending with other bytes.
            Burnt: the name was deleted once; with the same bytes or not.
        """
        channel, path, sha256 = verified.channel, verified.path, verified.digests.sha256
        with writing(self._engine) as connection:
            if connection.execute(
                select(schema.channels.c.name).where(schema.channels.c.name == channel)
            ).scalar_one_or_none() is None:  # fmt: skip
                raise NotFound("channel", channel, "it was deleted during the upload")
            if _burnt(connection, channel, path):
                raise Burnt(channel, path)
            live = _live(connection, channel, path)
            if live is not None and live.sha256 == sha256:
                return Same(to_artifact(live))
            if live is not None and not overwrite:
                raise Exists(channel, path)
            rival = connection.execute(
                select(_T).where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.PENDING)
            ).one_or_none()
            if rival is not None and rival.sha256 == sha256:
                return InFlight(rival.id)
            if rival is not None:
                raise Exists(channel, path, overwrite_hint="another upload of that name is under way")
            inserted = connection.execute(
                insert(_T).values(
                    **_columns(verified),
                    state=State.PENDING,
                    serial=0,
                    uploaded_us=uploaded_us or 0,
                    uploaded_by=by,
                    imported=imported,
                    token=token,
                    lease_us=self._clock() + int(lease_s * 1_000_000),
                )
            ).inserted_primary_key
            identity = only(inserted)
            connection.execute(
                insert(schema.details).values(artifact=identity, body=dict(verified.observed.details))
            )
            for suffix, body in verified.observed.sidecars.items():
                connection.execute(
                    insert(schema.sidecars).values(artifact=identity, suffix=suffix, body=body)
                )
        return Ticket(id=identity, token=token, channel=channel, path=path, replaces=live is not None)

    def commit(
        self, ticket: Ticket, rules: Rules, *, staged: str | None = None, grace_s: float = 0
    ) -> Change:
        """Make a claimed artifact live: the atomic moment of an upload.

        Args:
            ticket: from `claim`; its bytes are placed and durable.
            rules: the artifact's format.
            staged: for an overwrite, where its bytes wait for the indexer to rename them over the old ones.
            grace_s: seconds that sidecar files of a replaced artifact stay.

        Raises:
            Busy: the lease was lost; nothing was committed.
        """
        with writing(self._engine) as connection:
            row = connection.execute(
                select(_T).where(
                    _T.c.id == ticket.id, _T.c.token == ticket.token, _T.c.state == State.PENDING
                )
            ).one_or_none()
            if row is None:
                raise Busy(f"{ticket.path} took longer than its lease and was given up; upload it again")
            old = _live(connection, ticket.channel, ticket.path)
            now = server_time(connection, self._clock)
            serial = _next_serial(connection, ticket.channel)
            if old is not None:
                connection.execute(
                    update(_T)
                    .where(_T.c.id == old.id)
                    .values(state=State.REPLACED, serial=serial, staged=None)
                )
            connection.execute(
                update(_T)
                .where(_T.c.id == ticket.id)
                .values(
                    state=State.LIVE,
                    serial=serial,
                    uploaded_us=row.uploaded_us or now,
                    staged=staged,
                    token=None,
                    lease_us=None,
                )
            )
            # The path may lie in the trash of an earlier life (a sidecar of a replaced file).
            connection.execute(
                delete(schema.trash).where(
                    schema.trash.c.channel == ticket.channel, schema.trash.c.path == ticket.path
                )
            )
            kind = EventKind.UPLOAD if old is None else EventKind.REPLACE
            artifact = to_artifact(connection.execute(select(_T).where(_T.c.id == ticket.id)).one())
            _append(connection, artifact, kind, artifact.uploaded_by, now)
            if old is not None:
                gone = set(_suffixes(connection, old.id)) - set(_suffixes(connection, ticket.id))
                discard(connection, ticket.channel, {ticket.path + suffix: grace_s for suffix in gone}, now)
            awaited = _touch(connection, artifact, rules, now)
        return Change(artifacts=(artifact,), serial=serial, awaited=awaited)

    def release(self, ticket_id: int, token: str) -> bool:
        """Give a claimed name back; False if the lease was lost meanwhile."""
        with writing(self._engine) as connection:
            return _release(connection, ticket_id, token)

    def take_over(self, artifact_id: int, token: str, new_token: str, lease_s: float) -> bool:
        """Move an abandoned lease to the reaper; False if somebody else was quicker."""
        with writing(self._engine) as connection:
            done = connection.execute(
                update(_T)
                .where(_T.c.id == artifact_id, _T.c.token == token, _T.c.state == State.PENDING)
                .values(token=new_token, lease_us=self._clock() + int(lease_s * 1_000_000))
            )
            return bool(done.rowcount)

    def settle(self, artifact_id: int) -> None:
        """Note that the bytes of an overwrite are in place."""
        with writing(self._engine) as connection:
            connection.execute(update(_T).where(_T.c.id == artifact_id).values(staged=None))

    # --- deleting and yanking -------------------------------------------------------------------------------

    def delete(
        self,
        channel: ChannelName,
        paths: Iterable[str],
        rules: Rules,
        *,
        by: str,
        grace_s: float,
        note: str = "",
    ) -> Change:
        """Delete live artifacts in one transaction; their names are burnt.

        Args:
            channel: where.
            paths: n >= 1 paths in the channel, all of one format.
            rules: that format.
            by: the account.
            grace_s: seconds the bytes stay readable for clients that hold an older index; 0 for a leaked secret.
            note: the reason, for the history.

        Raises:
            NotFound: one of them is not live; then none is deleted.
        """

        def burn(connection: Connection, artifact: Artifact, serial: int, now: int) -> None:
            connection.execute(
                update(_T).where(_T.c.id == artifact.id).values(state=State.GONE, serial=serial, staged=None)
            )
            doomed = [
                artifact.path,
                *(artifact.path + suffix for suffix in _suffixes(connection, artifact.id)),
            ]
            discard(connection, channel, dict.fromkeys(doomed, grace_s), now)

        return self._change(channel, paths, rules, EventKind.DELETE, by, note, burn)

    def yank(
        self, channel: ChannelName, paths: Iterable[str], rules: Rules, *, by: str, reason: str | None
    ) -> Change:
        """Yank (a reason, which may be empty) or un-yank (None) live artifacts (PEP 592).

        Raises:
            NotFound: one of them is not live; then none is changed.
        """

        def set_yanked(connection: Connection, artifact: Artifact, serial: int, _now: int) -> None:
            connection.execute(update(_T).where(_T.c.id == artifact.id).values(yanked=reason, serial=serial))

        kind = EventKind.UNYANK if reason is None else EventKind.YANK
        return self._change(channel, paths, rules, kind, by, reason or "", set_yanked)

    def _change(
        self,
        channel: ChannelName,
        paths: Iterable[str],
        rules: Rules,
        kind: EventKind,
        by: str,
        note: str,
        apply: Callable[[Connection, Artifact, int, int], None],
    ) -> Change:
        changed: list[Artifact] = []
        awaited: dict[Area, int] = {}
        serial = 0
        with writing(self._engine) as connection:
            for path in paths:
                row = _live(connection, channel, path)
                if row is None:
                    raise NotFound("file", f"{channel}/{path}")
                now = server_time(connection, self._clock)
                serial = _next_serial(connection, channel)
                apply(connection, to_artifact(row), serial, now)
                artifact = to_artifact(connection.execute(select(_T).where(_T.c.id == row.id)).one())
                _append(connection, artifact, kind, by, now, note)
                awaited.update(_touch(connection, artifact, rules, now))
                changed.append(artifact)
        return Change(artifacts=tuple(changed), serial=serial, awaited=awaited)


def to_artifact(row: Row[Any]) -> Artifact:
    """Return the model's value of an `artifacts` row."""
    return Artifact(
        id=row.id,
        channel=ChannelName(row.channel),
        ecosystem=Ecosystem(row.ecosystem),
        path=row.path,
        package=row.package,
        version=row.version,
        filename=Filename(row.filename),
        size=row.size,
        sha256=Sha256(row.sha256),
        md5=row.md5,
        record=row.record,
        warnings=tuple(row.warnings),
        state=State(row.state),
        serial=row.serial,
        uploaded_us=row.uploaded_us,
        uploaded_by=row.uploaded_by,
        yanked=row.yanked,
        imported=row.imported,
        staged=row.staged,
    )


def _columns(verified: Verified) -> dict[str, Any]:
    seen, digests = verified.observed, verified.digests
    return {
        "channel": verified.channel,
        "ecosystem": verified.ecosystem,
        "path": verified.path,
        "directory": verified.path.rpartition("/")[0],
        "package": seen.package,
        "version": seen.version,
        "filename": seen.filename,
        "size": digests.size,
        "sha256": digests.sha256,
        "md5": digests.md5,
        "blake2b_256": digests.blake2b_256,
        "record": dict(seen.record),
        "warnings": list(seen.warnings),
    }


def _live(connection: Connection, channel: str, path: str) -> Row[Any] | None:
    return connection.execute(
        select(_T).where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.LIVE)
    ).one_or_none()


def _burnt(connection: Connection, channel: str, path: str) -> bool:
    return (
        connection.execute(
            select(_T.c.id)
            .where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.GONE)
            .limit(1)
        ).scalar_one_or_none()
        is not None
    )


def _release(connection: Connection, artifact_id: int, token: str) -> bool:
    where = and_(_T.c.id == artifact_id, _T.c.token == token, _T.c.state == State.PENDING)
    if connection.execute(select(_T.c.id).where(where)).scalar_one_or_none() is None:
        return False
    for table in (schema.details, schema.sidecars):
        connection.execute(delete(table).where(table.c.artifact == artifact_id))
    connection.execute(delete(_T).where(_T.c.id == artifact_id))
    return True


def _suffixes(connection: Connection, artifact_id: int) -> list[str]:
    table = schema.sidecars
    return list(connection.execute(select(table.c.suffix).where(table.c.artifact == artifact_id)).scalars())


def _next_serial(connection: Connection, channel: str) -> int:
    serial = next_value(connection, f"serial:{channel}")
    connection.execute(update(schema.channels).where(schema.channels.c.name == channel).values(serial=serial))
    return serial


def _append(
    connection: Connection, artifact: Artifact, kind: EventKind, by: str, now: int, note: str = ""
) -> None:
    connection.execute(
        insert(schema.events).values(
            channel=artifact.channel,
            serial=artifact.serial,
            kind=kind,
            path=artifact.path,
            sha256=artifact.sha256,
            by=by,
            at_us=now,
            note=note,
        )
    )


def _touch(connection: Connection, artifact: Artifact, rules: Rules, now: int) -> dict[Area, int]:
    """Bring the package's line up to date and mark the areas of a changed artifact."""
    table = schema.packages
    mine = and_(
        _T.c.channel == artifact.channel,
        _T.c.ecosystem == artifact.ecosystem,
        _T.c.package == artifact.package,
    )
    rows = connection.execute(
        select(_T.c.version, func.count(), func.max(_T.c.uploaded_us), func.max(_T.c.id))
        .where(mine, _T.c.state == State.LIVE)
        .group_by(_T.c.version)
    ).all()
    files = sum(row[1] for row in rows)
    where = and_(
        table.c.channel == artifact.channel,
        table.c.ecosystem == artifact.ecosystem,
        table.c.package == artifact.package,
    )
    before = connection.execute(select(table.c.files).where(where)).scalar_one_or_none()
    values: dict[str, Any] = {
        "serial": artifact.serial,
        "files": files,
        "latest": "",
        "summary": "",
        "updated_us": now,
    }
    values["display"] = artifact.package
    if rows:
        values["latest"] = rules.newest([row[0] for row in rows])
        speaker = next(row[3] for row in rows if row[0] == values["latest"])
        record = connection.execute(select(_T.c.record).where(_T.c.id == speaker)).scalar_one()
        values["display"] = record.get("display") or artifact.package
        values["summary"] = record.get("summary") or ""
        values["updated_us"] = max(row[2] for row in rows)
    if before is None:
        connection.execute(
            insert(table).values(
                channel=artifact.channel, ecosystem=artifact.ecosystem, package=artifact.package, **values
            )
        )
    else:
        connection.execute(update(table).where(where).values(**values))
    appears_or_vanishes = (before or 0) == 0 or files == 0
    return mark(connection, rules.areas(artifact, first_or_last=appears_or_vanishes), now)
