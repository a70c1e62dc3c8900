"""Limits over the real nginx: nothing a client sends changes whom it is counted as, and the right always passes."""

import base64
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_support import Server, serving
from nginx_site_support import FakeDaemon, daemon_socket, fetch, plant
from nginx_support import BUILDS, running_nginx
from template_support import stored_password

from packhouse import webserver
from packhouse.house import open_house
from packhouse.model import Action, Grant

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parent.parent
FORGED = (
    {"X-Forwarded-For": "203.0.113.9"},
    {"X-Real-IP": "203.0.113.9"},
    {"Forwarded": "for=203.0.113.9"},
    {"X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Real-IP": "203.0.113.9"},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Packhouse with the private channel `closed`, which bob and a few others may read.

    Each test comes from an address of its own: what one is refused is no concern of the next.
    """
    with serving(tmp_path_factory.mktemp("limits"), PACKHOUSE_ANONYMOUS_REQUESTS_PER_MINUTE="20") as running:
        running.channel("closed", "--private")
        house = open_house(running.data)
        try:
            for name in ("bob", "ann", "cid", "dan", "eve"):
                house.catalog.accounts.create(name, password=stored_password(f"{name}-secret"))
                house.catalog.grants.give(
                    Grant(principal=f"user:{name}", action=Action.READ, channel="closed")
                )
        finally:
            house.close()
        yield running


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def ask(
    server: Server,
    path: str,
    source: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> Answer:
    """Send one request from an address of the loopback network."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=(source, 0))
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def assert_refused(answer: Answer, most_s: int) -> None:
    assert answer.status == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= most_s
    assert int(answer.headers["X-RateLimit-Limit"]) > 0
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert int(answer.headers["X-RateLimit-Reset"]) > 0
    told = json.loads(answer.body)
    assert (told["status"], told["code"]) == (429, "rate-limited")


@pytest.mark.parametrize(
    ("method", "path", "name", "source"),
    [
        ("POST", "/api/v1/upload/main", "ann", "127.0.1.1"),  # a dynamic route
        ("GET", "/closed/simple/", "cid", "127.0.1.2"),  # a list, which the daemon filters
        ("GET", "/closed/noarch/repodata.json", "dan", "127.0.1.3"),  # a private file, which nginx serves
        ("GET", "/closed/simple/tool/", "eve", "127.0.1.4"),
        ("GET", "/nowhere/simple/tool/", "nobody", "127.0.1.5"),  # and one that is not there
    ],
)
def test_the_eleventh_wrong_password_is_429(
    server: Server, method: str, path: str, name: str, source: str
) -> None:
    for _ in range(10):
        answer = ask(server, path, source, method=method, **basic(name, "guess"))
        assert answer.status == 401
        assert "Basic" in " ".join(answer.headers.get_all("WWW-Authenticate") or [])

    assert_refused(ask(server, path, source, method=method, **basic(name, "guess")), 300)
    # Right or wrong is not said any more; nor does it help to pretend to be elsewhere, or somebody else.
    assert_refused(ask(server, path, source, method=method, **basic(name, f"{name}-secret")), 300)
    for forged in FORGED:
        assert_refused(ask(server, path, source, method=method, **basic(name, "guess"), **forged), 300)
    assert_refused(ask(server, path, source, method=method, **basic("somebody", "guess")), 300)
    # The account is shut for passwords elsewhere, too, while others come in there.
    elsewhere = source.replace("127.0.1.", "127.0.2.")
    assert_refused(ask(server, path, elsewhere, method=method, **basic(name, "guess")), 300)
    assert ask(server, "/closed/noarch/repodata.json", elsewhere, **basic("bob", "bob-secret")).status == 200
    # A key is no password.
    bearer = {"Authorization": f"Bearer {server.key}"}
    assert ask(server, "/closed/noarch/repodata.json", source, **bearer).status == 200
    # What everyone may read, everyone may.
    assert ask(server, "/main/noarch/repodata.json", source).status == 200


def test_a_flood_of_strangers_is_cut_and_nobody_else_notices(server: Server) -> None:
    source, path = "127.0.3.1", "/api/v1/upload/main"
    statuses = []
    for left in range(19, -1, -1):
        answer = ask(server, path, source, method="POST")
        statuses.append(answer.status)
        assert answer.headers["X-RateLimit-Limit"] == "20"
        assert int(answer.headers["X-RateLimit-Remaining"]) >= left  # it fills meanwhile
    assert set(statuses) == {401}

    def cut(**headers: str) -> Answer:
        """The flood goes on until one is refused: the bucket fills by one in three seconds."""
        for _ in range(60):
            answer = ask(server, path, source, method="POST", **headers)
            if answer.status == 429:
                return answer
        raise AssertionError("nothing was refused")

    assert_refused(cut(), 3)
    for forged in FORGED:
        assert_refused(cut(**forged), 3)
    assert ask(server, path, "127.0.3.2", method="POST").status == 401
    assert ask(server, "/health", source).status == 200
    for _ in range(30):  # plain files are not the daemon's
        assert ask(server, "/main/noarch/repodata.json", source).status == 200
    for number in range(5):
        stored = ask(
            server, f"/main/products/tool/1/file-{number}.bin", source, method="PUT", body=b"bytes",
            Authorization=f"Bearer {server.key}",
        )  # fmt: skip
        assert stored.status == 201, stored.body
    assert_refused(cut(), 3)


def operators_example() -> str:
    """The block of the manual that a proxy in front needs."""
    text = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    found = re.search(r"```nginx\n(# http-proxy\.conf\n.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("binary", BUILDS, ids=lambda build: build.origin)
def test_behind_a_proxy_the_address_is_what_the_proxy_saw(
    tmp_path: Path, binary: webserver.NginxBinary
) -> None:
    plant(tmp_path)
    local = tmp_path / webserver.INCLUDES / "http-proxy.conf"
    local.parent.mkdir(parents=True, exist_ok=True)
    assert "192.0.2.10" in operators_example()
    local.write_text(operators_example().replace("192.0.2.10", "127.0.0.1"))

    def seen(**headers: str) -> tuple[object, object]:
        told = fetch(nginx.port, "/api/x", headers=headers).json["headers"]
        assert isinstance(told, dict)
        return told["x-real-ip"], told["x-forwarded-for"]

    with FakeDaemon(daemon_socket(tmp_path)).running(), running_nginx(tmp_path, binary=binary) as nginx:
        assert seen(**{"X-Forwarded-For": "203.0.113.9"}) == ("203.0.113.9",) * 2
        # What the client wrote stands before what the proxy added.
        assert seen(**{"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}) == ("203.0.113.9",) * 2
        assert seen(**{"X-Real-IP": "203.0.113.9"}) == ("127.0.0.1",) * 2
        assert seen() == ("127.0.0.1",) * 2
