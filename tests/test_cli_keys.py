"""`packhouse key`: whose keys, how long they work, what they are good for; a secret is printed once and kept nowhere."""

import re

import pytest
from cli_support import audit_lines, make_data, make_run

from packhouse.house import open_house
from packhouse.model import Action

KEY = re.compile(r"pkh-[0-9A-Za-z]{42}\n")
DAY_US = 86_400_000_000


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path, "main", "nightly")


@pytest.fixture
def run(data, monkeypatch, capfd):
    return make_run(monkeypatch, capfd, PACKHOUSE_DATA=data)


@pytest.fixture
def house(data):
    house = open_house(data)
    house.catalog.accounts.create("ann", password="$argon2id$x")
    yield house
    house.close()


def test_a_secret_is_alone_on_standard_output_and_is_kept_nowhere(run, house, data):
    ran = run("key", "create", "ci", "--grant", "write:main", "--grant", "delete:main", "--expires-days", "7")

    assert ran.code == 0
    assert KEY.fullmatch(ran.out)
    assert "may write main, delete main until" in ran.err
    secret = ran.out.strip()
    assert secret not in ran.err
    principal = house.catalog.keys.authenticate(secret)
    assert (principal.name, principal.admin) == ("ci", False)
    assert {grant.action for grant in house.catalog.grants.of_channel("main")} == {
        Action.WRITE,
        Action.DELETE,
    }
    (key,) = house.catalog.keys.list()
    assert key.expires_us - key.created_us == pytest.approx(7 * DAY_US, abs=60_000_000)
    assert secret not in run("key", "list").out + run("audit").out + run("user", "show", "ci").out
    assert audit_lines(house) == [("key create", "ci/ci", "ok")]
    house.close()
    for file in (data / "state").rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("arguments", "days", "says"),
    [
        (["ci"], 90, "may do what ci may until"),
        (["ci", "--never"], None, "may do what ci may and does not expire"),
        (["ci", "--admin", "--expires-days", "365"], 365, "may do everything until"),
        (["laptop", "--user", "ann"], 90, "may do what ann may until"),
        (["laptop", "--user", "ann", "--expires-days", "1"], 1, "may do what ann may until"),
    ],
)
def test_a_key_works_for_ninety_days_if_nothing_else_is_said(run, house, arguments, days, says):
    ran = run("key", "create", *arguments)

    assert says in ran.err
    (key,) = house.catalog.keys.list()
    if days is None:
        assert key.expires_us is None
    else:
        assert key.expires_us - key.created_us == pytest.approx(days * DAY_US, abs=60_000_000)


def test_a_key_may_be_good_for_less_than_its_account(run, house):
    run("key", "create", "ci", "--grant", "write:main", "--grant", "write:nightly")
    ran = run(
        "key", "create", "ci-nightly", "--service", "ci", "--channel", "nightly", "--action", "write", "--action", "read"
    )  # fmt: skip

    assert "may do what ci may, in nightly only, to write, read only until" in ran.err
    principal = house.catalog.keys.authenticate(ran.out.strip())
    assert (principal.name, principal.channels) == ("ci", {"nightly"})
    assert principal.actions == {Action.READ, Action.WRITE}
    assert run("key", "list", "--user", "ann").lines == []
    (_first, second) = run("key", "list", "--user", "ci").lines
    assert second[1:3] == ["ci-nightly", "ci"]
    assert second[5:7] == ["nightly", "write,read"]


def test_a_key_may_come_with_a_right_on_one_package(run, house):
    run("key", "create", "ci", "--grant", "write:main/pypi/My.Tool", "--grant", "read:nightly")

    assert house.catalog.grants.closed("main") == {("pypi", "my-tool")}
    assert house.catalog.grants.restricted("main") == {("pypi", "my-tool")}
    rows = {(grant.principal, grant.action, grant.channel, grant.package) for grant in
            house.catalog.grants.of_principals(["service:ci"])}  # fmt: skip
    assert rows == {("service:ci", "write", "main", "my-tool"), ("service:ci", "read", "nightly", None)}


