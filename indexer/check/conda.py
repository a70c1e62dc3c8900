"""Read a conda channel as clients do, with none of our own reading code: json, msgpack, zstd, and rattler."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgpack

from indexer.check.shelf import Shelf, optional

_JSON_WINDOW, _MSGPACK_WINDOW = 27, 24
"""Largest zstd windows: rattler takes 27 for repodata.json.zst, conda 24 for msgpack."""


def check(shelf: Shelf) -> None:
    """Check every form of every subdir: equal content, and each record true of the file it names."""
    for subdir in sorted(_subdirs(shelf)):
        records = _repodata(shelf, subdir)
        if records is None:
            continue
        for name, record in records.items():
            shelf.entry(
                f"{subdir}/repodata.json",
                f"{subdir}/{name}",
                size=record.get("size"),
                sha256=record.get("sha256"),
                md5=record.get("md5"),
            )
        _complete(shelf, subdir, records)
        _shards(shelf, subdir, records)
        _run_exports(shelf, subdir, records)
        _second_opinion(shelf, subdir, len(records))
    _json(shelf, "channeldata.json")


def _subdirs(shelf: Shelf) -> set[str]:
    """Return the subdirs that have an index or a package; noarch is always served."""
    packages = {path.partition("/")[0] for path, a in shelf.artifacts.items() if a.ecosystem == "conda"}
    indexes = {path.partition("/")[0] for path in shelf.published if path.endswith("/repodata.json")}
    return packages | indexes | {"noarch"}


def _json(shelf: Shelf, path: str) -> dict[str, Any] | None:
    body = shelf.body(path)
    if body is None:
        shelf.wrong(path, "is missing")
        return None
    try:
        parsed = json.loads(body)
    except ValueError as error:
        shelf.wrong(path, f"is no valid JSON: {error}")
        return None
    if not isinstance(parsed, dict):
        shelf.wrong(path, "is no JSON object")
        return None
    return parsed


def _pair(shelf: Shelf, path: str) -> dict[str, Any] | None:
    """Read a JSON file and demand that its `.zst` holds the same bytes."""
    decoded = shelf.unzstd(f"{path}.zst", window_log=_JSON_WINDOW)
    if decoded is not None and decoded != shelf.body(path):
        shelf.wrong(f"{path}.zst", "holds other bytes than the plain file")
    return _json(shelf, path)


def _repodata(shelf: Shelf, subdir: str) -> dict[str, Mapping[str, Any]] | None:
    path = f"{subdir}/repodata.json"
    repodata = _pair(shelf, path)
    if repodata is None:
        return None
    if repodata.get("info", {}).get("subdir") != subdir:
        shelf.wrong(path, "does not name its own subdir, which conda demands")
    return _flat(repodata)


def _flat(index: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return file name to record, v3 records under their full names (CEP 48 keys them by stem)."""
    records = {**index.get("packages", {}), **index.get("packages.conda", {})}
    for extension, entries in index.get("v3", {}).items():
        records |= {f"{stem}.{extension}": record for stem, record in entries.items()}
    return records


def _complete(shelf: Shelf, subdir: str, records: Mapping[str, Any]) -> None:
    live = {a.filename for a in shelf.artifacts.values() if a.ecosystem == "conda" and a.directory == subdir}
    hotfixed = shelf.body(f"{subdir}/patch_instructions.json") is not None  # it may take records away
    for name in sorted(live - records.keys()):
        if not hotfixed:
            shelf.wrong(f"{subdir}/repodata.json", f"does not name {name}")


def _shards(shelf: Shelf, subdir: str, records: Mapping[str, Mapping[str, Any]]) -> None:
    path = f"{subdir}/repodata_shards.msgpack.zst"
    index = _msgpack(shelf, path)
    if index is None:
        return
    found: dict[str, Mapping[str, Any]] = {}
    for name, raw in index.get("shards", {}).items():
        shard = f"{subdir}/shards/{bytes(raw).hex()}.msgpack.zst"
        body = shelf.body(shard)
        if body is None:
            shelf.wrong(path, f"names the shard of {name}, which is missing")
        elif hashlib.sha256(body).digest() != bytes(raw):
            shelf.wrong(shard, "has another sha256 than its name")
        else:
            found |= _flat(_msgpack(shelf, shard) or {})
    plain = {name: _comparable(record) for name, record in records.items()}
    if {name: _comparable(record) for name, record in found.items()} != plain:
        shelf.wrong(path, "leads to other records than repodata.json")


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Make a record of either form comparable: digests as hex; run_exports stand in shards only (CEP 21)."""
    return {
        key: value.hex() if isinstance(value, bytes) else value
        for key, value in record.items()
        if key != "run_exports"
    }


def _msgpack(shelf: Shelf, path: str) -> dict[str, Any] | None:
    decoded = shelf.unzstd(path, window_log=_MSGPACK_WINDOW)
    if decoded is None:
        return None
    try:
        parsed = msgpack.unpackb(decoded)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        shelf.wrong(path, f"is no valid msgpack: {error}")
        return None
    if not isinstance(parsed, dict):
        shelf.wrong(path, "is no msgpack map")
        return None
    return parsed


def _run_exports(shelf: Shelf, subdir: str, records: Mapping[str, Any]) -> None:
    path = f"{subdir}/run_exports.json"
    exports = _pair(shelf, path)
    if exports is None:
        return
    named = _flat(exports).keys()
    for name in sorted(named ^ records.keys()):
        shelf.wrong(path, f"and repodata.json disagree on whether {name} exists")


def _second_opinion(shelf: Shelf, subdir: str, count: int) -> None:
    """Ask rattler whether it reads the index, and finds as many records (it keeps `.conda` of equal stems)."""
    rattler = optional("rattler")
    if rattler is None:
        return
    path = f"{subdir}/repodata.json"
    try:
        channel = rattler.Channel(shelf.name)
        with rattler.SparseRepoData(channel, subdir, shelf.house.data / shelf.where(path)) as sparse:
            names = sparse.package_names()
            found = sum(len(sparse.load_records(rattler.PackageName(name))) for name in names)
    except Exception as error:  # noqa: BLE001 - whatever it objects to is a finding
        shelf.wrong(path, f"is refused by rattler: {error}")
        return
    if found > count or (count and not found):
        shelf.wrong(path, f"holds {count} records, but rattler reads {found}")
