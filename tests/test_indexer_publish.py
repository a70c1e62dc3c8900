"""Publication: the order, the times, the crashes."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from indexer_support import Crash, World, broken_promises

from indexer import publish as publish_module
from indexer.check import check
from indexer.publish import publish
from packhouse.errors import PackhouseError, Unavailable
from packhouse.model import Area


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.settle()
    yield made
    made.close()


def history(world):
    """Uploads of every kind, a deletion, a yank, an overwrite."""
    world.wheel("one", "1.0")
    world.conda("two", "1.0")
    world.product("three", "1.0")
    world.settle()
    world.wheel("one", "2.0", description="hello")
    world.conda("two", "2.0")
    world.conda("zwei", "1.0", subdir="linux-64")
    world.delete("packages/one/one-1.0-py3-none-any.whl")
    world.delete("noarch/two-1.0-0.conda")
    world.product("three", "2.0")
    world.delete("products/three/1.0/tool.bin", now=True)


def test_a_channel_has_every_form_from_its_birth(world):
    """Clients remember for days that a form is missing."""
    files = world.files()

    assert {
        "public/main/noarch/repodata.json",
        "public/main/noarch/repodata.json.zst",
        "public/main/noarch/repodata_shards.msgpack.zst",
        "public/main/simple/index.json",
        "public/main/simple/index.html",
        "public/main/index.html",
        "public/main/serial.json",
        "public/index.html",
    } <= files.keys()
    assert json.loads(files["public/main/serial.json"]) == {"serial": 0}


def test_no_index_ever_names_what_is_not_there(world):
    """Looked at before every mutation of the tree, through uploads and deletions."""
    seen = []
    world.tree._before = lambda: seen.extend(broken_promises(world.house.data))
    history(world)
    world.settle()
    world.clock.forward(world.house.settings.delete_grace_s + 1)
    world.settle()

    assert len(world.tree.log) > 100
    assert seen == []


def test_leaves_follow_their_shards_and_plain_files_their_compressed_variant(world):
    """The order of publication, as the tree saw it, with a barrier between the classes."""
    world.tree.log.clear()
    world.conda("two", "1.0")
    world.settle()
    log = [step for step in world.tree.log if step[0] == "flush" or "/noarch/" in step[1]]
    paths = [step[1] if len(step) > 1 else "flush" for step in log]
    shard = next(place for place, path in enumerate(paths) if "/shards/" in path)
    index = paths.index("public/main/noarch/repodata_shards.msgpack.zst")

    assert "flush" in paths[shard:index]
    assert paths.index("public/main/noarch/repodata.json.zst") < paths.index(
        "public/main/noarch/repodata.json"
    )


def test_two_publications_in_one_second_get_two_times(world):
    """An ETag of nginx is mtime seconds and size: else a client would be told that nothing changed."""
    times = []
    for version in ("1.0", "2.0", "3.0"):
        world.wheel("one", version)
        world.reconciler.reconcile()
        path = world.house.data / "public/main/simple/one/index.json"
        times.append(int(path.stat().st_mtime))

    assert times[0] < times[1] < times[2]


def test_a_page_that_comes_back_has_a_later_time_than_the_one_that_was_removed(world):
    """The last time of each path is remembered past its removal."""
    world.wheel("one", "1.0")
    world.reconciler.reconcile()
    path = world.house.data / "public/main/simple/one/index.json"
    for version in ("1.1", "1.2"):
        world.wheel("one", version)
        world.reconciler.reconcile()
    before = int(path.stat().st_mtime)
    for version in ("1.0", "1.1", "1.2"):
        world.delete(f"packages/one/one-{version}-py3-none-any.whl")
    world.reconciler.reconcile()
    assert not path.exists()
    world.wheel("one", "2.0")
    world.reconciler.reconcile()

    assert int(path.stat().st_mtime) > before


def test_an_upload_touches_only_what_it_changes(world):
    """The cost of one upload: its own project, the lists that name it, nothing else."""
    world.wheel("one", "1.0")
    world.wheel("other", "1.0")
    world.conda("two", "1.0")
    world.settle()
    before = world.stats()
    world.wheel("one", "1.1")
    world.settle()
    after = world.stats()

    changed = {path for path in after if after[path] != before.get(path)}
    assert all(
        path.startswith(("public/main/simple/one/", "public/main/pypi/one/", "public/main/packages/one/"))
        or path
        in {
            "public/index.html",
            "public/main/index.html",
            "public/main/feed.atom",
            "public/main/browse/pypi/o/index.html",
            "public/main/serial.json",
            *(f"public/main/simple/index.{form}" for form in ("json", "json.gz", "json.zst")),
        }
        for path in changed
    ), changed
    assert "public/main/simple/one/index.json" in changed


def test_publishing_again_rewrites_nothing(world):
    """Neither inode nor time of a file changes when its bytes do not."""
    history(world)
    world.settle()
    before = world.stats()
    for area in world.house.catalog.areas.known("main"):
        assert publish(world.house, area).written == ()

    assert world.stats() == before


def test_a_file_that_vanished_is_written_again(world):
    """The catalog's belief is checked against the tree."""
    (world.house.data / "public/main/simple/index.html").unlink()
    outcome = publish(world.house, Area("main", "pypi", "root"))

    assert outcome.written == ("simple/index.html",)
    assert "wrote 1" in str(outcome)


