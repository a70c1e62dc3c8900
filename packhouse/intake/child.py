"""The reader: a child process that opens uploaded archives, one after another, and can do little else.

`python -m packhouse.intake.child FORMATS MEMORY CPU_S WALL_S LIFELINE` speaks frames on standard input and
output. A frame is a length (4 bytes, big-endian), that many bytes of JSON, then the sidecars whose sizes the
JSON tells. Nothing is pickled: what comes out of a child that read hostile bytes is data, and is checked.

It cannot write a file (RLIMIT_FSIZE 0), takes at most MEMORY bytes of address space and CPU_S seconds of
processor per job, and dies with its parent.
"""

import dataclasses
import importlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from packhouse.ecosystems import Format, Limits
from packhouse.errors import BadArchive, Mismatch, PackhouseError
from packhouse.model import Claim, Ecosystem, Observed
from packhouse.names import parse_channel, parse_filename, parse_segment

MAX_FRAME = 256 << 20
"""No honest answer is longer, in bytes."""

_OPEN_FILES = 64
_GRACE_S = 5


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _as_dict(value: object) -> dict[str, Any]:
    """Return any mapping as one that JSON knows."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def write_frame(pipe: BinaryIO, head: Mapping[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Write one frame; `parts` are byte strings that JSON cannot hold."""
    # ASCII JSON also carries lone surrogates and integers of any size, which real metadata has.
    body = json.dumps({**head, "parts": [len(part) for part in parts]}, default=_as_dict).encode("ascii")
    pipe.write(len(body).to_bytes(4) + body + b"".join(parts))
    pipe.flush()


def observed_to_frame(observed: Observed) -> tuple[dict[str, Any], list[bytes]]:
    """Return an `Observed` as a frame's JSON and parts."""
    plain = _fields(observed)
    del plain["sidecars"]
    return {"observed": plain, "sidecars": list(observed.sidecars)}, list(observed.sidecars.values())


def observed_from_frame(head: Mapping[str, Any], parts: Sequence[bytes]) -> Observed:
    """Return what a frame holds.

    Raises:
        PackhouseError, TypeError, ValueError, KeyError: no honest child sends this.
    """
    plain = dict(head["observed"])
    plain["filename"] = parse_filename(plain["filename"])
    for segment in plain["directory"].split("/"):
        parse_segment("directory", segment)
    for suffix in head["sidecars"]:
        parse_filename("x" + suffix)
    for text in ("package", "version"):
        if not isinstance(plain[text], str):
            raise TypeError(f"{text} is no text")
    plain["warnings"] = tuple(map(str, plain["warnings"]))
    return Observed(**plain, sidecars=dict(zip(head["sidecars"], parts, strict=True)))


def refusal_to_frame(refusal: PackhouseError) -> dict[str, Any]:
    """Return a refusal as JSON: its class and those above it, its sentence and its data."""
    kinds = [kind.__name__ for kind in type(refusal).__mro__ if issubclass(kind, PackhouseError)]
    return {
        "refusal": kinds,
        "sentence": str(refusal),
        "data": {k: _pack(v) for k, v in vars(refusal).items()},
    }


def refusal_from_frame(head: Mapping[str, Any]) -> PackhouseError:
    """Return the refusal: of the same class (or the nearest that this process knows), with the same sentence."""
    known = _kinds(PackhouseError)
    kind = next(known[name] for name in head["refusal"] if name in known)
    # Not through __init__, which builds the sentence from the data: the sentence is here already.
    refusal = kind.__new__(kind)
    refusal.args = (str(head["sentence"]),)
    for name, value in head["data"].items():
        if name.startswith("_"):
            raise ValueError("no refusal has such data")
        setattr(refusal, name, _unpack(value))
    return refusal


def _kinds(top: type[PackhouseError]) -> dict[str, type[PackhouseError]]:
    found = {top.__name__: top}
    for kind in top.__subclasses__():
        found |= _kinds(kind)
    return found


