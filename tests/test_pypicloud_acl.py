"""Accounts, groups and rights as a document: pypicloud's own export, ours, and everything that is neither."""

import itertools
import json

import pytest
from house_support import ADMIN, new_house
from template_support import stored_password

from packhouse.errors import Malformed
from packhouse.importing import acl
from packhouse.intake import moving
from packhouse.model import Action, Ecosystem, Grant

HASH = "$6$rounds=20500$foreign$hash"

EXPORT = {
    "allow_register": True,
    "version": "1.3.12",
    "groups": {"cool_people": ["LordFoobar", "stevearc"], "empty": [], "everyone": []},
    "users": [
        {"username": "LordFoobar", "admin": True, "password": HASH},
        {"username": "stevearc", "admin": False, "password": HASH},
    ],
    "packages": {
        "users": {"Fly.Wheel": {"stevearc": ["read", "write"]}},
        "groups": {
            "fly-wheel": {"cool_people": ["read"]},
            "shown": {"everyone": ["read"], "authenticated": ["write"]},
        },
    },
    "pending_users": [{"username": "Wat", "password": HASH}],
}
"""What the real one writes."""


@pytest.fixture
def house(tmp_path):
    house = new_house(tmp_path)
    yield house
    house.close()


def grants(house):
    return {(g.principal, str(g.action), g.package) for g in house.catalog.grants.of_channel("main")}


def test_a_real_export_is_taken_in(house):
    report = acl.load(house, EXPORT, ADMIN)

    catalog = house.catalog
    assert {account.name: (account.admin, account.pending) for account in catalog.accounts.list()} == {
        "LordFoobar": (True, False),
        "Wat": (False, True),
        "stevearc": (False, False),
    }
    assert catalog.groups.list() == ["cool_people", "empty"]
    assert catalog.groups.members("cool_people") == ["LordFoobar", "stevearc"]
    assert grants(house) == {
        ("user:stevearc", "read", "fly-wheel"),
        ("user:stevearc", "write", "fly-wheel"),
        ("group:cool_people", "read", "fly-wheel"),
        ("group:everyone", "read", "shown"),
        ("group:authenticated", "write", "shown"),
    }
    assert catalog.accounts.registration_open(default=False)
    assert (report.users, report.pending, report.groups) == (
        ["LordFoobar", "stevearc"],
        ["Wat"],
        ["cool_people", "empty"],
    )
    assert (report.memberships, report.grants, report.registration) == (2, 5, True)
    assert report.skipped == []


def test_foreign_hashes_are_not_kept_and_nobody_gets_in_with_them(house):
    report = acl.load(house, EXPORT, ADMIN)

    assert report.hashes == 3
    assert report.without_password == ["LordFoobar", "stevearc", "Wat"]
    assert [house.catalog.accounts.stored_password(name) for name in report.without_password] == [None] * 3
    assert not house.catalog.accounts.has_admin()  # an admin who cannot get in is none
    assert HASH.encode() not in house.settings.database.read_bytes()


def test_doing_it_again_changes_nothing(house):
    acl.load(house, EXPORT, ADMIN)
    before = acl.dump(house)

    again = acl.load(house, EXPORT, ADMIN)

    assert (again.users, again.pending, again.groups, again.memberships, again.grants) == ([], [], [], 0, 0)
    assert again.kept == ["LordFoobar", "stevearc", "Wat"]
    assert again.without_password == ["LordFoobar", "stevearc", "Wat"]
    assert acl.dump(house) == before


def test_whoever_is_there_keeps_password_and_rank(house):
    """A name in a document makes nobody an admin who was none here."""
    accounts = house.catalog.accounts
    accounts.create("LordFoobar", password=stored_password("correct horse"))
    accounts.create("stevearc", kind="service", admin=True)

    report = acl.load(house, EXPORT, ADMIN, invite=True)

    assert accounts.get("LordFoobar").admin is False
    assert accounts.get("LordFoobar").has_password
    assert accounts.get("stevearc").kind == "service"
    assert report.kept == ["LordFoobar", "stevearc"]
    assert list(report.invitations) == []
    assert [line.split(":")[0] for line in report.skipped] == [
        "read on Fly.Wheel for user stevearc",
        "write on Fly.Wheel for user stevearc",
    ]


def test_invitations_are_for_those_who_are_approved(house):
    report = acl.load(house, EXPORT, ADMIN, invite=True)

    assert list(report.invitations) == ["LordFoobar", "stevearc"]
    for name, secret in report.invitations.items():
        assert house.catalog.sessions.invited(secret) == name
        assert secret not in repr(report)


