"""Lists for those who ask with credentials: what everyone sees, what they may see more, and what they may see at all."""

import json

import pytest
from house_support import Direct
from pypi_support import make_wheel
from uploadd_support import Answer, Daemon, legacy_form, run_daemon, sha256

from indexer.reindex import reindex
from packhouse.intake import moving
from packhouse.model import Action, Grant

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
HUSHED = (("pypi", "hushed"), ("generic", "hushed-tool"))
LISTS = ("/{}/", "/{}/simple/", "/{}/products/index.json")


@pytest.fixture
async def daemon(tmp_path):
    """Channels main and closed (private), each with a project and a product, and with ones restricted to `guest`."""
    async with run_daemon(tmp_path / "data", Direct(), publish=False, settings=SETTINGS) as running:
        for channel in ("main", "closed"):
            for name in ("seen", "hushed"):
                await put(running, channel, name)
        running.keys = dict(running.keys) | {
            "guest": running.house.catalog.keys.create_for_service("guest")[1]
        }
        for channel in ("main", "closed"):
            for ecosystem, package in HUSHED:
                give(running, "service:guest", channel, ecosystem, package)
        reindex(running.house)
        yield running


SETTINGS = "min_free_bytes = 0\npublish_wait_s = 0.0\n"


async def put(daemon: Daemon, channel: str, name: str) -> None:
    filename, body = make_wheel(name=name)
    form = legacy_form(filename, body, sha256_digest=sha256(body))
    assert (await daemon.ask("POST", f"/{channel}/legacy/", form, key="admin")).status == 202
    product = f"/{channel}/products/{name}-tool/1.0/{name}.bin"
    assert (await daemon.ask("PUT", product, body, key="admin")).status == 202


def grant_of(principal: str, channel: str, ecosystem: str | None = None, package: str | None = None) -> Grant:
    return Grant(
        principal=principal, action=Action.READ, channel=channel, ecosystem=ecosystem, package=package
    )


def give(daemon: Daemon, *what: str) -> None:
    moving.give(daemon.house, grant_of(*what))


def named(answer: Answer) -> set[str]:
    """The names in a list of any kind; nothing but names is compared."""
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    return {
        word
        for word in ("seen", "hushed")
        if f"{word}-tool" in text or f"{word}/" in text or f'"{word}"' in text
    }


def linked(answer: Answer) -> set[str]:
    return {name for name in ("main", "other", "closed") if f'href="{name}/"'.encode() in answer.body}


def file(daemon: Daemon, path: str) -> bytes:
    return (daemon.house.data / path).read_bytes()


class TestOfAChannel:
    async def test_whoever_may_see_no_more_gets_the_file_in_the_tree(self, daemon):
        for path in LISTS:
            published = file(
                daemon, f"public{path.format('main')}" + ("" if "json" in path else "index.html")
            )

            for key in ("reader", "insider"):
                answer = await daemon.ask("GET", path.format("main"), key=key)
                assert answer.body == published
                assert named(answer) == {"seen"}

    async def test_whoever_may_see_more_sees_it_between_the_others(self, daemon):
        """Whoever writes the whole channel reads what is restricted in it."""
        for path in LISTS:
            for key in ("guest", "ci", "admin"):
                assert named(await daemon.ask("GET", path.format("main"), key=key)) == {"seen", "hushed"}

    async def test_of_a_private_channel_everyone_sees_what_they_may_read(self, daemon):
        """Its readers all but what is restricted; whoever was given one package that one."""
        for path in LISTS:
            for key, names in (("insider", {"seen"}), ("guest", {"hushed"}), ("admin", {"seen", "hushed"})):
                assert named(await daemon.ask("GET", path.format("closed"), key=key)) == names

    async def test_to_others_a_private_channel_is_none(self, daemon):
        for path in LISTS:
            for key in ("reader", "ci"):
                private = await daemon.ask("GET", path.format("closed"), key=key)
                missing = await daemon.ask("GET", path.format("closeb"), key=key)

                assert private.status == missing.status == 404
                assert private.body == missing.body.replace(b"closeb", b"closed")
                assert b"hushed" not in private.body

    async def test_a_stranger_is_asked_to_sign_in(self, daemon):
        """Also where everyone may read one package of it."""
        give(daemon, "group:everyone", "closed", "pypi", "seen")

        for path in LISTS:
            for channel in ("closed", "nowhere"):
                assert (await daemon.ask("GET", path.format(channel), key=None)).status == 401

    async def test_a_right_that_is_taken_away_counts_at_once(self, daemon):
        for ecosystem, package in HUSHED:
            grant = grant_of("service:guest", "closed", ecosystem, package)
            moving.take(daemon.house, grant)

        for path in LISTS:
            assert (await daemon.ask("GET", path.format("closed"), key="guest")).status == 404

    async def test_a_key_for_another_channel_sees_none_of_it(self, daemon):
        secret = daemon.house.catalog.keys.create("insider", "elsewhere", channels=["main"])[1]

        for path in LISTS:
            answer = await daemon.ask("GET", path.format("closed"), key=None, headers={"X-API-Key": secret})

            assert answer.status == 404

    async def test_an_unchanged_list_is_304_and_a_changed_one_is_not(self, daemon):
        for path in LISTS:
            url = path.format("main")
            first = await daemon.ask("GET", url, key="guest")
            known = {"If-None-Match": f'"other", {first.headers["ETag"]}'}
            again = await daemon.ask("GET", url, key="guest", headers=known)
            others = await daemon.ask("GET", url, key="reader", headers=known)

            assert (again.status, again.body) == (304, b"")
            assert others.status == 200
            for answer in (first, again, others):
                assert answer.headers["Cache-Control"] == "private, no-cache"
                assert {"Authorization", "Cookie"} <= set(answer.headers["Vary"].split(", "))

    async def test_head_is_get_without_a_body(self, daemon):
        for path in LISTS:
            head, get = [
                await daemon.ask(method, path.format("main"), key="guest") for method in ("HEAD", "GET")
            ]

            assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(get.body)))


