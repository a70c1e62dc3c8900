"""Browsers with a session at a running daemon, for tests of the account's pages."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from uploadd_support import Answer, Daemon, run_daemon

from packhouse.catalog.keys import Key
from packhouse.catalog.passwords import hash_password
from packhouse.model import Claim, Ecosystem, Observed
from uploadd.identity import COOKIE

PASSWORD = "correct horse battery"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
STORED = hash_password(PASSWORD)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ABROAD = {"Host": "packages.example.org"}
"""As somebody asks who is not on the server itself."""


class Fine:
    """An inspector that nothing here needs."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: object) -> Observed:
        raise AssertionError("no upload is made here")


@dataclass
class Browser:
    """Keeps a cookie and says where its requests come from, as browsers do."""

    daemon: Daemon
    cookie: str = ""
    more: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, *, site: str | None = "same-origin", **fields: str) -> Answer:
        headers = {**FORM, "Origin": self.daemon.url}
        if site is not None:
            headers["Sec-Fetch-Site"] = site
        return await self._ask("POST", path, urlencode(fields).encode(), headers)

    async def submit(self, path: str, **fields: str) -> Answer:
        """Send a form of the account's page, with the token that the page carries."""
        return await self.post(path, token=await self.token(), **fields)

    async def token(self) -> str:
        return re.search(r'name="token" value="([^"]+)"', (await self.get("/account")).body.decode())[1]

    async def sign_in(self, user: str = "alice", password: str = PASSWORD, **fields: str) -> Answer:
        return await self.post("/account/sign-in", user=user, password=password, **fields)

    async def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        sent = {**HTML, **headers, **self.more}
        if self.cookie:
            sent["Cookie"] = f"{COOKIE}={self.cookie}"
        answer = await self.daemon.ask(method, path, body, key=None, headers=sent)
        for line in answer.headers.getall("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            assert name == COOKIE
            self.cookie = "" if "Max-Age=0" in line else value
        return answer


@asynccontextmanager
async def daemon_with_people(data: Path) -> AsyncIterator[Daemon]:
    """A running daemon, with the accounts alice and bob."""
    async with run_daemon(data, Fine()) as running:
        people(running)
        yield running


def people(daemon: Daemon) -> None:
    accounts = daemon.house.catalog.accounts
    for name in ("alice", "bob"):
        accounts.create(name, password=STORED)


async def signed_in(daemon: Daemon, user: str = "alice") -> Browser:
    one = Browser(daemon)
    answer = await one.sign_in(user)
    assert answer.status == 303, answer.body
    return one


def said(answer: Answer) -> str:
    """What the page says of a refusal."""
    return html.unescape(
        re.search(r'<p class="error" role="alert">(.*?)</p>', answer.body.decode(), re.DOTALL)[1]
    )


def state(daemon: Daemon) -> object:
    """Everything that a form could change."""
    catalog = daemon.house.catalog
    names = [one.name for one in catalog.accounts.list()]
    return (
        catalog.accounts.list(),
        [catalog.accounts.stored_password(name) for name in names],
        [(key.id, key.status(0)) for key in catalog.keys.list()],
        [session.id for name in names for session in catalog.sessions.list(name)],
    )


def make_key(daemon: Daemon, account_name: str, name: str) -> tuple[Key, str]:
    """A key for a day."""
    catalog = daemon.house.catalog
    return catalog.keys.create(account_name, name, expires_us=catalog.clock() + 86_400_000_000)


def shown_key(answer: Answer) -> str:
    return re.search(rb"<code>(pkh-[0-9A-Za-z]{42})</code>", answer.body)[1].decode()
