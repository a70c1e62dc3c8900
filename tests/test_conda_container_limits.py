"""Conda packages that are too much: bombs, crowds of members, large documents, and bytes at random."""

import bz2
import tarfile

import pytest
from conda_inspect_support import (
    GOOD,
    LIMITS,
    NAME,
    PKG,
    STEM,
    claim,
    looking,
    of_members,
    refused,
)
from conda_support import (
    conda_of,
    index_json,
    info_members,
    make_conda,
    make_tarbz2,
    tar_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.errors import BadArchive, BadMetadata


@pytest.fixture
def look(tmp_path):
    return looking(tmp_path)


def test_bombs_stop_at_the_cap(look):
    bomb = tar_of([*info_members(index_json(), {}), ("info/zeros", bytes(40_000_000))])
    limits = Limits(metadata_bytes=1_000_000, scan_bytes=1_000_000)
    refused(look, BadArchive, "more than 1000000 bytes", NAME, conda_of(STEM, bomb, PKG), limits=limits)
    name = f"{STEM}.tar.bz2"
    refused(look, BadArchive, "its info/ holds more than", name, bz2.compress(bomb), limits=limits)
    late = tar_of([("share/zeros", bytes(4_000_000)), *info_members(index_json(), {})])
    refused(look, BadArchive, "it holds no info/index.json", name, bz2.compress(late), limits=limits)
    assert look(name, bz2.compress(late)).package == "tiny"


def test_too_many_members_are_refused(look):
    body = of_members(pkg=[(f"share/{n}", b"") for n in range(50)])
    refused(look, BadArchive, "more than 20 members", NAME, body, limits=Limits(members=20))


def test_large_documents(look):
    """The index decides, so it must be read whole; about.json may be left out."""
    big = b" " * 2_000_000 + b"{}"
    filename, body = make_conda(info_files={"info/index.json": big})
    refused(look, BadArchive, "info/index.json has 2000002 bytes", filename, body)
    filename, body = make_conda(info_files={"info/about.json": big})
    assert "was not looked at" in look(filename, body, limits=Limits(member_bytes=1 << 20)).warnings[0]


def test_memory_that_runs_out_is_a_refusal(look, monkeypatch):
    """In the child a header that asks for gigabytes ends in MemoryError, not in a dead worker."""

    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr(tarfile.TarFile, "next", greedy)
    refused(look, BadArchive, "more memory", NAME, GOOD)


CONDA_NAME, CONDA_BODY = make_conda()
BZ2_NAME, BZ2_BODY = make_tarbz2()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_flipped_bytes_never_escape_as_another_error(tmp_path_factory, data):
    """Whatever the bytes: a package, or one of our refusals."""
    name, good = data.draw(st.sampled_from([(CONDA_NAME, CONDA_BODY), (BZ2_NAME, bz2.decompress(BZ2_BODY))]))
    body = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(bytes(body) if name == CONDA_NAME else bz2.compress(bytes(body)))
    try:
        observed = inspect(path, claim(name), LIMITS)
    except (BadArchive, BadMetadata):
        return
    assert observed.package == "tiny"
