"""pypicloud's API, the part about people: registration, passwords, users, groups, invitations.

    PUT  /api/user/<user>/                     register                        POST /api/user/password
    GET  /admin/user/                          the approved users              GET /admin/pending_users/
    GET, PUT, DELETE /admin/user/<user>/       one user
    POST /admin/user/<user>/approve/           POST /admin/user/<user>/admin/
    PUT, DELETE /admin/user/<user>/group/<group>/
    GET  /admin/group/                         GET, PUT, DELETE /admin/group/<group>/
    POST /admin/register/                      whether people may register themselves
    GET  /admin/token/<user>/                  an invitation                   PUT /acct/tokenRegister

A change that is asked for twice is 200 both times. A user or a group that is not there is 404 for an admin; everybody
else is told 401 or 403 before anything is looked up.
"""

from aiohttp import web

from packhouse import access
from packhouse.catalog.accounts import Account, Accounts
from packhouse.catalog.passwords import check_password, hash_password, verify_password
from packhouse.errors import (
    AccountExists,
    BadName,
    NotFound,
    PackhouseError,
    RegistrationClosed,
    Unauthenticated,
    Unprocessable,
    WeakPassword,
)
from packhouse.model import Json
from uploadd import auditing, door, people, problems
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.packagerights import of_group
from uploadd.parameters import read
from uploadd.routing import ACCOUNT, ADMIN, ANYONE, Route

_USER, _GROUP = "/admin/user/{user}", "/admin/group/{group}"
_MEMBER = "/admin/user/{user}/group/{group}"


# --- for everyone ------------------------------------------------------------------------------------------------


async def register(call: Call) -> web.Response:
    """Take somebody's own registration; refusals have the shape that pypicloud gives them here, and only here."""
    password = (await read(call)).text("password")
    try:
        account = await call.services.ask(_register, call, password)
    except (AccountExists, BadName, WeakPassword) as error:
        return _refused(error)
    return json_answer({"username": account.name, "admin": account.admin, "pending": account.pending})


def _register(call: Call, password: str) -> Account:
    house, name = call.services.house, call.path["user"]
    accounts, settings = house.catalog.accounts, house.settings
    # Asked first, since a password costs 40 ms to hash; `register` asks again, together with the change.
    allowed = accounts.registration_open(default=settings.allow_register)
    if not allowed and any(account.admin for account in accounts.list()):
        raise RegistrationClosed
    check_password(password, name, least=settings.password_min_length)
    return accounts.register(name, hash_password(password), default_open=settings.allow_register)


def _refused(error: PackhouseError) -> web.Response:
    """Return a refusal with its status as `code`, the way the original answers a registration."""
    sentence = str(error)
    body: dict[str, Json] = {"code": 400, "message": sentence, "error": sentence, "reason": error.code}
    answer = json_answer(body, 400)
    answer.set_status(400, problems.reason(sentence))
    return answer


async def change_password(call: Call) -> web.Response:
    """Change the password of whoever asks; the old one is shown once more, and counted if it is wrong."""
    parameters = await read(call)
    old, new = parameters.text("old_password"), parameters.text("new_password")
    try:
        await call.services.ask(_change_password, call, old, new)
    except Unauthenticated as error:
        # They are known: it is the old password in the body that is wrong.
        return problems.refusal(error, {Unauthenticated: 403})
    return json_answer({"changed": True})


def _change_password(call: Call, old: str, new: str) -> None:
    house, name = call.services.house, call.principal.name
    if call.principal.kind != "user":
        raise Unprocessable(f"{name} is a service account, which has keys and no password")
    call.services.signin.by_password(name, old, call.address)
    check_password(new, name, least=house.settings.password_min_length)
    house.catalog.accounts.set_password(name, hash_password(new))


async def redeem(call: Call) -> web.Response:
    """Set a password with an invitation; somebody who waited for approval is approved by it."""
    parameters = await read(call)
    name = await call.services.ask(_redeem, call, parameters.text("token"), parameters.text("password"))
    auditing.tell(call, object_=name)
    return json_answer({"username": name})


def _redeem(call: Call, token: str, password: str) -> str:
    house = call.services.house
    name = house.catalog.sessions.invited(token)
    if name is not None:
        # Judged first: a password that is refused must not use the invitation up.
        check_password(password, name, least=house.settings.password_min_length)
        stored = hash_password(password)
        if house.catalog.sessions.redeem(token) is not None:
            house.catalog.accounts.set_password(name, stored)
            house.catalog.accounts.approve(name)
            return name
    raise NotFound(
        "invitation",
        "of that token",
        "it was used, replaced by a later one, or is over a week old: ask an admin",
    )


# --- users -------------------------------------------------------------------------------------------------------


async def users(call: Call) -> web.Response:
    """List the approved users."""
    found = await call.services.ask(_accounts(call).list, kind="user", pending=False)
    return json_answer([{"username": user.name, "admin": user.admin} for user in found])


async def pending(call: Call) -> web.Response:
    """List the users who wait for approval."""
    found = await call.services.ask(_accounts(call).list, kind="user", pending=True)
    return json_answer([user.name for user in found])


async def user(call: Call) -> web.Response:
    """Show one user with their groups."""

    def ask() -> Json:
        found = _user(call)
        groups = call.services.house.catalog.groups.of(found.name)
        return {"username": found.name, "admin": found.admin, "groups": list(groups)}

    return json_answer(await call.services.ask(ask))


async def create(call: Call) -> web.Response:
    """Make an approved user with a password; the same again is 200, another password is refused."""
    password = (await read(call)).text("password")
    return _done(await call.services.ask(_create, call, password))


