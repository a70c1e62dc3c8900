"""Who reads while a channel is made private and public, again and again, through a real nginx."""

import http.client
import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from indexer_support import World
from moving_support import child_processes, lying, misplaced
from nginx_support import running_nginx

from indexer.check import check
from packhouse.intake import moving
from packhouse.model import Action, Grant

CRAWLERS = 3
FLIPS = pytest.mark.parametrize("times", [15, pytest.param(100, marks=pytest.mark.soak)])
SECRET = Grant(
    principal="group:authenticated", action=Action.READ, channel="main", ecosystem="pypi", package="secret"
)
EVERYONE = Grant(
    principal="group:everyone", action=Action.READ, channel="main", ecosystem="pypi", package="secret"
)


@dataclass
class State:
    """What was answered, and what strangers read since.

    Attributes:
        answers: how many answers there were; odd while nobody may read.
        asked: how many requests began and ended between the last answer and the next change.
        seen: statuses of such requests while everybody may read.
        leaks: what was read in a request that began after an answer of `private`, and ended before the next change.
    """

    answers: int = 0
    asked: int = 0
    seen: set[int] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    stop: threading.Event = field(default_factory=threading.Event)

    def answered(self) -> None:
        """Note an answer, then let strangers ask."""
        with self.changed:
            self.answers += 1
            self.asked = 0
            assert self.changed.wait_for(lambda: self.asked >= 2 * CRAWLERS, timeout=60)

    def changing(self) -> None:
        """Note that something is about to change: what is read now may be either."""
        with self.changed:
            self.answers += 1

    def told(self, path: str, before: int, status: int) -> None:
        with self.changed:
            if before != self.answers:
                return
            phase = before % 4
            if phase == 1:  # private was answered
                self.asked += 1
                if status in (200, 206, 304):
                    self.leaks.append(f"{path}: {status}")
            elif phase == 3:  # public was answered
                self.asked += 1
                self.seen.add(status)
            self.changed.notify_all()


def crawl(state: State, port: int, paths: list[str], seed: int) -> None:
    """A stranger who asks for one path after the other over a connection that stays open."""
    dice = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    while not state.stop.is_set():
        path, before = dice.choice(paths), state.answers
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()  # nginx closes one that was used ten thousand times
            continue
        state.told(path, before, answer.status)
    connection.close()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, "main", "other", overwrite=True)
    for name in ("secret", "open"):
        world.wheel(name, "1.0")
        world.wheel(name, "1.0", summary="again", force=True)
    world.conda("tiny")
    world.product("tool")
    world.settle()
    yield world
    world.close()


def addresses(world, wanted="") -> list[str]:
    """Every file of the channel as a client would ask for it, the pages behind folders too."""
    paths = [f"/main/{path}" for path in sorted(lying(world.house)) if wanted in path]
    pages = [path.removesuffix("index.html") for path in paths if path.endswith("/index.html")]
    return paths + pages


def flip(world, state, port, paths, to_private, to_public, count):
    """Change to and fro while strangers read and an indexer and an uploader work."""
    with ThreadPoolExecutor(CRAWLERS + 2) as threads:
        running = [threads.submit(crawl, state, port, paths, seed) for seed in range(CRAWLERS)]
        running.append(threads.submit(index, world, state))
        running.append(threads.submit(upload, world, state))
        try:
            for _ in range(count):
                to_private()
                state.answered()
                assert state.leaks == []
                state.changing()
                to_public()
                state.answered()
                state.changing()
        finally:
            state.stop.set()
        for one in running:
            one.result(60)
    assert 200 in state.seen, "nothing would be shown by readers who are never let in"


def index(world, state) -> None:
    while not state.stop.is_set():
        pass_time(world)
        world.reconciler.reconcile()
        state.stop.wait(0.005)


def pass_time(world) -> None:
    """Let the world's clocks show what other processes see."""
    world.clock.us = max(world.clock.us, time.time_ns() // 1000)
    world.monotonic = time.monotonic()


def upload(world, state) -> None:
    for n in range(60):  # more would only make the pages larger
        if state.stop.wait(0.1):
            return
        world.wheel("secret", f"2.{n}")


def assert_whole(world) -> None:
    assert misplaced(world.house) == []
    pass_time(world)
    world.settle()
    assert check(world.house).findings == ()


@FLIPS
def test_a_channel_that_is_flipped_is_read_by_nobody_while_it_is_private(world, times):
    """Not one byte in a request that began after the answer."""
    state = State()

    def private():
        assert moving.set_private(world.house, "main", private=True).changed

    def public():
        assert moving.set_private(world.house, "main", private=False).changed

    with running_nginx(world.house.data) as nginx:
        flip(world, state, nginx.port, addresses(world), private, public, times)
    assert_whole(world)


@FLIPS
def test_a_project_that_is_flipped_is_read_by_nobody_while_it_is_restricted(world, times):
    """Its pages, files, sidecars and the bytes that an overwrite replaced, below the channel and below the aliases."""
    state = State()
    moving.give(world.house, SECRET)
    moving.give(world.house, EVERYONE)
    paths = addresses(world, "secret")
    assert [path for path in paths if "/replaced/" in path]
    paths += [
        "/simple/secret/",
        "/pypi/secret/json",
        *(p.removeprefix("/main") for p in paths if "/packages/" in p),
    ]

    def restrict():
        assert moving.take(world.house, EVERYONE).changed

    def open_():
        assert moving.give(world.house, EVERYONE).changed

    with running_nginx(world.house.data) as nginx:
        flip(world, state, nginx.port, paths, restrict, open_, times)
    assert_whole(world)


def test_a_channel_that_is_flipped_by_processes_that_are_killed(world):
    flip_and_kill(world, 2)


@pytest.mark.soak
def test_a_channel_that_is_flipped_a_thousand_times_by_processes_that_are_killed(world):
    flip_and_kill(world, 500)


def flip_and_kill(world, count) -> None:
    """Each change is killed before its first step, begun again, killed before its second, until there is an answer."""
    state, killed = State(), 0
    with running_nginx(world.house.data) as nginx, child_processes() as child:

        def change(word):
            nonlocal killed
            for step in itertools.count(1):
                outcome = child(step, world.house.data, word)
                if outcome == "answered":
                    return
                assert outcome == "killed"
                killed += 1

        paths = addresses(world)
        flip(world, state, nginx.port, paths, lambda: change("private"), lambda: change("public"), count)
    assert killed >= 2 * 3 * count, "a transaction, a rename and a flush at least"
    assert_whole(world)
