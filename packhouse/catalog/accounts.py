"""Accounts (users and service accounts), whether they wait for approval, and registration.

Two names that differ in letter case only are never both there: people would grant rights to the wrong one.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from packhouse import access
from packhouse.catalog import schema
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading, writing, writing_at_once
from packhouse.catalog.grants import forget_principal
from packhouse.errors import AccountExists, BadName, LastAdmin, NotFound, RegistrationClosed, Unprocessable
from packhouse.model import Principal

_T = schema.accounts
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,99}")
_TAKEN_WORDS = frozenset({"anonymous", "local", "admin-token", "__token__", *access.BUILT_IN})
_REGISTER = "switch:register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user or a service account.

    Attributes:
        kind: `user` or `service`.
        pending: registered, and not approved yet: it may not sign in.
        has_password: False for service accounts, and for users who must set one first.
        created_us: microseconds since 1970 UTC.
    """

    name: str
    kind: str
    admin: bool
    pending: bool
    has_password: bool
    created_us: int


def check_name(kind: str, name: str) -> str:
    """Return the name of an account or a group if it follows the rule.

    Raises:
        BadName: it does not, or the word has a meaning of its own.
    """
    if not _NAME.fullmatch(name):
        raise BadName(
            f"{kind} name",
            name,
            "use letters, digits and . _ @ + - (at most 100 characters, a letter, digit or _ first)",
        )
    if name.casefold() in _TAKEN_WORDS:
        raise BadName(f"{kind} name", name, "that word has a meaning of its own here")
    return name


class Accounts:
    """The accounts of one catalog. Passwords come and go as PHC text (`catalog.passwords`)."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    # --- asking ---------------------------------------------------------------------------------------------

    def find(self, name: str) -> Account | None:
        """Return an account, or None."""
        with reading(self._engine) as connection:
            row = _row(connection, name)
        return None if row is None else _account(row)

    def get(self, name: str) -> Account:
        """Return an account, or raise `NotFound`."""
        found = self.find(name)
        if found is None:
            raise NotFound("account", name, "`packhouse user list` shows them")
        return found

    def list(self, *, kind: str | None = None, pending: bool | None = None) -> list[Account]:
        """Return accounts by name: all, or those of a kind, or those that wait (or do not wait) for approval."""
        query = select(_T).order_by(_T.c.name)
        if kind is not None:
            query = query.where(_T.c.kind == kind)
        if pending is not None:
            query = query.where(_T.c.pending.is_(pending))
        with reading(self._engine) as connection:
            return [_account(row) for row in connection.execute(query)]

    def stored_password(self, name: str) -> str | None:
        """Return the PHC text of a user's password; None without an account or a password."""
        if not _NAME.fullmatch(name):
            return None  # text that no database takes, such as a lone surrogate, ends here too
        with reading(self._engine) as connection:
            return connection.execute(
                select(_T.c.password).where(_T.c.name == name, _T.c.kind == "user")
            ).scalar_one_or_none()

    def principal(self, name: str, *, via: str, address: str = "") -> Principal | None:
        """Return an account as somebody who asks; None if it is not there or waits for approval."""
        with reading(self._engine) as connection:
            row = _row(connection, name)
            if row is None or row.pending:
                return None
            return Principal(
                name=row.name,
                kind=row.kind,
                admin=row.admin,
                groups=groups_of(connection, row.name),
                via=via,
                address=address,
            )

    def has_admin(self) -> bool:
        """Whether an admin exists who can get in: an active admin key, or an approved admin with a password."""
        with reading(self._engine) as connection:
            return _usable_admins(connection, self._clock()) != set()

    def registration_open(self, *, default: bool) -> bool:
        """Whether people may register themselves; `default` holds until an admin has said otherwise."""
        with reading(self._engine) as connection:
            said = _counter(connection, _REGISTER)
        return default if said is None else bool(said)

    # --- changing -------------------------------------------------------------------------------------------

    def open_registration(self, *, allow: bool) -> None:
        """Let people register themselves, or stop that."""
        table = schema.counters
        with writing(self._engine) as connection:
            if _counter(connection, _REGISTER) is None:
                connection.execute(insert(table).values(name=_REGISTER, value=int(allow)))
            else:
                connection.execute(update(table).where(table.c.name == _REGISTER).values(value=int(allow)))

    def register(self, name: str, password: str, *, default_open: bool) -> Account:
        """Take somebody's own registration: a pending user; the very first one becomes an approved admin.

        The first is whoever comes while no account is an admin. A service account counts, whatever became of its
        keys: an admin key that expired must not let a stranger in.

        Raises:
            BadName, AccountExists: the name cannot be had.
            RegistrationClosed: registration is not allowed.
        """
        check_name("account", name)
        with writing(self._engine) as connection:
            first = connection.execute(select(_T.c.name).where(_T.c.admin).limit(1)).first() is None
            said = _counter(connection, _REGISTER)
            if not first and not (default_open if said is None else said):
                raise RegistrationClosed
            return self._create(connection, name, "user", password, admin=first, pending=not first)

    def create(
        self,
        name: str,
        *,
        kind: str = "user",
        password: str | None = None,
        admin: bool = False,
        pending: bool = False,
    ) -> Account:
        """Make an account, approved unless it is `pending`; a user without a password must set one before signing in.

        Raises:
            BadName, AccountExists: the name cannot be had.
        """
        check_name("account", name)
        with writing(self._engine) as connection:
            return self._create(connection, name, kind, password, admin=admin, pending=pending)

    def _create(
        self,
        connection: Connection,
        name: str,
        kind: str,
        password: str | None,
        *,
        admin: bool,
        pending: bool,
    ) -> Account:
        refuse_taken(connection, name)
        connection.execute(
            insert(_T).values(
                name=name,
                kind=kind,
                admin=admin,
                password=password,
                pending=pending,
                created_us=self._clock(),
            )
        )
        return _account(_need(connection, name))

    def set_password(self, name: str, password: str) -> None:
        """Replace a user's password, end every session of theirs, and the invitation to set another one.

        Raises:
            NotFound: there is no such account.
            Unprocessable: it is a service account.
        """
        with writing(self._engine) as connection:
            _need_user(connection, name)
            connection.execute(update(_T).where(_T.c.name == name).values(password=password))
            for table in (schema.sessions, schema.invitations):
                connection.execute(delete(table).where(table.c.account == name))

    def rehash(self, name: str, old: str, new: str) -> None:
        """Store the same password hashed anew, unless it was changed meanwhile; never waits for another writer.

        Raises:
            Unavailable: another process is writing, or the disk is full; the old hash stays, and is as good.
        """
        with writing_at_once(self._engine) as connection:
            connection.execute(update(_T).where(_T.c.name == name, _T.c.password == old).values(password=new))

    def approve(self, name: str) -> Account:
        """Let a pending user in; approving twice is approving once.

        Raises:
            NotFound: there is no such account.
            Unprocessable: it is a service account.
        """
        with writing(self._engine) as connection:
            _need_user(connection, name)
            connection.execute(update(_T).where(_T.c.name == name).values(pending=False))
            return _account(_need(connection, name))

    def set_admin(self, name: str, *, admin: bool) -> Account:
        """Make an account an admin, or an admin an ordinary account; sessions end, since what they may do changed.

        Raises:
            NotFound: there is no such account.
            Unprocessable: it waits for approval.
            LastAdmin: nobody could administer the server after this.
        """
        with writing(self._engine) as connection:
            row = _need(connection, name)
            if admin and row.pending:
                raise Unprocessable(f"{name} waits for approval: approve the account first")
            if not admin:
                _keep_one_admin(connection, row, self._clock())
            if bool(row.admin) != admin:
                connection.execute(update(_T).where(_T.c.name == name).values(admin=admin))
                connection.execute(delete(schema.sessions).where(schema.sessions.c.account == name))
            return _account(_need(connection, name))

    def delete(self, name: str) -> Account:
        """Forget an account with its keys, sessions, memberships and rights; what it uploaded stays.

        Raises:
            NotFound: there is no such account.
            LastAdmin: nobody could administer the server after this.
        """
        with writing(self._engine) as connection:
            row = _need(connection, name)
            _keep_one_admin(connection, row, self._clock())
            for table in (schema.keys, schema.sessions, schema.members):
                connection.execute(delete(table).where(table.c.account == name))
            connection.execute(delete(schema.invitations).where(schema.invitations.c.account == name))
            forget_principal(connection, f"{row.kind}:{name}")
            connection.execute(delete(_T).where(_T.c.name == name))
        return _account(row)


