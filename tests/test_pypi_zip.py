"""Zips that can be read in two ways are refused, each for its own reason; plain ones are not."""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypi_support import tar_bytes, zip_bytes

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.members import colliding_paths, unsafe_path
from packhouse.ecosystems.pypi.zipend import looks_like_zip
from packhouse.ecosystems.pypi.zipread import ZipReader
from packhouse.errors import BadArchive

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


@dataclass
class Entry:
    """One member, every field of its three records under the test's control."""

    name: bytes = b"a.txt"
    data: bytes = b"hello"
    method: int = 8
    flags: int = 0
    attributes: int = 0o100644 << 16
    packed: bytes | None = None
    local: dict = field(default_factory=dict)
    central: dict = field(default_factory=dict)
    after: bytes = b""
    made_by: int = 3 << 8 | 20

    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()

    def local_record(self) -> bytes:
        values = {
            "name": self.name, "flags": self.flags, "method": self.method, "crc": zlib.crc32(self.data),
            "packed": len(self.body()), "size": len(self.data), "extra": b"", "signature": b"PK\x03\x04",
        } | self.local  # fmt: skip
        header = struct.pack(
            "<4s5H3L2H", values["signature"], 20, values["flags"], values["method"], 0, 0x5021, values["crc"],
            values["packed"], values["size"], len(values["name"]), len(values["extra"]),
        )  # fmt: skip
        return header + values["name"] + values["extra"] + self.body() + self.after

    def central_record(self, offset: int) -> bytes:
        values = {
            "name": self.name, "flags": self.flags, "method": self.method, "crc": zlib.crc32(self.data),
            "packed": len(self.body()), "size": len(self.data), "extra": b"", "comment": b"", "disk": 0,
            "offset": offset, "signature": b"PK\x01\x02",
        } | self.central  # fmt: skip
        header = struct.pack(
            "<4s6H3L5H2L", values["signature"], self.made_by, 20, values["flags"], values["method"], 0, 0x5021,
            values["crc"], values["packed"], values["size"], len(values["name"]), len(values["extra"]),
            len(values["comment"]), values["disk"], 0, self.attributes, values["offset"],
        )  # fmt: skip
        return header + values["name"] + values["extra"] + values["comment"]


def raw_zip(
    *entries: Entry,
    prefix: bytes = b"",
    before_central: bytes = b"",
    after_central: bytes = b"",
    suffix: bytes = b"",
    zip64: bytes | None = None,
    **end: int | bytes,
) -> bytes:
    """Return a zip of `entries`; offsets are right for the prefix, `end` overrides fields of its end record."""
    data, offsets = prefix, []
    for entry in entries:
        offsets.append(len(data))
        data += entry.local_record()
    data += before_central
    central = b"".join(entry.central_record(at) for entry, at in zip(entries, offsets, strict=True))
    values = {
        "disk": 0, "start": 0, "here": len(entries), "count": len(entries), "size": len(central),
        "offset": len(data), "comment": b"",
    } | end  # fmt: skip
    data += central + after_central + (zip64 or b"")
    fields = [values[key] for key in ("disk", "start", "here", "count", "size", "offset")]
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", *fields, len(values["comment"]))
    return data + record + values["comment"] + suffix


