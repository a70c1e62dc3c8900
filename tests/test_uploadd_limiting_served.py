"""Limits as the daemon's callers meet them: what a refusal tells, whom it stops, and who never is stopped."""

import asyncio
import time

import pytest
from limiting_support import LIST, LOW, Fine, ask, basic, flood
from template_support import stored_password
from uploadd_support import run_daemon, sha256


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Fine(), settings=LOW) as running:
        yield running


async def test_a_stranger_is_told_what_is_left_and_then_to_wait(daemon):
    first = await ask(daemon, LIST)
    assert first.status != 429
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("5", "4")
    assert 0 < int(first.headers["X-RateLimit-Reset"]) - time.time() < 62
    for left in ("3", "2", "1", "0"):
        assert (await ask(daemon, LIST)).headers["X-RateLimit-Remaining"] == left

    refused = await ask(daemon, LIST)

    assert (refused.status, refused.code) == (429, "rate-limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 12
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("5", "0")
    assert "192.0.2.1" not in refused.body.decode()


async def test_addresses_are_counted_apart_and_nobody_chooses_theirs(daemon):
    await flood(daemon)

    assert (await ask(daemon, LIST, "192.0.2.2")).status != 429
    for header in ("X_Forwarded_For", "Forwarded", "X_Client_IP", "True_Client_IP"):
        assert (await ask(daemon, LIST, **{header: "for=198.51.100.9"})).status == 429
    await flood(daemon, address="2001:db8::1")
    assert (await ask(daemon, LIST, "2001:db8::2")).status == 429


@pytest.mark.parametrize(
    "path", ["/api/nothing/here", "/%zz", "/main/simple/?a=1&a=2", "/closed/simple/", "/nowhere/simple/"]
)
async def test_every_answer_to_a_stranger_counts(daemon, path):
    assert (await flood(daemon, path)).status == 429


async def test_health_is_free(daemon):
    await flood(daemon)

    for _ in range(8):
        answer = await ask(daemon, "/health")
        assert answer.status in (200, 500)
        assert "X-RateLimit-Limit" not in answer.headers


async def test_whoever_has_the_right_is_never_limited(daemon):
    """Also not in the middle of a flood of strangers from the same address, and with answers that are no success."""
    await flood(daemon)
    body = b"bytes"

    for number in range(12):
        answer = await daemon.ask(
            "PUT", f"/main/products/tool/1/f{number}.bin", body, headers={"X-Real-IP": "192.0.2.1"}
        )
        assert answer.status in (201, 202), answer
        again = await daemon.ask(
            "PUT", f"/main/products/tool/1/f{number}.bin", b"other", headers={"X-Real-IP": "192.0.2.1"}
        )
        assert again.status == 409
        wrong_hash = await daemon.ask(
            "PUT", "/main/products/tool/1/g.bin", body,
            headers={"X-Real-IP": "192.0.2.1", "X-File-SHA256": sha256(b"no")},
        )  # fmt: skip
        assert wrong_hash.status in (400, 422)
        assert "X-RateLimit-Limit" not in answer.headers


async def test_an_account_without_the_right_is_limited_wherever_it_is(daemon):
    for number in range(5):
        answer = await daemon.ask(
            "PUT", "/main/products/t/1/f.bin", b"x", key="reader", headers={"X-Real-IP": f"192.0.2.{number}"}
        )
        assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (403, str(4 - number))

    last = await daemon.ask(
        "PUT", "/main/products/t/1/f.bin", b"x", key="reader", headers={"X-Real-IP": "192.0.2.9"}
    )

    assert (last.status, last.code) == (429, "rate-limited")
    assert "Retry-After" in last.headers
    assert (await ask(daemon, LIST, key="reader")).status != 429  # what it may do it still may


async def test_a_channel_that_is_not_there_and_one_that_is_not_theirs_count_alike(daemon):
    left = [
        (await ask(daemon, f"/{channel}/simple/", key="reader")).headers["X-RateLimit-Remaining"]
        for channel in ("closed", "nowhere", "closed", "nowhere")
    ]

    assert left == ["4", "3", "2", "1"]


async def test_unknown_keys_are_limited_by_address_and_known_ones_pass(daemon):
    for _ in range(5):
        assert (await ask(daemon, LIST, X_API_Key="pkh-unknown")).status == 401

    assert (await ask(daemon, LIST, X_API_Key="pkh-unknown")).status == 429
    assert (await ask(daemon, LIST, "192.0.2.2", X_API_Key="pkh-unknown")).status == 401
    assert (await ask(daemon, LIST, key="reader")).status != 429


async def test_an_ended_session_is_no_way_around(daemon):
    cookie = {"Cookie": "__Host-packhouse=forged"}
    for _ in range(5):
        assert (await ask(daemon, LIST, **cookie)).status != 429

    assert (await ask(daemon, LIST, **cookie)).status == 429


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/sign-in", {"user": "alice", "password": "guess"}),
        ("/account/password", {"old": "guess", "new": "another sentence", "again": "another sentence"}),
    ],
)
async def test_the_forms_of_the_pages_count_wrong_passwords_too(tmp_path, path, form):
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        house = daemon.house

        def prepare() -> tuple[str, str]:
            house.catalog.accounts.create("alice", password=stored_password("alice-secret"))
            session, cookie = house.catalog.sessions.create("alice", origin="192.0.2.1", agent="x")
            return cookie, session.csrf

        secret, token = await asyncio.to_thread(prepare)
        headers = {
            "X-Real-IP": "192.0.2.1",
            "X-Forwarded-Proto": "https",
            "Accept": "text/html",
            "Sec-Fetch-Site": "same-origin",
        }
        if path != "/account/sign-in":
            headers["Cookie"] = f"__Host-packhouse={secret}"
            form = {**form, "token": token}

        answers = [await daemon.ask("POST", path, form, key=None, headers=headers) for _ in range(11)]

        assert 429 not in {answer.status for answer in answers[:10]}
        assert answers[10].status == 429
        assert 290 <= int(answers[10].headers["Retry-After"]) <= 300
        assert (await ask(daemon, LIST, **basic("alice", "alice-secret"))).status == 429
