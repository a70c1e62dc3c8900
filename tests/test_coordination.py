"""Locks and wake-ups, between threads and between processes."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packhouse.coordination import locks as locks_module
from packhouse.coordination.locks import FileLocks
from packhouse.coordination.wake import FileWake, watch
from packhouse.errors import BadName, Unavailable

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
HOLDER = """
import sys
from pathlib import Path
from packhouse.coordination.locks import FileLocks
locks = FileLocks(Path(sys.argv[1]))
name = locks.instance()
with locks.hold("area", timeout_s=20) as area, locks.exclusive("indexer") as role:
    print(name, area, role, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path):
    (tmp_path / "state" / "locks").mkdir(parents=True)
    return tmp_path


@contextlib.contextmanager
def another_process(data):
    """Holds "area" and the role "indexer"; gives (process, its instance)."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        name, area, role = process.stdout.readline().decode().split()
        assert (area, role) == ("True", "True")
        try:
            yield process, name
        finally:
            process.kill()


def try_hold(locks, key) -> bool:
    with locks.hold(key, timeout_s=0) as got:
        return got


# --- locks -------------------------------------------------------------------------------------------------


def test_one_thread_at_a_time_holds_a_key(data):
    """A counter that is read, yielded on and written back loses nothing."""
    locks, counter = FileLocks(data), data / "counter"
    counter.write_text("0")

    def add(_: int) -> None:
        with locks.hold("counter") as got:
            assert got
            value = int(counter.read_text())
            time.sleep(0)
            counter.write_text(str(value + 1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(200)))

    assert counter.read_text() == "200"
    assert list((data / "state/locks").glob("key.*")) == []


def test_many_processes_hold_one_key_in_turn(data):
    """The lock file is removed and made again all the time; still nobody shares it."""
    code = (
        "import sys; from pathlib import Path; from packhouse.coordination.locks import FileLocks\n"
        "locks, counter = FileLocks(Path(sys.argv[1])), Path(sys.argv[1], 'counter')\n"
        "for _ in range(150):\n"
        "    with locks.hold('counter', timeout_s=30) as got:\n"
        "        assert got\n"
        "        counter.write_text(str(int(counter.read_text()) + 1))\n"
    )
    (data / "counter").write_text("0")
    running = [subprocess.Popen([sys.executable, "-c", code, str(data)], env=ENVIRONMENT) for _ in range(4)]

    assert [process.wait(60) for process in running] == [0] * 4
    assert (data / "counter").read_text() == "600"


def test_different_keys_do_not_wait_for_each_other(data):
    locks = FileLocks(data)
    with locks.hold("a") as outer, locks.hold("b", timeout_s=0) as inner:
        assert (outer, inner) == (True, True)


def test_a_key_held_by_another_process_is_refused_and_freed_by_its_death(data):
    """`kill -9` of the holder frees key, role and name at once."""
    locks = FileLocks(data)
    with another_process(data) as (process, name):
        assert not try_hold(locks, "area")
        with locks.exclusive("indexer") as got:
            assert not got
        with locks.exclusive("other") as got:
            assert got
        assert locks.alive(name)
        process.kill()
        process.wait()
        assert try_hold(locks, "area")
        with locks.exclusive("indexer") as got:
            assert got
        assert not locks.alive(name)


def test_waiting_ends_when_the_holder_lets_go(data):
    locks = FileLocks(data)
    entered, leave = threading.Event(), threading.Event()

    def holder() -> None:
        with locks.hold("key"):
            entered.set()
            assert leave.wait(20)

    thread = threading.Thread(target=holder)
    thread.start()
    assert entered.wait(20)
    with locks.hold("key", timeout_s=0.01) as got:
        assert got is False
    threading.Timer(0.05, leave.set).start()
    with locks.hold("key", timeout_s=20) as got:
        assert got is True
    thread.join()


def test_a_thread_never_waits_for_itself(data):
    """The same key twice would wait for ever: that is a fault, said at once, and the first hold stays good."""
    locks = FileLocks(data)
    with locks.hold("key"):
        with pytest.raises(RuntimeError, match="key"), locks.hold("key"):
            pass
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(try_hold, locks, "key").result() is False
    assert try_hold(locks, "key")


def test_an_error_inside_frees_the_key(data):
    locks = FileLocks(data)
    with pytest.raises(ZeroDivisionError), locks.hold("key"):
        1 / 0  # noqa: B018 - any error
    assert try_hold(locks, "key")


def test_a_process_has_one_name_and_dies_with_it(data):
    locks = FileLocks(data)
    name = locks.instance()

    assert locks.instance() == name
    assert len(name) == 16
    assert FileLocks(data).alive(name)
    locks.close()
    locks.close()
    assert not FileLocks(data).alive(name)
    assert locks.instance() != name
    locks.close()


def test_two_askers_do_not_take_each_other_for_the_owner(data, monkeypatch):
    """While one asks about a dead process, the other still hears that it is dead."""
    (data / "state/locks/instance.0123456789abcdef").touch()
    locks, real = FileLocks(data), locks_module.fcntl.flock
    answers = []

    def ask_again(fd: int, how: int) -> None:
        real(fd, how)
        if not answers:
            answers.append(None)
            answers.append(FileLocks(data).alive("0123456789abcdef"))

    monkeypatch.setattr(locks_module.fcntl, "flock", ask_again)
    assert locks.alive("0123456789abcdef") is False
    assert answers == [None, False]


@pytest.mark.parametrize("text", ["", "../../x", "0123456789ABCDEF", "0123456789abcdef"])
def test_an_unknown_name_belongs_to_nobody(data, text):
    assert FileLocks(data).alive(text) is False


def test_the_dead_are_buried_and_the_living_are_not(data):
    (data / "state/locks/instance.0123456789abcdef").touch()
    locks = FileLocks(data)
    name = locks.instance()
    locks.bury()

    assert [path.name for path in (data / "state/locks").glob("instance.*")] == [f"instance.{name}"]
    locks.close()


def test_a_role_has_a_safe_name(data):
    with pytest.raises(BadName), FileLocks(data).exclusive("../x"):
        pass


def test_a_lock_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "state").write_bytes(b"")
    locks = FileLocks(tmp_path)
    with pytest.raises(Unavailable), locks.hold("key"):
        pass
    with pytest.raises(Unavailable):
        locks.instance()


# --- wake-ups ----------------------------------------------------------------------------------------------


def test_a_poke_before_the_wait_is_not_lost(data):
    """Between opening and the first wait, and between two waits."""
    wake = FileWake(data)
    wake.poke("wake")
    assert wake.wait("wake", 20) is True
    assert wake.wait("wake", 0) is False
    wake.poke("wake")
    assert wake.wait("wake", 20) is True
    assert wake.wait("published", 0.05) is False
    wake.close()


def test_a_poke_of_another_process_ends_the_wait(data):
    wake = FileWake(data)
    assert wake.wait("wake", 0.03) is False
    threading.Timer(0.1, FileWake(data).poke, ("wake",)).start()
    assert wake.wait("wake", 30) is True
    wake.close()


def test_a_wait_ends_when_it_is_told_to_stop(data):
    wake, stop = FileWake(data), threading.Event()
    threading.Timer(0.05, stop.set).start()
    assert wake.wait("wake", 3600, stop) is False
    assert wake.wait("wake", 3600, stop) is False
    wake.close()


def test_the_stamp_is_looked_at_even_when_no_event_comes(data):
    """The kernel may lose events: the poll behind it does not."""
    wake = FileWake(data)
    assert wake.wait("wake", 0.03) is False
    (data / "state" / "wake").unlink()
    assert wake.wait("wake", 0.05) is True  # it changed: it is gone
    wake.poke("wake")  # a new file, which nobody watches
    assert wake.wait("wake", 20) is True
    wake.close()


async def _next(changes, want: bool) -> bool:
    async with asyncio.timeout(30):
        async for poked in changes:
            if poked is want:
                return True
    return False


async def test_changes_tell_of_pokes_and_of_silence(data):
    wake = FileWake(data)
    async with contextlib.aclosing(wake.changes("published", 0.05)) as changes:
        assert await anext(changes) is False
        wake.poke("published")
        assert await _next(changes, want=True)
        assert await _next(changes, want=False)
        for _ in range(5):
            wake.poke("published")
            assert await _next(changes, want=True)


async def test_a_cancelled_listener_leaves_no_thread(data):
    """The thread behind it goes back to its pool idle: a stopped daemon ends at once."""
    wake, heard = FileWake(data), asyncio.Event()

    async def listen() -> None:
        async with contextlib.aclosing(wake.changes("published", 3600)) as changes:
            async for poked in changes:
                if poked:
                    heard.set()

    before = threading.active_count()
    for _ in range(5):
        heard.clear()
        task = asyncio.create_task(listen())
        async with asyncio.timeout(30):
            while not heard.is_set():
                wake.poke("published")
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert threading.active_count() <= before + 2


@contextlib.contextmanager
def watching(*paths: Path, poll_s: float = 30.0):
    """Watch in a thread; gives a function that waits until a path was reported."""
    stop, seen, arrived = threading.Event(), [], threading.Condition()

    def run() -> None:
        for changed in watch(paths, poll_s, stop):
            with arrived:
                seen.append(changed)
                arrived.notify_all()

    def reported(*wanted: Path) -> bool:
        with arrived:
            return arrived.wait_for(lambda: set(wanted) <= set().union(*seen), 30)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield reported, seen
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def test_a_watch_reports_names_that_the_library_would_hide(data):
    """Editors' backups and dependency folders are packages to us."""
    inbox, wake = data / "inbox", data / "state" / "wake"
    (inbox / "main" / "node_modules").mkdir(parents=True)
    wake.touch()
    with watching(inbox, wake, poll_s=0.2) as (reported, seen):
        _opened(seen)
        paths = [inbox / "main" / name for name in ("x~", ".hidden", "a.pyc", "node_modules/y.whl")]
        for path in paths:
            path.write_bytes(b"1")
        assert reported(*paths)
        os.utime(wake)
        assert reported(wake)


