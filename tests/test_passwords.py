"""Passwords: Argon2id, the same work for accounts that do not exist, and a bound on how many are hashed at once."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhouse.catalog import passwords
from packhouse.catalog.passwords import (
    MAX_PASSWORD,
    check_password,
    hash_password,
    is_outdated,
    verify_password,
)
from packhouse.errors import Unavailable, WeakPassword

OLD = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"


@pytest.mark.parametrize(
    "password",
    ["correct horse", "pässwörd", "with:colon", " spaces ", "\N{PILE OF POO}" * 8, "lone \ud800 half"],
)
def test_the_password_opens_and_nothing_else_does(password):
    stored = hash_password(password)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password not in stored
    assert verify_password(password, stored)
    assert not verify_password(password + "x", stored)
    assert not verify_password(password[:-1], stored)
    assert not verify_password("", stored)
    assert not is_outdated(stored)


def test_two_hashes_of_one_password_differ():
    assert hash_password("the same") != hash_password("the same")


def test_a_longer_text_never_passes_for_what_is_looked_at_of_it():
    """Only so many characters are hashed; what is over the limit cannot have been stored."""
    stored = hash_password("a" * MAX_PASSWORD)

    assert not verify_password("a" * (MAX_PASSWORD + 1), stored)
    assert not verify_password("a" * MAX_PASSWORD * 1000, stored)


@pytest.fixture
def work(monkeypatch):
    """Every derivation: its parameters and the number of bytes it was given."""
    done = []

    class Counting:
        def __init__(self, **parameters):
            self._parameters = {name: value for name, value in parameters.items() if name != "salt"}

        def derive_phc_encoded(self, given):
            done.append((self._parameters, len(given)))
            return "$argon2id$..."

        @staticmethod
        def verify_phc_encoded(given, stored):
            parts = dict(part.split("=") for part in stored.split("$")[3].split(","))
            read = {
                "memory_cost": int(parts["m"]),
                "iterations": int(parts["t"]),
                "lanes": int(parts["p"]),
                "length": 32,
            }
            done.append((read, len(given)))
            raise passwords.InvalidKey

    stored = hash_password("right")
    monkeypatch.setattr(passwords, "Argon2id", Counting)
    return done, stored


@pytest.mark.parametrize("given", ["wrong", "", "é" * 10, "x" * 5000])
def test_an_account_without_a_password_costs_the_same_work_as_a_wrong_one(work, given):
    """Otherwise time would tell which accounts exist (safety: user enumeration)."""
    done, stored = work

    assert not verify_password(given, stored)
    assert not verify_password(given, None)

    assert len(done) == 2
    assert done[0] == done[1]
    assert done[0][1] <= 4 * (MAX_PASSWORD + 1), "a long password costs no more than a short one"


def test_a_hash_of_other_parameters_is_verified_and_outdated():
    weak = passwords.Argon2id(salt=b"s" * 16, length=32, iterations=1, lanes=1, memory_cost=64)
    stored = weak.derive_phc_encoded(b"old friend")

    assert verify_password("old friend", stored)
    assert not verify_password("new friend", stored)
    assert is_outdated(stored)
    assert is_outdated(OLD)


# --- which are refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", "0 characters; use at least 6"),
        ("short", "5 characters; use at least 6"),
        ("x" * (MAX_PASSWORD + 1), "1001 characters; use at most 1000"),
        ("password", "among the first"),
        ("PassWord1", "among the first"),
        ("zzzzzzzz", "among the first"),
        ("ZzZzZzZz", "among the first"),
        ("alice.smith", "among the first"),
        ("Alice.Smith", "among the first"),
        ("pkh-what-I-typed", "begin with pkh-"),
    ],
)
def test_what_is_tried_first_is_refused(password, says):
    with pytest.raises(WeakPassword, match=says):
        check_password(password, "alice.smith", least=6)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "pässword", "x" * (MAX_PASSWORD - 1) + "y", "1 2 3 4"]
)
def test_everything_else_is_accepted(password):
    check_password(password, "alice", least=6)


def test_an_empty_password_is_refused_whatever_the_least_length_is():
    with pytest.raises(WeakPassword):
        check_password("", "alice", least=0)


@settings(max_examples=200, deadline=None, database=None)
@given(password=st.text(max_size=30), least=st.integers(1, 20))
def test_nothing_under_the_least_length_passes(password, least):
    try:
        check_password(password, "alice", least=least)
    except WeakPassword:
        return
    assert len(password) >= least
    assert not password.startswith("pkh-")


# --- how many at once --------------------------------------------------------------------------------------------


def test_two_are_hashed_at_once_and_more_wait(monkeypatch):
    """Or a burst of sign-ins would take every core from the uploads."""
    running, most, lock = [0], [0], threading.Lock()
    full, go_on = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, **_):
            pass

        def derive_phc_encoded(self, _given):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
                if running[0] == 2:
                    full.set()
            go_on.wait()
            with lock:
                running[0] -= 1
            return ""

    monkeypatch.setattr(passwords, "Argon2id", Slow)
    threads = [threading.Thread(target=verify_password, args=("x", None)) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert full.wait(20)
    go_on.set()
    for thread in threads:
        thread.join()

    assert (most[0], running[0]) == (2, 0)


def test_who_waits_too_long_is_told_so_and_places_are_given_back(monkeypatch):
    monkeypatch.setattr(passwords, "_PATIENCE_S", 0.01)
    with passwords._turn(), passwords._turn(), pytest.raises(Unavailable, match="try again"):
        verify_password("x", None)

    assert not verify_password("x", None)


def test_a_hash_that_cannot_be_read_is_nobodys_and_gives_its_place_back():
    for _ in range(5):
        assert not verify_password("x", "$no$phc")
    assert verify_password("good enough", hash_password("good enough"))
