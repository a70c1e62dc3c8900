"""The store on a real disk: what the contract cannot say, and every system call broken once."""

import errno
import os
import socket
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packhouse.errors import StorageFull, Unavailable
from packhouse.tree import Changed, Match, Occupied, When, fsio
from packhouse.tree.fs import FsTree

MUTATING = ["create", "write", "chmod", "set_mtime", "sync_file", "link", "replace", "unlink", "mkdir"]


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "incoming").mkdir()
    return FsTree(tmp_path)


@pytest.fixture
def staged(tmp_path):
    path = tmp_path / "incoming" / "upload"
    path.write_bytes(b"staged")
    path.chmod(0o600)
    return path


def failing(code: int):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def litter(data) -> list[str]:
    return sorted(path.name for path in (data / "incoming").iterdir())


# --- modes, times, links -----------------------------------------------------------------------------------


def test_files_and_directories_can_be_read_by_the_web_server_whatever_the_umask(tree, tmp_path, staged):
    before = os.umask(0o077)
    try:
        tree.put("public/main/a", b"1", when=When.ABSENT)
        tree.put("public/main/b", staged, when=When.ABSENT)
    finally:
        os.umask(before)

    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "public").rglob("*")}
    assert modes == {"main": 0o755, "a": 0o644, "b": 0o644}
    assert stat.S_IMODE((tmp_path / "public").stat().st_mode) == 0o755


def test_the_time_is_the_clock_or_a_second_after_the_predecessor(tmp_path):
    """max(now, predecessor + 1), whole seconds, also when the clock goes back."""
    now = [1000.9]
    tree = FsTree(tmp_path, now_s=lambda: now[0])
    seconds = [tree.put("public/x", b"1", when=When.ALWAYS).mtime_s]
    for now[0] in (1000.95, 1000.99, 900.0, 2000.0):
        seconds.append(tree.put("public/x", b"1", when=When.ALWAYS).mtime_s)

    assert seconds == [1000, 1001, 1002, 1003, 2000]
    assert (tmp_path / "public/x").stat().st_mtime_ns == 2000 * 10**9


def test_what_is_served_already_may_get_a_second_name_and_keeps_its_time(tree, tmp_path):
    """The old bytes of an overwrite stay readable under their hash; their ETag must not change."""
    first = tree.put("public/main/x", b"old", when=When.ABSENT, mtime_s=2_000_000_000)
    kept = tree.put("public/main/replaced/h/x", tmp_path / "public/main/x", when=When.ABSENT)
    tree.put("public/main/x", b"new", when=When.ALWAYS)

    assert (kept.mtime_s, kept.tag) == (first.mtime_s, first.tag)
    assert (tmp_path / "public/main/replaced/h/x").read_bytes() == b"old"
    with pytest.raises(ValueError, match="not under incoming"):
        tree.put("public/main/y", tmp_path / "public/main/x", when=When.ALWAYS)


def test_a_body_from_elsewhere_is_a_fault(tree, tmp_path):
    with pytest.raises(ValueError):
        tree.put("public/x", tmp_path.parent / "elsewhere", when=When.ABSENT)
    with pytest.raises(ValueError, match="regular"):
        os.mkfifo(tmp_path / "incoming" / "fifo")
        tree.put("public/x", tmp_path / "incoming" / "fifo", when=When.ABSENT)
    with pytest.raises(Unavailable):
        tree.put("public/x", tmp_path / "incoming" / "missing", when=When.ABSENT)