def test_names_that_cannot_be_are_left_aside_and_the_rest_is_done(house):
    document = {
        "users": [
            {"username": "with space"},
            {"username": "fine"},
            {"username": "FINE"},
            {"username": "everyone"},
        ],
        "pending_users": [{"username": "?"}],
        "groups": {"bad/name": ["fine"], "team": ["fine", "nobody"]},
        "packages": {
            "users": {"ok": {"fine": ["read", "fallback"], "nobody": ["read"]}, "../x": {"fine": ["read"]}},
            "groups": {"ok": {"no-group": ["write"], "admin": ["read"]}},
        },
    }

    report = acl.load(house, document, ADMIN)

    assert report.users == ["fine"]
    assert house.catalog.groups.members("team") == ["fine"]
    assert grants(house) == {("user:fine", "read", "ok")}
    assert [line.split(":")[0] for line in report.skipped] == [
        "user with space",
        "user FINE",
        "user everyone",
        "user ?",
        "group bad/name",
        "fine in group bad/name",
        "nobody in group team",
        "fallback on ok for user fine",
        "read on ok for user nobody",
        "read on ../x for user fine",
        "write on ok for group no-group",
        "read on ok for group admin",
    ]
    assert report.registration is None


def test_pending_users_may_be_bare_names(house):
    """So pypicloud once exported them."""
    report = acl.load(house, {"pending_users": ["Wat"]}, ADMIN)

    assert report.pending == ["Wat"]
    assert house.catalog.accounts.get("Wat").pending


BROKEN = [
    None,
    [],
    "text",
    {"users": {}},
    {"users": ["bob"]},
    {"users": [{}]},
    {"users": [{"username": 7}]},
    {"pending_users": [7]},
    {"pending_users": {}},
    {"groups": []},
    {"groups": {"team": "bob"}},
    {"groups": {"team": [None]}},
    {"packages": []},
    {"packages": {"users": []}},
    {"packages": {"users": {"p": []}}},
    {"packages": {"users": {"p": {"u": "read"}}}},
    {"packages": {"groups": {"p": {"g": [1]}}}},
    {"allow_register": "yes"},
    {"closed": "p"},
    {"closed": [1]},
]


@pytest.mark.parametrize("document", BROKEN, ids=repr)
def test_a_broken_document_does_nothing_at_all(house, document):
    before = acl.dump(house)
    whole = {**EXPORT, **document} if isinstance(document, dict) else document

    with pytest.raises(Malformed) as refused:
        acl.load(house, whole, ADMIN)

    assert acl.dump(house) == before
    assert HASH not in str(refused.value)


def test_missing_parts_are_empty_ones(house):
    report = acl.load(house, {}, ADMIN)

    assert (report.users, report.grants, report.registration) == ([], 0, None)


def test_ours_is_what_we_take_in(tmp_path):
    """Everything in it, and nothing else: delete and maintain, packages closed without a right, no service account."""
    first, second = new_house(tmp_path / "a"), new_house(tmp_path / "b")
    catalog = first.catalog
    catalog.accounts.create("ann", password=stored_password("correct horse"), admin=True)
    catalog.accounts.create("robot", kind="service")
    catalog.accounts.create("late", pending=True)
    catalog.groups.create("team")
    for member in ("ann", "robot"):
        catalog.groups.add(member, "team")
    for principal, action in itertools.product(("user:ann", "group:team", "service:robot"), Action):
        moving.give(
            first,
            Grant(principal=principal, action=action, channel="main", ecosystem=Ecosystem.PYPI, package="p"),
        )
    moving.close(first, "main", Ecosystem.PYPI, "shut")
    moving.give(first, Grant(principal="user:ann", action=Action.WRITE, channel="main"))
    generic = Grant(
        principal="user:ann", action=Action.READ, channel="main", ecosystem=Ecosystem.GENERIC, package="g"
    )
    moving.give(first, generic)

    document = json.loads(json.dumps(acl.dump(first)))
    report = acl.load(second, document, ADMIN)

    assert document["users"] == [{"username": "ann", "admin": True, "password": None}]
    assert document["pending_users"] == [{"username": "late", "password": None}]
    assert document["packages"]["users"] == {"p": {"ann": ["read", "write", "delete", "maintain"]}}
    assert document["closed"] == ["shut"]
    assert "argon2" not in json.dumps(document)
    assert acl.dump(second) == document
    assert second.catalog.grants.restricted("main") >= {("pypi", "shut"), ("pypi", "p")}
    assert report.closed == 1
    assert acl.load(second, document, ADMIN).closed == 0
    first.close()
    second.close()


def test_an_import_is_in_the_audit_log(house):
    acl.load(house, EXPORT, ADMIN)

    [line] = house.catalog.audit.entries(limit=5)

    assert (line.who, line.action, line.object) == (ADMIN.name, "acl import", "main")
    assert "2 users" in line.note
