"""Who did what, when, from where: noted before the answer, without secrets, and never without bound."""

import asyncio
import base64
import sqlite3

import orjson
import pytest
from aiohttp import web
from e2e_support import serving
from house_support import Direct, new_house
from template_support import stored_password
from uploadd_support import request_head, run_daemon

from packhouse.catalog import Catalog
from packhouse.catalog.keys import new_secret
from packhouse.errors import Unavailable
from packhouse.intake.receive import Intake
from packhouse.model import ANONYMOUS, Action
from uploadd import auditing
from uploadd.app import create_app, make_runner
from uploadd.auditing import BURST, BURST_ALL, EVERY_S, Auditor, Line, Refusals, WatchedSignIn, redact
from uploadd.dialects import health
from uploadd.routing import ADMIN, OPEN, Route

AUDIT = "/api/1/audit/"
KEYS = "/api/1/keys/"
CHANNELS = "/api/1/channels/"
JSON = {"Content-Type": "application/json"}
HERE = {"X-Real-IP": "192.0.2.7"}
PASSWORD = "correct horse battery"


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct()) as running:
        yield running


def lines(daemon, **asked):
    return daemon.house.catalog.audit.history(limit=1000, **asked)


def told(entry):
    return entry.who, entry.action, entry.object, entry.outcome


async def send(daemon, method, path, body=None, *, key="admin", headers=None):
    data = None if body is None else orjson.dumps(body)
    sent = {**(JSON if body is not None else {}), **HERE, **(headers or {})}
    return await daemon.ask(method, path, data, key=key, headers=sent)


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


GRANT = {"principal": "service:reader", "action": "read", "ecosystem": "pypi", "package": "Flask"}


class TestWhatIsNoted:
    async def test_a_change_with_all_that_is_known(self, daemon):
        admin = daemon.house.catalog.keys.list("admin")[0]

        assert (await send(daemon, "PUT", f"{CHANNELS}main/grants", GRANT)).status == 200

        entry = lines(daemon)[0]
        assert told(entry) == ("admin", "grant give", "read on main/pypi/flask for service:reader", "ok")
        assert (entry.via, entry.origin) == (f"key:{admin.fingerprint}", "192.0.2.7")

    @pytest.mark.parametrize(
        ("method", "path", "body", "action", "object_", "note"),
        [
            ("POST", CHANNELS, {"name": "new", "private": True}, "channel create", "new", "private"),
            ("PUT", f"{CHANNELS}main/visibility", {"private": True}, "channel private", "main", ""),
            ("PUT", f"{CHANNELS}closed/visibility", {"private": False}, "channel public", "closed", ""),
            (
                "DELETE",
                f"{CHANNELS}main/grants?principal=service:ci&action=write",
                None,
                "grant take",
                "write on main for service:ci",
                "",
            ),
        ],
    )
    async def test_every_change_of_channels_and_rights(
        self, daemon, method, path, body, action, object_, note
    ):
        assert (await send(daemon, method, path, body)).status < 300

        entry = lines(daemon)[0]
        assert (*told(entry), entry.note) == ("admin", action, object_, "ok", note)

    async def test_every_change_of_keys(self, daemon):
        made = await send(daemon, "POST", KEYS, {"name": "laptop"}, key="ci")
        key = made.json["key"]
        await send(daemon, "DELETE", f"{KEYS}{key['id']}", key="ci")
        other = await send(daemon, "POST", KEYS, {"name": "leaked"}, key="ci")
        await send(daemon, "POST", f"{KEYS}revoke", {"secret": other.json["secret"]}, key=None)

        found = [(*told(entry), entry.note) for entry in lines(daemon)]

        assert found == [
            ("anonymous", "key revoke", "ci/leaked", "ok",
             f"fingerprint {other.json['key']['fingerprint']}, by its secret"),
            ("ci", "key create", "ci/leaked", "ok", f"fingerprint {other.json['key']['fingerprint']}"),
            ("ci", "key revoke", "ci/laptop", "ok", f"fingerprint {key['fingerprint']}"),
            ("ci", "key create", "ci/laptop", "ok", f"fingerprint {key['fingerprint']}"),
        ]  # fmt: skip

    async def test_an_upload_and_a_deletion_with_their_address(self, daemon):
        path = "/main/products/tool/1.0/t.bin"
        assert (await daemon.ask("PUT", path, b"x", headers=HERE)).status == 201
        assert (
            await daemon.ask("DELETE", f"{path}?reason=oops", headers={"X-Real-IP": "2001:db8::1"})
        ).status == 200

        found = [(*told(entry), entry.origin, entry.note) for entry in lines(daemon)]

        assert found == [
            ("ci", "delete", "main/products/tool/1.0/t.bin", "ok", "2001:db8::1", "oops"),
            ("ci", "upload", "main/products/tool/1.0/t.bin", "ok", "192.0.2.7", ""),
        ]

    async def test_what_is_refused_at_the_door_and_behind_it(self, daemon):
        await send(daemon, "PUT", f"{CHANNELS}main/grants", GRANT, key="ci")
        await send(daemon, "PUT", f"{CHANNELS}main/grants", GRANT, key=None)
        await send(daemon, "PUT", f"{CHANNELS}main/grants", {**GRANT, "principal": "user:eve"})
        await send(daemon, "POST", CHANNELS, {"name": "main"})
        await send(daemon, "DELETE", f"{KEYS}4711", key="reader")

        assert [told(entry) for entry in lines(daemon)] == [
            ("reader", "key revoke", "4711", "not-found"),
            ("admin", "channel create", "main", "channel-exists"),
            ("admin", "grant give", "read on main/pypi/flask for user:eve", "not-found"),
            ("anonymous", "grant give", "main", "unauthenticated"),
            ("ci", "grant give", "main", "forbidden"),
        ]
        assert {entry.origin for entry in lines(daemon)} == {"192.0.2.7"}

    async def test_nothing_is_noted_of_reading(self, daemon):
        for path in ("/api/1/whoami", KEYS, CHANNELS, f"{CHANNELS}main", f"{CHANNELS}main/grants", AUDIT):
            assert (await send(daemon, "GET", path)).status == 200
        assert (await send(daemon, "GET", AUDIT, key="ci")).status == 403

        assert lines(daemon) == []


