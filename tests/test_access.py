"""Who may do what, as tables that a person can read: the policy of one channel above, the decisions below.

Marks: `r` read, `w` write, `d` delete, `m` maintain; a dot where the answer is no.
"""

import itertools

import pytest

from packhouse.access import (
    AUTHENTICATED,
    BUILT_IN,
    EVERYONE,
    administers,
    explain,
    names,
    open_to_all,
    permits,
    restricted,
)
from packhouse.model import ANONYMOUS, Action, Grant, Policy, Principal

READ, WRITE, DELETE, MAINTAIN = Action.READ, Action.WRITE, Action.DELETE, Action.MAINTAIN


def somebody(name, *groups, kind="user", **more) -> Principal:
    return Principal(name=name, kind=kind, groups=frozenset({*BUILT_IN, *groups}), **more)


PEOPLE = {
    "stranger": ANONYMOUS,
    "ann": somebody("ann"),  # an account, and nothing else
    "dev": somebody("dev", "team"),
    "ci": somebody("ci", kind="service"),
    "root": somebody("root", admin=True),
}


def grant(text: str, channel: str = "main") -> Grant:
    """`write group:team`, `read user:ann pypi`, `maintain user:ann pypi/six`."""
    action, principal, *where = text.split()
    ecosystem, _, package = (where or [""])[0].partition("/")
    return Grant(
        principal=principal,
        action=Action(action),
        channel=channel,
        ecosystem=ecosystem or None,
        package=package or None,
    )


def policy(*grants: str, closed: str = "", **more) -> Policy:
    """A policy of `main`; packages with grants are closed, as the catalog sees to, and those named in `closed`."""
    given = [grant(text) for text in grants]
    shut = {(item.ecosystem, item.package) for item in given if item.package}
    shut |= {tuple(text.split("/")) for text in closed.split()}
    return Policy(channel="main", grants=given, closed=frozenset(shut), **more)


def marks(rules: Policy, who: Principal, where: str = "") -> str:
    """What they may do there: `rwdm`, with a dot for each no."""
    ecosystem, _, package = where.partition("/")
    return "".join(
        action[0] if permits(rules, who, action, ecosystem or None, package or None) else "."
        for action in Action
    )


ANYWHERE = ("", "pypi", "pypi/six", "conda/six", "generic/tool")

PUBLIC = policy(
    "write service:ci",
    "maintain group:team pypi/six",
    "read user:ann generic/tool",
    "delete user:ann conda/six",
)
PRIVATE = policy("read group:team", "write service:ci", "read user:ann pypi/six", private=True)
OFFICE = policy("write group:authenticated pypi/six", default_read="authenticated", default_write="team")
LOCKED = policy("read group:everyone pypi/six", default_read="", default_write="authenticated")
WIDE = policy(
    "read group:everyone",
    "read group:team pypi",
    "delete user:ann pypi",
    "write group:everyone generic",
    closed="pypi/six generic/tool",
)

TABLE = """
policy   who       |  whole channel  all of pypi  pypi/six  conda/six  generic/tool

public   stranger  |  r...           r...         ....      r...       ....
public   ann       |  r...           r...         ....      r.d.       r...
public   dev       |  r...           r...         rwdm      r...       ....
public   ci        |  rw..           rw..         rw..      rw..       rw..
public   root      |  rwdm           rwdm         rwdm      rwdm       rwdm

private  stranger  |  ....           ....         ....      ....       ....
private  ann       |  ....           ....         r...      ....       ....
private  dev       |  r...           r...         ....      r...       r...
private  ci        |  rw..           rw..         rw..      rw..       rw..
private  root      |  rwdm           rwdm         rwdm      rwdm       rwdm

office   stranger  |  ....           ....         ....      ....       ....
office   ann       |  r...           r...         rw..      r...       r...
office   dev       |  rw..           rw..         rw..      rw..       rw..
office   ci        |  r...           r...         rw..      r...       r...
office   root      |  rwdm           rwdm         rwdm      rwdm       rwdm

locked   stranger  |  ....           ....         r...      ....       ....
locked   ann       |  .w..           .w..         r...      .w..       .w..
locked   dev       |  .w..           .w..         r...      .w..       .w..
locked   root      |  rwdm           rwdm         rwdm      rwdm       rwdm

wide     stranger  |  r...           r...         ....      r...       r...
wide     ann       |  r...           r.d.         r.d.      r...       rw..
wide     dev       |  r...           r...         ....      r...       rw..
wide     root      |  rwdm           rwdm         rwdm      rwdm       rwdm
"""
POLICIES = {"public": PUBLIC, "private": PRIVATE, "office": OFFICE, "locked": LOCKED, "wide": WIDE}
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:] if line]


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row[:2]) for row in ROWS])
def test_rights(row):
    rules, who, _, *expected = row

    assert [marks(POLICIES[rules], PEOPLE[who], where) for where in ANYWHERE] == expected


