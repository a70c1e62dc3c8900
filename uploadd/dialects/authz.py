"""`GET /_authz`: nginx asks whether a caller may read a path under `private/` or `restricted/`.

204 yes, 401 nobody we know, 403 no. The path comes decoded in X-Packhouse-Path, the tree in X-Packhouse-Root;
nginx overwrites both, and lets no caller ask here.
"""

from dataclasses import replace

from aiohttp import web

from packhouse.errors import BadName, Unauthenticated
from packhouse.model import Action, Channel, Ecosystem, Principal
from packhouse.names import parse_channel, parse_project, parse_segment
from uploadd.call import Call
from uploadd.routing import OPEN, Route

_YES, _WHO, _NO = 204, 401, 403

_OWNERS = {
    "simple": Ecosystem.PYPI,
    "packages": Ecosystem.PYPI,
    "pypi": Ecosystem.PYPI,
    "products": Ecosystem.GENERIC,
    "generic": Ecosystem.GENERIC,
}


async def authz(call: Call) -> web.Response:
    """Decide; an answer without body, never kept anywhere."""
    headers = call.request.headers
    path, root = headers.get("X-Packhouse-Path", ""), headers.get("X-Packhouse-Root", "")
    status = await call.services.ask(_decide, call, path, root)
    return web.Response(status=status, headers={"Cache-Control": "no-store"})


def _decide(call: Call, path: str, root: str) -> int:
    try:
        principal = call.identify()
    except Unauthenticated:
        return _WHO
    if _may(call, principal, path, root):
        return _YES
    return _WHO if principal.anonymous else _NO


def _may(call: Call, principal: Principal, path: str, root: str) -> bool:
    segments = path.removeprefix("/").split("/")
    try:
        name = parse_channel(segments[0])
        owner = owner_of(segments) if root == "restricted" else None
    except BadName:
        return False
    channel = call.services.house.catalog.channels.find(name)
    if channel is None or ".." in segments or root not in ("private", "restricted"):
        return False
    if root == "restricted" and owner is None:
        return False  # nobody's file: then nobody's right covers it, an admin's neither
    ecosystem, package = owner or (None, None)
    # What lies in these trees is not for everyone, whatever the catalog says a moment before or after a move.
    closed: Channel = replace(channel, private=True)
    return call.services.rights.permits(principal, Action.READ, closed, ecosystem, package)


def owner_of(segments: list[str]) -> tuple[Ecosystem, str] | None:
    """Return the ecosystem and the normalised package that own a path, or None if no package does.

    Args:
        segments: of the decoded path, the channel first.

    Raises:
        BadName: where a package's name should be is something else.
    """
    if len(segments) < 4 or segments[1] not in _OWNERS:
        return None
    ecosystem = _OWNERS[segments[1]]
    if ecosystem is Ecosystem.PYPI:
        return ecosystem, parse_project(segments[2])
    return ecosystem, parse_segment("product name", segments[2]).lower()


ROUTES = (Route(method="GET", pattern="/_authz", action=OPEN, handler=authz),)
