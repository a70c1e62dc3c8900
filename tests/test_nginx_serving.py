"""What a client meets on the wire: the shipped nginx.conf, on every nginx build found, beside a daemon that records."""

import asyncio
import base64
import gzip
import http.client
import itertools
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

import pytest
from aiohttp import web
from backports import zstd
from nginx_support import BUILDS, CONF_SOURCE, RunningNginx, running_nginx, wait_for

from packhouse import webserver

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"
UV = f"{JSON}, {HTML};q=0.2, text/html;q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
PROBLEM = "application/problem+json"
SHARD = f"/main/noarch/shards/{'ab' * 32}.msgpack.zst"
ALICE = {"Authorization": "Bearer pkh-alice"}
BOB = {"Authorization": "Bearer pkh-bob"}
NOBODY = {"Authorization": "Bearer pkh-unissued"}

YEAR = "max-age=31536000, immutable"

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
READ_RIGHTS = {
    "pkh-alice": {
        ("private", "priv", ""),
        ("restricted", "main", "secret"),
        ("restricted", "main", "vault"),
        ("restricted", "priv", "veil"),
    },
    "pkh-bob": set(),
}


# --- the world ----------------------------------------------------------------------------------------------------


def plant(data: Path) -> None:
    """Lay out one public channel, one that allows overwriting, a private one, and restricted packages of two."""

    def put(path: str, body: bytes | str) -> None:
        target = data / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body if isinstance(body, bytes) else body.encode())

    def simple(base: str, note: str, *, variants: tuple[str, ...] = ("gz", "zst")) -> None:
        for kind in ("html", "json"):
            body = f"{note} {kind} ".encode() * 30
            put(f"{base}index.{kind}", body)
            if "gz" in variants:
                put(f"{base}index.{kind}.gz", gzip.compress(body))
            if "zst" in variants:
                put(f"{base}index.{kind}.zst", zstd.compress(body))

    for folder in ("public", "private", "restricted", "state"):
        (data / folder).mkdir(parents=True)
    put("public/index.html", "home")
    put("public/static/site.css", "body{}")
    put("public/static/404.html", "<!doctype html><title>A page that says so</title>")
    put("public/main/index.html", "channel main")
    simple("public/main/simple/", "PUBROOT")
    simple("public/main/simple/six/", "PUB")
    simple("public/main/simple/plain/", "PUB", variants=())
    simple("public/main/simple/onlygz/", "PUB", variants=("gz",))
    put("public/main/packages/six/six-1.0-py3-none-any.whl", b"wheelbytes" * 1000)
    put("public/main/packages/six/six-1.0-py3-none-any.whl.metadata", "Name: six")
    put("public/main/packages/six/six-1.0-py3-none-any.whl.provenance", "{}")
    for name in ("repodata.json", "run_exports.json"):
        put(f"public/main/noarch/{name}", "{}")
        put(f"public/main/noarch/{name}.zst", zstd.compress(b"{}"))
    put("public/main/noarch/repodata_shards.msgpack.zst", b"shard index")
    put("public/main/noarch/a-1-0.conda", b"conda" * 500)
    put("public/main/noarch/a-1-0.tar.bz2", b"bz2" * 500)
    put("public/main/noarch/a-1-0.conda.sigs", "[]")
    put(f"public/main/noarch/a-1-0.conda.sigs.{'cd' * 32}", "[]")
    put(f"public{SHARD}", b"shard")
    put("public/main/channeldata.json", "{}")
    put("public/main/serial.json", "{}")
    put("public/main/feed.json", "{}")
    put("public/main/atom.xml", "<feed/>")
    put("public/main/pypi/six/json", "{}")
    put("public/main/pypi/six/1.0/json", "{}")
    put("public/main/pypi/six/index.html", "page six")
    put("public/main/conda/a/index.html", "page a")
    put("public/main/products/lib/1.0/evil.html", "<script>")
    put("public/main/products/lib/1.0/index.html", "<script>uploaded")
    put("public/main/products/lib/index.json", "{}")
    put(f"public/main/replaced/{'ef' * 32}/evil.html", "<script>")
    put(f"public/main/replaced/{'ef' * 32}/evil.js", "alert(1)")
    put(f"public/main/replaced/{'ef' * 32}/index.html", "<script>uploaded")
    put(f"public/main/replaced/{'ef' * 32}/a-1-0.conda", b"old conda")
    put("public/main/.hidden", "no")
    put("public/nightly/noarch/n-1-0.conda", b"n")
    put("public/nightly/packages/n/n-1.0.tar.gz", b"n")
    put("public/nightly/products/n/1/n.bin", b"n")
    put(f"public/nightly/noarch/shards/{'ab' * 32}.msgpack.zst", b"n")

    put("private/priv/index.html", "PRIVATE")
    put("private/priv/noarch/repodata.json", "PRIVATE")
    put("private/priv/noarch/repodata.json.zst", b"PRIVATE")
    put("private/priv/noarch/p-1-0.conda", b"PRIVATE")
    simple("private/priv/simple/", "PRIVATE", variants=())
    simple("private/priv/simple/hush/", "PRIVATE")
    put("private/priv/packages/hush/hush-1.0-py3-none-any.whl", b"PRIVATE")
    put("private/priv/packages/hush/hush-1.0-py3-none-any.whl.metadata", b"PRIVATE")
    put("private/priv/products/tool/1.0/tool.bin", b"PRIVATE")
    simple("restricted/main/simple/secret/", "PRIVATE")
    put("restricted/main/packages/secret/secret-1.0.tar.gz", b"PRIVATE")
    put("restricted/main/products/vault/1.0/vault.bin", b"PRIVATE")
    put("restricted/main/products/vault/index.json", b"PRIVATE")
    simple("restricted/priv/simple/veil/", "PRIVATE")
    put("restricted/priv/packages/veil/veil-1.0.tar.gz", b"PRIVATE")
    put("state/catalog.sqlite", "PRIVATE")
    put("incoming/x", "PRIVATE")
    put("inbox/main/x", "PRIVATE")


