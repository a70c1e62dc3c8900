"""An upload from staged bytes to a committed artifact, and what a crash leaves at each step."""

import hashlib
import threading
from dataclasses import replace

import pytest
from house_support import Direct, claim_of, new_house, take_in
from pypi_support import make_wheel

from packhouse.catalog.artifacts import Artifacts
from packhouse.ecosystems import Limits
from packhouse.errors import (
    BadArchive,
    Burnt,
    Busy,
    ClaimMismatch,
    Exists,
    Forbidden,
    NotAPackhouse,
    NotFound,
    OverwriteForbidden,
    StorageFull,
    TooLarge,
    Unavailable,
)
from packhouse.house import open_house
from packhouse.intake import changes
from packhouse.intake.receive import History, Intake, name_lock, put, reap
from packhouse.model import Action, Ecosystem, State
from packhouse.names import ChannelName
from packhouse.rights import Rights
from packhouse.verify import verify

NAME, WHEEL = make_wheel(name="apple", version="1.0")
OTHER = make_wheel(name="apple", version="1.0", summary="other bytes")[1]
PATH = f"packages/apple/{NAME}"


@pytest.fixture
def house(tmp_path):
    house = new_house(tmp_path)
    yield house
    house.close()


@pytest.fixture
def intake(house):
    return Intake(house, Direct())


def served(house, path=PATH):
    file = house.data / "public" / "main" / path
    return file.read_bytes() if file.is_file() else None


def leftovers(house):
    return sorted(path.name for path in (house.data / "incoming").iterdir())


def test_an_upload_is_placed_with_its_metadata_and_committed(house, intake):
    receipt = take_in(intake, NAME, WHEEL)

    assert receipt.created
    assert receipt.artifact.state is State.LIVE
    assert served(house) == WHEEL
    assert b"Name: apple" in served(house, PATH + ".metadata")
    assert (house.data / "public/main" / PATH).stat().st_mode & 0o777 == 0o644
    assert leftovers(house) == []
    assert house.catalog.areas.unpublished(receipt.awaited) == set(receipt.awaited)


def test_the_same_bytes_again_change_nothing(house, intake):
    first = take_in(intake, NAME, WHEEL)
    again = take_in(intake, NAME, WHEEL)

    assert not again.created
    assert again.artifact == first.artifact
    assert leftovers(house) == []


def test_other_bytes_are_refused_and_the_first_stay(house, intake):
    take_in(intake, NAME, WHEEL)

    with pytest.raises(Exists):
        take_in(intake, NAME, OTHER)

    assert served(house) == WHEEL
    assert leftovers(house) == []


def test_a_refused_upload_leaves_the_house_as_it_was(house, intake):
    with pytest.raises(ClaimMismatch, match="sha256"):
        take_in(intake, NAME, WHEEL, digests={"sha256": "0" * 64})
    with pytest.raises(BadArchive):
        take_in(intake, NAME, b"no zip")

    def nobody(channel, _ecosystem, package):
        raise Forbidden("ci", "write", f"{package} in {channel.name}")

    with pytest.raises(Forbidden, match="apple in main"):
        take_in(intake, NAME, WHEEL, shelf=nobody)

    assert served(house) is None
    assert leftovers(house) == []
    assert house.catalog.artifacts.pending() == []


def test_the_door_refuses_before_the_body(house, intake):
    take_in(intake, NAME, WHEEL)
    said = hashlib.sha256(WHEEL).hexdigest()

    intake.door(claim_of(NAME, digests={"sha256": said}))
    intake.door(claim_of(NAME))  # nothing is said of the bytes: only they can tell
    for claim, refusal in (
        (claim_of(NAME, digests={"sha256": "0" * 64}), Exists),
        (claim_of(NAME, channel="nowhere"), NotFound),
        (claim_of(NAME, size=1 << 50), TooLarge),
        (claim_of(NAME, force=True), OverwriteForbidden),
    ):
        with pytest.raises(refusal):
            intake.door(claim)
    full = replace(house, settings=replace(house.settings, min_free_bytes=1 << 60))
    with pytest.raises(StorageFull):
        Intake(full, Direct()).door(claim_of(NAME))
    changes.delete(house, house.catalog.artifacts.live("main", PATH), _by("root"))
    with pytest.raises(Burnt):
        intake.door(claim_of(NAME))
    intake.door(
        claim_of("tiny-1-0.conda", ecosystem=Ecosystem.CONDA)
    )  # its subdir is known from the bytes only


