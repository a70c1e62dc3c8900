"""kill -9 at random: no acknowledged upload is lost, and no index names what is not there.

The suite kills until each state of an upload was hit; `make soak` kills two hundred times. A program that dies young is
started again later and later, so that each further kill costs more than the one before.
"""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter

import pytest
from conda_support import make_conda
from e2e_support import BIN, clean_environment, serving, wait_until
from pypi_support import make_wheel

pytestmark = pytest.mark.e2e


def children(server, what):
    found = subprocess.run(
        ["pgrep", "-P", str(server.process.pid), "-f", what], capture_output=True, text=True, check=False
    ).stdout.split()
    return [int(pid) for pid in found]


STATES = ("pending", "placed", "committed")


def states(server, uploaders):
    """In which states uploads are right now.

    pending: the name is claimed; placed: its bytes lie at their path too; committed: live, and the client has
    no answer yet.
    """
    with uploaders.lock:
        acknowledged = set(uploaders.acknowledged)
    with sqlite3.connect(f"file:{server.data}/state/catalog.sqlite?mode=ro", uri=True, timeout=10) as catalog:
        rows = catalog.execute(
            "SELECT path, state FROM artifacts WHERE state IN ('pending', 'live')"
        ).fetchall()
    placed = {
        path: (server.data / "public" / "main" / path).exists() for path, state in rows if state == "pending"
    }
    found = {"placed" if there else "pending" for there in placed.values()}
    if any(state == "live" and path not in acknowledged for path, state in rows):
        found.add("committed")
    return found


class Uploaders:
    """Threads that upload until told to stop, each file until it is acknowledged."""

    def __init__(self, server, count=4):
        self.server, self.stop = server, threading.Event()
        self.acknowledged, self.lock = {}, threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, n):
        serial = 0
        while not self.stop.is_set():
            serial += 1
            if n % 2:
                name, body = make_conda(name=f"k{n}", version=f"1.{serial}", build="0", subdir="noarch")
                path = f"noarch/{name}"
            else:
                name, body = make_wheel(name=f"k{n}", version=f"1.{serial}")
                path = f"packages/k{n}/{name}"
            while not self.stop.is_set():
                try:
                    if path.startswith("noarch"):
                        status, _, _ = self.server.ask(f"/main/{path}", "PUT", body, key=True)
                    else:
                        from test_e2e_python import multipart

                        form, headers = multipart(name, body, self.server.key)
                        status, _, _ = self.server.ask("/main/legacy/", "POST", form, **headers)
                except OSError:
                    status = 0
                if status in (200, 201, 202):
                    with self.lock:
                        self.acknowledged[path] = hashlib.sha256(body).hexdigest()
                    break
                assert status in (0, 502, 503, 504), status
                time.sleep(0.05)

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()


def indexed(server):
    """Path to sha256 of everything the indexes name."""
    found = {}
    for name, record in server.json("/main/noarch/repodata.json")["packages.conda"].items():
        found[f"noarch/{name}"] = record["sha256"]
    for project in server.json("/main/simple/?format=application/vnd.pypi.simple.v1%2Bjson")["projects"]:
        page = server.json(f"/main/simple/{project['name']}/", Accept="application/vnd.pypi.simple.v1+json")
        for file in page["files"]:
            found[f"packages/{project['name']}/{file['filename']}"] = file["hashes"]["sha256"]
    return found


def check_promises(server, acknowledged):
    for path, sha256 in indexed(server).items():
        file = server.data / "public" / "main" / path
        assert file.is_file(), f"an index names {path}, which is not there"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    wait_until(
        lambda: acknowledged.items() <= indexed(server).items(),
        what="every acknowledged upload to be indexed",
    )


def storm(tmp_path, kills, seed):
    """Kill the daemon and the indexer `kills` times under load, up to twice as often until each state was hit.

    Returns:
        What the kills hit, and every upload that was acknowledged.
    """
    chance, hits = random.Random(seed), Counter()
    with serving(tmp_path, PACKHOUSE_LEASE_S="20") as server:
        uploaders = Uploaders(server)
        for n in range(2 * kills):
            if n >= kills and min(hits[state] for state in STATES):
                break
            what = "uploadd" if n % 3 else "indexer"
            wait_until(lambda what=what: children(server, what), what=f"{what} to be back")
            before = len(uploaders.acknowledged)
            wait_until(lambda before=before: len(uploaders.acknowledged) > before, what="uploads to go on")
            # Only a kill of the daemon hits an upload. Aim for the state that was hit least, but not for ever.
            aim = min(STATES, key=lambda state: hits[state]) if what == "uploadd" else None
            end = time.monotonic() + 2 + chance.random() * 0.1
            found = set()
            while time.monotonic() < end:
                for pid in children(server, what):
                    os.kill(pid, signal.SIGSTOP)
                found = states(server, uploaders)
                if aim is None or aim in found:
                    break
                for pid in children(server, what):
                    os.kill(pid, signal.SIGCONT)
            for pid in children(server, what):
                os.kill(pid, signal.SIGKILL)
            if what == "uploadd":
                hits.update(found)
        wait_until(
            lambda: children(server, "uploadd") and children(server, "indexer"), what="both to be back"
        )
        uploaders.finish()
        wait_until(lambda: states(server, uploaders) <= {"committed"}, what="the reaper")
        check_promises(server, uploaders.acknowledged)
        key = server.key
    env = clean_environment(tmp_path / "home", PACKHOUSE_DATA=str(tmp_path / "data"))
    for command in ("reindex", "check"):
        done = subprocess.run(
            ["indexer", command],
            executable=str(BIN / "indexer"),
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"indexer {command}: {done.stdout}\n{done.stderr}"
    assert key
    return hits, uploaders.acknowledged


def test_kills_lose_no_acknowledged_upload(tmp_path):
    hits, acknowledged = storm(tmp_path, kills=6, seed=1)

    assert len(acknowledged) > 6
    # Each state was hit at least once, or the test would show nothing.
    assert min(hits[state] for state in STATES) >= 1, hits


@pytest.mark.soak
def test_two_hundred_kills_lose_no_acknowledged_upload(tmp_path):
    hits, acknowledged = storm(tmp_path, kills=200, seed=2)

    assert min(hits[state] for state in STATES) >= 5, hits
    assert len(acknowledged) > 200
    print(json.dumps(hits))
