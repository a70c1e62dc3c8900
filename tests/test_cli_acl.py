"""`packhouse acl import` and `export`: one document there and back, and what is said of it."""

import gzip
import json

import pytest
from cli_support import make_data, make_run
from house_support import Direct, take_in
from pypi_support import make_wheel

from packhouse.cli import acl
from packhouse.house import open_house
from packhouse.intake.receive import Intake
from packhouse.model import Action, Grant

HASH = "$6$rounds=10000$salt$hash"
DOCUMENT = {
    "allow_register": True,
    "version": "1.3.12",
    "groups": {"team": ["ann", "ben"]},
    "users": [
        {"username": "ann", "admin": True, "password": HASH},
        {"username": "ben", "admin": False, "password": HASH},
    ],
    "pending_users": [{"username": "eve", "password": HASH}],
    "packages": {"users": {"flask": {"ben": ["read", "write"]}}, "groups": {"flask": {"team": ["read"]}}},
}


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path)


@pytest.fixture
def run(data, monkeypatch, capfd):
    return make_run(monkeypatch, capfd, PACKHOUSE_DATA=data)


@pytest.fixture
def house(data):
    house = open_house(data)
    yield house
    house.close()


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "acl.json.gz"
    file.write_bytes(gzip.compress(json.dumps(DOCUMENT).encode()))
    return file


def test_a_document_is_taken_in_and_told(run, house, file):
    ran = run("acl", "import", file)

    assert (ran.code, ran.out) == (0, "")
    *said, last = ran.err.splitlines()
    assert said == [
        "new: 2 users, 1 pending users, 1 groups, 2 memberships, 3 grants",
        "registration is allowed",
        "3 password hashes were left aside: they are not kept here",
    ]
    assert last.startswith(
        "without a password: ann, ben, eve; `packhouse user invite NAME`, or this command again"
    )
    assert house.catalog.groups.members("team") == ["ann", "ben"]
    assert Grant(principal="user:ben", action=Action.WRITE, channel="main", ecosystem="pypi", package="flask") in (
        house.catalog.grants.of_channel("main")
    )  # fmt: skip
    (line,) = house.catalog.audit.entries(limit=9)
    assert (line.who, line.via, line.action) == ("local", "local", "acl import")
    again = run("acl", "import", file)
    assert "new: nothing\nthere already, and kept as they are: ann, ben, eve\n" in again.err


def test_a_package_that_a_right_closes_has_left_the_lists_when_the_command_returns(run, house, data, file):
    name, body = make_wheel(name="flask")
    take_in(Intake(house, Direct()), name, body)
    run("reindex", "--data", data)
    assert (data / f"public/main/packages/flask/{name}").is_file()

    assert run("acl", "import", file).code == 0
    assert not (data / f"public/main/packages/flask/{name}").exists()
    assert (data / f"restricted/main/packages/flask/{name}").is_file()
    assert "flask" not in (data / "public/main/simple/index.html").read_text()


def test_links_are_alone_on_standard_output(run, house, data, file):
    (data / "packhouse.toml").write_text('base_url = "https://packages.example"\n')
    ran = run("acl", "import", "-", "--invite", stdin=json.dumps(DOCUMENT).encode())

    links = dict(line.split("\t") for line in ran.out.splitlines())
    assert set(links) >= {"ann", "ben"}
    for name, link in links.items():
        assert link.startswith("https://packages.example/account/invitation#")
        assert house.catalog.sessions.invited(link.partition("#")[2]) == name
        assert link.partition("#")[2] not in ran.err + str(house.catalog.audit.entries(limit=99))
    assert "without a password" not in ran.err


def test_what_is_exported_can_be_imported_elsewhere(run, file, tmp_path, data):
    run("acl", "import", file)
    text = run("acl", "export").out
    assert HASH not in text
    other = make_data(tmp_path / "other")
    ran = run("acl", "import", "-", "--data", other, stdin=text.encode())
    assert "new: 2 users, 1 pending users, 1 groups, 2 memberships, 3 grants" in ran.err
    assert run("acl", "export", "--data", other).out == text
    assert run("audit").lines[0][5:7] == ["acl", "export"]


def test_what_cannot_be_taken_in_is_named(run):
    document = {"users": [{"username": "a b"}], "packages": {"users": {"flask": {"nobody": ["read"]}}}}
    ran = run("acl", "import", "-", stdin=json.dumps(document).encode())

    assert ran.code == 0
    assert "left aside: user a b: 'a b' is not a valid account name" in ran.err
    assert "left aside: read on flask for user nobody: there is no user nobody" in ran.err


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the file is no JSON"),
        (b"\xff\xfe", "the file is no JSON"),
        (b"[" * 100_000, "the file is no JSON"),
        (b"[]", "is no JSON object"),
        (b"\x1f\x8bjunk", "the file is damaged"),
        (gzip.compress(b"{}" * 1000)[:-9], "the file is damaged"),
        (gzip.compress(b" " * 2001), "goes on past the limit"),
        (b" " * 2001, "goes on past the limit"),
    ],
    # gzip writes the time into its head: without names of their own the tests would be called otherwise each time.
    ids=["nothing", "no text", "too deep", "a list", "no gzip", "cut gzip", "too much in gzip", "too much"],
)
def test_what_is_no_document_changes_nothing(run, house, monkeypatch, body, says):
    if "limit" in says:
        monkeypatch.setattr(acl, "_MOST", 2000)
    ran = run("acl", "import", "-", stdin=body)

    assert ran.code == 1
    assert says in ran.err
    assert house.catalog.accounts.list() == []


def test_a_file_that_is_not_there_is_a_wrong_command_line(run, tmp_path):
    assert run("acl", "import", tmp_path / "none.json").code == 2