class TestPasswords:
    @pytest.fixture(autouse=True)
    def ann(self, daemon):
        daemon.house.catalog.accounts.create("ann", password=stored_password(PASSWORD))
        daemon.house.catalog.accounts.create("new")  # has no password yet

    @pytest.mark.parametrize("path", ["/api/1/whoami", "/main/", "/_authz"])
    async def test_a_wrong_one_is_noted_wherever_it_was_shown(self, daemon, path):
        headers = {**basic("ann", "wrong"), "X-Packhouse-Path": "/closed/x", "X-Packhouse-Root": "private"}

        assert (await send(daemon, "GET", path, key=None, headers=headers)).status == 401

        entry = lines(daemon)[0]
        assert told(entry) == ("anonymous", "sign in", "ann", "unauthenticated")
        assert entry.origin == "192.0.2.7"

    async def test_a_right_one_is_not(self, daemon):
        assert (
            await send(daemon, "GET", "/api/1/whoami", key=None, headers=basic("ann", PASSWORD))
        ).status == 200

        assert lines(daemon) == []

    async def test_what_is_no_account_is_not_named(self, daemon):
        """People type their password into the field for the name."""
        await send(daemon, "GET", "/api/1/whoami", key=None, headers=basic(PASSWORD, "ann"))

        assert told(lines(daemon)[0]) == ("anonymous", "sign in", "", "unauthenticated")

    async def test_one_too_many_is_noted_as_that(self, daemon):
        for number in range(11):
            await send(daemon, "GET", "/api/1/whoami", key=None, headers=basic("ann", f"wrong{number}"))

        outcomes = [entry.outcome for entry in lines(daemon)]
        assert outcomes == ["rate-limited", *["unauthenticated"] * 10]

    async def test_on_an_audited_route_it_is_told_who_and_what(self, daemon):
        await send(daemon, "POST", KEYS, {"name": "k"}, key=None, headers=basic("ann", "wrong"))

        assert {told(entry) for entry in lines(daemon)} == {
            ("anonymous", "sign in", "ann", "unauthenticated"),
            ("anonymous", "key create", "", "unauthenticated"),
        }


