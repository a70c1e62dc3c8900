"""Debian's Chromium for tests of pages, what it complains of, and people who use nothing but a keyboard."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    # Its own sandbox needs rights that a container's root does not have; it meets our pages only.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 20_000
PASSWORD = "correct horse battery"
SEES = """
(() => {
  window.__seen = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.__seen.push(`CSP: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
  });
})();
"""


def need_chromium() -> None:
    """Skip the calling module where there is no browser; a merge is judged with one, so there it fails instead."""
    if not CHROMIUM.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"needs a browser at {CHROMIUM}: apt install chromium", allow_module_level=True)


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """A browser that asks nobody but our servers; `more` are arguments of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(browser: Browser, **options) -> Iterator[BrowserContext]:
    """Somebody with cookies, storage and a clipboard of their own."""
    context = browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    try:
        yield context
    finally:
        context.close()


def sign_in(page: Page, url: str, user: str, password: str = PASSWORD) -> None:
    """Sign in as people do who fill in the form and press Enter."""
    page.goto(f"{url}/account/sign-in")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/account/?fresh")


# --- the keyboard -------------------------------------------------------------------------------------------------


def tab_to(page: Page, target: Locator, limit: int = 150) -> None:
    """Press Tab until the focus is there, and see to it that the focus shows."""
    wanted = target.element_handle()
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement === wanted", wanted):
            break
    else:
        raise AssertionError(f"{limit} times Tab did not lead to {target}")
    style = page.evaluate(
        "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; }"
    )
    assert style[0] != "none", f"the focus on {target} does not show: {style}"
    assert style[1] != "0px", f"the focus on {target} does not show: {style}"


def press_on(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go there with Tab and press a key."""
    tab_to(page, target)
    page.keyboard.press(key)


# --- what must not happen ------------------------------------------------------------------------------------------


class Complaints:
    """What a browser says against pages: dialogs, errors of scripts, the console, reports of the CSP."""

    def __init__(self, page: Page) -> None:
        self.page, self.found = page, list[str]()
        page.add_init_script(SEES)
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("console", lambda message: self.found.append(f"console: {message.text}"))

    def _dialog(self, dialog) -> None:
        self.found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def take(self) -> list[str]:
        """All since the last time; what the page itself noted comes from the page that is open."""
        noted = self.page.evaluate("() => (window.__seen ?? []).splice(0)")
        found, self.found = [*self.found, *noted], []
        return found
