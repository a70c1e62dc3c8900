"""Locks of one machine: flock(2) on files under `<data>/state/locks/`.

flock belongs to an open file description, so two threads of one process exclude each other as two processes
do, and the kernel lets go when the last descriptor closes: at `kill -9` too. It needs a local file system.
"""

import fcntl
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from packhouse.names import parse_segment
from packhouse.tree import fsio

_INSTANCE = re.compile(r"[0-9a-f]{16}")
_FIRST_NAP_S, _LONGEST_NAP_S = 0.001, 0.02


class FileLocks:
    """`Locks` by flock. Descriptors do not survive exec; a plain fork would share them, so nobody forks."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "state" / "locks"
        self._mine = threading.local()
        self._born = threading.Lock()
        self._instance: tuple[str, int] | None = None

    @contextmanager
    def hold(self, key: str, *, timeout_s: float | None = None) -> Iterator[bool]:
        """Hold the lock of `key`; see `Locks.hold`."""
        held: set[str] = self._mine.__dict__.setdefault("keys", set())
        if key in held:
            raise RuntimeError(f"this thread holds {key!r} already and would wait for itself")
        # A file per key that is held, removed by its holder: a million projects do not leave a million files.
        name = "key." + hashlib.sha256(key.encode()).hexdigest()[:32]
        with self._flocked(name, timeout_s, passing=True) as got:
            if got:
                held.add(key)
            try:
                yield got
            finally:
                held.discard(key)

    @contextmanager
    def exclusive(self, name: str, *, timeout_s: float | None = 0.0) -> Iterator[bool]:
        """Take the role `name`; see `Locks.exclusive`."""
        with self._flocked(f"role.{parse_segment('role', name)}", timeout_s, passing=False) as got:
            yield got

    def share(self, key: str, *, timeout_s: float | None = None) -> AbstractContextManager[bool]:
        """Hold the lock of `key` together with others; see `Locks.share`."""
        return self._turn(key, timeout_s, fcntl.LOCK_SH)

    def seize(self, key: str, *, timeout_s: float | None = None) -> AbstractContextManager[bool]:
        """Hold the lock of `key` alone; see `Locks.seize`."""
        return self._turn(key, timeout_s, fcntl.LOCK_EX)

    @contextmanager
    def _turn(self, key: str, timeout_s: float | None, operation: int) -> Iterator[bool]:
        held: set[str] = self._mine.__dict__.setdefault("turns", set())
        if key in held:
            raise RuntimeError(
                f"this thread has {key!r} already, shared or seized, and would wait for itself"
            )
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        with ExitStack() as stack:
            with fsio.answering(f"the lock {name}"):
                got = self._pass_gate(stack, name, _deadline(timeout_s), operation)
            if got:
                held.add(key)
            try:
                yield got
            finally:
                held.discard(key)

    def _pass_gate(self, stack: ExitStack, name: str, deadline: float | None, operation: int) -> bool:
        """Lock `turn.<name>` behind `gate.<name>`, which lets in one at a time; `stack` lets both go.

        flock prefers nobody: while sharers come and go without a gap, somebody who wants it alone would never get
        it. So he waits with the gate shut, and keeps it shut; a sharer only walks through.
        """
        gate = self._lock(f"gate.{name}", deadline)
        if gate is None:
            return False
        with ExitStack() as passing:
            passing.callback(os.close, gate)
            fd = self._lock(f"turn.{name}", deadline, operation)
            if fd is None:
                return False
            stack.callback(os.close, fd)
            if operation == fcntl.LOCK_EX:
                stack.push(passing.pop_all())
        return True

    def instance(self) -> str:
        """Return this process's name, registering it at the first call."""
        with self._born:
            if self._instance is None:
                name = secrets.token_hex(8)
                # Locked before it gets its name, so that nobody ever sees it unlocked while we live.
                fresh = f".{name}"
                with fsio.answering("the lock of this process"):
                    self._make_folder()
                    fd = self._open(fresh)
                    fcntl.flock(fd, fcntl.LOCK_EX)
                    (self._folder / fresh).rename(self._folder / f"instance.{name}")
                self._instance = (name, fd)
            return self._instance[0]

    def alive(self, instance: str) -> bool:
        """Whether the process of that name still runs; a text that is no such name belongs to nobody."""
        if not _INSTANCE.fullmatch(instance):
            return False
        with fsio.answering("the lock of a process"):
            try:
                fd = os.open(self._folder / f"instance.{instance}", os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            try:
                # Shared: two askers at once must not take each other for the owner.
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(fd)
        return False

    def bury(self) -> None:
        """Remove the lock files of dead processes."""
        with fsio.answering("the locks of dead processes"):
            for path in self._folder.glob("instance.*"):
                if not self.alive(path.name.removeprefix("instance.")):
                    with suppress(FileNotFoundError):
                        fsio.unlink(path)

    def close(self) -> None:
        """Let this process's name go; a later `instance` takes a new one."""
        with self._born:
            if self._instance is not None:
                name, fd = self._instance
                self._instance = None
                with suppress(FileNotFoundError):
                    fsio.unlink(self._folder / f"instance.{name}")
                os.close(fd)

    @contextmanager
    def _flocked(self, name: str, timeout_s: float | None, *, passing: bool) -> Iterator[bool]:
        """Lock a file of the folder; a `passing` one is removed when it is let go."""
        with fsio.answering(f"the lock {name}"):
            fd = self._lock(name, _deadline(timeout_s))
        if fd is None:
            yield False
            return
        try:
            yield True
        finally:
            if passing:
                # Still locked, so nobody else can have removed it or made another.
                with suppress(OSError):
                    fsio.unlink(self._folder / name)
            os.close(fd)

    def _lock(self, name: str, deadline: float | None, operation: int = fcntl.LOCK_EX) -> int | None:
        """Return a locked descriptor of the file that has the name now; None at the deadline."""
        self._make_folder()
        while True:
            fd = self._open(name)
            try:
                if not _flock(fd, deadline, operation):
                    os.close(fd)
                    return None
                if _is_named(fd, self._folder / name):
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # its holder removed it while we waited: what we locked has no name any more

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def _make_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)


def _is_named(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


def _deadline(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else time.monotonic() + timeout_s


def _flock(fd: int, deadline: float | None, operation: int) -> bool:
    if deadline is None:
        fcntl.flock(fd, operation)
        return True
    # flock has no time limit of its own.
    nap_s = _FIRST_NAP_S
    while True:
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(nap_s, left))
            nap_s = min(nap_s * 2, _LONGEST_NAP_S)
        else:
            return True
