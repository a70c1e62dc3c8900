"""What the builds of one version need, for people: each line once, with the builds it holds for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from packhouse.ecosystems.conda.matchspec import MatchSpec, SpecError, parse_matchspec
from packhouse.ecosystems.conda.names import name_problem, split_extension
from packhouse.ecosystems.conda.record import RUN_EXPORT_KEYS
from packhouse.ecosystems.view import Dependency, Requirements
from packhouse.model import Artifact, Json

_MAX_LINES = 300
"""Lines under one heading; a version has that many only where its builds differ wildly."""

_NAMED = 3
"""So many subdirs or build strings are named; of more, the count says more."""


@lru_cache(maxsize=1 << 14)
def _read(spec: str) -> tuple[str, str, str]:
    """Return a spec without its condition, the package it names, and the condition (CEP 43)."""
    try:
        parsed = parse_matchspec(spec)
    except SpecError:  # run exports and records of old imports may hold what no client reads
        return spec, _package(spec.partition(" ")[0]), ""
    condition = parsed.fields.get("when", "")
    if isinstance(condition, str) and condition:
        rest = {key: value for key, value in parsed.fields.items() if key != "when"}
        spec = MatchSpec(parsed.name, rest).bracketed()
    # `conda-forge::numpy` is the package of that channel: not the one of the same name here.
    return spec, "" if "channel" in parsed.fields else _package(parsed.name), str(condition)


def _package(name: str) -> str:
    """Return a name, or nothing where no package can have it: virtual packages begin with `__` (CEP 26, CEP 30)."""
    return "" if name_problem(name) else name


def requires(record: Mapping[str, Json]) -> Sequence[str]:
    """Return the names of the packages that a file needs at run time, each once, in the order of `depends`."""
    names = (_read(spec)[1] for spec in record.get("depends") or ())
    return tuple(dict.fromkeys(name for name in names if name))


def mentions(record: Mapping[str, Json]) -> Sequence[str]:
    """Return the names of the packages in `depends`, `constrains`, extras and run exports, each once."""
    below = [lines for key in ("extra_depends", "run_exports") for lines in (record.get(key) or {}).values()]
    specs = [record.get("depends"), record.get("constrains"), *below]
    names = (_read(spec)[1] for lines in specs for spec in lines or ())
    return tuple(dict.fromkeys(name for name in names if name))


def requirements(rows: Iterable[Artifact]) -> Sequence[Requirements]:
    """Return what n >= 1 files of one version need, under headings; headings without a line are left out."""
    builds = list({(row.directory, split_extension(row.filename)[0]): row for row in rows}.values())
    groups = sorted({name for row in builds for name in row.record.get("extra_depends") or {}})
    headings: list[tuple[str, Callable[[Mapping[str, Json]], Iterable[str]]]] = [
        ("Runtime", lambda record: record.get("depends") or ()),
        ("Constrains", lambda record: record.get("constrains") or ()),
        *((f"Extra: {name}", _below("extra_depends", name)) for name in groups),
        *(
            (f"Run exports ({kind.replace('_', ' ')})", _below("run_exports", kind))
            for kind in RUN_EXPORT_KEYS
        ),
        ("Track features", lambda record: (record.get("track_features") or "").split()),
    ]
    found = [
        Requirements(title=title, items=_gathered(builds, pick, links=title != "Track features"))
        for title, pick in headings
    ]
    return [group for group in found if group.items]


def _below(key: str, name: str) -> Callable[[Mapping[str, Json]], Iterable[str]]:
    return lambda record: (record.get(key) or {}).get(name) or ()


def _gathered(
    builds: Sequence[Artifact], pick: Callable[[Mapping[str, Json]], Iterable[str]], *, links: bool
) -> Sequence[Dependency]:
    """Return each line once: those of every build first, then those of some, with which."""
    having: dict[str, list[Artifact]] = {}
    for row in builds:
        for line in dict.fromkeys(pick(row.record)):
            having.setdefault(line, []).append(row)
    lines = sorted(
        having, key=lambda line: len(having[line]) < len(builds)
    )  # stable: else as the files say it
    items = [_dependency(line, _which(having[line], builds), links=links) for line in lines[:_MAX_LINES]]
    if len(lines) > _MAX_LINES:
        items.append(Dependency(text=f"and {len(lines) - _MAX_LINES:,} more lines, of some builds"))
    return items


def _dependency(line: str, which: str, *, links: bool) -> Dependency:
    text, package, condition = _read(line) if links else (line, "", "")
    return Dependency(text=text, package=package, when="; ".join(part for part in (condition, which) if part))


def _which(having: Sequence[Artifact], builds: Sequence[Artifact]) -> str:
    """Say which builds have a line: nothing where all do, their subdirs or build strings where that is exact."""
    if len(having) == len(builds):
        return ""
    for said, key in (("", _subdir), ("build ", _build)):
        names = sorted({key(row) for row in having})
        if len(names) <= _NAMED and len(having) == sum(key(row) in names for row in builds):
            return said + ", ".join(names)
    return f"{len(having)} of {len(builds)} builds"


def _subdir(row: Artifact) -> str:
    return row.directory


def _build(row: Artifact) -> str:
    return str(row.record.get("build", ""))
