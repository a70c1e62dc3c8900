"""`indexer check`: read every served file by independent means, then rebuild beside and compare.

The readers share no code with the formats that write: json, msgpack, zstd and html.parser, and where they are
installed py-rattler and pypi-simple. Each artifact is hashed once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from indexer import state
from indexer.check import conda, generic, pypi
from indexer.check.census import census, outside
from indexer.check.rebuild import areas_to_rebuild, cold, rebuild
from indexer.check.shelf import Finding, Shelf
from packhouse.house import House
from packhouse.names import parse_channel

__all__ = ["Finding", "Report", "check"]

Progress = Callable[[int, int], None]
"""Told (areas done, areas in all)."""

_READERS = (conda.check, pypi.check, generic.check)
_PATIENCE_S = 30.0
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found: no finding means that all is well."""

    findings: tuple[Finding, ...]
    channels: int
    files: int
    elapsed_s: float

    def __str__(self) -> str:
        verdict = f"{len(self.findings)} findings" if self.findings else "all is well"
        return f"{self.channels} channels, {self.files} files read in {self.elapsed_s:.1f} s: {verdict}"


def check(house: House, channel: str | None = None, *, progress: Progress | None = None) -> Report:
    """Check one channel, or everything.

    Args:
        house: where; an indexer may be running, it is waited for.
        channel: only this one; None is every channel and the site.
        progress: told how far it is.

    Raises:
        NotFound: there is no such channel.
    """
    started = time.monotonic()
    channels = house.catalog.channels.list() if channel is None else [
        house.catalog.channels.get(parse_channel(channel))
    ]  # fmt: skip
    names = [*(item.name for item in channels), *([""] if channel is None else [])]
    findings: list[Finding] = []
    files = 0
    for name in names:
        shelf = _settled(house, name, progress)
        findings += shelf.findings
        files += shelf.read
    if channel is None:
        findings += outside(house)
    return Report(
        findings=tuple(dict.fromkeys(findings)),
        channels=len(channels),
        files=files,
        elapsed_s=time.monotonic() - started,
    )


def _settled(house: House, name: str, progress: Progress | None) -> Shelf:
    """Check a channel, or the site (an empty name); what changed meanwhile is checked again.

    The findings may be of two times otherwise.
    """
    for left in reversed(range(_TRIES)):
        _wait_until_clean(house, name)
        place = house.placement(name) if name else None
        if name and place is None:
            return Shelf(house, None)  # deleted meanwhile
        shelf = Shelf(house, place)
        before = _mark(house, name)
        _examine(shelf, progress)
        if not shelf.findings or _mark(house, name) == before or not left:
            return shelf
    raise AssertionError("the loop returns")


def _examine(shelf: Shelf, progress: Progress | None) -> None:
    for area in shelf.house.catalog.areas.dirty(shelf.name):
        shelf.wrong("", f"{area} changed and is not published: run `indexer reindex`")
    census(shelf)
    if shelf.channel is not None:
        for reader in _READERS:
            reader(shelf)
    total = len(areas_to_rebuild(shelf))
    for done, _ in enumerate(rebuild(shelf, cold()), 1):
        if progress is not None:
            progress(done, total)


def _wait_until_clean(house: House, name: str) -> None:
    """While an indexer runs, let it finish what it is at: lists may lag by some seconds."""
    deadline = time.monotonic() + _PATIENCE_S
    while state.running(house) and time.monotonic() < deadline:
        if not house.catalog.areas.dirty(name) and _serial_published(house, name):
            return
        house.wake.wait("published", 0.25)


def _serial_published(house: House, name: str) -> bool:
    """Whether `serial.json` has caught up; it is written at the end of a round."""
    channel = house.catalog.channels.find(name) if name else None
    if channel is None:
        return True
    return house.read(channel, "serial.json") == b'{"serial":%d}\n' % channel.serial


def _mark(house: House, name: str) -> tuple[object, ...]:
    place = house.placement(name) if name else None
    return (place, tuple(house.catalog.areas.all_printed(name).items()))
