"""Working on a data directory of this machine: opening it for one command, and noting what was done."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from packhouse.errors import PackhouseError
from packhouse.house import House, open_house
from packhouse.model import Principal

LOCAL = Principal(name="local", kind="local", admin=True, via="local", address="local")
"""Whoever may write into the data directory: nobody stands above them, and the audit log knows no more of them."""


@contextmanager
def opened(data: Path) -> Iterator[House]:
    """Open a data directory for one command and close it again."""
    house = open_house(data.absolute())
    try:
        yield house
    finally:
        house.close()


@dataclass(slots=True)
class Line:
    """What the audit log will say; the block may learn more of it."""

    object: str
    note: str = ""


@contextmanager
def noted(house: House, action: str, object_: str, note: str = "") -> Iterator[Line]:
    """Note in the audit log what the block does, with the code of the refusal where it is refused.

    Args:
        house: where.
        action: one or two words, as the daemon's routes have them: `user create`.
        object_: what it is done to; never a secret.
        note: more, in words; never a secret.
    """
    line, audit = Line(object_, note), house.catalog.audit
    try:
        yield line
    except PackhouseError as error:
        # Where the catalog cannot be written this fails too, and the first refusal is the one to tell.
        with suppress(PackhouseError):
            audit.note(LOCAL, action, line.object, outcome=error.code, note=line.note)
        raise
    audit.note(LOCAL, action, line.object, note=line.note)
