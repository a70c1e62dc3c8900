"""Token buckets, many of one size: how much each of many callers may ask for; pure but for its clock.

A bucket holds a minute's worth and fills evenly, so a short burst passes and a steady flood is cut to the rate.
Only the moment at which a bucket will be full again is kept, one number per name (the generic cell rate algorithm,
ITU-T I.371, counts the same way).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MINUTE_S = 60.0
_ROUNDING_S = 1e-9
MOST = 20_000
"""Buckets remembered at once, by default; some 3 MB."""


@dataclass(frozen=True, slots=True)
class Level:
    """What a bucket says after something was asked of it.

    Attributes:
        passed: whether there was a token.
        limit: tokens of a full bucket, which are also those of a minute.
        remaining: whole tokens that are left.
        wait_s: seconds until the next token; 0.0 if one is there.
        full_s: seconds until the bucket is full again.
    """

    passed: bool
    limit: int
    remaining: int
    wait_s: float
    full_s: float


class Buckets:
    """One bucket per name; thread-safe, and never more than `most` of them.

    A new name beyond that pushes out the one that asked longest ago, which is then as if it had never asked: a flood
    of names may buy itself some requests so, but no memory. Whoever goes on asking while empty is not pushed out.

    Args:
        per_minute: tokens per minute, and tokens of a full bucket; at least 1.
        most: how many names are remembered.
        monotonic: the clock, in seconds.

    Raises:
        ValueError: no token per minute at all.
    """

    def __init__(
        self, per_minute: int, *, most: int = MOST, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if per_minute < 1 or most < 1:
            raise ValueError("a bucket needs a token a minute, and a name to belong to")
        self._limit, self._most, self._monotonic = per_minute, most, monotonic
        self._token_s = _MINUTE_S / per_minute
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> Level:
        """Take a token, if there is one."""
        with self._lock:
            now = self._monotonic()
            owed_s = max(0.0, self._full_at.get(name, now) - now)
            passed = owed_s + self._token_s <= _MINUTE_S + _ROUNDING_S
            if passed:
                owed_s += self._token_s
            self._full_at[name] = now + owed_s
            self._full_at.move_to_end(name)
            if len(self._full_at) > self._most:
                self._full_at.popitem(last=False)
        remaining = int((_MINUTE_S - owed_s + _ROUNDING_S) / self._token_s)
        return Level(
            passed=passed,
            limit=self._limit,
            remaining=remaining,
            wait_s=max(0.0, owed_s + self._token_s - _MINUTE_S),
            full_s=owed_s,
        )

    def __len__(self) -> int:
        """How many names are remembered."""
        return len(self._full_at)
