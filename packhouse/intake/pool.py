"""A pool of readers: child processes that are warm before the first upload comes.

Starting Python and importing the formats costs tens of milliseconds, so children are started ahead and used
many times. A child that hangs, crashes or eats its memory is killed and replaced; the upload that did it is
refused, and no other one notices.
"""

import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from packhouse.ecosystems import Limits
from packhouse.errors import BadArchive, PackhouseError, Unavailable
from packhouse.intake.child import (
    MAX_FRAME,
    observed_from_frame,
    refusal_from_frame,
    request_to_frame,
    write_frame,
)
from packhouse.model import Claim, Observed

FORMATS = "packhouse.ecosystems.registry:FORMATS"
"""Where a child finds the formats: module and attribute, a mapping from ecosystem to `Format`."""

_START_S = 60.0
_STOP_S = 2.0


class _TimeoutError(Exception):
    """A child did not answer in time."""


class _DiedError(Exception):
    """A child ended, or said something that no child says."""


class InspectionPool:
    """`workers` children; `inspect` may be called from any number of threads, which wait for a free child."""

    def __init__(
        self,
        *,
        workers: int = 2,
        memory_bytes: int = 2 << 30,
        cpu_s: int = 60,
        wall_s: int = 60,
        jobs_per_child: int = 200,
        formats: str = FORMATS,
    ) -> None:
        self._memory_bytes, self._cpu_s, self._wall_s = memory_bytes, cpu_s, wall_s
        self._jobs_per_child, self._formats = jobs_per_child, formats
        self._closed = False
        self._lock = threading.Lock()
        # Last in, first out: the warmest child takes the next job. None stands for a child not started yet.
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        try:
            for _ in range(workers):
                self._free.put(self._start())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def inspect(self, ecosystem: str, path: str | os.PathLike[str], claim: Claim, limits: Limits) -> Observed:
        """Open the archive at `path` in a child and return what it says.

        Raises:
            BadArchive: unreadable, or the child took too long, took too much memory or crashed over it.
            BadMetadata, BadName: what the format refuses, of the same class and with the same sentence.
            Unavailable: no child can be started, or the pool is closed.
        """
        frame = request_to_frame(ecosystem, os.fspath(path), claim, limits)
        for last in (False, True):
            child = self._take()
            after: _Child | None = child
            try:
                head, parts = child.ask(frame, self._wall_s)
            except _TimeoutError:
                after = self._replace(child)
                reason = f"it took longer than {self._wall_s} s to read"
                raise BadArchive(claim.filename, reason) from None
            except _DiedError as error:
                after = self._replace(child)
                how = child.end()
                if how == -signal.SIGXCPU:
                    reason = f"it took more than {self._cpu_s} s of processor time to read"
                    raise BadArchive(claim.filename, reason) from None
                # It may have been killed from outside, or while it was idle: a second child decides.
                if last:
                    said = str(error) or _name(how)
                    raise BadArchive(claim.filename, f"the process that read it died ({said})") from None
            except BaseException:
                after = self._replace(child)  # interrupted in the middle of an answer
                raise
            else:
                if head.get("spent") or child.jobs >= self._jobs_per_child:
                    after = self._replace(child)
                return self._judge(claim, head, parts)
            finally:
                self._give_back(after)
        raise AssertionError("the second round returns or raises")

    def close(self) -> None:
        """End every child; those at work end when their job does. More jobs are refused."""
        with self._lock:
            self._closed = True
        while True:
            try:
                child = self._free.get_nowait()
            except queue.Empty:
                break
            if child is not None:
                child.end()
        self._free.put(None)  # whoever waits for a child must wake up and see that there is none

    def _judge(self, claim: Claim, head: Mapping[str, Any], parts: Sequence[bytes]) -> Observed:
        try:
            if "refusal" not in head:
                return observed_from_frame(head, parts)
            refusal = refusal_from_frame(head)
        except (PackhouseError, TypeError, ValueError, KeyError, AttributeError, StopIteration):
            raise BadArchive(
                claim.filename, "the process that read it gave an answer without sense"
            ) from None
        raise refusal

    def _take(self) -> "_Child":
        child = self._free.get()
        if self._closed:
            self._give_back(child)
            raise Unavailable("this server is stopping: upload again in a moment")
        try:
            child = self._start() if child is None or child.ended else child
            child.wait_ready(_START_S)
        except (_TimeoutError, _DiedError) as error:
            said = str(error) or _name(child.end() if child else 0)
            self._give_back(self._replace(child) if child else None)
            raise Unavailable(
                f"no process to read archives can be started ({said}): an operator must run `packhouse doctor`"
            ) from None
        except BaseException:
            self._give_back(child)
            raise
        return child

    def _replace(self, child: "_Child") -> "_Child | None":
        child.end()
        with suppress(Unavailable):  # the next `_take` tries again, and says so
            return None if self._closed else self._start()
        return None

    def _give_back(self, child: "_Child | None") -> None:
        with self._lock:
            closed = self._closed
            if not closed:
                self._free.put(child)
        if closed:
            if child is not None:
                child.end()
            self._free.put(None)

    def _start(self) -> "_Child":
        try:
            return _Child(self._formats, (self._memory_bytes, self._cpu_s, self._wall_s))
        except OSError as error:
            raise Unavailable(f"no process to read archives can be started ({error.strerror})") from error


