"""The pages about what went wrong, in a real browser on a real nginx: found, styled, kept to the policy, usable by all."""

from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_support import chromium, need_chromium
from nginx_site_support import Site, put, serving_site, without_daemon
from nginx_support import BUILDS, RunningNginx
from playwright.sync_api import Browser, Page

from packhouse.assets import site_files

NAMES = ("400.html", "403.html", "404.html", "429.html", "500.html", "503.html")
pytestmark = pytest.mark.e2e
need_chromium()
SHELF = "main/packages/six/"


def publish(data: Path) -> None:
    for path, body in site_files().items():
        put(data / "public/static", path, body)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One build is enough here: what each sends is compared byte for byte in test_nginx_error_pages.py."""
    with serving_site(tmp_path_factory.mktemp("data"), BUILDS[0]) as running:
        publish(running.nginx.data)
        yield running


@pytest.fixture(scope="module")
def orphan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNginx]:
    with without_daemon(tmp_path_factory.mktemp("orphan"), BUILDS[0]) as nginx:
        publish(nginx.data)
        yield nginx


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def complaints(page: Page) -> list[str]:
    """What the browser writes to its console, but that the page itself has a status of an error."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text))
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("dialog", lambda dialog: (found.append(dialog.message), dialog.dismiss()))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_error_page_is_valid_html_for_any_depth(name: str) -> None:
    """Every link is absolute: an error comes at any depth, and below a /t/<key>/, too."""
    files = site_files()
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(files[name].decode())

    assert tree.get("lang") == "en"
    assert len(tree.findall(".//h1")) == len(tree.findall(".//main")) == 1
    assert not tree.findall(".//style")
    assert not [
        tag for tag in tree.iter() if "style" in tag.attrib or any(key.startswith("on") for key in tag.attrib)
    ]
    links = [
        tag.get(key, "") for tag in tree.iter() for key in ("href", "src", "action") if key in tag.attrib
    ]
    assert all(link.startswith(("/", "#content")) and not link.startswith("//") for link in links)
    assert {link.removeprefix("/static/") for link in links if link.startswith("/static/")} <= files.keys()
    assert "/" in links, "the way home"


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/main/no/such/page/at/this/depth/", 404, "Nothing is here"),
        ("/priv/simple/hush/", 403, "Sign in to see what is here"),
        ("/t/pkh-hasty/priv/simple/hush/", 429, "Too many tries"),
        ("/main/%0a", 400, "This is no address"),
    ],
)
def test_a_browser_shows_it_whole(site: Site, page: Page, path: str, status: int, heading: str) -> None:
    """With its style sheet, nothing refused by the policy, no window for a password, and no barrier that axe knows."""
    said = complaints(page)
    page.set_viewport_size({"width": 360, "height": 700})

    answer = page.goto(site.nginx.url + path)

    assert answer is not None
    assert answer.status == status
    assert page.get_by_role("heading", level=1).inner_text() == heading
    assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert [line for line in said if f"status of {status}" not in line] == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert Axe().run(page).response["violations"] == []


def test_a_browser_that_comes_to_a_private_channel_finds_the_way_to_sign_in(site: Site, page: Page) -> None:
    """And, with scripts, the way back."""
    for path, back in (
        ("/priv/?a=b", "%2Fpriv%2F%3Fa%3Db"),
        ("/main/nothing-here/", "%2Fmain%2Fnothing-here%2F"),
    ):
        page.goto(f"{site.nginx.url}{path}")
        page.get_by_role("main").get_by_role("link", name="Sign in").click()

        assert page.url == f"{site.nginx.url}/account/sign-in?next={back}"


def test_a_form_that_is_sent_while_the_daemon_is_away_ends_on_a_page(
    orphan: RunningNginx, page: Page
) -> None:
    page.goto(f"{orphan.url}/main/nope")
    page.get_by_label("Search packages").fill("six")
    page.get_by_label("Search packages").press("Enter")

    assert page.url == f"{orphan.url}/search/?q=six"
    assert page.get_by_role("heading", level=1).inner_text() == "Accounts and uploads are away for now"
    page.get_by_role("main").get_by_role("link", name="channels").click()
    assert page.inner_text("body") == "home"


@pytest.mark.parametrize("name", ["evil.html", "evil.svg", "index.html", "badge.svg"])
def test_an_uploaded_page_is_downloaded_and_never_opened(site: Site, page: Page, name: str) -> None:
    script = "<script>document.title = 'it ran'</script>"
    body = f'<svg xmlns="http://www.w3.org/2000/svg">{script}</svg>' if name.endswith("svg") else script
    put(site.nginx.data / "public", SHELF + name, body)
    page.goto(f"{site.nginx.url}/main/nope")

    with page.expect_download() as download:
        page.evaluate("address => { location.href = address }", f"/{SHELF}{name}")

    assert download.value.suggested_filename == name
    assert page.title() == "Not found · Packhouse"


@pytest.mark.parametrize(
    ("path", "kind"),
    [("main/conda/a/badge.svg", "image/svg+xml"), ("main/feed.atom", "application/atom+xml")],
)
def test_a_script_in_a_badge_or_a_feed_does_not_run(site: Site, page: Page, path: str, kind: str) -> None:
    """Should escaping fail one day, the policy holds; the same bytes without it do run."""
    body = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert("it ran")</script></svg>'
    put(site.nginx.data / "public", path, body)
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))

    answer = page.goto(f"{site.nginx.url}/{path}")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"], said) == (200, kind, [])

    page.route("**/unguarded", lambda route: route.fulfill(body=body, content_type=kind))
    page.goto(f"{site.nginx.url}/unguarded")
    assert said == ["it ran"]
