"""`packhouse grant` and `packhouse channel private|public`: who may read what when the command has returned."""

import pytest
from cli_support import audit_lines, make_data, make_run
from house_support import Direct, take_in
from pypi_support import make_wheel

from packhouse.cli import grants
from packhouse.errors import Unavailable
from packhouse.house import open_house
from packhouse.intake import moving
from packhouse.intake.receive import Intake
from packhouse.model import ANONYMOUS, Action, Ecosystem, Grant
from packhouse.rights import Rights


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path)


@pytest.fixture
def run(data, monkeypatch, capfd):
    return make_run(monkeypatch, capfd, PACKHOUSE_DATA=data)


@pytest.fixture
def house(data):
    house = open_house(data)
    house.catalog.accounts.create("ann", password="$argon2id$x")
    house.catalog.groups.create("team")
    yield house
    house.close()


@pytest.fixture
def apple(house, data, run):
    """A published Python package; returns where it lies."""
    name, body = make_wheel(name="apple")
    take_in(Intake(house, Direct()), name, body)
    assert run("reindex", "main", "--data", data).code == 0
    assert (data / f"public/main/packages/apple/{name}").is_file()
    assert "apple" in (data / "public/main/simple/index.html").read_text()
    return f"packages/apple/{name}"


def rights(house):
    return Rights(house.catalog, house.settings)


def may(house, name, action, package=None):
    principal = house.catalog.accounts.principal(name, via="password") if name else ANONYMOUS
    channel = house.catalog.channels.get("main")
    return rights(house).permits(principal, action, channel, "pypi" if package else None, package)


# --- grants -------------------------------------------------------------------------------------------------


def test_a_right_on_a_channel_is_given_listed_and_taken(run, house):
    assert not may(house, "ann", Action.WRITE)
    given = run("grant", "give", "user:ann", "write", "main")
    assert (given.code, given.out, given.err) == (0, "", "write on main for user:ann is granted\n")
    assert may(house, "ann", Action.WRITE)
    assert (
        run("grant", "give", "user:ann", "write", "main").err
        == "write on main for user:ann is granted already\n"
    )
    assert run("grant", "list").out == "WHO       MAY    WHERE\nuser:ann  write  main\n"
    assert (
        run("grant", "take", "user:ann", "write", "main").err == "write on main for user:ann is taken away\n"
    )
    assert not may(house, "ann", Action.WRITE)
    again = run("grant", "take", "user:ann", "write", "main")
    assert again.code == 1
    assert (
        "there is no grant of write on main for user:ann; `packhouse grant list main` shows them" in again.err
    )
    assert audit_lines(house) == [
        ("grant give", "write on main for user:ann", "ok"),
        ("grant give", "write on main for user:ann", "ok"),
        ("grant take", "write on main for user:ann", "ok"),
        ("grant take", "write on main for user:ann", "not-found"),
    ]


def test_the_first_grant_on_a_package_takes_it_out_of_the_public_lists(run, house, data, apple):
    """No indexer runs here: the command lets one run, so that the next line of a script sees the end of it."""
    ran = run("grant", "give", "group:team", "read", "main/pypi/Apple")

    assert ran.code == 0
    assert "read on main/pypi/apple for group:team is granted\n" in ran.err
    assert "main/pypi/apple is closed from now on" in ran.err
    assert "copies fetched while it was public may lie in caches" in ran.err
    assert not (data / "public/main" / apple).exists()
    assert (data / "restricted/main" / apple).is_file()
    assert "apple" not in (data / "public/main/simple/index.html").read_text()
    assert not may(house, None, Action.READ, "apple")
    assert not may(house, "ann", Action.READ, "apple")
    run("group", "add", "team", "ann")
    assert may(house, "ann", Action.READ, "apple")

    back = run("grant", "give", "group:everyone", "read", "main/pypi/apple")
    assert back.code == 0
    assert "is closed from now on" not in back.err
    assert (data / "public/main" / apple).is_file()
    assert "apple" in (data / "public/main/simple/index.html").read_text()


