"""Public files on the wire: types, how long each may be kept, uploads that must not run here, and what is not there."""

from collections.abc import Iterator

import pytest
from nginx_site_support import (
    ALICE,
    BROWSER,
    JSON,
    OVERWRITTEN,
    PIP,
    PROBLEM,
    SHARD,
    YEAR,
    Site,
    by_origin,
    serving_site,
)
from nginx_support import BUILDS


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        yield running


# --- types and caching ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/main/", "text/html; charset=utf-8"),
        ("/main/conda/a/", "text/html; charset=utf-8"),
        ("/main/noarch/repodata.json", "application/json"),
        ("/main/noarch/repodata.json.zst", "application/octet-stream"),
        ("/main/noarch/repodata_shards.msgpack.zst", "application/octet-stream"),
        ("/main/noarch/run_exports.json.zst", "application/octet-stream"),
        ("/main/noarch/a-1-0.conda.sigs", "application/octet-stream"),
        ("/main/channeldata.json", "application/json"),
        ("/main/serial.json", "application/json"),
        ("/main/feed.json", "application/feed+json"),
        ("/main/atom.xml", "application/atom+xml"),
        ("/main/pypi/six/json", "application/json"),
        ("/main/pypi/six/1.0/json", "application/json"),
        ("/pypi/six/json", "application/json"),
        ("/main/products/lib/index.json", "application/json"),
        ("/main/simple/six/index.json", JSON),
        ("/main/packages/six/six-1.0-py3-none-any.whl.provenance", "application/json"),
    ],
)
@pytest.mark.parametrize("encoding", ["", "gzip, deflate, zstd"])
def test_an_index_is_asked_for_again_each_time_and_sent_as_it_lies_there(
    site: Site, path: str, kind: str, encoding: str
) -> None:
    """Without Cache-Control rattler would reuse an index for a tenth of its age; a `.zst` is a file of its own."""
    answer = site.get(path, {"Accept-Encoding": encoding})

    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Encoding"] is None
    assert answer.headers.get_all("Content-Type") == [kind]
    assert answer.headers["ETag"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/main/noarch/a-1-0.conda",
        "/main/noarch/a-1-0.tar.bz2",
        f"/main/noarch/a-1-0.conda.sigs.{'cd' * 32}",
        SHARD,
        "/main/packages/six/six-1.0-py3-none-any.whl",
        "/main/packages/six/six-1.0-py3-none-any.whl.metadata",
        "/packages/six/six-1.0-py3-none-any.whl",
        "/main/products/lib/1.0/evil.html",
        f"/nightly/noarch/shards/{'ab' * 32}.msgpack.zst",  # named by its content, whatever the channel allows
    ],
)
def test_what_never_changes_is_kept_for_a_year(site: Site, path: str) -> None:
    answer = site.get(path, {"Accept-Encoding": "gzip, deflate, zstd"})

    assert (answer.status, answer.headers["Cache-Control"]) == (200, f"public, {YEAR}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Encoding"] is None
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    "path", ["/nightly/noarch/n-1-0.conda", "/nightly/packages/n/n-1.0.tar.gz", "/nightly/products/n/1/n.bin"]
)
def test_a_channel_that_allows_overwriting_serves_nothing_as_immutable(site: Site, path: str) -> None:
    assert site.get(path).headers["Cache-Control"] == "no-cache"


def test_assets_are_kept_for_minutes(site: Site) -> None:
    answer = site.get("/static/site.css")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert answer.headers["Cache-Control"] == "public, max-age=600"


def test_ranges_and_revalidation(site: Site) -> None:
    """Conda resumes with `bytes=N-`; rattler reads the last 64 KiB; an unchanged index costs a 304."""
    tail = site.get("/main/noarch/a-1-0.conda", {"Range": "bytes=-5"})
    many = site.get("/main/simple/six/", {"Accept": PIP, "Range": "bytes=0-3,8-9"})
    page = site.get("/main/simple/six/", {"Accept": PIP})
    again = site.get("/main/simple/six/", {"Accept": PIP, "If-None-Match": page.headers["ETag"]})
    head = site.get("/main/noarch/a-1-0.conda", method="HEAD")

    assert (tail.status, tail.body, tail.headers["Content-Range"]) == (206, b"conda", "bytes 2495-2499/2500")
    assert many.headers.get_all("Content-Type") == [JSON]
    assert (again.status, again.headers["Vary"]) == (304, "Accept, Accept-Encoding")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "2500", b"")


