"""The program: it starts on its socket, stops when told, and refuses with one sentence."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from packhouse.house import initialise, open_house
from packhouse.names import ChannelName
from uploadd.__main__ import main

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def data():
    """A short path: a unix socket's has at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="uploadd-"))
    initialise(folder / "d")
    yield folder / "d"
    shutil.rmtree(folder)


@contextmanager
def running(data: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "uploadd", "--data", str(data)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        for line in process.stderr:
            if "answers on" in line:
                break
        else:
            raise AssertionError(f"uploadd ended with {process.wait()}")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        process.stderr.close()


def ask(data: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(data / "state/uploadd.sock"))
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_on_its_socket_and_stops_cleanly(data, number):
    with running(data) as process:
        assert ask(data, HEALTH).startswith(b"HTTP/1.1 200 OK\r\n")
        mode = (data / "state/uploadd.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o660
        process.send_signal(number)
        assert process.wait(30) == 0
        assert not (data / "state/uploadd.sock").exists()


def test_a_second_one_is_refused_and_the_first_goes_on(data):
    with running(data):
        second = subprocess.run(
            [sys.executable, "-m", "uploadd", "--data", str(data)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert "another uploadd serves" in second.stderr
        assert "Traceback" not in second.stderr
        assert ask(data, HEALTH).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_killed_one_leaves_nothing_in_the_way_of_the_next(data):
    with running(data) as process:
        process.kill()
        process.wait(30)
        litter = data / "incoming/0123456789abcdef.1"
        litter.write_bytes(b"half an upload")
    with running(data):
        assert ask(data, HEALTH).startswith(b"HTTP/1.1 200 OK\r\n")
        deadline = time.monotonic() + 30
        while litter.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not litter.exists()


def test_an_upload_under_way_is_finished_before_it_stops(data):
    house = open_house(data)
    house.create_channel(ChannelName("main"))
    key = house.catalog.keys.create_for_service("k", admin=True)[1]
    house.close()
    (data / "packhouse.toml").write_text("min_free_bytes = 0\npublish_wait_s = 0.1\n")
    head = (
        "PUT /main/products/tool/1.0/t.bin HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: 10\r\n\r\n"
    )
    with running(data) as process, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(data / "state/uploadd.sock"))
        connection.settimeout(30)
        connection.sendall(head.encode() + b"first")
        deadline = time.monotonic() + 30
        while not any((data / "incoming").iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for line in process.stderr:
            if "stops" in line:
                break
        connection.sendall(b"later")
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 202 "), answer
        assert process.wait(30) == 0
    assert (data / "public/main/products/tool/1.0/t.bin").read_bytes() == b"firstlater"


def test_what_is_no_data_directory_is_one_sentence_and_exit_code_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["--data", str(tmp_path / "nothing")])

    assert left.value.code == 1
    assert re.fullmatch(r"uploadd: .* is not a Packhouse data directory: [^\n]*\n", capsys.readouterr().err)


def test_an_empty_variable_is_unset(monkeypatch, capsys):
    monkeypatch.setitem(os.environ, "PACKHOUSE_DATA", "")

    with pytest.raises(SystemExit) as left:
        main([])

    assert left.value.code == 2
    assert "Missing option '--data'" in capsys.readouterr().err
