"""The pool of readers: whatever an archive does to its reader, the upload is refused and the pool goes on."""

import io
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packhouse.ecosystems import Limits
from packhouse.errors import (
    BadArchive,
    BadMetadata,
    BadName,
    ClaimMismatch,
    Mismatch,
    PackhouseError,
    Unavailable,
)
from packhouse.intake import child
from packhouse.intake.pool import InspectionPool
from packhouse.model import Claim, Ecosystem, Observed
from packhouse.names import Filename, parse_channel

FORMATS = "intake_pool_support:FORMATS"


def claim(deed: str = "plain", **more) -> Claim:
    return Claim(
        channel=parse_channel("main"),
        ecosystem=Ecosystem.PYPI,
        filename=Filename("x.whl"),
        version=deed,
        **more,
    )


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=2, wall_s=20, memory_bytes=1 << 30, formats=FORMATS) as pool:
        yield pool


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"12345")
    return path


def inspect(pool: InspectionPool, path, deed: str, **more) -> Observed:
    return pool.inspect(Ecosystem.PYPI, path, claim(deed, **more), Limits(members=7))


def test_an_observed_comes_back_whole(pool, archive):
    """Bytes, big integers and lone surrogates survive the pipe."""
    seen = inspect(pool, archive, "plain", size=5, digests={"md5": "00"}, force=True)

    assert seen == Observed(
        filename=Filename("x.whl"),
        package="demo",
        version="1.0",
        directory="packages/demo",
        record={"size": 5, "big": 10**30, "odd": "\udc80", "list": [1, None]},
        details={"limit": 7, "claim": [5, {"md5": "00"}, True, "pypi"]},
        sidecars={".metadata": b"\x00\xff raw", ".provenance": b""},
        warnings=("one", "two"),
    )


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        ("bad-name", BadName("file name", "x", "it is odd")),
        ("bad-metadata", BadMetadata("x.whl", ["one", "two"])),
        ("mismatch", ClaimMismatch("x.whl", [Mismatch("size", 1, 2), Mismatch("sha256", "a", "b")])),
        ("value-error", BadArchive("x.whl", "it cannot be read (ValueError: odd bytes)")),
        ("deep", BadArchive("x.whl", "it is nested too deeply")),
        ("lie", BadArchive("x.whl", "the process that read it gave an answer without sense")),
        ("garble", BadArchive("x.whl", "the process that read it died (its answer makes no sense)")),
    ],
)
def test_a_refusal_arrives_as_it_was_raised(pool, archive, deed, error):
    """Class, sentence and data are those of the child's refusal."""
    with pytest.raises(PackhouseError) as raised:
        inspect(pool, archive, deed)

    assert type(raised.value) is type(error)
    assert (str(raised.value), vars(raised.value)) == (str(error), vars(error))
    assert inspect(pool, archive, "plain").package == "demo"


def test_a_class_that_the_parent_does_not_know_becomes_its_nearest_base():
    """A format may subclass a refusal: the code of the known base is what the client sees."""
    refusal = child.refusal_from_frame(
        {
            "refusal": ["NeverHeardOf", "BadMetadata", "Unprocessable"],
            "sentence": "no",
            "data": {"problems": ["p"]},
        }
    )

    assert type(refusal) is BadMetadata
    assert (str(refusal), refusal.problems) == ("no", ("p",))


def test_what_json_cannot_hold_is_refused(pool, archive):
    with pytest.raises(BadArchive, match="cannot be kept"):
        inspect(pool, archive, "unkeepable")


def test_too_much_memory_is_a_refusal_that_says_how_much(pool, archive):
    with pytest.raises(BadArchive, match=f"more than {1 << 30} bytes of memory"):
        inspect(pool, archive, "eat")
    assert inspect(pool, archive, "plain").package == "demo"


def test_a_crash_is_a_refusal_that_names_the_signal(pool, archive):
    """A segfault in a C parser takes its child with it, nothing else."""
    with pytest.raises(BadArchive, match="SIGSEGV"):
        inspect(pool, archive, "crash")
    assert inspect(pool, archive, "plain").package == "demo"


def test_a_child_killed_from_outside_costs_the_upload_nothing(pool, archive):
    """The archive is not to blame: a second child reads it."""
    assert inspect(pool, archive, "crash-once").package == "demo"


def test_idle_children_may_be_killed_at_any_time(pool, archive):
    for _ in range(3):
        os.kill(inspect(pool, archive, "limits").record["pid"], signal.SIGKILL)
        assert inspect(pool, archive, "plain").package == "demo"


def test_the_child_can_write_no_file(pool, archive):
    """RLIMIT_FSIZE is 0: an exploited parser cannot leave anything behind."""
    with pytest.raises(BadArchive, match="File too large"):
        inspect(pool, archive, "write")
    assert not archive.with_name("escaped").read_bytes()


def test_the_child_is_confined_and_gets_no_key(pool, archive, monkeypatch):
    monkeypatch.setenv("PACKHOUSE_KEY", "pkh-secret")
    with InspectionPool(workers=1, memory_bytes=1 << 30, formats=FORMATS) as fresh:
        record = inspect(fresh, archive, "limits").record

    assert record["soft"] == {"AS": 1 << 30, "FSIZE": 0, "CORE": 0, "NOFILE": 64}
    assert not [name for name in record["env"] if name.startswith("PACKHOUSE_")]


def test_a_parser_that_prints_does_not_garble_the_answer(pool, archive):
    assert inspect(pool, archive, "print").package == "demo"


