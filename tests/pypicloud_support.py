"""A running Packhouse for scripts that were written against pypicloud: they speak curl, so curl is what is run here."""

import itertools
import json
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e_support import Server, clean_environment, serving
from pypi_support import make_sdist

ADMIN = "myadmin:myadminpass"
"""The account and password of the contract's own example."""

_UNLIMITED = {
    # Thousands of refusals come from one address here; the limits have tests of their own.
    "PACKHOUSE_ANONYMOUS_REQUESTS_PER_MINUTE": "0",
    "PACKHOUSE_REFUSED_REQUESTS_PER_MINUTE": "0",
    "PACKHOUSE_MIN_FREE_BYTES": "0",
}
_addresses = itertools.count(2)


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["code"]

    @property
    def seen(self) -> tuple[int, str, bytes]:
        """All of it that may differ between two answers and be noticed."""
        return self.status, self.headers.get("content-type", ""), self.body


@dataclass
class Cloud:
    """One server, and a folder with the files that the examples upload."""

    server: Server
    folder: Path
    made: set[str] = field(default_factory=set)

    def curl(self, line: str, *, user: str | None = ADMIN, address: str | None = None) -> Answer:
        """Run a line of the contract as it is written there; only the host is another one.

        `user` is what `For all endpoints you may provide HTTP Basic Auth credentials` asks for; None shows nothing.
        """
        words = shlex.split(line.replace("\\\n", " "))
        assert words[0] == "curl", line
        words = [self._here(word) for word in words[1:]]
        return self.run(words, user=user, address=address)

    def run(self, words: Sequence[str], *, user: str | None = ADMIN, address: str | None = None) -> Answer:
        """Run curl with these arguments."""
        more = ["--user", user] if user is not None else []
        more += ["--interface", address] if address is not None else []
        if "-o" in words:
            output = self.folder / words[words.index("-o") + 1]
        else:
            output = self.folder / "answer.body"
            more += ["-o", str(output)]
        output.unlink(missing_ok=True)
        heads = self.folder / "answer.headers"
        ran = subprocess.run(
            ["curl", "-sS", "-D", str(heads), *more, *words],
            cwd=self.folder,
            env=clean_environment(self.folder / "home"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, f"{words}: {ran.stderr}"
        last = heads.read_text().strip().split("\n\n")[-1].splitlines()
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in last[1:])
        }
        body = output.read_bytes() if output.exists() else b""
        return Answer(int(last[0].split()[1]), headers, body)

    def ask(
        self,
        method: str,
        path: str,
        *arguments: str,
        user: str | None = ADMIN,
        address: str | None = None,
    ) -> Answer:
        """Send one request."""
        head = ["--head"] if method == "HEAD" else ["-X", method]
        return self.run([*head, *arguments, f"{self.server.url}{path}"], user=user, address=address)

    def must(self, method: str, path: str, *arguments: str, user: str | None = ADMIN) -> Answer:
        """Send a request that has to be answered with 200."""
        answer = self.ask(method, path, *arguments, user=user)
        assert answer.status == 200, (method, path, answer.status, answer.body)
        return answer

    def user(self, name: str, password: str = "", *, admin: bool = False) -> str:
        """See to it that there is such a user; returns `name:password`."""
        password = password or f"pass-of-{name}"
        if name not in self.made:
            self.must("PUT", f"/admin/user/{name}/", "-d", f"password={password}")
            self.made.add(name)
        if admin:
            self.must("POST", f"/admin/user/{name}/admin/", "-d", "admin=true")
        return f"{name}:{password}"

    def wrong(self, name: str = "") -> tuple[str, str]:
        """Return a wrong `name:password` and an address to show it from: guesses are limited by both."""
        number = next(_addresses)
        return f"{name or f'nobody{number}'}:not-the-password", f"127.0.{number // 250}.{2 + number % 250}"

    def grant(self, package: str, principal: str, *permissions: str) -> None:
        """Give rights on a package; `principal` is `user/<name>` or `group/<name>`."""
        for permission in permissions:
            self.must("PUT", f"/admin/package/{package}/{principal}/{permission}/")

    def sdist(self, name: str, version: str = "1.0", **more: str) -> Path:
        """Write a source distribution into the contract's `path/to/`."""
        filename, body = make_sdist(name, version, **more)
        return self._file(filename, body)

    def upload(self, file: Path, user: str = ADMIN) -> Answer:
        """Upload as pip's old friends do."""
        return self.ask("POST", "/simple/", "-F", ":action=file_upload", "-F", f"content=@{file}", user=user)

    def has(self, name: str, *versions: str) -> None:
        """See to it that a package is there, with a source distribution of each version."""
        for version in versions or ("1.0",):
            if f"{name} {version}" not in self.made:
                answer = self.upload(self.sdist(name, version))
                assert answer.status == 200, answer.body
                self.made.add(f"{name} {version}")

    def _file(self, filename: str, body: bytes) -> Path:
        file = self.folder / "path" / "to" / filename
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        return file

    def _here(self, word: str) -> str:
        for host in ("https://myadmin:myadminpass@pypi.myserver.com", "pypi.myserver.com", "myserver.com"):
            word = word.replace(host, self.server.url)
        return word


@contextmanager
def clouding(folder: Path, **env: str):
    """Start a server whose first admin with a password is the contract's."""
    with serving(folder, **_UNLIMITED, **env) as server:
        cloud = Cloud(server, folder)
        bearer = ["-H", f"Authorization: Bearer {server.key}"]
        name, _, password = ADMIN.partition(":")
        for method, path, data in (
            ("PUT", f"/admin/user/{name}", f"password={password}"),
            ("POST", f"/admin/user/{name}/admin", "admin=true"),
        ):
            answer = cloud.ask(method, path, *bearer, "-d", data, user=None)
            assert answer.status == 200, (answer.body, server.tail())
        yield cloud
