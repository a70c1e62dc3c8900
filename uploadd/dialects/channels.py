"""Channels, who may read them, and who may do what in them.

GET    /api/1/channels                       those that the caller may read something of
POST   /api/1/channels                       {"name", "private", "overwrite"}
GET    /api/1/channels/{channel}
PUT    /api/1/channels/{channel}/visibility  {"private": true}
GET    /api/1/channels/{channel}/grants      admins, and maintainers for what they maintain
PUT    /api/1/channels/{channel}/grants      {"principal", "action", "ecosystem", "package"}
DELETE /api/1/channels/{channel}/grants      the same as parameters of the query

A change is answered when files and lists are where they belong. A channel that is not there and one that the caller
may not read give one answer.
"""

from collections.abc import Mapping, Sequence

from aiohttp import web

from packhouse import access
from packhouse.intake import moving
from packhouse.intake.moving import Moved
from packhouse.model import Action, Channel, Grant, Json, from_us
from packhouse.names import parse_channel
from uploadd import auditing
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.granting import FIELDS, LATE, grant_of
from uploadd.jsonbody import json_fields
from uploadd.negotiate import answer
from uploadd.paging import next_page, window
from uploadd.routing import ADMIN, ANYONE, Route

_CHANNELS = "/api/1/channels"
_GRANTS = f"{_CHANNELS}/{{channel}}/grants"


async def listing(call: Call) -> web.Response:
    """List the channels of which the caller may read something."""
    channels = await call.services.ask(_readable, call)
    page, token = window(call.query, channels, lambda channel: channel.name)
    return answer(
        call,
        [record(channel) for channel in page],
        title="Channels",
        next_=next_page(f"{_CHANNELS}/", call.query, token),
    )


def _readable(call: Call) -> list[Channel]:
    services = call.services
    return [
        channel
        for channel in services.house.catalog.channels.list()
        if services.rights.anywhere(call.principal, Action.READ, channel)
    ]


async def show(call: Call) -> web.Response:
    """Describe one channel."""
    return answer(call, record(call.here), title=f"Channel {call.here.name}")


async def create(call: Call) -> web.Response:
    """Make a channel; answered when its first pages are there."""
    fields = await json_fields(call, ("name", "private", "overwrite"))
    name = parse_channel(fields.text("name"))
    private = fields.flag("private", default=False)
    auditing.tell(call, object_=name, note="private" if private else "")
    house = call.services.house
    awaited = await call.services.change(
        house.create_channel, name, private=private, overwrite=fields.flag("overwrite", default=False)
    )
    channel = await call.services.ask(house.catalog.channels.get, name)
    return await _changed(
        call, Moved(changed=True, awaited=awaited), {"channel": record(channel)}, created=201
    )


async def set_visibility(call: Call) -> web.Response:
    """Make a channel private, or let the defaults apply to it again; its files are moved before the answer."""
    name = parse_channel(call.path["channel"])
    fields = await json_fields(call, ("private",))
    private = fields.flag("private")
    auditing.tell(call, action="channel private" if private else "channel public")
    house = call.services.house
    moved = await call.services.change(moving.set_private, house, name, private)
    channel = await call.services.ask(house.catalog.channels.get, name)
    return await _changed(call, moved, {"channel": record(channel)})


# --- grants --------------------------------------------------------------------------------------------------------


async def grants(call: Call) -> web.Response:
    """List the grants of a channel, as far as the caller maintains what they are on."""
    found = await call.services.ask(_maintained, call)
    page, token = window(call.query, found, _place)
    return answer(
        call,
        [_shown(grant) for grant in page],
        title=f"Grants of {call.here.name}",
        next_=next_page(f"{_CHANNELS}/{call.here.name}/grants/", call.query, token),
    )


def _maintained(call: Call) -> list[Grant]:
    rights, me, channel = call.services.rights, call.principal, call.here
    there = call.services.house.catalog.grants.of_channel(channel.name)
    if rights.permits(me, Action.MAINTAIN, channel):
        return there
    packages = {(grant.ecosystem, grant.package) for grant in there if grant.package is not None}
    mine = {package for package in packages if rights.permits(me, Action.MAINTAIN, channel, *package)}
    return [grant for grant in there if (grant.ecosystem, grant.package) in mine]


async def give(call: Call) -> web.Response:
    """Give a right; giving it twice is giving it once."""
    fields = await json_fields(call, FIELDS)
    grant = grant_of(
        call.path["channel"],
        {name: text for name in FIELDS if (text := fields.optional_text(name)) is not None},
    )
    auditing.tell(call, object_=access.explain(grant))
    moved = await call.services.change(moving.give, call.services.house, grant)
    return await _changed(call, moved, {"grant": _shown(grant)})


async def take(call: Call) -> web.Response:
    """Take a right away; the package stays closed to the defaults."""
    grant = grant_of(call.path["channel"], call.query)
    auditing.tell(call, object_=access.explain(grant))
    house = call.services.house
    await call.services.ask(house.catalog.channels.get, grant.channel)
    moved = await call.services.change(moving.take, house, grant)
    return await _changed(call, moved, {"grant": _shown(grant)})


# --- answers -------------------------------------------------------------------------------------------------------


def record(channel: Channel) -> dict[str, Json]:
    """Return what an answer says of a channel."""
    return {
        "name": channel.name,
        "private": channel.private,
        "overwrite": channel.overwrite,
        "serial": channel.serial,
        "created": from_us(channel.created_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def _shown(grant: Grant) -> dict[str, Json]:
    return {
        "principal": grant.principal,
        "action": str(grant.action),
        "channel": grant.channel,
        "ecosystem": grant.ecosystem,
        "package": grant.package,
    }


def _place(grant: Grant) -> str:
    # The characters after the names sort before every character of a name.
    return " ".join((grant.ecosystem or "", grant.package or "", grant.principal, str(grant.action)))


async def _changed(call: Call, moved: Moved, body: Mapping[str, Json], *, created: int = 200) -> web.Response:
    listed = await call.services.publication.wait(moved.awaited)
    notes: Sequence[str] = [note for note in ("" if listed else LATE, moved.note) if note]
    told = {"changed": moved.changed, "published": listed, **body, "notes": list(notes)}
    return json_answer(told, created if listed else 202)


ROUTES = (
    Route(method="GET", pattern=_CHANNELS, action=ANYONE, handler=listing),
    Route(method="POST", pattern=_CHANNELS, action=ADMIN, handler=create, audited="channel create"),
    Route(method="GET", pattern=f"{_CHANNELS}/{{channel}}", action=Action.READ, handler=show),
    Route(
        method="PUT",
        pattern=f"{_CHANNELS}/{{channel}}/visibility",
        action=ADMIN,
        handler=set_visibility,
        audited="channel visibility",
    ),
    Route(method="GET", pattern=_GRANTS, action=Action.MAINTAIN, handler=grants),
    Route(method="PUT", pattern=_GRANTS, action=ADMIN, handler=give, audited="grant give"),
    Route(method="DELETE", pattern=_GRANTS, action=ADMIN, handler=take, audited="grant take"),
)
