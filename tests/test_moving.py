"""Rights that change where files lie: what moves, what lists forget, and what a crash in between leaves."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from indexer_support import World
from moving_support import child_processes, lying, misplaced, reopen
from nginx_support import wait_for

from indexer.check import check
from indexer.publish import publish
from indexer.survey import Survey
from packhouse.errors import NotFound, Unavailable
from packhouse.house import open_house
from packhouse.intake import moving
from packhouse.model import Action, Area, Ecosystem, Grant
from packhouse.names import ChannelName
from packhouse.tree import When

SECRET = ("pypi", "secret")


def grant(package=SECRET, principal="group:authenticated", action=Action.READ, channel="main"):
    ecosystem, name = package or (None, None)
    return Grant(principal=principal, action=action, channel=channel, ecosystem=ecosystem, package=name)


EVERYONE = "group:everyone"


@pytest.fixture
def world(tmp_path):
    """Two Python projects, a product in two spellings, a conda package; overwritten files keep their old bytes."""
    world = World(tmp_path, "main", overwrite=True)
    fill(world)
    yield world
    world.close()


def fill(world):
    for name in ("secret", "open"):
        world.wheel(name, "1.0")
    world.product("Tool", "1.0")
    world.product("tool", "1.1", filename="other.bin")
    world.product("plain")
    world.conda("tiny")
    world.settle()
    world.wheel("secret", "1.0", summary="again", force=True)
    world.product("Tool", "1.0", body=b"other", force=True)
    world.settle()


def named(world, channel="main", tree="public"):
    """What the lists of a channel name: Python projects, products, and everything on its own page."""
    root = world.house.data / tree / channel
    projects = [item["name"] for item in json.loads((root / "simple/index.json").read_bytes())["projects"]]
    return projects, (root / "simple/index.html").read_text(), (root / "index.html").read_text()


# --- packages ------------------------------------------------------------------------------------------------------


def test_a_package_that_not_everyone_may_read_lies_apart_and_is_named_nowhere(world):
    before = lying(world.house)
    own = {path for path in before if "secret" in path}
    assert {path.split("/")[0] for path in own} == {"simple", "pypi", "packages", "replaced"}

    moved = moving.give(world.house, grant())

    assert moved.changed
    assert "cannot be called back" in moved.note
    after = lying(world.house)
    assert after == {path: ["restricted"] if path in own else ["public"] for path in before}
    assert world.house.catalog.areas.unpublished(moved.awaited) == set(moved.awaited)
    world.settle()
    assert world.house.catalog.areas.unpublished(moved.awaited) == set()
    projects, listing, page = named(world)
    assert projects == ["open"]
    assert "secret" not in listing
    assert "secret" not in page
    assert not [path for path, body in world.files().items() if b"secret" in body]
    assert check(world.house).findings == ()


def test_it_comes_back_when_everyone_may_read_it_and_goes_when_they_may_not(world):
    before, stats = lying(world.house), world.stats("public/main/packages")
    moving.give(world.house, grant())
    world.settle()

    back = moving.give(world.house, grant(principal=EVERYONE))

    assert (back.changed, back.note) == (True, "")
    assert lying(world.house) == before
    assert world.stats("public/main/packages") == stats, (
        "the very files, with the times that clients remember"
    )
    world.settle()
    assert named(world)[0] == ["open", "secret"]
    assert not moving.give(world.house, grant(principal=EVERYONE)).changed

    gone = moving.take(world.house, grant(principal=EVERYONE))

    assert gone.note
    assert lying(world.house)["simple/secret/index.json"] == ["restricted"]
    world.settle()
    assert named(world)[0] == ["open"]
    last = moving.take(world.house, grant())
    assert (last.changed, last.awaited) == (True, {}), "nobody is left, and it stays as it is"
    assert misplaced(world.house) == []
    assert check(world.house).findings == ()


def test_a_product_goes_with_every_spelling_of_its_name(world):
    moving.give(world.house, grant(("generic", "tool")))

    where = lying(world.house)
    assert {path for path, trees in where.items() if trees == ["restricted"]} == {
        path for path in where if "tool" in path.lower() and "plain" not in path
    }
    assert [path for path in where if path.startswith("replaced/generic/tool/")]
    assert where["products/plain/index.json"] == ["public"]
    world.settle()
    assert check(world.house).findings == ()
    moving.give(world.house, grant(("generic", "tool"), EVERYONE))
    assert {tree for trees in lying(world.house).values() for tree in trees} == {"public"}


def test_closing_a_package_restricts_it_without_a_right_for_anybody(world):
    assert moving.close(world.house, "main", *SECRET).changed
    assert lying(world.house)["simple/secret/index.json"] == ["restricted"]
    again = moving.close(world.house, "main", *SECRET)
    assert (again.changed, again.awaited) == (False, {})


def test_the_first_upload_to_a_project_that_is_restricted_already(world):
    """The right was given before there was anything: nothing of it is ever public, sidecars and pages included."""
    assert moving.give(world.house, grant(("pypi", "hush"))).changed
    world.wheel("hush", "1.0")
    world.settle()
    world.wheel("hush", "1.0", summary="again", force=True)
    world.settle()

    mine = {path: trees for path, trees in lying(world.house).items() if "hush" in path}
    assert {path.split("/")[0] for path in mine} == {"simple", "pypi", "packages", "replaced"}
    assert {tree for trees in mine.values() for tree in trees} == {"restricted"}
    assert [path for path in mine if path.endswith(".whl.metadata")]
    assert not [path for path, body in world.files().items() if b"hush" in body]
    assert check(world.house).findings == ()

    world.delete("packages/hush/hush-1.0-py3-none-any.whl", now=True)
    world.settle()
    assert not [path for path in lying(world.house) if "hush" in path]


def test_conda_is_read_per_channel(world):
    """A right to change one package closes it, and moves nothing."""
    before = lying(world.house)
    moved = moving.give(world.house, grant(("conda", "tiny"), action=Action.WRITE))

    assert (moved.changed, moved.awaited, moved.note) == (True, {}, "")
    assert lying(world.house) == before


def test_taking_from_everyone_the_right_to_change_the_channel_restricts_what_is_closed(world):
    """Whoever may change everything may see it; a package that was closed meanwhile was public for that reason only."""
    write = grant(None, EVERYONE, Action.WRITE)
    moving.give(world.house, write)
    moving.give(world.house, grant())
    assert lying(world.house)["simple/secret/index.json"] == ["public"]

    moved = moving.take(world.house, write)

    assert moved.note
    assert lying(world.house)["simple/secret/index.json"] == ["restricted"]
    assert set(moved.awaited) >= {area for area in world.house.catalog.areas.due() if area.kind == "root"}
    world.settle()
    assert named(world)[0] == ["open"]
    moving.give(world.house, write)
    assert lying(world.house)["simple/secret/index.json"] == ["public"]
    assert moving.give(world.house, grant(None, "group:authenticated", Action.WRITE)).awaited == {}


def test_a_right_in_no_channel_is_none(world):
    with pytest.raises(NotFound):
        moving.give(world.house, grant(channel="nowhere"))
    with pytest.raises(NotFound):
        moving.set_private(world.house, "nowhere", private=True)


# --- channels ------------------------------------------------------------------------------------------------------


def test_a_channel_goes_and_comes_back_as_one(world):
    moving.give(world.house, grant())
    world.settle()
    before, stats = lying(world.house), world.stats("public/main")
    assert 'href="main/"' in (world.house.data / "public/index.html").read_text()

    moved = moving.set_private(world.house, "main", private=True)

    assert moved.changed
    assert moved.note
    assert not (world.house.data / "public/main").exists()
    assert lying(world.house) == {
        path: ["private" if tree == "public" else tree for tree in trees] for path, trees in before.items()
    }
    world.settle()
    assert world.house.catalog.areas.unpublished(moved.awaited) == set()
    assert 'href="main/"' not in (world.house.data / "public/index.html").read_text()
    assert check(world.house).findings == ()
    again = moving.set_private(world.house, "main", private=True)
    assert (again.changed, again.awaited) == (False, {})

    back = moving.set_private(world.house, "main", private=False)

    assert (back.changed, back.note) == (True, "")
    assert lying(world.house) == before
    now = world.stats("public/main")
    assert {path: stat for path, stat in now.items() if "/packages/" in path or "/noarch/" in path} == {
        path: stat for path, stat in stats.items() if "/packages/" in path or "/noarch/" in path
    }
    world.settle()
    assert check(world.house).findings == ()


def test_a_package_of_a_private_channel_is_restricted_like_any_other(world):
    moving.set_private(world.house, "main", private=True)
    moving.give(world.house, grant())
    world.settle()

    assert lying(world.house)["simple/secret/index.json"] == ["restricted"]
    assert lying(world.house)["simple/open/index.json"] == ["private"]
    assert named(world, tree="private")[0] == ["open"]
    moving.set_private(world.house, "main", private=False)
    assert lying(world.house)["simple/secret/index.json"] == ["restricted"]
    assert lying(world.house)["simple/open/index.json"] == ["public"]


def test_channels_follow_the_setting_for_those_who_have_no_right(world):
    """Where only some may read by default, no channel is public; private ones stay where they are."""
    world.house.create_channel(ChannelName("closed"), private=True)
    world.settle()
    strict = replace(world.house, settings=replace(world.house.settings, default_read="authenticated"))

    assert moving.follow_settings(strict) == ["main"]
    assert moving.follow_settings(strict) == []
    channel = strict.catalog.channels.get("main")
    assert (channel.private, channel.place) == (False, "private")
    assert not (world.house.data / "public/main").exists()
    strict.create_channel(ChannelName("later"))
    assert strict.catalog.channels.get("later").place == "private"
    assert moving.set_private(strict, "main", private=True).note == "", "it was not public"
    moving.set_private(strict, "main", private=False)

    assert sorted(moving.follow_settings(world.house)) == ["later", "main"]
    assert (world.house.data / "public/main").is_dir()
    assert misplaced(world.house) == []
    world.settle()
    assert check(world.house).findings == ()


def test_a_deleted_channel_takes_its_restricted_folder_along(world):
    """And its rights: a later channel of the name is nobody's yet, and what was closed stays closed."""
    moving.give(world.house, grant())
    for path in [path for path in lying(world.house) if world.house.catalog.artifacts.live("main", path)]:
        world.delete(path, now=True)
    world.settle()
    world.house.tree.put("restricted/main/packages/secret/left", b"over", when=When.ABSENT)

    world.house.delete_channel(ChannelName("main"))
    assert lying(world.house) == {}
    world.house.create_channel(ChannelName("main"))
    assert world.house.catalog.grants.of_channel("main") == []
    assert world.house.catalog.grants.restricted("main") == {SECRET}


