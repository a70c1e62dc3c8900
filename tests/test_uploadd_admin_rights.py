"""What an admin does about rights and channels on the pages, and what the pages say of who may read."""

import html
import re

import pytest
from admin_pages_support import admin, administered, lines, shown, text, told
from house_support import Direct, anyone, claim_of
from pypi_support import make_wheel
from uploadd_account_support import said, signed_in

from packhouse.intake import moving
from packhouse.intake.moving import CACHES
from packhouse.intake.receive import Intake
from packhouse.model import Action, Grant, Principal


@pytest.fixture
async def daemon(tmp_path):
    async with administered(tmp_path / "data") as running:
        yield running


def upload(daemon, channel: str = "main", by: str = "somebody") -> None:
    filename, body = make_wheel("flask", "1.0")
    intake = Intake(daemon.house, Direct())
    with intake.stage() as stage:
        stage.write(body)
        intake.receive(
            claim_of(filename, channel=channel), stage, Principal(name=by, kind="user"), shelf=anyone
        )


RIGHTS = "/account/admin/rights/main"


async def test_a_right_on_a_channel_is_given_and_taken(daemon):
    one, grants = await admin(daemon), daemon.house.catalog.grants
    page = await told(one, await one.submit(f"{RIGHTS}/give", kind="group", name=" team ", action="write"))
    assert "The right is given." in page
    assert "team group write the whole channel" in page
    grant = Grant(principal="group:team", action=Action.WRITE, channel="main")
    assert grant in grants.of_channel("main")
    again = await one.submit(f"{RIGHTS}/give", kind="group", name="team", action="write")
    assert "given already" in await told(one, again)

    page = await told(one, await one.submit(f"{RIGHTS}/take", principal="group:team", action="write"))
    assert "The right is taken away." in page
    assert grant not in grants.of_channel("main")
    again = await one.submit(f"{RIGHTS}/take", principal="group:team", action="write")
    assert "not there any more" in await told(one, again)
    sentence = "write on main for group:team"
    assert [line[1:4] for line in lines(daemon)] == [
        *[("grant give", sentence, "ok")] * 2,
        *[("grant take", sentence, "ok")] * 2,
    ]


async def test_the_first_right_on_a_package_restricts_it_and_says_what_cannot_be_undone(daemon):
    upload(daemon)
    one = await admin(daemon)
    page = await shown(one, f"{RIGHTS}/pypi/Flask")
    assert "Read by everyone, without signing in." in page
    assert "The first right closes the package for good" in page

    fields = {"kind": "user", "name": "bob", "action": "read", "ecosystem": "pypi", "package": "FLASK"}
    answer = await one.submit(f"{RIGHTS}/give", **fields)
    assert answer.headers["Location"].startswith("/account/admin/rights/main/pypi/flask/?done=given.caches")
    page = await told(one, answer)
    assert CACHES[1:] in page
    assert "Read by only those who were granted a right on this package" in page
    assert "bob read flask" in page
    assert ("pypi", "flask") in daemon.house.catalog.grants.restricted("main")
    assert not (daemon.house.data / "public/main/packages/flask").exists()
    page = await shown(one, "/account/admin/rights/main/")
    assert "flask Python restricted 1" in page

    fields = {"principal": "user:bob", "action": "read", "ecosystem": "pypi", "package": "flask"}
    page = await told(one, await one.submit(f"{RIGHTS}/take", **fields))
    assert "Nobody has a right on it, and the defaults do not reach it" in page


