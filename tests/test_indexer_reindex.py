"""Reindexing by hand, with and without an indexer at work, and the command line."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from house_support import new_house
from indexer_support import World

from indexer import __main__ as command
from indexer import state, watch
from indexer.check import check
from indexer.reindex import reindex, restore_sidecars
from packhouse.cli.options import DEFAULT_DATA
from packhouse.errors import NotFound, Unavailable
from packhouse.names import ChannelName


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.house.create_channel(ChannelName("other"), private=True)
    made.wheel("one", "1.0")
    made.conda("two", "1.0")
    made.conda("two", "1.0", subdir="linux-64")
    made.product("tool", "1.0")
    made.settle()
    yield made
    made.close()


def test_deleting_every_derived_file_is_mended_byte_for_byte(world):
    """Artifacts are the only thing that cannot be rendered again."""
    files = {**world.files("public"), **world.files("private")}
    live = {f"public/main/{path}" for path in artifacts(world)}
    for path in files.keys() - live:
        (world.house.data / path).unlink()
    shutil.rmtree(world.house.data / "private/other")
    changes = {change.channel: change for change in reindex(world.house)}

    assert {**world.files("public"), **world.files("private")} == files
    assert check(world.house).findings == ()
    assert changes["main"].sidecars == ("packages/one/one-1.0-py3-none-any.whl.metadata",)
    assert "noarch/repodata.json" in changes["main"].written
    assert "index.html" in changes[""].written
    assert changes["other"].written


def artifacts(world):
    records = world.house.catalog.records("main", lambda path: None)
    return [a.path for ecosystem in ("conda", "pypi", "generic") for a in records.live(ecosystem)]


def test_what_is_right_is_left_alone(world):
    """And the answer says so."""
    before = world.stats()

    assert all(not change.written and not change.removed for change in reindex(world.house))
    assert world.stats() == before


def test_a_flipped_byte_is_found_although_size_and_time_are_the_same(world):
    """By hand means by hash."""
    files = world.files()
    for path in (
        "public/main/noarch/repodata.json",
        "public/main/packages/one/one-1.0-py3-none-any.whl.metadata",
    ):
        target = world.house.data / path
        info = target.stat()
        target.write_bytes(files[path][:-1] + b"!")
        os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))
    reindex(world.house)

    assert world.files() == files


def test_a_sidecar_of_a_file_that_was_deleted_meanwhile_does_not_come_back(world, monkeypatch):
    """The rows are read once; by the time it comes to a file, that may be gone with all its files."""
    world.wheel("three", "1.0")
    world.settle()
    path = "packages/three/three-1.0-py3-none-any.whl"
    real, other = type(world.house).read, world.fresh()

    def read(house, channel, name, *more):
        if name == f"{path}.metadata" and f"public/main/{path}" in world.files():
            world.delete(path, now=True)
            while other.reconcile().more:
                pass
            assert f"public/main/{path}.metadata" not in world.files()
        return real(house, channel, name, *more)

    monkeypatch.setattr(type(world.house), "read", read)
    changes = {change.channel: change for change in reindex(world.house)}

    assert changes["main"].sidecars == ()
    assert f"public/main/{path}" not in world.files()
    assert f"public/main/{path}.metadata" not in world.files()


def test_old_bytes_keep_their_sidecar_until_the_swap(tmp_path):
    """The new one would belie what is served."""
    world = World(tmp_path, overwrite=True)
    world.wheel("one", "1.0")
    world.settle()
    path = "public/main/packages/one/one-1.0-py3-none-any.whl.metadata"
    before = world.files()[path]
    world.wheel("one", "1.0", summary="other", force=True)

    assert restore_sidecars(world.house, world.house.catalog.channels.get("main")) == ()
    assert world.files()[path] == before
    world.settle()
    assert world.files()[path] != before
    world.close()


def test_areas_and_records_of_what_is_published_can_be_lost(world):
    """They follow from what is live."""
    files = world.files()
    engine = world.house.catalog._engine
    with engine.begin() as connection:
        for table in ("published", "areas", "dirty"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    reindex(world.house)

    assert world.files() == files
    assert check(world.house).findings == ()


def test_one_subdir_alone(world):
    """Only what belongs to it is looked at."""
    for subdir in ("noarch", "linux-64"):
        (world.house.data / f"public/main/{subdir}/run_exports.json").unlink()
    seen = []
    (change,) = reindex(
        world.house, "main", "linux-64", progress=lambda done, total: seen.append((done, total))
    )

    assert "linux-64/run_exports.json" in change.written
    assert seen[-1][0] == seen[-1][1]


def test_unknown_names_are_refused(world):
    """Nothing is marked."""
    with pytest.raises(NotFound, match="nowhere"):
        reindex(world.house, "nowhere")
    with pytest.raises(NotFound, match="win-64"):
        reindex(world.house, "main", "win-64")


def test_what_cannot_be_published_is_said(world, monkeypatch):
    """With the reason, instead of waiting for ever."""

    def refuse(house, area, **more):
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(watch, "publish", refuse)
    with pytest.raises(Unavailable, match="the disk is gone"):
        reindex(world.house)


def test_a_running_indexer_does_the_work(world, monkeypatch):
    """It is woken, and waited for."""
    monkeypatch.setattr(state, "running", lambda house: True)
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(world.house, stop))
    (world.house.data / "public/main/index.html").unlink()
    thread.start()
    try:
        (change,) = reindex(world.house, "main")
    finally:
        stop.set()
        world.house.wake.poke("wake")
        thread.join(20)

    assert "index.html" in change.written


def test_an_indexer_that_ends_meanwhile_leaves_the_work_to_us(world, monkeypatch):
    """Nobody waits for the dead."""
    answers = iter([True, False])
    monkeypatch.setattr(state, "running", lambda house: next(answers, False))
    (world.house.data / "public/main/index.html").unlink()
    (change,) = reindex(world.house, "main")

    assert "index.html" in change.written


# --- the command line ----------------------------------------------------------------------------------------


def run(*arguments):
    """Return (exit code) of the command in this process."""
    try:
        command.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def data(tmp_path):
    house = new_house(tmp_path)
    house.close()
    return house.data


def test_reindex_then_check(data, capsys):
    """The two that an operator types."""
    assert run("reindex", "--data", data) == 0
    assert re.match(r"main: \d+ written\nfront page: \d+ written\n", capsys.readouterr().out)
    assert run("reindex", "--data", data, "main") == 0
    assert capsys.readouterr().out == "main: nothing to change\n"
    assert run("check", "--data", data) == 0
    (data / "public/main/stray").write_text("x")
    assert run("check", "--data", data) == 1
    assert "public/main/stray: is a stray" in capsys.readouterr().out


def test_refusals_are_one_sentence(data, capsys, monkeypatch):
    """No traceback, exit code 1."""
    monkeypatch.setenv("PACKHOUSE_DATA", "")
    for arguments in (
        ("check",),
        ("check", "--data", data / "nothing"),
        ("reindex", "--data", data, "nowhere"),
    ):
        assert run(*arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith("indexer: ")
        assert said.count("\n") == 1


def test_the_data_directory_may_come_from_the_environment(data, monkeypatch):
    """`--data` wins over it."""
    monkeypatch.setenv("PACKHOUSE_DATA", str(data))
    assert run("reindex") == 0
    assert run("reindex", "--data", data / "nothing") == 1


def test_without_a_word_the_data_directory_is_that_of_packhouse(data, monkeypatch):
    """`packhouse serve` and `indexer` typed in the same folder mean the same directory."""
    data.rename(data.with_name(DEFAULT_DATA))
    monkeypatch.chdir(data.parent)
    for said in ("", None):
        monkeypatch.delenv("PACKHOUSE_DATA") if said is None else monkeypatch.setenv("PACKHOUSE_DATA", said)
        assert run("reindex") == 0
        assert run("check") == 0


def test_a_wrong_option_is_explained(capsys):
    """By click, with its own exit code."""
    assert run("watch", "--nothing") == 2
    assert "--nothing" in capsys.readouterr().err


def start(data):
    return subprocess.Popen(
        [sys.executable, "-m", "indexer", "watch", "--data", str(data)], stderr=subprocess.PIPE, text=True
    )


def until(process, text):
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without saying {text}")


def test_watch_publishes_takes_the_inbox_in_and_ends_when_told(data, capsys):
    """The real process: a second one is turned away, `reindex` waits for it, SIGTERM ends it cleanly."""
    process = start(data)
    try:
        until(process, "//site/: wrote")
        assert run("watch", "--data", data) == 1
        assert "an indexer already watches" in capsys.readouterr().err
        folder = data / "inbox/main/products/tool/1.0"
        folder.mkdir(parents=True)
        (folder / "tool.bin").write_bytes(b"bits")
        until(process, "main/generic/index/tool: wrote")
        assert run("reindex", "--data", data) == 0
        assert run("check", "--data", data) == 0
        process.send_signal(signal.SIGTERM)
        until(process, "stopped")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_killed_indexer_is_followed_by_one_that_goes_on(data):
    """Kill -9: its locks are free at once."""
    process = start(data)
    until(process, "wrote")
    process.kill()
    process.communicate()
    again = start(data)
    try:
        until(again, "watching")
        assert run("reindex", "--data", data) == 0
        assert run("check", "--data", data) == 0
    finally:
        again.kill()
        again.communicate()
