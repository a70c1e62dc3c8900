"""What the page of a channel learns before it offers an upload, and who learns the session's token."""

import pytest
from uploadd_account_support import Browser, Daemon, daemon_with_people, make_key, signed_in

from packhouse.model import Action, Grant
from packhouse.names import ChannelName

HERE = "/account/upload/main"
NOTHING = {"login": None, "token": "", "kinds": [], "packages": []}
EVERYTHING = ["conda", "pypi", "generic"]


@pytest.fixture
async def daemon(tmp_path):
    async with daemon_with_people(tmp_path / "data") as running:
        yield running


def give(
    daemon: Daemon, ecosystem: str | None = None, package: str | None = None, who: str = "alice"
) -> None:
    daemon.house.catalog.grants.give(
        Grant(
            principal=f"user:{who}",
            action=Action.WRITE,
            channel=ChannelName("main"),
            ecosystem=ecosystem,
            package=package,
        )
    )


async def told(one: Browser, path: str = HERE) -> dict:
    answer = await one.get(path)
    assert answer.status == 200, answer.body
    return answer.json


async def test_nobody_is_told_so_and_sees_no_window_for_passwords(daemon):
    answer = await Browser(daemon).get(HERE)

    assert (answer.status, answer.json) == (200, NOTHING)
    assert "WWW-Authenticate" not in answer.headers


async def test_the_session_of_this_browser_gets_its_own_token(daemon):
    one, other = await signed_in(daemon), await signed_in(daemon)

    found = await told(one)
    assert found == {**NOTHING, "login": "alice", "token": await one.token()}
    assert found["token"] != (await told(other))["token"] != ""


async def test_what_may_be_written_is_named(daemon):
    one = await signed_in(daemon)
    give(daemon, "pypi", "six")
    give(daemon, "generic", "tool", who="bob")
    assert (await told(one))["packages"] == [{"ecosystem": "pypi", "package": "six"}]
    give(daemon, "conda")
    assert (await told(one))["kinds"] == ["conda"]
    give(daemon)
    found = await told(one)
    assert (found["kinds"], found["packages"]) == (EVERYTHING, [])


async def test_a_channel_that_is_hidden_is_like_one_that_is_not_there(daemon):
    daemon.house.create_channel(ChannelName("hidden"), private=True)
    one = await signed_in(daemon)

    assert await told(one, "/account/upload/hidden") == await told(one, "/account/upload/nowhere")
    assert await told(Browser(daemon), "/account/upload/hidden") == NOTHING


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_page_of_another_origin_gets_nothing(daemon, headers):
    one = await signed_in(daemon)

    answer = await one.get(HERE, Accept="application/json", **headers)
    assert (answer.status, answer.json["code"]) == (403, "cross-site")
    origin = await one.get(HERE, Accept="application/json", Origin="https://elsewhere.example")
    assert (origin.status, origin.json["code"]) == (403, "cross-site")


async def test_no_cache_and_no_other_origin_may_hold_the_answer(daemon):
    answer = await (await signed_in(daemon)).get(HERE)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_key_wins_over_the_session_and_gets_no_token(daemon):
    one = await signed_in(daemon)
    secret = make_key(daemon, "bob", "laptop")[1]

    answer = await one.get(HERE, **{"X-API-Key": secret})
    assert answer.json == {**NOTHING, "login": "bob"}


async def test_an_ended_session_is_nobody(daemon):
    one = await signed_in(daemon)
    daemon.house.catalog.sessions.revoke_all("alice")

    assert await told(one) == NOTHING
