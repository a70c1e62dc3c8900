"""What of a request goes into the audit log: who did what, from where, and what came of it.

Calls of routes with a verb (`Route.audited`) are noted, and so is every wrong password, whatever it was shown for.
Successes are durable before they are answered. Refusals are noted within a budget, or whoever knocks often enough
would fill the disk. Uploads, deletions and yanks are not noted here: the channel's history holds them, written
together with the change.
"""

import asyncio
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from packhouse.catalog import Catalog
from packhouse.errors import PackhouseError, RateLimited, Unauthenticated
from packhouse.model import ANONYMOUS, Principal
from uploadd.call import Call
from uploadd.failures import Failures, network
from uploadd.signin import SignIn

SIGN_IN = "sign in"
"""The verb of a route that takes a password, and of every password that was wrong."""

IF_TOLD = "?"
"""The verb of a route that mostly changes nothing: a call is noted only if its handler tells another verb."""

BURST, EVERY_S = 20, 60.0
"""So many refusals of one address are noted at once, and after that one in so many seconds."""
BURST_ALL, EVERY_ALL_S = 200, 3.0
"""The same for all addresses together."""

_MOST_ADDRESSES = 4096
_SECRET_PLACEHOLDERS = frozenset({"token", "key", "secret", "password", "invitation"})
_KEY = re.compile(r"pkh-[0-9A-Za-z]+", re.IGNORECASE)
_LOG = logging.getLogger("uploadd.audit")


@dataclass(slots=True)
class Line:
    """What the log will say of a request; more becomes known on its way."""

    action: str
    principal: Principal
    object: str = ""
    note: str = ""
    outcome: str = ""


_LINE: web.RequestKey[Line] = web.RequestKey("audit-line", Line)


def tell(
    call: Call,
    *,
    action: str | None = None,
    object_: str | None = None,
    note: str | None = None,
    by: Principal | None = None,
    outcome: str | None = None,
) -> None:
    """Say more of this call than its path does; nothing where the call is not audited.

    Args:
        call: the request.
        action: a verb that says more than the route's.
        object_: what it is done to, in place of the path's placeholders joined by slashes.
        note: more, in words; never a secret.
        by: who did it, where they were somebody else at the door (a sign-in).
        outcome: code of a refusal that the answer's status does not show.
    """
    line = call.request.get(_LINE)
    if line is None:
        return
    if action is not None:
        line.action = action
    if object_ is not None:
        line.object = object_
    if note is not None:
        line.note = note
    if by is not None:
        line.principal = replace(by, address=call.address)
    if outcome is not None:
        line.outcome = outcome