@dataclass
class FakeDaemon:
    """Answers `/_authz` by `READ_RIGHTS`, a listing and everything else with what it was sent."""

    socket_path: str
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    first_chunk: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["FakeDaemon"]:
        loop, ready = asyncio.new_event_loop(), threading.Event()
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/_authz", self._authz)
        app.router.add_route("*", "/{path:.*}", self._other)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

        async def start() -> None:
            await runner.setup()
            await web.UnixSite(runner, self.socket_path).start()
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(loop)
            loop.create_task(start())
            loop.run_forever()
            loop.run_until_complete(runner.cleanup())
            loop.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            assert not thread.is_alive()

    @staticmethod
    def _key(request: web.Request) -> str | None:
        if path_key := request.headers.get("X-Packhouse-Key"):
            return path_key
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() in ("bearer", "token"):
            return rest
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(rest).decode().partition(":")
            return password or user
        return request.headers.get("X-Api-Key") or request.headers.get("X-Api-Token")

    async def _authz(self, request: web.Request) -> web.Response:
        root, path, key = (
            request.headers["X-Packhouse-Root"],
            request.headers["X-Packhouse-Path"],
            self._key(request),
        )
        self.asked.append((root, path, key))
        segments = path.strip("/").split("/")
        rights = READ_RIGHTS.get(key or "")
        if rights is None:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="the daemon\'s own"'})
        package = segments[2] if root == "restricted" else ""
        return web.Response(status=204 if (root, segments[0], package) in rights else 403)

    async def _other(self, request: web.Request) -> web.Response:
        if early := request.headers.get("X-Test-Early"):
            return web.json_response({"early": int(early)}, status=int(early), reason="File already exists")
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
            self.first_chunk.set()
        return web.json_response(
            {
                "daemon": True,
                "method": request.method,
                "raw": request.raw_path,
                "size": size,
                "key": self._key(request),
                "headers": {name.lower(): value for name, value in request.headers.items()},
            }
        )


@dataclass
class Site:
    nginx: RunningNginx
    daemon: FakeDaemon

    def get(self, path: str, headers: dict[str, str] | None = None, **more: object) -> "Answer":
        return fetch(self.nginx.port, path, headers=headers, **more)  # type: ignore[arg-type]


@dataclass
class Answer:
    status: int
    reason: str
    headers: Message
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)

    @property
    def apparent(self) -> tuple[object, ...]:
        """Everything a stranger could compare, except the clock."""
        return self.status, self.body, sorted((k, v) for k, v in self.headers.items() if k != "Date")


def fetch(
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.reason, response.headers, response.read())
    finally:
        connection.close()


def talk(port: int, request: bytes) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(request)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def assert_no_key_logged(data: Path) -> None:
    for path in (data / webserver.RUNTIME).iterdir():
        if path.is_file():
            assert "pkh-" not in path.read_text(errors="replace"), path.name


def by_origin(build: webserver.NginxBinary) -> str:
    return build.origin


