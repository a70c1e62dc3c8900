"""Channels and grants over HTTP: what is private is not told of, and rights change at once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from house_support import Direct
from moving_support import misplaced
from nginx_support import wait_for
from uploadd_support import run_daemon

from packhouse.house import open_house
from packhouse.intake.receive import Intake
from packhouse.model import Action, Ecosystem, Grant
from packhouse.names import parse_channel
from packhouse.rights import Rights
from packhouse.tree import When
from uploadd.app import ROUTES, create_app, make_runner
from uploadd.routing import Router
from uploadd.target import parse_target

CHANNELS = "/api/1/channels/"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct()) as running:
        running.house.catalog.groups.create("team")
        yield running


async def put(daemon, path, body, *, key="admin", method="PUT"):
    return await daemon.ask(method, path, orjson.dumps(body), key=key, headers=JSON)


def names(answer):
    return [channel["name"] for channel in answer.json]


class TestReading:
    async def test_one_sees_what_one_may_read(self, daemon):
        assert names(await daemon.ask("GET", CHANNELS, key=None)) == ["main", "other"]
        assert names(await daemon.ask("GET", CHANNELS, key="reader")) == ["main", "other"]
        assert names(await daemon.ask("GET", CHANNELS, key="insider")) == ["closed", "main", "other"]
        assert names(await daemon.ask("GET", CHANNELS, key="admin")) == ["closed", "main", "other"]

    async def test_one_package_is_enough_to_see_its_channel(self, daemon):
        grant = Grant(principal="service:reader", action=Action.READ, channel="closed",
                      ecosystem="pypi", package="flask")  # fmt: skip
        daemon.house.catalog.grants.give(grant)

        assert "closed" in names(await daemon.ask("GET", CHANNELS, key="reader"))

    async def test_a_channel_is_described(self, daemon):
        answer = await daemon.ask("GET", f"{CHANNELS}other/", key=None)

        assert answer.status == 200
        assert {k: answer.json[k] for k in ("name", "private", "overwrite")} == {
            "name": "other",
            "private": False,
            "overwrite": True,
        }

    @pytest.mark.parametrize("key", [None, "reader", "ci"])
    @pytest.mark.parametrize("path", ["{}", "{}/grants"])
    async def test_a_private_one_is_as_absent_as_none(self, daemon, key, path):
        there = await daemon.ask("GET", CHANNELS + path.format("closed"), key=key)
        absent = await daemon.ask("GET", CHANNELS + path.format("absent"), key=key)

        assert there.status == absent.status == (401 if key is None else 404)
        assert there.body.replace(b"closed", b"absent") == absent.body
        assert there.reason.replace("closed", "absent") == absent.reason

    async def test_pages(self, daemon):
        first = await daemon.ask("GET", f"{CHANNELS}?per_page=2", key="admin")
        link = first.headers["Link"].removeprefix("<").partition(">")[0]
        second = await daemon.ask("GET", link, key="admin")

        assert (names(first), names(second)) == (["closed", "main"], ["other"])
        assert "Link" not in second.headers


class TestMaking:
    async def test_an_admin_makes_one(self, daemon):
        answer = await put(
            daemon, CHANNELS, {"name": "new", "private": True, "overwrite": True}, method="POST"
        )

        assert (answer.status, answer.json["published"]) == (201, True), answer.body
        channel = daemon.house.catalog.channels.get("new")
        assert (channel.private, channel.overwrite, channel.place) == (True, True, "private")

    async def test_public_and_unchanging_if_nothing_is_said(self, daemon):
        await put(daemon, CHANNELS, {"name": "new"}, method="POST")

        channel = daemon.house.catalog.channels.get("new")
        assert (channel.private, channel.overwrite, channel.place) == (False, False, "public")

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"name": "main"}, 409, "channel-exists"),
            ({"name": "closed"}, 409, "channel-exists"),
            ({"name": "api"}, 400, "bad-name"),
            ({"name": "../x"}, 400, "bad-name"),
            ({}, 400, "malformed"),
            ({"name": "new", "private": "yes"}, 400, "malformed"),
            ({"name": "new", "private": None}, 400, "malformed"),
            ({"name": "new", "privat": True}, 400, "malformed"),
        ],
    )
    async def test_what_cannot_be_made(self, daemon, body, status, code):
        answer = await put(daemon, CHANNELS, body, method="POST")

        assert (answer.status, answer.code) == (status, code)
        assert daemon.house.catalog.channels.find("new") is None

    @pytest.mark.parametrize("key", ["ci", "boss", "insider"])
    async def test_nobody_else_makes_one(self, daemon, key):
        answer = await put(daemon, CHANNELS, {"name": "new"}, key=key, method="POST")

        assert (answer.status, answer.code) == (403, "forbidden")
        assert daemon.house.catalog.channels.find("new") is None

    async def test_a_daemon_without_an_indexer_says_that_it_is_not_listed_yet(self, tmp_path):
        settings = "min_free_bytes = 0\npublish_wait_s = 0.05\n"
        async with run_daemon(tmp_path / "d", Direct(), settings=settings, publish=False) as lonely:
            answer = await put(lonely, CHANNELS, {"name": "new"}, method="POST")

            assert (answer.status, answer.json["published"]) == (202, False)
            assert len(answer.json["notes"]) == 1


class TestVisibility:
    async def test_files_move_before_the_answer(self, daemon):
        await daemon.ask("PUT", "/main/products/tool/1.0/t.bin", b"x")
        path = "main/products/tool/1.0/t.bin"
        assert f"public/{path}" in daemon.files()

        hidden = await put(daemon, f"{CHANNELS}main/visibility", {"private": True})

        assert (hidden.status, hidden.json["changed"], hidden.json["published"]) == (200, True, True)
        assert hidden.json["channel"]["private"] is True
        assert "caches" in hidden.json["notes"][0]
        assert f"public/{path}" not in daemon.files()
        assert f"private/{path}" in daemon.files()
        assert names(await daemon.ask("GET", CHANNELS, key=None)) == ["other"]

        shown = await put(daemon, f"{CHANNELS}main/visibility", {"private": False})

        assert (shown.status, shown.json["changed"], shown.json["notes"]) == (200, True, [])
        assert f"public/{path}" in daemon.files()

    async def test_twice_is_once(self, daemon):
        answer = await put(daemon, f"{CHANNELS}closed/visibility", {"private": True})

        assert (answer.status, answer.json["changed"]) == (200, False)

    async def test_what_is_refused(self, daemon):
        assert (await put(daemon, f"{CHANNELS}absent/visibility", {"private": True})).status == 404
        assert (await put(daemon, f"{CHANNELS}main/visibility", {})).status == 400
        assert (await put(daemon, f"{CHANNELS}main/visibility", {"private": 1})).status == 400
        for key in ("boss", "ci", "reader"):
            answers = [
                await put(daemon, f"{CHANNELS}{name}/visibility", {"private": True}, key=key)
                for name in ("other", "closed", "absent")
            ]
            assert {answer.status for answer in answers} == {403}
            assert len({answer.body for answer in answers}) == 1
        assert not daemon.house.catalog.channels.get("main").private


class TestGrants:
    async def test_a_right_holds_at_once_and_so_does_its_end(self, daemon):
        grant = {"principal": "service:reader", "action": "read"}
        assert (await daemon.ask("GET", f"{CHANNELS}closed", key="reader")).status == 404

        given = await put(daemon, f"{CHANNELS}closed/grants", grant)

        assert (given.status, given.json["changed"]) == (200, True), given.body
        assert given.json["grant"] == {**grant, "channel": "closed", "ecosystem": None, "package": None}
        assert (await daemon.ask("GET", f"{CHANNELS}closed", key="reader")).status == 200
        assert (await put(daemon, f"{CHANNELS}closed/grants", grant)).json["changed"] is False

        query = "principal=service:reader&action=read"
        taken = await daemon.ask("DELETE", f"{CHANNELS}closed/grants/?{query}", key="admin")

        assert (taken.status, taken.json["changed"]) == (200, True)
        assert (await daemon.ask("GET", f"{CHANNELS}closed", key="reader")).status == 404
        again = await daemon.ask("DELETE", f"{CHANNELS}closed/grants?{query}", key="admin")
        assert (again.status, again.json["changed"]) == (200, False)

    async def test_a_package_is_meant_in_every_spelling_of_its_name(self, daemon):
        for spelled in ("Tiny_Thing", "tiny.thing", "tiny-thing"):
            answer = await put(
                daemon,
                f"{CHANNELS}main/grants",
                {"principal": "group:team", "action": "read", "ecosystem": "pypi", "package": spelled},
            )
            assert answer.json["grant"]["package"] == "tiny-thing"
        listed = (await daemon.ask("GET", f"{CHANNELS}main/grants", key="admin")).json
        assert [grant["package"] for grant in listed if grant["package"]] == ["tiny-thing"]

    async def test_a_granted_package_is_restricted_before_the_answer(self, daemon):
        await daemon.ask("PUT", "/main/products/Tool/1.0/t.bin", b"x")
        grant = {"principal": "group:team", "action": "read", "ecosystem": "generic", "package": "Tool"}

        answer = await put(daemon, f"{CHANNELS}main/grants", grant)

        assert (answer.status, answer.json["published"]) == (200, True)
        assert "caches" in answer.json["notes"][0]
        assert "restricted/main/products/Tool/1.0/t.bin" in daemon.files()
        assert "public/main/products/Tool/1.0/t.bin" not in daemon.files()
        main = daemon.house.catalog.channels.get("main")
        rights = Rights(daemon.house.catalog, daemon.house.settings)
        nobody = daemon.house.catalog.accounts.principal("reader", via="")
        assert not rights.permits(nobody, Action.READ, main, Ecosystem.GENERIC, "tool")

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"principal": "service:reader"}, 400),
            ({"action": "read"}, 400),
            ({"principal": "service:reader", "action": "own"}, 400),
            ({"principal": "service:reader", "action": "read", "ecosystem": "pypi"}, 400),
            ({"principal": "service:reader", "action": "read", "package": "x"}, 400),
            ({"principal": "service:reader", "action": "read", "ecosystem": "npm", "package": "x"}, 400),
            ({"principal": "service:reader", "action": "read", "ecosystem": "pypi", "package": "../x"}, 400),
            ({"principal": "service:reader", "action": "read", "packages": "x"}, 400),
            ({"principal": "service:" + "r" * 200, "action": "read"}, 400),
            ({"principal": "service:eve", "action": "read"}, 404),
            ({"principal": "user:reader", "action": "read"}, 404),
            ({"principal": "group:none", "action": "read"}, 404),
            ({"principal": "reader", "action": "read"}, 422),
            ({"principal": "service:reader", "action": "read", "ecosystem": "conda", "package": "x"}, 422),
        ],
    )
    async def test_what_cannot_be_given(self, daemon, body, status):
        before = daemon.house.catalog.grants.of_channel("main")

        answer = await put(daemon, f"{CHANNELS}main/grants", body)

        assert answer.status == status, answer.body
        assert daemon.house.catalog.grants.of_channel("main") == before

    async def test_a_channel_that_is_not_there(self, daemon):
        body = {"principal": "service:reader", "action": "read"}

        assert (await put(daemon, f"{CHANNELS}absent/grants", body)).status == 404
        query = "?principal=service:reader&action=read"
        assert (await daemon.ask("DELETE", f"{CHANNELS}absent/grants{query}", key="admin")).status == 404
        assert (await daemon.ask("DELETE", f"{CHANNELS}main/grants{query}&x=1", key="admin")).status == 400

    @pytest.mark.parametrize("key", ["ci", "boss", "reader"])
    async def test_only_admins_give_and_take(self, daemon, key):
        body = {"principal": f"service:{key}", "action": "maintain"}
        query = "?principal=service:ci&action=write"

        assert (await put(daemon, f"{CHANNELS}other/grants", body, key=key)).status == 403
        assert (await daemon.ask("DELETE", f"{CHANNELS}other/grants{query}", key=key)).status == 403

    async def test_maintainers_see_the_rights_on_what_they_maintain(self, daemon):
        give = daemon.house.catalog.grants.give
        secret = Grant(principal="group:team", action=Action.READ, channel="other",
                       ecosystem="pypi", package="secret")  # fmt: skip
        give(secret)
        for action in (Action.MAINTAIN, Action.READ):
            give(Grant(principal="service:reader", action=action, channel="other",
                       ecosystem="pypi", package="mine"))  # fmt: skip

        wide = await daemon.ask("GET", f"{CHANNELS}other/grants", key="boss")
        narrow = await daemon.ask("GET", f"{CHANNELS}other/grants", key="reader")

        assert {grant["package"] for grant in wide.json} == {None, "secret", "mine"}
        assert [(g["package"], g["action"]) for g in narrow.json] == [
            ("mine", "maintain"),
            ("mine", "read"),
        ]
        assert (await daemon.ask("GET", f"{CHANNELS}other/grants", key="ci")).status == 403

    async def test_pages_of_grants(self, daemon):
        everything = await daemon.ask("GET", f"{CHANNELS}other/grants?per_page=50", key="admin")
        path, found = f"{CHANNELS}other/grants?per_page=1", []
        while path:
            answer = await daemon.ask("GET", path, key="admin")
            found += answer.json
            path = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]

        assert found == everything.json
        assert len(found) == 3


@pytest.mark.parametrize("name", ["keys", "channels", "audit", "whoami", "revoke", "grants", "visibility"])
def test_a_channel_or_a_package_may_be_called_like_a_route(name):
    """Yanking has six segments, none of these routes has."""
    router = Router(ROUTES)
    assert parse_channel(name)
    for path in (
        f"/api/1/{name}/flask/1.0/yank",
        f"/api/1/main/{name}/1.0/yank",
        f"/api/1/main/x/{name}/yank",
    ):
        for method in ("POST", "DELETE"):
            route, _ = router.resolve(method, parse_target(path))
            assert route.pattern == "/api/1/{channel}/{project}/{version}/yank"


class TestBesideOthers:
    async def test_changes_that_wait_for_one_channel_keep_nobody_else_waiting(self, daemon):
        """More of them than there are threads for anything; whoever may read what is private is asked all the while."""
        writing, written = threading.Event(), threading.Event()

        def write():
            with daemon.house.placing("main"):
                writing.set()
                written.wait(60)

        with ThreadPoolExecutor(1) as writer:
            writer.submit(write)
            await asyncio.to_thread(writing.wait, 60)
            path = "/admin/package/p{}/group/team/read/"
            changes = [asyncio.create_task(daemon.ask("PUT", path.format(n), key="admin")) for n in range(20)]
            try:
                asked = [await daemon.ask("GET", f"{CHANNELS}closed/", key="insider") for _ in range(20)]
                assert {answer.status for answer in asked} == {200}
                assert not any(change.done() for change in changes)
            finally:
                written.set()
            assert {answer.status for answer in await asyncio.gather(*changes)} == {200}

    async def test_the_daemon_ends_what_a_crash_left_between_the_trees(self, tmp_path):
        """The indexer need not run for that."""
        async with run_daemon(tmp_path / "data", Direct()) as first:
            house = first.house
            house.tree.put("public/main/simple/index.html", b"x", when=When.ALWAYS)
            house.catalog.channels.set_private("main", private=True, place="private")
            assert misplaced(house)
            await asyncio.to_thread(wait_for, lambda: not misplaced(house))

    async def test_a_daemon_follows_what_default_read_says_now(self, tmp_path):
        """The setting was changed while nothing ran; nothing of the channel stays where strangers read."""
        data = tmp_path / "data"
        async with run_daemon(data, Direct()) as first:
            first.house.tree.put("public/main/simple/index.html", b"x", when=When.ALWAYS)
        with (data / "packhouse.toml").open("a", encoding="utf-8") as file:
            file.write('default_read = "authenticated"\n')
        house = open_house(data)
        runner = make_runner(create_app(house, Intake(house, Direct())))
        await runner.setup()
        try:
            await asyncio.to_thread(
                wait_for, lambda: house.tree.stat("private/main/simple/index.html") is not None
            )
            assert house.tree.stat("public/main/simple/index.html") is None
        finally:
            await runner.cleanup()
            house.close()
