"""The reconcile loop: one failing area, lost wakes, serials, trash, hotfixes, upgrades."""

import dataclasses
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from indexer_support import Crash, World

from indexer import publish as publish_module
from indexer import state, watch
from indexer.check import check
from indexer.survey import Survey
from packhouse.errors import Busy, Unavailable
from packhouse.house import areas_of
from packhouse.model import Area, Channel
from packhouse.names import ChannelName
from packhouse.tree import When


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.settle()
    yield made
    made.close()


BAD = Area("main", "pypi", "index", "bad")


@pytest.fixture
def broken(world, monkeypatch):
    """Everything can be published but the project `bad`; returns what it says, which a test may change."""
    real = watch.publish
    says = [Unavailable("the disk is gone")]

    def publish(house, area, **more):
        if area == BAD and says:
            raise says[0]
        return real(house, area, **more)

    monkeypatch.setattr(watch, "publish", publish)
    return says


def test_one_failing_area_stops_no_other(world, broken):
    """It is named with its reason; everything else of the round is published."""
    world.wheel("bad", "1.0")
    world.wheel("good", "1.0")
    round_ = world.reconciler.reconcile()

    assert round_.failed == (BAD,)
    assert "public/main/simple/good/index.json" in world.files()
    assert world.reconciler.failing[BAD].reason == "the disk is gone"


def test_a_fault_of_ours_is_logged_with_its_traceback(world, broken, caplog):
    """A refusal explains itself, a ValueError does not."""
    broken[0] = ValueError("what")
    world.wheel("bad", "1.0")
    world.reconciler.reconcile()

    assert caplog.records[-1].exc_info is not None
    assert world.reconciler.failing[BAD].reason == "ValueError('what')"


def test_it_is_tried_again_later_and_later(world, broken):
    """Half a second, one, two, up to a minute: and at once when it is time."""
    world.wheel("bad", "1.0")
    tries = []
    for _ in range(2000):
        tries += [world.monotonic] * len(world.reconciler.reconcile().failed)
        world.monotonic += 0.25
    gaps = [later - sooner for sooner, later in itertools.pairwise(tries)]

    assert gaps[:3] == [0.5, 1.0, 2.0]
    assert gaps[-1] == 60.0


def test_it_heals(world, broken, caplog):
    """And the channel's serial catches up only then."""
    caplog.set_level("INFO")
    world.wheel("bad", "1.0")
    world.reconciler.reconcile()
    assert world.files()["public/main/serial.json"] == b'{"serial":0}\n'
    broken.clear()
    world.monotonic += 60
    world.reconciler.reconcile()

    assert world.reconciler.failing == {}
    assert world.files()["public/main/serial.json"] == b'{"serial":1}\n'
    assert "main/pypi/index/bad: works again" in caplog.messages


def test_a_new_mark_is_tried_at_once(world, broken):
    """Whoever mends a hotfix and asks for a reindex does not wait for the next try, nor hears of the last one."""
    world.reconciler = watch.Reconciler(world.house, visible=True, monotonic=lambda: world.monotonic)
    world.wheel("bad", "1.0")
    world.reconciler.reconcile()
    tried = state.read(world.house).tried[BAD]
    assert world.reconciler.reconcile().failed == ()
    broken.clear()
    awaited = world.house.catalog.areas.mark({BAD: 0.0})

    assert tried < awaited[BAD]
    world.reconciler.reconcile()
    assert world.house.catalog.areas.unpublished(awaited) == set()


def test_failing_areas_can_be_read_by_others(world, broken):
    """`/health` and the doctor look at the state file."""
    world.reconciler = watch.Reconciler(world.house, visible=True, monotonic=lambda: world.monotonic)
    world.wheel("bad", "1.0")
    world.reconciler.reconcile()
    said = state.read(world.house)

    assert said.failing == {BAD: "the disk is gone"}
    assert said.instance == world.house.locks.instance()
    assert said.round_us == world.clock()


def test_a_state_file_that_cannot_be_read_says_nothing(world):
    """It is written again within seconds."""
    (world.house.data / state.PATH).write_text("{")

    assert state.read(world.house) == state.State()
    assert not state.running(world.house)


