"""The inbox: what is dropped is verified and published like an upload."""

import dataclasses
import errno
import itertools
import os
import threading

import pytest
from conda_support import make_conda
from house_support import Direct
from indexer_support import World
from pypi_support import make_wheel

from indexer.check import check
from packhouse.errors import Unavailable
from packhouse.intake.inbox import Inbox
from packhouse.tree import fsio


class Dropper:
    def __init__(self, world):
        self.world, self.now = world, 0.0
        self.inbox = Inbox(world.house, Direct(), monotonic=lambda: self.now)
        self.root = world.house.data / "inbox"
        self.inbox.scan()

    def drop(self, path, body):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        return target

    def later(self):
        """Look, let the files stand still, look again."""
        first = self.inbox.scan()
        self.now += 2.5
        return first + self.inbox.scan()

    def refused(self):
        root = self.root / ".refused"
        return {
            str(path.relative_to(root)): path.read_text(errors="replace") for path in root.rglob("*.reason")
        }


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def dropper(world):
    return Dropper(world)


def test_every_channel_has_a_folder_to_drop_into(dropper):
    """`cp x.whl inbox/main/` works without anybody making a folder."""
    assert (dropper.root / "main").is_dir()


def test_a_good_file_of_each_kind_is_taken_in_and_removed(world, dropper):
    """Wheels and conda packages directly, products in their folders."""
    name, body = make_wheel("one", "1.0")
    wheel = dropper.drop(f"main/{name}", body)
    name, body = make_conda("two", "1.0", subdir="linux-64")
    conda = dropper.drop(f"main/{name}", body)
    product = dropper.drop("main/products/Tool/1.0/tool.bin", b"bits")
    drops = dropper.later()
    world.settle()

    assert sorted(drop.path for drop in drops if not drop.reason) == [
        "main/one-1.0-py3-none-any.whl",
        "main/products/Tool/1.0/tool.bin",
        "main/two-1.0-0.conda",
    ]
    assert not any(path.exists() for path in (wheel, conda, product))
    assert {
        "public/main/packages/one/one-1.0-py3-none-any.whl",
        "public/main/linux-64/two-1.0-0.conda",
        "public/main/products/Tool/1.0/tool.bin",
    } <= world.files().keys()
    assert world.house.catalog.artifacts.live("main", "linux-64/two-1.0-0.conda").uploaded_by == "inbox"
    assert check(world.house).findings == ()


def test_the_bytes_are_copied(world, dropper):
    """The dropper may hold the file open and write on."""
    path = dropper.drop("main/products/tool/1.0/tool.bin", b"bits")
    with path.open("r+b") as held:
        dropper.later()
        held.write(b"EVIL")
        held.flush()

        assert (world.house.data / "public/main/products/tool/1.0/tool.bin").read_bytes() == b"bits"


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("main/bad-1.0-py3-none-any.whl", b"no zip", "is refused"),
        ("main/readme.txt", b"", "not a valid package file name"),
        ("main/no such name.whl", b"", "not a valid file name"),
        ("nowhere/one-1.0-py3-none-any.whl", b"", "packhouse channel create nowhere"),
        ("main/noarch/two-1.0-0.conda", b"", "a file belongs into inbox/<channel>/"),
        ("loose-1.0.tar.gz", b"", "a file belongs into inbox/<channel>/"),
        ("main/products/tool/file", b"", "a file belongs into inbox/<channel>/"),
        ("state/one-1.0-py3-none-any.whl", b"", "reserved"),
    ],
)
def test_a_bad_file_is_moved_aside_with_its_reason(dropper, path, body, reason):
    """The sentence is the refusal's own."""
    dropped = dropper.drop(path, body)
    (drop,) = dropper.later()

    assert reason in drop.reason
    assert reason in dropper.refused()[f"{path}.reason"]
    assert not dropped.exists()
    assert (dropper.root / ".refused" / path).read_bytes() == body
    assert dropper.later() == []


def test_a_link_is_refused_and_not_followed(world, dropper, tmp_path):
    """Else anything the server can read could be published."""
    secret = tmp_path / "secret-1.0-py3-none-any.whl"
    secret.write_bytes(make_wheel("secret", "1.0")[1])
    (dropper.root / "main" / secret.name).symlink_to(secret)
    (dropper.root / "linked").symlink_to(tmp_path)
    drops = dropper.later()

    assert {drop.path for drop in drops} == {f"main/{secret.name}", "linked"}
    assert all("no regular file" in drop.reason for drop in drops)
    assert secret.exists()
    assert not [path for path in world.files() if "secret" in path]


def test_a_pipe_is_refused_without_waiting_for_a_writer(dropper):
    """Opening one would block the inbox for ever."""
    os.mkfifo(dropper.root / "main" / "pipe-1.0-py3-none-any.whl")
    (drop,) = dropper.later()

    assert "no regular file" in drop.reason


