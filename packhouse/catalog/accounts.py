"""Accounts, groups, grants and API keys.

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
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import only, reading, writing, writing_at_once
from packhouse.errors import BadName, NotFound, Unavailable, Unprocessable
from packhouse.model import Action, Grant, Principal

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"pkh-([0-9A-Za-z]{36})([0-9A-Za-z]{6})")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_USED_EVERY_US = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key, without its secret. Times in microseconds since 1970 UTC."""

    id: int
    account: str
    name: str
    fingerprint: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None
    revoked_us: int | None
    admin: bool


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
    return hashlib.sha256(secret.encode()).hexdigest()


class Accounts:
    """The accounts of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def create_key(
        self,
        name: str,
        *,
        admin: bool = False,
        expires_us: int | None = None,
        grants: Iterable[tuple[Action, str]] = (),
        channels: Sequence[str] | None = None,
        actions: Sequence[Action] | None = None,
    ) -> tuple[Key, str]:
        """Make a service account of that name (or use the one that is there) and a key for it.

        Args:
            name: of the account and of the key: lower-case letters, digits and `. _ @ + -`.
            admin: the account may do everything.
            expires_us: when the key stops working; None is never.
            grants: (action, channel) rights that the account gets.
            channels: scope of the key; None is no limit.
            actions: scope of the key; None is no limit.

        Returns:
            The key and its secret, which is not stored and cannot be shown again.

        Raises:
            BadName: the name breaks the rule.
            Unprocessable: the name has an active key already, or another kind of account.
        """
        if not _ACCOUNT.fullmatch(name):
            raise BadName(
                "key name", name, "use lower-case letters, digits and . _ @ + - (at most 100 characters)"
            )
        secret, now = new_secret(), self._clock()
        with writing(self._engine) as connection:
            _service_account(connection, name, admin=admin, now=now)
            rival = connection.execute(
                select(schema.keys.c.id).where(
                    schema.keys.c.account == name,
                    schema.keys.c.name == name,
                    schema.keys.c.revoked_us.is_(None),
                )
            ).scalar_one_or_none()
            if rival is not None:
                raise Unprocessable(
                    f"a key named {name} is active already: revoke it first, or choose another name"
                )
            for action, channel in grants:
                _grant(connection, Grant(principal=f"service:{name}", action=action, channel=channel))
            inserted = connection.execute(
                insert(schema.keys).values(
                    account=name,
                    name=name,
                    sha256=hash_key(secret),
                    fingerprint=hash_key(secret)[:12],
                    created_us=now,
                    expires_us=expires_us,
                    channels=None if channels is None else list(channels),
                    actions=None if actions is None else [str(action) for action in actions],
                )
            ).inserted_primary_key
            identity = only(inserted)
            row = connection.execute(_key_query().where(schema.keys.c.id == identity)).one()
        return _key(row), secret

    def keys(self) -> list[Key]:
        """Return every key, oldest first, revoked ones too."""
        with reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(_key_query().order_by(schema.keys.c.id))]

    def revoke(self, name_or_id: str) -> Key:
        """Revoke a key by its number, fingerprint or name; the next request with it is refused.

        Raises:
            NotFound: no active key of that number, fingerprint or name.
        """
        table = schema.keys
        with writing(self._engine) as connection:
            rows = connection.execute(_key_query().where(table.c.revoked_us.is_(None))).all()
            hits = [r for r in rows if name_or_id in (str(r.id), r.fingerprint, r.name)]
            if not hits:
                raise NotFound("active key", name_or_id, "`packhouse key list` shows them")
            connection.execute(update(table).where(table.c.id == hits[0].id).values(revoked_us=self._clock()))
            row = connection.execute(_key_query().where(table.c.id == hits[0].id)).one()
        return _key(row)

    def has_admin(self) -> bool:
        """Whether an admin exists who can get in: an active admin key, or an admin with a password."""
        with reading(self._engine) as connection:
            return any(
                row.admin
                and row.revoked_us is None
                and (row.expires_us is None or row.expires_us > self._clock())
                for row in connection.execute(_key_query())
            ) or bool(
                connection.execute(
                    select(schema.accounts.c.name).where(
                        schema.accounts.c.admin, schema.accounts.c.password.is_not(None)
                    )
                ).first()
            )

    def authenticate(self, secret: str) -> Principal | None:
        """Return whose key this is; None for an unknown, revoked or expired one."""
        if not is_key(secret):
            return None
        table, now = schema.keys, self._clock()
        with reading(self._engine) as connection:
            # Looked up by digest: the secret itself is never compared.
            row = connection.execute(
                _key_query(table.c.channels, table.c.actions, schema.accounts.c.kind)
                .where(table.c.sha256 == hash_key(secret))
            ).one_or_none()  # fmt: skip
            if (
                row is None
                or row.revoked_us is not None
                or (row.expires_us is not None and row.expires_us <= now)
            ):
                return None
            groups = connection.execute(
                select(schema.members.c.group).where(schema.members.c.account == row.account)
            ).scalars()
            principal = Principal(
                name=row.account,
                kind=row.kind,
                admin=row.admin,
                groups=frozenset({"everyone", "authenticated", *groups}),
                channels=None if row.channels is None else frozenset(row.channels),
                actions=None if row.actions is None else frozenset(Action(action) for action in row.actions),
                key_id=row.id,
            )
        if row.last_used_us is None or now - row.last_used_us > _USED_EVERY_US:
            # Readers must get in while an import holds the write lock and when the disk is full: a note that
            # cannot be made now is made by a later request.
            with suppress(Unavailable), writing_at_once(self._engine) as connection:
                connection.execute(update(table).where(table.c.id == row.id).values(last_used_us=now))
        return principal

    def grants(self, channel: str) -> list[Grant]:
        """Return the grants on a channel and on its packages."""
        table = schema.grants
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).where(table.c.channel == channel)).all()
        return [
            Grant(
                principal=row.principal,
                action=Action(row.action),
                channel=row.channel,
                ecosystem=row.ecosystem or None,
                package=row.package or None,
            )
            for row in rows
        ]

    def grant(self, grant: Grant) -> None:
        """Give a right; giving it twice is giving it once."""
        with writing(self._engine) as connection:
            _grant(connection, grant)


def _service_account(connection: Connection, name: str, *, admin: bool, now: int) -> None:
    table = schema.accounts
    row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if row is None:
        connection.execute(
            insert(table).values(name=name, kind="service", admin=admin, pending=False, created_us=now)
        )
    elif row.kind != "service":
        raise Unprocessable(f"{name} is a user account; choose another name for the key")
    elif row.admin != admin:
        was = "an admin" if row.admin else "not an admin"
        raise Unprocessable(f"the account {name} exists and is {was}; choose another name for the key")


def _grant(connection: Connection, grant: Grant) -> None:
    table = schema.grants
    values = {
        "principal": grant.principal,
        "action": str(grant.action),
        "channel": grant.channel,
        "ecosystem": grant.ecosystem or "",
        "package": grant.package or "",
    }
    there = select(table.c.id).where(*(table.c[name] == value for name, value in values.items()))
    if connection.execute(there).scalar_one_or_none() is None:
        connection.execute(insert(table).values(**values))


def _key_query(*more: Any) -> Select[Any]:
    table = schema.keys
    return select(
        table.c.id,
        table.c.account,
        table.c.name,
        table.c.fingerprint,
        table.c.created_us,
        table.c.expires_us,
        table.c.last_used_us,
        table.c.revoked_us,
        schema.accounts.c.admin,
        *more,
    ).join(schema.accounts, schema.accounts.c.name == table.c.account)


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        account=row.account,
        name=row.name,
        fingerprint=row.fingerprint,
        created_us=row.created_us,
        expires_us=row.expires_us,
        last_used_us=row.last_used_us,
        revoked_us=row.revoked_us,
        admin=row.admin,
    )
