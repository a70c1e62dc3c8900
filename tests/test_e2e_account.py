"""Signing in through nginx: the cookie opens what its owner may read, and no log holds a secret."""

import http.client
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from e2e_support import Server, serving
from template_support import stored_password

from packhouse.house import open_house
from packhouse.model import Action, Grant
from packhouse.webserver import ACCESS_LOG
from uploadd.identity import COOKIE

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@dataclass
class Browser:
    """A browser at some address of the server; keeps its cookie."""

    server: Server
    host: str = ""
    cookie: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, http.client.HTTPMessage, str]:
        headers = {"Accept": "text/html", "Host": self.host or f"127.0.0.1:{self.server.port}", **self.more}
        body = None
        if self.cookie:
            headers["Cookie"] = f"{COOKIE}={self.cookie}"
        if method == "POST":
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"http://{headers['Host']}",
                "Sec-Fetch-Site": "same-origin",
            }
            body = urlencode(fields)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            value = line.partition(";")[0].partition("=")[2].strip('"')
            self.cookie = value
        return answer.status, answer.headers, text


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("account")) as running:
        running.channel("secret", "--private")
        house = open_house(running.data)
        try:
            for name in ("alice", "bob"):
                house.catalog.accounts.create(name, password=stored_password(PASSWORD))
            house.catalog.grants.give(Grant(principal="user:alice", action=Action.READ, channel="secret"))
        finally:
            house.close()
        yield running


def test_a_session_opens_what_its_owner_may_read_until_it_ends(server):
    one, bob = Browser(server), Browser(server)
    assert one.ask("GET", "/secret/serial.json")[0] == 401
    for who, browser in (("alice", one), ("bob", bob)):
        status, headers, _ = browser.ask("POST", "/account/sign-in", user=who, password=PASSWORD)
        assert (status, headers["Location"]) == (303, "/account/?fresh")
        assert set(headers["Set-Cookie"].split("; ")[1:]) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    status, headers, _ = one.ask("GET", "/secret/serial.json")
    assert status == 200
    assert "private" in headers["Cache-Control"]
    assert bob.ask("GET", "/secret/serial.json")[0] == 404

    status, headers, page = one.ask("GET", "/account/")
    assert status == 200
    # nginx adds what every answer has, once; the daemon brings the rest.
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_all("Content-Type") == ["text/html; charset=utf-8"]
    assert headers.get_all("Cache-Control") == ["no-store"]
    assert len(headers.get_all("Content-Security-Policy")) == 1
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "http-equiv" not in page
    for asset in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert server.ask(asset)[0] == 200

    old, token = one.cookie, re.search(r'name="token" value="([^"]+)"', page)[1]
    assert one.ask("POST", "/account/sign-out", token=token)[0] == 303
    assert Browser(server, cookie=old).ask("GET", "/secret/serial.json")[0] == 401
    assert Browser(server, cookie=old).ask("GET", "/account/")[1]["Location"] == "/account/sign-in"


def test_a_caller_cannot_say_that_it_came_over_tls(server):
    """Nginx overwrites X-Forwarded-Proto: else the page would take a password over plain http."""
    one = Browser(server, host="packages.example.org", more={"X-Forwarded-Proto": "https"})
    _, _, page = one.ask("GET", "/account/sign-in")
    status, headers, text = one.ask("POST", "/account/sign-in", user="alice", password=PASSWORD)

    assert "needs TLS" in page
    assert 'name="password"' not in page
    assert (status, headers["Set-Cookie"]) == (403, None)
    assert "needs TLS" in text


def test_no_log_holds_what_people_typed(server):
    house = open_house(server.data)
    try:
        code = house.catalog.sessions.invite("bob")
    finally:
        house.close()
    one = Browser(server)
    one.ask("GET", f"/account/invitation?{code}")
    new = "quite another sentence"
    assert one.ask("POST", "/account/invitation", code=code, password=new, again=new)[0] == 303
    cookie, token = one.cookie, re.search(r'name="token" value="([^"]+)"', one.ask("GET", "/account")[2])[1]
    _, _, page = one.ask("POST", "/account/keys", token=token, name="laptop", may="all", days="9")
    key = re.search(r"pkh-[0-9A-Za-z]{42}", page)[0]
    assert Browser(server).ask("POST", "/account/sign-in", user="bob", password="a wrong sentence")[0] == 403
    server.fetched()  # every line is written

    logs = (server.data / ACCESS_LOG).read_text() + server.tail() + server.log.read_text()
    assert "/account/keys" in logs
    for secret in (code, new, PASSWORD, "a wrong sentence", cookie, token, key):
        assert secret not in logs
    stored = b"".join(path.read_bytes() for path in (server.data / "state").glob("catalog.sqlite*"))
    assert b"laptop" in stored
    for secret in (code, new, PASSWORD, "a wrong sentence", cookie, key):
        assert secret.encode() not in stored
