"""Who may read what, on the wire: private channels, restricted packages, keys in the path, filtered listings."""

import base64
import itertools
from collections.abc import Iterator

import pytest
from backports import zstd
from nginx_site_support import (
    ALICE,
    BOB,
    JSON,
    NOBODY,
    PROBLEM,
    UV,
    YEAR,
    Site,
    by_origin,
    serving_site,
    talk,
)
from nginx_support import BUILDS

PRIVATE = (
    "/priv/",
    "/priv/noarch/repodata.json",
    "/priv/noarch/repodata.json.zst",
    "/priv/noarch/p-1-0.conda",
    "/priv/simple/",
    "/priv/simple/hush/",
    "/priv/packages/hush/hush-1.0-py3-none-any.whl",
    "/priv/packages/hush/hush-1.0-py3-none-any.whl.metadata",
    "/priv/products/tool/1.0/tool.bin",
    "/priv/simple/veil/",  # a restricted project of a private channel
    "/priv/packages/veil/veil-1.0.tar.gz",
)
RESTRICTED = (
    "/main/simple/secret/",
    "/simple/secret/",
    "/pypi/secret/",
    "/main/legacy/%2Bsimple/secret/",
    "/main/packages/secret/secret-1.0.tar.gz",
    "/packages/secret/secret-1.0.tar.gz",
    "/main/products/vault/1.0/vault.bin",
    "/main/products/vault/index.json",
)


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        yield running


# --- private and restricted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PRIVATE)
def test_a_stranger_is_asked_to_sign_in_for_a_private_channel(site: Site, path: str) -> None:
    """Pip's keyring and conda wait for the 401; both challenges, since rattler reads the Bearer one."""
    before = len(site.daemon.asked)
    answer = site.get(path)

    assert (answer.status, answer.headers["Content-Type"]) == (401, PROBLEM)
    assert answer.headers.get_all("WWW-Authenticate") == [
        'Basic realm="packhouse"',
        'Bearer realm="packhouse"',
    ]
    assert b"PRIVATE" not in answer.body
    assert len(site.daemon.asked) == before, "a stranger costs the daemon nothing"


@pytest.mark.parametrize("path", RESTRICTED)
def test_a_stranger_learns_nothing_of_a_restricted_package(site: Site, path: str) -> None:
    missing = site.get(path.replace("secret", "nosuch").replace("vault", "nosuch"))

    assert site.get(path).apparent == missing.apparent
    assert missing.status == 404


def test_a_stranger_cannot_tell_a_private_channel_from_none(site: Site) -> None:
    for rest in ("simple/hush/", "noarch/repodata.json", "noarch/nope.conda", "simple/veil/"):
        assert site.get(f"/priv/{rest}").apparent == site.get(f"/nochannel/{rest}").apparent


@pytest.mark.parametrize("path", PRIVATE)
def test_a_member_reads_a_private_channel(site: Site, path: str) -> None:
    if path in ("/priv/", "/priv/simple/"):
        assert site.get(path, ALICE).json["daemon"] is True, "a listing, which the daemon filters"
        return
    answer = site.get(path, ALICE)

    assert (answer.status, answer.body[:7]) == (200, b"PRIVATE")
    assert answer.headers["Cache-Control"].startswith("private, ")
    fixed = path.endswith((".conda", ".whl", ".metadata", ".tar.gz", ".bin"))
    assert answer.headers["Cache-Control"] == (f"private, {YEAR}" if fixed else "private, no-cache")


@pytest.mark.parametrize("path", RESTRICTED)
def test_who_may_read_a_restricted_package_does(site: Site, path: str) -> None:
    answer = site.get(path, ALICE)
    root, asked, key = site.daemon.asked[-1]

    assert (answer.status, answer.body[:7]) == (200, b"PRIVATE")
    assert answer.headers["Cache-Control"].startswith("private, ")
    assert (root, asked.split("/")[1], key) == ("restricted", "main", "pkh-alice")


@pytest.mark.parametrize("path", RESTRICTED)
@pytest.mark.parametrize("headers", [BOB, NOBODY], ids=["no right", "unknown key"])
def test_a_key_without_the_right_learns_nothing_of_a_restricted_package(
    site: Site, path: str, headers: dict[str, str]
) -> None:
    """Not even that its key is unknown: that answer would be given only where something is."""
    missing = site.get(path.replace("secret", "nosuch").replace("vault", "nosuch"), headers)

    assert site.get(path, headers).apparent == missing.apparent
    assert missing.status == 404


def test_keys_at_a_private_channel(site: Site) -> None:
    """Unknown: sign in again. Known without the right: absent, as a channel that is not there."""
    assert (
        site.get("/priv/noarch/repodata.json", NOBODY).apparent
        == site.get("/nochannel/noarch/repodata.json", NOBODY).apparent
    )
    assert site.get("/priv/noarch/repodata.json", NOBODY).status == 401
    assert len(site.get("/priv/noarch/repodata.json", NOBODY).headers.get_all("WWW-Authenticate", [])) == 2
    assert (
        site.get("/priv/noarch/repodata.json", BOB).apparent
        == site.get("/nochannel/noarch/repodata.json", BOB).apparent
    )
    assert site.get("/priv/noarch/repodata.json", BOB).status == 404
    assert site.get("/priv/noarch/nope.conda", ALICE).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer pkh-alice"},
        {"Authorization": "token pkh-alice"},
        {"Authorization": "Basic " + base64.b64encode(b"__token__:pkh-alice").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"pkh-alice:").decode()},
        {"X-API-Key": "pkh-alice"},
        {"X-Api-Token": "pkh-alice"},
    ],
    ids=["bearer", "token", "password", "user only", "x-api-key", "x-api-token"],
)
def test_every_spelling_of_a_key_reaches_the_daemon(site: Site, headers: dict[str, str]) -> None:
    assert site.get("/priv/noarch/repodata.json", headers).status == 200


