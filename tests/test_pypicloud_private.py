"""pypicloud's HTTP API where the default channel is private, and the comparison of the catalog with the files."""

import gzip
import json

import pytest
from e2e_support import wait_until
from pypi_support import make_wheel
from pypicloud_support import ADMIN, clouding

from packhouse.house import open_house
from packhouse.importing import acl

pytestmark = pytest.mark.e2e

MEMBER, STRANGER, BOB = "member:pass-of-member", "stranger:pass-of-stranger", "bob:pass-of-bob"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """The default channel is private; `member` reads all of it but one package, `bob` one package, `stranger` nothing."""
    with clouding(tmp_path_factory.mktemp("private")) as running:
        for name in ("inside", "for-bob", "for-member"):
            running.has(name)
        for name in ("member", "stranger", "bob"):
            running.user(name)
        running.grant("for-bob", "user/bob", "read")
        running.server.packhouse("channel", "private", "main")
        running.server.packhouse("grant", "give", "user:member", "read", "main")
        yield running


@pytest.mark.parametrize(
    ("path", "anonymous", "stranger", "bob", "member"),
    [
        ("/api/package/", 401, 404, 200, 200),
        ("/api/package/?verbose=true", 401, 404, 200, 200),
        ("/api/package/inside/", 401, 404, 200, 200),
        ("/api/package/nothing-like-it/", 401, 404, 200, 200),
        ("/api/package/inside/inside-1.0.tar.gz", 401, 404, 404, 302),
        ("/api/package/for-bob/for_bob-1.0.tar.gz", 401, 404, 302, 404),
        ("/api/package/nothing/nothing-1.0.tar.gz", 401, 404, 404, 404),
        ("/simple/", 401, 404, 200, 200),
        ("/pypi/", 401, 404, 200, 200),
    ],
)
def test_who_reads_a_private_default_channel(cloud, path, anonymous, stranger, bob, member):
    users = {
        None: anonymous,
        STRANGER: stranger,
        BOB: bob,
        MEMBER: member,
        ADMIN: 302 if ".gz" in path else 200,
    }
    if "nothing/" in path:
        users[ADMIN] = 404

    assert {user: cloud.ask("GET", path, user=user).status for user in users} == users


def test_each_is_shown_what_is_theirs(cloud):
    def names(user):
        return cloud.ask("GET", "/api/package/", user=user).json["packages"]

    assert names(BOB) == ["for-bob"]
    assert names(MEMBER) == ["for-member", "inside"]
    assert names(ADMIN) == ["for-bob", "for-member", "inside"]
    verbose = cloud.ask("GET", "/api/package/?verbose=1", user=BOB).json["packages"]
    assert [said["name"] for said in verbose] == ["for-bob"]
    assert cloud.ask("GET", "/api/package/inside/", user=BOB).json == {"packages": [], "write": False}
    assert cloud.ask("GET", "/api/package/for-bob/", user=MEMBER).json == {"packages": [], "write": False}


def test_the_address_in_an_answer_is_the_files_own(cloud):
    [said] = cloud.ask("GET", "/api/package/for-bob/", user=BOB).json["packages"]

    assert cloud.run([said["url"]], user=BOB).status == 200
    assert cloud.run([said["url"]], user=MEMBER).status == 404
    assert cloud.run([said["url"]], user=None).status == 401


@pytest.mark.parametrize("path", ["/api/package/inside/x", "/simple/", "/pypi/", "/"])
def test_nobody_uploads_who_may_only_read(cloud, path):
    form = ("-F", ":action=file_upload", "-F", f"content=@{cloud.sdist('inside', '2.0')}")

    assert cloud.ask("POST", path, *form, user=MEMBER).status == 403
    assert cloud.ask("POST", path, *form, user=STRANGER).status == 404
    assert cloud.ask("POST", path, *form, user=None).status == 401


def test_no_name_of_a_private_package_is_told_to_strangers(cloud):
    for user in (None, STRANGER):
        for path in ("/", "/simple/", "/api/package/", "/admin/package/inside/", "/admin/acl.json.gz"):
            body = cloud.ask("GET", path, user=user).body
            assert not any(name in body for name in (b"for-bob", b"for-member", b"argon2")), path


