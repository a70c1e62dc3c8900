"""GraphQL over the daemon: everybody is answered within what they may see, and nothing tells of the rest."""

import pytest
from graphql_support import ask, bearer, data, graphql_daemon
from template_support import stored_password


@pytest.fixture
async def daemon(tmp_path):
    async with graphql_daemon(tmp_path / "data") as running:
        yield running


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
        daemon.house.catalog.accounts.create("ann", password=stored_password("correct horse battery"))
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
