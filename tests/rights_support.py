"""A clock that stands still, threads that start together, and credentials as they are sent."""

import base64
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

DAY_US = 86_400_000_000


class Now:
    """The catalog's clock, set by hand; microseconds since 1970 UTC."""

    def __init__(self, us: int = 1_000_000_000) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us


def dump(database: Path) -> str:
    """Everything the database holds, and the bytes of its files besides: pages that were freed are there too."""
    with sqlite3.connect(database) as connection:
        text = "\n".join(connection.iterdump())
    connection.close()
    raw = b"".join(path.read_bytes() for path in sorted(database.parent.glob(f"{database.name}*")))
    return text + "\n" + raw.decode("latin-1")


def at_once(*calls: Callable[[], object]) -> Sequence[object]:
    """Run every call in a thread of its own, all from the same moment; return what each returned or raised."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[object] = [None] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def basic(user: str, password: str, encoding: str = "utf-8") -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()
