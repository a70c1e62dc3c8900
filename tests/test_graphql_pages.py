"""GraphQL over the daemon: lists come in pages of a bounded size, and a cursor leads from one to the next."""

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type
from graphql_support import ask, codes, data, graphql_daemon

from packhouse.model import Ecosystem
from uploadd.graphql import execution
from uploadd.graphql.limits import LISTS


@pytest.fixture
async def daemon(tmp_path):
    async with graphql_daemon(tmp_path / "data") as running:
        yield running


PAGES = {
    "channels": ("{ channels(first: $n, after: $after) { %s } }", "name", ["main", "other"]),
    "packages": ("{ packages(first: $n, after: $after) { %s } }", "name", ["numpy", "six"]),
    "search": ('{ search(text: "s", first: $n, after: $after) { %s } }', "name", ["six", "numpy"]),
    "channel.packages": (
        '{ channel(name: "main") { packages(first: $n, after: $after) { %s } } }',
        "name",
        ["numpy", "six"],
    ),
    "channel.files": (
        '{ channel(name: "main") { files(first: $n, after: $after) { %s } } }',
        "package",
        ["six", "six", "numpy"],
    ),
    "channel.files of one": (
        '{ channel(name: "main") { files(ecosystem: pypi, first: $n, after: $after) { %s } } }',
        "version",
        ["1.0", "2.0"],
    ),
    "channel.events": (
        '{ channel(name: "main") { events(first: $n, after: $after) { %s } } }',
        "serial",
        [1, 2, 4],
    ),
    "package.versions": (
        '{ package(channel: "main", ecosystem: pypi, name: "six") { versions(first: $n, after: $after) { %s } } }',
        "version",
        ["1.0", "2.0"],
    ),
    "version.files": (
        """{ package(channel: "main", ecosystem: pypi, name: "six") { version(version: "1.0") {
          files(first: $n, after: $after) { %s } } } }""",
        "version",
        ["1.0"],
    ),
    "viewer.apiKeys": ("{ viewer { apiKeys(first: $n, after: $after) { %s } } }", "name", ["reader", "more"]),
}


class TestPages:
    @pytest.mark.parametrize("where", PAGES)
    async def test_each_item_comes_once(self, daemon, where):
        text, field, expected = PAGES[where]
        daemon.house.catalog.keys.create("reader", "more")
        wanted = (
            f"edges {{ cursor node {{ {field} }} }} nodes {{ {field} }} pageInfo {{ hasNextPage endCursor }}"
        )
        query = f"query($n: Int, $after: String) {text % wanted}"
        for size in (1, 2, 100):
            seen, after, more = [], None, True
            while more:
                page = await data(daemon, query, key="reader", n=size, after=after)
                while "edges" not in page:
                    (page,) = page.values()
                assert [edge["node"] for edge in page["edges"]] == page["nodes"]
                assert 1 <= len(page["nodes"]) <= size
                seen += [node[field] for node in page["nodes"]]
                after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
                assert after == page["edges"][-1]["cursor"]

            assert seen == expected

    async def test_content_in_pages(self, daemon):
        sha = daemon.house.catalog.artifacts.of_version("main", Ecosystem.CONDA, "numpy")[0].sha256
        query = """query($sha: String!, $after: String) { content(sha256: $sha, first: 1, after: $after) {
          nodes { channel } pageInfo { hasNextPage endCursor } } }"""

        first = (await data(daemon, query, key="admin", sha=sha))["content"]
        second = (await data(daemon, query, key="admin", sha=sha, after=first["pageInfo"]["endCursor"]))[
            "content"
        ]

        assert first["pageInfo"]["hasNextPage"] is True
        assert second["pageInfo"]["hasNextPage"] is False
        assert first["nodes"] + second["nodes"] == [{"channel": "main"}, {"channel": "closed"}]

    async def test_a_found_package_is_found_again_behind_its_cursor(self, daemon):
        found = await data(daemon, '{ search(text: "six", first: 1) { edges { cursor } } }', key="reader")
        cursor = found["search"]["edges"][0]["cursor"]

        again = await data(
            daemon,
            'query($a: String) { search(text: "six", after: $a) { nodes { name } } }',
            key="reader",
            a=cursor,
        )

        assert again["search"]["nodes"] == []

    async def test_what_cannot_be_meant_is_an_error_of_the_field(self, daemon):
        for field in (
            'channels(after: "a/b") { nodes { name } }',
            'packages(after: "x") { nodes { name } }',
            'search(text: "s", after: "a/b/c/d/e") { nodes { name } }',
            'search(text: " ") { nodes { name } }',
            'content(sha256: "ABC") { nodes { path } }',
            'channel(name: "main") { files(after: "-1") { nodes { path } } }',
            'channel(name: "main") { files(after: "٣") { nodes { path } } }',
            'channel(name: "main") { files(after: "1234567890123456789") { nodes { path } } }',
            'channel(name: "main") { events(since: -1) { nodes { path } } }',
            'channel(name: "main") { events(since: "1.5") { nodes { path } } }',
            'channel(name: "main") { events(since: true) { nodes { path } } }',
        ):
            answer = await ask(daemon, f"{{ {field} }}")

            assert (answer.status, codes(answer)) == (200, ["malformed"]), field
            assert answer.json["errors"][0]["path"]

    async def test_a_page_has_a_size(self, daemon):
        for first in (0, -1, 101, 10**9, 10**10):
            literal = await ask(daemon, f"{{ channels(first: {first}) {{ nodes {{ name }} }} }}")
            variable = await ask(daemon, "query($n: Int) { channels(first: $n) { nodes { name } } }", n=first)

            assert (literal.status, codes(literal)) == (400, ["malformed"]), first
            assert (variable.status, codes(variable)) == (400, ["malformed"]), first
        other = await ask(daemon, "query($n: Int) { channels(first: $n) { nodes { name } } }", n=101.0)
        assert (other.status, codes(other)) == (200, ["malformed"])

    def test_the_lists_that_are_counted_are_those_of_the_schema(self):
        """A list that is not counted would be one without a bound."""
        paged = {
            name
            for kind in execution.SCHEMA.type_map.values()
            if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType))
            for name, field in kind.fields.items()
            if get_named_type(field.type).name.endswith("Connection")
        }

        assert paged == LISTS
