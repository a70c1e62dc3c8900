"""What is counted against whom: wrong passwords, requests without credentials, refused ones; and who never is."""

import asyncio
import base64
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from test_uploadd_buckets import Clock
from uploadd_support import SETTINGS, Answer, Daemon, open_test_house, run_daemon, sha256

from packhouse.catalog.passwords import hash_password
from packhouse.errors import Forbidden, Malformed, NotFound, PackhouseError, RateLimited, Unauthenticated
from packhouse.model import ANONYMOUS, Action, Claim, Ecosystem, Grant, Observed, Principal
from uploadd.failures import Failures, network
from uploadd.identity import NONE, Credentials
from uploadd.limiting import Limiter, Meter
from uploadd.signin import SignIn

ALICE = Principal(name="alice", kind="user")
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
            house.catalog.accounts.create(name, password=hash_password(f"{name}-secret"))
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
        house.catalog.accounts.create("alice", password=hash_password("alice-secret"))
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


def meter_of(anonymous: int = 2, refused: int = 2) -> tuple[Limiter, Callable[[], Meter]]:
    limiter = Limiter(anonymous, refused, monotonic=Clock())
    return limiter, lambda: Meter(limiter, "192.0.2.1")


# --- counting requests ---


def test_a_request_counts_once() -> None:
    _limiter, fresh = meter_of(2)
    for _ in range(2):
        meter = fresh()
        for _again in range(5):
            meter.stranger()
        meter.known(ANONYMOUS)
        assert meter.weigh(Unauthenticated("no")).code == "unauthenticated"

    with pytest.raises(RateLimited) as caught:
        fresh().stranger()
    assert caught.value.retry_after_s == 30


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (Forbidden("alice", "write", "x"), True),
        (NotFound("channel", "x"), True),
        (NotFound("file", "x"), False),
        (Malformed("x"), False),
    ],
)
def test_an_account_is_counted_where_it_lacks_the_right(error: PackhouseError, counts: bool) -> None:
    _limiter, fresh = meter_of(refused=2)
    codes = []
    for _ in range(3):
        meter = fresh()
        meter.shown = True
        meter.known(ALICE)
        codes.append(meter.weigh(error).code)

    assert codes == [error.code, error.code, "rate-limited" if counts else error.code]


def test_failed_credentials_count_by_address_and_apart_from_strangers() -> None:
    _limiter, fresh = meter_of(2, 2)
    codes = []
    for _ in range(3):
        meter = fresh()
        meter.shown = True
        codes.append(meter.weigh(Unauthenticated("no")).code)
    fresh().stranger()

    assert codes == ["unauthenticated", "unauthenticated", "rate-limited"]


def test_a_request_that_cannot_be_read_is_a_strangers() -> None:
    _limiter, fresh = meter_of(1)

    assert fresh().weigh(Malformed("x")).code == "malformed"
    assert fresh().weigh(Malformed("x")).code == "rate-limited"


def test_a_malformed_request_with_credentials_is_not_counted() -> None:
    _limiter, fresh = meter_of(1, 1)
    for _ in range(3):
        meter = fresh()
        meter.shown = True
        assert meter.weigh(Malformed("x")).code == "malformed"


def test_where_nobody_is_looked_up_an_account_goes_on_when_strangers_may_not() -> None:
    _limiter, fresh = meter_of(1)
    asked: list[int] = []

    def someone() -> Principal:
        asked.append(1)
        return ALICE

    def failing() -> Principal:
        raise Unauthenticated("no")

    meters = [fresh() for _ in range(5)]
    for meter in meters[:4]:
        meter.shown = True
    meters[0].open(someone)
    assert asked == []
    meters[1].open(someone)
    assert asked == [1]
    answer = web.Response()
    meters[1].tell(answer)
    assert "X-RateLimit-Limit" not in answer.headers
    for meter, who in ((meters[2], failing), (meters[3], lambda: ANONYMOUS), (meters[4], someone)):
        with pytest.raises(RateLimited):
            meter.open(who)


def test_zero_switches_a_limit_off() -> None:
    _limiter, fresh = meter_of(0, 0)
    for _ in range(1000):
        fresh().stranger()
        meter = fresh()
        meter.known(ALICE)
        assert meter.weigh(Forbidden("alice", "read", "x")).code == "forbidden"
    answer = web.Response()
    meter.tell(answer)
    assert "X-RateLimit-Limit" not in answer.headers