def test_publishing_a_clean_area_does_not_forget_its_generation(world):
    """An uploader may still be waiting for the generation that was published a moment ago."""
    receipt = world.wheel("one", "1.0")
    world.reconciler.reconcile()
    area = Area("main", "pypi", "index", "one")
    publish(world.house, area)

    assert world.house.catalog.areas.unpublished(receipt.awaited) == set()


def test_a_mark_made_while_rows_are_read_survives(world, monkeypatch):
    """The generation is read before the rows: an upload in between is published by the next round."""
    world.wheel("one", "1.0")
    real = type(world.house.catalog).records
    fired = []

    def records(catalog, channel, read_file):
        found = real(catalog, channel, read_file)
        if not fired:
            fired.append(list(found.live("pypi")))
            with ThreadPoolExecutor(1) as uploader:
                uploader.submit(world.wheel, "one", "2.0").result()
        return found

    monkeypatch.setattr(type(world.house.catalog), "records", records)
    area = Area("main", "pypi", "index", "one")
    publish(world.house, area)

    assert area in world.house.catalog.areas.due()


def test_an_area_of_a_deleted_channel_is_forgotten(world):
    """The mark goes, nothing is written."""
    world.house.catalog.channels.delete("main")
    area = Area("main", "pypi", "root")
    world.house.catalog.areas.mark({area: 0.0})
    (world.house.data / "public/main/simple/index.html").unlink()

    assert publish(world.house, area).written == ()
    assert area not in world.house.catalog.areas.due()


def test_an_overwrite_swaps_bytes_and_index_in_one_hold(tmp_path):
    """The old bytes stay readable by their hash; the index never waits for another round."""
    world = World(tmp_path, overwrite=True)
    world.conda("two", "1.0")
    world.settle()
    first = world.house.catalog.artifacts.live("main", "noarch/two-1.0-0.conda")
    world.conda("two", "1.0", force=True, files={"other.txt": b"new"})
    world.settle()
    second = world.house.catalog.artifacts.live("main", "noarch/two-1.0-0.conda")
    files = world.files("public/main")
    kept = f"public/main/replaced/conda/two/{first.sha256}/two-1.0-0.conda"

    assert second.staged is None
    assert second.sha256 != first.sha256
    assert json.loads(files["public/main/noarch/repodata.json"])["packages.conda"]["two-1.0-0.conda"][
        "sha256"
    ] == (second.sha256)
    assert kept in files
    assert check(world.house).findings == ()
    world.clock.forward(world.house.settings.delete_grace_s + 1)
    world.settle()
    assert kept not in world.files("public/main")
    world.close()


def test_two_overwrites_before_a_round_keep_the_bytes_that_were_served(tmp_path):
    """The one in between was never served: it leaves nothing behind."""
    world = World(tmp_path, overwrite=True)
    first = world.conda("two", "1.0").artifact
    world.settle()
    for text in (b"1", b"2"):
        world.conda("two", "1.0", force=True, files={"n": text})
    world.settle()
    world.reconciler = world.fresh()
    world.settle()

    assert [path for path in world.files() if "/replaced/" in path] == [
        f"public/main/replaced/conda/two/{first.sha256}/two-1.0-0.conda"
    ]
    assert list((world.house.data / "incoming").iterdir()) == []
    assert check(world.house).findings == ()
    world.close()


