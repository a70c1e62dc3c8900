"""Who may do what, as a table that a person can read."""

import pytest

from packhouse.access import permits, readable_by_all
from packhouse.model import ANONYMOUS, Action, Grant, Principal

ADMIN = Principal(name="root", kind="service", admin=True, groups=frozenset({"everyone", "authenticated"}))
CI = Principal(name="ci", kind="service", groups=frozenset({"everyone", "authenticated"}))
DEV = Principal(name="dev", kind="user", groups=frozenset({"everyone", "authenticated", "team"}))

GRANTS = [
    Grant(principal="service:ci", action=Action.WRITE, channel="main"),
    Grant(principal="group:team", action=Action.MAINTAIN, channel="main", ecosystem="pypi", package="six"),
    Grant(principal="user:dev", action=Action.DELETE, channel="other"),
    Grant(principal="service:ci", action=Action.READ, channel="main", ecosystem="conda"),
]

R, W, D, M = Action.READ, Action.WRITE, Action.DELETE, Action.MAINTAIN


@pytest.mark.parametrize(
    ("who", "action", "package", "allowed"),
    [
        (ANONYMOUS, R, None, True),  # default_read = everyone
        (ANONYMOUS, W, None, False),  # default_write = nobody
        (CI, W, None, True),  # a grant on the channel
        (CI, W, ("pypi", "six"), True),  # holds for its packages too
        (CI, D, None, False),  # write is not delete
        (CI, M, None, False),
        (DEV, W, None, False),
        (DEV, W, ("pypi", "six"), True),  # maintain covers write
        (DEV, D, ("pypi", "six"), True),
        (DEV, W, ("conda", "six"), False),  # the same name in another ecosystem is another package
        (DEV, W, ("pypi", "sixty"), False),
        (ANONYMOUS, R, ("pypi", "six"), False),  # a package with a grant leaves the defaults
        (DEV, R, ("pypi", "six"), True),
        (CI, R, ("pypi", "six"), True),  # write covers reading
        (ADMIN, M, ("pypi", "six"), True),
    ],
)
def test_rights(who, action, package, allowed):
    ecosystem, name = package or (None, None)

    assert permits(GRANTS, who, action, "main", ecosystem, name) is allowed


def test_a_private_channel_has_no_default_reader():
    assert not permits([], CI, R, "secret", private=True)
    assert permits([Grant(principal="service:ci", action=R, channel="secret")], CI, R, "secret", private=True)


def test_grants_of_another_channel_do_not_count():
    assert not permits(GRANTS, DEV, D, "main")
    assert permits(GRANTS, DEV, D, "other")


def test_a_default_writer_group_can_be_set():
    assert permits([], CI, W, "main", default_write="authenticated")
    assert not permits([], ANONYMOUS, W, "main", default_write="authenticated")


def test_the_scope_of_a_key_limits_even_an_admin():
    scoped = Principal(
        name="root", kind="service", admin=True, channels=frozenset({"a"}), actions=frozenset({R})
    )

    assert permits([], scoped, R, "a")
    assert not permits([], scoped, R, "b")
    assert not permits([], scoped, W, "a")


def test_readable_by_all_is_what_a_stranger_may_read():
    assert readable_by_all([], "main", "pypi", "six", private=False)
    assert not readable_by_all(GRANTS, "main", "pypi", "six", private=False)
    assert not readable_by_all([], "main", "pypi", "six", private=True)
