"""The upload part of a channel's page in a real browser: a server, people with rights, and what they do there."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser_support import PASSWORD, sign_in
from playwright.sync_api import Locator, Page, expect
from private_support import UNLIMITED, World, world

LIMIT = 3_000_000
ASKED = re.compile(r"/account/upload/")


@contextmanager
def uploading(folder: Path) -> Iterator[World]:
    """A server where ann writes the channel, cleo one package of it, bob nothing."""
    with world(folder, **UNLIMITED, PACKHOUSE_MAX_UPLOAD_BYTES=str(LIMIT)) as made:
        made.conda("main", "old")
        made.wheel("main", "taken")
        for name in ("ann", "bob", "cleo"):
            made.user(name, PASSWORD)
        made.give("user:ann", "main", "write")
        made.give("user:cleo", "main/pypi/shared", "write")
        made.settled()
        yield made


def drop(page: Page) -> Locator:
    return page.locator("[data-upload]")


def status(page: Page) -> Locator:
    return drop(page).get_by_role("status")


def channel_page(page: Page, site: World, user: str = "ann", channel: str = "main") -> None:
    """Sign in and go to where a channel's page takes files."""
    sign_in(page, site.server.url, user)
    with page.expect_response(ASKED):
        page.goto(f"{site.server.url}/{channel}/")
        drop(page).scroll_into_view_if_needed()


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    payload = [{"name": name, "mimeType": "", "buffer": body} for name, body in files]
    page.get_by_label("Choose files").set_input_files(payload)


def send(page: Page, what: str) -> None:
    """Press the button, and wait for the end of it."""
    page.get_by_role("button", name=what, exact=True).click()
    expect(status(page)).to_contain_text("uploaded.")


def line(page: Page, name: str) -> Locator:
    return drop(page).get_by_role("listitem").filter(has=page.locator("bdi", has_text=name))


def result(page: Page, name: str) -> Locator:
    return line(page, name).get_by_role("paragraph")