# --- rebuild ---------------------------------------------------------------------------------------------------------


def rows(cloud):
    """What the catalog holds that nobody may ever lose: every row, whatever its state, with times and names."""
    house = open_house(cloud.server.data)
    try:
        artifacts = house.catalog.artifacts
        live = {
            artifact.path: (artifact.uploaded_us, artifact.uploaded_by, artifact.sha256, artifact.serial)
            for artifact in house.catalog.records("main", lambda _path: None).everything("pypi")
        }
        burnt = artifacts.burnt("main", "packages/gone/gone-1.0.tar.gz")
        return live, burnt, [(event.serial, event.kind, event.path) for event in artifacts.events("main")]
    finally:
        house.close()


def test_rebuild_takes_in_what_nobody_knows_and_loses_nothing(cloud):
    """Tombstones, upload times, the history: all as before, and the new file in every index."""
    cloud.has("gone")
    gone = (cloud.folder / "path/to/gone-1.0.tar.gz").read_bytes()
    cloud.must("DELETE", "/api/package/gone/gone-1.0.tar.gz")
    live, _, history = rows(cloud)
    root = cloud.server.data / "private" / "main"
    name, body = make_wheel("found", "1.0")
    put(root / "packages" / "found" / name, body)
    put(root / "packages" / "wrong" / "right-1.0.tar.gz", cloud.sdist("right").read_bytes())
    put(root / "packages" / "rotten" / "rotten-1.0.tar.gz", b"no archive at all")
    put(root / "packages" / "gone" / "gone-1.0.tar.gz", gone)
    lost = root / "packages" / "inside" / "inside-1.0.tar.gz"
    whole = lost.read_bytes()
    lost.unlink()

    said = cloud.must("GET", "/admin/rebuild/").json

    assert said["adopted"] == [f"main/packages/found/{name}"]
    assert sorted(item["path"] for item in said["refused"]) == [
        "main/packages/rotten/rotten-1.0.tar.gz",
        "main/packages/wrong/right-1.0.tar.gz",
    ]
    assert said["missing"] == ["main/packages/inside/inside-1.0.tar.gz"]
    put(lost, whole)
    after, burnt, later = rows(cloud)
    assert burnt
    assert {path: after[path] for path in live} == live
    assert after.keys() - live.keys() == {f"packages/found/{name}"}
    assert later[: len(history)] == history
    assert [kind for _, kind, _ in later[len(history) :]] == ["upload"]
    assert cloud.upload(cloud.folder / "path/to/gone-1.0.tar.gz").status == 400
    wait_until(
        lambda: "found" in cloud.ask("GET", "/simple/").body.decode(), what="the new package's listing"
    )
    assert cloud.ask("GET", f"/packages/found/{name}.metadata").status == 200
    again = cloud.must("GET", "/admin/rebuild/?hash=true").json
    assert again["counts"]["adopted"] == again["counts"]["missing"] == again["counts"]["differing"] == 0


def put(path, body):
    """A file that somebody copied into the tree by hand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def test_the_export_is_the_same_after_it_was_taken_in(cloud, tmp_path):
    """By another house: everybody, every group and every right is there again, and nobody's password."""
    cloud.must("PUT", "/admin/group/readers/")
    cloud.must("PUT", "/admin/user/bob/group/readers/")
    cloud.grant("for-bob", "group/readers", "read")
    document = json.loads(gzip.decompress(cloud.must("GET", "/admin/acl.json.gz").body))

    with clouding(tmp_path) as other:
        house = open_house(other.server.data)
        try:
            report = acl.load(house, document, house.catalog.accounts.principal("myadmin", via="local"))
        finally:
            house.close()
        taken_in = json.loads(gzip.decompress(other.must("GET", "/admin/acl.json.gz").body))

        assert sorted(report.without_password) == ["bob", "member", "stranger"]
        assert taken_in == document
        assert other.ask("GET", "/api/package/", user=BOB).status == 401
