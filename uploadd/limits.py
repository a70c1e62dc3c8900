"""How much at once: uploads per process, bytes of a small body."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from packhouse.errors import Busy, TooLarge
from uploadd.pace import Pace

MAX_UPLOADS = 200
"""Bodies read at once by one process; each holds a descriptor and up to 3 MiB of memory."""
PATIENCE_S = 30.0
"""How long an upload waits for its turn before it is told to come again."""
MAX_SMALL_BODY = 1 << 20


class Gate:
    """Lets so many uploads in; the others wait at the door with their bodies unread."""

    def __init__(self, places: int = MAX_UPLOADS, patience_s: float = PATIENCE_S) -> None:
        self._places, self._patience_s = asyncio.Semaphore(places), patience_s

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Hold one place.

        Raises:
            Busy: none came free in time.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise Busy("too many uploads are under way; try again in a moment") from None
        try:
            yield
        finally:
            self._places.release()


class InFlight:
    """Counts requests under way, so that a stopping daemon can wait for them.

    aiohttp's own graceful stop drops the rest of a body that is still coming; so the bodies are waited for
    before it begins.
    """

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one request while it runs."""
        self._count += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def none(self, patience_s: float) -> bool:
        """Wait until no request is under way; False if that takes longer than `patience_s` seconds."""
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


async def small_body(request: web.Request, pace: Pace) -> bytes:
    """Return the whole body of a request that carries no package.

    Raises:
        TooLarge: more than 1 MiB.
        TooSlow: it does not come.
    """
    declared = request.content_length
    if declared is not None and declared > MAX_SMALL_BODY:
        raise TooLarge("the body", declared, MAX_SMALL_BODY)
    body = bytearray()
    while chunk := await pace.read(request.content.readany()):
        body += chunk
        if len(body) > MAX_SMALL_BODY:
            raise TooLarge("the body", None, MAX_SMALL_BODY)
    return bytes(body)
