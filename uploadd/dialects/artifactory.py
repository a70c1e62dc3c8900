"""The artifactory API, and `curl -T`: PUT and DELETE on a conda file's own read URL, `/{channel}/{subdir}/{file}`."""

from aiohttp import web

from packhouse.model import Action, Claim, Ecosystem
from packhouse.names import parse_filename, parse_subdir
from uploadd.answers import uploaded
from uploadd.call import Call
from uploadd.changing import delete_file
from uploadd.headers import claimed_digests
from uploadd.routing import Route
from uploadd.target import flag
from uploadd.uploading import take_body

_PATTERN = "/{channel}/{subdir}/{file}"


async def put(call: Call) -> web.Response:
    """Take one conda package into the subdir of its URL: 201, or 200 where the same bytes are there already."""
    subdir = parse_subdir(call.path["subdir"])
    claim = Claim(
        channel=call.here.name,
        ecosystem=Ecosystem.CONDA,
        filename=parse_filename(call.path["file"]),
        directory=subdir,
        size=call.request.content_length,
        digests=claimed_digests(call.request.headers),
        force=flag(call.query, "force"),
    )
    return await uploaded(call, await take_body(call, claim))


async def delete(call: Call) -> web.Response:
    """Delete one conda package; its name is burnt."""
    subdir, filename = parse_subdir(call.path["subdir"]), parse_filename(call.path["file"])
    return await delete_file(call, Ecosystem.CONDA, f"{subdir}/{filename}")


ROUTES = (
    Route(method="PUT", pattern=_PATTERN, action=Action.WRITE, handler=put),
    Route(method="DELETE", pattern=_PATTERN, action=Action.DELETE, handler=delete),
)
