"""The admin's pages of users: who waits, who is there, and what becomes of them.

GET  /account/admin/users                     ?find= ?page_token=   who waits for approval first
GET  /account/admin/users/{user}
POST /account/admin/users/invite              user: an invitation, shown once; a new name becomes a user
POST /account/admin/users/registration        allow
POST /account/admin/users/{user}/approve
POST /account/admin/users/{user}/admin        admin
POST /account/admin/users/{user}/delete
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from packhouse import access
from packhouse.catalog.accounts import Account
from packhouse.catalog.sessions import INVITATION_S
from packhouse.errors import PackhouseError
from uploadd import auditing, backstage, browser, pages, people
from uploadd.backstage import Moment, moment, own_form, session_of
from uploadd.call import Call
from uploadd.forms import form_route
from uploadd.parameters import yes_or_no
from uploadd.routing import ADMIN, Route

PATH = "/account/admin/users/"

_USERS, _USER = "/account/admin/users", "/account/admin/users/{user}"
_NOTICES = {
    "approved": "The account is approved: its owner can sign in now",
    "deleted": "The account is deleted, with its keys, memberships and rights; what it uploaded stays",
    "admin": "They are an admin now, and have to sign in again",
    "no-admin": "They are no admin any more, and have to sign in again",
    "unchanged": "It was so already",
    "allowed": "People may register themselves; whoever does waits here for approval",
    "forbidden": "People cannot register themselves any more; invite them",
    "joined": "They are in the group now",
    "left": "They are not in the group any more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """One user of the table."""

    name: str
    page: str
    admin: bool
    pending: bool
    has_password: bool
    since: Moment


# --- the list ----------------------------------------------------------------------------------------------------


async def listing(call: Call) -> web.Response:
    """List the users, those who wait for approval first."""
    session_of(call)
    return await _list(call)


async def invite(call: Call) -> web.Response:
    """Make an invitation and show its link, this once."""
    form = await own_form(call)
    name = form.get("user", "").strip()
    auditing.tell(call, object_=name)
    try:
        secret = await call.services.ask(people.invite, call.services.house, name)
    except PackhouseError as error:
        return await _list(call, error, user=name)
    return pages.page(
        call,
        "account/invited.html",
        place="users",
        up=[(PATH, "Users")],
        title=f"Invitation for {name}",
        user=name,
        link=people.invitation_link(call, secret),
        days=INVITATION_S // 86_400,
    )


async def allow_registration(call: Call) -> web.Response:
    """Let people register themselves, or stop that."""
    form = await own_form(call)
    allow = yes_or_no("allow", form.get("allow", ""))
    auditing.tell(call, note="allowed" if allow else "not allowed")
    await call.services.ask(call.services.house.catalog.accounts.open_registration, allow=allow)
    return backstage.done(PATH, "allowed" if allow else "forbidden")


async def _list(call: Call, error: PackhouseError | None = None, *, user: str = "") -> web.Response:
    status, headers, said = backstage.refused(call, error)
    values = await call.services.ask(_list_values, call)
    return pages.page(
        call,
        "account/users.html",
        status=status,
        headers=headers,
        place="users",
        title="Users",
        error=said,
        notice=backstage.notice(call, _NOTICES),
        user=user[:100],
        **values,
    )


def _list_values(call: Call) -> dict[str, Any]:
    house, find = call.services.house, call.query.get("find", "").strip()
    everybody = house.catalog.accounts.list(kind="user")
    found = [account for account in everybody if find.casefold() in account.name.casefold()]
    shown, next_ = backstage.window(call, found, lambda one: f"{0 if one.pending else 1}{one.name}", PATH)
    return {
        "users": [_row(account) for account in shown],
        "count": len(found),
        "waiting": sum(account.pending for account in everybody),
        "services": len(house.catalog.accounts.list(kind="service")),
        "registration": house.catalog.accounts.registration_open(default=house.settings.allow_register),
        "find": find[:100],
        "next": next_,
    }


def _row(account: Account) -> UserRow:
    return UserRow(
        name=account.name,
        page=backstage.address("account", "admin", "users", account.name),
        admin=account.admin,
        pending=account.pending,
        has_password=account.has_password,
        since=moment(account.created_us),
    )


# --- one user ----------------------------------------------------------------------------------------------------


async def show(call: Call) -> web.Response:
    """Show one user: groups, rights, and what can be done."""
    session_of(call)
    return await _one(call)


async def approve(call: Call) -> web.Response:
    """Let a pending user in."""

    def do(_form: Mapping[str, str]) -> str:
        house = call.services.house
        house.catalog.accounts.approve(people.user_of(house, call.path["user"]).name)
        return "approved"

    return await _changed(call, do, to_list=True)


async def set_admin(call: Call) -> web.Response:
    """Make a user an admin, or an admin an ordinary user."""

    def do(form: Mapping[str, str]) -> str:
        house, admin = call.services.house, yes_or_no("admin", form.get("admin", ""))
        auditing.tell(call, note="admin" if admin else "not an admin")
        before = people.user_of(house, call.path["user"])
        house.catalog.accounts.set_admin(before.name, admin=admin)
        if before.admin == admin:  # a form that was sent twice: their sessions go on
            return "unchanged"
        return "admin" if admin else "no-admin"

    return await _changed(call, do)


async def delete(call: Call) -> web.Response:
    """Forget a user with their keys, memberships and rights."""

    def do(_form: Mapping[str, str]) -> str:
        house = call.services.house
        house.catalog.accounts.delete(people.user_of(house, call.path["user"]).name)
        return "deleted"

    return await _changed(call, do, to_list=True)


async def _changed(
    call: Call, do: Callable[[Mapping[str, str]], str], *, to_list: bool = False
) -> web.Response:
    form, name = await own_form(call), call.path["user"]
    try:
        word = await call.services.ask(do, form)
    except PackhouseError as error:
        return await _one(call, error)
    if name == call.principal.name and word in ("deleted", "no-admin"):
        # Their own session ended with it.
        return browser.drop(browser.go(f"{browser.ENTRANCE}?note=signed-out"))
    return backstage.done(PATH if to_list else backstage.address("account", "admin", "users", name), word)


async def _one(call: Call, error: PackhouseError | None = None) -> web.Response:
    values = await call.services.ask(_one_values, call)
    status, headers, said = backstage.refused(call, error)
    return pages.page(
        call,
        "account/user.html",
        status=status,
        headers=headers,
        place="users",
        up=[(PATH, "Users")],
        title=call.path["user"],
        error=said,
        notice=backstage.notice(call, _NOTICES),
        **values,
    )


def _one_values(call: Call) -> dict[str, Any]:
    catalog = call.services.house.catalog
    account = people.user_of(call.services.house, call.path["user"])
    groups = list(catalog.groups.of(account.name))
    grants = catalog.grants.of_principals([f"user:{account.name}", *(f"group:{group}" for group in groups)])
    now = catalog.clock()
    return {
        "user": _row(account),
        "groups": [(group, backstage.address("account", "admin", "groups", group)) for group in groups],
        "others": [group for group in catalog.groups.list() if group not in groups],
        "grants": [(access.explain(grant), backstage.rights_page(grant)) for grant in grants],
        "keys": sum(key.status(now) == "active" for key in catalog.keys.list(account.name)),
    }


ROUTES = (
    Route(method="GET", pattern=_USERS, action=ADMIN, handler=listing),
    Route(method="GET", pattern=_USER, action=ADMIN, handler=show),
    form_route(f"{_USERS}/invite", invite, "user invite", action=ADMIN),
    form_route(f"{_USERS}/registration", allow_registration, "registration", action=ADMIN),
    form_route(f"{_USER}/approve", approve, "user approve", action=ADMIN),
    form_route(f"{_USER}/admin", set_admin, "user admin", action=ADMIN),
    form_route(f"{_USER}/delete", delete, "user delete", action=ADMIN),
)
