"""`packhouse.pull`: every byte is what the manifest says, and nothing half-done is left behind."""

import os
import stat

import pytest
from client_support import KEY, Cut, For, Silent, file_of, product, site, turns, version_of, versions

import packhouse
from packhouse import errors
from packhouse.client import stopping
from packhouse.tree import fsio


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("PACKHOUSE_KEY", raising=False)
    monkeypatch.setattr(stopping.time, "sleep", lambda _seconds: None)
    yield
    packhouse.clear_api_key()


@pytest.fixture
def dest(tmp_path):
    return tmp_path / "a" / "b"


def left(folder):
    """Every name below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


TOOL = product("tool", {"1": b"one" * 1000, "2": b"second"})
LISTING, ONE, TWO = (
    "/main/generic/tool/versions.json",
    "/main/products/tool/1/tool.bin",
    "/main/products/tool/2/tool.bin",
)
HASHES = [item["top_hash"] for item in TOOL[LISTING]["versions"]]


@pytest.mark.parametrize(
    ("which", "body"),
    [
        ({}, b"second"),
        ({"version": "1"}, b"one" * 1000),
        ({"top_hash": HASHES[0]}, b"one" * 1000),
        ({"top_hash": HASHES[0][:6]}, b"one" * 1000),
        ({"version": "2", "top_hash": HASHES[1][:9]}, b"second"),
    ],
)
def test_a_version_is_named_or_the_latest(dest, which, body):
    came = []
    with site(TOOL) as there:
        (path,) = packhouse.pull(
            "tool", dest=dest, registry=f"{there.url}/main", progress=came.append, **which
        )

    assert (path, path.read_bytes()) == (dest / "tool.bin", body)
    assert sum(came) == len(body)
    assert left(dest) == ["tool.bin"]
    assert set(there.keys()) == {""}


def test_a_version_with_another_hash_is_not_downloaded(dest):
    with site(TOOL) as there, pytest.raises(packhouse.HashMismatch, match="should be 000000"):
        packhouse.pull("tool", "1", top_hash="000000", dest=dest, registry=f"{there.url}/main")
    assert not dest.exists()
    assert ONE not in there.answers or f"GET {ONE}" not in there.paths()


def test_of_versions_with_the_same_files_any_is_right(dest):
    same = product("tool", {"1": b"same", "2": b"same"})
    with site(same) as there:
        packhouse.pull(
            "tool", top_hash=same[LISTING]["versions"][0]["top_hash"], dest=dest, registry=f"{there.url}/main"
        )
    assert (dest / "tool.bin").read_bytes() == b"same"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"seconD", "its SHA-256 is"),
        (b"secon", "its size is 5, and should be 6"),
        (b"second and more", "its size is more than 6"),
    ],
)
def test_bytes_that_are_not_the_manifests_are_not_kept(dest, body, says):
    with site({**TOOL, TWO: body}) as there, pytest.raises(packhouse.HashMismatch, match=says):
        packhouse.pull("tool", dest=dest, registry=f"{there.url}/main")
    assert left(dest) == []
    assert there.paths().count(f"GET {TWO}") == 1


def test_a_download_that_breaks_off_is_begun_anew(dest):
    came = []
    with site({**TOOL, ONE: turns(Cut(b"one" * 1000), (503, "busy"), b"one" * 1000)}) as there:
        packhouse.pull("tool", "1", dest=dest, registry=f"{there.url}/main", progress=came.append)

    assert (dest / "tool.bin").read_bytes() == b"one" * 1000
    assert sum(came) == 3000
    assert min(came) < 0  # the first half was taken back


def test_one_file_that_fails_leaves_none(dest):
    a, b = file_of("packages/x/a.whl", b"a"), file_of("packages/x/b.whl", b"b")
    answers = {"/main/pypi/x/versions.json": versions(version_of("1", a, b)), "/main/packages/x/a.whl": b"a"}
    with site(answers) as there:
        with pytest.raises(packhouse.Missing):
            packhouse.pull("x", dest=dest, registry=f"{there.url}/main")
        assert left(dest) == []
        there.answers["/main/packages/x/b.whl"] = b"b"
        assert packhouse.pull("x", dest=dest, registry=f"{there.url}/main") == [
            dest / "a.whl",
            dest / "b.whl",
        ]
    assert left(dest) == ["a.whl", "b.whl"]


def test_a_slow_download_is_given_up_and_leaves_nothing(dest):
    packhouse.config(timeout_s=0.05)
    with site({**TOOL, TWO: Silent(b"sec")}) as there, pytest.raises(packhouse.TimedOut):
        packhouse.pull("tool", dest=dest, registry=f"{there.url}/main")
    assert left(dest) == []


def test_what_is_there_already_is_not_downloaded_again(dest):
    with site(TOOL) as there:
        url = f"{there.url}/main"
        packhouse.pull("tool", dest=dest, registry=url)
        before = (dest / "tool.bin").stat().st_mtime_ns
        packhouse.pull("tool", dest=dest, registry=url)
        assert there.paths().count(f"GET {TWO}") == 1
        assert (dest / "tool.bin").stat().st_mtime_ns == before


@pytest.mark.parametrize("body", [b"mine", b"seconD"])
def test_a_file_of_ones_own_is_not_written_over_unasked(dest, body):
    dest.mkdir(parents=True)
    (dest / "tool.bin").write_bytes(body)
    with site(TOOL) as there:
        with pytest.raises(packhouse.LocalFileExists, match="is there already"):
            packhouse.pull("tool", dest=dest, registry=f"{there.url}/main")
        assert (dest / "tool.bin").read_bytes() == body
        assert f"GET {TWO}" not in there.paths()
        packhouse.pull("tool", dest=dest, registry=f"{there.url}/main", overwrite=True)
    assert (dest / "tool.bin").read_bytes() == b"second"


def test_a_symbolic_link_is_replaced_and_never_followed(dest, tmp_path):
    dest.mkdir(parents=True)
    (tmp_path / "precious").write_bytes(b"second")
    (dest / "tool.bin").symlink_to(tmp_path / "precious")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "tool.bin").symlink_to(tmp_path / "nowhere")
    with site(TOOL) as there:
        for folder in (dest, tmp_path / "dangling"):
            with pytest.raises(packhouse.LocalFileExists):
                packhouse.pull("tool", dest=folder, registry=f"{there.url}/main")
        packhouse.pull("tool", "1", dest=dest, registry=f"{there.url}/main", overwrite=True)
    assert (tmp_path / "precious").read_bytes() == b"second"
    assert not (dest / "tool.bin").is_symlink()


def test_a_conda_name_may_lie_in_several_subdirs(dest):
    one, two = file_of("linux-64/x-1-0.conda", b"linux"), file_of("osx-64/x-1-0.conda", b"mac")
    answers = {
        "/main/conda/x/versions.json": versions(version_of("1", one, two)),
        "/main/linux-64/x-1-0.conda": b"linux",
        "/main/osx-64/x-1-0.conda": b"mac",
    }
    with site(answers) as there:
        packhouse.pull("conda/x", dest=dest, registry=f"{there.url}/main")
    assert left(dest) == ["linux-64", "linux-64/x-1-0.conda", "osx-64", "osx-64/x-1-0.conda"]


def test_files_of_two_spellings_of_a_product_do_not_meet(dest):
    one, two = file_of("products/Tool/1/t.bin", b"1"), file_of("products/tool/1/t.bin", b"2")
    answers = {
        LISTING: versions(version_of("1", one, two)),
        "/main/products/Tool/1/t.bin": b"1",
        "/main/products/tool/1/t.bin": b"2",
    }
    with site(answers) as there:
        paths = packhouse.pull("tool", dest=dest, registry=f"{there.url}/main")
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]
    assert paths[0] == dest / "products" / "Tool" / "1" / "t.bin"


def test_what_is_restricted_is_pulled_with_the_key(dest):
    packhouse.login_with_api_key(KEY)
    with site({path: For((404, "no"), answer) for path, answer in TOOL.items()}) as there:
        packhouse.pull("generic/tool", dest=dest, registry=f"{there.url}/main")
    assert (dest / "tool.bin").read_bytes() == b"second"
    assert there.keys() == ["", KEY, "", KEY]


def test_a_pulled_file_has_the_mode_that_the_umask_gives(dest):
    for mask in (0o022, 0o077):
        before = os.umask(mask)
        try:
            with site(TOOL) as there:
                packhouse.pull("tool", dest=dest / str(mask), registry=f"{there.url}/main")
        finally:
            os.umask(before)
        assert stat.S_IMODE((dest / str(mask) / "tool.bin").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("call", ["write", "sync_file", "replace", "create"])
def test_a_disk_that_fails_leaves_nothing(dest, monkeypatch, call):
    def fails(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with site(TOOL) as there:
        monkeypatch.setattr(fsio, call, fails)
        with pytest.raises(errors.StorageFull):
            packhouse.pull("tool", dest=dest, registry=f"{there.url}/main")
        monkeypatch.undo()
    assert left(dest) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with site(TOOL) as there, pytest.raises(errors.Unavailable):
        packhouse.pull("tool", dest=tmp_path / "file", registry=f"{there.url}/main")