def test_a_deleted_file_stays_for_its_grace_and_then_goes(world):
    """Clients may hold an older index."""
    world.wheel("one", "1.0")
    world.settle()
    path = "public/main/packages/one/one-1.0-py3-none-any.whl"
    world.delete("packages/one/one-1.0-py3-none-any.whl")
    world.settle()
    assert path in world.files()
    assert "public/main/simple/one/index.json" not in world.files()
    assert check(world.house).findings == ()
    world.clock.forward(world.house.settings.delete_grace_s)
    world.settle()

    assert not [path for path in world.files() if "/packages/" in path]
    assert check(world.house).findings == ()


def test_a_secret_goes_at_once(world):
    """`--now`: in the round that takes it out of the indexes."""
    world.wheel("one", "1.0")
    world.settle()
    world.delete("packages/one/one-1.0-py3-none-any.whl", now=True)
    world.reconciler.reconcile()

    assert not [path for path in world.files() if "/packages/" in path]


def test_old_shards_stay_a_week_and_come_back_out_of_the_trash(world):
    """CEP 16: clients hold an older shard index."""
    world.conda("two", "1.0")
    world.settle()
    old = {path for path in world.files() if "/shards/" in path}
    world.conda("two", "2.0")
    world.settle()
    assert old < {path for path in world.files() if "/shards/" in path}
    assert check(world.house).findings == ()
    world.clock.forward(world.house.settings.shard_grace_s + 1)
    world.settle()

    assert not old & world.files().keys()
    assert check(world.house).findings == ()


def test_a_shard_that_is_named_again_leaves_the_trash(world):
    """A hotfix that is taken back renders the shard of before."""
    world.conda("two", "1.0")
    world.settle()
    (first,) = (path for path in world.files() if "/shards/" in path)
    hotfix = world.house.data / "public/main/noarch/patch_instructions.json"
    hotfix.write_text(
        json.dumps(
            {"patch_instructions_version": 1, "packages.conda": {"two-1.0-0.conda": {"license": "MIT"}}}
        )
    )
    area = Area("main", "conda", "index", "noarch")
    publish(world.house, area)
    assert world.house.catalog.areas.discarded("main", due=False) == [
        ("main", first.removeprefix("public/main/"))
    ]
    hotfix.unlink()
    publish(world.house, area)
    world.clock.forward(world.house.settings.shard_grace_s + 1)
    world.settle()

    assert first in world.files()
    assert check(world.house).findings == ()


@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_crash_at_every_step_leaves_nothing_that_the_next_start_does_not_mend(tmp_path, stride):
    """Same bytes as a clean rebuild, no stray, no index that names what is missing: wherever it dies.

    The suite takes every fifth step, `make soak` all of them.
    """
    base = World(tmp_path / "base")
    base.settle()
    history(base)
    base.close()
    whole = base.copy(tmp_path / "whole")
    whole.settle()
    whole.close()
    steps = len(whole.tree.log)
    assert steps > 40
    for step in range(0, steps, stride):
        world = base.copy(tmp_path / str(step))
        world.tree.crash_at = step
        with pytest.raises(Crash):
            world.settle()
        world.tree.crash_at = None
        assert broken_promises(world.house.data) == []
        world.reconciler = world.fresh()
        world.settle()
        assert check(world.house).findings == (), step
        world.close()


def test_a_page_half_published_before_a_crash_does_not_outlive_its_package(tmp_path):
    """It was announced: if the package is deleted before the next round, its page goes too."""
    world = World(tmp_path)
    world.settle()
    world.wheel("one", "1.0")
    world.tree.crash_at = len(world.tree.log) + 2
    with pytest.raises(Crash):
        world.settle()
    world.tree.crash_at = None
    assert [path for path in world.files() if "/simple/one/" in path]
    world.delete("packages/one/one-1.0-py3-none-any.whl")
    world.reconciler = world.fresh()
    world.settle()

    assert not [path for path in world.files() if "/simple/one/" in path]
    assert check(world.house).findings == ()
    world.close()


operations = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["wheel", "conda", "product"]), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("delete"), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("force"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("round"), st.none(), st.none()),
        st.tuples(st.just("crash"), st.integers(0, 25), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([6, 90_000, 700_000]), st.none()),
    ),
    max_size=14,
)
numbers = itertools.count()


