"""API keys of users and service accounts.

A key is `pkh-`, 36 base62 characters and 6 more that are their CRC-32. No underscore: conda neither sends
nor redacts a token that has one. Only the SHA-256 is stored; 214 random bits need no slow hash.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, insert, select, update

from packhouse.catalog import schema
from packhouse.catalog.accounts import check_name, groups_of, refuse_taken
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import only, reading, writing, writing_at_once
from packhouse.catalog.grants import give
from packhouse.errors import BadName, Malformed, NotFound, Unavailable, Unprocessable
from packhouse.model import Action, Grant, Principal

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"pkh-([0-9A-Za-z]{36})([0-9A-Za-z]{6})")
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_USED_EVERY_US = 60_000_000
_DAY_US = 86_400_000_000

DEFAULT_DAYS, MAX_DAYS = 90, 365
"""How long a key works, in days."""

_T = schema.keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key, without its secret. Times in microseconds since 1970 UTC.

    Attributes:
        account: whose it is.
        fingerprint: 12 hex digits by which people tell keys apart; no part of the secret.
        expires_us: None is never.
        channels, actions: the scope; None is no limit.
        admin: whether the account is an admin.
    """

    id: int
    account: str
    kind: str
    name: str
    fingerprint: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None
    revoked_us: int | None
    admin: bool
    channels: tuple[str, ...] | None = None
    actions: tuple[Action, ...] | None = None

    def status(self, now_us: int) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked_us is not None:
            return "revoked"
        return "expired" if self.expires_us is not None and self.expires_us <= now_us else "active"


def new_secret() -> str:
    """Return a fresh API key."""
    body = "".join(secrets.choice(_BASE62) for _ in range(36))
    return f"pkh-{body}{_checksum(body)}"


def is_key(text: str) -> bool:
    """Whether the text is spelled like a key with a right checksum: decided without the database."""
    match = _KEY.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits


