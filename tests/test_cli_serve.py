"""`packhouse serve`: one command starts everything, and nothing is left when it ends, however it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e_support import BIN, KEY, clean_environment, free_port, serving, wait_until

from packhouse import webserver
from packhouse.cli.serve import _log, _reachable, _shown, _unhealthy, _wait_for_port
from packhouse.cli.supervisor import Program, Supervisor
from packhouse.errors import BadSettings, Busy, Unavailable

pytestmark = pytest.mark.e2e


def descendants(pid):
    """Every process below `pid`: {pid: command line}."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, waiting = {}, [pid]
    while waiting:
        mother = waiting.pop()
        children = [child for child, parent in parents.items() if parent == mother]
        waiting += children
        for child in children:
            try:
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except FileNotFoundError:
                continue
    return found


def running(pids):
    """Those of the processes that still run (a zombie does not)."""
    alive = []
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                alive.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return alive


def child(server, word):
    """The process id of a program that `serve` started itself."""
    parent = server.process.pid
    direct = subprocess.run(
        ["pgrep", "-P", str(parent)], capture_output=True, text=True, check=True
    ).stdout.split()
    (found,) = (pid for pid, line in descendants(parent).items() if str(pid) in direct and word in line)
    return found


def test_one_command_serves_and_leaves_nothing_behind(tmp_path):
    with serving(tmp_path) as server:
        family = descendants(server.process.pid)
        wait_until(lambda: "Packhouse is ready" in server.log.read_text(), what="the welcome")
        log = server.log.read_text()

        health = server.json("/health")
        assert all(said.endswith("is fine") for said in health.values())
        status, _, body = server.ask("/main/simple/", Accept="application/vnd.pypi.simple.v1+json")
        assert status == 200
        assert json.loads(body)["projects"] == []
        # the key is alone on its line, once, and works
        assert len(KEY.findall(log)) == 1
        assert f"\n{server.key}\n" in log
        assert server.ask("/main/noarch/x-1-0.conda", "DELETE", key=True)[0] == 404
        assert f"Packhouse is ready at {server.url}" in log
        assert {"uploadd", "indexer"} <= {word for line in family.values() for word in line.split()}
        assert any("nginx" in line for line in family.values())

        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
        assert running(family) == []
        assert "Traceback" not in server.log.read_text()

    with serving(tmp_path, data=server.data, key=server.key) as again:
        assert KEY.findall(again.log.read_text()) == []
        assert again.ask("/main/noarch/x-1-0.conda", "DELETE", key=True)[0] == 404
        # a second one on the same data, and one on the same port, say so in one sentence
        places = {
            again.data: "another `packhouse serve` runs on",
            tmp_path / "other": "cannot be listened on",
        }
        with ThreadPoolExecutor(
            len(places)
        ) as threads:  # each waits for some seconds that the place becomes free
            ended = list(
                threads.map(lambda data: again.run("packhouse", "serve", data, "--port", again.port), places)
            )
        for ran, says in zip(ended, places.values(), strict=True):
            assert ran.code == 3
            assert says in ran.out
            assert ran.out.count("\n") == 1


def test_what_dies_is_started_again_and_killed_serve_takes_all_with_it(tmp_path):
    with serving(tmp_path) as server:
        for word in ("uploadd", "indexer watch", "nginx"):
            before = child(server, word)
            os.kill(before, signal.SIGKILL)
            wait_until(lambda word=word, before=before: _replaced(server, word, before), what=f"a new {word}")
            wait_until(lambda: _healthy(server), what="health")
        assert server.log.read_text().count("starting it again") == 3

        # channel settings reach nginx without a restart
        overwrite = server.data / webserver.INCLUDES / "overwrite.conf"
        server.channel("nightly", "--overwrite")
        assert '"/nightly" 1;' in overwrite.read_text()
        assert server.ask("/nightly/simple/")[0] == 200

        family = descendants(server.process.pid)
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not running(family), what="the end of all children")


def _replaced(server, word, before):
    try:
        return child(server, word) != before
    except ValueError:
        return False


def _healthy(server):
    try:
        return server.ask("/health")[0] == 200
    except OSError:
        return False


