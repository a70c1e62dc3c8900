"""Grants: the first one on a package closes it for good, and whether it is restricted is kept with it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rights_support import Now, at_once
from sqlalchemy import delete

from packhouse import access
from packhouse.catalog import Catalog, schema
from packhouse.catalog.engine import writing
from packhouse.catalog.grants import Given
from packhouse.errors import NotFound, Unprocessable
from packhouse.model import Action, Area, Grant, Policy
from packhouse.names import ChannelName

READ, WRITE, DELETE, MAINTAIN = Action.READ, Action.WRITE, Action.DELETE, Action.MAINTAIN
SIX = ("pypi", "six")
AREAS = (Area("main", "pypi", "index", "six"), Area("main", "pypi", "root"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    catalog = Catalog(tmp_path_factory.mktemp("grants") / "catalog.sqlite", clock=Now())
    for channel in ("main", "other"):
        catalog.channels.create(ChannelName(channel), born=[])
    for name in ("ann", "bob"):
        catalog.accounts.create(name)
    catalog.accounts.create("ci", kind="service")
    catalog.groups.create("team")
    yield catalog
    catalog.close()


@pytest.fixture
def catalog(shared):
    forget(shared)
    return shared


def forget(catalog):
    with writing(catalog._engine) as connection:
        for table in (schema.grants, schema.closed, schema.dirty):
            connection.execute(delete(table))


def right(principal, action=READ, package=SIX, channel="main") -> Grant:
    ecosystem, name = package or (None, None)
    return Grant(principal=principal, action=action, channel=channel, ecosystem=ecosystem, package=name)


# --- giving ------------------------------------------------------------------------------------------------------


def test_granting_twice_is_granting_once(catalog):
    grant = right("group:team")

    assert catalog.grants.give(grant).changed
    assert not catalog.grants.give(grant).changed
    assert catalog.grants.of_channel("main") == [grant]


def test_granting_at_once_is_granting_once(catalog):
    grant = right("group:team")

    outcomes = at_once(*(lambda: catalog.grants.give(grant) for _ in range(6)))

    assert all(isinstance(outcome, Given) for outcome in outcomes)
    assert sum(outcome.changed for outcome in outcomes) == 1
    assert sum(outcome.moved for outcome in outcomes) == 1
    assert catalog.grants.of_channel("main") == [grant]


@pytest.mark.parametrize(
    "principal", ["user:ann", "service:ci", "group:team", "group:everyone", "group:authenticated"]
)
def test_who_can_be_granted_something(catalog, principal):
    assert catalog.grants.give(right(principal)).changed


@pytest.mark.parametrize(
    "principal",
    [
        *("user:nobody", "user:Ann", "user:ci", "service:ann", "service:nobody", "group:nobody", "group:ann"),
        *("user:everyone", "group:Everyone", "user:anonymous", "group:anonymous", "user: ann"),
    ],
)
def test_a_right_for_nobody_is_refused(catalog, principal):
    """A misspelt name would wait for whoever registers under it."""
    with pytest.raises(NotFound):
        catalog.grants.give(right(principal))
    assert catalog.grants.closed("main") == frozenset()


@pytest.mark.parametrize(
    "principal", ["", "ann", "user:", ":ann", "anonymous", "admin:ann", "USER:ann", "user"]
)
def test_what_is_no_principal_is_refused(catalog, principal):
    with pytest.raises(Unprocessable, match="name it user:NAME, service:NAME or group:NAME"):
        catalog.grants.give(right(principal))
    assert catalog.grants.of_channel("main") == []


def test_a_right_in_a_channel_that_is_not_there_is_refused(catalog):
    with pytest.raises(NotFound, match="there is no channel elsewhere"):
        catalog.grants.give(right("user:ann", channel="elsewhere"))


def test_reading_one_conda_package_cannot_be_granted(catalog):
    with pytest.raises(Unprocessable, match="grant reading on the channel"):
        catalog.grants.give(right("user:ann", READ, ("conda", "numpy")))
    assert catalog.grants.give(right("user:ann", WRITE, ("conda", "numpy"))).restricted is False
    assert catalog.grants.restricted("main") == frozenset()


@pytest.mark.parametrize("ecosystem", [None, "", "npm", "PyPI"])
def test_a_package_is_named_with_its_ecosystem(catalog, ecosystem):
    """Or another package would be closed than the one that was meant."""
    with pytest.raises(Unprocessable, match="needs its ecosystem"):
        catalog.grants.give(right("user:ann", READ, (ecosystem, "six")))
    assert catalog.grants.closed("main") == frozenset()


# --- closing -----------------------------------------------------------------------------------------------------


def test_the_first_grant_closes_and_nothing_opens(catalog):
    grants = catalog.grants
    assert grants.closed("main") == frozenset()
    assert grants.give(right("user:ann")) == Given(changed=True, restricted=True, moved=True, awaited={})
    assert grants.take(right("user:ann")) == Given(changed=True, restricted=True, moved=False, awaited={})

    assert grants.of_channel("main") == []
    assert grants.closed("main") == grants.restricted("main") == {SIX}
    assert grants.closed("other") == frozenset()


def test_taking_what_was_never_given_closes_nothing(catalog):
    assert catalog.grants.take(right("user:ann")) == Given(changed=False, awaited={})
    assert catalog.grants.take(right("user:ann", package=None)) == Given(changed=False, awaited={})
    assert catalog.grants.closed("main") == frozenset()


def test_a_grant_on_the_channel_closes_nothing(catalog):
    for action in Action:
        given = catalog.grants.give(right("user:ann", action, None))
        assert given == Given(changed=True, awaited={})
    assert catalog.grants.closed("main") == frozenset()


def test_a_package_is_closed_by_hand(catalog):
    assert catalog.grants.close("main", *SIX) == Given(changed=True, restricted=True, moved=True, awaited={})
    assert catalog.grants.close("main", *SIX) == Given(
        changed=False, restricted=True, moved=False, awaited={}
    )
    assert catalog.grants.of_channel("main") == []


# --- restricted --------------------------------------------------------------------------------------------------


def test_what_everyone_may_read_is_closed_but_not_restricted(catalog):
    grants = catalog.grants
    assert not grants.give(right("group:everyone", READ)).moved
    assert (grants.closed("main"), grants.restricted("main")) == ({SIX}, frozenset())
    assert not grants.give(right("user:ann", MAINTAIN)).moved
    assert grants.take(right("group:everyone", READ)).moved
    assert grants.restricted("main") == {SIX}
    assert grants.give(right("group:everyone", WRITE)).moved, "who writes reads"
    assert grants.restricted("main") == frozenset()


def test_a_move_marks_what_is_published_of_it(catalog):
    """In the transaction that says it: nothing is published later as it was before."""
    given = catalog.grants.give(right("user:ann"), areas=AREAS)
    assert set(given.awaited) == set(AREAS)

    again = catalog.grants.give(right("user:bob"), areas=AREAS)
    assert (again.changed, again.moved, again.awaited) == (True, False, {})

    back = catalog.grants.give(right("group:everyone"), areas=AREAS)
    assert back.moved
    assert all(back.awaited[area] > given.awaited[area] for area in AREAS)


def test_a_grant_to_everyone_on_the_channel_decides_anew_about_closed_packages(catalog):
    """What everyone may change in the whole channel they may read; in one transaction, since a crash comes between two."""
    grants, wide = catalog.grants, right("group:everyone", WRITE, None)
    grants.close("main", *SIX)
    grants.close("main", "generic", "tool")
    given = grants.give(wide, closed={SIX: AREAS})
    assert (given.moved, given.changed, given.restricted) == (True, True, False)
    assert set(given.awaited) == set(AREAS)
    assert grants.restricted("main") == frozenset()
    assert grants.give(wide, closed={SIX: AREAS}) == Given(changed=False, awaited={})

    taken = grants.take(wide)
    assert (taken.moved, taken.changed, taken.restricted) == (True, True, True)
    assert grants.restricted("main") == grants.closed("main") == {SIX, ("generic", "tool")}
    assert grants.take(wide) == Given(changed=False, awaited={})


PLACES = st.sampled_from([None, ("pypi", None), ("pypi", "a"), ("generic", "a"), ("conda", "a")])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["give", "give", "take", "close"]),
        st.sampled_from(["user:ann", "group:team", "group:everyone", "group:authenticated"]),
        st.sampled_from([READ, WRITE, DELETE, MAINTAIN]),
        PLACES,
    ),
    max_size=8,
)


@settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_what_is_kept_is_what_the_rule_says(shared, steps):
    """After any history: closed is what ever had a grant, restricted is what `access.restricted` says of today's."""
    forget(shared)
    grants, ever = shared.grants, set()
    for verb, principal, action, package in steps:
        one = package is not None and package[1] is not None
        if verb == "close":
            if one:
                grants.close("main", *package)
                ever.add(package)
            continue
        try:
            getattr(grants, verb)(right(principal, action, package))
        except Unprocessable:
            continue
        if verb == "give" and one:
            ever.add(package)

    assert grants.closed("main") == ever
    policy = Policy(channel="main", grants=grants.of_channel("main"), closed=grants.closed("main"))
    assert grants.restricted("main") == {package for package in ever if access.restricted(policy, *package)}


