"""Waiting, on this machine, until what a command changed is published."""

import subprocess
from collections.abc import Mapping

from packhouse.cli.programs import python_command, python_environment
from packhouse.errors import Unavailable
from packhouse.house import House
from packhouse.model import Area

_POLL_S = 0.2


def published(
    house: House, awaited: Mapping[Area, int], channel: str | None, *, wait_s: float = 60.0
) -> None:
    """Wait until a running indexer has published; let one run once where none does.

    Args:
        house: where.
        awaited: the generation to wait for, per area.
        channel: what to publish if no indexer runs; None is everything.
        wait_s: the longest wait, in seconds.

    Raises:
        Unavailable: it did not happen; the sentence says what to look at.
    """
    if not indexer_runs(house):
        _index_once(house, channel)
        return
    waited_s = 0.0
    left = dict(awaited)
    while left := {area: left[area] for area in house.catalog.areas.unpublished(left)}:
        if waited_s >= wait_s:
            raise Unavailable(
                f"the change is stored, but the indexer did not publish it in {wait_s:g} s: "
                "`packhouse doctor` says what fails"
            )
        house.wake.wait("published", _POLL_S)
        waited_s += _POLL_S


def indexer_runs(house: House) -> bool:
    """Whether some process has the role of the indexer."""
    with house.locks.exclusive("indexer") as free:
        return not free


def _index_once(house: House, channel: str | None) -> None:
    # A program of its own: the command line knows nothing of how pages are made.
    command = python_command("indexer", "reindex", "--data", str(house.data), *([channel] if channel else []))
    done = subprocess.run(command, env=python_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Unavailable(f"the change is stored, but it could not be published; indexer said: {said}")
