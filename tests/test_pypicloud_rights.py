"""pypicloud's HTTP API by who asks: one table of endpoints, with the statuses written down by hand.

And what it gets right where the real one does not: spellings of a name, owners of files, booleans, repeated changes,
the last admin.
"""

import json

import pytest
from pypicloud_support import ADMIN, clouding

pytestmark = pytest.mark.e2e

SECRET = "secret-one"
"""A package that only its owner reads; its name and its files must look like nothing to everybody else."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with clouding(tmp_path_factory.mktemp("rights")) as running:
        running.has("open-one")
        running.has(SECRET)
        running.user("owner")
        running.user("plain")
        running.must("PUT", "/admin/group/team/")
        running.grant(SECRET, "user/owner", "read", "write")
        yield running


# --- the table -----------------------------------------------------------------------------------------------------
#
# Columns: anonymous; a wrong password; an account without the right; an admin who names what is not there.
# A wrong password is 401 wherever the daemon answers, also where nobody would have needed one. `-`: names nothing.
# {u} {g} {p} {f}: a user, a group, a package and its file; in the last column's request none of them exists.

PASSWORD, BOOLEAN = ("-d", "password=correct horse"), ("-d", "allow=true")
TABLE = """
GET    /api/package/                                200 401 200 -
GET    /api/package/{p}/                            200 401 200 200
GET    /api/package/{p}/{f}                         302 401 302 404
POST   /api/package/{p}/{f}                         401 401 403 200
DELETE /api/package/{p}/{f}                         401 401 403 404
POST   /simple/                                     401 401 403 -
POST   /pypi/                                       401 401 403 -
POST   /                                            401 401 403 -
GET    /simple/                                     200 401 200 -
GET    /pypi/                                       200 401 200 -
GET    /api/fetch                                   401 401 422 -
POST   /api/fetch                                   401 401 422 -
PUT    /api/user/{u}/                               403 401 403 -
POST   /api/user/password                           401 401 403 -
GET    /admin/rebuild/                              401 401 403 -
GET    /admin/acl.json.gz                           401 401 403 -
POST   /admin/register/                             401 401 403 -
GET    /admin/pending_users/                        401 401 403 -
GET    /admin/user/                                 401 401 403 -
GET    /admin/user/{u}/                             401 401 403 404
PUT    /admin/user/{u}/                             401 401 403 200
GET    /admin/user/{u}/permissions/                 401 401 403 404
POST   /admin/user/{u}/approve/                     401 401 403 404
POST   /admin/user/{u}/admin/                       401 401 403 404
PUT    /admin/user/{u}/group/{g}/                   401 401 403 404
DELETE /admin/user/{u}/group/{g}/                   401 401 403 404
DELETE /admin/user/{u}/                             401 401 403 404
GET    /admin/token/{u}/                            401 401 403 200
GET    /admin/group/                                401 401 403 -
GET    /admin/group/{g}/                            401 401 403 404
PUT    /admin/group/{g}/                            401 401 403 200
DELETE /admin/group/{g}/                            401 401 403 404
GET    /admin/package/{p}/                          401 401 403 200
PUT    /admin/package/{p}/user/{u}/read/            401 401 403 404
PUT    /admin/package/{p}/group/{g}/write/          401 401 403 404
DELETE /admin/package/{p}/user/{u}/write/           401 401 403 404
DELETE /admin/package/{p}/group/{g}/read/           401 401 403 404
PUT    /admin/package/{p}/user/plain/own/           401 401 403 404
PUT    /admin/package/{p}/robot/plain/read/         401 401 403 404
"""
ROWS = [tuple(line.split()) for line in TABLE.strip().splitlines()]
THERE = {"u": "plain", "g": "team", "p": "open-one", "f": "open_one-1.0.tar.gz"}
ABSENT = {"u": "nobody-here", "g": "no-group", "p": "absent", "f": "absent-1.0.tar.gz"}


def arguments(cloud, path: str, package: str) -> tuple[str, ...]:
    """What the request has to bring along to be a good one."""
    if path in ("/simple/", "/pypi/", "/") or path.endswith("/{f}"):
        return ("-F", ":action=file_upload", "-F", f"content=@{cloud.sdist(package)}")
    if path == "/api/user/password":
        return ("-d", "old_password=wrong-one&new_password=another horse")
    if path.endswith("/admin/"):
        return ("-d", "admin=false")
    if path == "/admin/register/":
        return ("-d", "allow=false")
    return PASSWORD


def send(cloud, method: str, path: str, names, user, address=None):
    more = arguments(cloud, path, names["p"]) if method in ("PUT", "POST") else ()
    return cloud.ask(method, path.format(**names), *more, user=user, address=address)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_who_gets_what(cloud, row):
    method, path, anonymous, wrong, without, unknown = row
    user, address = cloud.wrong()

    assert send(cloud, method, path, THERE, None).status == int(anonymous)
    assert send(cloud, method, path, THERE, user, address).status == int(wrong)
    assert send(cloud, method, path, THERE, "plain:pass-of-plain").status == int(without)
    if unknown != "-":
        assert send(cloud, method, path, ABSENT, ADMIN).status == int(unknown)
        if unknown == "200" and "{p}" in path and method == "POST":
            cloud.must("DELETE", "/api/package/absent/absent-1.0.tar.gz")
        if method == "PUT" and unknown == "200":
            cloud.must("DELETE", path.format(**ABSENT))
        if path.startswith("/admin/token"):
            cloud.must("DELETE", "/admin/user/nobody-here/")


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row[2] == "401"], ids=lambda row: f"{row[0]} {row[1]}"
)
def test_nobody_learns_without_an_account_what_is_there(cloud, row):
    """The same bytes for what exists and for what does not, apart from the name that was asked for."""
    method, path = row[:2]

    there, absent = (send(cloud, method, path, names, None) for names in (THERE, ABSENT))

    assert there.status == absent.status == 401
    assert there.headers["www-authenticate"]
    assert there.body == absent.body


def test_a_wrong_password_on_a_public_list_is_401_where_the_daemon_answers(cloud):
    user, address = cloud.wrong()

    assert cloud.ask("GET", "/api/package/", user=user, address=address).status == 401
    assert cloud.ask("GET", "/simple/", user=user, address=address).status == 401


def test_nobody_signs_in_who_waits_for_approval(cloud):
    cloud.must("POST", "/admin/register/", "-d", "allow=true")
    cloud.must("PUT", "/api/user/waiting/", "-d", "password=correct horse", user=None)
    cloud.must("POST", "/admin/register/", "-d", "allow=false")

    assert cloud.ask("GET", "/api/package/", user="waiting:correct horse").status == 401


# --- a package for few -----------------------------------------------------------------------------------------------


FILE = "secret_one-1.0.tar.gz"


@pytest.mark.parametrize("user", [None, "plain:pass-of-plain"], ids=["anonymous", "plain"])
class TestASecretPackage:
    def test_is_in_no_list(self, cloud, user):
        for path in ("/api/package/", "/api/package/?verbose=1", "/simple/", "/pypi/", "/"):
            assert SECRET.encode() not in cloud.ask("GET", path, user=user).body

    def test_looks_like_one_that_is_not_there(self, cloud, user):
        there = cloud.ask("GET", f"/api/package/{SECRET}/", user=user)
        absent = cloud.ask("GET", "/api/package/nothing-one/", user=user)

        assert there.seen == absent.seen
        assert there.json == {"packages": [], "write": False}

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_its_file_looks_like_one_that_is_not_there(self, cloud, user, method):
        there = cloud.ask(method, f"/api/package/{SECRET}/{FILE}", user=user)
        absent = cloud.ask(method, "/api/package/absent-one/absent_one-1.0.tar.gz", user=user)

        assert there.status == absent.status
        assert (
            there.body.replace(b"secret-one", b"absent-one").replace(b"secret_one", b"absent_one")
            == absent.body
        )

    def test_its_head_too(self, cloud, user):
        there = cloud.ask("HEAD", f"/api/package/{SECRET}/{FILE}", user=user)
        absent = cloud.ask("HEAD", "/api/package/absent-one/absent_one-1.0.tar.gz", user=user)

        assert there.status == absent.status == 404
        assert there.headers.keys() == absent.headers.keys()
        assert there.headers["content-length"] == absent.headers["content-length"]

    def test_cannot_be_uploaded_to(self, cloud, user):
        answer = cloud.ask(
            "POST",
            f"/api/package/{SECRET}/x.tar.gz",
            "-F",
            f"content=@{cloud.sdist(SECRET, '2.0')}",
            user=user,
        )

        assert answer.status == (401 if user is None else 403)

    def test_is_not_reached_through_a_package_they_may_read(self, cloud, user):
        """The real one asks about the package of the address and serves the file of another."""
        assert cloud.ask("GET", f"/api/package/open-one/{FILE}", user=user).status == 404


def test_a_secret_package_is_there_for_its_owner(cloud):
    owner = "owner:pass-of-owner"

    assert SECRET in cloud.ask("GET", "/api/package/", user=owner).json["packages"]
    verbose = cloud.ask("GET", "/api/package/?verbose=true", user=owner).json["packages"]
    assert [said["stable"] for said in verbose if said["name"] == SECRET] == ["1.0"]
    said = cloud.ask("GET", f"/api/package/{SECRET}/", user=owner).json
    assert said["write"] is True
    assert cloud.run(["-L", f"{cloud.server.url}/api/package/{SECRET}/{FILE}"], user=owner).status == 200
    assert cloud.run([said["packages"][0]["url"]], user=owner).status == 200
    assert cloud.run([said["packages"][0]["url"]], user=None).status == 404


def test_write_on_one_package_is_write_on_no_other(cloud):
    file = cloud.sdist("open-one", "7.0")

    answer = cloud.ask(
        "POST", f"/api/package/{SECRET}/{file.name}", "-F", f"content=@{file}", user="owner:pass-of-owner"
    )

    assert (answer.status, answer.code) == (400, "claim-mismatch")
    assert "open-one" in answer.json["message"]
    straight = cloud.ask(
        "POST", f"/api/package/open-one/{file.name}", "-F", f"content=@{file}", user="owner:pass-of-owner"
    )
    assert straight.status == 403


def test_a_name_in_the_form_that_is_not_the_addresss_is_refused(cloud):
    answer = cloud.ask(
        "POST",
        "/api/package/open-one/x",
        "-F",
        "name=other-one",
        "-F",
        f"content=@{cloud.sdist('open-one', '8.0')}",
    )

    assert (answer.status, answer.code) == (400, "claim-mismatch")


def test_the_files_own_name_counts_not_the_addresss(cloud):
    file = cloud.sdist("open-one", "9.0")

    answer = cloud.ask("POST", "/api/package/open-one/whatever.zip", "-F", f"content=@{file}")

    assert (answer.status, answer.json["filename"]) == (200, file.name)


def test_write_lets_upload_and_not_delete(cloud):
    """Deleting burns a name for good: it is a right of its own here."""
    file = cloud.sdist(SECRET, "3.0")
    at = f"/api/package/{SECRET}/{file.name}"

    assert cloud.ask("POST", at, "-F", f"content=@{file}", user="owner:pass-of-owner").status == 200
    assert cloud.ask("DELETE", at, user="owner:pass-of-owner").status == 403
    cloud.must("DELETE", at)


def test_other_bytes_are_409(cloud):
    cloud.has("conflict")

    answer = cloud.upload(cloud.sdist("conflict", summary="Other bytes"))

    assert (answer.status, answer.code) == (409, "exists")
    assert cloud.upload(cloud.sdist("conflict")).status == 200


# --- one decision for every spelling ----------------------------------------------------------------------------------


SPELLINGS = (
    "secret-one", "SECRET-ONE", "Secret-One", "secret_one", "secret.one", "SECRET_ONE", "secret--one", "secret-_one",
    "secret_.one", "%73ecret-one", "secret%2Done", "secret%5Fone",
)  # fmt: skip
ROLES = {
    "anonymous": None,
    "plain": "plain:pass-of-plain",
    "owner": "owner:pass-of-owner",
    "admin": ADMIN,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("role", "listed", "file", "upload", "grants"),
    [
        ("anonymous", 0, 404, 401, 401),
        ("plain", 0, 404, 403, 403),
        ("owner", 1, 302, 200, 403),
        ("admin", 1, 302, 200, 200),
    ],
)
def test_every_spelling_gives_one_decision(cloud, spelling, role, listed, file, upload, grants):
    user = ROLES[role]
    same = cloud.sdist(SECRET)

    assert len(cloud.ask("GET", f"/api/package/{spelling}/", user=user).json["packages"]) == listed
    assert cloud.ask("GET", f"/api/package/{spelling}/{FILE}", user=user).status == file
    posted = cloud.ask("POST", f"/api/package/{spelling}/{FILE}", "-F", f"content=@{same}", user=user)
    assert posted.status == upload
    shown = cloud.ask("GET", f"/admin/package/{spelling}/", user=user)
    assert shown.status == grants
    if grants == 200:
        assert [said["username"] for said in shown.json["user"]] == ["owner"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_grant_in_any_spelling_is_one_grant(cloud, spelling):
    again = cloud.ask("PUT", f"/admin/package/{spelling}/user/owner/read/")

    assert (again.status, again.json["changed"]) == (200, False)


# --- parameters -----------------------------------------------------------------------------------------------------------


JSON = ("-H", "Content-Type: application/json")
YES = ("true", "True", "1", "yes", "on")
NO = ("false", "FALSE", "0", "no", "off")


@pytest.mark.parametrize(("word", "is_"), [*((word, True) for word in YES), *((word, False) for word in NO)])
def test_booleans_mean_the_same_in_every_encoding(cloud, word, is_):
    cloud.user("switched")
    spelled = [("-d", f"admin={word}"), ("-F", f"admin={word}"), (*JSON, "-d", json.dumps({"admin": word}))]
    if word in ("true", "false", "1", "0"):
        spelled.append((*JSON, "-d", f'{{"admin": {word}}}'))
    for arguments_ in spelled:
        cloud.must("POST", "/admin/user/switched/admin/", "-d", f"admin={not is_}")
        cloud.must("POST", "/admin/user/switched/admin/", *arguments_)
        assert cloud.ask("GET", "/admin/user/switched/").json["admin"] is is_, arguments_


@pytest.mark.parametrize(
    ("arguments_", "word"),
    [
        (("-d", "admin=maybe"), "admin"),
        (("-d", "admin="), "admin"),
        (("-d", "admin=2"), "admin"),
        ((*JSON, "-d", '{"admin": 1.0}'), "admin"),
        ((*JSON, "-d", '{"admin": null}'), "Missing argument 'admin'"),
        ((*JSON, "-d", '{"admin": "yess"}'), "admin"),
        ((*JSON, "-d", "[true]"), "JSON object"),
        ((*JSON, "-d", "{"), "JSON object"),
        (("-d", ""), "Missing argument 'admin'"),
        (("-d", "admin=true&admin=false"), "twice"),
        (("-H", "Content-Type: text/plain", "-d", "admin=true"), "text/plain"),
    ],
)
def test_what_is_no_boolean_is_400(cloud, arguments_, word):
    cloud.user("switched")

    answer = cloud.ask("POST", "/admin/user/switched/admin/", *arguments_)

    assert answer.status == 400
    assert word in answer.json["message"]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("PUT", "/api/user/somebody/", "password"),
        ("POST", "/api/user/password", "old_password"),
        ("PUT", "/admin/user/somebody/", "password"),
        ("POST", "/admin/register/", "allow"),
        ("POST", "/admin/user/plain/admin/", "admin"),
        ("PUT", "/acct/tokenRegister", "token"),
    ],
)
def test_a_missing_argument_is_named(cloud, method, path, name):
    answer = cloud.ask(method, path)

    assert answer.status == 400
    assert f"Missing argument '{name}'" in answer.json["message"]


@pytest.mark.parametrize(
    "arguments_",
    [
        (*JSON, "-d", '{"password": "hunter2hunter2",}'),
        (*JSON, "-d", '{"password": ["hunter2hunter2"]}'),
        ("-d", "password=hunter2hunter2&password=hunter2hunter2"),
        ("-d", "password=hunter2hunter2%FF"),
        ("-d", "hunter2hunter2"),
        ("-H", "Content-Type: text/plain", "-d", "hunter2hunter2"),
    ],
)
def test_no_refusal_quotes_a_password(cloud, arguments_):
    answer = cloud.ask("PUT", "/admin/user/quoted/", *arguments_)

    assert answer.status == 400
    assert b"hunter2" not in answer.body


def test_a_password_in_the_query_is_not_taken(cloud):
    assert cloud.ask("PUT", "/admin/user/quoted/?password=hunter2hunter2").status == 400


def test_verbose_is_a_boolean_too(cloud):
    assert cloud.ask("GET", "/api/package/?verbose=maybe").status == 400


# --- repeated, refused, last ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "arguments_"),
    [
        ("PUT", "/admin/group/again/", ()),
        ("PUT", "/admin/user/again/", PASSWORD),
        ("PUT", "/admin/user/plain/group/team/", ()),
        ("POST", "/admin/user/plain/approve/", ()),
        ("POST", "/admin/user/plain/admin/", ("-d", "admin=false")),
        ("PUT", "/admin/package/again/user/plain/read/", ()),
        ("PUT", "/admin/package/again/group/everyone/read/", ()),
        ("PUT", "/admin/package/again/group/authenticated/write/", ()),
        ("POST", "/admin/register/", ("-d", "allow=false")),
        ("DELETE", "/admin/package/again/user/plain/write/", ()),
        ("DELETE", "/admin/user/plain/group/team/", ()),
    ],
)
def test_a_change_asked_for_twice_is_200_twice(cloud, method, path, arguments_):
    for _ in range(2):
        cloud.must(method, path, *arguments_)
        cloud.must(method, path.rstrip("/"), *arguments_)


def test_a_user_is_not_given_another_password_by_making_them_again(cloud):
    answer = cloud.ask("PUT", "/admin/user/plain/", "-d", "password=another horse")

    assert (answer.status, answer.code) == (409, "account-exists")
    assert cloud.ask("GET", "/admin/user/PLAIN/").status == 404
    assert cloud.ask("PUT", "/admin/user/PLAIN/", *PASSWORD).status == 409


@pytest.mark.parametrize("group", ["everyone", "authenticated"])
class TestBuiltInGroups:
    def test_cannot_be_made_deleted_or_joined(self, cloud, group):
        for method, path in (
            ("PUT", f"/admin/group/{group}/"),
            ("DELETE", f"/admin/group/{group}/"),
            ("PUT", f"/admin/user/plain/group/{group}/"),
            ("DELETE", f"/admin/user/plain/group/{group}/"),
        ):
            assert (cloud.ask(method, path).status, method) == (400, method)

    def test_can_be_granted_to_and_shown(self, cloud, group):
        cloud.grant("for-many", f"group/{group}", "read")

        said = cloud.ask("GET", f"/admin/group/{group}/").json
        assert said["members"] == []
        assert {"package": "for-many", "permissions": ["read"]} in said["packages"]
        assert group not in cloud.ask("GET", "/admin/group/").json


class TestRegistration:
    def test_refusals_have_the_shape_that_scripts_know(self, cloud):
        cloud.must("POST", "/admin/register/", "-d", "allow=true")
        for name, password in (("plain", "correct horse"), ("short", "abc"), ("every one", "correct horse")):
            answer = cloud.ask(
                "PUT", f"/api/user/{name.replace(' ', '%20')}/", "-d", f"password={password}", user=None
            )
            assert (answer.status, answer.json["code"]) == (400, 400), name
            assert answer.json["message"]
        cloud.must("POST", "/admin/register/", "-d", "allow=false")

    def test_in_json(self, cloud):
        cloud.must("POST", "/admin/register/", *JSON, "-d", '{"allow": true}')
        answer = cloud.ask("PUT", "/api/user/jason", *JSON, "-d", '{"password": "correct horse"}', user=None)
        cloud.must("POST", "/admin/register/", *JSON, "-d", '{"allow": false}')

        assert answer.json == {"username": "jason", "admin": False, "pending": True}

    def test_a_wrong_old_password_is_403_and_counted(self, cloud):
        user = cloud.user("forgetful")
        line = ("-d", "old_password=not-the-one&new_password=another horse")

        statuses = [
            cloud.ask("POST", "/api/user/password", *line, user=user, address="127.0.5.5").status
            for _ in range(11)
        ]

        assert statuses == [403] * 10 + [429]

    def test_a_service_account_has_no_password(self, cloud):
        words = ["-X", "POST", "-H", f"Authorization: Bearer {cloud.server.key}"]
        line = ["-d", "old_password=a&new_password=another horse", f"{cloud.server.url}/api/user/password"]

        assert cloud.run([*words, *line], user=None).status == 422

    def test_a_weak_new_password_is_refused(self, cloud):
        user = cloud.user("weakling")

        answer = cloud.ask(
            "POST",
            "/api/user/password",
            "-d",
            "old_password=pass-of-weakling&new_password=weakling",
            user=user,
        )

        assert (answer.status, answer.code) == (422, "weak-password")
        assert cloud.ask("GET", "/api/package/", user=user).status == 200


def test_rights_end_with_the_next_request(cloud):
    cloud.has("short-lived")
    user = cloud.user("shortly")
    cloud.must("PUT", "/admin/group/brief/")
    cloud.grant("short-lived", "group/brief", "read")
    steps = [
        ("PUT", "/admin/user/shortly/group/brief/", 1),
        ("DELETE", "/admin/user/shortly/group/brief/", 0),
        ("PUT", "/admin/package/short-lived/user/shortly/write/", 1),
        ("DELETE", "/admin/package/short-lived/user/shortly/write/", 0),
        ("PUT", "/admin/user/shortly/group/brief/", 1),
        ("DELETE", "/admin/package/short-lived/group/brief/read/", 0),
        ("PUT", "/admin/package/short-lived/group/everyone/read/", 1),
    ]
    for method, path, count in steps:
        cloud.must(method, path)
        assert len(cloud.ask("GET", "/api/package/short-lived/", user=user).json["packages"]) == count, path
    assert cloud.ask("GET", "/simple/short-lived/", user=None).status == 200


def test_a_deleted_users_rights_go_with_them(cloud):
    cloud.user("leaver")
    cloud.grant("for-leaver", "user/leaver", "read")
    cloud.must("DELETE", "/admin/user/leaver/")
    cloud.made.discard("leaver")

    assert cloud.ask("GET", "/admin/package/for-leaver/").json == {"user": [], "group": []}


def test_a_service_account_counts_as_a_user_where_rights_are_shown(cloud):
    cloud.server.packhouse("key", "create", "builder", "--channel", "main", "--action", "read")
    cloud.grant("for-builder", "user/builder", "write")

    assert cloud.ask("GET", "/admin/package/for-builder/").json["user"] == [
        {"username": "builder", "permissions": ["write"]}
    ]
    assert cloud.ask("GET", "/admin/user/builder/permissions/").json == [
        {"package": "for-builder", "permissions": ["write"]}
    ]
    assert cloud.ask("DELETE", "/admin/user/builder/").status == 404


def test_an_admins_scoped_key_administers_nothing(cloud):
    secret = cloud.server.packhouse("key", "create", "narrow", "--admin", "--channel", "main").split()[-1]
    bearer = ("-H", f"Authorization: Bearer {secret}")

    assert cloud.ask("GET", "/api/package/", *bearer, user=None).status == 200
    for path in ("/admin/user/", "/admin/acl.json.gz", "/admin/rebuild/", "/admin/token/plain/"):
        assert cloud.ask("GET", path, *bearer, user=None).status == 403


def test_what_was_changed_is_in_the_audit_log_without_a_secret(cloud):
    cloud.must("PUT", "/admin/user/audited/", "-d", "password=very secret words")
    cloud.must("PUT", "/admin/package/audited-one/user/audited/read/")
    cloud.must("POST", "/admin/user/audited/admin/", "-d", "admin=false")

    log = cloud.server.packhouse("audit", "--json")

    assert "audited-one/user/audited/read" in log
    assert "user create" in log
    assert "not an admin" in log
    assert "very secret words" not in log


def test_the_last_admin_stays(cloud):
    """Last on this server: the admin key that it began with is gone after it."""
    cloud.must("GET", "/admin/user/")
    cloud.server.packhouse("service", "delete", "admin")

    for method, path, arguments_ in (
        ("DELETE", "/admin/user/myadmin/", ()),
        ("POST", "/admin/user/myadmin/admin/", ("-d", "admin=false")),
        ("POST", "/admin/user/myadmin/admin/", (*JSON, "-d", '{"admin": false}')),
    ):
        answer = cloud.ask(method, path, *arguments_)
        assert (answer.status, answer.code) == (422, "last-admin")
    cloud.user("second", admin=True)
    cloud.must("DELETE", "/admin/user/myadmin/", user="second:pass-of-second")
    assert cloud.ask("GET", "/admin/user/", user=ADMIN).status == 401
