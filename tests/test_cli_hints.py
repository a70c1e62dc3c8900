"""What commands advise when something is wrong: only what helps."""

import pytest
import urllib3
from house_support import new_house
from pypi_support import make_wheel
from test_client_connection import answering, client

from packhouse.__main__ import main
from packhouse.cli import push
from packhouse.cli.doctor import examine
from packhouse.client import ServerRefused
from packhouse.client.connection import cause
from packhouse.errors import NotFound

OLD = make_wheel(name="apple", requires_dist=["not a requirement !!"])
JUNK = ("bad-1.0-py3-none-any.whl", b"junk")


@pytest.fixture
def data(tmp_path):
    house = new_house(tmp_path)
    house.close()
    return house.data


@pytest.mark.parametrize(
    ("files", "options", "hinted"),
    [([OLD, JUNK], [], True), ([JUNK], [], False), ([OLD, JUNK], ["--lenient"], False)],
)
def test_lenient_is_only_advised_where_it_helps(data, tmp_path, capfd, files, options, hinted):
    source = tmp_path / "wheels"
    source.mkdir()
    for name, body in files:
        (source / name).write_bytes(body)
    with pytest.raises(SystemExit) as end:
        main(["import", str(source), "--channel", "main", "--data", str(data), *options])

    assert end.value.code == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert "each with its reason above" in last
    assert ("--lenient takes old metadata in" in last) is hinted


def catalog_findings(data):
    (finding,) = (finding for finding in examine(data) if finding.what in {"catalog", "data"})
    return finding


def test_doctor_tells_how_to_mend_a_damaged_catalog(data):
    (data / "state" / "catalog.sqlite").write_bytes(b"this is no database at all" * 200)
    finding = catalog_findings(data)

    assert "the catalog cannot be used: file is not a database" in finding.so
    assert "doctor" not in finding.so + finding.mend
    assert "restore state/catalog.sqlite from a backup" in finding.mend
    assert "`indexer reindex` and `indexer check`" in finding.mend


@pytest.mark.parametrize("empty", [False, True])
def test_doctor_tells_how_to_mend_a_lost_catalog(data, empty):
    (data / "public" / "main").mkdir(parents=True, exist_ok=True)
    (data / "public" / "main" / "index.html").write_text("<!doctype html>")
    for file in (data / "state").glob("catalog.sqlite*"):
        file.unlink()
    if empty:
        (data / "state" / "catalog.sqlite").touch()
    finding = catalog_findings(data)

    assert finding.what == "catalog"
    assert "state/catalog.sqlite" in finding.so
    assert "restore state/catalog.sqlite from a backup" in finding.mend
    assert (data / "state" / "catalog.sqlite").exists() is empty


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError("timed out"), "it took too long"),
        (ConnectionResetError("the other\x1b end closed"), "the other  end closed"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_a_failed_connection_is_said_in_words(error, says):
    outer = urllib3.exceptions.HTTPError("HTTPConnection(host='h', port=1): wrapped")
    outer.__cause__ = error
    assert cause(outer) == says


def test_reindex_of_a_channel_without_a_list_of_subdirs_says_what_to_type():
    """The web server answers for files in its own words, which know nothing of channels."""
    missing = (404, {}, {"detail": "Nothing is here for you", "code": "not-found"})
    with answering(missing) as (url, _), pytest.raises(NotFound, match="or run `indexer reindex main`"):
        list(push._subdirs(client(url)[0], "main"))
    with answering((403, {}, {"detail": "no"})) as (url, _), pytest.raises(ServerRefused, match="no"):
        list(push._subdirs(client(url)[0], "main"))
    with answering((200, {}, {"subdirs": ["osx-64", "noarch", "linux-64"]})) as (url, _):
        assert list(push._subdirs(client(url)[0], "main")) == ["noarch", "linux-64", "osx-64"]
