"""Member paths of zips and tars: what is refused, whatever the archive around them."""

import tarfile
import unicodedata
from collections.abc import Iterable

RATIO, RATIO_FLOOR = 50, 64 << 20
"""An archive that unpacks to more than 50 times its size is a bomb, once that is above 64 MiB."""

MAX_PATH = 1024


def unsafe_path(path: str) -> str | None:
    """Return why a member path is refused, or None.

    Allowed is a relative path of plain segments; a trailing slash marks a directory.
    """
    segments = path.removesuffix("/").split("/")
    reasons = (
        (not path or len(path) > MAX_PATH, f"is empty or longer than {MAX_PATH} characters"),
        (any(character < " " or character == "\x7f" for character in path), "contains control characters"),
        (any("\ud800" <= character <= "\udfff" for character in path), "is not UTF-8"),
        ("\\" in path, "contains a backslash"),
        (path.startswith("/") or path[1:2] == ":", "is absolute"),
        (any(segment in ("", ".", "..") for segment in segments), "has an empty, . or .. segment"),
    )
    return next((reason for broken, reason in reasons if broken), None)


def colliding_paths(paths: Iterable[str]) -> str | None:
    """Return why some member paths cannot lie beside each other on every file system, or None."""
    paths = tuple(paths)
    files = {path for path in paths if not path.endswith("/")}
    folded: dict[str, str] = {}
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            return f"{path} is there twice"
        seen.add(path)
        parent = path.removesuffix("/")
        while parent:
            first = folded.setdefault(_fold(parent), parent)
            if first != parent:
                return f"{first} and {parent} differ only by case or accents' encoding"
            parent = parent.rpartition("/")[0]
            if parent in files:
                return f"{parent} is a file and a directory"
        if path.endswith("/") and path.removesuffix("/") in files:
            return f"{path.removesuffix('/')} is a file and a directory"
    return None


def _fold(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def looks_like_tar(block: bytes) -> bool:
    """Whether the first 512 bytes are a tar header with a right checksum."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