class TestSecrets:
    async def test_none_is_in_the_catalog(self, daemon):
        """Planted wherever a caller can put one: in names, paths, bodies, passwords, headers, agents."""
        catalog = daemon.house.catalog
        catalog.accounts.create("ann", password=stored_password(PASSWORD))
        planted = [new_secret() for _ in range(7)]
        made = await send(daemon, "POST", KEYS, {"name": "k"}, key="ci")
        await send(daemon, "DELETE", f"{KEYS}{planted[0]}")
        await send(daemon, "DELETE", f"{KEYS}%70kh-{planted[1][4:]}")
        await send(daemon, "DELETE", f"{KEYS}%2570kh-{planted[1][4:]}")
        await send(daemon, "POST", f"{KEYS}revoke", {"secret": planted[2]})
        await send(daemon, "DELETE", f"/t/{planted[3]}{KEYS}1", key=None)
        await send(daemon, "PUT", f"{CHANNELS}main/visibility?x={planted[4]}", {"private": True})
        await send(daemon, "DELETE", f"{KEYS}1", key=None, headers=basic(planted[5], planted[6]))
        await send(daemon, "DELETE", f"{KEYS}1", key=None, headers=basic("ann", "hunter2hunter2"))
        await send(
            daemon, "PUT", f"{CHANNELS}main/grants", {"principal": f"user:{planted[0]}", "action": "read"}
        )
        await send(daemon, "POST", CHANNELS, {"name": planted[1]})

        dump = "\n".join(sqlite3.connect(daemon.house.settings.database).iterdump())

        assert len(lines(daemon)) > 8
        assert "key revoke" in dump
        assert "hunter2" not in dump
        for secret in (*planted, made.json["secret"]):
            assert secret[4:] not in dump

    async def test_none_is_in_the_answer(self, daemon):
        secret = new_secret()
        await send(daemon, "DELETE", f"{KEYS}{secret}")

        answer = await send(daemon, "GET", AUDIT)

        assert answer.json[0]["object"] == "***"
        assert secret.encode() not in answer.body

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain", "plain"),
            (f"a {new_secret()} b", "a *** b"),
            ("PKH-abc/pkh-1", "***/***"),
            ("pkh-", "pkh-"),
        ],
        ids=["plain", "a key", "cut keys", "the prefix alone"],
    )
    def test_redacting(self, text, shown):
        assert redact(text) == shown

    async def test_no_caller_can_forge_a_line(self, daemon):
        await send(daemon, "DELETE", f"{KEYS}a%E2%80%AEb%C2%85c")

        assert lines(daemon)[0].object == "a?b?c"


