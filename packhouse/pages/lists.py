"""What pages that list packages share: lines of what is new, and texts that are cut."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packhouse.ecosystems import Package, Page
from packhouse.model import Ecosystem, EventKind
from packhouse.pages.feed import HAPPENED, News
from packhouse.pages.frame import Frame
from packhouse.pages.plain import printable, segment
from packhouse.pages.usage import USAGES
from packhouse.render import render

MAX_SUMMARY = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsLine:
    """What happened to one version: `files` files of it, one after the other; `did` is empty for an upload."""

    name: str
    version: str
    kind: str
    channel: str
    href: str
    did: str
    files: int
    at_us: int


def news_lines(news: Iterable[News], limit: int, prefix: str, *, named: bool) -> Sequence[NewsLine]:
    """Return the first lines of what is new, the newest first; equal events in a row are one line.

    Args:
        news: events, in any order.
        limit: how many lines at most.
        prefix: of the channel's root, or, with `named`, of the site's: the channel's name follows it.
        named: whether the channels differ.
    """
    found: list[NewsLine] = []
    last = None
    for item in sorted(news, key=lambda item: (-item.event.at_us, -item.event.serial, item.event.channel)):
        event = item.event
        this = (event.channel, item.ecosystem, item.key, item.version, event.kind)
        if this == last:
            found[-1] = replace(found[-1], files=found[-1].files + 1)
            continue
        if len(found) == limit:
            break
        last = this
        root = f"{prefix}{segment(event.channel)}/" if named else prefix
        found.append(
            NewsLine(
                name=item.name,
                version=item.version,
                kind=USAGES[Ecosystem(item.ecosystem)].kind,
                channel=event.channel if named else "",
                href=f"{root}{segment(item.ecosystem)}/{segment(item.key)}/",
                did="" if event.kind is EventKind.UPLOAD else HAPPENED[event.kind],
                files=1,
                at_us=event.at_us,
            )
        )
    return found


def by_name(package: Package) -> tuple[str, str]:
    """Return a package's place in a list for people: products may have capitals."""
    return package.name.lower(), package.name


def cut(text: str, limit: int = MAX_SUMMARY) -> str:
    """Return a text of one line, cut at a word where it is longer than `limit` characters."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    kept = line[: limit - 1]
    head, _, _ = kept.rpartition(" ")
    # A text without spaces, in Chinese for example, is cut where it is.
    return f"{head if len(head) > limit // 2 else kept}…"


def page(path: str, template: str, frame: Frame, **values: object) -> Page:
    """Render one page; what no HTML may hold is replaced."""
    body = render(template, **frame.values(), **values)
    return Page(path, printable(body.decode()).encode())
