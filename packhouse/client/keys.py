"""Where a client's API keys lie: the variable PACKHOUSE_KEY, then the login store.

The store is one TOML file of server URL to key, `$XDG_CONFIG_HOME/packhouse/keys.toml` (`~/.config` where the
variable is unset), which only its owner may read:

    "https://packages.example" = "pkh-..."
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from packhouse.errors import Unauthenticated


def find_key(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the API key for a server.

    Args:
        url: the server's, with or without a slash at the end.
        environ: the environment; an empty variable is unset.

    Raises:
        Unauthenticated: there is none; the store is readable by others or is no TOML; or what was found
            cannot be a key. The sentence never shows a key.
    """
    key, source = environ.get("PACKHOUSE_KEY", "").strip(), "PACKHOUSE_KEY"
    if not key:
        path = _path(environ)
        key, source = _stored(path, url), str(path)
    if not key:
        raise Unauthenticated(
            f"no key for {url}: set PACKHOUSE_KEY to an API key of the server (`packhouse key create` makes one "
            f'there), or write it into {source} (mode 600) as a line "{url}" = "pkh-..."'
        )
    if not key.isascii() or not key.isprintable():
        raise Unauthenticated(f"{source} holds characters that no key has: copy it again")
    return key


def _path(environ: Mapping[str, str]) -> Path:
    # XDG base directories: "If $XDG_CONFIG_HOME is either not set or empty, a default equal to $HOME/.config".
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    return Path(home) / "packhouse" / "keys.toml"


def _stored(path: Path, url: str) -> str:
    try:
        with path.open("rb") as file:
            # Of the open file: what is read is what was looked at.
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Unauthenticated(f"{path} can be read by others: run `chmod 600 {path}`, then try again")
            kept = {name.rstrip("/"): key for name, key in tomllib.load(file).items()}
    except FileNotFoundError:
        return ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Unauthenticated(
            f"{path} cannot be read as TOML: {type(error).__name__}; mend or remove it"
        ) from error
    key = kept.get(url.rstrip("/"), "")
    if not isinstance(key, str):
        raise Unauthenticated(f"{path} holds no text for {url}: a key stands in quotes")
    return key.strip()
