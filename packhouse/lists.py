"""Lists for people: the channels of the server, the packages of a channel. Pure, and ecosystem-blind.

Both programs render them: the indexer for everyone, into the tree, and the daemon for those who may see more than
everyone. What may be named is decided by whoever calls.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packhouse.ecosystems import Package
from packhouse.model import Channel, Ecosystem
from packhouse.pages.frame import AT_ROOT
from packhouse.render import render
from packhouse.settings import Settings

_TITLES: Mapping[Ecosystem, tuple[str, Mapping[str, str]]] = {
    Ecosystem.CONDA: (
        "Conda packages",
        {
            "conda": "conda install --override-channels --channel {channel} NAME",
            "pixi": "pixi workspace channel add {channel}",
        },
    ),
    Ecosystem.PYPI: (
        "Python packages",
        {
            "pip": "pip install --index-url {channel}/simple/ NAME",
            "uv": "uv pip install --index-url {channel}/simple/ NAME",
        },
    ),
    Ecosystem.GENERIC: ("Build products", {}),
}
"""What the channel's page says of each ecosystem: title of its list, and how its packages are installed."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A command to copy; the channel's address stands between the parts (n >= 1)."""

    tool: str
    parts: Sequence[str]


def snippets(install: Mapping[str, str]) -> list[Snippet]:
    """Return commands ready for a page: tool to command, in which `{channel}` stands for the address."""
    # Split, never format: a package may be called anything, braces included.
    return [Snippet(tool, command.split("{channel}")) for tool, command in install.items()]


def channel_url(channel: Channel, settings: Settings) -> str:
    """Return the channel's absolute address without a slash at its end; empty where `base_url` is not set."""
    return f"{settings.base_url.rstrip('/')}/{channel.name}" if settings.base_url else ""


def channel_page(
    channel: Channel,
    packages: Mapping[Ecosystem, Sequence[Package]],
    settings: Settings,
    *,
    static: str,
) -> bytes:
    """Render the page of one channel.

    Args:
        channel: whose page it is.
        packages: what it names, per ecosystem, by name; an ecosystem without any is left out.
        settings: `base_url` is shown in the commands.
        static: where the assets lie, relative to the page.
    """
    return render(
        "lists_channel.html",
        title=channel.name,
        channel=channel.name,
        private=channel.private,
        channel_url=channel_url(channel, settings),
        lists=[
            (ecosystem.value, title, snippets(usage), packages[ecosystem])
            for ecosystem, (title, usage) in _TITLES.items()
            if packages.get(ecosystem)
        ],
        up="./",
        home="../",
        here="./",
        static=static,
    )


def site_page(channels: Sequence[str], settings: Settings, *, closed: Collection[str] = ()) -> bytes:
    """Render the server's front page.

    Args:
        channels: what it names, in order.
        settings: the default channel gets a badge, and `base_url` is shown.
        closed: those of them that not everyone may read.
    """
    return render(
        "lists_site.html",
        title="Channels",
        channels=channels,
        closed=closed,
        default=settings.default_channel,
        server_url=settings.base_url.rstrip("/"),
        **AT_ROOT.values(),
    )
