"""What strangers uploaded runs in no reader's browser, on no page: no dialog, no report, no element of theirs."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from browser_support import Complaints, chromium, need_chromium, sign_in, visitor
from hostile_support import line, upload_everything
from playwright.sync_api import Browser, Page, expect
from private_support import UNLIMITED, World, world
from xss_payloads import ALL, HTML

need_chromium()
pytestmark = pytest.mark.e2e

ACTIVE = """
() => {
  const found = [];
  const odd = "iframe, object, embed, applet, portal, svg, math, base, style, template, video, audio, marquee, x-alert, "
    + "body script, form form, textarea, meta[http-equiv], link:not(head > link), [autofocus]:not(.form *)";
  for (const tag of document.querySelectorAll(odd)) {
    found.push(`element: ${tag.outerHTML.slice(0, 120)}`);
  }
  for (const tag of document.querySelectorAll("head > script, head > link[rel=stylesheet]")) {
    if (new URL(tag.src || tag.href).origin !== window.location.origin) {
      found.push(`element: ${tag.outerHTML.slice(0, 120)}`);
    }
  }
  for (const tag of document.querySelectorAll("*")) {
    for (const { name, value } of tag.attributes) {
      if (name.startsWith("on") || name === "style" || name === "srcdoc") {
        found.push(`attribute: ${name}=${value.slice(0, 80)}`);
      }
      if (["href", "src", "srcset", "action", "formaction", "data", "poster", "xlink:href", "ping"].includes(name)) {
        let protocol;
        try {
          protocol = new URL(value, document.baseURI).protocol;
        } catch {
          protocol = "none";
        }
        const web = ["http:", "https:"].includes(protocol) || (protocol === "mailto:" && name === "href");
        const away = web && name !== "href" && new URL(value, document.baseURI).origin !== window.location.origin;
        if (!web || away) {
          found.push(`address: ${name}=${value.slice(0, 80)}`);
        }
      }
    }
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory) -> Iterator[tuple[World, list[str]]]:
    with world(tmp_path_factory.mktemp("hostile"), **UNLIMITED) as made:
        yield made, upload_everything(made)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def active(page: Page, said: Complaints) -> list[str]:
    """What ran, what the policy stopped, and what only waits to be clicked, with everything unfolded."""
    page.evaluate("() => { for (const part of document.querySelectorAll('details')) { part.open = true; } }")
    return [*said.take(), *page.evaluate(ACTIVE)]


def test_nothing_that_was_uploaded_runs_on_any_static_page(
    uploaded: tuple[World, list[str]], browser: Browser
) -> None:
    made, paths = uploaded
    assert len(ALL) > 60
    assert len(paths) > 40
    wrong = {}
    with visitor(browser) as stranger:
        page = stranger.new_page()
        said = Complaints(page)
        for path in paths:
            answer = page.goto(made.server.url + path)
            assert answer is not None
            assert answer.status == 200, path
            if found := active(page, said):
                wrong[path] = found
    assert wrong == {}


def test_the_payloads_are_on_these_pages_as_text(uploaded: tuple[World, list[str]], browser: Browser) -> None:
    """Else the test above would look at nothing."""
    made, _ = uploaded
    with visitor(browser) as stranger:
        page = stranger.new_page()
        page.goto(f"{made.server.url}/main/pypi/evil-plain/")
        text = page.locator("main").inner_text()
        page.goto(f"{made.server.url}/main/conda/evil-conda0/")
        conda = page.locator("main").inner_text()
        page.goto(f"{made.server.url}/main/")
        channel = page.locator("main").inner_text()
    shown = [payload for payload in HTML.values() if line(payload) in " ".join(text.split())]
    assert len(shown) > 50
    assert "alert(1)" in conda
    assert channel.count("<script>alert(1)</script>") >= 2


def test_nor_in_the_search_box_nor_on_its_page(uploaded: tuple[World, list[str]], browser: Browser) -> None:
    made, _ = uploaded
    with visitor(browser) as stranger:
        page = stranger.new_page()
        said = Complaints(page)
        page.goto(f"{made.server.url}/main/")
        page.keyboard.press("/")
        for text in ("evil", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "script alert"):
            page.get_by_role("combobox", name="Search packages").fill(text)
            expect(page.get_by_role("combobox", name="Search packages")).to_have_attribute(
                "aria-expanded", "true"
            )
            expect(page.get_by_role("option").first).to_be_visible()
            assert active(page, said) == []
        for payload in list(HTML.values())[::4]:
            page.goto(f"{made.server.url}/search/?q={quote(line(payload)[:200])}")
            assert active(page, said) == []


def test_nor_on_the_pages_of_accounts_and_admins(uploaded: tuple[World, list[str]], browser: Browser) -> None:
    """With keys, a browser and refused files that are called like payloads."""
    made, _ = uploaded
    wrong = {}
    with visitor(browser, user_agent=" ".join(map(line, list(HTML.values())[:3]))) as admin:
        page = admin.new_page()
        said = Complaints(page)
        sign_in(page, made.server.url, "ada")
        assert "<script>alert(1)</script>" in page.locator("#sessions").locator("..").inner_text()
        for path in ("", "packages/", "admin/users/", "admin/channels/", "admin/audit/", "admin/indexer/"):
            page.goto(f"{made.server.url}/account/{path}")
            if found := active(page, said):
                wrong[path] = found
        assert "alert(1)" in page.locator("#refused").locator("..").inner_text()
    assert wrong == {}


PLANTED = """<!DOCTYPE html><html lang="en"><head><title>x</title></head><body><main><h1>x</h1>
<script>alert("it ran")</script><img src="data:,x" onerror="alert('it too')"><a href="JaVaScript:alert(1)">x</a>
<svg onload="alert(1)"></svg><p style="color: red">x</p></main></body></html>
"""


def test_a_payload_that_runs_is_reported(uploaded: tuple[World, list[str]], browser: Browser) -> None:
    """Without the policy it runs, and the check says so."""
    made, _ = uploaded
    with visitor(browser) as stranger:
        page = stranger.new_page()
        said = Complaints(page)
        page.route("**/planted/", lambda route: route.fulfill(body=PLANTED, content_type="text/html"))
        page.goto(f"{made.server.url}/planted/")
        found = active(page, said)
    assert "dialog: it ran" in found
    assert "dialog: it too" in found
    assert any(one.startswith("address: href=JaVaScript:") for one in found)
    assert any(one.startswith("element: <svg") for one in found)


def test_a_payload_that_only_the_policy_stops_is_reported(
    uploaded: tuple[World, list[str]], browser: Browser
) -> None:
    """A page in the tree that somebody forgot to escape: no dialog comes, and the check fails all the same."""
    made, _ = uploaded
    place = made.server.data / "public/main/pypi/evil-md0/planted/index.html"
    place.parent.mkdir()
    place.write_text(PLANTED)
    try:
        with visitor(browser) as stranger:
            page = stranger.new_page()
            said = Complaints(page)
            page.goto(f"{made.server.url}/main/pypi/evil-md0/planted/")
            found = active(page, said)
    finally:
        place.unlink()
        place.parent.rmdir()
    assert not [one for one in found if one.startswith("dialog")]
    assert any(one.startswith("CSP: script-src-elem") for one in found), found
    assert any(one.startswith("CSP: script-src-attr") for one in found), found
    assert any(one.startswith("attribute: onerror=") for one in found)
