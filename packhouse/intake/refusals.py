"""What the inbox refused, and why: read from `inbox/.refused/`, where `intake/inbox.py` puts it."""

import os
import stat as stat_bits
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packhouse.house import House

REFUSED = "inbox/.refused"

_SUFFIX = ".reason"
_LONGEST = 4000
"""Bytes of a reason that are read; the inbox writes one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refused file.

    Attributes:
        path: of the file, relative to `inbox/.refused/`.
        reason: the sentence of the refusal.
        at_us: when, microseconds since 1970 UTC.
    """

    path: str
    reason: str
    at_us: int


def refused(house: House) -> Sequence[Refusal]:
    """Return every refusal that lies there still, the latest first.

    Whoever may drop files may not make others read something else: no symbolic link is followed.
    """
    top = house.data / REFUSED
    if not top.is_dir():
        return ()
    found = []
    for folder, _, names, fd in os.fwalk(top, follow_symlinks=False):
        for name in names:
            if name.endswith(_SUFFIX) and not name.startswith("."):  # with a dot: it is being written
                path = Path(folder).relative_to(top) / name.removesuffix(_SUFFIX)
                with suppress(OSError):  # somebody empties the folder meanwhile
                    found.append(_read(str(path), name, fd))
    return sorted(found, key=lambda item: (-item.at_us, item.path))


def _read(path: str, name: str, folder: int) -> Refusal:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        stat = os.fstat(fd)
        text = os.read(fd, _LONGEST) if stat_bits.S_ISREG(stat.st_mode) else b""
    finally:
        os.close(fd)
    reason = text.decode("utf-8", "replace").strip()
    # A name in the inbox may be any bytes; a page and a terminal take text.
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Refusal(path=shown, reason=reason, at_us=stat.st_mtime_ns // 1000)