def test_when_counting_fails_reading_goes_on_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_self: object, _name: str) -> None:
        raise RuntimeError("no clock")

    monkeypatch.setattr("uploadd.buckets.Buckets.take", broken)
    _limiter, fresh = meter_of(1)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            fresh().stranger()

    assert caplog.text.count("could not be counted") == 3


def test_an_answer_that_is_on_its_way_is_left_alone() -> None:
    class Sent(web.Response):
        prepared = True  # type: ignore[assignment]

    _limiter, fresh = meter_of()
    meter, sent, waiting = fresh(), Sent(), web.Response()
    meter.stranger()
    meter.tell(sent)
    meter.tell(waiting)

    assert "X-RateLimit-Limit" not in sent.headers
    assert waiting.headers["X-RateLimit-Remaining"] == "1"


# --- the daemon -----------------------------------------------------------------------------------------------------


class Fine:
    """An inspector that believes everything."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: object) -> Observed:
        product, version = (claim.directory or "products/p/1").split("/")[1:3]
        return Observed(
            filename=claim.filename,
            package=product,
            version=version,
            directory=claim.directory or "",
            record={},
        )


LOW = SETTINGS + "anonymous_requests_per_minute = 5\nrefused_requests_per_minute = 5\n"
LIST = "/main/simple/"


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Fine(), settings=LOW) as running:
        yield running


async def ask(
    daemon: Daemon, path: str, address: str = "192.0.2.1", key: str | None = None, **headers: str
) -> Answer:
    sent = {"X-Real-IP": address, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await daemon.ask("GET", path, key=key, headers=sent)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def flood(daemon: Daemon, path: str = LIST, address: str = "192.0.2.1") -> Answer:
    """Ask until it is refused."""
    for _ in range(5):
        assert (await ask(daemon, path, address)).status != 429
    return await ask(daemon, path, address)


async def test_a_stranger_is_told_what_is_left_and_then_to_wait(daemon):
    first = await ask(daemon, LIST)
    assert first.status != 429
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("5", "4")
    assert 0 < int(first.headers["X-RateLimit-Reset"]) - time.time() < 62
    for left in ("3", "2", "1", "0"):
        assert (await ask(daemon, LIST)).headers["X-RateLimit-Remaining"] == left

    refused = await ask(daemon, LIST)

    assert (refused.status, refused.code) == (429, "rate-limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 12
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("5", "0")
    assert "192.0.2.1" not in refused.body.decode()


async def test_addresses_are_counted_apart_and_nobody_chooses_theirs(daemon):
    await flood(daemon)

    assert (await ask(daemon, LIST, "192.0.2.2")).status != 429
    for header in ("X_Forwarded_For", "Forwarded", "X_Client_IP", "True_Client_IP"):
        assert (await ask(daemon, LIST, **{header: "for=198.51.100.9"})).status == 429
    await flood(daemon, address="2001:db8::1")
    assert (await ask(daemon, LIST, "2001:db8::2")).status == 429


@pytest.mark.parametrize(
    "path", ["/api/nothing/here", "/%zz", "/main/simple/?a=1&a=2", "/closed/simple/", "/nowhere/simple/"]
)
async def test_every_answer_to_a_stranger_counts(daemon, path):
    assert (await flood(daemon, path)).status == 429


async def test_health_is_free(daemon):
    await flood(daemon)

    for _ in range(8):
        answer = await ask(daemon, "/health")
        assert answer.status in (200, 500)
        assert "X-RateLimit-Limit" not in answer.headers


async def test_whoever_has_the_right_is_never_limited(daemon):
    """Also not in the middle of a flood of strangers from the same address, and with answers that are no success."""
    await flood(daemon)
    body = b"bytes"

    for number in range(12):
        answer = await daemon.ask(
            "PUT", f"/main/products/tool/1/f{number}.bin", body, headers={"X-Real-IP": "192.0.2.1"}
        )
        assert answer.status in (201, 202), answer
        again = await daemon.ask(
            "PUT", f"/main/products/tool/1/f{number}.bin", b"other", headers={"X-Real-IP": "192.0.2.1"}
        )
        assert again.status == 409
        wrong_hash = await daemon.ask(
            "PUT", "/main/products/tool/1/g.bin", body,
            headers={"X-Real-IP": "192.0.2.1", "X-File-SHA256": sha256(b"no")},
        )  # fmt: skip
        assert wrong_hash.status in (400, 422)
        assert "X-RateLimit-Limit" not in answer.headers


async def test_an_account_without_the_right_is_limited_wherever_it_is(daemon):
    for number in range(5):
        answer = await daemon.ask(
            "PUT", "/main/products/t/1/f.bin", b"x", key="reader", headers={"X-Real-IP": f"192.0.2.{number}"}
        )
        assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (403, str(4 - number))

    last = await daemon.ask(
        "PUT", "/main/products/t/1/f.bin", b"x", key="reader", headers={"X-Real-IP": "192.0.2.9"}
    )

    assert (last.status, last.code) == (429, "rate-limited")
    assert "Retry-After" in last.headers
    assert (await ask(daemon, LIST, key="reader")).status != 429  # what it may do it still may


async def test_a_channel_that_is_not_there_and_one_that_is_not_theirs_count_alike(daemon):
    left = [
        (await ask(daemon, f"/{channel}/simple/", key="reader")).headers["X-RateLimit-Remaining"]
        for channel in ("closed", "nowhere", "closed", "nowhere")
    ]

    assert left == ["4", "3", "2", "1"]


async def test_unknown_keys_are_limited_by_address_and_known_ones_pass(daemon):
    for _ in range(5):
        assert (await ask(daemon, LIST, X_API_Key="pkh-unknown")).status == 401

    assert (await ask(daemon, LIST, X_API_Key="pkh-unknown")).status == 429
    assert (await ask(daemon, LIST, "192.0.2.2", X_API_Key="pkh-unknown")).status == 401
    assert (await ask(daemon, LIST, key="reader")).status != 429


async def test_an_ended_session_is_no_way_around(daemon):
    cookie = {"Cookie": "__Host-packhouse=forged"}
    for _ in range(5):
        assert (await ask(daemon, LIST, **cookie)).status != 429

    assert (await ask(daemon, LIST, **cookie)).status == 429


async def authz(
    daemon: Daemon, path: str, root: str, address: str = "192.0.2.1", key: str | None = None, **headers: str
) -> Answer:
    return await ask(daemon, "/_authz", address, key, X_Packhouse_Path=path, X_Packhouse_Root=root, **headers)


# --- what nginx asks about ---


async def test_wrong_passwords_there_are_sign_in_attempts(tmp_path):
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        for _ in range(10):
            answer = await authz(daemon, "/closed/simple/index.html", "private", **basic("alice", "x"))
            assert answer.status == 401

        for path in ("/closed/simple/index.html", "/nowhere/simple/index.html"):
            refused = await authz(daemon, path, "private", **basic("alice", "x"))
            assert (refused.status, refused.code) == (429, "rate-limited")
            assert 290 <= int(refused.headers["Retry-After"]) <= 300
        assert (await ask(daemon, LIST, **basic("bob", "x"))).status == 429
        assert (await authz(daemon, "/closed/x", "private", key="insider")).status == 204
        other = await authz(daemon, "/closed/x", "private", "192.0.2.2", **basic("bob", "x"))
        assert other.status == 401


async def test_failed_keys_and_missing_rights_count_and_strangers_do_not(daemon):
    for _ in range(8):
        assert (await authz(daemon, "/closed/x", "private")).status == 401
    for _ in range(5):
        assert (await authz(daemon, "/closed/x", "private", X_API_Key="pkh-unknown")).status == 401
        assert (await authz(daemon, "/closed/x", "private", key="reader")).status == 403

    assert (await authz(daemon, "/closed/x", "private", X_API_Key="pkh-unknown")).status == 429
    assert (await authz(daemon, "/closed/x", "private", key="reader")).status == 429
    for _ in range(8):
        assert (await authz(daemon, "/closed/x", "private", key="insider")).status == 204


async def test_no_count_tells_that_a_restricted_file_is_there(daemon):
    """Only those that are there are asked about: a limit that can be noticed would tell."""
    path = "/main/packages/hidden/hidden-1.tar.gz"
    for _ in range(15):
        assert (await authz(daemon, path, "restricted", **basic("alice", "x"))).status == 401
        assert (await authz(daemon, path, "restricted", X_API_Key="pkh-unknown")).status == 401
        assert (await authz(daemon, path, "restricted", key="reader")).status == 403

    assert (await ask(daemon, LIST, **basic("alice", "x"))).status == 401
    assert (await ask(daemon, LIST, X_API_Key="pkh-unknown")).headers["X-RateLimit-Remaining"] == "3"
    forbidden = await ask(daemon, "/closed/simple/", key="reader")
    assert forbidden.headers["X-RateLimit-Remaining"] == "4"


@pytest.mark.parametrize("channel", ["closed", "nowhere"])
async def test_in_a_channel_that_is_not_public_one_count_holds_for_what_is_there_and_what_is_not(
    daemon, channel
):
    """There nginx asks about every path: with counts of its own, a restricted file would be 401 where others are 429."""
    there, missing = (
        f"/{channel}/packages/hidden/hidden-1.tar.gz",
        f"/{channel}/packages/hidden/hidden-2.tar.gz",
    )
    ways = {"key": {"X_API_Key": "pkh-unknown"}, "right": {"key": "reader"}, "password": basic("alice", "x")}
    for shown in ways.values():
        while (await authz(daemon, missing, "private", **shown)).status != 429:
            pass

        assert (await authz(daemon, there, "restricted", **shown)).status == 429


async def test_whoever_reads_a_private_channel_is_told_by_no_count_which_packages_are_restricted(daemon):
    """Of a package that nobody has, every file is missing, however often it is asked for; so it is of a hidden one."""
    hidden = Grant(
        principal="group:authenticated",
        action=Action.READ,
        channel="closed",
        ecosystem="pypi",
        package="hidden",
    )
    await asyncio.to_thread(daemon.house.catalog.grants.give, hidden)
    await asyncio.to_thread(daemon.house.catalog.grants.take, hidden)
    there, missing = "/closed/packages/hidden/hidden-1.tar.gz", "/closed/packages/hidden/hidden-2.tar.gz"
    for _ in range(8):
        assert (await authz(daemon, there, "restricted", key="insider")).status == 403
        assert (await authz(daemon, missing, "private", key="insider")).status == 403
        assert (
            await authz(daemon, "/closed/packages/never/never-1.tar.gz", "private", key="insider")
        ).status == 204


async def test_yet_its_passwords_cannot_be_guessed_without_end(tmp_path):
    path = "/main/packages/hidden/hidden-1.tar.gz"
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        house = daemon.house

        def prepare() -> None:
            house.catalog.accounts.create("alice", password=hash_password("alice-secret"))
            house.catalog.grants.give(
                Grant(
                    principal="user:alice",
                    action=Action.READ,
                    channel="main",
                    ecosystem="pypi",
                    package="hidden",
                )
            )

        await asyncio.to_thread(prepare)
        for _ in range(10):
            assert (await authz(daemon, path, "restricted", **basic("alice", "x"))).status == 401

        assert (await authz(daemon, path, "restricted", **basic("alice", "alice-secret"))).status == 401
        elsewhere = path.replace("hidden", "other")
        assert (await authz(daemon, elsewhere, "restricted", **basic("alice", "alice-secret"))).status == 403


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/sign-in", {"user": "alice", "password": "guess"}),
        ("/account/password", {"old": "guess", "new": "another sentence", "again": "another sentence"}),
    ],
)
async def test_the_forms_of_the_pages_count_wrong_passwords_too(tmp_path, path, form):
    async with run_daemon(tmp_path / "data", Fine()) as daemon:
        house = daemon.house

        def prepare() -> tuple[str, str]:
            house.catalog.accounts.create("alice", password=hash_password("alice-secret"))
            session, cookie = house.catalog.sessions.create("alice", origin="192.0.2.1", agent="x")
            return cookie, session.csrf

        secret, token = await asyncio.to_thread(prepare)
        headers = {
            "X-Real-IP": "192.0.2.1",
            "X-Forwarded-Proto": "https",
            "Accept": "text/html",
            "Sec-Fetch-Site": "same-origin",
        }
        if path != "/account/sign-in":
            headers["Cookie"] = f"__Host-packhouse={secret}"
            form = {**form, "token": token}

        answers = [await daemon.ask("POST", path, form, key=None, headers=headers) for _ in range(11)]

        assert 429 not in {answer.status for answer in answers[:10]}
        assert answers[10].status == 429
        assert 290 <= int(answers[10].headers["Retry-After"]) <= 300
        assert (await ask(daemon, LIST, **basic("alice", "alice-secret"))).status == 429
