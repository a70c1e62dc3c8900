"""The search box in a real browser: results while typing, from the daemon or from the channel's own files."""

import re
import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_support import chromium, need_chromium
from playwright.sync_api import Browser, Locator, Page, expect
from search_script_support import Daemon, Site, channel, package, root, row, serving

from packhouse.model import Ecosystem
from packhouse.pages import search

need_chromium()

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
MAIN = [
    package("json", "The module itself"),
    package("jsonpath", "Paths"),
    package("a-json", "Comes after its longer neighbour"),
    package("orjson", "Fast"),
    package("yaml", "Reads JSON, too", ecosystem=Ecosystem.CONDA),
    package("django", "Web framework", display="Django"),
    package("oil", "Größe 日本語"),
    package("odd", f"{HOSTILE} strange"),
]
OTHER = [package("jsonnet", "Templates", ecosystem=Ecosystem.CONDA)]
LARGE = [package(f"py{number:04}", f"Common words, entry{number}") for number in range(4000)]
FOUND = ["json", "jsonpath", "a-json", "orjson", "yaml"]


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        files = {**root("main", "other", "gone"), **channel(MAIN, "main"), **channel(OTHER, "other")}
        patch.setattr(search, "MAX_NAMES", 1000)
        files |= channel(LARGE, "large")
    with serving(files) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    running.reset()
    return running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(has_touch=True)
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search packages")


def options(page: Page) -> Locator:
    return page.get_by_role("option")


def names(page: Page) -> Locator:
    return page.locator("[role=option] bdi")


def status(page: Page) -> Locator:
    return page.locator(".search [role=status]")


def find(page: Page, text: str) -> None:
    box(page).fill(text)


class TestFromTheDaemon:
    def test_what_it_answers_is_shown_in_its_order(self, site: Site, page: Page) -> None:
        site.daemon.rows = lambda text: [
            row("zarr", f"Not {text} alone"),
            row("six", display="SIX", channel="closed", ecosystem="conda", latest="2.1"),
        ]
        page.goto(f"{site.url}/main/pypi/json/")
        find(page, "alone")

        expect(options(page)).to_have_text(
            ["zarr Python package · in main · 1.0 Not alone alone", "SIX conda package · in closed · 2.1"]
        )
        expect(page.locator("[role=option] mark")).to_have_text(["alone", "alone"])
        expect(status(page)).to_have_text("2 packages.")
        assert options(page).nth(1).get_attribute("href") == f"{site.url}/closed/conda/six/"
        assert site.daemon.asked == ["alone"]

    def test_ten_lead_on_to_the_page_of_all(self, site: Site, page: Page) -> None:
        site.daemon.rows = lambda _: [row(f"p{number}") for number in range(10)]
        page.goto(f"{site.url}/main/")
        find(page, "a & b")

        expect(options(page)).to_have_count(11)
        assert options(page).last.get_attribute("href") == f"{site.url}/search/?q=a+%26+b"

    def test_an_answer_to_what_was_typed_before_is_dropped(self, site: Site, page: Page) -> None:
        late = threading.Event()

        def rows(text: str) -> list[dict[str, str]]:
            if text == "old":
                late.wait(10)
            return [row(text)]

        site.daemon.rows = rows
        page.goto(f"{site.url}/main/")
        with page.expect_request(re.compile("q=old")):
            find(page, "old")
        find(page, "new")
        expect(names(page)).to_have_text(["new"])
        late.set()
        find(page, "newer")

        expect(names(page)).to_have_text(["newer"])

    def test_what_was_answered_once_is_not_asked_again(self, site: Site, page: Page) -> None:
        site.daemon.rows = lambda text: [row(text)]
        page.goto(f"{site.url}/main/")
        for text in ("one", "two", "one"):
            find(page, text)
            expect(names(page)).to_have_text([text])

        assert site.daemon.asked == ["one", "two"]


