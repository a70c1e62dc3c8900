"""GraphQL over the daemon: what is asked is answered, within what the caller may see, and keys keep to their rules."""

import itertools
import re
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import orjson
import pytest
from conda_support import make_conda
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_introspection_query,
    get_named_type,
)
from house_support import Direct, take_in
from pypi_support import make_wheel
from uploadd_support import run_daemon

from packhouse.catalog.keys import is_key, new_secret
from packhouse.catalog.passwords import hash_password
from packhouse.intake import moving
from packhouse.intake.receive import Intake
from packhouse.model import ANONYMOUS, Action, Ecosystem, Grant
from uploadd.graphql import execution, late
from uploadd.graphql.limits import LISTS
from uploadd.graphql.question import Question

JSON = {"Content-Type": "application/json"}
DAY_US = 86_400_000_000
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
async def daemon(tmp_path):
    """Wheels six 1.0 and 2.0, and secret 1.0 which is restricted to insider, in main; conda numpy in main and closed."""
    async with run_daemon(tmp_path / "data", Direct()) as running:
        house = running.house
        intake = Intake(house, Direct())
        for name, version in (("six", "1.0"), ("six", "2.0"), ("secret", "1.0")):
            take_in(intake, *make_wheel(name, version))
        for channel in ("main", "closed"):
            take_in(intake, *make_conda("numpy", "1.5"), channel=channel, ecosystem=Ecosystem.CONDA)
        for principal in ("service:insider",):
            moving.give(
                house,
                Grant(
                    principal=principal,
                    action=Action.READ,
                    channel="main",
                    ecosystem=Ecosystem.PYPI,
                    package="secret",
                ),
            )
        yield running


async def ask(daemon, query, *, key="ci", path="/api/graphql", headers=None, **variables):
    """Send one query; the answer."""
    body = orjson.dumps({"query": query, "variables": variables})
    return await daemon.ask("POST", path, body, key=key, headers={**JSON, **(headers or {})})


async def data(daemon, query, **more):
    """Send a query that has to be answered without an error; its data."""
    answer = await ask(daemon, query, **more)
    assert (answer.status, answer.json.get("errors")) == (200, None), answer.body
    return answer.json["data"]


def codes(answer):
    return [error["extensions"]["code"] for error in answer.json["errors"]]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


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


HIDDEN = """{
  channels { nodes { name } }
  packages { nodes { channel name } }
  search(text: "e") { nodes { channel name } }
  counters { packages files }
  channel(name: "%s") { name packages { nodes { name } } files { nodes { path } } events { nodes { path } } }
  package(channel: "%s", ecosystem: %s, name: "%s") { name }
}"""


