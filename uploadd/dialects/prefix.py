"""The prefix.dev API: rattler-build, pixi, py-rattler-build.

    POST   /api/v1/upload/{channel}[?force=true]       multipart (part headers), or the raw body
    DELETE /api/v1/delete/{channel}/{subdir}/{file}
    POST   /api/v1/reindex/{channel}/{subdir}

The uploader retries every status but 400, 401, 403, 404, 409, 413 and 422, so nothing else is answered here.
"""

from contextlib import aclosing

from aiohttp import web

from packhouse.errors import EncodedBody, Malformed
from packhouse.intake.receive import Receipt
from packhouse.model import Action, Area, Claim, Ecosystem
from packhouse.names import parse_filename, parse_subdir
from uploadd.answers import json_answer, uploaded
from uploadd.call import Call
from uploadd.changing import delete_file
from uploadd.headers import claimed_digests, claimed_size
from uploadd.multipart import Form, FormLimits, Part
from uploadd.problems import Statuses
from uploadd.routing import Route
from uploadd.target import flag
from uploadd.uploading import begin, take_body

_LIMITS = FormLimits(parts=64, field=512 << 10)
_STATUSES: Statuses = {EncodedBody: 400}
_UNVERIFIED = "the attestation was not verified and is not kept"


async def upload(call: Call) -> web.Response:
    """Take one conda package: 201, or 200 where the same bytes are there already."""
    if call.request.content_type == "multipart/form-data":
        receipt, notes = await _form(call)
    else:
        receipt, notes = await take_body(call, _claim(call, call.request.headers.get("X-File-Name"))), []
    return await uploaded(call, receipt, notes=notes)


def _claim(call: Call, filename: str | None, part: Part | None = None) -> Claim:
    headers = call.request.headers if part is None else part.headers
    if filename is None:
        raise Malformed(
            "the upload has no file name: send it as X-File-Name, or as the file name of its part"
        )
    return Claim(
        channel=call.here.name,
        ecosystem=Ecosystem.CONDA,
        filename=parse_filename(filename),
        size=claimed_size(headers),
        digests=claimed_digests(headers),
        force=flag(call.query, "force"),
    )


async def _form(call: Call) -> tuple[Receipt, list[str]]:
    """The file's part carries the headers; an attestation may come before or after it."""
    notes: list[str] = []
    async with aclosing(Form(call.request, call.pace(), _LIMITS).parts()) as parts:
        async for part in parts:
            if part.name != "file":
                await _leave(part, notes)
                continue
            claim = _claim(call, _file_name(part), part)
            async with begin(call, claim) as upload_:
                async for piece in part.pieces():
                    await upload_.write(piece)
                async for later in parts:
                    if later.name == "file":
                        raise Malformed("the form has two parts named file; send one package per request")
                    await _leave(later, notes)
                # Only here: the closing boundary was read, so the form is whole.
                return await upload_.commit(claim), notes
    raise Malformed("the form has no part named file; send the package in it")


async def _leave(part: Part, notes: list[str]) -> None:
    await part.text(_LIMITS.field)
    if part.name == "attestation":
        notes.append(_UNVERIFIED)


def _file_name(part: Part) -> str | None:
    said = part.headers.get("X-File-Name")
    if said is not None and part.filename is not None and said != part.filename:
        raise Malformed(f"X-File-Name says {said[:80]!r}, but the part's file name is {part.filename[:80]!r}")
    return said or part.filename


async def delete(call: Call) -> web.Response:
    """Delete one conda package; its name is burnt."""
    subdir, filename = parse_subdir(call.path["subdir"]), parse_filename(call.path["file"])
    return await delete_file(call, Ecosystem.CONDA, f"{subdir}/{filename}")


async def reindex(call: Call) -> web.Response:
    """Render one subdir's indexes again: 200 when it is done, 202 if it takes longer than the longest wait."""
    subdir = parse_subdir(call.path["subdir"])
    services, area = call.services, Area(call.here.name, Ecosystem.CONDA, "index", subdir)
    awaited = await services.ask(services.house.catalog.areas.mark, {area: 0.0})
    await services.ask(services.house.wake.poke, "wake")
    done = await services.publication.wait(awaited)
    body = {"channel": call.here.name, "subdir": subdir, "published": done}
    return json_answer(body, 200 if done else 202)


ROUTES = (
    Route(
        method="POST",
        pattern="/api/v1/upload/{channel}",
        action=Action.WRITE,
        handler=upload,
        statuses=_STATUSES,
    ),
    Route(
        method="DELETE",
        pattern="/api/v1/delete/{channel}/{subdir}/{file}",
        action=Action.DELETE,
        handler=delete,
    ),
    Route(
        method="POST",
        pattern="/api/v1/reindex/{channel}/{subdir}",
        action=Action.WRITE,
        handler=reindex,
    ),
)