# --- what one grant covers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("granted", "allowed"), [("read", "r..."), ("write", "rw.."), ("delete", "r.d."), ("maintain", "rwdm")]
)
def test_everything_covers_reading_and_maintain_the_rest(granted, allowed):
    ann = PEOPLE["ann"]

    assert marks(policy(f"{granted} user:ann", private=True), ann) == allowed
    assert marks(policy(f"{granted} user:ann pypi/six"), ann, "pypi/six") == allowed


def test_grants_of_another_channel_do_not_count():
    elsewhere = Policy(channel="main", grants=[grant("maintain user:ann", channel="other")])

    assert marks(elsewhere, PEOPLE["ann"]) == "r..."


def test_a_name_is_one_in_its_kind_only():
    """A user, a service account and a group of the same name are three."""
    rules = policy("maintain user:ci", "maintain group:ann", private=True)

    assert marks(rules, PEOPLE["ci"]) == "...."
    assert marks(rules, PEOPLE["ann"]) == "...."
    assert names(PEOPLE["ci"]) == {"service:ci", "group:everyone", "group:authenticated"}


@pytest.mark.parametrize("name", ["anonymous", "everyone", "root"])
def test_a_stranger_has_no_name(name):
    """Whatever a grant says: who did not sign in is a member of `everyone` and nothing else."""
    rules = policy(f"maintain user:{name}", f"maintain anonymous:{name}", private=True)

    assert marks(rules, Principal(name=name)) == "...."
    assert names(ANONYMOUS) == {"group:everyone"}


def test_everyone_may_be_granted_anything_but_changes_need_an_account():
    rules = policy("maintain group:everyone", default_write="everyone")

    assert marks(rules, ANONYMOUS) == "r..."
    assert marks(rules, PEOPLE["ann"]) == "rwdm"


def test_the_same_name_in_another_ecosystem_is_another_package():
    rules = policy("maintain user:ann pypi/six", private=True)

    assert marks(rules, PEOPLE["ann"], "pypi/six") == "rwdm"
    assert marks(rules, PEOPLE["ann"], "generic/six") == "...."
    assert marks(rules, PEOPLE["ann"], "pypi/sixty") == "...."


def test_a_package_without_its_ecosystem_is_never_asked_about():
    """It would be known to be closed under another name."""
    with pytest.raises(ValueError, match="needs its ecosystem"):
        permits(PUBLIC, ANONYMOUS, READ, None, "six")


# --- closed packages ---------------------------------------------------------------------------------------------


def test_removing_every_grant_never_opens_a_package_again():
    emptied = policy(closed="pypi/six")

    for who in ("stranger", "ann", "dev", "ci"):
        assert marks(emptied, PEOPLE[who], "pypi/six") == "....", who
    assert marks(emptied, PEOPLE["root"], "pypi/six") == "rwdm"
    assert marks(emptied, ANONYMOUS, "pypi/other") == "r..."


def test_reading_everywhere_does_not_reach_closed_packages_but_changing_does():
    for action, allowed in (("read", "...."), ("write", "rw.."), ("delete", "r.d."), ("maintain", "rwdm")):
        rules = policy(f"{action} user:ann", closed="pypi/six")
        assert marks(rules, PEOPLE["ann"], "pypi/six") == allowed, action


def test_conda_reads_a_channel_as_a_whole():
    """repodata.json is one file for every package of a subdir."""
    closed = policy("write user:ann conda/six")

    assert marks(closed, ANONYMOUS, "conda/six") == "r..."
    assert marks(closed, PEOPLE["ann"], "conda/six") == "rw.."

    private = policy("write user:ann conda/six", private=True)
    assert marks(private, PEOPLE["ann"], "conda/six") == ".w..", "reading would be reading all of it"


# --- keys with a scope -------------------------------------------------------------------------------------------


def scoped(who: str, channels=None, actions=None) -> Principal:
    base = PEOPLE[who]
    return somebody(
        base.name,
        *base.groups,
        kind=base.kind,
        admin=base.admin,
        channels=None if channels is None else frozenset(channels),
        actions=None if actions is None else frozenset(actions),
    )


