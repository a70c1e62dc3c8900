"""Whose credentials they are: keys, passwords and sessions, each looked up at every request.

How wrong passwords are counted is shown in test_uploadd_limiting_passwords.py.
"""

import sqlite3
from types import SimpleNamespace

import pytest
from multidict import CIMultiDict
from rights_support import DAY_US, Now, at_once, basic

from packhouse.catalog import Catalog, passwords
from packhouse.catalog.engine import reading
from packhouse.catalog.keys import new_secret
from packhouse.catalog.passwords import hash_password
from packhouse.errors import RateLimited, Unauthenticated
from packhouse.model import ANONYMOUS, Principal
from uploadd import signin as signin_module
from uploadd.identity import COOKIE, NONE, Credentials, credentials
from uploadd.signin import SignIn

HERE = "192.0.2.1"
GOOD = "correct horse"
HASH = hash_password(GOOD)


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def catalog(tmp_path, now):
    opened = Catalog(tmp_path / "catalog.sqlite", clock=now)
    opened.accounts.create("chief", password=HASH, admin=True)
    opened.accounts.create("ann", password=HASH)
    yield opened
    opened.close()


@pytest.fixture
def signin(catalog):
    return SignIn(catalog)


@pytest.fixture
def verified(monkeypatch):
    """Every password that was compared with a stored one."""
    compared = []

    def spy(password, stored):
        compared.append((password, stored))
        return passwords.verify_password(password, stored)

    monkeypatch.setattr(signin_module, "verify_password", spy)
    return compared


def ask(signin, headers=None, *, path_key="", address=HERE) -> Principal:
    return signin.principal(credentials(CIMultiDict(headers or {}), path_key), address)


def by_basic(signin, user="ann", password=GOOD, encoding="utf-8") -> Principal:
    return ask(signin, {"Authorization": basic(user, password, encoding)})


# --- keys --------------------------------------------------------------------------------------------------------


def test_a_key_is_its_account_in_every_spelling(catalog, signin):
    key, secret = catalog.keys.create("ann", "laptop", expires_us=catalog.clock() + DAY_US)
    spellings = [
        *({"Authorization": f"{scheme} {secret}"} for scheme in ("Bearer", "bearer", "token")),
        *(
            {"Authorization": basic(user, secret)}
            for user in ("__token__", "", "ann", "chief", "nobody", "ü")
        ),
        {"Authorization": basic(secret, "")},
        *({name: secret} for name in ("X-Api-Token", "X-API-Key", "X-Packhouse-Key")),
    ]

    found = [ask(signin, headers) for headers in spellings] + [ask(signin, path_key=secret)]

    assert {(item.name, item.admin, item.via, item.address) for item in found} == {
        ("ann", False, f"key:{key.fingerprint}", HERE)
    }


def test_a_key_stops_at_the_next_request(catalog, signin, now):
    for stop in (
        lambda key: catalog.keys.revoke(str(key.id)),
        lambda _: setattr(now, "us", now.us + DAY_US),
        lambda _: catalog.accounts.delete("ann"),
    ):
        key, secret = catalog.keys.create("ann", "laptop", expires_us=now.us + DAY_US)
        headers = {"Authorization": f"Bearer {secret}"}
        assert ask(signin, headers).name == "ann"
        stop(key)
        with pytest.raises(Unauthenticated, match="unknown, revoked or expired"):
            ask(signin, headers)


@pytest.mark.parametrize(
    "shown",
    ["", "password", "pkh-" + "k" * 42, "pkh-", new_secret()],
    ids=["nothing", "a password", "a mistyped key", "the prefix alone", "a key of nobody"],
)
@pytest.mark.parametrize("spelling", ["bearer", "basic", "basic as user", "path"])
def test_what_nobody_issued_is_never_nobody(signin, verified, shown, spelling):
    """Shown in vain is a 401: an anonymous answer would look like an empty server."""
    headers, path_key = {
        "bearer": ({"Authorization": f"Bearer {shown}"}, ""),
        "basic": ({"Authorization": basic("__token__", shown)}, ""),
        "basic as user": ({"Authorization": basic(shown, "")}, ""),
        "path": ({} if shown else {"Authorization": "Negotiate x"}, shown),
    }[spelling]

    with pytest.raises(Unauthenticated):
        ask(signin, headers, path_key=path_key)
    assert verified == [], "no key is ever tried as a password"


