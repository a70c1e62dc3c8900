"""From records to pages for people: what each area of theirs shows, handed to the pure renderers of `packhouse.pages`.

Every link is relative, and each channel carries its own copy of the style sheet, so that a copied channel folder still
looks right. The few absolute addresses (shown commands, feeds, sitemaps, OpenSearch) come from `base_url`; where that
is empty a script puts the page's own address into commands, and without scripts a word to replace stands there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import orjson

from packhouse import manifest, shelves
from packhouse.assets import site_files
from packhouse.catalog.page_records import PageRecords
from packhouse.ecosystems import Format, Page, Pages
from packhouse.ecosystems.view import PackageView
from packhouse.model import Artifact, Channel, Ecosystem, Json, from_us
from packhouse.pages.browse import browse_pages
from packhouse.pages.channel import channel_page
from packhouse.pages.feed import MAX_ENTRIES, News, channel_feed
from packhouse.pages.frame import AT_ROOT, STATIC, in_channel
from packhouse.pages.opensearch import opensearch
from packhouse.pages.package import MAX_DEPENDENTS, Dependents, package_pages
from packhouse.pages.release import release_pages
from packhouse.pages.search import search_pages
from packhouse.pages.site import MAX_NEWS, site_page
from packhouse.pages.sitemap import channel_sitemap, site_sitemap
from packhouse.placement import Placement
from packhouse.settings import Settings

_NEWS_READ = 100
"""How many events are read for a list of news: files of one release are one line."""


def serial(number: int) -> Pages:
    """Render `serial.json`: the serial up to which everything of the channel is published."""
    return Pages(leaves=(Page("serial.json", orjson.dumps({"serial": number}) + b"\n"),))


def release(key: str, format_: Format, records: PageRecords, place: Placement, settings: Settings) -> Pages:
    """Render the pages of one version and of its files; `key` is `<package>/<version>`."""
    package, _, version = key.partition("/")
    view = format_.view(package, records, version)
    # PEP 440 takes 1.0 and 1.0.0 for one version: each spelling in use keeps its own address, and no other has one.
    if view is None or all(file.version != version for file in view.files):
        return Pages()
    view = replace(view, version=version)
    readers = _readers(place, format_.ecosystem, package)
    return release_pages(view, channel=place.channel, key=package, settings=settings, readers=readers)


def package(key: str, format_: Format, records: PageRecords, place: Placement, settings: Settings) -> Pages:
    """Render what tells of one package: its page, what stands beside it, and `versions.json`."""
    view = format_.view(key, records)
    if view is None:
        return Pages()
    ecosystem = format_.ecosystem
    linked = records.naming_published("page")
    names, total = linked.dependents(ecosystem, key, MAX_DEPENDENTS)
    pages = package_pages(
        view,
        channel=place.channel,
        key=key,
        settings=settings,
        readers=_readers(place, ecosystem, key),
        existing=linked.existing(ecosystem, _required(view) - {key}),
        released=records.released(ecosystem, key),
        dependents=Dependents(names, total),
        events=records.history(ecosystem, key, MAX_ENTRIES),
        kin=[
            (other.value, key)
            for other in Ecosystem
            if other is not ecosystem and linked.existing(other, (key,))
        ],
    )
    listing = Page(
        f"{ecosystem.value}/{key}/versions.json",
        versions(ecosystem.value, key, records.live(ecosystem, package=key)),
    )
    return Pages(leaves=(listing, *pages.leaves))


def versions(ecosystem: str, key: str, files: Iterable[Artifact]) -> bytes:
    """Render `versions.json`: each version's files and top hash, so that it can be verified without the server.

    Versions stand in the order of their last upload, the newest first.
    """
    together: dict[str, list[Artifact]] = {}
    for artifact in files:
        together.setdefault(artifact.version, []).append(artifact)
    found = sorted(together.items(), key=lambda item: (-max(file.uploaded_us for file in item[1]), item[0]))
    body = {
        "package": key,
        "ecosystem": ecosystem,
        "versions": [_version(version, of_it) for version, of_it in found],
    }
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def listed(letter: str, ecosystem: Ecosystem, records: PageRecords, channel: Channel) -> Pages:
    """Render the lists of the packages of one ecosystem under one letter."""
    return Pages(leaves=browse_pages(ecosystem, letter, records.under(ecosystem, letter), channel=channel))


def search(records: PageRecords, channel: Channel, settings: Settings) -> Pages:
    """Render the search index of a channel, and its sitemap: both name every package."""
    packages = [(ecosystem, item) for ecosystem in Ecosystem for item in records.packages(ecosystem)]
    return Pages(leaves=(*search_pages(packages).leaves, *channel_sitemap(channel, packages, settings)))


def channel(channel: Channel, records: PageRecords, settings: Settings) -> Pages:
    """Render the channel's page and its feed, and its copy of the assets before them."""
    assets = [
        Page(f"{STATIC}/{path}", content)
        for path, content in site_files().items()
        if not path.endswith(".html")
    ]
    happened = records.happened(_NEWS_READ)
    body = channel_page(
        channel,
        [shelves.shelf(ecosystem, records) for ecosystem in Ecosystem],
        shelves.news(happened),
        settings,
        frame=in_channel(0),
    )
    # The feed tells of deletions too, also of packages that are gone; nothing in it links to those.
    feed = channel_feed(channel, [shelves.told(item) for item in happened[:MAX_ENTRIES]], settings)
    return Pages(leaves=(*assets, feed, Page("index.html", body)))


def site(channels: Sequence[Channel], records: Callable[[str], PageRecords], settings: Settings) -> Pages:
    """Render the front page with the public channels only, what programs read beside it, and the assets before both.

    Another channel never shows here: its name alone may be a secret.
    """
    public = [item for item in channels if item.place == "public"]
    assets = [Page(f"static/{path}", content) for path, content in site_files().items()]
    lines, latest = [], list[News]()
    for item in public:
        of_it = records(item.name)
        lines.append(shelves.line(item, of_it))
        latest += shelves.news(of_it.happened(MAX_NEWS))
    described = opensearch(settings)
    names = orjson.dumps({"channels": [item.name for item in public]}, option=orjson.OPT_APPEND_NEWLINE)
    return Pages(
        leaves=(
            *assets,
            *([described] if described else ()),
            *site_sitemap(public, settings),
            Page("channels.json", names),
            Page("index.html", site_page(lines, latest, settings, frame=AT_ROOT)),
        )
    )


def _readers(place: Placement, ecosystem: Ecosystem, package: str) -> str:
    if (ecosystem.value, package) in place.restricted:
        return "granted"
    return "everyone" if place.channel.place == "public" else "channel"


def _required(view: PackageView) -> set[str]:
    return {item.package for group in view.requirements for item in group.items if item.package}


def _version(version: str, files: Sequence[Artifact]) -> dict[str, Json]:
    listed = [manifest.file_of(artifact) for artifact in files]
    last = from_us(max(artifact.uploaded_us for artifact in files))
    return {
        "version": version,
        "top_hash": manifest.top_hash(listed),
        "yanked": all(artifact.yanked is not None for artifact in files),
        "last_uploaded": last.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "files": manifest.as_json(listed),
    }
