"""One server, and how to ask it: keys, retries, and the server's own sentence when it says no."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as NoTimelyAnswer

from packhouse import __version__
from packhouse.client import stopping
from packhouse.errors import Malformed, PackhouseError, Unauthenticated, Unavailable
from packhouse.model import Json

TRIES = 4
"""How often a request is sent in all, when the connection fails or the server says 503."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
CONNECT_S, SILENCE_S = 10.0, 300.0
"""How long a connection may take to open, and how long a server may say nothing, in seconds."""
_TOO_LONG = "it took too long"
_SHOWN, _CHUNK = 500, 1 << 18
_NEXT = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?')

T = TypeVar("T")

Body = Callable[[], Iterable[bytes]]
"""Gives the body from its start, each time it is sent."""


class Unreachable(Unavailable):
    """The server does not answer, or says that it cannot work now."""

    code = "unreachable"


class TimedOut(Unreachable):
    """The server was silent for longer than it may be. It is not asked again: that would only add to its load."""

    code = "timed-out"


class ServerRefused(PackhouseError):
    """The server said no; the sentence is its own.

    `status` is the HTTP status and `reason_code` the server's own code of the refusal, empty if it told none.
    """

    code = "server-refused"

    def __init__(self, status: int, reason_code: str, sentence: str) -> None:
        self.status, self.reason_code = status, reason_code
        super().__init__(sentence)


class KeyRefused(ServerRefused, Unauthenticated):
    """The server takes no key, or not this one (401): it is unknown, revoked or expired, and nobody is told which."""

    code = "key-refused"


class NotPermitted(ServerRefused):
    """The key is known and lacks the right (403)."""

    code = "not-permitted"


class Missing(ServerRefused):
    """It is not there, or the holder of the key may not know that it is (404)."""

    code = "missing"


