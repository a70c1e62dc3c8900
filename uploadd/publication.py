"""Waiting until what was committed is published: one watcher for all who wait.

A touch of `state/published` wakes them; a poll stands behind it, since a wake-up is only a hint.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress

from packhouse.catalog.areas import Areas
from packhouse.coordination import Wake
from packhouse.errors import Unavailable
from packhouse.model import Area

Awaited = Mapping[Area, int]
"""The generation to wait for, per area."""

POLL_S = 0.5

_LOG = logging.getLogger("uploadd")


class Publication:
    """Says when awaited areas are published.

    Args:
        areas: of the catalog.
        wake: where the indexer announces what it published.
        wait_s: the longest wait, in seconds.
        poll_s: how often to look without being woken, in seconds.
    """

    def __init__(self, areas: Areas, wake: Wake, *, wait_s: float, poll_s: float = POLL_S) -> None:
        self._areas, self._wake, self._wait_s, self._poll_s = areas, wake, wait_s, poll_s
        self._waiting: dict[asyncio.Future[None], Awaited] = {}
        self._look = asyncio.Event()

    async def wait(self, awaited: Awaited) -> bool:
        """Wait, at most `wait_s`, until every awaited generation is published.

        Returns:
            Whether it is. Only these areas count: a slow neighbour does not hold the answer.
        """
        if not awaited:
            return True
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[done] = awaited
        self._look.set()
        try:
            async with asyncio.timeout(self._wait_s):
                await done
        except TimeoutError:
            return False
        finally:
            del self._waiting[done]
        return True

    async def watch(self) -> None:
        """Run until cancelled: look at each announcement, for each newcomer, and at each poll while some wait."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s if self._waiting else None):
                        await self._look.wait()
                self._look.clear()
                await self._settle()
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self._wake.changes("published", self._poll_s)) as changes:
                    async for _ in changes:
                        self._look.set()
            except (OSError, RuntimeError, Unavailable) as error:
                # Out of inotify watches, say: the poll of `watch` goes on without us.
                _LOG.warning("cannot watch for announcements (%s); looking every %g s", error, self._poll_s)
            await asyncio.sleep(self._poll_s * 20)

    async def _settle(self) -> None:
        waiting = list(self._waiting.items())
        if not waiting:
            return
        with suppress(Unavailable):  # a busy catalog: the next look comes soon
            published = await asyncio.to_thread(self._published, [awaited for _, awaited in waiting])
            for (done, _), there in zip(waiting, published, strict=True):
                if there and not done.done():
                    done.set_result(None)

    def _published(self, wanted: Sequence[Awaited]) -> list[bool]:
        return [not self._areas.unpublished(awaited) for awaited in wanted]
