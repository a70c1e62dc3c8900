"""Rows of the catalog's artifacts, and what every change of one brings along.

Shared by the transactions in `artifacts.py` and the questions in `lookups.py`.
"""

from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from packhouse.catalog import schema
from packhouse.catalog.clock import next_value
from packhouse.digest import Sha256
from packhouse.model import Artifact, Ecosystem, EventKind, State, Verified
from packhouse.names import ChannelName, Filename

_T = schema.artifacts


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


def columns_of(verified: Verified) -> dict[str, Any]:
    """Return the columns of a verified file."""
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


def live_row(connection: Connection, channel: str, path: str) -> Row[Any] | None:
    """Return the live row at a path, or None."""
    return connection.execute(
        select(_T).where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.LIVE)
    ).one_or_none()


def is_burnt(connection: Connection, channel: str, path: str) -> bool:
    """Whether the name was deleted once."""
    return (
        connection.execute(
            select(_T.c.id)
            .where(_T.c.channel == channel, _T.c.path == path, _T.c.state == State.GONE)
            .limit(1)
        ).scalar_one_or_none()
        is not None
    )


def release_row(connection: Connection, artifact_id: int, token: str) -> bool:
    """Drop a pending row that still carries the token; False if the lease was lost."""
    where = and_(_T.c.id == artifact_id, _T.c.token == token, _T.c.state == State.PENDING)
    if connection.execute(select(_T.c.id).where(where)).scalar_one_or_none() is None:
        return False
    for table in (schema.details, schema.sidecars):
        connection.execute(delete(table).where(table.c.artifact == artifact_id))
    connection.execute(delete(_T).where(_T.c.id == artifact_id))
    return True


def suffixes_of(connection: Connection, artifact_id: int) -> list[str]:
    """Return the suffixes of an artifact's sidecar files."""
    table = schema.sidecars
    return list(connection.execute(select(table.c.suffix).where(table.c.artifact == artifact_id)).scalars())


def next_serial(connection: Connection, channel: str) -> int:
    """Count the channel's serial up and return it."""
    serial = next_value(connection, f"serial:{channel}")
    connection.execute(update(schema.channels).where(schema.channels.c.name == channel).values(serial=serial))
    return serial


def append_event(
    connection: Connection,
    artifact: Artifact,
    kind: EventKind,
    by: str,
    now: int,
    note: str = "",
    *,
    origin: str = "",
) -> None:
    """Write the next line of the channel's history; `origin` is the address that the change came from."""
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
            origin=origin,
        )
    )
