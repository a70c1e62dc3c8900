"""Keep a few programs running: start, read their output, restart what dies, stop them all.

One thread and one `select`: a process forked from a thread that ends would lose its leash (the parent-death
signal belongs to the thread), and `preexec_fn` is safe only where no other thread holds a lock.
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any, Self

from packhouse.errors import Unavailable

_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_STEADY_S = 30.0
"""A program that lived this long starts with the shortest pause again."""
_HOPELESS = 5
"""How often a program may die before everything was ready once."""
_TICK_S = 0.1
_CHUNK = 1 << 16

_LIBC = ctypes.CDLL(None, use_errno=True)

Say = Callable[[str, str], None]
"""Takes a program's name and one line of its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run; `cwd` is its working directory, `grace_s` how long it may take to stop, in seconds."""

    name: str
    command: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]
    grace_s: float = 10.0


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    next_start: float = 0.0
    deaths: int = 0
    pause_s: float = _FIRST_PAUSE_S
    rest: bytes = b""
    last_line: str = ""


@dataclass(slots=True)
class _Signals:
    """Signals as a readable socket, so that `select` wakes for them."""

    asked: int = 0
    receiver: socket.socket = field(init=False)
    sender: socket.socket = field(init=False)
    before: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.receiver, self.sender = socket.socketpair()
        for end in (self.receiver, self.sender):
            end.setblocking(False)  # noqa: FBT003 - the library has no keyword
        signal.set_wakeup_fd(self.sender.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.before[number] = signal.signal(number, self._stop)
        self.before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.receiver.close()
        self.sender.close()


class Supervisor:
    """Several programs, kept alive until somebody asks to stop; a context manager that leaves none behind.

    The children get SIGTERM from the kernel when this process dies, however it does. Each is the leader of a
    process group of its own: Ctrl-C in a terminal reaches only this process, and what a child leaves behind
    (nginx's workers) can be ended with it.
    """

    def __init__(self, programs: Sequence[Program], say: Say) -> None:
        self._children = [_Child(program) for program in programs]
        self._say = say
        self._ready = False
        self._selector = selectors.DefaultSelector()
        self._signals = _Signals()
        self._selector.register(self._signals.receiver, selectors.EVENT_READ, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._selector.close()
        self._signals.close()

    @property
    def asked_to_stop(self) -> bool:
        """Whether SIGINT, SIGTERM or SIGHUP came."""
        return self._signals.asked > 0

    def ready(self) -> None:
        """Say that all programs answered once: from now on, one that dies is started again for ever."""
        self._ready = True

    def turn(self, timeout_s: float) -> None:
        """Wait at most `timeout_s` for output, a signal or a death, and do what is due.

        Raises:
            Unavailable: a program died again and again before everything was ready.
        """
        now = time.monotonic()
        for child in self._children:
            if child.process is None and now >= child.next_start:
                self._start(child)
        waits = [child.next_start - now for child in self._children if child.process is None]
        self._select(max(0.0, min([timeout_s, *waits])))
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)

    def stop(self) -> None:
        """End the programs, one after another in their order: SIGTERM, then SIGKILL after the program's grace.

        A further Ctrl-C ends the patience with all of them.
        """
        asked = self._signals.asked
        for child in self._children:
            self._signal(child, signal.SIGTERM)
            deadline = time.monotonic() + child.program.grace_s
            while child.process is not None and child.process.poll() is None:
                left = deadline - time.monotonic()
                if left <= 0 or self._signals.asked > asked:
                    break
                self._select(min(left, _TICK_S))
            self._end(child)

    def _select(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.data is not None:
                self._read(key.data, key.fileobj)
            else:
                with suppress(BlockingIOError):
                    self._signals.receiver.recv(4096)

    def _start(self, child: _Child) -> None:
        parent, program = os.getpid(), child.program

        def leash() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died before the leash was on
                os._exit(1)

        process = subprocess.Popen(
            program.command,
            cwd=program.cwd,
            env=program.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=leash,  # noqa: PLW1509 - this process has one thread
        )
        child.process, child.born = process, time.monotonic()
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self._selector.register(process.stdout, selectors.EVENT_READ, child)

    def _read(self, child: _Child, pipe: Any) -> None:
        try:
            chunk = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(pipe)
            return
        *lines, child.rest = (child.rest + chunk).split(b"\n")
        for line in lines:
            self._tell(child, line)

    def _tell(self, child: _Child, line: bytes) -> None:
        child.last_line = line.decode("utf-8", "replace").rstrip()
        self._say(child.program.name, child.last_line)

    def _bury(self, child: _Child) -> None:
        """Note a death, and plan the next start."""
        process = child.process
        if process is None:
            return
        code = self._end(child)
        lived_s = time.monotonic() - child.born
        child.deaths += 1
        if not self._ready and child.deaths >= _HOPELESS:
            raise Unavailable(
                f"{child.program.name} does not start ({_how(code)}); its last words were: "
                f"{child.last_line or 'none'}; `packhouse doctor` may know more"
            )
        child.pause_s = _FIRST_PAUSE_S if lived_s > _STEADY_S else child.pause_s
        child.next_start = time.monotonic() + child.pause_s
        self._say(
            "serve", f"{child.program.name} ended ({_how(code)}); starting it again in {child.pause_s:g} s"
        )
        child.pause_s = min(child.pause_s * 2, _LONGEST_PAUSE_S)

    def _end(self, child: _Child) -> int:
        """Kill what is left of a program and of its group; returns its exit status."""
        process = child.process
        if process is None:
            return 0
        # The whole group: workers of an nginx that was killed would keep the port.
        self._signal(child, signal.SIGKILL)
        code = process.wait()
        self._drain(child, process.stdout)
        child.process = None
        return code

    def _drain(self, child: _Child, pipe: IO[bytes] | None) -> None:
        if pipe is None:
            return
        with suppress(KeyError):  # at its end it is not registered any more
            while pipe in self._selector.get_map() and select_one(pipe):
                self._read(child, pipe)
            self._selector.unregister(pipe)
        pipe.close()
        if child.rest:
            self._tell(child, child.rest)
            child.rest = b""

    def _signal(self, child: _Child, number: int) -> None:
        if child.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(child.process.pid, number)


def select_one(pipe: IO[bytes]) -> bool:
    """Whether a pipe has something to read right now, its end included."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(0))


def _how(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"