def test_the_heartbeat_is_not_a_write_every_round(world):
    """Once in ten seconds, unless something changed."""
    world.reconciler = watch.Reconciler(world.house, visible=True, monotonic=lambda: world.monotonic)
    seen = set()
    for _ in range(30):
        world.reconciler.reconcile()
        seen.add(state.read(world.house).round_us)
        world.clock.forward(1)
        world.monotonic += 1.0

    assert len(seen) == 3


def test_a_lagging_list_waits_for_its_time_and_holds_nothing_up(world):
    """The root list's serials may lag by 5 s; the serial of the channel does not wait for them."""
    world.wheel("one", "1.0")
    world.settle()
    world.wheel("one", "1.1")
    world.reconciler.reconcile()

    assert json.loads(world.files()["public/main/serial.json"]) == {"serial": 2}
    assert [area.kind for area in world.house.catalog.areas.dirty("main")] == ["channel", "list", "root"]
    assert 4.5 < world.reconciler.pause_s() + 3.0 <= 5.5
    world.clock.forward(5)
    assert {outcome.area.kind for outcome in world.reconciler.reconcile().outcomes} == {
        "root",
        "list",
        "channel",
        "site",
    }


def test_a_clock_set_back_hides_no_work(world):
    """Marks carry the server's time, which never goes back."""
    world.wheel("one", "1.0")
    world.clock.forward(-3600)
    world.wheel("two", "1.0")
    world.reconciler.reconcile()

    assert "public/main/simple/two/index.json" in world.files()


def test_a_long_round_stops_to_look_for_what_became_due(world, monkeypatch):
    """An upload must not wait behind a full reindex."""
    real = watch.publish

    def slow(house, area, **more):
        world.monotonic += 0.3
        return real(house, area, **more)

    monkeypatch.setattr(watch, "publish", slow)
    world.house.catalog.areas.mark(dict.fromkeys(areas_of(world.house, "main"), 0.0))
    rounds = [world.reconciler.reconcile()]
    while rounds[-1].more:
        rounds.append(world.reconciler.reconcile())

    assert len(rounds) > 2
    assert len(rounds[0].outcomes) == 2


INDEX = Area("main", "generic", "index", "tool")


@pytest.fixture
def burst(world, monkeypatch):
    """Each publication takes 0.6 s, and uploads keep the index of one product dirty; returns what was published."""
    real = watch.publish
    published = []

    def slow(house, area, **more):
        world.monotonic += 0.6
        outcome = real(house, area, **more)
        published.append(area)
        if area == INDEX:
            house.catalog.areas.mark({INDEX: 0.0})
        return outcome

    monkeypatch.setattr(watch, "publish", slow)
    return published


def test_an_index_that_is_always_dirty_keeps_nothing_else_waiting(world, burst):
    """Lists, pages, serials and the trash have their turn; a secret does not stay until the burst is over."""
    world.product()
    world.clock.forward(6)  # what may lag is due, too
    for _ in range(12):
        world.reconciler.reconcile()
    kinds = {"index", "root", "release", "page", "list", "search", "channel", "site"}
    assert {area.kind for area in burst} == kinds
    assert world.files()["public/main/serial.json"] == b'{"serial":1}\n'

    world.delete("products/tool/1.0/tool.bin", now=True)
    for _ in range(16):
        world.reconciler.reconcile()
    assert "public/main/products/tool/1.0/tool.bin" not in world.files()
    assert world.files()["public/main/serial.json"] == b'{"serial":2}\n'
    assert burst.count(INDEX) > 8  # and the burst itself was served all the time


def test_an_upload_does_not_wait_behind_a_batch(world, burst):
    """What became due meanwhile comes first, the rest of the batch goes on behind it."""
    for name in ("one", "two", "three"):
        world.wheel(name, "1.0")
    world.reconciler.reconcile()
    world.wheel("late", "1.0")
    published = [outcome.area.key for outcome in world.reconciler.reconcile().outcomes]

    assert published == ["late", "two"]


def test_a_serial_is_not_published_before_what_it_stands_for(world, burst):
    """What came while a batch was worked off belongs to the next one."""
    world.wheel("one", "1.0")
    world.reconciler.reconcile()
    world.wheel("two", "1.0")
    while world.files()["public/main/serial.json"] == b'{"serial":0}\n':
        assert world.reconciler.reconcile().more
    assert world.files()["public/main/serial.json"] == b'{"serial":1}\n'
    while world.reconciler.reconcile().more:
        pass

    assert world.files()["public/main/serial.json"] == b'{"serial":2}\n'