class TestAsking:
    async def test_newest_first_and_in_pages(self, daemon):
        for number in range(12):
            await send(daemon, "POST", KEYS, {"name": f"k{number}"}, key="ci")
        found, path, sizes = [], AUDIT, []

        while path:
            answer = await send(daemon, "GET", path)
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "no-store"
            sizes.append(len(answer.json))
            found += [entry["object"] for entry in answer.json]
            path = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]

        assert found == [f"ci/k{number}" for number in reversed(range(12))]
        assert sizes == [10, 2]

    async def test_what_was_noted_meanwhile_moves_no_page(self, daemon):
        for number in range(4):
            await send(daemon, "POST", KEYS, {"name": f"k{number}"}, key="ci")
        first = await send(daemon, "GET", f"{AUDIT}?per_page=2&who=ci")
        await send(daemon, "POST", KEYS, {"name": "new"}, key="ci")

        link = first.headers["Link"].removeprefix("<").partition(">")[0]
        second = await send(daemon, "GET", link)

        assert "who=ci" in link
        assert [entry["object"] for entry in second.json] == ["ci/k1", "ci/k0"]
        assert "Link" not in second.headers

    async def test_one_asks_for_some(self, daemon):
        await send(daemon, "POST", KEYS, {"name": "k"}, key="ci")
        await send(daemon, "PUT", f"{CHANNELS}main/grants", GRANT)
        await daemon.ask("PUT", "/main/products/tool/1.0/t.bin", b"x", headers=HERE)

        async def objects(query):
            answer = await send(daemon, "GET", f"{AUDIT}?{query}")
            return [entry["object"] for entry in answer.json]

        assert await objects("who=ci") == ["main/products/tool/1.0/t.bin", "ci/k"]
        assert await objects("action=grant%20give") == ["read on main/pypi/flask for service:reader"]
        assert await objects("object=products/tool") == ["main/products/tool/1.0/t.bin"]
        assert await objects("who=nobody") == []

    async def test_a_line_is_all_there_is(self, daemon):
        await daemon.ask("PUT", "/main/products/tool/1.0/t.bin", b"x", headers=HERE)

        entry = (await send(daemon, "GET", AUDIT)).json[0]

        at = entry.pop("at")
        assert at.endswith("Z")
        assert entry == {
            "who": "ci",
            "via": "",
            "from": "192.0.2.7",
            "action": "upload",
            "object": "main/products/tool/1.0/t.bin",
            "outcome": "ok",
            "note": "",
        }

    @pytest.mark.parametrize(
        "query", ["page_token=x", "page_token=1.", "per_page=0", "per_page=101", "before=1", "limit=9"]
    )
    async def test_what_is_not_understood_is_refused(self, daemon, query):
        assert (await send(daemon, "GET", f"{AUDIT}?{query}")).status == 400

    @pytest.mark.parametrize(("key", "status"), [(None, 401), ("ci", 403), ("boss", 403)])
    async def test_admins_only(self, daemon, key, status):
        assert (await send(daemon, "GET", AUDIT, key=key)).status == status

    async def test_not_even_an_admins_key_with_a_scope(self, daemon):
        _, secret = daemon.house.catalog.keys.create("admin", "narrow", actions=[Action.READ])

        answer = await send(daemon, "GET", AUDIT, key=None, headers={"Authorization": f"Bearer {secret}"})

        assert answer.status == 403


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class TestFloods:
    def test_an_address_has_a_budget_and_what_is_left_out_is_counted(self):
        clock = Clock()
        refusals = Refusals(monotonic=clock)

        first = [refusals.admit("a") for _ in range(BURST)]
        assert first == [*[""] * (BURST - 1), "more from this address are counted, not listed"]
        assert [refusals.admit("a") for _ in range(5)] == [None] * 5
        assert refusals.admit("b") == ""

        clock.now += EVERY_S
        assert refusals.admit("a") == (
            "5 refused requests from this address were left out before this one; "
            "more from this address are counted, not listed"
        )
        assert refusals.admit("a") is None
        clock.now += 1e6
        assert "1 refused requests from this address" in refusals.admit("a")
        assert refusals.admit("a") == ""

    def test_so_have_all_addresses_together(self):
        clock = Clock()
        refusals = Refusals(monotonic=clock)

        noted = sum(refusals.admit(f"net{number}") is not None for number in range(BURST_ALL + 50))

        assert noted == BURST_ALL
        clock.now += 1000
        assert "50 refused requests from other addresses were left out" in refusals.admit("late")

    def test_a_flood_of_addresses_is_not_remembered_for_ever(self):
        refusals = Refusals(monotonic=Clock())

        for number in range(20_000):
            refusals.admit(f"net{number}")

        assert len(refusals._by_address) <= 4096

    async def test_a_thousand_refusals_are_a_few_lines(self, daemon):
        auditor = Auditor(daemon.house.catalog)
        stranger = Line("grant give", ANONYMOUS)

        for _ in range(1000):
            await asyncio.to_thread(auditor.note, stranger, "unauthenticated")

        assert len(lines(daemon)) == BURST

    async def test_what_succeeds_is_noted_however_much_was_refused(self, daemon):
        for _ in range(BURST + 5):
            await send(daemon, "DELETE", f"{KEYS}4711", key="ci")

        await send(daemon, "POST", KEYS, {"name": "k"}, key="ci")

        assert len(lines(daemon)) == BURST + 1
        assert told(lines(daemon)[0]) == ("ci", "key create", "ci/k", "ok")

    def test_one_network_of_ipv6_is_one_address(self, tmp_path):
        catalog = Catalog(tmp_path / "c.sqlite")
        auditor = Auditor(catalog)
        for number in range(BURST + 10):
            auditor.failed_sign_in("eve", f"2001:db8::{number:x}", "unauthenticated")

        assert len(catalog.audit.history(limit=1000)) == BURST
        catalog.close()


