"""anaconda.org's API below `/anaconda`: an upload in three steps, as rattler-build and anaconda-client send it.

    POST   /anaconda/stage/{channel}/{name}/{version}/{subdir}/{file}      announces an upload
    POST   /anaconda/blob?upload=<one-time id>                             takes its bytes
    POST   /anaconda/commit/{channel}/{name}/{version}/{subdir}/{file}     judges and publishes them
    DELETE /anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}       the first half of --force

The owner in their addresses is a channel here, and a label one beside it: `main` is the owner's own channel, any other
label the channel `<owner>-<label>`. Nothing is judged before the commit: it alone says who asks while the bytes are
there, and a refused blob makes anaconda-client fail over a body that is no XML.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from aiohttp import web
from multidict import CIMultiDict

from packhouse.digest import parse_sha256
from packhouse.errors import Forbidden, Malformed, OverwriteForbidden
from packhouse.intake.receive import Receipt
from packhouse.model import Action, Area, Artifact, Claim, Ecosystem, Json
from packhouse.names import parse_filename, parse_subdir
from uploadd import door
from uploadd.answers import json_answer, record, unsettled
from uploadd.call import Call
from uploadd.condafiles import MAIN, conda_only, describe, document, named_file
from uploadd.deferred import Deferred, discard
from uploadd.headers import claimed_digests, claimed_size
from uploadd.multipart import Form, FormLimits
from uploadd.origin import origin
from uploadd.routing import ANYONE, Route
from uploadd.services import run
from uploadd.uploading import Upload, hold

MAX_LABELS = 8
"""Labels of one upload; each is a channel that it is committed to."""

_LIMITS = FormLimits(parts=32, field=8 << 10)
_FILE = "{channel}/{name}/{version}/{subdir}/{file}"


async def stage(call: Call) -> web.Response:
    """Announce an upload: 200 with the address for its bytes; 409 where the name has other bytes.

    Raises:
        PackhouseError: every refusal that needs no byte, of each label's channel.
    """
    body, deferred = await document(call), call.services.deferred
    conda_only([body.get("distribution_type", "conda")])
    claims = tuple([await _admitted(call, label, body) for label in _labels(body)])
    here = origin(call)
    if not here:
        raise Malformed("the request names no host, so there is no address for the bytes: send a Host header")
    upload = deferred.announce(call.principal, _target(call), claims)
    for claim in claims:
        deferred.replacing(call.principal, claim.channel, f"{claim.directory}/{claim.filename}")
    post_url = f"{here}/anaconda/blob?upload={upload.delivery}"
    return json_answer({"post_url": post_url, "form_data": {}, "dist_id": upload.id})


def _labels(body: Mapping[str, Json]) -> Sequence[str]:
    """Return the labels, each once; none are `main`."""
    labels = body.get("channels") or [MAIN]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise Malformed("the field channels must be a list of labels, such as main")
    labels = list(dict.fromkeys(labels))
    if len(labels) > MAX_LABELS:
        raise Malformed(f"the upload has {len(labels)} labels; at most {MAX_LABELS} are allowed")
    return labels


async def _admitted(call: Call, label: str, body: Mapping[str, Json]) -> Claim:
    """Return what is claimed for the channel of a label, once the door let it pass."""
    there = call if label == MAIN else await call.services.ask(_labelled, call, label)
    subdir, filename = parse_subdir(call.path["subdir"]), parse_filename(call.path["file"])
    said = body.get("sha256")
    if said is not None and not isinstance(said, str):
        raise Malformed("the field sha256 must be a string of 64 hexadecimal digits")
    claim = Claim(
        channel=there.here.name,
        ecosystem=Ecosystem.CONDA,
        filename=filename,
        directory=subdir,
        digests={"sha256": parse_sha256(said)} if said else {},
        package=call.path["name"],
        version=call.path["version"],
        force=call.services.deferred.may_replace(call.principal, there.here.name, f"{subdir}/{filename}"),
    )
    await call.services.ask(door.admit, there, claim)
    return claim


def _labelled(call: Call, label: str) -> Call:
    """Return the call as one for the channel of another label than `main`; raises as `door.enter`."""
    name = f"{call.here.name}-{label}"
    return replace(call, channel=door.enter(call.services, call.principal, Action.WRITE, name))


def _target(call: Call) -> str:
    return "/".join([call.here.name, *(call.path[part] for part in ("name", "version", "subdir", "file"))])


async def blob(call: Call) -> web.Response:
    """Take the bytes of an announced upload: 201. Nothing sees them before the commit.

    The clients send no credentials here: the one-time id of the address stands for them.

    Raises:
        NotFound: nobody announced it, its bytes came already, or it is over.
        PackhouseError: the body is broken, too large, too slow or finds no room; then the upload is over.
    """
    deferred = call.services.deferred
    upload = deferred.deliver(call.query.get("upload", ""))
    try:
        size = await _receive(call, upload)
    except BaseException:
        deferred.drop(upload)
        raise
    return json_answer({"received": size}, 201)


async def _receive(call: Call, upload: Deferred) -> int:
    said: CIMultiDict[str] = CIMultiDict()
    came = False
    async with hold(call) as body, aclosing(Form(call.request, call.pace(), _LIMITS).parts()) as parts:
        async for part in parts:
            if part.name != "file":
                said.add(part.name, await part.text(_LIMITS.field))
                continue
            if came:
                raise Malformed("the form has two parts named file; send one package per request")
            came = True
            async for piece in part.pieces():
                await body.write(piece)
        if not came:
            raise Malformed("the form has no part named file; send the package in it")
        size, digests = claimed_size(said), claimed_digests(said)
        # Only here: the closing boundary was read, so the form is whole.
        kept = await body.keep()
        call.services.deferred.arrived(upload, kept, size, digests)
        return kept.size


async def commit(call: Call) -> web.Response:
    """Judge the bytes of an upload and publish them in the channel of each label, one after another.

    Answers 200 also where an index does not list it yet, as the clients take no other status: `published` tells.

    Raises:
        NotFound: no such upload of this account.
        PackhouseError: the bytes are refused, and forgotten; what an earlier label took stays.
    """
    body = await document(call)
    dist_id = body.get("dist_id")
    if not isinstance(dist_id, str) or not dist_id:
        raise Malformed("the field dist_id is missing; send the one that the announcement was answered with")
    staged, claims = call.services.deferred.take(call.principal, dist_id, _target(call))
    try:
        receipts = [await Upload(call, staged).commit(claim) for claim in claims]
    finally:
        await run(call.services.write, discard, staged)
    return await _committed(call, receipts)


async def _committed(call: Call, receipts: Sequence[Receipt]) -> web.Response:
    awaited: dict[Area, int] = {}
    for receipt in receipts:
        fresh = receipt.awaited or await call.services.ask(unsettled, call.services.house, receipt.artifact)
        awaited |= {area: max(generation, awaited.get(area, 0)) for area, generation in fresh.items()}
    listed = await call.services.publication.wait(awaited)
    first = receipts[0].artifact
    return json_answer(
        {
            **describe(first),
            "url": f"{origin(call)}/{first.channel}/conda/{first.package}/",
            "changed": any(receipt.created for receipt in receipts),
            "published": listed,
            "files": [record(receipt.artifact) for receipt in receipts],
        }
    )


async def let_replace(call: Call) -> web.Response:
    """Let the caller's next upload of this file replace it: what `--force` means by deleting it first.

    Nothing is deleted: a deleted name is burnt, so the upload that follows could never be stored.

    Raises:
        NotFound: no such file, or one that they may not read.
        Forbidden: they may read it, but not replace it.
        OverwriteForbidden: the channel keeps its files.
    """
    file = await call.services.ask(_replaceable, call)
    call.services.deferred.allow_replacing(call.principal, call.here.name, file.path)
    return json_answer(
        {"deleted": False, "note": f"{file.path} stays until an upload replaces it", "file": describe(file)}
    )


def _replaceable(call: Call) -> Artifact:
    file = named_file(call)
    if not call.services.rights.permits(
        call.principal, Action.MAINTAIN, call.here, file.ecosystem, file.package
    ):
        raise Forbidden(call.principal.name, Action.MAINTAIN, f"{file.package} in channel {call.here.name}")
    if not call.here.overwrite:
        raise OverwriteForbidden(call.here.name)
    return file


ROUTES = (
    Route(method="POST", pattern=f"/anaconda/stage/{_FILE}", action=Action.WRITE, handler=stage),
    Route(method="POST", pattern="/anaconda/blob", action=ANYONE, handler=blob),
    Route(method="POST", pattern=f"/anaconda/commit/{_FILE}", action=Action.WRITE, handler=commit),
    Route(method="DELETE", pattern=f"/anaconda/dist/{_FILE}", action=Action.MAINTAIN, handler=let_replace),
)
