"""The indexes of a conda channel: every form, every client's reading, and the cost of a change."""

import asyncio
import functools
import hashlib
import http.server
import json
import random
import threading

import msgpack
import orjson
import pytest
from backports import zstd
from conda_support import FakeRecords, make_conda, make_tarbz2
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import Channel, Gateway, MatchSpec, SourceConfig

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda import CONDA, pages, splice
from packhouse.ecosystems.conda.format import CondaFormat
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.pages import SubdirMemo, render_subdir
from packhouse.ecosystems.conda.patch import REVOKED
from packhouse.ecosystems.conda.splice import SPACES, compress_piece, spliced
from packhouse.ecosystems.conda.splice import splice as join
from packhouse.errors import BadHotfix, BadName, Busy
from packhouse.model import Area, Claim, Ecosystem

INDEX = Area("main", "conda", "index", "noarch")
ROOT = Area("main", "conda", "root")


def add(records, name="tiny", version="1.0", build="0", extension=".conda", *, subdir="noarch", **extra):
    """Commit one record of the shape that inspection gives."""
    record = {
        "build": build,
        "build_number": 0,
        "depends": [],
        "name": name,
        "subdir": subdir,
        "version": version,
    }
    record |= {"noarch": "generic"} if subdir == "noarch" else {}
    return records.add(subdir, f"{name}-{version}-{build}{extension}", {**record, **extra})


def render(records, area=INDEX, fmt=None):
    return (fmt or CondaFormat()).render(area, records)


def read(rendered):
    """The rendered files by name; JSON and MessagePack decoded."""
    found = {}
    for page in (*rendered.fixed, *rendered.leaves):
        body = zstd.decompress(page.body) if page.path.endswith(".zst") else page.body
        parse = msgpack.unpackb if ".msgpack" in page.path else json.loads
        found[page.path.partition("/")[2] or page.path] = parse(body)
    return found


def shard_of(rendered, name):
    files = read(rendered)
    return files[f"shards/{files['repodata_shards.msgpack.zst']['shards'][name].hex()}.msgpack.zst"]


# --- the forms ---------------------------------------------------------------------------------------------


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


