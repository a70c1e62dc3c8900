"""Signing in: getting a key from a server, asking whose it is, keeping it and forgetting it."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from urllib.parse import urlsplit

from packhouse.client.connection import Server, ServerRefused
from packhouse.client.keys import (
    IN_KEYRING,
    KEYRING_USER,
    keyring,
    keyring_service,
    read_store,
    server_name,
    store_path,
)
from packhouse.errors import Malformed, NotFound, Unauthenticated
from packhouse.tree import fsio

_OWNER_ONLY, _OWNERS_FOLDER = 0o600, 0o700
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEAD = "# API keys that `packhouse login` keeps, by server. Only you may read this file.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom the server takes somebody for. `kind` is `user` or `service`."""

    login: str
    kind: str
    admin: bool
    groups: tuple[str, ...]


def check_server(url: str) -> str:
    """Return a server's address as the store holds it.

    Raises:
        Malformed: it is no address, or holds a user name and a password, which `ps` would show.
    """
    if "@" in urlsplit(url).netloc:
        raise Malformed("leave user name and password out of the server's address: they are asked for")
    return server_name(Server(url).url)


def is_open(url: str) -> bool:
    """Whether what is sent to the server can be read on the way."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def whoami(server: Server) -> Identity:
    """Return who the server says its key belongs to.

    Raises:
        ServerRefused: the key is unknown, revoked or expired, or the server knows no such question.
        Unreachable: it does not answer.
    """
    said = server.ask("GET", "/api/1/whoami/").body
    if not said.get("login"):
        raise ServerRefused(
            200, "", f"{server.url} does not answer as a Packhouse does: is the address right?"
        )
    return Identity(
        login=str(said["login"]),
        kind=str(said.get("kind", "")),
        admin=said.get("admin") is True,
        groups=tuple(map(str, said.get("groups") or ())),
    )


def make_key(server: Server, user: str, password: str, *, name: str, days: int) -> str:
    """Let the server make a key for the user whose password this is; returns the secret.

    Args:
        server: without a key.
        user: name of the account.
        password: of the account; it is sent this once and kept nowhere.
        name: of the key, new among the user's.
        days: how long the key works.

    Raises:
        ServerRefused: the password is wrong, or the server makes no key.
        Unreachable: it does not answer.
    """
    if ":" in user:  # RFC 7617: "a user-id containing a colon character is invalid"
        raise Malformed(f"{user!r} is no user name: it has a colon")
    shown = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    body = json.dumps({"name": name, "expires_in_days": days}).encode()
    headers = {
        "Authorization": f"Basic {shown}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    secret = server.ask("POST", "/api/1/keys/", headers=headers, body=lambda: [body]).body.get("secret")
    if not isinstance(secret, str) or not secret:
        raise ServerRefused(200, "", f"{server.url} made no key: is it a Packhouse of this version?")
    return secret


def end_key(server: Server, key: str) -> None:
    """Let the server revoke a key; one that it does not know any more is fine.

    Raises:
        ServerRefused: it says no.
        Unreachable: it does not answer.
    """
    body = json.dumps({"secret": key}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    try:
        server.ask("POST", "/api/1/keys/revoke", headers=headers, body=lambda: [body])
    except ServerRefused as refused:
        if refused.reason_code != NotFound.code:
            raise


def check_store(environ: Mapping[str, str] = os.environ, *, in_keyring: bool = False) -> None:
    """Pass if a key could be kept; asked before a server is let make one.

    Raises:
        Unauthenticated: the store is damaged or open to others, or there is no keyring.
        StorageFull, Unavailable: its folder cannot be made.
    """
    with _store(store_path(environ)) as (_, kept):
        _texts(kept)
    if in_keyring:
        keyring()


def keep(url: str, key: str, environ: Mapping[str, str] = os.environ, *, in_keyring: bool = False) -> str:
    """Keep a server's key for later commands, instead of an earlier one; returns where it lies now.

    Raises:
        Unauthenticated: the store is damaged or open to others, or the keyring does not take the key.
        StorageFull, Unavailable: the file cannot be written; it is as it was.
    """
    path = store_path(environ)
    with _store(path) as (folder, kept):
        lines = _texts(kept)
        if in_keyring:
            _to_keyring(url, key)
        elif lines.get(server_name(url)) == IN_KEYRING:
            _out_of_keyring(url)
        lines[server_name(url)] = IN_KEYRING if in_keyring else key
        _write(folder, path, lines)
    return "the keyring" if in_keyring else str(path)


def forget(url: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Forget a server's key, in the keyring too; False if none was kept.

    Raises:
        Unauthenticated: the store is damaged or open to others, or the keyring keeps the key.
        StorageFull, Unavailable: the file cannot be written; it is as it was.
    """
    path = store_path(environ)
    if not path.exists():
        return False
    with _store(path) as (folder, kept):
        lines = _texts(kept)
        gone = lines.pop(server_name(url), None)
        if gone is None:
            return False
        if gone == IN_KEYRING:
            _out_of_keyring(url)
        _write(folder, path, lines)
    return True


@contextmanager
def _store(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Hold the store's folder and what the store says, while no other login changes it."""
    with fsio.answering(str(path.parent)):
        for missing in (
            folder for folder in (*reversed(path.parent.parents), path.parent) if not folder.exists()
        ):
            with suppress(FileExistsError):  # another login was faster
                fsio.mkdir(missing)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(folder, LOCK_EX)
        yield folder, read_store(path)
    finally:
        os.close(folder)


def _texts(kept: Mapping[str, object]) -> dict[str, str]:
    for url, key in kept.items():
        if not isinstance(key, str):
            raise Unauthenticated(f"the login store holds no text for {url}: mend or remove the line first")
    return {url: str(key) for url, key in kept.items()}


def _write(folder: int, path: Path, lines: Mapping[str, str]) -> None:
    # TOML takes JSON's strings, but for DEL, which has to be escaped there.
    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    with fsio.answering(str(path.parent)):
        fsio.chmod(folder, _OWNERS_FOLDER)
    # The file beside it is made with this mode: nobody else can open it at any moment.
    body = _HEAD + "".join(f"{text(url)} = {text(key)}\n" for url, key in sorted(lines.items()))
    fsio.write_atomic(path, body.encode(), _OWNER_ONLY)


def _to_keyring(url: str, key: str) -> None:
    ring = keyring()
    try:
        ring.set_password(keyring_service(url), KEYRING_USER, key)
        kept = ring.get_password(keyring_service(url), KEYRING_USER)
    except Exception as error:  # backends raise what their libraries raise
        raise Unauthenticated(
            f"the keyring does not take the key ({error}): log in without --keyring"
        ) from error
    if kept != key:  # the backend `null` takes everything and keeps nothing
        raise Unauthenticated("no keyring is set up here that keeps the key: log in without --keyring")


def _out_of_keyring(url: str) -> None:
    ring = keyring()
    try:
        ring.delete_password(keyring_service(url), KEYRING_USER)
    except ring.errors.PasswordDeleteError:
        return  # it is not there any more
    except Exception as error:  # backends raise what their libraries raise
        raise Unauthenticated(f"the keyring does not let go of the key for {url}: {error}") from error
