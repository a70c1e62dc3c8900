"""The page of a channel, as a strict parser reads it."""

import shlex
from collections import Counter

import pytest
from site_pages_support import DAY, HOSTILE, MAIN, NO_ADDRESS, NOW, SETTINGS, VAULT, Reader, news, package

from packhouse.model import Channel, Ecosystem, EventKind
from packhouse.names import ChannelName
from packhouse.pages.channel import LATEST, MAX_WHOLE, Shelf, channel_page
from packhouse.pages.frame import in_channel
from packhouse.pages.lists import cut


def shelf(ecosystem, packages, total=None, **more):
    return Shelf(
        ecosystem=ecosystem, total=len(packages) if total is None else total, packages=packages, **more
    )


def read(shelves, events=(), channel=MAIN, settings=SETTINGS):
    body = channel_page(channel, shelves, events, settings, frame=in_channel(0))
    return Reader(body, f"/{channel.name}/")


def test_a_page_shows_every_package_with_what_people_look_for():
    page = read(
        [
            shelf(
                Ecosystem.CONDA,
                [
                    package("zlib", subdirs=("linux-64", "win-64"), size=34_500_000),
                    package("abc", updated_us=NOW - DAY),
                ],
                subdirs=("linux-64", "win-64"),
            ),
            shelf(Ecosystem.PYPI, [package("flask", display="Flask")]),
            shelf(Ecosystem.GENERIC, []),
        ]
    )

    assert page.rows() == [
        ["abc", "1.0", "", "1.21 kB", "2026-11-20", "What abc does"],
        ["zlib", "1.0", "linux-64 win-64", "34.5 MB", "2026-11-21", "What zlib does"],
        ["Flask", "1.0", "1.21 kB", "2026-11-21", "What flask does"],
    ]
    assert {"/main/conda/zlib/", "/main/pypi/flask/", "/main/feed.atom", "/account/", "/"} <= page.targets
    assert [item.get("id") for item in page.all("h2")] == ["use", "conda", "pypi", "upload"]
    assert "3 packages" in page.text
    assert page.all("time")[0].get("title") == "2026-11-21 10:00:05 UTC"
    assert [item.text for item in page.all("option")] == [
        "all", "Conda packages", "Python packages", "linux-64", "win-64"
    ]  # fmt: skip


def test_one_kind_without_subdirs_has_nothing_to_choose():
    page = read([shelf(Ecosystem.PYPI, [package("one")])])

    assert not page.all("select")
    assert [form.get("data-filters") for form in page.all("form")] == [None, "packages"]
    assert page.all("div", id="packages")


def test_what_is_copied_works_as_it_is():
    page = read(
        [
            shelf(Ecosystem.CONDA, [package("zlib")]),
            shelf(Ecosystem.PYPI, [package("old", updated_us=1), package("new")]),
            shelf(Ecosystem.GENERIC, [package("tool")]),
        ]
    )
    copied = page.copied()

    assert copied["the address of the Conda channel"] == "https://pack.example/main"
    assert copied["the address of the Python index"] == "https://pack.example/main/simple/"
    assert copied["the pip command"] == "pip install --index-url https://pack.example/main/simple/ new"
    assert copied["the lines of .condarc"] == "channels:\n  - https://pack.example/main\n  - conda-forge\n"
    assert copied["the one product command"].endswith("/main/products/tool/index.json")
    assert copied["the rattler-build command"].startswith(
        "rattler-build upload prefix --url https://pack.example --"
    )
    assert not [text for text in copied.values() if "{" in text or "URL-OF" in text]


def test_a_product_of_any_name_is_one_word_of_the_command():
    """And one segment of its address."""
    page = read([shelf(Ecosystem.GENERIC, [package("a b/$(x) {channel}'")])])

    words = shlex.split(page.copied()["the one product command"])
    assert words[2] == "https://pack.example/main/products/a%20b%2F%24%28x%29%20%7Bchannel%7D%27/index.json"
    assert "/main/generic/a b/$(x) {channel}'/" in page.targets


def test_without_a_base_url_the_pages_own_address_is_put_in():
    page = read([shelf(Ecosystem.CONDA, [package("zlib")])], settings=NO_ADDRESS)

    places = {item.get("data-address"): item.text for item in page.all("span") if item.get("data-address")}
    assert places == {"./": "URL-OF-THIS-CHANNEL", "../": "URL-OF-THIS-SERVER"}
    assert "in place of URL-OF-THIS-CHANNEL" in page.text


def test_a_private_channel_says_who_reads_it_and_how_to_give_a_key():
    page = read(
        [shelf(Ecosystem.CONDA, [package("zlib")]), shelf(Ecosystem.PYPI, [package("one")])], channel=VAULT
    )

    assert [item.text for item in page.all("span", class_="badge private")] == ["private"]
    assert "Only those who were given a right to it may read it" in page.text
    copied = page.copied()
    assert copied["the line for pixi"] == "pixi auth login --token YOUR-KEY https://pack.example"
    assert copied["the line for conda and mamba"] == "https://pack.example/t/YOUR-KEY/vault"
    assert "YOUR-KEY" not in read([shelf(Ecosystem.CONDA, [package("zlib")])]).text


