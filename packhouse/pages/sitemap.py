"""Sitemaps (sitemaps.org, 0.9) and `robots.txt`: what crawlers may find, named with absolute addresses. Pure.

No dates: an upload to a package that is there already rewrites no sitemap.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape

from packhouse.ecosystems import Package, Page
from packhouse.model import Channel, Ecosystem
from packhouse.pages.frame import channel_url
from packhouse.settings import Settings

MAX_URLS = 50_000
"""Addresses that one sitemap may hold by its rules."""

_XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9"

_ROBOTS = """\
User-agent: *
Disallow: /account/
Disallow: /api/
Disallow: /search/
Disallow: /t/
"""
"""What depends on who asks, or has no end."""


def channel_sitemap(
    channel: Channel, packages: Iterable[tuple[Ecosystem, Package]], settings: Settings
) -> Sequence[Page]:
    """Render `sitemap.xml` of a channel: its own page and one of each package.

    Beyond `MAX_URLS` it is an index of `sitemap-1.xml` and so on, which come before it.

    Args:
        channel: whose packages they are.
        packages: what every reader of the channel may know of, in any order.
        settings: of the server.

    Returns:
        Nothing where `base_url` is not set, and for a channel that not everyone may read.
    """
    url = channel_url(channel, settings)
    if not url or channel.place != "public":
        return ()
    named = sorted((ecosystem.value, package.name) for ecosystem, package in packages)
    addresses = [f"{url}/", *(f"{url}/{ecosystem}/{quote(name, safe='')}/" for ecosystem, name in named)]
    if len(addresses) <= MAX_URLS:
        return (Page("sitemap.xml", _urlset(addresses)),)
    parts = [
        Page(f"sitemap-{number}.xml", _urlset(addresses[start : start + MAX_URLS]))
        for number, start in enumerate(range(0, len(addresses), MAX_URLS), start=1)
    ]
    return (
        *parts,
        Page("sitemap.xml", _list("sitemapindex", "sitemap", (f"{url}/{part.path}" for part in parts))),
    )


def site_sitemap(channels: Iterable[Channel], settings: Settings) -> Sequence[Page]:
    """Render `sitemap.xml` of the root, with the front page and the public channels, and `robots.txt`.

    `robots.txt` names each channel's sitemap itself: a large channel's is an index, and an index names no index.

    Args:
        channels: all of them; one that not everyone may read is named nowhere.
        settings: of the server; without `base_url` only `robots.txt` is rendered, without sitemaps.
    """
    public = sorted((item for item in channels if item.place == "public"), key=lambda item: item.name)
    if not settings.base_url:
        return (Page("robots.txt", _ROBOTS.encode()),)
    root = settings.base_url.rstrip("/")
    urls = [channel_url(item, settings) for item in public]
    lines = [f"Sitemap: {address}/sitemap.xml\n" for address in (root, *urls)]
    return (
        Page("sitemap.xml", _urlset([f"{root}/", *(f"{url}/" for url in urls)])),
        Page("robots.txt", f"{_ROBOTS}\n{''.join(lines)}".encode()),
    )


def _urlset(addresses: Iterable[str]) -> bytes:
    return _list("urlset", "url", addresses)


def _list(kind: str, item: str, addresses: Iterable[str]) -> bytes:
    rows = "".join(f"<{item}><loc>{escape(address)}</loc></{item}>\n" for address in addresses)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} xmlns="{_XMLNS}">\n{rows}</{kind}>\n'.encode()