def hash_key(secret: str) -> str:
    """Return what is stored of a key: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def expiry(days: int | None, kind: str, now_us: int) -> int | None:
    """Return when a key made now ends, in microseconds since 1970 UTC; None is never.

    Args:
        days: 1 to 365; None is never, for service accounts only.
        kind: of the account, `user` or `service`.
        now_us: the clock.

    Raises:
        Malformed: another number of days, or a user's key without end.
    """
    if days is None:
        if kind != "service":
            raise Malformed(
                f"a person's key ends after 1 to {MAX_DAYS} days; only a service account's may never"
            )
        return None
    if not 1 <= days <= MAX_DAYS:
        raise Malformed(f"a key cannot last {days} days; choose 1 to {MAX_DAYS}")
    return now_us + days * _DAY_US


class Keys:
    """The API keys of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def create(
        self,
        account: str,
        name: str,
        *,
        expires_us: int | None = None,
        channels: Sequence[str] | None = None,
        actions: Sequence[Action] | None = None,
    ) -> tuple[Key, str]:
        """Make a key for an account that is there.

        Args:
            account: a user or a service account.
            name: 1 to 100 characters by which its owner knows it; unique among the account's active keys.
            expires_us: when it stops working (see `expiry`); None is never.
            channels: scope of the key; None is no limit.
            actions: scope of the key, exactly these: `write` does not cover reading here; None is no limit.

        Returns:
            The key and its secret, which is not stored and cannot be shown again.

        Raises:
            BadName: the name is empty, too long, or not one line of text.
            Malformed: a person's key without end.
            NotFound: there is no such account.
            Unprocessable: it has an active key of that name already, or waits for approval.
        """
        with writing(self._engine) as connection:
            row = _account(connection, account)
            if row is None:
                raise NotFound("account", account, "`packhouse user list` shows them")
            if row.pending:
                raise Unprocessable(f"{account} waits for an admin's approval and gets no key before it")
            if expires_us is None:
                expiry(None, row.kind, self._clock())
            return self._insert(
                connection, account, name, expires_us=expires_us, channels=channels, actions=actions
            )

    def create_for_service(
        self,
        name: str,
        *,
        admin: bool = False,
        expires_us: int | None = None,
        grants: Iterable[tuple[Action, str]] = (),
        channels: Sequence[str] | None = None,
        actions: Sequence[Action] | None = None,
    ) -> tuple[Key, str]:
        """Make a service account of that name (or use the one that is there) and a key of the same name for it.

        Args:
            name: of the account and of the key.
            admin: the account may do everything.
            expires_us: when the key stops working; None is never.
            grants: (action, channel) rights that the account gets.
            channels: scope of the key; None is no limit.
            actions: scope of the key; None is no limit.

        Returns:
            The key and its secret, which is not stored and cannot be shown again.

        Raises:
            BadName: the name breaks the rule for accounts.
            AccountExists: an account has the name in other letter case.
            Unprocessable: the name has an active key already, or another kind of account.
        """
        check_name("account", name)
        with writing(self._engine) as connection:
            _service_account(connection, name, admin=admin, now=self._clock())
            for action, channel in grants:
                grant = Grant(principal=f"service:{name}", action=action, channel=channel)
                give(connection, grant, self._clock())
            return self._insert(
                connection, name, name, expires_us=expires_us, channels=channels, actions=actions
            )

    def _insert(
        self,
        connection: Connection,
        account: str,
        name: str,
        *,
        expires_us: int | None,
        channels: Sequence[str] | None,
        actions: Sequence[Action] | None,
    ) -> tuple[Key, str]:
        if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
            raise BadName("key name", name, "use 1 to 100 characters on one line")
        now, secret = self._clock(), new_secret()
        rivals = connection.execute(
            select(_T.c.expires_us).where(
                _T.c.account == account, _T.c.name == name, _T.c.revoked_us.is_(None)
            )
        ).scalars()
        if any(end is None or end > now for end in rivals):
            raise Unprocessable(
                f"a key named {name} is active already: revoke it first, or choose another name"
            )
        inserted = connection.execute(
            insert(_T).values(
                account=account,
                name=name,
                sha256=hash_key(secret),
                fingerprint=hash_key(secret)[:12],
                created_us=now,
                expires_us=expires_us,
                channels=None if channels is None else list(channels),
                actions=None if actions is None else [str(action) for action in actions],
            )
        ).inserted_primary_key
        row = connection.execute(_query().where(_T.c.id == only(inserted))).one()
        return _key(row), secret

    def list(self, account: str | None = None) -> list[Key]:
        """Return every key (of one account), oldest first, revoked and expired ones too."""
        query = _query().order_by(_T.c.id)
        if account is not None:
            query = query.where(_T.c.account == account)
        with reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(query)]

    def find(self, wanted: str) -> Key | None:
        """Return the key of that secret or fingerprint, or None; revoked and expired ones are found, too.

        Should two share a fingerprint, it is the newest.
        """
        if is_key(wanted):
            same = _T.c.sha256 == hash_key(wanted)
        elif _FINGERPRINT.fullmatch(wanted):
            same = _T.c.fingerprint == wanted
        else:
            return None
        with reading(self._engine) as connection:
            row = connection.execute(_query().where(same).order_by(_T.c.id.desc()).limit(1)).first()
        return None if row is None else _key(row)

    def revoke(self, wanted: str, *, account: str | None = None) -> Key:
        """Revoke a key by its number, fingerprint, name or secret; the next request with it is refused.

        Args:
            wanted: number, fingerprint, name or the secret itself.
            account: whose key it must be; None is anybody's.

        Raises:
            NotFound: no active key of that number, fingerprint, name or secret.
            Unprocessable: two accounts have an active key of that name.
        """
        digest = hash_key(wanted) if is_key(wanted) else ""
        with writing(self._engine) as connection:
            query = _query(_T.c.sha256).where(_T.c.revoked_us.is_(None)).order_by(_T.c.id)
            if account is not None:
                query = query.where(_T.c.account == account)
            rows = connection.execute(query).all()
            hits = [r for r in rows if wanted in (str(r.id), r.fingerprint) or r.sha256 == digest]
            hits = hits or [r for r in rows if wanted == r.name]
            if not hits:
                # A mistyped secret is nearly one: it goes into no message and no log.
                shown = "with that secret" if "pkh-" in wanted.lower() else wanted
                raise NotFound("active key", shown, "`packhouse key list` shows them")
            if len({row.account for row in hits}) > 1:
                raise Unprocessable(
                    f"{len(hits)} accounts have a key named {wanted}: revoke by number or fingerprint"
                )
            # An expired key may have the name of its successor: the newest one is meant.
            chosen = hits[-1]
            connection.execute(update(_T).where(_T.c.id == chosen.id).values(revoked_us=self._clock()))
            row = connection.execute(_query().where(_T.c.id == chosen.id)).one()
        return _key(row)

    def authenticate(self, secret: str, *, address: str = "") -> Principal | None:
        """Return whose key this is; None for an unknown, revoked or expired one, and while the account is pending.

        `address` is where the request came from, for the history.
        """
        if not is_key(secret):
            return None
        now = self._clock()
        with reading(self._engine) as connection:
            # Looked up by digest: the secret itself is never compared.
            row = connection.execute(
                _query(schema.accounts.c.pending).where(_T.c.sha256 == hash_key(secret))
            ).one_or_none()
            if row is None or row.pending or _key(row).status(now) != "active":
                return None
            principal = Principal(
                name=row.account,
                kind=row.kind,
                admin=row.admin,
                groups=groups_of(connection, row.account),
                channels=None if row.channels is None else frozenset(row.channels),
                actions=None if row.actions is None else frozenset(Action(action) for action in row.actions),
                key_id=row.id,
                address=address,
                via=f"key:{row.fingerprint}",
            )
        if row.last_used_us is None or now - row.last_used_us > _USED_EVERY_US:
            # Readers must get in while an import holds the write lock and when the disk is full: a note that
            # cannot be made now is made by a later request.
            with suppress(Unavailable), writing_at_once(self._engine) as connection:
                connection.execute(update(_T).where(_T.c.id == row.id).values(last_used_us=now))
        return principal