class _Child:
    """One child process; used by one thread at a time."""

    def __init__(self, formats: str, limits: Sequence[int]) -> None:
        self.jobs = 0
        self._ready = False
        lifeline, self._lifeline = os.pipe()
        command = [
            sys.executable,
            "-P",
            "-m",
            "packhouse.intake.child",
            formats,
            *map(str, limits),
            str(lifeline),
        ]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=(lifeline,),
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        self._jobs = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)
        os.set_blocking(self._answers.fileno(), False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._lifeline < 0

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the formats are imported; at once for a child that has worked before."""
        if self._ready:
            return
        head, _ = self._read(time.monotonic() + timeout_s)
        if "broken" in head:
            raise _DiedError(str(head["broken"]))
        self._ready = True

    def ask(self, job: Mapping[str, Any], wall_s: float) -> tuple[dict[str, Any], list[bytes]]:
        """Give it a job and return the answer."""
        self.jobs += 1
        try:
            write_frame(self._jobs, job)  # smaller than a pipe's buffer, and the child is reading
        except OSError:
            raise _DiedError from None
        return self._read(time.monotonic() + wall_s)

    def end(self) -> int:
        """Kill it if it still runs; returns the exit status, negative for a signal."""
        if not self.ended:
            if self._process.poll() is None and self._answers_ended():
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_S)  # it is dying already: learn of what
            self._process.kill()
            self._process.wait()
            with suppress(OSError):
                self._jobs.close()
            self._answers.close()
            os.close(self._lifeline)
            self._lifeline = -1
        return self._process.returncode

    def _answers_ended(self) -> bool:
        try:
            return self._answers.read(1) == b""
        except OSError:
            return True

    def _read(self, deadline: float) -> tuple[dict[str, Any], list[bytes]]:
        try:
            head = json.loads(self._exactly(int.from_bytes(self._exactly(4, deadline)), deadline))
            sizes = [int(size) for size in head["parts"]]
            return head, [self._exactly(size, deadline) for size in sizes]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise _DiedError("its answer makes no sense") from None

    def _exactly(self, count: int, deadline: float) -> bytes:
        if not 0 <= count <= MAX_FRAME:
            raise _DiedError("its answer is too long")
        taken = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while len(taken) < count:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise _TimeoutError
                chunk = os.read(self._answers.fileno(), min(count - len(taken), 1 << 20))
                if not chunk:
                    raise _DiedError
                taken += chunk
        return bytes(taken)


def _environment() -> dict[str, str]:
    # No key of ours goes to a process that reads hostile bytes; it imports what this one can import.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PACKHOUSE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)}


def _name(how: int) -> str:
    with suppress(ValueError):
        if how < 0:
            return signal.Signals(-how).name
    return f"exit status {how}"
