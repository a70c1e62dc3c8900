"""The ZIP framing of `.conda` files, read strictly: three stored members and not one byte besides (CEP 35).

ZIP states everything twice, in front of each member and in a directory at the end, and readers differ in which
of the two they believe. Here both must say the same, and the members must fill the file from its first byte to
the directory without a gap.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX32 = 0xFFFFFFFF
_MAX_DIRECTORY = 1 << 16
_MEMBERS = 3


class ContainerError(ValueError):
    """The container is unreadable or ambiguous; the message is a clause that names the reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored member: where its bytes begin in the file, how many there are, and their CRC-32."""

    name: str
    start: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class _Stated:
    """What the directory says of one member."""

    name: bytes
    flags: int
    crc: int
    size: int
    header: int


def _exactly(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    data = file.read(size)
    if len(data) != size:
        raise ContainerError("it ends in the middle of a ZIP record")
    return data


def root_entries(file: IO[bytes], length: int) -> Sequence[Entry]:
    """Return the three members of a `.conda` file, in file order.

    Raises:
        ContainerError: not a ZIP file, or not one that every reader reads alike.
    """
    directory, start = _directory(file, length)
    stated = sorted(_central(directory), key=lambda entry: entry.header)
    if len({entry.name for entry in stated}) != _MEMBERS:
        raise ContainerError("two of its members have one name")
    entries: list[Entry] = []
    at = 0
    for entry in stated:
        if entry.header != at:
            raise ContainerError("its members overlap, or other data lies in front of or between them")
        begin = _local(file, entry)
        entries.append(Entry(_text(entry.name), begin, entry.size, entry.crc))
        at = begin + entry.size
    if at != start:
        raise ContainerError("other data lies between its members and its directory")
    return entries


def _text(name: bytes) -> str:
    try:
        return name.decode("ascii")
    except UnicodeDecodeError:
        raise ContainerError("the name of a member is not ASCII") from None


def _directory(file: IO[bytes], length: int) -> tuple[bytes, int]:
    """Return the central directory and where it starts."""
    if length < _END.size:
        raise ContainerError("it is too short to be a ZIP file")
    end = length - _END.size
    signature, disk, first_disk, here, count, size, start, comment = _END.unpack(
        _exactly(file, end, _END.size)
    )
    if signature != b"PK\x05\x06" or comment:
        raise ContainerError("it is not a ZIP file, or has a comment or other data behind its end")
    if disk or first_disk:
        raise ContainerError("it is a part of a ZIP file of several parts")
    stop = end
    if 0xFFFF in {here, count} or _MAX32 in {size, start}:
        here, count, size, start, stop = _end64(file, end)
    if here != _MEMBERS or count != _MEMBERS:
        raise ContainerError(f"it holds {count} members; a .conda file holds exactly three (CEP 35)")
    if size > _MAX_DIRECTORY or start + size != stop:
        raise ContainerError("its ZIP directory is not where its end says")
    return _exactly(file, start, size), start


def _end64(file: IO[bytes], end: int) -> tuple[int, int, int, int, int]:
    """Return counts, size and start of the directory from the zip64 records, and where those begin."""
    locator = end - _END64_LOCATOR.size
    if locator < 0:
        raise ContainerError("its zip64 records are missing")
    signature, disk, at, disks = _END64_LOCATOR.unpack(_exactly(file, locator, _END64_LOCATOR.size))
    if signature != b"PK\x06\x07" or disk or disks != 1 or at + _END64.size != locator:
        raise ContainerError("its zip64 records do not agree")
    signature, rest, _, _, disk, first_disk, here, count, size, start = _END64.unpack(
        _exactly(file, at, _END64.size)
    )
    if signature != b"PK\x06\x06" or rest != _END64.size - 12 or disk or first_disk:
        raise ContainerError("its zip64 records do not agree")
    return here, count, size, start, at


def _central(directory: bytes) -> list[_Stated]:
    """Parse the three headers of the central directory."""
    found: list[_Stated] = []
    at = 0
    for _ in range(_MEMBERS):
        if at + _CENTRAL.size > len(directory):
            raise ContainerError("its ZIP directory is cut short")
        fields = _CENTRAL.unpack_from(directory, at)
        signature, flags, method, crc, packed, size = fields[0], fields[3], fields[4], *fields[7:10]
        name_size, extra_size, comment_size, disk, header = *fields[10:14], fields[16]
        stop = at + _CENTRAL.size + name_size + extra_size
        if signature != b"PK\x01\x02" or comment_size or disk or stop > len(directory):
            raise ContainerError("its ZIP directory is damaged or holds comments")
        name = directory[at + _CENTRAL.size : stop - extra_size]
        packed, size, header = _zip64(directory[stop - extra_size : stop], size, packed, header)
        if method or packed != size:
            raise ContainerError(f"its member {name[:80]!r} is compressed; CEP 35 wants all three stored")
        found.append(_Stated(name, flags, crc, size, header))
        at = stop
    if at != len(directory):
        raise ContainerError("its ZIP directory goes on after three members")
    return found


def _zip64(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Return packed size, size and header offset, from the zip64 extra field where the header says so.

    APPNOTE 4.5.3: the field holds, in this order, exactly those of size, packed size and offset that are
    0xFFFFFFFF in the header. Some writers add it without need; then it must not contradict.
    """
    values: list[int] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        body = extra[at + 4 : at + 4 + length]
        if len(body) != length or kind == 0x7075:  # Info-ZIP Unicode path: a second name for the member
            raise ContainerError("an extra field of a ZIP header is damaged or names the member again")
        if kind == 1:
            if values or length % 8 or not length:
                raise ContainerError("a zip64 field is damaged")
            values = list(struct.unpack(f"<{length // 8}Q", body))
        at += 4 + length
    if at != len(extra):
        raise ContainerError("an extra field of a ZIP header is damaged")
    if values and _MAX32 not in {size, packed, header} and values[:2] != [size, packed][: len(values)]:
        raise ContainerError("a zip64 field contradicts its header")
    wanted = [value == _MAX32 for value in (size, packed, header)]
    if sum(wanted) > len(values):
        raise ContainerError("a zip64 field is missing")
    queue = iter(values)
    size, packed, header = (
        next(queue) if is_long else value
        for is_long, value in zip(wanted, (size, packed, header), strict=True)
    )
    return packed, size, header


def _local(file: IO[bytes], entry: _Stated) -> int:
    """Compare a local header with the directory; return where the member's bytes begin."""
    fields = _LOCAL.unpack(_exactly(file, entry.header, _LOCAL.size))
    signature, flags, method, crc, packed, size = fields[0], fields[2], fields[3], *fields[6:9]
    name_size: int = fields[9]
    extra_size: int = fields[10]
    tail = _exactly(file, entry.header + _LOCAL.size, name_size + extra_size)
    packed, size, _ = _zip64(tail[name_size:], size, packed, 0)
    if signature != b"PK\x03\x04" or tail[:name_size] != entry.name or method or flags != entry.flags:
        raise ContainerError("a member's own header contradicts the ZIP directory")
    # Bit 0: encrypted. Bit 3: sizes only behind the data. Bit 11 (names are UTF-8) changes nothing for ASCII.
    if flags & ~0x800:
        raise ContainerError("a member is encrypted, or states its size only behind its data")
    if (crc, packed, size) != (entry.crc, entry.size, entry.size):
        raise ContainerError("a member's own header contradicts the ZIP directory")
    return entry.header + _LOCAL.size + name_size + extra_size
