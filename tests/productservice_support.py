"""A running Packhouse for scripts that were written against the product service, and its contract's own words."""

import hashlib
import http.client
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e_support import Server, serving

from packhouse.house import House, open_house

_EDGE = "6d753ec1-boundary"
_UNLIMITED = {
    # Hundreds of refusals come from one address here; the limits have tests of their own.
    "PACKHOUSE_ANONYMOUS_REQUESTS_PER_MINUTE": "0",
    "PACKHOUSE_REFUSED_REQUESTS_PER_MINUTE": "0",
    "PACKHOUSE_MIN_FREE_BYTES": "0",
}
EXAMPLES = {
    "GET /health": '{"mongo": "Mongo is fine", "redis": "Redis is fine"}',
    "GET /fetch/{token}": '{"token": "a3f9b2c1...", "admin": false}',
    "GET /product/access": '["my-lib", "other-lib"]',
    "GET /product/fetch/{product}": """{
        "name": "my-lib",
        "tokens": {
            "additionalProperties": {"maintainer": false, "download": true, "upload": false, "delete": false}
        },
        "versions": {
            "additionalProperties": {
                "path": "./prodcuts/my-lib/v1.0.0/my-lib.tar.gz",
                "checksum": "sha256:abc123..."
            }
        }
    }""",
}
"""What the document shows of each answer."""
FULL = {"maintainer": True, "download": True, "upload": True, "delete": True}
NONE = dict.fromkeys(FULL, False)


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def seen(self) -> tuple[int, str, bytes]:
        """All of it that may differ between two answers and be noticed."""
        return self.status, self.headers.get("content-type", ""), self.body


@dataclass
class Service:
    """One server, and its data directory opened by the test."""

    server: Server
    house: House
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; anything but bytes is sent as JSON. No `token` is the admin's, None is none at all."""
        sent = {} if token is None else {"X-Api-Token": token or self.server.key}
        if body is not None and not isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Answer(
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )
        finally:
            connection.close()

    def must(self, method: str, path: str, body: object = None, *, token: str | None = "") -> Answer:
        """Send a request that has to succeed."""
        answer = self.ask(method, path, body, token=token)
        assert answer.status < 300, (method, path, answer.status, answer.body, self.server.tail())
        return answer

    def token(self, *, admin: bool = False) -> str:
        """Register a token."""
        return self.must("PUT", "/register", {"admin": admin}).body.decode()

    def name(self) -> str:
        """A product's name that was not used yet."""
        return f"my-lib-{next(self._numbers)}"

    def product(self, token: str = "", *versions: str) -> str:
        """Make a product, with these versions; returns its name."""
        name = self.name()
        self.must("PUT", "/product/create", {"name": name}, token=token)
        for version in versions:
            answer = self.upload(name, version, token=token)
            assert answer.status == 201, answer.body
        return name

    def permit(self, product: str, token: str, *words: str, by: str = "") -> None:
        """Give a token these permissions, and no other."""
        said = {word: word in words for word in ("maintainer", "download", "upload", "delete")}
        self.must(
            "PUT",
            "/product/modify/addToken",
            {"product": product, "token": token, "permissions": said},
            token=by,
        )

    def upload(
        self, product: str, version: str, body: bytes = b"artifact", *, token: str | None = "", **form: Any
    ) -> Answer:
        """Upload one version, as the contract's form has it."""
        data, media_type = upload_form(product, version, body, **form)
        return self.ask("POST", "/product/upload", data, token=token, headers={"Content-Type": media_type})


def upload_form(
    product: str | None,
    version: str | None,
    body: bytes,
    *,
    filename: str | None = "my-lib.tar.gz",
    order: str = "product version file",
) -> tuple[bytes, str]:
    """The multipart body of an upload, its parts in this order, and its media type."""
    parts = {
        "product": None if product is None else ("", product.encode()),
        "version": None if version is None else ("", version.encode()),
        "file": (f'; filename="{filename}"' if filename else "", body),
        "extra": ("", b"1"),
    }
    data = b""
    for name in order.split():
        part = parts[name]
        if part is not None:
            head = f'--{_EDGE}\r\nContent-Disposition: form-data; name="{name}"{part[0]}\r\n\r\n'
            data += head.encode() + part[1] + b"\r\n"
    return data + f"--{_EDGE}--\r\n".encode(), f"multipart/form-data; boundary={_EDGE}"


def fingerprint(token: str) -> str:
    """What an answer says in place of a token."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def same_shape(example: object, found: object) -> bool:
    """Whether two JSON values have the same keys and types; `additionalProperties` stands for any number of keys."""
    if isinstance(example, dict) and isinstance(found, dict):
        if set(example) == {"additionalProperties"}:
            return all(same_shape(example["additionalProperties"], value) for value in found.values())
        return set(example) == set(found) and all(same_shape(example[key], found[key]) for key in example)
    if isinstance(example, list) and isinstance(found, list):
        return all(same_shape(example[0], value) for value in found)
    return type(example) is type(found)


def shown_like(example: str, found: object) -> bool:
    """Whether an answer has the shape of what the contract shows."""
    return same_shape(json.loads(EXAMPLES[example]), found)


@contextmanager
def service(folder: Path, **env: str) -> Iterator[Service]:
    """Start a server."""
    with serving(folder, **{**_UNLIMITED, **env}) as server:
        house = open_house(server.data)
        try:
            yield Service(server, house)
        finally:
            house.close()
