"""Token buckets: a burst, then the rate; bounded, fair, and thread-safe."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploadd.buckets import Buckets, Level


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def passed(buckets: Buckets, name: str, times: int) -> int:
    return sum(buckets.take(name).passed for _ in range(times))


def test_a_full_bucket_holds_a_minutes_worth_and_then_fills_at_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(6, monotonic=clock)

    assert passed(buckets, "a", 10) == 6

    clock.now += 10  # one token at six a minute
    assert passed(buckets, "a", 10) == 1
    clock.now += 25
    assert passed(buckets, "a", 10) == 2
    clock.now += 5  # and the half that was left
    assert passed(buckets, "a", 10) == 1


def test_a_level_says_what_is_left_and_how_long_to_wait() -> None:
    clock = Clock()
    buckets = Buckets(2, monotonic=clock)

    assert buckets.take("a") == Level(passed=True, limit=2, remaining=1, wait_s=0.0, full_s=30.0)
    assert buckets.take("a") == Level(passed=True, limit=2, remaining=0, wait_s=30.0, full_s=60.0)
    clock.now += 10
    assert buckets.take("a") == Level(passed=False, limit=2, remaining=0, wait_s=20.0, full_s=50.0)
    clock.now += 1000
    assert buckets.take("a") == Level(passed=True, limit=2, remaining=1, wait_s=0.0, full_s=30.0)


def test_asking_an_empty_bucket_does_not_make_it_emptier() -> None:
    clock = Clock()
    buckets = Buckets(1, monotonic=clock)

    assert passed(buckets, "a", 1000) == 1
    clock.now += 60
    assert passed(buckets, "a", 1000) == 1


def test_names_do_not_share_a_bucket() -> None:
    buckets = Buckets(3, monotonic=Clock())

    assert passed(buckets, "a", 9) == 3
    assert passed(buckets, "b", 9) == 3


def test_there_are_never_more_buckets_than_allowed_and_the_idle_go_first() -> None:
    buckets = Buckets(1, most=3, monotonic=Clock())
    assert passed(buckets, "busy", 1) == 1

    for name in ("a", "b", "c", "d", "e"):
        assert passed(buckets, name, 1) == 1
        assert passed(buckets, "busy", 1) == 0  # whoever hammers is not forgotten
        assert len(buckets) <= 3

    assert passed(buckets, "a", 1) == 1  # forgotten, so full
    assert passed(buckets, "e", 1) == 0


@pytest.mark.parametrize(("per_minute", "most"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_without_tokens_is_a_mistake(per_minute: int, most: int) -> None:
    with pytest.raises(ValueError, match="a token a minute"):
        Buckets(per_minute, most=most)


@given(
    per_minute=st.integers(1, 600),
    steps=st.lists(st.tuples(st.floats(0, 90), st.integers(1, 40)), max_size=30),
)
def test_no_pattern_of_asking_gets_more_than_the_burst_and_the_rate(
    per_minute: int, steps: list[tuple[float, int]]
) -> None:
    clock = Clock()
    buckets, got = Buckets(per_minute, monotonic=clock), 0
    for pause, asks in steps:
        clock.now += pause
        for _ in range(asks):
            level = buckets.take("a")
            got += level.passed
            assert 0 <= level.remaining <= per_minute - 1
            assert 0.0 <= level.wait_s <= 60.0 / per_minute + 1e-6
            assert 0.0 <= level.full_s <= 60.0 + 1e-6

    assert got <= per_minute * (1 + (clock.now - 1000.0) / 60.0) + 1e-6


@given(per_minute=st.integers(1, 600))
def test_the_whole_burst_is_there(per_minute: int) -> None:
    """No token is lost to rounding."""
    assert passed(Buckets(per_minute, monotonic=Clock()), "a", per_minute + 5) == per_minute


def test_threads_together_get_no_token_twice() -> None:
    buckets, got = Buckets(50, monotonic=Clock()), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        got.append(passed(buckets, "a", 20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(got) == 50