class TestRights:
    @pytest.mark.parametrize("key", [None, "reader"])
    async def test_a_stranger_sees_public_things_only(self, daemon, key):
        answer = await ask(daemon, HIDDEN % ("closed", "main", "pypi", "secret"), key=key)

        assert answer.status == 200
        assert b"secret" not in answer.body
        assert b"closed" not in answer.body
        found = answer.json["data"]
        assert found["channels"]["nodes"] == [{"name": "main"}, {"name": "other"}]
        assert found["channel"] is None
        assert found["package"] is None
        assert found["counters"] == {"packages": 2, "files": 3}

    @pytest.mark.parametrize("key", [None, "reader"])
    async def test_what_is_missing_looks_like_what_is_hidden(self, daemon, key):
        hidden = await ask(daemon, HIDDEN % ("closed", "main", "pypi", "secret"), key=key)
        missing = await ask(daemon, HIDDEN % ("absent", "main", "pypi", "absent"), key=key)
        private = await ask(daemon, HIDDEN % ("closed", "closed", "conda", "numpy"), key=key)

        assert hidden.body == missing.body == private.body

    async def test_who_may_see_sees(self, daemon):
        found = await data(daemon, HIDDEN % ("closed", "main", "pypi", "secret"), key="insider")

        assert [item["name"] for item in found["channels"]["nodes"]] == ["closed", "main", "other"]
        assert found["channel"]["packages"]["nodes"] == [{"name": "numpy"}]
        assert len(found["channel"]["events"]["nodes"]) == 1
        assert found["package"] == {"name": "secret"}
        assert {"channel": "main", "name": "secret"} in found["packages"]["nodes"]
        assert {"channel": "main", "name": "secret"} in found["search"]["nodes"]

    async def test_the_history_tells_of_no_hidden_package(self, daemon):
        query = '{ channel(name: "main") { events { nodes { path } } files { nodes { path } } } }'

        assert b"secret" not in (await ask(daemon, query, key=None)).body
        assert b"secret" in (await ask(daemon, query, key="insider")).body

    async def test_a_key_sees_no_more_than_its_scope(self, daemon):
        _, secret = daemon.house.catalog.keys.create("insider", "narrow", channels=["main"])

        answer = await ask(
            daemon,
            "{ channels { nodes { name } } viewer { login scope { channels actions } key } }",
            key=None,
            headers=bearer(secret),
        )

        assert answer.json["data"]["channels"]["nodes"] == [{"name": "main"}]
        viewer = answer.json["data"]["viewer"]
        assert viewer["scope"] == {"channels": ["main"], "actions": None}
        assert len(viewer["key"]) == 12

    async def test_a_password_shows_no_key(self, daemon):
        daemon.house.catalog.accounts.create("ann", password=hash_password("correct horse battery"))
        daemon.house.catalog.groups.create("team")
        daemon.house.catalog.groups.add("ann", "team")
        basic = {"Authorization": "Basic YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ=="}

        found = await data(
            daemon, "{ viewer { login kind admin groups key scope { channels } } }", key=None, headers=basic
        )

        assert found["viewer"] == {
            "login": "ann",
            "kind": "user",
            "admin": False,
            "groups": ["team"],
            "key": None,
            "scope": None,
        }


CREATE = """mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  key { id name fingerprint account status createdAt expires expiresAt lastUsedAt scope { channels actions } userEmail }
  secret notes } }"""
REVOKE = "mutation($id: ID!) { revokeApiKey(id: $id) { status } }"


