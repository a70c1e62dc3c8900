"""info/index.json to the record that repodata carries: strict, since one bad record takes its name down for all.

Sources: CEP 34 (index.json), CEP 36 (records), CEP 43, 44, 45, 48 (revision 3), CEP 47 (timestamps).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from packhouse.ecosystems.conda.matchspec import GROUP, MatchSpec, SpecError, parse_matchspec
from packhouse.ecosystems.conda.names import Coordinates
from packhouse.model import Json
from packhouse.names import SUBDIRS

REVISION = "schema_version"
"""Key of a stored record that belongs to `v3`; it is left out where the record is written."""

SKEW_MS = 600_000
"""How far ahead of the server's a builder's clock may be, milliseconds."""

SECONDS_BELOW = 10**11
"""CEP 34: `timestamp` counts milliseconds; smaller values are taken for seconds, as clients do."""

RUN_EXPORT_KEYS = ("noarch", "strong", "strong_constrains", "weak", "weak_constrains")

_TEXT_KEYS = ("arch", "features", "license", "license_family", "platform", "python_site_packages_path")
_FLAG = re.compile(r"[a-z0-9_]+(?::[a-z0-9_]+)?")
_PURL = re.compile(
    r"pkg:[a-z][a-z0-9.+-]*(?:/[A-Za-z0-9._~-]+)+(?:@[A-Za-z0-9._~+-]+)?"
    r"(?:\?[a-z][a-z0-9._-]*=[A-Za-z0-9._~:/-]+(?:&[a-z][a-z0-9._-]*=[A-Za-z0-9._~:/-]+)*)?"
)


@dataclass(slots=True)
class Judgement:
    """What was found while a record was built.

    Attributes:
        record: the record, without what the bytes as a whole give (`md5`, `sha256`, `size`).
        subdir: where the package belongs.
        problems: sentences; each refuses the package.
        warnings: sentences for the page.
        lenient: old habits that clients tolerate become warnings.
    """

    lenient: bool = False
    record: dict[str, Json] = field(default_factory=dict)
    subdir: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def odd(self, sentence: str) -> None:
        """Note something that breaks a rule but no client."""
        (self.warnings if self.lenient else self.problems).append(sentence)


def judge(
    index: Json,
    coordinates: Coordinates,
    *,
    run_exports: Json = None,
    directory: str | None = None,
    now_us: int = 0,
    lenient: bool = False,
) -> Judgement:
    """Build the record of one package and say everything that is wrong with it.

    Args:
        index: the parsed info/index.json.
        coordinates: what the file name says.
        run_exports: the parsed info/run_exports.json, None where there is none.
        directory: the subdir the uploader named, if any; it stands in where a lenient import finds none in the file.
        now_us: the server's clock, microseconds since 1970 UTC; 0 skips the rule about the future.
        lenient: let old habits in.
    """
    found = Judgement(lenient=lenient)
    if not isinstance(index, dict):
        found.problems.append("info/index.json is not an object")
        return found
    _identity(found, index, coordinates)
    _place(found, index, directory)
    _texts(found, index)
    _time(found, index, now_us)
    _relations(found, index)
    if run_exports is not None:
        _run_exports(found, run_exports)
    return found


def _identity(found: Judgement, index: Mapping[str, Json], coordinates: Coordinates) -> None:
    for key in ("name", "version", "build"):
        value, claimed = index.get(key), getattr(coordinates, key)
        found.record[key] = value
        if value != claimed:  # byte-equal: otherwise numpy-9.9-0.conda could hold the package `evil`
            found.problems.append(
                f"{key} is {_shown(value)} in info/index.json, but {claimed!r} in the file name: rename the file"
            )
    number = index.get("build_number")
    if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
        found.record["build_number"] = number
    else:
        found.problems.append(f"build_number is {_shown(number)}; it must be an integer of at least 0")


def _place(found: Judgement, index: Mapping[str, Json], directory: str | None) -> None:
    subdir = index.get("subdir")
    if subdir is None and directory in SUBDIRS:
        found.odd(f"info/index.json names no subdir; the upload named {directory}")
        subdir = directory
    if not isinstance(subdir, str) or subdir not in SUBDIRS:
        found.problems.append(
            f"subdir is {_shown(subdir)}; it must be one that clients know, such as noarch or linux-64"
        )
        return
    found.subdir = found.record["subdir"] = subdir
    noarch = index.get("noarch")
    if noarch is None:
        if subdir == "noarch":
            found.odd("subdir is noarch, but noarch is neither 'generic' nor 'python'")
        return
    # The reverse does not hold: CEP 20 puts `noarch: python` packages (abi3) into a platform's subdir.
    if noarch is True:
        found.warnings.append("noarch is true, an old spelling of 'generic' or 'python'")
    elif noarch not in ("generic", "python"):
        found.problems.append(f"noarch is {_shown(noarch)}; it must be 'generic' or 'python'")
        return
    found.record["noarch"] = noarch


def _texts(found: Judgement, index: Mapping[str, Json]) -> None:
    for key in _TEXT_KEYS:
        value = index.get(key)
        if isinstance(value, str):
            found.record[key] = value
        elif value is not None:
            found.problems.append(f"{key} is {_shown(value)}; it must be a text or null")
    tracked = index.get("track_features")
    if isinstance(tracked, str):
        found.record["track_features"] = tracked.replace(",", " ")  # CEP 36: one text, separated by spaces
    elif _is_texts(tracked):
        found.record["track_features"] = " ".join(tracked)
    elif tracked is not None:
        found.problems.append(f"track_features is {_shown(tracked)}; it must be a text or a list of texts")
    purls = index.get("purls")
    if _is_texts(purls) and all(_PURL.fullmatch(purl) for purl in purls):
        found.record["purls"] = purls
    elif purls is not None:
        found.problems.append(f"purls is {_shown(purls)}; it must be a list of package URLs (CEP 49)")


def _time(found: Judgement, index: Mapping[str, Json], now_us: int) -> None:
    stamp = index.get("timestamp")
    if stamp is None:
        return
    if not isinstance(stamp, int) or isinstance(stamp, bool) or not 0 <= stamp < 10**14:
        # Clients stop at a float. 10**14 ms is the year 5138: larger values overflow some clients' dates.
        found.problems.append(
            f"timestamp is {_shown(stamp)}; it must be an integer, milliseconds since 1970 UTC"
        )
        return
    found.record["timestamp"] = stamp
    if 0 < stamp < SECONDS_BELOW:
        found.warnings.append("timestamp counts seconds; CEP 34 wants milliseconds")
    if now_us and timestamp_ms(stamp) > now_us // 1000 + SKEW_MS:
        found.odd(f"timestamp {stamp} lies in the future (CEP 47): set the clock of the build machine")


def timestamp_ms(stamp: int) -> int:
    """Return a record's `timestamp` in milliseconds since 1970 UTC."""
    return stamp * 1000 if stamp < SECONDS_BELOW else stamp


