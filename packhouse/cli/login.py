"""`packhouse login`, `logout` and `whoami`: a key for the commands that talk to a server."""

import os
import re
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime

import click

from packhouse.cli.asking import from_stdin, hidden
from packhouse.cli.options import server_option
from packhouse.cli.output import say
from packhouse.client.connection import Server
from packhouse.client.keys import find_key, kept_key
from packhouse.client.login import (
    Identity,
    check_server,
    check_store,
    end_key,
    forget,
    is_open,
    keep,
    make_key,
)
from packhouse.client.login import whoami as ask_who
from packhouse.errors import Malformed, PackhouseError

_DAYS, _MOST_DAYS = 90, 365
_KEY = re.compile(r"pkh-[0-9A-Za-z]+")


@click.command(
    short_help="Keep a key for a server, so that other commands need none.",
    epilog="\b\nExamples:\n  packhouse login --server https://packages.example\n"
    "  packhouse login --server https://packages.example --user ann --keyring\n"
    "  packhouse login --server https://packages.example --key-stdin < key.txt",
)
@server_option
@click.option("--user", help="Sign in with the password of this user, and let the server make a key.")
@click.option("--key-stdin", is_flag=True, help="Read an API key from standard input.")
@click.option("--password-stdin", is_flag=True, help="Read the password of --user from standard input.")
@click.option("--keyring", is_flag=True, help="Keep the key in the system's keyring, not in a file.")
@click.option(
    "--expires-days",
    default=_DAYS,
    show_default=True,
    type=click.IntRange(1, _MOST_DAYS),
    metavar="N",
    help="How long a key works that the server makes.",
)
def login(
    server: str, user: str | None, key_stdin: bool, password_stdin: bool, keyring: bool, expires_days: int
) -> None:
    """Keep an API key for a server: one that you have, or a new one, made with your user name and password.

    The key lies in ~/.config/packhouse/keys.toml, which only you may read, or in the keyring. The password is not kept.
    """
    if key_stdin and (user is not None or password_stdin):
        raise click.UsageError(
            "--key-stdin takes a key, and a key knows its user: leave out the other options"
        )
    if password_stdin and user is None:
        raise click.UsageError("--password-stdin needs --user: whose password is it?")
    url = check_server(server)
    check_store(in_keyring=keyring)
    if is_open(url):
        say(f"warning: {url} is not encrypted, and whoever is on the way can read what is sent; use https://")
    if user is None and not key_stdin and sys.stdin.isatty():
        user = click.prompt("User name (empty to give an API key)", default="", show_default=False, err=True)
    if user:
        password = (
            from_stdin("password") if password_stdin else hidden("Password", instead="--password-stdin")
        )
        key = make_key(Server(url), user, password, name=_key_name(), days=expires_days)
    else:
        key = from_stdin("key") if key_stdin else hidden("API key", instead="--key-stdin")
        _check_key(key)
    try:
        who = ask_who(Server(url, key))
        where = keep(url, key, in_keyring=keyring)
    except PackhouseError:
        if user:  # the key was made just now, and nobody holds it
            with suppress(PackhouseError):
                end_key(Server(url), key)
        raise
    say(f"signed in to {url} as {who.login}; the key lies in {where}")
    if os.environ.get("PACKHOUSE_KEY"):
        say("the variable PACKHOUSE_KEY is set in this shell, and wins over it: unset it")


def _key_name() -> str:
    """Return a name by which the user knows the key again; new each time, since an earlier one may still work."""
    host = "".join(char for char in socket.gethostname() if char.isprintable())[:50].strip()
    return f"login on {host} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise Malformed("that is no API key: one begins with pkh- and is one word; nothing was sent")


@click.command(
    short_help="Forget the key for a server.",
    epilog="\b\nExamples:\n  packhouse logout --server https://packages.example\n"
    "  packhouse logout --server https://packages.example --revoke",
)
@server_option
@click.option("--revoke", is_flag=True, help="Let the server revoke the key first: it is worth nothing then.")
def logout(server: str, revoke: bool) -> None:
    """Forget the key that `packhouse login` kept for a server. Without --revoke the key itself works on."""
    url = check_server(server)
    key = kept_key(url) if revoke else None
    if key is not None:
        end_key(Server(url), key)
    gone = forget(url)
    say(f"the key for {url} is forgotten here" if gone else f"no key for {url} was kept")
    if os.environ.get("PACKHOUSE_KEY"):
        say("the variable PACKHOUSE_KEY is set in this shell, and still holds a key: unset it")


@click.command(
    short_help="Say whom a server takes you for.",
    epilog="\b\nExample:\n  packhouse whoami --server https://packages.example",
)
@server_option
def whoami(server: str) -> None:
    """Say whom the server takes the key's holder for, and in which groups they are."""
    url = check_server(server)
    click.echo(_shown(ask_who(Server(url, find_key(url)))))


def _shown(who: Identity) -> str:
    kind = "service account" if who.kind == "service" else who.kind
    groups = f", in {', '.join(who.groups)}" if who.groups else ""
    return f"{who.login} ({kind}{', admin' if who.admin else ''}){groups}"
