"""Groups and who is in them. `everyone` and `authenticated` are built in and never stored."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select

from packhouse import access
from packhouse.catalog import schema
from packhouse.catalog.accounts import check_name
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading, writing
from packhouse.catalog.grants import forget_principal
from packhouse.errors import AccountExists, BadName, NotFound

_T, _M = schema.groups, schema.members


class Groups:
    """The groups of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def list(self) -> Sequence[str]:
        """Return every group, by name."""
        with reading(self._engine) as connection:
            return list(connection.execute(select(_T.c.name).order_by(_T.c.name)).scalars())

    def exists(self, name: str) -> bool:
        """Whether there is such a group."""
        with reading(self._engine) as connection:
            return _is_there(connection, name)

    def members(self, name: str) -> Sequence[str]:
        """Return the accounts in a group, by name; raises `NotFound`."""
        with reading(self._engine) as connection:
            _need(connection, name)
            return list(
                connection.execute(
                    select(_M.c.account).where(_M.c.group == name).order_by(_M.c.account)
                ).scalars()
            )

    def of(self, account: str) -> Sequence[str]:
        """Return the groups an account is in, by name, without the built-in ones."""
        with reading(self._engine) as connection:
            return list(
                connection.execute(
                    select(_M.c.group).where(_M.c.account == account).order_by(_M.c.group)
                ).scalars()
            )

    def create(self, name: str) -> bool:
        """Make a group; False if it is there already.

        Raises:
            BadName: the name breaks the rule or is built in.
            AccountExists: a group has the name in other letter case.
        """
        if name.casefold() in access.BUILT_IN:
            raise BadName("group name", name, "that group is built in, and who is in it cannot be changed")
        check_name("group", name)
        with writing(self._engine) as connection:
            taken = connection.execute(
                select(_T.c.name).where(func.lower(_T.c.name) == name.lower())
            ).scalar_one_or_none()
            if taken is None:
                connection.execute(insert(_T).values(name=name, created_us=self._clock()))
            elif taken != name:
                raise AccountExists("group", name, f"the group {taken}")
        return taken is None

    def delete(self, name: str) -> None:
        """Forget a group with its members and rights; raises `NotFound`."""
        with writing(self._engine) as connection:
            _need(connection, name)
            connection.execute(delete(_M).where(_M.c.group == name))
            forget_principal(connection, f"group:{name}")
            connection.execute(delete(_T).where(_T.c.name == name))

    def add(self, account: str, name: str) -> bool:
        """Put an account into a group; False if it is in it already.

        Raises:
            NotFound: there is no such account or group.
        """
        with writing(self._engine) as connection:
            _need(connection, name)
            accounts = schema.accounts
            if connection.execute(select(accounts.c.name).where(accounts.c.name == account)).first() is None:
                raise NotFound("account", account, "`packhouse user list` shows them")
            if connection.execute(select(_M.c.group).where(*_is(account, name))).first() is not None:
                return False
            connection.execute(insert(_M).values(group=name, account=account))
        return True

    def remove(self, account: str, name: str) -> bool:
        """Take an account out of a group; False if it was not in it. Raises `NotFound` for an unknown group."""
        with writing(self._engine) as connection:
            _need(connection, name)
            return connection.execute(delete(_M).where(*_is(account, name))).rowcount > 0


def _is(account: str, name: str) -> tuple[Any, ...]:
    return _M.c.account == account, _M.c.group == name


def _is_there(connection: Connection, name: str) -> bool:
    return connection.execute(select(_T.c.name).where(_T.c.name == name)).first() is not None


def _need(connection: Connection, name: str) -> None:
    if name in access.BUILT_IN:
        raise BadName("group name", name, "that group is built in, and who is in it cannot be changed")
    if not _is_there(connection, name):
        raise NotFound("group", name, "`packhouse group list` shows them")
