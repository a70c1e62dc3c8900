"""A planted tree behind the shipped nginx.conf, beside a daemon that records: what a client meets on the wire."""

import asyncio
import base64
import gzip
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from aiohttp import web
from backports import zstd
from nginx_support import RunningNginx, running_nginx

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
HASTY = {"Authorization": "Bearer pkh-hasty"}
"""Has tried too often; the daemon says so, and for how long."""

YEAR = "max-age=31536000, immutable"

READ_RIGHTS = {
    "pkh-alice": {
        ("private", "priv", ""),
        ("restricted", "main", "secret"),
        ("restricted", "main", "vault"),
        ("restricted", "priv", "veil"),
    },
    "pkh-bob": set(),
}

OVERWRITTEN = (
    *(f"/main/replaced/generic/lib/{'ef' * 32}/{name}" for name in ("evil.html", "evil.js", "index.html")),
    f"/main/replaced/conda/a/{'ef' * 32}/a-1-0.conda",
)
"""Bytes that an overwrite replaced: `replaced/<ecosystem>/<package>/<sha256>/<file>`."""


# --- the tree -----------------------------------------------------------------------------------------------------


def plant(data: Path) -> None:
    """Lay out one public channel, one that allows overwriting, a private one, and restricted packages of two."""
    for folder in ("public", "private", "restricted", "state"):
        (data / folder).mkdir(parents=True)
    plant_pages(data / "public")
    plant_python(data / "public/main")
    plant_conda(data / "public/main")
    plant_products(data / "public/main")
    for path in OVERWRITTEN:
        put(data / "public", path.removeprefix("/"), "<script>uploaded")
    plant_overwritable(data / "public/nightly")
    plant_private(data / "private/priv")
    plant_restricted(data / "restricted")
    for path in ("state/catalog.sqlite", "incoming/x", "inbox/main/x"):
        put(data, path, "PRIVATE")


def put(root: Path, path: str, body: bytes | str) -> None:
    """Write one file and the folders above it."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body if isinstance(body, bytes) else body.encode())


def put_simple(folder: Path, note: str, *, variants: tuple[str, ...] = ("gz", "zst")) -> None:
    """Write a page of simple/ in both forms, each beside these compressions of it."""
    for kind in ("html", "json"):
        body = f"{note} {kind} ".encode() * 30
        put(folder, f"index.{kind}", body)
        if "gz" in variants:
            put(folder, f"index.{kind}.gz", gzip.compress(body))
        if "zst" in variants:
            put(folder, f"index.{kind}.zst", zstd.compress(body))


def plant_pages(public: Path) -> None:
    """The site's own pages and assets, and those of the channel main."""
    put(public, "index.html", "home")
    put(public, "static/site.css", "body{}")
    put(public, "static/404.html", "<!doctype html><title>A page that says so</title>")
    put(public, "main/index.html", "channel main")
    put(public, "main/pypi/six/index.html", "page six")
    put(public, "main/conda/a/index.html", "page a")
    put(public, "main/serial.json", "{}")
    put(public, "main/feed.json", "{}")
    put(public, "main/atom.xml", "<feed/>")
    put(public, "main/.hidden", "no")


def plant_python(channel: Path) -> None:
    put_simple(channel / "simple", "PUBROOT")
    put_simple(channel / "simple/six", "PUB")
    put_simple(channel / "simple/plain", "PUB", variants=())
    put_simple(channel / "simple/onlygz", "PUB", variants=("gz",))
    put(channel, "packages/six/six-1.0-py3-none-any.whl", b"wheelbytes" * 1000)
    put(channel, "packages/six/six-1.0-py3-none-any.whl.metadata", "Name: six")
    put(channel, "packages/six/six-1.0-py3-none-any.whl.provenance", "{}")
    put(channel, "pypi/six/json", "{}")
    put(channel, "pypi/six/1.0/json", "{}")


