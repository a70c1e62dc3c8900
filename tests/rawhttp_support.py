"""Requests as they are written: no client in between that tidies up a path or adds a header."""

import socket
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Raw:
    """One answer. Header names are in lower case; a header that came twice is there twice."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def everything(self) -> bytes:
        """All bytes that somebody reads."""
        head = "\n".join((self.reason, *(f"{name}: {value}" for name, value in self.headers)))
        return head.encode("latin-1") + b"\n" + self.body


class Wire:
    """A connection that is kept and made anew when the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._file = None

    def close(self) -> None:
        if self._socket is not None:
            self._file.close()
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self, target: str, method: str = "GET", headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Raw:
        """Send one request; the target goes out as it is written."""
        lines = [f"{method} {target} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in headers):
            lines.append(f"Host: 127.0.0.1:{self._port}")
        lines += [f"{name}: {value}" for name, value in headers]
        if method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {len(body)}")
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body
        kept = self._socket is not None
        try:
            return self._exchange(request, method)
        except (ConnectionError, EOFError):
            self.close()
            if not kept:
                raise
            return self._exchange(request, method)

    def _exchange(self, request: bytes, method: str) -> Raw:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._file = self._socket.makefile("rb")
        self._socket.sendall(request)
        answer = self._read(method)
        if "close" in answer.header("connection"):
            self.close()
        return answer

    def _read(self, method: str) -> Raw:
        first = self._file.readline()
        if not first:
            raise EOFError
        _, _, rest = first.decode("latin-1").rstrip("\r\n").partition(" ")
        status, _, reason = rest.partition(" ")
        headers = []
        while line := self._file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        answer = Raw(int(status), reason, tuple(headers), b"")
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        return Raw(answer.status, reason, answer.headers, self._body(answer))

    def _body(self, answer: Raw) -> bytes:
        if "chunked" in answer.header("transfer-encoding"):
            parts = []
            while size := int(self._file.readline().split(b";")[0], 16):
                parts.append(self._file.read(size))
                self._file.readline()
            self._file.readline()
            return b"".join(parts)
        length = answer.header("content-length")
        return self._file.read(int(length)) if length else self._file.read()