class Auditor:
    """Writes the audit log of one process; thread-safe."""

    def __init__(self, catalog: Catalog, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self._refusals = Refusals(monotonic=monotonic)

    async def watch(
        self, verb: str, call: Call, work: Callable[[Call], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Return the answer to an audited call, after what came of it was noted.

        Args:
            verb: of the route; an empty one is not noted.
            call: the request; who asks need not be known yet (`tell`).
            work: passes the door and answers.

        Raises:
            Whatever `work` raises, noted as well. A line that cannot be written goes to the daemon's own log instead
            of failing a call that is done.
        """
        if not verb:
            return await work(call)
        line = Line(verb, replace(call.principal, address=call.address), _object(call))
        call.request[_LINE] = line
        try:
            response = await work(call)
        except asyncio.CancelledError:
            # The daemon stops while a change waits to be listed; the threads are still waited for.
            call.services.quick.submit(self.note, line, _INTERRUPTED)
            raise
        except Exception as error:
            await call.services.ask(self.note, line, _outcome(error))
            raise
        await call.services.ask(self.note, line, _outcome_of(response.status))
        return response

    def failed_sign_in(self, name: str, address: str, outcome: str) -> None:
        """Note a password that was not accepted; blocking.

        The account is named only if there is one: people type passwords into the field for the name.
        """
        account = self._catalog.accounts.find(name)
        nobody = replace(ANONYMOUS, address=address)
        self._write(Line(SIGN_IN, nobody, account.name if account else ""), outcome)

    def note(self, line: Line, outcome: str) -> None:
        """Note what came of a call; blocking, durable when this returns unless it is one refusal too many."""
        if line.action == IF_TOLD or (line.action == SIGN_IN and outcome in _NOTED_WITH_THE_PASSWORD):
            return
        self._write(line, line.outcome or outcome)

    def _write(self, line: Line, outcome: str) -> None:
        notes = [line.note]
        if outcome not in (_OK, _INTERRUPTED):
            budget = self._refusals.admit(network(line.principal.address))
            if budget is None:
                return
            notes.append(budget)
        note = redact("; ".join(text for text in notes if text))
        try:
            self._catalog.audit.note(
                line.principal, line.action, redact(line.object), outcome=outcome, note=note
            )
        except PackhouseError as error:
            _LOG.error(
                "the audit log cannot be written (%s); its line: %s by %s from %s on %r: %s",
                error,
                line.action,
                line.principal.name,
                line.principal.address,
                redact(line.object),
                outcome,
            )


class WatchedSignIn(SignIn):
    """A sign-in whose refusals are noted, wherever the password was shown."""

    def __init__(self, catalog: Catalog, auditor: Auditor, *, failures: Failures | None = None) -> None:
        super().__init__(catalog, failures=failures)
        self._auditor = auditor

    def by_password(self, name: str, password: str, address: str, *, apart: str = "") -> Principal:
        """Return the user whose password this is; raises as `SignIn.by_password` does."""
        try:
            return super().by_password(name, password, address, apart=apart)
        except (Unauthenticated, RateLimited) as error:
            self._auditor.failed_sign_in(name, address, error.code)
            raise


class Refusals:
    """Says which refusals are noted, so that no flood of them fills the log; thread-safe.

    A bucket per address and one for all; what is left out is counted, and the next line that is noted says how many.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._all = _Bucket(BURST_ALL, EVERY_ALL_S, monotonic())
        self._by_address: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, address: str) -> str | None:
        """Return what to add to the note, or None if the refusal is only counted."""
        with self._lock:
            now = self._monotonic()
            mine = self._by_address.setdefault(address, _Bucket(BURST, EVERY_S, now))
            self._by_address.move_to_end(address)
            while len(self._by_address) > _MOST_ADDRESSES:
                _, oldest = self._by_address.popitem(last=False)
                self._all.left_out += oldest.left_out
            if not mine.has_one(now):
                mine.left_out += 1
                return None
            if not self._all.has_one(now):
                self._all.left_out += 1
                return None
            notes = [
                f"{count} refused requests from {whom} were left out before this one"
                for bucket, whom in ((mine, "this address"), (self._all, "other addresses"))
                if (count := bucket.take())
            ]
            if not mine.has_one(now):
                notes.append("more from this address are counted, not listed")
        return "; ".join(notes)


class _Bucket:
    def __init__(self, burst: int, every_s: float, now: float) -> None:
        self._burst, self._every_s, self._then = burst, every_s, now
        self._tokens = float(burst)
        self.left_out = 0

    def has_one(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._then) / self._every_s)
        self._then = now
        return self._tokens >= 1

    def take(self) -> int:
        """Take one; return how many were left out since the last one."""
        self._tokens -= 1
        left_out, self.left_out = self.left_out, 0
        return left_out


def redact(text: str) -> str:
    """Return a text without the API keys in it."""
    return _KEY.sub("***", text)


def _object(call: Call) -> str:
    return "/".join(_shown(name, value) for name, value in call.path.items())


def _shown(name: str, value: str) -> str:
    # Decoded once more than it will ever be: an encoded `pkh-` is a key all the same.
    hidden = name in _SECRET_PLACEHOLDERS or "pkh-" in unquote(value).lower()
    return "***" if hidden else value


_OK, _REFUSED, _INTERRUPTED = "ok", "refused", "interrupted"
_NOTED_WITH_THE_PASSWORD = frozenset({Unauthenticated.code, RateLimited.code, _REFUSED})


def _outcome_of(status: int) -> str:
    return _OK if status < 400 else _REFUSED


def _outcome(error: Exception) -> str:
    if isinstance(error, PackhouseError):
        return error.code
    if isinstance(error, web.HTTPException):
        return _outcome_of(error.status)
    return "client-left" if isinstance(error, (RequestPayloadError, ConnectionError)) else "internal"