# --- equal records give equal bytes ------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "delete", "render", "patch", "recreate"]),
        st.integers(0, 6),
        st.integers(0, 5),
        st.sampled_from([".conda", ".tar.bz2"]),
        st.sampled_from(["noarch", "linux-64"]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_history_gives_the_bytes_of_a_cold_start(steps):
    """One format object lives through everything; a fresh one sees only the end. Not a byte may differ."""
    warm = CondaFormat()
    records = FakeRecords()
    for action, name, version, extension, subdir in steps:
        path = f"{subdir}/p{name}-{version}-0{extension}"
        if action == "add" and path not in records.rows and path not in records.gone:
            add(
                records,
                f"p{name}",
                str(version),
                extension=extension,
                subdir=subdir,
                schema_version=3 if name == 5 else 1,
            )
        elif action == "delete" and path in records.rows:
            records.delete(path)
        elif action == "patch":
            instructions = {"patch_instructions_version": 1, "remove": [f"p{name}-{version}-0.tar.bz2"]}
            records.files[f"{subdir}/patch_instructions.json"] = json.dumps(instructions).encode()
        elif action == "recreate":
            # A channel deleted and made anew: serials begin again (or further on), ids and names come back.
            records = FakeRecords(serial=version, clock_us=records._clock_us + 1)
        elif action == "render":
            for area in (INDEX, ROOT):
                warm.render(area, records)
    for area in (INDEX, Area("main", "conda", "index", "linux-64"), ROOT):
        assert warm.render(area, records) == CondaFormat().render(area, records)


def test_order_of_upload_changes_nothing_but_times():
    rows = [("b", "1.0"), ("a", "2.0"), ("a", "1.0")]
    bodies = set()
    for order in (rows, rows[::-1]):
        records = FakeRecords()
        for name, version in order:
            add(records, name, version)
        for path, row in sorted(records.rows.items()):
            fixed = {"uploaded_us": 5_000_000, "sha256": "a" * 64, "md5": "b" * 32, "size": 7}
            records.rows[path] = type(row)(**{**{f: getattr(row, f) for f in row.__slots__}, **fixed})
        bodies.add(tuple(page.body for page in render(records).leaves))
    assert len(bodies) == 1


def test_one_upload_reads_and_writes_what_it_touches():
    records, fmt = FakeRecords(), CondaFormat()
    for n in range(500):
        add(records, f"p{n}", depends=[f"dep{m} >={n}.{m}" for m in range(60)])
    before = render(records, fmt=fmt)
    records.reads = 0
    add(records, "p250", "2.0")
    after = render(records, fmt=fmt)
    assert records.reads == 2  # the package, and the one that proves that the channel is still the same
    old = {page.path for page in before.fixed}
    assert len([page for page in after.fixed if page.path not in old]) == 1
    assert fmt.render(INDEX, records) == render(records)


def test_many_changes_at_once_are_read_in_one_pass():
    records, fmt = FakeRecords(), CondaFormat()
    for n in range(300):
        add(records, f"p{n}")
    render(records, fmt=fmt)
    for n in range(250):
        add(records, f"p{n}", "2.0")
    for n in range(250, 290):
        records.delete(f"noarch/p{n}-1.0-0.conda")
    records.reads = 0
    assert render(records, fmt=fmt) == render(records)
    assert records.reads <= 3


def test_an_added_package_recompresses_two_buckets_at_most(monkeypatch):
    records, fmt = FakeRecords(), CondaFormat()
    for n in range(900):
        add(records, f"p{n}", depends=[f"dep{m} >={n}.{m}" for m in range(60)])
    pieces = []
    monkeypatch.setattr(splice, "compress_piece", lambda part: pieces.append(part) or compress_piece(part))
    render(records, fmt=fmt)
    cold = len(pieces)
    assert cold > 10
    pieces.clear()
    add(records, "p4500")
    render(records, fmt=fmt)
    assert 1 <= len(pieces) <= 4  # at most two in repodata.json and two in run_exports.json
    assert max(map(len, pieces)) < 5 * pages.BUCKET


class Racing(FakeRecords):
    """Another process deletes a file at the moment the renderer asks one of its questions."""

    at, path = "", ""

    def _strike(self, question):
        if question == self.at and self.path in self.rows:
            self.delete(self.path)

    def live(self, *args, **kwargs):
        self._strike("live")
        return super().live(*args, **kwargs)

    def removed(self, *args, **kwargs):
        self._strike("removed")
        return super().removed(*args, **kwargs)

    def changed(self, *args, **kwargs):
        self._strike("changed")
        return super().changed(*args, **kwargs)


@pytest.mark.parametrize("question", ["live", "removed", "changed"])
def test_a_deletion_during_a_rendering_is_never_lost(question):
    """The answers are read one after the other, so a commit may fall between any two of them."""
    records, fmt = Racing(), CondaFormat()
    for version in ("1.0", "2.0"):
        add(records, "tiny", version)
    add(records, "other")
    render(records, fmt=fmt)
    records.path = "noarch/tiny-2.0-0.conda"
    add(records, "tiny", "3.0")
    records.at = question
    render(records, fmt=fmt)
    assert records.path not in records.rows
    assert render(records, fmt=fmt) == render(records)
    assert shard_of(render(records, fmt=fmt), "tiny")["removed"] == ["tiny-2.0-0.conda"]


class Failing(FakeRecords):
    """The catalog is away when the rows of one package are asked for."""

    package = None

    def live(self, ecosystem, *, directory=None, package=None):
        if package is not None and package == self.package:
            raise Busy("the catalog is locked")
        return super().live(ecosystem, directory=directory, package=package)


def test_a_rendering_that_failed_halfway_leaves_no_trace():
    """The packages it had added already are at their place in the next one."""
    records, fmt = Failing(), CondaFormat()
    add(records, "mmm")
    add(records, "zzz")
    render(records, fmt=fmt)
    add(records, "aaa")
    add(records, "zzz", "2.0")
    records.package = "zzz"
    with pytest.raises(Busy):
        render(records, fmt=fmt)
    records.package = None

    assert render(records, fmt=fmt) == render(records)


def test_memos_are_bounded(monkeypatch):
    monkeypatch.setattr("packhouse.ecosystems.conda.format._KEPT", 2)
    fmt = CondaFormat()
    for n in range(5):
        fmt.render(Area(f"c{n}", "conda", "index", "noarch"), FakeRecords())
    assert len(fmt._memos) == 2


# --- one frame from pieces ---------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from([0, 1, 7, 100, 5_000, 140_000, 400_000]), min_size=1, max_size=5),
)
def test_spliced_frames_decode_to_the_pieces(seed, sizes):
    """Text, repetitions, noise, nothing: every kind of block and repeat offset meets its neighbour."""
    dice = random.Random(seed)
    words = [dice.randbytes(dice.randint(1, 40)) for _ in range(30)]
    parts = []
    for size in sizes:
        kind = dice.randrange(4)
        if kind == 0:
            parts.append(dice.randbytes(size))
        elif kind == 1:
            parts.append(b"a" * size)
        else:
            parts.append(b"".join(dice.choices(words, k=size // 20 + 1))[:size])
    text = SPACES.join(parts)
    frame = join([compress_piece(part) for part in parts])
    assert zstd.decompress(frame) == text
    decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})
    assert decoder.decompress(frame) == text
    assert decoder.eof
    again, same, cache = spliced(parts, {})
    assert (again, same) == (text, frame)
    assert spliced(parts, cache)[:2] == (text, frame)


def test_a_frame_that_does_not_decode_is_not_handed_out(monkeypatch):
    """The frame is built by hand, so it is believed only after the decoder gave the text back."""
    monkeypatch.setattr(splice, "_RESET", b"")
    parts = [b"abcdefgh" * 50, b"hgfedcba" * 50]
    text, frame, cache = spliced(parts, {})
    assert zstd.decompress(frame) == text == SPACES.join(parts)
    assert cache == {}


# --- hotfixes ----------------------------------------------------------------------------------------------


def patched(records, **instructions):
    document = {"patch_instructions_version": 1, **instructions}
    records.files["noarch/patch_instructions.json"] = json.dumps(document).encode()
    return render(records)


def test_a_fix_for_the_old_format_reaches_the_new_one():
    records = FakeRecords()
    add(records, depends=["a"], license="MIT")
    add(records, extension=".tar.bz2", depends=["a"])
    rendered = patched(records, packages={"tiny-1.0-0.tar.bz2": {"depends": ["a <2"], "license": None}})
    document = read(rendered)["repodata.json"]
    assert document["packages"]["tiny-1.0-0.tar.bz2"]["depends"] == ["a <2"]
    assert document["packages.conda"]["tiny-1.0-0.conda"]["depends"] == ["a <2"]
    assert "license" not in document["packages.conda"]["tiny-1.0-0.conda"]
    assert shard_of(rendered, "tiny")["packages.conda"]["tiny-1.0-0.conda"]["depends"] == ["a <2"]
    assert rendered.notes == []


def test_removed_and_revoked():
    records = FakeRecords()
    for name in ("tiny", "bad", "poor"):
        add(records, name)
        add(records, name, extension=".tar.bz2")
    rendered = patched(
        records, remove=["bad-1.0-0.tar.bz2", "poor-1.0-0.conda"], revoke=["tiny-1.0-0.tar.bz2"]
    )
    document = read(rendered)["repodata.json"]
    assert document["removed"] == ["bad-1.0-0.conda", "bad-1.0-0.tar.bz2", "poor-1.0-0.conda"]
    assert set(document["packages"]) == {"poor-1.0-0.tar.bz2", "tiny-1.0-0.tar.bz2"}
    assert document["packages.conda"]["tiny-1.0-0.conda"]["revoked"] is True
    assert document["packages.conda"]["tiny-1.0-0.conda"]["depends"] == [REVOKED]
    assert set(read(rendered)["repodata_shards.msgpack.zst"]["shards"]) == {"poor", "tiny"}
    assert shard_of(rendered, "poor")["removed"] == ["poor-1.0-0.conda"]


def test_a_hotfix_cannot_change_what_the_file_is():
    records = FakeRecords()
    row = add(records)
    fix = {"name": "evil", "md5": "0" * 32, "sha256": None, "size": 1, "indexed_timestamp": None, "url": "x"}
    fix |= {"version": "9", "build": "9", "subdir": "win-64", "attestations_sha256": None, "license": "MIT"}
    rendered = patched(
        records, **{"packages.conda": {"tiny-1.0-0.conda": {**fix, "run_exports": {"weak": ["x"]}}}}
    )
    record = read(rendered)["repodata.json"]["packages.conda"]["tiny-1.0-0.conda"]
    assert (record["name"], record["sha256"], record["size"]) == ("tiny", row.sha256, row.size)
    assert record["license"] == "MIT"
    assert "run_exports" not in record
    assert (
        "must not change attestations_sha256, build, indexed_timestamp, md5, name, run_exports"
        in rendered.notes[0]
    )


def test_a_hotfix_that_would_break_the_record_is_not_applied():
    records = FakeRecords()
    add(records, depends=["a"])
    rendered = patched(
        records, **{"packages.conda": {"tiny-1.0-0.conda": {"depends": ["a ("], "license": "MIT"}}}
    )
    record = read(rendered)["repodata.json"]["packages.conda"]["tiny-1.0-0.conda"]
    assert record["depends"] == ["a"]
    assert "license" not in record
    assert "was not applied: depends holds 'a ('" in rendered.notes[0]


def test_a_hotfix_with_a_condition_moves_the_record_to_v3():
    records = FakeRecords()
    add(records, depends=["a >=1"])
    rendered = patched(
        records, **{"packages.conda": {"tiny-1.0-0.conda": {"depends": ["a >=1", "b[when=python]"]}}}
    )
    document = read(rendered)["repodata.json"]
    assert document["packages.conda"] == {}
    assert document["v3"]["conda"]["tiny-1.0-0"]["depends"] == ['a[version=">=1"]', 'b[when="python"]']
    fix = {"conda": {"tiny-1.0-0": {"license": "MIT"}}}
    records = FakeRecords()
    add(records, schema_version=3)
    assert read(patched(records, v3=fix))["repodata.json"]["v3"]["conda"]["tiny-1.0-0"]["license"] == "MIT"


def test_run_exports_are_mirrored_unpatched_but_for_version_2():
    """CEP 21: version 2 may correct run exports, and then run_exports.json says the same."""
    for version, expected in ((1, ["a"]), (2, ["b"])):
        records = FakeRecords()
        add(records, run_exports={"weak": ["a"]})
        fix = {"tiny-1.0-0.conda": {"run_exports": {"weak": ["b"]}}}
        rendered = patched(records, patch_instructions_version=version, **{"packages.conda": fix})
        files = read(rendered)
        assert files["run_exports.json"]["packages.conda"]["tiny-1.0-0.conda"]["run_exports"] == {
            "weak": expected
        }
        assert shard_of(rendered, "tiny")["packages.conda"]["tiny-1.0-0.conda"]["run_exports"] == {
            "weak": expected
        }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "it is not JSON"),
        (b"[]", "neither 1 nor 2"),
        (b'{"patch_instructions_version": 3}', "neither 1 nor 2"),
        (b'{"patch_instructions_version": true}', "neither 1 nor 2"),
        (b'{"patch_instructions_version": 1, "packages": {"x": 1}}', "packages must map file names"),
        (b'{"patch_instructions_version": 1, "remove": "x", "v3": 1}', "remove must be a list of file names"),
    ],
)
def test_instructions_that_are_not_understood_leave_the_indexes_as_they_are(text, said):
    """To publish without them would take every hotfix back in silence."""
    records = FakeRecords()
    add(records)
    records.files["noarch/patch_instructions.json"] = text
    with pytest.raises(BadHotfix, match="stay as they are") as refusal:
        render(records)
    assert said in str(refusal.value)


