"""The product service, example by example of its contract: the addresses, keys and types are the document's own.

`EXAMPLES`, in the support module, holds what the document shows of each answer; where we deviate on purpose a test says so.
"""

import hashlib
import re

import pytest
from e2e_support import KEY
from productservice_support import FULL, NONE, Service, fingerprint, same_shape, service, shown_like

from packhouse.model import Action

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with service(tmp_path_factory.mktemp("products")) as found:
        yield found


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


def test_a_key_is_found_by_its_secret_and_by_its_fingerprint_only(running: Service):
    keys, token = running.house.catalog.keys, running.token()
    found = keys.find(token)

    assert keys.find(fingerprint(token)) == found
    for other in (str(found.id), found.name, token[:-1], fingerprint(token).upper(), "", "\0", "f" * 12):
        assert keys.find(other) is None, other


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
