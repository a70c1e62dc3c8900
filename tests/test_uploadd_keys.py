"""Who am I, and my keys: nobody reaches another's, and no key makes one that may do more than itself."""

import base64

import orjson
import pytest
from house_support import Direct
from template_support import stored_password
from uploadd_support import run_daemon

from packhouse.catalog.keys import is_key, new_secret
from packhouse.model import Action

KEYS = "/api/1/keys/"
DAY_US = 86_400_000_000
PASSWORD = "correct horse battery"


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct()) as running:
        for name in ("ann", "bob"):
            running.house.catalog.accounts.create(name, password=stored_password(PASSWORD))
        running.house.catalog.groups.create("team")
        running.house.catalog.groups.add("ann", "team")
        yield running


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def key_of(daemon, account, name="first", **scope):
    if daemon.house.catalog.accounts.get(account).kind == "user":
        scope.setdefault("expires_us", daemon.house.catalog.clock() + 30 * DAY_US)
    return daemon.house.catalog.keys.create(account, name, **scope)


async def send(daemon, method, path, body=None, *, as_=None, basic=None):
    headers = bearer(as_) if as_ else {}
    if basic:
        headers["Authorization"] = "Basic " + base64.b64encode(basic.encode()).decode()
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else orjson.dumps(body)
    return await daemon.ask(method, path, data, key=None, headers=headers)


class TestWhoAmI:
    async def test_a_password_shows_an_account(self, daemon):
        answer = await send(daemon, "GET", "/api/1/whoami", basic=f"ann:{PASSWORD}")

        assert answer.status == 200
        assert answer.json == {
            "login": "ann",
            "kind": "user",
            "admin": False,
            "groups": ["team"],
            "key": None,
            "scope": None,
        }

    async def test_a_key_shows_its_fingerprint_and_scope(self, daemon):
        key, secret = key_of(daemon, "ann", channels=["main"], actions=[Action.WRITE, Action.READ])

        answer = await send(daemon, "GET", "/api/1/whoami/", as_=secret)

        assert answer.json["key"] == key.fingerprint
        assert answer.json["scope"] == {"channels": ["main"], "actions": ["read", "write"]}

    async def test_an_admin_is_one(self, daemon):
        answer = await daemon.ask("GET", "/api/1/whoami", key="admin")

        assert (answer.json["login"], answer.json["kind"], answer.json["admin"]) == ("admin", "service", True)

    async def test_nobody_is_asked_who_they_are(self, daemon):
        assert (await send(daemon, "GET", "/api/1/whoami")).status == 401
        assert (await send(daemon, "GET", "/api/1/whoami", as_=new_secret())).status == 401


