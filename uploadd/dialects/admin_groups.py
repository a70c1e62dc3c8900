"""The admin's pages of groups and who is in them.

GET  /account/admin/groups
GET  /account/admin/groups/{group}
POST /account/admin/groups/create             group
POST /account/admin/groups/add                group, user: from the page of a user
POST /account/admin/groups/{group}/add        user
POST /account/admin/groups/{group}/remove     user
POST /account/admin/groups/{group}/delete

`back=user` leads back to the page of the user; else the page of the group comes next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from packhouse import access
from packhouse.catalog.accounts import Account
from packhouse.errors import PackhouseError
from packhouse.house import House
from uploadd import auditing, backstage, pages
from uploadd.backstage import own_form, session_of
from uploadd.call import Call
from uploadd.forms import form_route
from uploadd.routing import ADMIN, Route

PATH = "/account/admin/groups/"

_GROUPS, _GROUP = "/account/admin/groups", "/account/admin/groups/{group}"
_NOTICES = {
    "created": "The group is there; add its members",
    "there": "The group was there already",
    "joined": "They are in the group now",
    "left": "They are not in the group any more",
    "deleted": "The group is deleted, with its memberships and rights; what it closed stays closed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group of the table."""

    name: str
    page: str
    members: int
    rights: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One member; `page` is empty for a service account, which has none."""

    name: str
    page: str
    kind: str


async def listing(call: Call) -> web.Response:
    """List the groups; the built-in ones are explained."""
    session_of(call)
    return await _list(call)


async def create(call: Call) -> web.Response:
    """Make a group."""
    form = await own_form(call)
    name = form.get("group", "").strip()
    auditing.tell(call, object_=name)
    try:
        made = await call.services.ask(call.services.house.catalog.groups.create, name)
    except PackhouseError as error:
        return await _list(call, error, group=name)
    return backstage.done(_page_of(name), "created" if made else "there")


async def show(call: Call) -> web.Response:
    """Show one group: members and rights."""
    session_of(call)
    return await _one(call, call.path["group"])


async def add(call: Call) -> web.Response:
    """Put an account into a group."""
    groups = call.services.house.catalog.groups
    return await _member(call, groups.add, "joined")


async def remove(call: Call) -> web.Response:
    """Take an account out of a group; one who is not in it stays out."""
    catalog = call.services.house.catalog

    def do(user: str, group: str) -> bool:
        return catalog.groups.remove(catalog.accounts.get(user).name, group)

    return await _member(call, do, "left")


async def delete(call: Call) -> web.Response:
    """Forget a group with its memberships and rights."""
    await own_form(call)
    await call.services.ask(call.services.house.catalog.groups.delete, call.path["group"])
    return backstage.done(PATH, "deleted")


async def _member(call: Call, do: Callable[[str, str], bool], word: str) -> web.Response:
    form = await own_form(call)
    user, group = form.get("user", "").strip(), call.path.get("group", form.get("group", ""))
    auditing.tell(call, object_=f"{user}/{group}")
    try:
        await call.services.ask(do, user, group)
    except PackhouseError as error:
        return await _one(call, group, error, user=user)
    back = backstage.address("account", "admin", "users", user)
    return backstage.done(back if form.get("back") == "user" else _page_of(group), word)


async def _list(call: Call, error: PackhouseError | None = None, *, group: str = "") -> web.Response:
    status, headers, said = backstage.refused(call, error)

    def ask() -> dict[str, Any]:
        catalog = call.services.house.catalog
        names = catalog.groups.list()
        shown, next_ = backstage.window(call, names, str, PATH)
        return {
            "groups": [_row(call.services.house, name) for name in shown],
            "count": len(names),
            "next": next_,
        }

    return pages.page(
        call,
        "account/groups.html",
        status=status,
        headers=headers,
        place="groups",
        title="Groups",
        error=said,
        notice=backstage.notice(call, _NOTICES),
        group=group[:100],
        **await call.services.ask(ask),
    )


def _row(house: House, name: str) -> GroupRow:
    return GroupRow(
        name=name,
        page=_page_of(name),
        members=len(house.catalog.groups.members(name)),
        rights=len(house.catalog.grants.of_principals([f"group:{name}"])),
    )


async def _one(
    call: Call, group: str, error: PackhouseError | None = None, *, user: str = ""
) -> web.Response:
    """Render the page of a group; raises `NotFound`, or `BadName` for a built-in one."""

    def ask() -> dict[str, Any]:
        catalog = call.services.house.catalog
        there = {account.name: account for account in catalog.accounts.list()}
        return {
            "members": [_member_row(there[name]) for name in catalog.groups.members(group)],
            "grants": [
                (access.explain(grant), backstage.rights_page(grant))
                for grant in catalog.grants.of_principals([f"group:{group}"])
            ],
        }

    values = await call.services.ask(ask)
    status, headers, said = backstage.refused(call, error)
    return pages.page(
        call,
        "account/group.html",
        status=status,
        headers=headers,
        place="groups",
        up=[(PATH, "Groups")],
        title=group,
        page=_page_of(group),
        error=said,
        notice=backstage.notice(call, _NOTICES),
        user=user[:100],
        **values,
    )


def _member_row(account: Account) -> MemberRow:
    service = account.kind == "service"
    page = "" if service else backstage.address("account", "admin", "users", account.name)
    return MemberRow(name=account.name, page=page, kind="service account" if service else "user")


def _page_of(group: str) -> str:
    return backstage.address("account", "admin", "groups", group)


ROUTES = (
    Route(method="GET", pattern=_GROUPS, action=ADMIN, handler=listing),
    Route(method="GET", pattern=_GROUP, action=ADMIN, handler=show),
    form_route(f"{_GROUPS}/create", create, "group create", action=ADMIN),
    form_route(f"{_GROUPS}/add", add, "group add", action=ADMIN),
    form_route(f"{_GROUP}/add", add, "group add", action=ADMIN),
    form_route(f"{_GROUP}/remove", remove, "group remove", action=ADMIN),
    form_route(f"{_GROUP}/delete", delete, "group delete", action=ADMIN),
)
