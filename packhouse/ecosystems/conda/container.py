"""The two containers of conda packages as streams of tar members, never extracted (CEP 35).

Strict on purpose. Readers disagree on what an unusual container holds: one takes the first `info-*.tar.zst`,
another the one named after the file, a third the last `info/index.json`. A file that could be two packages is
refused, so that what was judged here is what every client installs.
"""

import bz2
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Protocol, cast

from backports import zstd

from packhouse.ecosystems.conda.framing import ContainerError, Entry, root_entries
from packhouse.ecosystems.conda.strictjson import JsonError, parse_json

WINDOW_LOG_MAX = 27
"""The largest zstd window clients decode; real packages reach it."""

_CHUNK = 1 << 18
_FORMAT = "metadata.json"


class OverrunError(ContainerError):
    """The stream holds more decompressed bytes than it may."""


class Decompressor(Protocol):
    """What `bz2` and `zstd` decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed stream was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are wanted."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream."""
        ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return at most `max_length` decompressed bytes."""
        ...


class Stream:
    """One compressed stream, read forward once, in bounded memory; streams of one file are read one by one.

    Args:
        file: the open package.
        start: first byte of the stream in the file.
        length: bytes of the stream in the file.
        decompressor: a fresh one.
        crc: the CRC-32 that the container states for the compressed bytes, or None.

    Attributes:
        cap: how many decompressed bytes it may hold; set it before reading.
        produced: how many it gave so far.
    """

    def __init__(
        self, file: IO[bytes], start: int, length: int, decompressor: Decompressor, crc: int | None = None
    ) -> None:
        self._file, self._at, self._left, self._decompressor = file, start, length, decompressor
        self._crc, self._stated = 0, crc
        self.cap = 0
        self.produced = 0

    def read(self, size: int = _CHUNK) -> bytes:
        """Return 1 to `size` decompressed bytes, none at the end.

        Raises:
            OverrunError: the stream goes on past `cap` decompressed bytes.
            ContainerError: it is cut short, or something follows it.
        """
        while not self._decompressor.eof:
            chunk = b""
            if self._decompressor.needs_input:
                self._file.seek(self._at)
                chunk = self._file.read(min(_CHUNK, self._left))
                self._at += len(chunk)
                if not chunk:
                    raise ContainerError("its compressed data ends too early")
                self._left -= len(chunk)
                self._crc = zlib.crc32(chunk, self._crc)
            data = self._decompressor.decompress(chunk, max_length=size)
            self.produced += len(data)
            if self.produced > self.cap:
                raise OverrunError(f"it holds more than {self.cap} bytes once decompressed")
            if data:
                return data
        # One stream only: some readers stop here, others read on, and would see another package.
        if self._left or self._decompressor.unused_data:
            raise ContainerError("data follows the end of its compressed stream")
        if self._stated is not None and self._crc != self._stated:
            raise ContainerError("a member's bytes do not match its checksum")
        return b""


def bz2_stream(file: IO[bytes], length: int) -> Stream:
    """Open a `.tar.bz2` file as a stream."""
    return Stream(file, 0, length, bz2.BZ2Decompressor())


def _zstd_stream(file: IO[bytes], entry: Entry) -> Stream:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}
    return Stream(file, entry.start, entry.size, zstd.ZstdDecompressor(options=options), entry.crc)


def open_conda(file: IO[bytes], length: int, stem: str) -> tuple[Stream, Stream]:
    """Return the streams `info` and `pkg` of a `.conda` file.

    CEP 35: a ZIP file, members stored, at its root exactly `metadata.json`, `info-<stem>.tar.zst` and
    `pkg-<stem>.tar.zst`; in any order, as real packages have them.

    Raises:
        ContainerError: any of this does not hold.
    """
    entries = {entry.name: entry for entry in root_entries(file, length)}
    info, pkg = f"info-{stem}.tar.zst", f"pkg-{stem}.tar.zst"
    wanted = {_FORMAT, info, pkg}
    if entries.keys() != wanted:
        odd = ", ".join(repr(name[:80]) for name in sorted(entries.keys() ^ wanted))
        raise ContainerError(f"a .conda file holds {_FORMAT}, {info}, {pkg} and nothing else; compare {odd}")
    form = entries[_FORMAT]
    if form.size > 4096:
        raise ContainerError(f"its {_FORMAT} is larger than 4 KiB")
    file.seek(form.start)
    text = file.read(form.size)
    if zlib.crc32(text) != form.crc:
        raise ContainerError("a member's bytes do not match its checksum")
    try:
        form_version = parse_json(text)
    except JsonError:
        form_version = None
    if form_version != {"conda_pkg_format_version": 2}:
        raise ContainerError(f'its {_FORMAT} is not {{"conda_pkg_format_version": 2}}')
    return _zstd_stream(file, entries[info]), _zstd_stream(file, entries[pkg])


# --- tar ---------------------------------------------------------------------------------------------------


def members(stream: Stream, *, encoding: str = "utf-8") -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield each member of a tar stream, in order; only the current one can be read.

    Raises:
        ContainerError: the stream is damaged, or goes on after its end.
    """
    # Streaming mode: forward only, nothing is ever extracted. Extended headers may hold binary values that nobody
    # reads; names that are no UTF-8 become surrogates here and are refused by `member_problem`.
    with tarfile.open(
        fileobj=_as_file(stream), mode="r|", encoding=encoding, errors="surrogateescape"
    ) as tar:
        for member in tar:
            yield tar, member
        # tarfile stops at one block of zeros or at a header it cannot read, other readers at two blocks of
        # zeros: whatever follows must be zeros, or it could hold members that only others see.
        while rest := _as_stream(tar).read(_CHUNK):
            if rest.strip(b"\0"):
                raise ContainerError("data follows the end of its tar stream")


def _as_file(stream: Stream) -> IO[bytes]:
    return cast("IO[bytes]", stream)  # tarfile's streaming mode calls read() and nothing else


def _as_stream(tar: tarfile.TarFile) -> IO[bytes]:
    return cast("IO[bytes]", tar.fileobj)


def member_problem(member: tarfile.TarInfo) -> str:
    """Say why a member may not be in a package; empty if it may.

    CEP 34 and CEP 35: paths are relative and stay inside the prefix, and so do the targets of links.
    """
    problem = _path_problem(member.name)
    if problem:
        return f"the path {member.name[:120]!r} {problem}"
    if member.issparse() or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        return f"{member.name!r} is neither a file nor a directory nor a link"
    if member.size < 0:
        return f"{member.name!r} has a negative size"
    if member.issym():
        target = posixpath.join(posixpath.dirname(member.name), member.linkname)
        if member.linkname.startswith("/") or posixpath.normpath(target).split("/")[0] == "..":
            return f"the link {member.name!r} leads out of the package to {member.linkname[:120]!r}"
    elif member.islnk() and _path_problem(member.linkname):
        return f"the link {member.name!r} leads out of the package to {member.linkname[:120]!r}"
    return ""


def _path_problem(path: str) -> str:
    if not path or path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return "is not relative"
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return "holds an empty, a . or a .. part"
    if "\\" in path or any(ord(char) < 32 or ord(char) == 127 for char in path):
        return "holds a backslash or a control character"
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "is not UTF-8"
    return ""