def plant_conda(channel: Path) -> None:
    for name in ("repodata.json", "run_exports.json"):
        put(channel, f"noarch/{name}", "{}")
        put(channel, f"noarch/{name}.zst", zstd.compress(b"{}"))
    put(channel, "noarch/repodata_shards.msgpack.zst", b"shard index")
    put(channel.parent, SHARD.removeprefix("/"), b"shard")
    put(channel, "noarch/a-1-0.conda", b"conda" * 500)
    put(channel, "noarch/a-1-0.tar.bz2", b"bz2" * 500)
    put(channel, "noarch/a-1-0.conda.sigs", "[]")
    put(channel, f"noarch/a-1-0.conda.sigs.{'cd' * 32}", "[]")
    put(channel, "channeldata.json", "{}")


def plant_products(channel: Path) -> None:
    put(channel, "products/lib/1.0/evil.html", "<script>")
    put(channel, "products/lib/1.0/index.html", "<script>uploaded")
    put(channel, "products/lib/index.json", "{}")


def plant_overwritable(channel: Path) -> None:
    put(channel, "noarch/n-1-0.conda", b"n")
    put(channel, "packages/n/n-1.0.tar.gz", b"n")
    put(channel, "products/n/1/n.bin", b"n")
    put(channel, f"noarch/shards/{'ab' * 32}.msgpack.zst", b"n")


def plant_private(channel: Path) -> None:
    put(channel, "index.html", "PRIVATE")
    put(channel, "noarch/repodata.json", "PRIVATE")
    put(channel, "noarch/repodata.json.zst", b"PRIVATE")
    put(channel, "noarch/p-1-0.conda", b"PRIVATE")
    put_simple(channel / "simple", "PRIVATE", variants=())
    put_simple(channel / "simple/hush", "PRIVATE")
    put(channel, "packages/hush/hush-1.0-py3-none-any.whl", b"PRIVATE")
    put(channel, "packages/hush/hush-1.0-py3-none-any.whl.metadata", b"PRIVATE")
    put(channel, "products/tool/1.0/tool.bin", b"PRIVATE")


def plant_restricted(restricted: Path) -> None:
    """Packages of the public channel main, and one of the private channel."""
    put_simple(restricted / "main/simple/secret", "PRIVATE")
    put(restricted, "main/packages/secret/secret-1.0.tar.gz", b"PRIVATE")
    put(restricted, "main/products/vault/1.0/vault.bin", b"PRIVATE")
    put(restricted, "main/products/vault/index.json", b"PRIVATE")
    put_simple(restricted / "priv/simple/veil", "PRIVATE")
    put(restricted, "priv/packages/veil/veil-1.0.tar.gz", b"PRIVATE")


# --- the daemon ---------------------------------------------------------------------------------------------------


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
        if key == "pkh-hasty":
            return web.Response(status=429, headers={"Retry-After": "299", "X-RateLimit-Limit": "10"})
        if rights is None:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="the daemon\'s own"'})
        package = segments[2] if root == "restricted" else ""
        return web.Response(status=204 if (root, segments[0], package) in rights else 403)

    async def _other(self, request: web.Request) -> web.Response:
        if early := request.headers.get("X-Test-Early"):
            said = {"401": {"WWW-Authenticate": 'Basic realm="the daemon\'s"'}, "429": {"Retry-After": "298"}}
            return web.json_response(
                {"early": int(early)},
                status=int(early),
                reason="File already exists",
                headers=said.get(early, {}),
            )
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


# --- the site and its answers ---------------------------------------------------------------------------------------


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
    """Name a build in a test's id."""
    return build.origin


@contextmanager
def serving_site(data: Path, binary: webserver.NginxBinary) -> Iterator[Site]:
    """One nginx and one daemon for all tests of a module; when it ends, no log holds a key of any request it saw."""
    plant(data)
    with (
        FakeDaemon(daemon_socket(data)).running() as daemon,
        running_nginx(data, binary=binary, overwrite_channels=["nightly"]) as nginx,
    ):
        yield Site(nginx, daemon)
        assert len(nginx.log()) > 0
        assert_no_key_logged(data)


@contextmanager
def without_daemon(data: Path, binary: webserver.NginxBinary) -> Iterator[RunningNginx]:
    """An nginx whose daemon is not there; tests may put a dead socket in its place."""
    plant(data)
    with running_nginx(data, binary=binary) as nginx:
        yield nginx


def daemon_socket(data: Path) -> str:
    """Where nginx looks for the daemon, from here: a socket's address holds 107 bytes, and pytest's folders are deep."""
    return os.path.relpath(data / "state" / "uploadd.sock")
