"""Packhouse's own API: yank and un-yank (PEP 592), DELETE on a Python file's read URL.

POST   /api/1/{channel}/{project}/{version}/yank     {"reason": "..."} as JSON or form; may be empty
DELETE /api/1/{channel}/{project}/{version}/yank
DELETE /{channel}/packages/{project}/{file}           also /packages/{project}/{file} in the default channel
"""

import orjson
from aiohttp import web
from packaging.version import InvalidVersion, Version

from packhouse.catalog.artifacts import Change
from packhouse.errors import Malformed, NotFound
from packhouse.intake import changes
from packhouse.model import Action, Ecosystem
from packhouse.names import parse_filename, parse_project, parse_segment
from uploadd.answers import changed
from uploadd.call import Call
from uploadd.changing import clean_reason, delete_file
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body
from uploadd.parameters import FORM, parse_form
from uploadd.routing import Route

_YANK = "/api/1/{channel}/{project}/{version}/yank"


async def yank(call: Call) -> web.Response:
    """Yank every file of a Python release, with a reason that may be empty."""
    reason = clean_reason(await _reason(call))
    change = await call.services.ask(_change, call, reason)
    return await changed(call, change, {"yanked": True, "reason": reason})


async def unyank(call: Call) -> web.Response:
    """Take the yank of a Python release back."""
    change = await call.services.ask(_change, call, None)
    return await changed(call, change, {"yanked": False})


def _change(call: Call, reason: str | None) -> Change:
    project = parse_project(call.path["project"])
    version = _version(parse_segment("version", call.path["version"]))
    house = call.services.house
    call.require(Action.DELETE, Ecosystem.PYPI, project)
    files = [
        artifact
        for artifact in house.catalog.artifacts.of_version(call.here.name, Ecosystem.PYPI, project)
        if _version(artifact.version) == version
    ]
    if not files:
        raise NotFound("release", f"{project} {call.path['version']} in channel {call.here.name}")
    return changes.yank(house, files, call.principal, reason)


def _version(text: str) -> Version | str:
    """Versions compare after PEP 440: 1.0 is 1.0.0; text that is none compares as text."""
    try:
        return Version(text)
    except InvalidVersion:
        return text


async def _reason(call: Call) -> str:
    request = call.request
    refuse_encodings(request.headers)
    body = await small_body(request, call.pace())
    if not body:
        return ""
    if request.content_type == FORM:
        return parse_form(body).get("reason", "")
    if request.content_type != "application/json":
        raise Malformed(f"the body is {request.content_type[:80]!r}; send the reason as JSON or as a form")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not valid JSON: {error}") from error
    reason = value.get("reason", "") if isinstance(value, dict) else None
    if not isinstance(reason, str):
        raise Malformed('the body must be an object such as {"reason": "broken on Windows"}')
    return reason


async def delete(call: Call) -> web.Response:
    """Delete one Python file; its name is burnt."""
    project, filename = parse_project(call.path["project"]), parse_filename(call.path["file"])
    return await delete_file(call, Ecosystem.PYPI, f"packages/{project}/{filename}")


ROUTES = (
    Route(method="POST", pattern=_YANK, action=Action.DELETE, handler=yank),
    Route(method="DELETE", pattern=_YANK, action=Action.DELETE, handler=unyank),
    *(
        Route(method="DELETE", pattern=pattern, action=Action.DELETE, handler=delete)
        # the second is the alias under which the default channel's files are read
        for pattern in ("/{channel}/packages/{project}/{file}", "/packages/{project}/{file}")
    ),
)
