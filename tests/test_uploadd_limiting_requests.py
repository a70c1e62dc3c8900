"""Which requests are counted, and against whom: those without credentials, with wrong ones, and refused ones."""

import logging
from collections.abc import Callable

import pytest
from aiohttp import web
from test_uploadd_buckets import Clock

from packhouse.errors import Forbidden, Malformed, NotFound, PackhouseError, RateLimited, Unauthenticated
from packhouse.model import ANONYMOUS, Principal
from uploadd.limiting import Limiter, Meter

ALICE = Principal(name="alice", kind="user")


def meter_of(anonymous: int = 2, refused: int = 2) -> tuple[Limiter, Callable[[], Meter]]:
    limiter = Limiter(anonymous, refused, monotonic=Clock())
    return limiter, lambda: Meter(limiter, "192.0.2.1")


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
