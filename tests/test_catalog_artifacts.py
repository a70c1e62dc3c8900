"""The life of an artifact in the catalog: each step one transaction, the commit the only one that counts."""

import itertools
import threading
from dataclasses import replace

import pytest
from catalog_support import RULES, upload, verified

from packhouse.catalog import Catalog
from packhouse.catalog.areas import Printed
from packhouse.catalog.artifacts import InFlight, Same, Ticket
from packhouse.errors import Burnt, Busy, ChannelExists, Exists, NotFound, Unprocessable
from packhouse.model import Area, Ecosystem, EventKind, State

PATH = "packages/a/a-1.whl"


@pytest.fixture
def clock():
    ticks = itertools.count(1_000_000_000)
    return lambda: next(ticks)


@pytest.fixture
def catalog(tmp_path, clock):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=clock)
    catalog.channels.create("main", born=[Area("main", "pypi", "root")])
    yield catalog
    catalog.close()


def claim(catalog, item, token="t", **kwargs):
    return catalog.artifacts.claim(item, by="ci", token=token, lease_s=60, **kwargs)


def test_a_claimed_file_is_not_there_until_it_is_committed(catalog):
    ticket = claim(catalog, verified())

    assert catalog.artifacts.live("main", PATH) is None
    assert list(catalog.records("main", lambda _: None).live(Ecosystem.PYPI)) == []

    change = catalog.artifacts.commit(ticket, RULES)

    assert change.serial == 1
    assert catalog.artifacts.live("main", PATH) == change.artifacts[0]
    assert change.artifacts[0].warnings == ("odd",)
    assert set(change.awaited) == {
        Area("main", "pypi", "index", "a"),
        Area("main", "pypi", "root"),
        Area("main", "pypi", "release", "a/1"),
        Area("main", "pypi", "page", "a"),
    }


def test_the_same_bytes_again_are_the_same_file(catalog):
    change = upload(catalog, verified())

    again = claim(catalog, verified())

    assert again == Same(change.artifacts[0])


def test_other_bytes_under_a_live_or_claimed_name_are_refused(catalog):
    claim(catalog, verified(version="2"))
    upload(catalog, verified())

    with pytest.raises(Exists, match="File already exists"):
        claim(catalog, verified(body=b"other"))
    with pytest.raises(Exists, match="another upload of that name is under way"):
        claim(catalog, verified(version="2", body=b"other"))


def test_the_same_bytes_in_flight_are_waited_for(catalog):
    ticket = claim(catalog, verified())

    assert claim(catalog, verified(), token="u") == InFlight(ticket.id)


def test_a_commit_without_the_lease_changes_nothing(catalog):
    ticket = claim(catalog, verified())
    assert catalog.artifacts.take_over(ticket.id, ticket.token, "reaper", 60)

    with pytest.raises(Busy, match="lease"):
        catalog.artifacts.commit(ticket, RULES)

    assert catalog.artifacts.live("main", PATH) is None
    assert not catalog.artifacts.take_over(ticket.id, ticket.token, "late", 60)
    assert not catalog.artifacts.release(ticket.id, ticket.token)
    assert catalog.artifacts.release(ticket.id, "reaper")
    assert catalog.artifacts.get(ticket.id) is None
    assert isinstance(claim(catalog, verified(body=b"other")), Ticket)


def test_pending_rows_tell_the_reaper_whether_their_lease_is_over(catalog):
    short = catalog.artifacts.claim(verified(), by="ci", token="x:1", lease_s=0)
    long = claim(catalog, verified("b"), token="y:1")

    assert [(a.id, token, over) for a, token, over in catalog.artifacts.pending()] == [
        (short.id, "x:1", True),
        (long.id, "y:1", False),
    ]


