"""The audit log: who did what, when and from where. Lines are added and never changed; no secret is in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, insert, select

from packhouse.catalog import schema
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading, writing
from packhouse.model import Principal

_T = schema.audit
_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit log.

    Attributes:
        at_us: microseconds since 1970 UTC.
        who: the account, `anonymous`, or `local` for the command line on the server.
        via: `key:<fingerprint>`, `password`, `session`, `local`; empty for nobody.
        origin: the IP address, or `local`.
        action: a verb of one or two words: `grant`, `user create`, `sign in`.
        object: what it was done to.
        outcome: `ok`, or the code of the refusal.
        note: more, in words; never a secret.
    """

    id: int
    at_us: int
    who: str
    via: str
    origin: str
    action: str
    object: str
    outcome: str
    note: str


class Audit:
    """The audit log of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def note(
        self, principal: Principal, action: str, object_: str, *, outcome: str = "ok", note: str = ""
    ) -> None:
        """Add a line; durable when this returns."""
        with writing(self._engine) as connection:
            connection.execute(
                insert(_T).values(
                    at_us=self._clock(),
                    who=principal.name,
                    via=principal.via,
                    origin=principal.address,
                    action=action,
                    object=_line(object_),
                    outcome=outcome,
                    note=_line(note),
                )
            )

    def entries(
        self,
        *,
        limit: int,
        before: int | None = None,
        who: str | None = None,
        action: str | None = None,
        object_: str | None = None,
    ) -> Sequence[Entry]:
        """Return lines, newest first.

        Args:
            limit: at most so many.
            before: only those older than the line of this number.
            who: only those of one account.
            action: only those with this verb.
            object_: only those whose object holds this text.
        """
        query = select(_T).order_by(_T.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(_T.c.id < before)
        if who is not None:
            query = query.where(_T.c.who == who)
        if action is not None:
            query = query.where(_T.c.action == action)
        if object_ is not None:
            query = query.where(_T.c.object.contains(object_, autoescape=True))
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query)]


def _line(text: str) -> str:
    """One line of printable text: what a caller sent must not forge a line of the log."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= _MAX else shown[: _MAX - 3] + "..."


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        at_us=row.at_us,
        who=row.who,
        via=row.via,
        origin=row.origin,
        action=row.action,
        object=row.object,
        outcome=row.outcome,
        note=row.note,
    )
