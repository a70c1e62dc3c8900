"""What a browser is told about each answer: pages load nothing from elsewhere, and uploads are never more than bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nginx_site_support import ALICE, BROWSER, SHARD, Site, by_origin, put, serving_site
from nginx_support import BUILDS

POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
}
"""Of a page: no inline script or style, no other host, no data: address, no frame around it."""
LOCKED = {"sandbox": [], "default-src": ["'none'"], "frame-ancestors": ["'none'"]}

PAGES = (
    "/",
    "/main/",
    "/main/index.html",
    "/main/pypi/six/",
    "/main/pypi/six/index.html",
    "/main/simple/",
    "/main/simple/six/",
    "/main/simple/six/index.html",
    "/static/site.css",
    "/static/404.html",
    "/main/_static/packhouse.js",
    "/favicon.svg",
)
DATA = (
    "/main/serial.json",
    "/main/channeldata.json",
    "/main/noarch/repodata.json",
    "/main/feed.atom",
    "/main/badge.svg",
    "/sitemap.xml",
    "/robots.txt",
    "/main/search/names.json",
)
ACTIVE = (
    "evil.html",
    "evil.xhtml",
    "evil.svg",
    "evil.xml",
    "evil.js",
    "evil.css",
    "evil.htm",
    "evil.pdf",
    "index.html",
    "feed.atom",
    "sitemap.xml",
    "badge.svg",
    "evil",
)
"""Names of files that a browser would run or draw by their type, or that the indexer gives to its own."""
SHELF = "/main/packages/six/"
UPLOADS = (
    *(f"{SHELF}{name}" for name in ACTIVE),
    *(f"/main/products/lib/1.0/{name}" for name in ACTIVE),
    *(f"/main/replaced/generic/lib/{'ef' * 32}/{name}" for name in ACTIVE),
    "/main/packages/six/six-1.0-py3-none-any.whl",
    "/main/packages/six/six-1.0-py3-none-any.whl.metadata",
    "/main/noarch/a-1-0.conda",
    "/main/noarch/a-1-0.tar.bz2",
    SHARD,
)
STRAY = tuple(
    f"/main/{folder}{name}"
    for folder in ("", "noarch/", "pypi/six/", "simple/six/", "conda/a/release/1.0/")
    for name in ACTIVE
    if name.startswith("evil")
)
"""Where only an operator's mistake could put them."""


def plant_files(data: Path) -> None:
    public = data / "public"
    put(public, "main/_static/packhouse.js", "1")
    put(public, "favicon.svg", "<svg/>")
    for path in DATA:
        put(public, path[1:], "{}")
    for path in (*UPLOADS, *STRAY):
        put(public, path[1:], "<script>alert(1)</script>")
        if path.startswith(SHELF):
            put(data / "private/priv", path.removeprefix("/main/"), "<script>alert(1)</script>")


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        plant_files(running.nginx.data)
        yield running


def policy(site: Site, path: str, headers: dict[str, str] | None = None) -> dict[str, list[str]]:
    (text,) = site.get(path, headers).headers.get_all("Content-Security-Policy", [])
    return {words[0]: words[1:] for words in map(str.split, text.split(";"))}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_is_framed_by_nobody(site: Site, path: str) -> None:
    answer = site.get(path)

    assert answer.status == 200
    assert policy(site, path) == POLICY
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.get_all("Referrer-Policy") == ["same-origin"]
    assert answer.headers.get_all("Cross-Origin-Opener-Policy") == ["same-origin"]
    assert answer.headers.get_all("Cross-Origin-Resource-Policy") == ["same-origin"]
    (powers,) = answer.headers.get_all("Permissions-Policy", [])
    assert {"camera=()", "geolocation=()", "microphone=()", "payment=()"} <= set(powers.split(", "))
    assert "clipboard" not in powers, "commands are copied"
    assert answer.headers["Content-Disposition"] is None


@pytest.mark.parametrize("path", PAGES[:3])
def test_a_page_that_did_not_change_keeps_its_headers(site: Site, path: str) -> None:
    """A browser takes those of the 304 for the copy that it has (RFC 9111 section 4.3.4)."""
    first = site.get(path)
    again = site.get(path, {"If-None-Match": first.headers["ETag"]})

    assert again.status == 304
    for name in ("Content-Security-Policy", "Permissions-Policy", "X-Content-Type-Options", "Vary"):
        assert again.headers.get_all(name) == first.headers.get_all(name), name


@pytest.mark.parametrize("path", DATA)
def test_data_opened_in_a_browser_is_shut_in(site: Site, path: str) -> None:
    """A feed and a badge are XML, which may hold scripts."""
    assert policy(site, path) == LOCKED
    assert site.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_a_badge_is_for_everybodys_readme(site: Site) -> None:
    """Other data is neither offered to pages elsewhere nor kept from programs in them."""
    embedded = {path: site.get(path).headers["Cross-Origin-Resource-Policy"] for path in DATA}

    assert {path for path, rule in embedded.items() if rule} == {"/main/badge.svg"}
    assert embedded["/main/badge.svg"] == "cross-origin"


@pytest.mark.parametrize("path", UPLOADS)
def test_an_upload_is_a_download_whatever_it_is_called(site: Site, path: str) -> None:
    """Not run, not drawn, not guessed at: neither as one of our pages nor in this site's name."""
    answer = site.get(path, {"Accept": BROWSER})

    assert (answer.status, answer.headers.get_all("Content-Type")) == (200, ["application/octet-stream"])
    assert answer.headers.get_all("Content-Disposition") == ["attachment"]
    assert policy(site, path) == LOCKED
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", STRAY)
def test_what_the_indexer_did_not_write_is_bytes(site: Site, path: str) -> None:
    answer = site.get(path, {"Accept": BROWSER})

    assert (answer.status, answer.headers.get_all("Content-Type")) == (200, ["application/octet-stream"])
    assert policy(site, path) == LOCKED
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_private_has_the_same_headers_and_is_embedded_nowhere_else(site: Site) -> None:
    page = site.get("/priv/simple/hush/", ALICE)
    assert page.body.startswith(b"PRIVATE")
    assert policy(site, "/priv/simple/hush/", ALICE) == POLICY
    for path in (
        "/priv/packages/six/evil.html",
        "/priv/noarch/p-1-0.conda",
        "/priv/products/tool/1.0/tool.bin",
    ):
        answer = site.get(path, ALICE)
        assert (answer.status, answer.headers["Content-Disposition"]) == (200, "attachment")
        assert policy(site, path, ALICE) == LOCKED
    for path in ("/priv/simple/hush/", "/priv/noarch/repodata.json", "/priv/packages/six/evil.html"):
        assert site.get(path, ALICE).headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_answer_of_the_daemon_keeps_its_own(site: Site) -> None:
    answer = site.get("/account/")

    assert answer.json["daemon"] is True
    for name in ("Content-Security-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy", "Vary"):
        assert answer.headers[name] is None, name
