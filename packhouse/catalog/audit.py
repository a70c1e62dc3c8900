"""The audit log: who did what, when and from where. Lines are added and never changed; no secret is in one.

Uploads, deletions and yanks are not in it but in the histories of the channels, written with the change itself.
`Audit.history` tells both as one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, and_, insert, or_, select

from packhouse.catalog import schema
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading, writing
from packhouse.errors import Malformed
from packhouse.model import Principal

_T, _E = schema.audit, schema.events
_MAX = 500
_POSITION = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit log, or of a channel's history.

    Attributes:
        id: number of the line; 0 for one of a channel's history, which has a time of its own.
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

    @property
    def position(self) -> str:
        """Where the line stands: what `Audit.history` takes as `before` for the lines that are older."""
        return f"{self.at_us}.{self.id}" if self.id else str(self.at_us)


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

    def history(
        self,
        *,
        limit: int,
        before: str = "",
        who: str | None = None,
        action: str | None = None,
        object_: str | None = None,
    ) -> Sequence[Entry]:
        """Return lines of the audit log and of every channel's history, newest first.

        A line of a history has the event's kind as its action (`upload`, `replace`, `delete`, `yank`, `unyank`), the
        channel and the path as its object, and no `via`.

        Args:
            limit: at most so many.
            before: only those older than the line at this `Entry.position`; empty is all.
            who: only those of one account.
            action: only those with this verb.
            object_: only those whose object holds this text.

        Raises:
            Malformed: `before` is no position.
        """
        at_us, number = _parse_position(before)
        logged = select(_T).order_by(_T.c.at_us.desc(), _T.c.id.desc()).limit(limit)
        events = select(_E).order_by(_E.c.at_us.desc()).limit(limit)
        if at_us is not None:
            # No two events have the same time (`server_time`); of lines with the time of an event it is the newest.
            older = _T.c.at_us <= at_us if number is None else _T.c.at_us < at_us
            if number is not None:
                older = or_(older, and_(_T.c.at_us == at_us, _T.c.id < number))
            logged, events = logged.where(older), events.where(_E.c.at_us < at_us)
        if who is not None:
            logged, events = logged.where(_T.c.who == who), events.where(_E.c.by == who)
        if action is not None:
            logged, events = logged.where(_T.c.action == action), events.where(_E.c.kind == action)
        if object_ is not None:
            logged = logged.where(_T.c.object.contains(object_, autoescape=True))
            events = events.where((_E.c.channel + "/" + _E.c.path).contains(object_, autoescape=True))
        with reading(self._engine) as connection:
            found = [_entry(row) for row in connection.execute(logged)]
            found += [_event(row) for row in connection.execute(events)]
        return sorted(found, key=lambda entry: (-entry.at_us, entry.id != 0, -entry.id))[:limit]


def _parse_position(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    match = _POSITION.fullmatch(text)
    if match is None:
        raise Malformed(f"{text[:80]!r} is no place in the audit log; take it from the link to the next page")
    return int(match[1]), None if match[2] is None else int(match[2])


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


def _event(row: Row[Any]) -> Entry:
    return Entry(
        id=0,
        at_us=row.at_us,
        who=row.by,
        via="",
        origin=row.origin,
        action=row.kind,
        object=f"{row.channel}/{row.path}",
        outcome="ok",
        note=_line(row.note),
    )