class TestItsOwnFailures:
    async def test_a_change_that_is_done_is_answered_and_its_line_goes_to_the_log(
        self, daemon, monkeypatch, caplog
    ):
        def full(*_args, **_more):
            raise Unavailable("the disk is full")

        monkeypatch.setattr(daemon.house.catalog.audit, "note", full)

        answer = await send(daemon, "POST", KEYS, {"name": "k"}, key="ci")

        assert answer.status == 201
        record = next(record for record in caplog.records if record.name == "uploadd.audit")
        assert "key create by ci from 192.0.2.7 on 'ci/k'" in record.getMessage()
        assert "the disk is full" in record.getMessage()
        assert answer.json["secret"] not in caplog.text

    async def test_the_line_is_there_before_the_answer(self, daemon, monkeypatch):
        note, order = daemon.house.catalog.audit.note, []
        monkeypatch.setattr(
            daemon.house.catalog.audit,
            "note",
            lambda *args, **more: (note(*args, **more), order.append("noted")),
        )

        await send(daemon, "POST", KEYS, {"name": "k"}, key="ci")
        order.append("answered")

        assert order == ["noted", "answered"]


async def odd_daemon(tmp_path, routes, use):
    """Run a daemon with routes of its own."""
    house = new_house(tmp_path)
    runner = make_runner(create_app(house, Intake(house, Direct()), [*routes, *health.ROUTES]))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        await use(house, runner.addresses[0][1], runner)
    finally:
        await runner.cleanup()
        house.close()


async def ask_port(port, path, method="POST"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_head(method, path, Connection="close", **{"Content-Length": "0"}))
    answer = await reader.read()
    writer.close()
    return answer


