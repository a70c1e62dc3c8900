"""What the product service keeps: a name and a version are there once, and it is written down who did what."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from productservice_support import Service, fingerprint, service

from packhouse.intake import moving
from packhouse.model import State

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with service(tmp_path_factory.mktemp("products")) as found:
        yield found


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