# --- channeldata -------------------------------------------------------------------------------------------


def test_channeldata_tells_of_the_newest():
    records = FakeRecords()
    old = add(records, version="1.9", run_exports={"weak": ["tiny"]}, timestamp=1_700_000_000)
    new = add(records, version="1.10", subdir="linux-64", license="MIT", timestamp=1_600_000_000_000)
    add(records, "odd", extension=".tar.bz2")
    records.about[old.id] = {"about": {"summary": "old"}}
    flags = {"activate.d": True, "text_prefix": True}
    records.about[new.id] = {
        "about": {"summary": "new", "home": "https://tiny.example", "tags": ["x"]},
        "flags": flags,
    }
    [page] = render(records, ROOT).leaves
    document = json.loads(page.body)
    assert page.path == "channeldata.json"
    assert document["channeldata_version"] == 1
    assert document["subdirs"] == ["linux-64", "noarch"]
    assert document["packages"]["tiny"] == {
        "activate.d": True,
        "binary_prefix": False,
        "deactivate.d": False,
        "home": "https://tiny.example",
        "license": "MIT",
        "post_link": False,
        "pre_link": False,
        "pre_unlink": False,
        "run_exports": {"1.9": {"weak": ["tiny"]}},
        "subdirs": ["linux-64", "noarch"],
        "summary": "new",
        "text_prefix": True,
        "timestamp": 1_700_000_000,
        "version": "1.10",
    }
    assert (
        document["packages"]["odd"]["timestamp"]
        == records.rows["noarch/odd-1.0-0.tar.bz2"].uploaded_us // 10**6
    )


