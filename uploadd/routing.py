"""Routes, and how a target finds its route: on decoded segments, literals before placeholders."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from packhouse.errors import NotFound
from packhouse.model import Action
from uploadd.call import Call
from uploadd.problems import Statuses
from uploadd.target import Target, redact


class Need(Enum):
    """What a route may ask of its caller where a channel's action does not say it.

    OPEN: nothing, and nobody is looked up: it tells nothing that is not public, or decides itself.
    ANYONE: nothing, but who they are is looked up.
    ACCOUNT: an account of any kind.
    ADMIN: an admin without a scope.
    """

    OPEN = "open"
    ANYONE = "anyone"
    ACCOUNT = "account"
    ADMIN = "admin"


OPEN, ANYONE, ACCOUNT, ADMIN = Need.OPEN, Need.ANYONE, Need.ACCOUNT, Need.ADMIN

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path.

    Attributes:
        pattern: segments that are literal or `{placeholder}`; a trailing slash makes no difference.
        action: what the caller must be allowed to do in the channel, or what else the route needs; a route without
            one stops the start-up.
        statuses: where this API answers a refusal otherwise than the table.
        forms: whether a browser's form may come here: then the handler checks the session's token itself
            (`Call.check_token`), since a form cannot send it as a header.
        audited: the verb under which the audit log notes each call; empty for calls that change nothing, and for
            uploads, deletions and yanks, which the channel's history holds.
    """

    method: str
    pattern: str
    action: Action | Need | None
    handler: Handler
    statuses: Statuses = field(default_factory=dict)
    forms: bool = False
    audited: str = ""

    @property
    def segments(self) -> tuple[str, ...]:
        """The pattern, split."""
        return tuple(segment for segment in self.pattern.split("/") if segment)


class Router:
    """All routes of the daemon.

    Raises:
        ValueError: a route declares no action, or two routes are the same.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[Route]] = {}
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for route in routes:
            if route.action is None:
                raise ValueError(f"{route.method} {route.pattern} declares no action: say who may call it")
            shape = tuple("{}" if segment.startswith("{") else segment for segment in route.segments)
            if (route.method, shape) in seen:
                raise ValueError(f"{route.method} {route.pattern} is there twice")
            seen.add((route.method, shape))
            self._by_length.setdefault(len(shape), []).append(route)

    def resolve(self, method: str, target: Target) -> tuple[Route, Mapping[str, str]]:
        """Return the route of a request and the text of its placeholders.

        HEAD is answered by the route of GET. An unknown method is a 404 too, not a 405: uploaders repeat a 405.

        Raises:
            NotFound: there is none.
        """
        fitting = [
            (route, found)
            for route in self._by_length.get(len(target.segments), ())
            if (found := _fit(route.segments, target.segments)) is not None
        ]
        wanted = "GET" if method == "HEAD" else method
        hits = [(route, found) for route, found in fitting if route.method == wanted]
        shown = redact("/" + "/".join(target.segments))
        if not hits:
            methods = sorted({route.method for route, _ in fitting})
            hint = f"this address takes {', '.join(methods)}" if methods else "check the address"
            raise NotFound("such thing as", f"{method[:20]} {shown[:200]}", hint)
        return max(hits, key=lambda hit: [not segment.startswith("{") for segment in hit[0].segments])


def _fit(pattern: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for wanted, text in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            found[wanted[1:-1]] = text
        elif wanted != text:
            return None
    return found


def document(routes: Iterable[Route]) -> str:
    """Return every dialect with its requests and what each needs, as the manual's Markdown."""
    by_dialect: dict[str, list[Route]] = {}
    for route in routes:
        by_dialect.setdefault(route.handler.__module__.rpartition(".")[2], []).append(route)
    parts = []
    for name in sorted(by_dialect):
        rows = [f"| `{route.method} {route.pattern}` | {needs(route)} |" for route in by_dialect[name]]
        parts.append("\n".join([f"## {name}", "", "| request | needs |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def needs(route: Route) -> str:
    """Return in words what a route asks of its caller."""
    if isinstance(route.action, Action):
        return f"`{route.action}`"
    return _WORDS[route.action or OPEN]


_WORDS = {OPEN: "nothing", ANYONE: "nothing; answers by rights", ACCOUNT: "an account", ADMIN: "an admin"}
