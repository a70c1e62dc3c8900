"""Sessions end when unused, when old, and when told to; an invitation is used once."""

import sqlite3
from dataclasses import replace

import pytest
from rights_support import Now, at_once, dump
from sqlalchemy import event

from packhouse.catalog import Catalog
from packhouse.catalog.sessions import ABSOLUTE_S, IDLE_S, INVITATION_S
from packhouse.errors import NotFound

S = 1_000_000
"""Microseconds."""


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    catalog = Catalog(tmp_path / "catalog.sqlite", clock=now)
    catalog.accounts.create("ann", password="phc")
    catalog.accounts.create("bob", password="phc")
    yield catalog
    catalog.close()


@pytest.fixture
def sessions(catalog):
    return catalog.sessions


def sign_in(sessions, account="ann", origin="192.0.2.1", agent="Firefox"):
    return sessions.create(account, origin=origin, agent=agent)


# --- being somebody ----------------------------------------------------------------------------------------------


def test_a_cookie_is_its_session(sessions, now):
    made, secret = sign_in(sessions)

    found = sessions.find(secret)

    assert found == made
    assert (found.account, found.origin, found.agent) == ("ann", "192.0.2.1", "Firefox")
    assert (found.created_us, found.used_us, found.expires_us) == (now.us, now.us, now.us + ABSOLUTE_S * S)
    assert len(secret) >= 43, "256 bits"
    assert found.id not in secret
    assert found.csrf not in secret
    assert secret not in repr(found)


def test_every_sign_in_makes_a_secret_of_its_own(sessions):
    """Nobody can plant a cookie that becomes somebody's session (session fixation)."""
    made = [sign_in(sessions) for _ in range(50)]

    assert len({secret for _, secret in made}) == 50
    assert len({session.csrf for session, _ in made}) == 50
    assert len({session.id for session, _ in made}) == 50


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "\ud800", "' OR 1=1 --", "0" * 5000])
def test_what_nobody_issued_is_nobody(sessions, secret):
    sign_in(sessions)

    assert sessions.find(secret) is None


def test_what_is_stored_is_no_cookie(sessions, tmp_path, catalog):
    made, secret = sign_in(sessions)
    invitation = sessions.invite("ann")
    catalog.close()

    found = dump(tmp_path / "catalog.sqlite")

    assert made.agent in found
    assert secret not in found
    assert invitation not in found
    with sqlite3.connect(tmp_path / "catalog.sqlite") as raw:
        stored = [
            row[0]
            for table in ("sessions", "invitations")
            for row in raw.execute(f"SELECT sha256 FROM {table}")
        ]
    raw.close()
    assert len(stored) == 2
    for digest in stored:
        assert sessions.find(digest) is None
        assert sessions.invited(digest) is None


def test_an_account_that_is_gone_cannot_sign_in(sessions, catalog):
    catalog.accounts.delete("ann")

    with pytest.raises(NotFound, match="there is no account ann"):
        sign_in(sessions)


@pytest.mark.parametrize(
    ("agent", "kept"), [("x" * 500, "x" * 200), ("a\r\nb\0c\u202e", "abc"), ("", ""), ("Bär 1.0", "Bär 1.0")]
)
def test_what_a_browser_calls_itself_is_one_short_line(sessions, agent, kept):
    assert sign_in(sessions, agent=agent)[0].agent == kept


# --- how long ----------------------------------------------------------------------------------------------------


def test_a_session_ends_when_it_is_not_used(sessions, now):
    _, secret = sign_in(sessions)
    now.us += IDLE_S * S - 1
    assert sessions.find(secret) is not None
    now.us += IDLE_S * S - 1
    assert sessions.find(secret) is not None, "it was used in between"
    now.us += IDLE_S * S
    assert sessions.find(secret) is None
    assert sessions.list("ann") == []


def test_a_session_ends_after_a_week_however_much_it_is_used(sessions, now):
    _, secret = sign_in(sessions)
    ends = now.us + ABSOLUTE_S * S
    while now.us + 3600 * S < ends:
        now.us += 3600 * S
        assert sessions.find(secret) is not None
    now.us = ends - 1
    assert sessions.find(secret) is not None
    now.us = ends
    assert sessions.find(secret) is None
    assert sessions.list("ann") == []


def test_use_is_noted_at_most_once_a_minute(sessions, now):
    _, secret = sign_in(sessions)
    first = now.us
    now.us += 60 * S
    sessions.find(secret)
    assert sessions.list("ann")[0].used_us == first
    now.us += 1
    sessions.find(secret)
    assert sessions.list("ann")[0].used_us == now.us


