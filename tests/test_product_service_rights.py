"""Who may do what to a product of the product service; whoever may not learns nothing of it."""

import pytest
from house_support import Direct
from productservice_support import FULL, NONE, Service, fingerprint, service, upload_form
from uploadd_support import SETTINGS, run_daemon

from packhouse.intake import moving
from packhouse.model import Action, Grant

pytestmark = pytest.mark.e2e

CALLS = (
    ("PUT", "/register", {"admin": False}),
    ("GET", "/fetch/{token}", None),
    ("DELETE", "/prune/{token}", None),
    ("GET", "/product/access", None),
    ("PUT", "/product/create", {"name": "whatever"}),
    ("GET", "/product/fetch/{name}", None),
    ("DELETE", "/product/delete/{name}", None),
    (
        "PUT",
        "/product/modify/addToken",
        {"product": "{name}", "token": "{token}", "permissions": {"maintainer": True}},
    ),
    ("DELETE", "/product/modify/deleteVersion", {"product": "{name}", "version": "v1"}),
    ("DELETE", "/product/modify/deleteToken", {"product": "{name}", "token": "{token}"}),
    ("POST", "/product/upload", None),
    ("GET", "/product/download/{name}/v1", None),
    ("DELETE", "/product/delete/{name}/v1", None),
)
"""Every request of the contract, about a product `{name}` and a token `{token}`."""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with service(tmp_path_factory.mktemp("products")) as found:
        yield found


def call(running: Service, method: str, path: str, body: object, who: str | None, name: str, token: str):
    """Make one of `CALLS` about a product and a token."""
    if path == "/product/upload":
        return running.upload(name, "v9", token=who)
    body = {
        key: {"{name}": name, "{token}": token}.get(value, value) if isinstance(value, str) else value
        for key, value in (body or {}).items()
    } or None
    return running.ask(method, path.format(name=name, token=token), body, token=who)


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=str)
@pytest.mark.parametrize("who", [None, "pkh-" + "0" * 42, "nonsense", "pruned"])
def test_without_a_good_token_there_is_nothing(running: Service, method, path, body, who):
    """The same for a product that is there and for one that is not; before the body is looked at."""
    token = running.token()
    name = running.product(token, "v1")
    if who == "pruned":
        who = running.token()
        running.must("DELETE", f"/prune/{who}")

    answer = call(running, method, path, body, who, name, token)

    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    missing = call(running, method, path, body, who, "no-such-product", token)
    assert answer.seen == missing.seen
    assert running.ask("GET", f"/product/fetch/{name}", token=token).json["tokens"] == {
        fingerprint(token): FULL
    }


