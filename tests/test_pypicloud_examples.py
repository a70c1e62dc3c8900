"""pypicloud's HTTP API, example by example: each curl line as its documentation writes it, the host aside.

What an example does not say is how the account behind it is shown; these lines get `--user`, as the documentation's
first sentence says, and no other change.
"""

import gzip
import hashlib
import json
import re

import pytest
from pypicloud_support import ADMIN, clouding

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with clouding(tmp_path_factory.mktemp("examples")) as running:
        running.sdist("flywheel", "0.1.0")
        yield running


@pytest.fixture
def flywheel(cloud):
    """The package of the examples, in two versions."""
    cloud.has("flywheel", "0.1.0", "0.2.0rc1")
    return cloud


@pytest.fixture
def people(flywheel):
    """The users, groups and rights of the sample responses."""
    flywheel.user("LordFoobar", "foobar", admin=True)
    flywheel.user("stevearc")
    for group in ("cool_people", "group2", "marginally_cool_people"):
        flywheel.must("PUT", f"/admin/group/{group}/")
    for name, group in (("LordFoobar", "cool_people"), ("LordFoobar", "group2"), ("stevearc", "cool_people")):
        flywheel.must("PUT", f"/admin/user/{name}/group/{group}/")
    return flywheel


# --- the introduction ----------------------------------------------------------------------------------------


def test_the_quick_example_rebuilds_with_credentials_in_the_url(flywheel):
    """The first line of the documentation; curl takes the credentials out of the URL by itself."""
    line = "curl https://myadmin:myadminpass@pypi.myserver.com/admin/rebuild"

    here = f"http://{ADMIN}@127.0.0.1:{flywheel.server.port}"
    answer = flywheel.run(
        [line.split()[1].replace("https://myadmin:myadminpass@pypi.myserver.com", here)], user=None
    )

    assert answer.status == 200
    assert answer.json["files"] >= 2


# --- /simple/ ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, ADMIN])
def test_get_simple(flywheel, user):
    answer = flywheel.curl("curl myserver.com/simple/", user=user)

    assert answer.status == 200
    assert re.search(r'<a href="flywheel/">flywheel</a>', answer.body.decode())


@pytest.mark.parametrize("path", ["simple/", "simple", "pypi/", "pypi", ""])
def test_post_simple(cloud, path):
    """And `/pypi/`, and the root, as the real one has it."""
    body = cloud.sdist("flywheel", "0.1.0").read_bytes()

    answer = cloud.curl(
        "curl -F ':action=file_upload' -F 'name=flywheel' -F 'version=0.1.0' \\\n"
        f"-F 'content=@path/to/flywheel-0.1.0.tar.gz' myserver.com/{path}"
    )

    assert answer.status == 200, answer.body
    sha256 = hashlib.sha256(body).hexdigest()
    said = answer.json
    assert (said["name"], said["version"]) == ("flywheel", "0.1.0")
    assert said["filename"] == "flywheel-0.1.0.tar.gz"
    assert said["url"] == f"{cloud.server.url}/main/packages/flywheel/flywheel-0.1.0.tar.gz#sha256={sha256}"
    assert isinstance(said["last_modified"], int)
    assert said["metadata"] == {
        "requires_python": ">=3.8",
        "summary": "A tiny thing",
        "hash_sha256": sha256,
        "hash_md5": hashlib.md5(body).hexdigest(),
        "uploader": "myadmin",
    }
    assert cloud.run([said["url"]], user=None).body == body


@pytest.mark.parametrize("slash", ["/", ""])
def test_get_simple_package(flywheel, slash):
    answer = flywheel.run(["-L", f"{flywheel.server.url}/simple/flywheel{slash}"], user=None)

    assert answer.status == 200
    assert b">flywheel-0.1.0.tar.gz</a>" in answer.body


def test_get_simple_package_as_written(flywheel):
    assert flywheel.curl("curl myserver.com/simple/flywheel/").status == 200


def test_get_pypi_json(flywheel):
    """What the documentation leaves out, and poetry asks for."""
    answer = flywheel.curl("curl myserver.com/pypi/flywheel/json", user=None)

    assert answer.json["info"]["name"] == "flywheel"
    assert "0.1.0" in answer.json["releases"]


# --- /api/package ----------------------------------------------------------------------------------------------


def test_get_packages(flywheel):
    answer = flywheel.curl("curl myserver.com/api/package/")

    assert list(answer.json) == ["packages"]
    assert answer.json["packages"] == sorted(answer.json["packages"])
    assert "flywheel" in answer.json["packages"]


