"""API keys: shown once, stored as a hash, refused when revoked or expired, never more than their account."""

import sqlite3

import pytest
from rights_support import DAY_US, Now, dump
from sqlalchemy import event, text

from packhouse.catalog import Catalog
from packhouse.catalog.engine import writing
from packhouse.catalog.keys import DEFAULT_DAYS, MAX_DAYS, expiry, hash_key, is_key, new_secret
from packhouse.errors import AccountExists, BadName, Malformed, NotFound, Unprocessable
from packhouse.model import Action, Grant


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=now)
    yield catalog
    catalog.close()


@pytest.fixture
def ann(catalog):
    catalog.accounts.create("ann")
    return "ann"


# --- spelling ----------------------------------------------------------------------------------------------------


def test_keys_are_long_random_and_have_no_underscore():
    """No underscore: conda neither sends nor redacts a token with an underscore."""
    secrets = {new_secret() for _ in range(200)}

    assert len(secrets) == 200
    for secret in secrets:
        assert len(secret) == 46
        assert secret.startswith("pkh-")
        assert "_" not in secret
        assert is_key(secret)


def test_a_mistyped_key_is_known_without_the_database():
    secret = new_secret()
    for position in range(4, 46):
        other = "0" if secret[position] != "0" else "1"
        assert not is_key(secret[:position] + other + secret[position + 1 :])
    for word in (
        secret + "\n",
        " " + secret,
        secret.upper(),
        secret[:-1],
        "",
        "pkh-",
        "pkh-" + "é" * 42,
        "\ud800",
    ):
        assert not is_key(word)


def test_the_secret_is_nowhere_in_the_database(catalog, tmp_path, ann, now):
    _, service = catalog.keys.create_for_service("ci")
    _, person = catalog.keys.create(ann, "laptop", expires_us=now.us + DAY_US)
    for secret in (service, person):
        catalog.keys.authenticate(secret, address="192.0.2.1")
    catalog.keys.revoke(service)
    catalog.close()

    found = dump(tmp_path / "catalog.sqlite")

    assert "laptop" in found
    for secret in (service, person):
        assert hash_key(secret) in found
        assert secret not in found
        assert secret[4:] not in found


# --- whose it is -------------------------------------------------------------------------------------------------


def test_a_key_speaks_for_its_account(catalog):
    key, secret = catalog.keys.create_for_service("ci", grants=[(Action.WRITE, "main")])

    principal = catalog.keys.authenticate(secret, address="192.0.2.7")

    assert (principal.name, principal.kind, principal.admin, principal.key_id) == (
        "ci",
        "service",
        False,
        key.id,
    )
    assert principal.groups == {"everyone", "authenticated"}
    assert (principal.channels, principal.actions) == (None, None)
    assert (principal.address, principal.via) == ("192.0.2.7", f"key:{key.fingerprint}")
    assert catalog.grants.of_channel("main") == [
        Grant(principal="service:ci", action=Action.WRITE, channel="main")
    ]


def test_a_key_may_what_its_account_may_at_this_moment(catalog, ann, now):
    """Groups and being admin are looked up with each request."""
    _, secret = catalog.keys.create(ann, "laptop", expires_us=now.us + DAY_US)
    catalog.groups.create("team")
    catalog.accounts.create("chief", password="phc", admin=True)

    assert catalog.keys.authenticate(secret).groups == {"everyone", "authenticated"}
    catalog.groups.add(ann, "team")
    assert "team" in catalog.keys.authenticate(secret).groups
    catalog.groups.remove(ann, "team")
    assert "team" not in catalog.keys.authenticate(secret).groups
    catalog.accounts.set_admin(ann, admin=True)
    assert catalog.keys.authenticate(secret).admin
    catalog.accounts.set_admin(ann, admin=False)
    assert not catalog.keys.authenticate(secret).admin


def test_a_key_dies_with_its_account(catalog, ann, now):
    _, secret = catalog.keys.create(ann, "laptop", expires_us=now.us + DAY_US)

    catalog.accounts.delete(ann)
    assert catalog.keys.authenticate(secret) is None
    catalog.accounts.create(ann)
    assert catalog.keys.authenticate(secret) is None
    assert catalog.keys.list(ann) == []


def test_who_waits_for_approval_gets_no_key(catalog):
    catalog.accounts.create("chief", password="phc", admin=True)
    catalog.accounts.register("eve", "phc", default_open=True)

    with pytest.raises(Unprocessable, match="waits for an admin's approval"):
        catalog.keys.create("eve", "laptop", expires_us=2_000_000_000)
    assert catalog.keys.list() == []


