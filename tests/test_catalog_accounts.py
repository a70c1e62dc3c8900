"""API keys: shown once, stored as a hash, refused when revoked or expired."""

import sqlite3

import pytest
from sqlalchemy import event

from packhouse.catalog import Catalog
from packhouse.catalog.accounts import is_key, new_secret
from packhouse.errors import BadName, NotFound, Unprocessable
from packhouse.model import Action, Grant


class Now:
    us = 1_000_000_000

    def __call__(self):
        return self.us


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=now)
    yield catalog
    catalog.close()


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
    assert not is_key(secret + "\n")
    assert not is_key("")


def test_the_secret_is_nowhere_in_the_database(catalog, tmp_path):
    _key, secret = catalog.keys.create_for_service("ci")
    catalog.close()

    dump = "\n".join(sqlite3.connect(tmp_path / "catalog.sqlite").iterdump())

    assert "ci" in dump
    assert secret not in dump
    assert secret[4:] not in dump


def test_a_key_speaks_for_its_account(catalog):
    key, secret = catalog.keys.create_for_service("ci", grants=[(Action.WRITE, "main")])

    principal = catalog.keys.authenticate(secret)

    assert (principal.name, principal.kind, principal.admin, principal.key_id) == (
        "ci",
        "service",
        False,
        key.id,
    )
    assert principal.groups == {"everyone", "authenticated"}
    assert catalog.grants.of_channel("main") == [
        Grant(principal="service:ci", action=Action.WRITE, channel="main")
    ]


def test_scopes_travel_with_the_key(catalog):
    _key, secret = catalog.keys.create_for_service("ci", channels=["a"], actions=[Action.READ])

    principal = catalog.keys.authenticate(secret)

    assert principal.channels == {"a"}
    assert principal.actions == {Action.READ}


def test_revoked_expired_and_unknown_keys_are_nobody(catalog, now):
    _key, revoked = catalog.keys.create_for_service("a")
    _key, expired = catalog.keys.create_for_service("b", expires_us=now.us + 5)
    catalog.keys.revoke("a")
    now.us += 5

    for secret in (revoked, expired, new_secret(), "pkh-nonsense"):
        assert catalog.keys.authenticate(secret) is None
    with pytest.raises(NotFound, match="packhouse key list"):
        catalog.keys.revoke("a")


def test_a_key_is_revoked_by_name_number_or_fingerprint(catalog):
    for pick in (lambda key: key.name, lambda key: str(key.id), lambda key: key.fingerprint):
        key, secret = catalog.keys.create_for_service("ci")
        assert catalog.keys.revoke(pick(key)).revoked_us is not None
        assert catalog.keys.authenticate(secret) is None


def test_one_active_key_per_name(catalog):
    catalog.keys.create_for_service("ci")

    with pytest.raises(Unprocessable, match="active already"):
        catalog.keys.create_for_service("ci")
    catalog.keys.revoke("ci")
    with pytest.raises(Unprocessable, match="not an admin"):
        catalog.keys.create_for_service("ci", admin=True)
    with pytest.raises(BadName):
        catalog.keys.create_for_service("C I")


def test_an_admin_key_counts_as_an_admin(catalog, now):
    assert not catalog.accounts.has_admin()
    catalog.keys.create_for_service("ci")
    assert not catalog.accounts.has_admin()
    catalog.keys.create_for_service("root", admin=True, expires_us=now.us + 5)
    assert catalog.accounts.has_admin()
    now.us += 5
    assert not catalog.accounts.has_admin()
    catalog.keys.create_for_service("chief", admin=True)
    assert catalog.accounts.has_admin()
    with pytest.raises(Unprocessable, match="exists and is an admin"):
        catalog.keys.create_for_service("chief")


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


def test_granting_twice_is_granting_once(catalog):
    grant = Grant(principal="group:team", action=Action.READ, channel="main", ecosystem="pypi", package="six")

    catalog.grants.give(grant)
    catalog.grants.give(grant)

    assert catalog.grants.of_channel("main") == [grant]
