"""The admin's pages of channels: what there is, making one, making it private or public, deleting it.

GET  /account/admin/channels
POST /account/admin/channels                          name, private
GET  /account/admin/channels/{channel}/visibility     says what will happen
POST /account/admin/channels/{channel}/visibility     private
GET  /account/admin/channels/{channel}/delete         says what will happen
POST /account/admin/channels/{channel}/delete
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from packhouse.errors import PackhouseError
from packhouse.intake import moving
from packhouse.intake.moving import Moved
from packhouse.model import Area, Channel
from packhouse.names import parse_channel
from uploadd import auditing, backstage, pages
from uploadd.backstage import Moment, moment, own_form, session_of
from uploadd.call import Call
from uploadd.forms import form_route
from uploadd.granting import readers
from uploadd.parameters import yes_or_no
from uploadd.routing import ADMIN, Route

PATH = "/account/admin/channels/"

_CHANNELS, _CHANNEL = "/account/admin/channels", "/account/admin/channels/{channel}"
_VISIBILITY, _DELETE = "account/visibility.html", "account/channel-delete.html"
_SITE = Area("", "", "site")
_NOTICES = {
    "created": "The channel is there",
    "private": "The channel is private: only those who were granted a right on it read it",
    "public": "The channel is not private any more",
    "unchanged": "It was so already",
    "deleted": "The channel is deleted; names that were deleted in it stay retired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """One channel of the table."""

    name: str
    page: str
    rights: str
    private: bool
    overwrite: bool
    serial: int
    packages: int
    files: int
    since: Moment


async def listing(call: Call) -> web.Response:
    """List the channels."""
    session_of(call)
    return await _list(call)


async def create(call: Call) -> web.Response:
    """Make a channel; answered when its first pages are there."""
    form = await own_form(call)
    text, private = form.get("name", "").strip(), form.get("private") == "true"
    try:
        name = parse_channel(text)
        auditing.tell(call, object_=name, note="private" if private else "")
        awaited = await call.services.change(call.services.house.create_channel, name, private=private)
    except PackhouseError as error:
        return await _list(call, error, form=form)
    words = await backstage.moved_words(call, Moved(changed=True, awaited=awaited))
    return backstage.done(PATH, "created", *words)


async def _list(
    call: Call, error: PackhouseError | None = None, *, form: Mapping[str, str] | None = None
) -> web.Response:
    status, headers, said = backstage.refused(call, error)
    typed = form or {}
    return pages.page(
        call,
        "account/channels.html",
        status=status,
        headers=headers,
        place="channels",
        title="Channels",
        error=said,
        notice=backstage.notice(call, _NOTICES),
        name=typed.get("name", "").strip()[:128],
        private=typed.get("private") == "true",
        **await call.services.ask(_list_values, call),
    )


def _list_values(call: Call) -> dict[str, Any]:
    catalog = call.services.house.catalog
    channels, holdings = catalog.channels.list(), catalog.channels.holdings()
    shown, next_ = backstage.window(call, channels, lambda channel: channel.name, PATH)
    return {
        "channels": [_row(channel, *holdings.get(channel.name, (0, 0))) for channel in shown],
        "count": len(channels),
        "next": next_,
    }


def _row(channel: Channel, packages: int, files: int) -> ChannelRow:
    return ChannelRow(
        name=channel.name,
        page=_page_of(channel.name),
        rights=backstage.address("account", "admin", "rights", channel.name),
        private=channel.private,
        overwrite=channel.overwrite,
        serial=channel.serial,
        packages=packages,
        files=files,
        since=moment(channel.created_us),
    )


# --- one channel -------------------------------------------------------------------------------------------------


async def ask_visibility(call: Call) -> web.Response:
    """Say what making the channel private, or public again, will do."""
    session_of(call)
    return await _confirm(call, _VISIBILITY)


async def set_visibility(call: Call) -> web.Response:
    """Make a channel private, or let the defaults apply to it again; its files are moved before the answer."""
    form = await own_form(call)
    private = yes_or_no("private", form.get("private", ""))
    auditing.tell(call, action="channel private" if private else "channel public")
    try:
        name = parse_channel(call.path["channel"])
        moved = await call.services.change(moving.set_private, call.services.house, name, private)
    except PackhouseError as error:
        return await _confirm(call, _VISIBILITY, error)
    words = await backstage.moved_words(call, moved)
    did = "private" if private else "public"
    return backstage.done(PATH, did if moved.changed else "unchanged", *words)


async def ask_delete(call: Call) -> web.Response:
    """Say what deleting the channel will do, or why it cannot be."""
    session_of(call)
    return await _confirm(call, _DELETE)


async def delete(call: Call) -> web.Response:
    """Forget an empty channel; its files leave before the answer."""
    await own_form(call)
    house = call.services.house
    try:
        await call.services.change(house.delete_channel, parse_channel(call.path["channel"]))
    except PackhouseError as error:
        return await _confirm(call, _DELETE, error)
    awaited = {_SITE: await call.services.ask(house.catalog.areas.generation, _SITE)}
    words = await backstage.moved_words(call, Moved(changed=True, awaited=awaited))
    return backstage.done(PATH, "deleted", *words)


async def _confirm(call: Call, template: str, error: PackhouseError | None = None) -> web.Response:
    """Render a page on which a change of a channel is confirmed; raises `NotFound` without the channel."""

    def ask() -> dict[str, Any]:
        house = call.services.house
        channel = house.catalog.channels.get(parse_channel(call.path["channel"]))
        holdings = house.catalog.channels.holdings().get(channel.name, (0, 0))
        return {
            "channel": _row(channel, *holdings),
            "readers": readers(house, call.services.rights, channel),
            "default_read": house.settings.default_read,
            "default": channel.name == house.settings.default_channel,
        }

    values = await call.services.ask(ask)
    channel = values["channel"]
    then = "public" if channel.private else "private"
    status, headers, said = backstage.refused(call, error)
    return pages.page(
        call,
        template,
        status=status,
        headers=headers,
        place="channels",
        up=[(PATH, "Channels")],
        title=f"Delete {channel.name}" if template == _DELETE else f"Make {channel.name} {then}",
        error=said,
        **values,
    )


def _page_of(channel: str) -> str:
    return backstage.address("account", "admin", "channels", channel)


ROUTES = (
    Route(method="GET", pattern=_CHANNELS, action=ADMIN, handler=listing),
    form_route(_CHANNELS, create, "channel create", action=ADMIN),
    Route(method="GET", pattern=f"{_CHANNEL}/visibility", action=ADMIN, handler=ask_visibility),
    form_route(f"{_CHANNEL}/visibility", set_visibility, "channel visibility", action=ADMIN),
    Route(method="GET", pattern=f"{_CHANNEL}/delete", action=ADMIN, handler=ask_delete),
    form_route(f"{_CHANNEL}/delete", delete, "channel delete", action=ADMIN),
)
