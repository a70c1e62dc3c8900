"""`GET /_authz`: nginx asks whether a caller may read a path under `private/` or `restricted/`.

204 yes, 401 nobody we know, 403 no. The path comes decoded in X-Packhouse-Path, the tree in X-Packhouse-Root;
nginx overwrites both, and lets no caller ask here.
"""

from dataclasses import replace

from aiohttp import web

from packhouse.errors import BadName, Forbidden, RateLimited, Unauthenticated
from packhouse.model import Action, Principal
from packhouse.names import parse_channel
from packhouse.pages.frame import STATIC
from packhouse.placement import owner_of
from uploadd.call import Call
from uploadd.limiting import METER, Meter
from uploadd.routing import OPEN, Route

_YES, _WHO, _NO = 204, 401, 403


async def authz(call: Call) -> web.Response:
    """Decide; an answer without body, never kept anywhere."""
    headers = call.request.headers
    path, root = headers.get("X-Packhouse-Path", ""), headers.get("X-Packhouse-Root", "")
    status = await call.services.ask(_decide, call, path, root)
    return web.Response(status=status, headers={"Cache-Control": "no-store"})


def _decide(call: Call, path: str, root: str) -> int:
    if root == "restricted" and _is_public(call, path):
        return _decide_apart(call, path)
    meter = call.request[METER]
    meter.free = not meter.shown  # a stranger is asked to sign in, which is no work
    try:
        principal = call.identify()
    except Unauthenticated as error:
        return _refused(meter, error, _WHO)
    meter.known(principal)
    if _may(call, principal, path, root):
        return _YES
    if principal.anonymous:
        return _WHO
    if _reads_beside(call, principal, path):
        return _NO  # not counted, as what is missing is not: a limit would tell which packages are restricted
    return _refused(meter, Forbidden(principal.name, Action.READ, path), _NO)


def _refused(meter: Meter, error: Unauthenticated | Forbidden, status: int) -> int:
    weighed = meter.weigh(error)
    if isinstance(weighed, RateLimited):
        raise weighed
    return status


def _decide_apart(call: Call, path: str) -> int:
    """Decide about a restricted file of a public channel, where a limit that is reached looks like any other refusal.

    nginx asks here only if such a file is there; of any other channel it asks about every path, and there one count
    has to hold for all of them. So what is counted here must not be noticed anywhere else, or the
    limit would tell: wrong passwords are counted for each package by itself, and refusals not at all.
    """
    channel, _, inside = path.removeprefix("/").partition("/")
    package = owner_of(inside) or ("", "")
    try:
        principal = call.services.signin.principal(
            call.shown, call.address, apart="/".join((channel, *package))
        )
    except (Unauthenticated, RateLimited):
        return _WHO
    if _may(call, principal, path, "restricted"):
        return _YES
    return _WHO if principal.anonymous else _NO


def _is_public(call: Call, path: str) -> bool:
    """Whether a path is one of a channel below `public/`, where nginx answers by itself what is not there."""
    try:
        channel = call.services.house.catalog.channels.find(parse_channel(path.split("/")[1]))
    except (BadName, IndexError):
        return False
    return channel is not None and channel.place == "public"


def _reads_beside(call: Call, principal: Principal, path: str) -> bool:
    """Whether somebody who may not read the package of a path reads what all readers of its channel do."""
    name, _, inside = path.removeprefix("/").partition("/")
    try:
        channel = call.services.house.catalog.channels.find(parse_channel(name))
    except BadName:
        return False
    owner = owner_of(inside)
    return (
        channel is not None
        and owner is not None
        and call.services.rights.permits(principal, Action.READ, channel, owner[0])
    )


def _may(call: Call, principal: Principal, path: str, root: str) -> bool:
    name, _, inside = path.removeprefix("/").partition("/")
    if ".." in inside.split("/") or root not in ("private", "restricted"):
        return False
    try:
        channel = call.services.house.catalog.channels.find(parse_channel(name))
    except BadName:
        return False
    if channel is None:
        return False
    if root == "private" and inside.startswith(f"{STATIC}/"):
        # The style of its pages, for those too who may read but one package of it.
        return call.services.rights.anywhere(principal, Action.READ, channel)
    owner = owner_of(inside)
    if root == "restricted":
        if owner is None:
            return False  # nobody's file: then nobody's right covers it, an admin's neither
        # No default applies to what lies there, whatever became of the package's rights a moment before or after.
        channel = replace(channel, private=True)
    # Below private/ the defaults apply to a channel that is not private: it lies there where they are for some only.
    ecosystem, package = owner or (None, None)
    return call.services.rights.permits(principal, Action.READ, channel, ecosystem, package)


ROUTES = (Route(method="GET", pattern="/_authz", action=OPEN, handler=authz),)
