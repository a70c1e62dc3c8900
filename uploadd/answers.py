"""What a successful request answers: the record, the serial, and whether it is listed yet."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import orjson
from aiohttp import web

from packhouse import areas as people
from packhouse.catalog.artifacts import Change
from packhouse.ecosystems.registry import FORMATS
from packhouse.house import House
from packhouse.intake.receive import Receipt
from packhouse.model import Area, Artifact, Json, from_us
from uploadd.call import Call

_LATE = "stored; the index does not list it yet, which it will without further action"


def json_answer(body: Mapping[str, Json] | Sequence[Json], status: int = 200) -> web.Response:
    """Return a JSON answer; the media type has no charset, since some clients compare the whole value."""
    return web.Response(
        body=orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE),
        status=status,
        headers={"Content-Type": "application/json", "Cache-Control": "no-cache"},
    )


def when(us: int) -> str:
    """Return microseconds since 1970 UTC as an answer tells them: ISO 8601 with a `Z`."""
    return from_us(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record(artifact: Artifact) -> dict[str, Json]:
    """Return what an answer says of one artifact; `url` is relative to the server's root, sizes in bytes."""
    return {
        "channel": artifact.channel,
        "ecosystem": str(artifact.ecosystem),
        "package": artifact.package,
        "version": artifact.version,
        "filename": artifact.filename,
        "path": artifact.path,
        "url": quote(f"{artifact.channel}/{artifact.path}", safe="/+!"),
        "size": artifact.size,
        "sha256": artifact.sha256,
        "serial": artifact.serial,
        "uploaded": when(artifact.uploaded_us),
        "uploaded_by": artifact.uploaded_by,
        "yanked": artifact.yanked,
        "warnings": list(artifact.warnings),
    }


async def uploaded(
    call: Call,
    receipt: Receipt,
    *,
    created: int = 201,
    notes: Sequence[str] = (),
    more: Mapping[str, Json] | None = None,
) -> web.Response:
    """Answer an upload once it is listed, or after the longest wait.

    Args:
        call: the request.
        receipt: of the upload.
        created: the status for new bytes; the same bytes again are always 200.
        notes: sentences about what was left aside.
        more: what a dialect says of the artifact in its own words; they win over ours.

    Returns:
        `created` or 200; 202 with the same body where it is stored but not listed yet.
    """
    awaited = receipt.awaited or await call.services.ask(unsettled, call.services.house, receipt.artifact)
    listed = await call.services.publication.wait(awaited)
    body = {"changed": receipt.created, "published": listed, **record(receipt.artifact), **(more or {})}
    body["notes"] = list(notes) if listed else [_LATE, *notes]
    if not listed:
        return json_answer(body, 202)
    return json_answer(body, created if receipt.created else 200)


async def changed(call: Call, change: Change, body: Mapping[str, Json]) -> web.Response:
    """Answer a delete or a yank once every list shows it: 200, or 202 after the longest wait."""
    listed = await call.services.publication.wait(change.awaited)
    files = [record(artifact) for artifact in change.artifacts]
    notes = [] if listed else ["done; the indexes do not show it yet, which they will without further action"]
    answer = {
        "changed": True,
        "published": listed,
        **body,
        "serial": change.serial,
        "files": files,
        "notes": notes,
    }
    return json_answer(answer, 200 if listed else 202)


def unsettled(house: House, artifact: Artifact) -> dict[Area, int]:
    """Return the generations under which an artifact that is live already will be listed; blocking.

    The answer to an earlier upload of the same bytes may have timed out before its areas were published. What may
    lag is not waited for; only the ecosystem's root is, once it is due: the upload may have been its package's
    first.
    """
    areas = house.catalog.areas
    delays = dict(FORMATS[artifact.ecosystem].areas(artifact, first_or_last=False))
    delays |= dict.fromkeys(people.own(artifact), 0.0)
    at_once = {area: areas.generation(area) for area, delay_s in delays.items() if delay_s == 0}
    roots = {area: areas.due_generation(area) for area in delays if area.kind == "root"}
    return {area: gen for area, gen in (roots | at_once).items() if gen}
