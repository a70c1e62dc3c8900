"""What a distribution requires, as a page shows it: at run time, and with each of its extras.

Source: PEP 508 (dependency specifiers), PEP 685 (extras are compared normalised).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from packhouse.ecosystems.view import Dependency, Requirements
from packhouse.model import Json

_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|[()]|[^\s()\"']+")
_EXTRA = re.compile(r"extra == \"([^\"]*)\"|\"([^\"]*)\" == extra")


def requires(record: Mapping[str, Json]) -> Sequence[str]:
    """Return the normalised names of the projects that a file needs without any extra, sorted; never its own."""
    own = canonicalize_name(str(record.get("name", "")))
    return sorted(
        {
            dependency.package
            for line in record.get("requires_dist") or ()
            for extras, dependency in _read(line)
            if not extras and dependency.package not in ("", own)
        }
    )


def mentions(record: Mapping[str, Json]) -> Sequence[str]:
    """Return the normalised names of the projects that a file needs with or without an extra, sorted; never its own."""
    lines = record.get("requires_dist") or ()
    names = {dependency.package for line in lines for _extras, dependency in _read(line)}
    return sorted(names - {"", canonicalize_name(str(record.get("name", "")))})


def requirements(lines: Sequence[str], declared: Sequence[str] = ()) -> Sequence[Requirements]:
    """Return requirement lines under headings.

    Args:
        lines: as METADATA has them.
        declared: the extras in the order of Provides-Extra; an extra that is not there comes behind them.
    """
    runtime: list[Dependency] = []
    extras: dict[str, list[Dependency]] = {canonicalize_name(extra): [] for extra in declared}
    for line in lines:
        for named, dependency in _read(line):
            if not named:
                runtime.append(dependency)
            for extra in named:
                extras.setdefault(extra, []).append(dependency)
    groups = [("Runtime", runtime), *((f"Extra: {extra}", items) for extra, items in extras.items())]
    return [Requirements(title=title, items=items) for title, items in groups if items]


def normalised(line: str) -> str:
    """Return a requirement line as `packaging` spells it, so that only what means something else differs."""
    requirement = _parse(line)
    return line.strip() if requirement is None else str(requirement)


def _parse(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except (InvalidRequirement, RecursionError):  # an import took it in all the same
        return None


def _read(line: str) -> Iterator[tuple[Sequence[str], Dependency]]:
    """Yield the extras that ask for a requirement (none: it is always there) and the requirement."""
    requirement = _parse(line)
    if requirement is None:
        yield (), Dependency(text=line.strip())
        return
    marker = str(requirement.marker or "")
    requirement.marker = None
    extras, when = _split(marker)
    yield (
        extras,
        Dependency(text=str(requirement), package=canonicalize_name(requirement.name), when=when),
    )


def _split(marker: str) -> tuple[Sequence[str], str]:
    """Return the extras of which one must be asked for, and what else must hold.

    `extra == "test" and python_version < "3.12"` is `test`, and the rest. A marker in which an extra is one way among
    others stays whole: then the requirement can be there without it.
    """
    words = _WORD.findall(marker)
    if "or" in _outside(words):
        found = _extras(words)
        return (found, "") if found else ((), marker)
    extras: Sequence[str] = ()
    rest: list[str] = []
    for part in _parts(words):
        found = _extras(part)
        if found and not extras:
            extras = found
        else:
            rest.append(_written(part))
    return extras, " and ".join(rest)


def _outside(words: Sequence[str]) -> Iterator[str]:
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0:
            yield word


def _parts(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield what `and` joins outside parentheses."""
    part: list[str] = []
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == "and":
            yield part
            part = []
        else:
            part.append(word)
    if part:
        yield part


def _extras(part: Sequence[str]) -> Sequence[str]:
    """Return the extras where a part says nothing but `extra == ...`, once or joined by `or`."""
    bare = [word for word in part if word not in ("(", ")")]
    comparisons = " ".join(bare).split(" or ")
    matches = [_EXTRA.fullmatch(comparison) for comparison in comparisons]
    return [canonicalize_name(match[1] or match[2]) for match in matches if match] if all(matches) else []


def _written(part: Sequence[str]) -> str:
    return " ".join(part).replace("( ", "(").replace(" )", ")")
