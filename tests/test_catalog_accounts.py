"""Accounts: registration and approval, one spelling per name, and never nobody left to administer the server."""

import sqlite3

import pytest
from rights_support import DAY_US, Now, at_once, dump
from sqlalchemy import text

from packhouse.catalog import Catalog
from packhouse.catalog.accounts import Account, check_name
from packhouse.catalog.engine import writing
from packhouse.catalog.passwords import hash_password
from packhouse.errors import (
    AccountExists,
    BadName,
    Busy,
    LastAdmin,
    NotFound,
    RegistrationClosed,
    Unprocessable,
)
from packhouse.model import Action, Grant
from packhouse.names import ChannelName


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=now)
    catalog.channels.create(ChannelName("main"), born=[])
    yield catalog
    catalog.close()


@pytest.fixture
def accounts(catalog):
    return catalog.accounts


@pytest.fixture
def chief(accounts):
    accounts.create("chief", password="phc", admin=True)
    return "chief"


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ann", "Ann.Smith", "a@b.example", "_robot", "7", "x+y-z", "a" * 100])
def test_names_that_can_be_had(name):
    assert check_name("account", name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "a b",
            "a/b",
            "a:b",
            "user:ann",
            "a\n",
            "\nann",
            ".hidden",
            "-dash",
            "@home",
            "+1",
            "a" * 101,
        ),
        *("änn", "\u0430nn", "a\u200bb", "ann\0", "\ud800", "ann,bob", "a'b", 'a"b', "a%b", "a\\b"),
        *(
            "anonymous",
            "Anonymous",
            "everyone",
            "EVERYONE",
            "authenticated",
            "local",
            "__token__",
            "admin-token",
        ),
    ],
)
def test_names_that_cannot_be_had(accounts, name):
    """Cyrillic letters, colons of principals and Basic authentication, words with a meaning of their own."""
    for attempt in (
        lambda: accounts.create(name),
        lambda: accounts.register(name, "phc", default_open=True),
    ):
        with pytest.raises(BadName):
            attempt()
    assert accounts.list() == []


def test_two_names_never_differ_in_letter_case_only(accounts, chief):
    """People would grant rights to the wrong one."""
    accounts.create("Ann")
    accounts.create("robot", kind="service")

    for name in ("ann", "ANN", "Ann"):
        with pytest.raises(AccountExists, match="taken by the user Ann"):
            accounts.create(name)
        with pytest.raises(AccountExists, match="taken by the user Ann"):
            accounts.register(name, "phc", default_open=True)
    with pytest.raises(AccountExists, match="taken by the service account robot"):
        accounts.create("Robot")
    assert accounts.find("ann") is None, "and each has one spelling"


def test_a_catalog_of_old_with_two_spellings_is_still_readable(catalog, accounts):
    with writing(catalog._engine) as connection:
        for name in ("ci", "CI"):
            connection.execute(
                text("INSERT INTO accounts VALUES (:name, 'service', 0, NULL, 0, 0)"), {"name": name}
            )

    assert (accounts.get("ci").name, accounts.get("CI").name) == ("ci", "CI")
    with pytest.raises(AccountExists, match="taken by the service account ci"):
        accounts.create("Ci")


# --- registration ------------------------------------------------------------------------------------------------


def test_the_first_who_registers_is_the_admin_and_the_next_one_waits(accounts):
    """Even where registration is closed: else nobody could ever begin."""
    first = accounts.register("ann", "phc", default_open=False)
    assert (first.admin, first.pending, first.kind) == (True, False, "user")
    with pytest.raises(RegistrationClosed, match="ask an admin"):
        accounts.register("bob", "phc", default_open=False)
    second = accounts.register("bob", "phc", default_open=True)
    assert (second.admin, second.pending) == (False, True)


def test_two_who_register_at_once_make_one_admin(accounts):
    outcomes = at_once(
        *(lambda n=n: accounts.register(f"user{n}", "phc", default_open=True) for n in range(8))
    )

    assert all(isinstance(outcome, Account) for outcome in outcomes)
    assert sorted((outcome.admin, outcome.pending) for outcome in outcomes) == [
        *[(False, True)] * 7,
        (True, False),
    ]


def test_one_name_registered_twice_at_once_is_one_account(accounts):
    outcomes = at_once(*(lambda: accounts.register("ann", "phc", default_open=True) for _ in range(4)))

    assert sum(isinstance(outcome, Account) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AccountExists) for outcome in outcomes) == 3


def test_an_admin_key_counts_as_an_admin_even_when_it_is_worth_nothing_any_more(catalog, accounts, now):
    """A stranger must not become admin because a key expired over night."""
    catalog.keys.create_for_service("root", admin=True, expires_us=now.us + 5)
    catalog.keys.revoke("root")
    assert not accounts.has_admin()

    assert accounts.register("eve", "phc", default_open=True).pending
    with pytest.raises(RegistrationClosed):
        accounts.register("eva", "phc", default_open=False)