def _opened(seen: list) -> None:
    """Wait for the first poll: the watch is open then."""
    deadline = time.monotonic() + 30
    while not seen:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_reading_is_no_change(data):
    inbox = data / "inbox"
    inbox.mkdir()
    (inbox / "x").write_bytes(b"1")
    with watching(inbox, poll_s=0.1) as (reported, seen):
        _opened(seen)
        (inbox / "x").read_bytes()
        list(inbox.iterdir())
        (inbox / "y").write_bytes(b"1")
        assert reported(inbox / "y")
        assert inbox / "x" not in set().union(*seen)


def test_a_quiet_watch_yields_at_the_poll(data):
    stop = threading.Event()
    changes = watch([data], 0.05, stop)

    assert next(changes) == set()
    stop.set()
    assert list(changes) == []


def test_a_folder_that_is_missing_or_made_again_is_watched(data):
    """From the next poll on."""
    inbox = data / "inbox"
    with watching(inbox, poll_s=0.05) as (reported, seen):
        for name in ("first", "second"):
            inbox.mkdir()
            stop = time.monotonic() + 30
            while inbox / name not in set().union(*seen) and time.monotonic() < stop:
                (inbox / name).write_bytes(b"1")
                time.sleep(0.01)
            assert reported(inbox / name)
            (inbox / name).unlink()
            inbox.rmdir()


@pytest.mark.parametrize(
    "error", [OSError("no inotify instance left"), RuntimeError("the library's own error")]
)
async def test_without_inotify_everything_still_works_by_polling(data, monkeypatch, error):
    """A machine may have no watches left; that costs latency only."""

    def fail(*args, **kwargs):
        raise error
        yield

    async def fail_later(*args, **kwargs):
        raise error
        yield

    monkeypatch.setattr("watchfiles.watch", fail)
    monkeypatch.setattr("watchfiles.awatch", fail_later)
    wake, stop = FileWake(data), threading.Event()
    assert wake.wait("wake", 0.03) is False
    threading.Timer(0.05, wake.poke, ("wake",)).start()
    assert wake.wait("wake", 30) is True
    wake.close()

    async with contextlib.aclosing(wake.changes("published", 0.02)) as changes:
        assert await anext(changes) is False
        wake.poke("published")
        assert await _next(changes, want=True)
        assert await _next(changes, want=False)

    polls = watch([data], 0.01, stop)
    assert [next(polls), next(polls)] == [set(), set()]
    stop.set()
    assert list(polls) == []
