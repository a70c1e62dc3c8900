"""Uploads that take three requests: announced, delivered, committed; and what is known of them in between.

It is known to this process only. One that stops takes the bytes in `incoming/` away, those of one that crashed are
swept as a dead process's litter; so nothing is ever visible that nobody committed, and the client begins again. A
second daemon on the same data would not know of it: nginx sends every request to one.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from packhouse.errors import Busy, NotFound, Unprocessable
from packhouse.intake.stage import Stage
from packhouse.model import Claim, Principal

LIFE_S = 600.0
"""How long the next request may take to come, in seconds; a body that is on its way takes its own time."""
MOST = 100
"""Uploads that one account may have announced and not committed."""

_AGAIN = "it was used up, took too long, or the server was restarted: begin the upload again"


@dataclass(slots=True, kw_only=True)
class Deferred:
    """One upload between its announcement and its commit.

    Attributes:
        by: the account that announced it; nobody else commits it.
        target: what the announcement and the commit both name.
        claims: what was said of the bytes, one for each channel that they go to.
        delivery: the one-time id under which the bytes come; empty once they began to.
        stage: the bytes, finished and durable; None before.
        since_s: when the last step ended, on the table's clock.
        coming: whether the bytes are on their way.
    """

    id: str
    by: str
    target: str
    claims: tuple[Claim, ...]
    delivery: str
    since_s: float
    stage: Stage | None = None
    coming: bool = False


@dataclass(slots=True)
class DeferredUploads:
    """The table of one process; used from the event loop only, so that no step is seen half done."""

    monotonic: Callable[[], float] = time.monotonic
    _uploads: dict[str, Deferred] = field(default_factory=dict)
    _deliveries: dict[str, Deferred] = field(default_factory=dict)
    _replaceable: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def announce(self, principal: Principal, target: str, claims: tuple[Claim, ...]) -> Deferred:
        """Note an upload whose claims were admitted.

        Raises:
            Busy: the account has too many that it did not commit.
        """
        by = _account(principal)
        if sum(upload.by == by for upload in self._uploads.values()) >= MOST:
            raise Busy(
                f"{principal.name} announced {MOST} uploads and committed none of them: commit them, or wait "
                f"{LIFE_S:.0f} seconds"
            )
        upload = Deferred(
            id=secrets.token_urlsafe(24),
            by=by,
            target=target,
            claims=claims,
            delivery=secrets.token_urlsafe(32),
            since_s=self.monotonic(),
        )
        self._uploads[upload.id] = self._deliveries[upload.delivery] = upload
        return upload

    def deliver(self, delivery: str) -> Deferred:
        """Begin to take the bytes of an upload; its delivery id is used up.

        Raises:
            NotFound: nobody announced it, or it is over. The id is a secret, so the sentence does not quote it.
        """
        upload = self._deliveries.get(delivery)
        if upload is None or self._over(upload):
            raise NotFound("upload", "under this address", _AGAIN)
        del self._deliveries[delivery]
        upload.delivery, upload.coming = "", True
        return upload

    def arrived(self, upload: Deferred, stage: Stage, size: int | None, digests: Mapping[str, str]) -> None:
        """Keep the bytes of an upload until its commit, with what was said of them on the way."""
        upload.claims = tuple(
            replace(claim, size=size, digests={**claim.digests, **digests}) for claim in upload.claims
        )
        upload.stage, upload.coming, upload.since_s = stage, False, self.monotonic()

    def drop(self, upload: Deferred) -> None:
        """Forget an upload whose bytes did not come."""
        self._uploads.pop(upload.id, None)

    def take(self, principal: Principal, upload_id: str, target: str) -> tuple[Stage, tuple[Claim, ...]]:
        """Return the bytes of an upload and what was said of them; whoever takes them commits and discards them.

        Raises:
            NotFound: nobody announced it, somebody else did, it was for something else, or it is over: one sentence.
            Unprocessable: its bytes did not come yet.
        """
        upload = self._uploads.get(upload_id)
        if (
            upload is None
            or upload.by != _account(principal)
            or upload.target != target
            or self._over(upload)
        ):
            raise NotFound("upload", f"of {target} with that dist_id", _AGAIN)
        if upload.stage is None:
            raise Unprocessable(
                f"the bytes of {target} did not come yet: send them to the post_url of the announcement, then commit"
            )
        del self._uploads[upload_id]
        return upload.stage, upload.claims

    def allow_replacing(self, principal: Principal, channel: str, path: str) -> None:
        """Note that the account asked to replace a file; the right was checked, and will be again."""
        self._replaceable[_account(principal), channel, path] = self.monotonic()

    def may_replace(self, principal: Principal, channel: str, path: str) -> bool:
        """Whether the account asked to replace a file a moment ago."""
        since_s = self._replaceable.get((_account(principal), channel, path))
        return since_s is not None and self._fresh(since_s)

    def replacing(self, principal: Principal, channel: str, path: str) -> None:
        """Forget that the account asked to replace a file: the upload that does it was announced."""
        self._replaceable.pop((_account(principal), channel, path), None)

    def overdue(self) -> list[Stage]:
        """Forget what is over; returns the bytes to discard."""
        over = [upload for upload in self._uploads.values() if self._over(upload)]
        for upload in over:
            del self._uploads[upload.id]
            self._deliveries.pop(upload.delivery, None)
        self._replaceable = {
            asked: since_s for asked, since_s in self._replaceable.items() if self._fresh(since_s)
        }
        return [upload.stage for upload in over if upload.stage is not None]

    def forget(self) -> list[Stage]:
        """Forget everything, as the daemon stops; returns the bytes to discard."""
        stages = [upload.stage for upload in self._uploads.values() if upload.stage is not None]
        self._uploads, self._deliveries, self._replaceable = {}, {}, {}
        return stages

    def _over(self, upload: Deferred) -> bool:
        return not upload.coming and not self._fresh(upload.since_s)

    def _fresh(self, since_s: float) -> bool:
        return self.monotonic() - since_s < LIFE_S


def discard(stage: Stage) -> None:
    """Remove bytes that are not needed in `incoming/` any more; blocking."""
    stage.__exit__(None, None, None)


def _account(principal: Principal) -> str:
    return f"{principal.kind}:{principal.name}"
