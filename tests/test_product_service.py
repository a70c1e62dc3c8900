"""The product service, example by example of its contract: the addresses, keys and types are the document's own.

`EXAMPLES` holds what the document shows of each answer; where we deviate on purpose a test says so.
"""

import hashlib
import http.client
import itertools
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from e2e_support import KEY
from house_support import Direct
from nginx_support import BUILDS
from productservice_support import Service, service, upload_form
from uploadd_support import SETTINGS, run_daemon

from packhouse.intake import moving
from packhouse.model import Action, Grant, State

pytestmark = pytest.mark.e2e

EXAMPLES = {
    "GET /health": '{"mongo": "Mongo is fine", "redis": "Redis is fine"}',
    "GET /fetch/{token}": '{"token": "a3f9b2c1...", "admin": false}',
    "GET /product/access": '["my-lib", "other-lib"]',
    "GET /product/fetch/{product}": """{
        "name": "my-lib",
        "tokens": {
            "additionalProperties": {"maintainer": false, "download": true, "upload": false, "delete": false}
        },
        "versions": {
            "additionalProperties": {
                "path": "./prodcuts/my-lib/v1.0.0/my-lib.tar.gz",
                "checksum": "sha256:abc123..."
            }
        }
    }""",
}
FULL = {"maintainer": True, "download": True, "upload": True, "delete": True}
NONE = dict.fromkeys(FULL, False)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with service(tmp_path_factory.mktemp("products")) as found:
        yield found


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def same_shape(example: object, found: object) -> bool:
    """Whether two JSON values have the same keys and types; `additionalProperties` stands for any number of keys."""
    if isinstance(example, dict) and isinstance(found, dict):
        if set(example) == {"additionalProperties"}:
            return all(same_shape(example["additionalProperties"], value) for value in found.values())
        return set(example) == set(found) and all(same_shape(example[key], found[key]) for key in example)
    if isinstance(example, list) and isinstance(found, list):
        return all(same_shape(example[0], value) for value in found)
    return type(example) is type(found)


def shown_like(example: str, found: object) -> bool:
    return same_shape(json.loads(EXAMPLES[example]), found)


# --- system and auth -------------------------------------------------------------------------------------------


def test_health(running: Service):
    """One sentence per service, for those that exist here."""
    answer = running.ask("GET", "/health")

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert all(sentence.endswith(" is fine") for sentence in answer.json.values())
    assert same_shape({"additionalProperties": ""}, answer.json)


@pytest.mark.parametrize("admin", [False, True])
def test_register(running: Service, admin: bool):
    """The token is the whole body, as text; it works, for ever, and may what was said."""
    answer = running.ask("PUT", "/register", {"admin": admin})

    token = answer.body.decode()
    assert answer.status == 201
    assert answer.headers["content-type"].partition(";")[0] == "text/plain"
    assert answer.headers["cache-control"] == "no-store"
    assert KEY.fullmatch(token)
    key = running.house.catalog.keys.find(token)
    assert key is not None
    assert (key.kind, key.admin, key.expires_us) == ("service", admin, None)
    assert re.fullmatch(r"product-[0-9a-f]{12}", key.account)
    assert running.ask("PUT", "/register", {"admin": False}, token=token).status == (201 if admin else 403)


def test_fetch_a_token(running: Service):
    """The fingerprint stands where the original repeats the token."""
    token, other = running.token(), running.token()

    answer = running.ask("GET", f"/fetch/{token}", token=other)

    assert answer.status == 200
    assert shown_like("GET /fetch/{token}", answer.json)
    assert answer.json == {"token": fingerprint(token), "admin": False}
    assert token.encode() not in answer.body
    assert running.ask("GET", f"/fetch/{running.server.key}", token=other).json["admin"] is True


