"""The sitemaps of a channel and of the site, and what a browser's address bar needs."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from packhouse.ecosystems import Package
from packhouse.model import Channel, Ecosystem
from packhouse.names import ChannelName
from packhouse.pages import sitemap
from packhouse.pages.opensearch import opensearch
from packhouse.pages.sitemap import channel_sitemap, site_sitemap
from packhouse.settings import Settings

HERE = Settings(data=Path("data"), base_url="https://packs.example/")
NOWHERE = Settings(data=Path("data"))


def package(name, ecosystem=Ecosystem.PYPI):
    return ecosystem, Package(
        name=name, display=name, serial=1, files=1, latest="1", summary="", updated_us=0
    )


MAIN = Channel(name=ChannelName("main"))
PRIVATE = replace(MAIN, name=ChannelName("closed"), private=True, place="private")


def addresses(page):
    tree = ET.fromstring(page.body)
    return tree.tag.partition("}")[2], [loc.text for loc in tree.iter(f"{{{sitemap._XMLNS}}}loc")]


class TestSitemap:
    def test_it_names_the_channel_and_its_packages(self):
        (page,) = channel_sitemap(MAIN, [package("six"), package("lib+c", ecosystem=Ecosystem.CONDA)], HERE)

        assert page.path == "sitemap.xml"
        assert addresses(page) == (
            "urlset",
            [
                "https://packs.example/main/",
                "https://packs.example/main/conda/lib%2Bc/",
                "https://packs.example/main/pypi/six/",
            ],
        )

    def test_beyond_the_limit_it_is_an_index_of_files_that_come_first(self, monkeypatch):
        monkeypatch.setattr(sitemap, "MAX_URLS", 2)

        *parts, index = channel_sitemap(MAIN, [package("a"), package("b"), package("c")], HERE)

        assert [len(addresses(part)[1]) for part in parts] == [2, 2]
        assert index.path == "sitemap.xml"
        assert addresses(index) == (
            "sitemapindex",
            [f"https://packs.example/main/{part.path}" for part in parts],
        )

    @pytest.mark.parametrize(("channel", "settings"), [(PRIVATE, HERE), (MAIN, NOWHERE)])
    def test_there_is_none_of_what_is_not_public_and_none_without_an_address(self, channel, settings):
        assert channel_sitemap(channel, [package("six")], settings) == ()

    def test_the_sites_own_names_public_channels_only(self):
        root, robots = site_sitemap([PRIVATE, MAIN], HERE)

        assert addresses(root)[1] == ["https://packs.example/", "https://packs.example/main/"]
        assert robots.path == "robots.txt"
        assert [line for line in robots.body.decode().splitlines() if line.startswith("Sitemap")] == [
            "Sitemap: https://packs.example/sitemap.xml",
            "Sitemap: https://packs.example/main/sitemap.xml",
        ]
        assert b"closed" not in root.body + robots.body

    def test_without_an_address_crawlers_are_told_where_not_to_go(self):
        (robots,) = site_sitemap([MAIN], NOWHERE)

        assert robots.path == "robots.txt"
        assert b"Disallow: /account/\n" in robots.body
        assert b"Sitemap" not in robots.body

    def test_an_address_is_escaped(self):
        odd = replace(HERE, base_url="https://packs.example/a&b")

        assert addresses(site_sitemap([], odd)[0])[1] == ["https://packs.example/a&b/"]


class TestOpenSearch:
    NS = "{http://a9.com/-/spec/opensearch/1.1/}"

    def test_it_leads_to_the_search_page(self):
        page = opensearch(HERE)

        tree = ET.fromstring(page.body)
        assert page.path == "opensearch.xml"
        assert [url.get("template") for url in tree.iter(f"{self.NS}Url")] == [
            "https://packs.example/search/?q={searchTerms}",
            "https://packs.example/opensearch.xml",
        ]

    @pytest.mark.parametrize(
        ("host", "short"), [("packs.example", "packs.example"), (f"{'packs' * 12}.example:8443", "Packhouse")]
    )
    def test_its_names_are_as_long_as_they_may_be(self, host, short):
        tree = ET.fromstring(opensearch(replace(HERE, base_url=f"https://{host}/a&b")).body)

        assert tree.findtext(f"{self.NS}ShortName") == short
        assert len(tree.findtext(f"{self.NS}LongName")) <= 48

    def test_there_is_none_without_an_address(self):
        assert opensearch(NOWHERE) is None
