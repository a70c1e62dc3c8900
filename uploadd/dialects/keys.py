"""Who am I, and my API keys.

GET    /api/1/whoami
GET    /api/1/keys                    ?account= (admins) ?per_page= ?page_token=
POST   /api/1/keys                    {"name", "expires_in_days", "channels", "actions"}: the secret is shown, once
DELETE /api/1/keys/{id}               a number or a fingerprint
POST   /api/1/keys/revoke             {"secret"}: whoever holds a key may end it

What keys may be made and seen with which is decided in `uploadd/keymaking.py`.
"""

from collections.abc import Collection

from aiohttp import web

from packhouse import access
from packhouse.catalog.keys import DEFAULT_DAYS, Key
from packhouse.model import Action, Json, from_us
from uploadd import keymaking
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.jsonbody import json_fields
from uploadd.keymaking import Wish
from uploadd.negotiate import answer
from uploadd.paging import next_page, window
from uploadd.routing import ACCOUNT, ANYONE, Route

_KEYS = "/api/1/keys"
_FIELDS = ("name", "expires_in_days", "channels", "actions")


async def whoami(call: Call) -> web.Response:
    """Say whose credentials these are, and what limits them."""
    me = call.principal
    limited = me.channels is not None or me.actions is not None
    return answer(
        call,
        {
            "login": me.name,
            "kind": me.kind,
            "admin": me.admin,
            "groups": sorted(me.groups - access.BUILT_IN),
            "key": me.via.removeprefix("key:") if me.via.startswith("key:") else None,
            "scope": _scope(me.channels, me.actions) if limited else None,
        },
        title="Who am I",
    )


async def listing(call: Call) -> web.Response:
    """List the caller's keys, revoked and expired ones too; an admin may ask for another account's."""
    account = call.query.get("account", call.principal.name)
    keys = await call.services.ask(keymaking.visible, call, account)
    page, token = window(call.query, keys, lambda key: f"{key.id:018d}")
    now = call.services.house.catalog.clock()
    return answer(
        call,
        [record(key, now) for key in page],
        title="API keys",
        next_=next_page(f"{_KEYS}/", call.query, token),
    )


async def make(call: Call) -> web.Response:
    """Make a key for the caller; its secret is in this answer and nowhere else."""
    fields = await json_fields(call, _FIELDS)
    wish = Wish(
        name=fields.text("name"),
        days=fields.optional_number("expires_in_days", default=DEFAULT_DAYS),
        channels=fields.optional_list("channels"),
        actions=fields.optional_list("actions"),
    )
    made = await call.services.ask(keymaking.make, call, wish)
    now = call.services.house.catalog.clock()
    response = json_answer(
        {"key": record(made.key, now), "secret": made.secret, "notes": list(made.notes)}, 201
    )
    response.headers["Cache-Control"] = "no-store"
    return response


async def revoke(call: Call) -> web.Response:
    """Revoke one of the caller's keys; an admin anybody's."""
    key = await call.services.ask(keymaking.revoke, call, call.path["id"])
    return _revoked(call, key)


async def give_up(call: Call) -> web.Response:
    """Revoke the key whose secret is sent: holding it is the right to end it, found in a log or a repository."""
    fields = await json_fields(call, ("secret",))
    key = await call.services.ask(keymaking.give_up, call, fields.text("secret"))
    return _revoked(call, key)


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
