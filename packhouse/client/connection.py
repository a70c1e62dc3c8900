"""One server, and how to ask it: keys, retries, and the server's own sentence when it says no."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as NoTimelyAnswer

from packhouse import __version__
from packhouse.errors import Malformed, PackhouseError, Unavailable
from packhouse.model import Json

TRIES = 4
"""How often a request is sent in all, when the connection fails or the server says 503."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_TIMEOUT = urllib3.Timeout(connect=10, read=300)
_SHOWN = 500

Body = Callable[[], Iterable[bytes]]
"""Gives the body from its start, each time it is sent."""


class Unreachable(Unavailable):
    """The server does not answer, or says that it cannot work now."""

    code = "unreachable"


class ServerRefused(PackhouseError):
    """The server said no; the sentence is its own.

    `status` is the HTTP status and `reason_code` the server's own code of the refusal, empty if it told none.
    """

    code = "server-refused"

    def __init__(self, status: int, reason_code: str, sentence: str) -> None:
        self.status, self.reason_code = status, reason_code
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the 2xx kind: status and JSON body ({} if it was no JSON object)."""

    status: int
    body: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Server:
    """A Packhouse at `url`, such as `http://127.0.0.1:8080`; `key` is empty for a stranger. Thread-safe."""

    url: str
    key: str = ""
    connections: int = 1
    sleep: Callable[[float], None] = time.sleep
    _pool: urllib3.PoolManager = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise Malformed(
                f"{self.url!r} is no server: give its address as http://HOST:PORT or https://HOST"
            )
        # Redirects are never followed: an upload would become a GET and report success for nothing.
        pool = urllib3.PoolManager(maxsize=self.connections, retries=False, timeout=_TIMEOUT)
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
        sent = {"User-Agent": f"packhouse/{__version__}", "Accept": "application/json", **(headers or {})}
        if self.key:
            sent["Authorization"] = f"Bearer {self.key}"
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                return self._once(method, url, sent, body)
            except Unreachable:
                if not left:
                    raise
            self.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        try:
            # Content-Length is in the headers: urllib3 then sends the pieces as they are, unchunked.
            answer = self._pool.request(
                method,
                url,
                body=iter(body()) if body else None,
                headers=dict(headers),
                redirect=False,
                retries=False,
            )
        except HTTPError as error:
            raise Unreachable(f"{self.url} does not answer: {cause(error)}; is it running there?") from error
        said = _json(answer.data)
        if 200 <= answer.status < 300:
            return Answer(answer.status, said)
        sentence = _sentence(said, answer.status, answer.reason or "", answer.data)
        if answer.status in {502, 503, 504}:
            raise Unreachable(f"{self.url} cannot do this now: {sentence}")
        if 300 <= answer.status < 400:
            where = answer.headers.get("Location", "elsewhere")
            raise ServerRefused(
                answer.status, "", f"{self.url} sends on to {where}: give the final address as --server"
            )
        raise ServerRefused(answer.status, str(said.get("code", "")), sentence)


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


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
        return "it took too long"
    return _printable(str(inner)) or type(inner).__name__