def test_a_channel_that_ends_while_a_batch_is_worked_off_is_not_written_to(world, burst):
    """Neither its serial nor anything else makes its folder once more."""
    world.house.create_channel(ChannelName("other"))
    assert world.reconciler.reconcile().more
    world.house.delete_channel(ChannelName("other"))
    while world.reconciler.reconcile().more:
        pass

    assert not [path for path in world.files() if path.startswith("public/other/")]


def test_a_round_that_was_cut_off_goes_on_with_the_same_area(world, monkeypatch):
    """Nothing counts as published that is not."""
    real = watch.publish
    world.wheel("one", "1.0")
    monkeypatch.setattr(watch, "publish", crash)
    with pytest.raises(Crash):
        world.reconciler.reconcile()
    monkeypatch.setattr(watch, "publish", real)
    world.reconciler.reconcile()

    assert "public/main/simple/one/index.json" in world.files()
    assert world.files()["public/main/serial.json"] == b'{"serial":1}\n'


def test_a_file_in_the_trash_stays_while_an_index_may_name_it(world, broken):
    """Its grace is over, but the index that drops it could not be published."""
    broken_says = list(broken)
    broken.clear()
    world.wheel("bad", "1.0")
    world.settle()
    broken += broken_says
    world.delete("packages/bad/bad-1.0-py3-none-any.whl", now=True)
    world.reconciler.reconcile()
    assert "public/main/packages/bad/bad-1.0-py3-none-any.whl" in world.files()
    broken.clear()
    world.monotonic += 60
    world.reconciler.reconcile()

    assert not [path for path in world.files() if "/bad/" in path]


def test_a_sidecar_that_is_in_use_again_is_not_removed(tmp_path):
    """A wheel whose metadata was in the trash of an earlier life keeps it."""
    world = World(tmp_path, overwrite=True)
    world.wheel("one", "1.0")
    world.settle()
    path = "packages/one/one-1.0-py3-none-any.whl.metadata"
    world.house.catalog.areas.discard("main", {path: 0.0})
    world.clock.forward(1)
    removed = watch.empty_trash(world.house, world.house.catalog.channels.get("main"), [path])

    assert removed == 0
    assert f"public/main/{path}" in world.files()
    assert world.house.catalog.areas.discarded(due=False) == []
    world.close()


def test_a_hotfix_is_noticed_and_its_end_too(world):
    """An operator's file in a subdir; no upload announces it. It is looked for at start-up, too."""
    world.conda("two", "1.0")
    world.settle()
    path = world.house.data / "public/main/noarch/patch_instructions.json"
    path.write_text(
        json.dumps(
            {"patch_instructions_version": 1, "packages.conda": {"two-1.0-0.conda": {"license": "MIT"}}}
        )
    )

    def license_of():
        record = json.loads(world.files()["public/main/noarch/repodata.json"])["packages.conda"][
            "two-1.0-0.conda"
        ]
        return record.get("license")

    before = license_of()
    world.reconciler.reconcile()
    assert license_of() == before
    world.monotonic += world.house.settings.full_check_s
    world.reconciler.reconcile()
    assert license_of() == "MIT"
    path.unlink()
    world.reconciler = world.fresh()
    world.reconciler.reconcile()
    assert license_of() == before
    assert Survey(world.house).hotfixes() == []


def test_a_damaged_state_of_hotfixes_is_no_reason_to_stop(world):
    """It is looked at anew."""
    (world.house.data / "state/hotfixes.json").write_text("{")

    assert Survey(world.house).hotfixes() == []


def test_what_was_damaged_behind_our_back_is_mended_by_the_full_check(world):
    """Size or time differ: published again."""
    world.conda("two", "1.0")
    world.settle()
    files = world.files()
    victims = [
        path for path in files if path.endswith(("repodata.json", "serial.json", "css")) or "/shards/" in path
    ]
    for path in victims:
        (world.house.data / path).write_bytes(b"damaged")
    world.monotonic += world.house.settings.full_check_s
    world.settle()

    assert world.files() == files
    assert check(world.house).findings == ()


