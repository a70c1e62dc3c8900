"""One request on its way through: what a route's handler gets."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from packhouse.catalog.sessions import Session
from packhouse.errors import CrossSite
from packhouse.model import Action, Channel, Ecosystem, Principal
from uploadd.identity import Credentials
from uploadd.pace import Pace
from uploadd.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that passed the door: its caller may do the route's action somewhere in the channel.

    Attributes:
        request: for headers and body; never for the path (`path` is decoded safely).
        path: the route's placeholders, as the caller spelled them.
        query: the parameters.
        shown: the credentials.
        principal: whose they are; of an open route nobody was looked up.
        address: where the request came from, as nginx saw it; `-` if it did not say.
        channel: the channel that the path names, or the default one; None for a route without a channel.
        session: of a browser that signed in; None for everybody else.
    """

    request: web.Request
    services: Services
    path: Mapping[str, str]
    query: Mapping[str, str]
    shown: Credentials
    principal: Principal
    address: str = "-"
    channel: Channel | None = None
    session: Session | None = None

    @property
    def here(self) -> Channel:
        """The channel of a route that has one."""
        if self.channel is None:
            raise RuntimeError("an open route has no channel")
        return self.channel

    def identify(self) -> Principal:
        """Return who the credentials belong to now; blocking. Raises `Unauthenticated` or `RateLimited`."""
        return self.services.signin.principal(self.shown, self.address)

    def check_token(self, token: str) -> None:
        """Pass if a browser's form carries its session's token; raises `CrossSite`."""
        if self.session is None:
            if self.principal.via == "session":  # it ended between two looks at it
                raise forged()
            return
        # A header may hold any bytes, which arrive as lone surrogates.
        sent = token.encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(sent, self.session.csrf.encode()):
            raise forged()

    def pace(self) -> Pace:
        """Return a fresh measure of how fast the body must come."""
        settings = self.services.house.settings
        return Pace(settings.min_rate_bytes_s, settings.slow_window_s)

    def require(self, action: Action, ecosystem: Ecosystem | None = None, package: str | None = None) -> None:
        """Pass if the caller may do `action` here, or raise `Unauthenticated` or `Forbidden`; blocking."""
        self.services.rights.require(self.principal, action, self.here, ecosystem, package)


def forged() -> CrossSite:
    """Return the refusal of a change that no page of ours asked for."""
    return CrossSite(
        "this change did not come from a page of this server, so nothing was done: open the page again and repeat it"
    )
