"""Groups: who is in them counts at once, the built-in ones cannot be touched, and a deleted one leaves nothing."""

import pytest

from packhouse.catalog import Catalog
from packhouse.errors import AccountExists, BadName, NotFound
from packhouse.model import Action, Grant
from packhouse.names import ChannelName


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "catalog.sqlite")
    catalog.channels.create(ChannelName("main"), born=[])
    for name in ("ann", "bob"):
        catalog.accounts.create(name)
    catalog.accounts.create("robot", kind="service")
    yield catalog
    catalog.close()


@pytest.fixture
def groups(catalog):
    return catalog.groups


def test_a_group_is_made_once(groups):
    assert groups.create("team")
    assert not groups.create("team")
    assert groups.list() == ["team"]
    assert groups.exists("team")
    assert not groups.exists("Team")


@pytest.mark.parametrize("name", ["Team", "TEAM"])
def test_two_groups_never_differ_in_letter_case_only(groups, name):
    groups.create("team")

    with pytest.raises(AccountExists, match="taken by the group team"):
        groups.create(name)


def test_a_group_may_have_the_name_of_an_account(catalog, groups):
    """`group:ann` and `user:ann` are two principals."""
    groups.create("ann")
    catalog.grants.give(Grant(principal="group:ann", action=Action.WRITE, channel="main"))

    assert catalog.grants.of_principals(["user:ann"]) == []
    assert groups.members("ann") == []


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "a:b", "group:team", "-x", "x" * 101, "anonymous", "local"]
)
def test_names_that_cannot_be_had(groups, name):
    with pytest.raises(BadName):
        groups.create(name)
    assert groups.list() == []


@pytest.mark.parametrize("name", ["everyone", "authenticated"])
def test_nobody_makes_changes_or_deletes_a_built_in_group(groups, name):
    for attempt in (
        lambda: groups.create(name),
        lambda: groups.create(name.upper()),
        lambda: groups.delete(name),
        lambda: groups.add("ann", name),
        lambda: groups.remove("ann", name),
        lambda: groups.members(name),
    ):
        with pytest.raises(BadName, match="built in"):
            attempt()
    assert groups.list() == []
    assert groups.of("ann") == []


def test_members_come_and_go(catalog, groups):
    groups.create("team")
    assert groups.add("bob", "team")
    assert groups.add("ann", "team")
    assert groups.add("robot", "team")
    assert not groups.add("ann", "team"), "twice is once"
    assert groups.members("team") == ["ann", "bob", "robot"]
    assert groups.of("ann") == ["team"]
    assert "team" in catalog.accounts.principal("ann", via="password").groups

    assert groups.remove("ann", "team")
    assert not groups.remove("ann", "team")
    assert not groups.remove("nobody", "team")
    assert groups.members("team") == ["bob", "robot"]
    assert "team" not in catalog.accounts.principal("ann", via="password").groups


def test_groups_hold_accounts_that_are_there(groups):
    groups.create("team")

    for name in ("nobody", "Ann", "user:ann"):
        with pytest.raises(NotFound, match="there is no account"):
            groups.add(name, "team")
    for attempt in (
        lambda: groups.add("ann", "guests"),
        lambda: groups.remove("ann", "guests"),
        lambda: groups.members("guests"),
        lambda: groups.delete("guests"),
    ):
        with pytest.raises(NotFound, match="there is no group guests"):
            attempt()
    assert groups.members("team") == []


def test_a_deleted_group_leaves_nothing_to_a_later_one_of_its_name(catalog, groups):
    groups.create("team")
    groups.create("others")
    for name in ("team", "others"):
        groups.add("ann", name)
        for where in ({}, {"ecosystem": "pypi", "package": "six"}):
            catalog.grants.give(Grant(principal=f"group:{name}", action=Action.READ, channel="main", **where))
    catalog.accounts.create("team")
    catalog.grants.give(Grant(principal="user:team", action=Action.READ, channel="main"))

    groups.delete("team")
    assert groups.list() == ["others"]
    groups.create("team")

    assert groups.members("team") == []
    assert groups.of("ann") == ["others"]
    assert {grant.principal for grant in catalog.grants.of_channel("main")} == {"group:others", "user:team"}
    assert catalog.grants.closed("main") == {("pypi", "six")}