# --- beside others ---------------------------------------------------------------------------------------------------


def test_moving_waits_for_whoever_writes_and_keeps_the_others_waiting(world):
    with ThreadPoolExecutor(1) as mover:
        with world.house.placing("main") as place:
            moved = mover.submit(moving.set_private, world.house, "main", private=True)
            wait_for(lambda: _waits(world.house))
            world.house.tree.put(place.where("simple/mine"), b"1", when=When.ABSENT)
            assert not moved.done()
        moved.result(20)
    assert lying(world.house)["simple/mine"] == ["private"]


def _waits(house) -> bool:
    """Whether somebody stands in the gate of the channel."""

    def try_share() -> bool:
        with house.locks.share("placement:main", timeout_s=0) as got:
            return got

    with ThreadPoolExecutor(1) as one:
        return not one.submit(try_share).result(20)


def test_uploads_that_race_with_moves_end_where_they_belong(world):
    """Twelve uploads by three threads, an indexer, and moves all the while: every file is where the catalog says."""
    stop = threading.Event()

    def upload(thread):
        for n in range(4):
            world.wheel("secret", f"2.{thread}.{n}")
            world.product("tool", f"2.{thread}.{n}")

    def index():
        while not stop.is_set():
            world.reconciler.reconcile()

    def move():
        count = 0
        while not stop.is_set():
            moving.set_private(world.house, "main", count % 2 == 0)
            moving.give(world.house, grant(principal=EVERYONE))
            moving.take(world.house, grant(principal=EVERYONE))
            count += 1
        return count

    moving.give(world.house, grant())
    with ThreadPoolExecutor(5) as threads:
        others = [threads.submit(index), threads.submit(move)]
        try:
            for one in [threads.submit(upload, n) for n in range(3)]:
                one.result(60)
        finally:
            stop.set()
        assert others[1].result(60) > 0
        others[0].result(60)

    assert misplaced(world.house) == []
    assert moving.settle_places(world.house) == 0, "nothing was left to move"
    where = lying(world.house)
    assert all(len(trees) == 1 for trees in where.values())
    live = world.house.catalog.artifacts.of_version("main", Ecosystem.PYPI, "secret")
    assert len(live) == 13
    assert all(item.path in where for item in live)
    world.settle()
    assert check(world.house).findings == ()