@pytest.mark.parametrize(("method", "path", "body"), CALLS[5:], ids=str)
def test_a_stranger_learns_nothing(running: Service, method, path, body):
    """Hidden and missing: one status, one body. Whoever has a product of their own is a stranger to the others."""
    owner = running.token()
    name, missing = running.product(owner, "v1"), "z" + running.name()
    stranger, busy, one_file = running.token(), running.token(), running.token()
    running.product(busy, "v1")
    file_writer = Grant(
        principal=f"service:{running.house.catalog.keys.find(one_file).account}",
        action=Action.READ,
        channel="main",
    )
    running.house.catalog.grants.give(file_writer)

    for who in (stranger, busy, one_file):
        hidden = call(running, method, path, body, who, name, owner)
        absent = call(running, method, path, body, who, missing, owner)
        assert hidden.status in (403, 404), hidden.body
        assert hidden.status == absent.status
        assert hidden.body == absent.body.replace(missing.encode(), name.encode())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["download"], {"read": 200, "upload": 403, "delete": 403, "permit": 403, "destroy": 403}),
        (["upload"], {"read": 200, "upload": 201, "delete": 403, "permit": 403, "destroy": 403}),
        (["delete"], {"read": 200, "upload": 403, "delete": 204, "permit": 403, "destroy": 403}),
        (["upload", "delete"], {"read": 200, "upload": 201, "delete": 204, "permit": 403, "destroy": 403}),
        (["maintainer"], {"read": 200, "upload": 201, "delete": 204, "permit": 201, "destroy": 204}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_what_each_permission_allows(running: Service, words, expected):
    """Every permission reads, too; the maintainer may all; `tokens` says so."""
    owner, token, third = running.token(), running.token(), running.token()
    name = running.product(owner, "v1", "v2")
    running.permit(name, token, *words, by=owner)
    permissions = {"download": True}

    found = {
        "read": running.ask("GET", f"/product/download/{name}/v1", token=token).status,
        "upload": running.upload(name, "v3", token=token).status,
        "delete": running.ask("DELETE", f"/product/delete/{name}/v2", token=token).status,
        "permit": running.ask(
            "PUT",
            "/product/modify/addToken",
            {"product": name, "token": third, "permissions": permissions},
            token=token,
        ).status,
    }
    said = running.ask("GET", f"/product/fetch/{name}", token=owner).json["tokens"][fingerprint(token)]
    found["destroy"] = running.ask("DELETE", f"/product/delete/{name}", token=token).status

    assert found == expected
    every = "maintainer" in words
    assert said == {word: every or word in words or word == "download" for word in FULL}


def test_permissions_replace_those_that_were_there(running: Service):
    owner, token = running.token(), running.token()
    name = running.product(owner)

    running.permit(name, token, "maintainer", by=owner)
    running.permit(name, token, "download", by=owner)

    tokens = running.ask("GET", f"/product/fetch/{name}", token=owner).json["tokens"]
    assert tokens == {fingerprint(owner): FULL, fingerprint(token): {**NONE, "download": True}}
    assert running.upload(name, "v1", token=token).status == 403


def test_the_tokens_of_a_product_are_the_active_keys_of_who_has_rights_on_it(running: Service):
    """Another key of the account is among them, narrowed by its scope; a pruned one, groups and admins are not."""
    token, catalog = running.token(), running.house.catalog
    name = running.product(token)
    account = catalog.keys.find(token).account
    narrow = catalog.keys.create(account, "reads", actions=[Action.READ])[1]
    elsewhere = catalog.keys.create(account, "elsewhere", channels=["other"])[1]
    pruned = catalog.keys.create(account, "pruned")[1]
    catalog.keys.revoke(pruned, account=account)
    moving.give(
        running.house,
        Grant(
            principal="group:authenticated",
            action=Action.READ,
            channel="main",
            ecosystem="generic",
            package=name,
        ),
    )

    assert running.ask("GET", f"/product/fetch/{name}").json["tokens"] == {
        fingerprint(token): FULL,
        fingerprint(narrow): {**NONE, "download": True},
        fingerprint(elsewhere): NONE,
    }


def test_a_token_is_told_apart_only_by_who_has_it(running: Service):
    """Taking a token away that has no right here, or that nobody ever made: one sentence."""
    owner, other = running.token(), running.token()
    name = running.product(owner)
    ask = ("DELETE", "/product/modify/deleteToken")

    unknown = running.ask(*ask, {"product": name, "token": "0123456789ab"}, token=owner)
    unrelated = running.ask(*ask, {"product": name, "token": other}, token=owner)
    added = running.ask(
        "PUT",
        "/product/modify/addToken",
        {"product": name, "token": other[:-1] + "_", "permissions": {"download": True}},
        token=owner,
    )

    assert unknown.status == 404
    assert unknown.seen == unrelated.seen
    assert (added.status, added.json["code"]) == (404, "not-found")
    assert other[:-1] not in added.json["detail"]


def test_a_token_that_is_no_more_can_be_taken_off_a_product(running: Service):
    """Its account would have the right again with its next key."""
    owner, other = running.token(), running.token()
    name = running.product(owner)
    running.permit(name, other, "upload", by=owner)
    running.must("DELETE", f"/prune/{other}")
    permissions = {"download": True}

    late = running.ask(
        "PUT",
        "/product/modify/addToken",
        {"product": name, "token": other, "permissions": permissions},
        token=owner,
    )
    gone = running.ask(
        "DELETE", "/product/modify/deleteToken", {"product": name, "token": fingerprint(other)}, token=owner
    )

    assert (late.status, gone.status) == (404, 204)
    assert len(running.house.catalog.grants.of_package("main", "generic", name)) == 1


def test_who_may_create(running: Service):
    """Registered tokens, members of the group, whoever may write the channel; nobody else, and no key for less."""
    catalog = running.house.catalog
    until = catalog.clock() + 86_400_000_000
    keys = {}
    for who in ("visitor", "writer", "member"):
        catalog.accounts.create(who)
        keys[who] = catalog.keys.create(who, "test", expires_us=until)[1]
    catalog.groups.create("product-service")
    catalog.groups.add("member", "product-service")
    catalog.grants.give(Grant(principal="user:writer", action=Action.WRITE, channel="main"))
    keys["narrow member"] = catalog.keys.create("member", "n", expires_us=until, actions=[Action.READ])[1]
    keys["member elsewhere"] = catalog.keys.create("member", "e", expires_us=until, channels=["x"])[1]
    keys["registered"], keys["admin"] = running.token(), running.token(admin=True)

    found = {
        who: running.ask("PUT", "/product/create", {"name": running.name()}, token=key).status
        for who, key in keys.items()
    }

    assert found == {
        "visitor": 403,
        "writer": 201,
        "member": 201,
        "narrow member": 403,
        "member elsewhere": 403,
        "registered": 201,
        "admin": 201,
    }


def test_only_admins_without_a_scope_manage_tokens(running: Service):
    catalog = running.house.catalog
    account = catalog.keys.find(running.token(admin=True)).account
    narrow = catalog.keys.create(account, "narrow", channels=["main"])[1]
    victim = running.token()

    for who in (running.token(), narrow):
        assert running.ask("PUT", "/register", {"admin": True}, token=who).status == 403
        assert running.ask("DELETE", f"/prune/{victim}", token=who).status == 403
    assert running.ask("GET", "/product/access", token=victim).status == 200


@pytest.mark.parametrize(
    "header", ["X-Api-Token", "X-API-Key", "Authorization: Bearer", "Authorization: token"]
)
def test_a_token_in_every_spelling(running: Service, header):
    token = running.token()
    name, _, scheme = header.partition(": ")

    answer = running.ask("GET", f"/fetch/{token}", token=None, headers={name: f"{scheme} {token}".strip()})

    assert answer.json == {"token": fingerprint(token), "admin": False}


async def test_in_a_private_default_channel(tmp_path):
    """Registered tokens create there, read what is theirs, and are told nothing of the channel, not even its name."""
    settings = SETTINGS + 'default_channel = "closed"\n'
    async with run_daemon(tmp_path / "data", Direct(), settings=settings) as daemon:
        for who in ("one", "two"):
            made = await daemon.ask(
                "PUT",
                "/register",
                b'{"admin": false}',
                key="admin",
                headers={"Content-Type": "application/json"},
            )
            daemon.keys[who] = made.body.decode()
        json_ = {"Content-Type": "application/json"}

        created = await daemon.ask("PUT", "/product/create", b'{"name": "tool"}', key="one", headers=json_)
        refused = await daemon.ask("PUT", "/product/create", b'{"name": "tool"}', key="reader", headers=json_)
        form, media_type = upload_form("tool", "v1", b"bytes")
        uploaded = await daemon.ask(
            "POST", "/product/upload", form, key="one", headers={"Content-Type": media_type}
        )
        stranger = await daemon.ask("GET", "/product/fetch/tool", key="two")
        download = await daemon.ask("GET", "/product/download/tool/v1", key="one")
        late, media_type = upload_form("tool", "v1", b"bytes", order="file product version")
        early = await daemon.ask(
            "POST", "/product/upload", late, key="two", headers={"Content-Type": media_type}
        )

        assert (created.status, uploaded.status) == (201, 201)
        assert (refused.status, b"closed" in refused.body) == (403, False)
        assert (stranger.status, b"closed" in stranger.body) == (404, False)
        assert (early.status, b"closed" in early.body) == (403, False)
        assert download.headers["X-Accel-Redirect"] == "/_file/closed/products/tool/v1/my-lib.tar.gz"
        assert download.body == b""
        assert (await daemon.ask("GET", "/product/access", key="one")).json == ["tool"]
        assert (await daemon.ask("GET", "/product/access", key="insider")).json == []
        assert "restricted/closed/products/tool/v1/my-lib.tar.gz" in daemon.files()
