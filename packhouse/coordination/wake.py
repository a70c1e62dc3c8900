"""Wake-ups of one machine: stamp files under `<data>/state/` whose times change, watched by inotify.

inotify drops events under load and under new directories, so an event is only ever a hint: each loop also
looks at the stamp itself at every tick, and each caller polls the catalog behind that.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Collection, Generator, Iterator
from contextlib import aclosing, closing, suppress
from pathlib import Path

import watchfiles

from packhouse.tree import fsio

_STEP_MS = 2
"""How often watchfiles looks at its queue: 3 ms from poke to wake-up, for 1 % of one core while idle."""
_DEBOUNCE_MS = 20
_TICK_MS = 20
_ASYNC_TICK_MS = 250  # each tick of the asynchronous form costs a hop to a thread

_NO_WATCH = (
    OSError,
    RuntimeError,
)  # RuntimeError is what watchfiles makes of an inotify limit that is reached
_Events = Generator[set[tuple[watchfiles.Change, str]], None, None]

TOPICS = ("wake", "published")


class FileWake:
    """`Wake` by stamp files."""

    def __init__(self, data: Path) -> None:
        self._state = data / "state"
        # A poke between now and the first wait is seen by that wait.
        self._first = {topic: _mtime_ns(self._state / topic) for topic in TOPICS}
        self._mine = threading.local()

    def poke(self, topic: str) -> None:
        """Touch the topic's stamp."""
        with fsio.answering(f"the stamp {topic}"):
            fsio.touch(self._state / topic)

    def wait(self, topic: str, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Block until a poke, `stop` or the timeout; see `Wake.wait`.

        Each thread keeps its own watch open from its first call on, so that a poke between two calls is seen
        by the second one.
        """
        watches: dict[str, _StampWatch] = self._mine.__dict__.setdefault("watches", {})
        if topic not in watches:
            known = self._first.get(topic, 0) if (self._state / topic).exists() else None
            stamp = self._stamp(topic)
            watches[topic] = _StampWatch(stamp, _mtime_ns(stamp) if known is None else known)
        deadline = time.monotonic() + timeout_s
        while not (stop and stop.is_set()):
            left_s = deadline - time.monotonic()
            if watches[topic].poked(max(left_s, 0)):
                return True
            if left_s <= 0:
                return False
        return False

    def close(self) -> None:
        """Close the calling thread's watches; those of other threads close when the threads end."""
        watches: dict[str, _StampWatch] = self._mine.__dict__.pop("watches", {})
        for watch_ in watches.values():
            watch_.close()

    async def changes(self, topic: str, poll_s: float) -> AsyncGenerator[bool, None]:
        """Yield once at the start, then True at each poke and False after `poll_s` seconds without one."""
        stamp = self._stamp(topic)
        seen = _mtime_ns(stamp)
        yield False
        last = time.monotonic()
        tick_ms = min(_ASYNC_TICK_MS, max(1, int(poll_s * 1000)))
        async with aclosing(_ticks(stamp, tick_ms)) as events:
            async for event in events:
                now_ns, now = _mtime_ns(stamp), time.monotonic()
                if event or now_ns != seen:
                    seen, last = now_ns, now
                    yield True
                elif now - last >= poll_s:
                    last = now
                    yield False

    def _stamp(self, topic: str) -> Path:
        stamp = self._state / topic
        if not stamp.exists():
            self.poke(topic)
        return stamp


class _StampWatch:
    """One open watch of one stamp."""

    def __init__(self, stamp: Path, seen_ns: int) -> None:
        self._stamp, self._seen_ns = stamp, seen_ns
        self._events = _until_failure(_events((stamp,), _TICK_MS, None))

    def poked(self, left_s: float) -> bool:
        """Look, for at most `left_s` seconds or one tick, whichever is shorter."""
        if self._changed():
            return True
        if left_s * 1000 < _TICK_MS:
            time.sleep(min(left_s, _STEP_MS / 1000))
            return self._changed()
        event = next(self._events, None)
        if event is None:  # no watch can be had: the looking goes on without it
            time.sleep(_TICK_MS / 1000)
        return self._changed() or bool(event)

    def _changed(self) -> bool:
        before, self._seen_ns = self._seen_ns, _mtime_ns(self._stamp)
        return self._seen_ns != before

    def close(self) -> None:
        """Let the watch go."""
        self._events.close()


def _until_failure(events: _Events) -> _Events:
    """Give the events, and end where the kernel has no more watches to give."""
    with closing(events), suppress(*_NO_WATCH):
        yield from events


async def _ticks(stamp: Path, tick_ms: int) -> AsyncGenerator[bool, None]:
    """Yield True for an event, False at every tick; without a watch, at every tick only."""
    with suppress(*_NO_WATCH):
        events = watchfiles.awatch(
            stamp,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=tick_ms,
            yield_on_timeout=True,
        )
        async with aclosing(events):
            async for event in events:
                yield bool(event)
    while True:
        await asyncio.sleep(tick_ms / 1000)
        yield False


def watch(paths: Collection[Path], poll_s: float, stop: threading.Event) -> Iterator[set[Path]]:
    """Yield the paths that changed, or an empty set after `poll_s` seconds without a change, until `stop` is set.

    Directories are watched with everything below them, whatever its name; reading is no change. A path that is
    missing, or that is removed and made again, is watched from the next poll on. A new directory may hide what
    was put into it at once: whoever gets a directory looks through it.
    """
    while not stop.is_set():
        there = [path for path in paths if path.exists()]
        identity = _identity(paths)
        if not there:
            stop.wait(poll_s)
            yield set()
            continue
        with closing(_until_failure(_events(there, max(1, int(poll_s * 1000)), stop))) as events:
            for event in events:
                yield {Path(path) for _, path in event}
                # A folder made again may get the old inode number: its removal is an event as well.
                removed = {Path(path) for kind, path in event if kind is watchfiles.Change.deleted}
                if removed.intersection(paths) or _identity(paths) != identity:
                    break
            else:  # stopped, or no watch can be had
                if not stop.wait(poll_s):
                    yield set()


def _events(paths: Collection[Path], timeout_ms: int, stop: threading.Event | None) -> _Events:
    # No filter: the library's own one hides names such as `build~` and whole folders named node_modules.
    return watchfiles.watch(
        *paths,
        watch_filter=None,
        debounce=_DEBOUNCE_MS,
        step=_STEP_MS,
        rust_timeout=timeout_ms,
        yield_on_timeout=True,
        stop_event=stop,
    )


def _mtime_ns(stamp: Path) -> int:
    try:
        return stamp.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _identity(paths: Collection[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            info = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((info.st_dev, info.st_ino))
    return found
