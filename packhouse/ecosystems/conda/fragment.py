"""One package of one subdir, ready to be put into every index: as JSON text and as a shard (CEP 12, 16, 36, 48)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgpack
import orjson
from backports import zstd

from packhouse.ecosystems.conda.names import split_extension
from packhouse.ecosystems.conda.patch import Patches
from packhouse.ecosystems.conda.record import REVISION
from packhouse.model import Artifact, Json

SHARD_LEVEL = 12

MAPS = (
    "packages",
    "packages.conda",
    "v3.conda",
    "v3.tar.bz2",
    "run_exports.packages",
    "run_exports.packages.conda",
)
"""The maps of repodata.json and run_exports.json that a fragment has entries for."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one package adds to the indexes of one subdir.

    Attributes:
        entries: map (see `MAPS`) to `"key":{...},"key":{...}`; maps without an entry are absent.
        shard: the compressed shard, or empty when every file was removed by a hotfix.
        digest: raw SHA-256 of the shard's bytes.
        stamps: `indexed_timestamp` of each record of revision 3, milliseconds since 1970 UTC.
        removed: file names that a hotfix removed.
        notes: sentences for the operator.
    """

    entries: Mapping[str, bytes]
    shard: bytes
    digest: bytes
    stamps: Sequence[int]
    removed: Sequence[str]
    notes: Sequence[str]


def repodata_record(artifact: Artifact) -> dict[str, Json]:
    """Return the record that repodata carries for a file, before hotfixes; `schema_version` marks revision 3."""
    return {
        **artifact.record,
        # CEP 47: the time of the first publication, set once, by the server alone.
        "indexed_timestamp": artifact.uploaded_us // 1000,
        "md5": artifact.md5,
        "sha256": artifact.sha256,
        "size": artifact.size,
    }


_SERVERS = ("indexed_timestamp", "md5", "sha256", "size")


def build_fragment(artifacts: Sequence[Artifact], *, patches: Patches, removed: Sequence[str]) -> Fragment:
    """Render one package.

    Args:
        artifacts: its live rows in one subdir, in any order.
        patches: the hotfixes of the subdir.
        removed: file names of this package that were deleted.
    """
    maps: dict[str, dict[str, Json]] = {key: {} for key in MAPS}
    stamps: list[int] = []
    hidden: list[str] = []
    notes: list[str] = []
    for artifact in sorted(artifacts, key=lambda row: row.filename):
        if patches.hides(artifact.filename):
            hidden.append(artifact.filename)
            continue
        original = repodata_record(artifact)
        fixed, said = patches.apply(artifact.filename, original)
        notes += said
        record = {**fixed, **{key: original[key] for key in _SERVERS}}
        third = bool(record.pop(REVISION, 0))
        stem, extension = split_extension(artifact.filename)
        if third:
            # CEP 48: keyed by the file name without its extension, and never in the older maps (CEP 43).
            maps["v3" + extension][stem] = record
            stamps.append(record["indexed_timestamp"])
        else:
            maps[_legacy(extension)][artifact.filename] = record
        # CEP 12: run_exports.json mirrors the files as they are, unless the hotfix is about run exports (CEP 21).
        exports = (record if patches.version > 1 else original).get("run_exports", {})
        maps["run_exports." + _legacy(extension)][artifact.filename] = {"run_exports": exports}
    gone = sorted({*removed, *hidden})
    shard = _shard(maps, gone) if len(hidden) < len(artifacts) else b""
    return Fragment(
        entries={key: _dump(value)[1:-1] for key, value in maps.items() if value},
        shard=shard,
        digest=hashlib.sha256(shard).digest(),
        stamps=stamps,
        removed=hidden,
        notes=notes,
    )


def _legacy(extension: str) -> str:
    return "packages.conda" if extension == ".conda" else "packages"


def _dump(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _shard(maps: Mapping[str, Mapping[str, Json]], removed: Sequence[str]) -> bytes:
    """Return a compressed shard: the records with binary hashes, and with run exports, {} where there are none.

    CEP 16: hashes are MessagePack `bin`; `packages` must be there even when it is empty, or clients refuse the shard.
    """
    shard: dict[str, Json] = {
        "packages": _binary(maps["packages"]),
        "packages.conda": _binary(maps["packages.conda"]),
        "removed": list(removed),
    }
    if maps["v3.conda"] or maps["v3.tar.bz2"]:
        shard["v3"] = {"conda": _binary(maps["v3.conda"]), "tar.bz2": _binary(maps["v3.tar.bz2"])}
    return compress(msgpack.packb(shard, use_bin_type=True))


def _binary(records: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    # Once through JSON, so that the keys are sorted at every depth: equal records give equal bytes.
    ordered: dict[str, dict[str, Json]] = orjson.loads(_dump(records))
    return {
        key: {
            **record,
            "md5": bytes.fromhex(record["md5"]),
            "run_exports": record.get("run_exports", {}),
            "sha256": bytes.fromhex(record["sha256"]),
        }
        for key, record in ordered.items()
    }


def compress(data: bytes) -> bytes:
    """Return one zstd frame, window at most 16 MiB: conda reads the first frame only and refuses larger windows."""
    return zstd.compress(
        data,
        options={
            zstd.CompressionParameter.compression_level: SHARD_LEVEL,
            zstd.CompressionParameter.window_log: 23,
        },
    )
