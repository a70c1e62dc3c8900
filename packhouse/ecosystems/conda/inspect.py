"""Open one conda package and judge it; nothing is ever extracted."""

import posixpath
import struct
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from backports import zstd

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda.container import (
    OverrunError,
    Stream,
    bz2_stream,
    member_problem,
    members,
    open_conda,
)
from packhouse.ecosystems.conda.framing import ContainerError
from packhouse.ecosystems.conda.names import Coordinates, parse_coordinates
from packhouse.ecosystems.conda.record import Judgement, judge
from packhouse.ecosystems.conda.strictjson import JsonError, parse_json
from packhouse.errors import BadArchive, BadMetadata
from packhouse.model import Claim, Json, Observed
from packhouse.prose import markup

INDEX = "info/index.json"
MAX_INDEX = 1 << 20
"""Bytes of info/index.json; the largest real one has a few ten thousand."""

_KEPT = frozenset(
    {
        INDEX,
        "info/about.json",
        "info/run_exports.json",
        "info/paths.json",
        "info/has_prefix",
        "info/recipe/recipe.yaml",
    }
    | {"info/recipe/meta.yaml"}
)
_INDEXED = frozenset({INDEX, "info/run_exports.json"})
_LISTED = 2_000
"""How many members the page of a file lists."""

_ABOUT_TEXT = 1 << 16

_BZ2_COST = 32
"""bzip2 decompresses about that much slower than zstd, so it gets that much less of the scan budget."""

# What the standard readers are known to raise for hostile bytes. MemoryError: a header may ask for any size, and
# the child that runs this has little to give.
_PARSER_FAILURES = (
    ContainerError,
    JsonError,
    tarfile.TarError,
    zstd.ZstdError,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)