def test_a_child_that_hangs_is_killed_while_the_other_goes_on(archive):
    """One slow archive delays nobody else."""
    with InspectionPool(workers=2, wall_s=2, formats=FORMATS) as pool, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(inspect, pool, archive, "hang")
        for _ in range(20):
            assert inspect(pool, archive, "plain").package == "demo"
        with pytest.raises(BadArchive, match="took longer than 2 s to read"):
            slow.result(30)
        assert archive.with_name("hanging").exists()
        assert inspect(pool, archive, "plain").package == "demo"


def test_processor_time_is_limited_per_job(archive):
    with InspectionPool(workers=1, wall_s=30, cpu_s=0, formats=FORMATS) as pool:
        with pytest.raises(BadArchive, match="more than 0 s of processor time"):
            inspect(pool, archive, "spin")
        assert inspect(pool, archive, "plain").package == "demo"


def test_many_threads_share_few_children(pool, archive):
    deeds = ["plain", "value-error", "limits", "bad-name"] * 15

    def run(deed: str) -> str:
        try:
            return inspect(pool, archive, deed).package
        except PackhouseError as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(run, deeds))

    assert outcomes == ["demo", "bad-archive", "demo", "bad-name"] * 15


def test_a_child_is_replaced_after_its_jobs(archive):
    with InspectionPool(workers=1, jobs_per_child=2, formats=FORMATS) as pool:
        pids = [inspect(pool, archive, "limits").record["pid"] for _ in range(5)]

    assert len(set(pids)) == 3
    assert pids[0] == pids[1] != pids[2]


def test_a_closed_pool_refuses_and_leaves_no_process(archive):
    pool = InspectionPool(workers=2, formats=FORMATS)
    pid = inspect(pool, archive, "limits").record["pid"]
    pool.close()

    with pytest.raises(Unavailable, match="stopping"):
        inspect(pool, archive, "plain")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_closing_lets_a_running_job_end(archive):
    """The job that is running answers; those that wait are refused, none waits for ever."""
    with ThreadPoolExecutor(4) as threads:
        pool = InspectionPool(workers=1, wall_s=1, formats=FORMATS)
        jobs = [threads.submit(inspect, pool, archive, "hang") for _ in range(4)]
        while not archive.with_name("hanging").exists():
            threading.Event().wait(0.01)
        pool.close()
        errors = [job.exception(30) for job in jobs]

    assert sorted(type(error).__name__ for error in errors) == ["BadArchive", *["Unavailable"] * 3]


def test_formats_that_cannot_be_imported_are_said_so(archive):
    with (
        InspectionPool(workers=1, formats="intake_pool_support:NOTHING") as pool,
        pytest.raises(Unavailable, match="NOTHING"),
    ):
        inspect(pool, archive, "plain")


def test_children_die_with_a_parent_that_is_killed(archive):
    """`kill -9` of the daemon leaves no reader behind, not even one in the middle of a hanging archive."""
    program = textwrap.dedent(
        f"""
        import sys, threading
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_intake_pool import FORMATS, InspectionPool, inspect
        pool = InspectionPool(workers=2, formats=FORMATS)
        first = inspect(pool, {str(archive)!r}, "limits").record["pid"]
        threading.Thread(target=inspect, args=(pool, {str(archive)!r}, "hang"), daemon=True).start()
        second = inspect(pool, {str(archive)!r}, "limits").record["pid"]
        print(first, second, flush=True)
        threading.Event().wait()
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        waiting = [os.pidfd_open(pid) for pid in set(pids)]
        parent.kill()
    for fd in waiting:
        # A process's descriptor can be read when the process has ended.
        assert select.select([fd], [], [], 20)[0] == [fd]
        os.close(fd)


def test_a_frame_with_an_odd_claim_never_reaches_a_format():
    """The child gates the names again: a frame is input."""
    job = child.request_to_frame("pypi", "x", claim(), Limits())
    job["claim"]["filename"] = "../x"
    answer, parts = child._answer({}, job, 1)

    assert parts == []
    assert answer["refusal"][0] == "BadArchive"
    with pytest.raises(BadName):
        child._claim(job["claim"])


@pytest.mark.parametrize(
    "head",
    [
        {"observed": {}, "sidecars": []},
        {
            "observed": {"filename": "x", "package": 1, "version": "1", "directory": "a", "warnings": []},
            "sidecars": [],
        },
        {
            "observed": {
                "filename": "x",
                "package": "p",
                "version": "1",
                "directory": "a",
                "warnings": [],
                "z": 1,
            },
            "sidecars": [],
        },
        {
            "observed": {"filename": "x", "package": "p", "version": "1", "directory": "a", "warnings": []},
            "sidecars": ["/y"],
        },
    ],
)
def test_an_answer_without_sense_is_never_an_observed(head):
    with pytest.raises((PackhouseError, TypeError, ValueError, KeyError)):
        child.observed_from_frame(head, [b""] * len(head["sidecars"]))


def test_a_refusal_cannot_carry_private_attributes():
    with pytest.raises(ValueError):
        child.refusal_from_frame({"refusal": ["BadName"], "sentence": "", "data": {"__class__": 1}})


def test_a_frame_is_length_json_parts():
    """The format that both sides speak, byte by byte."""
    pipe = io.BytesIO()
    child.write_frame(pipe, {"a": 1}, [b"xy", b""])

    assert pipe.getvalue() == (25).to_bytes(4) + b'{"a": 1, "parts": [2, 0]}' + b"xy"
