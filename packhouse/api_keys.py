"""Your own API keys: list, find, make and revoke them. The names are those of quilt3's `api_keys`.

import packhouse

key, secret = packhouse.api_keys.create("nightly build", expires_in_days=30)
packhouse.api_keys.revoke(key.id)
"""

import builtins
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from packhouse.client import session
from packhouse.client.connection import Answer, KeyRefused, Server, ServerRefused
from packhouse.client.reading import sensible, text
from packhouse.errors import Malformed
from packhouse.model import Json

__all__ = ["APIKey", "APIKeyError", "Status", "create", "get", "list", "revoke"]

T = TypeVar("T")

Status = Literal["ACTIVE", "EXPIRED"]

_PATH = "/api/1/keys/"
_FEWEST_DAYS, _MOST_DAYS = 1, 365


class APIKeyError(ServerRefused):
    """The server did not do it: the name is taken, there is no such key, the key at hand may not do that."""

    code = "api-key-error"


@dataclass(frozen=True, slots=True)
class APIKey:
    """An API key, without its secret.

    Attributes:
        id: number of the key on its server.
        name: by which its owner knows it.
        fingerprint: 12 hex digits by which people tell keys apart; no part of the secret.
        created_at, expires_at, last_used_at: aware times, UTC. `expires_at` is None for a service account's key that
            does not expire.
        status: `ACTIVE` or `EXPIRED`. Revoked keys are not listed.
        user_email: the login of the account that the key belongs to; Packhouse knows no mail addresses.
    """

    id: str
    name: str
    fingerprint: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    status: Status
    user_email: str

    @property
    def login(self) -> str:
        """The account that the key belongs to."""
        return self.user_email


def list(  # noqa: A001 - quilt3's own name for it
    name: str | None = None,
    fingerprint: str | None = None,
    status: Status | None = None,
    *,
    registry: str | None = None,
) -> builtins.list[APIKey]:
    """Return your API keys, oldest first; revoked ones are gone. A key sees only keys that may do no more than itself.

    Args:
        name: only keys of this name.
        fingerprint: only the key of this fingerprint.
        status: only `ACTIVE` or `EXPIRED` ones; None is all.
        registry: URL of any channel of the server; None is the configured one.

    Raises:
        ValueError: there is no such status.
        KeyRefused: there is no key to ask with, or it is no good.
        APIKeyError: the server says no.
        Unreachable: it does not answer; `TimedOut` if it is slow.
    """
    if status not in {None, "ACTIVE", "EXPIRED"}:
        raise ValueError(f"status is {status!r}; it should be ACTIVE, EXPIRED or None")
    wanted = {"name": name, "fingerprint": fingerprint, "status": status}
    return [
        key
        for key in _keys(_server(registry))
        if all(value is None or getattr(key, field) == value for field, value in wanted.items())
    ]


def get(id: str, *, registry: str | None = None) -> APIKey | None:  # noqa: A002 - quilt3's own name for it
    """Return one of your keys by its id, or None; arguments and errors are those of `list`."""
    return next((key for key in _keys(_server(registry)) if key.id == id), None)


def create(name: str, expires_in_days: int = 90, *, registry: str | None = None) -> tuple[APIKey, str]:
    """Make a key for yourself, and return it with its secret, which is told this once and stored nowhere.

    What it may do and how long is limited by the key that makes it. Where the connection breaks before the answer is
    here, the key may have been made: then its name is taken, which is the error, and it is to be revoked.

    Args:
        name: 1 to 100 characters, new among your active keys.
        expires_in_days: 1 to 365.
        registry: URL of any channel of the server; None is the configured one.

    Raises:
        APIKeyError: the server does not make it; the sentence says why.
        Malformed: `expires_in_days` is out of range.
        KeyRefused, Unreachable: as `list`.
    """
    if not _FEWEST_DAYS <= expires_in_days <= _MOST_DAYS:
        raise Malformed(f"expires_in_days is {expires_in_days}; choose {_FEWEST_DAYS} to {_MOST_DAYS}")
    server = _server(registry)
    said = _sent(server, _PATH, {"name": name, "expires_in_days": expires_in_days}).body
    with sensible(server.url):
        return _key(said["key"]), text(said, "secret")


def revoke(
    id: str | None = None,  # noqa: A002 - quilt3's own name for it
    secret: str | None = None,
    *,
    registry: str | None = None,
) -> None:
    """Revoke a key; the next request with it is refused.

    Args:
        id: of one of your keys.
        secret: of any key. Holding it is the right to end it, so no other key is needed: for one that leaked.
        registry: URL of any channel of the server; None is the configured one.

    Raises:
        ValueError: neither is given, or both.
        APIKeyError: there is no such active key, or it may do more than the key at hand.
        KeyRefused, Unreachable: as `list`.
    """
    if (id is None) == (secret is None):
        raise ValueError("which key? Give its id or its secret")
    if secret is not None:
        session.check_key(secret)
        _sent(session.stranger(session.registry_of(registry).server), f"{_PATH}revoke/", {"secret": secret})
        return
    server = _server(registry)
    # Only a number reaches the path: somebody may have given the secret for the id.
    if not (id or "").isascii() or not (id or "").isdigit():
        raise APIKeyError(
            404, "not-found", "an id is a number: packhouse.api_keys.list() shows those of your keys"
        )
    _answered(lambda: server.ask("DELETE", f"{_PATH}{id}/"))


def _server(registry: str | None) -> Server:
    return session.keyed(session.registry_of(registry).server)


def _keys(server: Server) -> Iterator[APIKey]:
    for page in _answered(lambda: builtins.list(server.pages(_PATH, {"per_page": "50"}))):
        with sensible(server.url):
            yield from [_key(item) for item in page.items if item["status"] != "revoked"]


def _key(item: Mapping[str, Json]) -> APIKey:
    expires, used = item["expires"], item["last_used"]
    return APIKey(
        id=str(item["id"]),
        name=text(item, "name"),
        fingerprint=text(item, "fingerprint"),
        created_at=datetime.fromisoformat(text(item, "created")),
        expires_at=None if expires is None else datetime.fromisoformat(expires),
        last_used_at=None if used is None else datetime.fromisoformat(used),
        status="ACTIVE" if item["status"] == "active" else "EXPIRED",
        user_email=text(item, "account"),
    )


def _sent(server: Server, path: str, fields: Mapping[str, Json]) -> Answer:
    body = json.dumps(fields).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return _answered(lambda: server.ask("POST", path, headers=headers, body=lambda: [body]))


def _answered(ask: Callable[[], T]) -> T:
    """Return the answer; a refusal that is not about the key itself becomes an `APIKeyError`."""
    try:
        return ask()
    except KeyRefused:
        raise
    except ServerRefused as refused:
        raise APIKeyError(refused.status, refused.reason_code, str(refused)) from refused