@pytest.mark.parametrize(
    ("who", "channels", "actions", "allowed"),
    [
        ("root", None, None, "rwdm"),
        ("root", {"main"}, None, "rwdm"),
        ("root", {"other"}, None, "...."),
        ("root", set(), None, "...."),
        ("root", None, {READ}, "r..."),
        ("root", None, set(), "...."),
        ("root", {"main", "other"}, {READ, DELETE}, "r.d."),
        ("ci", {"main"}, None, "rw.."),
        ("ci", {"other"}, None, "...."),  # not even what everyone may read: the key was made for elsewhere
        ("ci", None, {WRITE}, ".w.."),  # a scope says exactly what the key is for, and covers nothing else
        ("ci", None, {MAINTAIN}, "...."),
        ("ci", None, {READ, WRITE, DELETE}, "rw.."),  # and gives nothing
    ],
)
def test_the_scope_of_a_key_limits_even_an_admin(who, channels, actions, allowed):
    assert marks(PUBLIC, scoped(who, channels, actions)) == allowed
    assert marks(PUBLIC, scoped(who, channels, actions), "pypi/six") == allowed


@pytest.mark.parametrize(
    ("who", "yes"),
    [
        (PEOPLE["root"], True),
        (scoped("root", channels={"main"}), False),
        (scoped("root", actions=set(Action)), False),
        (scoped("root", channels=set()), False),
        (PEOPLE["ci"], False),
        (ANONYMOUS, False),
    ],
)
def test_an_admin_key_with_a_scope_administers_nothing(who, yes):
    assert administers(who) is yes


# --- places ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "yes"),
    [
        (policy(), True),
        (policy(default_read=AUTHENTICATED), False),
        (policy(default_read=""), False),
        (policy(private=True), False),
        (policy("read group:team", "maintain user:ann"), True),
        (policy("read user:ann pypi/six"), True),
    ],
)
def test_a_channel_is_public_if_a_stranger_reads_it(rules, yes):
    assert open_to_all(rules) is yes


@pytest.mark.parametrize(
    ("rules", "package", "yes"),
    [
        (policy(), "pypi/six", False),
        (policy(closed="pypi/six"), "pypi/six", True),
        (policy(closed="pypi/six"), "pypi/sixty", False),
        (policy(closed="pypi/six"), "generic/six", False),
        (policy(closed="conda/six"), "conda/six", False),  # conda reads the channel
        (policy(closed="generic/tool"), "generic/tool", True),
        (policy("read user:ann pypi/six"), "pypi/six", True),
        (policy("read group:authenticated pypi/six"), "pypi/six", True),
        (policy("read group:everyone pypi/six"), "pypi/six", False),
        (policy("maintain group:everyone pypi/six"), "pypi/six", False),
        (policy("read group:everyone", closed="pypi/six"), "pypi/six", True),
        (policy("write group:everyone", closed="pypi/six"), "pypi/six", False),
        (policy("write group:everyone generic", closed="pypi/six"), "pypi/six", True),
        (policy(closed="pypi/six", private=True), "pypi/six", True),
    ],
)
def test_a_package_is_restricted_if_its_channel_has_readers_that_it_has_not(rules, package, yes):
    assert restricted(rules, *package.split("/")) is yes


def test_what_is_restricted_no_stranger_reads_and_the_other_way_round():
    """In a channel that a stranger reads: the two words for one thing agree over every small policy."""
    words = ["read", "write"], ["group:everyone", "user:ann"], ["", "pypi", "pypi/six"]
    each = [" ".join(parts).strip() for parts in itertools.product(*words)]
    for few in itertools.combinations(each, 2):
        for closed in ("", "pypi/six"):
            rules = policy(*few, closed=closed)
            stranger = permits(rules, ANONYMOUS, READ, "pypi", "six")
            assert restricted(rules, "pypi", "six") is not stranger, (few, closed)


# --- words -------------------------------------------------------------------------------------------------------


def test_a_grant_reads_as_a_part_of_a_sentence():
    assert explain(grant("read group:team pypi/flask")) == "read on main/pypi/flask for group:team"
    assert explain(grant("write user:ann")) == "write on main for user:ann"


def test_the_built_in_groups():
    assert {EVERYONE, AUTHENTICATED} == BUILT_IN == {"everyone", "authenticated"}
