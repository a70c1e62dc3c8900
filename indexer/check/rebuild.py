"""Render everything again with formats that remember nothing, and compare with the tree byte by byte."""

from collections.abc import Iterator, Mapping

from indexer.check.shelf import Shelf
from indexer.publish import SERIAL, render
from packhouse.areas import SITE
from packhouse.ecosystems import Format
from packhouse.ecosystems.registry import FORMATS
from packhouse.house import areas_of
from packhouse.model import Area, Ecosystem


def cold() -> dict[Ecosystem, Format]:
    """Return fresh formats, without the memory that those in use keep between two renderings."""
    return {ecosystem: type(rules)() for ecosystem, rules in FORMATS.items()}


def areas_to_rebuild(shelf: Shelf) -> list[Area]:
    """Return every area of the channel, or the site."""
    if shelf.channel is None:
        return [SITE]
    return sorted({*areas_of(shelf.house, shelf.channel.name), Area(shelf.name, "", "channel", SERIAL)})


def rebuild(shelf: Shelf, formats: Mapping[Ecosystem, Format]) -> Iterator[Area]:
    """Compare area by area; yields each one when it is done."""
    rendered: set[str] = set()
    for area in areas_to_rebuild(shelf):
        with shelf.house.locks.hold(str(area), timeout_s=None):
            pages = render(shelf.house, area, shelf.place, formats)
            for page in (*pages.fixed, *pages.leaves):
                rendered.add(page.path)
                found = shelf.body(page.path)
                if found != page.body:
                    shelf.wrong(page.path, _difference(found, page.body, area))
        yield area
    for path in sorted(shelf.published.keys() - rendered):
        shelf.wrong(path, f"is published, but {shelf.published[path][0]} does not render it any more")


def _difference(found: bytes | None, wanted: bytes, area: Area) -> str:
    if found is None:
        return f"is missing, but a rebuild of {area} has it"
    pairs = zip(found, wanted, strict=False)
    first = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(found), len(wanted)))
    return (
        f"differs from a rebuild of {area} from byte {first} on ({len(found)} bytes, rebuilt {len(wanted)})"
    )