def test_get_packages_verbose(flywheel):
    answer = flywheel.curl("curl myserver.com/api/package/?verbose=true")

    [said] = [package for package in answer.json["packages"] if package["name"] == "flywheel"]
    assert list(said) == ["name", "summary", "stable", "unstable", "last_modified"]
    assert (said["stable"], said["unstable"]) == ("0.1.0", "0.2.0rc1")
    assert said["summary"] == "A tiny thing"
    assert isinstance(said["last_modified"], int)


@pytest.mark.parametrize("verbose", ["false", "0", "no", "off", "False"])
def test_get_packages_not_verbose(flywheel, verbose):
    assert "flywheel" in flywheel.ask("GET", f"/api/package/?verbose={verbose}").json["packages"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_get_versions(flywheel, slash):
    answer = flywheel.curl(f"curl myserver.com/api/package/flywheel{slash}")

    assert list(answer.json) == ["packages", "write"]
    assert answer.json["write"] is True
    versions = [package["version"] for package in answer.json["packages"]]
    assert versions == sorted(versions, key=lambda text: text.split("."))
    first = answer.json["packages"][0]
    assert list(first) == ["name", "filename", "last_modified", "version", "url", "summary", "metadata"]
    assert flywheel.run([first["url"]], user=None).status == 200


def test_get_versions_as_a_stranger(flywheel):
    flywheel.has("readable")

    answer = flywheel.curl("curl myserver.com/api/package/readable/", user=None)

    assert answer.json["write"] is False
    assert len(answer.json["packages"]) == 1


@pytest.mark.parametrize("slash", ["", "/"])
def test_get_a_file(flywheel, slash):
    """The real one answers 302 too; the address behind it decides by itself who may read."""
    url = f"{flywheel.server.url}/api/package/flywheel/flywheel-0.1.0.tar.gz{slash}"

    assert flywheel.run([url], user=None).status == 302
    body = flywheel.run(["-L", url], user=None).body

    assert body == (flywheel.folder / "path/to/flywheel-0.1.0.tar.gz").read_bytes()


def test_a_token_in_the_path_goes_along_to_the_file(flywheel):
    url = f"{flywheel.server.url}/t/{flywheel.server.key}/api/package/flywheel/flywheel-0.1.0.tar.gz"

    answer = flywheel.run(["-L", "-w", "%{url_effective}", url], user=None)

    assert answer.status == 200


def test_post_a_file(flywheel):
    answer = flywheel.curl(
        "curl -F 'content=@path/to/flywheel-0.1.0.tar.gz' myserver.com/api/package/flywheel/flywheel-0.1.0.tar.gz"
    )

    assert answer.status == 200
    assert answer.json["filename"] == "flywheel-0.1.0.tar.gz"
    assert answer.json["url"].endswith(f"#sha256={answer.json['metadata']['hash_sha256']}")


def test_fetch_says_that_there_is_no_upstream(cloud):
    answer = cloud.curl(
        "curl -d 'requirements=requests>=2.2.0&wheel=true&prerelease=false' myserver.com/api/fetch"
    )

    assert (answer.status, answer.code) == (422, "no-upstream")
    assert "no upstream configured" in answer.json["message"]


# --- /api/user ---------------------------------------------------------------------------------------------------


def test_register_and_approve(cloud):
    """Registration is off at first, makes somebody who waits, and says so again in the list."""
    line = "curl -X PUT -d 'password=foobar' myserver.com/api/user/LordFoobarII/"
    assert cloud.curl("curl -d 'allow=false' myserver.com/admin/register/").status == 200
    assert cloud.curl(line, user=None).status == 403

    assert cloud.curl("curl -d 'allow=true' myserver.com/admin/register/").json == {"allow": True}
    assert cloud.curl(line, user=None).status == 200
    assert cloud.curl("curl myserver.com/admin/pending_users/").json == ["LordFoobarII"]
    assert cloud.ask("GET", "/api/package/", user="LordFoobarII:foobar").status == 401
    again = cloud.curl(line, user=None)

    assert again.status == 400
    assert again.json["code"] == 400
    assert "LordFoobarII" in again.json["message"]
    assert cloud.curl("curl -X POST myserver.com/admin/user/LordFoobarII/approve/").status == 200
    assert cloud.ask("GET", "/api/package/", user="LordFoobarII:foobar").status == 200
    assert cloud.curl("curl myserver.com/admin/pending_users/").json == []


def test_change_the_password(cloud):
    cloud.user("Changer", "foobar")

    answer = cloud.curl(
        "curl -d 'old_password=foobar&new_password=F0084RR' myserver.com/api/user/password",
        user="Changer:foobar",
    )

    assert answer.status == 200
    assert cloud.ask("GET", "/api/package/", user="Changer:F0084RR").status == 200
    assert cloud.ask("GET", "/api/package/", user="Changer:foobar").status == 401


# --- /admin/ -----------------------------------------------------------------------------------------------------


def test_rebuild(flywheel):
    answer = flywheel.curl("curl myserver.com/admin/rebuild/")

    assert answer.status == 200
    assert answer.json["counts"] == dict.fromkeys(
        ("adopted", "refused", "retired", "missing", "differing"), 0
    )


def test_acl(people):
    people.grant("flywheel-acl", "user/stevearc", "read")

    answer = people.curl("curl -o acl.json.gz myserver.com/admin/acl.json.gz")

    document = json.loads(gzip.decompress((people.folder / "acl.json.gz").read_bytes()))
    assert answer.headers["content-type"] == "application/gzip"
    assert {"allow_register", "version", "groups", "users", "packages", "pending_users"} <= set(document)
    assert {"username": "LordFoobar", "admin": True, "password": None} in document["users"]
    assert document["groups"]["group2"] == ["LordFoobar"]
    assert document["packages"]["users"]["flywheel-acl"] == {"stevearc": ["read"]}
    assert b"argon2" not in gzip.decompress(answer.body)


def test_register_switch(cloud):
    assert cloud.curl("curl -d 'allow=true' myserver.com/admin/register/").status == 200


def test_pending_users(cloud):
    for name in ("TotallyNotAHacker", "Wat"):
        cloud.must("POST", "/admin/register/", "-d", "allow=true")
        cloud.must("PUT", f"/api/user/{name}/", "-d", "password=correct horse", user=None)

    assert cloud.curl("curl myserver.com/admin/pending_users/").json == ["TotallyNotAHacker", "Wat"]
    for name in ("TotallyNotAHacker", "Wat"):
        cloud.must("DELETE", f"/admin/user/{name}/")


def test_users(people):
    said = people.curl("curl myserver.com/admin/user/").json

    assert {"username": "LordFoobar", "admin": True} in said
    assert {"username": "stevearc", "admin": False} in said


@pytest.mark.parametrize("slash", ["/", ""])
def test_one_user(people, slash):
    assert people.curl(f"curl myserver.com/admin/user/LordFoobar{slash}").json == {
        "username": "LordFoobar",
        "admin": True,
        "groups": ["cool_people", "group2"],
    }


def test_permissions_of_a_user(people):
    people.user("Permitted")
    people.grant("flywheel-p", "user/Permitted", "write", "read")
    people.grant("pypicloud-p", "user/Permitted", "read")

    assert people.curl("curl myserver.com/admin/user/Permitted/permissions/").json == [
        {"package": "flywheel-p", "permissions": ["read", "write"]},
        {"package": "pypicloud-p", "permissions": ["read"]},
    ]


def test_delete_a_user(cloud):
    cloud.user("chump")

    assert cloud.curl("curl -X DELETE myserver.com/admin/user/chump/").status == 200

    assert cloud.ask("GET", "/admin/user/chump/").status == 404


def test_approve_is_idempotent(people):
    for _ in range(2):
        assert people.curl("curl -X POST myserver.com/admin/user/LordFoobar/approve/").status == 200


def test_promote_and_demote(people):
    assert people.curl("curl -d 'admin=true' myserver.com/admin/user/LordFoobar/admin/").status == 200
    people.user("Climber")
    for said, is_ in (("true", True), ("false", False)):
        assert people.curl(f"curl -d 'admin={said}' myserver.com/admin/user/Climber/admin/").status == 200
        assert people.ask("GET", "/admin/user/Climber/").json["admin"] is is_


def test_join_and_leave_a_group(people):
    assert people.curl("curl -X PUT myserver.com/admin/user/LordFoobar/group/cool_people/").status == 200
    people.user("Joiner")
    for _ in range(2):
        assert people.curl("curl -X PUT myserver.com/admin/user/Joiner/group/cool_people/").status == 200
    assert people.ask("GET", "/admin/user/Joiner/").json["groups"] == ["cool_people"]
    for _ in range(2):
        assert people.curl("curl -X DELETE myserver.com/admin/user/Joiner/group/cool_people/").status == 200
    assert people.ask("GET", "/admin/user/Joiner/").json["groups"] == []


def test_groups(people):
    said = people.curl("curl myserver.com/admin/group/").json

    assert {"cool_people", "group2", "marginally_cool_people"} <= set(said)
    assert said == sorted(said)


@pytest.mark.parametrize("slash", ["", "/"])
def test_one_group(people, slash):
    people.must("PUT", "/admin/group/described/")
    for name in ("LordFoobar", "stevearc"):
        people.must("PUT", f"/admin/user/{name}/group/described/")
    people.grant("flywheel-g", "group/described", "read", "write")
    people.grant("pypicloud-g", "group/described", "read")

    assert people.curl(f"curl myserver.com/admin/group/described{slash}").json == {
        "members": ["LordFoobar", "stevearc"],
        "packages": [
            {"package": "flywheel-g", "permissions": ["read", "write"]},
            {"package": "pypicloud-g", "permissions": ["read"]},
        ],
    }


def test_make_and_delete_a_group(cloud):
    assert cloud.curl("curl -X PUT myserver.com/admin/group/cool_people/").status == 200
    for _ in range(2):
        assert cloud.curl("curl -X PUT myserver.com/admin/group/uncool_people/").status == 200

    assert cloud.curl("curl -X DELETE myserver.com/admin/group/uncool_people/").status == 200

    assert "uncool_people" not in cloud.ask("GET", "/admin/group/").json


def test_permissions_of_a_package(people):
    people.grant("described", "user/LordFoobar", "read", "write")
    people.grant("described", "user/stevearc", "read")
    people.grant("described", "group/marginally_cool_people", "read")
    people.grant("described", "group/cool_people", "write", "read")

    assert people.curl("curl myserver.com/admin/package/described/").json == {
        "user": [
            {"username": "LordFoobar", "permissions": ["read", "write"]},
            {"username": "stevearc", "permissions": ["read"]},
        ],
        "group": [
            {"group": "cool_people", "permissions": ["read", "write"]},
            {"group": "marginally_cool_people", "permissions": ["read"]},
        ],
    }


def test_grant_and_revoke(people):
    people.has("flywheel-r")
    people.user("Reader")
    people.must("PUT", "/admin/group/readers/")
    for line, changed in (
        ("curl -X PUT myserver.com/admin/package/flywheel-r/user/Reader/read", True),
        ("curl -X PUT myserver.com/admin/package/flywheel-r/user/Reader/read", False),
        ("curl -X PUT myserver.com/admin/package/flywheel-r/group/readers/write", True),
        ("curl -X DELETE myserver.com/admin/package/flywheel-r/user/Reader/read", True),
        ("curl -X DELETE myserver.com/admin/package/flywheel-r/user/Reader/read", False),
        ("curl -X DELETE myserver.com/admin/package/flywheel-r/group/readers/write", True),
    ):
        answer = people.curl(line)
        assert (answer.status, answer.json["changed"]) == (200, changed), line
    assert people.ask("GET", "/admin/package/flywheel-r/").json == {"user": [], "group": []}
    # The defaults stay off once a package had a right of its own.
    assert people.ask("GET", "/api/package/flywheel-r/", user=None).json == {"packages": [], "write": False}


def test_invite_somebody(cloud):
    """Not in the documentation, but what pypicloud's admin page does."""
    said = cloud.ask("GET", "/admin/token/Newcomer/").json
    assert said["token_url"] == f"{cloud.server.url}/account/invitation#{said['token']}"
    body = json.dumps({"token": said["token"], "password": "correct horse"})
    send = ["-H", "Content-Type: application/json", "-d", body]

    assert cloud.ask("PUT", "/acct/tokenRegister", *send, user=None).json == {"username": "Newcomer"}

    assert cloud.ask("GET", "/api/package/", user="Newcomer:correct horse").status == 200
    used = cloud.ask("PUT", "/acct/tokenRegister", *send, user=None)
    assert used.status == 404
    assert said["token"] not in used.body.decode()


def test_delete_a_file(cloud):
    """Last on this server: a deleted name is never used again."""
    cloud.upload(cloud.folder / "path/to/flywheel-0.1.0.tar.gz")

    answer = cloud.curl("curl -X DELETE myserver.com/api/package/flywheel/flywheel-0.1.0.tar.gz")

    assert answer.status == 200
    assert answer.json["deleted"] is True
    gone = cloud.curl("curl -X DELETE myserver.com/api/package/flywheel/flywheel-0.1.0.tar.gz")
    assert (gone.status, gone.code) == (404, "not-found")
    files = cloud.ask("GET", "/api/package/flywheel/").json["packages"]
    assert "flywheel-0.1.0.tar.gz" not in [file["filename"] for file in files]
    assert cloud.ask("GET", "/api/package/flywheel/flywheel-0.1.0.tar.gz").status == 404
