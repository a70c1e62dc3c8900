"""Limits where nginx asks the daemon about a file: wrong passwords count, and no count tells what is there."""

import asyncio

import pytest
from limiting_support import LIST, LOW, Fine, ask, basic
from template_support import stored_password
from uploadd_support import Answer, Daemon, run_daemon

from packhouse.model import Action, Grant


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Fine(), settings=LOW) as running:
        yield running


async def authz(
    daemon: Daemon, path: str, root: str, address: str = "192.0.2.1", key: str | None = None, **headers: str
) -> Answer:
    return await ask(daemon, "/_authz", address, key, X_Packhouse_Path=path, X_Packhouse_Root=root, **headers)


async def test_wrong_passwords_there_are_sign_in_attempts(tmp_path):
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        for _ in range(10):
            answer = await authz(daemon, "/closed/simple/index.html", "private", **basic("alice", "x"))
            assert answer.status == 401

        for path in ("/closed/simple/index.html", "/nowhere/simple/index.html"):
            refused = await authz(daemon, path, "private", **basic("alice", "x"))
            assert (refused.status, refused.code) == (429, "rate-limited")
            assert 290 <= int(refused.headers["Retry-After"]) <= 300
        assert (await ask(daemon, LIST, **basic("bob", "x"))).status == 429
        assert (await authz(daemon, "/closed/x", "private", key="insider")).status == 204
        other = await authz(daemon, "/closed/x", "private", "192.0.2.2", **basic("bob", "x"))
        assert other.status == 401


async def test_failed_keys_and_missing_rights_count_and_strangers_do_not(daemon):
    for _ in range(8):
        assert (await authz(daemon, "/closed/x", "private")).status == 401
    for _ in range(5):
        assert (await authz(daemon, "/closed/x", "private", X_API_Key="pkh-unknown")).status == 401
        assert (await authz(daemon, "/closed/x", "private", key="reader")).status == 403

    assert (await authz(daemon, "/closed/x", "private", X_API_Key="pkh-unknown")).status == 429
    assert (await authz(daemon, "/closed/x", "private", key="reader")).status == 429
    for _ in range(8):
        assert (await authz(daemon, "/closed/x", "private", key="insider")).status == 204


async def test_no_count_tells_that_a_restricted_file_is_there(daemon):
    """Only those that are there are asked about: a limit that can be noticed would tell."""
    path = "/main/packages/hidden/hidden-1.tar.gz"
    for _ in range(15):
        assert (await authz(daemon, path, "restricted", **basic("alice", "x"))).status == 401
        assert (await authz(daemon, path, "restricted", X_API_Key="pkh-unknown")).status == 401
        assert (await authz(daemon, path, "restricted", key="reader")).status == 403

    assert (await ask(daemon, LIST, **basic("alice", "x"))).status == 401
    assert (await ask(daemon, LIST, X_API_Key="pkh-unknown")).headers["X-RateLimit-Remaining"] == "3"
    forbidden = await ask(daemon, "/closed/simple/", key="reader")
    assert forbidden.headers["X-RateLimit-Remaining"] == "4"


@pytest.mark.parametrize("channel", ["closed", "nowhere"])
async def test_in_a_channel_that_is_not_public_one_count_holds_for_what_is_there_and_what_is_not(
    daemon, channel
):
    """There nginx asks about every path: with counts of its own, a restricted file would be 401 where others are 429."""
    there, missing = (
        f"/{channel}/packages/hidden/hidden-1.tar.gz",
        f"/{channel}/packages/hidden/hidden-2.tar.gz",
    )
    ways = {"key": {"X_API_Key": "pkh-unknown"}, "right": {"key": "reader"}, "password": basic("alice", "x")}
    for shown in ways.values():
        while (await authz(daemon, missing, "private", **shown)).status != 429:
            pass

        assert (await authz(daemon, there, "restricted", **shown)).status == 429


async def test_whoever_reads_a_private_channel_is_told_by_no_count_which_packages_are_restricted(daemon):
    """Of a package that nobody has, every file is missing, however often it is asked for; so it is of a hidden one."""
    hidden = Grant(
        principal="group:authenticated",
        action=Action.READ,
        channel="closed",
        ecosystem="pypi",
        package="hidden",
    )
    await asyncio.to_thread(daemon.house.catalog.grants.give, hidden)
    await asyncio.to_thread(daemon.house.catalog.grants.take, hidden)
    there, missing = "/closed/packages/hidden/hidden-1.tar.gz", "/closed/packages/hidden/hidden-2.tar.gz"
    for _ in range(8):
        assert (await authz(daemon, there, "restricted", key="insider")).status == 403
        assert (await authz(daemon, missing, "private", key="insider")).status == 403
        assert (
            await authz(daemon, "/closed/packages/never/never-1.tar.gz", "private", key="insider")
        ).status == 204


async def test_yet_its_passwords_cannot_be_guessed_without_end(tmp_path):
    path = "/main/packages/hidden/hidden-1.tar.gz"
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        house = daemon.house

        def prepare() -> None:
            house.catalog.accounts.create("alice", password=stored_password("alice-secret"))
            house.catalog.grants.give(
                Grant(
                    principal="user:alice",
                    action=Action.READ,
                    channel="main",
                    ecosystem="pypi",
                    package="hidden",
                )
            )

        await asyncio.to_thread(prepare)
        for _ in range(10):
            assert (await authz(daemon, path, "restricted", **basic("alice", "x"))).status == 401

        assert (await authz(daemon, path, "restricted", **basic("alice", "alice-secret"))).status == 401
        elsewhere = path.replace("hidden", "other")
        assert (await authz(daemon, elsewhere, "restricted", **basic("alice", "alice-secret"))).status == 403
