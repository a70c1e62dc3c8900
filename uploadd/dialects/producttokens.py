"""The product service's tokens, which are API keys.

PUT    /register          {"admin": false}: a service account with a key, shown once, as plain text
GET    /fetch/{token}     whose fingerprint that is, and whether it is an admin's
DELETE /prune/{token}     revoke it

No answer holds a key but the one to `/register`; elsewhere its fingerprint stands for it. `{token}` may be either.
"""

import secrets

from aiohttp import web

from packhouse import access
from packhouse.catalog.keys import Key, is_key
from packhouse.errors import NotFound
from packhouse.model import Json, Principal
from uploadd import auditing
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.jsonbody import json_fields
from uploadd.productrights import CREATORS
from uploadd.routing import ACCOUNT, ADMIN, Route


async def register(call: Call) -> web.Response:
    """Make a service account and its key, which never expires; the account may create products."""
    admin = (await json_fields(call, ("admin",))).flag("admin")
    secret = await call.services.ask(_register, call, admin)
    return web.Response(
        text=secret, status=201, content_type="text/plain", headers={"Cache-Control": "no-store"}
    )


def _register(call: Call, admin: bool) -> str:
    catalog, name = call.services.house.catalog, f"product-{secrets.token_hex(6)}"
    auditing.tell(call, object_=name, note="an admin" if admin else None)
    key, secret = catalog.keys.create_for_service(name, admin=admin)
    if not admin:
        catalog.groups.create(CREATORS)
        catalog.groups.add(name, CREATORS)
    auditing.tell(call, note=f"fingerprint {key.fingerprint}{', an admin' if admin else ''}")
    return secret


async def fetch(call: Call) -> web.Response:
    """Describe a key to whoever holds it."""
    return json_answer(await call.services.ask(_fetch, call))


def _fetch(call: Call) -> dict[str, Json]:
    wanted, me = call.path["token"], call.principal
    key = _active(call, wanted)
    # The key itself is proof enough; a fingerprint, which lists show to others, is not.
    if not is_key(wanted) and not _is_theirs(me, key):
        raise _unknown()
    admin = key.admin and key.channels is None and key.actions is None
    return {"token": key.fingerprint, "admin": admin}


def _is_theirs(me: Principal, key: Key) -> bool:
    limited = me.channels is not None or me.actions is not None
    return access.administers(me) or key.id == me.key_id or (key.account == me.name and not limited)


async def prune(call: Call) -> web.Response:
    """Revoke a key; the next request with it is refused. Its account stays, without it."""
    await call.services.ask(_prune, call)
    return web.Response(status=204)


def _prune(call: Call) -> None:
    key = _active(call, call.path["token"])
    auditing.tell(call, object_=f"{key.account}/{key.name}", note=f"fingerprint {key.fingerprint}")
    call.services.house.catalog.keys.revoke(str(key.id), account=key.account)


def _active(call: Call, wanted: str) -> Key:
    keys = call.services.house.catalog.keys
    key = keys.find(wanted)
    if key is None or key.status(call.services.house.catalog.clock()) != "active":
        raise _unknown()
    return key


def _unknown() -> NotFound:
    # What was asked for is not repeated: it may nearly be a key.
    return NotFound("active token", "with that secret or fingerprint", "it may be revoked or expired already")


ROUTES = (
    Route(method="PUT", pattern="/register", action=ADMIN, handler=register, audited="key create"),
    Route(method="GET", pattern="/fetch/{token}", action=ACCOUNT, handler=fetch),
    Route(method="DELETE", pattern="/prune/{token}", action=ADMIN, handler=prune, audited="key revoke"),
)
