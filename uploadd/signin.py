"""Who is asking: from what was shown to a principal. Everything here blocks.

Authentication may be remembered, authorisation never is: a password that was right is remembered for a few
minutes together with the stored hash it was compared with, so that a changed password, a deleted account or one
that waits for approval counts from the next request on. Argon2 costs 40 ms, and pip shows its password each time.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from contextlib import suppress

from packhouse.catalog import Catalog
from packhouse.catalog.keys import is_key
from packhouse.catalog.passwords import hash_password, is_outdated, verify_password
from packhouse.catalog.sessions import Session
from packhouse.errors import Unauthenticated, Unavailable
from packhouse.model import ANONYMOUS, Principal
from uploadd.failures import Failures, network
from uploadd.identity import Credentials

__all__ = ["Failures", "SignIn", "network"]

_NO_USER = frozenset({"", "__token__"})
_REMEMBER_S, _MOST = 300.0, 20_000


class SignIn:
    """Turns credentials into principals, for one process; thread-safe."""

    def __init__(self, catalog: Catalog, *, failures: Failures | None = None) -> None:
        self._catalog = catalog
        self._failures = Failures() if failures is None else failures
        self._pepper = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def principal(self, shown: Credentials, address: str, *, apart: str = "") -> Principal:
        """Return who that is; asks the catalog each time, so that a revoked key stops at once.

        Args:
            shown: what they show.
            address: where they are.
            apart: see `by_password`.

        Raises:
            Unauthenticated: something was shown, but it is neither an active key, nor an account's password, nor a
                session. It is never taken for nobody.
            RateLimited: too many wrong passwords for this account or from this address.
        """
        if shown.secret and is_key(shown.secret):
            found = self._catalog.keys.authenticate(shown.secret, address=address)
        elif shown.secret and shown.user not in _NO_USER and not shown.secret.startswith("pkh-"):
            return self.by_password(shown.user, shown.secret, address, apart=apart)
        elif shown.session and not shown.shown:
            session = self.session(shown)
            # A cookie that ended is no claim to be somebody: a browser sends it without being asked to.
            if session is None:
                return ANONYMOUS
            accounts = self._catalog.accounts
            return accounts.principal(session.account, via="session", address=address) or ANONYMOUS
        elif not shown.shown:
            return ANONYMOUS
        else:
            found = None
        if found is None:
            raise Unauthenticated(
                "the API key is unknown, revoked or expired: check it, or make a new one with "
                "`packhouse key create`"
            )
        return found

    def session(self, shown: Credentials) -> Session | None:
        """Return the session of a browser that shows nothing else; None without one."""
        if shown.shown or not shown.session:
            return None
        return self._catalog.sessions.find(shown.session)

    def by_password(self, name: str, password: str, address: str, *, apart: str = "") -> Principal:
        """Return the user whose password this is.

        Args:
            name: of the account, as typed.
            password: as typed.
            address: where they are.
            apart: what wrong passwords are counted for by themselves, where a count must not be noticed elsewhere.

        Raises:
            Unauthenticated: no such user, no such password (one sentence for both), or a user who waits for approval.
            RateLimited: too many wrong ones; a password that was right a moment ago still passes.
        """
        accounts = self._catalog.accounts
        stored = accounts.stored_password(name)
        seal = self._seal(name, password, stored or "")
        if not self._remembers(seal):
            counted = f"account {apart} {name.casefold()[:100]}", f"address {apart} {network(address)}"
            with self._failures.attempt(*counted):
                if not verify_password(password, stored):
                    raise Unauthenticated(
                        "the user name or the password is wrong: check both; scripts better use an API key"
                    )
            self._remember(seal)
            if stored is not None and is_outdated(stored):
                with suppress(Unavailable):  # another sign-in does it, once the catalog can be written
                    accounts.rehash(name, stored, hash_password(password))
        found = accounts.principal(name, via="password", address=address)
        if found is None:
            raise Unauthenticated(f"the account {name} waits for an admin's approval; ask one to approve it")
        return found

    def _seal(self, *parts: str) -> bytes:
        text = "\0".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._pepper, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _remembers(self, seal: bytes) -> bool:
        with self._lock:
            return self._known.get(seal, 0.0) > time.monotonic()

    def _remember(self, seal: bytes) -> None:
        with self._lock:
            self._known[seal] = time.monotonic() + _REMEMBER_S
            self._known.move_to_end(seal)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