@settings(max_examples=12, deadline=None)
@given(operations)
def test_after_any_history_the_tree_is_what_a_rebuild_would_make(tmp_path_factory, steps):
    """Uploads, overwrites, deletions, crashes and time, in any order."""
    world = World(tmp_path_factory.mktemp("world"), overwrite=True)
    for kind, first, second in steps:
        try:
            run(world, kind, first, second)
        except (PackhouseError, Crash):
            world.tree.crash_at = None
            world.reconciler = world.fresh()
        assert broken_promises(world.house.data) == []
    world.settle()
    world.settle()  # pages that link to what has appeared may lag
    assert check(world.house).findings == ()
    world.close()


def run(world, kind, first, second):
    if kind in ("wheel", "conda", "product"):
        getattr(world, kind)(first, f"{second}.0")
    elif kind == "force":
        world.conda(first, f"{second}.0", force=True, files={"n": str(next(numbers)).encode()})
    elif kind == "delete":
        records = world.house.catalog.records("main", lambda path: None)
        live = [artifact.path for eco in ("conda", "pypi", "generic") for artifact in records.live(eco)]
        if live:
            world.delete(live[first % len(live)], now=second)
    elif kind == "wait":
        world.clock.forward(first)
    else:
        world.tree.crash_at = None if kind == "round" else len(world.tree.log) + first
        world.reconciler.reconcile()
        world.tree.crash_at = None


def test_a_store_that_refuses_leaves_the_mark(world):
    """Everything can be done again."""

    class Full:
        def __getattr__(self, name):
            return getattr(world.tree, name)

        def put(self, *_args, **_more):
            raise Unavailable("the disk is gone")

    world.wheel("one", "1.0")
    broken = type(world.house)(
        world.house.settings, world.house.catalog, Full(), world.house.locks, world.house.wake
    )
    area = Area("main", "pypi", "index", "one")
    with pytest.raises(Unavailable):
        publish(broken, area)

    assert area in world.house.catalog.areas.due()


# --- lists that link to pages ------------------------------------------------------------------------------


def projects(world):
    listing = json.loads((world.house.data / "public/main/simple/index.json").read_bytes())
    return [item["name"] for item in listing["projects"]]


@pytest.mark.parametrize(
    ("area", "page"),
    [
        (Area("main", "pypi", "root"), "simple/one/index.html"),
        (Area("main", "generic", "root"), "products/tool/index.json"),
        (Area("main", "", "channel"), "pypi/one/index.html"),
        (Area("main", "", "channel"), "conda/two/index.html"),
    ],
)
def test_a_list_is_preceded_by_the_pages_it_links_to(world, area, page):
    """Whichever is due first: in a burst of uploads the list may be written before the index of a new project is due."""
    world.wheel("one")
    world.product("tool")
    world.conda("two")

    publish(world.house, area)

    assert (world.house.data / "public/main" / page).exists()
    assert broken_promises(world.house.data) == []
    assert area not in world.house.catalog.areas.due()
    world.settle()
    assert check(world.house).findings == ()


def test_a_project_that_comes_while_the_list_is_written_is_named_by_the_next(world, monkeypatch):
    """It has no page yet; its mark on the list is newer than the one that was read, and stays."""
    world.wheel("one")
    root = Area("main", "pypi", "root")
    unpublished = publish_module._unpublished

    def then(house, area):
        found = unpublished(house, area)
        if area == root:
            monkeypatch.setattr(publish_module, "_unpublished", unpublished)
            world.wheel("two")
        return found

    monkeypatch.setattr(publish_module, "_unpublished", then)
    publish(world.house, root)

    assert projects(world) == ["one"]
    assert broken_promises(world.house.data) == []
    assert root in world.house.catalog.areas.due()
    world.settle()
    assert projects(world) == ["one", "two"]


def test_a_project_whose_page_fails_is_named_once_it_works(world, monkeypatch):
    """The list does not wait for it, nor do the others."""
    world.wheel("bad")
    world.wheel("good")
    bad, root = Area("main", "pypi", "index", "bad"), Area("main", "pypi", "root")
    real = publish_module.render

    def render(house, area, place):
        if area == bad:
            raise Unavailable("the disk is gone")
        return real(house, area, place)

    with monkeypatch.context() as broken:
        broken.setattr(publish_module, "render", render)
        publish(world.house, root)
        while world.reconciler.reconcile().more:
            pass
        assert projects(world) == ["good"]
        assert root not in world.house.catalog.areas.due()
        assert broken_promises(world.house.data) == []

    world.monotonic += 60
    world.settle()
    assert projects(world) == ["bad", "good"]
    assert check(world.house).findings == ()
