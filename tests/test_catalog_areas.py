"""Dirty marks, generations, what is published, and what leaves later."""

import pytest

from packhouse.catalog import Catalog
from packhouse.catalog.areas import Printed
from packhouse.model import Area

INDEX, ROOT, PAGE = (
    Area("main", "pypi", kind, key) for kind, key in (("index", "a"), ("root", ""), ("page", "a"))
)


class Now:
    us = 1_000_000

    def __call__(self):
        return self.us


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def areas(tmp_path, now):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=now)
    yield catalog.areas
    catalog.close()


def test_what_is_due_comes_in_the_order_of_publication(areas, now):
    areas.mark({PAGE: 0.0})
    areas.mark({ROOT: 0.0, INDEX: 0.0, Area("", "", "site"): 0.0})
    areas.mark({Area("main", "", "channel"): 5.0})

    assert areas.due() == [INDEX, ROOT, PAGE, Area("", "", "site")]
    now.us += 5_000_000
    assert areas.due()[-2:] == [Area("main", "", "channel"), Area("", "", "site")]


def test_a_later_mark_never_postpones_an_earlier_one(areas, now):
    areas.mark({ROOT: 5.0})
    first = areas.next_due_us()
    areas.mark({ROOT: 60.0})

    assert areas.next_due_us() == first
    areas.mark({ROOT: 0.0})
    assert areas.next_due_us() == now.us


def test_only_the_generation_that_was_read_is_cleared(areas):
    """A late worker must not clear a newer mark."""
    areas.mark({INDEX: 0.0})
    gen = areas.generation(INDEX)
    newer = areas.mark({INDEX: 0.0})

    assert not areas.clear(INDEX, gen)
    assert areas.due() == [INDEX]
    assert areas.unpublished(newer) == {INDEX}
    assert areas.clear(INDEX, areas.generation(INDEX))
    assert areas.unpublished(newer) == set()
    assert areas.generation(INDEX) == 0
    assert areas.next_due_us() is None


def test_a_mark_that_may_lag_is_due_when_its_time_has_come(areas, now):
    areas.mark({ROOT: 5.0})

    assert areas.due_generation(INDEX) == 0
    assert areas.due_generation(ROOT) == 0
    now.us += 5_000_000
    assert areas.due_generation(ROOT) == areas.generation(ROOT) > 0


def test_an_uploader_waits_only_for_what_is_due_at_once(areas):
    awaited = areas.mark({INDEX: 0.0, ROOT: 5.0})

    assert set(awaited) == {INDEX}
    assert areas.unpublished({}) == set()
    assert areas.mark({}) == {}


def test_what_is_printed_is_remembered_even_after_removal(areas):
    """The mtime of a removed file still counts: a re-created one must be younger."""
    areas.record(INDEX, {"simple/a/index.json": Printed("a" * 64, 3, 100)})
    areas.record(INDEX, {"simple/a/index.json": Printed(None, 0, 100), "b": Printed("b" * 64, 1, 5)})
    areas.record(INDEX, {})

    assert areas.printed(INDEX) == {
        "simple/a/index.json": Printed(None, 0, 100),
        "b": Printed("b" * 64, 1, 5),
    }
    assert areas.all_printed("main")["b"] == (INDEX, Printed("b" * 64, 1, 5))
    assert areas.printed(ROOT) == {}


def test_every_area_is_known_whether_dirty_or_published(areas):
    areas.mark({INDEX: 0.0, ROOT: 0.0})
    areas.clear(INDEX, areas.generation(INDEX))

    assert areas.known("main") == [INDEX, ROOT]
    assert areas.dirty("main") == [ROOT]


def test_the_trash_waits_for_its_time(areas, now):
    areas.discard("main", {"shards/x": 10.0, "shards/y": 0.0})

    assert areas.discarded(due=True) == [("main", "shards/y")]
    areas.keep("main", ["shards/y"])
    assert areas.discarded(due=True) == []
    now.us += 10_000_000
    assert areas.discarded("main", due=True) == [("main", "shards/x")]
    assert areas.discarded("other", due=False) == []


def test_all_areas_of_a_large_channel_are_marked_and_awaited_at_once(areas):
    """More than SQLite takes as parameters of one statement (250,000 on Debian), four for each area."""
    every = {Area("main", "pypi", "release", f"p{number}/1.0"): 0.0 for number in range(63_000)}
    first = areas.mark(dict.fromkeys(list(every)[:2], 60.0))
    awaited = areas.mark(every)
    one, *_ = every
    areas.clear(one, areas.generation(one))

    assert not first
    assert awaited.keys() == every.keys()
    assert len(areas.dirty("main")) == len(every) - 1
    assert areas.unpublished(awaited) == every.keys() - {one}
