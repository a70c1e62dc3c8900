"""METADATA and PKG-INFO: what they say, which of it is refused, which is stored with a warning.

Source: the core metadata specification; `packaging.metadata` reads the fields, after caps on their length.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from packaging.metadata import InvalidMetadata, Metadata, RawMetadata, parse_email

from packhouse.ecosystems.pypi.names import Distribution, parse_version, same_project
from packhouse.model import Json

MAX_LINE = 16 << 10
"""Characters of one requirement or specifier: the parsers behind are given no more than that."""
MAX_LINES = 1 << 20
"""Characters of all requirements together: a megabyte of them takes a second to parse."""
MAX_REQUIREMENTS = 5_000
MAX_SUMMARY = 512
MAX_DESCRIPTION = 256 << 10
"""Characters of the description that are kept for the page."""

# What pages show as text, and may therefore show with a few bytes escaped.
_TEXTS = {
    "summary": "summary",
    "description": "description",
    "author": "author",
    "author-email": "author_email",
    "maintainer": "maintainer",
    "maintainer-email": "maintainer_email",
    "license": "license",
}

_KEPT_TEXT, _KEPT_ITEMS = 8 << 10, MAX_REQUIREMENTS
_MAX_WARNINGS = 20

# Header name to the attribute of `packaging.metadata`. Clients resolve by these, so a broken one is refused.
_STRICT = {
    "metadata-version": "metadata_version",
    "name": "name",
    "version": "version",
    "requires-python": "requires_python",
    "requires-dist": "requires_dist",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMetadata:
    """One parsed METADATA or PKG-INFO.

    Attributes:
        name: as the file spells it; empty where `fatal` says why.
        version: as the file spells it.
        requires_python: None where there is none, or where it is not a PEP 440 specifier.
        fields: everything recognised, with long values cut, for pages.
        undecodable: those of `fields` that are not UTF-8: each bad byte is a backslash, an x and two hex digits.
        fatal: why the file cannot be this project at this version; never overlooked.
        problems: rules broken by the content; an import may overlook them.
        warnings: oddities that nobody need refuse.
    """

    name: str
    version: str
    requires_python: str | None
    summary: str
    fields: Mapping[str, Json]
    undecodable: tuple[str, ...] = ()
    fatal: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def parse_metadata(data: bytes, distribution: Distribution, *, source: str) -> CoreMetadata:
    """Return what `data` says and how well that agrees with the rules and with the file name.

    Args:
        data: the whole file, at most `Limits.member_bytes`.
        distribution: what the file name said.
        source: `METADATA` or `PKG-INFO`, for the sentences.
    """
    raw, unparsed = parse_email(data)
    escaped = dict(_escaped(unparsed))
    fields = {**raw, **escaped}
    problems = [f"{source}: {problem}" for problem in _problems(raw, unparsed)]
    fatal = [f"{source}: {reason}" for reason in _disagreements(raw, distribution)]
    warnings = [f"{source}: {warning}" for warning in _warnings(raw, unparsed)]
    if len(warnings) > _MAX_WARNINGS:
        warnings[_MAX_WARNINGS:] = [f"{source}: and {len(warnings) - _MAX_WARNINGS} more"]
    specifier = raw.get("requires_python") or None
    if specifier is not None and _error(raw, "requires_python"):
        specifier = None
    return CoreMetadata(
        name=raw.get("name", ""),
        version=raw.get("version", ""),
        requires_python=specifier,
        summary=" ".join(_kept(fields.get("summary", ""), MAX_SUMMARY).split()),
        fields={
            key: _kept(value, MAX_DESCRIPTION if key == "description" else _KEPT_TEXT)
            for key, value in sorted(fields.items())
        },
        undecodable=tuple(sorted(escaped)),
        fatal=tuple(fatal),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _escaped(unparsed: Mapping[str, list[Any]]) -> Iterator[tuple[str, str]]:
    r"""Yield (attribute, text) of what is not UTF-8, with each bad byte as `\x<hex>`.

    `packaging` gives such a header back as Latin-1, which maps bytes to characters one to one, and such a body as
    bytes. What was given twice has two values.
    """
    for header, attribute in _TEXTS.items():
        values = unparsed.get(header, [])
        if len(values) != 1:
            continue
        value = values[0]
        with suppress(UnicodeEncodeError):
            data = value if isinstance(value, bytes) else value.encode("latin-1")
            yield attribute, data.decode("utf-8", "backslashreplace")


def _disagreements(raw: RawMetadata, distribution: Distribution) -> Iterator[str]:
    """File name and content must name one project and one version, or an index would lie about one of them."""
    name, version = raw.get("name"), raw.get("version")
    if not name:
        yield "it has no single Name"
    elif not same_project(name, distribution.project):
        yield f"its Name is {name[:80]!r}, but the file name says {distribution.project}"
    if not version:
        yield "it has no single Version"
    elif parse_version(version.strip()) != distribution.version:
        yield f"its Version is {version[:80]!r}, but the file name says {distribution.version}"


def _problems(raw: RawMetadata, unparsed: Mapping[str, list[str]]) -> Iterator[str]:
    for header, attribute in _STRICT.items():
        if header in unparsed:
            yield f"{header} is given twice or is not UTF-8"
        elif attribute in raw or attribute == "metadata_version":
            error = _error(raw, attribute)
            if error:
                yield error


def _error(raw: RawMetadata, attribute: str) -> str | None:
    """Return why one strict field is refused, or None."""
    value: Any = raw.get(attribute) or ""
    lines: list[str] = value if isinstance(value, list) else [value]
    header = attribute.replace("_", "-")
    if len(lines) > MAX_REQUIREMENTS:
        return f"it has {len(lines)} {header} lines, at most {MAX_REQUIREMENTS} are allowed"
    if any(len(line) > MAX_LINE for line in lines):
        return f"a {header} line is longer than {MAX_LINE} characters"
    if sum(map(len, lines)) > MAX_LINES:
        return f"its {header} lines have more than {MAX_LINES} characters together"
    if attribute == "metadata_version":
        return _version_error(value)
    reason = None
    try:
        # An empty specifier allows every Python: clients send and store `Requires-Python:` like that.
        if value or attribute != "requires_python":
            getattr(Metadata.from_raw({attribute: value}, validate=False), attribute)  # type: ignore[misc]
    except InvalidMetadata as error:
        reason = f"{header} is not valid: {str(error.__cause__ or error).splitlines()[0][:200]}"
    except RecursionError:
        reason = f"a {header} line is nested too deeply"
    return reason


def _version_error(text: str) -> str | None:
    """Judge Metadata-Version: "consumers ... MUST fail if the major version is greater than they support"."""
    major, dot, minor = text.strip().partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal() and text.isascii() and len(text) < 10):
        return f"metadata-version is {text[:20]!r}, expected something like 2.4"
    if int(major) > 2:
        return f"metadata-version is {text}, and only 1.x and 2.x are known"
    return None


def _warnings(raw: RawMetadata, unparsed: Mapping[str, list[str]]) -> Iterator[str]:
    if raw.get("metadata_version") == "2.0":
        yield "Metadata-Version 2.0 was never adopted"
    if raw.get("license") and raw.get("license_expression"):
        yield "it has both License and License-Expression; the latter is meant to replace the former"
    if len(raw.get("summary", "")) > MAX_SUMMARY:
        yield f"its Summary is longer than {MAX_SUMMARY} characters"
    for requirement in raw.get("requires_dist", ())[:MAX_REQUIREMENTS]:
        if "@" in requirement.split(";", 1)[0]:
            yield f"it depends on a direct URL: {_kept(requirement, 200)}"
    for header in sorted(set(unparsed) - _STRICT.keys()):
        yield f"the field {_kept(header, 80)!r} is unknown, given twice or not UTF-8"
    # What `packaging` refuses and clients do not need: stored, and shown.
    lax: dict[str, Any] = {
        key: value for key, value in raw.items() if key not in _STRICT.values() or key == "metadata_version"
    }
    lax |= {"name": "x", "version": "0"}
    try:
        Metadata.from_raw(lax, validate=True)  # type: ignore[arg-type]
    except ExceptionGroup as group:
        errors = [error for error in group.exceptions if isinstance(error, InvalidMetadata)]
        for error in sorted(errors, key=str):
            # setuptools wrote License-File under Metadata 2.1 for years: no news to anybody
            if error.field not in ("metadata-version", "license-file"):
                yield _kept(" ".join(str(error).split()), 300)


def _kept(value: Any, limit: int) -> Any:
    """Return a JSON value with long texts and long lists cut, and without NUL (PostgreSQL stores none)."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")[:limit]
    if isinstance(value, list):
        return [_kept(item, limit) for item in value[:_KEPT_ITEMS]]
    return {_kept(key, limit): _kept(item, limit) for key, item in list(value.items())[:_KEPT_ITEMS]}
