"""Rattler, the library under pixi, reads the same records from every form of a conda index."""

import asyncio
import functools
import hashlib
import http.server
import threading

import orjson
import pytest
from conda_pages_support import INDEX
from conda_support import FakeRecords, make_conda, make_tarbz2
from rattler import Channel, Gateway, MatchSpec, SourceConfig

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda import CONDA
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.model import Area, Claim, Ecosystem


@pytest.fixture
def served(tmp_path):
    """The folder `main` under `tmp_path` over HTTP on a loopback port."""
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/main", asked
    server.shutdown()
    thread.join()
    server.server_close()


def packages(tmp_path):
    """Real files through inspection into records, as an upload does it."""
    records = FakeRecords()
    built = [
        make_conda("tiny", "1.0", "0", "noarch", ["dep >=1"], {"constrains": ["x <2"]}),
        make_tarbz2("tiny", "1.1", "0", "noarch", ["dep >=1,<3 *_0"]),
        make_conda("dep", "2.0", "h_0", "noarch", info_files={"info/run_exports.json": b'{"weak": ["dep"]}'}),
        make_conda("third", "1.0", "0", "noarch", ["dep >=1"], {"schema_version": 3, "flags": ["cuda"]}),
        make_conda("gone", "1.0", "0", "noarch"),
        make_conda("gone", "2.0", "0", "noarch"),
        *(
            make_conda(f"pad{n}", "1.0", "0", depends=[f"pad{m} >=1.{m}" for m in range(300)])
            for n in range(40)
        ),
    ]
    for filename, body in built:
        path = tmp_path / "upload"
        path.write_bytes(body)
        claim = Claim(channel="main", ecosystem=Ecosystem.CONDA, filename=filename)
        observed = inspect(path, claim, Limits(now_us=1_750_000_000_000_000))
        records.add(
            observed.directory,
            filename,
            orjson.loads(orjson.dumps(observed.record)),
            sha256=hashlib.sha256(body).hexdigest(),
            md5=hashlib.md5(body).hexdigest(),
            size=len(body),
        )
    records.delete("noarch/gone-1.0-0.conda")
    return records


FORMS = {
    "shards": SourceConfig(sharded_enabled=True, zstd_enabled=False, bz2_enabled=False),
    "zst": SourceConfig(sharded_enabled=False, zstd_enabled=True, bz2_enabled=False),
    "json": SourceConfig(sharded_enabled=False, zstd_enabled=False, bz2_enabled=False),
}
FETCHED = {"shards": "repodata_shards.msgpack.zst", "zst": "repodata.json.zst", "json": "repodata.json"}


@pytest.mark.parametrize("form", FORMS)
def test_rattler_reads_every_form_alike(tmp_path, served, form):
    url, asked = served
    records = packages(tmp_path)
    for area in (INDEX, Area("main", "conda", "index", "linux-64")):
        rendered = CONDA.render(area, records)
        for page in (*rendered.fixed, *rendered.leaves):
            path = tmp_path / "main" / page.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(page.body)

    async def query():
        gateway = Gateway(cache_dir=tmp_path / "cache", default_config=FORMS[form])
        names = ["tiny", "dep", "third", "gone", *(f"pad{n}" for n in range(40))]
        asking = gateway.query(
            [Channel(url)], ["linux-64", "noarch"], [MatchSpec(n) for n in names], recursive=False
        )
        return [record for subdir in await asyncio.wait_for(asking, 60) for record in subdir]

    found = {record.file_name: record for record in asyncio.run(query())}
    assert set(found) == {row.filename for row in records.rows.values()}
    for row in records.rows.values():
        record = found[row.filename]
        assert record.sha256.hex() == row.sha256
        assert record.md5.hex() == row.md5
        assert record.size == row.size
        assert record.depends == row.record["depends"]
        assert str(record.version) == row.version
        assert record.url == f"{url}/noarch/{row.filename}"
        assert int(record.indexed_timestamp.timestamp() * 1000) == row.uploaded_us // 1000
    assert any(path.endswith(f"/noarch/{FETCHED[form]}") for path in asked)
