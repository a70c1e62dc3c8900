"""An admin's browser at a running daemon, and its pages read as strictly as a validator reads them."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import html5lib
from uploadd_account_support import Browser, daemon_with_people, signed_in
from uploadd_support import Answer, Daemon

ADMIN_PAGES = (
    "/account/admin/users/",
    "/account/admin/users/bob/",
    "/account/admin/groups/",
    "/account/admin/groups/team/",
    "/account/admin/rights/",
    "/account/admin/rights/main/",
    "/account/admin/rights/main/pypi/flask/",
    "/account/admin/rights/main/conda/numpy/",
    "/account/admin/channels/",
    "/account/admin/channels/main/visibility/",
    "/account/admin/channels/closed/visibility/",
    "/account/admin/channels/main/delete/",
    "/account/admin/audit/",
    "/account/admin/indexer/",
)

ADMIN_FORMS = {
    "/account/admin/users/invite": {"user": "newcomer"},
    "/account/admin/users/registration": {"allow": "true"},
    "/account/admin/users/waiting/approve": {},
    "/account/admin/users/bob/admin": {"admin": "true"},
    "/account/admin/users/bob/delete": {},
    "/account/admin/groups/create": {"group": "fresh"},
    "/account/admin/groups/add": {"group": "team", "user": "alice"},
    "/account/admin/groups/team/add": {"user": "alice"},
    "/account/admin/groups/team/remove": {"user": "bob"},
    "/account/admin/groups/team/delete": {},
    "/account/admin/rights/main/give": {"kind": "user", "name": "bob", "action": "write"},
    "/account/admin/rights/main/take": {"principal": "group:team", "action": "write"},
    "/account/admin/rights/main/close": {"ecosystem": "pypi", "package": "flask"},
    "/account/admin/channels": {"name": "fresh"},
    "/account/admin/channels/main/visibility": {"private": "true"},
    "/account/admin/channels/other/delete": {},
    "/account/admin/indexer/reindex": {"channel": ""},
}
"""Every form of the admin's pages, as a page sends it, with fields that would change something."""


@asynccontextmanager
async def administered(data: Path) -> AsyncIterator[Daemon]:
    """A daemon with alice, an admin; bob, in the group team; and waiting, who waits for approval."""
    async with daemon_with_people(data) as daemon:
        catalog = daemon.house.catalog
        catalog.accounts.set_admin("alice", admin=True)
        catalog.accounts.register("waiting", "phc", default_open=True)
        catalog.groups.create("team")
        catalog.groups.add("bob", "team")
        yield daemon


async def admin(daemon: Daemon) -> Browser:
    """The browser of alice."""
    return await signed_in(daemon)


def text(answer: Answer) -> str:
    """The page as a person reads it, its white space made even; what no strict parser takes fails."""
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8", answer.body
    body = answer.body.decode()
    html5lib.HTMLParser(strict=True).parse(body)
    plain = re.sub(r"<[^>]+>", " ", body[body.index("<body") :])
    return " ".join(html.unescape(plain).split())


async def shown(browser: Browser, path: str) -> str:
    """What a page says."""
    answer = await browser.get(path)
    assert answer.status == 200, (path, answer.status, answer.body)
    return text(answer)


async def told(browser: Browser, answer: Answer) -> str:
    """What the page says that a form led to."""
    assert answer.status == 303, answer.body
    return await shown(browser, answer.headers["Location"])


def lines(daemon: Daemon) -> list[tuple[str, str, str, str, str]]:
    """The audit log, oldest first, without signing in."""
    return [
        (line.who, line.action, line.object, line.outcome, line.note)
        for line in reversed(daemon.house.catalog.audit.entries(limit=100))
        if line.action != "sign in"
    ]
