"""Deleting over HTTP: found, allowed, done, listed."""

from aiohttp import web

from packhouse.catalog.artifacts import Change
from packhouse.errors import Forbidden, Malformed, NotFound
from packhouse.intake import changes
from packhouse.model import Action, Ecosystem
from uploadd.answers import changed
from uploadd.call import Call
from uploadd.target import flag

MAX_REASON = 1000


async def delete_file(call: Call, ecosystem: Ecosystem, path: str) -> web.Response:
    """Delete the live file at a path of the channel; its name is burnt.

    `?now=true` takes the bytes away with the indexes instead of after the grace, `?reason=` goes into the
    history.

    Raises:
        NotFound: no such file, or one that is neither theirs to delete nor to read: one sentence for both.
        Forbidden: the caller may read this package, but not delete it.
    """
    now, note = flag(call.query, "now"), clean_reason(call.query.get("reason", ""))
    change = await call.services.ask(_delete, call, ecosystem, path, now, note)
    return await changed(call, change, {"deleted": True})


def clean_reason(text: str) -> str:
    """Return a reason as the history and the pages show it.

    Raises:
        Malformed: over 1000 characters, or control characters in it.
    """
    if len(text) > MAX_REASON:
        raise Malformed(f"the reason has {len(text)} characters; at most {MAX_REASON} are kept")
    if not all(char.isprintable() for char in text):
        raise Malformed("the reason holds control characters; write one line of plain text")
    return text


def _delete(call: Call, ecosystem: Ecosystem, path: str, now: bool, note: str) -> Change:
    house = call.services.house
    missing = NotFound("file", f"{call.here.name}/{path}")
    artifact = house.catalog.artifacts.live(call.here.name, path)
    if artifact is None or artifact.ecosystem is not ecosystem:
        raise missing
    owner = artifact.ecosystem, artifact.package
    try:
        call.require(Action.DELETE, *owner)
    except Forbidden:
        # A right on some other package opened the door; it must not tell which names are there.
        if not call.services.rights.permits(call.principal, Action.READ, call.here, *owner):
            raise missing from None
        raise
    return changes.delete(house, artifact, call.principal, now=now, note=note)
