"""Uploads from the page of a channel a second time: the same name again, what is read aloud, where the focus stays."""

from collections.abc import Iterator

import pytest
from browser_support import chromium, need_chromium, visitor
from playwright.sync_api import Browser, Page, expect
from private_support import World
from pypi_support import make_wheel
from upload_script_support import channel_page, choose, line, result, send, status, uploading

need_chromium()
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[World]:
    with uploading(tmp_path_factory.mktemp("again")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with visitor(browser) as context:
        yield context.new_page()


def product(page: Page, name: str, version: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Version").fill(version)


def test_a_file_of_the_same_name_goes_up_again_for_another_version(site: World, page: Page) -> None:
    channel_page(page, site)
    for version in ("1.0", "2.0"):
        choose(page, ("report.txt", version.encode()))
        expect(status(page)).to_have_text("1 file chosen.")
        product(page, "report", version)
        send(page, "Upload 1 file")
        expect(result(page, "report.txt")).to_have_text(f"report {version} is uploaded.")

    for version in ("1.0", "2.0"):
        assert site.server.ask(f"/main/products/report/{version}/report.txt")[2] == version.encode()


def test_one_that_is_on_its_way_is_not_chosen_again(site: World, page: Page) -> None:
    wheel, more = make_wheel(name="busy"), make_wheel(name="busy-too")
    channel_page(page, site)
    choose(page, wheel, more)
    with page.expect_request("**/legacy/") as sent:
        page.route("**/legacy/", lambda route: None)  # never answered
        page.get_by_role("button", name="Upload 2 files").click()
    assert sent.value.method == "POST"
    choose(page, wheel, more, make_wheel(name="new-one"))

    expect(status(page)).to_have_text(
        f"1 file chosen. Not chosen again, since it is being uploaded: {wheel[0]}, {more[0]}."
    )
    expect(page.locator("[data-upload]").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Upload 3 files")).to_be_visible()


def test_the_last_thing_that_is_read_aloud_says_why(site: World, page: Page) -> None:
    channel_page(page, site)
    choose(page, ("nothing-1.0-0.conda", b"no archive"), make_wheel(name="good"))
    send(page, "Upload 2 files")

    why = result(page, "nothing-").inner_text()
    expect(status(page)).to_have_text(f"1 of 2 files uploaded. nothing-1.0-0.conda: {why}")


def test_who_went_on_to_something_else_stays_there(site: World, page: Page) -> None:
    channel_page(page, site)
    held = []
    page.route("**/legacy/", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    choose(page, make_wheel(name="patient"))
    with page.expect_request("**/legacy/"):
        page.get_by_role("button", name="Upload 1 file").click()
    search = page.get_by_role("combobox", name="Search packages")
    search.focus()
    held[0].continue_()

    expect(result(page, "patient-")).to_have_text("patient 1.0 is uploaded.")
    expect(page.get_by_role("button", name="Show the new lists")).to_be_visible()
    expect(search).to_be_focused()


@pytest.mark.parametrize("name", ["..", " ", " . "])
def test_what_no_product_can_be_called_is_not_sent(site: World, page: Page, name: str) -> None:
    channel_page(page, site)
    choose(page, ("a.txt", b"a"))
    product(page, name, "1.0")
    page.get_by_role("button", name="Upload 1 file").click()

    assert page.get_by_label("Name", exact=True).evaluate("field => field.matches(':invalid:focus')")
    expect(line(page, "a.txt").get_by_role("paragraph")).to_have_count(0)


def test_half_a_character_is_refused_and_the_next_file_follows(site: World, page: Page) -> None:
    """An address cannot hold one, so the browser throws."""
    channel_page(page, site)
    choose(page, ("a.txt", b"a"), make_wheel(name="follows"))
    product(page, "x", "1.0")
    page.get_by_label("Name", exact=True).evaluate("field => { field.value = 'x\\ud800'; }")
    send(page, "Upload 2 files")

    expect(result(page, "a.txt")).to_contain_text("holds half a character")
    expect(result(page, "follows-")).to_have_text("follows 1.0 is uploaded.")
