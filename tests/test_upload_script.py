"""Uploads from the page of a channel in a real browser: who may, what is dropped or chosen, what becomes of it."""

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import rattler
from axe_playwright_python.sync_playwright import Axe
from browser_support import PASSWORD, chromium, need_chromium, press_on, sign_in, visitor
from conda_support import make_conda
from playwright.sync_api import Browser, Page, expect
from private_support import World
from pypi_support import make_sdist, make_wheel
from upload_script_support import ASKED, channel_page, choose, drop, line, result, send, status, uploading

need_chromium()
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[World]:
    with uploading(tmp_path_factory.mktemp("dropping")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with visitor(browser) as context:
        yield context.new_page()


def dragged(page: Page, kind: str, *paths: Path) -> None:
    """Let the browser believe that files are dragged over its window, as the desktop would tell it."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 40, "data": data})


def written(folder: Path, *files: tuple[str, bytes]) -> list[Path]:
    for name, body in files:
        (folder / name).write_bytes(body)
    return [folder / name for name, _ in files]


def solve(channel: str, spec: str, cache: Path):
    """What py-rattler would install; in a thread, since Playwright holds the loop of this one."""
    gateway = rattler.Gateway(cache_dir=cache)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(
            lambda: asyncio.run(
                rattler.solve([rattler.Channel(channel)], [spec], gateway=gateway, platforms=["noarch"])
            )
        ).result()


class TestWhoMay:
    def test_a_stranger_is_led_to_the_sign_in_page_and_back(self, site: World, page: Page) -> None:
        page.goto(f"{site.server.url}/main/")
        drop(page).scroll_into_view_if_needed()
        drop(page).get_by_role("link", name="Sign in to upload").click()
        page.get_by_label("User name").fill("ann")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")

        page.wait_for_url(f"{site.server.url}/main/")
        drop(page).scroll_into_view_if_needed()
        expect(drop(page)).to_contain_text("uploaded as ann")

    def test_without_the_right_it_says_so(self, site: World, page: Page) -> None:
        channel_page(page, site, "bob")

        expect(drop(page)).to_contain_text("You are signed in as bob, who may not upload to main.")
        expect(page.get_by_label("Choose files")).to_have_count(0)

    def test_who_may_write_one_package_is_told_which(self, site: World, page: Page) -> None:
        channel_page(page, site, "cleo")
        expect(drop(page)).to_contain_text("You may upload here: the Python package shared.")

        choose(page, make_wheel(name="shared"), make_wheel(name="other"))
        send(page, "Upload 2 files")

        expect(result(page, "shared-")).to_have_text("shared 1.0 is uploaded.")
        expect(result(page, "other-")).to_contain_text("cleo may not write other in channel main")

    def test_nobody_is_asked_before_it_is_in_view(self, site: World, page: Page) -> None:
        """Most who read the page upload nothing, and it is a plain file that needs no daemon."""
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if ASKED.search(request.url) else None)
        page.set_viewport_size({"width": 800, "height": 200})
        page.goto(f"{site.server.url}/main/", wait_until="networkidle")
        assert asked == []

        with page.expect_response(ASKED):
            drop(page).scroll_into_view_if_needed()

    def test_a_copy_on_a_server_of_plain_files_offers_nothing(self, site: World, page: Page) -> None:
        page.route(ASKED, lambda route: route.fulfill(status=404, body="no such file"))
        page.goto(f"{site.server.url}/main/")
        drop(page).scroll_into_view_if_needed()

        expect(drop(page)).to_be_hidden()

    def test_below_a_key_in_the_address_it_is_the_session_that_counts(self, site: World, page: Page) -> None:
        sign_in(page, site.server.url, "ann")
        page.goto(f"{site.server.url}/t/{site.user('keyed')}/main/")
        drop(page).scroll_into_view_if_needed()

        expect(drop(page)).to_contain_text("uploaded as ann")

    def test_without_scripts_the_command_lines_are_there(self, site: World, browser: Browser) -> None:
        with visitor(browser, java_script_enabled=False) as context:
            page = context.new_page()
            page.goto(f"{site.server.url}/main/")

            expect(drop(page)).to_be_hidden()
            expect(page.get_by_text("From a command line")).to_be_visible()


class TestUploads:
    def test_chosen_by_keyboard_they_are_installed_by_pip_and_rattler(
        self, site: World, page: Page, tmp_path: Path
    ) -> None:
        wheel, conda = make_wheel(name="keyed-wheel"), make_conda("keyed-conda")
        channel_page(page, site)
        with page.expect_file_chooser() as chooser:
            press_on(page, page.get_by_label("Choose files"))
        chooser.value.set_files(written(tmp_path, wheel, conda))
        press_on(page, page.get_by_role("button", name="Upload 2 files"))

        expect(status(page)).to_have_text("2 of 2 files uploaded.")
        expect(page.get_by_role("button", name="Show the new lists")).to_be_focused()
        site.server.must(
            "pip", "download", "--no-deps", "--index-url", f"{site.server.url}/main/simple/", "keyed-wheel"
        )
        solved = solve(f"{site.server.url}/main", "keyed-conda", tmp_path / "cache")
        assert [(record.file_name, record.sha256) for record in solved] == [
            (conda[0], hashlib.sha256(conda[1]).digest())
        ]
        page.keyboard.press("Enter")
        expect(page.get_by_role("rowheader", name="keyed-conda")).to_be_visible()

    def test_dropped_files_go_where_their_names_say(self, site: World, page: Page, tmp_path: Path) -> None:
        files = (make_conda("dropped"), make_sdist(name="dropped-too"), ("notes.txt", b"read me"))
        paths = written(tmp_path, *files)
        channel_page(page, site)
        expect(page.get_by_label("Choose files")).to_be_attached()
        dragged(page, "dragEnter", *paths)
        dragged(page, "dragOver", *paths)
        expect(drop(page)).to_have_class("drop over")
        dragged(page, "drop", *paths)
        expect(drop(page)).to_have_class("drop")

        page.get_by_role("button", name="Upload 3 files").click()
        assert page.get_by_label("Name", exact=True).evaluate("field => field.matches(':invalid:focus')")
        page.get_by_label("Name", exact=True).fill("papers")
        page.get_by_label("Version").fill("2.0")
        assert Axe().run(page).violations_count == 0
        send(page, "Upload 3 files")

        expect(result(page, "dropped-1.0-0.conda")).to_have_text("dropped 1.0 is uploaded.")
        assert site.server.ask("/main/products/papers/2.0/notes.txt")[2] == b"read me"
        assert Axe().run(page).violations_count == 0
        line(page, "dropped_too").get_by_role("link").click()
        expect(page).to_have_url(f"{site.server.url}/main/pypi/dropped-too/")

    def test_a_drop_that_nobody_may_take_is_not_left_to_the_browser(
        self, site: World, page: Page, tmp_path: Path
    ) -> None:
        """It would open the file in the place of the page, or in a window beside it."""
        paths = written(tmp_path, ("page.html", b"<title>dropped</title>"))
        channel_page(page, site, "bob")
        expect(drop(page)).to_contain_text("bob")
        page.evaluate(
            """() => window.addEventListener("dragover", (event) => {
              window.guarded = [event.defaultPrevented, event.dataTransfer.dropEffect];
            })"""
        )
        for kind in ("dragEnter", "dragOver", "drop"):
            dragged(page, kind, *paths)

        assert page.evaluate("window.guarded") == [True, "none"]
        assert page.context.pages == [page]
        expect(drop(page)).to_have_class("drop")

    def test_folders_are_left_aside(self, site: World, page: Page, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        channel_page(page, site)
        expect(page.get_by_label("Choose files")).to_be_attached()
        for kind in ("dragEnter", "dragOver", "drop"):
            dragged(page, kind, tmp_path / "folder", *written(tmp_path, ("a.txt", b"a")))

        expect(status(page)).to_contain_text("1 file chosen. Left aside, since they are folders: folder.")

    def test_what_may_be_one_or_another_is_chosen(self, site: World, page: Page) -> None:
        """A `.tar.gz` is a Python source distribution by its name, unless one says otherwise."""
        channel_page(page, site)
        choose(page, ("release-1.0.tar.gz", b"not a Python project"), ("gone.txt", b"x"))
        kind = page.get_by_label("What release-1.0.tar.gz is")
        expect(kind).to_have_value("pypi")
        kind.select_option("build product")
        page.get_by_role("button", name="Remove gone.txt").click()
        page.get_by_label("Name", exact=True).fill("release")
        page.get_by_label("Version").fill("1.0")
        send(page, "Upload 1 file")

        expect(result(page, "release-1.0.tar.gz")).to_have_text("release 1.0 is uploaded.")

    def test_bytes_that_change_on_their_way_are_noticed(self, site: World, page: Page) -> None:
        """Each upload says what its bytes are; a browser that hashes wrongly stands for a line that changes them."""
        page.add_init_script("crypto.subtle.digest = async () => new ArrayBuffer(32)")
        channel_page(page, site)
        files = make_wheel(name="bent"), make_conda("bent"), ("bent.txt", b"bent")
        choose(page, *files)
        page.get_by_label("Name", exact=True).fill("bent")
        page.get_by_label("Version").fill("1.0")
        send(page, "Upload 3 files")

        for name, body in files:
            expect(result(page, name)).to_contain_text(hashlib.sha256(body).hexdigest())
            expect(result(page, name)).to_contain_text("0" * 64)
