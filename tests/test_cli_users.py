"""`packhouse user`, `service` and `group`: what they change, print and refuse; and that no secret leaves them."""

import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import click
import pytest
from cli_support import answer_prompts, audit_lines, make_data, make_run

from packhouse.__main__ import cli
from packhouse.catalog.passwords import verify_password
from packhouse.house import open_house
from packhouse.model import Action, Grant

PASSWORD = "correct horse battery"


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
def ann(run):
    assert run("user", "create", "ann", "--password-stdin", stdin=PASSWORD.encode() + b"\n").code == 0


def password_is(house, name, password):
    return verify_password(password, house.catalog.accounts.stored_password(name))


# --- making accounts ----------------------------------------------------------------------------------------


def test_a_password_comes_from_standard_input_and_goes_nowhere_else(run, house, data):
    ran = run("user", "create", "ann", "--admin", "--password-stdin", stdin=PASSWORD.encode() + b"\r\n")

    assert (ran.code, ran.out, ran.err) == (0, "", "user ann is there; they are an admin\n")
    account = house.catalog.accounts.get("ann")
    assert (account.kind, account.admin, account.pending) == ("user", True, False)
    assert password_is(house, "ann", PASSWORD)
    assert audit_lines(house) == [("user create", "ann", "ok")]
    house.close()
    for file in (data / "state").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_a_password_is_asked_for_twice_and_not_shown(run, house, monkeypatch):
    asked = answer_prompts(monkeypatch, PASSWORD, "another one", PASSWORD, PASSWORD)
    ran = run("user", "create", "ann", terminal=True)

    assert ran.code == 0, ran.err
    assert len(asked) == 4
    assert PASSWORD not in ran.out + ran.err
    assert password_is(house, "ann", PASSWORD)


def test_what_is_typed_at_a_real_terminal_is_not_echoed(data, house):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "packhouse", "user", "create", "ann", "--data", str(data)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else runs here
    )
    os.close(slave)
    shown = b""

    def read_until(words):
        nonlocal shown
        while words not in shown:
            shown += os.read(master, 1000)

    read_until(b"Password: ")
    os.write(master, PASSWORD.encode() + b"\n")
    read_until(b"Repeat for confirmation: ")
    os.write(master, PASSWORD.encode() + b"\n")
    read_until(b"user ann is there")
    command = Path(f"/proc/{process.pid}/cmdline")
    assert not command.exists() or PASSWORD.encode() not in command.read_bytes()
    with suppress(OSError):  # EIO: the other side is closed
        while piece := os.read(master, 1000):
            shown += piece
    os.close(master)

    assert process.wait() == 0
    assert PASSWORD.encode() not in shown
    assert password_is(house, "ann", PASSWORD)


def test_no_option_takes_a_secret():
    """What stands in a command line is read by `ps`: passwords and keys come from a prompt or standard input."""

    def commands(group):
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            yield from commands(command) if isinstance(command, click.Group) else [command]

    wanted = [
        option
        for command in commands(cli)
        for option in command.params
        if re.search("password|secret|token|key|invit", " ".join(option.opts))
    ]

    assert len(wanted) >= 5
    assert [option.opts for option in wanted if isinstance(option, click.Option) and not option.is_flag] == []
    # the one argument is a name; a secret that is written there is revoked, and worth nothing any more
    assert [option.opts for option in wanted if isinstance(option, click.Argument)] == [["key"]]


def test_an_invitation_is_a_link_alone_on_standard_output(run, house, data):
    ran = run("user", "create", "ann", "--invite")

    assert ran.code == 0
    link = ran.out.strip()
    assert link.startswith("/account/invitation#")
    assert "within 7 days" in ran.err
    assert "put the server's address before it" in ran.err
    first = link.partition("#")[2]
    assert house.catalog.sessions.invited(first) == "ann"
    assert not house.catalog.accounts.get("ann").has_password

    (data / "packhouse.toml").write_text('base_url = "https://packages.example/"\n')
    again = run("user", "invite", "ann")
    assert again.out.startswith("https://packages.example/account/invitation#")
    assert "put the server's address" not in again.err
    second = again.out.strip().partition("#")[2]
    assert house.catalog.sessions.invited(first) is None
    assert house.catalog.sessions.invited(second) == "ann"
    assert audit_lines(house) == [
        ("user create", "ann", "ok"), ("user invite", "ann", "ok"), ("user invite", "ann", "ok")
    ]  # fmt: skip
    logged = str(house.catalog.audit.entries(limit=100))
    assert first not in logged
    assert second not in logged


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        (b"", "standard input is empty: it should hold the password"),
        (b"\n", "standard input is empty"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"one line\nand another\n", "nothing else, on one line"),
        (b"x" * 5000, "nothing else, on one line"),
        (b"short\n", "has 5 characters; use at least 6"),
        (b"password1\n", "among the first that are tried"),
        (b"annabella\n", "among the first that are tried"),
    ],
)
def test_a_bad_password_makes_no_account(run, house, stdin, says):
    ran = run("user", "create", "annabella", "--password-stdin", stdin=stdin)

    assert ran.code == 1
    assert says in ran.err
    assert house.catalog.accounts.list() == []


