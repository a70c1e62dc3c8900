"""What an admin does about people on the pages: users, invitations, registration, and groups."""

import html
import re

import pytest
from admin_pages_support import admin, administered, lines, shown, text, told
from uploadd_account_support import PASSWORD, Browser, said, signed_in

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
async def daemon(tmp_path):
    async with administered(tmp_path / "data") as running:
        yield running


async def test_who_waits_stands_first_and_is_let_in(daemon):
    one = await admin(daemon)
    page = await shown(one, "/account/admin/users/")

    assert page.index("waiting waits for approval") < page.index("alice admin") < page.index("bob user")
    assert "1 waits for approval" in page
    assert "There are no more" in await shown(one, "/account/admin/users/?page_token=~")
    after = await told(one, await one.submit("/account/admin/users/waiting/approve"))
    assert "The account is approved" in after
    assert not daemon.house.catalog.accounts.get("waiting").pending
    assert lines(daemon) == [("alice", "user approve", "waiting", "ok", "")]


async def test_an_admin_is_made_and_unmade(daemon):
    one, catalog = await admin(daemon), daemon.house.catalog
    bob = await signed_in(daemon, "bob")
    page = await told(one, await one.submit("/account/admin/users/bob/admin", admin="true"))

    assert "bob admin They are an admin now" in page
    assert catalog.accounts.get("bob").admin
    assert (await bob.get("/account/")).status == 303
    again = await told(one, await one.submit("/account/admin/users/bob/admin", admin="true"))
    assert "It was so already." in again
    assert "sign in again." not in again.partition("Account since")[0]
    await told(one, await one.submit("/account/admin/users/bob/admin", admin="false"))
    assert not catalog.accounts.get("bob").admin
    assert [line[1:4] for line in lines(daemon)] == [("user admin", "bob", "ok")] * 3
    assert [line[4] for line in lines(daemon)] == ["admin", "admin", "not an admin"]


@pytest.mark.parametrize("what", ["delete", "admin"])
async def test_the_last_admin_stays(daemon, what):
    one, catalog = await admin(daemon), daemon.house.catalog
    catalog.accounts.delete("admin")  # the service account with the admin's key
    answer = await one.submit(f"/account/admin/users/alice/{what}", admin="false")

    assert answer.status == 422
    text(answer)
    assert said(answer).startswith("Alice is the last admin who can sign in: make another admin first")
    assert catalog.accounts.get("alice").admin
    assert (await one.get("/account/admin/users/")).status == 200
    assert lines(daemon)[0][3] == "last-admin"


@pytest.mark.parametrize("what", ["delete", "admin"])
async def test_who_ends_their_own_rights_is_signed_out(daemon, what):
    """The other admin is a service account here."""
    one = await admin(daemon)
    answer = await one.submit(f"/account/admin/users/alice/{what}", admin="false")

    assert (answer.status, answer.headers["Location"]) == (303, "/account/sign-in?note=signed-out")
    assert one.cookie == ""


async def test_a_user_is_deleted_with_keys_and_rights(daemon):
    one, catalog = await admin(daemon), daemon.house.catalog
    page = await told(one, await one.submit("/account/admin/users/bob/delete"))

    assert "The account is deleted" in page
    assert catalog.accounts.find("bob") is None
    assert list(catalog.groups.members("team")) == []
    assert (await one.submit("/account/admin/users/bob/delete")).status == 404


async def test_a_service_account_is_no_user(daemon):
    one = await admin(daemon)
    for path in ("/account/admin/users/ci/delete", "/account/admin/users/ci/admin"):
        assert (await one.submit(path, admin="true")).status == 404
    assert (await one.get("/account/admin/users/ci/")).status == 404
    invited = await one.submit("/account/admin/users/invite", user="ci")
    assert (invited.status, "There is no user ci; a service account has that name" in said(invited)) == (
        404,
        True,
    )
    assert daemon.house.catalog.accounts.get("ci").kind == "service"