class TestOutcomes:
    @pytest.mark.parametrize(
        ("raised", "outcome", "status"),
        [
            (web.HTTPSeeOther("/account"), "ok", b"303"),
            (web.HTTPBadRequest(), "refused", b"400"),
            (ValueError("defect"), "internal", b"500"),
            (ConnectionResetError(), "client-left", b"400"),
            (web.Response(status=403), "refused", b"403"),
            (web.Response(status=201), "ok", b"201"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    async def test_what_came_of_a_call(self, tmp_path, raised, outcome, status):
        async def handler(_call):
            if isinstance(raised, web.HTTPException) or not isinstance(raised, web.Response):
                raise raised
            return raised

        async def use(house, port, _runner):
            assert status in (await ask_port(port, "/do/it")).split(b"\r\n")[0]
            entry = house.catalog.audit.entries(limit=1)[0]
            assert (entry.action, entry.object, entry.outcome) == ("do", "it", outcome)

        route = Route(method="POST", pattern="/do/{what}", action=OPEN, handler=handler, audited="do")
        await odd_daemon(tmp_path, [route], use)

    async def test_what_a_path_names_as_a_secret_is_not_noted(self, tmp_path):
        async def handler(_call):
            return web.Response()

        async def use(house, port, _runner):
            await ask_port(port, "/fetch/hunter2/main")
            assert house.catalog.audit.entries(limit=1)[0].object == "***/main"

        route = Route(
            method="POST", pattern="/fetch/{token}/{channel}", action=OPEN, handler=handler, audited="do"
        )
        await odd_daemon(tmp_path, [route], use)

    @pytest.mark.parametrize("outcome", [200, 401])
    async def test_a_sign_in_is_told_once(self, tmp_path, outcome):
        """Its refusal is noted with the password; its success by the route."""

        async def handler(call):
            auditing.tell(call, object_="ann")
            return web.Response(status=outcome)

        async def use(house, port, _runner):
            await ask_port(port, "/in")
            found = [(entry.action, entry.outcome) for entry in house.catalog.audit.entries(limit=9)]
            assert found == ([("sign in", "ok")] if outcome == 200 else [])

        route = Route(method="POST", pattern="/in", action=OPEN, handler=handler, audited=auditing.SIGN_IN)
        await odd_daemon(tmp_path, [route], use)

    async def test_a_stopping_daemon_notes_what_it_interrupts(self, tmp_path):
        begun = asyncio.Event()

        async def handler(_call):
            begun.set()
            await asyncio.Event().wait()

        async def use(house, port, runner):
            asking = asyncio.create_task(ask_port(port, "/do/it"))
            await begun.wait()
            await runner.cleanup()
            await asking
            entry = house.catalog.audit.entries(limit=1)[0]
            assert (entry.action, entry.object, entry.outcome) == ("do", "it", "interrupted")

        route = Route(method="POST", pattern="/do/{what}", action=OPEN, handler=handler, audited="do")
        await odd_daemon(tmp_path, [route], use)

    async def test_telling_of_a_call_that_is_not_audited_is_nothing(self, tmp_path):
        async def handler(call):
            auditing.tell(call, object_="x", note="y", action="z", by=ANONYMOUS)
            return web.Response()

        async def use(house, port, _runner):
            assert b"200" in (await ask_port(port, "/do")).split(b"\r\n")[0]
            assert house.catalog.audit.entries(limit=1) == []

        await odd_daemon(tmp_path, [Route(method="POST", pattern="/do", action=OPEN, handler=handler)], use)

    async def test_who_signed_in_is_told_with_the_calls_address(self, tmp_path):
        async def handler(call):
            auditing.tell(call, by=house_principal)
            return web.Response()

        house_principal = ANONYMOUS.__class__(name="ann", kind="user", via="session", address="forged")

        async def use(house, port, _runner):
            await ask_port(port, "/in")
            entry = house.catalog.audit.entries(limit=1)[0]
            assert (entry.who, entry.via, entry.origin) == ("ann", "session", "-")

        route = Route(method="POST", pattern="/in", action=OPEN, handler=handler, audited=auditing.SIGN_IN)
        await odd_daemon(tmp_path, [route], use)


def test_every_route_that_changes_who_may_what_is_audited():
    """A new one is audited, or says here why not."""
    from uploadd.app import ROUTES

    silent = {
        (route.method, route.pattern)
        for route in ROUTES
        if route.action is ADMIN and route.method != "GET" and not route.audited
    }
    assert silent == set()


def test_a_right_password_passes_the_watch(tmp_path):
    catalog = Catalog(tmp_path / "c.sqlite")
    catalog.accounts.create("ann", password=stored_password(PASSWORD))

    found = WatchedSignIn(catalog, Auditor(catalog)).by_password("ann", PASSWORD, "192.0.2.1")

    assert (found.name, found.address) == ("ann", "192.0.2.1")
    catalog.close()


@pytest.mark.e2e
def test_behind_nginx_the_address_is_the_callers_and_no_header_forges_it(tmp_path):
    forged = {"X_Forwarded_For": "203.0.113.9", "X_Real_IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    with serving(tmp_path) as server:
        body = orjson.dumps({"name": "new"})
        status, _, _ = server.ask(CHANNELS, "POST", body, key=True, Content_Type="application/json", **forged)
        assert status == 201
        status, _, _ = server.ask("/main/products/t/1.0/t.bin", "PUT", b"x", key=True, **forged)
        assert status == 201
        status, _, _ = server.ask("/api/1/whoami", **basic("eve", "wrong"), **forged)
        assert status == 401

        status, _, answer = server.ask(AUDIT, key=True)
        assert status == 200
        found = {(entry["action"], entry["from"]) for entry in orjson.loads(answer)}

    assert {("channel create", "127.0.0.1"), ("upload", "127.0.0.1"), ("sign in", "127.0.0.1")} <= found
    assert not any("203.0.113.9" in address for _, address in found)
