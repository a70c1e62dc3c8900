"""Wrong passwords are counted against the account and the address, whoever compares them; and enough is enough."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from template_support import stored_password
from test_uploadd_buckets import Clock
from uploadd_support import open_test_house

from packhouse.errors import Malformed, RateLimited, Unauthenticated
from packhouse.model import ANONYMOUS
from uploadd.failures import Failures, network
from uploadd.identity import NONE, Credentials
from uploadd.signin import SignIn

ROOT = Path(__file__).resolve().parent.parent


def wrong(failures: Failures, *names: str, then: Callable[[], None] = lambda: None) -> None:
    """One wrong password; `then` runs while it is compared."""
    with pytest.raises(Unauthenticated), failures.attempt(*names):
        then()
        raise Unauthenticated("no")


def right(failures: Failures, *names: str) -> None:
    with failures.attempt(*names):
        pass


# --- counting wrong passwords ---


def test_the_eleventh_wrong_password_is_refused_and_so_is_a_right_one() -> None:
    clock = Clock()
    failures = Failures(10, 300.0, monotonic=clock)
    for _ in range(10):
        wrong(failures, "account a", "address b")
        clock.now += 1

    for name in ("account a", "address b"):
        with pytest.raises(RateLimited) as caught:
            right(failures, name, "another")
        assert caught.value.limit == 10
        assert caught.value.retry_after_s == 290
    right(failures, "account c", "address d")


def test_the_window_slides() -> None:
    clock = Clock()
    failures = Failures(2, 300.0, monotonic=clock)
    wrong(failures, "a")
    clock.now += 200
    wrong(failures, "a")
    clock.now += 99.5
    with pytest.raises(RateLimited) as caught:
        right(failures, "a")
    assert caught.value.retry_after_s == 1
    clock.now += 0.5

    wrong(failures, "a")  # the first has left, the second has not
    with pytest.raises(RateLimited) as caught:
        right(failures, "a")
    assert caught.value.retry_after_s == 200


def test_a_right_password_uses_up_no_try_and_gives_none_back() -> None:
    failures = Failures(3, monotonic=Clock())
    wrong(failures, "a")
    wrong(failures, "a")
    for _ in range(50):
        right(failures, "a")
    wrong(failures, "a")

    with pytest.raises(RateLimited):
        right(failures, "a")


def test_another_failure_inside_is_no_wrong_password() -> None:
    failures = Failures(1, monotonic=Clock())
    for _ in range(3):
        with pytest.raises(Malformed), failures.attempt("a"):
            raise Malformed("the store is away")

    right(failures, "a")
    assert len(failures) == 0


def test_when_too_many_names_are_counted_new_ones_are_refused_until_old_ones_lapse() -> None:
    clock = Clock()
    failures = Failures(5, 300.0, most=4, monotonic=clock)
    wrong(failures, "account a", "address a")
    clock.now += 100
    wrong(failures, "account b", "address b")

    with pytest.raises(RateLimited) as caught:
        right(failures, "account c", "address a")
    assert caught.value.retry_after_s == 300
    assert len(failures) == 4
    wrong(failures, "account a", "address b")  # who is counted already goes on
    clock.now += 250
    right(failures, "account c", "address b")  # address a is forgotten
    wrong(failures, "account c", "address b")

    assert len(failures) == 4


def test_names_that_lapsed_are_forgotten() -> None:
    clock = Clock()
    failures = Failures(5, 300.0, monotonic=clock)
    for number in range(100):
        wrong(failures, f"account {number}")
    clock.now += 300

    right(failures, "x")

    assert len(failures) == 0


def test_undecided_attempts_hold_the_last_tries() -> None:
    """However many come at once: no more than the tries are answered."""
    failures, together = Failures(10, monotonic=Clock()), 40
    start, compared, refused = threading.Barrier(together), [], []

    def guess() -> None:
        start.wait()
        try:
            wrong(failures, "account a", then=lambda: compared.append(1))
        except RateLimited:
            refused.append(1)

    threads = [threading.Thread(target=guess) for _ in range(together)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(compared), len(refused)) == (10, 30)


def test_a_right_password_waits_for_undecided_attempts_instead_of_being_refused() -> None:
    failures = Failures(1, monotonic=Clock())
    inside, decide, passed = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with failures.attempt("a"):
            inside.set()
            decide.wait(30)

    def second() -> None:
        with failures.attempt("a"):
            passed.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    assert not passed.wait(0.05)
    decide.set()

    assert passed.wait(30)
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("-", "unknown"),
        ("", "unknown"),
        ("192.0.2.7, 198.51.100.1", "unknown"),
    ],
)
def test_an_address_is_counted_as_its_network(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.fixture
def signin(tmp_path: Path) -> Iterator[tuple[SignIn, Clock]]:
    """A sign-in over a catalog with alice and bob, whose passwords are their names and `-secret`."""
    clock = Clock()
    with open_test_house(tmp_path / "data") as house:
        for name in ("alice", "bob"):
            house.catalog.accounts.create(name, password=stored_password(f"{name}-secret"))
        yield SignIn(house.catalog, failures=Failures(3, 300.0, monotonic=clock)), clock


def fail(signin: SignIn, name: str, address: str, times: int = 3, **more: str) -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            signin.by_password(name, "wrong", address, **more)


# --- signing in ---


def test_a_password_that_was_right_a_moment_ago_passes_and_another_account_does_not(
    signin: tuple[SignIn, Clock],
) -> None:
    door, clock = signin
    assert door.by_password("bob", "bob-secret", "192.0.2.1").name == "bob"
    fail(door, "alice", "192.0.2.1")

    assert door.by_password("bob", "bob-secret", "192.0.2.1").name == "bob"
    with pytest.raises(RateLimited):  # by her own count, wherever she is
        door.by_password("alice", "alice-secret", "198.51.100.1")
    with pytest.raises(RateLimited):  # by the address
        door.by_password("carol", "x", "192.0.2.1")
    clock.now += 300
    assert door.by_password("alice", "alice-secret", "192.0.2.1").name == "alice"


def test_one_account_in_every_spelling_and_one_network_in_every_address(signin: tuple[SignIn, Clock]) -> None:
    door, _clock = signin
    for name, address in (("alice", "2001:db8::1"), ("ALICE", "2001:db8::2"), ("Alice", "2001:db8::3")):
        fail(door, name, address, 1)

    with pytest.raises(RateLimited):
        door.by_password("alice", "alice-secret", "192.0.2.1")
    with pytest.raises(RateLimited):
        door.by_password("bob", "bob-secret", "2001:db8::4")
    assert door.by_password("bob", "bob-secret", "2001:db8:0:1::4").name == "bob"


def test_an_account_that_is_not_there_is_limited_like_one_that_is(signin: tuple[SignIn, Clock]) -> None:
    door, _clock = signin
    for number, name in enumerate(("alice", "nobody")):
        fail(door, name, f"192.0.2.{number}")

    said = []
    for name in ("alice", "nobody"):
        with pytest.raises(RateLimited) as caught:
            door.by_password(name, "wrong", "198.51.100.1")
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_what_is_counted_apart_is_noticed_nowhere_else(signin: tuple[SignIn, Clock]) -> None:
    door, _clock = signin
    fail(door, "alice", "192.0.2.1", apart="main/pypi/hidden")

    with pytest.raises(RateLimited):
        door.by_password("alice", "alice-secret", "192.0.2.1", apart="main/pypi/hidden")
    fail(door, "alice", "192.0.2.1")


def test_a_key_needs_no_count(signin: tuple[SignIn, Clock], tmp_path: Path) -> None:
    door, _clock = signin
    fail(door, "alice", "192.0.2.1")

    with pytest.raises(Unauthenticated):  # looked at, not refused unseen
        door.principal(Credentials("pkh-" + "0" * 42, shown=True, user="alice"), "192.0.2.1")
    assert door.principal(NONE, "192.0.2.1") is ANONYMOUS


def test_a_count_that_cannot_be_kept_lets_nobody_in(tmp_path: Path) -> None:
    class Broken(Failures):
        def attempt(self, *names: str) -> object:  # type: ignore[override]
            raise MemoryError

    with open_test_house(tmp_path / "data") as house:
        house.catalog.accounts.create("alice", password=stored_password("alice-secret"))
        door = SignIn(house.catalog, failures=Broken())

        with pytest.raises(MemoryError):
            door.by_password("alice", "alice-secret", "192.0.2.1")


def test_nothing_else_compares_passwords() -> None:
    """A second place would be one without a count; an admin who makes an account again may set it anyway."""
    using = {
        str(path.relative_to(ROOT))
        for folder in ("packhouse", "uploadd", "indexer")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bverify_password\(", path.read_text())
    }

    assert using - {"uploadd/dialects/pypicloud_accounts.py"} == {
        "packhouse/catalog/passwords.py",
        "uploadd/signin.py",
    }
