"""channeldata.json: one entry per package of a channel, for front ends and conda-build (CEP 38)."""

from collections.abc import Sequence

import orjson

from packhouse.ecosystems import Page, Pages, Records
from packhouse.ecosystems.conda.memo import Memo
from packhouse.ecosystems.conda.record import timestamp_ms
from packhouse.ecosystems.conda.versions import order, version_problem
from packhouse.model import Artifact, Ecosystem, Json

_FLAGS = ("activate.d", "binary_prefix", "deactivate.d", "post_link", "pre_link", "pre_unlink", "text_prefix")
_ABOUT = ("description", "dev_url", "doc_source_url", "doc_url", "home", "icon_url", "source_url", "summary")


def render_root(records: Records, memo: Memo[bytes]) -> Pages:
    """Render `channeldata.json` of a channel.

    Args:
        records: the channel's.
        memo: of this channel, as the last call left it, or a new one: the page is the same.

    Source: CEP 38; `timestamp` is in seconds since 1970 UTC.
    """

    def build(name: str, rows: Sequence[Artifact]) -> bytes:
        return _dump(name) + b":" + _dump(_entry(rows, records))

    entries = memo.refresh(records, build, directory=None)
    subdirs = sorted({"noarch", *records.directories(Ecosystem.CONDA)})
    body = (
        b'{"channeldata_version":1,"packages":{'
        + b",".join(entries.values())
        + b'},"subdirs":'
        + _dump(subdirs)
        + b"}"
    )
    return Pages(leaves=[Page("channeldata.json", body)])


def recency(artifact: Artifact) -> tuple[bool, object, int, int, str]:
    """Sort key of one package's files: version, build number, build time, then the path."""
    version = artifact.version
    known = not version_problem(version, max_number=2**63 - 1)
    record = artifact.record
    return (
        known,
        order(version if known else "0"),
        record.get("build_number", 0),
        timestamp_ms(record.get("timestamp", 0)),
        artifact.path,
    )


def _entry(rows: Sequence[Artifact], records: Records) -> dict[str, Json]:
    """Describe one package by its newest file; only `subdirs`, `timestamp` and `run_exports` look at all of them."""
    by_age = sorted(rows, key=recency)
    newest = by_age[-1]
    details = records.details(newest.id)
    about = details.get("about", {})
    flags = details.get("flags", {})
    entry: dict[str, Json] = {flag: bool(flags.get(flag, False)) for flag in _FLAGS}
    entry |= {key: about[key] for key in _ABOUT if key in about}
    license_ = newest.record.get("license") or about.get("license")
    if license_:
        entry["license"] = license_
    entry["run_exports"] = {
        row.version: row.record["run_exports"] for row in by_age if row.record.get("run_exports")
    }
    entry["subdirs"] = sorted({row.directory for row in rows})
    built = (timestamp_ms(row.record.get("timestamp", 0)) or row.uploaded_us // 1000 for row in rows)
    entry["timestamp"] = max(built) // 1000
    entry["version"] = newest.version
    return entry


def _dump(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
