"""`packhouse serve`: daemon, indexer and nginx on one data directory, in one terminal."""

import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from packhouse import webserver
from packhouse.assets import asset
from packhouse.cli.local import opened
from packhouse.cli.options import data_option, is_root, parse_listen
from packhouse.cli.programs import python_command, python_environment
from packhouse.cli.supervisor import Program, Supervisor
from packhouse.errors import BadSettings, Busy, PackhouseError, Unprocessable
from packhouse.house import House, initialise
from packhouse.model import Area
from packhouse.names import parse_channel

_PORT_WAIT_S = 3.0
"""How long a port may stay taken: an earlier `serve` that was just killed still holds it."""
_PATIENCE_S = 15.0
"""After how long a start that hangs says what it waits for."""
_LOOK_S = 0.1
_SETTINGS_S = 1.0
_ANY = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - compared, not bound

# What the programs write: time, logger, level, text; and nginx's own form.
_PYTHON_LINE = re.compile(
    r"(?:\d{4}-\d\d-\d\d[ T])?(?P<time>\d\d:\d\d:\d\d)(?:[.,]\d+)? [\w.]+(?:: | (?P<level>[A-Z]+) )(?P<text>.*)"
)
_NGINX_LINE = re.compile(r"\d{4}/\d\d/\d\d (?P<time>\d\d:\d\d:\d\d) \[(?P<level>\w+)\] \d+#\d+: (?P<text>.*)")
_LOUD = {
    "WARNING": "yellow",
    "WARN": "yellow",
    "ERROR": "red",
    "CRITICAL": "red",
    "ALERT": "red",
    "EMERG": "red",
}
_HEALTH = ' GET "/health" '
_COLOURS = {"uploadd": "cyan", "indexer": "green", "nginx": "magenta", "serve": "blue"}


@click.command(
    short_help="Start daemon, indexer and nginx on one data directory.",
    epilog="\b\nExample:\n  packhouse serve ~/packages --port 8080",
)
@click.argument("folder", metavar="[DATA]", required=False, type=click.Path(path_type=Path))
@data_option
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Where to listen."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 lets other machines in.",
)
def serve(folder: Path | None, data: Path, port: int, host: str) -> None:
    """Serve the data directory DATA: daemon, indexer and nginx, until Ctrl-C.

    Makes the directory and the channel `main` when they are not there, and prints the first admin key once.
    The default of DATA is `packhouse-data` in the current directory.
    """
    where = (folder or data).absolute()
    nginx = webserver.find_nginx()
    initialise(where)
    with opened(where) as house, house.locks.exclusive("serve", timeout_s=_PORT_WAIT_S) as mine:
        if not mine:
            raise Busy(f"another `packhouse serve` runs on {where}: one is enough, stop it first")
        _wait_for_port(host, port)
        click.echo(f"Packhouse keeps its data in {where}")
        awaited = _first_channel(house)
        _first_key(house)
        _configure(house, nginx, parse_listen(host, port))
        with Supervisor(_programs(where, nginx), _log) as supervisor:
            _wait_until_ready(supervisor, house, host, port, awaited)
            if not supervisor.asked_to_stop:
                supervisor.ready()
                _welcome(house, f"http://{_shown(host)}:{port}")
            _watch(supervisor, house)
            _log("serve", "stopping")
        _log("serve", "stopped; everything that was published stays published")


def _first_channel(house: House) -> Mapping[Area, int]:
    """Make the default channel if it is not there; returns what has to be published of it."""
    name = parse_channel(house.settings.default_channel)
    if house.catalog.channels.find(name) is not None:
        return {}
    awaited = house.create_channel(name)
    initialise(house.data, [name])
    return awaited


def _first_key(house: House) -> None:
    """Print the first admin key: only when nobody can get in as an admin."""
    if house.catalog.accounts.has_admin():
        return
    tries = ("admin", *(f"admin-{number}" for number in range(2, 100)))
    for name in tries:
        with suppress(Unprocessable):  # an expired key of that name is still there
            _key, secret = house.catalog.keys.create_for_service(name, admin=True)
            click.echo(
                f"\nThe key of the first admin. It is shown this once, so keep it:\n\n{secret}\n\n"
                "Packhouse's own commands read it from the variable PACKHOUSE_KEY. Other clients take it as the\n"
                "password, with any user name. `packhouse key create` makes more of them. To sign in with a browser,\n"
                f"make yourself an account: packhouse user create NAME --admin --data {house.data}\n"
            )
            return


def _configure(house: House, nginx: webserver.NginxBinary, listen: str) -> None:
    """Write nginx's files and let nginx judge them."""
    includes = webserver.render_includes(
        listen=[listen],
        default_channel=house.settings.default_channel,
        overwrite_channels=_overwritable(house),
        run_as_root=is_root(),
    )
    webserver.install(house.data, asset("nginx.conf").read_text(encoding="utf-8"), includes)
    tried = subprocess.run(
        webserver.test_command(nginx, house.data), cwd=house.data, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["nothing"])[0]
        raise BadSettings(f"{nginx.path} refuses the configuration below {house.data / 'state'}: {said}")


def _overwritable(house: House) -> list[str]:
    return [channel.name for channel in house.catalog.channels.list() if channel.overwrite]


