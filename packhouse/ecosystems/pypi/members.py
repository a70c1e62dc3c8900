"""Member paths of zips and tars: what is refused, whatever the archive around them."""

import unicodedata
from collections.abc import Iterable

RATIO, RATIO_FLOOR = 50, 64 << 20
"""An archive that unpacks to more than 50 times its size is a bomb, once that is above 64 MiB."""

MAX_PATH = 1024

def unsafe_path(path: str) -> str | None:
    """Return why a member path is refused, or None.

    Allowed is a relative path of plain segments; a trailing slash marks a directory.
    """
    if not path or len(path) > MAX_PATH:
        return f"is empty or longer than {MAX_PATH} characters"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in path):
        return "contains control characters"
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "is not UTF-8"
    if "\\" in path:
        return "contains a backslash"
    if path.startswith("/") or path[1:2] == ":":
        return "is absolute"
    if any(segment in ("", ".", "..") for segment in path.removesuffix("/").split("/")):
        return "has an empty, . or .. segment"
    return None


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
