"""Staging: the bytes are hashed, limited, private until finished, and never left behind."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from packhouse.coordination.locks import FileLocks
from packhouse.digest import digest
from packhouse.errors import StorageFull, TooLarge, Unavailable
from packhouse.intake import stage as stage_module
from packhouse.intake.stage import Stage, sweep
from packhouse.tree import When, fsio
from packhouse.tree.fs import FsTree

ME = "0123456789abcdef"


@pytest.fixture
def data(tmp_path):
    (tmp_path / "incoming").mkdir()
    return tmp_path


def names(data) -> list[str]:
    return sorted(path.name for path in (data / "incoming").iterdir())


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_bytes_are_hashed_while_they_are_written(data):
    with Stage(data, ME, max_bytes=100) as stage:
        stage.write(b"some ")
        stage.write(b"")
        stage.write(b"bytes")
        assert stage.size == 10
        assert stage.finish() == digest([b"some bytes"])
        assert stage.finish() == digest([b"some bytes"])
        assert stage.path.read_bytes() == b"some bytes"
    assert names(data) == []


def test_nobody_else_may_read_or_swap_the_bytes_before_they_are_judged(data):
    """0600 while they arrive; readable once finished, as what is served must be."""
    with Stage(data, ME, max_bytes=100) as stage:
        stage.write(b"x")
        assert mode(stage.path) == 0o600
        stage.finish()
        assert mode(stage.path) == 0o644
        with pytest.raises(RuntimeError):
            stage.write(b"more")


def test_stages_of_one_process_have_different_files(data):
    with Stage(data, ME, max_bytes=1) as one, Stage(data, ME, max_bytes=1) as two:
        assert one.path != two.path
        assert len(names(data)) == 2


def test_the_limit_is_exact(data):
    with Stage(data, ME, max_bytes=5, what="x.whl") as stage:
        stage.write(b"12345")
        with pytest.raises(
            TooLarge, match=r"x\.whl goes on past the limit; this server accepts at most 5 bytes"
        ):
            stage.write(b"6")
        assert stage.path.stat().st_size == 5
        assert stage.finish().size == 5


def test_a_refused_upload_leaves_nothing(data):
    with pytest.raises(ZeroDivisionError), Stage(data, ME, max_bytes=5) as stage:
        stage.write(b"1")
        1 / 0  # noqa: B018 - any error on the way
    assert names(data) == []


def test_a_taken_file_stays(data):
    with Stage(data, ME, max_bytes=5) as stage:
        stage.write(b"1")
        with pytest.raises(RuntimeError):
            stage.take()
        stage.finish()
        path = stage.take()
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize("when", [When.ABSENT, When.ALWAYS])
def test_a_placed_file_stays_in_the_tree_and_leaves_no_litter(data, when):
    tree = FsTree(data)
    with Stage(data, ME, max_bytes=5) as stage:
        stage.write(b"1")
        stage.finish()
        tree.put("public/x", stage.path, when=when)
    assert names(data) == []
    assert (data / "public/x").read_bytes() == b"1"


@pytest.mark.parametrize(("code", "refusal"), [(errno.ENOSPC, StorageFull), (errno.EIO, Unavailable)])
@pytest.mark.parametrize("call", ["create", "write", "chmod", "sync_file"])
def test_a_failing_disk_is_a_refusal_and_the_stage_is_dead(data, monkeypatch, call, code, refusal):
    """A file whose sync failed is never synced again, nor used."""

    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    stage = Stage(data, ME, max_bytes=5)
    with monkeypatch.context() as patch:
        patch.setattr(fsio, call, fail)
        with pytest.raises(refusal), stage:
            stage.write(b"1")
            stage.finish()
    with pytest.raises(RuntimeError):
        stage.finish()
    assert names(data) == []


def test_the_litter_of_the_dead_is_swept_and_that_of_the_living_is_not(data):
    """A killed process's staged files go; so do old half-made files; what has an owner stays."""
    locks = FileLocks(data)
    me = locks.instance()
    code = (
        "import sys; from pathlib import Path; from packhouse.coordination.locks import FileLocks\n"
        "name = FileLocks(Path(sys.argv[1])).instance()\n"
        "Path(sys.argv[1], 'incoming', name + '.1').touch(); print(name, flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as other:
        name = other.stdout.readline().decode().strip()
        for kept in (f"{me}.1", "replace.17", "orphan.0123456789abcdef", f"put.{os.getpid()}.1"):
            (data / "incoming" / kept).touch()
        assert sweep(data, locks) == []
        other.kill()
    before = names(data)

    assert sweep(data, locks) == [f"{name}.1"]
    assert names(data) == sorted(set(before) - {f"{name}.1"})
    assert not list((data / "state" / "locks").glob(f"*{name}"))
    assert locks.alive(me)
    locks.close()


def test_half_made_files_are_swept_when_they_are_old(data, monkeypatch):
    """Their age is the kernel's ctime: an mtime may lie in the future."""
    locks = FileLocks(data)
    (data / "incoming" / "put.1.1").touch()
    os.utime(data / "incoming" / "put.1.1", (1, 1))
    assert sweep(data, locks) == []

    monkeypatch.setattr(stage_module, "_PUT_LIFE_S", -1)
    assert sweep(data, locks) == ["put.1.1"]


def test_a_sweep_without_a_folder_says_so(tmp_path):
    with pytest.raises(Unavailable):
        sweep(tmp_path, FileLocks(tmp_path))