def test_fetch_by_fingerprint_is_for_its_owner(running: Service):
    token, other = running.token(), running.token()

    assert running.ask("GET", f"/fetch/{fingerprint(token)}", token=token).json["token"] == fingerprint(token)
    assert running.ask("GET", f"/fetch/{fingerprint(token)}").status == 200, "an admin's question"
    hidden = running.ask("GET", f"/fetch/{fingerprint(token)}", token=other)
    missing = running.ask("GET", "/fetch/0123456789ab", token=other)
    assert (hidden.status, hidden.json["code"]) == (404, "not-found")
    assert hidden.seen == missing.seen


def test_a_key_with_a_scope_is_told_of_no_other_key_of_its_account(running: Service):
    token = running.token()
    key = running.house.catalog.keys.find(token)
    _, narrow = running.house.catalog.keys.create(key.account, "narrow", actions=[Action.READ])

    assert running.ask("GET", f"/fetch/{fingerprint(token)}", token=narrow).status == 404
    assert running.ask("GET", f"/fetch/{fingerprint(narrow)}", token=narrow).status == 200
    assert running.ask("GET", f"/fetch/{fingerprint(narrow)}", token=token).status == 200


@pytest.mark.parametrize("spelled", [str, fingerprint])
def test_prune(running: Service, spelled):
    token = running.token()

    answer = running.ask("DELETE", f"/prune/{spelled(token)}")

    assert (answer.status, answer.body) == (204, b"")
    assert running.ask("GET", "/product/access", token=token).status == 401
    again = running.ask("DELETE", f"/prune/{spelled(token)}")
    assert (again.status, again.json["code"]) == (404, "not-found")
    assert token not in again.json["detail"]


# --- products ---------------------------------------------------------------------------------------------------


def test_access(running: Service):
    """A flat list, sorted; the nested one in the document is its renderer's."""
    token = running.token()
    assert running.ask("GET", "/product/access", token=token).json == []

    mine = sorted([running.product(token), running.product(token)])

    answer = running.ask("GET", "/product/access", token=token)
    assert answer.json == mine
    assert shown_like("GET /product/access", answer.json)
    assert set(mine) <= set(running.ask("GET", "/product/access").json), "an admin reads all"


def test_create(running: Service):
    """Whoever creates has the four permissions; nobody else has any, from the first moment."""
    token, name = running.token(), running.name()

    answer = running.ask("PUT", "/product/create", {"name": name}, token=token)

    assert (answer.status, answer.json) == (201, {"name": name})
    assert running.ask("GET", f"/product/fetch/{name}", token=token).json == {
        "name": name,
        "tokens": {fingerprint(token): FULL},
        "versions": {},
    }
    assert ("generic", name) in running.house.catalog.grants.restricted("main")


def test_fetch_a_product(running: Service):
    token, reader = running.token(), running.token()
    name = running.product(token)
    running.upload(name, "v1.0.0", b"one", token=token)
    running.upload(name, "v1.1.0", b"two", token=token)
    running.permit(name, reader, "download", by=token)

    answer = running.ask("GET", f"/product/fetch/{name}", token=reader)

    assert answer.status == 200
    assert shown_like("GET /product/fetch/{product}", answer.json)
    assert answer.json == {
        "name": name,
        "tokens": {fingerprint(token): FULL, fingerprint(reader): {**NONE, "download": True}},
        "versions": {
            version: {
                "path": f"./products/{name}/{version}/my-lib.tar.gz",
                "checksum": f"sha256:{hashlib.sha256(body).hexdigest()}",
            }
            for version, body in (("v1.1.0", b"two"), ("v1.0.0", b"one"))
        },
    }
    for secret in (token, reader):
        assert secret.encode() not in answer.body


