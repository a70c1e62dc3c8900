"""Packages that other projects published go in and come out with the same bytes and the right record."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
import rattler
import rattler.index
from e2e_support import serving

pytestmark = pytest.mark.e2e

DATA = Path(__file__).parents[2] / "shared" / "data" / "conda"
if not DATA.is_dir():
    pytest.skip("the folder of real packages is not beside the project", allow_module_level=True)

# These four break the rules of CEP 26, 34 and 35. The words are what the refusal has to say.
REFUSED = {
    # no metadata.json with the format's version in it
    "conda_gc_test-2.2.1-py27_3.conda": "metadata.json",
    # no subdir: no client would know where to look for it
    "foo-0.1-0.tar.bz2": "subdir",
    "nano-2.4.1-0.tar.bz2": "subdir",
    # a renamed copy: its index.json says build 0, the file name says 0_copy
    "test-package-0.1-0_copy.tar.bz2": "build",
}


def meanings(specs):
    return [str(rattler.MatchSpec(spec)) for spec in specs or ()]


# The only fields in which a record may differ from what rattler's indexer writes for the same file, and when.
ALLOWED = {
    # CEP 47: the time at which *this* server first published the file.
    "indexed_timestamp": lambda name, ours, theirs: isinstance(ours, int),
    # rattler spells some specs anew (`x 0.1 y` as `x ==0.1 y`); we keep the publisher's text, which means the same.
    "depends": lambda name, ours, theirs: meanings(ours) == meanings(theirs),
    "constrains": lambda name, ours, theirs: meanings(ours) == meanings(theirs),
    # rattler's reader of .tar.bz2 stops at index.json; conda-index reads run exports of both kinds, and so do we.
    "run_exports": lambda name, ours, theirs: name.endswith(".tar.bz2") and theirs is None,
}


def batches():
    """The good packages, in as many sets as it takes for each file name to occur once per set and subdir."""
    sets: list[dict[tuple[str, str], Path]] = []
    for path in sorted((DATA / "good").rglob("*")):
        if path.is_file() and path.name not in REFUSED:
            key = (path.parents[1].name, path.name)
            home = next((one for one in sets if key not in one), None)
            if home is None:
                sets.append(home := {})
            home[key] = path
    return sets


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("real")) as server:
        yield server


def put(server, channel, path):
    """Upload without telling the subdir: the server reads it from the package."""
    return server.ask(
        f"/api/v1/upload/{channel}", "POST", path.read_bytes(), key=True,
        X_File_Name=path.name, Content_Type="application/octet-stream",
    )  # fmt: skip


def differences(name, ours, theirs):
    """Fields that differ without an excuse."""
    return {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
        and not (key in ALLOWED and ALLOWED[key](name, ours.get(key), theirs.get(key)))
    }


def test_real_packages_come_back_the_same_with_the_record_that_rattler_computes(server, tmp_path):
    sets = batches()
    assert sum(map(len, sets)) == 115

    for number, files in enumerate(sets):
        channel = f"real-{number}"
        server.channel(channel)
        peer = tmp_path / channel
        for (subdir, name), path in files.items():
            status, _headers, answer = put(server, channel, path)
            assert status == 201, (path, answer)
            assert server.ask(f"/{channel}/{subdir}/{name}")[2] == path.read_bytes()
            (peer / subdir).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, peer / subdir)
        (peer / "noarch").mkdir(exist_ok=True)
        asyncio.run(rattler.index.index_fs(peer, write_zst=False, write_shards=False))

        for subdir in {subdir for subdir, _name in files}:
            ours = server.json(f"/{channel}/{subdir}/repodata.json")
            theirs = json.loads((peer / subdir / "repodata.json").read_text())
            for kind in ("packages", "packages.conda"):
                assert ours[kind].keys() == theirs[kind].keys()
                for name, record in theirs[kind].items():
                    assert differences(name, ours[kind][name], record) == {}, name
                    assert "indexed_timestamp" in ours[kind][name]


@pytest.mark.parametrize("name", REFUSED)
def test_the_four_that_break_the_rules_are_refused_with_the_reason(server, name):
    (path,) = [path for path in (DATA / "good").rglob(name) if path.is_file()][:1]

    status, headers, answer = put(server, "main", path)

    assert status == 422
    assert headers["Content-Type"] == "application/problem+json"
    assert REFUSED[name] in json.loads(answer)["detail"]


@pytest.mark.parametrize(
    "path",
    sorted(p for p in (DATA / "odd").rglob("*") if p.is_file()),
    ids=lambda p: f"{p.parent.name}-{p.name}",
)
def test_everything_odd_is_refused_with_a_reason(server, path):
    """Wrong names, text files, torn archives, and old tars whose first member is the directory "."."""
    status, _headers, answer = put(server, "main", path)

    assert status in (400, 422), answer
    assert path.name in json.loads(answer)["detail"]
    assert server.json("/main/noarch/repodata.json")["packages"] == {}