def test_a_session_works_while_another_process_writes(sessions, now, tmp_path):
    _, secret = sign_in(sessions)
    now.us += 61 * S
    other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert sessions.find(secret).account == "ann"
    other.execute("ROLLBACK")
    other.close()


def test_a_session_works_when_the_disk_is_full(catalog, sessions, now):
    _, secret = sign_in(sessions)
    now.us += 61 * S
    refused = []

    @event.listens_for(catalog._engine, "before_cursor_execute")
    def full(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE sessions"):
            refused.append(statement)
            raise sqlite3.OperationalError("database or disk is full")

    assert sessions.find(secret).account == "ann"
    assert len(refused) == 1


def test_sessions_that_ended_are_swept_at_the_next_sign_in(catalog, sessions, now, tmp_path):
    for _ in range(3):
        sign_in(sessions)
    now.us += IDLE_S * S
    sign_in(sessions, "bob")

    with sqlite3.connect(tmp_path / "catalog.sqlite") as raw:
        assert raw.execute("SELECT account FROM sessions").fetchall() == [("bob",)]
    raw.close()


# --- ending ------------------------------------------------------------------------------------------------------


def test_signing_out_ends_this_session_only(sessions):
    (_, first), (_, second), (_, his) = sign_in(sessions), sign_in(sessions), sign_in(sessions, "bob")

    sessions.end(first)
    sessions.end(first)
    sessions.end("nothing")

    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    assert sessions.find(his) is not None


def test_a_session_is_revoked_by_its_name_and_only_by_its_owner(sessions):
    (mine, secret), (his, other) = sign_in(sessions), sign_in(sessions, "bob")

    for name in (his.id, "", mine.id[:11], mine.id + "0", secret, "%"):
        with pytest.raises(NotFound) as refused:
            sessions.revoke("ann", name)
        assert secret not in str(refused.value)
    assert sessions.find(other) is not None
    sessions.revoke("ann", mine.id)
    assert sessions.find(secret) is None


def test_all_sessions_of_an_account_are_revoked(sessions):
    mine, (_, his) = [sign_in(sessions)[1] for _ in range(3)], sign_in(sessions, "bob")

    assert sessions.revoke_all("ann") == 3
    assert sessions.revoke_all("ann") == 0
    assert [sessions.find(secret) for secret in mine] == [None] * 3
    assert sessions.find(his) is not None


def test_the_list_is_newest_first(sessions, now):
    first, _ = sign_in(sessions, origin="192.0.2.1")
    now.us += 1
    second, _ = sign_in(sessions, origin="2001:db8::1")
    sign_in(sessions, "bob")

    assert sessions.list("ann") == [replace(second, csrf=""), replace(first, csrf="")]


def test_a_token_comes_with_its_cookie_and_is_stored_nowhere(sessions, tmp_path):
    made, secret = sign_in(sessions)
    again = sessions.find(secret)

    assert again.csrf == made.csrf
    assert len(made.csrf) == 32
    assert made.csrf not in dump(tmp_path / "catalog.sqlite")


# --- invitations -------------------------------------------------------------------------------------------------


def test_an_invitation_is_looked_at_often_and_used_once(sessions):
    secret = sessions.invite("ann")

    assert sessions.invited(secret) == "ann"
    assert sessions.invited(secret) == "ann"
    assert sessions.redeem(secret) == "ann"
    assert sessions.redeem(secret) is None
    assert sessions.invited(secret) is None


def test_two_who_use_an_invitation_at_once(sessions):
    secret = sessions.invite("ann")

    outcomes = at_once(*(lambda: sessions.redeem(secret) for _ in range(6)))

    assert sorted(outcomes, key=str) == [None] * 5 + ["ann"]


def test_a_later_invitation_ends_the_earlier_one(sessions):
    first, his = sessions.invite("ann"), sessions.invite("bob")
    second = sessions.invite("ann")

    assert sessions.invited(first) is None
    assert sessions.redeem(first) is None
    assert sessions.invited(second) == "ann"
    assert sessions.invited(his) == "bob"


def test_an_invitation_holds_a_week(sessions, now, tmp_path):
    secret = sessions.invite("ann")
    now.us += INVITATION_S * S - 1
    assert sessions.invited(secret) == "ann"
    now.us += 1
    assert sessions.invited(secret) is None
    assert sessions.redeem(secret) is None
    sessions.invite("bob")
    with sqlite3.connect(tmp_path / "catalog.sqlite") as raw:
        assert raw.execute("SELECT account FROM invitations").fetchall() == [("bob",)]
    raw.close()


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "a" * 43])
def test_what_nobody_invited_to_is_nothing(sessions, secret):
    sessions.invite("ann")

    assert sessions.invited(secret) is None
    assert sessions.redeem(secret) is None