def _by(name):
    from packhouse.model import Principal

    return Principal(name=name, kind="service", admin=True)


def test_the_source_of_an_import_tells_the_upload_time(intake):
    told = take_in(intake, NAME, WHEEL, history=History(uploaded_us=1_600_000_000_000_000))
    name, body = make_wheel(name="pear", version="1.0")
    unknown = take_in(intake, name, body, history=History(imported=True))

    assert told.artifact.uploaded_us == 1_600_000_000_000_000
    assert unknown.artifact.imported


def test_an_overwrite_waits_for_the_indexer_to_swap_it_in(tmp_path):
    house = new_house(tmp_path, overwrite=True)
    intake = Intake(house, Direct())
    take_in(intake, NAME, WHEEL)
    place = house.placement("main")

    receipt = take_in(intake, NAME, OTHER, force=True)

    assert served(house) == WHEEL, "index and bytes change in one hold of the area's lock, not before"
    assert receipt.artifact.staged
    changes.swap(house, place, receipt.artifact)
    assert served(house) == OTHER
    old = hashlib.sha256(WHEEL).hexdigest()
    assert served(house, f"replaced/pypi/apple/{old}/{NAME}") == WHEEL
    assert leftovers(house) == []
    changes.swap(house, place, receipt.artifact)  # after a crash it is done again
    assert served(house) == OTHER
    assert house.catalog.artifacts.staged("main") == []
    changes.swap(house, place, house.catalog.artifacts.live("main", PATH))
    house.close()


def test_an_orphan_of_a_crash_is_moved_aside(house, intake):
    target = house.data / "public/main" / PATH
    target.parent.mkdir(parents=True)
    target.write_bytes(b"half a file of nobody")

    take_in(intake, NAME, WHEEL)

    assert served(house) == WHEEL
    (aside,) = leftovers(house)
    assert aside.startswith("orphan.")


def test_an_orphan_with_the_same_bytes_is_adopted(house, intake):
    target = house.data / "public/main" / PATH
    target.parent.mkdir(parents=True)
    target.write_bytes(WHEEL)

    take_in(intake, NAME, WHEEL)

    assert served(house) == WHEEL
    assert leftovers(house) == []


def test_a_failure_while_placing_frees_the_name(house, intake, monkeypatch):
    def fail(self, ticket, rules, **_more):
        raise OSError("the disk went away")

    monkeypatch.setattr(Artifacts, "commit", fail)
    with pytest.raises(OSError, match="went away"):
        take_in(intake, NAME, WHEEL)
    monkeypatch.undo()

    assert served(house) is None
    assert take_in(intake, NAME, OTHER).created


def test_a_lost_answer_after_the_commit_keeps_the_upload(house, intake, monkeypatch):
    commit = Artifacts.commit

    def commit_then_fail(self, ticket, rules, **more):
        commit(self, ticket, rules, **more)
        raise OSError("the connection to the catalog broke")

    monkeypatch.setattr(Artifacts, "commit", commit_then_fail)
    with pytest.raises(OSError, match="broke"):
        take_in(intake, NAME, WHEEL)

    assert served(house) == WHEEL
    assert house.catalog.artifacts.live("main", PATH) is not None


def crashed(house, body=WHEEL, *, placed, lease_s=1000.0, holder="0123456789abcdef", overwrite=False):
    """The pending row that a process leaves when it dies; with its bytes at their place, or not yet."""
    from packhouse.intake.stage import Stage

    with Stage(house.data, house.locks.instance(), max_bytes=1 << 30) as stage:
        stage.write(body)
        digests = stage.finish()
        observed = Direct().inspect(Ecosystem.PYPI, stage.path, claim_of(NAME), Limits())
        verified = verify(claim_of(NAME), digests, observed)
        ticket = house.catalog.artifacts.claim(
            verified, by="ci", token=f"{holder}:x", lease_s=lease_s, overwrite=overwrite
        )
        if placed and ticket.replaces:
            (house.data / f"incoming/replace.{ticket.id}").write_bytes(body)
        elif placed:
            put(house, f"public/main/{verified.path}", {}, stage, digests)
    return ticket