def test_a_user_made_by_an_admin_does_not_end_the_first_registration(accounts):
    accounts.create("bob")

    assert accounts.register("ann", "phc", default_open=False).admin


def test_an_admins_word_about_registration_outlasts_the_setting(accounts, chief):
    assert accounts.registration_open(default=True)
    assert not accounts.registration_open(default=False)
    accounts.open_registration(allow=False)
    assert not accounts.registration_open(default=True)
    with pytest.raises(RegistrationClosed):
        accounts.register("eve", "phc", default_open=True)
    accounts.open_registration(allow=True)
    assert accounts.registration_open(default=False)
    assert accounts.register("eve", "phc", default_open=False).pending


# --- pending -----------------------------------------------------------------------------------------------------


def test_who_waits_for_approval_is_nobody_yet(accounts, chief):
    accounts.register("eve", "phc", default_open=True)

    assert accounts.principal("eve", via="password") is None
    assert [item.name for item in accounts.list(pending=True)] == ["eve"]
    with pytest.raises(Unprocessable, match="approve the account first"):
        accounts.set_admin("eve", admin=True)

    for _ in range(2):
        assert not accounts.approve("eve").pending
    assert accounts.principal("eve", via="password").name == "eve"
    assert accounts.list(pending=True) == []


def test_who_waits_is_no_admin_left(accounts, chief, catalog):
    accounts.register("eve", "phc", default_open=True)
    with writing(catalog._engine) as connection:
        connection.execute(text("UPDATE accounts SET admin = 1 WHERE name = 'eve'"))

    with pytest.raises(LastAdmin):
        accounts.delete("chief")


# --- the last admin ----------------------------------------------------------------------------------------------


def test_the_last_admin_stays(accounts, chief):
    for attempt in (lambda: accounts.delete("chief"), lambda: accounts.set_admin("chief", admin=False)):
        with pytest.raises(LastAdmin, match="make another admin first"):
            attempt()
    assert accounts.get("chief").admin

    accounts.create("second", password="phc")
    accounts.set_admin("second", admin=True)
    accounts.set_admin("chief", admin=False)
    with pytest.raises(LastAdmin):
        accounts.delete("second")
    accounts.delete("chief")


def test_two_admins_who_remove_each_other_at_once_leave_one(accounts, chief):
    accounts.create("second", password="phc", admin=True)

    outcomes = at_once(
        lambda: accounts.set_admin("chief", admin=False),
        lambda: accounts.set_admin("second", admin=False),
        lambda: accounts.delete("chief"),
        lambda: accounts.delete("second"),
    )

    assert sum(item.admin for item in accounts.list()) == 1
    assert sum(isinstance(outcome, LastAdmin) for outcome in outcomes) >= 1
    assert all(isinstance(outcome, (LastAdmin, NotFound, Account)) for outcome in outcomes)


@pytest.mark.parametrize(
    "spare",
    [
        "no password",
        "revoked key",
        "expired key",
        "key with channels",
        "key with actions",
        "key with an empty scope",
    ],
)
def test_an_admin_who_cannot_get_in_is_none(catalog, accounts, chief, spare, now):
    """Or the last one who can would be removed."""
    accounts.create("spare", kind="service", admin=True)
    scope = {
        "key with channels": {"channels": ["main"]},
        "key with actions": {"actions": list(Action)},
        "key with an empty scope": {"channels": []},
    }.get(spare, {})
    if spare != "no password":
        catalog.keys.create("spare", "spare", expires_us=now.us + 5, **scope)
    if spare == "revoked key":
        catalog.keys.revoke("spare")
    if spare == "expired key":
        now.us += 5

    with pytest.raises(LastAdmin):
        accounts.delete("chief")
    catalog.keys.create("spare", "good")
    assert accounts.delete("chief").name == "chief"
    assert accounts.has_admin()


def test_an_admin_exists_when_one_can_get_in(catalog, accounts, now):
    assert not accounts.has_admin()
    catalog.keys.create_for_service("ci")
    assert not accounts.has_admin()
    catalog.keys.create_for_service("root", admin=True, expires_us=now.us + 5)
    assert accounts.has_admin()
    now.us += 5
    assert not accounts.has_admin()
    accounts.create("ann", admin=True)
    assert not accounts.has_admin(), "without a password"
    accounts.set_password("ann", "phc")
    assert accounts.has_admin()
    with pytest.raises(Unprocessable, match="exists and is an admin"):
        catalog.keys.create_for_service("root")


# --- passwords ---------------------------------------------------------------------------------------------------


def test_a_new_password_ends_every_session_and_the_invitation(catalog, accounts):
    """Whoever changes it may have lost the old one, or the link to set it."""
    accounts.create("ann", password="old")
    accounts.create("bob", password="old")
    _, mine = catalog.sessions.create("ann", origin="", agent="")
    _, his = catalog.sessions.create("bob", origin="", agent="")
    link = catalog.sessions.invite("ann")

    accounts.set_password("ann", "new")

    assert accounts.stored_password("ann") == "new"
    assert catalog.sessions.find(mine) is None
    assert catalog.sessions.invited(link) is None
    assert catalog.sessions.find(his).account == "bob"


