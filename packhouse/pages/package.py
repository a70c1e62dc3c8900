"""The page of a package, and what programs read beside it: the feed, `latest.json`, the badge. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from packhouse.ecosystems import Page, Pages
from packhouse.ecosystems.view import PackageView, VersionView
from packhouse.model import Channel, Event, Json
from packhouse.pages import badge, feed, shown
from packhouse.pages.frame import Frame, in_channel
from packhouse.pages.plain import address, segment
from packhouse.render import iso
from packhouse.settings import Settings

MAX_DEPENDENTS = 100
MAX_FILES = 200
"""How many files are listed; the page of the release lists all, and is not what everybody opens first."""
MAX_VERSIONS = 100
"""How many versions are in sight; the rest is folded away."""

_ECOSYSTEMS: Mapping[str, str] = {
    "conda": "a conda package",
    "pypi": "a Python package",
    "generic": "a build product",
}


@dataclass(frozen=True, slots=True)
class Dependents:
    """Which packages of the channel need one: the first names, normalised, and how many there are in all."""

    names: Sequence[str]
    total: int


def package_pages(
    view: PackageView,
    *,
    channel: Channel,
    key: str,
    settings: Settings,
    readers: str,
    existing: Collection[str],
    released: Collection[str],
    dependents: Dependents,
    events: Sequence[Event],
    kin: Sequence[tuple[str, str]],
) -> Pages:
    """Render everything that stands in `<ecosystem>/<key>/` but `versions.json`.

    Args:
        view: of the package at its newest version.
        channel: of the package.
        key: its normalised name.
        settings: of the server.
        readers: who may read it: `everyone`, `channel` or `granted`.
        existing: normalised names of the packages of the ecosystem that the page may link.
        released: versions that have a page of their own by now; no other is linked.
        dependents: packages that need this one; none that only some readers of the channel may know of.
        events: what happened to its files, in any order.
        kin: (ecosystem, key) of packages of the channel that are the same thing in another format.
    """
    folder = f"{view.ecosystem}/{key}"
    frame = in_channel(2)
    release_page = f"release/{segment(view.version)}/" if view.version in released else ""
    values = shown.release(
        view,
        frame=frame,
        channel=channel,
        key=key,
        settings=settings,
        readers=readers,
        files_at=f"{release_page}files/" if release_page else "",
        existing=existing,
        most_files=MAX_FILES,
    )
    picture = badge.draw(view.name, view.version, yanked=_yanked(view))
    page = shown.page(
        f"{folder}/index.html",
        "package.html",
        frame,
        title=f"{view.name} {view.version} · {channel.name}",
        release_page=release_page,
        badge_width=picture.width,
        **values,
        **_versions(view, released),
        **_around(view, frame, dependents, kin),
        **_log(events),
    )
    return Pages(
        leaves=(
            feed.package_feed(channel, view.ecosystem, key, view.name, events, settings),
            Page(f"{folder}/latest.json", _latest(view, channel, key)),
            Page(f"{folder}/badge.svg", picture.svg),
            page,
        )
    )


def _versions(view: PackageView, released: Collection[str]) -> dict[str, Any]:
    lines = [
        (version, f"release/{segment(version.version)}/" if version.version in released else "")
        for version in view.versions
    ]
    final = [line for line in lines if not line[0].prerelease]
    # Where there is nothing but pre-releases, they are what the reader came for.
    prereleases = [line for line in lines if line[0].prerelease] if final else []
    in_sight = final or lines
    return {
        "versions": in_sight[:MAX_VERSIONS],
        "older": in_sight[MAX_VERSIONS:],
        "prereleases": prereleases,
    }


def _around(
    view: PackageView, frame: Frame, dependents: Dependents, kin: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    def at(ecosystem: str, key: str) -> str:
        return f"{frame.here}{ecosystem}/{segment(key)}/"

    names = dependents.names[:MAX_DEPENDENTS]
    return {
        "dependents": [(name, at(view.ecosystem, name)) for name in names],
        "dependents_total": dependents.total,
        "dependents_more": max(0, dependents.total - len(names)),
        "kin": [(_ECOSYSTEMS.get(ecosystem, ecosystem), at(ecosystem, key)) for ecosystem, key in kin],
    }


def _log(events: Sequence[Event]) -> dict[str, Any]:
    newest = feed.newest_first(events)
    return {
        "events": [(event, feed.filename(event), feed.HAPPENED[event.kind]) for event in newest],
        # The caller may have given the newest ones only.
        "events_full": len(events) >= feed.MAX_ENTRIES,
    }


def _line(view: PackageView) -> VersionView | None:
    return next((line for line in view.versions if line.version == view.version), None)


def _yanked(view: PackageView) -> bool:
    line = _line(view)
    return line is not None and line.yanked is not None


def _latest(view: PackageView, channel: Channel, key: str) -> bytes:
    """Render `latest.json`; `url` of a file is relative to it, and `released` is when the first file came."""
    released = min((file.uploaded_us for file in view.files), default=None)
    body: dict[str, Json] = {
        "channel": channel.name,
        "ecosystem": view.ecosystem,
        "package": key,
        "version": view.version,
        "released": None if released is None else iso(released),
        "yanked": _yanked(view),
        "files": [
            {
                "filename": file.filename,
                "url": f"../../{address(file.path)}",
                "size": file.size,
                "sha256": file.sha256,
            }
            for file in view.files
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
