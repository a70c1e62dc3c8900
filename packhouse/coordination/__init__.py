"""How processes of one installation agree: locks, and wake-ups that are only hints.

`locks.py` and `wake.py` do it for one machine, with flock(2) and watched stamp files. Other engines
(advisory locks, NOTIFY) are one more file each.
"""

import threading
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import Protocol


class Locks(Protocol):
    """Mutual exclusion between threads and processes; everything is let go when the process dies, however it does.

    Every method raises `packhouse.errors.Unavailable` when the lock service fails.
    """

    def hold(self, key: str, *, timeout_s: float | None = None) -> AbstractContextManager[bool]:
        """Hold the lock of `key`, any text.

        A caller that needs two keys takes them in the same order as everybody else (an area, then its channel's
        trash). A thread that asks for a key it holds gets RuntimeError instead of waiting for itself.

        Args:
            key: what to lock.
            timeout_s: how long to wait, in seconds; 0 tries once, None waits for ever.

        Returns:
            A context manager that says whether the lock is held; if False, nothing is locked.
        """
        ...

    def exclusive(self, name: str, *, timeout_s: float | None = 0.0) -> AbstractContextManager[bool]:
        """Take a role that one process at a time may have; `name` is a safe file name, one lock per name."""
        ...

    def share(self, key: str, *, timeout_s: float | None = None) -> AbstractContextManager[bool]:
        """Hold the lock of `key`, any text, together with others who share it, while nobody has seized it.

        Such locks are apart from those of `hold`, and stay behind on the disk: their keys are few. A thread that has
        one, shared or seized, gets RuntimeError when it asks for it again: a `seize` that came in between would wait
        for the thread, and the thread for that.

        Args:
            key: what to lock.
            timeout_s: as for `hold`.
        """
        ...

    def seize(self, key: str, *, timeout_s: float | None = None) -> AbstractContextManager[bool]:
        """Hold the lock of `key` alone, once everybody who shares it has let go. Arguments as for `share`.

        Whoever asks to share it later waits behind this one: a stream of them keeps nobody waiting for ever.
        """
        ...

    def instance(self) -> str:
        """Return this process's name among those alive: 16 hex digits; the same one at every call."""
        ...

    def alive(self, instance: str) -> bool:
        """Whether the process with that name still runs."""
        ...

    def bury(self) -> None:
        """Forget the names of dead processes."""
        ...


class Wake(Protocol):
    """Wake-ups between processes. A wake-up is a hint: it may be lost, doubled or late, so a poll stands behind it."""

    def poke(self, topic: str) -> None:
        """Wake whoever waits for `topic` (`wake`: there is work; `published`: something was published)."""
        ...

    def wait(self, topic: str, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Block until a poke, until `stop` is set, or for `timeout_s` seconds.

        Returns:
            True if there was a poke since this thread's last `wait` returned; spurious ones are allowed.
        """
        ...

    def changes(self, topic: str, poll_s: float) -> AsyncGenerator[bool, None]:
        """Yield once at the start, then True at each poke and False after `poll_s` seconds without one.

        One consumer per process is enough: it tells the others. Close it with `contextlib.aclosing`.
        """
        ...
