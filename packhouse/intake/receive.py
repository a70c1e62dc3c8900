"""Take an upload in: from staged bytes to a committed artifact.

The order is DESIGN section 4: inspect, verify, shelf, claim, place, commit. Nothing names the file before the
commit; after it everything else can be redone. Early refusals (`door`) need no byte of the body.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from packhouse.catalog.artifacts import Change, InFlight, Same, Ticket
from packhouse.digest import Digests, digest
from packhouse.ecosystems import Limits
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import Burnt, Busy, Exists, NotFound, OverwriteForbidden, PackhouseError, TooLarge
from packhouse.house import House
from packhouse.intake.changes import waiting_for_swap
from packhouse.intake.stage import Stage
from packhouse.model import Area, Artifact, Channel, Claim, Ecosystem, Observed, Principal, Verified
from packhouse.placement import Placement
from packhouse.tree import Occupied, When
from packhouse.verify import verify

_CHUNK = 1 << 20
_log = logging.getLogger(__name__)

Shelf = Callable[[Channel, Ecosystem, str], None]
"""Asks, by the package name read from the bytes, whether the caller may write it; raises if not."""


class Inspector(Protocol):
    """Opens archives somewhere safe (`intake.pool.InspectionPool`)."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: Limits) -> Observed:
        """Return what the bytes say, or raise a refusal."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an upload. `created` is False where the same bytes were there already."""

    artifact: Artifact
    created: bool
    serial: int
    awaited: Mapping[Area, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the source of an import tells: the upload time, or that there is none."""

    uploaded_us: int | None = None
    imported: bool = False


class Intake:
    """The way in of one house; thread-safe, blocking."""

    def __init__(self, house: House, inspector: Inspector) -> None:
        self._house, self._inspector = house, inspector
        self.instance = house.locks.instance()

    def stage(self) -> Stage:
        """Return a fresh stage: a context manager whose `write` takes the body."""
        return Stage(self._house.data, self.instance, max_bytes=self._house.settings.max_upload_bytes)

    def door(self, claim: Claim) -> None:
        """Refuse early what can be refused before the body.

        Raises:
            NotFound: there is no such channel.
            BadName: the file name breaks its format's rule.
            TooLarge: the claimed size is over the limit.
            OverwriteForbidden: `force` in a channel that keeps its files.
            StorageFull: the disk has no room for it.
            Burnt, Exists: the name alone, or with the claimed digest, says so.
        """
        channel = self._house.catalog.channels.get(claim.channel)
        limit = self._house.settings.max_upload_bytes
        if claim.size is not None and claim.size > limit:
            raise TooLarge(claim.filename, claim.size, limit)
        if claim.force and not channel.overwrite:
            raise OverwriteForbidden(claim.channel)
        self._house.tree.ensure_room(self._house.settings.min_free_bytes, size=claim.size or 0)
        place = FORMATS[claim.ecosystem].place(claim)
        if place is None:
            return
        _package, path = place
        if self._house.catalog.artifacts.burnt(claim.channel, path):
            raise Burnt(claim.channel, path)
        live = self._house.catalog.artifacts.live(claim.channel, path)
        said = claim.digests.get("sha256")
        if live is not None and not claim.force and said is not None and said != live.sha256:
            raise Exists(claim.channel, path)

    def receive(
        self,
        claim: Claim,
        stage: Stage,
        principal: Principal,
        *,
        shelf: Shelf,
        history: History | None = None,
    ) -> Receipt:
        """Judge and commit what was staged.

        Args:
            claim: what the uploader said.
            stage: holds the bytes; it is finished here.
            principal: who uploads.
            shelf: asked with the package name read from the bytes.
            history: of an import.

        Returns:
            The receipt, whose `awaited` generations publish the upload.

        Raises:
            PackhouseError: the refusal; nothing is kept then.
        """
        digests = stage.finish()
        observed = self.inspect(claim, stage)
        verified = verify(claim, digests, observed)
        channel = self._house.catalog.channels.get(claim.channel)
        shelf(channel, verified.ecosystem, observed.package)
        if claim.force and not channel.overwrite:
            raise OverwriteForbidden(claim.channel)
        outcome = self._claim(verified, claim, principal, history or History())
        if isinstance(outcome, Artifact):
            return Receipt(artifact=outcome, created=False, serial=outcome.serial)
        with self._house.locks.hold(name_lock(outcome.channel, outcome.path)):
            # A lease may end while its holder lives (a suspended machine, a clock that jumped). Under the lock of
            # the name nobody else places or withdraws; without our token on the row nothing is touched.
            if self._house.catalog.artifacts.holder(outcome.id) != outcome.token:
                raise Busy(f"{outcome.path} took longer than its lease and was given up; upload it again")
            try:
                with self._house.placing(outcome.channel) as place:
                    change = self._place_and_commit(_there(place, outcome.channel), outcome, verified, stage)
            except BaseException:
                # Nothing names the bytes yet: take them away, then free the name, in that order.
                self._withdraw(outcome, verified)
                raise
        self._house.wake.poke("wake")
        return Receipt(
            artifact=change.artifacts[0], created=True, serial=change.serial, awaited=change.awaited
        )

    def inspect(self, claim: Claim, stage: Stage) -> Observed:
        """Open the staged archive in a child and return what it says."""
        settings = self._house.settings
        limits = Limits(scan_bytes=settings.scan_bytes, now_us=self._house.catalog.clock())
        return self._inspector.inspect(claim.ecosystem, str(stage.path), claim, limits)

    def _claim(
        self, verified: Verified, claim: Claim, principal: Principal, history: History
    ) -> Ticket | Artifact:
        """Claim the name; wait for somebody who is uploading the same bytes right now."""
        settings = self._house.settings
        deadline = time.monotonic() + settings.publish_wait_s
        while True:
            outcome = self._house.catalog.artifacts.claim(
                verified,
                by=principal.name,
                origin=principal.address,
                token=f"{self.instance}:{uuid.uuid4().hex}",
                lease_s=settings.lease_s,
                overwrite=claim.force,
                uploaded_us=history.uploaded_us,
                imported=history.imported,
            )
            if isinstance(outcome, Ticket):
                return outcome
            if isinstance(outcome, Same):
                return outcome.artifact
            self._wait_for(outcome, deadline, verified.path)

    def _wait_for(self, rival: InFlight, deadline: float, path: str) -> None:
        reap(self._house, self.instance)
        while (row := self._house.catalog.artifacts.get(rival.id)) is not None and row.state == "pending":
            if time.monotonic() > deadline:
                raise Busy(f"{path} is being uploaded by somebody else right now; try again in a moment")
            time.sleep(0.02)

    def _place_and_commit(self, place: Placement, ticket: Ticket, verified: Verified, stage: Stage) -> Change:
        house, rules = self._house, FORMATS[verified.ecosystem]
        if ticket.replaces:
            # Other bytes lie at the path: the indexer renames ours over them under the area's lock.
            waiting = waiting_for_swap(ticket.id)
            house.tree.put(waiting, stage.path, when=When.ABSENT)
            house.tree.flush()
            return house.catalog.artifacts.commit(
                ticket, rules, staged=waiting, grace_s=house.settings.delete_grace_s
            )
        put(house, place.where(verified.path), verified.observed.sidecars, stage, verified.digests)
        # The commit: before it nothing names the file, a crash leaves a pending row for the reaper;
        # after it the upload is real, and a crash loses nothing.
        return house.catalog.artifacts.commit(ticket, rules)

    def _withdraw(self, ticket: Ticket, verified: Verified) -> None:
        if self._house.catalog.artifacts.holder(ticket.id) != ticket.token:
            return
        if ticket.replaces:
            self._house.tree.remove(waiting_for_swap(ticket.id))
            self._house.tree.flush()
        else:
            # Its tree may have changed since it was placed, and then the bytes moved along.
            with self._house.placing(ticket.channel) as place:
                if place is not None:  # else the channel went, and all that lay in it
                    _take_away(self._house, place.where(verified.path), verified.observed.sidecars)
        self._house.catalog.artifacts.release(ticket.id, ticket.token)


def put(house: House, path: str, sidecars: Mapping[str, bytes], stage: Stage, digests: Digests) -> None:
    """Put sidecars, then the artifact, at their final paths, create-only and durable.

    The caller holds the name (a pending row), so whatever lies at the path already is an orphan of a crash:
    the same bytes are kept, other bytes are moved aside. Nothing of the channel is moved meanwhile (`placing`).

    Args:
        house: where.
        path: of the artifact, relative to the data directory.
        sidecars: suffix to bytes.
        stage: holds the artifact's bytes.
        digests: of them.
    """
    for suffix, body in sidecars.items():
        house.tree.put(f"{path}{suffix}", body, when=When.ALWAYS)
    try:
        house.tree.put(path, stage.path, when=When.ABSENT)
    except Occupied:
        if _sha256(house, path) != digests.sha256:
            house.tree.move(path, f"incoming/orphan.{uuid.uuid4().hex}")
            house.tree.put(path, stage.path, when=When.ABSENT)
    house.tree.flush()


def _take_away(house: House, path: str, sidecars: Iterable[str]) -> None:
    for name in (path, *(path + suffix for suffix in sidecars)):
        house.tree.remove(name)
    house.tree.flush()


def _there(place: Placement | None, channel: str) -> Placement:
    if place is None:
        raise NotFound("channel", channel, "it was deleted during the upload")
    return place


def _sha256(house: House, path: str) -> str | None:
    try:
        with house.tree.open(path) as file:
            return digest(iter(lambda: file.read(_CHUNK), b"")).sha256
    except FileNotFoundError:
        return None


def name_lock(channel: str, path: str) -> str:
    """Return the key of the lock under which bytes are placed at a path, committed or withdrawn."""
    return f"name:{channel}/{path}"


def reap(house: House, instance: str) -> int:
    """Finish or undo the uploads of processes that died.

    A pending row whose holder is dead or whose lease is over: bytes there with the right hash, then commit;
    else unlink, sync, and only then free the name. A row that cannot be finished now stays for the next time
    and stops no other.

    Returns:
        How many rows were taken care of.
    """
    count = 0
    for artifact, token, over in house.catalog.artifacts.pending():
        holder = token.partition(":")[0]
        if not over and (holder == instance or house.locks.alive(holder)):
            continue
        try:
            count += _reap_one(house, artifact, token, instance)
        except PackhouseError as error:
            _log.warning("cannot finish the upload of %s/%s: %s", artifact.channel, artifact.path, error)
    if count:
        house.wake.poke("wake")
    return count


def _reap_one(house: House, artifact: Artifact, token: str, instance: str) -> bool:
    with house.locks.hold(name_lock(artifact.channel, artifact.path), timeout_s=0) as held:
        mine = f"{instance}:{uuid.uuid4().hex}"
        # Not held: its uploader lives after all, and is placing the bytes at this moment.
        if not held or not house.catalog.artifacts.take_over(
            artifact.id, token, mine, house.settings.lease_s
        ):
            return False
        with house.placing(artifact.channel) as place:
            if place is None:
                return house.catalog.artifacts.release(artifact.id, mine)
            _finish_or_undo(house, place, artifact, mine)
        return True


def _finish_or_undo(house: House, place: Placement, artifact: Artifact, token: str) -> None:
    artifacts, rules = house.catalog.artifacts, FORMATS[artifact.ecosystem]
    # A claim is refused for a burnt name: so this was an overwrite, and what it was to replace is deleted now.
    burnt = artifacts.burnt(artifact.channel, artifact.path)
    replaces = burnt or artifacts.live(artifact.channel, artifact.path) is not None
    ticket = Ticket(
        id=artifact.id, token=token, channel=artifact.channel, path=artifact.path, replaces=replaces
    )
    waiting = waiting_for_swap(artifact.id)
    lies_at = waiting if replaces else place.where(artifact.path)
    sidecars = artifacts.sidecars(artifact.id)
    if not burnt and _sha256(house, lies_at) == artifact.sha256:
        if not replaces:
            for suffix, body in sidecars.items():
                house.tree.put(f"{lies_at}{suffix}", body, when=When.ALWAYS)
        house.tree.flush()
        artifacts.commit(
            ticket, rules, staged=waiting if replaces else None, grace_s=house.settings.delete_grace_s
        )
        return
    if replaces:
        house.tree.remove(waiting)
        house.tree.flush()
    else:
        _take_away(house, lies_at, sidecars)
    artifacts.release(artifact.id, token)