class TestMaking:
    async def test_a_key_is_shown_once_and_works(self, daemon):
        answer = await send(daemon, "POST", KEYS, {"name": "laptop"}, basic=f"ann:{PASSWORD}")

        assert answer.status == 201, answer.body
        assert answer.headers["Cache-Control"] == "no-store"
        secret = answer.json["secret"]
        assert is_key(secret)
        assert answer.json["key"]["status"] == "active"
        assert answer.json["key"]["scope"] is None
        assert answer.json["key"]["last_used"] is None
        assert answer.json["notes"] == []
        assert (await send(daemon, "GET", "/api/1/whoami", as_=secret)).json["login"] == "ann"
        listed = await send(daemon, "GET", KEYS, as_=secret)
        assert secret.encode() not in listed.body
        assert [key["name"] for key in listed.json] == ["laptop"]

    @pytest.mark.parametrize(("days", "lasts"), [(None, 90), (1, 1), (365, 365)])
    async def test_how_long_it_lasts(self, daemon, days, lasts):
        body = {"name": "k"} if days is None else {"name": "k", "expires_in_days": days}

        assert (await send(daemon, "POST", KEYS, body, basic=f"ann:{PASSWORD}")).status == 201

        key = daemon.house.catalog.keys.list("ann")[0]
        # made and dated by two looks at the clock
        assert 0 <= key.created_us + lasts * DAY_US - key.expires_us < DAY_US / 24

    async def test_only_a_service_account_has_keys_without_end(self, daemon):
        endless = {"name": "k", "expires_in_days": None}

        user = await send(daemon, "POST", KEYS, endless, basic=f"ann:{PASSWORD}")
        service = await send(daemon, "POST", KEYS, endless, as_=daemon.keys["ci"])

        assert (user.status, user.code) == (400, "malformed")
        assert service.status == 201
        assert service.json["key"]["expires"] is None

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"name": ""},
            {"name": 1},
            {"name": "k", "expires_in_days": 0},
            {"name": "k", "expires_in_days": 366},
            {"name": "k", "expires_in_days": True},
            {"name": "k", "expires_in_days": "90"},
            {"name": "k", "expires_in_days": 1.5},
            {"name": "k", "channels": []},
            {"name": "k", "channels": "main"},
            {"name": "k", "channels": ["../etc"]},
            {"name": "k", "channels": [1]},
            {"name": "k", "channels": ["main"] * 101},
            {"name": "k", "actions": ["admin"]},
            {"name": "k", "action": ["read"]},  # misspelled: the key would have no limit
            {"name": "a\nb"},
            [],
            "name",
        ],
    )
    async def test_what_cannot_be_meant_is_refused(self, daemon, body):
        answer = await send(daemon, "POST", KEYS, body, basic=f"ann:{PASSWORD}")

        assert answer.status == 400, answer.body
        assert daemon.house.catalog.keys.list("ann") == []

    @pytest.mark.parametrize("text", [b"{", b"", b'{"name": "k", "expires_in_days": NaN}', b"[" * 100_000])
    async def test_what_is_no_json_is_refused(self, daemon, text):
        headers = {**daemon.bearer(), "Content-Type": "application/json"}

        assert (await daemon.ask("POST", KEYS, text, headers=headers)).status == 400

    async def test_a_form_is_refused(self, daemon):
        """A foreign page can make a browser send one."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}

        assert (await daemon.ask("POST", KEYS, b"name=k", headers=headers)).status == 400

    async def test_a_name_is_used_once(self, daemon):
        await send(daemon, "POST", KEYS, {"name": "k"}, basic=f"ann:{PASSWORD}")

        again = await send(daemon, "POST", KEYS, {"name": "k"}, basic=f"ann:{PASSWORD}")

        assert (again.status, again.code) == (422, "unprocessable")

    async def test_nobody_makes_none(self, daemon):
        assert (await send(daemon, "POST", KEYS, {"name": "k"})).status == 401


class TestWhatAKeyMakes:
    """Never more than itself."""

    async def test_it_inherits_scope_and_end(self, daemon):
        end = daemon.house.catalog.clock() + DAY_US
        _, secret = key_of(daemon, "ann", channels=["main"], actions=[Action.READ], expires_us=end)

        answer = await send(daemon, "POST", KEYS, {"name": "child"}, as_=secret)

        assert answer.status == 201
        child = daemon.house.catalog.keys.list("ann")[-1]
        assert (child.channels, child.actions, child.expires_us) == (("main",), (Action.READ,), end)
        assert len(answer.json["notes"]) == 2

    async def test_it_gets_what_both_allow(self, daemon):
        _, secret = key_of(daemon, "ann", channels=["main", "other"], actions=[Action.READ, Action.WRITE])
        wish = {"name": "c", "channels": ["other", "closed"], "actions": ["write", "maintain"]}

        answer = await send(daemon, "POST", KEYS, wish, as_=secret)

        assert answer.json["key"]["scope"] == {"channels": ["other"], "actions": ["write"]}

    @pytest.mark.parametrize("wish", [{"channels": ["closed"]}, {"actions": ["maintain"]}])
    async def test_it_gets_nothing_outside(self, daemon, wish):
        _, secret = key_of(daemon, "ann", channels=["main"], actions=[Action.READ])

        answer = await send(daemon, "POST", KEYS, {"name": "c", **wish}, as_=secret)

        assert (answer.status, answer.code) == (422, "unprocessable")
        assert len(daemon.house.catalog.keys.list("ann")) == 1

    async def test_a_service_key_that_ends_makes_none_without_end(self, daemon):
        end = daemon.house.catalog.clock() + DAY_US
        _, secret = key_of(daemon, "ci", "ends", expires_us=end)

        await send(daemon, "POST", KEYS, {"name": "c", "expires_in_days": None}, as_=secret)

        assert daemon.house.catalog.keys.list("ci")[-1].expires_us == end

    async def test_an_admin_key_with_a_scope_makes_no_admin(self, daemon):
        _, secret = key_of(daemon, "admin", "narrow", channels=["main"])

        made = await send(daemon, "POST", KEYS, {"name": "c"}, as_=secret)

        assert made.json["key"]["scope"]["channels"] == ["main"]
        assert (await send(daemon, "GET", "/api/1/audit", as_=made.json["secret"])).status == 403

    async def test_a_key_with_a_scope_manages_only_what_lies_within(self, daemon):
        wide, _ = key_of(daemon, "ann", "wide")
        inner, _ = key_of(daemon, "ann", "inner", channels=["main"], actions=[Action.READ])
        _, secret = key_of(daemon, "ann", "mine", channels=["main", "other"])

        listed = await send(daemon, "GET", KEYS, as_=secret)

        assert [key["name"] for key in listed.json] == ["inner", "mine"]
        assert (await send(daemon, "DELETE", f"{KEYS}{wide.id}", as_=secret)).status == 404
        assert (await send(daemon, "DELETE", f"{KEYS}{inner.id}", as_=secret)).status == 200


class TestRevoking:
    @pytest.mark.parametrize("by", ["id", "fingerprint"])
    async def test_by_number_or_fingerprint(self, daemon, by):
        key, secret = key_of(daemon, "ann")

        answer = await send(daemon, "DELETE", f"{KEYS}{getattr(key, by)}/", as_=secret)

        assert answer.status == 200
        assert (answer.json["revoked"], answer.json["key"]["status"]) == (True, "revoked")
        assert (await send(daemon, "GET", "/api/1/whoami", as_=secret)).status == 401

    async def test_another_ones_key_is_as_absent_as_none(self, daemon):
        key, secret = key_of(daemon, "bob")
        _, mine = key_of(daemon, "ann")

        foreign = await send(daemon, "DELETE", f"{KEYS}{key.id}", as_=mine)
        none = await send(daemon, "DELETE", f"{KEYS}4711", as_=mine)

        assert foreign.status == none.status == 404
        assert foreign.body == none.body
        assert (await send(daemon, "GET", "/api/1/whoami", as_=secret)).status == 200

    async def test_a_name_or_a_secret_in_the_path_is_no_number(self, daemon):
        _, secret = key_of(daemon, "ann")

        for wanted in ("first", secret):
            answer = await send(daemon, "DELETE", f"{KEYS}{wanted}", as_=secret)
            assert answer.status == 404
            assert secret.encode() not in answer.body

    async def test_twice_is_404(self, daemon):
        key, _ = key_of(daemon, "ann")

        first = await send(daemon, "DELETE", f"{KEYS}{key.id}", basic=f"ann:{PASSWORD}")
        again = await send(daemon, "DELETE", f"{KEYS}{key.id}", basic=f"ann:{PASSWORD}")

        assert (first.status, again.status) == (200, 404)

    async def test_an_admin_revokes_any(self, daemon):
        key, secret = key_of(daemon, "ann")

        assert (await daemon.ask("DELETE", f"{KEYS}{key.id}", key="admin")).status == 200
        assert (await send(daemon, "GET", "/api/1/whoami", as_=secret)).status == 401

    async def test_an_admin_key_with_a_scope_does_not(self, daemon):
        key, _ = key_of(daemon, "ann", channels=["main"])
        _, narrow = key_of(daemon, "admin", "narrow", channels=["main"])

        assert (await send(daemon, "DELETE", f"{KEYS}{key.id}", as_=narrow)).status == 404
        assert (await send(daemon, "GET", f"{KEYS}?account=ann", as_=narrow)).status == 404

    async def test_nobody_revokes_none(self, daemon):
        key, _ = key_of(daemon, "ann")

        assert (await send(daemon, "DELETE", f"{KEYS}{key.id}")).status == 401


class TestGivingUp:
    async def test_whoever_holds_a_secret_ends_it(self, daemon):
        key, secret = key_of(daemon, "ann")

        answer = await send(daemon, "POST", f"{KEYS}revoke/", {"secret": secret})

        assert (answer.status, answer.json["key"]["fingerprint"]) == (200, key.fingerprint)
        assert secret.encode() not in answer.body
        assert (await send(daemon, "GET", "/api/1/whoami", as_=secret)).status == 401

    async def test_unknown_and_revoked_are_one(self, daemon):
        _, secret = key_of(daemon, "ann")
        await send(daemon, "POST", f"{KEYS}revoke", {"secret": secret})

        answers = [
            await send(daemon, "POST", f"{KEYS}revoke", {"secret": text})
            for text in (secret, new_secret(), "pkh-x", "first", "1")
        ]

        assert {answer.status for answer in answers} == {404}
        assert len({answer.body for answer in answers}) == 1

    async def test_a_secret_never_comes_back(self, daemon):
        for body in ({"secret": [new_secret()]}, {"secret": new_secret(), "x": new_secret()}):
            answer = await send(daemon, "POST", f"{KEYS}revoke", body)

            assert answer.status == 400
            assert b"pkh-" not in answer.body


class TestListing:
    async def test_an_admin_reads_another_accounts_keys(self, daemon):
        key_of(daemon, "ann")

        answer = await daemon.ask("GET", f"{KEYS}?account=ann", key="admin")

        assert [key["account"] for key in answer.json] == ["ann"]
        assert (await daemon.ask("GET", f"{KEYS}?account=nobody", key="admin")).status == 404

    async def test_nobody_else_does_or_learns_who_is_there(self, daemon):
        there = await send(daemon, "GET", f"{KEYS}?account=bob", basic=f"ann:{PASSWORD}")
        absent = await send(daemon, "GET", f"{KEYS}?account=eve", basic=f"ann:{PASSWORD}")

        assert there.status == absent.status == 404
        assert there.body.replace(b"bob", b"eve") == absent.body

    async def test_every_status_is_told(self, daemon):
        keys = daemon.house.catalog.keys
        key_of(daemon, "ann", "active")
        key_of(daemon, "ann", "expired", expires_us=1)
        keys.revoke("active", account="ann")

        answer = await send(daemon, "GET", KEYS, basic=f"ann:{PASSWORD}")

        assert {key["name"]: key["status"] for key in answer.json} == {
            "active": "revoked",
            "expired": "expired",
        }
        assert answer.json[1]["expires"] == "1970-01-01T00:00:00.000001Z"

    async def test_pages_leave_nothing_out(self, daemon):
        names = [f"k{number}" for number in range(12)]
        for name in names:
            key_of(daemon, "ann", name)
        found, path = [], KEYS

        while path:
            answer = await send(daemon, "GET", path, basic=f"ann:{PASSWORD}")
            found += [key["name"] for key in answer.json]
            link = answer.headers.get("Link", "")
            assert link == "" or link.endswith('>; rel="next"')
            path = link.removeprefix("<").partition(">")[0]

        assert found == names

    @pytest.mark.parametrize("text", ["0", "101", "-1", "x", "1e1", "", "9" * 20, "%D9%A1"])
    async def test_a_page_has_1_to_100(self, daemon, text):
        assert (await daemon.ask("GET", f"{KEYS}?per_page={text}")).status == 400