def _programs(data: Path, nginx: webserver.NginxBinary) -> list[Program]:
    """Return what to run, in the order in which they are stopped: uploads under way are finished first."""
    return [
        Program(
            name="uploadd",
            command=python_command("uploadd", "--data", str(data)),
            cwd=Path.cwd(),
            environ=python_environment(),
            grace_s=25.0,  # a little more than the daemon gives to uploads under way
        ),
        # A relative `unix:` path in nginx.conf ignores the prefix: the working directory must be the data.
        Program(name="nginx", command=webserver.command(nginx, data), cwd=data, environ=dict(os.environ)),
        Program(
            name="indexer",
            command=python_command("indexer", "watch", "--data", str(data)),
            cwd=Path.cwd(),
            environ=python_environment(),
        ),
    ]


def _wait_for_port(host: str, port: int) -> None:
    """Pass when nobody listens on the address.

    Raises:
        Busy: somebody does.
        BadSettings: the address is none of this machine, or needs rights that this user does not have.
    """
    deadline = time.monotonic() + _PORT_WAIT_S
    while True:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)  # two sockets with SO_REUSEADDR may be bound to one port; only one may listen
                return
        except socket.gaierror as error:
            raise BadSettings(f"{host} is no address of this machine: {error.strerror}") from error
        except PermissionError as error:
            raise BadSettings(
                f"port {port} needs more rights than this user has: use one from 1024 on, such as --port 8080"
            ) from error
        except OSError as error:
            if time.monotonic() >= deadline:
                raise Busy(
                    f"{host} port {port} cannot be listened on ({error.strerror}): stop the program that uses it, "
                    f"or choose another one with --port {port + 1}"
                ) from error
            time.sleep(_LOOK_S)


def _wait_until_ready(
    supervisor: Supervisor, house: House, host: str, port: int, awaited: Mapping[Area, int]
) -> None:
    """Run the programs until all three answer and the first pages of a new channel are there."""
    patience = time.monotonic() + _PATIENCE_S
    look = 0.0
    while not supervisor.asked_to_stop:
        supervisor.turn(_LOOK_S)
        if (now := time.monotonic()) < look:
            continue
        look = now + _LOOK_S
        missing = _unhealthy(host, port)
        if not missing and (waiting := house.catalog.areas.unpublished(awaited)):
            missing = f"the first pages of {len(waiting)} areas are not written yet"
        if not missing:
            return
        if now > patience:
            _log("serve", f"still waiting: {missing}")
            patience = now + _PATIENCE_S


def _unhealthy(host: str, port: int) -> str:
    """Return what `/health` says is wrong, asked through nginx; empty when every part is fine."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=2)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"nginx does not answer ({error})"
    finally:
        connection.close()
    try:
        parts = json.loads(body)
        wrong = [f"{name}: {said}" for name, said in parts.items() if not str(said).endswith("is fine")]
    except (ValueError, AttributeError):
        return f"the daemon does not answer (status {answer.status})"
    if wrong:
        return "; ".join(wrong)
    return "" if answer.status == http.client.OK else f"the daemon answers with status {answer.status}"


def _watch(supervisor: Supervisor, house: House) -> None:
    """Run until asked to stop; tell nginx when a channel's settings change."""
    look = 0.0
    while not supervisor.asked_to_stop:
        supervisor.turn(_SETTINGS_S)
        if (now := time.monotonic()) < look:
            continue
        look = now + _SETTINGS_S
        try:
            if webserver.update_overwrite(house.data, _overwritable(house)):
                _log("serve", "the channels that let files be replaced changed; nginx knows them now")
        except PackhouseError as error:
            _log("serve", f"nginx was not told which channels let files be replaced: {error}")


def _reachable(host: str) -> str:
    """Return an address that reaches this machine where nginx listens."""
    return {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared


def _shown(host: str) -> str:
    shown = "localhost" if host in _ANY else host
    return f"[{shown}]" if ":" in shown else shown


def _welcome(house: House, url: str) -> None:
    channel = house.settings.default_channel
    click.echo(
        f"\n{click.style('Packhouse is ready', bold=True)} at {click.style(url, bold=True, underline=True)}"
        "  (Ctrl-C stops it)\n\n"
        f"  upload        PACKHOUSE_KEY=... packhouse push --server {url} --channel {channel} FILE...\n"
        f"  install       pip install --index-url {url}/{channel}/simple/ NAME\n"
        f"                conda install --channel {url}/{channel} NAME\n"
    )


def _log(name: str, line: str) -> None:
    """Print one line of the common log on standard error: time, program, text.

    Health checks are left out: our own, ten a second while we wait, would push the first key off the screen.
    """
    if _HEALTH in line:
        return
    match = _PYTHON_LINE.fullmatch(line) or _NGINX_LINE.fullmatch(line)
    level = (match["level"] or "INFO").upper() if match else "INFO"
    text = match["text"] if match else line
    at = match["time"] if match else time.strftime("%H:%M:%S")
    if level in _LOUD:
        text = click.style(f"{level.lower()}: {text}", fg=_LOUD[level])
    click.echo(
        f"{click.style(at, dim=True)} {click.style(f'{name:<7}', fg=_COLOURS.get(name))} {text}", err=True
    )