def test_a_deleted_name_is_burnt_for_good(catalog):
    upload(catalog, verified(sidecars={".metadata": b"m"}))

    change = catalog.artifacts.delete("main", [PATH], RULES, by="admin", grace_s=0, note="leaked")

    assert change.serial == 2
    assert catalog.artifacts.live("main", PATH) is None
    assert catalog.artifacts.burnt("main", PATH)
    for body in (b"bytes", b"other"):
        with pytest.raises(Burnt):
            claim(catalog, verified(body=body))
    assert catalog.areas.discarded(due=True) == [("main", PATH), ("main", PATH + ".metadata")]
    assert catalog.records("main", lambda _: None).removed(Ecosystem.PYPI, directory="packages/a") == [
        "a-1.whl"
    ]
    assert catalog.artifacts.sidecars(change.artifacts[0].id) == {".metadata": b"m"}


def test_deleting_what_is_not_there_deletes_nothing(catalog):
    upload(catalog, verified())

    with pytest.raises(NotFound, match="no file main/packages/zzz"):
        catalog.artifacts.delete("main", [PATH, "packages/zzz"], RULES, by="admin", grace_s=0)

    assert catalog.artifacts.live("main", PATH) is not None


def test_yanking_keeps_the_file_and_can_be_undone(catalog):
    upload(catalog, verified())

    assert (
        catalog.artifacts.yank("main", [PATH], RULES, by="admin", reason="broken").artifacts[0].yanked
        == "broken"
    )
    assert catalog.artifacts.yank("main", [PATH], RULES, by="admin", reason="").artifacts[0].yanked == ""
    assert catalog.artifacts.yank("main", [PATH], RULES, by="admin", reason=None).artifacts[0].yanked is None
    assert [event.kind for event in catalog.artifacts.events("main")] == [
        EventKind.UPLOAD,
        EventKind.YANK,
        EventKind.YANK,
        EventKind.UNYANK,
    ]


def test_an_overwrite_replaces_the_row_and_waits_to_be_swapped(catalog):
    first = upload(catalog, verified(sidecars={".metadata": b"m"})).artifacts[0]

    ticket = claim(catalog, verified(body=b"other"), overwrite=True)
    assert ticket.replaces
    second = catalog.artifacts.commit(ticket, RULES, staged="incoming/replace.2", grace_s=0).artifacts[0]

    assert catalog.artifacts.live("main", PATH) == second
    assert catalog.artifacts.get(first.id).state is State.REPLACED
    assert catalog.artifacts.staged("main") == [second]
    assert catalog.artifacts.staged("main", "packages/a") == [second]
    assert catalog.artifacts.replaced_sha256("main", PATH) == first.sha256
    assert catalog.areas.discarded("main", due=True) == [("main", PATH + ".metadata")]
    catalog.artifacts.settle(second.id)
    assert catalog.artifacts.staged("main") == []
    assert catalog.artifacts.events("main", since=1)[0].kind is EventKind.REPLACE


def test_upload_times_never_go_backwards(tmp_path):
    now = 5_000_000
    catalog = Catalog(tmp_path / "c.sqlite", clock=lambda: now)
    catalog.channels.create("main", born=[])
    first = upload(catalog, verified()).artifacts[0]
    now = 1_000_000  # the clock was set back

    second = upload(catalog, verified("b")).artifacts[0]

    assert second.uploaded_us > first.uploaded_us
    told = upload(catalog, verified("c"), uploaded_us=77).artifacts[0]
    assert told.uploaded_us == 77
    assert upload(catalog, verified("d"), imported=True).artifacts[0].imported
    catalog.close()


def test_the_package_line_follows_its_files(catalog):
    records = catalog.records("main", lambda path: b"file" if path == "x" else None)
    upload(catalog, verified(version="1", summary="old"))
    upload(catalog, verified(version="2", summary="new"))

    (line,) = records.packages(Ecosystem.PYPI)
    assert (line.name, line.display, line.latest, line.summary, line.files, line.serial) == (
        "a",
        "A",
        "2",
        "new",
        2,
        2,
    )

    second = catalog.artifacts.delete("main", ["packages/a/a-2.whl"], RULES, by="x", grace_s=0)
    assert Area("main", "pypi", "root") not in second.awaited
    (line,) = records.packages(Ecosystem.PYPI)
    assert (line.latest, line.files) == ("1", 1)

    last = catalog.artifacts.delete("main", [PATH], RULES, by="x", grace_s=0)
    assert Area("main", "pypi", "root") in last.awaited
    assert records.packages(Ecosystem.PYPI) == []
    assert records.changed(Ecosystem.PYPI, directory=None, since=0) == {"a": 4}
    assert records.changed(Ecosystem.PYPI, directory="packages/a", since=4) == {}
    assert records.directories(Ecosystem.PYPI) == ["packages/a"]
    assert records.file("x") == b"file"


