"""The ZIP file around a conda package: read strictly, since readers could read a loose one differently (CEP 35)."""

import io
import struct
import zipfile

import pytest
from conda_inspect_support import (
    GOOD,
    NAME,
    PARTS,
    STEM,
    looking,
    refused,
)
from conda_support import (
    zip_of,
)

from packhouse.errors import BadArchive


@pytest.fixture
def look(tmp_path):
    return looking(tmp_path)


def test_members_may_come_in_any_order(look):
    for parts in (PARTS, PARTS[::-1], [PARTS[1], PARTS[0], PARTS[2]]):
        assert look(NAME, zip_of(parts)).package == "tiny"


def zip64_of(parts):
    """A ZIP file that states every size in zip64 fields."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in parts:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(body)
    return buffer.getvalue()


def with_zip64_end(body):
    """The same file, its end record replaced by zip64 records that say the same."""
    count, size, start = struct.unpack("<HLL", body[-12:-2])
    at = len(body) - 22
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body[:-22] + end64 + locator + end


def test_zip64_is_read(look):
    assert look(NAME, zip64_of(PARTS)).package == "tiny"
    assert look(NAME, with_zip64_end(GOOD)).package == "tiny"


CENTRAL_HEADS = [at for at in range(len(GOOD)) if GOOD.startswith(b"PK\x01\x02", at)]


def with_end(body, start):
    """The same bytes, an end record behind them that says where the directory starts."""
    return body + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(body) - start, start, 0)


def far_away(body):
    """The second member claims a gigabyte, and the third to lie behind it."""
    for at in (SECOND + 18, SECOND + 22, CENTRAL_HEADS[1] + 20, CENTRAL_HEADS[1] + 24):
        body = patched(body, at, struct.pack("<L", 1 << 30))
    third = SECOND + 30 + len(PARTS[1][0]) + (1 << 30)
    return patched(body, CENTRAL_HEADS[2] + 42, struct.pack("<L", third))


def patched(body, at, data):
    at %= len(body)
    return body[:at] + data + body[at + len(data) :]


CENTRAL = GOOD.index(b"PK\x01\x02")
SECOND = GOOD.index(b"PK\x03\x04", 4)
END64 = with_zip64_end(GOOD)

HOSTILE_ZIPS = {
    "empty": (b"", "too short"),
    "text": (b"x" * 100, "not a ZIP file"),
    "prefix": (b"#!/bin/sh\n" + GOOD, "directory is not where"),
    "suffix": (GOOD + b"x", "not a ZIP file, or has a comment"),
    "comment": (patched(GOOD, -2, b"\x01\x00") + b"x", "not a ZIP file, or has a comment"),
    "several disks": (patched(GOOD, -18, b"\x01\x00"), "several parts"),
    "count lies": (patched(GOOD, -12, b"\x02\x00"), "exactly three"),
    "two members": (zip_of(PARTS[:2]), "exactly three"),
    "four members": (zip_of([*PARTS, ("more", b"")]), "exactly three"),
    "duplicate": (zip_of([PARTS[0], PARTS[0], PARTS[2]]), "have one name"),
    "deflated": (zip_of(PARTS, compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "nested": (zip_of([(f"{STEM}/{name}", body) for name, body in PARTS]), "and nothing else"),
    "other stem": (zip_of([*PARTS[:2], ("info-evil-1.0-0.tar.zst", PARTS[2][1])]), "and nothing else"),
    "not ASCII": (zip_of([*PARTS[:2], ("infö", b"")]), "not ASCII"),
    "directory name differs": (patched(GOOD, CENTRAL + 46, b"M"), "own header contradicts"),
    "directory signature": (patched(GOOD, CENTRAL, b"X"), "directory is damaged"),
    "directory comment": (patched(GOOD, CENTRAL + 32, b"\x01"), "directory is damaged"),
    "directory name too long": (patched(GOOD, CENTRAL + 28, b"\xff\xff"), "directory is damaged"),
    "local signature": (patched(GOOD, 0, b"X"), "own header contradicts"),
    "local size": (patched(GOOD, 22, b"\x01"), "own header contradicts"),
    "encrypted": (patched(patched(GOOD, 6, b"\x01"), CENTRAL + 8, b"\x01"), "encrypted"),
    "gap": (patched(GOOD, CENTRAL + 42, b"\x01"), "overlap, or other data"),
    "checksum of metadata": (patched(patched(GOOD, 14, b"\0\0\0\0"), CENTRAL + 16, b"\0\0\0\0"), "checksum"),
    "behind the file": (far_away(GOOD), "ends in the middle of a ZIP record"),
    "data before the directory": (
        with_end(GOOD[:CENTRAL] + b"xx" + GOOD[CENTRAL:-22], CENTRAL + 2),
        "lies between",
    ),
    "directory cut": (with_end(GOOD[:-22], len(GOOD) - 22 - 10), "directory is cut short"),
    "directory longer": (with_end(GOOD[:-22] + b"xx", CENTRAL), "goes on after three"),
    "size only in zip64": (patched(GOOD, CENTRAL + 24, b"\xff" * 4), "zip64 field is missing"),
    "zip64 missing": (patched(GOOD, -14, b"\xff\xff\xff\xff"), "zip64"),
    "zip64 missing and short": (
        GOOD[-22:-16] + b"\0\0\xff\xff\xff\xff" + b"\0" * 10,
        "zip64 records are missing",
    ),
    "zip64 locator": (patched(END64, -42 + 16, b"\x02"), "zip64 records do not agree"),
    "zip64 end": (patched(END64, -98 + 4, b"\x00"), "zip64 records do not agree"),
    "metadata": (zip_of([("metadata.json", b"{}"), *PARTS[1:]]), "its metadata.json is not"),
    "metadata text": (zip_of([("metadata.json", b"nope"), *PARTS[1:]]), "its metadata.json is not"),
    "metadata size": (zip_of([("metadata.json", b" " * 5000), *PARTS[1:]]), "larger than 4 KiB"),
    "cut": (GOOD[:100] + GOOD[CENTRAL:], "directory is not where"),
}


@pytest.mark.parametrize("kind", HOSTILE_ZIPS)
def test_a_zip_that_readers_could_read_differently_is_refused(look, kind):
    body, said = HOSTILE_ZIPS[kind]
    refused(look, BadArchive, said, NAME, body)


EXTRA = struct.pack("<2H", 1, 16) + struct.pack("<2Q", 31, 31)


def extra_of(extra):
    """A good file whose metadata.json has an extra field in the directory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in PARTS:
            archive.writestr(zipfile.ZipInfo(name), body)
        archive.filelist[0].extra = extra
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (struct.pack("<2H", 0x7075, 3) + b"abc", "names the member again"),
        (struct.pack("<2H", 1, 3) + b"abc", "zip64 field is damaged"),
        (struct.pack("<2H", 9, 30) + b"abc", "extra field of a ZIP header is damaged"),
        (struct.pack("<2H", 9, 0) + b"abc", "extra field of a ZIP header is damaged"),
        (struct.pack("<2H", 1, 16) + struct.pack("<2Q", 7, 7), "contradicts its header"),
    ],
)
def test_extra_fields_that_say_something_else_are_refused(look, extra, said):
    refused(look, BadArchive, said, NAME, extra_of(extra))


def test_extra_fields_that_agree_are_read(look):
    assert look(NAME, extra_of(EXTRA)).package == "tiny"


def test_a_wrong_checksum_is_refused(look):
    at = GOOD.index(b"PK\x03\x04", SECOND + 4)
    central = GOOD.index(b"PK\x01\x02", GOOD.index(b"PK\x01\x02", CENTRAL + 1) + 1)
    body = patched(patched(GOOD, at + 14, b"\0\0\0\0"), central + 16, b"\0\0\0\0")
    refused(look, BadArchive, "checksum", NAME, body)
