"""What the indexer writes for people, on the wire: types, compression, release pages of any name, search."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from backports import zstd
from nginx_site_support import ALICE, BOB, PROBLEM, Answer, Site, by_origin, put, serving_site
from nginx_support import BUILDS

HTML_TYPE = "text/html; charset=utf-8"
ATOM, SVG, XML, JSON = "application/atom+xml", "image/svg+xml", "application/xml", "application/json"
LONG = "A page that is long enough to be compressed. " * 400
NAMES = '["aa", "ab"]' * 500

RELEASES = (
    "1.0",
    "1.0.tar.bz2",
    "1!2.0+local.7",
    "1.0.conda",
    "json",
    "index.json",
    f"x.sigs.{'ab' * 32}",
)
"""Versions as strange as the rules of the formats allow, and stranger."""
MEMBERS = (
    "a-1-0.conda",
    "a-1-0.tar.bz2",
    "six-1.0-py3-none-any.whl",
    "evil.html",
    "json",
    "feed.atom",
    "badge.svg",
)

FILES = {
    "/robots.txt": "text/plain; charset=utf-8",
    "/channels.json": JSON,
    "/opensearch.xml": "application/opensearchdescription+xml",
    "/sitemap.xml": XML,
    "/main/sitemap.xml": XML,
    "/main/sitemap-2.xml": XML,
    "/main/feed.atom": ATOM,
    "/main/conda/a/feed.atom": ATOM,
    "/main/pypi/six/feed.atom": ATOM,
    "/main/pypi/six/latest.json": JSON,
    "/main/pypi/six/versions.json": JSON,
    "/main/pypi/six/badge.svg": SVG,
    "/main/generic/lib/badge.svg": SVG,
    "/main/badge.svg": SVG,
    "/main/search/names.json": JSON,
    "/main/search/w/ab.json": JSON,
    "/main/_static/packhouse.css": "text/css; charset=utf-8",
    "/main/_static/packhouse.js": "text/javascript; charset=utf-8",
    "/main/_static/packhouse.svg": SVG,
    "/main/browse/pypi/s/": HTML_TYPE,
    "/main/search/": HTML_TYPE,
}


def plant_files(data: Path) -> None:
    public = data / "public"
    for path in FILES:
        put(public, f"{path[1:]}index.html" if path.endswith("/") else path[1:], f"this is {path}")
    for ecosystem, package in (("conda", "a"), ("pypi", "six"), ("generic", "lib")):
        for version in RELEASES:
            folder = f"main/{ecosystem}/{package}/release/{version}"
            put(public, f"{folder}/index.html", f"release {version}")
            for member in MEMBERS:
                put(public, f"{folder}/files/{member}/index.html", f"file {member}")
    put(public, "main/pypi/long/index.html", LONG)
    put(public, "static/long.css", LONG)
    put(public, "main/conda/long/feed.atom", LONG)
    for channel in (public / "main", data / "private/priv"):
        for name in ("both", "onlygz", "plain"):
            put(channel, f"search/{name}.json", NAMES)
            if name != "plain":
                put(channel, f"search/{name}.json.gz", gzip.compress(NAMES.encode()))
        put(channel, "search/both.json.zst", zstd.compress(NAMES.encode()))
    put(data / "private/priv", "pypi/long/index.html", LONG)


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        plant_files(running.nginx.data)
        yield running


def plain(answer: Answer) -> bytes:
    """The body as it was before it was compressed."""
    return {"gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes}[
        answer.headers["Content-Encoding"]
    ](answer.body)


@pytest.mark.parametrize(("path", "kind"), FILES.items())
def test_each_has_its_type_and_is_asked_for_again_each_time(site: Site, path: str, kind: str) -> None:
    """A badge too: the proxies of forges keep an image for as long as it says."""
    answer = site.get(path)

    assert (answer.status, answer.body) == (200, f"this is {path}".encode())
    assert answer.headers.get_all("Content-Type") == [kind]
    asset = "/_static/" in path
    assert answer.headers["Cache-Control"] == ("public, max-age=600" if asset else "no-cache")
    assert answer.headers["Content-Disposition"] is None


@pytest.mark.parametrize(("ecosystem", "package"), [("conda", "a"), ("pypi", "six"), ("generic", "lib")])
@pytest.mark.parametrize("version", RELEASES)
def test_a_release_of_any_name_is_a_page(site: Site, ecosystem: str, package: str, version: str) -> None:
    """Whatever it looks like, it is no artifact: it has a page's type, changes, and is no download."""
    folder = f"/main/{ecosystem}/{package}/release/{version}/"
    for path in (folder, folder + "index.html", *(f"{folder}files/{member}/" for member in MEMBERS)):
        answer = site.get(path)
        assert (answer.status, answer.headers.get_all("Content-Type")) == (200, [HTML_TYPE]), path
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Disposition"] is None
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    for path in (folder, *(f"{folder}files/{member}/" for member in ("a-1-0.conda", "evil.html"))):
        moved = site.get(path.rstrip("/"))
        assert (moved.status, moved.headers["Location"]) == (301, f"./{path.split('/')[-2]}/"), path


