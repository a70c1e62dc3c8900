"""What asks for too much is refused before anything of it is executed, with an `errors` list; and the bounds themselves."""

import orjson
import pytest
from graphql import get_introspection_query, parse
from house_support import Direct
from uploadd_support import MULTIPART, run_daemon

from packhouse.errors import Malformed
from uploadd.dialects.graphql import BODY_BYTES
from uploadd.graphql import execution, limits
from uploadd.graphql.question import QUERY_BYTES, question

JSON = {"Content-Type": "application/json"}
EVERYTHING = "{ channels { nodes { name packages { nodes { name versions { nodes { version } } } } } } }"


def nested(depth, field="channel", leaf="name"):
    return f"{{ {field} " * depth + f"{{ {leaf} }}" + " }" * depth


def chain(length, last):
    """Fragments of which each uses the next one."""
    links = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(length))
    return f"{{ ...F0 }} {links} fragment F{length} on Query {{ {last} }}"


def doubling(length):
    """Fragments of which each uses the next one twice."""
    links = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(length))
    return f"{{ ...F0 }} {links} fragment F{length} on Query {{ me {{ name }} }}"


def many(kind, count):
    return " ".join(kind.format(n) for n in range(count))


ABUSE = {
    "depth 50": nested(50),
    "depth 9": nested(8),
    "depth 600": nested(600),
    "200 aliases": "{" + many("a{}: viewer {{ login }}", 200) + "}",
    "21 aliases": "{" + many("a{}: viewer {{ login }}", 21) + "}",
    "the same field 300 times": "{ viewer {" + "login " * 300 + "} }",
    "the same object 300 times": "{" + "viewer { login } " * 300 + "}",
    "aliases in fragments": "{ ...A ...A ...A } fragment A on Query {" + many("a{}: me {{ name }}", 8) + "}",
    "a circle of one": "{ ...A } fragment A on Query { ...A }",
    "a circle of two": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "a circle by way of fields": "{ channel { ...A } } fragment A on Channel { package { ...A } }",
    "a circle that nobody uses": "{ me { name } } fragment A on Query { ...A }",
    "fragments that double": doubling(40),
    "60 fragments": chain(60, "me { name }"),
    "60 fragments without names": "{" + "... on Query {" * 60 + "me { name }" + "}" * 61,
    "a fragment that is not there": "{ ...A }",
    "a fragment that is not used": "{ me { name } } fragment A on Query {" + "viewer { login } " * 100 + "}",
    "600 fields": "{" + many("f{}", 600) + "}",
    "2001 words": "{" + "(" * 2001,
    "two operations": "query a { me { name } } query b { me { name } }",
    "no operation": "fragment A on Query { me { name } }",
    "a type": "type Query { a: Int }",
    "two changes": 'mutation { revokeApiKey(id: "1") { id } revokeApiKeySecret(secret: "x") { id } }',
    "a subscription": "subscription { viewer { login } }",
    "a large page": "{ channels(first: 101) { nodes { name } } }",
    "large pages in pages": EVERYTHING.replace("channels", "channels(first: 100)"),
    "an empty selection": "{ channels { } }",
    "introspection in circles": "{ __schema { types { fields { type { fields { type { fields { type"
    " { fields { name } } } } } } } } } }",
    "introspection without end": "{ __schema { types {" + "ofType {" * 30 + "name" + "}" * 33,
    "nothing": " ",
    "no GraphQL": "SELECT 1",
    "a string without end": '{ channel(name: "',
    "65 KB of blanks": "{ viewer {" + " " * (65 << 10) + "login } }",
    "a number without end": "{ channels(first: " + "9" * 5000 + ") { nodes { name } } }",
}


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct()) as running:
        yield running


@pytest.fixture
def untouched(monkeypatch):
    """Nothing may be executed."""

    def executed(*_arguments, **_more):
        raise AssertionError("a query was executed that had to be refused before")

    monkeypatch.setattr(execution, "execute_sync", executed)


