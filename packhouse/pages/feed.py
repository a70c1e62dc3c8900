"""Atom feeds (RFC 4287): what happened to a package, and in a channel.

Feeds are read far from where they were fetched, so with `base_url` set their links are absolute; without it they are
relative to the feed's own address. What identifies an entry never depends on addresses.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packhouse.ecosystems import Page
from packhouse.model import Channel, Event, EventKind
from packhouse.pages.frame import channel_url
from packhouse.pages.plain import printable, segment
from packhouse.render import render
from packhouse.settings import Settings

MAX_ENTRIES = 50

HAPPENED: Mapping[EventKind, str] = {
    EventKind.UPLOAD: "uploaded",
    EventKind.REPLACE: "replaced",
    EventKind.DELETE: "deleted",
    EventKind.YANK: "yanked",
    EventKind.UNYANK: "no longer yanked",
}
"""What happened to the file, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One line of what is new in a channel: an event, and of which package.

    Attributes:
        event: what happened.
        ecosystem: of the package.
        key: its normalised name.
        name: as people write it.
        version: of the file; empty where nothing tells it any more.
        there: whether the package is still there; else its page went with its last file.
    """

    event: Event
    ecosystem: str
    key: str
    name: str
    version: str = ""
    there: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    id: str
    title: str
    link: str
    updated_us: int
    by: str
    content: str
    kind: str


def channel_feed(channel: Channel, news: Sequence[News], settings: Settings) -> Page:
    """Render `feed.atom` of a channel.

    Args:
        channel: whose feed it is.
        news: what everyone who may read the channel may know, in any order; nothing of a restricted package.
        settings: of the server.
    """
    url = channel_url(channel, settings)
    root = f"{url}/" if url else "./"
    entries = [
        _entry(
            item.event,
            before=f"{item.name} {item.version}".strip(),
            link=f"{root}{item.ecosystem}/{segment(item.key)}/" if item.there else root,
        )
        for item in sorted(news, key=lambda item: item.event.serial, reverse=True)[:MAX_ENTRIES]
    ]
    return Page("feed.atom", _feed(channel, "", channel.name, root, entries))


def package_feed(
    channel: Channel, ecosystem: str, key: str, name: str, events: Sequence[Event], settings: Settings
) -> Page:
    """Render `<ecosystem>/<key>/feed.atom`, the feed of one package.

    Args:
        channel: of the package.
        ecosystem: of the package.
        key: its normalised name.
        name: as people write it.
        events: what happened to its files, in any order.
        settings: of the server.
    """
    url = channel_url(channel, settings)
    root = f"{url}/{ecosystem}/{segment(key)}/" if url else "./"
    entries = [_entry(event, before=name, link=root) for event in newest_first(events)]
    folder = f"{ecosystem}/{key}"
    title = f"{name} · {channel.name}"
    return Page(f"{folder}/feed.atom", _feed(channel, folder, title, root, entries))


def newest_first(events: Sequence[Event]) -> list[Event]:
    """Return the newest `MAX_ENTRIES` of some events of one channel, the newest first."""
    return sorted(events, key=lambda event: event.serial, reverse=True)[:MAX_ENTRIES]


def filename(event: Event) -> str:
    """Return the name of the file that an event is of."""
    return event.path.rpartition("/")[2]


def _entry(event: Event, *, before: str, link: str) -> _Entry:
    return _Entry(
        # RFC 4287, 4.2.6: an id "MUST NOT change when the entry is relocated"; the same in both feeds.
        id=_urn(event.channel, event.serial, event.at_us, event.sha256),
        title=printable(f"{before}: {filename(event)} {HAPPENED[event.kind]}"),
        link=link,
        updated_us=event.at_us,
        by=printable(event.by) or "unknown",
        content=printable(event.note),
        kind=event.kind.value,
    )


def _feed(channel: Channel, folder: str, title: str, root: str, entries: Sequence[_Entry]) -> bytes:
    return render(
        "people/feed.atom",
        id=_urn(channel.name, channel.created_us, folder),
        title=printable(title),
        root=root,
        updated_us=max((entry.updated_us for entry in entries), default=channel.created_us),
        entries=entries,
    )


def _urn(*parts: object) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(["packhouse", *map(str, parts)])).urn
