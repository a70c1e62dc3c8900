"""The packages that whoever is signed in has written or may write.

GET /account/packages      ?page_token=
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from packhouse import access
from packhouse.catalog.browse import Sight
from packhouse.model import Action, Channel, Ecosystem, Grant
from uploadd import backstage, pages
from uploadd.backstage import Moment, moment, session_of
from uploadd.call import Call
from uploadd.routing import ANYONE, Route

PATH = "/account/packages/"

_CHANGES = (Action.WRITE, Action.DELETE, Action.MAINTAIN)
_KINDS = {Ecosystem.CONDA: "conda", Ecosystem.PYPI: "Python", Ecosystem.GENERIC: "build product"}
_Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """One package of the table; `changed` None and `page` empty where no file of it is there."""

    name: str
    kind: str
    channel: str
    page: str
    latest: str
    changed: Moment | None
    may: str
    uploaded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """A channel that they may change as a whole."""

    name: str
    may: str


async def show(call: Call) -> web.Response:
    """Show the packages, and the channels that are theirs to change as a whole."""
    session_of(call)
    values = await call.services.ask(_values, call)
    return pages.page(call, "account/packages.html", place="packages", title="My packages", **values)


def _values(call: Call) -> dict[str, Any]:
    house, me = call.services.house, call.principal
    channels = {str(channel.name): channel for channel in house.catalog.channels.list()}
    sight = call.services.rights.sight(me)
    written = house.catalog.artifacts.uploaded_by(me.name)
    grants = [
        grant for grant in house.catalog.grants.of_principals(access.names(me)) if grant.channel in channels
    ]
    named = {
        (grant.channel, str(grant.ecosystem), grant.package)
        for grant in grants
        if grant.package is not None and grant.action in _CHANGES
    }
    # Asked once a channel: a robot's account may have uploaded ten thousand packages.
    restricted = {
        channel: house.catalog.grants.restricted(channel) for channel in {name[0] for name in written}
    }
    found = sorted(named | {name for name in written if _seen(sight, restricted[name[0]], name)})
    shown, next_ = backstage.window(call, found, "/".join, PATH)
    return {
        "packages": [_row(call, sight, channels[name[0]], name, uploaded=name in written) for name in shown],
        "count": len(found),
        "channels": _whole(grants),
        "everything": me.admin,
        "next": next_,
    }


def _seen(sight: Sight, restricted: Collection[tuple[str, str]], name: _Name) -> bool:
    """Whether they may still read what they uploaded once: rights are taken away, too."""
    channel, ecosystem, package = name
    if name in sight.extra:
        return True
    listed = channel in sight.channels or (channel, ecosystem) in sight.ecosystems
    return listed and (ecosystem, package) not in restricted


def _row(call: Call, sight: Sight, channel: Channel, name: _Name, *, uploaded: bool) -> PackageRow:
    _, ecosystem, package = name
    found = call.services.house.catalog.browse.package(sight, *name)
    may = [
        str(action)
        for action in Action
        if call.services.rights.permits(call.principal, action, channel, ecosystem, package)
    ]
    return PackageRow(
        name=package if found is None else found.display,
        kind=_KINDS[Ecosystem(ecosystem)],
        channel=channel.name,
        page="" if found is None else backstage.address(channel.name, ecosystem, package),
        latest="" if found is None else found.latest,
        changed=None if found is None else moment(found.updated_us),
        may=", ".join(may),
        uploaded=uploaded,
    )


def _whole(grants: Sequence[Grant]) -> list[ChannelRow]:
    found: dict[str, list[str]] = {}
    for grant in grants:
        if grant.package is None and grant.action in _CHANGES:
            said = (
                f"{grant.action} {_KINDS[Ecosystem(grant.ecosystem)]} packages"
                if grant.ecosystem
                else grant.action
            )
            found.setdefault(grant.channel, []).append(said)
    return [ChannelRow(name=name, may=", ".join(dict.fromkeys(said))) for name, said in sorted(found.items())]


ROUTES = (Route(method="GET", pattern="/account/packages", action=ANYONE, handler=show),)
