"""A daemon on a real port with the real intake and catalog, and a tiny stand-in for the indexer."""

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from template_support import copy_of
from yarl import URL

from packhouse.house import House, initialise, open_house
from packhouse.intake.receive import Inspector, Intake
from packhouse.model import Action
from packhouse.names import ChannelName
from uploadd.app import create_app, make_runner

SETTINGS = "min_free_bytes = 0\npublish_wait_s = 6.0\nmax_upload_bytes = 8_000_000\n"

Keys = Mapping[str, str]
"""Who -> the secret of their key."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    body: bytes
    json: dict = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.json.get("code", "")


class FakeIndexer:
    """Publishes everything that is dirty by saying so: clears the marks and announces it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-indexer")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._house.wake.poke("wake")
        if self._thread.ident is not None:
            self._thread.join()

    def publish(self) -> None:
        """Clear every mark that is due."""
        areas = self._house.catalog.areas
        for area in areas.due():
            areas.clear(area, areas.generation(area))
        self._house.wake.poke("published")

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._house.catalog.areas.due():
                self.publish()
            self._house.wake.wait("wake", 0.05)
        self._house.wake.close()


@dataclass
class Daemon:
    """A running daemon."""

    house: House
    indexer: FakeIndexer
    url: str
    keys: Keys
    session: aiohttp.ClientSession
    port: int

    def bearer(self, who: str = "ci") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[who]}"}

    async def ask(
        self,
        method: str,
        path: str,
        data: object = None,
        *,
        key: str | None = "ci",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; the path goes out exactly as it is written."""
        sent = {**(self.bearer(key) if key else {}), **(headers or {})}
        url = URL(self.url + path, encoded=True)
        if isinstance(data, bytes) and len(data) > 1 << 20:
            data = io.BytesIO(data)
        async with self.session.request(
            method, url, data=data, headers=sent, allow_redirects=False, skip_auto_headers=["User-Agent"]
        ) as response:
            body = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            json = await response.json(content_type=None) if is_json and body else {}
            return Answer(response.status, response.reason, response.headers, body, json)

    async def raw(self, *pieces: bytes) -> bytes:
        """Send bytes as they are and return everything that comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        finally:
            writer.close()

    def files(self) -> list[str]:
        """Every file of the three trees and of incoming, sorted."""
        return sorted(
            str(path.relative_to(self.house.data))
            for folder in ("public", "private", "restricted", "incoming")
            for path in (self.house.data / folder).rglob("*")
            if path.is_file()
        )


def _make_house(data: Path, settings: str) -> None:
    initialise(data)
    (data / "packhouse.toml").write_text(settings)
    with closing(open_house(data)) as house:
        house.create_channel(ChannelName("main"))
        house.create_channel(ChannelName("other"), overwrite=True)
        house.create_channel(ChannelName("closed"), private=True)


@contextmanager
def open_test_house(data: Path, settings: str = SETTINGS) -> Iterator[House]:
    """A data directory with the channels main (public), other (public, overwrites) and closed (private)."""
    copy_of(_make_house, data, settings)
    with closing(open_house(data)) as house:
        yield house


def make_keys(house: House) -> Keys:
    """admin; ci writes and deletes main and other; boss maintains other; reader has no rights; insider reads closed."""
    keys = house.catalog.keys
    write = [(action, channel) for action in (Action.WRITE, Action.DELETE) for channel in ("main", "other")]
    return {
        "admin": keys.create_for_service("admin", admin=True)[1],
        "ci": keys.create_for_service("ci", grants=write)[1],
        "boss": keys.create_for_service("boss", grants=[(Action.MAINTAIN, "other")])[1],
        "reader": keys.create_for_service("reader")[1],
        "insider": keys.create_for_service("insider", grants=[(Action.READ, "closed")])[1],
    }


def _make_published_house(data: Path, settings: str, keys: Callable[[House], Keys]) -> Keys:
    _make_house(data, settings)
    with closing(open_house(data)) as house:
        FakeIndexer(house).publish()
        return keys(house)


@asynccontextmanager
async def run_daemon(
    data: Path,
    inspector: Inspector,
    *,
    settings: str = SETTINGS,
    publish: bool = True,
    keys: Callable[[House], Keys] = make_keys,
) -> AsyncIterator[Daemon]:
    """Start the daemon as `uploadd.__main__` does, on a loopback port instead of a socket."""
    secrets = copy_of(_make_published_house, data, settings, keys)
    with closing(open_house(data)) as house:
        indexer = FakeIndexer(house)
        runner = make_runner(create_app(house, Intake(house, inspector)))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        if publish:
            indexer.start()
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                yield Daemon(
                    house=house,
                    indexer=indexer,
                    url=f"http://127.0.0.1:{port}",
                    keys=dict(secrets),
                    session=session,
                    port=port,
                )
        finally:
            await runner.cleanup()
            indexer.stop()


def sha256(body: bytes) -> str:
    """What clients claim."""
    return hashlib.sha256(body).hexdigest()


def legacy_form(
    filename: str, body: bytes, *, late: Mapping[str, str] | None = None, **fields: str
) -> aiohttp.FormData:
    """A form of PyPI's legacy upload; `late` fields come after the file."""
    form = aiohttp.FormData()
    for name, value in {":action": "file_upload", "protocol_version": "1", **fields}.items():
        form.add_field(name, value)
    form.add_field("content", body, filename=filename, content_type="application/octet-stream")
    for name, value in (late or {}).items():
        form.add_field(name, value)
    return form


BOUNDARY = "6d753ec1-boundary-be548"


def multipart(*parts: tuple[Mapping[str, str], bytes], close: bool = True) -> bytes:
    """The bytes of a multipart body: (headers, content) per part."""
    body = b"".join(
        f"--{BOUNDARY}\r\n".encode()
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        + b"\r\n" + content + b"\r\n"
        for headers, content in parts
    )  # fmt: skip
    return body + (f"--{BOUNDARY}--\r\n".encode() if close else b"")


def file_part(filename: str, body: bytes, **headers: str) -> tuple[Mapping[str, str], bytes]:
    """The part that rattler sends."""
    return {
        "Content-Disposition": f'form-data; name="file"; filename="{filename}"',
        "Content-Type": "application/octet-stream",
        **headers,
    }, body


MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def request_head(method: str, path: str, **headers: str) -> bytes:
    """The head of a raw HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: packhouse", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