def test_the_reaper_finishes_what_was_placed(house):
    crashed(house, placed=True)

    assert reap(house, house.locks.instance()) == 1

    assert house.catalog.artifacts.live("main", PATH) is not None
    assert b"Name: apple" in served(house, PATH + ".metadata")


def test_the_reaper_undoes_what_was_not(house):
    crashed(house, placed=False)

    assert reap(house, house.locks.instance()) == 1

    assert house.catalog.artifacts.pending() == []
    assert served(house) is None


def test_the_reaper_undoes_torn_bytes(house):
    crashed(house, placed=True)
    (house.data / "public/main" / PATH).write_bytes(WHEEL[:100])

    reap(house, house.locks.instance())

    assert served(house) is None
    assert house.catalog.artifacts.live("main", PATH) is None


@pytest.mark.parametrize("placed", [True, False])
def test_the_reaper_finishes_or_undoes_an_overwrite(tmp_path, placed):
    house = new_house(tmp_path, overwrite=True)
    take_in(Intake(house, Direct()), NAME, WHEEL)
    ticket = crashed(house, OTHER, placed=placed, overwrite=True)
    assert ticket.replaces

    reap(house, house.locks.instance())

    live = house.catalog.artifacts.live("main", PATH)
    assert (live.sha256 == hashlib.sha256(OTHER).hexdigest()) is placed
    assert served(house) == WHEEL
    if placed:
        changes.swap(house, house.placement("main"), live)
        assert served(house) == OTHER
    house.close()


def test_the_living_keep_their_lease(house):
    crashed(house, placed=True, holder=house.locks.instance())

    assert reap(house, house.locks.instance()) == 0
    assert len(house.catalog.artifacts.pending()) == 1


def test_a_lease_that_is_over_is_reaped_even_from_the_living(house):
    crashed(house, placed=True, holder=house.locks.instance(), lease_s=0)

    assert reap(house, house.locks.instance()) == 1


def test_a_second_upload_of_the_same_bytes_takes_a_dead_rival_over(house, intake):
    crashed(house, placed=True)

    receipt = take_in(intake, NAME, WHEEL)

    assert not receipt.created
    assert house.catalog.artifacts.live("main", PATH) is not None


def test_a_pending_upload_of_a_deleted_channel_is_released(house):
    ticket = crashed(house, placed=False)
    with house.catalog._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM channels")

    reap(house, house.locks.instance())

    assert house.catalog.artifacts.get(ticket.id) is None


