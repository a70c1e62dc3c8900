"""Opening a data directory of this machine for one command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packhouse.house import House, open_house


@contextmanager
def opened(data: Path) -> Iterator[House]:
    """Open a data directory for one command and close it again."""
    house = open_house(data.absolute())
    try:
        yield house
    finally:
        house.close()
