"""Formats that misbehave on demand: what `inspect` does is written in the version of the claim."""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path
from types import MappingProxyType

from packhouse.ecosystems import Limits
from packhouse.errors import BadMetadata, BadName, ClaimMismatch, Mismatch
from packhouse.model import Claim, Ecosystem, Observed


class LocalRefusal(BadMetadata):
    """Only the child has this class loaded when the parent has not imported this module."""


def _observed(claim: Claim, **more) -> Observed:
    return Observed(
        **{
            "filename": claim.filename,
            "package": "demo",
            "version": "1.0",
            "directory": "packages/demo",
            "record": {},
            **more,
        }
    )


def _plain(path: Path, claim: Claim, limits: Limits) -> Observed:
    return _observed(
        claim,
        record=MappingProxyType(
            {"size": len(path.read_bytes()), "big": 10**30, "odd": "\udc80", "list": [1, None]}
        ),
        details={"limit": limits.members, "claim": [claim.size, claim.digests, claim.force, claim.ecosystem]},
        sidecars={".metadata": b"\x00\xff raw", ".provenance": b""},
        warnings=("one", "two"),
    )


def _refuse(error: Exception):
    def refuse(path: Path, claim: Claim, limits: Limits) -> Observed:
        raise error

    return refuse


def _hang(path: Path, claim: Claim, limits: Limits) -> Observed:
    path.with_name("hanging").touch()
    time.sleep(3600)
    raise AssertionError


def _spin(path: Path, claim: Claim, limits: Limits) -> Observed:
    while True:
        pass


def _eat(path: Path, claim: Claim, limits: Limits) -> Observed:
    return _observed(claim, record={"eaten": len(bytearray(64 << 30))})


def _crash(path: Path, claim: Claim, limits: Limits) -> Observed:
    ctypes.string_at(0)
    raise AssertionError


def _crash_once(path: Path, claim: Claim, limits: Limits) -> Observed:
    try:
        path.unlink()
    except FileNotFoundError:
        return _observed(claim)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _write(path: Path, claim: Claim, limits: Limits) -> Observed:
    with path.with_name("escaped").open("wb") as file:
        file.write(b"x")
    return _observed(claim)


def _limits(path: Path, claim: Claim, limits: Limits) -> Observed:
    names = ("AS", "FSIZE", "CORE", "NOFILE")
    soft = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in names}
    return _observed(claim, record={"soft": soft, "pid": os.getpid(), "env": sorted(os.environ)})


def _print(path: Path, claim: Claim, limits: Limits) -> Observed:
    print("noise on standard output", flush=True)
    os.write(1, b"more noise")
    sys.stderr.write("and here")
    return _observed(claim)


def _lie(path: Path, claim: Claim, limits: Limits) -> Observed:
    return _observed(claim, directory="packages/../../etc")


def _unkeepable(path: Path, claim: Claim, limits: Limits) -> Observed:
    return _observed(claim, record={"set": {1, 2}})


def _deep(path: Path, claim: Claim, limits: Limits) -> Observed:
    return _deep(path, claim, limits)


def _garble(path: Path, claim: Claim, limits: Limits) -> Observed:
    # The child's real answer pipe is one of the higher descriptors: write rubbish to all of them.
    for fd in range(3, 64):
        try:
            os.write(fd, (5).to_bytes(4) + b"{nope")
        except OSError:
            continue
    return _observed(claim)


_MISMATCHES = [Mismatch("size", 1, 2), Mismatch("sha256", "a", "b")]
DEEDS = {
    "plain": _plain,
    "bad-name": _refuse(BadName("file name", "x", "it is odd")),
    "bad-metadata": _refuse(BadMetadata("x.whl", ["one", "two"])),
    "mismatch": _refuse(ClaimMismatch("x.whl", _MISMATCHES)),
    "local": _refuse(LocalRefusal("x.whl", ["local"])),
    "value-error": _refuse(ValueError("odd bytes")),
    "hang": _hang,
    "spin": _spin,
    "eat": _eat,
    "crash": _crash,
    "crash-once": _crash_once,
    "write": _write,
    "limits": _limits,
    "print": _print,
    "lie": _lie,
    "unkeepable": _unkeepable,
    "deep": _deep,
    "garble": _garble,
}


class Misbehaving:
    ecosystem = Ecosystem.PYPI

    def inspect(self, path: Path, claim: Claim, limits: Limits) -> Observed:
        return DEEDS[claim.version](path, claim, limits)


FORMATS = {Ecosystem.PYPI: Misbehaving()}