def test_a_package_is_closed_without_a_grant_and_stays_closed(run, house, data, apple):
    ran = run("grant", "close", "main/pypi/apple")
    assert "main/pypi/apple is closed: only those with a grant may use it" in ran.err
    assert (data / "restricted/main" / apple).is_file()
    assert "is closed already" in run("grant", "close", "main/pypi/apple").err
    assert run("grant", "list", "main").lines == [["nobody", "closed", "main/pypi/apple"]]

    conda = run("grant", "close", "main/conda/numpy")
    assert "whoever reads the channel still reads it" in conda.err
    assert house.catalog.grants.closed("main") == {("pypi", "apple"), ("conda", "numpy")}
    assert run("grant", "list", "main/conda/numpy").lines == [["nobody", "closed", "main/conda/numpy"]]
    run("grant", "give", "user:ann", "write", "main/conda/numpy")
    run("grant", "take", "user:ann", "write", "main/conda/numpy")
    assert run("grant", "list", "main/conda/numpy").lines == [["nobody", "closed", "main/conda/numpy"]]


def test_grants_are_listed_by_where_and_by_whom(run, house):
    house.create_channel("other")
    for who, action, where in (
        ("group:team", "maintain", "main"),
        ("user:ann", "write", "main/generic/Tool"),
        ("group:team", "read", "main/pypi/Flask_SQL"),
        ("group:everyone", "read", "other"),
    ):
        assert run("grant", "give", who, action, where).code == 0

    everything = [
        ["group:team", "maintain", "main"],
        ["user:ann", "write", "main/generic/tool"],
        ["group:team", "read", "main/pypi/flask-sql"],
        ["group:everyone", "read", "other"],
    ]
    assert run("grant", "list").lines == everything
    assert run("grant", "list", "main").lines == everything[:3]
    assert run("grant", "list", "main/pypi/flask.sql").lines == [everything[2]]
    assert run("grant", "list", "group:team").lines == [everything[0], everything[2]]
    assert run("grant", "list", "main/pypi/none").lines == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("give", "ann", "read", "main"), 2, "'ann' is not user:NAME, service:NAME or group:NAME"),
        (("give", "robot:ann", "read", "main"), 2, "everybody is group:everyone"),
        (("give", "user:", "read", "main"), 2, "is not user:NAME"),
        (("give", "user:ann", "fly", "main"), 2, "'fly' is not one of 'read', 'write', 'delete', 'maintain'"),
        (("give", "user:ann", "read", "main/flask"), 2, "'main/flask' is not CHANNEL or CHANNEL/ECOSYSTEM/PACKAGE"),
        (("give", "user:ann", "read", "/pypi/flask"), 2, "is not CHANNEL or"),
        (("give", "user:ann", "read", "main/npm/left-pad"), 2, "unknown ecosystem 'npm'; there are conda, pypi (Python)"),
        (("give", "user:ann", "read", "main/pypi/-x"), 1, "'-x' is not a valid project name"),
        (("give", "user:ann", "write", "main/conda/NumPy"), 1, "'NumPy' is not a valid conda package name"),
        (("give", "user:ann", "read", "main/generic/a b"), 1, "'a b' is not a valid product name"),
        (("give", "user:ann", "read", "main/conda/numpy"), 1, "grant reading on the channel"),
        (("give", "user:ann", "read", "nowhere"), 1, "there is no channel nowhere"),
        (("give", "user:nobody", "read", "main"), 1, "there is no user nobody; `packhouse user list` shows them"),
        (("give", "service:ann", "read", "main"), 1, "there is no service account ann"),
        (("give", "group:nobody", "read", "main"), 1, "there is no group nobody"),
        (("take", "user:ann", "read", "nowhere"), 1, "there is no channel nowhere"),
        (("take", "user:ann", "read", "main/pypi/apple"), 1, "`packhouse grant list main` shows them"),
        (("close", "main"), 2, "make the channel private with `packhouse channel private main`"),
        (("close", "nowhere/pypi/x"), 1, "there is no channel nowhere"),
        (("list", "nowhere"), 1, "there is no channel nowhere"),
        (("list", "main/x"), 2, "is not CHANNEL or CHANNEL/ECOSYSTEM/PACKAGE"),
    ],
)  # fmt: skip
def test_a_grant_that_means_nothing_changes_nothing(run, house, arguments, code, says):
    ran = run("grant", *arguments)

    assert ran.code == code
    assert says in ran.err.replace("\n", " ")
    assert house.catalog.grants.of_channel("main") == []
    assert house.catalog.grants.closed("main") == frozenset()


