"""A real nginx for tests: one per `with`, on a free loopback port, stopped by its process id."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packhouse import webserver

CONF_SOURCE = Path(__file__).resolve().parent.parent / "nginx.conf"

BUILDS: tuple[webserver.NginxBinary, ...] = webserver.nginx_builds()
"""Every nginx on this machine; a test that takes one as parameter runs on all."""

_LINE = re.compile(
    r'(?P<time>\S+) (?P<address>\S+) (?P<method>\S*) "(?P<path>[^"]*)" (?P<status>\d+) (?P<size>\d+) '
    r'(?P<seconds>[\d.]+)s "(?P<served>[^"]*)" "(?P<agent>[^"]*)" "(?P<daemon>[^"]+)"'
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One request as nginx's access log tells it."""

    method: str
    path: str
    """Decoded, without the query, a key in it starred."""
    status: int
    size: int
    served: str
    """The name of the file that answered (`repodata_shards.msgpack.zst`, `index.json.gz`), or `-`."""
    agent: str
    daemon: str
    """The status the daemon gave, or `-` if it was not asked."""


@dataclass(frozen=True, slots=True)
class RunningNginx:
    """An nginx that answers on loopback."""

    data: Path
    port: int
    pid: int
    binary: webserver.NginxBinary

    @property
    def url(self) -> str:
        """The origin, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> list[LogLine]:
        """Every request logged so far, oldest first; a line is written just after its answer."""
        lines = []
        for text in (self.data / webserver.ACCESS_LOG).read_text().splitlines():
            match = _LINE.fullmatch(text)
            assert match, f"not a line of the packhouse log format: {text}"
            lines.append(
                LogLine(
                    method=match["method"],
                    path=match["path"],
                    status=int(match["status"]),
                    size=int(match["size"]),
                    served=match["served"],
                    agent=match["agent"],
                    daemon=match["daemon"],
                )
            )
        return lines

    def wait_logged(self, wanted: Callable[[LogLine], bool], *, within_s: float = 10) -> LogLine:
        """Return the first line that `wanted` accepts, waiting for it to be written."""
        found: list[LogLine] = []
        wait_for(lambda: bool(found.extend(filter(wanted, self.log())) or found), within_s=within_s)
        return found[0]

    def served(self) -> list[str]:
        """The names of all files that were sent, in order: which form of an index a client fetched."""
        return [line.served for line in self.log() if line.served != "-"]


def wait_for(condition: Callable[[], bool], *, within_s: float = 10) -> None:
    """Return as soon as `condition` holds; fail the test if it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {within_s} s"
        time.sleep(0.005)


def free_port() -> int:
    """Return a loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_nginx(
    data: Path,
    *,
    binary: webserver.NginxBinary | None = None,
    default_channel: str = "main",
    overwrite_channels: Sequence[str] = (),
    extra_listen: Sequence[str] = (),
) -> Iterator[RunningNginx]:
    """Serve a data directory with the shipped nginx.conf until the block ends.

    Args:
        data: the data directory; `public/`, `private/`, `restricted/` are made if they are missing. A daemon, if
            the test needs one, listens on `<data>/state/uploadd.sock`.
        binary: which build; None takes the preferred one.
        default_channel: see `webserver.render_includes`, like the next two.
        overwrite_channels: channels that let files be replaced.
        extra_listen: addresses besides the free port.
    """
    for folder in ("public", "private", "restricted", "state"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    chosen = binary or webserver.find_nginx()
    process, port = None, 0
    for _attempt in range(3):  # another process may take the port between the probe and the bind
        port = free_port()
        includes = webserver.render_includes(
            listen=[f"127.0.0.1:{port}", *extra_listen],
            default_channel=default_channel,
            overwrite_channels=overwrite_channels,
            run_as_root=os.geteuid() == 0,
        )
        webserver.install(data, CONF_SOURCE.read_text(), includes)
        with (data / webserver.RUNTIME / "stderr.log").open("ab") as stderr:
            process = subprocess.Popen(
                webserver.command(chosen, data), cwd=data, stderr=stderr, stdin=subprocess.DEVNULL
            )
        if _answers(process, port, data):
            break
    assert process is not None
    try:
        assert process.poll() is None, (data / webserver.RUNTIME / "stderr.log").read_text()
        yield RunningNginx(data, port, process.pid, chosen)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], port: int, data: Path) -> bool:
    """Whether *this* nginx listens: its pid file is written once its sockets are open."""
    pid_file = data / webserver.PID
    wait_for(
        lambda: (
            process.poll() is not None
            or (pid_file.exists() and pid_file.read_text().strip() == str(process.pid))
        )
    )
    if process.poll() is not None:
        return False
    wait_for(lambda: process.poll() is not None or _connects(port))
    return process.poll() is None


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