def test_an_upgrade_renders_everything_again_and_rewrites_what_differs(world, monkeypatch):
    """Templates, assets and the program itself shape pages as much as rows do."""
    world.wheel("one", "1.0")
    world.settle()
    before = world.stats()
    world.reconciler = world.fresh()
    assert world.settle() == []
    monkeypatch.setattr("indexer.survey.__version__", "9.9")
    world.reconciler = world.fresh()
    assert {outcome.area.kind for outcome in world.settle()} == {
        "index",
        "root",
        "release",
        "page",
        "list",
        "search",
        "channel",
        "site",
    }
    assert world.stats() == before


def test_a_base_url_that_changes_is_shown_everywhere(world):
    """The few places that show it are rendered again."""
    world.wheel("one", "1.0")
    world.settle()
    settings = dataclasses.replace(world.house.settings, base_url="https://pack.example")
    world.house = dataclasses.replace(world.house, settings=settings)
    world.reconciler = world.fresh()
    world.settle()

    assert b"https://pack.example/main/simple/" in world.files()["public/main/pypi/one/index.html"]


def test_the_work_of_a_process_that_died_is_finished(world):
    """Placed and not committed: the reaper of the next round makes it live."""
    real, world.house.catalog.artifacts.commit = world.house.catalog.artifacts.commit, crash
    withdraw, world.intake._withdraw = world.intake._withdraw, lambda *_: None
    with pytest.raises(Crash):
        world.wheel("one", "1.0")
    world.house.catalog.artifacts.commit, world.intake._withdraw = real, withdraw
    world.clock.forward(world.house.settings.lease_s + 1)
    world.settle()
    world.settle()  # what may lag

    assert "public/main/simple/one/index.json" in world.files()
    assert check(world.house).findings == ()


def crash(*_args, **_more):
    raise Crash


def test_a_lost_wake_up_costs_one_poll(tmp_path):
    """The loop finds the work although nobody announced it; it stops when it is told to."""
    world = World(tmp_path)
    settings = dataclasses.replace(world.house.settings, reconcile_s=0.1)

    class Deaf:
        def poke(self, topic):
            if topic == "published":
                published.set()

        def wait(self, topic, timeout_s):
            stop.wait(timeout_s)
            return False

    stop, published = threading.Event(), threading.Event()
    house = dataclasses.replace(world.house, wake=Deaf(), settings=settings)
    thread = threading.Thread(target=watch.run, args=(house, stop))
    thread.start()
    try:
        assert published.wait(20)
        path = house.data / "public/main/simple/one/index.json"
        world.wheel("one", "1.0")
        while not path.exists():
            published.clear()
            assert published.wait(20)
    finally:
        stop.set()
        thread.join(20)
    world.close()

    assert not thread.is_alive()


def test_a_catalog_that_is_away_does_not_end_the_loop(world, monkeypatch, caplog):
    """It says so and looks again."""
    stop = threading.Event()
    calls = []

    def due():
        calls.append(1)
        if len(calls) == 3:
            stop.set()
        raise Busy("the catalog is locked")

    monkeypatch.setattr(world.house.catalog.areas, "due", due)
    settings = dataclasses.replace(world.house.settings, reconcile_s=0.01)
    watch.run(dataclasses.replace(world.house, settings=settings), stop)

    assert caplog.messages.count("nothing could be published: the catalog is locked") == 3


def test_serials_of_every_channel_are_its_own(world):
    """And a new channel has one from birth."""
    world.house.create_channel(ChannelName("other"), private=True)
    world.wheel("one", "1.0")
    world.settle()

    assert world.files()["public/main/serial.json"] == b'{"serial":1}\n'
    assert world.files("private")["private/other/serial.json"] == b'{"serial":0}\n'


def test_a_serial_that_cannot_be_written_is_tried_again(world, monkeypatch):
    """The areas are published; only the number waits."""
    real = watch.settle
    monkeypatch.setattr(watch, "settle", refuse)
    world.wheel("one", "1.0")
    world.reconciler.reconcile()
    monkeypatch.setattr(watch, "settle", real)
    world.reconciler.reconcile()

    assert world.files()["public/main/serial.json"] == b'{"serial":1}\n'


def refuse(*_args):
    raise Unavailable("the disk is gone")