@dataclass(slots=True)
class Contents:
    """What the members of one package say.

    Attributes:
        info: the files of info/ that are read, path to bytes.
        paths: path and size of payload members, in order.
        seen: every path so far.
        problems: sentences about members that a package may not have.
        warnings: sentences for the page.
        whole: whether all of it was looked at.
    """

    info: dict[str, bytes] = field(default_factory=dict)
    paths: list[tuple[str, int]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    whole: bool = True


def inspect(path: Path, claim: Claim, limits: Limits) -> Observed:
    """Open the package at `path` and judge it.

    Args:
        path: where the bytes lie; their name there does not matter.
        claim: `filename` says what the package must be; `directory` is not compared here.
        limits: what may be spent.

    Returns:
        `record` is the repodata record without `md5`, `sha256` and `size` (CEP 36); a record of revision 3 carries
        `schema_version` 3. `details` holds `about`, `origin`, `description_html`, `members`, `files`, `bytes`,
        `flags`, `recipe` and `checked`: what pages may claim of this file (`whole`: it was read to its end; `subdir`:
        the file itself names its subdir; `own`: it brings nothing that only an installer may write).

    Raises:
        BadName: the file name breaks CEP 26.
        BadArchive: unreadable or ambiguous.
        BadMetadata: every rule that the package breaks.
    """
    coordinates = parse_coordinates(claim.filename, max_number=2**63 - 1 if claim.lenient else 2**31 - 1)
    contents = Contents()
    try:
        with path.open("rb") as file:
            length = file.seek(0, 2)
            if coordinates.extension == ".conda":
                _read_conda(file, length, coordinates, contents, limits)
            else:
                _read_bz2(file, length, contents, limits)
        documents = _documents(contents)
    except _PARSER_FAILURES as error:
        raise BadArchive(claim.filename, _reason(error)) from error
    found = judge(
        documents[INDEX],
        coordinates,
        run_exports=documents.get("info/run_exports.json"),
        directory=claim.directory,
        now_us=limits.now_us,
        lenient=claim.lenient,
    )
    for problem in contents.problems:
        found.odd(problem)
    if "info/paths.json" not in contents.seen:
        found.warnings.append("info/paths.json is missing (CEP 34); old packages have none")
    if found.problems:
        raise BadMetadata(claim.filename, found.problems)
    return _observed(claim, coordinates, contents, found, documents)


def _documents(contents: Contents) -> dict[str, Json]:
    """Parse the JSON files; what only pages need may be damaged."""
    documents: dict[str, Json] = {}
    for name in sorted(contents.info):
        if name.endswith(".json"):
            try:
                documents[name] = parse_json(contents.info[name])
            except JsonError as error:
                if name in _INDEXED:
                    raise ContainerError(f"{name}: {error}") from error
                contents.warnings.append(f"{name} was not used: {error}")
    return documents


def _reason(error: BaseException) -> str:
    if isinstance(error, ContainerError):
        return str(error)
    if isinstance(error, MemoryError):
        return "reading it takes more memory than an inspection may use"
    return f"it cannot be read ({type(error).__name__}: {str(error)[:200]})"


def _read_conda(
    file: IO[bytes], length: int, coordinates: Coordinates, contents: Contents, limits: Limits
) -> None:
    info, pkg = open_conda(file, length, coordinates.stem)
    info.cap = limits.metadata_bytes
    for tar, member in members(info):
        if member.name != "info" and not member.name.startswith("info/"):
            raise ContainerError(f"its info part holds {member.name[:120]!r}, which is not below info/")
        _take(tar, member, contents, limits)
    if INDEX not in contents.info:
        raise ContainerError(f"it holds no {INDEX}")
    pkg.cap = limits.scan_bytes
    try:
        for tar, member in members(pkg):
            # Real packages keep info/licenses there. What readers look for must come from the info part alone.
            if member.name in _KEPT:
                raise ContainerError(f"its pkg part holds {member.name}, which belongs into the info part")
            _take(tar, member, contents, limits)
    except (OverrunError, tarfile.ReadError):
        _unless_overrun(pkg, contents)


def _read_bz2(file: IO[bytes], length: int, contents: Contents, limits: Limits) -> None:
    stream = bz2_stream(file, length)
    stream.cap = limits.scan_bytes
    enough = limits.scan_bytes // _BZ2_COST
    info_bytes = 0
    try:
        for tar, member in members(stream):
            if member.name.startswith("info/"):
                info_bytes += max(member.size, 0)
                if info_bytes > limits.metadata_bytes:
                    raise ContainerError(f"its info/ holds more than {limits.metadata_bytes} bytes")
            _take(tar, member, contents, limits)
            if stream.produced > enough and INDEX in contents.info:
                stream.cap = min(stream.cap, stream.produced)
    except (OverrunError, tarfile.ReadError):
        _unless_overrun(stream, contents)
    if INDEX not in contents.info:
        raise ContainerError(f"it holds no {INDEX}")


def _unless_overrun(stream: Stream, contents: Contents) -> None:
    """Go on where only the budget ended; raise again where the bytes are at fault."""
    if stream.produced <= stream.cap:
        raise  # noqa: PLE0704 - called from an except block only
    contents.whole = False
    contents.warnings.append(f"only the first {stream.cap} bytes of its content were looked at")


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, contents: Contents, limits: Limits) -> None:
    """Judge one member and keep what pages and indexes need of it."""
    problem = member_problem(member)
    if problem:
        raise ContainerError(problem)
    path = member.name
    if path in contents.seen and not member.isdir():
        raise ContainerError(f"it holds {path[:120]!r} twice")
    contents.seen.add(path)
    if len(contents.seen) > limits.members:
        raise ContainerError(f"it holds more than {limits.members} members")
    # CEP 34: these belong to the installed environment; a package that brings them forges its own history.
    if path == "info/repodata_record.json" or path.startswith("conda-meta/"):
        contents.problems.append(f"it holds {path[:120]}, which only an installer may write (CEP 34)")
    if path in _KEPT:
        _keep(tar, member, contents, limits)
    elif not path.startswith("info/") and not member.isdir():
        contents.paths.append((path, member.size))


def _keep(tar: tarfile.TarFile, member: tarfile.TarInfo, contents: Contents, limits: Limits) -> None:
    if not member.isreg():
        raise ContainerError(f"{member.name} is not a regular file")
    limit = MAX_INDEX if member.name == INDEX else limits.member_bytes
    if member.size > limit:
        if member.name in _INDEXED:
            raise ContainerError(f"{member.name} has {member.size} bytes, at most {limit} are allowed")
        contents.warnings.append(f"{member.name} has {member.size} bytes and was not looked at")
        return
    body = tar.extractfile(member)
    contents.info[member.name] = body.read() if body else b""


