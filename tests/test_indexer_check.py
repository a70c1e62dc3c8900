"""`indexer check`: silent on a right tree, loud on one flipped byte of anything."""

import json

import pytest
from indexer_support import World

from indexer import check as checking
from indexer.check import check
from indexer.check.shelf import Shelf
from packhouse.errors import NotFound
from packhouse.model import Area
from packhouse.names import ChannelName


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A channel with everything in it: live, replaced, deleted and yanked files of every kind."""
    made = World(tmp_path_factory.mktemp("check"), overwrite=True)
    made.house.create_channel(ChannelName("secret"), private=True)
    made.wheel("one", "1.0", requires_dist=["two>=1"], description="text", metadata_extra="Keywords: a,b\n")
    made.wheel("one", "2.0", channel="secret")
    made.conda("two", "1.0", depends=["three >=1"])
    made.conda("two", "2.0", subdir="linux-64")
    made.product("Tool", "1.0")
    made.settle()
    made.conda("two", "1.0", force=True, files={"other.txt": b"x"})
    made.wheel("gone", "1.0")
    made.settle()
    made.delete("packages/gone/gone-1.0-py3-none-any.whl")
    made.settle()
    yield made
    made.close()


def test_a_right_tree_has_no_findings(world):
    """Every reader and the rebuild agree; the report says how much was looked at."""
    report = check(world.house)

    assert report.findings == ()
    assert report.channels == 2
    assert report.files > 60
    assert str(report).endswith("all is well")


KINDS = [
    "public/index.html",
    "public/static/packhouse.css",
    "public/static/404.html",
    "public/main/index.html",
    "public/main/serial.json",
    "public/main/_static/packhouse.js",
    "public/main/channeldata.json",
    "public/main/noarch/two-1.0-0.conda",
    "public/main/noarch/repodata.json",
    "public/main/noarch/repodata.json.zst",
    "public/main/noarch/run_exports.json",
    "public/main/noarch/run_exports.json.zst",
    "public/main/noarch/repodata_shards.msgpack.zst",
    "public/main/linux-64/repodata.json",
    "public/main/conda/two/index.html",
    "public/main/conda/two/versions.json",
    "public/main/packages/one/one-1.0-py3-none-any.whl",
    "public/main/packages/one/one-1.0-py3-none-any.whl.metadata",
    "public/main/packages/gone/gone-1.0-py3-none-any.whl",
    *(
        f"public/main/simple/{folder}index.{form}{variant}"
        for folder in ("", "one/")
        for form in ("json", "html")
        for variant in ("", ".gz", ".zst")
    ),
    "public/main/pypi/one/json",
    "public/main/pypi/one/index.html",
    "public/main/pypi/one/versions.json",
    "public/main/products/index.json",
    "public/main/products/tool/index.json",
    "public/main/products/Tool/1.0/tool.bin",
    "public/main/generic/tool/index.html",
    "public/main/generic/tool/versions.json",
    "private/secret/serial.json",
    "private/secret/simple/one/index.json",
]


def flipped(path):
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def assert_noticed(world, path):
    whole = path.read_bytes()
    try:
        flipped(path)
        findings = check(world.house).findings
    finally:
        path.write_bytes(whole)
    assert str(path.relative_to(world.house.data)) in {finding.path for finding in findings}


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_byte_is_noticed(world, kind):
    """In every kind of file that is served."""
    assert_noticed(world, world.house.data / kind)


@pytest.mark.parametrize("pattern", ["*/shards/*", "replaced/conda/*/*/*"])
def test_one_flipped_byte_of_a_file_named_by_its_content_is_noticed(world, pattern):
    """Those that are named by an index, and those that only old clients ask for."""
    paths = sorted((world.house.data / "public/main").glob(pattern))

    assert paths
    for path in paths:
        assert_noticed(world, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file_is_noticed(world, kind):
    """Except one that is only kept for its grace: it may go."""
    path = world.house.data / kind
    body = path.read_bytes()
    path.unlink()
    try:
        findings = check(world.house).findings
    finally:
        path.write_bytes(body)

    assert bool(findings) is ("/gone/" not in kind)


@pytest.mark.parametrize(
    "path",
    [
        "public/main/noarch/evil.conda",
        "public/stray.txt",
        "private/nobody/x",
        "public/main/simple/x/index.html",
    ],
)
def test_a_stray_is_named(world, path):
    """Nothing is served that nobody knows of."""
    stray = world.house.data / path
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"x")
    try:
        findings = check(world.house).findings
    finally:
        stray.unlink()
        if stray.parent.name in {"x", "nobody"}:
            stray.parent.rmdir()

    assert [finding.path for finding in findings if "stray" in finding.what] == [path]


def read_alone(world, reader, path, body):
    """What a reader finds by itself, without the hashes and the rebuild."""
    target = world.house.data / "public/main" / path
    whole = target.read_bytes()
    target.write_bytes(body(whole) if callable(body) else body)
    shelf = Shelf(world.house, world.house.placement("main"))
    try:
        reader(shelf)
    finally:
        target.write_bytes(whole)
    return [str(finding) for finding in shelf.findings]


def edit(change):
    def body(whole):
        parsed = json.loads(whole)
        change(parsed)
        return json.dumps(parsed).encode()

    return body


CONDA, PYPI, GENERIC = checking.conda.check, checking.pypi.check, checking.generic.check


@pytest.mark.parametrize(
    ("reader", "path", "body", "said"),
    [
        (CONDA, "noarch/repodata.json", b"{", "is no valid JSON"),
        (CONDA, "noarch/repodata.json", b"[]", "is no JSON object"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["info"].update(subdir="x")), "its own subdir"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["packages.conda"]["two-1.0-0.conda"].update(size=1)), "says size 1"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["packages.conda"]["two-1.0-0.conda"].update(md5="0")), "says md5 0"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["packages.conda"].clear()), "does not name two-1.0-0.conda"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["packages.conda"]["two-1.0-0.conda"].pop("sha256")), "without its size and sha256"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["packages.conda"]["two-1.0-0.conda"].update(timestamp=1.5)), "is refused by rattler"),
        (CONDA, "noarch/repodata.json", edit(lambda j: j["packages.conda"]["two-1.0-0.conda"].update(license="x")), "leads to other records"),
        (CONDA, "noarch/repodata.json.zst", b"junk", "is no valid zstd"),
        (CONDA, "noarch/repodata.json.zst", lambda whole: whole + whole, "is not exactly one zstd frame"),
        (CONDA, "noarch/repodata.json.zst", lambda whole: whole[:-4], "is not exactly one zstd frame"),
        (CONDA, "noarch/run_exports.json", edit(lambda j: j["packages.conda"].clear()), "disagree on whether"),
        (PYPI, "simple/one/index.json", edit(lambda j: j["files"].clear()), "does not name packages/one/"),
        (PYPI, "simple/one/index.json", edit(lambda j: j["files"][0]["hashes"].update(sha256="0")), "says sha256 0"),
        (PYPI, "simple/one/index.json", edit(lambda j: j["files"][0].update(url="../../packages/x")), "which is no live file"),
        (PYPI, "simple/one/index.json", edit(lambda j: j["files"][0].update({"core-metadata": {"sha256": "0"}})), "another sha256 of the metadata"),
        (PYPI, "simple/one/index.json", edit(lambda j: j["files"][0].update({"requires-python": ">=4"})), "lists other files than the JSON"),
        (PYPI, "simple/one/index.json", edit(lambda j: j["meta"].update({"api-version": "9.0"})), "is refused by pypi-simple"),
        (PYPI, "simple/one/index.html", b"\xff", "is no UTF-8"),
        (PYPI, "simple/one/index.html.gz", b"junk", "is no valid gzip"),
        (PYPI, "simple/index.json", edit(lambda j: j["projects"].clear()), "lists other projects"),
        (PYPI, "simple/index.html", b"<a href='x/'>x</a>", "lists other projects"),
        (PYPI, "pypi/one/json", edit(lambda j: j["releases"].clear()), "another number of files"),
        (PYPI, "pypi/one/json", b"[]", "is no JSON object"),
        (GENERIC, "products/tool/index.json", b"{}", "is no listing"),
        (GENERIC, "products/tool/index.json", edit(lambda j: j["versions"]["1.0"][0].update(size=9)), "says size 9"),
    ],
)  # fmt: skip
def test_each_reader_notices_by_itself(world, reader, path, body, said):
    """Not only because bytes differ from those that were written: the writer may be wrong."""
    assert any(said in finding for finding in read_alone(world, reader, path, body))


def test_a_renderer_that_changed_is_noticed(world, monkeypatch):
    """The rebuild is compared, not only the hashes of what was written."""
    monkeypatch.setattr("packhouse.pages.channel.MAX_NEWS", 0)
    monkeypatch.setattr("indexer.pages.STATIC", "_other")
    findings = [str(finding) for finding in check(world.house).findings]

    assert any(
        "public/main/index.html: differs from a rebuild of main//channel/ from byte" in text
        for text in findings
    )
    assert any("is published, but main//channel/ does not render it any more" in text for text in findings)


def test_what_is_not_published_yet_is_said(tmp_path):
    """Without an indexer nobody will publish it."""
    world = World(tmp_path)
    world.wheel("one", "1.0")
    findings = [str(finding) for finding in check(world.house).findings]
    world.close()

    assert any("main/pypi/index/one changed and is not published" in text for text in findings)


def test_one_channel_can_be_checked(world):
    """And an unknown one is a refusal, not a clean bill."""
    assert check(world.house, "secret").channels == 1
    with pytest.raises(NotFound):
        check(world.house, "nowhere")


def test_what_changed_while_it_was_read_is_read_again(world, monkeypatch):
    """Two halves of two times would differ for no reason."""
    real, calls = checking._examine, []

    def examine(shelf, progress):
        real(shelf, progress)
        if shelf.name == "main" and not calls:
            calls.append(1)
            shelf.wrong("x", "half of one time")
            world.house.catalog.areas.record(Area("main", "", "channel"), {})
            world.wheel("late", "1.0")
            world.settle()

    monkeypatch.setattr(checking, "_examine", examine)

    assert check(world.house).findings == ()
    assert calls
