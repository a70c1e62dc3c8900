"""GraphQL over the daemon: keys are made, listed and revoked by the rules of every API, in both shapes."""

import pytest
from graphql_support import TIME, ask, bearer, codes, data, graphql_daemon
from template_support import stored_password

from packhouse.catalog.keys import is_key, new_secret

DAY_US = 86_400_000_000


@pytest.fixture
async def daemon(tmp_path):
    async with graphql_daemon(tmp_path / "data") as running:
        yield running


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
        catalog.accounts.create("ann", password=stored_password("correct horse battery"))
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
