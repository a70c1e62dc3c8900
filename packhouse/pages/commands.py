"""Commands to copy, and how to give a key to the tool that runs them.

Commands are split at their placeholders, never formatted: a package may be called anything, braces included.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from packhouse.model import Channel
from packhouse.settings import Settings

EVERYONE, CHANNEL, GRANTED = "everyone", "channel", "granted"
"""Who may read a package: everyone; who may read the channel; only who was granted this package."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A command to copy; an address stands between the parts (n >= 1)."""

    tool: str
    parts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """How one or more tools are given a key.

    Attributes:
        tools: their names, as a phrase.
        text: what to do with the line; hints that follow each other may have it in common.
        parts: the line; the server's address stands between the parts (n >= 1).
    """

    tools: str
    text: str
    parts: Sequence[str]


def snippets(install: Mapping[str, str]) -> list[Snippet]:
    """Return commands ready for a page: tool to command, in which `{channel}` stands for the channel's address."""
    return [Snippet(tool, command.split("{channel}")) for tool, command in install.items()]


def readers_sentence(readers: str, channel: Channel) -> str:
    """Return who may read a package, in words."""
    if readers == GRANTED:
        return "Only people, groups and service accounts that were granted this package may read it."
    if is_locked(readers, channel):
        return f"Everyone who may read the channel {channel.name} may read it."
    return "Everyone may read it."


def is_locked(readers: str, channel: Channel) -> bool:
    """Whether a key or a password is needed to read."""
    return readers != EVERYONE or channel.place != "public"


def hints(tools: Iterable[str], *, readers: str, channel: Channel, settings: Settings) -> list[Hint]:
    """Return how each of some tools is given a key; empty where none is needed.

    What each client does with a key stands in docs/protocol/reading.md, and its tests drive the clients.
    """
    if not is_locked(readers, channel):
        return []
    tools = frozenset(tools)
    netrc = [tool for tool in ("pip", "uv", "poetry", "curl") if tool in tools]
    # A restricted project answers a stranger 404, and pip asks its keyring only after a 401.
    keyring = [tool for tool in ("pip", "uv") if tool in tools and (tool, readers) != ("pip", GRANTED)]
    rattler = [tool for tool in ("pixi", "rattler-build") if tool in tools]
    conda = [tool for tool in ("conda", "mamba") if tool in tools]
    return [
        *_netrc(netrc, settings),
        *_hint(
            "Or keep the key in the keyring of your system; then the command needs --keyring-provider subprocess,"
            " and __token__@ before the host in its address.",
            {_listed(keyring): "packhouse login --keyring --server {server}"},
        ),
        *_hint(
            "The key is kept for every channel of the host.",
            {tool: f"{tool} auth login --token YOUR-KEY {{server}}" for tool in rattler},
        ),
        *_hint(
            "The key stands in the address of the channel: use this one in the command.",
            {_listed(conda): f"{{server}}/t/YOUR-KEY/{channel.name}"},
        ),
    ]


def _netrc(tools: Sequence[str], settings: Settings) -> Iterator[Hint]:
    host = urlsplit(settings.base_url).hostname or "HOST-OF-THIS-SERVER"
    also = "; curl looks there if it is also given --netrc" if "curl" in tools else ""
    return _hint(
        f"A line in the file .netrc in your home folder, which only you may be able to read{also}.",
        {_listed(tools): f"machine {host} login __token__ password YOUR-KEY"},
    )


def _hint(text: str, lines: Mapping[str, str]) -> Iterator[Hint]:
    for tools, line in lines.items():
        if tools:
            yield Hint(tools=tools, text=text, parts=line.split("{server}"))


def _listed(tools: Sequence[str]) -> str:
    """Return names as a phrase: `pip, uv and poetry`; empty for none."""
    return " and ".join(part for part in (", ".join(tools[:-1]), *tools[-1:]) if part)
