"""A server whose files and moods a test decides, for the Python client: it answers, falls silent, or breaks off."""

import asyncio
import datetime as dt
import hashlib
import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import packhouse
from packhouse.client import stopping
from packhouse.manifest import File, as_json, top_hash

KEY = "pkh-0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
OTHER = "pkh-zyxwvutsrqponmlkjihgfedcba9876543210ABCDEF"


@dataclass
class Silent:
    """Says nothing after so many bytes of the answer, until the test ends; None is not even a status line."""

    body: bytes | None = None


@dataclass
class Cut:
    """Promises a whole body, sends its first half and closes."""

    body: bytes


@dataclass
class For:
    """What a stranger gets, and what the holder of KEY gets; another key is refused."""

    stranger: object
    holder: object


@dataclass
class Site:
    """What the server answers by path (bytes, JSON, (status, body), Silent, Cut, For, or `turns` of these)."""

    url: str
    answers: dict
    asked: list = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def paths(self) -> list[str]:
        """`METHOD path` of every request so far."""
        return [f"{method} {path}" for method, path, _key, _body in self.asked]

    def keys(self) -> list[str]:
        """The key of every request so far, empty without one."""
        return [key for _method, _path, key, _body in self.asked]

    async def reached(self, path: str, times: int = 1) -> None:
        """Wait until a path was asked for so often."""

        def wait():
            with self.changed:
                assert self.changed.wait_for(lambda: self.paths().count(path) >= times, 60), self.paths()

        await asyncio.get_running_loop().run_in_executor(None, wait)

    def note(self, *request: object) -> None:
        """Remember a request, and tell those who wait for it."""
        with self.changed:
            self.asked.append(request)
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    """Answers as the site says."""

    protocol_version = "HTTP/1.1"
    there: Site

    def reply(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.there.note(self.command, self.path, key, body)
        answers = self.there.answers
        answer = answers.get(self.path, answers.get(self.path.partition("?")[0], (404, "no such thing")))
        if isinstance(answer, For):
            answer = answer.stranger if not key else answer.holder if key == KEY else REFUSED
        if isinstance(answer, list) and answer and answer[0] is TURNS:
            answer = answer.pop(1) if len(answer) > 2 else answer[1]
        if isinstance(answer, (Silent, Cut)):
            self.close_connection = True
            self.break_off(answer)
        else:
            self.whole(answer)

    def whole(self, answer):
        status, content, *rest = answer if isinstance(answer, tuple) else (200, answer)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.head(len(data), status, rest[0] if rest else {})
        self.wfile.write(data)

    def break_off(self, answer):
        if isinstance(answer, Cut):
            self.head(len(answer.body))
            self.wfile.write(answer.body[: len(answer.body) // 2])
            return
        if answer.body is not None:
            self.head(len(answer.body) + 1000)
            self.wfile.write(answer.body)
            self.wfile.flush()
        self.there.over.wait(60)

    def head(self, length, status=200, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = reply  # noqa: N815 - the library's names

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    """A client that was cancelled hangs up: nothing to tell."""

    def handle_error(self, *_):
        pass


@contextmanager
def site(answers: dict, certificate: Path | None = None):
    """Run the server; a path without a query is found with any query, and an unknown path is 404.

    With a certificate (its key in the same file) it speaks TLS.
    """
    httpd = Quiet(("127.0.0.1", 0), Handler)
    there = Site(f"http://127.0.0.1:{httpd.server_port}", answers)
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        there.url = f"https://localhost:{httpd.server_port}"
    httpd.RequestHandlerClass = type("Bound", (Handler,), {"there": there})
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield there
    finally:
        there.over.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@contextmanager
def fresh_client(tmp_path: Path, monkeypatch):
    """A home of its own, no keys of this machine, and no pauses between tries; yields the configuration's folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("PACKHOUSE_KEY", raising=False)
    monkeypatch.setattr(stopping.time, "sleep", lambda _seconds: None)
    try:
        yield tmp_path / "home" / ".config" / "packhouse"
    finally:
        packhouse.clear_api_key()


def self_signed(folder: Path) -> Path:
    """A certificate for localhost, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


REFUSED = (401, {"detail": "the API key is unknown, revoked or expired", "code": "unauthenticated"})
TURNS = object()


def turns(*answers):
    """These answers in turn, the last one for ever."""
    return [TURNS, *answers]


def file_of(path: str, body: bytes) -> File:
    """The manifest's line of a file."""
    return File(
        path=path, filename=path.rpartition("/")[2], size=len(body), sha256=hashlib.sha256(body).hexdigest()
    )


def version_of(version: str, *files: File, day: int = 1, yanked: bool = False, **wrong) -> dict:
    """One version of `versions.json`, as the indexer writes it."""
    return {
        "version": version,
        "top_hash": top_hash(files),
        "yanked": yanked,
        "last_uploaded": f"2026-01-{day:02}T00:00:00.500000Z",
        "files": as_json(files),
        **wrong,
    }


def versions(*items: dict) -> dict:
    """A `versions.json`."""
    return {"package": "x", "ecosystem": "x", "versions": list(items)}


def product(name: str, bodies: dict[str, bytes], channel: str = "main") -> dict:
    """The answers of a site with one product: version to the bytes of its `tool.bin`."""
    files = {
        version: file_of(f"products/{name}/{version}/tool.bin", body) for version, body in bodies.items()
    }
    return {
        f"/{channel}/generic/{name}/versions.json": versions(
            *(version_of(version, file, day=day) for day, (version, file) in enumerate(files.items(), 1))
        ),
        **{f"/{channel}/{files[version].path}": body for version, body in bodies.items()},
    }
