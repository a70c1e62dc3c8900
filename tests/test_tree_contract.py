"""What every store promises; a new store is one more name in `STORES`."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_support import HostileTree, MemoryTree

from packhouse.errors import Unavailable
from packhouse.model import Channel
from packhouse.names import ChannelName
from packhouse.tree import Changed, Match, Occupied, Tree, When, channel_root
from packhouse.tree.fs import FsTree

STORES = {"fs": FsTree, "memory": MemoryTree}


@pytest.fixture(params=sorted(STORES))
def tree(request, tmp_path) -> Tree:
    (tmp_path / "incoming").mkdir()
    return STORES[request.param](tmp_path)


@pytest.fixture
def staged(tmp_path):
    path = tmp_path / "incoming" / "upload"
    path.write_bytes(b"staged")
    return path


def read(tree: Tree, path: str) -> bytes:
    with tree.open(path) as file:
        return file.read()


def test_an_absent_object_is_created_once(tree):
    """The second creation is refused and changes nothing."""
    made = tree.put("public/main/a/x", b"one", when=When.ABSENT)

    with pytest.raises(Occupied):
        tree.put("public/main/a/x", b"two", when=When.ABSENT)
    assert read(tree, "public/main/a/x") == b"one"
    assert tree.stat("public/main/a/x") == made
    assert (made.path, made.size) == ("public/main/a/x", 3)


def test_always_replaces(tree):
    tree.put("public/x", b"one", when=When.ALWAYS)
    tree.put("public/x", b"two!", when=When.ALWAYS)

    assert read(tree, "public/x") == b"two!"


def test_match_replaces_only_what_was_seen(tree):
    """A tag that is no longer current, or of an object that is gone, writes nothing."""
    first = tree.put("public/x", b"one", when=When.ALWAYS)
    second = tree.put("public/x", b"two", when=Match(first.tag))

    with pytest.raises(Changed):
        tree.put("public/x", b"six", when=Match(first.tag))
    assert read(tree, "public/x") == b"two"

    tree.remove("public/x")
    with pytest.raises(Changed):
        tree.put("public/x", b"six", when=Match(second.tag))
    assert tree.stat("public/x") is None


def test_equal_bytes_twice_have_different_tags(tree):
    tags = {tree.put("public/x", b"same", when=When.ALWAYS).tag for _ in range(5)}

    assert len(tags) == 5


def test_a_successor_has_a_later_second(tree):
    """The ETag of nginx is mtime in seconds and size: equal ones would answer 304 for changed content."""
    seconds = [tree.put("public/x", bytes([n]), when=When.ALWAYS).mtime_s for n in range(4)]

    assert seconds == sorted(set(seconds))


def test_a_later_time_may_be_asked_for(tree):
    """The catalog remembers the last second of a path that was removed meanwhile."""
    ahead = tree.put("public/x", b"1", when=When.ABSENT).mtime_s + 1000

    assert tree.put("public/y", b"1", when=When.ABSENT, mtime_s=ahead).mtime_s == ahead
    assert tree.put("public/y", b"2", when=When.ALWAYS, mtime_s=5).mtime_s == ahead + 1
    assert tree.stat("public/y").mtime_s == ahead + 1


def test_a_staged_file_is_linked_or_taken(tree, staged):
    """ABSENT leaves the staged name to its owner, ALWAYS uses it up."""
    tree.put("public/x", staged, when=When.ABSENT)
    assert staged.read_bytes() == b"staged"

    tree.put("public/y", staged, when=When.ALWAYS)
    assert not staged.exists()
    assert read(tree, "public/x") == read(tree, "public/y") == b"staged"


def test_an_occupied_name_leaves_the_staged_file_alone(tree, staged):
    tree.put("public/x", b"winner", when=When.ABSENT)

    with pytest.raises(Occupied):
        tree.put("public/x", staged, when=When.ABSENT)
    assert staged.read_bytes() == b"staged"
    assert read(tree, "public/x") == b"winner"


def test_nothing_is_there_at_first(tree):
    assert tree.stat("public/none/x") is None
    assert tree.remove("public/none/x") is False
    assert list(tree.scan("public/none")) == []
    with pytest.raises(FileNotFoundError):
        tree.open("public/none/x")


def test_scan_is_sorted_by_path(tree):
    """By the whole path, not directory by directory: `a-b` comes before `a/c`."""
    paths = [
        "public/m/a/c",
        "public/m/a-b",
        "public/m/a.b/x",
        "public/m/a/b/c",
        "public/m/.dot",
        "public/m/Z",
    ]
    for path in paths:
        tree.put(path, path.encode(), when=When.ABSENT)
    tree.put("public/mm/x", b"", when=When.ABSENT)

    found = list(tree.scan("public/m"))
    assert [stat.path for stat in found] == sorted(paths)
    assert found == [tree.stat(path) for path in sorted(paths)]


def test_removed_is_gone(tree):
    tree.put("public/m/a/b/x", b"1", when=When.ABSENT)

    assert tree.remove("public/m/a/b/x") is True
    assert tree.remove("public/m/a/b/x") is False
    assert tree.stat("public/m/a/b/x") is None
    assert tree.put("public/m/a/b/x", b"2", when=When.ABSENT).size == 1


def test_a_whole_folder_moves(tree):
    for name in ("a", "b/c"):
        tree.put(f"public/m/{name}", name.encode(), when=When.ABSENT)

    tree.move("public/m", "private/deep/m")

    assert list(tree.scan("public")) == []
    assert [stat.path for stat in tree.scan("private")] == ["private/deep/m/a", "private/deep/m/b/c"]
    assert read(tree, "private/deep/m/b/c") == b"b/c"
    tree.flush()


def test_a_move_replaces_nothing(tree):
    tree.put("public/m/a", b"1", when=When.ABSENT)
    tree.put("private/m/a", b"2", when=When.ABSENT)

    for source, target in (("public/m", "private/m"), ("public/m/a", "private/m/a")):
        with pytest.raises(Occupied):
            tree.move(source, target)
    with pytest.raises(FileNotFoundError):
        tree.move("public/none", "private/none")
    assert (read(tree, "public/m/a"), read(tree, "private/m/a")) == (b"1", b"2")


def test_one_of_many_creators_wins(tree):
    """Twenty uploads race for one name: one is stored, and it is the one that was told so."""

    def create(n: int) -> int | None:
        try:
            tree.put("public/m/noarch/x", b"%d" % n, when=When.ABSENT)
            tree.flush()
        except Occupied:
            return None
        return n

    with ThreadPoolExecutor(8) as threads:
        winners = [n for n in threads.map(create, range(20)) if n is not None]

    assert len(winners) == 1
    assert read(tree, "public/m/noarch/x") == b"%d" % winners[0]


def test_a_channel_lies_where_its_readers_may_look():
    name = ChannelName("main")

    assert channel_root(Channel(name=name)) == "public/main"
    assert channel_root(Channel(name=name, place="private")) == "private/main"


def test_folders_are_those_directly_below(tree):
    """Files are none, nor is what lies deeper; a directory that is not there has none."""
    for path in ("public/m/b/x", "public/m/a/y/z", "public/m/file", "public/n/c/x"):
        tree.put(path, b"1", when=When.ABSENT)

    assert list(tree.folders("public")) == ["m", "n"]
    assert list(tree.folders("public/m")) == ["a", "b"]
    assert list(tree.folders("public/m/b")) == []
    assert list(tree.folders("public/m/b/x")) == []
    assert list(tree.folders("public/none/at/all")) == []


@pytest.mark.parametrize("failing", [{1}, {2}])
def test_a_lost_answer_is_found_by_the_retry(tree, failing):
    """A store may fail after it has done the work: a create-only retry must look at what is there."""
    hostile = HostileTree(tree, failing)
    for _ in range(3):
        try:
            hostile.put("public/x", b"1", when=When.ABSENT)
            hostile.flush()
            break
        except Unavailable:
            continue
        except Occupied:
            assert read(hostile, "public/x") == b"1"
            break

    assert read(tree, "public/x") == b"1"


_PATHS = st.sampled_from(["public/a", "public/b/c", "public/b/d/e", "private/b/c"])
_SOURCES = st.sampled_from(["public/a", "public/b", "public/b/d", "public/b/d/e", "private/z/y", "public/z"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), _PATHS, st.binary(max_size=4), st.sampled_from(["absent", "always", "match"])
        ),
        st.tuples(st.just("remove"), _PATHS),
        st.tuples(st.just("move"), _SOURCES, st.sampled_from(["public/z", "private/z/y"])),
        st.tuples(st.just("flush")),
    ),
    max_size=14,
)


def _do(tree: Tree, step: tuple) -> object:
    try:
        match step:
            case ("put", path, body, "match"):
                there = tree.stat(path)
                return tree.put(path, body, when=Match(there.tag if there else "none")).size
            case ("put", path, body, when):
                return tree.put(path, body, when=When(when)).size
            case ("remove", path):
                return tree.remove(path)
            case ("move", source, target):
                return tree.move(source, target)
            case _:
                return tree.flush()
    except (Occupied, Changed, FileNotFoundError) as answer:
        return type(answer)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_the_disk_and_the_model_agree(steps, tmp_path_factory):
    """Any sequence of calls has the same answers and leaves the same objects as the dictionary."""
    data = tmp_path_factory.mktemp("data")
    disk, model = FsTree(data), MemoryTree(data)
    for step in steps:
        assert _do(disk, step) == _do(model, step), step
    for top in ("public", "private"):
        left = [(stat.path, read(disk, stat.path)) for stat in disk.scan(top)]
        assert left == [(stat.path, read(model, stat.path)) for stat in model.scan(top)]
    assert [
        path for path in data.rglob("*") if path.is_dir() and not any(path.iterdir()) and path.parent != data
    ] == []
    assert list(data.glob("incoming/*")) == []


@pytest.mark.parametrize("path", ["", "/etc/passwd", "public//x", "public/../x", "./x", "public/x/", "a\0b"])
def test_a_path_that_no_name_can_make_is_a_fault(tmp_path, path):
    """Names pass the gate first; a path that did not is a mistake of ours, never a lookup."""
    tree = FsTree(tmp_path)
    for call in (
        tree.stat,
        tree.open,
        tree.remove,
        lambda p: tree.put(p, b"", when=When.ALWAYS),
        tree.folders,
        lambda p: [*tree.scan(p)],
    ):
        with pytest.raises(ValueError):
            call(path)
    assert list(tmp_path.iterdir()) == []
