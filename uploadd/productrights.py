"""Products as the product service sees them: which are there, who may do what to them. Everything here blocks.

A product is a package of the default channel's generic ecosystem. It is there once somebody has a right of their own on
it, or once it has a file. Its name is taken in lower case before anything is decided: `My-Lib` is `my-lib`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from packhouse import access
from packhouse.catalog.keys import Key
from packhouse.ecosystems.generic.names import parse_part
from packhouse.errors import Burnt, Forbidden, NotFound, ProductExists, VersionExists
from packhouse.house import House
from packhouse.intake import changes, moving
from packhouse.model import Action, Area, Artifact, Channel, Ecosystem, Grant, Policy, Principal, State
from uploadd.call import Call

CREATORS = "product-service"
"""Who is in this group may make products; they get no right on any that is there. `PUT /register` fills it."""

PERMISSIONS: Mapping[str, Action] = {
    "maintainer": Action.MAINTAIN,
    "download": Action.READ,
    "upload": Action.WRITE,
    "delete": Action.DELETE,
}
"""The service's words, in its order, and the action that each of them is."""

_GENERIC = Ecosystem.GENERIC


def here(call: Call) -> Call:
    """Return the call with the default channel, where products live; raises `NotFound` if it was deleted."""
    house = call.services.house
    return replace(call, channel=house.catalog.channels.get(house.settings.default_channel))


def parse_name(text: str) -> str:
    """Return a product's name as rights know it, in lower case; raises `BadName`."""
    return parse_part("product name", text).lower()


# --- asking --------------------------------------------------------------------------------------------------------


def readable(call: Call) -> Sequence[str]:
    """Return the names of the products that the caller may read, sorted."""
    rights, me, channel = call.services.rights, call.principal, call.here
    catalog = call.services.house.catalog
    named = {
        grant.package
        for grant in catalog.grants.of_channel(channel.name)
        if grant.ecosystem == _GENERIC and grant.package is not None
    }
    there = named | set(catalog.artifacts.versions(channel.name, _GENERIC))
    if rights.permits(me, Action.READ, channel, _GENERIC):
        hidden = {name for eco, name in catalog.grants.restricted(channel.name) if eco == _GENERIC}
        return sorted(there - hidden | there & rights.restricted_for(me, channel, _GENERIC))
    return sorted(there & {name for eco, name in rights.granted(me, channel) if eco == _GENERIC})


def require(call: Call, action: Action, name: str) -> None:
    """Pass if there is such a product and the caller may do `action` to it.

    Raises:
        NotFound: there is none, or they may not even read it: one sentence for both.
        Forbidden: they may read it, but not do this.
    """
    owner = _GENERIC, name
    if not _exists(call.services.house, call.here, name) or not call.services.rights.permits(
        call.principal, Action.READ, call.here, *owner
    ):
        raise NotFound("product", name, "`GET /product/access` lists yours, `PUT /product/create` makes one")
    call.require(action, *owner)


def versions(call: Call, name: str) -> list[Artifact]:
    """Return the live files of a product."""
    return call.services.house.catalog.artifacts.of_version(call.here.name, _GENERIC, name)


def version(call: Call, name: str, text: str) -> list[Artifact]:
    """Return the live files of one version, at least one; raises `NotFound`."""
    found = call.services.house.catalog.artifacts.of_version(call.here.name, _GENERIC, name, text)
    if not found:
        raise NotFound("version", f"{text[:128]} of {name}", f"`GET /product/fetch/{name}` lists them")
    return found


def tokens(call: Call, name: str) -> dict[str, dict[str, bool]]:
    """Return what each active key of each account with a right on a product may do to it, by fingerprint.

    Whoever has rights as a member of a group, on the whole channel or as an admin is not among them.
    """
    catalog = call.services.house.catalog
    now = catalog.clock()
    grants = catalog.grants.of_package(call.here.name, _GENERIC, name)
    accounts = [tuple(principal.split(":", 1)) for principal in sorted({grant.principal for grant in grants})]
    policy = Policy(channel=call.here.name, grants=grants, closed=frozenset({(_GENERIC, name)}))
    return {
        key.fingerprint: {
            word: access.permits(policy, _holder(key), action, _GENERIC, name)
            for word, action in PERMISSIONS.items()
        }
        for kind, account in accounts
        if kind != "group"
        for key in catalog.keys.list(account)
        if key.status(now) == "active"
    }


def _holder(key: Key) -> Principal:
    """Return whoever shows that key, without what groups and being an admin would add."""
    return Principal(
        name=key.account,
        kind=key.kind,
        groups=frozenset(),
        channels=None if key.channels is None else frozenset(key.channels),
        actions=None if key.actions is None else frozenset(key.actions),
    )


def _exists(house: House, channel: Channel, name: str) -> bool:
    if house.catalog.grants.of_package(channel.name, _GENERIC, name):
        return True
    return State.LIVE in house.catalog.artifacts.states(channel.name, _GENERIC, name)


# --- changing ------------------------------------------------------------------------------------------------------