def test_unfinished_files_are_left_alone(dropper):
    """Dot files are rsync's, .part and .tmp are everybody else's."""
    paths = [dropper.drop(f"main/{name}", b"x") for name in (".one.whl.Xy12", "one.whl.part", "one.whl.tmp")]

    assert dropper.later() == []
    assert all(path.exists() for path in paths)


def test_a_file_that_still_grows_waits(world, dropper):
    """Size and time must stand still."""
    name, body = make_wheel("one", "1.0")
    path = dropper.drop(f"main/{name}", body[:100])
    assert dropper.inbox.scan() == []
    dropper.now += 1.5
    path.write_bytes(body)
    assert dropper.inbox.scan() == []
    dropper.now += 1.5
    assert dropper.inbox.scan() == []
    dropper.now += 1.0

    assert [drop.reason for drop in dropper.inbox.scan()] == [""]


def test_the_same_bytes_again_are_fine_and_other_bytes_are_refused(world, dropper):
    """As for every upload."""
    name, body = make_wheel("one", "1.0")
    dropper.drop(f"main/{name}", body)
    dropper.later()
    dropper.drop(f"main/{name}", body)
    assert [drop.reason for drop in dropper.later()] == [""]
    dropper.drop(f"main/{name}", make_wheel("one", "1.0", summary="other")[1])

    assert "already exists" in dropper.later()[0].reason


def test_when_the_store_is_away_a_file_waits(world, dropper, monkeypatch):
    """Nothing is wrong with the file."""

    def away(*_args, **_more):
        raise Unavailable("the disk is gone")

    path = dropper.drop("main/products/tool/1.0/tool.bin", b"bits")
    with monkeypatch.context() as patch:
        patch.setattr(world.house.catalog.artifacts, "claim", away)
        assert dropper.later() == []
        assert path.exists()

    assert [drop.reason for drop in dropper.later()] == [""]


def test_when_the_disk_is_full_a_good_file_waits(world, dropper):
    """It is taken in as soon as there is room."""
    name, body = make_wheel("one", "1.0")
    path = dropper.drop(f"main/{name}", body)
    settings = dataclasses.replace(world.house.settings, min_free_bytes=1 << 60)
    full = Inbox(dataclasses.replace(world.house, settings=settings), Direct(), monotonic=lambda: dropper.now)
    full.scan()
    for _ in range(2):
        dropper.now += 2.5
        assert full.scan() == []

    assert path.exists()
    assert dropper.refused() == {}
    assert [drop.reason for drop in dropper.later()] == [""]


@pytest.mark.parametrize("call", ["mkdir", "create", "write", "replace"])
def test_a_bad_file_waits_where_its_reason_finds_no_room(dropper, monkeypatch, call):
    """Later it is moved aside like any other, and its reason with it."""
    path = dropper.drop("main/readme.txt", b"")

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(fsio, call, full)
        if call == "mkdir":  # every channel's folder is there already
            patch.setattr(Inbox, "_make_folders", lambda _: None)
        assert dropper.later() == []
    assert path.exists()
    assert not any(text.endswith(".txt") for text in names_of(dropper.root / ".refused"))

    (drop,) = dropper.later()
    assert "not a valid package file name" in drop.reason
    assert names_of(dropper.root / ".refused/main") == ["readme.txt", "readme.txt.reason"]


def names_of(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_that_cannot_be_taken_away_is_not_taken_in_again_and_again(dropper, monkeypatch):
    """It stays until it changes."""
    dropper.drop("main/products/tool/1.0/tool.bin", b"bits")
    real = fsio.unlink

    def unlink(name, *, dir_fd=None):
        if name == "tool.bin":
            raise PermissionError(1, "not permitted")
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(fsio, "unlink", unlink)
    assert len(dropper.later()) == 1

    assert dropper.later() == []


def test_a_bad_file_that_cannot_be_moved_aside_is_left_until_it_changes(dropper, monkeypatch, caplog):
    """Trying again would not help: an operator must look."""
    path = dropper.drop("main/readme.txt", b"")

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "not permitted")

    monkeypatch.setattr(fsio, "replace", refuse)
    assert len(dropper.later()) == 1
    assert "not permitted" in caplog.text

    assert dropper.later() == []
    assert path.exists()


def test_it_runs_until_it_is_stopped(world, dropper):
    """A dropped file is seen by the watch, or by the poll behind it."""
    stop = threading.Event()
    ticks = itertools.count(0, 5)  # every look is five seconds after the last one
    inbox = Inbox(world.house, Direct(), monotonic=lambda: next(ticks))
    thread = threading.Thread(target=inbox.run, args=(stop,))
    thread.start()
    try:
        path = dropper.drop("main/products/tool/1.0/tool.bin", b"bits")
        while path.exists():
            world.house.wake.wait("wake", 0.2)
    finally:
        stop.set()
        thread.join(20)

    assert not thread.is_alive()
