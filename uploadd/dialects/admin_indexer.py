"""The admin's page of the indexer: what is published, queued, failing and refused, and publishing it all again.

GET  /account/admin/indexer
POST /account/admin/indexer/reindex       channel: one, or empty for all and the site
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from packhouse import heartbeat
from packhouse.errors import PackhouseError
from packhouse.house import House, areas_of
from packhouse.intake.refusals import refused
from packhouse.model import Area, Channel
from packhouse.names import parse_channel
from uploadd import auditing, backstage, pages
from uploadd.backstage import Moment, moment, own_form, session_of
from uploadd.call import Call
from uploadd.forms import form_route
from uploadd.routing import ADMIN, Route
from uploadd.services import run

PATH = "/account/admin/indexer/"

SHOWN = 50
"""Lines of each list; the rest is counted."""
SILENT_S = 120
"""How long an indexer may say nothing before that is worth a sentence, in seconds."""

_SITE = Area("", "", "site")
_SECOND = 1_000_000
_NOTICES = {"marked": "Everything is marked to be published again; this page shows what waits yet"}
_KINDS = {
    "index": "index of {key}",
    "root": "lists of the channel",
    "page": "page of {key}",
    "release": "page of the version {key}",
    "list": "list of packages {key}",
    "search": "search",
    "channel": "page of the channel",
    "site": "front page",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """One channel: the serial that is published, of the last one; None where none is published yet."""

    name: str
    published: int | None
    serial: int
    waits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One area that waits; `late` if it should have been published by now."""

    what: str
    channel: str
    due: Moment
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """One area that cannot be published."""

    what: str
    channel: str
    reason: str
    since: Moment
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    """One file that the inbox refused."""

    path: str
    reason: str
    at: Moment


async def show(call: Call) -> web.Response:
    """Show what the indexer has done, has to do, and cannot do."""
    session_of(call)
    return await _page(call)


async def reindex(call: Call) -> web.Response:
    """Mark every area of a channel, or of all, and wake the indexer."""
    form = await own_form(call)
    name = form.get("channel", "").strip()
    auditing.tell(call, object_=name or "everything")
    try:
        count = await run(call.services.judge, mark_all, call.services.house, name)
    except PackhouseError as error:
        return await _page(call, error)
    auditing.tell(call, note=f"{count} areas")
    return backstage.done(PATH, "marked")


def mark_all(house: House, channel: str) -> int:
    """Mark every area of a channel, or with an empty name those of all and the site; returns how many.

    Raises:
        NotFound: there is no such channel.
        BadName: there can be none.
    """
    there: list[Channel] = (
        [house.catalog.channels.get(parse_channel(channel))] if channel else house.catalog.channels.list()
    )
    wanted = [] if channel else [_SITE]
    wanted += [area for item in there for area in areas_of(house, item.name)]
    house.catalog.areas.mark(dict.fromkeys(wanted, 0.0))
    house.wake.poke("wake")
    return len(wanted)


async def _page(call: Call, error: PackhouseError | None = None) -> web.Response:
    status, headers, said = backstage.refused(call, error)
    values = await call.services.ask(_values, call.services.house)
    return pages.page(
        call,
        "account/indexer.html",
        status=status,
        headers=headers,
        place="indexer",
        title="Indexer",
        error=said,
        notice=backstage.notice(call, _NOTICES),
        **values,
    )


def _values(house: House) -> dict[str, Any]:
    now, beat = house.catalog.clock(), heartbeat.read(house)
    lengths = house.catalog.areas.queue_lengths()
    refusals = refused(house)
    return {
        "state": _state(house, beat, now),
        "heard": moment(beat.round_us) if beat.round_us else None,
        "channels": [_channel_row(house, channel, lengths) for channel in house.catalog.channels.list()],
        "waiting": sum(lengths.values()),
        "queue": [
            QueueRow(
                what=_what(area), channel=area.channel, due=moment(due), late=due < now - SILENT_S * _SECOND
            )
            for area, due in house.catalog.areas.queued(SHOWN)
        ],
        "failing": [
            FailureRow(
                what=_what(item.area),
                channel=item.area.channel,
                reason=item.reason,
                since=moment(item.since_us),
                tries=item.tries,
            )
            for item in beat.failing[:SHOWN]
        ],
        "failures": len(beat.failing),
        "refusals": [
            RefusalRow(path=item.path, reason=item.reason, at=moment(item.at_us)) for item in refusals[:SHOWN]
        ],
        "refused": len(refusals),
    }


def _state(house: House, beat: heartbeat.Heartbeat, now_us: int) -> str:
    """Return the word of how the indexer is: `runs`, `silent`, `gone`, or `never` where none ever ran."""
    if not beat.round_us:
        return "never"
    # Asked of the lock of its process, never by taking the indexer's role: a starting one would find it taken.
    if not house.locks.alive(beat.instance):
        return "gone"
    return "silent" if now_us - beat.round_us > SILENT_S * _SECOND else "runs"


def _channel_row(house: House, channel: Channel, waiting: Mapping[str, int]) -> ChannelRow:
    body = house.read(channel, "serial.json")
    try:
        published = None if body is None else int(orjson.loads(body)["serial"])
    except (ValueError, KeyError, TypeError):
        published = None
    return ChannelRow(
        name=channel.name, published=published, serial=channel.serial, waits=waiting.get(channel.name, 0)
    )


def _what(area: Area) -> str:
    text = _KINDS.get(area.kind, f"{area.kind} {{key}}").replace("{key}", area.key or "all").strip()
    return f"{area.ecosystem}: {text}" if area.ecosystem else text


ROUTES = (
    Route(method="GET", pattern="/account/admin/indexer", action=ADMIN, handler=show),
    form_route("/account/admin/indexer/reindex", reindex, "reindex", action=ADMIN),
)