def _account(connection: Connection, name: str) -> Row[Any] | None:
    table = schema.accounts
    return connection.execute(select(table).where(table.c.name == name)).one_or_none()


def _service_account(connection: Connection, name: str, *, admin: bool, now: int) -> None:
    row = _account(connection, name)
    if row is None:
        refuse_taken(connection, name)
        connection.execute(
            insert(schema.accounts).values(
                name=name, kind="service", admin=admin, pending=False, created_us=now
            )
        )
    elif row.kind != "service":
        raise Unprocessable(f"{name} is a user account; choose another name for the key")
    elif row.admin != admin:
        was = "an admin" if row.admin else "not an admin"
        raise Unprocessable(f"the account {name} exists and is {was}; choose another name for the key")


def _query(*more: Any) -> Select[Any]:
    accounts = schema.accounts
    return select(
        _T.c.id,
        _T.c.account,
        _T.c.name,
        _T.c.fingerprint,
        _T.c.created_us,
        _T.c.expires_us,
        _T.c.last_used_us,
        _T.c.revoked_us,
        _T.c.channels,
        _T.c.actions,
        accounts.c.admin,
        accounts.c.kind,
        *more,
    ).join(accounts, accounts.c.name == _T.c.account)


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        account=row.account,
        kind=row.kind,
        name=row.name,
        fingerprint=row.fingerprint,
        created_us=row.created_us,
        expires_us=row.expires_us,
        last_used_us=row.last_used_us,
        revoked_us=row.revoked_us,
        admin=row.admin,
        channels=None if row.channels is None else tuple(row.channels),
        actions=None if row.actions is None else tuple(Action(action) for action in row.actions),
    )
