"""The page of a channel: what it is, how it is used, what lies in it, how something gets in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from packhouse.ecosystems import Package
from packhouse.model import Channel, Ecosystem
from packhouse.pages import commands
from packhouse.pages.feed import News
from packhouse.pages.frame import Frame, channel_url
from packhouse.pages.lists import by_name, cut, news_lines, page
from packhouse.pages.plain import segment
from packhouse.pages.usage import USAGES, Lines, Usage, lines
from packhouse.settings import Settings

MAX_WHOLE = 200
"""Up to how many packages of one ecosystem a channel's page shows all."""
LATEST = 50
"""How many it shows of more: those that changed last."""
MAX_ROWS = 400
"""Up to how many packages of all ecosystems together it shows all of each: a page stays under 200 kB."""
MAX_NEWS = 20

LETTERS = (*"abcdefghijklmnopqrstuvwxyz", "0-9", "other")
"""Every heading of the lists by letter, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The packages of one ecosystem in a channel, for its page.

    Attributes:
        ecosystem: which.
        total: how many there are.
        packages: all of them, or those that changed last where there are more than `MAX_WHOLE`.
        letters: letter to how many packages there are under it, where lists by letter exist; else empty.
        subdirs: all subdirs of a conda channel; empty elsewhere.
    """

    ecosystem: Ecosystem
    total: int
    packages: Sequence[Package]
    letters: Mapping[str, int] = field(default_factory=dict)
    subdirs: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table of packages."""

    href: str
    name: str
    latest: str
    subdirs: Sequence[str]
    size: int
    updated_us: int
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    key: str
    usage: Usage
    total: int
    whole: bool
    rows: Sequence[Row]
    letters: Sequence[tuple[str, int, str]]
    commands: Sequence[Lines]
    files: Sequence[Lines]
    has_subdirs: bool


def channel_page(
    channel: Channel, shelves: Sequence[Shelf], news: Iterable[News], settings: Settings, *, frame: Frame
) -> bytes:
    """Render the page of one channel.

    Args:
        channel: whose page it is.
        shelves: what it names, per ecosystem; empty ones are left out.
        news: what happened lately to packages that it names, in any order.
        settings: `base_url` is shown in commands, and the default channel is called so.
        frame: where the page stands.
    """
    filled = [shelf for shelf in shelves if shelf.total]
    crowded = sum(len(shelf.packages) for shelf in filled) > MAX_ROWS
    locked = commands.is_locked(commands.EVERYONE, channel)
    tools = [tool for shelf in filled for tool in USAGES[shelf.ecosystem].tools]
    uploads = [(usage, lines(usage.upload, "the {} command", name=channel.name)) for usage in USAGES.values()]
    subdirs = sorted({subdir for shelf in filled for subdir in shelf.subdirs})
    body = page(
        "index.html",
        "channel.html",
        frame,
        title=channel.name,
        channel=channel.name,
        locked=locked,
        readers="Only those who were given a right to it may read it." if locked else "Everyone may read it.",
        is_default=channel.name == settings.default_channel,
        channel_url=channel_url(channel, settings),
        server_url=settings.base_url.rstrip("/"),
        sections=[_section(shelf, channel, frame, crowded=crowded) for shelf in filled],
        total=sum(shelf.total for shelf in filled),
        subdirs=subdirs,
        updated_us=max((item.updated_us for shelf in filled for item in shelf.packages), default=0),
        hints=_hints(tools, channel, settings),
        news=news_lines(news, MAX_NEWS, frame.here, named=False),
        uploads=uploads,
        addresses=[
            Lines(
                title=usage.called,
                copied=f"the address of the {usage.called}",
                pieces=[("", "channel"), (usage.address, "")],
            )
            for usage in USAGES.values()
            if not filled or usage in [USAGES[shelf.ecosystem] for shelf in filled]
        ],
    )
    return body.body


def rows(packages: Iterable[Package], ecosystem: Ecosystem, here: str) -> list[Row]:
    """Return lines for a table of packages, in their order.

    Args:
        packages: of one ecosystem.
        ecosystem: which.
        here: prefix of the channel's root.
    """
    return [
        Row(
            href=f"{here.removeprefix('./')}{ecosystem.value}/{segment(item.name)}/",
            name=item.display,
            latest=item.latest,
            subdirs=item.subdirs,
            size=item.size,
            updated_us=item.updated_us,
            summary=cut(item.summary),
        )
        for item in packages
    ]


def letter_links(letters: Mapping[str, int], prefix: str) -> list[tuple[str, int, str]]:
    """Return every heading of the lists by letter: itself, how many packages it has, and its address below `prefix`."""
    return [(letter, letters.get(letter, 0), f"{prefix}{letter}/") for letter in LETTERS] if letters else []


def _section(shelf: Shelf, channel: Channel, frame: Frame, *, crowded: bool) -> _Section:
    usage = USAGES[shelf.ecosystem]
    by_change = sorted(shelf.packages, key=lambda item: (-item.updated_us, item.name))
    whole = shelf.total <= (LATEST if crowded and shelf.letters else MAX_WHOLE)
    shown = sorted(shelf.packages, key=by_name) if whole else by_change[:LATEST]
    key = shelf.ecosystem.value
    return _Section(
        key=key,
        usage=usage,
        total=shelf.total,
        whole=whole,
        rows=rows(shown, shelf.ecosystem, frame.here),
        letters=letter_links(shelf.letters, f"browse/{key}/") if not whole else [],
        commands=lines(
            usage.commands,
            "the {} command",
            name=channel.name,
            package=by_change[0].name if by_change else "",
        ),
        files=lines(usage.files, "the lines of {}", name=channel.name),
        has_subdirs=any(item.subdirs for item in shown),
    )


def _hints(tools: Iterable[str], channel: Channel, settings: Settings) -> list[tuple[str, list[Lines]]]:
    """Return how tools are given a key: what is to be done, and the lines that do it."""
    hints = commands.hints(tools, readers=commands.EVERYONE, channel=channel, settings=settings)
    return [
        (text, [_line(hint) for hint in alike]) for text, alike in groupby(hints, key=lambda hint: hint.text)
    ]


def _line(hint: commands.Hint) -> Lines:
    *before, last = hint.parts
    pieces = [*((text, "server") for text in before), (last, "")]
    return Lines(title=hint.tools, copied=f"the line for {hint.tools}", pieces=pieces)