def test_a_mistyped_key_beside_a_users_name_is_no_wrong_password(signin, verified):
    """It would count against the account, and go through Argon2."""
    for _ in range(20):
        with pytest.raises(Unauthenticated, match="the API key"):
            by_basic(signin, "ann", new_secret()[:-1] + "!")
    assert verified == []
    assert by_basic(signin).name == "ann"


# --- nobody ------------------------------------------------------------------------------------------------------


def test_nobody_is_anonymous(signin):
    assert signin.principal(NONE, HERE) == ANONYMOUS
    assert ask(signin, {"Authorization": "", "Cookie": "theme=dark"}) == ANONYMOUS


# --- passwords ---------------------------------------------------------------------------------------------------


def test_a_password_is_its_user(signin):
    found = by_basic(signin)

    assert (found.name, found.kind, found.admin, found.via, found.address) == (
        "ann",
        "user",
        False,
        "password",
        HERE,
    )
    assert found.groups == {"everyone", "authenticated"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_password_with_umlauts_comes_in_either_encoding(catalog, signin, encoding):
    catalog.accounts.create("jörg".replace("ö", "oe"), password=hash_password("pässwörd"))

    assert by_basic(signin, "joerg", "pässwörd", encoding).name == "joerg"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {GOOD}"},
        {"Authorization": f"token {GOOD}"},
        {"X-API-Key": GOOD},
        {"Authorization": basic("", GOOD)},
        {"Authorization": basic("__token__", GOOD)},
        {"Authorization": basic(GOOD, "")},
        {"Authorization": basic("ann", "")},
    ],
)
def test_a_password_without_its_user_is_none(signin, verified, headers):
    with pytest.raises(Unauthenticated):
        ask(signin, headers)
    assert verified == []


@pytest.mark.parametrize(
    "user", ["nobody", "ANN", "Ann", "ann ", " ann", "ann\n", "a" * 5000, "robot", "ann\0", "\u0430nn"]
)
def test_somebody_who_is_not_there_looks_like_a_wrong_password(catalog, signin, verified, user):
    """One sentence, and one derivation, for both: neither words nor time tell which accounts exist."""
    catalog.accounts.create("robot", kind="service")
    with pytest.raises(Unauthenticated) as wrong:
        by_basic(signin, "ann", "wrong")
    with pytest.raises(Unauthenticated) as unknown:
        by_basic(signin, user, "wrong")

    assert str(wrong.value) == str(unknown.value)
    assert verified == [("wrong", HASH), ("wrong", None)]


def test_text_that_no_database_takes_is_a_wrong_password(signin):
    with pytest.raises(Unauthenticated, match="user name or the password is wrong"):
        signin.by_password("\ud800", "\ud800", HERE)


def test_a_right_password_is_compared_once_and_remembered(signin, verified):
    for _ in range(5):
        assert by_basic(signin).name == "ann"
    assert verified == [(GOOD, HASH)]
    with pytest.raises(Unauthenticated):
        by_basic(signin, "ann", GOOD + "x")
    with pytest.raises(Unauthenticated):
        by_basic(signin, "chief", "wrong")
    assert by_basic(signin, "chief").admin
    assert len(verified) == 4, "what is remembered is one password of one account"


def test_names_and_passwords_are_not_run_together(catalog, signin, verified):
    """`a` with `bc` is not `ab` with `c`."""
    shared = hash_password("bc")
    catalog.accounts.create("a", password=shared)
    catalog.accounts.create("ab", password=shared)
    assert by_basic(signin, "a", "bc").name == "a"
    for user, password in (("ab", "c"), ("a", "b"), ("ab", "bcc")):
        with pytest.raises(Unauthenticated):
            by_basic(signin, user, password)


def test_a_wrong_password_is_never_remembered(signin, verified):
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            by_basic(signin, "ann", "wrong")
    assert len(verified) == 3