def test_grant_alone_explains_itself(run):
    ran = run("grant")

    assert ran.code == 2
    assert "Give and take rights: WHO may do what WHERE" in ran.out + ran.err


def test_a_move_that_fails_half_way_is_in_the_audit_log(run, house, monkeypatch):
    """The right is given by then, and the sentence says that the files follow."""

    def fail(_house, _grant):
        raise Unavailable("the right is given; the files follow")

    monkeypatch.setattr(moving, "give", fail)
    ran = run("grant", "give", "user:ann", "read", "main/pypi/apple")

    assert (ran.code, ran.err) == (3, "packhouse: the right is given; the files follow\n")
    assert audit_lines(house) == [("grant give", "read on main/pypi/apple for user:ann", "unavailable")]


def test_a_grant_that_moves_nothing_waits_for_nothing(run, house, monkeypatch):
    def in_vain(*_):
        raise AssertionError("there is nothing to publish")

    monkeypatch.setattr(grants, "published", in_vain)
    assert run("grant", "give", "user:ann", "read", "main/pypi/not-there-yet").code == 0


# --- private channels ---------------------------------------------------------------------------------------


def test_a_channel_is_made_private_and_public_again(run, house, data, apple):
    ran = run("channel", "private", "main")

    assert ran.code == 0
    assert ran.err.splitlines()[0] == "channel main is private"
    assert "copies fetched while it was public may lie in caches" in ran.err
    assert not (data / "public/main").exists()
    assert (data / "private/main" / apple).is_file()
    assert not may(house, None, Action.READ)
    assert run("channel", "list").lines[0][:2] == ["main", "private"]
    assert run("channel", "private", "main").err == "channel main is private already\n"

    assert run("channel", "public", "main").err == "channel main is public\n"
    assert (data / "public/main" / apple).is_file()
    assert may(house, None, Action.READ)
    assert run("channel", "list").lines[0][:2] == ["main", "public"]
    assert run("channel", "private", "nowhere").code == 1
    assert audit_lines(house) == [
        ("channel private", "main", "ok"), ("channel private", "main", "ok"), ("channel public", "main", "ok")
    ]  # fmt: skip


def test_the_list_says_who_reads_a_channel_by_default(run, data):
    (data / "packhouse.toml").write_text('default_read = "authenticated"\n')

    assert run("channel", "list").lines[0][:2] == ["main", "authenticated"]


def test_changes_of_channels_are_in_the_audit_log(run, house):
    run("channel", "create", "team", "--private")
    run("channel", "create", "team")
    run("channel", "set", "team", "--overwrite")
    run("channel", "delete", "team")

    assert audit_lines(house) == [
        ("channel create", "team", "ok"),
        ("channel create", "team", "channel-exists"),
        ("channel set", "team", "ok"),
        ("channel delete", "team", "ok"),
    ]


def test_a_grant_is_what_the_catalog_keeps(run, house):
    run("grant", "give", "user:ann", "maintain", "main/generic/My.Tool")

    assert house.catalog.grants.of_channel("main") == [
        Grant(
            principal="user:ann",
            action=Action.MAINTAIN,
            channel="main",
            ecosystem=Ecosystem.GENERIC,
            package="my.tool",
        )
    ]
