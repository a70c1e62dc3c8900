"""What a running indexer tells about itself, in the file that `packhouse/heartbeat.py` describes and reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from packhouse import heartbeat
from packhouse.heartbeat import PATH
from packhouse.house import House
from packhouse.model import Area
from packhouse.tree import fsio


@dataclass(slots=True)
class Failure:
    """An area that could not be published."""

    reason: str
    since_us: int
    tries: int = 0
    gen: int = 0
    """The generation that was tried; a newer mark is tried at once."""
    retry_at: float = 0
    """When to try again, in seconds of the indexer's monotonic clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The last word of an indexer; `instance` is empty where there never was one."""

    instance: str = ""
    round_us: int = 0
    failing: Mapping[Area, str] = field(default_factory=dict)
    tried: Mapping[Area, int] = field(default_factory=dict)
    """The generation of each failing area that was tried last."""


def write(house: House, instance: str, failing: Mapping[Area, Failure]) -> None:
    """Note that the indexer lives, and which areas fail."""
    body = {
        "instance": instance,
        "round_us": house.catalog.clock(),
        "failing": [
            {
                "area": str(area),
                "gen": item.gen,
                "reason": item.reason,
                "since_us": item.since_us,
                "tries": item.tries,
            }
            for area, item in sorted(failing.items())
        ],
    }
    fsio.write_atomic(house.data / PATH, orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")


def read(house: House) -> State:
    """Return what the last indexer said; a file that is missing or unreadable says nothing."""
    said = heartbeat.read(house)
    return State(
        instance=said.instance,
        round_us=said.round_us,
        failing={item.area: item.reason for item in said.failing},
        tried={item.area: item.gen for item in said.failing},
    )


def running(house: House) -> bool:
    """Whether another process is the indexer of this house."""
    instance = read(house).instance
    return instance != house.locks.instance() and house.locks.alive(instance)
