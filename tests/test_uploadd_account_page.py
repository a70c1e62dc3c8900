"""What people do on their account's page: keys, sessions and the password, and what the audit log keeps of it."""

import html
import re

import pytest
from uploadd_account_support import (
    PASSWORD,
    Browser,
    daemon_with_people,
    make_key,
    said,
    shown_key,
    signed_in,
    state,
)

from packhouse.model import Action


@pytest.fixture
async def daemon(tmp_path):
    async with daemon_with_people(tmp_path / "data") as running:
        yield running


# --- keys ---------------------------------------------------------------------------------------------------


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
    laptop = "alice/laptop"
    assert told == [
        ("anonymous", "", "sign in", "alice", "unauthenticated"),
        ("anonymous", "", "sign in", "", "unauthenticated"),
        ("alice", "session", "sign in", "alice", "ok"),
        ("alice", "session", "key create", laptop, "ok"),
        ("alice", "session", "key revoke", laptop, "ok"),
        ("alice", "session", "password", "", "weak-password"),
        ("alice", "session", "sign out", "alice", "ok"),
        ("bob", "session", "invitation", "bob", "ok"),
    ]
    assert {line.origin for line in lines} == {"192.0.2.7"}
    assert [lines[number].note for number in (3, 4)] == [f"fingerprint {key.fingerprint}"] * 2
    everything = repr(lines)
    for secret in (PASSWORD, "a wrong password", "my password by mistake", cookie, code, shown_key(made)):
        assert secret not in everything
