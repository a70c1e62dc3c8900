"""The pages of simple/ on the wire: which form a client gets, in which compression, and by which addresses."""

import gzip
from collections.abc import Iterator

import pytest
from backports import zstd
from nginx_site_support import BROWSER, HTML, JSON, PIP, UV, Site, by_origin, serving_site
from nginx_support import BUILDS


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("data"), request.param) as running:
        yield running


# --- form and compression -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PIP, "json"),
        (UV, "json"),
        (f"{JSON}, */*;q=0.1", "json"),  # poetry
        ("*/*", "html"),  # curl, hatch
        (None, "html"),
        (BROWSER, "html"),
        (f"text/html, {JSON};q=0.5", "html"),
        (f"text/html;q=0.2, {JSON};q=0.3", "json"),
        (f"text/html;q=0.5, {JSON};q=0.5", "json"),  # a tie
        (f"text/html, {JSON}", "json"),
        (f"{JSON};q=0", "html"),
        (f"{JSON};q=0.0, text/html;q=0.001", "html"),
        (f"{JSON};q=0.05", "json"),
        (f"text/html;q=0.9, {JSON};q=0.95", "json"),
        (f"text/html;q=0.9, {JSON};q=0.1", "html"),
        (f"text/html;q=1.0, {JSON};q=0.999", "html"),
        (f"text/html;charset=utf-8;q=0.3, {JSON} ; q=0.4", "json"),
        ("application/vnd.pypi.simple.latest+json", "json"),
        (JSON.upper(), "json"),
        ("application/vnd.pypi.simple.v2+json", "html"),  # PEP 691 allows an answer in a default form
        (f"{JSON}x", "html"),
    ],
)
def test_accept_chooses_the_form_of_a_simple_page(site: Site, accept: str | None, form: str) -> None:
    """PEP 691: server-driven negotiation with quality values; each form has its own media type."""
    answer = site.get("/main/simple/six/", {"Accept": accept} if accept is not None else {})

    assert answer.status == 200
    assert answer.body.startswith(f"PUB {form}".encode())
    assert answer.headers.get_all("Content-Type") == [JSON if form == "json" else "text/html; charset=utf-8"]
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_client_that_names_only_the_versioned_html_gets_it_named_so(site: Site) -> None:
    assert site.get("/main/simple/six/", {"Accept": HTML}).headers["Content-Type"] == HTML


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("format=application/vnd.pypi.simple.v1%2Bjson", "json"),
        ("format=application%2Fvnd.pypi.simple.latest+json", "json"),
        ("format=text/html", "html"),
        ("format=application/vnd.pypi.simple.v1%2Bhtml", "html"),
        ("format=application/vnd.pypi.simple.v9%2Bjson", "json"),
    ],
)
def test_the_format_argument_wins_over_accept(site: Site, query: str, form: str) -> None:
    """PEP 691: "URL parameter"; one that names nothing known leaves the choice to Accept."""
    accept = JSON if "v9" in query else ("text/html" if form == "json" else JSON)

    assert site.get(f"/main/simple/six/?{query}", {"Accept": accept}).body.startswith(f"PUB {form}".encode())


@pytest.mark.parametrize(
    ("project", "accepted", "encoding"),
    [
        ("six", "gzip, deflate", "gzip"),
        ("six", "gzip, deflate, zstd", "zstd"),
        ("six", "zstd;q=0, gzip", "gzip"),
        ("six", "gzip;q=0", None),
        ("six", "identity", None),
        ("six", "", None),
        ("onlygz", "gzip, zstd", "gzip"),
        ("onlygz", "zstd", None),
        ("plain", "gzip, zstd", None),
    ],
)
@pytest.mark.parametrize("accept", [PIP, "text/html"])
def test_a_precompressed_variant_is_sent_to_whoever_takes_it(
    site: Site, project: str, accepted: str, encoding: str | None, accept: str
) -> None:
    """Variants are optional on disk; the type stays the page's own, not that of `.gz`."""
    answer = site.get(f"/main/simple/{project}/", {"Accept": accept, "Accept-Encoding": accepted})
    plain = {"gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes}[encoding](answer.body)

    assert answer.headers["Content-Encoding"] == encoding
    assert plain.startswith(b"PUB json" if accept == PIP else b"PUB html")
    assert answer.headers.get_all("Content-Type") == [JSON if accept == PIP else "text/html; charset=utf-8"]


def test_each_variant_has_its_own_tag(site: Site) -> None:
    """A client that takes zstd now must not be told that its gzip copy is unchanged."""
    tags = {
        site.get("/main/simple/six/", {"Accept-Encoding": coding}).headers["ETag"]
        for coding in ("", "gzip", "zstd")
    }

    assert len(tags) == 3


# --- aliases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/simple/six/",
        "/pypi/six/",
        "/main/legacy/%2Bsimple/six/",
        "/main/simple/%2Bsimple/six/",
        "/simple/%2Bsimple/six/",
        "/legacy/%2Bsimple/six/",
        "/pypi/%2Bsimple/six/",
    ],
)
def test_the_default_channel_and_hatch_find_the_same_page(site: Site, path: str) -> None:
    assert site.get(path).body == site.get("/main/simple/six/").body


def test_the_root_list_has_aliases_too(site: Site) -> None:
    assert site.get("/simple/").body == site.get("/pypi/").body == site.get("/main/simple/").body
