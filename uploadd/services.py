"""What handlers work with, and the threads that the blocking domain runs in."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from packhouse.house import House
from packhouse.intake.receive import Intake
from packhouse.rights import Rights
from uploadd.deferred import DeferredUploads
from uploadd.limiting import Limiter
from uploadd.limits import Gate
from uploadd.probe import Probe
from uploadd.publication import Publication
from uploadd.signin import SignIn

P = ParamSpec("P")
T = TypeVar("T")

QUICK_THREADS = 8
WRITE_THREADS = 8
JUDGE_THREADS = 8
MOVE_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a handler may use; one per application.

    The domain is synchronous. Four pools keep its kinds of work apart, so that catalog look-ups never wait
    for somebody's archive: `quick` for the catalog, `write` for bodies, `judge` for inspect, place and commit,
    `move` for what waits until nobody writes into a channel.
    """

    house: House
    intake: Intake
    rights: Rights
    signin: SignIn
    publication: Publication
    uploads: Gate
    limiter: Limiter
    probe: Probe
    deferred: DeferredUploads = field(default_factory=DeferredUploads)
    quick: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick")
    )
    write: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(WRITE_THREADS, thread_name_prefix="write")
    )
    judge: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(JUDGE_THREADS, thread_name_prefix="judge")
    )
    move: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(MOVE_THREADS, thread_name_prefix="move")
    )

    async def ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short blocking call (catalog, small file) in a thread."""
        return await run(self.quick, function, *args, **kwargs)

    async def change(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a change of who may read what (`intake/moving.py`): it waits for whoever writes into the channel."""
        return await run(self.move, function, *args, **kwargs)

    def close(self) -> None:
        """Let the threads finish what they do."""
        for pool in (self.quick, self.write, self.judge, self.move):
            pool.shutdown(wait=True)


async def run(pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in one of the pools."""
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: function(*args, **kwargs))
