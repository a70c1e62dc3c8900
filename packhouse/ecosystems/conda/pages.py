"""The indexes of one subdir: repodata in three forms, and run exports (CEP 12, 16, 36, 48)."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import msgpack
import orjson

from packhouse.ecosystems import Page, Pages, Records
from packhouse.ecosystems.conda.fragment import Fragment, build_fragment, compress
from packhouse.ecosystems.conda.memo import Memo
from packhouse.ecosystems.conda.names import split_extension
from packhouse.ecosystems.conda.patch import parse_patches
from packhouse.ecosystems.conda.splice import spliced
from packhouse.model import Artifact, Ecosystem, Json

PATCHES = "patch_instructions.json"

BUCKET = 192 << 10
"""About how many bytes of JSON are compressed together."""


@dataclass(slots=True)
class SubdirMemo:
    """What the renderer keeps of one subdir between two renderings."""

    fragments: Memo[Fragment] = field(default_factory=Memo)
    repodata: MutableMapping[bytes, bytes] = field(default_factory=dict)
    exports: MutableMapping[bytes, bytes] = field(default_factory=dict)


def render_subdir(subdir: str, records: Records, memo: SubdirMemo) -> Pages:
    """Render every index of one subdir.

    Args:
        subdir: "noarch" or a platform; n = 0 packages are a valid, empty index, as `noarch` must always be served.
        records: the channel's.
        memo: of this channel and subdir, as the last call left it, or a new one: the pages are the same.

    Returns:
        Shards as `fixed`; then, in the order in which they are to be written, the shard index, run_exports.json and
        repodata.json, the compressed form of each first. Equal records give equal bytes, whatever happened before.
        Both JSON files hold 17 spaces here and there, between tokens: see `splice`.
    """
    text = records.file(f"{subdir}/{PATCHES}")
    patches = parse_patches(text)
    # Read when it is first needed, which is after the serials: a deletion between the two would otherwise be missing
    # here while its serial counts as seen, and no later rendering would look again.
    deleted = cache(partial(_deleted, records, subdir))

    def build(name: str, rows: Sequence[Artifact]) -> Fragment:
        return build_fragment(rows, patches=patches, removed=deleted().get(name, ()))

    salt = hashlib.sha256(text).digest() if text is not None else b""
    fragments = memo.fragments.refresh(records, build, directory=subdir, salt=salt)
    revisions = _revisions(fragments.values())
    gone = (filename for filenames in deleted().values() for filename in filenames)
    hidden = (filename for fragment in fragments.values() for filename in fragment.removed)
    removed = sorted({*gone, *hidden})
    repodata, repodata_zst, memo.repodata = spliced(
        list(_repodata(subdir, fragments, removed, revisions)), memo.repodata
    )
    exports, exports_zst, memo.exports = spliced(list(_run_exports(subdir, fragments)), memo.exports)
    return Pages(
        fixed=[
            Page(f"{subdir}/shards/{fragment.digest.hex()}.msgpack.zst", fragment.shard)
            for fragment in fragments.values()
            if fragment.shard
        ],
        leaves=[
            Page(f"{subdir}/repodata_shards.msgpack.zst", _shard_index(subdir, fragments, revisions)),
            Page(f"{subdir}/run_exports.json.zst", exports_zst),
            Page(f"{subdir}/run_exports.json", exports),
            Page(f"{subdir}/repodata.json.zst", repodata_zst),
            Page(f"{subdir}/repodata.json", repodata),
        ],
        notes=[note for fragment in fragments.values() for note in fragment.notes],
    )


def _deleted(records: Records, subdir: str) -> Mapping[str, Sequence[str]]:
    """Return the names of deleted files by package."""
    found: dict[str, list[str]] = {}
    for filename in records.removed(Ecosystem.CONDA, directory=subdir):
        found.setdefault(split_extension(filename)[0].rsplit("-", 2)[0], []).append(filename)
    return found


def _revisions(fragments: Iterable[Fragment]) -> dict[str, Json]:
    """CEP 48: how many records need a newer client, and when the first and the last of them came."""
    stamps = [stamp for fragment in fragments for stamp in fragment.stamps]
    return {"v3": {"n_packages": len(stamps), "newest": max(stamps), "oldest": min(stamps)}} if stamps else {}


def _shard_index(subdir: str, fragments: Mapping[str, Fragment], revisions: Mapping[str, Json]) -> bytes:
    """Return the shard index: name to raw SHA-256 of the shard.

    CEP 16. The spelling is the one that every client understands: an empty `base_url`, `./shards/` exactly, hashes as
    `bin`. No `created_at`: it is optional, and would make equal records give different bytes.
    """
    info: dict[str, Json] = {"base_url": "", "shards_base_url": "./shards/", "subdir": subdir}
    if revisions:
        info["repodata_revisions"] = revisions
    shards = {name: fragment.digest for name, fragment in fragments.items() if fragment.shard}
    return compress(msgpack.packb({"info": info, "shards": shards, "version": 1}, use_bin_type=True))


def _repodata(
    subdir: str, fragments: Mapping[str, Fragment], removed: Sequence[str], revisions: Mapping[str, Json]
) -> Iterator[bytes]:
    """Yield the text of repodata.json (CEP 36) in pieces, cut between tokens."""
    info: dict[str, Json] = {"subdir": subdir}
    if revisions:
        info["repodata_revisions"] = revisions
    yield b'{"info":' + _dump(info) + b',"packages":{'
    yield from _entries(fragments, "packages")
    yield b'},"packages.conda":{'
    yield from _entries(fragments, "packages.conda")
    # CEP 48: the version stays 1, so that older clients go on reading the maps they know.
    yield b'},"removed":' + _dump(removed) + b',"repodata_version":1'
    if revisions:
        yield b',"v3":{"conda":{'
        yield from _entries(fragments, "v3.conda")
        yield b'},"tar.bz2":{'
        yield from _entries(fragments, "v3.tar.bz2")
        yield b"}}"
    yield b"}"


def _run_exports(subdir: str, fragments: Mapping[str, Fragment]) -> Iterator[bytes]:
    """Yield the text of run_exports.json (CEP 12) in pieces, cut between tokens."""
    platform, _, arch = subdir.partition("-")
    info = {"arch": arch or None, "platform": platform if arch else None, "subdir": subdir, "version": 1}
    yield b'{"info":' + _dump(info) + b',"packages":{'
    yield from _entries(fragments, "run_exports.packages")
    yield b'},"packages.conda":{'
    yield from _entries(fragments, "run_exports.packages.conda")
    yield b"}}"


def _dump(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _entries(fragments: Mapping[str, Fragment], key: str) -> Iterator[bytes]:
    """Yield the entries of one map, joined by commas, in buckets whose edges depend on what is beside them alone.

    A bucket ends after a package by chance, the likelier the larger the package, the dice being its name. So adding,
    changing or removing a package changes the bucket it is in and at most the next one; edges at fixed distances
    would move all that follow.
    """
    bucket: list[bytes] = []
    size = 0
    comma = b""
    for name, fragment in fragments.items():
        entries = fragment.entries.get(key)
        if entries is None:
            continue
        bucket.append(comma + entries)
        size += len(entries)
        comma = b","
        if size > 4 * BUCKET or (
            size > BUCKET // 4 and zlib.crc32(name.encode()) * BUCKET < len(entries) << 32
        ):
            yield b"".join(bucket)
            bucket, size = [], 0
    if bucket:
        yield b"".join(bucket)