def test_a_summary_may_lie_among_the_details(catalog):
    """A conda record has no place for one: clients would read it with every index."""
    item = verified()
    upload(catalog, replace(item, observed=replace(item.observed, details={"summary": "Says hello"})))

    assert catalog.records("main", lambda _: None).packages(Ecosystem.PYPI)[0].summary == "Says hello"


def test_records_are_ordered_and_narrowed(catalog):
    for name, version in (("b", "1"), ("a", "2"), ("a", "1")):
        upload(catalog, verified(name, version))
    records = catalog.records("main", lambda _: None)

    assert [a.path for a in records.live(Ecosystem.PYPI)] == [
        "packages/a/a-1.whl",
        "packages/a/a-2.whl",
        "packages/b/b-1.whl",
    ]
    assert [a.package for a in records.live(Ecosystem.PYPI, directory="packages/b")] == ["b"]
    assert [a.version for a in records.live(Ecosystem.PYPI, package="a")] == ["1", "2"]
    assert list(records.live(Ecosystem.CONDA)) == []
    artifact = catalog.artifacts.named("main", "a-1.whl")[0]
    assert records.details(artifact.id) == {"members": ["a-1.whl"]}
    assert records.details(999) == {}
    assert [a.version for a in catalog.artifacts.of_version("main", Ecosystem.PYPI, "a", "2")] == ["2"]
    assert len(catalog.artifacts.of_version("main", Ecosystem.PYPI, "a")) == 2


def test_twenty_racing_claims_have_one_winner(catalog):
    """The name is the lock: different bytes, one ticket."""
    outcomes = []

    def race(n):
        try:
            outcomes.append(claim(catalog, verified(body=b"%d" % n), token=str(n)))
        except Exists as refusal:
            outcomes.append(refusal)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(outcome, Ticket) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Exists) for outcome in outcomes) == 19


def test_a_channel_with_files_is_kept(catalog):
    upload(catalog, verified())

    with pytest.raises(Unprocessable, match="still holds files"):
        catalog.channels.delete("main")
    with pytest.raises(ChannelExists):
        catalog.channels.create("main", born=[])


def test_burnt_names_outlive_their_channel(catalog):
    upload(catalog, verified())
    catalog.artifacts.delete("main", [PATH], RULES, by="x", grace_s=0)
    catalog.channels.delete("main")

    assert catalog.channels.find("main") is None
    with pytest.raises(NotFound):
        catalog.channels.get("main")
    with pytest.raises(NotFound):
        catalog.channels.delete("main")
    with pytest.raises(NotFound, match="deleted during the upload"):
        claim(catalog, verified())
    catalog.channels.create("main", born=[])
    with pytest.raises(Burnt):
        claim(catalog, verified())
    assert upload(catalog, verified("b")).serial == 3


def test_the_mtimes_of_a_deleted_channel_stay(catalog):
    """An ETag of nginx is seconds and size: without them it would come again for other content."""
    area = Area("main", "", "channel", "serial")
    catalog.areas.record(area, {"serial.json": Printed("a" * 64, 14, 1_000)})

    catalog.channels.delete("main")
    catalog.channels.create("main", born=[])

    assert catalog.areas.printed(area) == {"serial.json": Printed(None, 14, 1_000)}


def test_channel_settings(catalog):
    catalog.channels.create("closed", born=[], private=True, overwrite=True)

    assert [(c.name, c.private, c.overwrite) for c in catalog.channels.list()] == [
        ("closed", True, True),
        ("main", False, False),
    ]
    assert catalog.channels.set("main", overwrite=True).overwrite
    with pytest.raises(NotFound):
        catalog.channels.set("nope", overwrite=True)
