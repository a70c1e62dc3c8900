"""The rules of API keys, for every API in which people make and end theirs. Everything here blocks.

A key manages no key that may do more than itself: those of its account that reach further are not there for it, and
what it makes ends with it at the latest and stays within its scope.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from packhouse import access
from packhouse.catalog.keys import Key, expiry
from packhouse.errors import Malformed, NotFound, Unprocessable
from packhouse.model import Action, Principal
from packhouse.names import parse_channel
from uploadd import auditing
from uploadd.call import Call

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of a new key.

    Attributes:
        name: by which its owner knows it.
        days: how long it lasts; None is for ever, for service accounts only.
        channels: the scope, as the caller spelled it; None is no limit.
        actions: the scope, as the caller spelled it; None is no limit.
    """

    name: str
    days: int | None
    channels: Sequence[str] | None = None
    actions: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new key; `secret` is told once, and `notes` say in what it is less than was wished."""

    key: Key
    secret: str
    notes: Sequence[str]


def make(call: Call, wish: Wish) -> Made:
    """Make a key for the caller.

    Raises:
        BadName: its name, or a channel's, cannot be one.
        Malformed: it would last too long, or its actions are none.
        Unprocessable: there is an active key of that name, or its scope lies outside the caller's.
    """
    keys, me = call.services.house.catalog.keys, call.principal
    auditing.tell(call, object_=f"{me.name}/{wish.name}")
    expires_us = expiry(wish.days, me.kind, call.services.house.catalog.clock())
    channels, actions = _channels(wish.channels), _actions(wish.actions)
    notes = []
    end_us = _own_end(call)
    if end_us is not None and (expires_us is None or expires_us > end_us):
        expires_us = end_us
        notes.append("it ends together with the key that made it")
    if me.channels is not None or me.actions is not None:
        notes.append("it may do no more than the key that made it")
    key, secret = keys.create(
        me.name,
        wish.name,
        expires_us=expires_us,
        channels=_within(channels, me.channels, "channels"),
        actions=_within(actions, me.actions, "actions"),
    )
    auditing.tell(call, note=f"fingerprint {key.fingerprint}")
    return Made(key=key, secret=secret, notes=notes)


def visible(call: Call, account: str) -> list[Key]:
    """Return the keys of an account that the caller may manage, oldest first; revoked and expired ones too.

    Raises:
        NotFound: it is not the caller's, and they are no admin; or it is not there.
    """
    catalog, me = call.services.house.catalog, call.principal
    if access.administers(me):
        return catalog.keys.list(catalog.accounts.get(account).name)
    if account != me.name:
        # The very sentence that an admin gets for an account that is not there.
        raise NotFound("account", account, "`packhouse user list` shows them")
    return [key for key in catalog.keys.list(account) if _covers(me, key)]


def revoke(call: Call, wanted: str) -> Key:
    """Revoke one of the caller's keys by its number or fingerprint; an admin anybody's. Raises `NotFound`."""
    keys, me = call.services.house.catalog.keys, call.principal
    there = keys.list(None if access.administers(me) else me.name)
    for key in there:
        if wanted in (str(key.id), key.fingerprint) and key.revoked_us is None and _covers(me, key):
            auditing.tell(call, object_=f"{key.account}/{key.name}", note=f"fingerprint {key.fingerprint}")
            return keys.revoke(str(key.id), account=key.account)
    # What was asked for is not repeated: it may be a secret.
    raise NotFound("active key", "of that number or fingerprint", "`GET /api/1/keys/` lists yours")


def give_up(call: Call, secret: str) -> Key:
    """Revoke the key of that secret: holding it is the right to end it, found in a log or a repository.

    Raises:
        NotFound: it is no active key's.
    """
    keys = call.services.house.catalog.keys
    # Looked up by its digest first, without the catalog's write lock: anybody may ask this.
    owner = keys.authenticate(secret, address=call.address)
    if owner is None:
        raise NotFound("active key", "with that secret", "it may be revoked or expired already")
    key = keys.revoke(secret, account=owner.name)
    auditing.tell(
        call, object_=f"{key.account}/{key.name}", note=f"fingerprint {key.fingerprint}, by its secret"
    )
    return key


def _own_end(call: Call) -> int | None:
    """Return when the key ends that the caller shows, in microseconds since 1970; None is never, or no key."""
    me = call.principal
    if me.key_id is None:
        return None
    mine = call.services.house.catalog.keys.list(me.name)
    return next(key.expires_us for key in mine if key.id == me.key_id)


def _channels(texts: Sequence[str] | None) -> list[str] | None:
    return None if texts is None else [parse_channel(text) for text in texts]


def _actions(texts: Sequence[str] | None) -> list[Action] | None:
    try:
        return None if texts is None else [Action(text) for text in texts]
    except ValueError:
        raise Malformed(f"the field actions may hold {', '.join(Action)}, and nothing else") from None


def _within(wanted: Sequence[Word] | None, mine: Collection[Word] | None, what: str) -> Sequence[Word] | None:
    """Return what is wanted as far as the caller's own key reaches."""
    if mine is None or wanted is None:
        return wanted if mine is None else sorted(mine)
    found = [word for word in wanted if word in mine]
    if not found:
        raise Unprocessable(
            f"the {what} of the new key lie outside the key that makes it, which may only: {', '.join(sorted(mine))}"
        )
    return found


def _covers(me: Principal, key: Key) -> bool:
    """Whether a key may do no more than what the caller shows."""
    pairs: tuple[tuple[Collection[str] | None, Collection[str] | None], ...] = (
        (me.channels, key.channels),
        (me.actions, key.actions),
    )
    return all(mine is None or (theirs is not None and set(theirs) <= set(mine)) for mine, theirs in pairs)