# --- after a crash -------------------------------------------------------------------------------------------------

RESTRICT = ("give", "group:authenticated", "pypi/secret")
CHANGES = {
    "restrict a project": ((), RESTRICT),
    "open a project": ((RESTRICT,), ("give", EVERYONE, "pypi/secret")),
    "restrict it again": (
        (RESTRICT, ("give", EVERYONE, "pypi/secret")),
        ("take", EVERYONE, "pypi/secret"),
    ),
    "restrict a product": ((), ("give", "group:authenticated", "generic/tool")),
    "make private": ((RESTRICT,), ("private",)),
    "make public": ((RESTRICT, ("private",)), ("public",)),
    "restrict by the channel": (
        (("give", EVERYONE, "/", "write"), RESTRICT),
        ("take", EVERYONE, "/", "write"),
    ),
}
"""What is killed: (the changes before it, the change)."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    world = World(folder, "main", overwrite=True)
    fill(world)
    world.close()
    return folder


@pytest.fixture(scope="module")
def child():
    with child_processes() as run:
        yield run


NEVER = 10_000


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_change_that_is_killed_between_two_steps_is_ended_by_whoever_comes_next(
    tmp_path, template, child, change
):
    """With or without an indexer that publishes into the half-moved tree before that."""
    before, killed = CHANGES[change]
    start = tmp_path / "start"
    shutil.copytree(template, start)
    for words in before:
        assert child(NEVER, start / "data", *words) == "answered"
    prepared = reopen(start)
    prepared.settle()
    paths = set(lying(prepared.house))
    prepared.close()

    outcomes = []
    while "answered" not in outcomes:
        left = tmp_path / str(len(outcomes))
        shutil.copytree(start, left)
        outcomes.append(child(len(outcomes) + 1, left / "data", *killed))
        world = reopen(left)
        if len(outcomes) % 2:
            for area in world.house.catalog.areas.due():
                publish(world.house, area)
        moving.settle_places(world.house)
        where = lying(world.house)
        assert misplaced(world.house) == [], f"killed at step {len(outcomes)}"
        assert all(len(trees) == 1 for trees in where.values())
        assert paths <= set(where) | {path for path in paths if path.endswith((".zst", ".gz"))}
        assert moving.settle_places(world.house) == 0
        world.settle()
        assert set(lying(world.house)) == paths
        assert check(world.house).findings == ()
        world.close()
    assert set(outcomes[:-1]) == {"killed"}
    assert len(outcomes) >= 4, "a transaction, a rename and a flush at least"


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_change_that_was_killed_is_whole_once_it_is_answered(tmp_path, template, child, change):
    """Whoever asks again, with nobody who tidied up meanwhile: the answer says what is so, and what to wait for."""
    before, killed = CHANGES[change]
    for words in before:
        assert child(NEVER, _copy(template, tmp_path / "start") / "data", *words) == "answered"
    start = _copy(template, tmp_path / "start")
    reopen(start).settle()
    wanted = _copy(start, tmp_path / "wanted")
    assert child(NEVER, wanted / "data", *killed) == "answered"

    outcome, step = "", 0
    while outcome != "answered":
        step += 1
        left = _copy(start, tmp_path / str(step))
        outcome = child(step, left / "data", *killed)
        assert child(NEVER, left / "data", *killed) == "answered"
        world = reopen(left)
        assert lying(world.house) == lying(reopen(wanted).house), f"killed at step {step}"
        world.close()
    assert step >= 4


def _copy(source, target):
    if not target.exists():
        shutil.copytree(source, target)
    return target


def test_what_a_crash_left_is_moved_and_waited_for_by_whoever_asks_again(world):
    """The transaction was there, and nothing after it."""
    own = [area for area in world.house.catalog.areas.known("main") if area.key == "secret"]
    world.house.catalog.grants.give(grant(), areas=[*own, Area("main", "pypi", "root")])

    again = moving.give(world.house, grant())

    assert (again.changed, again.note) == (False, moving.CACHES)
    assert misplaced(world.house) == []
    assert Area("main", "pypi", "root") in again.awaited
    world.settle()
    assert world.house.catalog.areas.unpublished(again.awaited) == set()
    world.house.catalog.channels.set_private("main", private=True, place="private", areas=own)
    assert Area("", "", "site") in moving.set_private(world.house, "main", private=True).awaited


@pytest.mark.parametrize("place", ["public", "private"])
@pytest.mark.parametrize("stride", [37, pytest.param(3, marks=pytest.mark.soak)])
def test_a_tidying_up_that_is_killed_is_ended_by_the_next(tmp_path, template, child, place, stride):
    """Everything is there twice, and of each kind of file something that differs; `make soak` kills at every third step."""
    start = tmp_path / "start"
    shutil.copytree(template, start)
    assert child(NEVER, start / "data", *RESTRICT) == "answered"
    world = reopen(start)
    world.settle()
    paths = set(lying(world.house))
    world.close()
    data, other = start / "data", {"public": "private", "private": "public"}[place]
    if place == "private":
        assert child(NEVER, data, "private") == "answered"
    shutil.copytree(data / place / "main", data / other / "main")
    shutil.copytree(data / "restricted/main", data / other / "main", dirs_exist_ok=True)
    (wheel,) = (data / "restricted/main/packages/secret").glob("*.whl")
    wheel.write_bytes(b"torn")
    (data / place / "main/index.html").write_text("old")
    (data / other / "main/serial.json").write_text("new")
    (data / other / "main/products/plain/1.0/tool.bin").write_bytes(b"torn")
    (data / other / "main/conda/empty").mkdir()

    outcomes = []
    while outcomes[-1:] != ["answered"]:
        left = tmp_path / str(len(outcomes))
        shutil.copytree(start, left)
        outcomes.append(child(stride * len(outcomes) + 1, left / "data", "settle"))
        world = reopen(left)
        moving.settle_places(world.house)
        assert misplaced(world.house) == []
        assert not (left / "data" / other / "main").exists()
        world.settle()
        assert set(lying(world.house)) == paths
        assert check(world.house).findings == ()
        world.close()
    assert len(outcomes) > 3


def test_one_channel_that_cannot_be_moved_keeps_no_other_public(tmp_path, monkeypatch):
    world = World(tmp_path, "broken", "whole")
    world.settle()
    for name in ("broken", "whole"):
        world.house.catalog.channels.set_private(name, private=True, place="private")
    real = world.tree.move

    def move(source, target):
        if "broken" in source:
            raise Unavailable("the disk is gone")
        real(source, target)

    monkeypatch.setattr(world.tree, "move", move, raising=False)
    with pytest.raises(Unavailable):
        moving.settle_places(world.house)

    assert misplaced(world.house, "whole") == []
    assert misplaced(world.house, "broken")
    found = {finding.path: finding.what for finding in check(world.house).findings}
    assert "wrong tree" in found["public/broken/serial.json"]
    world.close()


def test_the_indexer_ends_what_a_crash_left(world, caplog):
    """At its start, and every few seconds."""
    world.house.catalog.channels.set_private("main", private=True, place="private")
    world.reconciler = world.fresh()
    world.settle()
    assert misplaced(world.house) == []
    assert "moved to where they belong" in caplog.text

    world.house.catalog.channels.set_private("main", private=False, place="public")
    world.reconciler.reconcile()
    assert misplaced(world.house), "not at every round"
    world.monotonic += 5
    world.settle()
    assert misplaced(world.house) == []
    assert check(world.house).findings == ()


def test_a_reader_finds_a_file_that_was_moved_since_it_looked(world):
    house = world.house
    before = house.catalog.channels.get("main")
    body = house.read(before, "simple/secret/index.json")

    moving.give(house, grant())
    assert house.read(before, "simple/secret/index.json") == body
    moving.set_private(house, "main", private=True)
    assert house.read(before, "serial.json")
    assert house.read(before, "simple/secret/index.json") == body
    assert house.read(before, "none") is None


def test_files_that_move_while_they_are_compared_do_not_differ(world, monkeypatch):
    """The comparison keeps nobody from moving: what is not where it was is looked for where it is."""
    find, looked = world.house.catalog.channels.find, []

    def moves_once(name):
        found = find(name)
        if not looked:
            looked.append(found)
            moving.set_private(world.house, "main", private=True)
        return found

    monkeypatch.setattr(world.house.catalog.channels, "find", moves_once)
    assert Survey(world.house).compare("main", by_hash=True) == []
    assert looked[0].place == "public"
    assert world.house.catalog.channels.get("main").place == "private"


def test_other_houses_are_told_nothing(tmp_path, template):
    """A change of rights needs no daemon and no indexer: any process with the data directory makes it."""
    shutil.copytree(template, tmp_path / "here")
    house = open_house(tmp_path / "here/data")
    try:
        moving.set_private(house, "main", private=True)
        assert misplaced(house) == []
    finally:
        house.close()
