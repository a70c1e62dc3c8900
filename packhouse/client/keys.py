"""Where a client's API keys lie: the variable PACKHOUSE_KEY, then the login store.

The store is one TOML file of server URL to key, `$XDG_CONFIG_HOME/packhouse/keys.toml` (`~/.config` where the
variable is unset), which only its owner may read. A key that lies in the system's keyring has a line too, so that no
keyring is unlocked for a server that has none there:

    "https://packages.example" = "pkh-..."
    "https://other.example" = "keyring"
"""

import importlib
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packhouse.errors import Unauthenticated

IN_KEYRING = "keyring"
"""What the store says of a key that lies in the system's keyring."""

KEYRING_USER = "__token__"
"""The user name of keys in the keyring: pip, uv and twine ask for a key under this name too."""


def find_key(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the API key for a server.

    Args:
        url: the server's, with or without a slash at the end.
        environ: the environment; an empty variable is unset.

    Raises:
        Unauthenticated: there is none; the store is readable by others or is no TOML; the keyring does not give
            it; or what was found cannot be a key. The sentence never shows a key.
    """
    key, source = environ.get("PACKHOUSE_KEY", "").strip(), "PACKHOUSE_KEY"
    if not key:
        path = store_path(environ)
        key, source = _stored(path, url), str(path)
    if not key:
        raise Unauthenticated(
            f"no key for {url}: run `packhouse login --server {url}`, or set PACKHOUSE_KEY to an API key of the "
            f'server, or write it into {source} (mode 600) as a line "{url}" = "pkh-..."'
        )
    if key == IN_KEYRING:
        key, source = _from_keyring(url), "the keyring"
    return _checked(key, source)


def kept_key(url: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the key that the login store or the keyring holds for a server, whatever PACKHOUSE_KEY says; or None.

    Raises:
        Unauthenticated: as `find_key`.
    """
    path = store_path(environ)
    key = _stored(path, url)
    if key == IN_KEYRING:
        return _checked(_from_keyring(url), "the keyring")
    return _checked(key, str(path)) if key else None


def _checked(key: str, source: str) -> str:
    if not key.isascii() or not key.isprintable():
        raise Unauthenticated(f"{source} holds characters that no key has: copy it again")
    return key


def store_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the login store lies."""
    # XDG base directories: "If $XDG_CONFIG_HOME is either not set or empty, a default equal to $HOME/.config".
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    return Path(home) / "packhouse" / "keys.toml"


def read_store(path: Path) -> dict[str, Any]:
    """Return what the login store holds, by server (see `server_name`); nothing without a store.

    Raises:
        Unauthenticated: others may read it, or it cannot be read as TOML.
    """
    try:
        with path.open("rb") as file:
            # Of the open file: what is read is what was looked at.
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Unauthenticated(f"{path} can be read by others: run `chmod 600 {path}`, then try again")
            return {server_name(name): key for name, key in tomllib.load(file).items()}
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Unauthenticated(
            f"{path} cannot be read as TOML: {type(error).__name__}; mend or remove it"
        ) from error


def server_name(url: str) -> str:
    """Return the one spelling of a server's address: lower case where case means nothing, no slash at the end."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}".rstrip("/")


def keyring() -> Any:
    """Return the module `keyring`, which is no dependency of Packhouse.

    Raises:
        Unauthenticated: it is not installed.
    """
    try:
        importlib.import_module("keyring.errors")
        return importlib.import_module("keyring")
    except ImportError as error:
        raise Unauthenticated(
            "the Python package keyring is not installed here: install packhouse[keyring], or log in without --keyring"
        ) from error


def keyring_service(url: str) -> str:
    """Return under which name the keyring holds a server's key: its host and port, as pip and uv ask for it."""
    return urlsplit(server_name(url)).netloc


def _stored(path: Path, url: str) -> str:
    key = read_store(path).get(server_name(url), "")
    if not isinstance(key, str):
        raise Unauthenticated(f"{path} holds no text for {url}: a key stands in quotes")
    return key.strip()


def _from_keyring(url: str) -> str:
    ring = keyring()
    try:
        key = ring.get_password(keyring_service(url), KEYRING_USER)
    except Exception as error:  # backends raise what their libraries raise
        raise Unauthenticated(f"the keyring does not give the key for {url}: {error}") from error
    if not key:
        raise Unauthenticated(
            f"the keyring holds no key for {url} any more: run `packhouse login --server {url}`"
        )
    return str(key).strip()