async def test_a_package_is_closed(daemon):
    upload(daemon)
    one = await admin(daemon)
    page = await told(one, await one.submit(f"{RIGHTS}/close", ecosystem="pypi", package="flask"))

    assert "The package is closed" in page
    assert CACHES[1:] in page
    assert daemon.house.catalog.grants.restricted("main") == {("pypi", "flask")}
    again = await one.submit(f"{RIGHTS}/close", ecosystem="pypi", package="flask")
    assert "closed already" in await told(one, again)
    assert (await one.submit(f"{RIGHTS}/close")).status == 400
    assert [line[1:4] for line in lines(daemon)] == [
        ("grant close", "main/pypi/flask", "ok"),
        ("grant close", "main/pypi/flask", "ok"),
        ("grant close", "main", "malformed"),
    ]


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"kind": "user", "name": "nobody", "action": "read"}, 404, "There is no user nobody"),
        ({"kind": "user", "name": " ", "action": "read"}, 400, "Write the name of the user"),
        ({"kind": "planet", "name": "x", "action": "read"}, 400, "'planet' is nobody"),
        (
            {"kind": "everyone", "name": "bob", "action": "read"},
            400,
            "Everyone has no name, and 'bob' is written",
        ),
        (
            {"kind": "authenticated", "name": "bob", "action": "read"},
            400,
            "Everyone who is signed in has no name",
        ),
        ({"kind": "user", "name": "bob", "action": "fly"}, 400, "The action is one of"),
        ({"kind": "user", "name": "x" * 200, "action": "read"}, 400, "no name is that long"),
        ({"kind": "user", "name": "<b>bob</b>", "action": "read"}, 404, "There is no user <b>bob</b>"),
        (
            {"kind": "user", "name": "bob", "action": "read", "ecosystem": "conda", "package": "numpy"},
            422,
            "Reading cannot be granted on the one conda package",
        ),
        (
            {"kind": "user", "name": "bob", "action": "read", "ecosystem": "", "package": "numpy"},
            400,
            "is no kind of package",
        ),
    ],
)
async def test_a_right_that_cannot_be_given_is_told_and_what_was_typed_stays(
    daemon, fields, status, sentence
):
    one = await admin(daemon)
    before = daemon.house.catalog.grants.of_channel("main")
    answer = await one.submit(f"{RIGHTS}/give", **fields)

    assert answer.status == status, answer.body
    text(answer)
    assert sentence in said(answer)
    assert b"<b>bob" not in answer.body
    assert daemon.house.catalog.grants.of_channel("main") == before


@pytest.mark.parametrize(
    ("channel", "given", "sentence"),
    [
        ("main", (), "Read by everyone, without signing in."),
        ("closed", (), "Read by only those who were granted a right on the channel, and admins."),
        ("closed", ("everyone", "read"), "Read by everyone, without signing in."),
        ("closed", ("authenticated", "write"), "Read by everyone who is signed in."),
    ],
)
async def test_who_may_read_a_channel_is_said_in_words(daemon, channel, given, sentence):
    one = await admin(daemon)
    path = f"/account/admin/rights/{channel}"
    if given:
        await one.submit(f"{path}/give", kind=given[0], name="", action=given[1])
    assert sentence in await shown(one, f"{path}/")
    assert sentence in await shown(one, f"{path}/conda/numpy/")


async def test_the_form_of_a_channel_leads_to_a_package(daemon):
    one = await admin(daemon)
    answer = await one.get(f"{RIGHTS}/?ecosystem=pypi&package=Ruamel.Yaml")
    assert answer.headers["Location"] == "/account/admin/rights/main/pypi/ruamel-yaml/"
    assert "No file of it is there yet" in await shown(one, answer.headers["Location"])
    for wrong in ("ecosystem=rpm&package=x", "ecosystem=pypi&package=..", "ecosystem=pypi&package=%3Cb%3E"):
        assert (await one.get(f"{RIGHTS}/?{wrong}")).status == 400
    for path in ("nowhere/", "main/rpm/x/", "nowhere/pypi/x/", "Main/"):
        assert (await one.get(f"/account/admin/rights/{path}")).status in (400, 404)


# --- channels -----------------------------------------------------------------------------------------------


async def test_a_channel_is_made_and_made_private_and_public(daemon):
    one, channels = await admin(daemon), daemon.house.catalog.channels
    page = await told(one, await one.submit("/account/admin/channels", name="fresh", private="false"))
    assert "The channel is there." in page
    assert not channels.get("fresh").private

    page = await shown(one, "/account/admin/channels/fresh/visibility/")
    assert "Make fresh private?" in page
    assert "Copies cannot be called back" in page
    assert not channels.get("fresh").private, "looking changes nothing"
    page = await told(one, await one.submit("/account/admin/channels/fresh/visibility", private="true"))
    assert CACHES[1:] in page
    assert channels.get("fresh").place == "private"
    again = await one.submit("/account/admin/channels/fresh/visibility", private="true")
    assert "It was so already" in await told(one, again)

    answer = await one.get("/account/admin/channels/fresh/visibility/")
    assert "Make fresh public?" in text(answer)
    assert b"<title>Make fresh public " in answer.body
    await told(one, await one.submit("/account/admin/channels/fresh/visibility", private="false"))
    assert channels.get("fresh").place == "public"
    assert [line[1:] for line in lines(daemon)] == [
        ("channel create", "fresh", "ok", ""),
        ("channel private", "fresh", "ok", ""),
        ("channel private", "fresh", "ok", ""),
        ("channel public", "fresh", "ok", ""),
    ]


