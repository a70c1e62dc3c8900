"""The description of the native API is true: made from the routes, and held to the answers by schemathesis."""

import asyncio
import re
from collections import Counter, defaultdict
from pathlib import Path

import orjson
import pytest
import schemathesis
from catalog_support import RULES, upload, verified
from house_support import Direct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from uploadd_support import SETTINGS, run_daemon, sha256

from packhouse.model import Action
from uploadd import openapi
from uploadd.app import ROUTES
from uploadd.operations import OPERATIONS, SCHEMAS
from uploadd.routing import ANYONE, Route, Router
from uploadd.target import parse_target

UNLIMITED = "anonymous_requests_per_minute = 0\nrefused_requests_per_minute = 0\n"
EXAMPLES = 7
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct(), settings=SETTINGS + UNLIMITED) as running:
        for number in range(12):
            upload(running.house.catalog, verified(f"p{number}", "1.0", summary="text"))
        upload(running.house.catalog, verified("p0", "1.1", body=b"more"))
        running.house.catalog.artifacts.yank("main", ["packages/p1/p1-1.0.whl"], RULES, by="ci", reason="")
        yield running


class TestTheDocument:
    def test_it_is_served_as_it_is_made(self):
        made = openapi.document(ROUTES)

        assert made["openapi"].startswith("3.1.")
        assert orjson.loads(orjson.dumps(made)) == made

    def test_every_route_of_the_api_is_described_and_nothing_else(self):
        routes = {(route.method, route.pattern) for route in openapi.native(ROUTES)}

        assert routes == set(OPERATIONS)
        told = {
            (method.upper(), path)
            for path, methods in openapi.document(ROUTES)["paths"].items()
            for method in methods
        }
        assert told == {(route.method, openapi.path_of(route)) for route in openapi.native(ROUTES)}

    def test_the_index_leads_to_the_routes(self):
        router = Router(ROUTES)
        for line in openapi.index(ROUTES):
            target = parse_target(line["path"].replace("{", "%7B").replace("}", "%7D"))
            route, _ = router.resolve(line["method"], target)
            assert route.method == line["method"]
            assert openapi.path_of(route) == line["path"]
            assert line["summary"]
            assert line["action"] == route.action.value

    def test_every_operation_has_a_name_of_its_own_and_every_reference_a_target(self):
        made = openapi.document(ROUTES)
        names = Counter(
            operation["operationId"] for methods in made["paths"].values() for operation in methods.values()
        )

        assert max(names.values()) == 1
        text = orjson.dumps(made).decode()
        assert all(f"#/components/schemas/{name}" in text for name in SCHEMAS)

    def test_who_may_call_is_told(self):
        paths = openapi.document(ROUTES)["paths"]

        assert {} in paths["/api/1/packages/"]["get"]["security"]
        assert "security" not in paths["/api/1/keys/"]["get"]
        assert "403" in paths["/api/1/keys/"]["post"]["responses"]
        assert "403" not in paths["/api/1/stat/counters/"]["get"]["responses"]

    def test_a_route_that_nobody_described_is_told_with_what_it_says_itself(self):
        async def handler(_call):
            """Do a thing.

            And more.
            """

        class Plain:
            async def __call__(self, call):
                """No name."""

        made = openapi.document(
            [
                Route(method="GET", pattern="/api/1/thing", action=ANYONE, handler=handler),
                Route(method="POST", pattern="/api/1/thing", action=Action.WRITE, handler=Plain()),
                Route(method="GET", pattern="/api/10", action=ANYONE, handler=handler),
            ]
        )

        assert list(made["paths"]) == ["/api/1/thing/"]
        assert made["paths"]["/api/1/thing/"]["get"]["summary"] == "Do a thing"

    async def test_no_route_of_it_hides_the_yanks(self, daemon):
        """A project may be called `packages` or `versions`, and so may a version."""
        for project in ("channels", "packages", "versions", "content", "stat"):
            answer = await daemon.ask("POST", f"/api/1/main/{project}/1.0/yank", b"")
            assert (answer.status, answer.json["detail"]) == (
                404,
                f"there is no release {project} 1.0 in channel main",
            )
        answer = await daemon.ask("POST", "/api/1/main/p2/1.0/yank", b"")
        assert answer.status == 200


# What is there, so that not every guess is a 404.
KNOWN = {
    "channel": "main",
    "ecosystem": "pypi",
    "name": "p0",
    "project": "p3",
    "version": "1.0",
    "id": "12",
    "digest": f"sha256:{sha256(b'bytes')}",
}
GRANT = {"principal": "service:reader", "action": "write"}


BODIES = {
    ("POST", "/api/1/keys/"): {"name": "made"},
    ("POST", "/api/1/channels/"): {"name": "fresh"},
    ("PUT", "/api/1/channels/{channel}/visibility/"): {"private": False},
    ("PUT", "/api/1/channels/{channel}/grants/"): GRANT,
    ("POST", "/api/1/{channel}/{project}/{version}/yank/"): {"reason": "no good"},
}
QUERIES = {
    ("DELETE", "/api/1/channels/{channel}/grants/"): GRANT,
    ("GET", "/api/1/search/"): {"q": "p"},
}


def right(operation, daemon):
    """A request of that kind that an admin may make and that succeeds."""
    name = (operation.method.upper(), operation.path)
    path = {placeholder: KNOWN[placeholder] for placeholder in re.findall(r"{(\w+)}", operation.path)}
    body = BODIES.get(name)
    if "/keys/" in operation.path and name[0] != "GET" and body is None:
        key, secret = daemon.house.catalog.keys.create("admin", operation.label, expires_us=2**52)
        if "id" in path:
            path["id"] = str(key.id)
        else:
            body = {"secret": secret}
    more = {} if body is None else {"body": body, "media_type": "application/json"}
    return operation.Case(path_parameters=path, query=QUERIES.get(name, {}), **more)


async def test_every_answer_is_one_that_the_description_knows(daemon):
    """A right request of each kind, then generated ones by an admin and by nobody: no 5xx, no other status or shape."""
    served = await daemon.ask("GET", "/api/1/openapi.json", key=None)
    assert served.json == openapi.document(ROUTES)
    schema = schemathesis.openapi.from_dict(served.json)
    schema.config.update(base_url=daemon.url)
    seen = defaultdict(Counter)

    def send(case, key):
        response = case.call(headers=daemon.bearer(key) if key else {}, allow_redirects=False)
        case.validate_response(response, checks=CHECKS)
        seen[case.operation.method.upper(), case.operation.path][response.status_code] += 1
        return response

    def run():
        operations = sorted(
            (found.ok() for found in schema.get_all_operations()), key=lambda item: item.method != "get"
        )
        for operation in operations:
            response = send(right(operation, daemon), "admin")
            assert response.status_code < 300, (operation.label, response.text)
        for operation in operations:
            generate(operation, send)

    await asyncio.to_thread(run)

    assert set(seen) == {(route.method, openapi.path_of(route)) for route in openapi.native(ROUTES)}
    assert sum(sum(statuses.values()) for statuses in seen.values()) > 100


def generate(operation, send):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.booleans(), key=st.sampled_from(["admin", "reader", None]))
    def one(case, known, key):
        if known:
            case.path_parameters = {name: KNOWN[name] for name in case.path_parameters or {}}
        send(case, key)

    one()


def test_the_manual_holds_the_table_of_the_requests():
    """Made from the routes: `uploadd.openapi.table` is the source, and the page a copy that cannot age."""
    page = (Path(__file__).parent.parent / "docs" / "protocol" / "native.md").read_text(encoding="utf-8")

    assert openapi.table(ROUTES) in page