# --- asking ------------------------------------------------------------------------------------------------------


def test_what_decides_about_a_package_is_its_own_grants_and_those_of_the_channel(catalog):
    mine, wide, pypi = (
        right("user:ann"),
        right("user:bob", WRITE, None),
        right("group:team", WRITE, ("pypi", None)),
    )
    for grant in (
        mine,
        wide,
        pypi,
        right("user:ann", WRITE, ("generic", "six")),
        right("user:ann", channel="other"),
    ):
        catalog.grants.give(grant)

    assert catalog.grants.about("main", *SIX) == ([mine, wide, pypi], {SIX})
    assert catalog.grants.about("main") == ([wide, pypi], frozenset())
    assert catalog.grants.about("main", "pypi", "other") == ([wide, pypi], frozenset())
    assert catalog.grants.about("nowhere", *SIX) == ([], frozenset())
    assert catalog.grants.of_package("main", *SIX) == [mine]
    assert len(catalog.grants.of_channel("main")) == 4


def test_grants_of_somebody(catalog):
    for grant in (
        right("user:ann"),
        right("user:ann", channel="other"),
        right("group:team"),
        right("user:bob"),
    ):
        catalog.grants.give(grant)

    found = catalog.grants.of_principals({"user:ann", "group:team"})
    assert [(grant.channel, grant.principal) for grant in found] == [
        ("main", "user:ann"),
        ("main", "group:team"),
        ("other", "user:ann"),
    ]
    assert [grant.channel for grant in catalog.grants.of_principals({"user:ann"}, "other")] == ["other"]
    assert catalog.grants.of_principals([]) == []


def test_a_right_taken_twice_is_taken_once(catalog):
    for package in (SIX, None):
        catalog.grants.give(right("user:ann", package=package))
        assert catalog.grants.take(right("user:ann", package=package)).changed
        assert not catalog.grants.take(right("user:ann", package=package)).changed


def test_taking_names_exactly_one_right(catalog):
    """Not the other actions, not the channel's, not another kind of principal of the same name."""
    kept = [
        right("user:ann", WRITE),
        right("user:bob", READ),
        right("user:ann", READ, None),
        right("user:ann", READ, ("generic", "six")),
        right("user:ann", READ, channel="other"),
    ]
    for grant in (*kept, right("user:ann", READ)):
        catalog.grants.give(grant)

    catalog.grants.take(right("user:ann", READ))

    left = [*catalog.grants.of_channel("main"), *catalog.grants.of_channel("other")]
    assert sorted(left, key=str) == sorted(kept, key=str)
