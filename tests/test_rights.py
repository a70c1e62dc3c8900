"""Rights as the catalog holds them: every decision is live, and the quick questions agree with the one that decides."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from packhouse import access
from packhouse.catalog import Catalog, schema
from packhouse.catalog.engine import writing
from packhouse.catalog.grants import give
from packhouse.errors import Forbidden, Unauthenticated
from packhouse.model import ANONYMOUS, Action, Ecosystem, Grant, Principal
from packhouse.names import ChannelName
from packhouse.rights import Rights
from packhouse.settings import Settings

READ, WRITE, DELETE, MAINTAIN = Action.READ, Action.WRITE, Action.DELETE, Action.MAINTAIN


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    opened = Catalog(tmp_path_factory.mktemp("rights") / "catalog.sqlite")
    opened.channels.create(ChannelName("main"), born=[])
    opened.channels.create(ChannelName("other"), born=[])
    opened.channels.create(ChannelName("secret"), born=[], private=True, place="private")
    for name in ("ann", "bob"):
        opened.accounts.create(name)
    opened.groups.create("team")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def emptied(catalog):
    forget(catalog)
    catalog.groups.add("ann", "team")


def forget(catalog):
    with writing(catalog._engine) as connection:
        for table in (schema.grants, schema.closed):
            connection.execute(delete(table))


def rights_of(catalog, tmp_path=None, **more) -> Rights:
    return Rights(catalog, Settings(data=tmp_path, **more))


@pytest.fixture
def rights(catalog):
    return rights_of(catalog)


def who(catalog, name="ann") -> Principal:
    """Somebody as a request of theirs comes in now."""
    return catalog.accounts.principal(name, via="password")


def allow(catalog, principal, action, channel="main", package=None):
    ecosystem, name = package or (None, None)
    return catalog.grants.give(
        Grant(principal=principal, action=action, channel=channel, ecosystem=ecosystem, package=name)
    )


def refuse(catalog, principal, action, channel="main", package=None):
    ecosystem, name = package or (None, None)
    return catalog.grants.take(
        Grant(principal=principal, action=action, channel=channel, ecosystem=ecosystem, package=name)
    )


SIX = ("pypi", "six")


# --- what takes effect on the next request -----------------------------------------------------------------------


def test_a_grant_counts_at_once_and_so_does_taking_it(catalog, rights):
    main = catalog.channels.get("main")
    assert not rights.permits(who(catalog), WRITE, main)
    allow(catalog, "user:ann", WRITE)
    assert rights.permits(who(catalog), WRITE, main)
    assert not rights.permits(who(catalog, "bob"), WRITE, main)
    refuse(catalog, "user:ann", WRITE)
    assert not rights.permits(who(catalog), WRITE, main)


def test_leaving_a_group_counts_at_once(catalog, rights):
    main = catalog.channels.get("main")
    allow(catalog, "group:team", READ, package=SIX)
    assert rights.permits(who(catalog), READ, main, *SIX)
    catalog.groups.remove("ann", "team")
    assert not rights.permits(who(catalog), READ, main, *SIX)
    catalog.groups.add("ann", "team")
    assert rights.permits(who(catalog), READ, main, *SIX)


def test_a_deleted_group_takes_its_rights_along_and_opens_nothing(catalog, rights):
    main = catalog.channels.get("main")
    catalog.groups.create("guests")
    catalog.groups.add("bob", "guests")
    allow(catalog, "group:guests", READ, package=SIX)
    assert rights.permits(who(catalog, "bob"), READ, main, *SIX)

    catalog.groups.delete("guests")
    assert not rights.permits(who(catalog, "bob"), READ, main, *SIX)
    assert not rights.permits(ANONYMOUS, READ, main, *SIX)

    catalog.groups.create("guests")
    catalog.groups.add("bob", "guests")
    assert not rights.permits(who(catalog, "bob"), READ, main, *SIX), "another group of that name"


def test_a_deleted_account_takes_its_rights_along_and_opens_nothing(catalog, rights):
    main = catalog.channels.get("main")
    catalog.accounts.create("carl")
    allow(catalog, "user:carl", READ, package=SIX)
    assert rights.permits(who(catalog, "carl"), READ, main, *SIX)

    catalog.accounts.delete("carl")
    catalog.accounts.create("carl")

    assert not rights.permits(who(catalog, "carl"), READ, main, *SIX)
    assert not rights.permits(ANONYMOUS, READ, main, *SIX)
    assert catalog.grants.restricted("main") == {SIX}


def test_taking_every_grant_never_opens_a_package_again(catalog, rights):
    main = catalog.channels.get("main")
    assert rights.permits(ANONYMOUS, READ, main, *SIX)
    for principal in ("user:ann", "group:everyone"):
        allow(catalog, principal, READ, package=SIX)
    assert rights.permits(ANONYMOUS, READ, main, *SIX)
    for principal in ("user:ann", "group:everyone"):
        refuse(catalog, principal, READ, package=SIX)

    assert catalog.grants.of_channel("main") == []
    assert not rights.permits(ANONYMOUS, READ, main, *SIX)
    assert not rights.permits(who(catalog), READ, main, *SIX)
    assert rights.permits(replace(who(catalog), admin=True), READ, main, *SIX)


def test_a_package_is_closed_in_its_channel_only(catalog, rights):
    allow(catalog, "user:ann", READ, package=SIX)

    assert rights.permits(ANONYMOUS, READ, catalog.channels.get("other"), *SIX)


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("default_read", "stranger", "ann"),
    [("everyone", True, True), ("authenticated", False, True), ("nobody", False, False)],
)
def test_who_reads_by_default(catalog, default_read, stranger, ann):
    rights, main = rights_of(catalog, default_read=default_read), catalog.channels.get("main")

    assert rights.permits(ANONYMOUS, READ, main) is stranger
    assert rights.open_to_all(main) is stranger
    assert rights.permits(who(catalog), READ, main) is ann


@pytest.mark.parametrize(
    ("default_write", "ann", "bob"),
    [("nobody", False, False), ("authenticated", True, True), ("team", True, False)],
)
def test_who_writes_by_default(catalog, default_write, ann, bob):
    rights, main = rights_of(catalog, default_write=default_write), catalog.channels.get("main")

    assert not rights.permits(ANONYMOUS, WRITE, main)
    assert rights.permits(who(catalog), WRITE, main) is ann
    assert rights.permits(who(catalog, "bob"), WRITE, main) is bob
    assert not rights.permits(who(catalog), DELETE, main)


def test_a_private_channel_knows_no_defaults(catalog):
    rights = rights_of(catalog, default_read="everyone", default_write="authenticated")
    secret = catalog.channels.get("secret")

    assert not rights.permits(who(catalog), READ, secret)
    assert not rights.permits(who(catalog), WRITE, secret)
    assert not rights.open_to_all(secret)
    allow(catalog, "user:ann", READ, "secret")
    assert rights.permits(who(catalog), READ, secret)
    assert not rights.open_to_all(secret), "open_to_all asks what a stranger may, whoever else may"


# --- raising -----------------------------------------------------------------------------------------------------


def test_a_missing_right_is_401_for_strangers_and_403_for_the_rest(catalog, rights):
    main = catalog.channels.get("main")

    rights.require(ANONYMOUS, READ, main)
    with pytest.raises(Unauthenticated, match="write channel main needs an API key"):
        rights.require(ANONYMOUS, WRITE, main)
    with pytest.raises(Forbidden, match="ann may not write six in channel main"):
        rights.require(who(catalog), WRITE, main, *SIX)


# --- the quick questions -----------------------------------------------------------------------------------------


PACKAGES = [("pypi", "a"), ("pypi", "b"), ("generic", "a"), ("conda", "a")]
PLACES = st.sampled_from([(None, None), ("pypi", None), ("conda", None), *PACKAGES])
GIVEN = st.tuples(
    st.sampled_from(["user:ann", "user:bob", "group:team", "group:everyone", "group:authenticated"]),
    st.sampled_from(list(Action)),
    st.sampled_from(["main", "main", "main", "other"]),
    PLACES,
)
SCOPES = st.sampled_from([None, None, frozenset({"main"}), frozenset({"other"})])
ACTIONS = st.sampled_from([None, None, frozenset({READ}), frozenset({WRITE, READ})])
ALL = frozenset({"everyone", "authenticated"})
CALLERS = st.one_of(
    st.just(ANONYMOUS),
    st.builds(
        Principal,
        name=st.sampled_from(["ann", "bob"]),
        kind=st.just("user"),
        admin=st.sampled_from([False, False, False, True]),
        groups=st.sampled_from([ALL, ALL | {"team"}]),
        channels=SCOPES,
        actions=ACTIONS,
    ),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(
    grants=st.lists(GIVEN, max_size=5),
    closed=st.sets(st.sampled_from(PACKAGES[:3]), max_size=2),
    caller=CALLERS,
    private=st.booleans(),
    defaults=st.sampled_from(
        [("everyone", "nobody"), ("authenticated", "team"), ("nobody", "authenticated")]
    ),
)
def test_the_quick_questions_agree_with_the_one_that_decides(
    catalog, grants, closed, caller, private, defaults
):
    """`anywhere`, `granted` and `restricted_for` look at the caller's own grants only, never at those of all."""
    forget(catalog)
    with writing(catalog._engine) as connection:
        for principal, action, channel, (ecosystem, package) in grants:
            right = Grant(
                principal=principal, action=action, channel=channel, ecosystem=ecosystem, package=package
            )
            give(connection, right, 1)
    for package in closed:
        catalog.grants.close("main", *package)
    channel = replace(catalog.channels.get("main"), private=private)
    rights = rights_of(catalog, default_read=defaults[0], default_write=defaults[1])

    def may(action, *package):
        return rights.permits(caller, action, channel, *package)

    # A package of each ecosystem that nobody was ever granted anything on stands for all that may come.
    everything = [*PACKAGES, *((ecosystem, "new") for ecosystem in Ecosystem)]
    for action in Action:
        able = {package for package in everything if may(action, *package)}
        assert rights.anywhere(caller, action, channel) is (may(action) or bool(able)), action
        mine = {
            (ecosystem, package)
            for principal, _, where, (ecosystem, package) in grants
            if where == "main" and package is not None and principal in access.names(caller)
        }
        assert rights.granted(caller, channel, action) == able & mine
    for ecosystem in Ecosystem:
        hidden = {name for eco, name in catalog.grants.restricted("main") if eco == ecosystem}
        assert rights.restricted_for(caller, channel, ecosystem) == {
            name for name in hidden if may(READ, ecosystem, name)
        }


def test_a_right_on_one_package_opens_the_door_to_it_only(catalog, rights):
    main = catalog.channels.get("main")
    allow(catalog, "user:ann", MAINTAIN, package=SIX)

    assert rights.anywhere(who(catalog), WRITE, main)
    assert not rights.anywhere(who(catalog, "bob"), WRITE, main)
    assert not rights.permits(who(catalog), WRITE, main)
    assert rights.granted(who(catalog), main) == {SIX}
    assert rights.restricted_for(who(catalog), main, "pypi") == {"six"}
    assert rights.restricted_for(who(catalog, "bob"), main, "pypi") == frozenset()
    assert rights.restricted_for(who(catalog), main, "generic") == frozenset()


def test_a_right_on_an_ecosystem_opens_the_door(catalog, rights):
    catalog.grants.give(Grant(principal="user:ann", action=WRITE, channel="main", ecosystem="generic"))
    main = catalog.channels.get("main")

    assert rights.anywhere(who(catalog), WRITE, main)
    assert rights.permits(who(catalog), WRITE, main, "generic", "tool")
    assert not rights.permits(who(catalog), WRITE, main, "pypi", "six")