@pytest.fixture(scope="module", params=BUILDS, ids=by_origin)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One nginx and one daemon for all reading tests; when it ends, no log holds a key of any request it saw."""
    data = tmp_path_factory.mktemp("data")
    plant(data)
    # A socket's address holds 107 bytes, and pytest's folders are deep: nginx sees it under its working directory.
    with (
        FakeDaemon(_short(data)).running() as daemon,
        running_nginx(data, binary=request.param, overwrite_channels=["nightly"]) as nginx,
    ):
        yield Site(nginx, daemon)
        assert len(nginx.log()) > 0
        assert_no_key_logged(data)


@pytest.fixture(params=BUILDS, ids=by_origin)
def orphan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningNginx]:
    """An nginx whose daemon is not there; tests may put a dead socket in its place."""
    plant(tmp_path)
    with running_nginx(tmp_path, binary=request.param) as nginx:
        yield nginx


def _short(data: Path) -> str:
    return os.path.relpath(data / "state" / "uploadd.sock")


# --- public files -------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("name", ["evil.html", "evil.js", "index.html", "a-1-0.conda"])
def test_an_overwritten_file_is_never_run_in_the_name_of_the_site(site: Site, name: str) -> None:
    """It may be a product of any kind; those who hold an older index still get its bytes, for the grace only."""
    answer = site.get(f"/main/replaced/{'ef' * 32}/{name}")

    assert (answer.status, answer.headers["Content-Disposition"]) == (200, "attachment")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["", "/", f"/{'ef' * 32}", f"/{'ef' * 32}/"])
def test_a_folder_of_overwritten_files_is_no_page(site: Site, path: str) -> None:
    assert site.get(f"/main/replaced{path}").status == 404


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


def test_each_variant_has_its_own_tag(site: Site) -> None:
    """A client that takes zstd now must not be told that its gzip copy is unchanged."""
    tags = {
        site.get("/main/simple/six/", {"Accept-Encoding": coding}).headers["ETag"]
        for coding in ("", "gzip", "zstd")
    }

    assert len(tags) == 3


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


# --- writes -------------------------------------------------------------------------------------------------------


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


# --- the daemon is gone -------------------------------------------------------------------------------------------


@pytest.fixture(params=["no socket", "dead socket"])
def dead(request: pytest.FixtureRequest, orphan: RunningNginx) -> RunningNginx:
    """Nothing at the socket's path, or the file that a killed daemon leaves behind."""
    if request.param == "dead socket":
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(_short(orphan.data))
    return orphan


def test_public_reading_does_not_notice_that_the_daemon_is_gone(dead: RunningNginx) -> None:
    """A key in the request changes nothing, or conda would stop at an absent subdir."""
    for headers, prefix in (({}, ""), (ALICE, ""), ({}, "/t/pkh-alice")):
        for path, status in (
            ("/main/noarch/repodata.json", 200),
            ("/simple/six/", 200),
            ("/main/noarch/a-1-0.conda", 200),
            ("/main/osx-64/repodata_shards.msgpack.zst", 404),
            ("/main/noarch/repodata.json.bz2", 404),
            ("/main/notices.json", 404),
            ("/main/simple/nope/", 404),
            ("/main/simple/", 200),
            ("/", 200),
        ):
            assert fetch(dead.port, prefix + path, headers=headers).status == status, (prefix + path, headers)


def test_strangers_do_not_notice_either(dead: RunningNginx) -> None:
    assert fetch(dead.port, "/priv/noarch/repodata.json").status == 401
    assert fetch(dead.port, "/nochannel/noarch/repodata.json").status == 401
    assert fetch(dead.port, "/main/simple/secret/").status == 404


def test_what_only_the_daemon_can_answer_is_503(dead: RunningNginx) -> None:
    for path, headers, method in (
        ("/priv/noarch/repodata.json", ALICE, "GET"),
        ("/t/pkh-alice/priv/noarch/repodata.json", {}, "GET"),
        ("/priv/simple/", ALICE, "GET"),
        ("/priv/simple/veil/", ALICE, "GET"),
        ("/nochannel/x", ALICE, "GET"),
        ("/main/simple/secret/", ALICE, "GET"),
        ("/main/noarch/x.conda", ALICE, "PUT"),
        ("/t/pkh-alice/main/noarch/x.conda", {}, "PUT"),
        ("/main/legacy/?token=pkh-SECRET", {}, "POST"),
        ("/health", {}, "GET"),
        ("/fetch/pkh-SECRET", {}, "GET"),
    ):
        answer = fetch(
            dead.port, path, headers=headers, method=method, body=b"x" if method != "GET" else None
        )
        assert (answer.status, answer.headers.get_all("Content-Type")) == (503, [PROBLEM]), path
        assert answer.headers["Retry-After"] == "5"
        assert answer.json["code"] == "unavailable"
        assert b"PRIVATE" not in answer.body
    wait_for(lambda: len(dead.log()) == 11)
    assert_no_key_logged(dead.data)