# --- uploads do not run here ----------------------------------------------------------------------------------------


def test_a_product_is_never_run_in_the_name_of_the_site(site: Site) -> None:
    """An uploaded page is a download, and its folder is no page: its index.html would be one of ours."""
    answer = site.get("/main/products/lib/1.0/evil.html")

    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "script-src 'self'" in site.get("/main/").headers["Content-Security-Policy"]
    assert [site.get(path).status for path in ("/main/products/lib/1.0/", "/main/products/lib/1.0")] == [
        404,
        404,
    ]


@pytest.mark.parametrize("path", OVERWRITTEN, ids=lambda path: path.rsplit("/", 1)[1])
def test_an_overwritten_file_is_never_run_in_the_name_of_the_site(site: Site, path: str) -> None:
    """It may be a product of any kind; those who hold an older index still get its bytes, for the grace only."""
    answer = site.get(path)

    assert (answer.status, answer.headers["Content-Disposition"]) == (200, "attachment")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    ["", "/", "/generic", "/generic/lib/", f"/generic/lib/{'ef' * 32}", f"/generic/lib/{'ef' * 32}/"],
)
def test_a_folder_of_overwritten_files_is_no_page(site: Site, path: str) -> None:
    assert site.get(f"/main/replaced{path}").status == 404


# --- what is not there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/main/noarch/",
        "/main/noarch",
        "/main/nope/x",
        "/main/simple/nope/",
        "/private/",
        "/private/priv/noarch/repodata.json",
        "/restricted/main/simple/secret/",
        "/state/catalog.sqlite",
        "/main/.hidden",
        "/incoming/x",
        "/inbox/main/x",
        "/_authz",
        "/public/main/",
        "/main/osx-64/repodata_shards.msgpack.zst",
        "/main/noarch/notices.json",
        "/main/packages/",
        "/main/packages/six/",
        "/robots.txt",
        "/favicon.ico",
        "/t/",
        "/t",
        "/t/x",
        "/t/a_b/main/noarch/repodata.json",
        "/static/nope.css",
        "/static/",
        "/main/%2e%2e/main/.hidden",
    ],
)
@pytest.mark.parametrize("headers", [{}, ALICE], ids=["stranger", "member"])
def test_what_is_not_there_is_404_and_never_403_or_a_redirect(
    site: Site, path: str, headers: dict[str, str]
) -> None:
    answer = site.get(path, headers)

    assert (answer.status, answer.headers.get_all("Content-Type")) == (404, [PROBLEM])
    assert answer.json["code"] == "not-found"
    assert b"PRIVATE" not in answer.body


@pytest.mark.parametrize(
    "path",
    ["/main/%2e%2e/%2e%2e/state/catalog.sqlite", "/..%2fstate/catalog.sqlite", "/../state/catalog.sqlite"],
)
def test_dots_do_not_leave_the_tree(site: Site, path: str) -> None:
    assert site.get(path).status in (400, 404)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/main", "./main/"),
        ("/simple", "./simple/"),
        ("/main/conda/a", "./a/"),
        ("/t/pkh-alice/main", "./main/"),
    ],
)
def test_a_folder_without_its_slash_is_sent_on_by_a_relative_address(
    site: Site, path: str, target: str
) -> None:
    """Relative, so that it is right behind any prefix; only folders with a public page of their own."""
    answer = site.get(path)

    assert (answer.status, answer.headers.get_all("Location")) == (301, [target])
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_person_gets_a_page_and_a_program_gets_json(site: Site) -> None:
    page = site.get("/main/nope", {"Accept": BROWSER})

    assert (page.status, page.headers.get_all("Content-Type")) == (404, ["text/html; charset=utf-8"])
    assert b"A page that says so" in page.body
    assert site.get("/main/nope", {"Accept": PIP}).headers["Content-Type"] == PROBLEM
    assert (page.headers["Vary"], page.headers["Cache-Control"]) == ("Accept", "no-cache")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "M-SEARCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/main/noarch/x%0d%0aX-Packhouse-Key:%20pkh-alice",
        "/priv/%0ax",
        "/main/%7f",
        "/t/pkh-alice/x%0d%0aA:b",
    ],
)
def test_control_characters_in_a_path_end_here(site: Site, method: str, path: str) -> None:
    """Decoded, they would be headers of the request to the daemon."""
    before = len(site.daemon.asked)

    answer = site.get(path, ALICE, method=method)

    assert answer.status == 400
    assert len(site.daemon.asked) == before
