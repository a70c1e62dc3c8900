"""What tests of moving look at: where each file lies, and where it belongs."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from indexer_support import Clock, World

from packhouse.house import House, open_house
from packhouse.placement import TREES

CHILD = Path(__file__).with_name("moving_child.py")


def lying(house: House, channel: str = "main") -> dict[str, list[str]]:
    """Path in the channel to the trees that hold it, `incoming` left out.

    So are the lists by letter and the search index: their files come and go with what they name, when they are next
    published (`indexer.check` compares them).
    """
    found: dict[str, list[str]] = {}
    for tree in TREES:
        root = f"{tree}/{channel}/"
        for stat in house.tree.scan(root.rstrip("/")):
            path = stat.path.removeprefix(root)
            if not path.startswith(("browse/", "search/")):
                found.setdefault(path, []).append(tree)
    return found


def misplaced(house: House, channel: str = "main") -> list[str]:
    """Files of the channel that lie where they do not belong."""
    place = house.placement(channel)
    return [
        f"{tree}/{channel}/{path}"
        for path, trees in lying(house, channel).items()
        for tree in trees
        if place.where(path) != f"{tree}/{channel}/{path}"
    ]


def reopen(folder: Path) -> World:
    """A world in a folder that some process left."""
    plain = open_house(folder / "data")
    world = object.__new__(World)
    world.clock = Clock(plain.catalog.clock())
    world._open(plain)
    return world


@contextmanager
def child_processes():
    """Gives a function (kill at, data, operation, words...) to what became of it: `killed` or `answered`."""
    path = os.pathsep.join(entry or "." for entry in sys.path)
    with subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:

        def run(kill_at: int, data: Path, *words: str) -> str:
            process.stdin.write(" ".join([str(kill_at), str(data), *words]) + "\n")
            return process.stdout.readline().strip()

        yield run
        process.stdin.close()
