"""Reading what nginx serves: without a key first, so that what is public is read while the daemon is down."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote

from packhouse.client import session
from packhouse.client.connection import Answer, KeyRefused, Missing, Server, ServerRefused
from packhouse.client.registry import Registry
from packhouse.errors import BadName
from packhouse.model import Json

T = TypeVar("T")


def static(where: Registry, path: str) -> Answer:
    """Return a JSON file of a channel.

    Args:
        where: the channel.
        path: in the channel.

    Raises:
        Missing: it is not there for the key's holder, or for everybody where there is no key.
        KeyRefused: it is not public, and there is no key or a wrong one.
        Unreachable: the server does not answer.
    """
    return public_first(where, lambda server: server.ask("GET", url_path(where, path)))


def public_first(where: Registry, read: Callable[[Server], T]) -> T:
    """Read something without the key, then with it if it is not public; raises as `static`."""
    try:
        return read(session.stranger(where.server))
    except KeyRefused:
        # The server does not tell a private channel from one that is not there.
        return read(session.keyed(where.server, f"{where.url} is private or not there, and "))
    except Missing:
        # What is restricted in a public channel is not there for a stranger.
        if not (key := session.current_key(where.server)):
            raise
        return read(session.with_key(where.server, key))


def url_path(where: Registry, path: str) -> str:
    """Return the path of a channel's file from the server's root, percent-encoded."""
    return f"/{where.channel}/{quote(path, safe='/+!')}"


@contextmanager
def sensible(server: str) -> Iterator[None]:
    """Read something out of an answer inside.

    Raises:
        ServerRefused: the answer is not what a Packhouse says.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, BadName) as error:
        raise ServerRefused(
            200,
            "",
            f"{server} does not answer as a Packhouse does ({type(error).__name__}: {str(error)[:200]}): "
            "is the address right?",
        ) from error


def text(item: Mapping[str, Json], name: str) -> str:
    """Return a text of an answer; raises KeyError or TypeError, for `sensible`."""
    value = item[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}")
    return value


def number(item: Mapping[str, Json], name: str) -> int:
    """Return a number of an answer, 0 or more; raises KeyError or TypeError, for `sensible`."""
    value = item[name]
    if type(value) is not int or value < 0:
        raise TypeError(f"{name} is {value!r}")
    return value