def create(call: Call, name: str) -> Mapping[Area, int]:
    """Make a product that only the caller may use: the first right on it closes it, in the same transaction.

    Returns:
        The generations to wait for.

    Raises:
        Forbidden: the caller may neither write packages that nobody has, nor is among the `CREATORS`.
        ProductExists: the name is in use, or was once, or an admin closed it.
    """
    house, channel, owner = call.services.house, call.here, (_GENERIC, name)
    _may_create(call, name)
    with house.locks.hold(f"product:{channel.name}/{name}"):
        taken = owner in house.catalog.grants.closed(channel.name)
        if taken or house.catalog.artifacts.states(channel.name, *owner):
            raise ProductExists(name)
        return moving.give(house, _grant(call, _me(call.principal), Action.MAINTAIN, name)).awaited


def _may_create(call: Call, name: str) -> None:
    me, channel = call.principal, call.here
    if call.services.rights.permits(me, Action.WRITE, channel, _GENERIC):
        return  # they may write what nobody has a right on
    # As good as a right to write the one product that is about to be: decided where all rights are.
    creators = Policy(
        channel=channel.name, grants=[_grant(call, f"group:{CREATORS}", Action.WRITE, name)], private=True
    )
    if not access.permits(creators, me, Action.WRITE, _GENERIC, name):
        raise Forbidden(me.name, "create", "products")


def set_permissions(call: Call, name: str, key: Key, wanted: Collection[Action]) -> Mapping[Area, int]:
    """Give a key's account just these rights on a product, in place of those that it had.

    Args:
        call: of a maintainer.
        name: the product.
        key: of the account.
        wanted: the rights; none takes all away.

    Returns:
        The generations to wait for.
    """
    house, awaited = call.services.house, dict[Area, int]()
    principal = f"{key.kind}:{key.account}"
    # First given, then taken: nobody is without a right that they had and keep.
    for action in Action:
        if action in wanted:
            awaited.update(moving.give(house, _grant(call, principal, action, name)).awaited)
    for action in Action:
        if action not in wanted:
            awaited.update(moving.take(house, _grant(call, principal, action, name)).awaited)
    return awaited


def has_rights(call: Call, name: str, key: Key) -> bool:
    """Whether a key's account has a right of its own on a product."""
    there = call.services.house.catalog.grants.of_package(call.here.name, _GENERIC, name)
    return f"{key.kind}:{key.account}" in {grant.principal for grant in there}


def delete_versions(call: Call, artifacts: Sequence[Artifact], *, now: bool, note: str) -> Mapping[Area, int]:
    """Delete n >= 1 files of a product, all or none; their version is burnt."""
    house = call.services.house
    return changes.delete_all(house, artifacts, call.principal, now=now, note=note).awaited


def delete(call: Call, name: str, *, now: bool, note: str) -> Mapping[Area, int]:
    """Delete a product: its files, then every right on it. The name is not free again."""
    house, awaited = call.services.house, dict[Area, int]()
    files = versions(call, name)
    if files:
        awaited.update(delete_versions(call, files, now=now, note=note))
    mine = _me(call.principal)
    there = house.catalog.grants.of_package(call.here.name, _GENERIC, name)
    # The caller's own last: if this is cut short, they may still repeat it.
    for grant in sorted(there, key=lambda grant: grant.principal == mine):
        awaited.update(moving.take(house, grant).awaited)
    return awaited


# --- uploading -----------------------------------------------------------------------------------------------------


def refuse_taken(call: Call, name: str, text: str) -> None:
    """Pass if a product has no such version and never had.

    Raises:
        VersionExists: it has one, whatever its bytes.
        Burnt: it had one.
    """
    states = call.services.house.catalog.artifacts.states(call.here.name, _GENERIC, name, text)
    if State.LIVE in states:
        raise VersionExists(name, text)
    if State.GONE in states:
        raise Burnt(call.here.name, f"products/{name}/{text}")


@contextmanager
def taking(call: Call, name: str, text: str) -> Iterator[None]:
    """Keep a version for one upload while it is committed: two at once would be two files of it.

    Raises:
        NotFound: the product was deleted while the file came.
        VersionExists, Burnt: somebody was quicker.
    """
    with call.services.house.locks.hold(f"product:{call.here.name}/{name}/{text}"):
        require(call, Action.WRITE, name)
        refuse_taken(call, name, text)
        yield


def expect_upload(call: Call) -> None:
    """Pass if a file may come of which nothing is known yet: the caller may write something, and there is room.

    Raises:
        Forbidden: they may write nothing in the channel.
        StorageFull: no room for as much as the request says is coming.
    """
    services = call.services
    if not services.rights.anywhere(call.principal, Action.WRITE, call.here):
        raise Forbidden(call.principal.name, "upload", "products")
    house, coming = services.house, call.request.content_length
    house.tree.ensure_room(house.settings.min_free_bytes, size=coming or 0)


def _me(principal: Principal) -> str:
    return f"{principal.kind}:{principal.name}"


def _grant(call: Call, principal: str, action: Action, name: str) -> Grant:
    return Grant(principal=principal, action=action, channel=call.here.name, ecosystem=_GENERIC, package=name)
