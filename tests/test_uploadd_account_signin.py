"""Signing in and out with a browser, and at pypicloud's address: what the cookie is, and who does not get one."""

import html
import re
from urllib.parse import urlencode

import pytest
from uploadd_account_support import (
    ABROAD,
    FORM,
    PASSWORD,
    STORED,
    Browser,
    daemon_with_people,
    said,
    signed_in,
)

from uploadd import browser

_ATTRIBUTES = {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


@pytest.fixture
async def daemon(tmp_path):
    async with daemon_with_people(tmp_path / "data") as running:
        yield running


# --- signing in and out -------------------------------------------------------------------------------------


async def test_signing_in_hands_out_a_cookie_that_only_this_server_gets(daemon):
    one = Browser(daemon)
    answer = await one.sign_in()

    assert answer.status == 303
    assert answer.headers["Location"] == "/account/?fresh"
    (line,) = answer.headers.getall("Set-Cookie")
    first, *attributes = line.split("; ")
    assert first == f"__Host-packhouse={one.cookie}"
    assert set(attributes) == _ATTRIBUTES
    assert len(one.cookie) >= 43
    assert "<h1>alice" in (await one.get("/account/")).body.decode()


async def test_pages_for_a_session_are_kept_by_nobody_and_run_nothing(daemon):
    one = await signed_in(daemon)
    for path in ("/account/", "/account/register", "/account/invitation"):
        answer = await one.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Cookie" in answer.headers["Vary"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert {
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        } <= set(policy.split("; "))
        assert "unsafe" not in policy
        page = answer.body.decode()
        assert not re.search(
            r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/(?:packhouse|search).js\" defer>)",
            page,
        )


async def test_each_sign_in_is_a_fresh_session_and_ends_the_one_before(daemon):
    """Session fixation: what was planted, or stolen before, is worth nothing afterwards."""
    one = Browser(daemon, cookie="planted-by-somebody-else")
    await one.sign_in()
    first = one.cookie
    await one.sign_in()

    assert len({first, one.cookie, "planted-by-somebody-else"}) == 3
    for old in (first, "planted-by-somebody-else"):
        assert (await Browser(daemon, cookie=old).get("/account")).headers["Location"] == "/account/sign-in"
    assert (await one.get("/account")).status == 200


async def test_signing_out_ends_the_session_on_the_server(daemon):
    one, other = await signed_in(daemon), await signed_in(daemon)
    old = one.cookie
    answer = await one.submit("/account/sign-out")

    assert (answer.status, one.cookie) == (303, "")
    assert "You are signed out" in (await one.get(answer.headers["Location"])).body.decode()
    assert (await Browser(daemon, cookie=old).get("/account")).status == 303
    assert (await other.get("/account")).status == 200


async def test_signing_out_everywhere_ends_every_session_of_the_account_only(daemon):
    one, other, bob = await signed_in(daemon), await signed_in(daemon), await signed_in(daemon, "bob")
    await one.submit("/account/sign-out", everywhere="true")

    assert (await other.get("/account")).status == 303
    assert (await bob.get("/account")).status == 200


async def test_signing_out_twice_is_signing_out(daemon):
    answer = await Browser(daemon).post("/account/sign-out")

    assert (answer.status, answer.headers["Location"]) == (303, "/account/sign-in?note=signed-out")


async def test_whoever_is_signed_in_needs_no_form(daemon):
    one = await signed_in(daemon)

    assert (await one.get("/account/sign-in?next=/main/")).headers["Location"] == "/main/"


async def test_a_sign_in_leads_to_a_path_of_this_server_only(daemon):
    local = ("/main/", "/main/?q=a%20b")
    foreign = (
        "",
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "javascript:alert(1)",
        "main/",
    )
    broken = ("/\t/evil.example/", "/ma\r\nSet-Cookie: a=b", "/m\u00e4rz", "/a b")
    for wanted in (*local, *foreign, *broken):
        location = wanted if wanted in local else "/account/?fresh"
        assert (await Browser(daemon).sign_in(next=wanted)).headers["Location"] == location


