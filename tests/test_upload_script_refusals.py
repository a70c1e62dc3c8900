"""Uploads from the page of a channel that do not succeed: in whose words it says so, and what is stored."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from browser_support import Complaints, chromium, need_chromium, sign_in, visitor
from playwright.sync_api import Browser, Page, expect
from private_support import World, legacy_form
from pypi_support import make_wheel
from upload_script_support import ASKED, LIMIT, channel_page, choose, line, result, send, status, uploading

need_chromium()
pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=alert(1)>-1.0-py3-none-any.whl"


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


class TestRefusals:
    def test_they_stand_there_word_for_word(self, site: World, page: Page) -> None:
        files = {
            "conda": ("broken-1.0-0.conda", b"no archive"),
            "pypi": (make_wheel(name="taken")[0], make_wheel(name="taken", summary="Other bytes")[1]),
            "large": ("large-1.0-0.conda", bytes(LIMIT + 1)),
        }
        complaints = Complaints(page)
        channel_page(page, site)
        choose(page, *files.values(), make_wheel(name="unharmed"))
        send(page, "Upload 4 files")

        expect(status(page)).to_contain_text("1 of 4 files uploaded.")
        for kind, code in (("conda", 422), ("pypi", 409), ("large", 413)):
            why = told(site, *files[kind], code)
            expect(result(page, files[kind][0])).to_have_text(why)
            expect(status(page)).to_contain_text(f"{files[kind][0]}: {why}")
        expect(page.get_by_role("button", name="Try 3 files again")).to_be_visible()
        assert [text for text in complaints.take() if "status of 4" not in text] == []

    def test_a_name_is_text_whatever_it_says(self, site: World, page: Page) -> None:
        complaints = Complaints(page)
        channel_page(page, site)
        choose(page, (HOSTILE, b"x"))
        send(page, "Upload 1 file")

        expect(line(page, HOSTILE).locator("bdi")).to_have_text(HOSTILE)
        expect(result(page, HOSTILE)).to_contain_text("file name")
        assert page.locator("[data-upload] img").count() == 0
        assert [text for text in complaints.take() if "status of 4" not in text] == []

    def test_a_session_that_ended_meanwhile(self, site: World, page: Page) -> None:
        channel_page(page, site)
        choose(page, make_wheel(name="late"), make_wheel(name="later"))
        site.house.catalog.sessions.revoke_all("ann")
        send(page, "Upload 2 files")

        expect(result(page, "late-")).to_contain_text(
            "You are not signed in any more. Sign in in another window"
        )
        expect(line(page, "later-").get_by_role("paragraph")).to_have_count(0)

    def test_a_connection_that_breaks_and_is_there_again(self, site: World, page: Page) -> None:
        channel_page(page, site)
        page.route("**/legacy/", lambda route: route.abort("connectionreset"))
        choose(page, make_wheel(name="lost"))
        send(page, "Upload 1 file")
        expect(result(page, "lost-")).to_contain_text("The connection ended before the server had answered.")

        page.unroute("**/legacy/")
        send(page, "Try 1 file again")
        expect(result(page, "lost-")).to_have_text("lost 1.0 is uploaded.")

    def test_what_is_cancelled_on_its_way_is_not_stored(self, site: World, page: Page) -> None:
        channel_page(page, site)
        choose(page, ("slow-1.0-0.conda", bytes(LIMIT - 1)), make_wheel(name="never"))
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
        page.get_by_role("button", name="Upload 2 files").click()
        bar = page.get_by_role("progressbar", name="Upload of slow-1.0-0.conda")
        expect(bar).to_be_visible()
        page.wait_for_function("bar => bar.value > 0 && bar.value < 1", arg=bar.element_handle())
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Enter")

        expect(result(page, "slow-")).to_have_text("Cancelled. Nothing of it is stored.")
        expect(status(page)).to_contain_text("0 of 2 files uploaded. slow-1.0-0.conda: Cancelled.")
        expect(line(page, "never-").get_by_role("paragraph")).to_have_count(0)
        assert site.server.ask("/main/simple/never/")[0] == 404

    def test_a_daemon_that_is_away_is_said_in_its_web_servers_words(self, site: World, page: Page) -> None:
        away = {"detail": "The upload daemon does not answer now; nothing was changed."}
        channel_page(page, site)
        page.route(ASKED, lambda route: route.fulfill(status=503, body=json.dumps(away)))
        choose(page, make_wheel(name="away"))
        send(page, "Upload 1 file")

        expect(result(page, "away-")).to_have_text(away["detail"])


def told(site: World, filename: str, body: bytes, code: int) -> str:
    """What the server says of the same upload to a program, as a sentence."""
    if filename.endswith(".whl"):
        form, kind = legacy_form(filename, body)
        status_, _, answer = site.server.ask("/main/legacy/", "POST", form, key=True, Content_Type=kind)
    else:
        where = f"/api/channels/main/upload/{filename}"
        status_, _, answer = site.server.ask(where, "POST", body, key=True)
    assert status_ == code, answer
    return json.loads(answer)["detail"].removesuffix(".") + "."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_elsewhere_gets_no_token_and_uploads_nothing(site: World, page: Page, host: str) -> None:
    """Another port is of the same site, so the cookie goes along; another host is not."""
    elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=elsewhere.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        sign_in(page, site.server.url, "ann")
        page.goto(f"http://{host}:{elsewhere.server_port}/")
        answers = dict[str, int]()
        page.on("response", lambda answer: answers.update({answer.url: answer.status}))
        tried = page.evaluate(FOREIGN, site.server.url)
    finally:
        elsewhere.shutdown()
        elsewhere.server_close()
        thread.join()

    assert tried == ["TypeError", "opaque", "TypeError", "opaque"]
    assert answers[f"{site.server.url}/account/upload/main"] == 403
    assert answers[f"{site.server.url}/main/legacy/"] in (401, 403)  # without the cookie nobody asks
    assert site.server.ask("/main/simple/forged/")[0] == 404


FOREIGN = """
async (server) => {
  const form = new FormData();
  form.append(":action", "file_upload");
  form.append("content", new Blob(["x"]), "forged-1.0-py3-none-any.whl");
  const headers = { "X-Packhouse-Token": "guessed" };
  const tried = [];
  for (const [path, options] of [
    ["account/upload/main", {}],
    ["account/upload/main", { mode: "no-cors" }],
    ["main/products/forged/1.0/x", { method: "PUT", body: "x", headers }],
    ["main/legacy/", { method: "POST", body: form, mode: "no-cors" }],
  ]) {
    try {
      tried.push((await fetch(`${server}/${path}`, { credentials: "include", ...options })).type);
    } catch (error) {
      tried.push(error.name);
    }
  }
  return tried;
}
"""
