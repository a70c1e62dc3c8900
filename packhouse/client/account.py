"""Signing in and out, and the configuration: `packhouse.login()`, `logout()`, `logged_in()`, `config()`."""

import getpass
import os
import sys
import webbrowser
from itertools import count
from urllib.parse import urlsplit

from packhouse.client import session
from packhouse.client.connection import KeyRefused, Missing, ServerRefused
from packhouse.client.login import check_store, forget, is_open, keep, whoami
from packhouse.client.preferences import Config, config_path, read_config, write_config
from packhouse.client.registry import parse_registry, parse_server
from packhouse.errors import BadSettings, Malformed, Unauthenticated

_DEFAULT_CHANNEL = "main"
_LOOKS, _LOOK_S = 8, 0.25


def config(*catalog_url: str, **config_values: str | float | None) -> Config:
    """Read or set the client's configuration, and return it.

    Without arguments it is read. With one URL the client is configured for what is there: a channel, or a server,
    whose channel is then `main`. With `key=value` pairs those settings are set; None takes one back to its default.
    It lies in `~/.config/packhouse/config.toml`.

    Args:
        *catalog_url: at most one URL, such as `https://packages.example/main`.
        **config_values: `registry`, `connect_timeout_s`, `timeout_s`, `tries`; see `Config`.

    Raises:
        BadSettings: a setting is unknown, of the wrong type or out of range, or nothing at the URL is a Packhouse.
        Malformed: that is no URL.
        Unreachable: nothing answers there.
        StorageFull, Unavailable: the file cannot be written; it is as it was.
    """
    path = config_path()
    if catalog_url:
        if len(catalog_url) > 1 or config_values:
            raise BadSettings("give one URL, or settings by their names, and not both")
        return write_config(path, {"registry": _discovered(catalog_url[0])})
    return write_config(path, config_values) if config_values else read_config(path)


def _discovered(url: str) -> str:
    """Return the URL of the channel that is meant, after asking whether a Packhouse is there."""
    server = parse_server(url)
    where = parse_registry(server if urlsplit(server).path else f"{server}/{_DEFAULT_CHANNEL}")
    asked = session.stranger(where.server)
    for look in count(1):
        try:
            if type(asked.ask("GET", f"/{where.channel}/serial.json").body.get("serial")) is int:
                return where.url
            break
        except KeyRefused:
            return where.url  # a private channel, which a stranger is not told of
        except ServerRefused as refused:
            if look == _LOOKS or not isinstance(refused, Missing):
                break
            asked.sleep(_LOOK_S)  # a channel that was made a moment ago has no such file yet
    raise BadSettings(f"{where.url} does not answer as a channel of a Packhouse does: is the address right?")


def login() -> None:
    """Sign in to the configured server with an API key that you make in the browser.

    The server's page of keys is opened in a browser, and the key is asked for here; where no browser can be opened,
    the page's address is shown. The key is tried and then kept as `packhouse login` keeps it:
    `~/.config/packhouse/keys.toml`, readable by you alone.

    Raises:
        ValueError: what was typed is no API key.
        KeyRefused: the server does not take it. Nothing was kept.
        Unauthenticated: nobody is there to be asked, or the login store is damaged or open to others.
        Malformed: no registry is configured.
        Unreachable: the server does not answer.
    """
    server = session.registry_of(None).server
    check_store()
    page = f"{server}/account/"
    if is_open(server):
        _say(
            f"warning: {server} is not encrypted, and whoever is on the way can read what is sent; use https://"
        )
    _say(
        f"Make an API key at {page} and give it here."
        if _open(page)
        else f"Open {page}, make an API key there."
    )
    try:
        key = getpass.getpass("API key (not shown): ").strip()
    except EOFError as error:
        raise Unauthenticated(
            "there is nobody to ask for a key: use packhouse.login_with_api_key(key), or set PACKHOUSE_KEY"
        ) from error
    session.check_key(key)
    who = whoami(session.with_key(server, key))
    where = keep(server, key)
    _say(f"Signed in to {server} as {who.login}; the key lies in {where}.")


def logged_in() -> str | None:
    """Return the configured server's address if there is a key for it, else None. Nothing is asked of the server.

    Raises:
        Unauthenticated: the login store is damaged or open to others.
        BadSettings: the configuration is damaged.
    """
    try:
        server = session.registry_of(None).server
    except Malformed:
        return None
    return server if session.current_key(server) else None


def logout() -> None:
    """Forget the key in memory and the one that a login kept for the configured server; the key itself works on.

    `packhouse.api_keys.revoke` ends a key. The variable PACKHOUSE_KEY is not this function's to unset.

    Raises:
        Unauthenticated: the login store is damaged or open to others.
    """
    session.clear_api_key()
    url = session.configured().registry
    if url is not None:
        forget(parse_registry(url).server)
    if os.environ.get("PACKHOUSE_KEY"):
        _say("the variable PACKHOUSE_KEY still holds a key: unset it")


def _open(page: str) -> bool:
    try:
        return webbrowser.open(page)
    except (webbrowser.Error, OSError):
        return False


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - `login` talks to a person