async def test_each_is_refused_before_it_is_executed(daemon, untouched):
    for what, query in ABUSE.items():
        answer = await daemon.ask("POST", "/api/graphql", orjson.dumps({"query": query}), headers=JSON)

        assert answer.status == 400, (what, answer.body)
        assert answer.json["errors"], what
        assert "data" not in answer.json, what
        for error in answer.json["errors"]:
            assert error["extensions"]["code"] == "malformed", what
            assert 10 < len(error["message"]) <= 500, what


@pytest.mark.parametrize("spelled", [{"n": 100}, {"n": "100"}, {"n": None}, {}])
async def test_a_size_that_is_sent_as_a_variable_counts(daemon, untouched, spelled):
    """`first: $n` with the variable's default of 100; a text is refused for what it is."""
    query = "query($n: Int = 100) " + EVERYTHING.replace("channels", "channels(first: $n)")
    if spelled == {"n": None}:
        query = query.replace("packages", "packages(first: 100)")

    answer = await daemon.ask(
        "POST", "/api/graphql", orjson.dumps({"query": query, "variables": spelled}), headers=JSON
    )

    assert (answer.status, answer.json["errors"][0]["extensions"]["code"]) == (400, "malformed")
    assert "items of lists" in answer.json["errors"][0]["message"]


async def test_a_body_is_no_larger_than_it_may_be(daemon, untouched):
    megabyte = orjson.dumps({"query": "{ viewer { login } }" + " " * (1 << 20)})
    answer = await daemon.ask("POST", "/api/graphql", megabyte, headers=JSON)
    assert (answer.status, answer.json["errors"][0]["extensions"]["code"]) == (400, "too-large")

    async def pieces():
        for _ in range(3):
            yield b" " * (BODY_BYTES // 2)

    answer = await daemon.ask("POST", "/api/graphql", pieces(), headers=JSON)
    assert (answer.status, answer.json["errors"][0]["extensions"]["code"]) == (400, "too-large")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"null", JSON),
        (b'"{ viewer { login } }"', JSON),
        (b'[{"query": "{ viewer { login } }"}]', JSON),
        (b'{"query": 1}', JSON),
        (b"{}", JSON),
        (b'{"query": "{ viewer { login } }", "variables": []}', JSON),
        (b'{"query": "{ viewer { login } }", "operationName": 1}', JSON),
        (b'{"query": "{ viewer { login } }", "variable": {}}', JSON),
        (b"[" * 100_000, JSON),
        (b'{"query": "{ viewer { login } }"}', {"Content-Type": "text/plain"}),
        (b'{"query": "{ viewer { login } }"}', {"Content-Type": "application/graphql"}),
        (b'{"query": "{ viewer { login } }"}', MULTIPART),
        (b"query=%7B+viewer+%7B+login+%7D+%7D", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b'{"query": "{ viewer { login } }"}', {**JSON, "Content-Encoding": "gzip"}),
    ],
)
async def test_what_is_no_question_is_refused(daemon, untouched, body, headers):
    answer = await daemon.ask("POST", "/api/graphql", body, headers=headers)

    assert answer.status == 400
    assert answer.json["errors"][0]["extensions"]["code"] in {"malformed", "encoded-body"}
    assert "data" not in answer.json


async def test_no_refusal_tells_a_key(daemon):
    """Whoever sends one in the wrong place: the answer lies in the logs of build servers."""
    secret = daemon.keys["ci"]
    for body in (
        {"query": f'{{ {secret.replace("-", "_")} {{ a }} viewer(a: "{secret}") {{ login }} }}'},
        {"query": "query($i: ID!) { me { apiKey(id: $i) { id } } }", "variables": {"i": {"a": secret}}},
        {"query": f'mutation {{ revokeApiKey(id: "{secret}") {{ id }} }}'},
        {"query": f'{{ package(channel: "main", ecosystem: pypi, name: "{secret}/") {{ name }} }}'},
        {"query": "{ viewer { login } }", secret: 1},
    ):
        answer = await daemon.ask("POST", "/api/graphql", orjson.dumps(body), headers=JSON)

        assert answer.json["errors"], body
        assert secret.encode() not in answer.body