class TestKeys:
    async def test_a_key_is_made_listed_and_revoked(self, daemon):
        answer = await ask(
            daemon, CREATE, input={"name": "laptop", "channels": ["main"], "actions": ["write"]}
        )
        made = answer.json["data"]["createApiKey"]

        assert answer.headers["Cache-Control"] == "no-store"
        assert is_key(made["secret"])
        assert made["notes"] == []
        key = made["key"]
        assert (key["name"], key["account"], key["userEmail"]) == ("laptop", "ci", "ci")
        assert (key["status"], key["lastUsedAt"]) == ("ACTIVE", None)
        assert key["scope"] == {"channels": ["main"], "actions": ["write"]}
        assert key["expires"] == key["expiresAt"]
        stored = daemon.house.catalog.keys.find(made["secret"])
        assert abs(stored.expires_us - stored.created_us - 90 * DAY_US) < DAY_US / 24

        listed = await ask(
            daemon, "{ viewer { apiKeys { nodes { id fingerprint status expires expiresAt } } } }"
        )
        assert made["secret"].encode() not in listed.body
        nodes = listed.json["data"]["viewer"]["apiKeys"]["nodes"]
        assert [node["id"] for node in nodes][-1] == key["id"]
        assert nodes[0]["expires"] is None
        assert nodes[0]["expiresAt"].startswith("9999-12-31T")

        assert await data(daemon, REVOKE, id=key["fingerprint"]) == {"revokeApiKey": {"status": "REVOKED"}}
        gone = await ask(daemon, "{ viewer { login } }", key=None, headers=bearer(made["secret"]))
        assert gone.status == 401
        again = await ask(daemon, REVOKE, id=key["id"])
        assert (again.status, codes(again)) == (200, ["not-found"])

    async def test_the_secret_is_enough_to_end_a_key(self, daemon):
        key, secret = daemon.house.catalog.keys.create("reader", "leaked")
        query = "mutation($s: String!) { revokeApiKeySecret(secret: $s) { id status account } }"

        found = await data(daemon, query, key=None, s=secret)
        again = await ask(daemon, query, key=None, s=secret)

        assert found["revokeApiKeySecret"] == {"id": str(key.id), "status": "REVOKED", "account": "reader"}
        assert codes(again) == ["not-found"]
        assert secret.encode() not in again.body

    async def test_a_key_makes_none_that_may_do_more(self, daemon):
        """The rules of every other API: here by scope and by end."""
        end_us = daemon.house.catalog.clock() + 10 * DAY_US
        _, secret = daemon.house.catalog.keys.create("ci", "narrow", channels=["main"], expires_us=end_us)
        me = bearer(secret)

        made = (
            await data(daemon, CREATE, key=None, headers=me, input={"name": "child", "expiresInDays": None})
        )["createApiKey"]
        outside = await ask(daemon, CREATE, key=None, headers=me, input={"name": "o", "channels": ["other"]})
        others = await data(daemon, "{ viewer { apiKeys { nodes { name } } } }", key=None, headers=me)

        assert made["key"]["scope"] == {"channels": ["main"], "actions": None}
        assert len(made["notes"]) == 2
        assert daemon.house.catalog.keys.find(made["secret"]).expires_us == end_us
        assert codes(outside) == ["unprocessable"]
        assert [item["name"] for item in others["viewer"]["apiKeys"]["nodes"]] == ["narrow", "child"]

    @pytest.mark.parametrize(
        ("query", "variables"),
        [(CREATE, {"input": {"name": "x"}}), (REVOKE, {"id": "1"})],
        ids=["create", "revoke"],
    )
    async def test_nobody_makes_or_ends_a_key(self, daemon, query, variables):
        before = daemon.house.catalog.keys.list()

        answer = await ask(daemon, query, key=None, **variables)

        assert (answer.status, codes(answer)) == (200, ["unauthenticated"])
        assert answer.json["data"] is None
        assert daemon.house.catalog.keys.list() == before

    async def test_what_cannot_be_a_key_is_refused(self, daemon):
        for wish in (
            {"name": ""},
            {"name": "k", "expiresInDays": 0},
            {"name": "k", "expiresInDays": 366},
            {"name": "k", "actions": ["admin"]},
            {"name": "k", "channels": ["../etc"]},
        ):
            answer = await ask(daemon, CREATE, input=wish)

            assert codes(answer)[0] in {"malformed", "bad-name"}, wish
        assert len(daemon.house.catalog.keys.list("ci")) == 1

    async def test_another_ones_key_is_not_there(self, daemon):
        (theirs,) = daemon.house.catalog.keys.list("reader")

        answer = await ask(daemon, REVOKE, id=str(theirs.id))
        absent = await ask(daemon, REVOKE, id="999")

        assert answer.body == absent.body
        assert daemon.house.catalog.keys.list("reader")[0].revoked_us is None

    async def test_each_change_is_in_the_audit_log_and_no_query_is(self, daemon):
        await ask(daemon, "{ viewer { login } }")
        await ask(daemon, CREATE, input={"name": "one"})
        await ask(daemon, CREATE, input={"name": "one"})
        await ask(daemon, QUILT_CREATE, input={"name": "one"})
        await ask(daemon, REVOKE, id="999")
        await ask(daemon, CREATE, key=None, input={"name": "two"})

        lines = daemon.house.catalog.audit.history(limit=99)
        told = [(entry.who, entry.action, entry.object, entry.outcome) for entry in reversed(lines)]
        assert [line for line in told if line[1].startswith("key")] == [
            ("ci", "key create", "ci/one", "ok"),
            ("ci", "key create", "ci/one", "unprocessable"),
            ("ci", "key create", "ci/one", "unprocessable"),
            ("ci", "key revoke", "", "not-found"),
            ("anonymous", "key create", "", "unauthenticated"),
        ]

    async def test_a_browser_sends_its_sessions_token(self, daemon):
        catalog = daemon.house.catalog
        catalog.accounts.create("ann", password=hash_password("correct horse battery"))
        session, secret = catalog.sessions.create("ann", origin="-", agent="")
        cookie = {"Cookie": f"__Host-packhouse={secret}"}
        token = {**cookie, "X-Packhouse-Token": session.csrf}

        forged = await ask(daemon, CREATE, key=None, headers=cookie, input={"name": "k"})
        foreign = await ask(
            daemon, CREATE, key=None, headers={**token, "Sec-Fetch-Site": "cross-site"}, input={"name": "k"}
        )
        made = await data(daemon, CREATE, key=None, headers=token, input={"name": "k"})

        assert (forged.status, forged.code) == (403, "cross-site")
        assert (foreign.status, foreign.code) == (403, "cross-site")
        assert made["createApiKey"]["key"]["account"] == "ann"

    async def test_a_defect_is_told_as_one_and_noted(self, daemon, monkeypatch, caplog):
        def broken(*_arguments, **_more):
            raise RuntimeError("SELECT password FROM accounts")

        monkeypatch.setattr("packhouse.catalog.keys.Keys.create", broken)

        answer = await ask(daemon, CREATE, input={"name": "k"})

        assert (answer.status, codes(answer)) == (200, ["internal"])
        assert b"SELECT" not in answer.body
        assert b"RuntimeError" not in answer.body
        assert "a query failed: RuntimeError" in caplog.text
        assert daemon.house.catalog.audit.history(limit=1)[0].outcome == "internal"