def end64(
    at: int, *, count: int = 1, size: int, offset: int, length: int = 44, point: int | None = None
) -> bytes:
    """Return a zip64 end record at `at` and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", length, 45, 45, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, at if point is None else point, 1)


def extra(kind: int, value: bytes) -> bytes:
    return struct.pack("<2H", kind, len(value)) + value


def read(data: bytes, limits: Limits | None = None) -> dict[str, bytes]:
    reader = ZipReader(io.BytesIO(data), "x.whl", limits or Limits())
    return {member.path: reader.read(member) for member in reader.layout.members}


PLAIN = raw_zip(Entry())
CENTRAL_AT = PLAIN.rindex(b"PK\x01\x02")
HELLO = {"crc": zlib.crc32(b"hello"), "packed": 7, "size": 5}
NOTHING = {"crc": 0, "packed": 0, "size": 0}
DESCRIPTOR = struct.pack("<4s3L", b"PK\x07\x08", HELLO["crc"], 7, 5)
STREAMED = Entry(flags=8, local=NOTHING, after=DESCRIPTOR)
WIDE = extra(1, struct.pack("<2Q", 5, 7))


def wide_end(**override: int) -> bytes:
    """Return the plain archive with a zip64 end record."""
    values = {"size": len(PLAIN) - 22 - CENTRAL_AT, "offset": CENTRAL_AT} | override
    narrow = {"size": MAX32, "offset": MAX32, "here": MAX16, "count": MAX16}
    return raw_zip(Entry(), zip64=end64(len(PLAIN) - 22, **values), **narrow)


class OneWay(io.BytesIO):
    """A pipe: what was written cannot be corrected."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("a pipe")

    def tell(self) -> int:
        raise OSError("a pipe")


def streamed_by_python(*, force_zip64: bool) -> bytes:
    pipe = OneWay()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.txt", "w", force_zip64=force_zip64) as member:
            member.write(b"hello")
        archive.writestr("b.txt", b"world")
    return pipe.getvalue()


ACCEPTED = {
    "streamed by Python": streamed_by_python(force_zip64=False),
    "streamed by Python, as if it were large": streamed_by_python(force_zip64=True),
    "plain": PLAIN,
    "stored": raw_zip(Entry(method=0)),
    "empty member": raw_zip(Entry(data=b"")),
    "two members": raw_zip(Entry(), Entry(name=b"b/c.txt")),
    "a directory": raw_zip(Entry(name=b"b/", data=b"", method=0, attributes=0o40755 << 16), Entry()),
    "a UTF-8 name marked as such": raw_zip(Entry(name="é.txt".encode(), flags=1 << 11)),
    "made on Windows, no mode": raw_zip(Entry(made_by=0, attributes=0x20)),
    "an archive comment": raw_zip(Entry(), comment=b"made by us"),
    "an unknown extra field": raw_zip(Entry(local={"extra": extra(0x5455, b"\1\0\0\0\0")})),
    # Python's zipfile writes it for streams whose size it does not know.
    "zip64 sizes in the local header": raw_zip(Entry(local={"size": MAX32, "packed": MAX32, "extra": WIDE})),
    # Bazel's zipper, which makes protobuf's wheels
    "zip64 sizes in the local header, needlessly": raw_zip(Entry(local={"extra": WIDE})),
    "zip64 sizes in the central directory": raw_zip(
        Entry(central={"size": MAX32, "packed": MAX32, "extra": WIDE})
    ),
    "a zip64 end record": wide_end(),
    "a zip64 end record though none is needed": raw_zip(
        Entry(), zip64=end64(len(PLAIN) - 22, size=len(PLAIN) - 22 - CENTRAL_AT, offset=CENTRAL_AT)
    ),
    # Common in private tool chains: accepted with a warning.
    "a data descriptor": raw_zip(STREAMED, Entry(name=b"b")),
    "a data descriptor without signature": raw_zip(Entry(flags=8, local=NOTHING, after=DESCRIPTOR[4:])),
    "a zip64 data descriptor": raw_zip(
        Entry(flags=8, local=NOTHING, after=struct.pack("<4sL2Q", b"PK\x07\x08", HELLO["crc"], 7, 5))
    ),
    "a data descriptor that repeats the header": raw_zip(Entry(flags=8, after=DESCRIPTOR)),
}