def test_a_key_is_nobodys_while_its_account_waits(catalog, ann, now):
    """No command makes an account wait that has keys; whatever does one day, they stop."""
    _, secret = catalog.keys.create(ann, "laptop", expires_us=now.us + DAY_US)
    with writing(catalog._engine) as connection:
        connection.execute(text("UPDATE accounts SET pending = 1"))

    assert catalog.keys.authenticate(secret) is None
    catalog.accounts.approve(ann)
    assert catalog.keys.authenticate(secret).name == ann


def test_a_key_needs_an_account(catalog):
    with pytest.raises(NotFound, match="account nobody"):
        catalog.keys.create("nobody", "laptop", expires_us=2_000_000_000)


# --- scope -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "actions"),
    [(["a"], [Action.READ]), (["a", "b"], None), (None, list(Action)), ([], []), (None, None)],
)
def test_scopes_travel_with_the_key(catalog, channels, actions):
    """An empty scope is no scope at all to some; here it is one that holds nothing."""
    made, secret = catalog.keys.create_for_service("ci", channels=channels, actions=actions)

    principal = catalog.keys.authenticate(secret)

    assert principal.channels == (None if channels is None else frozenset(channels))
    assert principal.actions == (None if actions is None else frozenset(actions))
    assert made.channels == (None if channels is None else tuple(channels))


# --- how long ----------------------------------------------------------------------------------------------------


def test_a_key_ends_in_its_very_microsecond(catalog, now):
    _, secret = catalog.keys.create_for_service("b", expires_us=now.us + 5)
    now.us += 4
    assert catalog.keys.authenticate(secret) is not None
    now.us += 1
    assert catalog.keys.authenticate(secret) is None
    assert catalog.keys.list()[0].status(now.us) == "expired"
    assert catalog.keys.list()[0].status(now.us - 1) == "active"


@pytest.mark.parametrize("days", [1, DEFAULT_DAYS, MAX_DAYS])
def test_a_key_lasts_days(days):
    assert expiry(days, "user", 7) == 7 + days * DAY_US


@pytest.mark.parametrize("days", [0, -1, MAX_DAYS + 1, 10**9])
def test_a_key_cannot_last_longer_or_shorter(days):
    for kind in ("user", "service"):
        with pytest.raises(Malformed, match="choose 1 to 365"):
            expiry(days, kind, 0)


def test_only_a_service_accounts_key_may_last_for_ever(catalog, ann):
    assert expiry(None, "service", 0) is None
    with pytest.raises(Malformed, match="only a service account's may never"):
        expiry(None, "user", 0)
    with pytest.raises(Malformed, match="only a service account's may never"):
        catalog.keys.create(ann, "laptop")
    catalog.accounts.create("robot", kind="service")
    assert catalog.keys.create("robot", "nightly")[0].expires_us is None


def test_revoked_expired_and_unknown_keys_are_nobody(catalog, now):
    _key, revoked = catalog.keys.create_for_service("a")
    _key, expired = catalog.keys.create_for_service("b", expires_us=now.us + 5)
    catalog.keys.revoke("a")
    now.us += 5

    for secret in (revoked, expired, new_secret(), "pkh-nonsense", "", hash_key(revoked)):
        assert catalog.keys.authenticate(secret) is None
    with pytest.raises(NotFound, match="packhouse key list"):
        catalog.keys.revoke("a")


# --- revoking ----------------------------------------------------------------------------------------------------


def test_a_key_is_revoked_by_name_number_fingerprint_or_secret(catalog):
    picks = (
        lambda key, _: key.name,
        lambda key, _: str(key.id),
        lambda key, _: key.fingerprint,
        lambda _, secret: secret,
    )
    for pick in picks:
        key, secret = catalog.keys.create_for_service("ci")
        gone = catalog.keys.revoke(pick(key, secret))
        assert (gone.id, gone.status(0)) == (key.id, "revoked")
        assert catalog.keys.authenticate(secret) is None


def test_somebodys_own_keys_are_the_only_ones_they_can_revoke(catalog, ann, now):
    mine, _ = catalog.keys.create(ann, "laptop", expires_us=now.us + DAY_US)
    theirs, secret = catalog.keys.create_for_service("ci")

    for wanted in ("ci", str(theirs.id), theirs.fingerprint, secret):
        with pytest.raises(NotFound) as refused:
            catalog.keys.revoke(wanted, account=ann)
        assert secret not in str(refused.value)
    assert catalog.keys.authenticate(secret) is not None
    assert catalog.keys.revoke("laptop", account=ann).id == mine.id


@pytest.mark.parametrize("shape", ["{}x", " {}", "{}\n", "{:.45}"])
def test_a_mistyped_secret_is_not_repeated(catalog, shape):
    """It is nearly a key, and the sentence goes into terminals and logs."""
    wanted = shape.format(new_secret())

    with pytest.raises(NotFound) as refused:
        catalog.keys.revoke(wanted)
    assert "pkh-" not in str(refused.value)


