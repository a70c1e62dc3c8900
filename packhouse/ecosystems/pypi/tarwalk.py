"""Strict reading of `.tar.gz`: one gzip member, one tar in it, headers that every reader understands alike.

The stdlib reader is lenient where readers disagree (sizes given twice, members after the end mark) and reads
extended headers of any size into memory; so the records are walked here. Nothing is extracted.

Source: POSIX.1-2008 pax interchange format; RFC 1952.
"""

import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import BinaryIO

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.members import MAX_PATH, RATIO, RATIO_FLOOR, colliding_paths, unsafe_path
from packhouse.errors import BadArchive

_CHUNK = 1 << 20
_BLOCK = 512
_MAX_EXTENDED = 1 << 20
"""Bytes of one extended header: it is held in memory."""

_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TarMember:
    """One file, directory (`path` ends in a slash) or link (`target` is not empty) of a tar."""

    path: str
    size: int
    target: str = ""
    symbolic: bool = False


class GzipStream:
    """Reads the one member of a gzip file, forwards only, counting what comes out."""

    def __init__(self, file: BinaryIO, filename: str) -> None:
        self._file, self._filename = file, filename
        self._packed = file.seek(0, 2)
        file.seek(0)
        self._inflate = zlib.decompressobj(wbits=31)  # 31: a gzip header and trailer, checksum verified
        self.total = 0
        """Bytes decompressed so far."""

    def _bad(self, reason: str) -> BadArchive:
        return BadArchive(self._filename, reason)

    def chunks(self) -> Iterator[bytes]:
        """Yield the decompressed bytes in chunks of at most 1 MiB; check what follows the member at the end."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_CHUNK)
            try:
                data = self._inflate.decompress(packed, _CHUNK)
            except zlib.error as error:
                raise self._bad(f"it does not decompress ({error})") from error
            if not packed and not data and not self._inflate.eof:
                raise self._bad("its gzip stream is cut short")
            self.total += len(data)
            if self.total > RATIO_FLOOR and self.total > RATIO * self._packed:
                raise self._bad(f"it unpacks to more than {RATIO} times its size")
            if data:
                yield data
        rest = self._inflate.unused_data
        while rest:
            if rest.strip(b"\0"):
                raise self._bad("bytes follow its gzip stream")
            rest = self._file.read(_CHUNK)


class TarReader:
    """Reads one tar strictly; every oddity is a `BadArchive` that names the reason."""

    def __init__(self, file: BinaryIO, filename: str, limits: Limits) -> None:
        self._filename, self._limits = filename, limits
        self._gzip = GzipStream(file, filename)
        self._chunks = self._gzip.chunks()
        self._buffer = b""
        self.complete = True
        """Whether all of it was looked at; False once `Limits.scan_bytes` stopped the walk."""

    def _bad(self, reason: str) -> BadArchive:
        return BadArchive(self._filename, reason)

    def _take(self, length: int) -> bytes:
        """Return exactly `length` bytes."""
        parts, have = [self._buffer], len(self._buffer)
        while have < length:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise self._bad("the tar is cut short")
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts) if len(parts) > 1 else self._buffer
        self._buffer = data[length:]
        return data[:length]

    def _skip(self, length: int) -> None:
        while length > len(self._buffer):
            length -= len(self._buffer)
            self._buffer = b""
            chunk = next(self._chunks, None)
            if chunk is None:
                raise self._bad("the tar is cut short")
            self._buffer = chunk
        self._buffer = self._buffer[length:]

    def members(self, wanted: str) -> tuple[list[TarMember], dict[str, bytes]]:
        """Walk the tar to its end.

        Args:
            wanted: the last segment of second-level files that are kept whole (`PKG-INFO`).

        Returns:
            The members in order, and path to bytes of the wanted files.

        Raises:
            BadArchive: devices, sparse files, links out of the root, unsafe or colliding names, anything that
                two readers would understand differently, or a limit broken.
        """
        members: list[TarMember] = []
        kept: dict[str, bytes] = {}
        while (entry := self._next()) is not None:
            info, member = entry
            members.append(member)
            if len(members) > self._limits.members:
                raise self._bad(f"it has more than {self._limits.members} members")
            if not member.target and member.path.split("/")[1:] == [wanted]:
                if kept:  # also bounds what is held in memory
                    raise self._bad(f"it has {member.path} and {next(iter(kept))}")
                kept[member.path] = self._payload(info)
            else:
                self._skip(_padded(info.size))
            if self._gzip.total > self._limits.scan_bytes:
                self.complete = False
                break
        self._judge(members)
        return members, kept

    def _next(self) -> tuple[tarfile.TarInfo, TarMember] | None:
        """Read headers up to and including the next member's own; None at the end mark."""
        headers: dict[str, str] = {}
        while (block := self._take(_BLOCK)).strip(b"\0"):
            info = self._header(block)
            if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
                self._extended(info, headers)
            elif info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
                key = "path" if info.type == tarfile.GNUTYPE_LONGNAME else "linkpath"
                if key in headers:
                    raise self._bad("a member has two long names")
                headers[key] = self._text(self._payload(info)).split("\0", 1)[0]
            else:
                return info, self._member(info, headers)
        if headers:
            raise self._bad("its last extended header belongs to no member")
        self._finish()
        return None

    def _header(self, block: bytes) -> tarfile.TarInfo:
        try:
            # surrogateescape: an owner's name may be in any encoding; a member's is judged by `unsafe_path`
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._bad(f"it holds something that is not a tar header ({error})") from error
        if info.size < 0:
            raise self._bad("a tar header gives a negative size")
        return info

    def _payload(self, info: tarfile.TarInfo) -> bytes:
        limit = self._limits.member_bytes if info.type in _FILES else _MAX_EXTENDED
        if info.size > limit:
            raise self._bad(f"{info.name[:80]} is {info.size} bytes, at most {limit} are allowed")
        return self._take(_padded(info.size))[: info.size]

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._bad("a member name is not UTF-8") from None

    def _extended(self, info: tarfile.TarInfo, headers: dict[str, str]) -> None:
        """Take the records of a pax header: length, space, keyword, `=`, value, newline."""
        data, at = self._payload(info), 0
        while at < len(data):
            length, space, _ = data[at : at + 12].partition(b" ")
            end = at + int(length) if length.isdigit() else 0
            record = data[at + len(length) + 1 : end - 1]
            keyword, equals, value = record.partition(b"=")
            if not (space and equals and end <= len(data) and data[end - 1 : end] == b"\n"):
                raise self._bad("it has a malformed pax header")
            at, name = end, self._text(keyword)
            if name in ("path", "linkpath", "size") or name.startswith("GNU.sparse"):
                # A global header would rename or resize every member; readers differ in whether it does.
                if info.type == tarfile.XGLTYPE or name in headers or name.startswith("GNU.sparse"):
                    raise self._bad(
                        f"its pax header sets {name} in a way that readers understand differently"
                    )
                headers[name] = self._text(value)

    def _member(self, info: tarfile.TarInfo, headers: dict[str, str]) -> TarMember:
        """Judge one member by its own header and the extended headers before it."""
        path = headers.get("path", info.name)
        target = headers.get("linkpath", info.linkname)
        if headers.get("size", str(info.size)) != str(info.size):
            # Readers that believe one size find other members than readers that believe the other.
            raise self._bad(f"{path[:80]} has two different sizes")
        reason = unsafe_path(path)
        if reason:
            raise self._bad(f"the member name {path[:80]!r} {reason}")
        if info.type == tarfile.DIRTYPE:
            if info.size:
                raise self._bad(f"the directory {path} carries data")
            return TarMember(path=path.removesuffix("/") + "/", size=0)
        if info.type in _FILES:
            if path.endswith("/"):
                raise self._bad(f"{path} is a file whose name ends in a slash")
            return TarMember(path=path, size=info.size)
        if info.type in _LINKS:
            if info.size or not 0 < len(target) <= MAX_PATH or path.endswith("/"):
                raise self._bad(f"the link {path} is malformed")
            return TarMember(path=path, size=0, target=target, symbolic=info.type == tarfile.SYMTYPE)
        kind = "sparse" if info.type == tarfile.GNUTYPE_SPARSE else "neither a file, a directory nor a link"
        raise self._bad(f"{path} is {kind}")

    def _finish(self) -> None:
        """Only NULs may follow the end mark; reading on verifies gzip's checksum as well."""
        rest = self._buffer
        while True:
            if rest.strip(b"\0"):
                raise self._bad("bytes follow the end of the tar")
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            rest = chunk

    def _judge(self, members: list[TarMember]) -> None:
        """Judge what only all members together show."""
        # A directory may be named again: extracting it twice changes nothing.
        directories = dict.fromkeys(member.path for member in members if member.path.endswith("/"))
        others = [member.path for member in members if not member.path.endswith("/")]
        reason = colliding_paths([*directories, *others])
        if reason:
            raise self._bad(reason)
        for member in members:
            if member.target and _escapes(member):
                raise self._bad(f"the link {member.path} leads out of the archive: {member.target[:80]!r}")


def _escapes(member: TarMember) -> bool:
    """Whether a link's target may lie outside its top-level directory.

    `..` is allowed only at the start of a symbolic target: after a name it could climb out of another link's
    destination, which no look at the text can see. No member lies below a link: a link counts as a file.
    """
    target, root = member.target, member.path.split("/", 1)[0]
    if target.startswith("/") or "\\" in target or ":" in target or not target.isprintable():
        return True
    parts = target.split("/")
    if not member.symbolic:
        return ".." in parts or parts[0] != root
    climbs = sum(1 for _ in takewhile(lambda part: part == "..", parts))
    if ".." in parts[climbs:]:
        return True
    place = posixpath.normpath(posixpath.join(posixpath.dirname(member.path), target))
    return place.split("/", 1)[0] != root


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