async def test_both_forms_name_the_same_and_tell_the_same_serials(daemon):
    for path in ("/main/simple/", "/simple/", "/pypi/"):
        html = await daemon.ask("GET", path, key="guest")
        answer = await daemon.ask("GET", path, key="guest", headers={"Accept": SIMPLE_JSON})
        stranger = json.loads(file(daemon, "public/main/simple/index.json"))
        mine = {item["name"]: item["_last-serial"] for item in answer.json["projects"]}

        assert named(html) == mine.keys() == {"seen", "hushed"}
        assert mine["seen"] == stranger["projects"][0]["_last-serial"]
        assert answer.json["meta"] == {"api-version": "1.4", "_last-serial": max(mine.values())}
        assert answer.headers["Content-Type"] == SIMPLE_JSON
        assert html.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_project_whose_page_is_not_there_yet_is_not_named(daemon):
    await put(daemon, "main", "fresh")
    give(daemon, "service:guest", "main", "pypi", "fresh")

    assert b"fresh" not in (await daemon.ask("GET", "/main/simple/", key="guest")).body
    reindex(daemon.house)
    assert b"fresh" in (await daemon.ask("GET", "/main/simple/", key="guest")).body


async def test_a_list_that_is_not_there_yet_is_404_so_that_nginx_serves_its_own(daemon):
    (daemon.house.data / "public/main/simple/index.html").unlink()

    assert (await daemon.ask("GET", "/main/simple/", key="reader")).status == 404


async def test_a_page_for_whoever_may_not_read_the_channel_takes_the_servers_assets(daemon):
    """The channel's own copy is for its readers."""
    mine = await daemon.ask("GET", "/closed/", key="guest")
    theirs = await daemon.ask("GET", "/closed/", key="admin")

    assert b'"../static/packhouse.css"' in mine.body
    assert b'"_static/packhouse.css"' in theirs.body


class TestOfTheServer:
    async def test_it_names_the_channels_of_which_they_may_read_something(self, daemon):
        public = {"main", "other"}
        for key, channels in (
            ("reader", public),
            ("insider", {*public, "closed"}),
            ("guest", {*public, "closed"}),
        ):
            answer = await daemon.ask("GET", "/", key=key)

            assert linked(answer) == channels
            assert (answer.body == file(daemon, "public/index.html")) is (channels == public)
            assert (b'class="badge private">private' in answer.body) is ("closed" in channels)

    async def test_the_name_of_a_private_channel_is_told_to_nobody_who_did_not_sign_in(self, daemon):
        """Not even where everyone may read one package of it: whoever knows its address does."""
        give(daemon, "group:everyone", "closed", "pypi", "seen")

        assert linked(await daemon.ask("GET", "/", key=None)) == {"main", "other"}
        assert linked(await daemon.ask("GET", "/", key="reader")) == {"main", "other", "closed"}

    async def test_a_wrong_key_is_no_stranger(self, daemon):
        answer = await daemon.ask("GET", "/", key=None, headers={"Authorization": "Bearer pkh-wrong"})

        assert answer.status == 401
