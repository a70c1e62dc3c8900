"""Which forms are taken: over TLS only, from this server's own pages, with the token of a session that lasts."""

from urllib.parse import urlencode

import pytest
from uploadd_account_support import (
    ABROAD,
    FORM,
    HTML,
    PASSWORD,
    Browser,
    Fine,
    daemon_with_people,
    make_key,
    people,
    said,
    signed_in,
    state,
)
from uploadd_support import SETTINGS, run_daemon

from uploadd.dialects import account, entrance
from uploadd.identity import COOKIE


@pytest.fixture
async def daemon(tmp_path):
    async with daemon_with_people(tmp_path / "data") as running:
        yield running


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/invitation"])
async def test_over_plain_http_the_page_says_that_tls_is_needed(daemon, path):
    """A browser would drop the cookie without a word; so nobody types a password there."""
    answer = await Browser(daemon, more=ABROAD).get(path)

    assert answer.status == 200
    assert "signing in needs tls" in said(answer).lower()
    assert b'method="post"' not in answer.body


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/register", "/account/invitation"])
async def test_over_plain_http_no_form_is_taken(daemon, path):
    daemon.house.catalog.accounts.open_registration(allow=True)
    code, before = daemon.house.catalog.sessions.invite("bob"), state(daemon)
    one = Browser(daemon, more={**ABROAD, "Origin": "http://packages.example.org"})
    user = "alice" if path.endswith("sign-in") else "carol"
    answer = await one.post(path, user=user, password=PASSWORD, again=PASSWORD, code=code)

    assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)
    assert "signing in needs tls" in said(answer).lower()
    assert state(daemon) == before


@pytest.mark.parametrize(
    "more",
    [
        {**ABROAD, "X-Forwarded-Proto": "https", "Origin": "https://packages.example.org"},
        {"Host": "localhost:8080", "Origin": "http://localhost:8080"},
        {"Host": "[::1]:8080", "Origin": "http://[::1]:8080"},
        {"Host": "packhouse.localhost", "Origin": "http://packhouse.localhost"},
    ],
)
async def test_over_tls_and_on_localhost_it_works(daemon, more):
    assert (await Browser(daemon, more=more).sign_in()).status == 303


async def test_what_only_looks_like_localhost_is_not(daemon):
    for host in ("localhost.example.org", "[::1", "127.0.0.1.example.org", "notlocalhost"):
        answer = await Browser(daemon, more={"Host": host}).get("/account/sign-in")
        assert "signing in needs tls" in said(answer).lower(), host


async def test_a_base_url_with_https_tells_of_a_proxy_that_does_the_tls(tmp_path):
    settings = SETTINGS + 'base_url = "https://packages.example.org"\n'
    async with run_daemon(tmp_path / "data", Fine(), settings=settings) as daemon:
        people(daemon)
        more = {"Host": "10.0.0.5:8080", "Origin": "https://packages.example.org"}

        assert (await Browser(daemon, more=more).sign_in()).status == 303


# --- foreign pages ------------------------------------------------------------------------------------------

FORMS = sorted(
    route.pattern for route in (*account.ROUTES, *entrance.ROUTES) if route.method == "POST" and route.forms
)
FOREIGN = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://[::1"},
)
"""Another site; another host of the domain; an old browser; a sandboxed frame; what is no origin."""


def test_every_form_is_tried_from_abroad():
    assert len(FORMS) == 9