def test_nginx_that_refuses_its_configuration_is_one_sentence(tmp_path):
    data = tmp_path / "data"
    folder = data / webserver.INCLUDES
    folder.mkdir(parents=True)
    (folder / "server-mine.conf").write_text("nonsense;\n")
    ran = subprocess.run(
        [BIN / "packhouse", "serve", data, "--port", str(free_port())],
        env=clean_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 1
    assert 'unknown directive "nonsense"' in ran.stderr
    assert ran.stderr.count("\n") == 1


# --- the supervisor -----------------------------------------------------------------------------------------


def program(name, code, **more):
    return Program(
        name=name,
        command=[sys.executable, "-S", "-c", code],
        cwd=Path.cwd(),
        environ=dict(os.environ),
        **more,
    )


def turn_until(supervisor, condition):
    wait_until(lambda: supervisor.turn(0.05) or condition(), seconds=20)


def test_output_comes_line_by_line_and_deaths_are_said():
    said = []
    lines = "print('one\\ntwo', flush=True); import sys; sys.stdout.write('no end'); sys.exit(3)"
    with Supervisor([program("talker", lines)], lambda *line: said.append(line)) as supervisor:
        supervisor.ready()
        turn_until(supervisor, lambda: any(name == "serve" for name, _ in said))

    assert said[:3] == [("talker", "one"), ("talker", "two"), ("talker", "no end")]
    assert said[3] == ("serve", "talker ended (exit status 3); starting it again in 0.2 s")


def test_a_program_that_never_starts_ends_the_attempt():
    said = []
    failing = program("broken", "raise SystemExit('because')")
    with (
        Supervisor([failing], lambda *line: said.append(line)) as supervisor,
        pytest.raises(
            Unavailable, match=r"broken does not start \(exit status 1\); its last words were: because"
        ),
    ):
        turn_until(supervisor, lambda: False)


def test_a_program_that_does_not_listen_is_killed_with_its_children():
    stubborn = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']);"
        "print(p.pid, flush=True); p.wait()"
    )
    said = []
    with Supervisor(
        [program("stubborn", stubborn, grace_s=0.1)], lambda *line: said.append(line)
    ) as supervisor:
        turn_until(supervisor, lambda: said)
    wait_until(lambda: not running([int(said[0][1])]), what="the grandchild's end")


def test_signals_ask_to_stop_and_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with Supervisor([], lambda *_: None) as supervisor:
        assert not supervisor.asked_to_stop
        os.kill(os.getpid(), signal.SIGTERM)
        turn_until(supervisor, lambda: supervisor.asked_to_stop)
    assert signal.getsignal(signal.SIGTERM) is before


# --- small parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("12:00:01 indexer INFO main: wrote 5", "12:00:01 x       main: wrote 5\n"),
        ("2026-11-21 12:00:01,123 uploadd: it answers", "12:00:01 x       it answers\n"),
        ("12:00:01 indexer.inbox WARNING bad", "12:00:01 x       warning: bad\n"),
        ("2026/11/21 12:00:01 [emerg] 7#7: bind() failed", "12:00:01 x       emerg: bind() failed\n"),
    ],
)
def test_every_programs_lines_read_alike(line, shown, capsys):
    _log("x", line)
    assert capsys.readouterr().err == shown


def test_health_checks_stay_out_of_the_log(capsys):
    _log("uploadd", '2026-11-21 12:00:01,123 uploadd: 127.0.0.1 GET "/health" 500 0.006s by=anonymous code=-')
    assert capsys.readouterr().err == ""


def test_a_line_of_no_form_keeps_its_text(capsys):
    _log("nginx", "something else")
    assert re.fullmatch(r"\d\d:\d\d:\d\d nginx   something else\n", capsys.readouterr().err)


def test_addresses_of_every_kind():
    assert [_reachable(host) for host in ("0.0.0.0", "::", "127.0.0.1")] == ["127.0.0.1", "::1", "127.0.0.1"]
    assert [_shown(host) for host in ("0.0.0.0", "::1", "h.example")] == ["localhost", "[::1]", "h.example"]


def test_a_port_in_use_is_named(monkeypatch):
    monkeypatch.setattr("packhouse.cli.serve._PORT_WAIT_S", 0.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(Busy, match=f"--port {port + 1}"):
            _wait_for_port("127.0.0.1", port)
    _wait_for_port("127.0.0.1", port)
    with pytest.raises(BadSettings, match="is no address of this machine"):
        _wait_for_port("no.such.host.invalid", port)


def test_a_server_that_is_not_there_is_not_healthy():
    assert "nginx does not answer" in _unhealthy("127.0.0.1", free_port())
