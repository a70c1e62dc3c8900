"""A crash at any moment: what was acknowledged is there, what an index names is there, nothing visible is torn.

Three ways, each of which must also catch planted bugs: a model that drops whatever was not synced, `kill -9` at
each system call (strace), and a power cut on a real ext4 file system (a loop mount that is shut down).
"""

import fcntl
import functools
import os
import shutil
import struct
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash_support import Model, complaint, complaint_of_disk, planted, prepare, publish

from packhouse.coordination.locks import FileLocks
from packhouse.intake.stage import sweep

CALLS = (
    "write",
    "fsync",
    "linkat",
    "renameat",
    "rename",
    "unlink",
    "unlinkat",
    "mkdirat",
    "utimensat",
    "fchmod",
)
PROGRAM = Path(__file__).with_name("crash_support.py")
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
    "PYTHONDONTWRITEBYTECODE": "1",
}
KILL_BUGS = ("index-first", "ack-early", "in-place")
POWER_BUGS = ("no-file-sync", "no-directory-sync", "index-first", "ack-early")
MODEL_BUGS = (
    "no-file-sync",
    "no-directory-sync",
    "no-parent-sync",
    "no-flush-before-index",
    "index-first",
    "ack-early",
    "in-place",
)


# --- the model ---------------------------------------------------------------------------------------------


def modelled(root: Path, bug: str = "") -> set[str]:
    """Return every complaint about every state that a power cut could leave."""
    prepare(root)
    model = Model(root)
    with model.recording(), planted(bug):
        publish(root, "new", "0" * 16, lambda: model.log.append(("ack",)), bug)
    found = {
        complaint(lookup, files, acked="new" if acked else None) for lookup, files, acked in model.crashes()
    }
    return found - {""}


def test_no_power_cut_of_the_model_loses_what_was_promised(tmp_path):
    assert modelled(tmp_path) == set()


@pytest.mark.parametrize("bug", MODEL_BUGS)
def test_the_model_catches_a_planted_bug(tmp_path, bug):
    """A test that finds nothing wrong with these would find nothing at all."""
    if bug == "in-place":
        (tmp_path / "public" / "main" / "files").mkdir(parents=True)
        (tmp_path / "incoming").mkdir()
        model = Model(tmp_path)
        with model.recording():
            publish(tmp_path, "new", "0" * 16, lambda: model.log.append(("ack",)), bug)
        assert {complaint(lookup, files, acked=None) for lookup, files, _ in model.crashes()} - {""}
    else:
        assert modelled(tmp_path, bug)


# --- kill -9 -----------------------------------------------------------------------------------------------


@functools.cache
def strace_problem() -> str:
    """Why system calls cannot be injected here; empty if they can."""
    if shutil.which("strace") is None:
        return "strace is not installed: killing at each system call needs it"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True)
    return "" if tried.returncode == 0 else "this machine forbids ptrace: strace cannot run"


@pytest.fixture
def strace():
    if problem := strace_problem():
        pytest.skip(problem)