@pytest.mark.parametrize("user", ["alice", "nobody-of-that-name", '"><script>alert(1)</script>'])
async def test_a_wrong_password_says_so_and_keeps_the_name(daemon, user):
    """One sentence for a wrong name and a wrong password; what was typed is text."""
    one = Browser(daemon)
    answer = await one.sign_in(user, "not the password", next="/main/")

    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    assert said(answer).startswith("The user name or the password is wrong")
    page = answer.body.decode()
    assert f'value="{html.escape(user).replace("&quot;", "&#34;")}"' in page
    assert 'name="next" value="/main/"' in page
    assert "not the password" not in page
    assert "<script>alert" not in page


async def test_an_account_that_waits_for_approval_does_not_get_in(daemon):
    daemon.house.catalog.accounts.register("carol", STORED, default_open=True)
    answer = await Browser(daemon).sign_in("carol")

    assert answer.status == 403
    assert "waits for an admin's approval" in said(answer)


async def test_too_many_wrong_passwords_are_a_page_that_says_when_to_come_back(daemon):
    one = Browser(daemon, more={"X-Real-IP": "192.0.2.7"})
    for _ in range(10):
        assert (await one.sign_in(password="wrong")).status == 403
    answer = await one.sign_in()

    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "too many wrong passwords" in said(answer).lower()
    assert answer.headers["Content-Type"].startswith("text/html")
    other = Browser(daemon, more={"X-Real-IP": "192.0.2.8"})
    assert (await other.sign_in("bob")).status == 303


async def test_a_cookie_that_the_browser_did_not_keep_is_explained(daemon):
    answer = await Browser(daemon).get("/account/?fresh")

    assert answer.headers["Location"] == "/account/sign-in?note=no-cookie"
    assert (
        "did not keep the cookie"
        in (await Browser(daemon).get("/account/sign-in?note=no-cookie")).body.decode()
    )


async def test_head_asks_what_get_answers(daemon):
    answer = await daemon.ask("HEAD", "/account/sign-in", key=None)

    assert (answer.status, answer.body) == (200, b"")


def test_a_local_path_is_kept():
    assert browser.local_path("/main/") == "/main/"
    assert browser.local_path("//evil.example") == browser.HOME


# --- pypicloud ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"username": "alice", "password": "correct horse battery"}', {"Content-Type": "application/json"}),
        (b"username=alice&password=correct+horse+battery", FORM),
    ],
)
async def test_acct_login_signs_in(daemon, body, headers):
    answer = await daemon.ask("POST", "/acct/login", body, key=None, headers=headers)

    assert (answer.status, answer.json) == (200, {"next": "/"})
    assert answer.headers["Cache-Control"] == "no-store"
    (line,) = answer.headers.getall("Set-Cookie")
    one = Browser(daemon, cookie=line.partition(";")[0].partition("=")[2])
    assert (await one.get("/account")).status == 200


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("POST", b'{"username": "alice", "password": "wrong"}', 403, "unauthenticated"),
        ("POST", b'{"username": "alice"}', 400, "malformed"),
        ("PUT", b'{"username": "carol", "password": "correct horse"}', 403, "registration-closed"),
    ],
)
async def test_acct_login_refuses_as_pypicloud_does(daemon, method, body, status, code):
    headers = {"Content-Type": "application/json"}
    answer = await daemon.ask(method, "/acct/login", body, key=None, headers=headers)

    assert (answer.status, answer.code) == (status, code)
    assert "Set-Cookie" not in answer.headers


async def test_acct_login_registers(daemon):
    daemon.house.catalog.accounts.open_registration(allow=True)
    for password, status in (("short", 400), (PASSWORD, 200), (PASSWORD, 400)):
        body = urlencode({"username": "carol", "password": password}).encode()
        assert (await daemon.ask("PUT", "/acct/login", body, key=None, headers=FORM)).status == status

    assert daemon.house.catalog.accounts.get("carol").pending


async def test_acct_login_over_plain_http_says_that_tls_is_needed(daemon):
    body = urlencode({"username": "alice", "password": PASSWORD}).encode()
    answer = await daemon.ask("POST", "/acct/login", body, key=None, headers={**FORM, **ABROAD})

    assert (answer.status, answer.code) == (403, "tls-needed")
