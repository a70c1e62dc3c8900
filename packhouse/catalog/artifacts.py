"""Claim, commit, delete, yank: the life of an artifact, each step one transaction.

The record is the commit: `commit` flips a row from pending to live, and that is the moment an upload becomes
real. A crash before it leaves a pending row, which nothing names; after it everything else can be redone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from packhouse.catalog import schema
from packhouse.catalog.areas import discard
from packhouse.catalog.clock import server_time
from packhouse.catalog.engine import only, writing
from packhouse.catalog.lookups import Lookups
from packhouse.catalog.packages import Rules, touch_package
from packhouse.catalog.rows import (
    append_event,
    columns_of,
    is_burnt,
    live_row,
    next_serial,
    release_row,
    suffixes_of,
    to_artifact,
)
from packhouse.errors import Burnt, Busy, Exists, NotFound
from packhouse.model import Area, Artifact, EventKind, State, Verified
from packhouse.names import ChannelName
from packhouse.placement import kept_at

_T = schema.artifacts


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


@dataclass(frozen=True, slots=True)
class _Deed:
    """What the history says of a change: what it was, by whom, why, and from where."""

    kind: EventKind
    by: str
    note: str
    origin: str


class Artifacts(Lookups):
    """The artifacts of one catalog: the questions of `Lookups`, and the transactions that change them."""

    # --- uploading ------------------------------------------------------------------------------------------

    def claim(
        self,
        verified: Verified,
        *,
        by: str,
        token: str,
        lease_s: float,
        origin: str = "",
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
            origin: the address that the upload came from.
            overwrite: other bytes may replace the live ones (the right was checked).
            uploaded_us: the upload time that the source of an import told; None lets the server assign it.
            imported: the source told no upload time.

        Returns:
            A ticket; or `Same` or `InFlight` where the same bytes are live or being uploaded.

        Raises:
            Exists: live or pending with other bytes.
            Burnt: the name was deleted once; with the same bytes or not.
        """
        with writing(self._engine) as connection:
            live = live_row(connection, verified.channel, verified.path)
            taken = _taken(connection, verified, live, overwrite=overwrite)
            if taken is not None:
                return taken
            inserted = connection.execute(
                insert(_T).values(
                    **columns_of(verified),
                    state=State.PENDING,
                    serial=0,
                    uploaded_us=uploaded_us or 0,
                    uploaded_by=by,
                    origin=origin,
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
        return Ticket(
            id=identity, token=token, channel=verified.channel, path=verified.path, replaces=live is not None
        )

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
            Burnt: the file that it was to replace was deleted meanwhile.
        """
        with writing(self._engine) as connection:
            row = connection.execute(
                select(_T).where(
                    _T.c.id == ticket.id, _T.c.token == ticket.token, _T.c.state == State.PENDING
                )
            ).one_or_none()
            if row is None:
                raise Busy(f"{ticket.path} took longer than its lease and was given up; upload it again")
            old = live_row(connection, ticket.channel, ticket.path)
            if old is None and is_burnt(connection, ticket.channel, ticket.path):
                # What an overwrite was to replace was deleted meanwhile: a burnt name is never born again.
                raise Burnt(ticket.channel, ticket.path)
            now = server_time(connection, self._clock)
            serial = next_serial(connection, ticket.channel)
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
            append_event(connection, artifact, kind, artifact.uploaded_by, now, origin=row.origin)
            if old is not None:
                gone = set(suffixes_of(connection, old.id)) - set(suffixes_of(connection, ticket.id))
                discard(connection, ticket.channel, {ticket.path + suffix: grace_s for suffix in gone}, now)
            awaited = touch_package(connection, artifact, rules, now)
        return Change(artifacts=(artifact,), serial=serial, awaited=awaited)

    def release(self, ticket_id: int, token: str) -> bool:
        """Give a claimed name back; False if the lease was lost meanwhile."""
        with writing(self._engine) as connection:
            return release_row(connection, ticket_id, token)

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
        origin: str = "",
    ) -> Change:
        """Delete live artifacts in one transaction; their names are burnt.

        Args:
            channel: where.
            paths: n >= 1 paths in the channel, all of one format.
            rules: that format.
            by: the account.
            grace_s: seconds the bytes stay readable for clients that hold an older index; 0 for a leaked secret.
            note: the reason, for the history.
            origin: the address that the request came from, for the history too.

        Raises:
            NotFound: one of them is not live; then none is deleted.
        """

        def burn(connection: Connection, artifact: Artifact, serial: int, now: int) -> None:
            connection.execute(
                update(_T).where(_T.c.id == artifact.id).values(state=State.GONE, serial=serial, staged=None)
            )
            doomed = [
                artifact.path,
                *(artifact.path + suffix for suffix in suffixes_of(connection, artifact.id)),
            ]
            if grace_s == 0:
                # A leaked secret: earlier bytes of the name, kept by their hash after an overwrite, go with it.
                doomed += [kept_at(artifact, sha256) for sha256 in _replaced(connection, artifact)]
            discard(connection, channel, dict.fromkeys(doomed, grace_s), now)

        return self._change(channel, paths, rules, _Deed(EventKind.DELETE, by, note, origin), burn)

    def yank(
        self,
        channel: ChannelName,
        paths: Iterable[str],
        rules: Rules,
        *,
        by: str,
        reason: str | None,
        origin: str = "",
    ) -> Change:
        """Yank (a reason, which may be empty) or un-yank (None) live artifacts (PEP 592); `origin` as for `delete`.

        Raises:
            NotFound: one of them is not live; then none is changed.
        """

        def set_yanked(connection: Connection, artifact: Artifact, serial: int, _now: int) -> None:
            connection.execute(update(_T).where(_T.c.id == artifact.id).values(yanked=reason, serial=serial))

        kind = EventKind.UNYANK if reason is None else EventKind.YANK
        return self._change(channel, paths, rules, _Deed(kind, by, reason or "", origin), set_yanked)

    def _change(
        self,
        channel: ChannelName,
        paths: Iterable[str],
        rules: Rules,
        deed: _Deed,
        apply: Callable[[Connection, Artifact, int, int], None],
    ) -> Change:
        changed: list[Artifact] = []
        awaited: dict[Area, int] = {}
        serial = 0
        with writing(self._engine) as connection:
            for path in paths:
                row = live_row(connection, channel, path)
                if row is None:
                    raise NotFound("file", f"{channel}/{path}")
                now = server_time(connection, self._clock)
                serial = next_serial(connection, channel)
                apply(connection, to_artifact(row), serial, now)
                artifact = to_artifact(connection.execute(select(_T).where(_T.c.id == row.id)).one())
                append_event(connection, artifact, deed.kind, deed.by, now, deed.note, origin=deed.origin)
                awaited.update(touch_package(connection, artifact, rules, now))
                changed.append(artifact)
        return Change(artifacts=tuple(changed), serial=serial, awaited=awaited)


def _replaced(connection: Connection, artifact: Artifact) -> list[str]:
    return list(
        connection.execute(
            select(_T.c.sha256)
            .where(_T.c.channel == artifact.channel, _T.c.path == artifact.path, _T.c.state == State.REPLACED)
            .distinct()
        ).scalars()
    )


def _taken(
    connection: Connection, verified: Verified, live: Row[Any] | None, *, overwrite: bool
) -> Same | InFlight | None:
    """Return who has the name with the same bytes, None if it is free; raise as `claim` says."""
    channel, path, sha256 = verified.channel, verified.path, verified.digests.sha256
    there = select(schema.channels.c.name).where(schema.channels.c.name == channel)
    if connection.execute(there).scalar_one_or_none() is None:
        raise NotFound("channel", channel, "it was deleted during the upload")
    if is_burnt(connection, channel, path):
        raise Burnt(channel, path)
    if live is not None and live.sha256 == sha256:
        return Same(to_artifact(live))
    if live is not None and not overwrite:
        raise Exists(channel, path)
    rival = connection.execute(
        select(_T).where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.PENDING)
    ).one_or_none()
    if rival is not None and rival.sha256 != sha256:
        raise Exists(channel, path, overwrite_hint="another upload of that name is under way")
    return None if rival is None else InFlight(rival.id)