def test_the_least_length_of_a_password_is_a_setting(run, house, data):
    (data / "packhouse.toml").write_text("password_min_length = 30\n")

    assert "use at least 30" in run("user", "create", "ann", "--password-stdin", stdin=PASSWORD.encode()).err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("user", "create", "bob"), 2, "there is no terminal to ask on: use --password-stdin or --invite"),
        (("user", "create", "bob", "--invite", "--password-stdin"), 2, "--invite sets no password"),
        (("user", "create", "a b", "--invite"), 1, "is not a valid account name"),
        (("user", "create", "everyone", "--invite"), 1, "a meaning of its own"),
        (("user", "create", "ANN", "--invite"), 1, "is taken by the user ann"),
        (("user", "password", "bob", "--stdin"), 1, "there is no account bob"),
        (("user", "password", "robot", "--stdin"), 1, "robot is a service account"),
        (("user", "invite", "robot"), 1, "robot is a service account"),
        (("user", "show", "bob"), 1, "`packhouse user list` shows them"),
        (("user", "approve", "robot"), 1, "it signs in with keys only"),
        (("user", "promote", "bob"), 1, "there is no account bob"),
        (("user", "delete", "robot"), 1, "see `packhouse service`"),
        (("user", "registration", "maybe"), 2, "'maybe' is not one of 'allow', 'forbid', 'status'"),
        (("service", "delete", "ann"), 1, "there is no service account ann"),
        (("service", "delete", "nobody"), 1, "there is no service account nobody"),
    ],
)
def test_what_cannot_be_done_is_said(run, house, ann, arguments, code, says):
    house.catalog.accounts.create("robot", kind="service")
    before = house.catalog.accounts.list()
    ran = run(*arguments, stdin=PASSWORD.encode())

    assert ran.code == code
    assert says in ran.err
    assert house.catalog.accounts.list() == before


# --- looking at accounts ------------------------------------------------------------------------------------


def test_accounts_are_listed_and_shown(run, house, ann):
    house.catalog.accounts.register("newcomer", "x", default_open=True)  # no admin yet: they become one
    house.catalog.accounts.register("waiting", "x", default_open=True)
    run("key", "create", "ci", "--grant", "write:main")
    run("group", "create", "team")
    run("group", "add", "team", "ann")
    house.catalog.grants.give(Grant(principal="group:team", action=Action.READ, channel="main"))
    secret = run("key", "create", "laptop", "--user", "ann").out.strip()

    assert [line[:5] for line in run("user", "list").lines] == [
        ["ann", "user", "-", "-", "yes"],
        ["ci", "service", "-", "-", "-"],
        ["newcomer", "user", "yes", "-", "yes"],
        ["waiting", "user", "-", "yes", "yes"],
    ]
    assert [line[0] for line in run("user", "pending").lines] == ["waiting"]
    shown = run("user", "show", "ann")
    assert "groups: team\n" in shown.out
    assert "read  main   group:team" in shown.out
    assert "laptop" in shown.out
    assert secret not in shown.out
    assert "may do everything, as an admin" in run("user", "show", "newcomer").out
    waiting = run("user", "show", "waiting").out
    assert "groups: none" in waiting
    assert "has no grant" in waiting
    assert "write  main   service:ci" in run("user", "show", "ci").out


# --- changing accounts --------------------------------------------------------------------------------------


def test_a_new_password_signs_browsers_out(run, house, ann):
    _session, cookie = house.catalog.sessions.create("ann", origin="::1", agent="x")
    ran = run("user", "password", "ann", "--stdin", stdin=b"another long one\n")

    assert ran.code == 0
    assert password_is(house, "ann", "another long one")
    assert house.catalog.sessions.find(cookie) is None
    assert audit_lines(house)[-1] == ("password", "ann", "ok")