def points(root: Path, *arguments: str) -> list[tuple[str, int]]:
    """Run the program once under strace and return each mutating call as (name, n-th of that name)."""
    trace = root.parent / f"{root.name}.trace"
    command = [
        "strace",
        "-f",
        "-qq",
        "-o",
        trace,
        "-e",
        "trace=" + ",".join(CALLS),
        sys.executable,
        PROGRAM,
        root,
    ]
    subprocess.run([*command, *arguments], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    made = Counter(
        line.split(None, 1)[1].split("(")[0] for line in trace.read_text().splitlines() if "(" in line
    )
    return [(call, n) for call in CALLS for n in range(1, made[call] + 1)]


def run(root: Path, *arguments: str, kill: tuple[str, int] | None = None) -> bool:
    """Run the program, killed at a system call if asked; returns whether it said ACK."""
    command: list[str | Path] = [sys.executable, PROGRAM, root, *arguments]
    if kill is not None:
        inject = f"inject={kill[0]}:signal=KILL:when={kill[1]}"
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={kill[0]}", "-e", inject, *command]
    done = subprocess.run(
        command, check=False, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return b"ACK" in done.stdout


def fresh(folder: Path) -> Path:
    prepare(folder)
    assert run(folder, "old")
    return folder


def killed_at(template: Path, scratch: Path, kill: tuple[str, int], bug: str) -> str:
    root = scratch / f"{kill[0]}.{kill[1]}"
    shutil.copytree(template, root)
    acked = run(root, "new", bug, kill=kill)
    problem = complaint_of_disk(root, acked="new" if acked else None)
    # Whatever was left: the sweep takes it, and the next try succeeds.
    sweep(root, FileLocks(root))
    left = [path.name for path in (root / "incoming").iterdir() if not path.name.startswith("put.")]
    again = run(root, "new")
    problem = problem or complaint_of_disk(root, acked="new")
    shutil.rmtree(root)
    return problem or ("" if again and not left else f"not mended: {left}")


def kill_sweep(tmp_path: Path, bug: str = "") -> dict[tuple[str, int], str]:
    template = fresh(tmp_path / "template")
    shutil.copytree(template, tmp_path / "counted")
    chosen = points(tmp_path / "counted", "new", bug)
    assert {"write", "fsync", "renameat"} <= {call for call, _ in chosen}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with ThreadPoolExecutor(2) as threads:
        outcomes = threads.map(lambda kill: killed_at(template, scratch, kill, bug), chosen)
    return {kill: said for kill, said in zip(chosen, outcomes, strict=True) if said}


def test_a_kill_at_any_system_call_loses_nothing(tmp_path, strace):
    """And whatever was left is swept, and the same publication tried again succeeds."""
    assert kill_sweep(tmp_path) == {}


@pytest.mark.soak
@pytest.mark.parametrize("bug", KILL_BUGS)
def test_the_kill_sweep_catches_a_planted_bug(tmp_path, strace, bug):
    assert kill_sweep(tmp_path, bug)


# --- power cuts --------------------------------------------------------------------------------------------

_EXT4_IOC_SHUTDOWN = 0x8004587D
_NOLOGFLUSH = 2


@functools.cache
def power_problem() -> str:
    """Why no power can be cut here; empty if it can."""
    if os.geteuid() != 0:
        return "cutting the power of a loop-mounted file system needs root"
    for tool in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(tool) is None:
            return f"cutting the power of a loop-mounted file system needs {tool}"
    if not Path("/dev/loop-control").exists():
        return "cutting the power of a loop-mounted file system needs loop devices"
    return strace_problem()


@pytest.fixture
def machine(tmp_path):
    if problem := power_problem():
        pytest.skip(problem)
    image = tmp_path / "base.img"
    with image.open("wb") as file:
        file.truncate(48 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    with mounted(image, tmp_path) as folder:
        fresh(folder / "root")
    return tmp_path


@contextmanager
def mounted(image: Path, scratch: Path):
    folder = scratch / f"{image.name}.mounted"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine forbids loop mounts: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def cut_power(folder: Path) -> None:
    """Nothing that was not synced reaches the image any more."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
    finally:
        os.close(fd)


def cut_at(scratch: Path, kill: tuple[str, int] | None, bug: str) -> str:
    image = scratch / "cut.img"
    subprocess.run(["cp", "--sparse=always", scratch / "base.img", image], check=True)
    with mounted(image, scratch) as folder:
        acked = run(folder / "root", "new", bug, kill=kill)
        cut_power(folder)
    with mounted(image, scratch) as folder:
        return complaint_of_disk(folder / "root", acked="new" if acked else None)


def power_points(scratch: Path, bug: str) -> list[tuple[str, int] | None]:
    root = fresh(scratch / "counted")
    return [None, *points(root, "new", bug)]


def test_a_power_cut_after_the_answer_loses_nothing(machine):
    assert cut_at(machine, None, "") == ""


@pytest.mark.parametrize("bug", ["no-file-sync", "no-directory-sync"])
def test_the_power_cut_catches_a_forgotten_sync(machine, bug):
    """The recipe without its fsync must fail here, or this test proves nothing about the recipe."""
    assert cut_at(machine, None, bug) != ""


@pytest.mark.soak
def test_a_power_cut_at_any_system_call_loses_nothing(machine):
    found = {kill: cut_at(machine, kill, "") for kill in power_points(machine, "")}
    assert {kill: said for kill, said in found.items() if said} == {}


@pytest.mark.soak
@pytest.mark.parametrize("bug", POWER_BUGS)
def test_the_power_sweep_catches_a_planted_bug(machine, bug):
    assert any(cut_at(machine, kill, bug) for kill in power_points(machine, bug))