def test_delete_a_product(running: Service):
    """With every version and every right; the name is not free again, and what was deleted stays so."""
    token, reader = running.token(), running.token()
    name = running.product(token, "v1", "v2")
    running.permit(name, reader, "download", by=token)

    answer = running.ask("DELETE", f"/product/delete/{name}", token=token)

    assert (answer.status, answer.body) == (204, b"")
    for who in (token, reader, ""):
        assert running.ask("GET", f"/product/fetch/{name}", token=who).status == 404
        assert name not in running.ask("GET", "/product/access", token=who).json
    assert running.house.catalog.grants.of_package("main", "generic", name) == []
    again = running.ask("PUT", "/product/create", {"name": name}, token=token)
    assert (again.status, again.json["code"]) == (409, "product-exists")
    assert running.ask("DELETE", f"/product/delete/{name}", token=token).status == 404


def test_add_token(running: Service):
    token, other = running.token(), running.token()
    name = running.product(token)

    answer = running.ask(
        "PUT",
        "/product/modify/addToken",
        {
            "product": name,
            "token": other,
            "permissions": {"maintainer": False, "download": True, "upload": False, "delete": False},
        },
        token=token,
    )

    assert answer.status == 201
    assert other.encode() not in answer.body
    assert running.ask("GET", "/product/access", token=other).json == [name]


def test_delete_version_and_token_by_modify(running: Service):
    token, other = running.token(), running.token()
    name = running.product(token, "v1.0.0")
    running.permit(name, fingerprint(other), "download", by=token)
    assert running.ask("GET", f"/product/fetch/{name}", token=other).status == 200

    version = running.ask(
        "DELETE", "/product/modify/deleteVersion", {"product": name, "version": "v1.0.0"}, token=token
    )
    gone = running.ask(
        "DELETE", "/product/modify/deleteToken", {"product": name, "token": other}, token=token
    )

    assert version.status == 200
    assert (gone.status, gone.body) == (204, b"")
    assert running.ask("GET", f"/product/fetch/{name}", token=other).status == 404
    assert running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"] == {}


# --- versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["product version file", "file product version", "version file product"])
def test_upload_and_download(running: Service, order):
    """The form's parts in any order; the file comes back under its own name, byte for byte."""
    token, body = running.token(), bytes(range(256)) * 9000
    name = running.product(token)

    uploaded = running.upload(name, "v1.0.0", body, token=token, order=order)
    answer = running.ask("GET", f"/product/download/{name}/v1.0.0", token=token)

    assert uploaded.status == 201, uploaded.body
    assert uploaded.json["checksum"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="my-lib.tar.gz"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_download_goes_on_where_it_stopped(running: Service):
    token = running.token()
    name = running.product(token)
    running.upload(name, "v1", b"0123456789", token=token)
    path = f"/product/download/{name}/v1"

    head = running.ask("HEAD", path, token=token)
    part = running.ask("GET", path, token=token, headers={"Range": "bytes=4-"})
    fresh = running.ask("GET", path, token=token, headers={"If-None-Match": head.headers["etag"]})

    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")
    assert (part.status, part.body) == (206, b"456789")
    assert (fresh.status, fresh.body) == (304, b"")


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.origin)
def test_every_nginx_sends_the_bytes(tmp_path, build):
    """Wherever the file lies: apart from the channel, in it, and in a private channel's tree."""
    with service(tmp_path, PACKHOUSE_NGINX=str(build.path)) as running:
        token = running.token()
        name = running.product(token, "v1")
        everyone = Grant(
            principal="group:everyone",
            action=Action.READ,
            channel="main",
            ecosystem="generic",
            package=name,
        )
        path = f"/product/download/{name}/v1"
        trees = []

        for change in (
            lambda: None,
            lambda: moving.give(running.house, everyone),
            lambda: moving.set_private(running.house, "main", private=True),
        ):
            change()
            found = running.house.placement("main")
            trees.append(found.where(f"products/{name}/v1/my-lib.tar.gz").partition("/")[0])
            answer = running.ask("GET", path, token=token)
            assert (answer.status, answer.body) == (200, b"artifact")
            assert answer.headers["content-disposition"] == 'attachment; filename="my-lib.tar.gz"'
            assert running.ask("GET", f"/_file/main/products/{name}/v1/my-lib.tar.gz").status in (401, 404)
        assert trees == ["restricted", "public", "private"]


