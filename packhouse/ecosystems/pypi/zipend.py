"""Where the central directory of a zip lies, by its end records."""

import struct
from typing import BinaryIO, NamedTuple

from packhouse.ecosystems import Limits
from packhouse.errors import BadArchive

MAX_DIRECTORY = 32 << 20
"""Bytes of central directory: 200 000 entries are 17 MB and 1.2 s of parsing."""

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF
CENTRAL = b"PK\x01\x02"

_EOCD, _EOCD64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


class Directory(NamedTuple):
    """The central directory: entries, bytes, offset in the file."""

    entries: int
    size: int
    offset: int


class _End(NamedTuple):
    """The fields that the plain and the zip64 end record share."""

    disk: int
    start_disk: int
    here: int
    entries: int
    size: int
    offset: int


class EndReader:
    """Reads the end records of one zip; they decide whether the rest is worth reading."""

    def __init__(self, file: BinaryIO, filename: str, limits: Limits) -> None:
        self._file, self._filename, self._limits = file, filename, limits
        self._size = file.seek(0, 2)

    def _bad(self, reason: str) -> BadArchive:
        return BadArchive(self._filename, reason)

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def directory(self) -> Directory:
        """Return where the central directory is.

        Raises:
            BadArchive: the end records are missing, contradict each other or the file, or claim too much.
        """
        tail_at = max(0, self._size - 22 - MAX16)
        tail = self._at(tail_at, self._size - tail_at)
        found = tail.rfind(_EOCD)
        if found < 0 or found + 22 > len(tail):
            raise self._bad("it has no end-of-central-directory record, so it is no zip or is cut short")
        fields = struct.unpack_from("<4s4H2LH", tail, found)
        plain, comment = _End(*fields[1:7]), fields[7]
        if found + 22 + comment != len(tail):
            raise self._bad("bytes follow the end of the zip")
        end = records = tail_at + found
        truth = plain
        locator = self._at(end - 20, 20) if end >= 20 else b""
        if locator.startswith(_LOCATOR):
            records, truth = self._end64(end, locator, plain)
        elif MAX16 in (plain.here, plain.entries) or MAX32 in (plain.size, plain.offset):
            raise self._bad("its end record points to a zip64 record that is not there")
        if truth.disk or truth.start_disk or truth.here != truth.entries:
            raise self._bad("it claims to be one part of a zip in several parts")
        if truth.entries > self._limits.members:
            raise self._bad(f"it has {truth.entries} members, at most {self._limits.members} are allowed")
        if truth.size > MAX_DIRECTORY:
            raise self._bad(f"its directory is {truth.size} bytes, at most {MAX_DIRECTORY} are allowed")
        if truth.offset + truth.size != records:
            raise self._bad("its central directory is not where its end record says: bytes are hidden")
        return Directory(truth.entries, truth.size, truth.offset)

    def _end64(self, end: int, locator: bytes, plain: _End) -> tuple[int, _End]:
        """Return the offset and the fields of the zip64 end record, which must lie before its locator."""
        _, disk, at, disks = struct.unpack("<4sLQL", locator)
        # 56 bytes exactly: version 1 of the record, no extensible data in which a second reading could hide.
        if disk or disks != 1 or at != end - 20 - 56:
            raise self._bad("its zip64 locator does not point to the record before it")
        signature, length, _, _, *fields = struct.unpack("<4sQ2H2L4Q", self._at(at, 56))
        if signature != _EOCD64 or length != 44:
            raise self._bad("its zip64 end record is malformed")
        wide = _End(*fields)
        for narrow, full, limit in zip(plain, wide, (MAX16,) * 4 + (MAX32,) * 2, strict=True):
            if narrow not in (full, limit):
                raise self._bad("its two end records disagree")
        return at, wide


def looks_like_zip(file: BinaryIO) -> bool:
    """Whether a zip reader, which looks for the end record in the last 64 KiB, would find a directory."""
    size = file.seek(0, 2)
    start = max(0, size - 22 - MAX16)
    file.seek(start)
    tail = file.read()
    found = tail.rfind(_EOCD)
    if found < 0 or found + 22 > len(tail):
        return False
    length, comment = struct.unpack_from("<12xL4xH", tail, found)
    begin = start + found - length
    if found + 22 + comment > len(tail) or begin < 0:
        return False
    file.seek(begin)
    return length == 0 or file.read(4) == CENTRAL
