"""The tar streams of a conda package: which members they may hold, and where they must end."""

import bz2
import tarfile

import pytest
from backports import zstd
from conda_inspect_support import (
    INFO,
    NAME,
    PARTS,
    PKG,
    STEM,
    looking,
    of_members,
    refused,
)
from conda_support import (
    conda_of,
    make_conda,
    make_tarbz2,
    tar_of,
    zip_of,
)

from packhouse.ecosystems.conda.container import member_problem
from packhouse.errors import BadArchive


@pytest.fixture
def look(tmp_path):
    return looking(tmp_path)


def special(name, kind, linkname=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, linkname
    return (member, b"")


HOSTILE_MEMBERS = {
    "parent": (("share/../../x", b""), "a .. part"),
    "absolute": (("/etc/passwd", b""), "is not relative"),
    "drive": (("c:/x", b""), "is not relative"),
    "dot": (("./share/x", b""), "a . or a .. part"),
    "double slash": (("share//x", b""), "an empty"),
    "backslash": (("share\\x", b""), "a backslash"),
    "newline": (("share/a\nb", b""), "a control character"),
    "device": (special("dev/x", tarfile.CHRTYPE), "neither a file"),
    "fifo": (special("share/x", tarfile.FIFOTYPE), "neither a file"),
    "link out": (special("share/x", tarfile.SYMTYPE, "../../etc/passwd"), "leads out"),
    "absolute link": (special("share/x", tarfile.SYMTYPE, "/etc/passwd"), "leads out"),
    "hard link out": (special("share/x", tarfile.LNKTYPE, "../x"), "leads out"),
    "index in pkg": (("info/index.json", b"{}"), "belongs into the info part"),
    "link to index": (special("info/index.json", tarfile.SYMTYPE, "x"), "belongs into the info part"),
}


@pytest.mark.parametrize("kind", HOSTILE_MEMBERS)
def test_a_member_that_leaves_the_package_is_refused(look, kind):
    member, said = HOSTILE_MEMBERS[kind]
    refused(look, BadArchive, said, NAME, of_members(pkg=[member]))


def test_a_negative_size_is_refused():
    """Such headers made Python's tarfile loop for ever (CVE-2025-8194)."""
    member = tarfile.TarInfo("share/x")
    member.size = -512
    assert "negative size" in member_problem(member)


def test_links_inside_the_package_are_fine(look):
    links = [
        special("lib/a.so", tarfile.SYMTYPE, "../lib/b.so"),
        special("lib/c.so", tarfile.LNKTYPE, "lib/b.so"),
    ]
    assert (
        look(NAME, of_members(pkg=[("lib/b.so", b""), *links, special("lib/d", tarfile.DIRTYPE)])).details[
            "files"
        ]
        == 3
    )


def test_names_that_are_no_utf8_are_refused(look):
    tar = tar_of([("share/ZZ", b"")]).replace(b"share/ZZ", b"share/\xff\xfe")
    header = bytearray(tar[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    refused(look, BadArchive, "not UTF-8", NAME, conda_of(STEM, INFO, bytes(header) + tar[512:]))


@pytest.mark.parametrize("path", ["info/index.json", "info/other"])
def test_a_path_twice_is_refused(look, path):
    """One reader takes the first info/index.json, another the last: the file would be two packages."""
    refused(look, BadArchive, "twice", NAME, of_members((path, b"{}"), ("info/other", b"")))


def test_a_payload_in_the_info_part_is_refused(look):
    refused(look, BadArchive, "not below info/", NAME, of_members(("share/x", b"")))


def test_an_index_that_is_a_link_is_refused(look):
    info = tar_of([special("info/index.json", tarfile.SYMTYPE, "other.json")])
    refused(look, BadArchive, "not a regular file", NAME, conda_of(STEM, info, PKG))


def test_members_behind_the_end_are_refused(look):
    """Python stops at one block of zeros, other readers at two: what follows must be zeros."""
    hidden = tar_of([("info/index.json", b'{"name": "evil"}')])
    one_block = INFO.rstrip(b"\0")
    one_block += bytes(-len(one_block) % 512) + bytes(512)
    refused(
        look, BadArchive, "data follows the end of its tar", NAME, conda_of(STEM, one_block + hidden, PKG)
    )


def test_two_frames_are_refused(look):
    two = zstd.compress(INFO[:1024]) + zstd.compress(INFO[1024:])
    refused(
        look, BadArchive, "follows the end of its compressed", NAME, zip_of([*PARTS[:2], (PARTS[2][0], two)])
    )
    filename, body = make_tarbz2()
    plain = bz2.decompress(body)
    two = bz2.compress(plain[:1024]) + bz2.compress(plain[1024:])
    refused(look, BadArchive, "follows the end of its compressed", filename, two)


def test_a_cut_stream_is_refused(look):
    refused(look, BadArchive, "ends too early", NAME, zip_of([*PARTS[:2], (PARTS[2][0], PARTS[2][1][:-9])]))
    filename, body = make_tarbz2()
    refused(look, BadArchive, "ends too early", filename, body[:-9])


def test_a_truncated_tar_is_refused(look):
    refused(look, BadArchive, "it cannot be read", NAME, conda_of(STEM, INFO, PKG[:700]))
    refused(look, BadArchive, "it cannot be read", f"{STEM}.tar.bz2", bz2.compress(INFO[:2000]))


def test_a_window_larger_than_clients_decode_is_refused(look):
    frame = zstd.compress(INFO, options={zstd.CompressionParameter.window_log: 20})
    # Magic, descriptor without content size, window of 1 GiB, then the blocks of a frame with the plain header.
    at = (
        4
        + 1
        + (0 if frame[4] & 0x20 else 1)
        + {0: 1 if frame[4] & 0x20 else 0, 1: 2, 2: 4, 3: 8}[frame[4] >> 6]
    )
    huge = frame[:4] + b"\x00" + bytes([(30 - 10) << 3]) + frame[at:]
    refused(look, BadArchive, "it cannot be read (ZstdError", NAME, zip_of([*PARTS[:2], (PARTS[2][0], huge)]))


def test_a_package_without_an_index_is_refused(look):
    for make in (make_conda, make_tarbz2):
        refused(look, BadArchive, "holds no info/index.json", *make(info_files={"info/index.json": None}))