_KINDS: Mapping[int, type[ServerRefused]] = {401: KeyRefused, 403: NotPermitted, 404: Missing}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the 2xx kind.

    Attributes:
        status: of HTTP.
        body: the JSON object; {} if it was none.
        items: the JSON array; empty if it was none.
        next: path and query of the list's next page (RFC 8288); empty if there is none.
    """

    status: int
    body: Mapping[str, Json]
    items: tuple[Json, ...] = ()
    next: str = ""


class _Http(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        stopping.watch(self.sock)


class _Https(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        stopping.watch(self.sock)


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


@dataclass(frozen=True, slots=True)
class Server:
    """A Packhouse at `url`, such as `http://127.0.0.1:8080`; `key` is empty for a stranger. Thread-safe.

    Attributes:
        connections: how many are kept open.
        sleep: waits for some seconds.
        connect_s: how long a connection may take to open, in seconds.
        silence_s: how long the server may say nothing, in seconds.
        tries: how often a request is sent in all.
    """

    url: str
    key: str = ""
    connections: int = 1
    sleep: Callable[[float], None] = stopping.sleep
    connect_s: float = CONNECT_S
    silence_s: float = SILENCE_S
    tries: int = TRIES
    _pool: urllib3.PoolManager = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise Malformed(
                f"{self.url!r} is no server: give its address as http://HOST:PORT or https://HOST"
            )
        # Redirects are never followed: an upload would become a GET and report success for nothing.
        timeout = urllib3.Timeout(connect=self.connect_s, read=self.silence_s)
        pool = urllib3.PoolManager(maxsize=self.connections, retries=False, timeout=timeout)
        pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        object.__setattr__(self, "url", self.url.rstrip("/"))
        object.__setattr__(self, "_pool", pool)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send one request, again when the connection fails or the server is busy.

        Every request of this client may be repeated: the same bytes again are a success, and a deleted file
        is not found, which is said.

        Args:
            method: of HTTP.
            path: percent-encoded, from the server's root, with its leading slash.
            query: parameters; an empty value is left out.
            headers: further ones; `Content-Length` with a body.
            body: gives the body.

        Raises:
            ServerRefused: the server said no.
            Unreachable: it did not answer, or not with sense, as often as it was asked.
        """
        asked = urlencode({key: value for key, value in (query or {}).items() if value})
        url = f"{self.url}{path}" + (f"?{asked}" if asked else "")
        sent = self._headers({"Accept": "application/json", **(headers or {})})
        return self._again(lambda: self._once(method, url, sent, body))

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """Yield the pages of a list, one request each, by their links (RFC 8288).

        Raises:
            ServerRefused: the server said no, or a link leads to another server or back.
            Unreachable: as `ask`.
        """
        answer, seen = self.ask("GET", path, query=query), {""}
        yield answer
        while answer.next not in seen:
            seen.add(answer.next)
            answer = self.ask("GET", answer.next)
            yield answer

    def copy(self, path: str, into: Callable[[Iterator[bytes]], None]) -> None:
        """Read one file in pieces, again from its start when the connection fails.

        Args:
            path: percent-encoded, from the server's root, with its leading slash.
            into: takes the pieces; called anew for each try, with all of them.

        Raises:
            ServerRefused, Unreachable: as `ask`. What `into` raises passes.
        """
        # Whole bytes as they are stored: what is compared with a SHA-256 is not unpacked on the way.
        sent = self._headers({"Accept": "*/*", "Accept-Encoding": "identity"})

        def once() -> None:
            with self._sending("GET", f"{self.url}{path}", sent, None) as answer:
                into(self._pieces(answer))

        self._again(once)

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        sent = {"User-Agent": f"packhouse/{__version__}", **more}
        return {**sent, "Authorization": f"Bearer {self.key}"} if self.key else sent

    def _again(self, send: Callable[[], T]) -> T:
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(self.tries)):
            try:
                return send()
            except TimedOut:
                raise
            except Unreachable:
                if not left:
                    raise
            self.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        with self._sending(method, url, headers, body) as answer:
            said = _json(b"".join(self._pieces(answer, decoded=True)))
        more = _NEXT.search(answer.headers.get("Link", ""))
        return Answer(
            answer.status,
            said if isinstance(said, dict) else {},
            tuple(said) if isinstance(said, list) else (),
            self._path(urljoin(url, more[1])) if more else "",
        )

    def _path(self, url: str) -> str:
        """Return what stands behind the server's own address; the key is never sent anywhere else."""
        if not url.startswith(f"{self.url}/"):
            raise ServerRefused(
                200, "", f"{self.url} links to {_printable(url)}: that is another server, and not asked"
            )
        return url.removeprefix(self.url)

    @contextmanager
    def _sending(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send one request and hold its answer of the 2xx kind, whose body is not read yet."""
        stopping.check()
        try:
            # Content-Length is in the headers: urllib3 then sends the pieces as they are, unchunked.
            answer = self._pool.request(
                method,
                url,
                body=iter(body()) if body else None,
                headers=dict(headers),
                redirect=False,
                retries=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise self._silent(error) from error
        try:
            if not 200 <= answer.status < 300:
                raise self._refusal(answer, b"".join(self._pieces(answer, decoded=True)))
            yield answer
        finally:
            answer.close()  # one that was read to its end has given its connection back already

    def _pieces(self, answer: urllib3.BaseHTTPResponse, *, decoded: bool = False) -> Iterator[bytes]:
        try:
            for piece in answer.stream(_CHUNK, decode_content=decoded):
                stopping.check()
                yield piece
        except HTTPError as error:
            raise self._silent(error) from error

    def _silent(self, error: HTTPError) -> Unreachable:
        stopping.check()  # what failed may be the connection that was shut down to end this call
        if isinstance(error, NoTimelyAnswer) and cause(error) == _TOO_LONG:
            return TimedOut(
                f"{self.url} does not answer in time: connecting may take {self.connect_s:g} s, and between two "
                f"words may pass {self.silence_s:g} s; allow more, or ask its operator what keeps it"
            )
        return Unreachable(f"{self.url} does not answer: {cause(error)}; is it running there?")

    def _refusal(self, answer: urllib3.BaseHTTPResponse, data: bytes) -> PackhouseError:
        """Return the error that an answer of another kind than 2xx is."""
        said = _json(data)
        said = said if isinstance(said, dict) else {}
        sentence = _sentence(said, answer.status, answer.reason or "", data)
        if answer.status in {502, 503, 504}:
            return Unreachable(f"{self.url} cannot do this now: {sentence}")
        if 300 <= answer.status < 400:
            where = answer.headers.get("Location", "elsewhere")
            return ServerRefused(
                answer.status, "", f"{self.url} sends on to {where}: give the final address as --server"
            )
        return _KINDS.get(answer.status, ServerRefused)(answer.status, str(said.get("code", "")), sentence)


def _json(data: bytes) -> Json:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _sentence(said: Mapping[str, Any], status: int, reason: str, data: bytes) -> str:
    """Return what the server said in words; every Packhouse says it in `detail`."""
    for name in ("detail", "message", "error", "title"):
        if isinstance(text := said.get(name), str) and text:
            return _printable(text)
    text = data.decode("utf-8", "replace").strip()
    plain = text if text and not text.startswith("<") else reason
    return f"the server answered {status}" + (f" ({_printable(plain)})" if plain else "")


def _printable(text: str) -> str:
    # Nothing that a server says may move the cursor of a terminal.
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."


def cause(error: BaseException) -> str:
    """Return why a connection failed, in words: the operating system's own ("Connection refused") if it has some."""
    inner = error
    while True:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        deeper = inner.__cause__ or inner.__context__
        if deeper is None:
            break
        inner = deeper
    if isinstance(inner, (TimeoutError, NoTimelyAnswer)):
        return _TOO_LONG
    return _printable(str(inner)) or type(inner).__name__