async def test_many_errors_are_told_in_part(daemon):
    query = "{" + many("f{}", 100) + "}"

    answer = await daemon.ask("POST", "/api/graphql", orjson.dumps({"query": query}), headers=JSON)

    assert answer.status == 400
    assert 2 <= len(answer.json["errors"]) <= execution.ERRORS


# --- the bounds themselves, on parsed text -------------------------------------------------------------------------


def check(text, **variables):
    return limits.check(parse(text), variables)


@pytest.mark.parametrize(
    "text",
    [
        get_introspection_query(),
        EVERYTHING,
        "{ __typename }",
        'mutation { __typename revokeApiKey(id: "1") { id } }',
        nested(7),
        "{ channels { edges { node { packages { edges { node { versions { edges { node { version } } } } } } } } } }",
        "{" + many("a{}: viewer {{ login }}", 20) + "}",
        "{ ...A } fragment A on Query { viewer { ...B } me { name } } fragment B on Viewer { login }",
        "{ ... @include(if: true) { me { name } } }",
        chain(49, "me { name }"),
        "{ channels(first: 100) { nodes { packages(first: 19) { nodes { name } } } } }",
    ],
)
def test_what_is_meant_well_passes(text):
    assert check(text).selection_set is not None


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        ("{ channels(first: 100) { nodes { packages(first: 20) { nodes { name } } } } }", {}, 2100),
        (
            "query($n: Int) { channels(first: $n) { nodes { files(first: 100) { nodes { path } } } } }",
            {"n": 20},
            2020,
        ),
        (
            "query($n: Int = 20) { channels(first: $n) { nodes { files(first: 100) { nodes { path } } } } }",
            {},
            2020,
        ),
        ('{ channels(first: "x") { nodes { files(first: 100) { nodes { path } } } } }', {}, 1010),
        (
            "{ " + many("a{}: channels(first: 100) {{ nodes {{ files {{ nodes {{ path }} }} }} }}", 2) + "}",
            {},
            2200,
        ),
    ],
)
def test_lists_within_lists_multiply(text, variables, cost):
    if cost <= limits.COST:
        assert check(text, **variables)
        return
    with pytest.raises(Malformed, match=f"up to {cost} items"):
        check(text, **variables)


def test_the_sentence_says_what_is_too_much():
    for what, words in (
        ("depth 50", "8 levels"),
        ("200 aliases", "20 aliases"),
        ("a circle of two", "contains itself"),
        ("60 fragments", "50 fragments"),
        ("60 fragments without names", "50 fragments within"),
        ("600 fields", "500 fields"),
        ("two operations", "holds 2 operations"),
        ("no operation", "holds 0 operations"),
        ("a type", "no types"),
        ("two changes", "holds 2 changes"),
        ("a fragment that is not used", "is not used"),
        ("a fragment that is not there", "not there"),
        ("introspection without end", "20 levels"),
    ):
        with pytest.raises(Malformed, match=words):
            check(ABUSE[what])


def test_a_query_may_be_as_large_as_that():
    text = "{ viewer { login } }"
    padded = text + " " * (QUERY_BYTES - len(text))

    assert question(orjson.dumps({"query": padded, "variables": None, "extensions": {}})).query == padded
    with pytest.raises(Malformed, match="larger than 65536 bytes"):
        question(orjson.dumps({"query": padded + " "}))
    with pytest.raises(Malformed, match="larger than 65536 bytes"):
        question(orjson.dumps({"query": '{ viewer(a: "' + "é" * 33_000 + '") { login } }'}))
