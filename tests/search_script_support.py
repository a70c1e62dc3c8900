"""A server of plain files with a stand-in for the daemon's search, for a real browser."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from packhouse.assets import site_files
from packhouse.ecosystems import Package
from packhouse.model import Ecosystem
from packhouse.pages.frame import AT_ROOT, Frame, in_channel
from packhouse.pages.search import search_pages
from packhouse.render import render

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
}

Rows = Sequence[Mapping[str, Any]]


@dataclass
class Daemon:
    """What answers `api/1/search/`: `rows` says what to which words, or None where nothing answers."""

    rows: Callable[[str], Rows] | None = None
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@dataclass
class Site:
    """A running server: what it serves, and what it was asked for."""

    url: str
    files: dict[str, bytes]
    daemon: Daemon = field(default_factory=Daemon)
    seen: list[str] = field(default_factory=list)

    def reset(self) -> None:
        self.daemon, self.seen = Daemon(), []


def package(
    name: str, summary: str = "", display: str | None = None, ecosystem: Ecosystem = Ecosystem.PYPI
) -> tuple[Ecosystem, Package]:
    made = Package(
        name=name, display=display or name, serial=1, files=1, latest="1", summary=summary, updated_us=0
    )
    return ecosystem, made


def row(name: str, summary: str = "", channel: str = "main", **more: str) -> dict[str, str]:
    """One line of the daemon's answer."""
    known = {"ecosystem": "pypi", "display": name, "latest": "1.0", "summary": summary}
    return {"channel": channel, "name": name, **known, **more}


def blank(frame: Frame) -> bytes:
    """A page with the search box, and nothing else of its own."""
    return render("base.html", title="A page", **frame.values())


def channel(packages: Sequence[tuple[Ecosystem, Package]], name: str) -> dict[str, bytes]:
    """The files of a channel that matter here: its page, one of a package, the search index, the assets."""
    found = {f"{name}/{page.path}": page.body for page in search_pages(packages).leaves}
    found |= {f"{name}/_static/{path}": body for path, body in site_files().items()}
    pages = {f"{name}/{ecosystem}/{item.name}/": blank(in_channel(2)) for ecosystem, item in packages[:300]}
    return {**found, **pages, f"{name}/": blank(in_channel(0))}


def root(*channels: str) -> dict[str, bytes]:
    """The front page, its assets, the list of channels, and what stands for the daemon's page."""
    found = {f"static/{path}": body for path, body in site_files().items()}
    pages = {"": blank(AT_ROOT), "search/": blank(in_channel(0))}
    return {**found, **pages, "channels.json": json.dumps({"channels": channels}).encode()}


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Site]:
    """Serve files (path without its first slash), below `/t/<key>/` as well."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            site.seen.append(self.path)
            plain = "/" + path.split("/", 3)[3] if path.startswith("/t/") else path
            if plain == "/api/1/search/":
                self._search(site.daemon, query["q"][0])
            elif (body := site.files.get(plain[1:])) is not None:
                suffix = "html" if plain.endswith("/") else plain.rpartition(".")[2]
                self._send(200, body, TYPES.get(suffix, "application/json"), {"Content-Security-Policy": CSP})
            else:
                self._send(404, b"", "text/plain", {})

        def _search(self, daemon: Daemon, text: str) -> None:
            daemon.asked.append(text)
            if daemon.rows is None:
                self._send(daemon.status, b"", "text/plain", daemon.headers)
            else:
                body = json.dumps(daemon.rows(text)).encode()
                self._send(200, body, "application/json", daemon.headers)

        def _send(self, status: int, body: bytes, kind: str, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: `seen` holds it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(url=f"http://127.0.0.1:{server.server_port}", files=files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