def refuse_taken(connection: Connection, name: str) -> None:
    """Pass if no account has the name, in whatever letter case; raises `AccountExists`."""
    same = select(_T.c.name, _T.c.kind).where(func.lower(_T.c.name) == name.lower())
    # More than one: a catalog of old may hold two.
    taken = connection.execute(same.order_by(_T.c.name.desc())).first()
    if taken is not None:
        word = "user" if taken.kind == "user" else "service account"
        raise AccountExists("account", name, f"the {word} {taken.name}")


def groups_of(connection: Connection, name: str) -> frozenset[str]:
    """Return the groups of an account, the built-in ones too."""
    table = schema.members
    groups = connection.execute(select(table.c.group).where(table.c.account == name)).scalars()
    return frozenset({*access.BUILT_IN, *groups})


def _usable_admins(connection: Connection, now: int) -> set[str]:
    keys = schema.keys
    by_password = connection.execute(
        select(_T.c.name).where(_T.c.admin, _T.c.pending.is_(False), _T.c.password.is_not(None))
    ).scalars()
    by_key = connection.execute(
        select(_T.c.name, keys.c.expires_us, keys.c.channels, keys.c.actions)
        .join(keys, keys.c.account == _T.c.name)
        .where(_T.c.admin, _T.c.pending.is_(False), keys.c.revoked_us.is_(None))
    )
    return set(by_password) | {
        row.name
        for row in by_key
        if row.channels is None and row.actions is None and (row.expires_us is None or row.expires_us > now)
    }


def _keep_one_admin(connection: Connection, row: Row[Any], now: int) -> None:
    if row.admin and not _usable_admins(connection, now) - {row.name}:
        raise LastAdmin(row.name)


def _counter(connection: Connection, name: str) -> int | None:
    table = schema.counters
    return connection.execute(select(table.c.value).where(table.c.name == name)).scalar_one_or_none()


def _row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(_T).where(_T.c.name == name)).one_or_none()


def _need(connection: Connection, name: str) -> Row[Any]:
    row = _row(connection, name)
    if row is None:
        raise NotFound("account", name, "`packhouse user list` shows them")
    return row


def _need_user(connection: Connection, name: str) -> None:
    if _need(connection, name).kind != "user":
        raise Unprocessable(f"{name} is a service account: it signs in with keys only")


def _account(row: Row[Any]) -> Account:
    return Account(
        name=row.name,
        kind=row.kind,
        admin=bool(row.admin),
        pending=bool(row.pending),
        has_password=row.password is not None,
        created_us=row.created_us,
    )
