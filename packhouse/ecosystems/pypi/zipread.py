"""The content of the members of a strictly framed zip, as streams."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.zipwalk import Layout, Member, ZipWalker
from packhouse.errors import BadArchive

_CHUNK = 1 << 20


class ZipReader:
    """One zip whose framing was judged when it was opened; members may be read in any order, interleaved."""

    def __init__(self, file: BinaryIO, filename: str, limits: Limits) -> None:
        self._file, self._filename, self._limits = file, filename, limits
        self.layout: Layout = ZipWalker(file, filename, limits).layout()

    def _bad(self, reason: str) -> BadArchive:
        return BadArchive(self._filename, reason)

    def stream(self, member: Member) -> Iterator[bytes]:
        """Yield the bytes of one member in chunks of at most 1 MiB, its size and checksum verified at the end.

        Raises:
            BadArchive: the bytes do not inflate to exactly the size and checksum that its entry gives.
        """
        crc, size = 0, 0
        for chunk in self._inflated(member) if member.method == 8 else self._packed(member):
            size += len(chunk)
            if size > member.size:
                raise self._bad(f"{member.path} unpacks to more than the {member.size} bytes it claims")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if size != member.size or crc != member.crc:
            raise self._bad(f"{member.path} does not have the size and checksum that its entry gives")

    def _packed(self, member: Member) -> Iterator[bytes]:
        at, end = member.data, member.data + member.compressed
        while at < end:
            self._file.seek(at)  # another member may have been read in between
            chunk = self._file.read(min(end - at, _CHUNK))
            if not chunk:
                raise self._bad("the zip is cut short")
            at += len(chunk)
            yield chunk

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-15)  # raw deflate
        ended_early = f"the compressed data of {member.path} does not end where its entry says"
        try:
            for packed in self._packed(member):
                if inflate.eof:
                    raise self._bad(ended_early)
                chunk = inflate.decompress(packed, _CHUNK)
                while chunk:
                    yield chunk
                    chunk = inflate.decompress(inflate.unconsumed_tail, _CHUNK)
        except zlib.error as error:
            raise self._bad(f"{member.path} does not decompress ({error})") from error
        if not inflate.eof or inflate.unused_data:
            raise self._bad(ended_early)

    def verify(self, member: Member) -> None:
        """Read one member to its end, which verifies its size and checksum."""
        for _ in self.stream(member):
            continue

    def read(self, member: Member) -> bytes:
        """Return one small member whole.

        Raises:
            BadArchive: it is larger than `Limits.member_bytes`, or not what its entry says.
        """
        if member.size > self._limits.member_bytes:
            limit = self._limits.member_bytes
            raise self._bad(f"{member.path} is {member.size} bytes, at most {limit} are allowed")
        return b"".join(self.stream(member))
