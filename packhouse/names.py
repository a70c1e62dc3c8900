"""The safety gate: text from outside becomes a name here, once, or is refused.

Nothing else builds paths from text. A value of one of these types holds only `[A-Za-z0-9._+!-]`, starts
neither with a dot nor with a dash, ends neither with a dot nor with a space, and is short enough that every
sidecar name still fits a file system. What a conda or Python name *means* is the ecosystems' business.
"""

import re
from typing import NewType

from packaging.utils import canonicalize_name

from packhouse.errors import BadName

Filename = NewType("Filename", str)
ChannelName = NewType("ChannelName", str)
ProjectName = NewType("ProjectName", str)
Subdir = NewType("Subdir", str)
Segment = NewType("Segment", str)

MAX_FILENAME = 211
"""CEP 26: a distribution file name has at most 211 characters; `.metadata` and friends still fit 255."""

MAX_SEGMENT = 128

# ASCII only: `\\w` and `\\d` would match other scripts, and look-alikes would become second trees.
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*")
_SAFE_RULE = "use ASCII letters, digits and . _ + ! - only, starting with a letter, digit or underscore"

# CEP 26: channel path component. Lower case, so that two channels never differ by case alone.
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9_.-]*")

# PEP 508 names, before normalisation (PEP 503).
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")

# Devices that Windows clients cannot store, whatever the extension.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))})

SUBDIRS: frozenset[str] = frozenset(
    """noarch
    linux-32 linux-64 linux-aarch64 linux-armv6l linux-armv7l linux-loongarch64 linux-ppc linux-ppc64
    linux-ppc64le linux-s390x linux-riscv32 linux-riscv64
    osx-64 osx-arm64 win-32 win-64 win-arm64 freebsd-64 freebsd-aarch64
    emscripten-wasm32 emscripten-wasm64 wasi-wasm32 zos-z
    ios-arm64 ios-x86-64 android-arm64 android-x86-64""".split()  # noqa: SIM905 - a list reads worse
)
"""The subdirs clients know. An index in any other directory would be skipped by them in silence."""

RESERVED_CHANNELS: frozenset[str] = (
    frozenset(
        """api simple pypi legacy packages products product admin acct account t _ .well-known health
        restricted register fetch prune search assets static state public private incoming inbox anaconda
        cloudsmith graphql label shards conda generic replaced""".split()  # noqa: SIM905 - a list reads worse
    )
    | SUBDIRS
)
"""First path segments that mean something else (DESIGN: reserved channel names)."""


def _parse_safe(kind: str, text: str, limit: int) -> str:
    if not text:
        raise BadName(kind, text, "it is empty")
    if len(text) > limit:
        raise BadName(kind, text, f"it has {len(text)} characters, at most {limit} are allowed")
    if not _SAFE.fullmatch(text):  # fullmatch: `$` would let a trailing newline through
        raise BadName(kind, text, _SAFE_RULE)
    if text.endswith("."):
        raise BadName(kind, text, "it must not end with a dot")
    if text.split(".", 1)[0].casefold() in _DEVICES:
        raise BadName(kind, text, "Windows reserves that name for a device")
    return text


def parse_filename(text: str) -> Filename:
    """Return a file name that is safe as one path segment.

    Raises:
        BadName: empty, over 211 characters, a character outside the safe set, a leading dot or dash,
            a trailing dot, or a Windows device name.
    """
    return Filename(_parse_safe("file name", text, MAX_FILENAME))


def parse_segment(kind: str, text: str) -> Segment:
    """Return a path segment (a product, a version, ...) of at most 128 safe characters, or raise `BadName`."""
    return Segment(_parse_safe(kind, text, MAX_SEGMENT))


def parse_channel(text: str) -> ChannelName:
    """Return a channel name.

    Lower case, one path segment (clients take the last segment of the URL for the channel), at most 128
    characters (CEP 26) and none of the reserved words.

    Raises:
        BadName: it breaks one of these rules.
    """
    kind = "channel name"
    _parse_safe(kind, text, MAX_SEGMENT)
    if not _CHANNEL.fullmatch(text):
        raise BadName(
            kind, text, "use lower-case letters, digits and . _ - only, starting with a letter or digit"
        )
    if text in RESERVED_CHANNELS:
        raise BadName(kind, text, "the word is reserved for a path of the server; choose another")
    return ChannelName(text)


def parse_project(text: str) -> ProjectName:
    """Return a Python project name in its one normalised spelling.

    PEP 503: "normalized: lowercase with all runs of ., -, or _ replaced with a single -".

    Raises:
        BadName: not a PEP 508 name, or over 128 characters.
    """
    kind = "project name"
    if len(text) > MAX_SEGMENT:
        raise BadName(kind, text, f"it has {len(text)} characters, at most {MAX_SEGMENT} are allowed")
    if not _PROJECT.fullmatch(text):
        raise BadName(
            kind, text, "use ASCII letters, digits and . _ - only, starting and ending with a letter or digit"
        )
    return ProjectName(str(canonicalize_name(text)))


def parse_subdir(text: str) -> Subdir:
    """Return a conda subdir that clients know, or raise `BadName`.

    CEP 26: "noarch" or `<os>-<arch>`, at most 32 characters.
    """
    if text not in SUBDIRS:
        raise BadName(
            "subdir", text, "it is none of the platforms that conda clients know, such as noarch or linux-64"
        )
    return Subdir(text)