def _create(call: Call, password: str) -> bool:
    accounts, name = _accounts(call), call.path["user"]
    check_password(password, name, least=call.services.house.settings.password_min_length)
    there = accounts.find(name)
    if there is None or there.pending or not verify_password(password, accounts.stored_password(name)):
        accounts.create(name, password=hash_password(password))
        return True
    return False


async def delete(call: Call) -> web.Response:
    """Forget a user with their keys, memberships and rights."""

    def do() -> None:
        _accounts(call).delete(_user(call).name)

    await call.services.ask(do)
    return _done(changed=True)


async def approve(call: Call) -> web.Response:
    """Let a pending user in."""

    def do() -> bool:
        before = _user(call)
        _accounts(call).approve(before.name)
        return before.pending

    return _done(await call.services.ask(do))


async def set_admin(call: Call) -> web.Response:
    """Make a user an admin, or an admin an ordinary user."""
    admin = (await read(call)).boolean("admin")
    auditing.tell(call, note="admin" if admin else "not an admin")

    def do() -> bool:
        before = _user(call)
        _accounts(call).set_admin(before.name, admin=admin)
        return before.admin != admin

    return _done(await call.services.ask(do))


async def invite(call: Call) -> web.Response:
    """Make an invitation with which a user sets a password; for a new name the user is made, without one."""
    # A GET that changes something, as the original has it: no foreign page may send an admin's browser here.
    door.same_site(call, token=False)
    token = await call.services.ask(people.invite, call.services.house, call.path["user"])
    return json_answer({"token": token, "token_url": people.invitation_link(call, token)})


async def allow_registration(call: Call) -> web.Response:
    """Let people register themselves, or stop that."""
    allow = (await read(call)).boolean("allow")
    auditing.tell(call, note="allowed" if allow else "not allowed")
    await call.services.ask(_accounts(call).open_registration, allow=allow)
    return json_answer({"allow": allow})


# --- groups ------------------------------------------------------------------------------------------------------


async def groups(call: Call) -> web.Response:
    """List the groups; the built-in ones are not among them."""
    return json_answer(list(await call.services.ask(call.services.house.catalog.groups.list)))


async def group(call: Call) -> web.Response:
    """Show the members of a group, and what it may do; a built-in group has no list of members."""

    def ask() -> Json:
        catalog, name = call.services.house.catalog, call.path["group"]
        members = [] if name in access.BUILT_IN else list(catalog.groups.members(name))
        return {"members": members, "packages": of_group(call.services.house, name)}

    return json_answer(await call.services.ask(ask))


async def create_group(call: Call) -> web.Response:
    """Make a group."""
    return _done(await call.services.ask(call.services.house.catalog.groups.create, call.path["group"]))


async def delete_group(call: Call) -> web.Response:
    """Forget a group with its memberships and rights."""
    await call.services.ask(call.services.house.catalog.groups.delete, call.path["group"])
    return _done(changed=True)


async def join(call: Call) -> web.Response:
    """Put a user into a group."""
    catalog = call.services.house.catalog
    return _done(await call.services.ask(catalog.groups.add, call.path["user"], call.path["group"]))


async def leave(call: Call) -> web.Response:
    """Take a user out of a group; one who is not in it stays out."""

    def do() -> bool:
        catalog = call.services.house.catalog
        return catalog.groups.remove(catalog.accounts.get(call.path["user"]).name, call.path["group"])

    return _done(await call.services.ask(do))


# --- shared ------------------------------------------------------------------------------------------------------


def _accounts(call: Call) -> Accounts:
    return call.services.house.catalog.accounts


def _user(call: Call) -> Account:
    return people.user_of(call.services.house, call.path["user"])


def _done(changed: bool) -> web.Response:
    return json_answer({"changed": changed})


ROUTES = (
    Route(method="PUT", pattern="/api/user/{user}", action=ANYONE, handler=register, audited="register"),
    Route(
        method="POST",
        pattern="/api/user/password",
        action=ACCOUNT,
        handler=change_password,
        audited="password",
    ),
    Route(method="PUT", pattern="/acct/tokenRegister", action=ANYONE, handler=redeem, audited="invitation"),
    Route(method="GET", pattern="/admin/user", action=ADMIN, handler=users),
    Route(method="GET", pattern="/admin/pending_users", action=ADMIN, handler=pending),
    Route(method="GET", pattern=_USER, action=ADMIN, handler=user),
    Route(method="PUT", pattern=_USER, action=ADMIN, handler=create, audited="user create"),
    Route(method="DELETE", pattern=_USER, action=ADMIN, handler=delete, audited="user delete"),
    Route(method="POST", pattern=f"{_USER}/approve", action=ADMIN, handler=approve, audited="user approve"),
    Route(method="POST", pattern=f"{_USER}/admin", action=ADMIN, handler=set_admin, audited="user admin"),
    Route(method="GET", pattern="/admin/token/{user}", action=ADMIN, handler=invite, audited="user invite"),
    Route(
        method="POST",
        pattern="/admin/register",
        action=ADMIN,
        handler=allow_registration,
        audited="registration",
    ),
    Route(method="GET", pattern="/admin/group", action=ADMIN, handler=groups),
    Route(method="GET", pattern=_GROUP, action=ADMIN, handler=group),
    Route(method="PUT", pattern=_GROUP, action=ADMIN, handler=create_group, audited="group create"),
    Route(method="DELETE", pattern=_GROUP, action=ADMIN, handler=delete_group, audited="group delete"),
    Route(method="PUT", pattern=_MEMBER, action=ADMIN, handler=join, audited="group add"),
    Route(method="DELETE", pattern=_MEMBER, action=ADMIN, handler=leave, audited="group remove"),
)
