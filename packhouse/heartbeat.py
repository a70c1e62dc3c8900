"""What a running indexer last said of itself, in a small file beside the catalog.

The indexer writes it (`indexer/state.py`); `packhouse doctor` and the admin's page read it:

    {"instance": "<16 hex digits>", "round_us": <last round, microseconds since 1970 UTC>,
     "failing": [{"area": "...", "gen": ..., "reason": "...", "since_us": ..., "tries": ...}]}
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from packhouse.house import House
from packhouse.model import Area

PATH = "state/indexer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An area that could not be published.

    Attributes:
        area: which.
        reason: what stopped it, in words.
        gen: the generation that was tried last.
        since_us: when it failed first, microseconds since 1970 UTC.
        tries: how often it was tried.
    """

    area: Area
    reason: str
    gen: int = 0
    since_us: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last word of an indexer; `round_us` is 0 where there never was one."""

    instance: str = ""
    round_us: int = 0
    failing: Sequence[Failing] = ()


def read(house: House) -> Heartbeat:
    """Return what the last indexer said; a file that is missing or unreadable says nothing."""
    try:
        body = orjson.loads((house.data / PATH).read_bytes())
        return Heartbeat(
            instance=str(body.get("instance", "")),
            round_us=int(body["round_us"]),
            failing=tuple(
                Failing(
                    area=Area.parse(item["area"]),
                    reason=str(item["reason"]),
                    gen=int(item.get("gen", 0)),
                    since_us=int(item.get("since_us", 0)),
                    tries=int(item.get("tries", 0)),
                )
                for item in body["failing"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Heartbeat()