def test_the_way_that_bytes_take_is_closed_from_outside(running: Service):
    """Only an answer of the daemon leads there."""
    name = running.product("", "v1")
    running.server.ask("/health")

    for path in (
        f"/_file/main/products/{name}/v1/my-lib.tar.gz",
        "/_file/../state/catalog.sqlite",
        "/_file/",
    ):
        for token in (None, ""):
            assert running.ask("GET", path, token=token).status == 404
            assert running.ask("PUT", path, b"x", token=token).status >= 400


def test_delete_a_version(running: Service):
    token = running.token()
    name = running.product(token, "v1.0.0", "v2.0.0")

    answer = running.ask("DELETE", f"/product/delete/{name}/v1.0.0", token=token)

    assert (answer.status, answer.body) == (204, b"")
    assert running.ask("GET", f"/product/download/{name}/v1.0.0", token=token).status == 404
    assert list(running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]) == ["v2.0.0"]
    assert running.ask("DELETE", f"/product/delete/{name}/v1.0.0", token=token).status == 404


def test_products_are_build_products_like_any_other(running: Service):
    """Served as static files to whoever may read them, in the list of whoever may, and nowhere else."""
    token, stranger = running.token(), running.token()
    name = running.product(token, "v1")
    path = running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]["v1"]["path"]

    for address in (f"/main/{path.removeprefix('./')}", f"/main/products/{name}/index.json"):
        assert running.ask("GET", address, token=token).status == 200
        assert running.ask("GET", address, token=stranger).status == 404
        assert running.ask("GET", address, token=None).status == 404
    assert name.encode() in running.ask("GET", "/main/products/index.json", token=token).body
    for who in (stranger, None):
        assert name.encode() not in running.ask("GET", "/main/products/index.json", token=who).body
    assert (running.house.data / "restricted" / "main" / path).is_file()


def test_what_was_put_by_address_is_read_here(running: Service):
    """A version of several files: the first stands for it, all are named, and a download says which."""
    token = running.token()
    name = running.product(token, "v1")
    for file in ("a.bin", "b.bin"):
        running.must("PUT", f"/main/products/{name}/v2/{file}", file.encode(), token=token)

    found = running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]["v2"]
    which = running.ask("GET", f"/product/download/{name}/v2", token=token)
    chosen = running.ask("GET", f"/product/download/{name}/v2?file=b.bin", token=token)

    assert [file["path"] for file in found["files"]] == [
        f"./products/{name}/v2/a.bin",
        f"./products/{name}/v2/b.bin",
    ]
    assert (found["path"], found["checksum"]) == tuple(found["files"][0].values())
    assert (which.status, which.json["code"]) == (422, "unprocessable")
    assert (chosen.status, chosen.body) == (200, b"b.bin")
    assert running.ask("GET", f"/product/download/{name}/v2?file=c.bin", token=token).status == 404
    assert running.must("DELETE", f"/product/delete/{name}/v2", token=token).status == 204


# --- a name, a version: once -------------------------------------------------------------------------------------


def test_a_version_is_there_once(running: Service):
    """409 for other bytes, for the same ones, and under another file name."""
    token = running.token()
    name = running.product(token, "v1")

    for body, filename in (
        (b"artifact", "my-lib.tar.gz"),
        (b"other", "my-lib.tar.gz"),
        (b"other", "b.tar.gz"),
    ):
        for order in ("product version file", "file product version"):
            answer = running.upload(name, "v1", body, token=token, filename=filename, order=order)
            assert (answer.status, answer.json["code"]) == (409, "version-exists")
    assert running.ask("GET", f"/product/download/{name}/v1", token=token).body == b"artifact"


