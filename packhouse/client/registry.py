"""What people name: a channel by its URL, a package as `ecosystem/name` or by its bare name. Pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from packhouse.client.connection import Server
from packhouse.client.keys import server_name
from packhouse.errors import BadName, Malformed
from packhouse.model import Ecosystem
from packhouse.names import ChannelName, parse_channel, parse_project, parse_segment


@dataclass(frozen=True, slots=True)
class Registry:
    """A channel: the server's address, and the channel's name."""

    server: str
    channel: ChannelName

    @property
    def url(self) -> str:
        """The channel's own URL, without a slash at the end."""
        return f"{self.server}/{self.channel}"


@dataclass(frozen=True, slots=True)
class PackageName:
    """A package of a channel; `name` is normalised as its ecosystem does it."""

    ecosystem: Ecosystem
    name: str

    def __str__(self) -> str:
        return f"{self.ecosystem}/{self.name}"


def parse_server(url: str) -> str:
    """Return a server's address in its one spelling.

    Raises:
        Malformed: it is no address, or holds a user name or a password, which logs would show.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Malformed(f"{url[:80]!r} is no address: {error}") from error
    if "@" in parts.netloc:
        raise Malformed("leave user name and password out of the address: log in with an API key instead")
    return server_name(Server(url).url)


def parse_registry(url: str) -> Registry:
    """Return the channel that a URL names: its last segment is the channel, the rest its server.

    Raises:
        Malformed: it is no URL of a channel; `BadName` where the channel's name breaks the rule.
    """
    server, _, channel = parse_server(url).rpartition("/")
    if server.endswith(":/"):
        raise Malformed(f"{url!r} names no channel: give the channel's URL, such as {url.rstrip('/')}/main")
    return Registry(server, parse_channel(channel))


def parse_package(text: str) -> tuple[PackageName, ...]:
    """Return what a name may mean: one package for `ecosystem/name`, one of each ecosystem for a bare name.

    Raises:
        BadName: the ecosystem is unknown, or no ecosystem takes the name.
    """
    first, slash, rest = text.partition("/")
    if slash:
        if first not in set(Ecosystem):
            raise BadName("package", text, f"before the slash stands {', '.join(Ecosystem)}")
        return (_normal(Ecosystem(first), rest),)
    found = []
    for ecosystem in Ecosystem:
        try:
            found.append(_normal(ecosystem, text))
        except BadName as error:
            refused = error
    if not found:
        raise refused
    return tuple(found)


def _normal(ecosystem: Ecosystem, name: str) -> PackageName:
    if ecosystem is Ecosystem.PYPI:
        return PackageName(ecosystem, parse_project(name))
    # Conda names have no capital letters, and those of a product make no second product.
    return PackageName(ecosystem, parse_segment(f"{ecosystem} package", name).lower())
