"""Tars that can be read in two ways, or reach outside, are refused; plain ones are not."""

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypi_support import make_sdist, tar_bytes, zip_bytes

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.tarwalk import TarReader
from packhouse.errors import BadArchive


def info(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


def header(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """Return one raw header with its data, padded."""
    member = info(name, kind, size=len(data))
    for key, value in fields.items():
        setattr(member, key, value)
    return member.tobuf(tarfile.USTAR_FORMAT) + data + b"\0" * (-len(data) % 512)


def pax(records: dict[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    return tarfile.TarInfo._create_pax_generic_header(records, kind, "utf-8")


END = b"\0" * 1024
FILE = header("a/f", b"data")
LONG = "a/" + "x" * 150


def read(tar: bytes, limits: Limits | None = None) -> dict[str, int]:
    reader = TarReader(io.BytesIO(gzip.compress(tar, mtime=0)), "x.tar.gz", limits or Limits())
    members, _ = reader.members("PKG-INFO")
    return {member.path: member.size for member in members}


def long_name(text: bytes, kind: bytes = tarfile.GNUTYPE_LONGNAME) -> bytes:
    return header("././@LongLink", text + b"\0", kind)


ACCEPTED = {
    "a file": (FILE + END, {"a/f": 4}),
    "padding to ten kilobytes": (FILE + END + b"\0" * 8192, {"a/f": 4}),
    "one end block": (FILE + b"\0" * 512, {"a/f": 4}),
    "an old header without a type": (header("a/f", b"data", tarfile.AREGTYPE) + END, {"a/f": 4}),
    "a directory, twice": (header("a/", kind=tarfile.DIRTYPE) * 2 + FILE + END, {"a/": 0, "a/f": 4}),
    "a pax name": (pax({"path": LONG}) + FILE + END, {LONG: 4}),
    "a pax time": (pax({"mtime": "1.5"}) + FILE + END, {"a/f": 4}),
    "a pax size that agrees": (pax({"size": "4"}) + FILE + END, {"a/f": 4}),
    # git archive writes the commit there
    "a global comment": (pax({"comment": "c0ffee"}, tarfile.XGLTYPE) + FILE + END, {"a/f": 4}),
    "a GNU long name": (long_name(LONG.encode()) + FILE + END, {LONG: 4}),
    "a GNU long link": (
        long_name(b"f", tarfile.GNUTYPE_LONGLINK)
        + header("a/l", kind=tarfile.SYMTYPE, linkname="x")
        + FILE
        + END,
        {"a/l": 0, "a/f": 4},
    ),
    "a link beside": (header("a/l", kind=tarfile.SYMTYPE, linkname="f") + END, {"a/l": 0}),
    "a link up and down again": (header("a/b/l", kind=tarfile.SYMTYPE, linkname="../f") + END, {"a/b/l": 0}),
    "a hard link": (FILE + header("a/l", kind=tarfile.LNKTYPE, linkname="a/f") + END, {"a/f": 4, "a/l": 0}),
}

REFUSED = {
    "nothing": (b"", "cut short"),
    "text instead of a tar": (b"print('hello')\n" * 100, "not a tar header"),
    "no end mark": (FILE, "cut short"),
    "a header cut short": (FILE[:300], "cut short"),
    "data cut short": (FILE[:514], "cut short"),
    "a wrong checksum": (FILE[:10] + b"X" + FILE[11:] + END, "not a tar header"),
    "bytes behind the end mark": (FILE + END + b"x", "follow the end of the tar"),
    "a second tar behind the first": (FILE + END + FILE + END, "follow the end of the tar"),
    "bytes far behind the end mark": (FILE + END + b"\0" * (3 << 20) + b"x", "follow the end of the tar"),
    "a name that climbs": (header("a/../../x") + END, "segment"),
    "an absolute name": (header("/etc/passwd") + END, "absolute"),
    "a backslash": (header("a\\b") + END, "backslash"),
    "a control character": (header("a\x1b[2J") + END, "control"),
    "a name that begins with a dot segment": (header("./a/f") + END, "segment"),
    "a file that ends in a slash": (pax({"path": "a/f/"}) + FILE + END, "ends in a slash"),
    "the same file twice": (FILE + FILE + END, "twice"),
    "two PKG-INFO": (
        header("a/PKG-INFO", b"1") + header("a/PKG-INFO", b"2") + END,
        "it has a/PKG-INFO and a/PKG-INFO",
    ),
    "a PKG-INFO in each of two directories": (
        header("a/PKG-INFO", b"1") + header("b/PKG-INFO", b"2") + END,
        "it has b/PKG-INFO and a/PKG-INFO",
    ),
    "a link of a thousand names": (
        pax({"linkpath": "x/" * 600}) + header("a/l", kind=tarfile.SYMTYPE, linkname="x") + END,
        "malformed",
    ),
    "names that differ by case": (FILE + header("A/F") + END, "differ only by case"),
    "a file that is also a directory": (FILE + header("a/f/g") + END, "file and a directory"),
    "a file below a link": (
        header("a/l", kind=tarfile.SYMTYPE, linkname=".") + header("a/l/x") + END,
        "file and a",
    ),
    "a directory with data": (
        pax({"path": "a"}) + header("a", b"data", tarfile.DIRTYPE) + END,
        "carries data",
    ),
    "a device": (header("a/d", kind=tarfile.CHRTYPE) + END, "neither"),
    "a block device": (header("a/d", kind=tarfile.BLKTYPE) + END, "neither"),
    "a pipe": (header("a/d", kind=tarfile.FIFOTYPE) + END, "neither"),
    "an unknown type": (header("a/d", kind=b"Z") + END, "neither"),
    "a sparse file": (header("a/s", kind=tarfile.GNUTYPE_SPARSE) + END, "sparse"),
    "a sparse file in pax": (pax({"GNU.sparse.size": "5"}) + FILE + END, "GNU.sparse.size"),
    "a link out": (header("a/l", kind=tarfile.SYMTYPE, linkname="../../etc") + END, "leads out"),
    "a link to the top": (header("a/l", kind=tarfile.SYMTYPE, linkname="..") + END, "leads out"),
    "a link to another top": (header("a/l", kind=tarfile.SYMTYPE, linkname="../b") + END, "leads out"),
    "an absolute link": (header("a/l", kind=tarfile.SYMTYPE, linkname="/etc/passwd") + END, "leads out"),
    "a link with a backslash": (header("a/l", kind=tarfile.SYMTYPE, linkname="b\\..\\..") + END, "leads out"),
    # Text says a/x; if `up` leads to a/.., the kernel says otherwise.
    "a link that climbs behind a name": (
        header("a/l", kind=tarfile.SYMTYPE, linkname="up/../x") + END,
        "leads out",
    ),
    "a hard link out": (header("a/l", kind=tarfile.LNKTYPE, linkname="b/f") + END, "leads out"),
    "a hard link that climbs": (header("a/l", kind=tarfile.LNKTYPE, linkname="a/../../f") + END, "leads out"),
    "a link to nothing": (header("a/l", kind=tarfile.SYMTYPE) + END, "malformed"),
    "a link with data": (header("a/l", b"data", tarfile.SYMTYPE, linkname="f") + END, "malformed"),
    # The case that let one reader see members which another did not.
    "two sizes": (pax({"size": "0"}) + FILE + END, "two different sizes"),
    "a global name": (pax({"path": "a/g"}, tarfile.XGLTYPE) + FILE + END, "understand differently"),
    "a global size": (pax({"size": "0"}, tarfile.XGLTYPE) + FILE + END, "understand differently"),
    "a pax name and a GNU name": (
        long_name(b"a/x") + pax({"path": "a/y"}) + FILE + END,
        "understand differently",
    ),
    "two GNU names": (long_name(b"a/x") * 2 + FILE + END, "two long names"),
    "an extended header for nothing": (FILE + pax({"path": "a/x"}) + END, "belongs to no member"),
    "a pax header without length": (header("x", b"path=a\n", tarfile.XHDTYPE) + FILE + END, "malformed pax"),
    "a pax header without newline": (
        header("x", b"9 path=ab", tarfile.XHDTYPE) + FILE + END,
        "malformed pax",
    ),
    "a pax header that is too long": (
        header("x", b"99 path=a\n", tarfile.XHDTYPE) + FILE + END,
        "malformed pax",
    ),
    "a pax header without equals": (header("x", b"7 path\n", tarfile.XHDTYPE) + FILE + END, "malformed pax"),
    "a pax name that is not UTF-8": (
        header("x", b"10 path=\xff\n", tarfile.XHDTYPE) + FILE + END,
        "not UTF-8",
    ),
    "a huge pax header": (
        header("x", b"1" * ((1 << 20) + 1), tarfile.XHDTYPE) + FILE + END,
        "at most 1048576",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_plain_tar_is_read(name):
    data, expected = ACCEPTED[name]

    assert read(data) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_tar_is_refused_with_its_reason(name):
    data, reason = REFUSED[name]

    with pytest.raises(BadArchive, match=reason):
        read(data)


def test_a_name_in_another_encoding_is_refused():
    block = bytearray(header("a/f?"))
    block[3] = 0xE9
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)

    with pytest.raises(BadArchive, match="not UTF-8"):
        read(bytes(block) + END)


def test_a_negative_size_is_refused():
    block = bytearray(header("a/f"))
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)

    with pytest.raises(BadArchive, match="negative size"):
        read(bytes(block) + END)


PACKED = gzip.compress(FILE + END, mtime=0)

REFUSED_GZIP = {
    "empty": (b"", "cut short"),
    "no gzip": (FILE + END, "does not decompress"),
    "cut short": (PACKED[:-9], "cut short"),
    "no checksum": (PACKED[:-8], "cut short"),
    "a wrong checksum": (PACKED[:-8] + b"\0" * 8, "does not decompress"),
    "two gzip members": (PACKED + PACKED, "bytes follow its gzip stream"),
    "trailing bytes": (PACKED + b"x", "bytes follow its gzip stream"),
    "trailing bytes after many NULs": (PACKED + b"\0" * (3 << 20) + b"x", "bytes follow its gzip stream"),
    "a bomb": (gzip.compress(header("a/f", b"\0" * (70 << 20)) + END, mtime=0), "more than 50 times"),
}


@pytest.mark.parametrize("name", REFUSED_GZIP)
def test_a_gzip_stream_is_one_member_and_nothing_else(name):
    data, reason = REFUSED_GZIP[name]

    with pytest.raises(BadArchive, match=reason):
        TarReader(io.BytesIO(data), "x.tar.gz", Limits()).members("PKG-INFO")


def test_nuls_behind_the_gzip_stream_are_padding():
    members, _ = TarReader(io.BytesIO(PACKED + b"\0" * 512), "x.tar.gz", Limits()).members("PKG-INFO")

    assert [member.path for member in members] == ["a/f"]


def test_too_many_members_are_refused():
    with pytest.raises(BadArchive, match="more than 2 members"):
        read(tar_bytes((f"a/{n}", b"") for n in range(3)), Limits(members=2))


def test_a_large_metadata_file_is_not_read_whole():
    with pytest.raises(BadArchive, match="at most 3 are allowed"):
        read(header("a/PKG-INFO", b"data") + END, Limits(member_bytes=3))


def test_the_walk_stops_at_the_limit_and_says_so():
    data = b"".join(header(f"a/{n}", bytes(range(256)) * 4096 * 2) for n in range(4)) + END
    reader = TarReader(io.BytesIO(gzip.compress(data, mtime=0)), "x.tar.gz", Limits(scan_bytes=1 << 20))

    members, _ = reader.members("PKG-INFO")

    assert not reader.complete
    assert len(members) < 4


@given(st.dictionaries(st.text("abé/", min_size=1, max_size=120).map(lambda text: "r/" + "/".join(filter(None, text.split("/")))), st.binary(max_size=600), max_size=4))  # fmt: skip
def test_what_python_writes_is_read_back(members):
    """Every name length and data length that Python writes in pax format is understood."""
    files = {path: data for path, data in members.items() if path != "r/"}
    try:
        seen = read(tar_bytes(files.items()))
    except BadArchive as error:
        assert "file and a directory" in str(error)  # noqa: PT017 - the other outcome is checked below
    else:
        assert seen == {path: len(data) for path, data in files.items()}


@given(st.binary(max_size=1500))
def test_no_bytes_break_the_reader(data):
    """Whatever comes, it is read or refused."""
    try:
        read(data)
    except BadArchive:
        return
    assert not data.strip(b"\0")


def test_a_zip_in_the_tail_is_seen_by_the_sdist_reader(tmp_path):
    """Stored gzip blocks hold any bytes, a whole zip as well."""
    from packhouse.ecosystems.pypi.names import parse_distribution
    from packhouse.ecosystems.pypi.sdist import read_sdist

    name, _ = make_sdist()
    inner = zip_bytes([("tiny-1.0/PKG-INFO", b"Name: other\n")])
    packed = gzip.compress(tar_bytes([("tiny-1.0/x.zip", inner)]), compresslevel=0, mtime=0)

    with pytest.raises(BadArchive, match="read as a zip as well"):
        read_sdist(io.BytesIO(packed), parse_distribution(name), Limits())