def test_a_deleted_version_stays_so(running: Service):
    token = running.token()
    name = running.product(token, "v1", "v2")
    running.must("DELETE", f"/product/delete/{name}/v1", token=token)

    for filename in ("my-lib.tar.gz", "another.tar.gz"):
        answer = running.upload(name, "v1", token=token, filename=filename)
        assert (answer.status, answer.json["code"]) == (422, "name-burnt")
    assert list(running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]) == ["v2"]


def test_one_of_many_uploads_of_a_version_wins(running: Service):
    token = running.token()
    name = running.product(token)
    barrier = threading.Barrier(6)

    def upload(number: int) -> int:
        barrier.wait()
        return running.upload(name, "v1", b"%d" % number, token=token, filename=f"{number}.bin").status

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(upload, range(6)))

    assert statuses == [201] + [409] * 5
    versions = running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]
    assert list(versions) == ["v1"]
    assert "files" not in versions["v1"]


def test_one_of_many_creators_of_a_name_wins(running: Service):
    tokens, name = [running.token() for _ in range(4)], running.name()
    barrier = threading.Barrier(4)

    def create(token: str) -> int:
        barrier.wait()
        return running.ask("PUT", "/product/create", {"name": name}, token=token).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(create, tokens))

    assert sorted(statuses) == [201, 409, 409, 409]
    winner = tokens[statuses.index(201)]
    assert list(running.ask("GET", f"/product/fetch/{name}").json["tokens"]) == [fingerprint(winner)]


def test_a_name_that_others_used_is_not_taken_over(running: Service):
    """Files that were put by address, files that were deleted, and what an admin closed."""
    token = running.token()
    names = {kind: running.name() for kind in ("open", "deleted", "closed")}
    for kind in ("open", "deleted"):
        running.must("PUT", f"/main/products/{names[kind].title()}/1.0/a.bin", b"a")
    running.must("DELETE", f"/main/products/{names['deleted'].title()}/1.0/a.bin")
    moving.close(running.house, "main", "generic", names["closed"])

    for kind, name in names.items():
        answer = running.ask("PUT", "/product/create", {"name": name}, token=token)
        assert (answer.status, answer.json["code"]) == (409, "product-exists"), kind
    assert running.ask("GET", f"/product/fetch/{names['open']}", token=token).json["tokens"] == {}


@pytest.mark.parametrize("spell", [str.upper, str.title, str.swapcase])
def test_every_spelling_of_a_name_is_one_product(running: Service, spell):
    """One decision for all of them, whoever asks."""
    token, stranger = running.token(), running.token()
    name = running.product(token, "v1")
    other = spell(name)
    assert other != name

    assert running.ask("PUT", "/product/create", {"name": other}, token=stranger).status == 409
    assert running.ask("GET", f"/product/fetch/{other}", token=token).json["name"] == name
    assert running.upload(other, "v1", token=token).status == 409
    assert running.upload(other, "v2", token=token).status == 201
    assert running.ask("GET", f"/product/download/{other}/v2", token=token).status == 200
    for answer in (
        running.ask("GET", f"/product/fetch/{other}", token=stranger),
        running.ask("GET", f"/product/download/{other}/v1", token=stranger),
        running.ask("DELETE", f"/product/delete/{other}", token=stranger),
        running.ask("PUT", f"/main/products/{other}/v3/a.bin", b"a", token=stranger),
    ):
        assert answer.status in (403, 404), answer.body
    assert sorted(running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]) == ["v1", "v2"]


# --- rights -------------------------------------------------------------------------------------------------------

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


