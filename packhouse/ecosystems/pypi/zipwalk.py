"""Strict zip framing: one reading of the file, whoever reads it, or a refusal.

A zip can be read from the end (central directory) or from the start (local headers), and readers disagree
wherever the two do. Here the records must tile the file exactly: local headers with their data, central
directory, end records, nothing before, between or after. Nothing is extracted; members are read as streams.

Source: PKWARE APPNOTE 6.3.10; the differential cases that PyPI refuses on upload.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.members import (
    RATIO,
    RATIO_FLOOR,
    colliding_paths,
    looks_like_tar,
    unsafe_path,
)
from packhouse.ecosystems.pypi.zipend import CENTRAL, MAX16, MAX32, EndReader
from packhouse.errors import BadArchive

_LOCAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"

_STREAMED, _UTF8 = 1 << 3, 1 << 11
# Encrypted, patched, strongly encrypted, masked headers: none can be read without more than the file.
_FORBIDDEN_FLAGS = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13
# Where local header and central entry must say the same; bits 1 and 2 are a compressor's hint.
_COMPARED_FLAGS = _FORBIDDEN_FLAGS | _STREAMED | _UTF8

# APPNOTE 6.3: readers refuse to extract what needs a newer version.
_NEWEST = 63

_EXTRA_ZIP64, _EXTRA_UNICODE_PATH = 0x0001, 0x7075


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file or directory (`path` ends in a slash) of a zip; sizes and offsets in bytes."""

    path: str
    size: int
    compressed: int
    crc: int
    method: int
    header: int
    """Offset of the local header."""
    data: int
    """Offset of the compressed bytes."""

    @property
    def directory(self) -> bool:
        """Whether the entry is a directory."""
        return self.path.endswith("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The members of one zip, in the order of the central directory, and what is odd but harmless."""

    members: tuple[Member, ...]
    warnings: tuple[str, ...]


class ZipWalker:
    """Walks the records of one zip; every oddity is a `BadArchive` that names the reason."""

    def __init__(self, file: BinaryIO, filename: str, limits: Limits) -> None:
        self._file, self._filename, self._limits = file, filename, limits
        self._size = file.seek(0, 2)

    def _bad(self, reason: str) -> BadArchive:
        return BadArchive(self._filename, reason)

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) != length:
            raise self._bad("the zip is cut short")
        return data

    # --- framing ---

    def layout(self) -> Layout:
        """Walk all records and return the members.

        Raises:
            BadArchive: the records do not tile the file, contradict each other or break a limit.
        """
        if self._size < 22:
            raise self._bad("it is too short for a zip")
        if looks_like_tar(self._at(0, min(512, self._size))):
            raise self._bad("it can be read as a tar archive as well as a zip")
        count, size, offset = EndReader(self._file, self._filename, self._limits).directory()
        if count == 0:
            raise self._bad("the zip is empty")
        members = [*self._central(self._at(offset, size), count)]
        checked, streamed = self._locals(members, offset)
        self._judge_names(checked)
        total = sum(member.size for member in checked)
        if total > RATIO_FLOOR and total > RATIO * self._size:
            raise self._bad(f"it unpacks to {total} bytes, more than {RATIO} times its size")
        warnings: tuple[str, ...] = ()
        if streamed:
            warnings = (
                f"{streamed} members carry their size after their data, which not every reader can follow",
            )
        return Layout(members=tuple(checked), warnings=warnings)

    def _central(self, data: bytes, count: int) -> Iterator[tuple[Member, int, bytes]]:
        """Yield (member without data offset, flags, raw name) for each central entry."""
        at = 0
        for _ in range(count):
            if data[at : at + 4] != CENTRAL or at + 46 > len(data):
                raise self._bad("its central directory has fewer entries than its end record counts")
            (
                _, made_by, needed, flags, method, _, _, crc, packed, size,
                name_length, extra_length, comment, disk, _, attributes, header,
            ) = struct.unpack_from("<4s6H3L5H2L", data, at)  # fmt: skip
            name_at, at = at + 46, at + 46 + name_length + extra_length + comment
            if at > len(data):
                raise self._bad("an entry of its central directory is cut short")
            name = data[name_at : name_at + name_length]
            path = self._path(name, flags)
            if comment:
                raise self._bad(f"{path} carries a comment in the central directory")
            extra = self._extras(data[name_at + name_length : at], path)
            size, packed, header, disk = self._widen(extra, (size, packed, header, disk), path)
            if disk:
                raise self._bad(f"{path} is said to lie on another disk")
            if needed > _NEWEST:
                raise self._bad(f"{path} needs a reader of zip version {needed / 10}")
            self._judge_entry(path, made_by, flags, method, attributes)
            member = Member(
                path=path, size=size, compressed=packed, crc=crc, method=method, header=header, data=0
            )
            yield member, flags, name
        if at != len(data):
            raise self._bad("its central directory has more in it than its end record counts")

    def _judge_entry(self, path: str, made_by: int, flags: int, method: int, attributes: int) -> None:
        if flags & _FORBIDDEN_FLAGS:
            raise self._bad(f"{path} is encrypted or patched")
        if method not in (0, 8):
            raise self._bad(f"{path} uses compression method {method}; use stored (0) or deflate (8)")
        kind = stat.S_IFMT(attributes >> 16) if made_by >> 8 == 3 else 0  # 3: made on Unix
        plain = (0, stat.S_IFREG, stat.S_IFDIR) if path.endswith("/") else (0, stat.S_IFREG)
        if kind not in plain:
            raise self._bad(f"{path} is neither a plain file nor a directory")

    def _path(self, name: bytes, flags: int) -> str:
        try:
            path = name.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            raise self._bad(f"the member name {name[:80]!r} is not UTF-8 marked as such") from None
        reason = unsafe_path(path)
        if reason:
            raise self._bad(f"the member name {path[:80]!r} {reason}")
        return path

    def _extras(self, data: bytes, path: str) -> bytes | None:
        """Return the zip64 extra field, if there is one; refuse what can be read in two ways."""
        at, wide = 0, None
        while at < len(data):
            if at + 4 > len(data):
                raise self._bad(f"{path} has a malformed extra field")
            kind, length = struct.unpack_from("<2H", data, at)
            value, at = data[at + 4 : at + 4 + length], at + 4 + length
            if at > len(data):
                raise self._bad(f"{path} has a malformed extra field")
            if kind == _EXTRA_UNICODE_PATH:
                raise self._bad(f"{path} carries a second name in an extra field")
            if kind == _EXTRA_ZIP64:
                if wide is not None:
                    raise self._bad(f"{path} has two zip64 extra fields")
                wide = value
        return wide

    def _widen(
        self, extra: bytes | None, narrow: tuple[int, int, int, int], path: str
    ) -> tuple[int, int, int, int]:
        """Replace the fields that are at their maximum by those of the zip64 extra (APPNOTE 4.5.3)."""
        limits = (MAX32, MAX32, MAX32, MAX16)
        wanted = [index for index, limit in enumerate(limits) if narrow[index] == limit]
        length = sum(4 if index == 3 else 8 for index in wanted)
        if len(extra or b"") != length:
            raise self._bad(f"the zip64 sizes of {path} do not fit its entry")
        values, at = list(narrow), 0
        for index in wanted:
            form = "<L" if index == 3 else "<Q"
            (values[index],) = struct.unpack_from(form, extra or b"", at)
            at += struct.calcsize(form)
        return values[0], values[1], values[2], values[3]

    def _locals(self, entries: list[tuple[Member, int, bytes]], directory: int) -> tuple[list[Member], int]:
        """Compare each local header with its entry; together they must fill [0, `directory`)."""
        ends = [entry[0].header for entry in sorted(entries, key=lambda entry: entry[0].header)]
        if ends[0] != 0:
            raise self._bad("bytes precede the first member")
        following = dict(pairwise([*ends, directory]))
        if len(following) != len(entries):
            raise self._bad("two members share the same bytes")
        streamed, checked = 0, []
        for member, flags, name in entries:
            data = self._local(member, flags, name)
            gap = following[member.header] - data - member.compressed
            if flags & _STREAMED:
                streamed += 1
                self._descriptor(member, data + member.compressed, gap)
            elif gap != 0:
                raise self._bad(f"bytes hide after {member.path}, or it overlaps the next member")
            checked.append(
                Member(
                    path=member.path,
                    size=member.size,
                    compressed=member.compressed,
                    crc=member.crc,
                    method=member.method,
                    header=member.header,
                    data=data,
                )
            )
        return checked, streamed

    def _local(self, member: Member, flags: int, name: bytes) -> int:
        """Check one local header against its central entry; return where its data begins."""
        path, header = member.path, self._at(member.header, 30)
        signature, _, local_flags, method, _, _, crc, packed, size, name_length, extra_length = struct.unpack(
            "<4s5H3L2H", header
        )
        if signature != _LOCAL:
            raise self._bad(f"there is no local header for {path}")
        rest = self._at(member.header + 30, name_length + extra_length)
        if rest[:name_length] != name:
            raise self._bad(f"the local header of {path} carries another name")
        if method != member.method or (local_flags ^ flags) & _COMPARED_FLAGS:
            raise self._bad(f"local header and central entry of {path} disagree")
        wide = self._extras(rest[name_length:], path)
        if wide is not None:
            # Bazel's zipper writes the field although it needs none: harmless while every reading agrees.
            full = struct.unpack("<2Q", wide) if len(wide) == 16 else ()
            if not full or size not in (MAX32, full[0]) or packed not in (MAX32, full[1]):
                raise self._bad(f"the zip64 sizes of {path} do not fit its local header")
            size, packed = full
        said = (crc, packed, size)
        if said != (member.crc, member.compressed, member.size) and not (flags & _STREAMED and not any(said)):
            raise self._bad(f"the local header of {path} gives other sizes or another checksum")
        if member.method == 0 and member.size != member.compressed:
            raise self._bad(f"{path} is stored, yet its two sizes differ")
        return member.header + 30 + len(rest)

    def _descriptor(self, member: Member, at: int, gap: int) -> None:
        if member.method == 0 and member.size:
            # The end of stored bytes cannot be found by a reader that comes from the start.
            raise self._bad(f"{member.path} is stored and carries its size after its data")
        if gap not in (12, 16, 20, 24):
            raise self._bad(f"bytes hide after {member.path}, or it overlaps the next member")
        data = self._at(at, gap)
        if gap in (16, 24):
            if not data.startswith(_DESCRIPTOR):
                raise self._bad(f"the data descriptor of {member.path} is malformed")
            data = data[4:]
        said = struct.unpack("<3L" if len(data) == 12 else "<L2Q", data)
        if said != (member.crc, member.compressed, member.size):
            raise self._bad(f"the data descriptor of {member.path} gives other sizes or another checksum")

    def _judge_names(self, members: list[Member]) -> None:
        reason = colliding_paths([member.path for member in members])
        if reason:
            raise self._bad(reason)
        for member in members:
            if member.directory and member.size:
                raise self._bad(f"the directory {member.path} carries data")
