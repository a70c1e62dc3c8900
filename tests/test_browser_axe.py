"""Every kind of page in a real browser: no barrier, valid HTML, no sideways scroll, nothing that jumps, few bytes."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import html5lib
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_support import Complaints, chromium, need_chromium, sign_in, visitor
from gallery_support import EVERY, PACKAGES, Kind, gallery, many_packages
from playwright.sync_api import Browser, Page, Request
from private_support import World

need_chromium()
pytestmark = pytest.mark.e2e

WIDTHS = (360, 390, 1440, 2560)
BUDGET = 60_000
"""Bytes that a package page without a README may take, with everything it loads."""
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
"""What may differ between light and dark."""
OPEN_ALL = "() => { for (const part of document.querySelectorAll('details')) { part.open = true; } }"
SHIFTS = """
window.__shift = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) { window.__shift += entry.value; } })
  .observe({ type: "layout-shift", buffered: true });
"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(window.__shift))))"
WIDER = """
() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? []
  : [...document.querySelectorAll("main *, header *, footer *")]
      .filter((tag) => tag.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5 && !tag.closest(".table, pre"))
      .map((tag) => `${tag.tagName}.${tag.className} ${tag.textContent.trim().slice(0, 40)}`).slice(0, 5)
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Iterator[tuple[World, bytes]]:
    with gallery(tmp_path_factory.mktemp("gallery")) as made:
        many_packages(made[0])
        yield made


@pytest.fixture(scope="module")
def site(shown: tuple[World, bytes]) -> World:
    return shown[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def people(site: World, browser: Browser) -> Iterator[dict[bool, Page]]:
    """A stranger's page and an admin's; each is used by many tests, as people use one window."""
    with visitor(browser) as stranger, visitor(browser) as admin:
        pages = {False: stranger.new_page(), True: admin.new_page()}
        for page in pages.values():
            page.add_init_script(SHIFTS)
        sign_in(pages[True], site.server.url, "ada")
        yield pages


def barriers(page: Page) -> list[str]:
    """What axe-core finds, with everything unfolded, in light and in dark."""
    page.evaluate(OPEN_ALL)
    found = []
    for scheme, options in (("light", {"resultTypes": ["violations"]}), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for violation in Axe().run(page, options=options).response["violations"]:
            found += [f"{scheme} {violation['id']}: {node['html'][:200]}" for node in violation["nodes"]]
    return found


def overflows(page: Page) -> dict[int, list[str]]:
    """Width of the window to what makes the page scroll sideways in it."""
    found = {}
    page.evaluate(OPEN_ALL)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found[width] = page.evaluate(WIDER) or ["something"]
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


def looked_at(page: Page, url: str, status: int) -> None:
    """Everything that holds for each page."""
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == status
    shift = page.evaluate(SETTLED)
    html5lib.HTMLParser(strict=True).parse(answer.text())
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.locator("main").count() == 1
    assert shift < 0.01, f"the layout shifted by {shift}"
    assert overflows(page) == {}
    assert barriers(page) == []


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
def test_a_page_has_no_barrier_and_fits_every_window(
    site: World, people: dict[bool, Page], kind: Kind
) -> None:
    looked_at(people[kind.signed_in], site.server.url + kind.path, kind.status)


def test_the_front_page_of_a_fresh_server_does_too(shown: tuple[World, bytes], browser: Browser) -> None:
    world, first_run = shown
    home = f"{world.server.url}/"
    assert b"Upload" in first_run
    with visitor(browser) as stranger:
        page = stranger.new_page()
        page.add_init_script(SHIFTS)
        page.route(home, lambda route: route.fulfill(body=first_run, content_type="text/html; charset=utf-8"))
        looked_at(page, home, 200)


def test_a_key_and_a_refusal_are_shown_without_a_barrier(site: World, people: dict[bool, Page]) -> None:
    page = people[True]
    page.goto(f"{site.server.url}/account/")
    page.evaluate(OPEN_ALL)
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("button", name="Make the key").click()
    page.wait_for_selector("figure code")
    assert [barriers(page), overflows(page)] == [[], {}]

    page.goto(f"{site.server.url}/account/")
    page.evaluate(
        "() => { for (const field of document.getElementsByName('token')) { field.value = 'stale'; } }"
    )
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.wait_for_selector("[role=alert]")
    assert [barriers(page), overflows(page)] == [[], {}]


def test_the_list_of_results_has_no_barrier(site: World, people: dict[bool, Page]) -> None:
    page = people[False]
    page.goto(f"{site.server.url}/main/")
    page.keyboard.press("/")
    page.keyboard.type("num")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")

    assert barriers(page) == []
    assert overflows(page) == {}


def test_the_checks_find_what_is_planted(site: World, browser: Browser) -> None:
    """A page with a barrier, a wide box and a late picture is not let through."""
    body = (
        '<!DOCTYPE html><html lang="en"><head><title>x</title></head><body><main><h1>x</h1><img src="packhouse.svg">'
        '<p style="width:3000px;color:#eee;background:#fff">wide and pale</p></main></body></html>'
    )
    with visitor(browser) as stranger:
        page = stranger.new_page()
        page.add_init_script(SHIFTS)
        page.route("**/planted", lambda route: route.fulfill(body=body, content_type="text/html"))
        page.goto(f"{site.server.url}/planted")
        page.evaluate("() => document.querySelector('h1').style.setProperty('padding-top', '300px')")

        assert page.evaluate(SETTLED) > 0.01
        assert set(overflows(page)) == set(WIDTHS)
        found = barriers(page)
    assert any(line.startswith("light image-alt:") for line in found)
    assert any(line.startswith("dark color-contrast:") for line in found)


@pytest.mark.parametrize("kind", PACKAGES, ids=lambda kind: kind.name)
def test_a_package_page_is_light_and_asks_nobody_else(site: World, browser: Browser, kind: Kind) -> None:
    with visitor(browser) as stranger:
        page = stranger.new_page()
        said, requests = Complaints(page), list[Request]()
        page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108 - Playwright marks what it is given, and a bound method of a list takes no mark
        page.goto(site.server.url + kind.path, wait_until="networkidle")

        sizes = [request.sizes() for request in requests]
        hosts = {urlsplit(request.url).netloc for request in requests}
    assert hosts == {urlsplit(site.server.url).netloc}
    assert len(requests) >= 5, "the page, its style sheet, two scripts, the mark"
    assert sum(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes) <= BUDGET
    assert said.found == []


def test_nothing_moves_on_a_telephone_either(site: World, browser: Browser) -> None:
    """Where one column has it all, what comes late pushes more."""
    moved = {}
    with visitor(browser, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True) as stranger:
        page = stranger.new_page()
        page.add_init_script(SHIFTS)
        for path in ("/", "/main/", "/empty/", "/large/browse/pypi/p/", *(kind.path for kind in PACKAGES)):
            page.goto(site.server.url + path, wait_until="networkidle")
            if (shift := page.evaluate(SETTLED)) >= 0.01:
                moved[path] = shift
    assert moved == {}


@pytest.mark.parametrize("path", ["/", "/main/", "/main/pypi/numeral/"])
def test_a_page_is_painted_before_any_script_has_come(site: World, browser: Browser, path: str) -> None:
    """The scripts are asked for and never answered."""
    painted = "() => performance.getEntriesByName('first-contentful-paint').length > 0"
    with visitor(browser) as stranger:
        page = stranger.new_page()
        waiting = []
        page.route("**/*.js", lambda route: waiting.append(route))  # noqa: PLW0108 - as above
        page.goto(site.server.url + path, wait_until="commit")

        page.wait_for_function(painted)
        assert page.get_by_role("heading", level=1).inner_text()
        assert len(waiting) >= 2
        for route in waiting:
            route.abort()