def test_an_empty_channel_has_channeldata():
    assert json.loads(render(FakeRecords(), ROOT).leaves[0].body) == {
        "channeldata_version": 1,
        "packages": {},
        "subdirs": ["noarch"],
    }


# --- pages for people --------------------------------------------------------------------------------------


def test_the_page_of_a_package():
    records = FakeRecords()
    row = add(
        records,
        version="2.0",
        depends=["a >=1"],
        constrains=["b"],
        run_exports={"weak": ["c"]},
        timestamp=10**12,
    )
    add(records, version="3.0rc1", extra_depends={"test": ["d"]}, warnings=["no paths"])
    add(records, version="1.0", subdir="linux-64")
    warned = records.add(
        "noarch", "tiny-0.5-0.conda", {"name": "tiny", "version": "0.5"}, warnings=("odd but fine",)
    )
    records.about[row.id] = {
        "about": {
            "summary": "a tiny one",
            "description": "long",
            "home": "javascript:alert(1)",
            "dev_url": ["https://x.example"],
        },
        "members": [["bin/x", 3]],
    }
    view = CONDA.view("tiny", records)
    assert (view.name, view.version, view.summary, view.description) == ("tiny", "2.0", "a tiny one", "long")
    assert view.install["pixi"] == "pixi add --channel {channel} tiny"
    assert view.links == [("Source code", "https://x.example")]
    assert dict(view.facts)["Platforms"] == "linux-64, noarch"
    assert view.warnings == [f"{warned.filename}: odd but fine"]
    files, dependencies, contents = view.sections
    assert [cells[0] for cells in files.rows] == [
        ("tiny-3.0rc1-0.conda", "../../noarch/tiny-3.0rc1-0.conda"),
        ("tiny-2.0-0.conda", "../../noarch/tiny-2.0-0.conda"),
        ("tiny-1.0-0.conda", "../../linux-64/tiny-1.0-0.conda"),
        ("tiny-0.5-0.conda", "../../noarch/tiny-0.5-0.conda"),
    ]
    assert dependencies.rows == [("depends", "a >=1"), ("constrains", "b"), ("run export (weak)", "c")]
    assert contents.rows == [("bin/x", "3")]
    assert CONDA.view("absent", records) is None


