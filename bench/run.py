"""Measure Packhouse against a peer in the same run: `make bench`, or `python bench/run.py --packages 1000`.

Absolute times belong to the machine that measured them; what carries over is the ratio to a peer that did the
same work on the same disk, a moment apart. Everything is on loopback and ends by itself.
"""

import argparse
import asyncio
import hashlib
import http.server
import json
import os
import platform
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import rattler
import rattler.index
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conda_support import make_conda
from e2e_support import Server, serving
from pages import after_one_upload
from pypi_support import make_wheel

BYTES = "application/octet-stream"

Row = tuple[str, float, str, float, str, str]


@dataclass
class Bench:
    """One running server and the numbers measured against it."""

    server: Server
    folder: Path
    rows: list[Row]

    def add(self, what: str, ours: float, peer: str, theirs: float, unit: str, note: str = "") -> None:
        """Note one line; for times the ratio is theirs / ours, for rates ours / theirs: above 1 is ours."""
        self.rows.append((what, ours, peer, theirs, unit, note))


def clock(work: Callable[[], object]) -> float:
    """Milliseconds that one call takes."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def send(server: Server, path: str, body: bytes, method: str = "POST", **headers: str) -> None:
    """One upload, answered when it is published."""
    status, _headers, answer = server.ask(path, method, body, key=True, **headers)
    if status not in {200, 201}:
        raise SystemExit(f"{method} {path} was answered {status}: {answer[:300]!r}")


def publish_into_a_large_subdir(bench: Bench, packages: int, tries: int) -> None:
    """Upload -> every form of the index lists it, in a subdir that is large already."""
    depot = bench.folder / "depot" / "noarch"
    depot.mkdir(parents=True)
    for number in range(packages):
        name, body = make_conda(name=f"package-{number:05d}", version="1.0", build="0", subdir="noarch")
        (depot / name).write_bytes(body)
    bench.server.channel("large")
    begin = time.perf_counter()
    bench.server.must(
        "packhouse", "import", "--channel", "large", depot.parent,
        PACKHOUSE_DATA=str(bench.server.data), timeout=900,
    )  # fmt: skip
    imported = time.perf_counter() - begin
    last = f"package-{packages - 1:05d}-1.0-0.conda".encode()
    while last not in bench.server.ask("/large/noarch/repodata.json")[2]:
        time.sleep(0.1)

    fresh = [make_conda(name=f"fresh-{n}", version="1.0", build="0", subdir="noarch") for n in range(tries)]
    ours = [
        clock(partial(send, bench.server, "/api/v1/upload/large", body, Content_Type=BYTES, X_File_Name=name))
        for name, body in fresh
    ]

    index = partial(rattler.index.index_fs, depot.parent, target_platform=rattler.Subdir("noarch"))
    cold = clock(lambda: asyncio.run(index()))
    theirs = []
    for name, body in fresh[: max(3, tries // 4)]:
        (depot / name).write_bytes(body)
        theirs.append(clock(lambda: asyncio.run(index())))
    note = f"ours with HTTP, verification and fsync; median of {tries}"
    bench.add(
        f"publish one package into {packages}",
        statistics.median(ours),
        "rattler index_fs, warm",
        statistics.median(theirs),
        "ms",
        note,
    )
    bench.add(
        f"adopt {packages} packages",
        imported * 1000,
        "rattler index_fs, cold",
        cold,
        "ms",
        "ours verifies, copies and commits each",
    )


def upload_against_the_disk(bench: Bench, tries: int) -> None:
    """What an upload costs beyond writing the same bytes safely."""
    wheels = [
        make_wheel(
            name=f"wheel-{n}", files={f"wheel_{n}.py": f"DATA = {os.urandom(12_000).hex()!r}\n".encode()}
        )
        for n in range(tries)
    ]
    bench.server.channel("wheels")
    ours = []
    for name, body in wheels:
        kind, form = legacy_form(name, body)
        ours.append(clock(partial(send, bench.server, "/wheels/legacy/", form, Content_Type=kind)))

    floor = bench.folder / "floor"
    floor.mkdir()

    def safely(name: str, body: bytes) -> None:
        temporary = floor / f".{name}"
        with temporary.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(floor / name)
        folder = os.open(floor, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    theirs = [clock(partial(safely, name, body)) for name, body in wheels]
    bench.add(
        "upload a wheel, listed everywhere",
        statistics.median(ours),
        "write + fsync + rename",
        statistics.median(theirs),
        "ms",
        f"median of {tries}",
    )


def legacy_form(name: str, body: bytes) -> tuple[str, bytes]:
    """What twine sends: (Content-Type, multipart body)."""
    boundary = "packhouse-bench"
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "sha256_digest": hashlib.sha256(body).hexdigest(),
    }
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{name}"\r\n\r\n'
    return f"multipart/form-data; boundary={boundary}", "".join(
        [*parts, head]
    ).encode() + body + f"\r\n--{boundary}--\r\n".encode()


def serve_a_page(bench: Bench, seconds: float) -> None:
    """Requests for one simple page over 8 kept connections: nginx, and Python's own file server."""
    page = "/wheels/simple/wheel-0/"
    ours = rate("127.0.0.1", bench.server.port, page, seconds)
    with file_server(bench.server.data / "public") as port:
        theirs = rate("127.0.0.1", port, page + "index.html", seconds)
    bench.add(
        "serve a simple page",
        ours,
        "python -m http.server",
        theirs,
        "requests/s",
        "8 connections; the client is Python",
    )


