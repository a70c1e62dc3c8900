"""Sessions of browsers and the pages they need, over HTTP: what a form may do, and what a foreign page may not."""

import html
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
import uploadd_support
from uploadd_support import SETTINGS, Answer, Daemon, run_daemon

from packhouse.catalog.keys import Key
from packhouse.catalog.passwords import hash_password
from packhouse.model import Action, Claim, Ecosystem, Observed
from uploadd import browser
from uploadd.dialects import account, entrance
from uploadd.identity import COOKIE

PASSWORD = "correct horse battery"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
STORED = hash_password(PASSWORD)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ABROAD = {"Host": "packages.example.org"}
"""As somebody asks who is not on the server itself."""

_ATTRIBUTES = {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


class Fine:
    """An inspector that nothing here needs."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: object) -> Observed:
        raise AssertionError("no upload is made here")


@dataclass
class Browser:
    """Keeps a cookie and says where its requests come from, as browsers do."""

    daemon: Daemon
    cookie: str = ""
    more: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, *, site: str | None = "same-origin", **fields: str) -> Answer:
        headers = {**FORM, "Origin": self.daemon.url}
        if site is not None:
            headers["Sec-Fetch-Site"] = site
        return await self._ask("POST", path, urlencode(fields).encode(), headers)

    async def submit(self, path: str, **fields: str) -> Answer:
        """Send a form of the account's page, with the token that the page carries."""
        return await self.post(path, token=await self.token(), **fields)

    async def token(self) -> str:
        return re.search(r'name="token" value="([^"]+)"', (await self.get("/account")).body.decode())[1]

    async def sign_in(self, user: str = "alice", password: str = PASSWORD, **fields: str) -> Answer:
        return await self.post("/account/sign-in", user=user, password=password, **fields)

    async def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        sent = {**HTML, **headers, **self.more}
        if self.cookie:
            sent["Cookie"] = f"{COOKIE}={self.cookie}"
        answer = await self.daemon.ask(method, path, body, key=None, headers=sent)
        for line in answer.headers.getall("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            assert name == COOKIE
            self.cookie = "" if "Max-Age=0" in line else value
        return answer


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Fine()) as running:
        people(running)
        yield running


def people(daemon: Daemon) -> None:
    accounts = daemon.house.catalog.accounts
    for name in ("alice", "bob"):
        accounts.create(name, password=STORED)


async def signed_in(daemon: Daemon, user: str = "alice") -> Browser:
    one = Browser(daemon)
    answer = await one.sign_in(user)
    assert answer.status == 303, answer.body
    return one


def said(answer: Answer) -> str:
    """What the page says of a refusal."""
    return html.unescape(
        re.search(r'<p class="error" role="alert">(.*?)</p>', answer.body.decode(), re.DOTALL)[1]
    )


def state(daemon: Daemon) -> object:
    """Everything that a form could change."""
    catalog = daemon.house.catalog
    names = [one.name for one in catalog.accounts.list()]
    return (
        catalog.accounts.list(),
        [catalog.accounts.stored_password(name) for name in names],
        [(key.id, key.status(0)) for key in catalog.keys.list()],
        [session.id for name in names for session in catalog.sessions.list(name)],
    )


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
            r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/packhouse.js\" defer>)", page
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


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/invitation"])
async def test_over_plain_http_the_page_says_that_tls_is_needed(daemon, path):
    """A browser would drop the cookie without a word; so nobody types a password there."""
    answer = await Browser(daemon, more=ABROAD).get(path)

    assert answer.status == 200
    assert "signing in needs tls" in said(answer).lower()
    assert b"<form" not in answer.body


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


# --- keys ---------------------------------------------------------------------------------------------------


def make_key(daemon: Daemon, account_name: str, name: str) -> tuple[Key, str]:
    """A key for a day."""
    catalog = daemon.house.catalog
    return catalog.keys.create(account_name, name, expires_us=catalog.clock() + 86_400_000_000)


def shown_key(answer: Answer) -> str:
    return re.search(rb"<code>(pkh-[0-9A-Za-z]{42})</code>", answer.body)[1].decode()


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(daemon):
    one = await signed_in(daemon)
    made = await one.submit("/account/keys", name=" laptop ", may="write", channels="main, other", days="30")
    secret = shown_key(made)

    assert made.status == 200
    assert made.headers["Cache-Control"] == "no-store"
    (key,) = daemon.house.catalog.keys.list("alice")
    assert (key.name, key.channels, key.actions) == ("laptop", ("main", "other"), (Action.READ, Action.WRITE))
    assert round((key.expires_us - key.created_us) / 86_400e6) == 30
    page = (await one.get("/account")).body.decode()
    assert secret not in page
    assert key.fingerprint in page
    assert "read, write in main, other" in page
    headers = {"Authorization": f"Bearer {secret}"}
    # Nobody's right to delete, so a known caller is 403 and an unknown one 401.
    path = "/main/packages/a/a-1.tar.gz"
    assert (await daemon.ask("DELETE", path, key=None, headers=headers)).status == 403

    answer = await one.submit(f"/account/keys/{key.id}/revoke")
    assert answer.headers["Location"] == "/account/?done=key-revoked"
    assert "The key is revoked" in (await one.get(answer.headers["Location"])).body.decode()
    assert (await daemon.ask("DELETE", path, key=None, headers=headers)).status == 401


async def test_a_key_without_limits_has_no_scope(daemon):
    one = await signed_in(daemon)
    await one.submit("/account/keys", name="all", may="all", channels=" ", days="365")

    (key,) = daemon.house.catalog.keys.list("alice")
    assert (key.channels, key.actions) == (None, None)
    page = (await one.get("/account")).body.decode()
    assert "everything" in page
    assert "never" in page


REFUSED_KEYS = (
    ({"days": "0"}, "cannot last 0 days"),
    ({"days": "366"}, "cannot last 366 days"),
    ({"days": "soon"}, "'soon' days"),
    ({"days": ""}, "'' days"),
    ({"name": " "}, "key name"),
    ({"name": "x" * 101}, "key name"),
    ({"may": "fly"}, "'fly' is nothing"),
    ({"channels": "main ../x"}, "channel name"),
    ({"name": "taken"}, "is active already"),
)


async def test_a_refused_key_keeps_what_was_typed(daemon):
    one = await signed_in(daemon)
    make_key(daemon, "alice", "taken")
    for wrong, sentence in REFUSED_KEYS:
        fields = {"name": "<b>mine</b>", "may": "read", "channels": "main", "days": "7", **wrong}
        answer = await one.submit("/account/keys", **fields)

        assert 400 <= answer.status < 500
        assert sentence in said(answer)
        page = answer.body.decode()
        for name in ("name", "channels", "days"):
            assert re.search(rf'name="{name}"[^>]* value="{re.escape(html.escape(fields[name]))}"', page)
    assert len(daemon.house.catalog.keys.list("alice")) == 1


async def test_anothers_key_and_session_are_not_there(daemon):
    """IDOR: what is not the caller's is as absent as what never was."""
    one, bob = await signed_in(daemon), await signed_in(daemon, "bob")
    key, secret = make_key(daemon, "bob", "laptop")
    (session,) = daemon.house.catalog.sessions.list("bob")
    for path, absent in (
        (f"/account/keys/{key.id}/revoke", "/account/keys/999999/revoke"),
        (f"/account/keys/{key.fingerprint}/revoke", f"/account/keys/{'0' * 12}/revoke"),
        ("/account/keys/laptop/revoke", "/account/keys/desktop/revoke"),
        (f"/account/sessions/{session.id}/revoke", f"/account/sessions/{'0' * 12}/revoke"),
    ):
        theirs, nobodys = await one.submit(path), await one.submit(absent)
        assert (theirs.status, nobodys.status) == (404, 404)
        told = [
            said(answer).replace(link.split("/")[-2], "X")
            for answer, link in ((theirs, path), (nobodys, absent))
        ]
        assert told[0] == told[1]

    assert (await bob.get("/account")).status == 200
    assert daemon.house.catalog.keys.authenticate(secret).name == "bob"


async def test_a_browser_can_be_signed_out_from_another_one(daemon):
    one, other = await signed_in(daemon), await signed_in(daemon)
    mine = {session.id for session in daemon.house.catalog.sessions.list("alice")}
    page = (await one.get("/account")).body.decode()
    here = re.search(r"this one.*?/account/sessions/([0-9a-f]{12})/revoke", page, re.DOTALL)[1]
    (there,) = mine - {here}
    answer = await one.submit(f"/account/sessions/{there}/revoke")

    assert answer.headers["Location"] == "/account/?done=session-ended"
    assert (await other.get("/account")).status == 303
    assert (await one.get("/account")).status == 200
    answer = await one.submit(f"/account/sessions/{here}/revoke")
    assert (answer.headers["Location"], one.cookie) == ("/account/sign-in?note=signed-out", "")


# --- password -----------------------------------------------------------------------------------------------


async def test_a_new_password_ends_every_other_session(daemon):
    one, other = await signed_in(daemon), await signed_in(daemon)
    old, token = one.cookie, await one.token()
    answer = await one.submit(
        "/account/password", old=PASSWORD, password="a quite new one", again="a quite new one"
    )

    assert answer.headers["Location"] == "/account/?done=password"
    assert one.cookie not in ("", old)
    assert (await one.get("/account")).status == 200
    assert await one.token() != token
    assert (await other.get("/account")).status == 303
    assert (await Browser(daemon, cookie=old).get("/account")).status == 303
    assert (await Browser(daemon).sign_in()).status == 403
    assert (await Browser(daemon).sign_in(password="a quite new one")).status == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "sentence", "status"),
    [
        ("not it", "a quite new one", "a quite new one", "is another one", 403),
        (PASSWORD, "a quite new one", "a quite new two", "differ", 422),
        (PASSWORD, "short", "short", "use at least 6", 422),
        (PASSWORD, "password123", "password123", "that are tried", 422),
    ],
)
async def test_a_refused_password_changes_nothing(daemon, old, new, again, sentence, status):
    one = await signed_in(daemon)
    before = state(daemon)
    answer = await one.submit("/account/password", old=old, password=new, again=again)

    assert answer.status == status
    assert sentence in said(answer)
    assert new not in answer.body.decode()
    assert state(daemon) == before