def test_extras_are_shown_as_dependencies():
    records = FakeRecords()
    add(records, extra_depends={"test": ["d"]}, schema_version=3)
    assert CONDA.view("tiny", records).sections[1].rows == [("extra test", "d")]


# --- the format object -------------------------------------------------------------------------------------


def test_a_file_makes_its_own_areas_dirty():
    row = add(FakeRecords(), subdir="linux-64")
    areas = CONDA.areas(row, first_or_last=False)
    assert areas == {
        Area("main", "conda", "index", "linux-64"): 0,
        Area("main", "conda", "root"): 0,
        Area("main", "conda", "page", "tiny"): 0,
        Area("main", "", "channel"): 5,
    }
    assert set(CONDA.areas(row, first_or_last=True).values()) == {0}
    assert CONDA.birth("main") == (INDEX, ROOT, Area("main", "", "channel"))


def test_a_claim_fixes_the_place_where_it_names_a_subdir():
    claim = Claim(channel="main", ecosystem=Ecosystem.CONDA, filename="a-b-1.0-0.conda", directory="linux-64")
    assert CONDA.place(claim) == ("a-b", "linux-64/a-b-1.0-0.conda")
    for directory in (None, "linux-65"):
        assert (
            CONDA.place(
                Claim(channel="main", ecosystem=Ecosystem.CONDA, filename="a-1-0.conda", directory=directory)
            )
            is None
        )
    with pytest.raises(BadName):
        CONDA.place(
            Claim(channel="main", ecosystem=Ecosystem.CONDA, filename="a.conda", directory="linux-64")
        )
    large = "a-20240101120000-0.conda"
    with pytest.raises(BadName):
        CONDA.place(Claim(channel="main", ecosystem=Ecosystem.CONDA, filename=large))
    assert CONDA.place(Claim(channel="main", ecosystem=Ecosystem.CONDA, filename=large, lenient=True)) is None


