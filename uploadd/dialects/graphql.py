"""GraphQL, as prefix.dev and Quilt have it.

POST /api/graphql    {"query", "variables", "operationName"}
POST /graphql        the same, where Quilt's client asks
GET  /api/graphql    the schema, to read
GET  /graphql
GET  /config.json    what `quilt3.config(URL)` reads

Refusals of a query have GraphQL's own shape, an `errors` list. What is refused at the door (a key that nobody has, too
many requests, a foreign page) is a problem as everywhere.
"""

from collections.abc import Mapping

from aiohttp import web

from packhouse.errors import EncodedBody, Malformed, PackhouseError, TooLarge
from packhouse.model import Json
from uploadd.answers import json_answer
from uploadd.auditing import IF_TOLD
from uploadd.call import Call
from uploadd.graphql import late
from uploadd.graphql.question import Question, question, told
from uploadd.graphql.schema import SDL
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body
from uploadd.negotiate import answer
from uploadd.origin import origin
from uploadd.problems import RETRY_AFTER_S, Statuses, status_of
from uploadd.routing import ANYONE, Route

BODY_BYTES = 256 << 10
"""Bytes of a body: a query and its variables."""

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_STATUSES: Statuses = {TooLarge: 400, EncodedBody: 400}
_EXAMPLE = {"query": "{ viewer { login } }"}


async def ask(call: Call) -> web.Response:
    """Answer one query or mutation."""
    try:
        found = await late.answer(call, await _question(call))
    except PackhouseError as refused:
        status = status_of(type(refused), _STATUSES)
        return _told({"errors": [told(str(refused), refused.code)]}, status)
    return _told(found.body, found.status)


async def _question(call: Call) -> Question:
    request = call.request
    refuse_encodings(request.headers)
    declared = request.content_length
    if declared is not None and declared > BODY_BYTES:
        raise TooLarge("the body", declared, BODY_BYTES)
    # `curl --data` says that JSON is a form. So may a foreign page in a browser, without asking first whether it may;
    # but a browser says where the page is from.
    browser = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    if request.content_type != _JSON and (request.content_type != _FORM or browser):
        raise Malformed("the body must be a JSON object, sent as Content-Type: application/json")
    body = await small_body(request, call.pace())
    if len(body) > BODY_BYTES:
        raise TooLarge("the body", None, BODY_BYTES)
    return question(body)


def _told(body: Mapping[str, Json], status: int) -> web.Response:
    response = json_answer(body, status)
    response.headers["Cache-Control"] = "no-store"  # a key's secret may be in it
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


async def describe(call: Call) -> web.Response:
    """Show the schema; a query in the address is refused: it would be kept in logs, and with it what it asks for."""
    if "query" in call.query:
        return _told(
            {"errors": [told("queries are sent with POST, not in the address", Malformed.code)]}, 400
        )
    body = {"method": "POST", "path": "/api/graphql", "body": _EXAMPLE, "schema": SDL}
    return answer(call, body, title="GraphQL")


async def config(call: Call) -> web.Response:
    """Tell Quilt's client where to ask: it puts `/graphql` behind the address."""
    found = origin(call)
    if not found:
        raise Malformed("the request names no host, so its addresses cannot be told; set base_url")
    response = json_answer({"registryUrl": found})
    response.headers["Cache-Control"] = "no-store"  # the address is the caller's own word
    return response


ROUTES = (
    *(
        Route(method=method, pattern=pattern, action=ANYONE, handler=handler, audited=audited)
        for pattern in ("/api/graphql", "/graphql")
        for method, handler, audited in (("POST", ask, IF_TOLD), ("GET", describe, ""))
    ),
    Route(method="GET", pattern="/config.json", action=ANYONE, handler=config),
)
