"""Which key is shown to which server: the one in memory, then PACKHOUSE_KEY, then what a login kept."""

import os
import re
import threading

from packhouse.client.connection import KeyRefused, Server
from packhouse.client.keys import find_key, kept_key
from packhouse.client.preferences import Config, config_path, read_config
from packhouse.client.registry import Registry, parse_registry
from packhouse.errors import Malformed

_KEY = re.compile(r"pkh-[0-9A-Za-z]+")
_lock = threading.Lock()
_in_memory = ""


def login_with_api_key(key: str) -> None:
    """Show this key to every server that this process asks from now on.

    It is kept in memory only, and while it is set it goes before every other key. `clear_api_key` takes it back.

    Raises:
        ValueError: that is no API key. The key is not in the sentence.
    """
    check_key(key)
    _set(key)


def clear_api_key() -> None:
    """Forget the key of `login_with_api_key`: the variable PACKHOUSE_KEY or what a login kept counts again."""
    _set("")


def check_key(key: str) -> None:
    """Pass if a text can be an API key; raises ValueError."""
    if not _KEY.fullmatch(key):
        raise ValueError("that is no API key: one begins with pkh- and is one word of letters and digits")


def _set(key: str) -> None:
    global _in_memory  # noqa: PLW0603 - the one thing that `login_with_api_key` is for
    with _lock:
        _in_memory = key


def current_key(server: str) -> str:
    """Return the key for a server; empty without one.

    Raises:
        Unauthenticated: the login store is damaged or open to others, or the keyring does not give the key.
    """
    if _in_memory:
        return _in_memory
    if os.environ.get("PACKHOUSE_KEY", "").strip():
        return find_key(server)
    return kept_key(server) or ""


def configured() -> Config:
    """Return the configuration as it is now; raises `BadSettings`."""
    return read_config(config_path())


def registry_of(url: str | None) -> Registry:
    """Return the channel that a URL names, or the configured one.

    Raises:
        Malformed: it names no channel, or nothing is named and nothing is configured.
    """
    url = url or configured().registry
    if url is None:
        raise Malformed(
            "which channel? Name it with registry=, such as http://localhost:8080/main, or once and for all with "
            "packhouse.config(registry=...)"
        )
    return parse_registry(url)


def stranger(server: str) -> Server:
    """Return the server, asked without a key and as patiently as is configured."""
    return _server(server, "")


def keyed(server: str, why: str = "") -> Server:
    """Return the server, asked with the key.

    Args:
        server: its address.
        why: how the refusal begins, for whoever did not expect to need a key.

    Raises:
        KeyRefused: there is no key for it.
        Unauthenticated: as `current_key`.
    """
    key = current_key(server)
    if not key:
        raise KeyRefused(
            401,
            "unauthenticated",
            f"{why}there is no key for {server}: call packhouse.login() or packhouse.login_with_api_key(key), or set "
            "PACKHOUSE_KEY",
        )
    return _server(server, key)


def with_key(server: str, key: str) -> Server:
    """Return the server, asked with this key."""
    return _server(server, key)


def _server(server: str, key: str) -> Server:
    config = configured()
    return Server(
        server, key, connect_s=config.connect_timeout_s, silence_s=config.timeout_s, tries=config.tries
    )