def test_a_name_that_two_accounts_use_is_not_guessed(catalog, ann, now):
    until = now.us + DAY_US
    catalog.accounts.create("bob")
    catalog.keys.create(ann, "laptop", expires_us=until)
    second, _ = catalog.keys.create("bob", "laptop", expires_us=until)

    with pytest.raises(Unprocessable, match="2 accounts have a key named laptop"):
        catalog.keys.revoke("laptop")
    assert catalog.keys.revoke("laptop", account="bob").id == second.id
    assert catalog.keys.revoke("laptop").account == ann


def test_the_successor_of_an_expired_key_is_meant_by_its_name(catalog, now):
    catalog.keys.create_for_service("ci", expires_us=now.us + 1)
    now.us += 1
    new, secret = catalog.keys.create_for_service("ci")

    assert catalog.keys.revoke("ci").id == new.id
    assert catalog.keys.authenticate(secret) is None


# --- names -------------------------------------------------------------------------------------------------------


def test_one_active_key_per_name(catalog, ann, now):
    catalog.keys.create_for_service("ci")
    catalog.keys.create(ann, "ci", expires_us=now.us + DAY_US)  # another account's is another key

    with pytest.raises(Unprocessable, match="active already"):
        catalog.keys.create_for_service("ci")
    catalog.keys.revoke("ci", account="ci")
    with pytest.raises(Unprocessable, match="not an admin"):
        catalog.keys.create_for_service("ci", admin=True)
    with pytest.raises(BadName):
        catalog.keys.create_for_service("C I")
    catalog.keys.create_for_service("ci")


@pytest.mark.parametrize("name", ["", "x" * 101, "two\nlines", " edge", "edge ", "bell\a", "\u202eltr"])
def test_the_name_of_a_key_is_one_line(catalog, ann, name, now):
    with pytest.raises(BadName):
        catalog.keys.create(ann, name, expires_us=now.us + DAY_US)
    assert catalog.keys.create(ann, "büro-Rechner, 2. Stock", expires_us=now.us + DAY_US)


def test_a_service_account_is_no_user_and_no_twin_of_one(catalog, ann):
    with pytest.raises(Unprocessable, match="ann is a user account"):
        catalog.keys.create_for_service("ann")
    with pytest.raises(AccountExists, match="taken by the user ann"):
        catalog.keys.create_for_service("Ann")
    catalog.keys.create_for_service("ci")
    with pytest.raises(AccountExists, match="taken by the service account ci"):
        catalog.keys.create_for_service("CI")
    assert [item.name for item in catalog.accounts.list()] == ["ann", "ci"]


def test_a_failed_creation_leaves_no_account_and_no_right(catalog):
    with pytest.raises(BadName):
        catalog.keys.create_for_service("everyone", grants=[(Action.WRITE, "main")])
    with pytest.raises(AccountExists):
        catalog.keys.create_for_service("ci")
        catalog.keys.create_for_service("Ci", grants=[(Action.WRITE, "main")])

    assert [item.name for item in catalog.accounts.list()] == ["ci"]
    assert catalog.grants.of_channel("main") == []


# --- notes that must not stand in the way ------------------------------------------------------------------------


def test_last_use_is_noted_at_most_once_a_minute(catalog, now):
    _key, secret = catalog.keys.create_for_service("ci")
    first = now.us
    catalog.keys.authenticate(secret)
    now.us += 30_000_000
    catalog.keys.authenticate(secret)
    assert catalog.keys.list()[0].last_used_us == first
    now.us += 60_000_000
    catalog.keys.authenticate(secret)
    assert catalog.keys.list()[0].last_used_us == now.us


def test_a_key_works_while_another_process_writes(catalog, now, tmp_path):
    """The note of its last use is left out, and made when the lock is free."""
    _key, secret = catalog.keys.create_for_service("ci")
    other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert catalog.keys.authenticate(secret).name == "ci"

    other.execute("ROLLBACK")
    other.close()
    assert catalog.keys.list()[0].last_used_us is None
    assert catalog.keys.authenticate(secret).name == "ci"
    assert catalog.keys.list()[0].last_used_us == now.us


def test_a_key_works_when_the_disk_is_full(catalog):
    _key, secret = catalog.keys.create_for_service("ci")
    refused = []

    @event.listens_for(catalog.accounts._engine, "before_cursor_execute")
    def full(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE keys"):
            refused.append(statement)
            raise sqlite3.OperationalError("database or disk is full")

    assert catalog.keys.authenticate(secret).name == "ci"
    assert len(refused) == 1
