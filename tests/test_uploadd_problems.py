"""One table from refusal to status, total over the tree of errors."""

import orjson
import pytest

from packhouse import errors
from uploadd import app as wiring
from uploadd.dialects import prefix, pypi
from uploadd.problems import MAX_REASON, STATUS, problem, reason, refusal, status_of, unexpected


def tree(kind: type[errors.PackhouseError]) -> list[type[errors.PackhouseError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in tree(child))]


# The client's own errors (another test may have imported them) are never raised in a server.
CLIENT_SIDE = (
    "packhouse.client",
    "packhouse.api_keys",
    "packhouse.aio",
    "packhouse.cli",
    "packhouse.importing",
)
REFUSALS = [
    kind
    for kind in tree(errors.PackhouseError)
    if kind is not errors.PackhouseError and not kind.__module__.startswith(CLIENT_SIDE)
]


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_has_a_status_of_its_own_or_of_a_base(kind):
    assert any(base in STATUS for base in kind.__mro__)
    assert 400 <= status_of(kind) < 600


@pytest.mark.parametrize("kind", REFUSALS)
def test_the_prefix_client_is_never_made_to_repeat_a_refusal_that_stays_one(kind):
    """It repeats everything but these."""
    overrides = next(route.statuses for route in prefix.ROUTES if "upload" in route.pattern)
    if kind is errors.Withdrawn:
        assert "Withdrawn" not in vars(prefix)
    elif kind is errors.RateLimited:
        # It does not stay; and who may upload never gets it (test_uploadd_limiting_served.py).
        assert status_of(kind, overrides) == 429
    else:
        assert status_of(kind, overrides) in {400, 401, 403, 404, 409, 413, 422, 500, 503}


@pytest.mark.parametrize("kind", REFUSALS)
def test_the_legacy_api_never_answers_422(kind):
    """The sentence of a 400 is shown by flit, that of a 422 is not."""
    for route in pypi.ROUTES:
        assert status_of(kind, route.statuses) != 422


def test_a_burnt_name_is_never_a_conflict():
    assert status_of(errors.Burnt) == 422
    assert status_of(errors.Burnt, pypi.ROUTES[0].statuses) == 400


def test_an_error_nobody_knows_is_500():
    assert status_of(errors.PackhouseError) == 500


@pytest.mark.parametrize(
    ("sentence", "phrase"),
    [
        ("plain", "plain"),
        ("two\r\nlines: X-Evil: y", "two  lines: X-Evil: y"),
        ("ä\x00\x1b[2J", "???[2J"),
        ("x" * 600, "x" * MAX_REASON),
        ("", "Error"),
    ],
)
def test_a_reason_phrase_is_one_short_line_of_ascii(sentence, phrase):
    assert reason(sentence) == phrase


def test_the_body_serves_every_client():
    answer = refusal(errors.Exists("main", "noarch/a-1-0.conda"))
    body = orjson.loads(answer.body)

    assert answer.headers["Content-Type"] == "application/problem+json"
    keys = ["type", "title", "status", "detail", "code", "message", "error", "exception", "reason"]
    assert list(body) == keys
    assert body["detail"] == body["message"] == body["error"] == answer.reason
    assert (body["status"], body["title"], body["code"]) == (409, "Conflict", "exists")


def test_a_sentence_that_quotes_broken_text_is_still_an_answer():
    answer = problem("bad \udcff name", status=400, code="bad-name")

    assert orjson.loads(answer.body)["detail"] == "bad \\udcff name"


def test_a_status_without_a_name():
    assert orjson.loads(problem("x", status=499, code="x").body)["title"] == "Error"


def test_401_carries_both_challenges_and_503_says_when_to_come_again():
    assert len(refusal(errors.Unauthenticated("who?")).headers.getall("WWW-Authenticate")) == 2
    assert refusal(errors.Busy("later")).headers["Retry-After"] == "5"


def test_a_defect_tells_nothing_of_the_inside(caplog):
    answer = unexpected(RuntimeError("/secret/path"))

    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "/secret/path" in caplog.text


def test_a_route_without_an_action_stops_the_start_up():
    from uploadd.routing import Route, Router

    async def nothing(call):
        raise AssertionError(call)

    route = Route(method="GET", pattern="/x/{y}", action=None, handler=nothing)
    with pytest.raises(ValueError, match="declares no action"):
        Router([route])


def test_two_routes_of_one_shape_stop_the_start_up():
    from uploadd.routing import OPEN, Route, Router

    async def nothing(call):
        raise AssertionError(call)

    routes = [Route(method="GET", pattern=f"/x/{{{n}}}", action=OPEN, handler=nothing) for n in "ab"]
    with pytest.raises(ValueError, match="twice"):
        Router(routes)


def test_every_route_declares_who_may_call_it():
    """And what is open to all is a closed list."""
    from uploadd.routing import OPEN

    assert all(route.action is not None for route in wiring.ROUTES)
    assert {route.pattern for route in wiring.ROUTES if route.action is OPEN} == {
        "/health",
        "/_authz",
        "/api/1",
        "/api/1/openapi.json",
    }
    assert all(route.action != "read" for route in wiring.ROUTES if route.method != "GET")
