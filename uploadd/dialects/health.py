"""`GET /health`: one sentence per service, ending in "is fine" when it is. Needs no key."""

from collections.abc import Callable

from aiohttp import web

from packhouse.errors import PackhouseError
from packhouse.house import House
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.routing import OPEN, Route

STUCK_S = 60
"""How long a change may wait for the indexer before that is worth a sentence, in seconds."""


async def health(call: Call) -> web.Response:
    """Answer 200 if every service is fine, else 500; the sentences say which one is not."""
    house = call.services.house
    checks: dict[str, Callable[[House], str | None]] = {
        "catalog": _catalog,
        "store": _store,
        "indexer": _indexer,
    }
    found = {name: await call.services.ask(_said, check, house) for name, check in checks.items()}
    found["inspection"] = await call.services.probe.said()
    body = {name: wrong or f"the {name} is fine" for name, wrong in found.items()}
    return json_answer(body, 500 if any(found.values()) else 200)


def _said(check: Callable[[House], str | None], house: House) -> str | None:
    try:
        return check(house)
    except PackhouseError as error:
        return str(error)


def _catalog(house: House) -> str | None:
    house.catalog.channels.find(house.settings.default_channel)
    return None


def _store(house: House) -> str | None:
    house.tree.stat("public/index.html")
    house.tree.ensure_room(house.settings.min_free_bytes)
    return None


def _indexer(house: House) -> str | None:
    due_us = house.catalog.areas.next_due_us()
    late_s = 0 if due_us is None else (house.catalog.clock() - due_us) // 1_000_000
    if late_s > STUCK_S:
        return (
            f"the indexer is behind: a change has waited {late_s} seconds; see whether `indexer watch` runs"
        )
    return None


ROUTES = (Route(method="GET", pattern="/health", action=OPEN, handler=health),)
