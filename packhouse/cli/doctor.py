"""`packhouse doctor`: what is wrong with this installation, and how to mend it."""

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from packhouse import heartbeat, webserver
from packhouse.cli.options import SomeFailed, data_option
from packhouse.cli.output import moment
from packhouse.cli.publishing import indexer_runs
from packhouse.errors import Busy, NotAPackhouse, PackhouseError, Unavailable
from packhouse.house import FOLDERS, House, open_house
from packhouse.intake import refusals as inbox
from packhouse.settings import load

_INODES = 10_000
_HEARTBEAT_S = 120
_SHOWN = 5
_OLDEST = 1_750_000_000
"""A clock before mid-2025, in seconds since 1970, was never set."""
_CATALOG = "state/catalog.sqlite"
_HERE = "; see `packhouse doctor`"
_RESTORE = (
    f"stop Packhouse, restore {_CATALOG} from a backup (docs/operator.md), "
    "then run `indexer reindex` and `indexer check`"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what is so, and how to mend it (empty if nothing is wrong)."""

    what: str
    so: str
    mend: str = ""


Check = Callable[[House], Iterator[Finding]]


@click.command(
    short_help="Say what is wrong here, and how to mend it.",
    epilog="\b\nExample:\n  packhouse doctor --data packhouse-data",
)
@data_option
def doctor(data: Path) -> None:
    """Look at everything that this installation needs, and say what is wrong and how to mend it."""
    problems = 0
    for finding in examine(data.absolute()):
        problems += bool(finding.mend)
        word = (
            click.style("problem", fg="red", bold=True)
            if finding.mend
            else click.style("ok     ", fg="green")
        )
        click.echo(f"{word}  {finding.what}: {finding.so}")
        if finding.mend:
            click.echo(f"         mend it: {finding.mend}")
    if problems:
        raise SomeFailed(f"{problems} problem{'s' if problems > 1 else ''} found")


def examine(data: Path) -> Iterator[Finding]:
    """Yield every finding about a data directory; what cannot be opened ends the examination early."""
    yield _python()
    yield _clock()
    yield from _nginx()
    if not data.is_dir():
        yield Finding("data", f"{data} is no directory", f"make one with `packhouse serve {data}`")
        return
    yield from _folders(data)
    try:
        settings = load(data)
        yield Finding("settings", "they can be read")
        house = open_house(data)
    except PackhouseError as error:
        yield _closed(data, error)
        return
    with closing(house):
        yield _room(house, settings.min_free_bytes)
        for check in (_catalog, _daemon, _indexer, _areas, _pending, _inbox, _configuration):
            try:
                yield from check(house)
            except (PackhouseError, OSError) as error:
                yield Finding(
                    check.__name__.strip("_"), str(error), "do what the sentence says, then look again"
                )


def _closed(data: Path, error: PackhouseError) -> Finding:
    """Say why a data directory cannot be opened."""
    if isinstance(error, Unavailable) and not isinstance(error, Busy):
        # The sentence sends people here; it must not send them round in a circle.
        return Finding("catalog", str(error).removesuffix(_HERE), _RESTORE)
    catalog = data / _CATALOG
    gone = (data / "state").is_dir() and not (catalog.is_file() and catalog.stat().st_size)
    if isinstance(error, NotAPackhouse) and gone:
        return Finding("catalog", str(error), _RESTORE)
    return Finding("data", str(error), "do what the sentence says, then look again")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", f"{version} at {sys.executable}")


def _clock() -> Finding:
    now = time.time()
    said = moment(int(now * 1_000_000))
    if now < _OLDEST:
        return Finding(
            "clock", f"it says {said} UTC", "set it (timedatectl set-ntp true): upload times come from it"
        )
    return Finding("clock", f"{said} UTC")


def _nginx() -> Iterator[Finding]:
    try:
        found = webserver.find_nginx()
    except PackhouseError as error:
        yield Finding("nginx", "none was found", str(error))
        return
    ran = subprocess.run([str(found.path), "-v"], capture_output=True, text=True, check=False)
    version = (ran.stderr or ran.stdout).strip().removeprefix("nginx version: ")
    if ran.returncode:
        yield Finding("nginx", f"{found.path} does not start: {version}", "install it again")
    else:
        yield Finding("nginx", f"{version} at {found.path} ({found.origin})")


def _folders(data: Path) -> Iterator[Finding]:
    home = data.stat()
    if home.st_uid != os.geteuid():
        yield Finding(
            "owner",
            f"{data} belongs to user {home.st_uid}, this command runs as user {os.geteuid()}",
            "run it as the owner",
        )
    missing = [folder for folder in FOLDERS if not (data / folder).is_dir()]
    if missing:
        yield Finding(
            "folders",
            f"{', '.join(missing)} are missing",
            f"`packhouse serve {data}` makes them; is this the right one?",
        )
        return
    strays = [folder for folder in FOLDERS if (data / folder).stat().st_dev != home.st_dev]
    foreign = [folder for folder in FOLDERS if (data / folder).stat().st_uid != home.st_uid]
    closed = [folder for folder in FOLDERS if not os.access(data / folder, os.R_OK | os.W_OK | os.X_OK)]
    open_ = [
        folder for folder in ("", *FOLDERS) if stat.S_IMODE((data / folder).stat().st_mode) & stat.S_IWOTH
    ]
    for folders, so, mend in (
        (strays, "lie on another file system", "move them back: uploads are linked into place, not copied"),
        (foreign, "belong to another user", f"chown -R {home.st_uid} {data}"),
        (closed, "cannot be read and written", f"chmod -R u+rwX {data}"),
        (
            open_,
            "can be written by everyone",
            f"chmod -R o-w {data}: whoever writes there publishes what they like",
        ),
    ):
        if folders:
            yield Finding("folders", f"{', '.join(folder or str(data) for folder in folders)} {so}", mend)
    if not (strays or foreign or closed or open_):
        yield Finding("folders", "all are there, on one file system, with the right owner and modes")


def _room(house: House, least: int) -> Finding:
    room = os.statvfs(house.data)
    free, inodes = room.f_bavail * room.f_frsize, room.f_favail
    said = f"{free / 1e9:.1f} GB free" + (f", {inodes} inodes" if room.f_files else "")
    if free < least:
        mend = "free some space or lower min_free_bytes: uploads are refused now"
        return Finding("disk", f"{said}; uploads need {least / 1e9:.1f} GB", mend)
    if room.f_files and inodes < _INODES:
        return Finding("disk", said, "make room for more files: each package needs one, each shard another")
    return Finding("disk", said)


def _catalog(house: House) -> Iterator[Finding]:
    # Opening it has migrated it: a catalog of a newer Packhouse was refused above.
    said = house.catalog.check()
    channels = house.catalog.channels.list()
    if said != "ok":
        yield Finding(
            "catalog",
            said,
            _RESTORE,
        )
    else:
        yield Finding("catalog", f"sound, of the newest version, {len(channels)} channels")
    if house.settings.default_channel not in {channel.name for channel in channels}:
        name = house.settings.default_channel
        yield Finding(
            "channels", f"the default channel {name} is not there", f"`packhouse channel create {name}`"
        )
    if house.catalog.accounts.has_admin():
        yield Finding("keys", "an admin can get in")
    else:
        yield Finding("keys", "no admin key is active", "`packhouse key create NAME --admin`")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _daemon(house: House) -> Iterator[Finding]:
    connection = _UnixConnection(house.settings.socket)
    try:
        connection.request("GET", "/health")
        parts = json.loads(connection.getresponse().read())
        wrong = [str(said) for said in parts.values() if not str(said).endswith("is fine")]
    except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        yield Finding(
            "daemon",
            f"it does not answer on {house.settings.socket} ({said}); uploads are not possible, reading is",
            "start it: `packhouse serve`, or the systemd unit of uploadd",
        )
        return
    finally:
        connection.close()
    if wrong:
        yield Finding("daemon", "; ".join(wrong), "do what the sentence says")
    else:
        yield Finding("daemon", "it answers, and every part of it is fine")


def _indexer(house: House) -> Iterator[Finding]:
    start = "start it: `packhouse serve`, or the systemd unit of the indexer"
    if not indexer_runs(house):
        yield Finding("indexer", "none runs; uploads are stored but not listed", start)
        return
    said = heartbeat.read(house)
    failing = [f"{item.area}: {item.reason}" for item in said.failing]
    if not said.round_us:
        yield Finding(
            "indexer", "it runs, but has said nothing yet", "look again in a moment; else read its log"
        )
        return
    silent_s = (house.catalog.clock() - said.round_us) // 1_000_000
    if silent_s > _HEARTBEAT_S:
        yield Finding(
            "indexer", f"it runs, but was last heard of {silent_s} s ago", "restart it and read its log"
        )
    else:
        yield Finding("indexer", "it runs")
    for line in failing[:_SHOWN]:
        yield Finding(
            "indexer", f"an area cannot be published: {line}", "do what the sentence says; it is tried again"
        )
    if len(failing) > _SHOWN:
        yield Finding("indexer", f"{len(failing) - _SHOWN} more areas fail", "see state/indexer.json")


def _areas(house: House) -> Iterator[Finding]:
    due_us = house.catalog.areas.next_due_us()
    late_s = 0 if due_us is None else (house.catalog.clock() - due_us) // 1_000_000
    if late_s > _HEARTBEAT_S:
        yield Finding(
            "publication", f"a change waits since {late_s} s", "see the indexer's log, or `indexer reindex`"
        )
    else:
        yield Finding(
            "publication", "nothing waits" if due_us is None else "changes are published as they come"
        )


def _pending(house: House) -> Iterator[Finding]:
    abandoned = [
        artifact
        for artifact, token, over in house.catalog.artifacts.pending()
        if over and not house.locks.alive(token.partition(":")[0])
    ]
    if abandoned:
        yield Finding(
            "uploads",
            f"{len(abandoned)} uploads of dead processes still hold their names ({abandoned[0].path}, ...)",
            "start the daemon: it finishes or undoes them",
        )
    else:
        yield Finding("uploads", "no dead process holds a name")


def _inbox(house: House) -> Iterator[Finding]:
    refused = inbox.refused(house)
    if refused:
        yield Finding(
            "inbox",
            f"{len(refused)} dropped files were refused; the first: {refused[0].reason}",
            f"mend and drop them again, then empty {house.data / inbox.REFUSED}",
        )
    else:
        yield Finding("inbox", "nothing in it was refused")


def _configuration(house: House) -> Iterator[Finding]:
    if not (house.data / webserver.CONF).is_file():
        yield Finding("nginx.conf", "none is written yet", f"`packhouse serve {house.data}` writes it")
        return
    command = webserver.test_command(webserver.find_nginx(), house.data)
    ran = subprocess.run(command, cwd=house.data, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = (ran.stderr.strip().splitlines() or ["nothing"])[0]
        yield Finding(
            "nginx.conf",
            f"nginx refuses it: {said}",
            f"mend {webserver.INCLUDES}, or write it anew with serve",
        )
    else:
        yield Finding("nginx.conf", "nginx accepts it")
