"""The index of a conda subdir in every form: repodata, its compressed copies, shards, run exports."""

import hashlib

from backports import zstd
from conda_pages_support import add, read, render, shard_of
from conda_support import FakeRecords

from packhouse.ecosystems.conda.splice import SPACES
from packhouse.model import Area


def test_an_empty_noarch_has_every_form():
    rendered = render(FakeRecords())
    assert rendered.fixed == []
    assert [page.path for page in rendered.leaves] == [
        "noarch/repodata_shards.msgpack.zst",
        "noarch/run_exports.json.zst",
        "noarch/run_exports.json",
        "noarch/repodata.json.zst",
        "noarch/repodata.json",
    ]
    files = read(rendered)
    assert (
        files["repodata.json"]
        == files["repodata.json.zst"]
        == {
            "info": {"subdir": "noarch"},
            "packages": {},
            "packages.conda": {},
            "removed": [],
            "repodata_version": 1,
        }
    )
    assert files["repodata_shards.msgpack.zst"] == {
        "info": {"base_url": "", "shards_base_url": "./shards/", "subdir": "noarch"},
        "shards": {},
        "version": 1,
    }
    assert (
        files["run_exports.json"]
        == files["run_exports.json.zst"]
        == {
            "info": {"arch": None, "platform": None, "subdir": "noarch", "version": 1},
            "packages": {},
            "packages.conda": {},
        }
    )


def test_a_record_is_the_same_in_every_form():
    records = FakeRecords()
    row = add(records, run_exports={"weak": ["tiny >=1"]})
    add(records, extension=".tar.bz2")
    add(records, "other", subdir="linux-64")
    rendered = render(records)
    files = read(rendered)
    record = files["repodata.json"]["packages.conda"]["tiny-1.0-0.conda"]
    assert record == {
        "build": "0",
        "build_number": 0,
        "depends": [],
        "indexed_timestamp": row.uploaded_us // 1000,
        "md5": row.md5,
        "name": "tiny",
        "noarch": "generic",
        "run_exports": {"weak": ["tiny >=1"]},
        "sha256": row.sha256,
        "size": row.size,
        "subdir": "noarch",
        "version": "1.0",
    }
    shard = shard_of(rendered, "tiny")
    assert shard["packages.conda"]["tiny-1.0-0.conda"] == {
        **record,
        "md5": bytes.fromhex(row.md5),
        "sha256": bytes.fromhex(row.sha256),
    }
    assert shard["packages"]["tiny-1.0-0.tar.bz2"]["run_exports"] == {}
    assert files["run_exports.json"]["packages.conda"] == {
        "tiny-1.0-0.conda": {"run_exports": {"weak": ["tiny >=1"]}}
    }
    assert files["run_exports.json"]["packages"] == {"tiny-1.0-0.tar.bz2": {"run_exports": {}}}
    assert "other" not in str(files)


def test_plain_and_compressed_hold_the_same_bytes():
    records = FakeRecords()
    for n in range(300):
        add(records, f"p{n}", summary="x" * 2000)
    leaves = {page.path: page.body for page in render(records).leaves}
    for name in ("noarch/repodata.json", "noarch/run_exports.json"):
        assert zstd.decompress(leaves[name + ".zst"]) == leaves[name]
    assert SPACES in leaves["noarch/repodata.json"]


def test_frames_are_single_and_their_windows_small():
    """Conda reads one frame only, and refuses windows over 16 MiB in shards."""
    records = FakeRecords()
    for n in range(400):
        add(records, f"p{n % 40}", f"{n}", depends=[f"dep{m} >={n}.{m}" for m in range(40)])
    rendered = render(records)
    for page in (*rendered.fixed, *rendered.leaves):
        if page.path.endswith(".zst"):
            decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 24})
            decoder.decompress(page.body)
            assert decoder.eof
            assert decoder.unused_data == b""


def test_shards_are_named_by_their_bytes():
    records = FakeRecords()
    for n in range(5):
        add(records, f"p{n}")
    for page in render(records).fixed:
        assert page.path == f"noarch/shards/{hashlib.sha256(page.body).hexdigest()}.msgpack.zst"


def test_a_deleted_file_is_dropped_and_listed():
    """Rattler subtracts `removed`, conda and mamba only miss the record: both must be done."""
    records = FakeRecords()
    add(records)
    add(records, version="2.0")
    add(records, "gone")
    records.delete("noarch/tiny-1.0-0.conda")
    records.delete("noarch/gone-1.0-0.conda")
    rendered = render(records)
    files = read(rendered)
    assert files["repodata.json"]["removed"] == ["gone-1.0-0.conda", "tiny-1.0-0.conda"]
    assert list(files["repodata.json"]["packages.conda"]) == ["tiny-2.0-0.conda"]
    assert shard_of(rendered, "tiny")["removed"] == ["tiny-1.0-0.conda"]
    assert list(files["repodata_shards.msgpack.zst"]["shards"]) == ["tiny"]


def test_revision_3_goes_to_v3_and_nowhere_else():
    """CEP 43: older clients must not meet such records, in any of the forms they read."""
    records = FakeRecords()
    first = add(records, schema_version=3, depends=['a[when="python>=3"]'], flags=["cuda"])
    last = add(records, version="2.0", extension=".tar.bz2", schema_version=3)
    add(records, "old")
    rendered = render(records)
    document = read(rendered)["repodata.json"]
    assert list(document["packages.conda"]) == ["old-1.0-0.conda"]
    assert document["packages"] == {}
    assert list(document["v3"]["conda"]) == ["tiny-1.0-0"]
    assert list(document["v3"]["tar.bz2"]) == ["tiny-2.0-0"]
    assert "schema_version" not in document["v3"]["conda"]["tiny-1.0-0"]
    summary = {"n_packages": 2, "newest": last.uploaded_us // 1000, "oldest": first.uploaded_us // 1000}
    assert document["info"]["repodata_revisions"] == {"v3": summary}
    assert document["repodata_version"] == 1
    assert read(rendered)["repodata_shards.msgpack.zst"]["info"]["repodata_revisions"] == {"v3": summary}
    shard = shard_of(rendered, "tiny")
    assert (shard["packages"], shard["packages.conda"]) == ({}, {})
    assert shard["v3"]["conda"]["tiny-1.0-0"]["sha256"] == bytes.fromhex(first.sha256)
    assert "v3" not in shard_of(rendered, "old")
    assert set(read(rendered)["run_exports.json"]["packages.conda"]) == {
        "tiny-1.0-0.conda",
        "old-1.0-0.conda",
    }


def test_a_platform_names_itself_in_run_exports():
    rendered = render(FakeRecords(), Area("main", "conda", "index", "linux-aarch64"))
    assert read(rendered)["run_exports.json"]["info"] == {
        "arch": "aarch64",
        "platform": "linux",
        "subdir": "linux-aarch64",
        "version": 1,
    }
