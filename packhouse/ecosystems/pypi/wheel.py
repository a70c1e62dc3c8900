"""What a wheel must contain, and whether RECORD and WHEEL tell the truth about it.

Source: PEP 427 and the wheel specification ("Binary distribution format"); PEP 376 for RECORD.
"""

import base64
import binascii
import configparser
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import compat32
from typing import BinaryIO

from packaging.tags import InvalidTag, Tag, parse_tag

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.names import MAX_TAGS, Distribution, parse_version, same_project
from packhouse.ecosystems.pypi.zipread import ZipReader
from packhouse.ecosystems.pypi.zipwalk import Member
from packhouse.errors import BadArchive


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the members of a wheel or sdist say, before its metadata is judged.

    Attributes:
        metadata: the exact bytes of METADATA or PKG-INFO.
        members: (path, bytes) of every member that is no directory, in archive order.
        problems: disagreements inside the file; an import may overlook them.
    """

    metadata: bytes
    members: tuple[tuple[str, int], ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


# PEP 427: "RECORD.jws and RECORD.p7s ... are not mentioned in RECORD".
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
# The wheel specification: "sha256 or better"; these are in every Python.
_ALGORITHMS = ("sha256", "sha384", "sha512")
_SCRIPT = re.compile(r"[\w.-]+")


def read_wheel(file: BinaryIO, distribution: Distribution, limits: Limits) -> Content:
    """Read a wheel without extracting it.

    Raises:
        BadArchive: not one strict zip, or not one `.dist-info` that fits the file name with METADATA, WHEEL
            and RECORD in it.
    """
    filename = distribution.filename
    reader = ZipReader(file, filename, limits)
    layout = reader.layout
    files = {member.path: member for member in layout.members if not member.directory}
    info = _dist_info([member.path for member in layout.members], distribution)
    named: dict[str, bytes] = {}
    for name in ("METADATA", "WHEEL", "RECORD"):
        if f"{info}/{name}" not in files:
            raise BadArchive(filename, f"it has no {info}/{name}, so it is no wheel")
        named[name] = reader.read(files[f"{info}/{name}"])
    verdict = _Verdict(warnings=list(layout.warnings))
    _judge_tags(named["WHEEL"], distribution, verdict)
    _judge_record(reader, files, info, named["RECORD"], verdict, limits)
    entry_points = files.get(f"{info}/entry_points.txt")
    if entry_points is not None:
        _judge_entry_points(reader.read(entry_points), verdict)
    return Content(
        metadata=named["METADATA"],
        members=tuple((member.path, member.size) for member in files.values()),
        problems=tuple(verdict.problems),
        warnings=tuple(verdict.warnings),
    )


@dataclass(slots=True)
class _Verdict:
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _dist_info(paths: list[str], distribution: Distribution) -> str:
    """Return the one `.dist-info` directory, which must carry the name and version of the file name.

    Installers look at the first segment of every entry, an empty directory's or a plain file's too.
    """
    tops = {path.split("/", 1)[0] for path in paths}
    infos = sorted(top for top in tops if top.lower().endswith(".dist-info"))
    filename = distribution.filename
    if len(infos) != 1:
        raise BadArchive(filename, f"it has {len(infos)} .dist-info directories, a wheel has exactly one")
    name, dash, version = infos[0].removesuffix(".dist-info").rpartition("-")
    fits = (
        dash and same_project(name, distribution.project) and parse_version(version) == distribution.version
    )
    if not fits:
        raise BadArchive(filename, f"its {infos[0]} belongs to another project or version than the file name")
    return infos[0]


def _judge_tags(data: bytes, distribution: Distribution, verdict: _Verdict) -> None:
    """WHEEL's tags decide nothing at installation, but a renamed wheel gives itself away by them."""
    message = BytesParser(policy=compat32).parsebytes(data)
    version = str(message.get("Wheel-Version", "")).strip()
    if not re.fullmatch(r"1\.[0-9]{1,4}", version):
        # The wheel specification: "fail if major version is greater than the version it supports".
        verdict.problems.append(f"WHEEL: its Wheel-Version is {version[:20]!r}, and only 1.x is known")
    lines = [str(line).strip() for line in message.get_all("Tag", [])]
    if not lines:
        verdict.warnings.append("WHEEL: it has no Tag")
        return
    try:
        tags = set().union(*map(_tag_set, lines[:MAX_TAGS]))
    except ValueError as error:
        verdict.problems.append(f"WHEEL: {error}")
        return
    if tags != distribution.tags:
        said, named = (" ".join(sorted(map(str, group))) for group in (tags, distribution.tags))
        verdict.problems.append(f"WHEEL: its tags are {said[:300]}, but the file name says {named[:300]}")