QUILT_KEY = "id name fingerprint createdAt expiresAt lastUsedAt status userEmail"
QUILT_CREATE = f"""mutation($input: APIKeyCreateInput!) {{ apiKeyCreate(input: $input) {{ __typename
  ... on APIKeyCreated {{ apiKey {{ {QUILT_KEY} }} secret }}
  ... on InvalidInput {{ errors {{ path message name context }} }} }} }}"""
QUILT_REVOKE = """mutation($id: ID, $secret: String) { apiKeyRevoke(id: $id, secret: $secret) { __typename
  ... on InvalidInput { errors { path message name context } } } }"""
QUILT_LIST = f"""query($name: String, $fingerprint: String, $status: APIKeyStatus) {{ me {{
  apiKeys(name: $name, fingerprint: $fingerprint, status: $status) {{ {QUILT_KEY} }} }} }}"""


class TestQuiltsShapes:
    async def test_create_list_get_revoke(self, daemon):
        made = (await data(daemon, QUILT_CREATE, input={"name": "q", "expiresInDays": 5}))["apiKeyCreate"]

        assert made["__typename"] == "APIKeyCreated"
        assert made["secret"].startswith("qk_pkh-")
        key = made["apiKey"]
        assert all(TIME.fullmatch(key[field]) for field in ("createdAt", "expiresAt"))

        assert await data(daemon, QUILT_LIST, name="q") == {"me": {"apiKeys": [key]}}
        assert await data(daemon, QUILT_LIST, fingerprint=key["fingerprint"]) == {"me": {"apiKeys": [key]}}
        assert await data(daemon, QUILT_LIST, status="EXPIRED") == {"me": {"apiKeys": []}}
        one = f"query($id: ID!) {{ me {{ name apiKey(id: $id) {{ {QUILT_KEY} }} }} }}"
        assert await data(daemon, one, id=key["id"]) == {"me": {"name": "ci", "apiKey": key}}

        me = await data(daemon, "{ viewer { login } }", key=None, headers=bearer(made["secret"]))
        assert me == {"viewer": {"login": "ci"}}

        assert await data(daemon, QUILT_REVOKE, id=key["id"]) == {"apiKeyRevoke": {"__typename": "Ok"}}
        assert await data(daemon, QUILT_LIST, name="q") == {"me": {"apiKeys": []}}
        assert await data(daemon, one, id=key["id"]) == {"me": {"name": "ci", "apiKey": None}}

    async def test_revoke_by_secret_needs_no_account(self, daemon):
        _, secret = daemon.house.catalog.keys.create("reader", "leaked")

        found = await data(daemon, QUILT_REVOKE, key=None, secret=f"qk_{secret}")

        assert found == {"apiKeyRevoke": {"__typename": "Ok"}}
        assert daemon.house.catalog.keys.find(secret).revoked_us is not None

    async def test_what_the_caller_can_correct_is_invalid_input(self, daemon):
        async def refused(query, **variables):
            (answer,) = (await data(daemon, query, **variables)).values()
            assert answer["__typename"] == "InvalidInput"
            (error,) = answer["errors"]
            return error["path"], error["name"]

        assert await refused(QUILT_CREATE, input={"name": "ci"}) == ("input", "unprocessable")
        assert await refused(QUILT_CREATE, input={"name": "x", "expiresInDays": 0}) == ("input", "malformed")
        assert await refused(QUILT_REVOKE, id="999") == ("id", "not-found")
        assert await refused(QUILT_REVOKE, secret=new_secret()) == ("secret", "not-found")
        assert await refused(QUILT_REVOKE) == (None, "malformed")
        assert await refused(QUILT_REVOKE, id="1", secret="x") == (None, "malformed")

    @pytest.mark.parametrize(
        ("query", "variables"),
        [(QUILT_CREATE, {"input": {"name": "x"}}), (QUILT_REVOKE, {"id": "1"})],
        ids=["create", "revoke"],
    )
    async def test_nobody_is_told_to_sign_in(self, daemon, query, variables):
        assert codes(await ask(daemon, query, key=None, **variables)) == ["unauthenticated"]


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


