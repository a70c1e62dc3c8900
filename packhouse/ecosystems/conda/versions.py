"""Conda versions: which text is one, and how two of them compare (CEP 33).

Everything here is linear in the length of the text, and the length is checked first.
"""

import math
import re
from collections.abc import Iterable
from functools import cmp_to_key
from itertools import zip_longest

MAX_VERSION = 64
"""CEP 26: a version string has at most 64 characters."""

MAX_NUMBER = 2**31 - 1
"""The largest run of digits that every client can hold."""

# No two neighbouring parts of these patterns accept the same character, so there is nothing to backtrack into.
_RELEASE = re.compile(r"(?:[0-9]{1,9}!)?[0-9a-z]+(?:[._][0-9a-z]+)*_?(?:\+[0-9a-z]+(?:[._][0-9a-z]+)*)?")
_BOUND = re.compile(
    r"(?:[0-9]{1,9}!)?[0-9a-zA-Z]+(?:[._-][0-9a-zA-Z]+)*[_-]?(?:\+[0-9a-zA-Z]+(?:[._-][0-9a-zA-Z]+)*)?"
)
_NUMBER = re.compile(r"[0-9]+")
_ATOM = re.compile(r"[0-9]+|[^0-9]+")
_PRE = re.compile(r"(?:dev|rc|alpha|beta|pre)|(?:^|[0-9._])(?:a|b)[0-9]")

_Atom = tuple[int, float, str]
_ZERO: _Atom = (1, 0, "")


def version_problem(text: str, *, max_number: int = MAX_NUMBER) -> str:
    """Say what keeps `text` from being the version of a package; empty if nothing does.

    Args:
        text: the version, as the file name and info/index.json spell it.
        max_number: the largest run of digits to allow.

    Source: CEP 26 (at most 64 characters of `[0-9a-z._+!]`), CEP 33 (one epoch, one local part, no empty part).
    """
    if not text or len(text) > MAX_VERSION:
        return f"a version has 1 to {MAX_VERSION} characters"
    if not _RELEASE.fullmatch(text):
        return (
            "a version is lower-case letters and digits in parts joined by . or _, "
            "with at most one epoch before ! and one local part after + (CEP 33)"
        )
    if any(int(run) > max_number for run in _NUMBER.findall(text)):
        return f"a number in a version is at most {max_number}"
    return ""


def bound_problem(text: str) -> str:
    """Say what keeps `text` from being a version inside a match spec; empty if nothing does.

    Specs may also spell versions with capitals and with dashes (not together with underscores).
    """
    if not text or len(text) > MAX_VERSION or not _BOUND.fullmatch(text):
        return f"{text[:80]!r} is not a version"
    if "-" in text and "_" in text:
        return f"{text!r} mixes - and _"
    if any(int(run) > 2**63 - 1 for run in _NUMBER.findall(text)):
        return f"{text!r} holds a number that is too large"
    return ""


def _atom(text: str) -> _Atom:
    if text[0].isdigit():
        return (1, int(text), "")
    if text == "post":
        return (1, math.inf, "")  # CEP 33: "post" is larger than every number
    if text == "dev":
        return (
            0,
            0,
            "DEV",
        )  # CEP 33: "dev" is smaller than every other string; capitals sort before _ and a-z
    return (0, 0, text)


def _parts(text: str) -> list[list[_Atom]]:
    """Split into parts, each a list of atoms that begins with a number."""
    # CEP 33: a trailing underscore belongs to the last part (openssl's way of a release before 1.0.1a).
    tail = "_" if text.endswith("_") else ""
    parts = text.removesuffix("_").replace("_", ".").split(".")
    parts[-1] += tail
    return [
        atoms if atoms and atoms[0][0] == 1 and part[0].isdigit() else [_ZERO, *atoms]
        for part in parts
        for atoms in [[_atom(run) for run in _ATOM.findall(part)]]
    ]


def _split(version: str) -> tuple[list[list[_Atom]], list[list[_Atom]]]:
    text = version.lower().replace("-", "_")
    epoch, mark, rest = text.rpartition("!")
    release, _, local = rest.partition("+")
    head: list[list[_Atom]] = [[(1, int(epoch) if mark else 0, "")]]
    return head + _parts(release), _parts(local) if local else []


def compare(left: str, right: str) -> int:
    """Compare two valid versions by CEP 33: negative, zero or positive.

    Missing atoms count as 0, missing parts as empty: 1.1 equals 1.1.0, and 1.1a is before 1.1.
    """
    nothing: list[_Atom] = []
    for ours, theirs in zip(_split(left), _split(right), strict=True):
        for part, other in zip_longest(ours, theirs, fillvalue=nothing):
            for atom, opposite in zip_longest(part, other, fillvalue=_ZERO):
                if atom != opposite:
                    return -1 if atom < opposite else 1
    return 0


order = cmp_to_key(compare)
"""Sort key of a valid version."""


def is_prerelease(version: str) -> bool:
    """Whether a version reads as one before a final release: dev, rc, alpha, beta, pre, or a1 and b1.

    Conda's own order knows no such class; a bare letter (openssl's 1.0.2a) is a final release.
    """
    return bool(_PRE.search(version.partition("+")[0]))


def newest(versions: Iterable[str]) -> str:
    """Return the newest of n >= 1 versions, final before pre-release.

    A text that is no version is older than all that are, so that one odd row never hides a page. Versions that
    compare equal (1.0 and 1.0.0) are told apart by their text, so that the order of rows never matters.
    """
    given = sorted(set(versions))
    valid = [text for text in given if not version_problem(text, max_number=2**63 - 1)]
    final = [text for text in valid if not is_prerelease(text)]
    return max(final or valid, key=order, default="") or given[-1]


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions sorted, oldest first; a text that is no version comes before those that are.

    Versions that compare equal (1.0 and 1.0.0) are told apart by their text: last is the one that `newest` prefers.
    """
    given = sorted(set(versions), reverse=True)
    odd = {text for text in given if version_problem(text, max_number=2**63 - 1)}
    return sorted(odd) + sorted((text for text in given if text not in odd), key=order)