def test_a_part_of_the_round_that_fails_keeps_no_other_from_its_work(world, monkeypatch, caplog):
    """The reaper, the full check, the trash: publishing goes on, and they are tried again."""
    world.wheel("one", "1.0")
    world.settle()
    world.delete("packages/one/one-1.0-py3-none-any.whl", now=True)
    world.wheel("two", "1.0")
    with monkeypatch.context() as patch:
        for name in ("reap", "sweep", "empty_trash"):
            patch.setattr(watch, name, refuse)
        world.reconciler = world.fresh()
        world.settle()
    assert "public/main/simple/two/index.json" in world.files()
    assert "public/main/packages/one/one-1.0-py3-none-any.whl" in world.files()
    assert len([message for message in caplog.messages if message.endswith(": the disk is gone")]) >= 3
    world.monotonic += 60
    world.settle()

    assert "public/main/packages/one/one-1.0-py3-none-any.whl" not in world.files()
    assert check(world.house).findings == ()


@pytest.fixture
def team(tmp_path):
    """A world with a second channel, of which a deleted file is still served for its grace."""
    made = World(tmp_path, "main", "team")
    made.product(channel="team", body=b"secret")
    made.settle()
    made.delete("products/tool/1.0/tool.bin", channel="team")
    made.settle()
    yield made
    made.close()


def test_a_deletion_that_was_interrupted_is_ended_by_the_next_round(team):
    """The row is gone, the files are not: nothing else would ever take them away. Other folders are nobody's."""
    team.house.tree.put("public/team-notes/page.html", b"an operator's", when=When.ABSENT)
    site = {path: body for path, body in team.files().items() if not path.startswith("public/team/")}
    team.house.catalog.channels.delete("team")

    team.settle()
    assert not (team.house.data / "public/team").exists()

    team.monotonic += team.house.settings.full_check_s
    team.settle()
    assert not list((team.house.data / "incoming").iterdir())
    assert team.files().keys() == site.keys()
    assert team.files()["public/team-notes/page.html"] == b"an operator's"


def test_a_channel_ends_after_what_is_being_published_in_it(team, monkeypatch):
    """A publication that has read the channel's row writes its pages; then they go with the others."""
    real, order = publish_module.render, []

    with ThreadPoolExecutor(1) as other:

        def delete():
            team.house.delete_channel(ChannelName("team"))
            order.append("deleted")

        def render(house, area, place):
            found = real(house, area, place)
            order.append(other.submit(delete))
            assert house.catalog.channels.find("team")
            return found

        (team.house.data / "public/team/simple/index.html").unlink()
        monkeypatch.setattr(publish_module, "render", render)
        written = publish_module.publish(team.house, Area("team", "pypi", "root")).written
        order[0].result(20)

    assert "simple/index.html" in written
    assert not (team.house.data / "public/team").exists()
    monkeypatch.setattr(publish_module, "render", real)
    assert publish_module.publish(team.house, Area("team", "pypi", "root")).written == ()
    assert not publish_module.settle(team.house, Channel(name=ChannelName("team")), 7)
    assert not (team.house.data / "public/team").exists()
    team.settle()
    assert check(team.house).findings == ()


def test_a_channel_made_after_an_interrupted_deletion_starts_empty(team):
    """Also when it is private now: what lies at its public place is not its own."""
    team.house.catalog.channels.delete("team")
    team.house.create_channel(ChannelName("team"), private=True)
    assert not (team.house.data / "public/team").exists()
    team.settle()

    team.house.tree.put("public/team/stray", b"late", when=When.ABSENT)
    team.reconciler = team.fresh()
    team.settle()

    assert "private/team/simple/index.html" in team.files("private")
    assert not (team.house.data / "public/team").exists()
    assert not list((team.house.data / "incoming").iterdir())


def test_the_check_does_not_wait_for_a_channel_that_is_being_made_or_deleted(team):
    """It has its lock, and may be between its files and its row."""
    team.house.catalog.channels.delete("team")
    with ThreadPoolExecutor(1) as other:
        with team.house.locks.hold("channel:team"):
            assert other.submit(team.house.remove_deleted).result() == 0
        assert (team.house.data / "public/team").is_dir()
        assert other.submit(team.house.remove_deleted).result() > 0
