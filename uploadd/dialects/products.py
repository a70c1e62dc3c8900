"""Build products: PUT and DELETE on `/{channel}/products/{product}/{version}/{file}`, the file's own read URL."""

from aiohttp import web

from packhouse.model import Action, Claim, Ecosystem
from packhouse.names import parse_filename, parse_segment
from uploadd.answers import uploaded
from uploadd.call import Call
from uploadd.changing import delete_file
from uploadd.headers import claimed_digests
from uploadd.routing import Route
from uploadd.target import flag
from uploadd.uploading import take_body

_PATTERN = "/{channel}/products/{product}/{version}/{file}"


def _directory(call: Call) -> str:
    product = parse_segment("product name", call.path["product"])
    version = parse_segment("product version", call.path["version"])
    return f"products/{product}/{version}"


async def put(call: Call) -> web.Response:
    """Take one file of one version of a product: 201, or 200 where the same bytes are there already."""
    claim = Claim(
        channel=call.here.name,
        ecosystem=Ecosystem.GENERIC,
        filename=parse_filename(call.path["file"]),
        directory=_directory(call),
        size=call.request.content_length,
        digests=claimed_digests(call.request.headers),
        force=flag(call.query, "force"),
    )
    return await uploaded(call, await take_body(call, claim))


async def delete(call: Call) -> web.Response:
    """Delete one file of a product; its name is burnt."""
    filename = parse_filename(call.path["file"])
    return await delete_file(call, Ecosystem.GENERIC, f"{_directory(call)}/{filename}")


ROUTES = (
    Route(method="PUT", pattern=_PATTERN, action=Action.WRITE, handler=put),
    Route(method="DELETE", pattern=_PATTERN, action=Action.DELETE, handler=delete),
)