def test_no_symbolic_link_inside_the_tree_is_followed(tree, tmp_path):
    """Neither as the object, nor as a directory on the way, nor as the target of a write."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "public" / "main").mkdir(parents=True)
    (tmp_path / "public" / "folder").symlink_to(outside)
    (tmp_path / "public" / "main" / "file").symlink_to(outside / "secret")
    (tmp_path / "public" / "main" / "dangling").symlink_to(outside / "new")

    for path in ("public/folder/secret", "public/main/file", "public/main/dangling"):
        assert tree.stat(path) is None
        assert tree.remove(path) is False
        with pytest.raises(FileNotFoundError):
            tree.open(path)
    assert list(tree.scan("public")) == []
    assert list(tree.scan("public/folder")) == []
    with pytest.raises(Unavailable):
        tree.put("public/folder/new", b"x", when=When.ALWAYS)
    with pytest.raises(Occupied):
        tree.put("public/main/dangling", b"x", when=When.ABSENT)
    tree.put("public/main/file", b"mine", when=When.ALWAYS)

    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"secret": b"secret"}
    assert not (tmp_path / "public/main/file").is_symlink()


def test_only_regular_files_are_objects(tree, tmp_path):
    """A FIFO or a socket that somebody left there neither hangs a reader nor is listed."""
    (tmp_path / "public").mkdir()
    os.mkfifo(tmp_path / "public" / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "public" / "socket"))
    (tmp_path / "public" / ".hidden~").write_bytes(b"1")

    assert [found.path for found in tree.scan("public")] == ["public/.hidden~"]
    for path in ("public/fifo", "public/socket", "public"):
        assert tree.stat(path) is None
        with pytest.raises(FileNotFoundError):
            tree.open(path)
    with pytest.raises(Unavailable):
        tree.put("public/fifo/x", b"", when=When.ALWAYS)


def test_a_directory_is_not_overwritten(tree, tmp_path):
    tree.put("public/main/x", b"1", when=When.ABSENT)

    with pytest.raises(Unavailable):
        tree.put("public/main", b"1", when=When.ALWAYS)
    assert (tmp_path / "public/main/x").read_bytes() == b"1"
    assert litter(tmp_path) == []


def test_emptied_directories_go_but_the_roots_stay(tree, tmp_path):
    for path in ("public/main/a/b/x", "public/main/a/y"):
        tree.put(path, b"1", when=When.ABSENT)

    tree.remove("public/main/a/b/x")
    assert not (tmp_path / "public/main/a/b").exists()
    tree.remove("public/main/a/y")
    assert list((tmp_path / "public").iterdir()) == []


def test_a_condition_that_fails_leaves_no_empty_directory(tree, tmp_path):
    with pytest.raises(Changed):
        tree.put("public/main/a/x", b"1", when=Match("tag"))
    with pytest.raises(FileNotFoundError):
        tree.move("public/none", "private/main/x")
    assert list(tmp_path.rglob("main")) == []


def test_writers_and_removers_of_one_directory_do_not_trip_over_each_other(tree):
    """A directory may vanish as empty between the walk and the link: the writer makes it again."""

    def churn(n: int) -> bool:
        path = f"public/main/deep/er/{n}"
        for _ in range(60):
            tree.put(path, b"1", when=When.ABSENT)
            tree.flush()
            assert tree.remove(path)
        return True

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(churn, range(4))) == [True] * 4


# --- durability --------------------------------------------------------------------------------------------


def synced(monkeypatch, data) -> list[str]:
    """Record the directories that are synced, relative to the data directory."""
    found: list[str] = []
    real = fsio.sync_directory

    def record(fd: int) -> None:
        found.append(os.path.relpath(Path(f"/proc/self/fd/{fd}").readlink(), data))
        real(fd)

    monkeypatch.setattr(fsio, "sync_directory", record)
    return found


def test_a_flush_syncs_new_directories_bottom_up(tree, tmp_path, monkeypatch):
    """A name is durable when every name on the way to it is."""
    found = synced(monkeypatch, tmp_path)
    tree.put("public/main/noarch/x", b"1", when=When.ABSENT)
    assert found == []
    tree.flush()

    assert found == ["public/main/noarch", "public/main", "public", "."]


def test_a_second_flush_syncs_only_what_is_new(tree, tmp_path, monkeypatch):
    tree.put("public/main/noarch/x", b"1", when=When.ABSENT)
    tree.flush()
    found = synced(monkeypatch, tmp_path)
    tree.put("public/main/noarch/y", b"1", when=When.ABSENT)
    tree.put("public/main/noarch/z", b"1", when=When.ALWAYS)
    tree.flush()
    tree.flush()

    assert found == ["public/main/noarch"]


def test_directories_that_another_process_made_are_synced_too(tree, tmp_path, monkeypatch):
    """Whoever made the directory may not have flushed it yet."""
    (tmp_path / "public" / "main").mkdir(parents=True)
    found = synced(monkeypatch, tmp_path)
    tree.put("public/main/x", b"1", when=When.ABSENT)
    tree.flush()

    assert found == ["public/main", "public", "."]


def test_a_directory_made_again_is_synced_again(tree, tmp_path, monkeypatch):
    tree.put("public/main/x", b"1", when=When.ABSENT)
    tree.flush()
    found = synced(monkeypatch, tmp_path)
    tree.remove("public/main/x")
    tree.put("public/main/x", b"1", when=When.ABSENT)
    tree.flush()

    assert found == ["public/main", "public"]


def test_removals_and_moves_are_flushed(tree, tmp_path, monkeypatch):
    tree.put("public/main/a/x", b"1", when=When.ABSENT)
    tree.put("public/main/y", b"1", when=When.ABSENT)
    tree.flush()
    found = synced(monkeypatch, tmp_path)
    tree.remove("public/main/y")
    tree.flush()
    assert found == ["public/main"]

    found.clear()
    tree.put("public/main/a/z", b"1", when=When.ABSENT)  # not flushed before the move
    tree.move("public/main", "private/main")
    tree.flush()
    assert found == ["private/main/a", "private", "public", "."]


def test_a_flush_waits_for_the_names_that_another_thread_is_syncing(tree, monkeypatch):
    """A thread whose directory another flush took must not answer before that sync is done."""
    tree.put("public/main/x", b"1", when=When.ABSENT)
    started, go_on, order = threading.Event(), threading.Event(), []
    real = fsio.sync_directory

    def slow(fd: int) -> None:
        started.set()
        assert go_on.wait(20)
        real(fd)

    monkeypatch.setattr(fsio, "sync_directory", slow)

    def flush(name: str) -> None:
        tree.flush()
        order.append(name)

    first = threading.Thread(target=flush, args=("first",))
    first.start()
    assert started.wait(20)
    second = threading.Thread(target=flush, args=("second",))
    second.start()
    assert order == []
    go_on.set()
    first.join()
    second.join()
    assert sorted(order) == ["first", "second"]


def test_a_move_waits_for_the_flush_that_knows_the_old_name(tree, monkeypatch):
    """A flush that found the folder gone would call names durable that are not."""
    tree.put("public/main/x", b"1", when=When.ABSENT)
    started, go_on, order = threading.Event(), threading.Event(), []
    real_sync, real_rename = fsio.sync_directory, fsio.rename_absent

    def slow(fd: int) -> None:
        started.set()
        assert go_on.wait(20)
        real_sync(fd)
        order.append("sync")

    def rename(*args, **kwargs) -> None:
        order.append("rename")
        real_rename(*args, **kwargs)

    monkeypatch.setattr(fsio, "sync_directory", slow)
    monkeypatch.setattr(fsio, "rename_absent", rename)
    flushing = threading.Thread(target=tree.flush)
    flushing.start()
    assert started.wait(20)
    moving = threading.Thread(target=tree.move, args=("public/main", "private/main"))
    moving.start()
    go_on.set()
    flushing.join()
    moving.join()

    assert order == ["sync", "sync", "sync", "rename"]


def test_after_a_failed_directory_sync_nothing_more_is_written(tree, monkeypatch):
    """A second fsync may report success for what the first one lost: only a restart clears it."""
    tree.put("public/main/x", b"1", when=When.ABSENT)
    monkeypatch.setattr(fsio, "sync_directory", failing(errno.EIO))
    with pytest.raises(Unavailable):
        tree.flush()
    monkeypatch.undo()

    for call in (
        tree.flush,
        lambda: tree.put("public/main/y", b"1", when=When.ABSENT),
        lambda: tree.remove("public/main/x"),
        lambda: tree.move("public/main/x", "public/main/z"),
    ):
        with pytest.raises(Unavailable, match="restarted this program"):
            call()
    assert tree.stat("public/main/x") is not None


def test_a_directory_that_could_not_be_opened_is_synced_by_the_next_flush(tree, tmp_path, monkeypatch):
    """Running out of descriptors loses no name."""
    tree.put("public/main/x", b"1", when=When.ABSENT)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(errno.EMFILE))
        with pytest.raises(Unavailable):
            tree.flush()
    found = synced(monkeypatch, tmp_path)
    tree.flush()

    assert "public/main" in found


# --- every call broken -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, Unavailable),
        (errno.EROFS, Unavailable),
    ],
)
@pytest.mark.parametrize("call", MUTATING)
@pytest.mark.parametrize("when", [When.ABSENT, When.ALWAYS])
def test_a_failing_call_is_a_refusal_and_leaves_the_old_object(
    tree, tmp_path, monkeypatch, call, code, refusal, when
):
    """All or nothing: the old bytes or the new ones, no litter, and the next try works."""
    path = "public/main/new/x" if when is When.ABSENT else "public/main/x"
    tree.put("public/main/x", b"old", when=When.ABSENT)
    with monkeypatch.context() as patch:
        patch.setattr(fsio, call, failing(code))
        try:
            tree.put(path, b"new", when=when)
            failed = False
        except refusal:
            failed = True

    needs = {When.ABSENT: {"mkdir", "link"}, When.ALWAYS: {"replace"}}
    always = {"create", "write", "set_mtime", "sync_file", "chmod"}
    assert failed == (call in always | needs[when])
    assert (tmp_path / "public/main/x").read_bytes() == (b"old" if failed or when is When.ABSENT else b"new")
    assert len(litter(tmp_path)) == (call == "unlink" and when is When.ABSENT)
    tree.put("public/main/x", b"last", when=When.ALWAYS)
    assert (tmp_path / "public/main/x").read_bytes() == b"last"


def test_a_staged_file_that_cannot_be_synced_is_dead(tree, tmp_path, monkeypatch, staged):
    """Never read back, never synced again: it is unlinked."""
    monkeypatch.setattr(fsio, "sync_file", failing(errno.EIO))

    with pytest.raises(Unavailable):
        tree.put("public/main/x", staged, when=When.ABSENT)
    assert not staged.exists()
    assert tree.stat("public/main/x") is None


def test_a_write_may_take_less_than_it_was_given(tree, tmp_path, monkeypatch):
    """The kernel may write a part; the loop goes on."""
    real, sizes = os.write, []

    def short(fd: int, body: memoryview) -> int:
        sizes.append(len(body))
        return real(fd, body[: max(1, len(body) // 3)])

    monkeypatch.setattr(os, "write", short)
    tree.put("public/x", b"0123456789", when=When.ABSENT)

    assert (tmp_path / "public/x").read_bytes() == b"0123456789"
    assert len(sizes) > 3


def test_a_full_disk_says_so(tree, monkeypatch):
    """The reserve is kept for the indexes; a disk without inodes is full too."""

    def disk(free: int, inodes: int, total: int):
        blocks = (4096, 4096, 10**6, free, free, total, inodes, inodes, 0, 255)
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(blocks))

    disk(10, 5, 10)
    assert tree.free_bytes() == 40960
    tree.ensure_room(40960)
    tree.ensure_room(960, size=40000)
    with pytest.raises(StorageFull, match="40961 bytes must stay free"):
        tree.ensure_room(40961)
    assert not tree.room_for(40960, reserve=1)
    disk(10, 0, 10)
    assert tree.free_bytes() == 0
    disk(10, 0, 0)  # a file system without a fixed number of inodes
    assert tree.free_bytes() == 40960


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("option", ["size=256k", "nr_inodes=8"])
def test_a_disk_that_really_fills_up(tmp_path, option):
    """By bytes and by inodes: the refusal is StorageFull and every object is whole."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", option, "none", small], check=False, capture_output=True
    ).returncode:
        pytest.skip("mounting tmpfs is not permitted here")
    try:
        tree = FsTree(small)
        with pytest.raises(StorageFull):
            for n in range(40):
                tree.put(f"public/main/{n}", b"x" * 20_000, when=When.ABSENT)
        assert {found.size for found in tree.scan("public")} == {20_000}
        assert litter(small) == []
        assert tree.remove("public/main/0") is True
    finally:
        subprocess.run(["umount", small], check=True)


# --- state files -------------------------------------------------------------------------------------------


def test_a_state_file_is_written_whole_with_its_mode(tmp_path):
    target = tmp_path / "channels.conf"
    fsio.write_atomic(target, b"one")
    fsio.write_atomic(target, b"two", mode=0o600)

    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"two", 0o600)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("call", ["write", "chmod", "sync_file"])
def test_a_state_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch, call):
    target = tmp_path / "channels.conf"
    fsio.write_atomic(target, b"one")
    monkeypatch.setattr(fsio, call, failing(errno.ENOSPC))

    with pytest.raises(StorageFull, match=r"channels\.conf"):
        fsio.write_atomic(target, b"two")
    assert target.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [target]


def test_a_stamp_is_made_once_and_touched_after(tmp_path):
    stamp = tmp_path / "wake"
    fsio.touch(stamp)
    os.utime(stamp, (1, 1))
    before = stamp.stat().st_ino
    fsio.touch(stamp)

    assert stamp.stat().st_ino == before
    assert stamp.stat().st_mtime > 1_000_000


def test_a_create_does_not_follow_a_dangling_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(FileExistsError):
        fsio.create(tmp_path / "link")
    assert not (tmp_path / "target").exists()