# --- what is no request ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/register", None),
        ("PUT", "/register", {}),
        ("PUT", "/register", {"admin": "yes"}),
        ("PUT", "/product/create", {}),
        ("PUT", "/product/create", {"name": ""}),
        ("PUT", "/product/create", {"name": "../x"}),
        ("PUT", "/product/create", {"name": "-x"}),
        ("PUT", "/product/create", {"name": "index.json"}),
        ("PUT", "/product/create", {"name": "Index.JSON.zst"}),
        ("PUT", "/product/create", {"name": "x" * 129}),
        ("PUT", "/product/create", {"name": "x", "tokens": {}}),
        ("PUT", "/product/modify/removeToken", {"product": "x"}),
        ("PUT", "/product/modify/deleteToken", {"product": "x", "token": "y"}),
        ("DELETE", "/product/modify/addToken", {"product": "x", "token": "y"}),
        ("DELETE", "/product/modify/deleteAll", None),
        ("PUT", "/product/modify/addToken", {"product": "x", "token": "y"}),
        ("PUT", "/product/modify/addToken", {"product": "x", "token": "y", "permissions": []}),
        ("PUT", "/product/modify/addToken", {"product": "x", "token": "y", "permissions": {}}),
        ("PUT", "/product/modify/addToken", {"product": "x", "token": "y", "permissions": {"download": 1}}),
        ("PUT", "/product/modify/addToken", {"product": "x", "token": "y", "permissions": {"read": True}}),
        ("DELETE", "/product/modify/deleteVersion", {"product": "x"}),
        ("DELETE", "/product/delete/x/v1?now=perhaps", None),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_understood(running: Service, method, path, body):
    answer = running.ask(method, path, body)

    assert answer.status == 400, answer.body
    assert answer.json["code"] in ("malformed", "bad-name")


@pytest.mark.parametrize(
    "form",
    [
        {"version": None},
        {"product": None},
        {"product": ""},
        {"product": "no/slash"},
        {"version": "../../x"},
        {"version": "index.json"},
        {"filename": None},
        {"filename": "a/b.bin"},
        {"filename": None, "order": "file product version"},
        {"version": None, "order": "file product version"},
        {"order": "product version"},
        {"order": "product version file file"},
        {"order": "product version file version"},
        {"order": "product product version file"},
        {"order": "product version extra file"},
        {"order": ""},
    ],
    ids=str,
)
def test_a_form_that_cannot_be_understood(running: Service, form):
    token = running.token()
    name = running.product(token)
    said = {"product": name, "version": "v1", "body": b"x", **form}

    answer = running.upload(token=token, **said)

    assert answer.status == 400, answer.body
    assert answer.json["code"] in ("malformed", "bad-name")
    assert running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"] == {}
    assert not [path for path in (running.house.data / "incoming").iterdir() if path.is_file()]


def test_an_upload_that_is_no_form(running: Service):
    answer = running.ask("POST", "/product/upload", {"product": "x"})

    assert (answer.status, answer.json["code"]) == (400, "malformed")


# --- what the catalog is asked ----------------------------------------------------------------------------------


def test_a_key_is_found_by_its_secret_and_by_its_fingerprint_only(running: Service):
    keys, token = running.house.catalog.keys, running.token()
    found = keys.find(token)

    assert keys.find(fingerprint(token)) == found
    for other in (str(found.id), found.name, token[:-1], fingerprint(token).upper(), "", "\0", "f" * 12):
        assert keys.find(other) is None, other


def test_the_states_of_a_version_are_told_apart_from_those_of_others(running: Service):
    name = running.product("", "v1", "v2")
    running.must("DELETE", f"/product/delete/{name}/v1")
    ask = running.house.catalog.artifacts.states

    assert ask("main", "generic", name) == {State.LIVE, State.GONE}
    assert ask("main", "generic", name, "v1") == {State.GONE}
    assert ask("main", "generic", name, "v2") == {State.LIVE}
    assert ask("main", "generic", name, "v3") == ask("other", "generic", name) == frozenset()


# --- what stays ---------------------------------------------------------------------------------------------------


