"""Records of conda packages for tests, and what the index pages rendered from them say."""

import json

import msgpack
from backports import zstd

from packhouse.ecosystems.conda.format import CondaFormat
from packhouse.model import Area

INDEX = Area("main", "conda", "index", "noarch")
ROOT = Area("main", "conda", "root")


def add(records, name="tiny", version="1.0", build="0", extension=".conda", *, subdir="noarch", **extra):
    """Commit one record of the shape that inspection gives."""
    record = {
        "build": build,
        "build_number": 0,
        "depends": [],
        "name": name,
        "subdir": subdir,
        "version": version,
    }
    record |= {"noarch": "generic"} if subdir == "noarch" else {}
    return records.add(subdir, f"{name}-{version}-{build}{extension}", {**record, **extra})


def render(records, area=INDEX, fmt=None):
    return (fmt or CondaFormat()).render(area, records)


def read(rendered):
    """The rendered files by name; JSON and MessagePack decoded."""
    found = {}
    for page in (*rendered.fixed, *rendered.leaves):
        body = zstd.decompress(page.body) if page.path.endswith(".zst") else page.body
        parse = msgpack.unpackb if ".msgpack" in page.path else json.loads
        found[page.path.partition("/")[2] or page.path] = parse(body)
    return found


def shard_of(rendered, name):
    files = read(rendered)
    return files[f"shards/{files['repodata_shards.msgpack.zst']['shards'][name].hex()}.msgpack.zst"]
