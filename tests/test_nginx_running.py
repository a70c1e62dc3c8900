"""A running nginx, as its operator sees it: what the log says and never says, and what its configuration changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nginx_site_support import (
    ALICE,
    PIP,
    SHARD,
    YEAR,
    FakeDaemon,
    assert_no_key_logged,
    by_origin,
    daemon_socket,
    fetch,
    plant,
    talk,
    without_daemon,
)
from nginx_support import BUILDS, CONF_SOURCE, RunningNginx, running_nginx, wait_for

from packhouse import webserver


@pytest.fixture(params=BUILDS, ids=by_origin)
def orphan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningNginx]:
    with without_daemon(tmp_path, request.param) as nginx:
        yield nginx


# --- logs ---------------------------------------------------------------------------------------------------------


def test_the_log_says_what_was_read_and_never_a_key(orphan: RunningNginx) -> None:
    """Times, addresses, statuses, the file that answered; keys in paths starred, queries left out, controls escaped."""
    fetch(
        orphan.port, "/main/noarch/repodata.json.zst?token=pkh-SECRET", headers={"User-Agent": 'one "quoted"'}
    )
    fetch(orphan.port, "/main/simple/six/", headers={"Accept": PIP, "Accept-Encoding": "gzip"})
    fetch(orphan.port, SHARD, headers={"User-Agent": "pixi pkh-SECRET"})
    fetch(orphan.port, "/t/pkh-alice/main/noarch/a-1-0.conda")
    fetch(orphan.port, "/t/pkh-alice/priv/pkh-bob/x")
    fetch(orphan.port, "/t/pkh-alice")
    fetch(orphan.port, "/T/pkh-alice/main/")
    fetch(orphan.port, "/main/%0apkh-alice/", method="PUT")
    fetch(orphan.port, "/fetch/2f1c-uuid", method="DELETE")
    fetch(orphan.port, "/main/a%22b%5c%0d%0a")
    talk(orphan.port, b"GET /t/pkh-alice/main/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    talk(orphan.port, b"GET /t/pkh-alice/main/ HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n")
    fetch(orphan.port, "/last", headers=ALICE)
    orphan.wait_logged(lambda line: line.path == "/last")

    lines = orphan.log()
    assert_no_key_logged(orphan.data)
    assert [(line.path, line.status, line.served) for line in lines] == [
        ("/main/noarch/repodata.json.zst", 200, "repodata.json.zst"),
        ("/main/simple/six/", 200, "index.json.gz"),
        (SHARD, 200, SHARD.rsplit("/", 1)[1]),
        ("/t/***/main/noarch/a-1-0.conda", 200, "a-1-0.conda"),
        ("/t/***", 503, "-"),
        ("/t/***", 404, "-"),
        ("/T/***", 401, "-"),
        ("/main/\\x0A***", 400, "-"),
        ("/fetch/***", 503, "-"),
        ("/main/a\\x22b\\x5C\\x0D\\x0A", 400, "-"),
        ("", 400, "-"),
        ("/t/***", 400, "-"),
        ("/last", 404, "-"),
    ]
    assert lines[0].agent == "one \\x22quoted\\x22"
    assert lines[2].agent == "***"
    assert (lines[4].daemon, lines[0].daemon) == ("502", "-")


# --- configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", BUILDS, ids=by_origin)
def test_a_reload_takes_up_a_channel_that_now_allows_overwriting(
    tmp_path: Path, binary: webserver.NginxBinary
) -> None:
    plant(tmp_path)
    path = "/main/noarch/a-1-0.conda"
    with running_nginx(tmp_path, binary=binary, overwrite_channels=["default", "include"]) as nginx:
        assert fetch(nginx.port, path).headers["Cache-Control"] == f"public, {YEAR}"

        assert webserver.update_overwrite(tmp_path, ["main"]) is True

        wait_for(lambda: fetch(nginx.port, path).headers["Cache-Control"] == "no-cache")
        assert webserver.update_overwrite(tmp_path, ["main"]) is False


@pytest.mark.parametrize("binary", BUILDS, ids=by_origin)
def test_another_default_channel_may_be_private(tmp_path: Path, binary: webserver.NginxBinary) -> None:
    plant(tmp_path)
    with (
        FakeDaemon(daemon_socket(tmp_path)).running(),
        running_nginx(tmp_path, binary=binary, default_channel="priv") as nginx,
    ):
        assert fetch(nginx.port, "/simple/hush/").status == 401
        assert fetch(nginx.port, "/simple/hush/", headers=ALICE).body.startswith(b"PRIVATE")
        assert fetch(nginx.port, "/packages/hush/hush-1.0-py3-none-any.whl", headers=ALICE).status == 200
        assert fetch(nginx.port, "/main/simple/six/").status == 200


def test_the_shipped_file_is_the_one_that_ran(orphan: RunningNginx) -> None:
    assert (orphan.data / webserver.CONF).read_text() == CONF_SOURCE.read_text()
