"""What a person sees who asks for what is not there, not for them or not possible now; programs get problem+json."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from nginx_site_support import (
    ALICE,
    BOB,
    BROWSER,
    HASTY,
    NOBODY,
    PIP,
    PROBLEM,
    Answer,
    Site,
    by_origin,
    fetch,
    put,
    serving_site,
    without_daemon,
)
from nginx_support import BUILDS, RunningNginx

from packhouse.assets import site_files

PERSON = {"Accept": BROWSER}
VISITOR = PERSON | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
"""A browser that says it is one; over plain http browsers do not."""
ENDED = {"Cookie": "__Host-packhouse=ended"}
CHALLENGES = ['Basic realm="packhouse"', 'Bearer realm="packhouse"']
HEADERS = {
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), midi=(), payment=(), "
    "serial=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def publish_pages(data: Path) -> None:
    """Put the pages where the indexer publishes them."""
    for path, body in site_files().items():
        put(data / "public/static", path, body)


def plant_unreadable(data: Path) -> None:
    """Something that is there and cannot be opened, whoever asks: opening a socket fails (ENXIO)."""
    folder = data / "public/main/conda/broken"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        # a socket's address holds 107 bytes, and pytest's folders are deep
        left.bind(os.path.relpath(folder / "index.html"))


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        publish_pages(running.nginx.data)
        plant_unreadable(running.nginx.data)
        yield running


@pytest.fixture(params=BUILDS, ids=by_origin)
def orphan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningNginx]:
    with without_daemon(tmp_path, request.param) as nginx:
        publish_pages(nginx.data)
        yield nginx


def assert_page(answer: Answer, status: int, name: int | None = None) -> None:
    """One of our pages with this status, every header that a page has, and nothing of the request in it."""
    assert (answer.status, answer.headers.get_all("Content-Type")) == (status, ["text/html; charset=utf-8"])
    assert answer.body == site_files()[f"{name or status}.html"]
    for header, value in HEADERS.items():
        assert answer.headers.get_all(header) == [value], header
    (policy,) = answer.headers.get_all("Content-Security-Policy", [])
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/main/nope", {}, 404, "not-found"),
        ("/nope.txt", {}, 404, "not-found"),
        ("/_page/404", {}, 404, "not-found"),
        ("/_page/503", {}, 404, "not-found"),
        ("/priv/noarch/repodata.json", BOB, 404, "not-found"),
        ("/main/%0a", {}, 400, "bad-name"),
        ("/priv/noarch/repodata.json", HASTY, 429, "rate-limited"),
        ("/main/conda/broken/", {}, 500, "internal"),
    ],
)
def test_a_person_gets_a_page_and_a_program_problem_json(
    site: Site, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    assert_page(site.get(path, PERSON | headers), status)
    assert_page(site.get(path, VISITOR | headers), status)
    for accept in (PIP, "*/*", "application/json, text/html"):
        program = site.get(path, {"Accept": accept} | headers)
        assert (program.status, program.headers.get_all("Content-Type")) == (status, [PROBLEM])
        assert (program.json["status"], program.json["code"]) == (status, code)


def test_a_page_answers_head_too_and_is_never_cut_or_unchanged(site: Site) -> None:
    page = site.get("/main/nope", PERSON)

    head = site.get("/main/nope", PERSON, method="HEAD")
    part = site.get("/main/nope", PERSON | {"Range": "bytes=0-3", "If-None-Match": page.headers["ETag"]})

    assert (head.status, head.body, head.headers["Content-Length"]) == (404, b"", str(len(page.body)))
    assert_page(part, 404)


def test_too_many_tries_say_when_to_come_back(site: Site) -> None:
    page = site.get("/priv/simple/hush/", PERSON | HASTY)

    assert page.headers.get_all("Retry-After") == ["299"]
    assert page.headers["WWW-Authenticate"] is None
    assert site.get("/main/nope", PERSON | HASTY).headers["Retry-After"] is None


# --- sign in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/priv/", "/priv/simple/hush/", "/priv/noarch/p-1-0.conda", "/nochannel/"])
@pytest.mark.parametrize("credentials", [{}, ENDED], ids=["stranger", "ended session"])
def test_a_browser_is_shown_where_to_sign_in_and_no_window_of_its_own(
    site: Site, path: str, credentials: dict[str, str]
) -> None:
    """RFC 9110 section 11.6.1: a 401 names a scheme, and a browser asks for the password of that scheme by itself."""
    page = site.get(path, VISITOR | credentials | {"X-Test-Early": "401"})

    assert_page(page, 403)
    assert b'href="/account/sign-in"' in page.body
    assert "Sec-Fetch-Mode" in page.headers["Vary"]


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, PROBLEM),
        ({"Accept": PIP}, PROBLEM),
        ({"Accept": "*/*", "Sec-Fetch-Mode": "navigate"}, PROBLEM),
        (
            {"Accept": "text/html"},
            "text/html; charset=utf-8",
        ),  # pip before 22.2, and browsers over plain http
        (PERSON | {"Sec-Fetch-Mode": "cors"}, "text/html; charset=utf-8"),
        (PERSON | {"Sec-Fetch-Mode": "navigated"}, "text/html; charset=utf-8"),
        (
            VISITOR | NOBODY,
            "text/html; charset=utf-8",
        ),  # a wrong password is asked for again where it was typed
    ],
)
@pytest.mark.parametrize("path", ["/priv/simple/hush/", "/nochannel/simple/hush/"])
def test_whoever_may_be_a_program_gets_the_401_that_it_waits_for(
    site: Site, path: str, headers: dict[str, str], kind: str
) -> None:
    """Pip's keyring and conda wait for it, whatever they say that they accept."""
    answer = site.get(path, headers)

    assert (answer.status, answer.headers["Content-Type"]) == (401, kind)
    assert answer.headers.get_all("WWW-Authenticate") == CHALLENGES
    if kind != PROBLEM:
        assert_page(answer, 401, 403)