@pytest.mark.parametrize("change", ["promoted", "deleted", "revoked"])
async def test_a_session_ends_with_what_it_stood_for(daemon, change):
    one, catalog = await signed_in(daemon), daemon.house.catalog
    if change == "promoted":
        catalog.accounts.set_admin("alice", admin=True)
    elif change == "deleted":
        catalog.accounts.delete("alice")
    else:
        catalog.sessions.revoke_all("alice")

    assert (await one.get("/account")).headers["Location"] == "/account/sign-in"


async def test_an_admin_sees_that_they_are_one_and_in_which_groups(daemon):
    catalog = daemon.house.catalog
    catalog.accounts.set_admin("alice", admin=True)
    catalog.groups.create("astronomy")
    catalog.groups.add("alice", "astronomy")
    page = (await (await signed_in(daemon)).get("/account")).body.decode()

    assert '<span class="badge">admin</span>' in page
    assert "<dd>astronomy</dd>" in page


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


# --- registration and invitation ----------------------------------------------------------------------------


async def test_registration_is_closed_unless_it_is_allowed(daemon):
    one, before = Browser(daemon), state(daemon)
    page = await one.get("/account/register")
    answer = await one.post("/account/register", user="carol", password=PASSWORD, again=PASSWORD)

    assert (page.status, answer.status) == (403, 403)
    assert b"ask an admin" in page.body
    assert b'name="password"' not in page.body
    assert state(daemon) == before