def test_a_daemon_that_comes_back_is_used_again(orphan: RunningNginx) -> None:
    assert fetch(orphan.port, "/priv/noarch/repodata.json", headers=ALICE).status == 503
    for _restart in range(2):
        with FakeDaemon(_short(orphan.data)).running():
            assert fetch(orphan.port, "/priv/noarch/repodata.json", headers=ALICE).status == 200
            assert (
                fetch(orphan.port, "/main/noarch/x.conda", headers=ALICE, method="PUT", body=b"x").status
                == 200
            )
        (orphan.data / "state/uploadd.sock").unlink()


# --- logs ---------------------------------------------------------------------------------------------------------


def test_the_log_says_what_was_read_and_never_a_key(orphan: RunningNginx) -> None:
    """Times, addresses, statuses, the file that answered; keys in paths starred, queries left out, controls escaped."""
    fetch(
        orphan.port, "/main/noarch/repodata.json.zst?token=pkh-SECRET", headers={"User-Agent": 'one "quoted"'}
    )
    fetch(orphan.port, "/main/simple/six/", headers={"Accept": PIP, "Accept-Encoding": "gzip"})
    fetch(orphan.port, SHARD, headers={"User-Agent": "pixi pkh-SECRET"})
    fetch(orphan.port, "/t/pkh-alice/main/noarch/a-1-0.conda")
    fetch(orphan.port, "/t/pkh-alice/priv/pkh-bob/x")
    fetch(orphan.port, "/t/pkh-alice")
    fetch(orphan.port, "/T/pkh-alice/main/")
    fetch(orphan.port, "/main/%0apkh-alice/", method="PUT")
    fetch(orphan.port, "/fetch/2f1c-uuid", method="DELETE")
    fetch(orphan.port, "/main/a%22b%5c%0d%0a")
    talk(orphan.port, b"GET /t/pkh-alice/main/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    talk(orphan.port, b"GET /t/pkh-alice/main/ HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n")
    fetch(orphan.port, "/last", headers=ALICE)
    orphan.wait_logged(lambda line: line.path == "/last")

    lines = orphan.log()
    assert_no_key_logged(orphan.data)
    assert [(line.path, line.status, line.served) for line in lines] == [
        ("/main/noarch/repodata.json.zst", 200, "repodata.json.zst"),
        ("/main/simple/six/", 200, "index.json.gz"),
        (SHARD, 200, SHARD.rsplit("/", 1)[1]),
        ("/t/***/main/noarch/a-1-0.conda", 200, "a-1-0.conda"),
        ("/t/***", 503, "-"),
        ("/t/***", 404, "-"),
        ("/T/***", 401, "-"),
        ("/main/\\x0A***", 400, "-"),
        ("/fetch/***", 503, "-"),
        ("/main/a\\x22b\\x5C\\x0D\\x0A", 400, "-"),
        ("", 400, "-"),
        ("/t/***", 400, "-"),
        ("/last", 404, "-"),
    ]
    assert lines[0].agent == "one \\x22quoted\\x22"
    assert lines[2].agent == "***"
    assert (lines[4].daemon, lines[0].daemon) == ("502", "-")


# --- configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", BUILDS, ids=by_origin)
def test_a_reload_takes_up_a_channel_that_now_allows_overwriting(
    tmp_path: Path, binary: webserver.NginxBinary
) -> None:
    plant(tmp_path)
    path = "/main/noarch/a-1-0.conda"
    with running_nginx(tmp_path, binary=binary, overwrite_channels=["default", "include"]) as nginx:
        assert fetch(nginx.port, path).headers["Cache-Control"] == f"public, {YEAR}"

        assert webserver.update_overwrite(tmp_path, ["main"]) is True

        wait_for(lambda: fetch(nginx.port, path).headers["Cache-Control"] == "no-cache")
        assert webserver.update_overwrite(tmp_path, ["main"]) is False


@pytest.mark.parametrize("binary", BUILDS, ids=by_origin)
def test_another_default_channel_may_be_private(tmp_path: Path, binary: webserver.NginxBinary) -> None:
    plant(tmp_path)
    with (
        FakeDaemon(_short(tmp_path)).running(),
        running_nginx(tmp_path, binary=binary, default_channel="priv") as nginx,
    ):
        assert fetch(nginx.port, "/simple/hush/").status == 401
        assert fetch(nginx.port, "/simple/hush/", headers=ALICE).body.startswith(b"PRIVATE")
        assert fetch(nginx.port, "/packages/hush/hush-1.0-py3-none-any.whl", headers=ALICE).status == 200
        assert fetch(nginx.port, "/main/simple/six/").status == 200


def test_the_shipped_file_is_the_one_that_ran(site: Site) -> None:
    assert (site.nginx.data / webserver.CONF).read_text() == CONF_SOURCE.read_text()
