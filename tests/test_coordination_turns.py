"""Shared and seized locks: many writers at work, and one that needs them all to have stopped."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from packhouse.coordination.locks import FileLocks

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
HOLDER = """
import sys
from pathlib import Path
from packhouse.coordination.locks import FileLocks
with getattr(FileLocks(Path(sys.argv[1])), sys.argv[2])("tree") as got:
    print(got, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path):
    (tmp_path / "state" / "locks").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def locks(data):
    return FileLocks(data)


def try_share(locks, key="tree") -> bool:
    with locks.share(key, timeout_s=0) as got:
        return got


def try_seize(locks, key="tree") -> bool:
    with locks.seize(key, timeout_s=0) as got:
        return got


def in_thread(function, *arguments):
    with ThreadPoolExecutor(1) as one:
        return one.submit(function, *arguments).result(20)


def test_those_who_share_do_not_wait_for_each_other_but_for_whoever_seized(locks):
    with locks.share("tree") as mine:
        assert mine
        assert in_thread(try_share, locks)
        assert not in_thread(try_seize, locks)
        assert in_thread(try_seize, locks, "another tree")
    with locks.seize("tree") as mine:
        assert mine
        assert not in_thread(try_share, locks)
        assert not in_thread(try_seize, locks)
    assert try_share(locks)
    assert try_seize(locks)


@pytest.mark.parametrize("other", ["share", "seize"])
def test_another_process_counts_until_it_dies(data, locks, other):
    """`kill -9` lets go at once, of the gate too."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data), other],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        try:
            assert process.stdout.readline() == b"True\n"
            assert try_share(locks) == (other == "share")
            assert not try_seize(locks)
        finally:
            process.kill()
    assert try_seize(locks)


@pytest.mark.parametrize("first", ["share", "seize"])
@pytest.mark.parametrize("second", ["share", "seize"])
def test_a_thread_that_asks_twice_is_told_instead_of_waiting_for_itself(locks, first, second):
    with getattr(locks, first)("tree"), pytest.raises(RuntimeError, match="wait for itself"):
        getattr(locks, second)("tree", timeout_s=0).__enter__()
    assert try_seize(locks)


def test_a_failed_try_holds_nothing(locks):
    """Neither the lock nor the gate, and the thread may ask again."""
    held, leave = threading.Event(), threading.Event()

    def holder():
        with locks.share("tree"):
            held.set()
            assert leave.wait(20)

    thread = threading.Thread(target=holder)
    thread.start()
    assert held.wait(20)
    assert not try_seize(locks)
    assert not try_seize(locks)
    assert try_share(locks)
    leave.set()
    thread.join(20)
    assert try_seize(locks)


def test_a_waiting_seizure_shuts_the_gate(data, locks):
    """Who comes to share after it waits behind it, also in another process; who shares already goes on."""
    began, done = threading.Event(), threading.Event()

    def seize():
        began.set()
        with locks.seize("tree", timeout_s=20) as got:
            assert got
            done.set()

    with locks.share("tree"):
        thread = threading.Thread(target=seize)
        thread.start()
        assert began.wait(20)
        others = FileLocks(data)
        while in_thread(try_share, others):  # until the other thread stands in the gate
            pass
        assert not done.is_set()
    thread.join(20)
    assert done.is_set()
    assert try_share(locks)


def test_a_stream_of_sharers_starves_nobody(locks):
    """Eight threads of whom some always have it: without the gate nobody would ever get it alone."""
    stop = threading.Event()
    inside: list[int] = []

    def share(n: int) -> None:
        while not stop.is_set():
            with locks.share("tree"):
                inside.append(n)
                stop.wait(0.002)
                inside.remove(n)

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(share, n) for n in range(8)]
        try:
            for _ in range(20):
                with locks.seize("tree", timeout_s=20) as got:
                    assert got
                    assert inside == []
        finally:
            stop.set()
        for one in running:
            one.result(20)
