"""The audit log and the channels' histories, told as one."""

import pytest
from catalog_support import RULES, upload, verified

from packhouse.catalog import Catalog
from packhouse.errors import Malformed
from packhouse.model import Principal
from packhouse.names import ChannelName

ANN = Principal(name="ann", kind="user", via="key:0123456789ab", address="192.0.2.1")
BOB = Principal(name="bob", kind="user", via="session", address="192.0.2.2")
PATH = "packages/a/a-1.whl"


class Now:
    us = 1_000_000_000

    def __call__(self):
        return self.us


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=now)
    catalog.channels.create(ChannelName("main"), born=[])
    yield catalog
    catalog.close()


def told(entries):
    return [(entry.who, entry.action, entry.object) for entry in entries]


def test_a_change_is_told_with_the_address_it_came_from(catalog):
    upload(catalog, verified(), origin="192.0.2.9")
    catalog.artifacts.yank("main", [PATH], RULES, by="ann", reason="loud", origin="192.0.2.8")
    catalog.artifacts.yank("main", [PATH], RULES, by="ann", reason=None, origin="192.0.2.7")
    catalog.artifacts.delete("main", [PATH], RULES, by="ann", grace_s=0, note="leaked", origin="2001:db8::1")

    origins = [event.origin for event in catalog.artifacts.events("main")]

    assert origins == ["192.0.2.9", "192.0.2.8", "192.0.2.7", "2001:db8::1"]
    assert [(entry.action, entry.origin, entry.note) for entry in catalog.audit.history(limit=10)] == [
        ("delete", "2001:db8::1", "leaked"),
        ("unyank", "192.0.2.7", ""),
        ("yank", "192.0.2.8", "loud"),
        ("upload", "192.0.2.9", ""),
    ]


def test_a_replacement_has_its_own_address(catalog):
    upload(catalog, verified(), origin="192.0.2.9")
    upload(catalog, verified(body=b"other"), origin="192.0.2.5", overwrite=True)

    assert [event.origin for event in catalog.artifacts.events("main")] == ["192.0.2.9", "192.0.2.5"]


def fill(catalog, now):
    """Nine lines, of both kinds, several at the same microsecond."""
    catalog.audit.note(ANN, "grant", "main")
    upload(catalog, verified(), by="ann", origin="192.0.2.1")
    catalog.audit.note(BOB, "revoke", "main", outcome="forbidden")
    now.us += 1
    catalog.audit.note(BOB, "grant", "other/pypi/100%_sure", note="a\nb")
    catalog.audit.note(ANN, "grant", "other/pypi/100 sure")
    now.us += 100
    upload(catalog, verified(name="b"), by="bob")
    now.us -= 50  # the wall clock is set back; the server's time is not
    catalog.audit.note(ANN, "key create", "ann/laptop")
    upload(catalog, verified(name="c"), by="bob")
    now.us += 50
    catalog.audit.note(ANN, "sign in", "ann")


ALL = [
    ("bob", "upload", "main/packages/c/c-1.whl"),
    ("bob", "upload", "main/packages/b/b-1.whl"),
    ("ann", "sign in", "ann"),
    ("ann", "key create", "ann/laptop"),
    ("ann", "grant", "other/pypi/100 sure"),
    ("bob", "grant", "other/pypi/100%_sure"),
    ("ann", "upload", "main/packages/a/a-1.whl"),
    ("bob", "revoke", "main"),
    ("ann", "grant", "main"),
]


def test_both_are_one_history_newest_first(catalog, now):
    fill(catalog, now)

    entries = catalog.audit.history(limit=100)

    assert told(entries) == ALL
    assert entries[0].via == ""
    assert (entries[2].via, entries[2].origin, entries[2].outcome) == ("key:0123456789ab", "192.0.2.1", "ok")
    assert entries[7].outcome == "forbidden"
    assert entries[5].note == "a?b"  # no line break can forge a line


@pytest.mark.parametrize("size", range(1, 10))
def test_pages_leave_nothing_out_and_tell_nothing_twice(catalog, now, size):
    fill(catalog, now)
    found, before = [], ""

    while page := catalog.audit.history(limit=size, before=before):
        assert len(page) <= size
        found += page
        before = page[-1].position

    assert told(found) == ALL


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"who": "bob"}, [0, 1, 5, 7]),
        ({"action": "grant"}, [4, 5, 8]),
        ({"action": "upload"}, [0, 1, 6]),
        ({"object_": "main"}, [0, 1, 6, 7, 8]),
        ({"object_": "main/packages/b"}, [1]),
        ({"object_": "100%_"}, [5]),  # a search for that text, not for a pattern
        ({"who": "bob", "action": "grant", "object_": "other"}, [5]),
        ({"who": "eve"}, []),
    ],
)
def test_one_can_ask_for_some(catalog, now, asked, rows):
    fill(catalog, now)

    assert told(catalog.audit.history(limit=100, **asked)) == [ALL[row] for row in rows]


@pytest.mark.parametrize("before", ["x", "1.", ".1", "-1", "1.2.3", "9" * 19, "1\n", "1 OR 1=1", "\u0661"])
def test_what_is_no_position_is_refused(catalog, before):
    with pytest.raises(Malformed):
        catalog.audit.history(limit=1, before=before)


def test_a_page_is_read_by_an_index(catalog):
    """However long the history is, a page of it costs a page."""
    with catalog._engine.connect() as connection:
        for table in ("audit", "events"):
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE at_us < 5 ORDER BY at_us DESC LIMIT 10"
            ).fetchall()
            assert f"ix_{table}_at_us" in str(plan)
            assert "TEMP B-TREE" not in str(plan)
