"""Making an account with a browser: registration, the first account, and invitations."""

import html

import pytest
from uploadd_account_support import PASSWORD, STORED, Browser, Fine, daemon_with_people, said, state
from uploadd_support import run_daemon


@pytest.fixture
async def daemon(tmp_path):
    async with daemon_with_people(tmp_path / "data") as running:
        yield running


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


async def test_the_first_account_is_the_admins(tmp_path):
    async with run_daemon(tmp_path / "data", Fine(), keys=lambda _house: {}) as daemon:
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


async def test_who_has_but_the_first_key_is_told_how_to_get_an_account(daemon):
    """`packhouse serve` prints an admin's key, and a key signs no browser in."""
    advice = b"packhouse user create NAME --admin"
    assert advice in (await Browser(daemon).get("/account/sign-in")).body
    daemon.house.catalog.accounts.set_admin("alice", admin=True)

    page = (await Browser(daemon).get("/account/sign-in")).body
    assert advice not in page
    assert b"can send you an invitation" in page


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


async def test_an_invitation_lets_somebody_in_who_waited(daemon):
    """As over pypicloud's API, and as the page says on which an admin makes one."""
    catalog = daemon.house.catalog
    catalog.accounts.register("carol", STORED, default_open=True)
    code = catalog.sessions.invite("carol")
    one = Browser(daemon)
    answer = await one.post("/account/invitation", code=code, password=PASSWORD, again=PASSWORD)

    assert answer.headers["Location"] == "/account/?fresh"
    assert "<h1>carol" in (await one.get("/account")).body.decode()
    assert not catalog.accounts.get("carol").pending
