"""What nginx hands to the daemon: every write, every path that is no file, streamed and with nothing forged."""

import json
import socket
from collections.abc import Iterator

import pytest
from nginx_site_support import ALICE, Site, by_origin, serving_site
from nginx_support import BUILDS


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/main/noarch/a-1-0.conda"),
        ("DELETE", "/main/noarch/a-1-0.conda"),
        ("POST", "/"),
        ("POST", "/main"),
        ("POST", "/simple/"),
        ("POST", "/simple"),
        ("POST", "/pypi/"),
        ("POST", "/legacy/"),
        ("POST", "/main/simple/"),
        ("POST", "/main/legacy/"),
        ("POST", "/main/legacy"),
        ("PUT", "/main/products/lib/1.0/f.bin"),
        ("PUT", "/priv/noarch/p-1-0.conda"),
        ("OPTIONS", "/main/"),
        ("POST", "/api/v1/upload/main?force=true"),
        ("POST", "/main//noarch/%2e%2e%2fx+y.conda?sha256=%41"),
    ],
)
def test_every_other_method_reaches_the_daemon_at_the_url_that_is_read(
    site: Site, method: str, path: str
) -> None:
    """With the request line as it came: the daemon's gate must see `%2e%2e%2f`, not what it stands for."""
    seen = site.get(path, ALICE, method=method, body=b"x" * 300_000).json

    assert (seen["method"], seen["raw"], seen["size"], seen["key"]) == (method, path, 300_000, "pkh-alice")


@pytest.mark.parametrize(
    "path",
    [
        "/api/graphql",
        "/api",
        "/admin/user/x/",
        "/product/fetch/p",
        "/_/oidc/audience",
        "/anaconda/dist/a/b",
        "/acct/login",
        "/account/",
        "/graphql",
        "/cloudsmith/v1/user/self/",
        "/register",
        "/health",
        "/fetch/pkh-SECRET",
        "/prune/pkh-SECRET",
        "/legacy",
        "/legacy/",
        "/.well-known/pytp?discover=%2Fmain%2Flegacy%2F",
        "/t/pkh-alice/api/v1/me",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_that_are_no_files_are_the_daemons(site: Site, path: str, method: str) -> None:
    seen = site.get(path, method=method).json

    assert (seen["method"], seen["raw"]) == (method, path)


def test_a_client_cannot_forge_what_nginx_tells_the_daemon(site: Site) -> None:
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "X-Packhouse-Key": "pkh-alice",
        "X-Packhouse-Path": "/x",
        "X-Packhouse-Root": "public",
    }
    headers = site.get("/main/noarch/x.conda", forged, method="PUT", body=b"x").json["headers"]

    assert (headers["x-real-ip"], headers["x-forwarded-for"]) == ("127.0.0.1", "127.0.0.1")  # type: ignore[index]
    assert headers["x-packhouse-path"] == "/main/noarch/x.conda"  # type: ignore[index]
    assert not {"x-packhouse-key", "x-packhouse-root"} & set(headers)  # type: ignore[call-overload]


def test_a_body_is_streamed(site: Site) -> None:
    """The daemon hashes while the client still sends; a chunked body stays chunked."""
    site.daemon.first_chunk.clear()
    with socket.create_connection(("127.0.0.1", site.nginx.port), timeout=20) as wire:
        wire.sendall(
            b"PUT /main/noarch/b-1-0.conda HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n"
        )
        assert site.daemon.first_chunk.wait(10), "nothing reached the daemon before the body was complete"
        wire.sendall(b"5\r\nhello\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(65536), b""))

    seen = (
        json.loads(answer.rsplit(b"\r\n\r\n", 1)[1])
        if b"chunked" not in answer.split(b"\r\n\r\n")[0]
        else None
    )
    assert seen is not None
    assert (seen["size"], seen["headers"].get("transfer-encoding")) == (10, "chunked")


@pytest.mark.parametrize("status", [401, 409, 413])
def test_an_early_refusal_comes_back_before_the_body_with_its_reason(site: Site, status: int) -> None:
    """Twine shows only the reason phrase; nginx sets no limit of its own, so even 100 GB get the daemon's answer."""
    with socket.create_connection(("127.0.0.1", site.nginx.port), timeout=20) as wire:
        wire.sendall(
            b"PUT /main/noarch/c-1-0.conda HTTP/1.1\r\nHost: x\r\nX-Test-Early: %d\r\nContent-Length: 100000000000\r\n\r\nstart"
            % status
        )
        assert wire.recv(4096).startswith(b"HTTP/1.1 %d File already exists\r\n" % status)


def test_a_client_that_only_reads_after_sending_gets_the_early_refusal_too(site: Site) -> None:
    for _round in range(5):
        answer = site.get(
            "/main/noarch/c-1-0.conda", {"X-Test-Early": "409"}, method="PUT", body=b"x" * (8 << 20)
        )
        assert (answer.status, answer.reason) == (409, "File already exists")