async def test_only_an_empty_channel_is_deleted(daemon):
    upload(daemon, "other")
    one = await admin(daemon)
    answer = await one.get("/account/admin/channels/other/delete/")
    assert "It still holds 1 file" in text(answer)
    assert b"<title>Delete other " in answer.body
    answer = await one.submit("/account/admin/channels/other/delete")
    assert answer.status == 422
    assert "still holds files" in said(answer)
    assert "other not private, files may be replaced 1 1 1" in await shown(one, "/account/admin/channels/")

    assert "The channel is deleted" in await told(
        one, await one.submit("/account/admin/channels/closed/delete")
    )
    assert daemon.house.catalog.channels.find("closed") is None
    assert [line[1:4] for line in lines(daemon)] == [
        ("channel delete", "other", "unprocessable"),
        ("channel delete", "closed", "ok"),
    ]


@pytest.mark.parametrize(
    ("name", "status"), [("main", 409), ("api", 400), ("", 400), ("<script>", 400), ("Big", 400)]
)
async def test_a_channel_that_cannot_be_made_is_told(daemon, name, status):
    one = await admin(daemon)
    answer = await one.submit("/account/admin/channels", name=name, private="true")

    assert answer.status == status
    text(answer)
    assert said(answer)
    assert b"<script>&" not in answer.body
    assert len(daemon.house.catalog.channels.list()) == 3


# --- my packages --------------------------------------------------------------------------------------------


async def test_my_packages_are_what_i_may_write(daemon):
    upload(daemon)
    catalog, bob = daemon.house.catalog, await signed_in(daemon, "bob")
    page = await shown(bob, "/account/packages/")
    assert "None yet" in page
    assert "You may change no channel as a whole" in page

    catalog.grants.give(
        Grant(principal="group:team", action=Action.WRITE, channel="main", ecosystem="pypi", package="flask")
    )
    catalog.grants.give(
        Grant(principal="user:bob", action=Action.MAINTAIN, channel="main", ecosystem="pypi", package="later")
    )
    catalog.grants.give(
        Grant(principal="user:bob", action=Action.READ, channel="main", ecosystem="pypi", package="only-read")
    )
    catalog.grants.give(Grant(principal="user:bob", action=Action.WRITE, channel="other"))
    answer = await bob.get("/account/packages/")
    page = text(answer)
    assert "Packages 2" in page
    assert "flask main Python 1.0" in page
    assert "later main Python no file yet never read, write, delete, maintain" in page
    assert "other : write" in page
    assert "only-read" not in page
    assert b'<a href="/main/pypi/flask/">flask</a>' in answer.body
    assert "None yet" in await shown(await signed_in(daemon), "/account/packages/")


async def test_what_one_uploaded_is_there_as_long_as_one_may_read_it(daemon):
    """A package that was restricted since, and not granted to whoever uploaded it, is not named to them."""
    upload(daemon, by="bob")
    one = await signed_in(daemon, "bob")
    assert "flask uploaded by you main Python 1.0" in await shown(one, "/account/packages/")

    moving.close(daemon.house, "main", "pypi", "flask")
    assert "flask" not in await shown(one, "/account/packages/")
    right = Grant(principal="user:bob", action=Action.READ, channel="main", ecosystem="pypi", package="flask")
    moving.give(daemon.house, right)
    assert "flask uploaded by you main Python 1.0" in await shown(one, "/account/packages/")
    moving.set_private(daemon.house, "main", private=True)
    moving.take(daemon.house, right)
    assert "flask" not in await shown(one, "/account/packages/")


async def test_my_packages_come_in_pages(daemon):
    for number in range(55):
        daemon.house.catalog.grants.give(
            Grant(
                principal="user:bob",
                action=Action.WRITE,
                channel="main",
                ecosystem="pypi",
                package=f"p{number}",
            )
        )
    one = await signed_in(daemon, "bob")
    answer = await one.get("/account/packages/")
    following = html.unescape(re.search(r'<a href="([^"]+)" rel="next">', answer.body.decode())[1])

    names = [
        re.findall(r'<th scope="row" class="wraps">(p\d+)<', page.body.decode())
        for page in (answer, await one.get(following))
    ]
    assert [len(part) for part in names] == [50, 5]
    assert len({*names[0], *names[1]}) == 55