@pytest.mark.parametrize("name", ["newcomer", "bob"])
async def test_an_invitation_is_shown_once_and_lets_its_user_in(daemon, name):
    one = await admin(daemon)
    answer = await one.submit("/account/admin/users/invite", user=f" {name} ")

    assert answer.status == 200
    assert f"Invitation for {name}" in text(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    link = html.unescape(re.search(rb"<code>(http[^<]+)</code>", answer.body)[1].decode())
    assert link.startswith(f"{daemon.url}/account/invitation#")
    code = link.partition("#")[2]
    for path in (f"/account/admin/users/{name}/", "/account/admin/audit/"):
        assert code not in await shown(one, path)
    guest = Browser(daemon)
    taken = await guest.post("/account/invitation", code=code, password=PASSWORD, again=PASSWORD)
    assert taken.status == 303
    assert f"{name} Sign out" in await shown(guest, "/account/")
    assert lines(daemon)[0] == ("alice", "user invite", name, "ok", "")


async def test_a_name_that_cannot_be_is_told_beside_the_form_and_kept_harmless(daemon):
    one = await admin(daemon)
    answer = await one.submit("/account/admin/users/invite", user=HOSTILE)

    assert answer.status == 400
    text(answer)
    assert "is not a valid account name" in said(answer)
    assert b"<script>alert" not in answer.body
    assert f'value="{html.escape(HOSTILE)}"'.replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in (
        answer.body.decode()
    )
    assert b"<script>alert" not in (await one.get("/account/admin/users/?find=%3Cscript%3Ealert(1)")).body


async def test_registration_is_allowed_and_stopped(daemon):
    one, accounts = await admin(daemon), daemon.house.catalog.accounts
    assert "Stop" in await told(one, await one.submit("/account/admin/users/registration", allow="true"))
    assert accounts.registration_open(default=False)
    assert "Allow" in await told(one, await one.submit("/account/admin/users/registration", allow="false"))
    assert not accounts.registration_open(default=True)
    assert (await one.submit("/account/admin/users/registration", allow="perhaps")).status == 400
    assert [line[1:] for line in lines(daemon)[:2]] == [
        ("registration", "", "ok", "allowed"),
        ("registration", "", "ok", "not allowed"),
    ]


async def test_many_users_come_in_pages_and_can_be_filtered(daemon):
    for number in range(60):
        daemon.house.catalog.accounts.create(f"user-{number:02}")
    one = await admin(daemon)
    answer = await one.get("/account/admin/users/")
    following = html.unescape(re.search(r'<a href="([^"]+)" rel="next">', answer.body.decode())[1])

    names = [
        re.findall(r'/account/admin/users/([\w-]+)/">', page.body.decode())
        for page in (answer, await one.get(following))
    ]
    assert [len(part) for part in names] == [50, 13]
    assert len({*names[0], *names[1]}) == 63
    found = await one.get("/account/admin/users/?find=USER-1")
    assert len(set(re.findall(r'/account/admin/users/([\w-]+)/">', found.body.decode()))) == 10
    assert "No name holds that" in await shown(one, "/account/admin/users/?find=nobody-at-all")


# --- groups -------------------------------------------------------------------------------------------------


async def test_a_group_is_made_filled_emptied_and_deleted(daemon):
    one, catalog = await admin(daemon), daemon.house.catalog
    page = await told(one, await one.submit("/account/admin/groups/create", group=" astronomy "))
    assert "The group is there; add its members" in page
    assert "Nobody is in this group" in page

    page = await told(one, await one.submit("/account/admin/groups/astronomy/add", user="bob"))
    assert "bob user" in page
    fields = {"group": "astronomy", "user": "ci", "back": "user"}
    answer = await one.submit("/account/admin/groups/add", **fields)
    assert answer.headers["Location"].startswith("/account/admin/users/ci/?done=joined")
    assert list(catalog.groups.members("astronomy")) == ["bob", "ci"]

    page = await told(
        one, await one.submit("/account/admin/groups/astronomy/remove", user="bob", back="user")
    )
    assert page.index("bob") < page.index("They are not in the group any more")
    assert "The group is deleted" in await told(
        one, await one.submit("/account/admin/groups/astronomy/delete")
    )
    assert list(catalog.groups.list()) == ["team"]
    assert [line[1:4] for line in lines(daemon)] == [
        ("group create", "astronomy", "ok"),
        ("group add", "bob/astronomy", "ok"),
        ("group add", "ci/astronomy", "ok"),
        ("group remove", "bob/astronomy", "ok"),
        ("group delete", "astronomy", "ok"),
    ]


@pytest.mark.parametrize(
    ("path", "fields", "status", "sentence"),
    [
        ("create", {"group": "everyone"}, 400, "that group is built in"),
        ("create", {"group": "TEAM"}, 409, "is taken by the group team"),
        ("create", {"group": HOSTILE}, 400, "is not a valid group name"),
        ("team/add", {"user": "nobody"}, 404, "There is no account nobody"),
        ("team/remove", {"user": "nobody"}, 404, "There is no account nobody"),
        ("nowhere/add", {"user": "bob"}, 404, "There is no group nowhere"),
        ("everyone/add", {"user": "bob"}, 400, "that group is built in"),
        ("nowhere/delete", {}, 404, "There is no group nowhere"),
    ],
)
async def test_what_cannot_be_done_to_a_group_is_told(daemon, path, fields, status, sentence):
    one = await admin(daemon)
    answer = await one.submit(f"/account/admin/groups/{path}", **fields)

    assert answer.status == status
    text(answer)
    assert sentence in said(answer)
    assert b"<script>alert" not in answer.body
    assert lines(daemon)[-1][3] not in ("ok", "refused")
