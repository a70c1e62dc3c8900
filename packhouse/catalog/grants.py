"""Grants, and which packages they closed.

The first grant on a package switches the defaults off for it for good: a row in `closed`, written in the same
transaction and never deleted. Whether the package belongs to `restricted/` is decided by `access.restricted` in
that transaction too, and kept in the row; whoever changes it moves the files (`packhouse/intake/moving.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, delete, insert, or_, select, update

from packhouse import access
from packhouse.catalog import schema
from packhouse.catalog.areas import mark
from packhouse.catalog.clock import Clock
from packhouse.catalog.engine import reading, writing
from packhouse.errors import NotFound, Unprocessable
from packhouse.model import Action, Area, Ecosystem, Grant, Policy

_T = schema.grants
_KINDS = ("user", "service", "group")
_NONE: Mapping[tuple[str, str], Iterable[Area]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What became of a grant that was given or taken.

    Attributes:
        changed: False where it was so already.
        restricted: whether the package belongs to `restricted/` now; of a grant on a whole channel, whether one does
            that did not before.
        moved: whether that is new, so that files have to move.
        awaited: generations that publish the move.
    """

    changed: bool
    restricted: bool = False
    moved: bool = False
    awaited: Mapping[Area, int]


class Grants:
    """The grants of one catalog."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    # --- asking ---------------------------------------------------------------------------------------------

    def about(
        self, channel: str, ecosystem: str | None = None, package: str | None = None
    ) -> tuple[list[Grant], frozenset[tuple[str, str]]]:
        """Return what decides about one package (or a whole channel): its grants, and itself if it is closed.

        Returns:
            The grants on the channel and on the package; (ecosystem, package) of it if it is closed, else nothing.
        """
        wide = _T.c.package == ""
        with reading(self._engine) as connection:
            if package is None:
                rows = connection.execute(select(_T).where(_T.c.channel == channel, wide)).all()
                return [_grant(row) for row in rows], frozenset()
            own = and_(_T.c.ecosystem == ecosystem, _T.c.package == package)
            rows = connection.execute(select(_T).where(_T.c.channel == channel, or_(wide, own))).all()
            row = _closed_row(connection, channel, str(ecosystem), package)
        closed = frozenset() if row is None else frozenset({(row.ecosystem, row.package)})
        return [_grant(row) for row in rows], closed

    def of_channel(self, channel: str) -> list[Grant]:
        """Return the grants on a channel and on its packages, by package, then as they were given."""
        order = (_T.c.ecosystem, _T.c.package, _T.c.id)
        with reading(self._engine) as connection:
            rows = connection.execute(select(_T).where(_T.c.channel == channel).order_by(*order)).all()
        return [_grant(row) for row in rows]

    def of_principals(self, principals: Iterable[str], channel: str | None = None) -> list[Grant]:
        """Return the grants that some principals (`user:<name>`, `group:<name>`) were given, in one channel or all."""
        query = select(_T).where(_T.c.principal.in_(sorted(principals)))
        if channel is not None:
            query = query.where(_T.c.channel == channel)
        order = (_T.c.channel, _T.c.ecosystem, _T.c.package, _T.c.id)
        with reading(self._engine) as connection:
            return [_grant(row) for row in connection.execute(query.order_by(*order))]

    def of_package(self, channel: str, ecosystem: str, package: str) -> list[Grant]:
        """Return the grants that one package has of its own, as they were given."""
        mine = (_T.c.channel == channel, _T.c.ecosystem == ecosystem, _T.c.package == package)
        with reading(self._engine) as connection:
            return [_grant(row) for row in connection.execute(select(_T).where(*mine).order_by(_T.c.id))]

    def closed(self, channel: str) -> frozenset[tuple[str, str]]:
        """Return (ecosystem, package) of every package that ever had a grant of its own."""
        return self._closed(channel, restricted=False)

    def restricted(self, channel: str) -> frozenset[tuple[str, str]]:
        """Return (ecosystem, package) of every package whose files belong to `restricted/`."""
        return self._closed(channel, restricted=True)

    def _closed(self, channel: str, *, restricted: bool) -> frozenset[tuple[str, str]]:
        table = schema.closed
        query = select(table.c.ecosystem, table.c.package).where(table.c.channel == channel)
        if restricted:
            query = query.where(table.c.restricted)
        with reading(self._engine) as connection:
            return frozenset((row.ecosystem, row.package) for row in connection.execute(query))

    # --- changing -------------------------------------------------------------------------------------------

    def give(
        self,
        grant: Grant,
        *,
        areas: Iterable[Area] = (),
        closed: Mapping[tuple[str, str], Iterable[Area]] = _NONE,
    ) -> Given:
        """Give a right; giving it twice is giving it once.

        Args:
            grant: on a channel or on a package, which need not be there yet.
            areas: what is published of the package; marked if its files have to move.
            closed: the same of each closed package, (ecosystem, package), for a grant to `everyone` on a whole channel:
                what they may change there they may read, closed packages too.

        Raises:
            NotFound: there is no such channel, user, service account or group.
            Unprocessable: a right that cannot be given: reading one conda package, or a package without its ecosystem.
        """
        _check(grant)
        with writing(self._engine) as connection:
            _refuse_unknown(connection, grant)
            given = give(connection, grant, self._clock(), areas=areas)
            return _reconsider(connection, grant, self._clock(), closed, given)

    def take(
        self,
        grant: Grant,
        *,
        areas: Iterable[Area] = (),
        closed: Mapping[tuple[str, str], Iterable[Area]] = _NONE,
    ) -> Given:
        """Take a right away; the package stays closed. `areas` and `closed` as for `give`."""
        with writing(self._engine) as connection:
            gone = connection.execute(delete(_T).where(*_same(grant))).rowcount > 0
            given = _settle(connection, grant, self._clock(), areas, changed=gone)
            return _reconsider(connection, grant, self._clock(), closed, given)

    def close(self, channel: str, ecosystem: str, package: str, *, areas: Iterable[Area] = ()) -> Given:
        """Switch the defaults off for a package without granting anything: only admins may use it then."""
        about = Grant(principal="", action=Action.READ, channel=channel, ecosystem=ecosystem, package=package)
        with writing(self._engine) as connection:
            there = _closed_row(connection, channel, ecosystem, package) is not None
            _close(connection, about, self._clock())
            return _settle(connection, about, self._clock(), areas, changed=not there)


def give(connection: Connection, grant: Grant, now: int, *, areas: Iterable[Area] = ()) -> Given:
    """Give a right inside a write transaction of the catalog; see `Grants.give`."""
    there = connection.execute(select(_T.c.id).where(*_same(grant))).scalar_one_or_none()
    if there is None:
        connection.execute(insert(_T).values(**_columns(grant)))
    if grant.package is not None:
        _close(connection, grant, now)
    return _settle(connection, grant, now, areas, changed=there is None)


def forget_principal(connection: Connection, principal: str) -> None:
    """Take every right of an account or a group away; needs a write transaction. What was closed stays closed.

    No file has to move: what is restricted depends on what `everyone` was granted, and `everyone` stays.
    """
    connection.execute(delete(_T).where(_T.c.principal == principal))


def _reconsider(
    connection: Connection,
    grant: Grant,
    now: int,
    areas: Mapping[tuple[str, str], Iterable[Area]],
    given: Given,
) -> Given:
    """Decide anew which closed packages are restricted, after a grant to `everyone` on the whole channel changed.

    In the transaction of that change: between two, a crash would leave a package readable by all that nobody may read.
    """
    if grant.package is not None or grant.principal != f"group:{access.EVERYONE}":
        return given
    table, awaited = schema.closed, dict[Area, int]()
    moved = restricted = False
    for row in connection.execute(select(table).where(table.c.channel == grant.channel)).all():
        about = Grant(
            principal="",
            action=Action.READ,
            channel=grant.channel,
            ecosystem=row.ecosystem,
            package=row.package,
        )
        mine = areas.get((row.ecosystem, row.package), ())
        one = _settle(connection, about, now, mine, changed=False)
        awaited.update(one.awaited)
        moved, restricted = moved or one.moved, restricted or (one.moved and one.restricted)
    return Given(changed=given.changed, restricted=restricted, moved=moved, awaited=awaited)


def _settle(connection: Connection, grant: Grant, now: int, areas: Iterable[Area], *, changed: bool) -> Given:
    """Note where the package belongs now; if that is new, mark what is published of it."""
    if grant.package is None or grant.ecosystem is None:
        return Given(changed=changed, awaited={})
    row = _closed_row(connection, grant.channel, grant.ecosystem, grant.package)
    if row is None:  # a right was taken that was never there
        return Given(changed=changed, awaited={})
    rows = connection.execute(
        select(_T).where(
            _T.c.channel == grant.channel,
            or_(_T.c.package == "", and_(_T.c.ecosystem == grant.ecosystem, _T.c.package == grant.package)),
        )
    ).all()
    policy = Policy(
        channel=grant.channel,
        grants=[_grant(item) for item in rows],
        closed=frozenset({(grant.ecosystem, grant.package)}),
    )
    wanted = access.restricted(policy, grant.ecosystem, grant.package)
    if wanted == row.restricted:
        return Given(changed=changed, restricted=wanted, awaited={})
    table = schema.closed
    connection.execute(update(table).where(*_is(grant)).values(restricted=wanted))
    awaited = mark(connection, dict.fromkeys(areas, 0.0), now)
    return Given(changed=True, restricted=wanted, moved=True, awaited=awaited)


def _check(grant: Grant) -> None:
    kind, _, name = grant.principal.partition(":")
    if kind not in _KINDS or not name:
        raise Unprocessable(
            f"{grant.principal!r} cannot be given a right: name it user:NAME, service:NAME or group:NAME"
        )
    if grant.package is not None and grant.ecosystem not in tuple(Ecosystem):
        raise Unprocessable(f"the package {grant.package} needs its ecosystem: one of {', '.join(Ecosystem)}")
    if grant.package is not None and grant.ecosystem == Ecosystem.CONDA and grant.action is Action.READ:
        raise Unprocessable(
            f"reading cannot be granted on the one conda package {grant.package}: conda reads a channel's "
            "repodata.json as a whole; grant reading on the channel, or put the package into a channel of its own"
        )


def _refuse_unknown(connection: Connection, grant: Grant) -> None:
    there = select(schema.channels.c.name).where(schema.channels.c.name == grant.channel)
    if connection.execute(there).scalar_one_or_none() is None:
        raise NotFound("channel", grant.channel, "create it with `packhouse channel create`")
    kind, _, name = grant.principal.partition(":")
    if kind == "group":
        known = name in access.BUILT_IN or (
            connection.execute(select(schema.groups.c.name).where(schema.groups.c.name == name)).first()
            is not None
        )
    else:
        accounts = schema.accounts
        known = (
            connection.execute(
                select(accounts.c.name).where(accounts.c.name == name, accounts.c.kind == kind)
            ).first()
            is not None
        )
    if not known:
        raise NotFound(_WORDS[kind], name, f"`packhouse {kind} list` shows them")


_WORDS = {"user": "user", "service": "service account", "group": "group"}


def _close(connection: Connection, grant: Grant, now: int) -> None:
    if _closed_row(connection, grant.channel, str(grant.ecosystem), str(grant.package)) is None:
        connection.execute(
            insert(schema.closed).values(
                channel=grant.channel,
                ecosystem=grant.ecosystem,
                package=grant.package,
                restricted=False,
                since_us=now,
            )
        )


def _closed_row(connection: Connection, channel: str, ecosystem: str, package: str) -> Row[Any] | None:
    table = schema.closed
    return connection.execute(
        select(table).where(
            table.c.channel == channel, table.c.ecosystem == ecosystem, table.c.package == package
        )
    ).one_or_none()


def _is(grant: Grant) -> tuple[Any, ...]:
    table = schema.closed
    return (
        table.c.channel == grant.channel,
        table.c.ecosystem == grant.ecosystem,
        table.c.package == grant.package,
    )


def _columns(grant: Grant) -> dict[str, str]:
    return {
        "principal": grant.principal,
        "action": str(grant.action),
        "channel": grant.channel,
        "ecosystem": grant.ecosystem or "",
        "package": grant.package or "",
    }


def _same(grant: Grant) -> tuple[Any, ...]:
    return tuple(_T.c[name] == value for name, value in _columns(grant).items())


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        principal=row.principal,
        action=Action(row.action),
        channel=row.channel,
        ecosystem=row.ecosystem or None,
        package=row.package or None,
    )
