"""Time and counters of the catalog."""

import time
from collections.abc import Callable

from sqlalchemy import Connection, insert, select, update

from packhouse.catalog.schema import counters

Clock = Callable[[], int]
"""Returns microseconds since 1970 UTC."""


def system_clock() -> int:
    """Return the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def next_value(connection: Connection, name: str, *, least: int = 0) -> int:
    """Count `name` up and return its new value, at least `least`; needs a write transaction."""
    current = connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one_or_none()
    value = max(least, (current or 0) + 1)
    if current is None:
        connection.execute(insert(counters).values(name=name, value=value))
    else:
        connection.execute(update(counters).where(counters.c.name == name).values(value=value))
    return value


def server_time(connection: Connection, clock: Clock) -> int:
    """Return the server's time in microseconds, never the same twice and never going backwards.

    uv's `--exclude-newer` and CEP 47 trust upload times, so a clock that was set back must not show.
    """
    return next_value(connection, "clock", least=clock())
