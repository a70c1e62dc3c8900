"""GraphQL over the daemon: how it is asked, at which addresses, and that what is asked is answered."""

import pytest
from graphql import get_introspection_query
from graphql_support import TIME, ask, bearer, codes, data, graphql_daemon

from packhouse.catalog.keys import new_secret
from packhouse.model import Ecosystem


@pytest.fixture
async def daemon(tmp_path):
    async with graphql_daemon(tmp_path / "data") as running:
        yield running


class TestTheDocumentsExample:
    """prefix-dev's page: `curl URL -H "Authorization: Bearer KEY" --data '{"query": "{ viewer { login }}"}'`."""

    async def test_curl_says_that_json_is_a_form(self, daemon):
        answer = await daemon.ask(
            "POST",
            "/api/graphql",
            b'{"query": "{ viewer { login }}"}',
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

        assert (answer.status, answer.json) == (200, {"data": {"viewer": {"login": "ci"}}})
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"

    async def test_requests_says_that_it_is_json(self, daemon):
        assert await data(daemon, "{viewer { login }}") == {"viewer": {"login": "ci"}}

    async def test_nobody_is_null(self, daemon):
        assert await data(daemon, "{ viewer { login } me { name } }", key=None) == {
            "viewer": None,
            "me": None,
        }

    async def test_a_wrong_key_is_refused_at_the_door(self, daemon):
        answer = await ask(daemon, "{ viewer { login } }", key=None, headers=bearer(new_secret()))

        assert (answer.status, answer.code) == (401, "unauthenticated")

    @pytest.mark.parametrize("header", [{"Origin": "https://example.org"}, {"Sec-Fetch-Site": "cross-site"}])
    async def test_a_page_in_a_browser_sends_no_form(self, daemon, header):
        """It could come from anywhere, without having asked whether it may; JSON could not."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **header}

        answer = await daemon.ask(
            "POST", "/api/graphql", b'{"query": "{ viewer { login } }"}', key=None, headers=form
        )

        assert (answer.status, codes(answer)) == (400, ["malformed"])


class TestReading:
    async def test_the_whole_tree(self, daemon):
        found = await data(
            daemon,
            """{ channel(name: "main") { name private overwrite created
              packages(ecosystem: pypi) { nodes { name display latest summary fileCount serial url updated
                versions { nodes { version fileCount size yanked topHash firstUploaded
                  files { edges { cursor node { filename url size sha256 uploadedBy yanked warnings uploaded } } }
            } } } } } }""",
            key="reader",
        )

        channel = found["channel"]
        assert TIME.fullmatch(channel.pop("created"))
        assert {name: channel[name] for name in ("name", "private", "overwrite")} == {
            "name": "main",
            "private": False,
            "overwrite": False,
        }
        (six,) = channel["packages"]["nodes"]
        assert (six["name"], six["latest"], six["fileCount"]) == ("six", "2.0", 2)
        assert six["url"] == "main/pypi/six/"
        assert [item["version"] for item in six["versions"]["nodes"]] == ["1.0", "2.0"]
        version = six["versions"]["nodes"][0]
        stored = daemon.house.catalog.artifacts.of_version("main", Ecosystem.PYPI, "six", "1.0")[0]
        (edge,) = version["files"]["edges"]
        assert edge["cursor"] == str(stored.id)
        assert edge["node"]["sha256"] == stored.sha256
        assert edge["node"]["url"] == f"main/packages/six/{stored.filename}"
        assert version["size"] == stored.size
        assert len(version["topHash"]) == 64
        assert version["yanked"] is False

    async def test_one_package_and_one_version_of_it(self, daemon):
        query = """query($c: String!, $e: Ecosystem!, $n: String!, $v: String!) {
          package(channel: $c, ecosystem: $e, name: $n) { channel ecosystem name version(version: $v) { version } } }"""

        async def one(**asked):
            asked = {"c": "main", "e": "pypi", "n": "Six", "v": "1.0", **asked}
            return (await data(daemon, query, **asked))["package"]

        assert await one() == {
            "channel": "main",
            "ecosystem": "pypi",
            "name": "six",
            "version": {"version": "1.0"},
        }
        assert (await one(v="9"))["version"] is None
        assert await one(n="seven") is None
        assert (await one(e="conda", n="NumPy", v="1.5"))["version"] == {"version": "1.5"}

    async def test_content_search_counters(self, daemon):
        stored = daemon.house.catalog.artifacts.of_version("main", Ecosystem.CONDA, "numpy")[0]

        found = await data(
            daemon,
            """query($sha: String!) {
              content(sha256: $sha) { nodes { channel path } }
              search(text: "Num") { nodes { name } }
              counters { channels packages files bytes ecosystems { ecosystem packages files } } }""",
            key="reader",
            sha=stored.sha256,
        )

        assert found["content"]["nodes"] == [{"channel": "main", "path": stored.path}]
        assert found["search"]["nodes"] == [{"name": "numpy"}]
        counted = found["counters"]
        assert (counted["channels"], counted["packages"], counted["files"]) == (2, 2, 3)
        assert counted["bytes"] > stored.size
        assert [item["ecosystem"] for item in counted["ecosystems"]] == ["conda", "pypi"]

    async def test_the_history_of_a_channel(self, daemon):
        query = """query($since: Long, $first: Int, $after: String) { channel(name: "main") {
          events(since: $since, first: $first, after: $after) {
            nodes { serial kind path sha256 by at note file { filename } } pageInfo { hasNextPage endCursor } } } }"""

        async def page(**asked):
            return (await data(daemon, query, key="reader", **asked))["channel"]["events"]

        first = await page(first=2)
        assert [item["serial"] for item in first["nodes"]] == [1, 2]
        assert first["nodes"][0]["kind"] == "upload"
        assert first["nodes"][0]["file"]["filename"] == "six-1.0-py3-none-any.whl"
        assert first["pageInfo"] == {"hasNextPage": True, "endCursor": "2"}
        rest = await page(after="2")
        assert [item["serial"] for item in rest["nodes"]] == [
            4
        ]  # the third is of a package that reader may not see
        assert rest["pageInfo"]["hasNextPage"] is False
        assert (await page(since=3))["nodes"] == rest["nodes"]
        assert (await page(since=None, after="3"))["nodes"] == rest["nodes"]
        assert (await page(since=9))["pageInfo"] == {"hasNextPage": False, "endCursor": None}

    async def test_introspection(self, daemon):
        found = await data(daemon, get_introspection_query(), key=None)

        assert found["__schema"]["queryType"]["name"] == "Query"

    async def test_the_other_address_is_the_same(self, daemon):
        assert await data(daemon, "{ viewer { login } }", path="/graphql") == {"viewer": {"login": "ci"}}


class TestTheAddresses:
    @pytest.mark.parametrize("path", ["/api/graphql", "/graphql/"])
    async def test_get_shows_the_schema(self, daemon, path):
        plain = await daemon.ask("GET", path, key=None)
        page = await daemon.ask("GET", path, key=None, headers={"Accept": "text/html"})

        assert plain.status == 200
        assert "type Query" in plain.json["schema"]
        assert page.headers["Content-Type"].startswith("text/html")
        assert b"createApiKey" in page.body

    async def test_a_query_in_the_address_is_refused(self, daemon):
        answer = await daemon.ask("GET", "/api/graphql?query={viewer{login}}")

        assert (answer.status, codes(answer)) == (400, ["malformed"])

    async def test_quilts_client_is_told_where_to_ask(self, daemon):
        answer = await daemon.ask("GET", "/config.json", key=None)
        strange = await daemon.ask("GET", "/config.json", key=None, headers={"Host": "a b"})

        assert answer.json == {"registryUrl": daemon.url}
        assert answer.headers["Cache-Control"] == "no-store"
        assert (strange.status, strange.code) == (400, "malformed")
