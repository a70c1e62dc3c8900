"""Sessions of browsers, and one-time invitations to set a password. Of both only the SHA-256 is stored."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, delete, insert, or_, select, update

from packhouse.catalog import schema
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading, writing, writing_at_once
from packhouse.errors import NotFound, Unavailable

IDLE_S, ABSOLUTE_S, INVITATION_S = 8 * 3600, 7 * 86_400, 7 * 86_400
"""How long a session lasts unused and at most, and how long an invitation holds, in seconds."""

_USED_EVERY_US = 60_000_000
_T, _I = schema.sessions, schema.invitations


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser. Times in microseconds since 1970 UTC.

    Attributes:
        id: 12 hex digits by which people tell sessions apart; no part of the secret.
        csrf: what a page of ours sends back with each change (safety against forged requests). It follows from the
            cookie and is not stored; empty where the session was found without it.
    """

    id: str
    account: str
    csrf: str
    created_us: int
    used_us: int
    expires_us: int
    origin: str
    agent: str


class Sessions:
    """The sessions of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def create(self, account: str, *, origin: str, agent: str) -> tuple[Session, str]:
        """Sign an account in: a fresh secret each time, so that nobody can plant one (session fixation).

        Args:
            account: a user whose password was right.
            origin: the address it came from.
            agent: what the browser calls itself; the first 200 characters are kept.

        Returns:
            The session and its secret, the cookie's value.

        Raises:
            NotFound: the account is gone since its password was looked at.
        """
        secret, now = secrets.token_urlsafe(32), self._clock()
        accounts = schema.accounts
        with writing(self._engine) as connection:
            if connection.execute(select(accounts.c.name).where(accounts.c.name == account)).first() is None:
                raise NotFound("account", account, "`packhouse user list` shows them")
            connection.execute(
                delete(_T).where(or_(_T.c.expires_us <= now, _T.c.used_us <= now - IDLE_S * 1_000_000))
            )
            connection.execute(
                insert(_T).values(
                    sha256=_hash(secret),
                    account=account,
                    created_us=now,
                    used_us=now,
                    expires_us=now + ABSOLUTE_S * 1_000_000,
                    origin=origin,
                    agent="".join(char for char in agent if char.isprintable())[:200],
                )
            )
            row = connection.execute(select(_T).where(_T.c.sha256 == _hash(secret))).one()
        return _session(row, _csrf(secret)), secret

    def find(self, secret: str) -> Session | None:
        """Return the session of a cookie; None if it is unknown, ended, unused for 8 hours or 7 days old."""
        now = self._clock()
        with reading(self._engine) as connection:
            row = connection.execute(select(_T).where(_T.c.sha256 == _hash(secret))).one_or_none()
        if row is None or row.expires_us <= now or row.used_us <= now - IDLE_S * 1_000_000:
            return None
        if now - row.used_us > _USED_EVERY_US:
            with suppress(Unavailable), writing_at_once(self._engine) as connection:
                connection.execute(update(_T).where(_T.c.sha256 == row.sha256).values(used_us=now))
        return _session(row, _csrf(secret))

    def list(self, account: str) -> list[Session]:
        """Return the sessions of an account that last, newest first."""
        now = self._clock()
        alive = (_T.c.account == account, _T.c.expires_us > now, _T.c.used_us > now - IDLE_S * 1_000_000)
        with reading(self._engine) as connection:
            rows = connection.execute(select(_T).where(*alive).order_by(_T.c.created_us.desc())).all()
        return [_session(row) for row in rows]

    def end(self, secret: str) -> None:
        """Sign out: the cookie is worth nothing any more."""
        with writing(self._engine) as connection:
            connection.execute(delete(_T).where(_T.c.sha256 == _hash(secret)))

    def revoke(self, account: str, session_id: str) -> None:
        """End one session of an account, by its public name; raises `NotFound`, for another account's too."""
        with writing(self._engine) as connection:
            rows = connection.execute(select(_T.c.sha256).where(_T.c.account == account)).scalars()
            hits = [sha256 for sha256 in rows if sha256[:12] == session_id]
            if not hits:
                # Whoever sends the cookie itself by mistake must not find it in a log.
                raise NotFound("session", session_id if len(session_id) <= 12 else "of that name")
            connection.execute(delete(_T).where(_T.c.sha256.in_(hits)))

    def revoke_all(self, account: str) -> int:
        """End every session of an account; returns how many there were."""
        with writing(self._engine) as connection:
            return connection.execute(delete(_T).where(_T.c.account == account)).rowcount

    # --- invitations ----------------------------------------------------------------------------------------

    def invite(self, account: str) -> str:
        """Return a one-time secret with which somebody sets the password of `account`; an earlier one ends."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        with writing(self._engine) as connection:
            connection.execute(delete(_I).where(or_(_I.c.account == account, _I.c.expires_us <= now)))
            connection.execute(
                insert(_I).values(
                    sha256=_hash(secret), account=account, expires_us=now + INVITATION_S * 1_000_000
                )
            )
        return secret

    def invited(self, secret: str) -> str | None:
        """Return whose invitation that is, or None; it stays good."""
        with reading(self._engine) as connection:
            return connection.execute(
                select(_I.c.account).where(_I.c.sha256 == _hash(secret), _I.c.expires_us > self._clock())
            ).scalar_one_or_none()

    def redeem(self, secret: str) -> str | None:
        """Use an invitation up; returns whose it was, or None. Two at once: one of them gets None."""
        with writing(self._engine) as connection:
            mine = (_I.c.sha256 == _hash(secret), _I.c.expires_us > self._clock())
            account = connection.execute(select(_I.c.account).where(*mine)).scalar_one_or_none()
            connection.execute(delete(_I).where(_I.c.sha256 == _hash(secret)))
        return account


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _csrf(secret: str) -> str:
    """Return the token of the forms of a session: who has not its cookie cannot compute it."""
    return _hash(f"form:{secret}")[:32]


def _session(row: Row[Any], csrf: str = "") -> Session:
    return Session(
        id=row.sha256[:12],
        account=row.account,
        csrf=csrf,
        created_us=row.created_us,
        used_us=row.used_us,
        expires_us=row.expires_us,
        origin=row.origin,
        agent=row.agent,
    )