def test_a_revoked_key_is_nobodys(run, house):
    secret = run("key", "create", "boss", "--admin").out.strip()
    assert house.catalog.keys.authenticate(secret).admin
    assert run("key", "list").lines[0][-1] == "active"
    assert run("key", "revoke", "boss").code == 0
    assert house.catalog.keys.authenticate(secret) is None
    assert run("key", "list").lines[0][-1] == "revoked"
    assert run("key", "revoke", "boss").code == 1


def test_a_key_is_revoked_by_its_secret_which_no_log_shows(run, house):
    """Whoever found a key in the wild has nothing but the secret."""
    secret = run("key", "create", "leak", "--never").out.strip()
    ran = run("key", "revoke", "--stdin", stdin=f"{secret}\n".encode())

    assert ran.code == 0
    assert house.catalog.keys.authenticate(secret) is None
    again = run("key", "revoke", "--stdin", stdin=secret.encode())
    assert again.code == 1
    assert secret not in ran.err + again.err + str(house.catalog.audit.entries(limit=100))
    assert audit_lines(house)[1:] == [
        ("key revoke", "leak/leak", "ok"),
        ("key revoke", "a key", "not-found"),
    ]


def test_two_accounts_may_call_their_keys_the_same(run, house):
    house.catalog.accounts.create("ben", password="$argon2id$x")
    secrets = {user: run("key", "create", "laptop", "--user", user).out.strip() for user in ("ann", "ben")}

    assert "revoke by number or fingerprint" in run("key", "revoke", "laptop").err
    assert run("key", "revoke", "laptop", "--user", "ben").code == 0
    assert house.catalog.keys.authenticate(secrets["ben"]) is None
    assert house.catalog.keys.authenticate(secrets["ann"]).name == "ann"


@pytest.mark.parametrize(
    ("grant", "code"),
    [
        ("write", 2),
        ("fly:main", 2),
        ("write:", 2),
        ("write:main/pypi", 2),
        ("write:main/npm/x", 2),
        ("write:nowhere", 1),
        ("write:UPPER", 1),
        ("read:main/conda/numpy", 1),
        ("read:main/pypi/-x", 1),
    ],
)
def test_a_grant_that_means_nothing_makes_no_key(run, house, grant, code):
    assert run("key", "create", "ci", "--grant", grant).code == code
    assert house.catalog.keys.list() == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["create", "x", "--user", "ann", "--service", "ci"], 2, "give --user or --service"),
        (
            ["create", "x", "--user", "ann", "--admin"],
            2,
            "--admin and --grant are rights of a new service account",
        ),
        (["create", "x", "--user", "ann", "--grant", "read:main"], 2, "use `packhouse user promote`"),
        (["create", "x", "--never", "--expires-days", "3"], 2, "contradict each other"),
        (["create", "x", "--expires-days", "366"], 2, "is not in the range 1<=x<=365"),
        (["create", "x", "--expires-days", "0"], 2, "is not in the range 1<=x<=365"),
        (["create", "x", "--action", "fly"], 2, "'fly' is not one of"),
        (["create", "x", "--user", "ann", "--never"], 1, "only a service account's may never"),
        (["create", "x", "--user", "nobody"], 1, "there is no user nobody; `packhouse user list`"),
        (["create", "x", "--service", "ann"], 1, "there is no service account ann; `packhouse service list`"),
        (["create", "x", "--channel", "nowhere"], 1, "there is no channel nowhere"),
        (["create", "ann"], 1, "ann is a user account"),
        (["list", "--user", "nobody"], 1, "there is no account nobody"),
        (["revoke"], 2, "or its secret with --stdin"),
        (["revoke", "x", "--stdin"], 2, "or its secret with --stdin"),
        (["revoke", "x"], 1, "there is no active key x"),
        (["revoke", "--stdin"], 1, "standard input is empty: it should hold the key"),
    ],
)
def test_what_no_key_can_be_is_said(run, house, arguments, code, says):
    ran = run("key", *arguments)

    assert ran.code == code
    assert says in ran.err
    assert house.catalog.keys.list() == []


def test_an_expired_key_says_so(run, house):
    house.catalog.keys.create_for_service("old", expires_us=1)
    assert run("key", "list").lines[0][-1] == "expired"
