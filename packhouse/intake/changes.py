"""Changes to what is committed: delete, yank, and the swap of an overwritten file."""

import re
from collections.abc import Sequence
from contextlib import suppress

from packhouse.catalog.artifacts import Change
from packhouse.digest import digest
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import NotFound, Unprocessable
from packhouse.house import House
from packhouse.model import Artifact, Ecosystem, Principal, State
from packhouse.placement import Placement, kept_at
from packhouse.tree import Occupied, When

_CHUNK = 1 << 20


def delete(
    house: House, artifact: Artifact, principal: Principal, *, now: bool = False, note: str = ""
) -> Change:
    """Delete one live artifact; its name is burnt.

    Args:
        house: where.
        artifact: what; the right to delete it was checked.
        principal: who.
        now: take the bytes away with the indexes (a leaked secret, malware) instead of after the grace.
        note: the reason, for the history.

    Raises:
        NotFound: it is not live any more.
    """
    return delete_all(house, [artifact], principal, now=now, note=note)


def delete_all(
    house: House, artifacts: Sequence[Artifact], principal: Principal, *, now: bool = False, note: str = ""
) -> Change:
    """Delete n >= 1 live artifacts of one format and channel, all of them or none; otherwise as `delete`."""
    change = house.catalog.artifacts.delete(
        artifacts[0].channel,
        [artifact.path for artifact in artifacts],
        FORMATS[artifacts[0].ecosystem],
        by=principal.name,
        origin=principal.address,
        grace_s=0 if now else house.settings.delete_grace_s,
        note=note,
    )
    house.wake.poke("wake")
    return change


def yank(house: House, artifacts: Sequence[Artifact], principal: Principal, reason: str | None) -> Change:
    """Yank the files of a Python release with a reason (may be empty), or un-yank them (None): PEP 592.

    Raises:
        NotFound: no files, or one of them is not live any more.
        Unprocessable: not a Python distribution: conda has no such state.
    """
    if not artifacts:
        raise NotFound("file", "of that version")
    if any(artifact.ecosystem is not Ecosystem.PYPI for artifact in artifacts):
        raise Unprocessable(
            "only Python distributions can be yanked (PEP 592): delete the file, or add a hotfix"
        )
    change = house.catalog.artifacts.yank(
        artifacts[0].channel,
        [artifact.path for artifact in artifacts],
        FORMATS[Ecosystem.PYPI],
        by=principal.name,
        origin=principal.address,
        reason=reason,
    )
    house.wake.poke("wake")
    return change


_WAITING = re.compile(r"incoming/replace\.([0-9]+)")


def waiting_for_swap(artifact_id: int) -> str:
    """Return where the bytes of an overwrite wait, relative to the data directory."""
    return f"incoming/replace.{artifact_id}"


def tidy(house: House) -> int:
    """Remove bytes that waited for a swap that will not come: their file was deleted or overwritten meanwhile.

    Returns:
        How many files were removed.
    """
    count = 0
    for stat in list(house.tree.scan("incoming")):
        match = _WAITING.fullmatch(stat.path)
        if match is None:
            continue
        row = house.catalog.artifacts.get(int(match[1]))
        # Pending: claimed, on its way. Live and staged: the indexer is about to take it.
        if row is None or not (row.state is State.PENDING or (row.state is State.LIVE and row.staged)):
            count += house.tree.remove(stat.path)
    if count:
        house.tree.flush()
    return count


def swap(house: House, place: Placement, artifact: Artifact) -> None:
    """Rename the bytes of an overwrite over the old ones; the caller holds the area's lock and publishes next.

    The old bytes stay readable by hash below `<channel>/replaced/` for the grace. Doing it twice is doing it
    once: after a crash the staged file is either still there, or already in place.
    """
    target, waiting = place.where(artifact.path), artifact.staged
    if waiting is None or not _still_live(house, artifact):
        return
    try:
        with house.tree.open(waiting):
            pass
    except FileNotFoundError:
        house.catalog.artifacts.settle(artifact.id)  # the rename happened, the note of it was lost
        return
    keep_old(house, place, artifact)
    for suffix, body in house.catalog.artifacts.sidecars(artifact.id).items():
        house.tree.put(target + suffix, body, when=When.ALWAYS)
    house.tree.put(target, house.data / waiting, when=When.ALWAYS)
    house.tree.flush()
    house.catalog.artifacts.settle(artifact.id)


def keep_old(house: House, place: Placement, artifact: Artifact) -> None:
    """Keep the bytes that are about to be replaced, by their hash, for the grace."""
    target = place.where(artifact.path)
    try:
        with house.tree.open(target) as file:
            # Asked of the bytes: two overwrites in a row leave the first one's bytes out of the tree.
            old = digest(iter(lambda: file.read(_CHUNK), b"")).sha256
    except FileNotFoundError:
        return
    kept = kept_at(artifact, old)
    # Before it is there: a crash in between must leave no file that nobody knows of.
    house.catalog.areas.discard(artifact.channel, {kept: house.settings.delete_grace_s})
    with suppress(Occupied):
        house.tree.put(place.where(kept), house.data / target, when=When.ABSENT)
    house.tree.flush()
    if not _still_live(house, artifact):
        # Deleted in between, perhaps as a leaked secret, and after it looked for kept bytes: they go at once.
        house.catalog.areas.discard(artifact.channel, {kept: 0.0})


def _still_live(house: House, artifact: Artifact) -> bool:
    row = house.catalog.artifacts.get(artifact.id)
    return row is not None and row.state is State.LIVE