def test_an_empty_channel_says_how_the_first_package_gets_in():
    page = read([])

    assert "packhouse push FILE --channel main" in page.text
    assert "Upload the first package" in page.text
    assert page.all("details")[-1].get("open") is not None
    assert not page.all("table")
    assert not [form for form in page.all("form") if form.get("data-filters")]
    assert "/main/feed.atom" in page.targets  # in the head: a reader may subscribe before there is anything
    [drop] = page.all("div", class_="drop")
    assert (drop.get("data-upload"), drop.get("hidden")) == ("main", "")


def test_what_is_new_stands_together_and_says_what_happened():
    events = [
        news("flask", name="Flask", at_us=NOW),
        news("flask", name="Flask", at_us=NOW),
        news("old", at_us=NOW - DAY, kind=EventKind.YANK, ecosystem="generic", version="0.9"),
        *(news(f"p{number}", at_us=NOW - 2 * DAY) for number in range(40)),
    ]
    page = read([shelf(Ecosystem.PYPI, [package("flask")])], events)

    [listed] = page.all("ol", class_="news")
    lines = [" ".join("".join(item.itertext()).split()) for item in listed]
    assert lines[0] == "2026-11-21Flask 1.0 2 filesPython"
    assert lines[1] == "2026-11-20old 0.9 yankedproduct"
    assert len(lines) == 20
    assert "/main/generic/old/" in page.targets
    assert "new" in [item.get("id") for item in page.all("h2")]


def test_a_large_channel_shows_what_changed_last_and_leads_to_the_rest():
    packages = [package(f"{chr(97 + n % 20)}{n}", updated_us=NOW - n * DAY) for n in range(LATEST)]
    letters = {"a": 4_000, "0-9": 12, "other": 1}
    page = read([shelf(Ecosystem.PYPI, packages, total=10_000, letters=letters)])

    assert [row[0] for row in page.rows()] == [item.name for item in packages]
    found = {target for target in page.targets if "/browse/" in target}
    assert found == {f"/main/browse/pypi/{letter}/" for letter in letters}
    assert "Here are the 50 that changed last. The letters lead to all." in page.text
    assert "10,000" in page.text


def test_without_lists_by_letter_no_link_leads_to_them():
    """Whoever sees a part of a channel gets the page without them."""
    page = read([shelf(Ecosystem.PYPI, [package("one")], total=MAX_WHOLE + 1)])

    assert not [target for target in page.targets if "/browse/" in target]
    assert "Here are the 1 that changed last." in page.text


@pytest.mark.parametrize("letters", [True, False])
def test_a_channel_page_stays_small(letters):
    """Three full shelves; where there are lists by letter, they take what is too much."""
    shelves = []
    for ecosystem in Ecosystem:
        packages = [
            package(
                f"quite-a-long-package-name-{n:03}",
                subdirs=("linux-64", "osx-arm64", "win-64"),
                summary="word " * 9,
            )
            for n in range(MAX_WHOLE)
        ]
        counts = Counter(item.name[0] for item in packages)
        shelves.append(shelf(ecosystem, packages, letters=counts if letters else {}, subdirs=("linux-64",)))
    body = channel_page(MAIN, shelves, (), SETTINGS, frame=in_channel(0))

    assert len(Reader(body).rows()) == (3 * LATEST if letters else 3 * MAX_WHOLE)
    assert len(body) < (100_000 if letters else 300_000)


def test_what_strangers_wrote_is_text():
    hostile = package("one", display=HOSTILE, latest=HOSTILE, summary=HOSTILE, subdirs=(HOSTILE,))
    body = channel_page(
        MAIN,
        [shelf(Ecosystem.CONDA, [hostile], subdirs=(HOSTILE,))],
        [news("one", name=HOSTILE, version=HOSTILE)],
        SETTINGS,
        frame=in_channel(0),
    )

    assert b"<script>" not in body
    assert b"\x01" not in body
    assert len(Reader(body).all("script")) == 3


def test_the_default_channel_is_called_so():
    assert "default" in read([]).text
    assert "default" not in read([], channel=Channel(name=ChannelName("other"))).text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n b  c", "a b c"),
        ("word " * 32, ("word " * 32).strip()),
        ("word " * 40, "word " * 30 + "word…"),
        ("x" * 200, "x" * 159 + "…"),
        ("short " + "x" * 200, "short " + "x" * 153 + "…"),
    ],
)
def test_a_long_summary_is_cut_at_a_word(text, shown):
    assert cut(text) == shown
    assert len(cut(text)) <= 160