def test_twenty_racing_uploads_leave_one_winner(house, intake):
    bodies = [make_wheel(name="apple", version="1.0", summary=f"racer {n}")[1] for n in range(20)]
    won, lost = [], []

    def race(body):
        try:
            take_in(intake, NAME, body)
            won.append(body)
        except Exists:
            lost.append(body)

    threads = [threading.Thread(target=race, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(lost)) == (1, 19)
    assert served(house) == won[0]
    assert leftovers(house) == []


def test_racing_uploads_of_the_same_bytes_all_succeed(house, intake):
    receipts = []
    threads = [
        threading.Thread(target=lambda: receipts.append(take_in(intake, NAME, WHEEL))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(receipt.created for receipt in receipts) == [False] * 7 + [True]
    assert served(house) == WHEEL


def test_deleting_and_yanking(house, intake):
    artifact = take_in(intake, NAME, WHEEL).artifact

    assert changes.yank(house, [artifact], _by("root"), "broken").artifacts[0].yanked == "broken"
    assert changes.yank(house, [artifact], _by("root"), None).artifacts[0].yanked is None
    with pytest.raises(NotFound):
        changes.yank(house, [], _by("root"), "x")
    changes.delete(house, artifact, _by("root"), now=True, note="leaked")
    assert ("main", PATH) in house.catalog.areas.discarded(due=True)
    assert served(house) == WHEEL, "the indexer takes the bytes away after the indexes"


def test_rights_are_asked_of_the_grants(house):
    rights, channel = Rights(house.catalog, house.settings), house.catalog.channels.get("main")
    from packhouse.errors import Unauthenticated
    from packhouse.model import ANONYMOUS, Principal

    ci = Principal(name="ci", kind="service", groups=frozenset({"everyone", "authenticated"}))
    rights.require(ANONYMOUS, Action.READ, channel)
    with pytest.raises(Unauthenticated, match="API key"):
        rights.require(ANONYMOUS, Action.WRITE, channel, "pypi", "apple")
    with pytest.raises(Forbidden, match="apple in channel main"):
        rights.require(ci, Action.WRITE, channel, "pypi", "apple")


def test_small_files_are_read_through_the_house(house):
    channel = house.catalog.channels.get("main")
    folder = house.data / house.placement("main").root
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note.json").write_text("{}")

    assert house.read(channel, "note.json") == b"{}"
    assert house.read(channel, "nothing.json") is None


def test_only_a_data_directory_is_opened(tmp_path, monkeypatch):
    with pytest.raises(NotAPackhouse, match="packhouse serve"):
        open_house(tmp_path)
    new_house(tmp_path).close()
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(NotAPackhouse, match="run it as the owner"):
        open_house(tmp_path / "data")


def test_a_channel_has_a_name_that_passed_the_gate(house):
    assert house.create_channel(ChannelName("second"))


class Stalls:
    """Holds an upload up at its first step under the lock of the name, like a suspended machine."""

    def __init__(self, monkeypatch, meanwhile):
        holder, self.meanwhile = Artifacts.holder, meanwhile

        def stall(artifacts, artifact_id):
            if self.meanwhile:
                run, self.meanwhile = self.meanwhile, None
                run()
            return holder(artifacts, artifact_id)

        monkeypatch.setattr(Artifacts, "holder", stall)


def test_an_uploader_whose_lease_is_over_touches_nothing(house, intake, monkeypatch):
    """Its row was taken over, its name freed, and somebody else's bytes are live: they stay."""

    def rival():
        ((artifact, token, _over),) = house.catalog.artifacts.pending()
        assert house.catalog.artifacts.release(artifact.id, token)
        thread = threading.Thread(target=rival_commits)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "the name's lock keeps the rival out until the first is done"
        threads.append(thread)

    def rival_commits():
        take_in(Intake(house, Direct()), NAME, OTHER)

    threads = []
    Stalls(monkeypatch, rival)
    with pytest.raises(Busy, match="lease"):
        take_in(intake, NAME, WHEEL)
    threads[0].join()

    assert served(house) == OTHER
    assert house.catalog.artifacts.live("main", PATH).sha256 == hashlib.sha256(OTHER).hexdigest()
    assert leftovers(house) == []


def test_the_reaper_leaves_an_upload_alone_that_is_being_placed(house):
    ticket = crashed(house, placed=True)

    def other_process():
        with house.locks.hold(name_lock("main", PATH)):
            held.set()
            release.wait()

    held, release = threading.Event(), threading.Event()
    thread = threading.Thread(target=other_process)
    thread.start()
    held.wait()
    assert reap(house, house.locks.instance()) == 0
    assert house.catalog.artifacts.holder(ticket.id) == ticket.token
    release.set()
    thread.join()
    assert reap(house, house.locks.instance()) == 1


def test_one_row_that_cannot_be_finished_stops_no_other(house, monkeypatch, caplog):
    crashed(house, placed=False)
    name, body = make_wheel(name="pear", version="1.0")
    with Intake(house, Direct()).stage() as stage:
        stage.write(body)
        digests = stage.finish()
        claim = claim_of(name)
        verified = verify(claim, digests, Direct().inspect(Ecosystem.PYPI, stage.path, claim, Limits()))
        house.catalog.artifacts.claim(verified, by="ci", token="dead:y", lease_s=1000)
    take_over = Artifacts.take_over

    def fail_once(artifacts, artifact_id, *more):
        if artifact_id == 1:
            raise Unavailable("the disk went away")
        return take_over(artifacts, artifact_id, *more)

    monkeypatch.setattr(Artifacts, "take_over", fail_once)

    assert reap(house, house.locks.instance()) == 1
    assert "the disk went away" in caplog.text
    assert [row.package for row, _token, _over in house.catalog.artifacts.pending()] == ["apple"]


@pytest.fixture
def rolling(tmp_path):
    house = new_house(tmp_path, overwrite=True)
    take_in(Intake(house, Direct()), NAME, WHEEL)
    yield house
    house.close()


def delete_now(house):
    changes.delete(house, house.catalog.artifacts.live("main", PATH), _by("root"), now=True)


def test_an_overwrite_of_a_name_deleted_meanwhile_is_refused(rolling, monkeypatch):
    Stalls(monkeypatch, lambda: delete_now(rolling))

    with pytest.raises(Burnt):
        take_in(Intake(rolling, Direct()), NAME, OTHER, force=True)

    assert rolling.catalog.artifacts.live("main", PATH) is None
    assert rolling.catalog.artifacts.burnt("main", PATH)
    assert leftovers(rolling) == []


def test_the_reaper_keeps_the_grace_of_a_file_deleted_before_its_overwrite_was_finished(rolling):
    crashed(rolling, OTHER, placed=True, overwrite=True)
    changes.delete(rolling, rolling.catalog.artifacts.live("main", PATH), _by("root"))

    assert reap(rolling, rolling.locks.instance()) == 1

    assert served(rolling) == WHEEL, "an index may still name it"
    assert rolling.catalog.artifacts.pending() == []
    assert leftovers(rolling) == []


def test_deleting_a_secret_takes_its_replaced_bytes_along(rolling):
    old = hashlib.sha256(WHEEL).hexdigest()
    receipt = take_in(Intake(rolling, Direct()), NAME, OTHER, force=True)
    changes.swap(rolling, rolling.placement("main"), receipt.artifact)
    assert rolling.catalog.areas.discarded(due=True) == []

    delete_now(rolling)

    assert ("main", f"replaced/pypi/apple/{old}/{NAME}") in rolling.catalog.areas.discarded(due=True)


def test_a_swap_that_a_deletion_overtook_keeps_nothing(rolling, monkeypatch):
    receipt = take_in(Intake(rolling, Direct()), NAME, OTHER, force=True)
    place = rolling.placement("main")
    old = hashlib.sha256(WHEEL).hexdigest()
    still_live, first = changes._still_live, iter([True])
    monkeypatch.setattr(changes, "_still_live", lambda *asked: next(first, None) or still_live(*asked))
    delete_now(rolling)

    changes.keep_old(rolling, place, receipt.artifact)
    changes.swap(rolling, place, receipt.artifact)

    assert ("main", f"replaced/pypi/apple/{old}/{NAME}") in rolling.catalog.areas.discarded(due=False)


def test_bytes_that_wait_for_no_swap_are_tidied_away(rolling):
    intake = Intake(rolling, Direct())
    take_in(intake, NAME, OTHER, force=True)
    third = make_wheel(name="apple", version="1.0", summary="third bytes")[1]
    live = take_in(intake, NAME, third, force=True).artifact
    assert len(leftovers(rolling)) == 2
    (rolling.data / "incoming" / "note").write_text("somebody's")

    assert changes.tidy(rolling) == 1
    assert leftovers(rolling) == ["note", f"replace.{live.id}"]
    delete_now(rolling)
    assert changes.tidy(rolling) == 1
    assert changes.tidy(rolling) == 0


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_lost_catalog_is_not_replaced_by_an_empty_one(house, how):
    """A new one would forget every burnt name, and the indexer would publish it over the full indexes."""
    page = house.data / "public" / "main" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("the channel")
    (house.data / "public" / "static").mkdir()
    (house.data / "public" / "static" / "index.html").write_text("no channel")
    house.close()
    for path in (house.data / "state").glob("catalog.sqlite*"):
        path.unlink()
    if how == "empty":
        house.settings.database.touch()

    with pytest.raises(NotAPackhouse, match=r"is gone, but .* holds channels \(main\): restore"):
        open_house(house.data)
    assert house.settings.database.exists() is (how == "empty")
    page.unlink()
    open_house(house.data).close()