REFUSED = {
    # --- around the records
    "empty file": (b"", "too short"),
    "junk": (b"x" * 100, "no end-of-central-directory"),
    "an empty zip": (raw_zip(), "empty"),
    "a prefix, offsets adjusted": (raw_zip(Entry(), prefix=b"#!/bin/sh\n"), "precede the first member"),
    "a prefix, offsets not adjusted": (b"#!/bin/sh\n" + PLAIN, "bytes are hidden"),
    "trailing bytes": (PLAIN + b"x", "follow the end"),
    "a second zip behind": (PLAIN + PLAIN, "bytes are hidden"),
    "a second end record in the comment": (raw_zip(Entry(), comment=PLAIN[-22:] + b"x"), "follow the end"),
    "an end record inside the comment that fits": (raw_zip(Entry(), comment=PLAIN[-22:]), "bytes are hidden"),
    "a comment longer than said": (raw_zip(Entry(), comment=b"abc", suffix=b"def"), "follow the end"),
    "an end record cut short": (PLAIN[:-1], "no end-of-central-directory"),
    "bytes before the central directory": (raw_zip(Entry(), before_central=b"hidden"), "hide after a.txt"),
    "bytes after the central directory": (raw_zip(Entry(), after_central=b"hidden"), "bytes are hidden"),
    "bytes between two members": (raw_zip(Entry(after=b"hidden"), Entry(name=b"b")), "hide after a.txt"),
    "a local member that the directory does not name": (
        raw_zip(Entry(after=Entry(name=b"b").local_record()), Entry(name=b"c")),
        "hide after a.txt",
    ),
    "a tar as well": (tar_bytes([("a", PLAIN)]) + PLAIN, "tar archive as well"),
    # --- end records
    "fewer entries than counted": (raw_zip(Entry(), here=2, count=2), "fewer entries"),
    "more entries than counted": (raw_zip(Entry(), Entry(name=b"b"), here=1, count=1), "more in it"),
    "several disks": (raw_zip(Entry(), disk=1, start=1), "several parts"),
    "two counts": (raw_zip(Entry(), here=2), "several parts"),
    "a directory size that is too small": (raw_zip(Entry(), size=40), "bytes are hidden"),
    "a directory offset beyond the file": (raw_zip(Entry(), offset=MAX32 - 1), "bytes are hidden"),
    "zip64 announced, none there": (
        raw_zip(Entry(), count=MAX16, here=MAX16),
        "zip64 record that is not there",
    ),
    "a zip64 locator that points elsewhere": (wide_end(point=0), "does not point"),
    "a zip64 end record with more data": (wide_end(length=52), "zip64 end record is malformed"),
    "two end records that disagree": (
        raw_zip(
            Entry(),
            zip64=end64(len(PLAIN) - 22, size=len(PLAIN) - 22 - CENTRAL_AT, offset=0),
            offset=CENTRAL_AT,
        ),
        "end records disagree",
    ),
    "a zip64 offset elsewhere": (wide_end(offset=0), "bytes are hidden"),
    # --- local header against central entry
    "another name in the local header": (raw_zip(Entry(local={"name": b"b.txt"})), "another name"),
    "a longer name in the local header": (raw_zip(Entry(local={"name": b"a.txt.exe"})), "another name"),
    "another size in the local header": (raw_zip(Entry(local={"size": 6})), "other sizes"),
    "another packed size in the local header": (raw_zip(Entry(local={"packed": 6})), "other sizes"),
    "another checksum in the local header": (raw_zip(Entry(local={"crc": 1})), "other sizes"),
    "another method in the local header": (raw_zip(Entry(local={"method": 0})), "disagree"),
    "UTF-8 in one record only": (raw_zip(Entry(local={"flags": 1 << 11})), "disagree"),
    "streaming in one record only": (raw_zip(Entry(local={"flags": 8})), "disagree"),
    "no local header": (raw_zip(Entry(local={"signature": b"PK\x03\x05"})), "no local header"),
    "an unknown signature in the directory": (raw_zip(Entry(central={"signature": b"PK\x01\x03"})), "fewer"),
    "zeros without a data descriptor": (raw_zip(Entry(local=NOTHING)), "other sizes"),
    "two entries for one local header": (
        raw_zip(Entry(), Entry(name=b"b", central={"offset": 0})),
        "share the same bytes",
    ),
    "a local header beyond the end": (
        raw_zip(Entry(central={"offset": 10**6}), Entry(name=b"b", central={"offset": 0})),
        "cut short",
    ),
    "a packed size that swallows the next member": (
        raw_zip(Entry(local={"packed": 9}, central={"packed": 9}), Entry(name=b"b")),
        "overlaps",
    ),
    "stored with two sizes": (raw_zip(Entry(method=0, local={"size": 4}, central={"size": 4})), "two sizes"),
    # --- data descriptors
    "a data descriptor with another size": (
        raw_zip(Entry(flags=8, local=NOTHING, after=struct.pack("<4s3L", b"PK\x07\x08", HELLO["crc"], 7, 6))),
        "descriptor of a.txt gives other sizes",
    ),
    "a data descriptor that is missing": (raw_zip(Entry(flags=8, local=NOTHING)), "hide after a.txt"),
    "a data descriptor with another signature": (
        raw_zip(Entry(flags=8, local=NOTHING, after=b"PK\x07\x09" + DESCRIPTOR[4:])),
        "malformed",
    ),
    "a data descriptor after stored bytes": (
        raw_zip(Entry(flags=8, method=0, local=NOTHING, after=DESCRIPTOR)),
        "stored and carries its size after",
    ),
    # --- entries
    "encrypted": (raw_zip(Entry(flags=1)), "encrypted"),
    "strongly encrypted": (raw_zip(Entry(flags=1 << 6)), "encrypted"),
    "a patch": (raw_zip(Entry(flags=1 << 5)), "patched"),
    "a member that needs a newer reader": (
        PLAIN[: CENTRAL_AT + 6] + b"\x40\0" + PLAIN[CENTRAL_AT + 8 :],
        "zip version 6.4",
    ),
    "bzip2": (raw_zip(Entry(method=12)), "method 12"),
    "LZMA, which crashes readers": (raw_zip(Entry(method=14, packed=b"\0" * 9)), "method 14"),
    "zstd": (raw_zip(Entry(method=93)), "method 93"),
    "a comment on an entry": (raw_zip(Entry(central={"comment": b"PK\x05\x06"})), "comment"),
    "an entry on another disk": (raw_zip(Entry(central={"disk": 1})), "another disk"),
    "an entry cut short": (
        PLAIN[: CENTRAL_AT + 28] + b"\xff" + PLAIN[CENTRAL_AT + 29 :],
        "entry of its central directory is cut short",
    ),
    "a symbolic link": (raw_zip(Entry(attributes=0o120777 << 16)), "neither a plain file"),
    "a device": (raw_zip(Entry(attributes=0o60644 << 16)), "neither a plain file"),
    "a directory without a slash": (raw_zip(Entry(attributes=0o40755 << 16)), "neither a plain file"),
    "a directory with data": (raw_zip(Entry(name=b"d/", attributes=0)), "carries data"),
    # --- extra fields
    "a second name in an extra field": (
        raw_zip(Entry(central={"extra": extra(0x7075, b"\1\0\0\0\0b.txt")})),
        "second name",
    ),
    "a second name in the local header's extra field": (
        raw_zip(Entry(local={"extra": extra(0x7075, b"\1\0\0\0\0b.txt")})),
        "second name",
    ),
    "an extra field that is too long": (
        raw_zip(Entry(central={"extra": b"\1\0\x20\0abc"})),
        "malformed extra",
    ),
    "an extra field that is too short": (raw_zip(Entry(central={"extra": b"\1\0"})), "malformed extra"),
    "two zip64 fields": (
        raw_zip(Entry(central={"size": MAX32, "packed": MAX32, "extra": WIDE + WIDE})),
        "two zip64",
    ),
    "a zip64 field nobody asked for": (raw_zip(Entry(central={"extra": WIDE})), "do not fit its entry"),
    "a zip64 field that is missing": (raw_zip(Entry(central={"size": MAX32})), "do not fit its entry"),
    "a zip64 field nobody asked for, local": (
        raw_zip(Entry(local={"extra": extra(1, struct.pack("<2Q", 5, 8))})),
        "do not fit its local",
    ),
    "a zip64 field that is missing, local": (raw_zip(Entry(local={"size": MAX32})), "other sizes"),
    "a zip64 field of the wrong length, local": (
        raw_zip(Entry(local={"size": MAX32, "packed": MAX32, "extra": extra(1, b"\0" * 8)})),
        "do not fit its local",
    ),
    "zip64 sizes that differ": (
        raw_zip(Entry(local={"size": MAX32, "packed": MAX32, "extra": extra(1, struct.pack("<2Q", 6, 7))})),
        "other sizes",
    ),
    "a zip64 disk": (
        raw_zip(Entry(central={"disk": MAX16, "extra": extra(1, struct.pack("<L", 3))})),
        "another disk",
    ),
    # --- names
    "a name that climbs": (raw_zip(Entry(name=b"../../x")), "segment"),
    "an absolute name": (raw_zip(Entry(name=b"/etc/passwd")), "absolute"),
    "a drive": (raw_zip(Entry(name=b"C:/x")), "absolute"),
    "a backslash": (raw_zip(Entry(name=b"..\\x")), "backslash"),
    "a NUL": (raw_zip(Entry(name=b"a.txt\0.exe")), "control"),
    "a newline": (raw_zip(Entry(name=b"a\n.txt")), "control"),
    "an empty segment": (raw_zip(Entry(name=b"a//b")), "segment"),
    "an empty name": (raw_zip(Entry(name=b"")), "empty"),
    "a name in an unknown encoding": (raw_zip(Entry(name=b"caf\xe9")), "UTF-8"),
    "a name that is not the UTF-8 it claims": (raw_zip(Entry(name=b"caf\xe9", flags=1 << 11)), "UTF-8"),
    "the same name twice": (raw_zip(Entry(), Entry(data=b"other")), "twice"),
    "names that differ by case": (raw_zip(Entry(), Entry(name=b"A.TXT")), "differ only by case"),
    "directories that differ by case": (
        raw_zip(Entry(name=b"d/a"), Entry(name=b"D/b")),
        "differ only by case",
    ),
    "a file that is also a directory": (
        raw_zip(Entry(name=b"d"), Entry(name=b"d/a")),
        "file and a directory",
    ),
    "a file and a directory entry": (
        raw_zip(Entry(name=b"d"), Entry(name=b"d/", data=b"", attributes=0)),
        "file and a directory",
    ),
    # --- data
    "data that inflates to more": (
        raw_zip(Entry(local={"size": 4}, central={"size": 4})),
        "unpacks to more",
    ),
    "data that inflates to less": (
        raw_zip(Entry(local={"size": 6}, central={"size": 6})),
        "size and checksum",
    ),
    "data with another checksum": (raw_zip(Entry(local={"crc": 1}, central={"crc": 1})), "size and checksum"),
    "bytes behind the deflate stream": (raw_zip(Entry(packed=Entry().body() + b"PK")), "does not end where"),
    "a megabyte behind the deflate stream": (
        raw_zip(Entry(packed=Entry().body() + b"\0" * (2 << 20))),
        "does not end where",
    ),
    "a deflate stream cut short": (raw_zip(Entry(packed=Entry().body()[:-1])), "does not end where"),
    "no deflate stream": (raw_zip(Entry(packed=b"\xff" * 9)), "does not decompress"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_unambiguous_zip_is_read_as_python_reads_it(name):
    with zipfile.ZipFile(io.BytesIO(ACCEPTED[name])) as archive:
        expected = {info.filename: archive.read(info) for info in archive.infolist()}

    assert read(ACCEPTED[name]) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_zip_is_refused_with_its_reason(name):
    data, reason = REFUSED[name]

    with pytest.raises(BadArchive, match=reason):
        read(data)


def test_the_corpus_is_as_large_as_the_one_it_follows():
    """PyPI's own corpus has 35 archives to refuse and 10 to accept."""
    assert len(REFUSED) >= 35
    assert len(ACCEPTED) >= 10


def test_data_descriptors_are_counted_in_a_warning():
    layout = ZipReader(io.BytesIO(raw_zip(STREAMED, Entry(name=b"b"))), "x.whl", Limits()).layout

    assert layout.warnings == (
        "1 members carry their size after their data, which not every reader can follow",
    )


def test_too_many_members_are_refused_before_they_are_read():
    data = raw_zip(Entry(), Entry(name=b"b"))

    with pytest.raises(BadArchive, match="2 members, at most 1"):
        read(data, Limits(members=1))


def test_a_huge_directory_is_refused_by_its_claim():
    with pytest.raises(BadArchive, match="its directory is 33554433 bytes"):
        read(raw_zip(Entry(), size=(32 << 20) + 1))


def test_a_large_member_is_not_read_whole():
    with pytest.raises(BadArchive, match="at most 4 are allowed"):
        read(PLAIN, Limits(member_bytes=4))


def test_a_bomb_is_refused_by_what_it_claims():
    """Sizes are claims here, but a member that exceeds its claim is stopped too."""
    claim = {"size": (64 << 20) + 1}

    with pytest.raises(BadArchive, match="more than 50 times"):
        read(raw_zip(Entry(local=claim, central=claim)))


def test_a_member_longer_than_a_chunk_is_streamed_in_pieces():
    data = bytes(range(256)) * 4 * 1024 * 3
    reader = ZipReader(
        io.BytesIO(raw_zip(Entry(data=data), Entry(name=b"b", data=data, method=0))), "x.whl", Limits()
    )

    for member in reader.layout.members:
        chunks = list(reader.stream(member))
        assert b"".join(chunks) == data
        assert max(map(len, chunks)) <= 1 << 20


def test_a_file_that_shrinks_while_it_is_read_is_refused():
    file = io.BytesIO(raw_zip(Entry(method=0, data=b"x" * 100)))
    reader = ZipReader(file, "x.whl", Limits())
    file.truncate(40)

    with pytest.raises(BadArchive, match="cut short"):
        reader.verify(reader.layout.members[0])


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data):
    """Whatever comes, it is read or refused."""
    with pytest.raises(BadArchive):
        read(data)


@given(at=st.integers(min_value=0, max_value=len(PLAIN) - 1), value=st.integers(min_value=0, max_value=255))
def test_one_changed_byte_is_harmless_or_refused(at, value):
    """A reader that accepts the changed file sees what Python's reader sees."""
    data = PLAIN[:at] + bytes([value]) + PLAIN[at + 1 :]
    try:
        seen = read(data)
    except BadArchive:
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert seen == {info.filename: archive.read(info) for info in archive.infolist()}


_PATHS = st.text(alphabet="ab/.", min_size=1, max_size=6).filter(lambda path: not path.endswith("/"))


@given(st.dictionaries(_PATHS, st.binary(max_size=50), min_size=1, max_size=5))
def test_what_python_writes_is_read_back(members):
    data = zip_bytes(members.items())
    if not any(map(unsafe_path, members)) and colliding_paths(members) is None:
        assert read(data) == members
    else:
        with pytest.raises(BadArchive):
            read(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PLAIN, True),
        (b"prefix" + PLAIN, True),
        (raw_zip(), True),
        (b"", False),
        (b"PK\x05\x06", False),
        # the signature alone, as it occurs by chance in compressed data
        (b"x" * 50 + b"PK\x05\x06" + b"\xff" * 30, False),
        (b"x" * 50 + b"PK\x05\x06" + b"\0" * 8 + b"\x0a\0\0\0" + b"\0" * 6, False),
        (b"x" * 50 + b"PK\x05\x06" + b"\0" * 16 + b"\xff\xff", False),
    ],
)
def test_looks_like_zip_asks_for_a_directory(data, expected):
    assert looks_like_zip(io.BytesIO(data)) is expected