# --- compression ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/main/pypi/long/", "/static/long.css", "/main/conda/long/feed.atom"])
def test_a_page_is_compressed_on_its_way(site: Site, path: str) -> None:
    """A package page may weigh 60 kB on the wire; nothing but the page itself lies on the disk."""
    packed = site.get(path, {"Accept-Encoding": "gzip, deflate, br, zstd"})
    whole = site.get(path)

    assert packed.headers.get_all("Content-Encoding") == ["gzip"]
    assert gzip.decompress(packed.body) == whole.body == LONG.encode()
    assert len(packed.body) * 10 < len(whole.body)
    for answer in (packed, whole):
        assert answer.headers.get_all("Vary") == ["Accept-Encoding"]
    assert packed.headers.get_all("Content-Type") == whole.headers.get_all("Content-Type")
    assert whole.headers["Content-Encoding"] is None


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "zstd, br", "deflate"])
def test_who_does_not_take_gzip_gets_the_page_as_it_lies_there(site: Site, accepted: str) -> None:
    answer = site.get("/main/pypi/long/", {"Accept-Encoding": accepted})

    assert (answer.headers["Content-Encoding"], answer.body) == (None, LONG.encode())


def test_through_a_proxy_a_page_is_compressed_too(site: Site) -> None:
    answer = site.get("/main/pypi/long/", {"Accept-Encoding": "gzip", "Via": "1.1 cache"})

    assert answer.headers["Content-Encoding"] == "gzip"


def test_a_compressed_page_that_did_not_change_is_not_sent_again(site: Site) -> None:
    """Its tag becomes a weak one, which is all that If-None-Match compares (RFC 9110 section 13.1.2)."""
    takes = {"Accept-Encoding": "gzip"}
    tag = site.get("/main/pypi/long/", takes).headers["ETag"]

    again = site.get("/main/pypi/long/", takes | {"If-None-Match": tag})

    assert tag.startswith("W/")
    assert (again.status, again.body, again.headers["Vary"]) == (304, b"", "Accept-Encoding")


@pytest.mark.parametrize(
    "path", ["/main/packages/six/six-1.0-py3-none-any.whl", "/main/noarch/a-1-0.tar.bz2", "/priv/pypi/long/"]
)
def test_nothing_else_is_compressed_on_its_way(site: Site, path: str) -> None:
    """Artifacts are checked by hash and read in ranges; what is private is sent as it lies there."""
    answer = site.get(path, ALICE | {"Accept-Encoding": "gzip"})

    assert (answer.status, answer.headers["Content-Encoding"]) == (200, None)
    assert not (answer.headers["ETag"] or "W/").startswith("W/")


@pytest.mark.parametrize(
    ("name", "accepted", "encoding"),
    [
        ("both", "gzip, deflate, zstd", "zstd"),
        ("both", "gzip, deflate, br", "gzip"),
        ("both", "gzip;q=0", None),
        ("both", "", None),
        ("onlygz", "gzip, zstd", "gzip"),
        ("onlygz", "zstd", None),
        ("plain", "gzip, zstd", None),
    ],
)
@pytest.mark.parametrize("channel", ["main", "priv"])
def test_what_search_reads_is_sent_in_the_variant_that_lies_beside_it(
    site: Site, channel: str, name: str, accepted: str, encoding: str | None
) -> None:
    """In a private channel too. Variants are optional, and by its own name each is a file like others."""
    answer = site.get(f"/{channel}/search/{name}.json", ALICE | {"Accept-Encoding": accepted})

    assert (answer.status, answer.headers["Content-Encoding"]) == (200, encoding)
    assert plain(answer) == NAMES.encode()
    assert answer.headers.get_all("Content-Type") == [JSON]
    public = channel == "main"
    assert answer.headers["Vary"] == ("Accept-Encoding" if public else "Accept-Encoding, Authorization")
    assert answer.headers["Cache-Control"] == ("no-cache" if public else "private, no-cache")


def test_a_variant_by_its_own_name_is_bytes(site: Site) -> None:
    answer = site.get("/main/search/both.json.gz", {"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] is None
    assert gzip.decompress(answer.body) == NAMES.encode()
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_what_search_reads_of_a_private_channel_is_for_its_readers(site: Site) -> None:
    for path in ("/priv/search/both.json", "/priv/search/both.json.gz", "/priv/search/"):
        assert site.get(path).status == 401
        assert site.get(path, BOB).apparent == site.get("/nochannel/search/both.json", BOB).apparent


# --- the daemon's search --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/search/?q=six", "/search", "/search/?q=", "/t/pkh-alice/search/?q=six"])
def test_search_without_scripts_is_the_daemons(site: Site, path: str) -> None:
    seen = site.get(path).json

    assert (seen["method"], seen["raw"]) == ("GET", path)


def test_what_people_search_for_is_not_logged(site: Site) -> None:
    site.get("/search/?q=somethingsecret")

    assert site.nginx.wait_logged(lambda line: line.path == "/search/").status == 200
    assert not [line for line in site.nginx.log() if "somethingsecret" in line.path]


def test_a_channel_cannot_be_called_search(site: Site) -> None:
    """Even where such a folder lies about, the daemon answers."""
    put(site.nginx.data, "public/search/index.html", "a channel")

    assert site.get("/search/").json["daemon"] is True


def test_a_page_that_is_not_there_is_not_compressed_either(site: Site) -> None:
    answer = site.get("/main/pypi/nope/", {"Accept-Encoding": "gzip"})

    assert (answer.status, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert answer.headers["Content-Encoding"] is None
