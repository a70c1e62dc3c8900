"""The admin's pages: who gets them, who may send their forms, and that each is valid and says where one is."""

import re
from urllib.parse import quote

import pytest
from admin_pages_support import ADMIN_FORMS, ADMIN_PAGES, admin, administered, text
from uploadd_account_support import HTML, Browser, said, signed_in

from uploadd.app import ROUTES
from uploadd.routing import ADMIN

PLACES = {
    "users": "Users",
    "groups": "Groups",
    "rights": "Rights",
    "channels": "Channels",
    "audit": "Audit log",
    "indexer": "Indexer",
}


@pytest.fixture
async def daemon(tmp_path):
    async with administered(tmp_path / "data") as running:
        yield running


def everything(daemon):
    """All that a form of an admin could change."""
    catalog = daemon.house.catalog
    return (
        catalog.accounts.list(),
        catalog.accounts.registration_open(default=False),
        [(group, catalog.groups.members(group)) for group in catalog.groups.list()],
        [(item.name, item.private, item.place) for item in catalog.channels.list()],
        [catalog.grants.of_channel(item.name) for item in catalog.channels.list()],
        [catalog.grants.closed(item.name) for item in catalog.channels.list()],
    )


def test_every_route_of_the_pages_needs_an_admin_and_is_tried_here():
    mine = [route for route in ROUTES if route.pattern.startswith("/account/admin/")]

    assert {route.action for route in mine} == {ADMIN}
    assert all(route.audited and route.forms for route in mine if route.method == "POST")
    forms = {route.pattern for route in mine if route.method == "POST"}
    tried = {
        re.sub(r"/(users|groups|rights|channels)/(waiting|bob|team|main|other)/", r"/\1/{}/", path)
        for path in ADMIN_FORMS
    }
    assert tried == {re.sub(r"{\w+}", "{}", pattern) for pattern in forms}


@pytest.mark.parametrize("path", ADMIN_PAGES)
async def test_a_page_is_valid_and_says_where_one_is(daemon, path):
    answer = await (await admin(daemon)).get(path)

    assert answer.status == 200, answer.body
    text(answer)
    page = answer.body.decode()
    here = re.findall(r'<a href="[^"]+" aria-current="page">([^<]+)</a>', page)
    assert here == [PLACES[path.split("/")[3]]]
    assert "style=" not in page
    assert answer.headers["Cache-Control"] == "no-store"
    # Every form that changes something carries the session's token, and each field has its label.
    for form in re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL):
        assert re.search(r'name="token" value="[^"]{20,}"', form), form
    for field in re.findall(r'<(?:input|select)(?![^>]*type="hidden")[^>]* id="([^"]+)"', page):
        assert f'for="{field}"' in page
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert table.count('scope="col"') > 0
        assert table.count('scope="row"') == table.count("<tr>") - 1
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


async def test_who_is_no_admin_gets_nothing(daemon):
    """The same for a page whose object is there and for one whose object is not."""
    one = await signed_in(daemon, "bob")
    for path in ADMIN_PAGES:
        answer, absent = await one.get(path), await one.get(re.sub("bob|team|main|closed", "nowhere", path))

        assert (answer.status, absent.status) == (403, 403)
        assert answer.body == absent.body
        assert "/account/admin/" not in answer.body.decode()
    assert "/account/admin/" not in (await one.get("/account/")).body.decode()


async def test_who_is_not_signed_in_is_led_to_the_entrance_and_back(daemon):
    for path in (*ADMIN_PAGES, "/account/packages/"):
        answer = await Browser(daemon).get(path)

        assert answer.status == 303
        entrance = answer.headers["Location"]
        assert entrance == f"/account/sign-in?next={quote(path, safe='')}"
        page = (await Browser(daemon).get(entrance)).body.decode()
        assert re.search(r'name="next" value="([^"]+)"', page)[1] == path
    assert (await Browser(daemon).sign_in(next=path)).headers["Location"] == path


async def test_a_key_opens_no_page(daemon):
    """Not an admin's, which has the API for each of them; and one with a scope administers nothing at all."""
    catalog = daemon.house.catalog
    scoped = catalog.keys.create("alice", "scoped", expires_us=catalog.clock() + 10**12, channels=["main"])[1]
    for secret, status in ((daemon.keys["admin"], 401), (scoped, 403), ("pkh-wrong", 401)):
        headers = {"Authorization": f"Bearer {secret}"}
        for path in ADMIN_PAGES:
            assert (await daemon.ask("GET", path, key=None, headers=headers)).status == status
            shown = await daemon.ask("GET", path, key=None, headers={**headers, **HTML})
            # A page says 403 where an API says 401, and leads no key to the entrance: that would be a circle.
            assert shown.status == 403
            assert "<table" not in shown.body.decode()


@pytest.mark.parametrize("path", ADMIN_FORMS)
async def test_a_form_is_for_an_admins_own_page_alone(daemon, path):
    before, fields = everything(daemon), ADMIN_FORMS[path]
    mine, bob = await admin(daemon), await signed_in(daemon, "bob")
    token = await mine.token()

    forged = [
        await mine.post(path, **fields),
        await mine.post(path, token=await bob.token(), **fields),
        await mine.post(path, token=token, site="cross-site", **fields),
        await mine.post(path, token=token, site="same-site", **fields),
        await bob.post(path, token=await bob.token(), **fields),
        await bob.post(path, token=token, **fields),
        await Browser(daemon).post(path, token=token, **fields),
    ]

    assert [answer.status for answer in forged] == [403] * len(forged)
    assert said(forged[-1]).startswith("Nobody is signed in here any more, so nothing was changed")
    key = {"Authorization": f"Bearer {daemon.keys['admin']}"}
    assert (await daemon.ask("POST", path, b"a=b", key=None, headers=key)).status == 401
    assert everything(daemon) == before
    answer = await mine.post(path, token=token, **fields)
    assert answer.status in (200, 303), answer.body
    if "reindex" not in path and not path.endswith(("invite", "take")):
        assert everything(daemon) != before


async def test_the_navigation_of_others_has_their_two_places(daemon):
    page = (await (await signed_in(daemon, "bob")).get("/account/")).body.decode()
    nav = re.search(r'<nav class="places" aria-label="Account">(.*?)</nav>', page, re.DOTALL)[1]

    assert re.findall(r">([^<]+)</a>", nav) == ["Account", "My packages"]
    assert re.findall(r'aria-current="page">([^<]+)<', nav) == ["Account"]
