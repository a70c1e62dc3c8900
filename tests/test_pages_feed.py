"""Atom feeds after RFC 4287, and the badge."""

from xml.etree import ElementTree as ET

import pytest
from people_support import CHANNEL, HOSTILE, RELATIVE, SETTINGS, event

from packhouse.model import EventKind
from packhouse.pages.badge import draw
from packhouse.pages.feed import News, channel_feed, package_feed

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"


def news(serial, kind=EventKind.UPLOAD, **more):
    values = {"ecosystem": "pypi", "key": "flask", "name": "Flask", "version": "3.1.0"}
    return News(event=event(serial, kind), **values | more)


def of_package(events, settings=SETTINGS, name="Flask"):
    return package_feed(CHANNEL, "pypi", "flask", name, events, settings)


def read(page):
    """The feed's tree, checked against what RFC 4287 demands of any feed."""
    feed = ET.fromstring(page.body)
    entries = feed.findall(f"{ATOM}entry")
    for part in (feed, *entries):
        for name in ("id", "title", "updated"):
            assert len(part.findall(f"{ATOM}{name}")) == 1
        assert part.findtext(f"{ATOM}id").startswith("urn:uuid:")
        assert [link for link in part.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
    # 4.1.1: "atom:feed elements MUST contain one or more atom:author elements, unless all of the child entries do".
    assert feed.find(f"{ATOM}author") is not None or all(
        entry.findtext(f"{ATOM}author/{ATOM}name") for entry in entries
    )
    assert bool(entries) != (feed.find(f"{ATOM}author") is not None)
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == len(entries)
    return feed


def link(part, rel="alternate"):
    (found,) = (item.get("href") for item in part.findall(f"{ATOM}link") if item.get("rel") == rel)
    return found


def titles(feed):
    return [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")]


def test_a_channels_feed_tells_what_happened_newest_first():
    kinds = list(EventKind)
    page = channel_feed(CHANNEL, [news(number, kind) for number, kind in enumerate(kinds, 1)], SETTINGS)
    feed = read(page)

    assert page.path == "feed.atom"
    assert feed.findtext(f"{ATOM}title") == "main"
    assert titles(feed) == [
        "Flask 3.1.0: flask-3.1.0.tar.gz no longer yanked",
        "Flask 3.1.0: flask-3.1.0.tar.gz yanked",
        "Flask 3.1.0: flask-3.1.0.tar.gz deleted",
        "Flask 3.1.0: flask-3.1.0.tar.gz replaced",
        "Flask 3.1.0: flask-3.1.0.tar.gz uploaded",
    ]
    assert feed.findtext(f"{ATOM}updated") == "2026-11-21T10:00:05Z"
    assert [entry.findtext(f"{ATOM}updated") for entry in feed.iter(f"{ATOM}entry")][
        -1
    ] == "2026-11-21T10:00:01Z"


def test_links_are_absolute_where_the_address_is_known_and_relative_else():
    absolute = read(channel_feed(CHANNEL, [news(1, key="a+b")], SETTINGS))
    relative = read(channel_feed(CHANNEL, [news(1, key="a+b")], RELATIVE))
    base = "https://packages.example:8443/main/"

    assert (link(absolute), link(absolute, "self")) == (base, f"{base}feed.atom")
    assert link(absolute.find(f"{ATOM}entry")) == f"{base}pypi/a%2Bb/"
    assert (link(relative), link(relative, "self")) == ("./", "./feed.atom")
    assert link(relative.find(f"{ATOM}entry")) == "./pypi/a%2Bb/"


def test_news_of_a_package_that_is_gone_leads_to_the_channel():
    """Its page went with its last file."""
    gone = news(1, EventKind.DELETE, version="", there=False)
    feed = read(channel_feed(CHANNEL, [gone, news(2, EventKind.DELETE, key="x")], SETTINGS))
    other, last = feed.findall(f"{ATOM}entry")

    assert titles(feed)[1] == "Flask: flask-3.1.0.tar.gz deleted"
    assert link(last) == "https://packages.example:8443/main/"
    assert link(other) == "https://packages.example:8443/main/pypi/x/"


def test_what_identifies_an_entry_depends_on_no_address_and_is_the_same_in_both_feeds():
    """RFC 4287, 4.2.6: an id "MUST NOT change when an Atom Document is relocated"."""
    ids = {
        read(page).find(f"{ATOM}entry").findtext(f"{ATOM}id")
        for page in (
            channel_feed(CHANNEL, [news(1)], SETTINGS),
            channel_feed(CHANNEL, [news(1)], RELATIVE),
            of_package([event(1)]),
        )
    }
    feeds = {
        read(page).findtext(f"{ATOM}id") for page in (of_package(()), channel_feed(CHANNEL, (), SETTINGS))
    }

    assert len(ids) == 1
    assert len(feeds) == 2
    assert ids.isdisjoint(feeds)


def test_a_packages_feed_stands_in_its_folder():
    page = of_package([event(3, EventKind.YANK, note="broken"), event(4, by="")])
    feed = read(page)
    newest, yanked = feed.findall(f"{ATOM}entry")

    assert page.path == "pypi/flask/feed.atom"
    assert feed.findtext(f"{ATOM}title") == "Flask · main"
    assert link(yanked) == "https://packages.example:8443/main/pypi/flask/"
    assert link(read(of_package([event(3)], RELATIVE)).find(f"{ATOM}entry")) == "./"
    assert yanked.findtext(f"{ATOM}content") == "broken"
    assert newest.find(f"{ATOM}content") is None
    assert newest.findtext(f"{ATOM}author/{ATOM}name") == "unknown"
    assert "203.0.113.9" not in page.body.decode()


def test_a_feed_has_at_most_fifty_entries_and_may_have_none():
    empty = read(of_package(()))

    assert len(titles(read(of_package([event(number) for number in range(70)])))) == 50
    assert len(titles(read(channel_feed(CHANNEL, [news(number) for number in range(70)], SETTINGS)))) == 50
    assert titles(empty) == []
    assert empty.findtext(f"{ATOM}updated") == "2025-10-17T10:00:00Z"


def test_hostile_text_leaves_a_feed_well_formed():
    for page in (
        of_package([event(1, by=HOSTILE, note=HOSTILE, path=f"x/{HOSTILE}")], name=HOSTILE),
        channel_feed(CHANNEL, [news(1, name=HOSTILE, version=HOSTILE, key=HOSTILE)], SETTINGS),
    ):
        feed = read(page)
        assert {part.tag.removeprefix(ATOM) for part in feed.iter()} <= {
            *("feed", "id", "title", "updated", "link", "generator", "entry", "author", "name"),
            *("category", "content"),
        }


@pytest.mark.parametrize(
    ("label", "version", "yanked", "shown"),
    [
        ("Flask", "3.1.0", False, "Flask: 3.1.0"),
        ("Flask", "3.1.0", True, "Flask: 3.1.0 yanked"),
        ("x" * 41, "1" * 40, False, f"{'x' * 39}…: {'1' * 40}"),
        ("<b>&\"'", "\x08", False, "<b>&\"': \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_badge_names_the_version_and_fits_its_text(label, version, yanked, shown):
    badge = draw(label, version, yanked=yanked)
    svg = ET.fromstring(badge.svg)

    assert svg.findtext(f"{SVG}title") == shown
    assert (svg.get("role"), svg.get("width")) == ("img", str(badge.width))
    left, right = svg.iter(f"{SVG}text")
    assert f"{left.text}: {right.text}" == shown
    assert int(right.get("x")) + int(right.get("textLength")) + 6 == badge.width
    assert int(left.get("textLength")) == pytest.approx(len(left.text) * 6.6, abs=1)
    assert {part.tag.removeprefix(SVG) for part in svg.iter()} == {
        "svg",
        "title",
        "clipPath",
        "rect",
        "g",
        "text",
    }


def test_a_yanked_version_has_another_colour():
    assert draw("a", "1").svg != draw("a", "1", yanked=True).svg
    assert b"#17603a" not in draw("a", "1", yanked=True).svg
