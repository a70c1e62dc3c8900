"""Who am I, and my API keys.

GET    /api/1/whoami
GET    /api/1/keys                    ?account= (admins) ?per_page= ?page_token=
POST   /api/1/keys                    {"name", "expires_in_days", "channels", "actions"}: the secret is shown, once
DELETE /api/1/keys/{id}               a number or a fingerprint
POST   /api/1/keys/revoke             {"secret"}: whoever holds a key may end it

A key manages no key that may do more than itself: those of its account that reach further are not there for it, and
what it makes ends with it at the latest and stays within its scope.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from packhouse import access
from packhouse.catalog.keys import DEFAULT_DAYS, Key, expiry
from packhouse.errors import Malformed, NotFound, Unprocessable
from packhouse.model import Action, Json, Principal, from_us
from packhouse.names import parse_channel
from uploadd import auditing
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.jsonbody import Fields, json_fields
from uploadd.paging import link_next, window
from uploadd.routing import ACCOUNT, ANYONE, Route

_KEYS = "/api/1/keys"
_FIELDS = ("name", "expires_in_days", "channels", "actions")

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    key: Key
    secret: str
    notes: Sequence[str]


async def whoami(call: Call) -> web.Response:
    """Say whose credentials these are, and what limits them."""
    me = call.principal
    limited = me.channels is not None or me.actions is not None
    return json_answer(
        {
            "login": me.name,
            "kind": me.kind,
            "admin": me.admin,
            "groups": sorted(me.groups - access.BUILT_IN),
            "key": me.via.removeprefix("key:") if me.via.startswith("key:") else None,
            "scope": _scope(me.channels, me.actions) if limited else None,
        }
    )


async def listing(call: Call) -> web.Response:
    """List the caller's keys, revoked and expired ones too; an admin may ask for another account's."""
    keys = await call.services.ask(_list, call)
    page, token = window(call.query, keys, lambda key: f"{key.id:018d}")
    now = call.services.house.catalog.clock()
    answer = json_answer({"keys": [record(key, now) for key in page]})
    return link_next(answer, f"{_KEYS}/", call.query, token)


def _list(call: Call) -> list[Key]:
    catalog, me = call.services.house.catalog, call.principal
    account = call.query.get("account", me.name)
    if access.administers(me):
        return catalog.keys.list(catalog.accounts.get(account).name)
    if account != me.name:
        # The very sentence that an admin gets for an account that is not there.
        raise NotFound("account", account, "`packhouse user list` shows them")
    return [key for key in catalog.keys.list(account) if _covers(me, key)]


async def make(call: Call) -> web.Response:
    """Make a key for the caller; its secret is in this answer and nowhere else."""
    fields = await json_fields(call, _FIELDS)
    made = await call.services.ask(_make, call, fields)
    now = call.services.house.catalog.clock()
    answer = json_answer(
        {"key": record(made.key, now), "secret": made.secret, "notes": list(made.notes)}, 201
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _make(call: Call, fields: Fields) -> _Made:
    keys, me = call.services.house.catalog.keys, call.principal
    name = fields.text("name")
    auditing.tell(call, object_=f"{me.name}/{name}")
    days = fields.optional_number("expires_in_days", default=DEFAULT_DAYS)
    expires_us = expiry(days, me.kind, call.services.house.catalog.clock())
    channels, actions = _channels(fields), _actions(fields)
    notes = []
    end_us = _own_end(call)
    if end_us is not None and (expires_us is None or expires_us > end_us):
        expires_us = end_us
        notes.append("it ends together with the key that made it")
    if me.channels is not None or me.actions is not None:
        notes.append("it may do no more than the key that made it")
    key, secret = keys.create(
        me.name,
        name,
        expires_us=expires_us,
        channels=_within(channels, me.channels, "channels"),
        actions=_within(actions, me.actions, "actions"),
    )
    auditing.tell(call, note=f"fingerprint {key.fingerprint}")
    return _Made(key=key, secret=secret, notes=notes)


async def revoke(call: Call) -> web.Response:
    """Revoke one of the caller's keys; an admin anybody's."""
    key = await call.services.ask(_revoke, call, call.path["id"])
    return _revoked(call, key)


def _revoke(call: Call, wanted: str) -> Key:
    keys, me = call.services.house.catalog.keys, call.principal
    there = keys.list(None if access.administers(me) else me.name)
    for key in there:
        if wanted in (str(key.id), key.fingerprint) and key.revoked_us is None and _covers(me, key):
            auditing.tell(call, object_=f"{key.account}/{key.name}", note=f"fingerprint {key.fingerprint}")
            return keys.revoke(str(key.id), account=key.account)
    # What was asked for is not repeated: it may be a secret.
    raise NotFound("active key", "of that number or fingerprint", f"`GET {_KEYS}/` lists yours")


async def give_up(call: Call) -> web.Response:
    """Revoke the key whose secret is sent: holding it is the right to end it, found in a log or a repository."""
    fields = await json_fields(call, ("secret",))
    key = await call.services.ask(_give_up, call, fields.text("secret"))
    return _revoked(call, key)


def _give_up(call: Call, secret: str) -> Key:
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


def record(key: Key, now_us: int) -> dict[str, Json]:
    """Return what an answer says of a key; never its secret."""
    limited = key.channels is not None or key.actions is not None
    return {
        "id": key.id,
        "account": key.account,
        "name": key.name,
        "fingerprint": key.fingerprint,
        "created": _time(key.created_us),
        "expires": _time(key.expires_us),
        "last_used": _time(key.last_used_us),
        "status": key.status(now_us),
        "scope": _scope(key.channels, key.actions) if limited else None,
    }


def _revoked(call: Call, key: Key) -> web.Response:
    return json_answer({"revoked": True, "key": record(key, call.services.house.catalog.clock())})


def _own_end(call: Call) -> int | None:
    """Return when the key ends that the caller shows, in microseconds since 1970; None is never, or no key."""
    me = call.principal
    if me.key_id is None:
        return None
    mine = call.services.house.catalog.keys.list(me.name)
    return next(key.expires_us for key in mine if key.id == me.key_id)


def _channels(fields: Fields) -> list[str] | None:
    texts = fields.optional_list("channels")
    return None if texts is None else [parse_channel(text) for text in texts]


def _actions(fields: Fields) -> list[Action] | None:
    texts = fields.optional_list("actions")
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


def _scope(channels: Collection[str] | None, actions: Collection[str] | None) -> dict[str, Json]:
    return {
        "channels": None if channels is None else sorted(channels),
        "actions": None if actions is None else [str(action) for action in Action if action in actions],
    }


def _time(us: int | None) -> str | None:
    return None if us is None else from_us(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


ROUTES = (
    Route(method="GET", pattern="/api/1/whoami", action=ACCOUNT, handler=whoami),
    Route(method="GET", pattern=_KEYS, action=ACCOUNT, handler=listing),
    Route(method="POST", pattern=_KEYS, action=ACCOUNT, handler=make, audited="key create"),
    Route(method="DELETE", pattern=f"{_KEYS}/{{id}}", action=ACCOUNT, handler=revoke, audited="key revoke"),
    Route(method="POST", pattern=f"{_KEYS}/revoke", action=ANYONE, handler=give_up, audited="key revoke"),
)
