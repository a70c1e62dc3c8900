"""Who may ask how often.

What is counted:

- every request of somebody who shows no credentials, by address;
- a request whose credentials fail, by address, and one that an account lacks the right for, by account.

Nobody who shows valid credentials and has the right is ever limited: package clients give up at a 429 in the middle
of an upload. `/health` is free, for whatever watches over the server; `/_authz` counts by itself, since nginx
asks there about files and the daemon must not tell by a count that one is there.

Should the counting itself fail, the request is answered and the failure logged: what is protected here is the
server's time. Wrong passwords are counted elsewhere (`uploadd/failures.py`), and there a failure refuses.
"""

import logging
import math
import time
from collections.abc import Callable

from aiohttp import web

from packhouse.errors import Forbidden, NotFound, PackhouseError, RateLimited, Unauthenticated
from packhouse.model import Principal
from uploadd import accesslog
from uploadd.buckets import Buckets, Level
from uploadd.failures import network

FREE = frozenset({"/health", "/_authz"})
"""Patterns of the routes that are not counted here."""

_LOG = logging.getLogger("uploadd")


class Limiter:
    """The buckets of one process.

    Args:
        anonymous_per_minute: requests without credentials per address; 0 for no limit.
        refused_per_minute: refused requests per account, and failed credentials per address; 0 for no limit.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        anonymous_per_minute: int,
        refused_per_minute: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._anonymous = _buckets(anonymous_per_minute, monotonic)
        self._refused = _buckets(refused_per_minute, monotonic)

    def anonymous(self, address: str) -> Level | None:
        """Count a request without credentials; None where that is not limited."""
        return _take(self._anonymous, network(address))

    def failed(self, address: str) -> Level | None:
        """Count a request whose credentials are nobody's; None where that is not limited."""
        return _take(self._refused, f"address {network(address)}")

    def refused(self, principal: Principal) -> Level | None:
        """Count a request that an account lacks the right for; None where that is not limited."""
        return _take(self._refused, f"{principal.kind} {principal.name}")


class Meter:
    """Counts one request, at most once, and tells in its answer what is left.

    Attributes:
        free: whether the request is not counted at all.
        shown: whether it shows anything that could be credentials.
    """

    def __init__(self, limiter: Limiter, address: str) -> None:
        self.free = self.shown = False
        self._limiter, self._address = limiter, address
        self._counted = False
        self._principal: Principal | None = None
        self._headers: dict[str, str] = {}

    def stranger(self) -> None:
        """Count the request as one without credentials; raises `RateLimited`."""
        if not self._counted and not self.free:
            self._count(
                self._limiter.anonymous(self._address),
                "requests a minute without signing in come from this address",
            )

    def open(self, identify: Callable[[], Principal]) -> None:
        """Count a request that nobody is looked up for; blocking.

        It counts as a stranger's, and only where that is too much is it asked who it is: an account may go on.

        Args:
            identify: looks the credentials up.

        Raises:
            RateLimited: it is nobody, or there are too many wrong passwords.
        """
        try:
            self.stranger()
        except RateLimited as limited:
            try:
                nobody = not self.shown or identify().anonymous
            except Unauthenticated:
                nobody = True
            if nobody:
                raise limited from None
            self._headers = {}

    def known(self, principal: Principal) -> None:
        """Learn who asks; an ended session shows nobody, and is counted so: raises `RateLimited`."""
        self._principal = principal
        if principal.anonymous:
            self.stranger()

    def weigh(self, error: PackhouseError) -> PackhouseError:
        """Return what a refused request is answered: the refusal, or `RateLimited` after too many."""
        if not (self._counted or self.free):
            try:
                self._charge(error)
            except RateLimited as limited:
                error = limited
        if isinstance(error, RateLimited):
            self._headers = headers(error.limit, 0, error.retry_after_s)
        return error

    def tell(self, response: web.StreamResponse) -> None:
        """Write into an answer, unless it is on its way already, what is left of the limit that counted it."""
        if not response.prepared:
            response.headers.update(self._headers)

    def _charge(self, error: PackhouseError) -> None:
        if self._principal is not None:
            if _lacks_right(error):
                self._count(
                    self._limiter.refused(self._principal),
                    f"requests a minute of {self._principal.name} are refused",
                )
        elif isinstance(error, Unauthenticated):
            self._count(
                self._limiter.failed(self._address),
                "requests a minute with unknown credentials come from this address",
            )
        elif not self.shown:
            self.stranger()

    def _count(self, level: Level | None, what: str) -> None:
        self._counted = True
        if level is None:
            return
        self._headers = headers(level.limit, level.remaining, level.full_s)
        if not level.passed:
            raise RateLimited(what, limit=level.limit, retry_after_s=max(1, math.ceil(level.wait_s)))


METER: web.RequestKey[Meter] = web.RequestKey("meter", Meter)
"""Where a request keeps what counts it."""


def begin(limiter: Limiter, request: web.Request) -> Meter:
    """Return what counts this request, which keeps it as `METER`."""
    meter = request[METER] = Meter(limiter, accesslog.address(request))
    return meter


def headers(limit: int, remaining: int, reset_s: float) -> dict[str, str]:
    """Return the headers that tell of a limit; `reset_s` seconds from now all of it may be used again."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(math.ceil(time.time() + reset_s)),
    }


def _buckets(per_minute: int, monotonic: Callable[[], float]) -> Buckets | None:
    return Buckets(per_minute, monotonic=monotonic) if per_minute else None


def _take(buckets: Buckets | None, name: str) -> Level | None:
    if buckets is None:
        return None
    try:
        return buckets.take(name)
    except Exception:  # noqa: BLE001 - open, whatever it is: reading goes on when counting does not
        _LOG.exception("a request could not be counted, and is answered without")
        return None


def _lacks_right(error: PackhouseError) -> bool:
    """Whether an account is refused for want of a right, or may be.

    A channel that is not there and one that is not theirs give one answer, so they count alike. A package, file or
    version that is not there does not count: asking for it first is how several clients upload.
    """
    return isinstance(error, Forbidden) or (isinstance(error, NotFound) and error.what == "channel")