def _tag_set(line: str) -> frozenset[Tag]:
    # PEP 425 sets are products: a thousand long lines could expand to millions.
    if len(line) <= 211 and line.count("-") == 2 and line.count(".") <= 30:
        with suppress(InvalidTag):
            return parse_tag(line)
    raise ValueError(f"{line[:80]!r} is not a tag")


def _judge_record(
    reader: ZipReader,
    files: Mapping[str, Member],
    info: str,
    data: bytes,
    verdict: _Verdict,
    limits: Limits,
) -> None:
    """Compare RECORD with every member, by hash; every member is decompressed once, up to `scan_bytes`."""
    exempt = {f"{info}/RECORD", *(f"{info}/{name}" for name in _SIGNATURES)}
    rows: dict[str, tuple[str, str]] | None = None
    try:
        rows = _rows(data)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        verdict.problems.append(f"RECORD: it cannot be read ({error})")
    wrong: list[str] = []
    looked, skipped = 0, 0
    for path, member in files.items():
        if looked + member.size > limits.scan_bytes:
            skipped += 1
            continue
        looked += member.size
        value, size = (rows or {}).get(path, ("", ""))
        right = _holds(reader, member, value, size)
        if rows is not None and path in rows and path not in exempt and not right:
            wrong.append(path)
    if rows is not None:
        missing = [path for path in rows if path not in files]
        unlisted = [path for path in files if path not in rows and path not in exempt]
        verdict.problems.extend(_sentence("names what is not in the wheel", missing))
        verdict.problems.extend(_sentence("does not list", unlisted))
        verdict.problems.extend(_sentence("gives no right hash or size for", wrong))
    if skipped:
        verdict.warnings.append(
            f"RECORD: {skipped} of {len(files)} members were not looked at: the wheel unpacks to more than "
            f"{limits.scan_bytes} bytes"
        )


def _sentence(what: str, paths: list[str]) -> Iterator[str]:
    if paths:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        yield f"RECORD: it {what}: {', '.join(path[:200] for path in paths[:3])}{more}"


def _rows(data: bytes) -> dict[str, tuple[str, str]]:
    """Return path to (hash, size) as RECORD spells them, or raise `ValueError`."""
    rows: dict[str, tuple[str, str]] = {}
    for row in csv.reader(io.StringIO(data.decode(), newline=""), strict=True):
        if not row:
            continue
        if len(row) != 3:
            raise ValueError(f"line {len(rows) + 1} has {len(row)} fields, expected path, hash and size")
        path, value, size = row
        if path in rows:
            raise ValueError(f"{path[:200]} is listed twice")
        rows[path] = (value, size)
    return rows


def _holds(reader: ZipReader, member: Member, value: str, size: str) -> bool:
    """Stream one member (which verifies its checksum) and tell whether hash and size of its row are right.

    PEP 376: "hash: ... urlsafe-base64-nopad encoding of the digest", after the algorithm and `=`.
    """
    algorithm, _, text = value.partition("=")
    hasher = hashlib.new(algorithm) if algorithm in _ALGORITHMS else None
    for chunk in reader.stream(member):
        if hasher is not None:
            hasher.update(chunk)
    if hasher is None or size not in ("", str(member.size)):
        return False
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) == hasher.digest()
    except (binascii.Error, ValueError):
        return False


def _judge_entry_points(data: bytes, verdict: _Verdict) -> None:
    """Odd entry points are a warning; a script that would be written elsewhere is not."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    try:
        parser.read_string(data.decode())
    except (configparser.Error, UnicodeDecodeError) as error:
        verdict.warnings.append(f"entry_points.txt: it cannot be read ({' '.join(str(error).split())[:200]})")
        return
    for section in ("console_scripts", "gui_scripts"):
        for name in parser[section] if parser.has_section(section) else ():
            if "/" in name or "\\" in name:
                verdict.problems.append(
                    f"entry_points.txt: the script {name[:80]!r} would be written elsewhere"
                )
            elif not _SCRIPT.fullmatch(name):
                verdict.warnings.append(f"entry_points.txt: {name[:80]!r} is an odd name for a script")
