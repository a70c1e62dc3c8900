"""The quetz API: `POST /api/channels/{channel}/upload/{file}?force=false&sha256=<hex>`, chunked raw body."""

from aiohttp import web

from packhouse.digest import parse_sha256
from packhouse.errors import Malformed
from packhouse.model import Action, Claim, Ecosystem
from packhouse.names import parse_filename
from uploadd.answers import uploaded
from uploadd.call import Call
from uploadd.headers import claimed_digests
from uploadd.routing import Route
from uploadd.target import flag
from uploadd.uploading import take_body


async def upload(call: Call) -> web.Response:
    """Take one conda package: 201, or 200 where the same bytes are there already."""
    digests = claimed_digests(call.request.headers)
    if said := call.query.get("sha256"):
        sha256 = parse_sha256(said)
        if digests.setdefault("sha256", sha256) != sha256:
            raise Malformed("the query and a header claim different sha256 digests; send one")
    claim = Claim(
        channel=call.here.name,
        ecosystem=Ecosystem.CONDA,
        filename=parse_filename(call.path["file"]),
        size=call.request.content_length,
        digests=digests,
        force=flag(call.query, "force"),
    )
    return await uploaded(call, await take_body(call, claim))


ROUTES = (
    Route(
        method="POST",
        pattern="/api/channels/{channel}/upload/{file}",
        action=Action.WRITE,
        handler=upload,
    ),
)
