"""The front page, as a strict parser reads it."""

from site_pages_support import DAY, HOSTILE, NO_ADDRESS, NOW, SETTINGS, Reader, news

from packhouse.model import Ecosystem
from packhouse.names import ChannelName
from packhouse.pages.frame import AT_ROOT
from packhouse.pages.site import ChannelLine, site_page


def line(name, **packages):
    counts = {Ecosystem(key): count for key, count in packages.items()}
    return ChannelLine(name=ChannelName(name), packages=counts, updated_us=NOW if counts else 0)


def read(channels, events=(), settings=SETTINGS, **more):
    return Reader(site_page(channels, events, settings, frame=AT_ROOT, **more))


def test_the_front_page_lists_channels_and_what_they_hold():
    page = read([line("main", conda=46, pypi=12_044), line("vault", conda=1), line("void")], closed={"vault"})

    assert page.rows() == [
        ["main default", "46", "12,044", "2026-11-21"],
        ["vault private", "1", "\u2013", "2026-11-21"],
        ["void", "\u2013", "\u2013", "empty"],
    ]
    assert {"/main/", "/vault/", "/account/", "/search/", "/static/packhouse.css"} <= page.targets
    assert "12,091 packages in 3 channels" in page.text
    assert [item.text for item in page.all("h1")] == ["pack.example"]
    assert len(page.all("input", name="q")) == 1


def test_one_channel_needs_no_word_for_the_default():
    page = read([line("main", conda=1)])

    assert page.rows() == [["main", "1", "2026-11-21"]]
    assert "1 package in 1 channel." in page.text


def test_what_is_new_names_the_channel_and_leads_to_the_package():
    events = [news("old", at_us=NOW - DAY), news("tool", channel="vault", ecosystem="generic", version="2.0")]
    page = read([line("main", pypi=1), line("vault", generic=1)], events)

    [listed] = page.all("ol", class_="news")
    assert [" ".join("".join(item.itertext()).split()) for item in listed] == [
        "2026-11-21tool 2.0product in vault", "2026-11-20old 1.0Python in main"
    ]  # fmt: skip
    assert {"/vault/generic/tool/", "/main/pypi/old/"} <= page.targets


def test_a_server_without_a_public_channel_says_so():
    page = read([], settings=NO_ADDRESS)

    assert "no public channel" in page.text
    assert not page.all("ol", class_="steps")
    assert [item.text for item in page.all("h1")] == ["Packages"]


def test_a_fresh_server_explains_three_steps():
    page = read([line("main")])

    [steps] = page.all("ol", class_="steps")
    assert [item.find("h2").text for item in steps] == ["Take a key", "Upload a package", "Install it"]
    assert "pkh-YOUR-KEY" in page.copied()["the line that sets the key"]
    assert not page.all("ol", class_="news")
    assert not read([line("main"), line("other", conda=1)]).all("ol", class_="steps")


def test_the_steps_go_to_a_channel_that_is_there():
    """The default channel may be hidden from whoever asks."""
    page = read([line("other")], settings=NO_ADDRESS)

    assert "/other/" in page.targets
    assert {item.get("data-address") for item in page.all("span") if item.get("data-address")} == {
        "./",
        "./other/",
    }


def test_what_strangers_wrote_is_text():
    body = site_page(
        [line("main", pypi=1)], [news("one", name=HOSTILE, version=HOSTILE)], SETTINGS, frame=AT_ROOT
    )

    assert b"<script>" not in body
    assert len(Reader(body).all("script")) == 2
