"""The admin's pages of rights: of a channel, and of a package in it.

GET  /account/admin/rights                                       the channels, and who may read each
GET  /account/admin/rights/{channel}                             ?ecosystem= ?package= leads to a package
GET  /account/admin/rights/{channel}/{ecosystem}/{package}
POST /account/admin/rights/{channel}/give                        kind, name, action, ecosystem, package
POST /account/admin/rights/{channel}/take                        principal, action, ecosystem, package
POST /account/admin/rights/{channel}/close                       ecosystem, package

A change is answered when files and lists are where they belong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from packhouse import access
from packhouse.errors import Malformed, PackhouseError
from packhouse.intake import moving
from packhouse.intake.moving import Moved
from packhouse.model import Action, Ecosystem, Grant
from packhouse.names import parse_channel
from uploadd import auditing, backstage, browser, pages
from uploadd.backstage import own_form, session_of
from uploadd.call import Call
from uploadd.forms import form_route
from uploadd.granting import grant_of, package_name, readers
from uploadd.routing import ADMIN, Route

PATH = "/account/admin/rights/"

_RIGHTS, _CHANNEL = "/account/admin/rights", "/account/admin/rights/{channel}"
_PACKAGE = f"{_CHANNEL}/{{ecosystem}}/{{package}}"
_NOTICES = {
    "given": "The right is given",
    "given-already": "That right was given already",
    "taken": "The right is taken away",
    "taken-already": "That right was not there any more",
    "closed": "The package is closed: the defaults do not reach it any more, for good",
    "closed-already": "The package was closed already",
}
_KINDS = {
    "user": "the user",
    "group": "the group",
    "service": "the service account",
    access.AUTHENTICATED: "everyone who is signed in",
    access.EVERYONE: "everyone",
}
_ACTIONS = {
    Action.READ: "read",
    Action.WRITE: "write: read and upload",
    Action.DELETE: "delete: read and delete",
    Action.MAINTAIN: "maintain: all of it, overwrite, and see these rights",
}
_ECOSYSTEMS = {
    Ecosystem.PYPI: "Python",
    Ecosystem.CONDA: "conda",
    Ecosystem.GENERIC: "build product",
}
_BLANK = {"kind": "user", "name": "", "action": "read"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """One channel of the list; `readers` ends a sentence."""

    name: str
    page: str
    readers: str
    grants: int
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """One grant of a table: who may do what, and as the form that takes it away says it."""

    who: str
    page: str
    what: str
    on: str
    principal: str
    action: str
    ecosystem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """One package that ever had a right of its own."""

    name: str
    page: str
    kind: str
    restricted: bool
    grants: int


# --- pages -------------------------------------------------------------------------------------------------------


async def listing(call: Call) -> web.Response:
    """List the channels, and say who may read each."""
    session_of(call)

    def ask() -> dict[str, Any]:
        house = call.services.house
        channels = house.catalog.channels.list()
        shown, next_ = backstage.window(call, channels, lambda channel: channel.name, PATH)
        rows = []
        for channel in shown:
            grants = house.catalog.grants.of_channel(channel.name)
            row = ChannelRow(
                name=channel.name,
                page=_page_of(channel.name),
                readers=readers(house, call.services.rights, channel),
                grants=sum(grant.package is None for grant in grants),
                packages=len(house.catalog.grants.closed(channel.name)),
            )
            rows.append(row)
        return {"channels": rows, "count": len(channels), "next": next_}

    values = await call.services.ask(ask)
    return pages.page(call, "account/rights.html", place="rights", title="Rights", **values)


async def of_channel(call: Call) -> web.Response:
    """Show the rights on a whole channel, and which packages have their own."""
    session_of(call)
    if "package" in call.query:
        channel = parse_channel(call.path["channel"])
        ecosystem = _ecosystem(call.query.get("ecosystem", ""))
        package = package_name(ecosystem, call.query["package"].strip())
        return browser.go(_page_of(channel, ecosystem, package))
    return await _page(call)


async def of_package(call: Call) -> web.Response:
    """Show the rights on one package, which need not be there yet."""
    session_of(call)
    ecosystem = _ecosystem(call.path["ecosystem"])
    return await _page(call, (ecosystem, package_name(ecosystem, call.path["package"])))


async def _page(
    call: Call,
    package: tuple[Ecosystem, str] | None = None,
    error: PackhouseError | None = None,
    form: Mapping[str, str] = _BLANK,
) -> web.Response:
    """Render the rights of a channel, or of a package in it; raises `NotFound` without the channel."""
    channel = parse_channel(call.path["channel"])
    if package is None:
        values = await call.services.ask(_channel_values, call)
        template, title, up = "account/rights-channel.html", str(channel), [(PATH, "Rights")]
    else:
        values = await call.services.ask(_package_values, call, *package)
        template, title = "account/rights-package.html", package[1]
        up = [(PATH, "Rights"), (_page_of(channel), str(channel))]
    status, headers, said = backstage.refused(call, error)
    return pages.page(
        call,
        template,
        status=status,
        headers=headers,
        place="rights",
        up=up,
        title=title,
        channel=channel,
        page=_page_of(channel),
        error=said,
        notice=backstage.notice(call, _NOTICES),
        kinds=list(_KINDS.items()),
        form={name: form.get(name, "")[:100] for name in _BLANK},
        **values,
    )


def _channel_values(call: Call) -> dict[str, Any]:
    house = call.services.house
    channel = house.catalog.channels.get(parse_channel(call.path["channel"]))
    grants = house.catalog.grants.of_channel(channel.name)
    restricted = house.catalog.grants.restricted(channel.name)
    own = [(grant.ecosystem, grant.package) for grant in grants]
    closed = sorted(house.catalog.grants.closed(channel.name))
    shown, next_ = backstage.window(call, closed, "/".join, _page_of(channel.name))
    return {
        "readers": readers(house, call.services.rights, channel),
        "private": channel.private,
        "grants": [_row(grant) for grant in grants if grant.package is None],
        "packages": [
            PackageRow(
                name=name,
                page=_page_of(channel.name, ecosystem, name),
                kind=_ECOSYSTEMS[Ecosystem(ecosystem)],
                restricted=(ecosystem, name) in restricted,
                grants=own.count((ecosystem, name)),
            )
            for ecosystem, name in shown
        ],
        "count": len(closed),
        "next": next_,
        "ecosystems": [(str(ecosystem), word) for ecosystem, word in _ECOSYSTEMS.items()],
        "actions": [(str(action), text) for action, text in _ACTIONS.items()],
    }


def _package_values(call: Call, ecosystem: Ecosystem, package: str) -> dict[str, Any]:
    house, rights = call.services.house, call.services.rights
    channel = house.catalog.channels.get(parse_channel(call.path["channel"]))
    sight = rights.sight(call.principal, channel.name)
    there = house.catalog.browse.package(sight, channel.name, ecosystem, package)
    # Reading is granted on conda channels only: one repodata.json is for all packages of a subdir.
    actions = [action for action in Action if ecosystem is not Ecosystem.CONDA or action is not Action.READ]
    return {
        "readers": readers(house, rights, channel, ecosystem, package),
        "ecosystem": str(ecosystem),
        "kind": _ECOSYSTEMS[ecosystem],
        "conda": ecosystem is Ecosystem.CONDA,
        "package": package,
        "people_page": backstage.address(channel.name, ecosystem, package) if there else "",
        "closed": (ecosystem, package) in house.catalog.grants.closed(channel.name),
        "grants": [
            _row(grant) for grant in house.catalog.grants.of_package(channel.name, ecosystem, package)
        ],
        "wide": [
            _row(grant)
            for grant in house.catalog.grants.of_channel(channel.name)
            if grant.package is None and grant.ecosystem in (None, ecosystem)
        ],
        "actions": [(str(action), _ACTIONS[action]) for action in actions],
    }


def _row(grant: Grant) -> GrantRow:
    kind, _, name = grant.principal.partition(":")
    built_in = kind == "group" and name in access.BUILT_IN
    folder = {"user": "users", "group": "groups"}.get(kind, "")
    return GrantRow(
        who=_KINDS[name] if built_in else name,
        page="" if built_in or not folder else backstage.address("account", "admin", folder, name),
        what=str(grant.action),
        on=f"all {_ECOSYSTEMS[Ecosystem(grant.ecosystem)]} packages"
        if grant.ecosystem
        else "the whole channel",
        principal=grant.principal,
        action=str(grant.action),
        ecosystem=grant.ecosystem or "",
    )


# --- changes -----------------------------------------------------------------------------------------------------


async def give(call: Call) -> web.Response:
    """Give a right; giving it twice is giving it once."""
    form = await own_form(call)
    kind, name = form.get("kind", ""), form.get("name", "").strip()
    principal = f"group:{kind}" if kind in access.BUILT_IN else f"{kind}:{name}"
    try:
        if kind not in _KINDS:
            raise Malformed(f"{kind[:20]!r} is nobody that a right can be given to; choose from the list")
        if kind not in access.BUILT_IN and not name:
            raise Malformed(f"write the name of {_KINDS[kind]} who is to have the right")
        if kind in access.BUILT_IN and name:
            # One of the two is a slip, and a right for everyone may publish what is private.
            raise Malformed(
                f"{_KINDS[kind]} has no name, and {name[:100]!r} is written beside it: choose what {name[:100]!r} is, "
                "or leave the name empty"
            )
        grant = grant_of(call.path["channel"], {"principal": principal, **_said(form)})
        auditing.tell(call, object_=access.explain(grant))
        moved = await call.services.change(moving.give, call.services.house, grant)
    except PackhouseError as error:
        return await _page(call, _about(form), error, form)
    return await _done(call, form, "given", moved)


async def take(call: Call) -> web.Response:
    """Take a right away; the package stays closed to the defaults."""
    form = await own_form(call)
    try:
        grant = grant_of(call.path["channel"], {"principal": form.get("principal", ""), **_said(form)})
        auditing.tell(call, object_=access.explain(grant))
        await call.services.ask(call.services.house.catalog.channels.get, grant.channel)
        moved = await call.services.change(moving.take, call.services.house, grant)
    except PackhouseError as error:
        return await _page(call, _about(form), error)
    return await _done(call, form, "taken", moved)


async def close(call: Call) -> web.Response:
    """Switch the defaults off for a package without giving anybody a right."""
    form = await own_form(call)
    channel, about = parse_channel(call.path["channel"]), _about(form)
    if about is None:
        raise Malformed("only a package is closed; make the channel private instead")
    auditing.tell(call, object_="/".join((channel, *about)))
    await call.services.ask(call.services.house.catalog.channels.get, channel)
    try:
        moved = await call.services.change(moving.close, call.services.house, channel, *about)
    except PackhouseError as error:
        return await _page(call, about, error)
    return await _done(call, form, "closed", moved)


async def _done(call: Call, form: Mapping[str, str], word: str, moved: Moved) -> web.Response:
    words = await backstage.moved_words(call, moved)
    page = _page_of(parse_channel(call.path["channel"]), *(_about(form) or ()))
    return backstage.done(page, word if moved.changed else f"{word}-already", *words)


def _said(form: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name in ("action", "ecosystem", "package") if (text := form.get(name, "").strip())}


def _about(form: Mapping[str, str]) -> tuple[Ecosystem, str] | None:
    """Return the package that a form speaks of, or None for the whole channel; raises `Malformed` or `BadName`."""
    text = form.get("package", "").strip()
    if not text:
        return None
    ecosystem = _ecosystem(form.get("ecosystem", ""))
    return ecosystem, package_name(ecosystem, text)


def _ecosystem(text: str) -> Ecosystem:
    try:
        return Ecosystem(text)
    except ValueError:
        raise Malformed(f"{text[:20]!r} is no kind of package; these are: {', '.join(Ecosystem)}") from None


def _page_of(channel: str, *package: str) -> str:
    segments: Sequence[str] = ("account", "admin", "rights", channel, *package)
    return backstage.address(*segments)


ROUTES = (
    Route(method="GET", pattern=_RIGHTS, action=ADMIN, handler=listing),
    Route(method="GET", pattern=_CHANNEL, action=ADMIN, handler=of_channel),
    Route(method="GET", pattern=_PACKAGE, action=ADMIN, handler=of_package),
    form_route(f"{_CHANNEL}/give", give, "grant give", action=ADMIN),
    form_route(f"{_CHANNEL}/take", take, "grant take", action=ADMIN),
    form_route(f"{_CHANNEL}/close", close, "grant close", action=ADMIN),
)
