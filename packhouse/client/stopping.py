"""Ending a call from outside: what `packhouse.aio` does when a task is cancelled.

A call runs in a thread, and a thread cannot be ended; but it can be made to end itself. Whoever wants it gone sets the
call's `Stop`: sleeping and copying look at it, and every connection that the call opened is shut down, so that a thread
which waits for a slow server wakes up at once. A call without a `Stop`, which is every call of `packhouse` itself, is
not concerned.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

_current: ContextVar["Stop | None"] = ContextVar("packhouse_stop", default=None)


class Stopped(BaseException):
    """The call was ended from outside. No `Exception`: nobody takes it for a failure that may be tried again."""


class Stop:
    """Whether one call shall end."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []

    def set(self) -> None:
        """End the call: it raises `Stopped` at its next step."""
        with self._lock:
            self._event.set()
            # Not close(): the number could belong to another file before the call's thread looks at it.
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the `Stop` of what runs inside."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def check(self) -> None:
        """Pass while the call goes on; raises `Stopped`."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than the call goes on; raises `Stopped`."""
        self._event.wait(seconds)
        self.check()

    def watch(self, sock: socket.socket) -> None:
        """Remember a connection of the call, to shut it down when the call shall end; raises `Stopped`."""
        with self._lock:
            self._open.append(sock)
        self.check()


def check() -> None:
    """Pass while the running call goes on; raises `Stopped`."""
    if (stop := _current.get()) is not None:
        stop.check()


def sleep(seconds: float) -> None:
    """Wait, but not longer than the running call goes on; raises `Stopped`."""
    stop = _current.get()
    if stop is None:
        time.sleep(seconds)
    else:
        stop.sleep(seconds)


def watch(sock: socket.socket) -> None:
    """Remember a connection of the running call; raises `Stopped`."""
    if (stop := _current.get()) is not None:
        stop.watch(sock)