def _pack(value: object) -> Any:
    if isinstance(value, Mismatch):
        return {"mismatch": [_pack(value.field), _pack(value.claimed), _pack(value.observed)]}
    if isinstance(value, list | tuple):
        return [_pack(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        return Mismatch(*map(_unpack, value["mismatch"]))
    return tuple(map(_unpack, value)) if isinstance(value, list) else value


def request_to_frame(ecosystem: str, path: str, claim: Claim, limits: Limits) -> dict[str, Any]:
    """Return a job as a frame's JSON."""
    return {
        "ecosystem": str(ecosystem),
        "path": path,
        "claim": _fields(claim),
        "limits": _fields(limits),
    }


def _claim(plain: Mapping[str, Any]) -> Claim:
    gated = {
        "channel": parse_channel(plain["channel"]),
        "ecosystem": Ecosystem(plain["ecosystem"]),
        "filename": parse_filename(plain["filename"]),
    }
    return Claim(**{**plain, **gated})


def _answer(
    formats: Mapping[str, Format], job: Mapping[str, Any], memory: int
) -> tuple[dict[str, Any], list[bytes]]:
    filename = str(job["claim"]["filename"])
    try:
        format_ = formats[Ecosystem(job["ecosystem"])]
        observed = format_.inspect(Path(job["path"]), _claim(job["claim"]), Limits(**job["limits"]))
        return observed_to_frame(observed)
    except PackhouseError as refusal:
        return refusal_to_frame(refusal), []
    except MemoryError:
        reason = f"reading it takes more than {memory} bytes of memory"
        # What else failed for want of memory is not known: this child is not used again.
        return {**refusal_to_frame(BadArchive(filename, reason)), "spent": True}, []
    except RecursionError:
        return refusal_to_frame(BadArchive(filename, "it is nested too deeply")), []
    except Exception as error:  # noqa: BLE001 - whatever a parser raises on hostile bytes is a refusal, never a crash
        reason = f"it cannot be read ({type(error).__name__}: {str(error)[:300]})"
        return refusal_to_frame(BadArchive(filename, reason)), []


def _load(name: str) -> Mapping[str, Format]:
    module, _, attribute = name.partition(":")
    formats: Mapping[str, Format] = getattr(importlib.import_module(module), attribute)
    return formats


def _confine(memory: int) -> None:
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_AS, memory),
    ):
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def _grant(cpu_s: int, wall_s: int) -> None:
    """Set the time limits of the next job; the parent's own clock is first, this is for when it is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most, hard = int(used.ru_utime + used.ru_stime) + cpu_s + 1, resource.getrlimit(resource.RLIMIT_CPU)[1]
    # The soft limit sends SIGXCPU, which ends the process.
    resource.setrlimit(
        resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )
    signal.alarm(wall_s + _GRACE_S)  # SIGALRM ends it too


def _die_with_parent(lifeline: int) -> None:
    # PR_SET_PDEATHSIG would fire when the *thread* that started us ends; a pipe ends with the process.
    os.read(lifeline, 1)
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """Serve jobs until the parent closes the pipe."""
    name, memory, cpu_s, wall_s, lifeline = arguments[0], *map(int, arguments[1:])
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # A parser that prints must not write into the frames.
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    try:
        formats = _load(name)
    except Exception as error:  # noqa: BLE001 - the parent says it to a person
        write_frame(answers, {"broken": f"{type(error).__name__}: {error}"})
        return
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    _confine(memory)
    write_frame(answers, {"ready": True})
    while head := jobs.read(4):
        job = json.loads(jobs.read(int.from_bytes(head)))
        _grant(cpu_s, wall_s)
        answer, parts = _answer(formats, job, memory)
        try:
            write_frame(answers, answer, parts)
        except (TypeError, ValueError, RecursionError, MemoryError) as error:
            filename, reason = (
                str(job["claim"]["filename"]),
                f"what it says of itself cannot be kept ({error})",
            )
            write_frame(answers, refusal_to_frame(BadArchive(filename, reason)))
        signal.alarm(0)


if __name__ == "__main__":
    main(sys.argv[1:])
