"""Waiting for publication, for slow bodies, for a place."""

import asyncio

import pytest
from uploadd_support import FakeIndexer, open_test_house

from packhouse.errors import Busy, TooSlow, Unavailable
from packhouse.model import Area
from uploadd.limits import Gate
from uploadd.pace import Pace
from uploadd.publication import Publication

NOARCH, LINUX = (Area("main", "conda", "index", subdir) for subdir in ("noarch", "linux-64"))


@pytest.fixture
def house(tmp_path):
    with open_test_house(tmp_path / "data") as opened:
        FakeIndexer(opened).publish()
        yield opened


class Watching:
    """A publication with its watcher running."""

    def __init__(self, house, **options):
        self.publication = Publication(house.catalog.areas, house.wake, **{"wait_s": 30, **options})

    async def __aenter__(self):
        self._task = asyncio.create_task(self.publication.watch())
        return self.publication

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_nothing_to_wait_for(house):
    assert await Publication(house.catalog.areas, house.wake, wait_s=0).wait({})


async def test_every_waiter_is_answered_when_its_own_areas_are_published(house):
    areas = house.catalog.areas
    first, second = areas.mark({NOARCH: 0.0}), areas.mark({LINUX: 0.0})
    async with Watching(house) as publication:
        waiting = [asyncio.create_task(publication.wait(first)) for _ in range(50)]
        other = asyncio.create_task(publication.wait(second))
        areas.clear(NOARCH, first[NOARCH])
        house.wake.poke("published")

        assert all(await asyncio.gather(*waiting))
        assert not other.done(), "a slow neighbour must not be answered, nor hold the others"
        areas.clear(LINUX, second[LINUX])
        house.wake.poke("published")
        assert await other


async def test_a_lost_announcement_costs_a_poll(house):
    awaited = house.catalog.areas.mark({NOARCH: 0.0})
    async with Watching(house, poll_s=0.05) as publication:
        waiting = asyncio.create_task(publication.wait(awaited))
        await asyncio.sleep(0)
        house.catalog.areas.clear(NOARCH, awaited[NOARCH])  # and nobody says so

        assert await waiting


async def test_a_watch_that_cannot_be_had_costs_polls_only(house, monkeypatch, caplog):
    class Deaf:
        def changes(self, topic, poll_s):
            raise OSError("out of inotify watches")

    awaited = house.catalog.areas.mark({NOARCH: 0.0})
    publication = Publication(house.catalog.areas, Deaf(), wait_s=30, poll_s=0.05)
    task = asyncio.create_task(publication.watch())
    waiting = asyncio.create_task(publication.wait(awaited))
    await asyncio.sleep(0)
    house.catalog.areas.clear(NOARCH, awaited[NOARCH])

    assert await waiting
    assert "out of inotify watches" in caplog.text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_busy_catalog_is_asked_again(house, monkeypatch):
    areas, real = house.catalog.areas, house.catalog.areas.unpublished
    calls = []

    def flaky(awaited):
        calls.append(1)
        if len(calls) == 1:
            raise Unavailable("locked")
        return real(awaited)

    monkeypatch.setattr(areas, "unpublished", flaky)
    async with Watching(house, poll_s=0.05) as publication:
        assert await publication.wait({NOARCH: 0})
    assert len(calls) > 1


async def test_the_wait_is_bounded(house):
    awaited = house.catalog.areas.mark({NOARCH: 0.0})
    async with Watching(house, wait_s=0.05) as publication:
        assert not await publication.wait(awaited)


class TestPace:
    async def test_nothing_within_the_window_is_too_slow(self):
        pace = Pace(1000, 0.05)

        with pytest.raises(TooSlow, match="1000 bytes per second"):
            await pace.read(asyncio.sleep(60, b""))

    async def test_a_trickle_is_too_slow_although_bytes_keep_coming(self):
        pace = Pace(1_000_000, 0.05)

        with pytest.raises(TooSlow):
            for _ in range(1000):
                await pace.read(asyncio.sleep(0.01, b"x"))

    async def test_a_pause_at_the_end_of_a_window_that_is_paid_for_belongs_to_the_next(self):
        pace = Pace(10, 60)
        await pace.read(asyncio.sleep(0, b"x" * 1000))
        pace._waited_s = 59.999

        assert await pace.read(asyncio.sleep(0.01, b"x"))
        assert (pace._arrived, pace._waited_s < 1) == (0, True)

    async def test_a_pause_at_the_end_of_a_window_that_is_not_is_too_slow(self):
        pace = Pace(10, 60)
        pace._waited_s = 59.999

        with pytest.raises(TooSlow):
            await pace.wait(asyncio.sleep(60))

    async def test_a_window_that_ends_unpaid_is_too_slow_whatever_came_last(self):
        pace = Pace(10, 60)
        pace._waited_s = 60.0

        with pytest.raises(TooSlow):
            pace._close_window()

    async def test_our_own_slowness_is_not_the_clients(self):
        pace = Pace(1000, 0.05)

        for _ in range(3):
            assert await pace.read(asyncio.sleep(0, b"x"))
            await asyncio.sleep(0.05)


class TestGate:
    async def test_one_who_finds_no_place_is_told_to_come_again(self):
        gate = Gate(places=1, patience_s=0.01)

        async with gate.enter():
            with pytest.raises(Busy):
                async with gate.enter():
                    raise AssertionError
        async with gate.enter():
            pass
