"""A whole Packhouse on a real port, and the real clients, each with fresh caches and no settings of this machine."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from packhouse.webserver import ACCESS_LOG

BIN = Path(sys.executable).parent
KEY = re.compile(r"pkh-[0-9A-Za-z]{42}")
LOG_LINE = re.compile(r'\S+ \S+ (\S+) "([^"]*)" (\d+)')
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


def free_port() -> int:
    """A loopback port that nobody uses right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a newcomer: a home of its own, no indexes, no caches, no keys of this machine."""
    drop = ("PIP_", "UV_", "TWINE_", "POETRY_", "HATCH_", "FLIT_", "PACKHOUSE_", "CONDA", "RATTLER_", "XDG_")
    kept = {
        k: v for k, v in os.environ.items() if not k.upper().startswith(drop) and "proxy" not in k.lower()
    }
    home.mkdir(parents=True, exist_ok=True)
    fixed = {
        "HOME": str(home),
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_RETRIES": "0",
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_PYTHON_DOWNLOADS": "never",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "POETRY_CACHE_DIR": str(home / "poetry-cache"),
        "POETRY_CONFIG_DIR": str(home / "poetry"),
        "POETRY_VIRTUALENVS_CREATE": "false",
        "PYTHONWARNINGS": "default",  # the clients' own warnings are theirs
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    return {**kept, **fixed, **more}


@dataclass
class Ran:
    """What a client did."""

    code: int
    out: str

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass
class Server:
    """One running `packhouse serve`."""

    data: Path
    port: int
    home: Path
    process: subprocess.Popen[bytes]
    log: Path
    key: str = ""
    seen: int = field(default=0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: object, cwd: Path | None = None, timeout: float = 120, **env: str) -> Ran:
        """Run a client to its end; its output and exit code."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.home,
            env=clean_environment(self.home, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout)

    def must(self, *command: object, **kwargs) -> str:
        """Run a client that has to succeed."""
        ran = self.run(*command, **kwargs)
        assert ran.ok, f"{command} exited with {ran.code}:\n{ran.out}\n--- server\n{self.tail()}"
        return ran.out

    def packhouse(self, *arguments: object, **env: str) -> str:
        """Run `packhouse …` against this server, with its admin key."""
        return self.must(
            "packhouse", *arguments,
            PACKHOUSE_SERVER=self.url, PACKHOUSE_KEY=self.key, PACKHOUSE_DATA=str(self.data), **env,
        )  # fmt: skip

    def channel(self, name: str, *flags: str) -> str:
        """Make a channel and return its URL."""
        self.packhouse("channel", "create", name, *flags)
        return f"{self.url}/{name}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, *, key: bool = False, **headers: str
    ):
        """Send one request; (status, headers, body), whatever the status."""
        request = urllib.request.Request(f"{self.url}{path}", data=body, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if key:
            request.add_header("Authorization", f"Bearer {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def json(self, path: str, **headers: str):
        """GET a JSON document that has to be there."""
        status, _headers, body = self.ask(path, **headers)
        assert status == 200, (path, status, body[:300])
        return json.loads(body)

    def fetched(self) -> list[tuple[str, str, int]]:
        """What clients asked nginx for since the last call: (method, path, status), from its access log."""
        mark = f"/main/mark-{time.monotonic_ns()}"
        self.ask(mark)  # nginx writes lines after the answers: when this one is there, the others are
        log = self.data / ACCESS_LOG
        wait_until(lambda: mark in log.read_text(), what="nginx's log line")
        lines = [line for line in log.read_text().splitlines() if "/main/mark-" not in line]
        fresh, self.seen = lines[self.seen :], len(lines)
        found = [LOG_LINE.match(line) for line in fresh]
        return [(match[1], match[2], int(match[3])) for match in found if match is not None]

    def tail(self) -> str:
        """The end of the server's own log."""
        return self.log.read_text(errors="replace")[-4000:]


def wait_until(condition, seconds: float = 60, what: str = "the condition") -> None:
    """Wait for something that has to happen; the bound only ends a broken run."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.02)


@contextmanager
def serving(folder: Path, *, data: Path | None = None, key: str = "", port: int = 0, **env: str):
    """Start `packhouse serve` as the README does, and stop it with Ctrl-C."""
    data = data or folder / "data"
    home, port, log = folder / "home", port or free_port(), folder / f"serve-{time.monotonic_ns()}.log"
    home.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["packhouse", "serve", str(data), "--port", str(port)],
            executable=str(BIN / "packhouse"),
            cwd=folder,
            env=clean_environment(home, **env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(data=data, port=port, home=home, process=process, log=log, key=key)

    def healthy() -> bool:
        assert process.poll() is None, f"serve ended with {process.returncode}:\n{server.tail()}"
        try:
            return server.ask("/health")[0] == 200 and server.ask("/main/noarch/repodata.json")[0] == 200
        except OSError:
            return False

    try:
        wait_until(healthy, what="the server's start")
        found = KEY.search(server.log.read_text())
        server.key = key or (found[0] if found else "")
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