def test_what_is_ours():
    assert [CONDA.recognises(name) for name in ("a-1-0.conda", "a-1-0.tar.bz2", "a.whl")] == [
        True,
        True,
        False,
    ]
    assert CONDA.newest(["1.9", "1.10"]) == "1.10"


# --- what rattler reads ------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    """The folder `main` under `tmp_path` over HTTP on a loopback port."""
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/main", asked
    server.shutdown()
    thread.join()
    server.server_close()


def packages(tmp_path):
    """Real files through inspection into records, as an upload does it."""
    records = FakeRecords()
    built = [
        make_conda("tiny", "1.0", "0", "noarch", ["dep >=1"], {"constrains": ["x <2"]}),
        make_tarbz2("tiny", "1.1", "0", "noarch", ["dep >=1,<3 *_0"]),
        make_conda("dep", "2.0", "h_0", "noarch", info_files={"info/run_exports.json": b'{"weak": ["dep"]}'}),
        make_conda("third", "1.0", "0", "noarch", ["dep >=1"], {"schema_version": 3, "flags": ["cuda"]}),
        make_conda("gone", "1.0", "0", "noarch"),
        make_conda("gone", "2.0", "0", "noarch"),
        *(
            make_conda(f"pad{n}", "1.0", "0", depends=[f"pad{m} >=1.{m}" for m in range(300)])
            for n in range(40)
        ),
    ]
    for filename, body in built:
        path = tmp_path / "upload"
        path.write_bytes(body)
        claim = Claim(channel="main", ecosystem=Ecosystem.CONDA, filename=filename)
        observed = inspect(path, claim, Limits(now_us=1_750_000_000_000_000))
        records.add(
            observed.directory,
            filename,
            orjson.loads(orjson.dumps(observed.record)),
            sha256=hashlib.sha256(body).hexdigest(),
            md5=hashlib.md5(body).hexdigest(),
            size=len(body),
        )
    records.delete("noarch/gone-1.0-0.conda")
    return records


FORMS = {
    "shards": SourceConfig(sharded_enabled=True, zstd_enabled=False, bz2_enabled=False),
    "zst": SourceConfig(sharded_enabled=False, zstd_enabled=True, bz2_enabled=False),
    "json": SourceConfig(sharded_enabled=False, zstd_enabled=False, bz2_enabled=False),
}
FETCHED = {"shards": "repodata_shards.msgpack.zst", "zst": "repodata.json.zst", "json": "repodata.json"}


@pytest.mark.parametrize("form", FORMS)
def test_rattler_reads_every_form_alike(tmp_path, served, form):
    url, asked = served
    records = packages(tmp_path)
    for area in (INDEX, Area("main", "conda", "index", "linux-64")):
        rendered = CONDA.render(area, records)
        for page in (*rendered.fixed, *rendered.leaves):
            path = tmp_path / "main" / page.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(page.body)

    async def query():
        gateway = Gateway(cache_dir=tmp_path / "cache", default_config=FORMS[form])
        names = ["tiny", "dep", "third", "gone", *(f"pad{n}" for n in range(40))]
        asking = gateway.query(
            [Channel(url)], ["linux-64", "noarch"], [MatchSpec(n) for n in names], recursive=False
        )
        return [record for subdir in await asyncio.wait_for(asking, 60) for record in subdir]

    found = {record.file_name: record for record in asyncio.run(query())}
    assert set(found) == {row.filename for row in records.rows.values()}
    for row in records.rows.values():
        record = found[row.filename]
        assert record.sha256.hex() == row.sha256
        assert record.md5.hex() == row.md5
        assert record.size == row.size
        assert record.depends == row.record["depends"]
        assert str(record.version) == row.version
        assert record.url == f"{url}/noarch/{row.filename}"
        assert int(record.indexed_timestamp.timestamp() * 1000) == row.uploaded_us // 1000
    assert any(path.endswith(f"/noarch/{FETCHED[form]}") for path in asked)


def test_a_subdirs_memo_can_start_anywhere():
    """`render_subdir` with a new memo is the definition; the format object only keeps memos."""
    records = FakeRecords()
    add(records)
    assert render_subdir("noarch", records, SubdirMemo()) == render(records)