def test_the_audit_log_names_people_and_fingerprints(running: Service):
    """What was done to tokens and products, by whom; never a token."""
    boss, token = running.token(admin=True), running.token()
    name = running.product(boss, "v1")
    running.permit(name, token, "upload", "delete", by=boss)
    running.must("DELETE", "/product/modify/deleteToken", {"product": name, "token": token}, token=boss)
    running.must("DELETE", "/product/modify/deleteVersion", {"product": name, "version": "v1"}, token=boss)
    running.must("DELETE", f"/product/delete/{name}", token=boss)
    made = running.must("PUT", "/register", {"admin": True}, token=boss).body.decode()
    running.must("DELETE", f"/prune/{made}", token=boss)

    catalog = running.house.catalog
    me, them, fresh = (catalog.keys.find(key).account for key in (boss, token, made))
    lines = [(line.action, line.object, line.note) for line in catalog.audit.entries(limit=20, who=me)]
    assert lines[::-1] == [
        ("product create", name, ""),
        ("grant give", f"{name} for service:{them}", "write, delete"),
        ("grant take", f"{name} for service:{them}", ""),
        ("version delete", f"{name}/v1", ""),
        ("product delete", name, ""),
        ("key create", fresh, f"fingerprint {fingerprint(made)}, an admin"),
        ("key revoke", f"{fresh}/{fresh}", f"fingerprint {fingerprint(made)}"),
    ]
    written = [path for path in (running.house.data / "state").rglob("*") if path.is_file()]
    assert len(written) > 5
    for path in [*written, running.server.log]:
        text = path.read_bytes()
        assert not [key for key in (boss, token, made) if key.encode() in text], path


def test_a_reason_goes_into_the_history(running: Service):
    """And `now` takes the bytes away at once, as for every deletion."""
    token = running.token()
    name = running.product(token, "v1", "v2")

    running.must("DELETE", f"/product/delete/{name}/v1?reason=leaked&now=true", token=token)
    running.must("DELETE", f"/product/delete/{name}?reason=given%20up", token=token)

    history = running.house.catalog.artifacts.events("main", limit=100_000)
    mine = [(event.path, event.note) for event in history if name in event.path and event.kind == "delete"]
    assert mine == [
        (f"products/{name}/v1/my-lib.tar.gz", "leaked"),
        (f"products/{name}/v2/my-lib.tar.gz", "given up"),
    ]


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


@pytest.mark.soak
def test_a_large_artifact_streams(tmp_path):
    """300 MB come and go, in both orders of the form, and the daemon's memory stays what it was."""
    with service(tmp_path) as running:
        token = running.token()
        name = running.product(token)
        running.upload(name, "small", bytes(8 << 20), token=token)
        before = peak_bytes(running.server.process.pid)

        for version, order in (("v1", "product version file"), ("v2", "file product version")):
            assert stream_in(running, token, name, version, order) == 201
            assert stream_out(running, token, f"/product/download/{name}/{version}") == LARGE

        assert peak_bytes(running.server.process.pid) - before < 32 << 20


LARGE, PIECE = 300 << 20, bytes(1 << 20)


def stream_in(running: Service, token: str, name: str, version: str, order: str) -> int:
    """Upload a large file without holding it; the status."""
    form, media_type = upload_form(name, version, b"*", order=order)
    head, _, tail = form.partition(b"*")
    headers = {
        "X-Api-Token": token,
        "Content-Type": media_type,
        "Content-Length": str(len(head) + LARGE + len(tail)),
    }
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=300)
    with closing(connection):
        pieces = (head, *itertools.repeat(PIECE, LARGE // len(PIECE)), tail)
        connection.request("POST", "/product/upload", iter(pieces), headers)
        return connection.getresponse().status


def stream_out(running: Service, token: str, path: str) -> int:
    """Download a file without holding it; its size in bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=300)
    with closing(connection):
        connection.request("GET", path, headers={"X-Api-Token": token})
        answer = connection.getresponse()
        return sum(len(piece) for piece in iter(lambda: answer.read(len(PIECE)), b""))


def peak_bytes(supervisor: int) -> int:
    """The most memory that the upload daemon below that process ever held."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text, command = status.read_text(), (status.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"PPid:\t{supervisor}\n" in text and b"uploadd" in command:
            return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) << 10
    raise AssertionError("there is no upload daemon")