def _relations(found: Judgement, index: Mapping[str, Json]) -> None:
    """Check every match spec and decide the revision of the record."""
    if "depends" not in index:
        found.odd("info/index.json has no depends")
    groups = index.get("extra_depends", index.get("extra-depends"))  # CEP 48 writes _, CEP 44 writes -
    if groups is not None and not (
        isinstance(groups, dict) and all(GROUP.fullmatch(name) for name in groups)
    ):
        found.problems.append(f"extra_depends is {_shown(groups)}; it must map group names to lists (CEP 44)")
        groups = None
    flags = index.get("flags")
    if flags is not None and not (_is_texts(flags) and all(_FLAG.fullmatch(flag) for flag in flags)):
        found.problems.append(
            f"flags is {_shown(flags)}; it must be a list of names such as 'cuda' or 'blas:mkl' (CEP 45)"
        )
        flags = None
    lists = {"depends": index.get("depends", []), "constrains": index.get("constrains") or []}
    lists |= {f"extra_depends[{name}]": specs for name, specs in (groups or {}).items()}
    parsed = {where: _specs(found, where, specs) for where, specs in lists.items()}
    everything = [spec for specs in parsed.values() for spec in specs]
    third = _wants_third(found, index) or bool(groups or flags) or any(s.needs_revision_3 for s in everything)
    if third:
        found.record[REVISION] = 3
        _third(found, parsed)
    texts = {
        where: [spec.bracketed() for spec in specs] if third else lists[where]
        for where, specs in parsed.items()
    }
    found.record["depends"] = texts["depends"]
    if texts["constrains"]:
        found.record["constrains"] = texts["constrains"]
    if groups:
        found.record["extra_depends"] = {name: texts[f"extra_depends[{name}]"] for name in groups}
    if flags:
        found.record["flags"] = flags


def _wants_third(found: Judgement, index: Mapping[str, Json]) -> bool:
    """CEP 43, 44 and 45 ask for `schema_version` 3; rattler's tools write `repodata_revision`."""
    wanted = False
    for key in ("schema_version", "repodata_revision"):
        value = index.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            found.problems.append(f"{key} is {_shown(value)}; it must be an integer")
        elif value is not None and value >= 3:
            wanted = True
    return wanted


def _third(found: Judgement, parsed: Mapping[str, list[MatchSpec]]) -> None:
    for where, specs in parsed.items():
        for spec in specs:
            if spec.outside_revision_3:  # CEP 48: "MUST NOT set any other fields"
                found.problems.append(
                    f"{where} sets {', '.join(spec.outside_revision_3)} for {spec.name}, "
                    "which records of revision 3 may not (CEP 48)"
                )


def _specs(found: Judgement, where: str, specs: Json) -> list[MatchSpec]:
    if not _is_texts(specs):
        found.problems.append(f"{where} is {_shown(specs)}; it must be a list of match specs")
        return []
    parsed: list[MatchSpec] = []
    for text in specs:
        try:
            parsed.append(parse_matchspec(text))
        except SpecError as error:
            found.problems.append(f"{where} holds {text[:120]!r}, which is no match spec (CEP 29): {error}")
    return parsed


def _run_exports(found: Judgement, exports: Json) -> None:
    """Keep run exports in the one shape of CEP 12; the older list and text mean `weak`."""
    if isinstance(exports, str):
        exports = [exports]
    if isinstance(exports, list):
        exports = {"weak": exports}
    if not isinstance(exports, dict):
        found.problems.append(f"info/run_exports.json is {_shown(exports)}; it must be an object")
        return
    kept: dict[str, Json] = {}
    for key in RUN_EXPORT_KEYS:
        specs = exports.get(key)
        specs = [specs] if isinstance(specs, str) else specs
        if not specs:
            continue
        if _is_texts(specs):
            kept[key] = specs
        else:
            found.problems.append(f"run_exports.{key} is {_shown(specs)}; it must be a list of match specs")
    found.record["run_exports"] = kept


def _is_texts(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
