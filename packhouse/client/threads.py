"""The asynchronous twin of a blocking function: the same function, in a thread.

Why threads and no second HTTP client: uploading and downloading hash and write files, which blocks under any HTTP
client and so needs a thread anyway; one code path means one behaviour and one set of tests; and nobody who calls
`packhouse` synchronously pays for an asynchronous library's import. The price is a thread for each running call, of
which there are at most `MOST`; further calls wait for their turn.

Cancelling is safe: the call's connections are shut down, the thread ends itself, and only then the task goes on being
cancelled. What was begun on this disk is taken back; what a server was already told, it may still do.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from packhouse.client.stopping import Stop

MOST = 16
"""Calls that run at once in this process."""

_threads = ThreadPoolExecutor(MOST, thread_name_prefix="packhouse")

P = ParamSpec("P")
T = TypeVar("T")


def threaded(work: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return the asynchronous twin of a blocking function, with its arguments, result and errors."""

    @functools.wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        stop = Stop()

        def run() -> T:
            with stop.current():
                stop.check()
                return work(*args, **kwargs)

        job = _threads.submit(copy_context().run, run)
        running = asyncio.wrap_future(job)
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            stop.set()
            if not job.cancel():
                # Nothing of the call goes on behind its caller's back. A second cancellation does not wait.
                await asyncio.wait([running])
                running.exception()  # looked at, or asyncio would complain that nobody did
            raise
        return running.result()

    return call
