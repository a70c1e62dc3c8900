"""Without JavaScript: every page is complete, every page can be reached, and every link leads somewhere."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import html5lib
import pytest
from browser_support import PASSWORD, chromium, need_chromium, visitor
from gallery_support import gallery
from playwright.sync_api import Browser, BrowserContext, Page, expect
from private_support import World

need_chromium()
pytestmark = pytest.mark.e2e

SHOWN = ("/", "/main/", "/main/browse/pypi/n/", "/main/pypi/numeral/", "/main/conda/libnumeral/", "/main/generic/toolbox/",
         "/main/pypi/numeral/release/1.1/", "/main/conda/libnumeral/release/2.0/files/libnumeral-2.0-h1_0.conda/")  # fmt: skip
ADDED = "() => document.querySelectorAll('main button:not(form button), form[data-filters], .drop').forEach((one) => one.remove())"
"""Takes away what scripts bring: buttons that copy, forms that narrow down, the place to drop files."""


@dataclass
class Crawled:
    """What was found by following links from the front page as a stranger does.

    Attributes:
        status: path to the status of its answer.
        links: path of an HTML page to what it links to, made absolute, with fragments.
        anchors: path of an HTML page to the ids on it.
    """

    status: dict[str, int] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)
    anchors: dict[str, set[str]] = field(default_factory=dict)


def read(body: bytes, path: str) -> tuple[set[str], set[str]]:
    """The links of a page, made absolute, and its ids."""
    tree = html5lib.parse(body, namespaceHTMLElements=False)
    found = [
        tag.get(key)
        for tag in tree.iter()
        for key in ("href", "src")
        if isinstance(tag.tag, str) and tag.get(key)
    ]
    ids = {tag.get("id") for tag in tree.iter() if isinstance(tag.tag, str) and tag.get("id")}
    return {urljoin(path, link) for link in found}, ids


def crawl(site: World, start: str = "/") -> Crawled:
    """Follow every link that stays on the server."""
    crawled, waiting = Crawled(), {start}
    while waiting:
        path = waiting.pop()
        status, headers, body = site.server.ask(path, Accept="text/html")
        crawled.status[path] = status
        if headers.get_content_type() != "text/html" or path.startswith(("/account/", "/search/", "/api/")):
            continue
        crawled.links[path], crawled.anchors[path] = read(body, path)
        inside = {
            urldefrag(link).url
            for link in crawled.links[path]
            if not urlsplit(link).netloc and link.startswith("/")
        }
        waiting |= inside - crawled.status.keys()
    return crawled


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[World]:
    with gallery(tmp_path_factory.mktemp("gallery")) as (made, _):
        yield made


@pytest.fixture(scope="module")
def crawled(site: World) -> Crawled:
    return crawl(site)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def plain(browser: Browser) -> Iterator[BrowserContext]:
    with visitor(browser, java_script_enabled=False) as opened:
        yield opened


@pytest.fixture
def page(plain: BrowserContext) -> Page:
    return plain.new_page()


def test_every_link_leads_to_something(crawled: Crawled) -> None:
    assert {path: status for path, status in crawled.status.items() if status != 200} == {}
    assert len(crawled.links) > 30


def test_every_fragment_is_on_its_page(crawled: Crawled) -> None:
    lost = set()
    for links in crawled.links.values():
        for link in links:
            target, fragment = urldefrag(link)
            if fragment and target in crawled.anchors and unquote(fragment) not in crawled.anchors[target]:
                lost.add(link)
    assert lost == set()


def test_every_page_can_be_reached_from_the_front_page(site: World, crawled: Crawled) -> None:
    root = site.server.data / "public"
    pages = {f"/{page.parent.relative_to(root)}/".replace("/./", "/") for page in root.rglob("index.html")}
    # A channel that shows all of its packages does not lead to the lists by letter.
    people = {path for path in pages if "/simple/" not in path and "/browse/" not in path}

    assert people - {unquote(path) for path in crawled.links} == set()
    assert not [path for path in crawled.status if "secretpkg" in path or "vault" in path]


def test_a_channel_links_to_nothing_outside_but_by_relative_addresses(site: World) -> None:
    """Copied below any prefix, what is inside still leads to what is inside."""
    channel = site.server.data / "public/main"
    elsewhere, missing = "/some/where/else/main/", set()
    for page in channel.rglob("index.html"):
        if "simple" in page.parts:
            continue
        links, _ = read(page.read_bytes(), f"{elsewhere}{page.relative_to(channel)}")
        for link in {urlsplit(link).path for link in links if not urlsplit(link).netloc}:
            target = channel / unquote(link.removeprefix(elsewhere))
            there = target.is_file() or (target / "index.html").is_file()
            if not (there if link.startswith(elsewhere) else link.startswith("/some/where/else/")):
                missing.add(link)
    assert missing == set()


@pytest.mark.parametrize("path", SHOWN)
def test_a_page_says_the_same_with_and_without_scripts(
    site: World, browser: Browser, page: Page, path: str
) -> None:
    page.goto(site.server.url + path)
    with visitor(browser) as other:
        scripted = other.new_page()
        scripted.goto(site.server.url + path)
        scripted.evaluate(ADDED)
        text = scripted.locator("main").inner_text()

    assert page.locator("main").inner_text().split() == text.split()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for useless in page.locator("form[data-filters], .drop").all():
        expect(useless).to_be_hidden()
        assert useless.bounding_box() is None, "it takes room without a script"


def test_one_finds_and_opens_a_package_without_scripts(site: World, page: Page) -> None:
    page.goto(f"{site.server.url}/main/")
    page.get_by_label("Search packages").fill("numeral")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("main").get_by_role("link", name="libnumeral").first.click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("libnumeral 2.0")
    page.get_by_role("link", name="1.9").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("libnumeral 1.9")


def test_one_signs_in_and_makes_a_key_without_scripts(site: World, page: Page) -> None:
    page.goto(f"{site.server.url}/account/sign-in")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Make a key").click()
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_role("button", name="Make the key").click()

    expect(page.locator("figure code")).to_contain_text("pkh-")


def test_the_crawl_finds_a_link_that_leads_nowhere(site: World) -> None:
    planted = site.server.data / "public/main/planted/index.html"
    planted.parent.mkdir()
    planted.write_text(
        '<!DOCTYPE html><title>x</title><h1 id="a">x</h1><a href="nowhere/">x</a><a href="../">y</a>'
    )
    try:
        found = crawl(site, "/main/planted/")
    finally:
        planted.unlink()
        planted.parent.rmdir()
    assert found.status["/main/planted/nowhere/"] == 404
    assert found.status["/main/"] == 200
