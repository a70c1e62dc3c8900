"""The native API described: its index and its OpenAPI 3.1 document, made from the routes.

Path, method, who may call and the first sentence come from the route and its handler; what it takes and answers from
`uploadd/operations.py`. Nothing is told of a route that is not there.

Source: OpenAPI Specification 3.1.1.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from packhouse import __version__
from packhouse.model import Action, Json
from uploadd.operations import FORMS, HEADERS, OPERATIONS, PLACEHOLDERS, SCHEMAS, Operation, ref
from uploadd.problems import MEDIA_TYPE
from uploadd.routing import Need, Route

ROOT = "/api/1"


@dataclass(frozen=True, slots=True)
class Description:
    """What an application tells of its native API: one line per request, and the OpenAPI document."""

    index: Sequence[Mapping[str, Json]]
    document: Mapping[str, Json]


DESCRIPTION: web.AppKey[Description] = web.AppKey("description", Description)
"""Where an application keeps it."""

_SECURITY: Sequence[Mapping[str, Json]] = ({"key": []}, {"password": []})
_ABOUT = (
    "Lists are bare arrays in pages; `Link` with rel=next leads on. `fields` keeps only the named keys of an object, "
    "or of each object of a list, which is why no key is required here. A trailing slash makes no difference."
)


def describe(routes: Iterable[Route]) -> Description:
    """Return what is told of the native API among these routes."""
    mine = native(routes)
    return Description(index(mine), document(mine))


def native(routes: Iterable[Route]) -> list[Route]:
    """Return the routes of the native API, by path and method."""
    mine = (route for route in routes if f"{route.pattern}/".startswith(f"{ROOT}/"))
    return sorted(mine, key=lambda route: (route.pattern, route.method))


def index(routes: Iterable[Route]) -> list[Mapping[str, Json]]:
    """Return one line per request of the API: `method`, `path`, `action` (what the caller needs) and `summary`."""
    return [
        {
            "method": route.method,
            "path": path_of(route),
            "action": _action(route),
            "summary": _summary(route),
        }
        for route in native(routes)
    ]


def document(routes: Iterable[Route]) -> dict[str, Json]:
    """Return the OpenAPI document of the native API."""
    paths: dict[str, dict[str, Json]] = {}
    for route in native(routes):
        paths.setdefault(path_of(route), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Packhouse", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [*_SECURITY],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "headers": dict(HEADERS),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an API key"},
                "password": {"type": "http", "scheme": "basic", "description": "name and password, or a key"},
            },
        },
    }


def table(routes: Iterable[Route]) -> str:
    """Return the requests of the API as a Markdown table, for the manual."""
    lines = ["| request | does | needs |", "|---|---|---|"]
    lines += [
        f"| `{line['method']} {line['path']}` | {line['summary']} | {line['action']} |"
        for line in index(routes)
    ]
    return "\n".join(lines) + "\n"


def path_of(route: Route) -> str:
    """Return a route's path as it is told: with a slash at the end, but for a file."""
    return route.pattern if "." in route.segments[-1] else f"{route.pattern}/"


def _operation(route: Route) -> dict[str, Json]:
    told = OPERATIONS.get((route.method, route.pattern), Operation(answer=True))
    body = {} if told.body is None else {"requestBody": _body(told.body)}
    return {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{_name(route)}",
        "summary": _summary(route),
        "description": f"Needs: {_action(route)}.",
        "tags": [route.handler.__module__.rpartition(".")[2]],
        "parameters": [*_placeholders(route), *_query(told)],
        **body,
        "responses": _responses(route, told),
        # An empty requirement: without credentials it works as well, for what everyone may see.
        **({"security": [{}, *_SECURITY]} if _is_open(route) else {}),
    }


def _placeholders(route: Route) -> list[Json]:
    names = [segment[1:-1] for segment in route.segments if segment.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": PLACEHOLDERS[name]} for name in names]


def _query(told: Operation) -> list[Json]:
    return [
        {"name": name, "in": "query", "required": name in told.required, "schema": schema}
        for name, schema in told.parameters.items()
    ]


def _body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, told: Operation) -> dict[str, Json]:
    media = FORMS if route.method == "GET" else ("application/json",)
    limits = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS if name != "Link"}
    link = {"Link": {"$ref": "#/components/headers/Link"}} if told.paged else {}
    shown = {form: {"schema": {"type": "string"} if form == "text/html" else told.answer} for form in media}
    good = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "headers": {**limits, **link},
            "content": shown,
        }
        for status in told.statuses
    }
    problem = {MEDIA_TYPE: {"schema": ref("Problem")}}
    bad = {
        str(status): {"description": HTTPStatus(status).phrase, "headers": limits, "content": problem}
        for status in sorted(_refusals(route, told))
    }
    return good | bad


def _refusals(route: Route, told: Operation) -> set[int]:
    """Return the statuses of the refusals that a route may answer; a defect of ours (500) is not among them."""
    found = {400, 401, 429, 503, *told.refusals}
    if "{" in route.pattern:
        found.add(404)
    if route.method != "GET" or not _is_open(route):
        found.add(403)
    if route.method != "GET":
        found |= {413, 415, 422}
    return found


def _is_open(route: Route) -> bool:
    return route.action in (Need.OPEN, Need.ANYONE, Action.READ)


def _action(route: Route) -> str:
    return str(route.action.value) if route.action is not None else ""


def _name(route: Route) -> str:
    return getattr(route.handler, "__name__", "handler")


def _summary(route: Route) -> str:
    return (inspect.getdoc(route.handler) or "").partition("\n")[0].rstrip(".")
