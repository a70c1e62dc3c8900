"""One real file through stage and inspection, to see whether they work; shared, so that asking costs little."""

import asyncio
import time
from contextlib import suppress

from packhouse.errors import PackhouseError
from packhouse.intake.receive import Intake
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename

FRESH_S = 5.0
"""How long one result stands for all who ask, in seconds."""
PATIENCE_S = 3.0
"""How long to wait for a reader; when all are at work the last result stands."""


class Probe:
    """Says what is wrong with taking files in, or None."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._running: asyncio.Task[str | None] | None = None
        self._last: str | None = None
        self._fresh_until = 0.0

    async def said(self) -> str | None:
        """Return what is wrong, at most a few seconds old; never more than one probe runs."""
        if self._running is None and time.monotonic() < self._fresh_until:
            return self._last
        if self._running is None:
            self._running = asyncio.create_task(asyncio.to_thread(self._try))
            self._running.add_done_callback(self._note)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(self._running)
        return self._last

    def _note(self, task: asyncio.Task[str | None]) -> None:
        self._running = None
        if not task.cancelled():
            self._last, self._fresh_until = task.result(), time.monotonic() + FRESH_S

    def _try(self) -> str | None:
        claim = Claim(
            channel=ChannelName("probe"),
            ecosystem=Ecosystem.GENERIC,
            filename=Filename("probe"),
            directory="products/health/1",
        )
        try:
            with self._intake.stage() as stage:
                stage.write(b"probe")
                stage.finish()
                self._intake.inspect(claim, stage)
        except PackhouseError as error:
            return str(error)
        return None
