"""Pages for people after one upload, against rendering every page of the channel that lists packages."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from house_support import Direct, take_in
from many_support import count_as_published, fill, name_of
from pypi_support import make_wheel

from indexer.publish import publish
from packhouse import areas
from packhouse.house import House, initialise, open_house
from packhouse.intake.receive import Intake
from packhouse.model import Area
from packhouse.names import ChannelName

CHANNEL = "main"


def after_one_upload(folder: Path, packages: int, tries: int) -> tuple[float, float]:
    """Return milliseconds: of publishing all that one new version touches, and of rendering every list anew.

    The second is what a generator does that does not know what changed. Neither counts the upload itself.

    Args:
        folder: an empty one.
        packages: how many the channel has.
        tries: of how many uploads the median is taken.
    """
    initialise(folder)
    house = open_house(folder)
    try:
        house.create_channel(ChannelName(CHANNEL))
        intake = Intake(house, Direct())
        take_in(intake, *make_wheel("seed", "1.0"), channel=CHANNEL)
        _publish(house, house.catalog.areas.dirty(CHANNEL))
        names = [name_of(number) for number in range(packages)]
        fill(house.catalog, CHANNEL, packages)
        count_as_published(house.catalog, CHANNEL, names)
        lists = sorted({areas.listed(CHANNEL, "pypi", name) for name in names})
        everything = [*lists, areas.search(CHANNEL), areas.front(CHANNEL), areas.SITE]
        _publish(house, everything)
        spent = []
        for number in range(tries):
            take_in(intake, *make_wheel("seed", f"2.{number}"), channel=CHANNEL)
            spent.append(_publish(house, [*house.catalog.areas.dirty(CHANNEL), areas.SITE]))
        return sorted(spent)[tries // 2], _publish(house, everything)
    finally:
        house.close()


def _publish(house: House, wanted: list[Area]) -> float:
    """Publish areas, whatever lag is left to them; returns milliseconds."""
    begin = time.perf_counter()
    for area in wanted:
        publish(house, area)
    return (time.perf_counter() - begin) * 1000
