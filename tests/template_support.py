"""What tests start from, made once per test process and copied: making it takes many times as long."""

import shutil
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import TypeVar

from packhouse.catalog.passwords import hash_password

Made = TypeVar("Made")

_room: list[Path] = []
_templates: dict[Hashable, tuple[Path, object]] = {}


def keep_in(room: Path) -> None:
    """Say where templates are kept, at the start of the test run."""
    _room.append(room)


def copy_of(make: Callable[..., Made], target: Path, *arguments: Hashable) -> Made:
    """Let `target` be what `make(target, *arguments)` would make, and return what that returned.

    It is called once for the same arguments, in another folder: whatever it opens has to be closed when it returns.
    """
    key = (make, arguments)
    if key not in _templates:
        folder = _room[-1] / str(len(_templates))
        _templates[key] = folder, make(folder, *arguments)
    folder, made = _templates[key]
    shutil.copytree(folder, target, dirs_exist_ok=True)
    return made


stored_password = cache(hash_password)
"""A password as the catalog keeps it. Hashing takes a while on purpose: tests of hashing call `hash_password`."""