class TestFromTheFiles:
    @pytest.mark.parametrize(
        "daemon", [Daemon(status=status) for status in (404, 503)], ids=["absent", "down"]
    )
    def test_they_answer_where_the_daemon_does_not_and_it_is_left_alone(
        self, site: Site, page: Page, daemon: Daemon
    ) -> None:
        site.daemon = daemon
        page.goto(f"{site.url}/main/")
        find(page, "json")
        expect(names(page)).to_have_text(FOUND)

        page.goto(f"{site.url}/main/pypi/json/")
        find(page, "JSON after")
        expect(names(page)).to_have_text(["a-json"])

        assert options(page).first.get_attribute("href") == f"{site.url}/main/pypi/a-json/"
        assert daemon.asked == ["json"]

    def test_a_limit_is_respected_and_its_last_part_left_to_others(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/main/")
        site.daemon.rows = lambda text: [row(text)]
        site.daemon.headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "59"}
        find(page, "odd")
        expect(names(page)).to_have_text(["odd"])
        find(page, "yaml")
        expect(options(page).locator("small")).to_have_text(["conda package · in main"])
        assert site.daemon.asked == ["odd"]

        page.evaluate("sessionStorage.clear()")
        page.reload()
        site.daemon = Daemon(status=429, headers={"Retry-After": "40"})
        for text, found in (("orjson", ["orjson"]), ("djan", ["Django"])):
            find(page, text)
            expect(names(page)).to_have_text(found)
        assert site.daemon.asked == ["orjson"]
        rest_ms = page.evaluate("Number(sessionStorage.getItem('packhouse-search-rest')) - Date.now()")
        assert 10_000 < rest_ms <= 40_000

    def test_outside_a_channel_all_that_are_listed_are_searched(self, site: Site, page: Page) -> None:
        """One of them is gone meanwhile; and a key in the address stays in every link."""
        page.goto(f"{site.url}/t/pkh-key/")
        find(page, "json")

        expect(names(page)).to_have_text(["json", "jsonnet", "jsonpath", "a-json", "orjson", "yaml"])
        found = [link.get_attribute("href") for link in options(page).all()]
        assert f"{site.url}/t/pkh-key/other/conda/jsonnet/" in found
        assert all(path.startswith("/t/pkh-key/") for path in site.seen if path.endswith(".json"))

    def test_words_of_any_script_are_found(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/main/")
        for text, found in (("GRÖẞE 日", ["oil"]), ("six", []), ("日本", ["oil"])):
            find(page, text)
            expect(names(page)).to_have_text(found)

    def test_a_large_channel_is_searched_without_its_list_of_names(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/large/")
        find(page, "py39")
        expect(names(page).first).to_have_text("py3900")
        find(page, "common entry1234")
        expect(names(page)).to_have_text(["py1234"])
        find(page, "common")
        expect(options(page)).to_have_count(10)

        shards = [path for path in site.seen if "/search/w/" in path]
        assert [path.rpartition("/")[2] for path in shards] == ["py3.json", "entry1.json", "common.json"]


class TestNothing:
    def test_nothing_found_leads_to_the_lists(self, site: Site, page: Page) -> None:
        site.daemon.rows = lambda _: []
        page.goto(f"{site.url}/main/pypi/json/")
        find(page, "nowhere")

        expect(options(page)).to_have_text(
            ["No package matches “nowhere”. Look through this channel instead."]
        )
        expect(status(page)).to_have_text("No package matches “nowhere”.")
        assert options(page).first.get_attribute("href") == f"{site.url}/main/"

    def test_where_nothing_answers_it_says_so(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/")
        page.route("**/*.json", lambda route: route.abort())
        find(page, "json")

        expect(options(page)).to_have_text(
            ["The search does not answer just now. Look through the channels instead."]
        )


class TestByKeyboard:
    def test_slash_arrows_enter(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/main/")
        page.keyboard.press("/")
        expect(box(page)).to_be_focused()
        page.keyboard.type("js/on")
        expect(box(page)).to_have_value("js/on")
        find(page, "json")
        expect(names(page)).to_have_text(FOUND)
        expect(box(page)).to_have_attribute("aria-expanded", "true")

        for key, number in (("ArrowUp", 4), ("ArrowDown", None), ("ArrowDown", 0), ("ArrowDown", 1)):
            page.keyboard.press(key)
            chosen = page.locator("[role=option][aria-selected=true]")
            if number is None:
                expect(chosen).to_have_count(0)
                assert box(page).get_attribute("aria-activedescendant") is None
            else:
                expect(chosen).to_have_id(f"search-option-{number}")
                expect(box(page)).to_have_attribute("aria-activedescendant", f"search-option-{number}")
        page.keyboard.press("Enter")

        page.wait_for_url(f"{site.url}/main/pypi/jsonpath/")

    def test_escape_closes_and_an_arrow_opens_again(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/main/")
        find(page, "orjson")
        expect(options(page)).to_have_count(1)
        page.keyboard.press("Escape")
        expect(options(page)).to_have_count(0)
        expect(box(page)).to_have_attribute("aria-expanded", "false")
        expect(box(page)).to_have_value("orjson")
        page.keyboard.press("ArrowDown")
        expect(options(page)).to_have_count(1)
        find(page, "")
        expect(options(page)).to_have_count(0)
        find(page, "orjson")
        expect(options(page)).to_have_count(1)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(options(page)).to_have_count(0)

    def test_enter_leads_to_the_daemons_page_or_shows_the_list_where_that_is_not(
        self, site: Site, page: Page
    ) -> None:
        site.daemon.rows = lambda text: [row(text)]
        page.goto(f"{site.url}/main/")
        find(page, "six")
        expect(options(page)).to_have_count(1)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site.url}/search/?q=six")

        site.daemon = Daemon()
        page.goto(f"{site.url}/main/")
        find(page, "orjson")
        expect(options(page)).to_have_count(1)
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        expect(names(page)).to_have_text(["orjson"])
        assert page.url == f"{site.url}/main/"

    def test_a_tap_opens(self, site: Site, page: Page) -> None:
        page.goto(f"{site.url}/main/")
        box(page).tap()
        find(page, "yaml")
        options(page).first.tap()

        page.wait_for_url(f"{site.url}/main/conda/yaml/")


class TestBarriers:
    def test_hostile_text_stays_text(self, site: Site, page: Page) -> None:
        told: list[str] = []
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda message: told.append(message.text))
        page.goto(f"{site.url}/main/")
        site.daemon.rows = lambda _: [row("a", HOSTILE, display=HOSTILE, latest=HOSTILE, channel=HOSTILE)]
        find(page, HOSTILE)
        expect(names(page)).to_have_text([HOSTILE])
        find(page, "script")
        expect(page.locator("[role=option] mark")).to_have_count(4)
        assert options(page).first.evaluate("link => new URL(link.href).origin") == site.url

        page.evaluate("sessionStorage.clear()")
        site.daemon = Daemon(
            rows=lambda _: [], headers={"X-RateLimit-Limit": "9", "X-RateLimit-Remaining": "0"}
        )
        find(page, "<img src=x onerror=alert(3)>")
        expect(options(page)).to_contain_text("onerror=alert(3)")
        find(page, "strange")
        expect(options(page).locator("span")).to_have_text([f"{HOSTILE} strange"])

        assert page.locator("main, form").locator("img, script, iframe").count() == 0
        assert told == []

    def test_axe_knows_no_barrier(self, site: Site, page: Page) -> None:
        site.daemon.rows = lambda _: [row("six", "Compatibility", display="six")]
        page.goto(f"{site.url}/main/")
        for text in ("six", ""):
            find(page, text)
            expect(options(page)).to_have_count(1 if text else 0)
            found = Axe().run(page, ".search", {"resultTypes": ["violations"]})
            assert found.violations_count == 0, found.generate_report()
