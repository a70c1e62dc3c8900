"""Any history of a conda channel gives the bytes of a cold start, and a change costs what it touches."""

import json
import random

import pytest
from backports import zstd
from conda_pages_support import INDEX, ROOT, add, render, shard_of
from conda_support import FakeRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from packhouse.ecosystems.conda import pages, splice
from packhouse.ecosystems.conda.format import CondaFormat
from packhouse.ecosystems.conda.pages import SubdirMemo, render_subdir
from packhouse.ecosystems.conda.splice import SPACES, compress_piece, spliced
from packhouse.ecosystems.conda.splice import splice as join
from packhouse.errors import Busy
from packhouse.model import Area

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


def test_a_subdirs_memo_can_start_anywhere():
    """`render_subdir` with a new memo is the definition; the format object only keeps memos."""
    records = FakeRecords()
    add(records)
    assert render_subdir("noarch", records, SubdirMemo()) == render(records)


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