ABUSE = {
    "depth 50": "{ channel " * 50 + "{ name }" + " }" * 50,
    "200 aliases": "{" + " ".join(f"a{n}: viewer {{ login }}" for n in range(200)) + "}",
    "fragments in a circle": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "one object 490 times": "{" + "viewer { login } " * 490 + "}",
    "1 MB": "{ viewer { login } }" + " " * (1 << 20),
}


def refuse_a_query(bench: Bench, tries: int) -> None:
    """The slowest refusal of a GraphQL query that asks for too much, and the answer to one that does not."""

    def asked(query: str, expected: int) -> float:
        body = json.dumps({"query": query}).encode()
        times = []
        for _ in range(tries):
            begin = time.perf_counter()
            status, _headers, answer = bench.server.ask(
                "/api/graphql", "POST", body, key=True, Content_Type="application/json"
            )
            times.append((time.perf_counter() - begin) * 1000)
            if status != expected or (status == 400) != (b'"errors"' in answer):
                raise SystemExit(f"the query {query[:40]!r} was answered {status}: {answer[:300]!r}")
        return statistics.median(times)

    honest = asked("{ viewer { login } channels { nodes { name packages { nodes { name latest } } } } }", 200)
    times = {what: asked(query, 400) for what, query in ABUSE.items()}
    slowest = max(times, key=lambda what: times[what])
    bench.add(
        "refuse a GraphQL query",
        times[slowest],
        "answer a small one",
        honest,
        "ms",
        f"slowest of {len(times)}: {slowest}; the aim is 200 ms",
    )


@contextmanager
def file_server(folder: Path) -> Iterator[int]:
    """Python's own server at its best: it keeps connections as nginx does, buffers, and is quiet."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = (
            -1
        )  # head and body in one packet: unbuffered, each answer waits 40 ms for an acknowledgement

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def rate(host: str, port: int, path: str, seconds: float, connections: int = 8) -> float:
    """Answers of 200 per second, each read to its end."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode()
    counts = [0] * connections
    wrong: list[bytes] = []
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end and not wrong:
            # nginx ends a connection after keepalive_requests: then the next one begins
            with socket.create_connection((host, port)) as connection, connection.makefile("rb") as answers:
                while time.perf_counter() < end:
                    connection.sendall(request)
                    status, body = answer(answers)
                    if not status:
                        break
                    if b" 200 " not in status or not body:
                        wrong.append(status)
                        return
                    counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(f"{path} was answered {wrong[0]!r}")
    return sum(counts) / (time.perf_counter() - begin)


def answer(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Read one answer: status line and body, both empty when the connection has ended."""
    status, length = stream.readline(), 0
    while (line := stream.readline()) not in {b"\r\n", b""}:
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return status, stream.read(length)


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table("what", "Packhouse", "peer", "peer's", "unit", "ratio", "note")
    for what, ours, peer, theirs, unit, note in rows:
        ratio = ours / theirs if unit.endswith("/s") else theirs / ours
        table.add_row(what, f"{ours:,.1f}", peer, f"{theirs:,.1f}", unit, f"{ratio:.2f}", note)
    console = Console(width=170)
    console.print(table)
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    console.print(f"ratio > 1: Packhouse is faster. {machine}.")


def main() -> None:
    """Run every measurement against one server."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--packages", type=int, default=5000, help="how large the large subdir is (default: 5000)"
    )
    parser.add_argument("--tries", type=int, default=20, help="how many uploads are timed (default: 20)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a rate is measured (default: 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="packhouse-bench-") as name, serving(Path(name)) as server:
        bench = Bench(server, Path(name), [])
        upload_against_the_disk(bench, options.tries)
        serve_a_page(bench, options.seconds)
        refuse_a_query(bench, options.tries)
        publish_into_a_large_subdir(bench, options.packages, options.tries)
        ours, theirs = after_one_upload(Path(name) / "many", options.packages, options.tries)
        what = f"pages after one upload among {options.packages:,} projects"
        bench.add(
            what, ours, "every list anew", theirs, "ms", "indexes, release, package, list, channel, site"
        )
    show(bench.rows)


if __name__ == "__main__":
    main()