@pytest.mark.parametrize("pattern", FORMS)
async def test_a_foreign_page_changes_nothing(daemon, pattern):
    """Signing somebody in as somebody else is a change, too; with the cookie and without."""
    daemon.house.catalog.accounts.open_registration(allow=True)
    code = daemon.house.catalog.sessions.invite("bob")
    one = await signed_in(daemon)
    make_key(daemon, "alice", "laptop")
    (session,) = daemon.house.catalog.sessions.list("alice")
    (key,) = daemon.house.catalog.keys.list("alice")
    path = pattern.replace("{id}", str(key.id) if "/keys/" in pattern else session.id)
    fields = {
        "user": "bob", "username": "bob", "password": PASSWORD, "again": PASSWORD, "old": PASSWORD, "code": code,
        "name": "theirs", "may": "all", "days": "9", "token": await one.token(), "everywhere": "true",
    }  # fmt: skip
    before, body = state(daemon), urlencode(fields).encode()
    for foreign in FOREIGN:
        for cookie in ({}, {"Cookie": f"{COOKIE}={one.cookie}"}):
            headers = {**FORM, **HTML, **foreign, **cookie}
            answer = await daemon.ask("POST", path, body, key=None, headers=headers)
            assert (answer.status, "Set-Cookie" in answer.headers) == (403, False), headers
            assert state(daemon) == before
            assert daemon.house.catalog.sessions.invited(code) == "bob"


@pytest.mark.parametrize(
    "path", ["/account/keys", "/account/keys/1/revoke", "/account/password", "/account/sign-out"]
)
async def test_a_form_without_its_token_changes_nothing(daemon, path):
    one = await signed_in(daemon)
    before = state(daemon)
    fields = {
        "name": "n",
        "may": "all",
        "days": "9",
        "old": PASSWORD,
        "password": "another",
        "again": "another",
    }
    for token in ({}, {"token": ""}, {"token": "x" * 32}, {"token": "\u00e4"}):
        answer = await one.post(path, **fields, **token)
        assert answer.status == 403
        assert "did not come from a page of this server" in said(answer)
        assert state(daemon) == before


async def test_another_sessions_token_is_none(daemon):
    one, bob = await signed_in(daemon), await signed_in(daemon, "bob")

    assert (await one.post("/account/sign-out", token=await bob.token())).status == 403
    assert (await one.get("/account")).status == 200


async def test_a_script_of_ours_may_send_the_token_as_a_header(daemon):
    one = await signed_in(daemon)
    one.more = {"X-Packhouse-Token": await one.token()}

    assert (await one.post("/account/sign-out")).status == 303
    assert one.cookie == ""


async def test_a_foreign_page_cannot_use_the_password_that_a_browser_remembers(daemon):
    """Basic credentials go along by themselves, as a cookie does."""
    headers = {"Authorization": "Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5", "Sec-Fetch-Site": "cross-site"}
    answer = await daemon.ask("DELETE", "/main/packages/a/a-1.tar.gz", key=None, headers=headers)

    assert (answer.status, answer.code) == (403, "cross-site")


# --- a cookie among other credentials -----------------------------------------------------------------------


async def test_a_cookie_counts_only_where_nothing_else_is_shown(daemon):
    one = await signed_in(daemon)
    token = await one.token()
    one.more = daemon.bearer("ci")
    before = state(daemon)

    assert (await one.get("/account")).headers["Location"] == "/account/sign-in"
    answer = await one.post("/account/keys", name="n", may="all", days="9", token=token)
    assert answer.status == 403
    assert "nobody is signed in here" in said(answer).lower()
    assert state(daemon) == before


async def test_a_form_of_a_session_that_ended_says_so(daemon):
    one = await signed_in(daemon)
    token = await one.token()
    daemon.house.catalog.sessions.revoke_all("alice")

    answer = await one.post("/account/keys", name="n", may="all", days="9", token=token)
    assert "sign in and repeat it" in said(answer)
    assert "WWW-Authenticate" not in answer.headers
    plain = await daemon.ask("POST", "/account/keys", b"", key=None, headers=FORM)
    assert (plain.status, plain.code) == (401, "unauthenticated")


async def test_what_is_no_form_is_refused(daemon):
    for body, headers in (
        (b"{}", {"Content-Type": "application/json"}),
        (b"user=alice", {"Content-Type": "text/plain"}),
        (b"user=%ff", FORM),
        (b"user=a&user=b", FORM),
        (b"&".join(b"a%d=b" % number for number in range(40)), FORM),
    ):
        answer = await daemon.ask("POST", "/account/sign-in", body, key=None, headers=headers)
        assert (answer.status, answer.code) == (400, "malformed")
