"""Accounts, groups and rights as one document, for `GET /admin/acl.json.gz` and `packhouse acl`.

The shape is that of pypicloud's `ppc-export`, read and written:

    {"allow_register": bool, "version": text,
     "groups": {group: [user]},
     "users": [{"username": text, "admin": bool, "password": null}],
     "pending_users": [{"username": text, "password": null}],
     "packages": {"users": {package: {user: [permission]}}, "groups": {package: {group: [permission]}}},
     "closed": [package]}

Rights are those on the default channel's Python packages. `closed` is ours: packages without a right of anybody that
nevertheless left the defaults. Service accounts and their rights are not in it, since their keys could not be either.
A password never leaves and never arrives: other programs' hashes are not kept, so imported users set a new one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from packhouse import __version__, access
from packhouse.errors import AccountExists, BadName, Malformed, NotFound
from packhouse.house import House
from packhouse.intake import moving
from packhouse.model import Action, Area, Ecosystem, Grant, Json, Principal
from packhouse.names import parse_project


@dataclass(slots=True)
class Report:
    """What an import did. Doing it again changes nothing and lists the same names as kept.

    Attributes:
        users, pending, groups: names that were made.
        kept: names of users that were there; their password and whether they are admins stay as they are.
        memberships, grants, closed: how many were new.
        registration: whether people may register themselves from now on; None if the document does not say.
        hashes: how many passwords the document held, none of which was taken.
        without_password: the document's users who have no password now and must set one.
        invitations: user to the one-time secret for that, where they were asked for.
        skipped: sentences about what was left aside.
        awaited: what to wait for until lists name what they may, and no more.
    """

    users: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    memberships: int = 0
    grants: int = 0
    closed: int = 0
    registration: bool | None = None
    hashes: int = 0
    without_password: list[str] = field(default_factory=list)
    invitations: dict[str, str] = field(default_factory=dict, repr=False)
    skipped: list[str] = field(default_factory=list)
    awaited: dict[Area, int] = field(default_factory=dict)


def dump(house: House) -> dict[str, Json]:
    """Return the document of a house."""
    catalog, channel = house.catalog, house.settings.default_channel
    users = catalog.accounts.list(kind="user")
    words: dict[str, dict[str, dict[str, set[Action]]]] = {"user": {}, "group": {}}
    granted: set[str] = set()
    for grant in catalog.grants.of_channel(channel):
        kind, _, name = grant.principal.partition(":")
        if grant.ecosystem == Ecosystem.PYPI and grant.package is not None and kind in words:
            granted.add(grant.package)
            mine = words[kind].setdefault(grant.package, {})
            mine.setdefault(name, set()).add(grant.action)
    names = {user.name for user in users}
    return {
        "allow_register": catalog.accounts.registration_open(default=house.settings.allow_register),
        "version": __version__,
        "groups": {
            group: [member for member in catalog.groups.members(group) if member in names]
            for group in catalog.groups.list()
        },
        "users": [
            {"username": user.name, "admin": user.admin, "password": None}
            for user in users
            if not user.pending
        ],
        "pending_users": [{"username": user.name, "password": None} for user in users if user.pending],
        "packages": {"users": _spelled(words["user"]), "groups": _spelled(words["group"])},
        "closed": sorted(
            package
            for ecosystem, package in catalog.grants.closed(channel)
            if ecosystem == Ecosystem.PYPI and package not in granted
        ),
    }


def _spelled(words: Mapping[str, Mapping[str, set[Action]]]) -> dict[str, dict[str, list[str]]]:
    return {
        package: {
            name: [str(action) for action in Action if action in actions]
            for name, actions in sorted(who.items())
        }
        for package, who in sorted(words.items())
    }


def load(house: House, document: Json, by: Principal, *, invite: bool = False) -> Report:
    """Take the accounts, groups and rights of a document in; nothing that is here already is taken away or changed.

    Args:
        house: where; the rights are given in its default channel.
        document: `dump`'s, or pypicloud's own; the whole of it is understood before anything is done.
        by: who does it, for the audit log.
        invite: make an invitation for everyone who has no password.

    Raises:
        Malformed: the document is not of that shape; the sentence names the key, never a password.
        Unavailable: the store failed; what was done stays, and a second run goes on.
    """
    wanted = _read(document)
    run = _Run(house, Report())
    run.accounts(wanted)
    run.groups(wanted)
    run.rights(wanted)
    report = run.report
    if wanted.registration is not None:
        house.catalog.accounts.open_registration(allow=wanted.registration)
        report.registration = wanted.registration
    run.passwords(wanted, invite=invite)
    note = f"{len(report.users)} users, {len(report.groups)} groups, {report.grants} rights"
    house.catalog.audit.note(by, "acl import", str(house.settings.default_channel), note=note)
    return report


# --- understanding the document -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A document, understood."""

    users: Mapping[str, bool]
    pending: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    rights: tuple[tuple[str, str, str, str], ...]
    """(package, `user` or `group`, name, word)."""
    closed: tuple[str, ...]
    registration: bool | None
    hashes: int