def test_registered_users_wait_until_they_are_approved(run, house, ann):
    house.catalog.accounts.set_admin("ann", admin=True)
    assert run("user", "registration", "status").out == "registration is forbidden\n"
    assert run("user", "registration", "allow").out == "registration is allowed\n"
    assert house.catalog.accounts.registration_open(default=False)
    house.catalog.accounts.register("ben", "x", default_open=False)
    assert "approve the account first" in run("user", "promote", "ben").err
    assert run("user", "approve", "ben").code == 0
    assert not house.catalog.accounts.get("ben").pending
    assert run("user", "pending").lines == []
    assert run("user", "registration", "forbid").out == "registration is forbidden\n"
    assert audit_lines(house)[1:] == [
        ("registration", "allow", "ok"),
        ("user admin", "ben", "unprocessable"),
        ("user approve", "ben", "ok"),
        ("registration", "forbid", "ok"),
    ]


def test_the_last_admin_stays(run, house, ann):
    assert run("user", "promote", "ann").code == 0
    for change in ("demote", "delete"):
        ran = run("user", change, "ann")
        assert ran.code == 1
        assert "last admin who can sign in" in ran.err
    run("user", "create", "ben", "--admin", "--password-stdin", stdin=PASSWORD.encode())
    assert run("user", "demote", "ann").code == 0
    assert not house.catalog.accounts.get("ann").admin
    assert run("user", "delete", "ann").code == 0
    assert house.catalog.accounts.find("ann") is None
    assert audit_lines(house)[1:] == [
        ("user admin", "ann", "ok"),
        ("user admin", "ann", "last-admin"),
        ("user delete", "ann", "last-admin"),
        ("user create", "ben", "ok"),
        ("user admin", "ann", "ok"),
        ("user delete", "ann", "ok"),
    ]


def test_service_accounts_are_listed_and_deleted(run, house):
    secret = run("key", "create", "ci", "--grant", "write:main").out.strip()
    run("key", "create", "ci-2", "--service", "ci")
    run("key", "create", "old")
    run("key", "revoke", "old")

    assert [line[:3] for line in run("service", "list").lines] == [["ci", "-", "2"], ["old", "-", "0"]]
    assert run("service", "delete", "ci").code == 0
    assert house.catalog.keys.authenticate(secret) is None
    assert house.catalog.grants.of_channel("main") == []
    assert [line[0] for line in run("service", "list").lines] == ["old"]


# --- groups -------------------------------------------------------------------------------------------------


def test_groups_are_made_filled_shown_and_deleted(run, house, ann):
    run("key", "create", "ci")
    assert run("group", "create", "team").code == 0
    both = run("group", "add", "team", "ann", "ci")
    assert both.err == "ann is in team\nci is in team\n"
    assert run("group", "add", "team", "ann").err == "ann is in team already\n"
    house.catalog.grants.give(Grant(principal="group:team", action=Action.WRITE, channel="main"))

    assert run("group", "list").out == "NAME  MEMBERS\nteam  ann, ci\n"
    assert run("group", "show", "team").out == "members: ann, ci\n\nMAY    WHERE\nwrite  main\n"
    assert run("group", "remove", "team", "ci").err == "ci is not in team any more\n"
    assert run("group", "remove", "team", "ci").err == "ci was not in team\n"
    assert house.catalog.groups.members("team") == ["ann"]
    assert run("group", "delete", "team").code == 0
    assert house.catalog.grants.of_channel("main") == []
    assert audit_lines(house)[2:] == [
        ("group create", "team", "ok"),
        ("group add", "ann/team", "ok"),
        ("group add", "ci/team", "ok"),
        ("group add", "ann/team", "ok"),
        *[("group remove", "ci/team", "ok")] * 2,
        ("group delete", "team", "ok"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("group", "create", "team"), 1, "the group team is there already"),
        (("group", "create", "TEAM"), 1, "is taken by the group team"),
        (("group", "create", "everyone"), 1, "that group is built in"),
        (("group", "create", "a/b"), 1, "is not a valid group name"),
        (("group", "delete", "other"), 1, "`packhouse group list` shows them"),
        (("group", "delete", "everyone"), 1, "that group is built in"),
        (("group", "show", "other"), 1, "there is no group other"),
        (("group", "add", "team"), 2, "Missing argument 'USER...'"),
        (("group", "add", "team", "ann", "nobody"), 1, "there is no account nobody"),
        (("group", "add", "other", "ann"), 1, "there is no group other"),
        (("group", "add", "authenticated", "ann"), 1, "that group is built in"),
        (("group", "remove", "team", "nobody"), 1, "there is no account nobody"),
    ],
)
def test_what_a_group_cannot_be_is_said(run, house, ann, arguments, code, says):
    run("group", "create", "team")
    ran = run(*arguments)

    assert ran.code == code
    assert says in ran.err
    assert house.catalog.groups.list() == ["team"]
    assert house.catalog.groups.members("team") == []
