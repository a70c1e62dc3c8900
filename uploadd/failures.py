"""Wrong passwords, counted per account and per address over a sliding window. Everything here blocks.

An attempt holds a place from before the password is compared until it is known to be right or wrong. So no number of
simultaneous attempts gets more answers than there are tries; a right password gives its place back.
"""

import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from packhouse.errors import RateLimited, Unauthenticated

TRIES, WINDOW_S = 10, 300.0
"""So many wrong passwords are answered per account, and per address, in so many seconds."""
MOST = 20_000
"""Names counted at once."""


@dataclass(slots=True)
class _Count:
    """When wrong passwords were shown, oldest first, and how many attempts are not decided yet."""

    wrong: deque[float] = field(default_factory=deque)
    open: int = 0


class Failures:
    """Counts wrong passwords by some name; thread-safe.

    When too many names are counted at once, new ones are refused until old ones lapse: closed, not open.

    Args:
        tries: wrong passwords that are answered per name.
        window_s: in so many seconds.
        most: names counted at once.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        tries: int = TRIES,
        window_s: float = WINDOW_S,
        *,
        most: int = MOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tries, self._window_s, self._most, self._monotonic = tries, window_s, most, monotonic
        self._by_name: OrderedDict[str, _Count] = OrderedDict()  # by their latest attempt, oldest first
        self._settled = threading.Condition()

    @contextmanager
    def attempt(self, *names: str) -> Iterator[None]:
        """Compare a password inside; an `Unauthenticated` from there counts against every name.

        Waits while undecided attempts hold the last tries.

        Raises:
            RateLimited: the window of one of the names holds all the tries there are, or too many names are counted.
        """
        with self._settled:
            while not self._enter(names):
                self._settled.wait()
        wrong = False
        try:
            yield
        except Unauthenticated:
            wrong = True
            raise
        finally:
            with self._settled:
                self._leave(names, wrong=wrong)
                self._settled.notify_all()

    def __len__(self) -> int:
        """How many names are counted."""
        return len(self._by_name)

    def _enter(self, names: tuple[str, ...]) -> bool:
        now = self._monotonic()
        known = [self._by_name[name] for name in names if name in self._by_name]
        for count in known:
            self._lapse(count, now)
            if len(count.wrong) >= self._tries:
                raise self._refusal(count.wrong[0] + self._window_s - now)
        if any(len(count.wrong) + count.open >= self._tries for count in known):
            return False
        self._forget(now)
        if sum(name not in self._by_name for name in names) > self._most - len(self._by_name):
            raise self._refusal(self._window_s)
        for name in names:
            self._by_name.setdefault(name, _Count()).open += 1
            self._by_name.move_to_end(name)
        return True

    def _leave(self, names: tuple[str, ...], *, wrong: bool) -> None:
        now = self._monotonic()
        for name in names:
            count = self._by_name[name]
            count.open -= 1
            if wrong:
                count.wrong.append(now)
                self._by_name.move_to_end(name)
            elif not count.wrong and not count.open:
                del self._by_name[name]

    def _lapse(self, count: _Count, now: float) -> bool:
        """Drop what has left the window; True if nothing is left."""
        while count.wrong and count.wrong[0] <= now - self._window_s:
            count.wrong.popleft()
        return not count.wrong and not count.open

    def _forget(self, now: float) -> None:
        """Forget names without a count, from the one that tried longest ago up to the first that has one."""
        while self._by_name:
            name, count = next(iter(self._by_name.items()))
            if not self._lapse(count, now):
                return
            del self._by_name[name]

    def _refusal(self, wait_s: float) -> RateLimited:
        return RateLimited("wrong passwords", limit=self._tries, retry_after_s=max(1, math.ceil(wait_s)))


def network(address: str) -> str:
    """Return what an address is counted as: an IPv4 address itself, an IPv6 address as its /64.

    An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`, RFC 4291) is that IPv4 address. What is no address, as of a
    caller that came past nginx, is `unknown`: all of them together are one.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