# --- what pages need ---------------------------------------------------------------------------------------


def _observed(
    claim: Claim,
    coordinates: Coordinates,
    contents: Contents,
    found: Judgement,
    documents: Mapping[str, Json],
) -> Observed:
    about = documents.get("info/about.json")
    about = about if isinstance(about, dict) else {}
    said = _about(about)
    description = said.get("description", "")
    recipe = contents.info.get("info/recipe/recipe.yaml") or contents.info.get("info/recipe/meta.yaml") or b""
    return Observed(
        filename=claim.filename,
        package=coordinates.name,
        version=coordinates.version,
        directory=found.subdir,
        record=dict(sorted(found.record.items())),
        details={
            "about": said,
            "origin": _origin(about.get("extra")),
            "summary": said.get("summary", ""),
            "description_html": markup(description, "text/markdown") if isinstance(description, str) else "",
            "files": len(contents.paths),
            "bytes": sum(size for _, size in contents.paths),
            "members": [list(pair) for pair in contents.paths[:_LISTED]],
            "flags": _flags(coordinates.name, contents, documents.get("info/paths.json")),
            "recipe": recipe[:_ABOUT_TEXT].decode("utf-8", errors="replace"),
            "checked": {
                "whole": contents.whole,
                "subdir": documents[INDEX].get("subdir") is not None,
                "own": not contents.problems,
            },
        },
        warnings=[*found.warnings, *contents.warnings],
    )


_ABOUT_KEYS = (
    "description",
    "dev_url",
    "doc_source_url",
    "doc_url",
    "home",
    "icon_url",
    "license",
    "license_family",
    "license_url",
    "source_url",
    "summary",
    "tags",
    "identifiers",
    "keywords",
)


def _about(about: Mapping[str, Json]) -> dict[str, Json]:
    """Keep what pages and channeldata show: texts, and lists of texts."""
    kept: dict[str, Json] = {}
    for key in _ABOUT_KEYS:
        value = about.get(key)
        if isinstance(value, str) and value:
            kept[key] = value[:_ABOUT_TEXT]
        elif (
            key != "summary"
            and isinstance(value, list)
            and value
            and all(isinstance(text, str) for text in value)
        ):
            kept[key] = value[:100]
    return kept


def _origin(extra: Json) -> dict[str, Json]:
    """Return where about.json says that the recipe comes from, and who looks after it."""
    extra = extra if isinstance(extra, dict) else {}
    kept: dict[str, Json] = {
        key: extra[key][:_ABOUT_TEXT]
        for key in ("remote_url", "sha")
        if isinstance(extra.get(key), str) and extra[key]
    }
    people = extra.get("recipe-maintainers")
    if isinstance(people, list) and people and all(isinstance(name, str) for name in people):
        kept["maintainers"] = people[:100]
    return kept


def _flags(name: str, contents: Contents, paths: Json) -> dict[str, bool]:
    """The booleans of channeldata.json (CEP 38): which scripts the package has and how it holds its prefix."""
    modes = _prefix_modes(contents.info.get("info/has_prefix", b""), paths)
    files = {path for path, _ in contents.paths}
    return {
        "activate.d": any(posixpath.dirname(path) == "etc/conda/activate.d" for path in files),
        "binary_prefix": "binary" in modes,
        "deactivate.d": any(posixpath.dirname(path) == "etc/conda/deactivate.d" for path in files),
        **{
            flag: f"bin/.{name}-{script}.sh" in files or f"Scripts/.{name}-{script}.bat" in files
            for flag, script in (
                ("post_link", "post-link"),
                ("pre_link", "pre-link"),
                ("pre_unlink", "pre-unlink"),
            )
        },
        "text_prefix": "text" in modes,
    }


def _prefix_modes(has_prefix: bytes, paths: Json) -> set[str]:
    entries = paths.get("paths") if isinstance(paths, dict) else None
    modes = {
        str(entry.get("file_mode", "text"))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and entry.get("prefix_placeholder")
    }
    for line in has_prefix.decode("utf-8", errors="replace").splitlines():
        words = line.split()
        # CEP 34: `<placeholder> <mode> <path>`; the oldest packages give the path alone, in text mode.
        modes.add(words[1] if len(words) > 2 and words[1] in {"text", "binary"} else "text")
    return modes
