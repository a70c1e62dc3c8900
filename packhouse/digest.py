"""Digests: the one spelling (lower-case hex) and a hasher that also counts.

md5 is there because conda records carry it (CEP 36), blake2b-256 because PyPI uploads claim it; only
SHA-256 decides identity.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

from packhouse.errors import Malformed

Sha256 = NewType("Sha256", str)

_HEX_LENGTH = {"sha256": 64, "md5": 32, "blake2b_256": 64}
_LOWER_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Digests:
    """What one pass over the bytes found: hex digests and the size in bytes."""

    sha256: Sha256
    md5: str
    blake2b_256: str
    size: int

    def get(self, algorithm: str) -> str:
        """Return the digest named `sha256`, `md5` or `blake2b_256`."""
        return {"sha256": self.sha256, "md5": self.md5, "blake2b_256": self.blake2b_256}[algorithm]


class Hasher:
    """Digest and count a stream of bytes in one pass."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._blake2b = hashlib.blake2b(digest_size=32)
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes; releases the GIL for chunks over 2 KiB."""
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self._blake2b.update(chunk)
        self.size += len(chunk)

    def digests(self) -> Digests:
        """Return the digests of everything taken so far."""
        return Digests(
            sha256=Sha256(self._sha256.hexdigest()),
            md5=self._md5.hexdigest(),
            blake2b_256=self._blake2b.hexdigest(),
            size=self.size,
        )


def digest(chunks: Iterable[bytes]) -> Digests:
    """Digest an iterable of byte chunks."""
    hasher = Hasher()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.digests()


def parse_digest(algorithm: str, text: str) -> str:
    """Return a claimed digest as lower-case hex.

    Args:
        algorithm: `sha256`, `md5` or `blake2b_256`.
        text: hex, upper or lower case, as every measured client sends it.

    Raises:
        Malformed: wrong length, or a character that is not hex.
    """
    lowered = text.strip().lower()
    if len(lowered) != _HEX_LENGTH[algorithm] or not _LOWER_HEX.fullmatch(lowered):
        length = _HEX_LENGTH[algorithm]
        raise Malformed(
            f"the claimed {algorithm} {text[:80]!r} is not {length} hexadecimal digits: send it as hex"
        )
    return lowered


def parse_sha256(text: str) -> Sha256:
    """Return a SHA-256 as 64 lower-case hex digits, or raise `Malformed`."""
    return Sha256(parse_digest("sha256", text))