@pytest.mark.parametrize("accept", [PERSON, VISITOR], ids=["person", "visitor"])
@pytest.mark.parametrize("who", [{}, ENDED, ALICE, BOB, NOBODY, HASTY], ids=repr)
@pytest.mark.parametrize("rest", ["simple/hushed/", "noarch/nope.conda", "nothing/here/"])
def test_a_page_does_not_tell_a_private_channel_from_none(
    site: Site, accept: dict[str, str], who: dict[str, str], rest: str
) -> None:
    """Nor what is in it from what is not, to those who may not read it."""
    headers = accept | who

    assert site.get(f"/priv/{rest}", headers).apparent == site.get(f"/nochannel/{rest}", headers).apparent
    if who is not ALICE:
        there = rest.replace("hushed", "hush").replace("nope", "p-1-0")
        assert site.get(f"/priv/{there}", headers).apparent == site.get(f"/priv/{rest}", headers).apparent


@pytest.mark.parametrize("who", [{}, ENDED, BOB, NOBODY, HASTY], ids=repr)
def test_a_page_does_not_tell_a_restricted_package_from_none(site: Site, who: dict[str, str]) -> None:
    for headers in (PERSON | who, VISITOR | who):
        there = site.get("/main/simple/secret/", headers)
        assert there.apparent == site.get("/main/simple/nosuch/", headers).apparent
        assert_page(there, 404)


def test_a_list_that_the_daemon_refuses_to_a_browser_is_a_page(site: Site) -> None:
    """With a session that has ended; a program hears what the daemon says."""
    slow = site.get("/main/", VISITOR | ENDED | {"X-Test-Early": "429"})

    assert_page(slow, 429)
    assert slow.headers["Retry-After"] == "298"
    assert site.get("/main/", ENDED | {"X-Test-Early": "429"}).json == {"early": 429}
    assert site.get("/main/", VISITOR | ENDED).json["daemon"] is True
    assert_page(site.get("/priv/", VISITOR | BOB | {"X-Test-Early": "404"}), 404)


# --- away -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/account/"), ("GET", "/search/?q=six"), ("GET", "/search"), ("POST", "/account/sign-in"), ("PUT", "/main/x")],
)  # fmt: skip
def test_while_the_daemon_is_away_a_person_is_told_what_still_works(
    orphan: RunningNginx, method: str, path: str
) -> None:
    """A form that was posted is answered so, too: nginx would serve no file to a POST."""
    body = b"user=alice" * 1000 if method != "GET" else None
    page = fetch(orphan.port, path, method=method, headers=VISITOR, body=body)
    program = fetch(orphan.port, path, method=method, body=body)

    assert_page(page, 503)
    assert page.headers.get_all("Retry-After") == ["5"]
    assert (program.status, program.headers["Content-Type"], program.json["code"]) == (
        503,
        PROBLEM,
        "unavailable",
    )
    line = orphan.wait_logged(lambda line: line.status == 503)
    assert (line.method, line.path, line.daemon) == (method, path.partition("?")[0], "502")


def test_a_private_page_is_a_503_while_nobody_can_say_who_may_read_it(orphan: RunningNginx) -> None:
    for path in ("/priv/", "/priv/simple/hush/", "/nochannel/x/"):
        assert_page(fetch(orphan.port, path, headers=VISITOR | ENDED), 503)
        assert_page(fetch(orphan.port, path, headers=VISITOR), 403)


def test_before_the_first_page_is_published_a_person_gets_a_line(orphan: RunningNginx) -> None:
    for status in (400, 403, 404, 503):
        (orphan.data / f"public/static/{status}.html").unlink()

    for path, status in (("/main/nope", 404), ("/priv/", 403), ("/account/", 503), ("/main/%0a", 400)):
        page = fetch(orphan.port, path, headers=VISITOR)
        assert (page.status, page.headers.get_all("Content-Type")) == (status, ["text/html; charset=utf-8"])
        assert re.fullmatch(rb"<!doctype html><html lang=\"en\"><title>(.+)</title><h1>\1</h1>\n", page.body)
