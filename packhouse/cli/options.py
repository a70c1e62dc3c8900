"""Options that several commands share. Light to import: commands that talk to a server need no catalog."""

import os
from pathlib import Path

import click

from packhouse.errors import PackhouseError, Unavailable, Unprocessable

DEFAULT_DATA = "packhouse-data"
DEFAULT_SERVER = "http://127.0.0.1:8080"

# click takes an empty variable for an unset one, as all of Packhouse does.
data_option = click.option(
    "--data",
    envvar="PACKHOUSE_DATA",
    default=DEFAULT_DATA,
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="The data directory.",
)

server_option = click.option(
    "--server",
    envvar="PACKHOUSE_SERVER",
    default=DEFAULT_SERVER,
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The server to talk to; the key comes from PACKHOUSE_KEY or `packhouse login`.",
)

channel_option = click.option(
    "--channel", required=True, metavar="CHANNEL", help="The channel, such as main."
)


class SomeFailed(Unprocessable):
    """Some of several files or checks failed; each was said with its reason."""

    code = "some-failed"


def exit_code(error: PackhouseError) -> int:
    """Return the exit code of a refusal: 3 where trying again later is right, else 1."""
    return 3 if isinstance(error, Unavailable) else 1


def parse_listen(host: str, port: int) -> str:
    """Return nginx's spelling of an address; an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def is_root() -> bool:
    """Whether this process may do everything."""
    return os.geteuid() == 0
