"""From records to the values that lists for people show: the indexer's for everyone, the daemon's for one reader.

Whose eyes the records have decides what is named.
"""

from collections.abc import Collection, Iterable, Sequence

from packhouse.catalog.page_records import Happened, PageRecords
from packhouse.ecosystems import Package
from packhouse.model import Channel, Ecosystem
from packhouse.pages.channel import LATEST, MAX_WHOLE, Shelf
from packhouse.pages.feed import News
from packhouse.pages.site import ChannelLine


def shelf(ecosystem: Ecosystem, records: PageRecords) -> Shelf:
    """Return what a channel's page shows of an ecosystem: all of its packages, or those that changed last."""
    total = records.total(ecosystem)
    whole = total <= MAX_WHOLE
    return Shelf(
        ecosystem=ecosystem,
        total=total,
        packages=records.packages(ecosystem)
        if whole
        else [item for _, item in records.news(LATEST, ecosystem)],
        letters=records.letters(ecosystem),
        subdirs=records.subdirs(ecosystem),
    )


def shelf_of(ecosystem: Ecosystem, packages: Sequence[Package]) -> Shelf:
    """Return a shelf of just these packages, for somebody who may read nothing else: no lists by letter are theirs."""
    subdirs = sorted({subdir for item in packages for subdir in item.subdirs})
    return Shelf(ecosystem=ecosystem, total=len(packages), packages=packages, subdirs=subdirs)


def line(
    channel: Channel, records: PageRecords, ecosystems: Collection[Ecosystem] = tuple(Ecosystem)
) -> ChannelLine:
    """Return the line of a channel on the front page, as far as those ecosystems go."""
    last = [item for ecosystem in ecosystems for _, item in records.news(1, ecosystem)]
    return ChannelLine(
        name=channel.name,
        packages={ecosystem: total for ecosystem in ecosystems if (total := records.total(ecosystem))},
        updated_us=max((item.updated_us for item in last), default=0),
    )


def news(happened: Iterable[Happened]) -> list[News]:
    """Return what is new of packages that are there: each line links to a page."""
    return [told(item) for item in happened if item.there]


def told(item: Happened) -> News:
    """Return one line of what is new, whether or not its package is still there."""
    return News(
        event=item.event,
        ecosystem=item.ecosystem,
        key=item.package,
        name=item.display,
        version=item.version,
        there=item.there,
    )