def test_two_authorization_headers_are_refused(site: Site) -> None:
    request = b"GET /priv/noarch/repodata.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer pkh-bob\r\nAuthorization: Bearer pkh-alice\r\n\r\n"

    assert talk(site.nginx.port, request).startswith(b"HTTP/1.1 400 ")


def test_a_private_page_is_negotiated_like_a_public_one(site: Site) -> None:
    answer = site.get("/priv/simple/hush/", ALICE | {"Accept": UV, "Accept-Encoding": "gzip, deflate, zstd"})

    assert zstd.decompress(answer.body).startswith(b"PRIVATE json")
    assert (answer.headers["Content-Encoding"], answer.headers["Content-Type"]) == ("zstd", JSON)
    assert answer.headers["Vary"] == "Accept, Accept-Encoding, Authorization"


def test_no_spelling_of_a_path_and_no_forged_header_opens_a_private_file(site: Site) -> None:
    """Rights are decided on the path that nginx resolved, and only nginx may say which that was."""
    forged = (
        {},
        {"X-Packhouse-Key": "pkh-alice"},
        {"X-Packhouse-Path": "/main/noarch/x", "X-Original-URI": "/main/", "X-Packhouse-Root": "public"},
        BOB,
    )
    bodies = [
        site.get(spelling, headers).body
        for path, headers in itertools.product(PRIVATE + RESTRICTED, forged)
        for spelling in (
            path, "/" + path, path.replace("/", "/./", 1), path.replace("p", "%70", 1), "/x/.." + path, "/main/.." + path,
            "/private" + path, "/restricted" + path, "/public/../private" + path, "/static/../../private" + path,
            path.replace("/", "/%2f", 1), "/t/x" + path, "//t/x" + path, path + "?format=json", path.upper(), path + "%00",
            path + "/", path.rstrip("/") + "/.", path + "index.json", path + "index.html.gz", "/main/legacy/%2Bsimple" + path,
        )
    ]  # fmt: skip

    assert len(bodies) == (len(PRIVATE) + len(RESTRICTED)) * 4 * 21
    assert not [body for body in bodies if b"PRIVATE" in body or body[:2] == b"\x1f\x8b"]


# --- /t/<key>/ ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/t/pkh-alice/priv/noarch/repodata.json",
        "/t/pkh-alice/priv/simple/hush/",
        "/t/pkh-alice/priv/simple/veil/",
        "/t/pkh-alice/main/noarch/a-1-0.conda",
        "/t/pkh-alice/simple/secret/",
        "/t/unissued/main/noarch/repodata.json",
        "//t/pkh-alice/priv/noarch/repodata.json",
        "/%74/pkh-alice/priv/noarch/repodata.json",
    ],
)
def test_a_key_in_the_path_reads_like_one_in_a_header(site: Site, path: str) -> None:
    assert site.get(path).status == 200


def test_a_key_in_the_path_opens_no_more_than_its_rights(site: Site) -> None:
    assert site.get("/t/pkh-unissued/priv/noarch/repodata.json").status == 401
    assert site.get("/t/pkh-bob/priv/noarch/repodata.json").status == 404
    assert site.get("/t/pkh-alice/main/osx-64/repodata.json").status == 404


def test_a_write_below_a_key_brings_the_key_and_the_path_it_means(site: Site) -> None:
    seen = site.get("/t/pkh-alice/main/noarch/z-1-0.conda", method="PUT", body=b"q" * 10).json

    assert (seen["key"], seen["size"]) == ("pkh-alice", 10)
    assert seen["headers"]["x-packhouse-path"] == "/main/noarch/z-1-0.conda"  # type: ignore[index]


# --- listings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/main/",
        "/main/simple/",
        "/simple/",
        "/pypi/",
        "/priv/",
        "/priv/simple/",
        "/t/pkh-alice/main/simple/",
    ],
)
def test_a_listing_with_credentials_is_the_daemons(site: Site, path: str) -> None:
    answer = site.get(path, ALICE)

    assert answer.json["daemon"] is True
    assert answer.headers["Cache-Control"] is None, "the daemon's own headers, none of ours"


def test_a_session_cookie_is_a_credential(site: Site) -> None:
    assert site.get("/main/simple/", {"Cookie": "a=b; __Host-packhouse=zz"}).json["daemon"] is True
    assert site.get("/main/simple/", {"Cookie": "a=b"}).body.startswith(b"PUBROOT")


@pytest.mark.parametrize("status", [404, 405, 500, 501, 503])
def test_a_listing_that_the_daemon_cannot_give_is_the_public_one(site: Site, status: int) -> None:
    answer = site.get("/main/simple/", ALICE | {"X-Test-Early": str(status)})

    assert (answer.status, answer.body[:7], answer.headers["Cache-Control"]) == (200, b"PUBROOT", "no-cache")


def test_a_refusal_of_a_listing_is_passed_on(site: Site) -> None:
    assert site.get("/main/simple/", ALICE | {"X-Test-Early": "401"}).status == 401


def test_a_public_page_stays_a_file_whoever_asks(site: Site) -> None:
    """Also for a wrong key: public reading does not depend on the daemon."""
    assert (
        site.get("/main/simple/six/", ALICE).body
        == site.get("/main/simple/six/", NOBODY).body
        == site.get("/main/simple/six/").body
    )