def _read(document: Json) -> _Wanted:
    root = _dict("the document", document)
    users = [_dict("users", item) for item in _list("users", root.get("users"))]
    # pypicloud once listed them by name only.
    waiting = [
        {"username": item} if isinstance(item, str) else _dict("pending_users", item)
        for item in _list("pending_users", root.get("pending_users"))
    ]
    allow = root.get("allow_register")
    if not isinstance(allow, bool | None):
        raise Malformed("allow_register is neither true nor false")
    packages = _dict("packages", root.get("packages"))
    return _Wanted(
        users={_text("username", item.get("username")): item.get("admin") is True for item in users},
        pending=tuple(_text("username", item.get("username")) for item in waiting),
        groups={
            group: tuple(_text(f"member of {group}", member) for member in _list(f"groups.{group}", members))
            for group, members in _dict("groups", root.get("groups")).items()
        },
        rights=tuple(
            right
            for key, kind in (("users", "user"), ("groups", "group"))
            for right in _rights(_dict(f"packages.{key}", packages.get(key)), kind)
        ),
        closed=tuple(_text("closed", item) for item in _list("closed", root.get("closed"))),
        registration=allow,
        hashes=sum(1 for item in (*users, *waiting) if item.get("password")),
    )


def _rights(packages: Mapping[str, Json], kind: str) -> Iterator[tuple[str, str, str, str]]:
    for package, who in packages.items():
        for name, words in _dict(f"packages.{kind}s.{package}", who).items():
            for word in _list(f"packages.{kind}s.{package}.{name}", words):
                yield package, kind, name, _text("permission", word)


def _dict(what: str, value: Json) -> Mapping[str, Json]:
    if value is None and what != "the document":
        return {}
    if not isinstance(value, dict):
        raise Malformed(
            f"{what[:200]} is no JSON object; give a document that pypicloud or this server exported"
        )
    return value


def _list(what: str, value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(
            f"{what[:200]} is no JSON list; give a document that pypicloud or this server exported"
        )
    return value


def _text(what: str, value: Json) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{what[:200]} is no text; give a document that pypicloud or this server exported")
    return value


# --- doing it -----------------------------------------------------------------------------------------------------


class _Run:
    """One import."""

    def __init__(self, house: House, report: Report) -> None:
        self._house, self.report = house, report

    def accounts(self, wanted: _Wanted) -> None:
        accounts = self._house.catalog.accounts
        for name, admin in wanted.users.items():
            if accounts.find(name) is not None:
                self.report.kept.append(name)
            elif self._done(f"user {name}", partial(accounts.create, name, admin=admin)):
                self.report.users.append(name)
        for name in wanted.pending:
            if accounts.find(name) is not None:
                self.report.kept.append(name)
            elif self._done(f"user {name}", partial(accounts.create, name, pending=True)):
                self.report.pending.append(name)
        self.report.hashes = wanted.hashes

    def groups(self, wanted: _Wanted) -> None:
        groups = self._house.catalog.groups
        for group, members in wanted.groups.items():
            if group in access.BUILT_IN:
                continue  # everybody is in them without being listed
            if self._done(f"group {group}", partial(groups.create, group)):
                self.report.groups.append(group)
            for member in members:
                what = f"{member} in group {group}"
                self.report.memberships += self._done(what, partial(groups.add, member, group))

    def rights(self, wanted: _Wanted) -> None:
        for package, kind, name, word in wanted.rights:
            what = f"{word} on {package} for {kind} {name}"
            self.report.grants += self._done(what, partial(self._give, package, kind, name, word))
        for package in wanted.closed:
            self.report.closed += self._done(f"closed {package}", partial(self._close, package))

    def passwords(self, wanted: _Wanted, *, invite: bool) -> None:
        for name in (*wanted.users, *wanted.pending):
            account = self._house.catalog.accounts.find(name)
            if account is None or account.kind != "user" or account.has_password:
                continue
            self.report.without_password.append(name)
            if invite and not account.pending:
                self.report.invitations[name] = self._house.catalog.sessions.invite(name)

    def _give(self, package: str, kind: str, name: str, word: str) -> bool:
        if word not in tuple(Action):
            raise Malformed(f"there is no permission {word!r}")
        grant = Grant(
            principal=f"{kind}:{name}",
            action=Action(word),
            channel=self._house.settings.default_channel,
            ecosystem=Ecosystem.PYPI,
            package=parse_project(package),
        )
        moved = moving.give(self._house, grant)
        self.report.awaited.update(moved.awaited)
        return moved.changed

    def _close(self, package: str) -> bool:
        channel = self._house.settings.default_channel
        moved = moving.close(self._house, channel, Ecosystem.PYPI, parse_project(package))
        self.report.awaited.update(moved.awaited)
        return moved.changed

    def _done(self, what: str, do: Callable[[], object]) -> bool:
        """Do one thing; False if it was so already, or is left aside because of its names."""
        try:
            return bool(do())
        except (AccountExists, BadName, Malformed, NotFound) as error:
            self.report.skipped.append(f"{what[:200]}: {error}")
            return False
