"""The least rate of a body: a client that trickles must not hold an upload's place for ever."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from packhouse.errors import TooSlow

B = TypeVar("B", bytes, bytearray)
T = TypeVar("T")


class Pace:
    """Counts what arrives in windows of time; only time spent waiting for the client counts.

    Args:
        rate_bytes_s: least rate, in bytes per second.
        window_s: over how many seconds it is measured.
    """

    def __init__(self, rate_bytes_s: int, window_s: float) -> None:
        self._rate, self._window_s = rate_bytes_s, window_s
        self._waited_s, self._arrived = 0.0, 0

    async def read(self, piece: Awaitable[B]) -> B:
        """Wait for the next bytes of the body.

        Raises:
            TooSlow: fewer bytes than the least rate asks for came within a window.
        """
        got = await self._within(piece)
        self._arrived += len(got)
        self._close_window()
        return got

    async def wait(self, step: Awaitable[T]) -> T:
        """Wait for something that the client has to send, without counting its bytes; raises `TooSlow`."""
        got = await self._within(step)
        self._close_window()
        return got

    async def _within(self, step: Awaitable[T]) -> T:
        # A window that is paid for may end during a pause; the pause then belongs to the next one.
        windows = 2 if self._paid else 1
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(windows * self._window_s - self._waited_s):
                return await step
        except TimeoutError:
            raise self._refusal() from None
        finally:
            self._waited_s += loop.time() - began

    def _close_window(self) -> None:
        if self._waited_s >= self._window_s:
            if not self._paid:
                raise self._refusal()
            self._waited_s, self._arrived = self._waited_s % self._window_s, 0

    @property
    def _paid(self) -> bool:
        return self._arrived >= self._rate * self._window_s

    def _refusal(self) -> TooSlow:
        return TooSlow(
            f"the body arrived slower than {self._rate} bytes per second over {self._window_s:g} seconds; "
            "nothing was kept, send it again over a better connection"
        )