async def test_who_registers_waits_for_approval(daemon):
    accounts = daemon.house.catalog.accounts
    accounts.open_registration(allow=True)
    one = Browser(daemon)
    assert b'href="/account/register"' in (await one.get("/account/sign-in")).body
    assert b"approves new accounts" in (await one.get("/account/register")).body
    answer = await one.post("/account/register", user=" carol ", password=PASSWORD, again=PASSWORD)

    assert (answer.status, one.cookie) == (200, "")
    assert b"waits for an admin" in answer.body
    assert accounts.get("carol").pending
    accounts.approve("carol")
    assert (await one.sign_in("carol")).status == 303


@pytest.mark.parametrize(
    ("fields", "sentence", "status"),
    [
        ({"user": "Alice"}, "is taken by the user alice", 409),
        ({"user": "<i>"}, "account name", 400),
        ({"password": "short", "again": "short"}, "use at least 6", 422),
        ({"again": "something else"}, "differ", 422),
    ],
)
async def test_a_refused_registration_keeps_the_name(daemon, fields, sentence, status):
    daemon.house.catalog.accounts.open_registration(allow=True)
    before = state(daemon)
    sent = {"user": "carol", "password": PASSWORD, "again": PASSWORD, **fields}
    answer = await Browser(daemon).post("/account/register", **sent)

    assert answer.status == status
    assert sentence in said(answer)
    assert f'value="{html.escape(sent["user"])}"' in answer.body.decode()
    assert PASSWORD not in answer.body.decode()
    assert state(daemon) == before


