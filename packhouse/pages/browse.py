"""Lists of all packages of an ecosystem, by their first letter: the way to every package that needs no script.

A page names what is under its own letter only, so that a new package rewrites the pages of one letter.
"""

from collections.abc import Sequence

from packhouse.areas import letter_of
from packhouse.ecosystems import Package, Page
from packhouse.model import Channel, Ecosystem
from packhouse.pages.channel import rows
from packhouse.pages.frame import in_channel
from packhouse.pages.lists import by_name, page
from packhouse.pages.usage import USAGES

__all__ = ["MAX_PACKAGES", "browse_pages", "letter_of"]

MAX_PACKAGES = 400
"""How many packages one page lists, so that it stays under 200 kB."""


def browse_pages(
    ecosystem: Ecosystem, letter: str, packages: Sequence[Package], *, channel: Channel
) -> list[Page]:
    """Render the lists of all packages under one letter.

    More than `MAX_PACKAGES` under a letter are cut by their first two characters, and more than that under two
    into numbered pages: `browse/pypi/p/index.html`, `browse/pypi/p/py/index.html`, `browse/pypi/p/py/2/index.html`.

    Args:
        ecosystem: of the packages.
        letter: as `letter_of` says.
        packages: all of the channel under that letter that its lists may name; none gives no page.
        channel: of the packages.
    """
    found = sorted(packages, key=by_name)
    parts: dict[str, list[Package]] = {}
    if len(found) > MAX_PACKAGES:
        for item in found:
            parts.setdefault(two_of(item.name), []).append(item)
    elif not found:
        return []
    counts = [(two, len(items)) for two, items in parts.items()]
    folder = f"browse/{ecosystem.value}/{letter}"
    listed = found if not parts else ()
    pages = [
        _page(folder, ecosystem, channel, heading=letter, total=len(found), packages=listed, parts=counts)
    ]
    for two, items in parts.items():
        last = -(-len(items) // MAX_PACKAGES)
        pages += [
            _page(
                f"{folder}/{two}" if number == 1 else f"{folder}/{two}/{number}",
                ecosystem,
                channel,
                heading=two,
                total=len(items),
                packages=items[(number - 1) * MAX_PACKAGES : number * MAX_PACKAGES],
                above=letter,
                numbers=(number, last),
            )
            for number in range(1, last + 1)
        ]
    return pages


def two_of(name: str) -> str:
    """Return under what a package is listed where one letter is not enough: `py`, `3d`, `p-` for `p` and `p_x`."""
    letter = letter_of(name)
    if letter == "other":
        return letter
    second = name[1:2].lower()
    return name[0].lower() + (second if second.isascii() and second.isalnum() else "-")


def _page(
    folder: str,
    ecosystem: Ecosystem,
    channel: Channel,
    *,
    heading: str,
    total: int,
    packages: Sequence[Package],
    parts: Sequence[tuple[str, int]] = (),
    above: str = "",
    numbers: tuple[int, int] = (1, 1),
) -> Page:
    frame = in_channel(folder.count("/") + 1)
    number, last = numbers
    title = USAGES[ecosystem].title
    return page(
        f"{folder}/index.html",
        "browse.html",
        frame,
        title=f"{title}: {heading} · {channel.name}",
        channel=channel.name,
        key=ecosystem.value,
        kind=title,
        heading=heading,
        total=total,
        parts_=[(two, count, f"{two}/") for two, count in parts],
        rows=rows(packages, ecosystem, frame.here),
        has_subdirs=any(item.subdirs for item in packages),
        above=above,
        number=number,
        last=last,
        # From `py/` to `py/2/`, from there to `py/3/`, and back.
        before=("../" if number == 2 else f"../{number - 1}/") if number > 1 else "",
        after=("2/" if number == 1 else f"../{number + 1}/") if number < last else "",
    )