def test_what_was_right_is_forgotten_after_a_while(signin, verified, monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(signin_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    by_basic(signin)
    clock.now += 299
    by_basic(signin)
    assert len(verified) == 1
    clock.now += 2
    by_basic(signin)
    assert len(verified) == 2


def test_only_so_many_are_remembered(signin, verified, monkeypatch):
    monkeypatch.setattr(signin_module, "_MOST", 1)
    by_basic(signin, "ann")
    by_basic(signin, "chief")
    by_basic(signin, "chief")
    assert len(verified) == 2
    by_basic(signin, "ann")
    assert len(verified) == 3
    assert len(signin._known) == 1


def test_nothing_that_is_remembered_holds_the_password(signin):
    by_basic(signin)

    held = b"".join(signin._known)
    assert GOOD.encode() not in held
    assert HASH.encode() not in held
    assert len(held) == 32
    other = SignIn(signin._catalog)
    by_basic(other)
    assert set(other._known) != set(signin._known), "keyed by a secret of the process"


# --- what counts at the next request -----------------------------------------------------------------------------


def test_a_changed_password_ends_the_old_one_at_once(catalog, signin):
    assert by_basic(signin).name == "ann"
    catalog.accounts.set_password("ann", hash_password("another one"))

    with pytest.raises(Unauthenticated):
        by_basic(signin)
    assert by_basic(signin, "ann", "another one").name == "ann"


def test_the_same_password_set_anew_is_looked_at_anew(catalog, signin, verified):
    by_basic(signin)
    again = hash_password(GOOD)
    catalog.accounts.set_password("ann", again)
    by_basic(signin)

    assert verified == [(GOOD, HASH), (GOOD, again)]


def test_a_deleted_account_is_nobody_at_once_and_its_successor_somebody_else(catalog, signin):
    by_basic(signin)
    catalog.accounts.delete("ann")
    with pytest.raises(Unauthenticated):
        by_basic(signin)
    catalog.accounts.create("ann")
    with pytest.raises(Unauthenticated):
        by_basic(signin)
    catalog.accounts.set_password("ann", hash_password("of the second"))
    with pytest.raises(Unauthenticated):
        by_basic(signin)
    assert by_basic(signin, "ann", "of the second").name == "ann"


def test_being_admin_and_groups_count_at_once(catalog, signin):
    assert not by_basic(signin).admin
    catalog.accounts.set_admin("ann", admin=True)
    assert by_basic(signin).admin
    catalog.accounts.set_admin("ann", admin=False)
    assert not by_basic(signin).admin
    catalog.groups.create("team")
    catalog.groups.add("ann", "team")
    assert "team" in by_basic(signin).groups
    catalog.groups.remove("ann", "team")
    assert "team" not in by_basic(signin).groups


def test_who_waits_for_approval_is_told_so_and_only_with_the_right_password(catalog, signin):
    catalog.accounts.register("eve", HASH, default_open=True)

    with pytest.raises(Unauthenticated, match="eve waits for an admin's approval"):
        by_basic(signin, "eve")
    with pytest.raises(Unauthenticated, match="user name or the password is wrong"):
        by_basic(signin, "eve", "wrong")
    catalog.accounts.approve("eve")
    assert by_basic(signin, "eve").name == "eve"


# --- hashed anew -------------------------------------------------------------------------------------------------


@pytest.fixture
def outdated(catalog):
    weak = passwords.Argon2id(salt=b"s" * 16, length=32, iterations=1, lanes=1, memory_cost=64)
    stored = weak.derive_phc_encoded(GOOD.encode())
    catalog.accounts.create("old", password=stored)
    return stored


def test_a_weakly_hashed_password_is_hashed_anew_when_it_is_shown(catalog, signin, outdated):
    with pytest.raises(Unauthenticated):
        by_basic(signin, "old", "wrong")
    assert catalog.accounts.stored_password("old") == outdated

    assert by_basic(signin, "old").name == "old"

    stored = catalog.accounts.stored_password("old")
    assert stored != outdated
    assert not passwords.is_outdated(stored)
    assert by_basic(signin, "old").name == "old"
    assert catalog.accounts.stored_password("old") == stored, "once"


def test_people_sign_in_while_the_catalog_is_locked(catalog, signin, outdated, tmp_path):
    other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert by_basic(signin, "old").name == "old"
    assert by_basic(signin, "ann").name == "ann"
    other.execute("ROLLBACK")
    other.close()
    assert catalog.accounts.stored_password("old") == outdated


# --- sessions ----------------------------------------------------------------------------------------------------


def cookie(secret):
    return {"Cookie": f"{COOKIE}={secret}"}


@pytest.fixture
def session(catalog):
    return catalog.sessions.create("ann", origin=HERE, agent="")


def test_a_cookie_is_its_account(signin, session):
    made, secret = session

    found = ask(signin, cookie(secret))

    assert (found.name, found.via, found.address) == ("ann", "session", HERE)
    assert signin.session(credentials(CIMultiDict(cookie(secret)))) == made


@pytest.mark.parametrize("end", ["signed out", "revoked", "idle", "new password", "deleted", "made admin"])
def test_a_session_that_ended_is_nobody_at_the_next_request(catalog, signin, session, now, end):
    """Not a 401: a browser sends its cookie without being asked to, and would never see the sign-in page."""
    made, secret = session
    assert ask(signin, cookie(secret)).name == "ann"
    {
        "signed out": lambda: catalog.sessions.end(secret),
        "revoked": lambda: catalog.sessions.revoke("ann", made.id),
        "idle": lambda: setattr(now, "us", now.us + DAY_US),
        "new password": lambda: catalog.accounts.set_password("ann", HASH),
        "deleted": lambda: catalog.accounts.delete("ann"),
        "made admin": lambda: catalog.accounts.set_admin("ann", admin=True),
    }[end]()

    assert ask(signin, cookie(secret)) == ANONYMOUS
    assert signin.session(credentials(CIMultiDict(cookie(secret)))) is None


def test_an_account_that_goes_between_two_looks_is_nobody(catalog, signin, session, monkeypatch):
    _, secret = session
    monkeypatch.setattr(catalog.accounts, "principal", lambda *_, **__: None)

    assert ask(signin, cookie(secret)) == ANONYMOUS


def test_whatever_else_is_shown_counts_instead_of_the_cookie(catalog, signin, session):
    _, secret = session

    assert ask(signin, {**cookie(secret), "Authorization": basic("chief", GOOD)}).name == "chief"
    for shown in ("Bearer nonsense", "Negotiate x", basic("ann", "wrong")):
        headers = {**cookie(secret), "Authorization": shown}
        with pytest.raises(Unauthenticated):
            ask(signin, headers)
        assert signin.session(credentials(CIMultiDict(headers))) is None
    with pytest.raises(Unauthenticated):
        ask(signin, cookie(secret), path_key="nonsense")


def test_credentials_made_by_hand_do_not_mix(signin, session):
    """Whatever a caller of this puts together: shown credentials never fall back to a session."""
    _, secret = session
    with pytest.raises(Unauthenticated):
        signin.principal(Credentials("", shown=True, session=secret), HERE)
    assert signin.session(Credentials("", shown=True, session=secret)) is None


# --- many at once ------------------------------------------------------------------------------------------------


def test_guesses_at_once_get_no_more_answers_than_guesses_one_by_one(signin, verified):
    """Twenty wrong passwords from one moment: ten are compared, ten are told to wait."""
    outcomes = at_once(
        *(lambda n=n: signin.by_password("ann", f"wrong {n}", f"198.51.100.{n}") for n in range(20))
    )

    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 10
    assert len(verified) == 10


def test_a_password_changed_while_it_is_compared_is_not_remembered(catalog, signin, monkeypatch):
    def slow(password, stored):
        catalog.accounts.set_password("ann", hash_password("changed meanwhile"))
        return passwords.verify_password(password, stored)

    monkeypatch.setattr(signin_module, "verify_password", slow)
    by_basic(signin)
    monkeypatch.undo()

    with pytest.raises(Unauthenticated):
        by_basic(signin)


def test_nothing_of_a_password_is_written(catalog, signin, outdated):
    by_basic(signin, "old")
    with reading(catalog._engine) as connection:
        script = "\n".join(connection.connection.driver_connection.iterdump())
    assert "INSERT INTO" in script
    assert GOOD not in script