async def test_the_first_account_is_the_admins(tmp_path, monkeypatch):
    monkeypatch.setattr(uploadd_support, "make_keys", lambda _house: {})
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        one = Browser(daemon)
        assert b"make the first account" in (await one.get("/account/sign-in")).body
        assert b"this account will" in (await one.get("/account/register")).body
        answer = await one.post("/account/register", user="root-of-it", password=PASSWORD, again=PASSWORD)

        assert answer.headers["Location"] == "/account/?fresh"
        assert '<span class="badge">admin</span>' in (await one.get("/account/?fresh")).body.decode()
        again = await Browser(daemon).post(
            "/account/register", user="second", password=PASSWORD, again=PASSWORD
        )
        assert again.status == 403


@pytest.mark.parametrize("written", ["{}", " {} ", "https://packages.example.org/account/invitation#{}"])
async def test_an_invitation_sets_a_password_once(daemon, written):
    catalog = daemon.house.catalog
    catalog.accounts.create("carol")
    code = catalog.sessions.invite("carol")
    one = Browser(daemon)
    assert b"data-from-fragment" in (await one.get("/account/invitation")).body
    fields = {"code": written.format(code), "password": PASSWORD, "again": PASSWORD}
    answer = await one.post("/account/invitation", **fields)

    assert answer.headers["Location"] == "/account/?fresh"
    assert "<h1>carol" in (await one.get("/account")).body.decode()
    assert (await Browser(daemon).sign_in("carol")).status == 303
    again = await Browser(daemon).post("/account/invitation", **fields)
    assert again.status == 400
    assert "used up" in said(again)


async def test_a_weak_password_does_not_use_an_invitation_up(daemon):
    code = daemon.house.catalog.sessions.invite("alice")
    answer = await Browser(daemon).post("/account/invitation", code=code, password="short", again="short")

    assert answer.status == 422
    assert daemon.house.catalog.sessions.invited(code) == "alice"


async def test_an_invitation_that_nobody_made_is_none(daemon):
    answer = await Browser(daemon).post("/account/invitation", code="x", password=PASSWORD, again=PASSWORD)

    assert answer.status == 400
    assert "ask an admin for a new one" in said(answer)


async def test_an_invitation_does_not_let_a_pending_account_in(daemon):
    catalog = daemon.house.catalog
    catalog.accounts.register("carol", STORED, default_open=True)
    code = catalog.sessions.invite("carol")
    one = Browser(daemon)
    answer = await one.post("/account/invitation", code=code, password=PASSWORD, again=PASSWORD)

    assert (answer.status, one.cookie) == (403, "")
    assert "waits for an admin's approval" in said(answer)


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


# --- what is noted ------------------------------------------------------------------------------------------


async def test_the_audit_log_says_who_came_and_went_and_holds_no_secret(daemon):
    one = Browser(daemon, more={"X-Real-IP": "192.0.2.7"})
    await one.sign_in(password="a wrong password")
    await one.sign_in("my password by mistake", "a wrong password")
    await one.sign_in()
    cookie = one.cookie
    made = await one.submit("/account/keys", name="laptop", may="all", days="9")
    (key,) = daemon.house.catalog.keys.list("alice")
    await one.submit(f"/account/keys/{key.id}/revoke")
    await one.submit("/account/password", old=PASSWORD, password="short", again="short")
    await one.submit("/account/sign-out")
    code = daemon.house.catalog.sessions.invite("bob")
    await one.post("/account/invitation", code=code, password=PASSWORD, again=PASSWORD)

    lines = list(reversed(daemon.house.catalog.audit.entries(limit=100)))
    told = [(line.who, line.via, line.action, line.object, line.outcome) for line in lines]
    laptop = f"laptop {key.fingerprint}"
    assert told == [
        ("anonymous", "", "sign in", "alice", "unauthenticated"),
        ("anonymous", "", "sign in", "", "unauthenticated"),
        ("alice", "session", "sign in", "alice", "ok"),
        ("alice", "session", "key create", laptop, "ok"),
        ("alice", "session", "key revoke", laptop, "ok"),
        ("alice", "session", "password", "", "refused"),
        ("alice", "session", "sign out", "alice", "ok"),
        ("bob", "session", "invitation", "bob", "ok"),
    ]
    assert {line.origin for line in lines} == {"192.0.2.7"}
    assert lines[5].note == "weak-password"
    everything = repr(lines)
    for secret in (PASSWORD, "a wrong password", "my password by mistake", cookie, code, shown_key(made)):
        assert secret not in everything


def test_a_local_path_is_kept():
    assert browser.local_path("/main/") == "/main/"
    assert browser.local_path("//evil.example") == browser.HOME