def test_only_users_have_passwords(accounts):
    accounts.create("robot", kind="service")

    for attempt in (lambda: accounts.set_password("robot", "phc"), lambda: accounts.approve("robot")):
        with pytest.raises(Unprocessable, match="signs in with keys only"):
            attempt()
    assert accounts.stored_password("robot") is None
    assert accounts.get("robot").has_password is False
    for attempt in (
        lambda: accounts.set_password("nobody", "phc"),
        lambda: accounts.approve("nobody"),
        lambda: accounts.set_admin("nobody", admin=True),
        lambda: accounts.delete("nobody"),
        lambda: accounts.get("nobody"),
    ):
        with pytest.raises(NotFound, match="there is no account nobody"):
            attempt()


@pytest.mark.parametrize("name", ["nobody", "", "ANN", "ann ", "\ud800", "a\0", "x" * 5000])
def test_who_is_not_there_has_no_password(accounts, name):
    accounts.create("ann", password="phc")

    assert accounts.stored_password(name) is None


def test_a_password_is_hashed_anew_only_if_it_is_still_the_same(accounts):
    accounts.create("ann", password="old")
    accounts.rehash("ann", "other", "lost")
    assert accounts.stored_password("ann") == "old"
    accounts.rehash("ann", "old", "new")
    assert accounts.stored_password("ann") == "new"


def test_hashing_anew_never_waits(accounts, tmp_path):
    accounts.create("ann", password="old")
    other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy):
        accounts.rehash("ann", "old", "new")
    other.execute("ROLLBACK")
    other.close()


def test_no_password_is_in_the_database(catalog, accounts, tmp_path):
    accounts.create("ann", password=hash_password("open sesame"))
    accounts.set_password("ann", hash_password("close sesame"))
    catalog.close()

    found = dump(tmp_path / "catalog.sqlite")

    assert "$argon2id$" in found
    assert "sesame" not in found


# --- being admin, and deleting -----------------------------------------------------------------------------------


def test_becoming_or_ceasing_to_be_admin_ends_sessions(catalog, accounts, chief):
    accounts.create("ann", password="phc")
    for admin in (True, False):
        _, before = catalog.sessions.create("ann", origin="", agent="")
        assert accounts.set_admin("ann", admin=admin).admin is admin
        assert catalog.sessions.find(before) is None
        _, after = catalog.sessions.create("ann", origin="", agent="")
        accounts.set_admin("ann", admin=admin)
        assert catalog.sessions.find(after) is not None, "nothing changed"


def test_a_deleted_account_leaves_nothing_to_a_later_one_of_its_name(catalog, accounts, now):
    for kind in ("user", "service"):
        accounts.create("ann", kind=kind, password="phc" if kind == "user" else None)
        catalog.groups.create("team")
        catalog.groups.add("ann", "team")
        _, key = catalog.keys.create("ann", "laptop", expires_us=now.us + DAY_US)
        _, cookie = catalog.sessions.create("ann", origin="", agent="")
        link = catalog.sessions.invite("ann")
        for where in ({}, {"ecosystem": "pypi", "package": "six"}):
            catalog.grants.give(Grant(principal=f"{kind}:ann", action=Action.WRITE, channel="main", **where))

        assert accounts.delete("ann").name == "ann"
        assert accounts.find("ann") is None
        accounts.create("ann", kind=kind)

        assert catalog.keys.authenticate(key) is None
        assert catalog.sessions.find(cookie) is None
        assert catalog.sessions.list("ann") == []
        assert catalog.sessions.invited(link) is None
        assert catalog.groups.members("team") == []
        assert catalog.grants.of_channel("main") == []
        assert catalog.grants.closed("main") == {("pypi", "six")}, "and what was closed stays closed"
        assert accounts.stored_password("ann") is None
        accounts.delete("ann")


def test_lists_are_by_kind(accounts, chief):
    accounts.create("bob")
    accounts.create("robot", kind="service")
    accounts.register("eve", "phc", default_open=True)

    def named(**asked):
        return [item.name for item in accounts.list(**asked)]

    assert named() == ["bob", "chief", "eve", "robot"]
    assert named(kind="service") == ["robot"]
    assert named(kind="user", pending=False) == ["bob", "chief"]
    assert [item.has_password for item in accounts.list()] == [False, True, True, False]


def test_a_principal_says_how_and_from_where(accounts, catalog):
    accounts.create("ann", admin=True)
    catalog.groups.create("team")
    catalog.groups.add("ann", "team")

    found = accounts.principal("ann", via="session", address="2001:db8::1")

    assert (found.name, found.kind, found.admin, found.via, found.address) == (
        *("ann", "user", True),
        *("session", "2001:db8::1"),
    )
    assert found.groups == {"everyone", "authenticated", "team"}
    assert (found.channels, found.actions) == (None, None)
    assert accounts.principal("nobody", via="session") is None
