"""The daemon is gone: public reading goes on, strangers notice nothing, and the rest is a 503 until it is back."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from nginx_site_support import (
    ALICE,
    PROBLEM,
    FakeDaemon,
    assert_no_key_logged,
    by_origin,
    daemon_socket,
    fetch,
    without_daemon,
)
from nginx_support import BUILDS, RunningNginx, wait_for


@pytest.fixture(params=BUILDS, ids=by_origin)
def orphan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningNginx]:
    with without_daemon(tmp_path, request.param) as nginx:
        yield nginx


@pytest.fixture(params=["no socket", "dead socket"])
def dead(request: pytest.FixtureRequest, orphan: RunningNginx) -> RunningNginx:
    """Nothing at the socket's path, or the file that a killed daemon leaves behind."""
    if request.param == "dead socket":
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(daemon_socket(orphan.data))
    return orphan


def test_public_reading_does_not_notice_that_the_daemon_is_gone(dead: RunningNginx) -> None:
    """A key in the request changes nothing, or conda would stop at an absent subdir."""
    for headers, prefix in (({}, ""), (ALICE, ""), ({}, "/t/pkh-alice")):
        for path, status in (
            ("/main/noarch/repodata.json", 200),
            ("/simple/six/", 200),
            ("/main/noarch/a-1-0.conda", 200),
            ("/main/osx-64/repodata_shards.msgpack.zst", 404),
            ("/main/noarch/repodata.json.bz2", 404),
            ("/main/notices.json", 404),
            ("/main/simple/nope/", 404),
            ("/main/simple/", 200),
            ("/", 200),
        ):
            assert fetch(dead.port, prefix + path, headers=headers).status == status, (prefix + path, headers)


def test_strangers_do_not_notice_either(dead: RunningNginx) -> None:
    assert fetch(dead.port, "/priv/noarch/repodata.json").status == 401
    assert fetch(dead.port, "/nochannel/noarch/repodata.json").status == 401
    assert fetch(dead.port, "/main/simple/secret/").status == 404


def test_what_only_the_daemon_can_answer_is_503(dead: RunningNginx) -> None:
    for path, headers, method in (
        ("/priv/noarch/repodata.json", ALICE, "GET"),
        ("/t/pkh-alice/priv/noarch/repodata.json", {}, "GET"),
        ("/priv/simple/", ALICE, "GET"),
        ("/priv/simple/veil/", ALICE, "GET"),
        ("/nochannel/x", ALICE, "GET"),
        ("/main/simple/secret/", ALICE, "GET"),
        ("/main/noarch/x.conda", ALICE, "PUT"),
        ("/t/pkh-alice/main/noarch/x.conda", {}, "PUT"),
        ("/main/legacy/?token=pkh-SECRET", {}, "POST"),
        ("/health", {}, "GET"),
        ("/fetch/pkh-SECRET", {}, "GET"),
    ):
        answer = fetch(
            dead.port, path, headers=headers, method=method, body=b"x" if method != "GET" else None
        )
        assert (answer.status, answer.headers.get_all("Content-Type")) == (503, [PROBLEM]), path
        assert answer.headers["Retry-After"] == "5"
        assert answer.json["code"] == "unavailable"
        assert b"PRIVATE" not in answer.body
    wait_for(lambda: len(dead.log()) == 11)
    assert_no_key_logged(dead.data)


def test_a_daemon_that_comes_back_is_used_again(orphan: RunningNginx) -> None:
    assert fetch(orphan.port, "/priv/noarch/repodata.json", headers=ALICE).status == 503
    for _restart in range(2):
        with FakeDaemon(daemon_socket(orphan.data)).running():
            assert fetch(orphan.port, "/priv/noarch/repodata.json", headers=ALICE).status == 200
            assert (
                fetch(orphan.port, "/main/noarch/x.conda", headers=ALICE, method="PUT", body=b"x").status
                == 200
            )
        (orphan.data / "state/uploadd.sock").unlink()