class TestTime:
    async def test_a_query_that_takes_too_long_is_ended(self, daemon, monkeypatch):
        """A clock that jumps: no field after the first one is looked up."""
        real = execution.Deadline
        query = "{ channels { nodes { name packages { nodes { name versions { nodes { version } } } } } } }"
        for step in (9.0, 0.5):  # at the first look at the clock, and in the middle
            now = itertools.count(0.0, step)
            monkeypatch.setattr(execution, "Deadline", partial(real, clock=lambda now=now: next(now)))
            answer = await ask(daemon, query, key="reader")

            assert (answer.status, codes(answer)) == (200, ["unprocessable"])
            assert "2 seconds" in answer.json["errors"][0]["message"]
            assert answer.json["data"] is None

    async def test_too_many_at_once_are_told_to_come_again(self, daemon, monkeypatch):
        monkeypatch.setattr(late, "_PLACES", late.threading.BoundedSemaphore(1))
        late._PLACES.acquire()

        answer = await ask(daemon, "{ viewer { login } }")

        assert (answer.status, codes(answer)) == (503, ["busy"])
        assert answer.headers["Retry-After"] == "5"
        late._PLACES.release()
        assert (await ask(daemon, "{ viewer { login } }")).status == 200


def test_a_deadline_passes():
    now = iter([0.0, 1.0, 3.0])
    deadline = execution.Deadline(2.0, lambda: next(now))

    deadline.check()
    with pytest.raises(execution.TooLate):
        deadline.check()


def test_a_change_has_no_deadline():
    now = itertools.count(0.0, 10.0)

    execution.Deadline(None, lambda: next(now)).check()


def test_the_daemon_starts_without_the_library():
    """It costs more than everybody should pay at the start."""
    code = "import sys, uploadd.app; print('graphql' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"


def test_an_operation_that_is_not_in_the_query_is_no_answer():
    house = SimpleNamespace(catalog=None)
    call = SimpleNamespace(services=SimpleNamespace(house=house), principal=ANONYMOUS)
    asked = Question(query="query a { viewer { login } }", variables={}, operation_name="b")

    found = execution.answer(call, asked)

    assert found.status == 400
    assert found.body["errors"][0]["extensions"]["code"] == "malformed"
