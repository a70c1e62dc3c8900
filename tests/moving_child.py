"""A program that changes rights in a data directory, each time in a process of its own that is killed half-way.

It reads lines `KILL_AT DATA OPERATION ARGUMENT...` and answers each with `killed` or `answered`. KILL_AT counts the
steps of the operation: transactions, renames, flushes; the process is killed before that one. Forked from here, so that
a thousand of them need not import everything a thousand times.
"""

import os
import signal
import sys
from functools import wraps
from pathlib import Path

from packhouse.catalog.channels import Channels
from packhouse.catalog.grants import Grants
from packhouse.house import open_house
from packhouse.intake import moving
from packhouse.model import Action, Grant
from packhouse.tree.fs import FsTree

STEPS = (
    (Channels, "set_private"),
    (Grants, "give"),
    (Grants, "take"),
    (FsTree, "move"),
    (FsTree, "remove"),
    (FsTree, "flush"),
)


def grant(principal: str, package: str, action: str = "read") -> Grant:
    """`package` is `<ecosystem>/<name>`, or empty for the whole channel main."""
    ecosystem, _, name = package.partition("/")
    return Grant(
        principal=principal,
        action=Action(action),
        channel="main",
        ecosystem=ecosystem or None,
        package=name or None,
    )


OPERATIONS = {
    "give": lambda house, *words: moving.give(house, grant(*words)),
    "take": lambda house, *words: moving.take(house, grant(*words)),
    "private": lambda house: moving.set_private(house, "main", private=True),
    "public": lambda house: moving.set_private(house, "main", private=False),
    "settle": moving.settle_places,
}


def die_at(step: int) -> None:
    """Kill this process before the step of that number, counted from 1."""
    left = [step]

    def counted(real):
        @wraps(real)
        def call(*arguments, **more):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call

    for owner, name in STEPS:
        setattr(owner, name, counted(getattr(owner, name)))


def main() -> None:
    for line in sys.stdin:
        kill_at, data, operation, *words = line.split()
        child = os.fork()
        if child == 0:
            house = open_house(Path(data))
            die_at(int(kill_at))
            OPERATIONS[operation](house, *words)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print({0: "answered", -signal.SIGKILL: "killed"}.get(code, f"failed {code}"), flush=True)


if __name__ == "__main__":
    main()
