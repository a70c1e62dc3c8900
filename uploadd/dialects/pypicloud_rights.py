"""pypicloud's API, the part about rights and the house as a whole.

    GET /admin/package/<package>/                                        who may do what to a package
    PUT, DELETE /admin/package/<package>/(user|group)/<name>/(read|write)/
    GET /admin/user/<user>/permissions/
    GET /admin/acl.json.gz                                               all of it, for `packhouse acl import`
    GET /admin/rebuild/                                                  compare the catalog with the files

Rights are those on the default channel's Python packages. `user` means any account here, since a service account is
one to pypicloud; `everyone` and `authenticated` are groups that can be granted to.
"""

import gzip

import orjson
from aiohttp import web

from packhouse import access
from packhouse.errors import NotFound
from packhouse.importing import acl
from packhouse.intake import moving
from packhouse.intake.moving import Moved
from packhouse.intake.rebuild import rebuild
from packhouse.model import Action, Ecosystem, Grant, Json
from packhouse.names import parse_project
from uploadd import door, packagerights
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.routing import ADMIN, Route
from uploadd.services import run
from uploadd.target import flag

_PACKAGE = "/admin/package/{package}"
_GRANT = "/admin/package/{package}/{kind}/{name}/{permission}"
_WORDS = {"read": Action.READ, "write": Action.WRITE}


async def package(call: Call) -> web.Response:
    """Show who has rights of their own on a package, which need not be there yet."""
    project = parse_project(call.path["package"])
    return json_answer(await call.services.ask(packagerights.of_package, call.services.house, project))


async def permissions(call: Call) -> web.Response:
    """Show the packages that an account has rights of its own on; those of its groups are the groups'."""

    def ask() -> list[Json]:
        house = call.services.house
        account = house.catalog.accounts.find(call.path["user"])
        if account is None:
            raise NotFound("user", call.path["user"], "GET /admin/user/ shows them")
        return packagerights.of_account(house, account.kind, account.name)

    return json_answer(await call.services.ask(ask))


async def grant(call: Call) -> web.Response:
    """Give a right on a package; the first one closes it to everybody else."""
    return await _moved(
        call, await call.services.change(lambda: moving.give(call.services.house, _grant(call)))
    )


async def revoke(call: Call) -> web.Response:
    """Take a right on a package away; one that was not given stays so, and the package stays closed."""
    return await _moved(
        call, await call.services.change(lambda: moving.take(call.services.house, _grant(call)))
    )


def _grant(call: Call) -> Grant:
    """Return the right that the path names; blocking.

    Raises:
        NotFound: no such permission, kind, user or group.
        BadName: no package can have that name.
    """
    kind, name, word = call.path["kind"], call.path["name"], call.path["permission"]
    if word not in _WORDS:
        raise NotFound("permission", word, "it is read or write")
    return Grant(
        principal=_principal(call, kind, name),
        action=_WORDS[word],
        channel=call.services.house.settings.default_channel,
        ecosystem=Ecosystem.PYPI,
        package=parse_project(call.path["package"]),
    )


def _principal(call: Call, kind: str, name: str) -> str:
    catalog = call.services.house.catalog
    if kind == "group":
        if name in access.BUILT_IN or catalog.groups.exists(name):
            return f"group:{name}"
        raise NotFound("group", name, "GET /admin/group/ shows them")
    if kind != "user":
        raise NotFound("kind of principal", kind, "it is user or group")
    account = catalog.accounts.find(name)
    if account is None:
        raise NotFound("user", name, "GET /admin/user/ shows them")
    return f"{account.kind}:{account.name}"


async def _moved(call: Call, moved: Moved) -> web.Response:
    # The right holds and the files are where they belong by now; only lists may lag, so this is 200 either way.
    listed = await call.services.publication.wait(moved.awaited)
    body: dict[str, Json] = {"changed": moved.changed, "published": listed}
    return json_answer({**body, "note": moved.note} if moved.note else body)


async def export(call: Call) -> web.Response:
    """Hand out accounts, groups and rights as gzipped JSON; no password leaves, hashed or not."""
    document = await call.services.ask(acl.dump, call.services.house)
    body = gzip.compress(orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2), mtime=0)
    return web.Response(
        body=body,
        headers={
            "Content-Type": "application/gzip",
            "Content-Disposition": 'attachment; filename="acl.json.gz"',
            "Cache-Control": "no-store",
        },
    )


async def reconcile(call: Call) -> web.Response:
    """Compare the catalog with the files, repair it, and publish everything again; `?hash=true` reads every byte."""
    # A GET that changes something, as the original has it: no foreign page may send an admin's browser here.
    door.same_site(call, token=False)
    services, by_hash = call.services, flag(call.query, "hash")
    report = await run(
        services.judge, rebuild, services.house, services.intake, call.principal, by_hash=by_hash
    )
    listed = await services.publication.wait(report.awaited)
    return json_answer({**report.told(), "published": listed})


ROUTES = (
    Route(method="GET", pattern="/admin/rebuild", action=ADMIN, handler=reconcile, audited="rebuild"),
    Route(method="GET", pattern="/admin/acl.json.gz", action=ADMIN, handler=export, audited="acl export"),
    Route(method="GET", pattern="/admin/user/{user}/permissions", action=ADMIN, handler=permissions),
    Route(method="GET", pattern=_PACKAGE, action=ADMIN, handler=package),
    Route(method="PUT", pattern=_GRANT, action=ADMIN, handler=grant, audited="grant give"),
    Route(method="DELETE", pattern=_GRANT, action=ADMIN, handler=revoke, audited="grant take"),
)
