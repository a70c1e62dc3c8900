"""The tree stands by itself: copied, mirrored, read by other tools, and fed by dropping files."""

import asyncio
import html
import json
import os
import shutil
import subprocess
import sys
import textwrap

import pypi_simple
import pytest
import rattler
from click.testing import CliRunner
from conda_support import make_conda
from e2e_support import BIN, SIMPLE_JSON, clean_environment, free_port, serving, wait_until
from pypi_support import make_sdist, make_wheel
from simple_repository.parser import parse_html_project_page, parse_json_project_page

from indexer.__main__ import cli
from packhouse.webserver import find_nginx

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    with serving(folder) as server:
        server.channel("shop")
        files = []
        for name, body in (
            make_wheel(name="apple", version="1.0"),
            make_wheel(name="apple", version="1.1", requires_python=">=3.9,<4"),
            make_sdist(name="apple", version="1.0"),
            make_wheel(name="Pear.Tree", version="2.0"),
            make_conda(name="plum", version="3.0", build="0", subdir="noarch"),
            make_conda(name="plum", version="3.1", build="0", subdir="linux-64", depends=["quince"]),
            make_conda(name="quince", version="0.1", build="0", subdir="noarch"),
        ):
            (folder / name).write_bytes(body)
            files.append(folder / name)
        server.packhouse("push", *files, "--channel", "shop")
        server.packhouse(
            "yank", "apple", "1.1", "--channel", "shop", "--reason", "<b>\"bruised\"</b> & 'soft'"
        )
        yield server


def solve(url, specs, folder):
    async def go():
        gateway = rattler.Gateway(cache_dir=folder / "cache")
        return await rattler.solve(
            [rattler.Channel(url)], specs, gateway=gateway, platforms=["linux-64", "noarch"]
        )

    return {record.name.normalized: record for record in asyncio.run(go())}


def test_public_reads_survive_the_death_of_the_daemon(tmp_path):
    with serving(tmp_path) as server:
        name, body = make_conda(name="plum", version="3.0", build="0", subdir="noarch")
        (tmp_path / name).write_bytes(body)
        server.packhouse("push", tmp_path / name, "--channel", "main")
        pids = subprocess.run(
            ["pgrep", "-P", str(server.process.pid), "-f", "uploadd"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        server.process.send_signal(19)  # SIGSTOP: it must not restart what we stop
        try:
            for pid in pids:
                subprocess.run(["kill", "-9", pid], check=True)
            for path in (
                "/main/noarch/repodata.json",
                "/main/simple/",
                f"/main/noarch/{name}",
                "/",
                "/main/",
            ):
                assert server.ask(path)[0] == 200, path
            # an absent subdir of a noarch-only channel stays 404, or every conda client stops
            assert server.ask("/main/linux-64/repodata_shards.msgpack.zst")[0] == 404
            assert server.ask("/main/linux-64/repodata_shards.msgpack.zst", key=True)[0] == 404
            assert set(solve(f"{server.url}/main", ["plum"], tmp_path)) == {"plum"}
            assert server.ask("/main/noarch/x-1-0.conda", "PUT", b"x", key=True)[0] == 503
        finally:
            server.process.send_signal(18)  # SIGCONT


def bare_nginx(folder, root):
    """An nginx that knows nothing of Packhouse: a root, and index.html."""
    port = free_port()
    conf = folder / "bare.conf"
    conf.write_text(
        textwrap.dedent(f"""
        daemon off; pid {folder}/bare.pid; error_log stderr; {"user root;" if os.getuid() == 0 else ""}
        events {{ }}
        http {{
          types {{ text/html html; application/json json; }}
          client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
          uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; access_log off;
          server {{ listen 127.0.0.1:{port}; root {root}; index index.html; }}
        }}
        """)
    )
    with (folder / "bare.log").open("wb") as log:
        process = subprocess.Popen(
            [str(find_nginx(os.environ).path), "-p", f"{folder}/", "-c", str(conf), "-e", "stderr"],
            cwd=folder,
            stderr=log,
        )
    return process, port


def test_a_copied_channel_installs_from_a_bare_nginx_under_another_prefix(server, tmp_path):
    """No absolute URL is anywhere in the tree."""
    site = tmp_path / "www" / "mirror" / "of" / "shop"
    shutil.copytree(server.data / "public" / "shop", site)
    process, port = bare_nginx(tmp_path, tmp_path / "www")
    base = f"http://127.0.0.1:{port}/mirror/of/shop"
    try:
        import urllib.request

        def up():
            try:
                with urllib.request.urlopen(f"{base}/simple/") as answer:
                    return answer.status == 200
            except OSError:
                return False

        wait_until(up, what="the bare nginx")
        for command in (
            [sys.executable, "-m", "pip", "install", "--no-deps", "--target", tmp_path / "pip", "--index-url", f"{base}/simple/"],
            ["uv", "pip", "install", "--no-deps", "--target", tmp_path / "uv", "--python", sys.executable, "--default-index", f"{base}/simple/"],
        ):  # fmt: skip
            server.must(*command, "apple", "pear-tree")
        records = solve(base, ["plum"], tmp_path)
        assert str(records["plum"].version) == "3.1"
        assert str(records["plum"].url).startswith(base)

        async def go():
            await rattler.install(
                list(records.values()), tmp_path / "prefix", cache_dir=tmp_path / "pkgs", show_progress=False
            )

        asyncio.run(go())
        assert (tmp_path / "prefix" / "conda-meta").is_dir()
    finally:
        process.terminate()
        process.wait(10)


def test_html_and_json_say_the_same_to_every_parser(server):
    projects = [project["name"] for project in server.json("/shop/simple/", Accept=SIMPLE_JSON)["projects"]]
    assert projects == ["apple", "pear-tree"]

    for project in projects:
        url = f"{server.url}/shop/simple/{project}/"
        json_text = server.ask(f"/shop/simple/{project}/", Accept=SIMPLE_JSON)[2].decode()
        html_text = server.ask(f"/shop/simple/{project}/", Accept="text/html")[2].decode()

        by_html = parse_html_project_page(html_text, project)
        by_json = parse_json_project_page(json_text)
        assert {file.filename for file in by_html.files} == {file.filename for file in by_json.files}
        assert {
            (f.filename, tuple(f.hashes.items()), f.requires_python, f.yanked or None) for f in by_html.files
        } == {
            (f.filename, tuple(f.hashes.items()), f.requires_python, f.yanked or None) for f in by_json.files
        }
        one = pypi_simple.ProjectPage.from_html(project, html_text, base_url=url)
        two = pypi_simple.ProjectPage.from_json_data(json.loads(json_text), base_url=url)
        for a, b in zip(one.packages, two.packages, strict=True):
            assert (a.filename, a.url.partition("#")[0], a.digests, a.requires_python, a.is_yanked, a.yanked_reason, bool(a.has_metadata)) == (
                b.filename, b.url.partition("#")[0], b.digests, b.requires_python, b.is_yanked, b.yanked_reason, bool(b.has_metadata)
            )  # fmt: skip
        assert "<b>" not in html_text
        assert html.unescape(html_text).count("bruised") == (1 if project == "apple" else 0)


def test_bandersnatch_mirrors_a_channel(server, tmp_path):
    mirror = tmp_path / "mirror"
    conf = tmp_path / "bandersnatch.conf"
    conf.write_text(
        textwrap.dedent(f"""
        [mirror]
        directory = {mirror}
        master = {server.url}/shop
        api-method = simple
        allow-non-https = true
        json = false
        release-files = true
        timeout = 10
        workers = 2
        hash-index = false
        stop-on-error = true
        simple-format = ALL
        verifiers = 2
        """)
    )
    out = server.must(BIN / "bandersnatch", "-c", conf, "mirror")

    found = {path.name for path in mirror.rglob("*") if path.is_file() and path.suffix in (".whl", ".gz")}
    page = server.json("/shop/simple/apple/", Accept=SIMPLE_JSON)
    assert {file["filename"] for file in page["files"]} <= found, out
    assert len(found) == 4, found


def test_a_dropped_file_appears_and_a_bad_one_is_refused_with_its_reason(server, tmp_path):
    inbox = server.data / "inbox" / "main"
    inbox.mkdir(parents=True, exist_ok=True)
    wheel, body = make_wheel(name="dropped", version="1.0")
    (inbox / wheel).write_bytes(body)
    (inbox / "broken-1.0-py3-none-any.whl").write_bytes(b"this is no zip")
    conda, conda_body = make_conda(name="dropped", version="1.0", build="0", subdir="noarch")
    (inbox / conda).write_bytes(conda_body)

    refused = server.data / "inbox" / ".refused"
    wait_until(lambda: server.ask("/main/simple/dropped/")[0] == 200, what="the wheel's page")
    wait_until(
        lambda: conda in json.loads(server.ask("/main/noarch/repodata.json")[2])["packages.conda"],
        what="the record",
    )
    wait_until(lambda: list(refused.rglob("*.reason")), what="the refusal")

    (reason,) = refused.rglob("*.reason")
    assert "broken-1.0-py3-none-any.whl" in reason.name
    assert "zip" in reason.read_text().lower()
    assert (reason.parent / "broken-1.0-py3-none-any.whl").read_bytes() == b"this is no zip"
    assert server.ask(f"/main/packages/dropped/{wheel}")[2] == body
    wait_until(lambda: not (inbox / wheel).exists(), what="the inbox to be emptied")


def test_everything_derived_can_be_deleted_and_comes_back_byte_for_byte(tmp_path):
    with serving(tmp_path) as server:
        for name, body in (
            make_wheel(name="apple", version="1.0"),
            make_conda(name="plum", version="1", build="0", subdir="noarch"),
        ):
            (tmp_path / name).write_bytes(body)
            server.packhouse("push", tmp_path / name, "--channel", "main")
        key = server.key
    data = tmp_path / "data"
    env = clean_environment(tmp_path / "home", PACKHOUSE_DATA=str(data))

    def indexer(*arguments):
        return subprocess.run(
            ["indexer", *arguments],
            executable=str(BIN / "indexer"),
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def check_here():
        """`indexer check` in this process: once per file, the start of a program would take most of the time."""
        return CliRunner().invoke(cli, ["check", "--data", str(data)])

    assert (done := indexer("reindex")).returncode == 0, done.stderr
    artifacts = {".whl", ".conda", ".gz", ".bz2"}
    before = {p.relative_to(data): p.read_bytes() for p in (data / "public").rglob("*") if p.is_file()}
    derived = [p for p in before if p.suffix not in artifacts or p.name.endswith((".html.gz", ".json.gz"))]
    assert len(derived) > 15
    for path in derived:
        (data / path).unlink()

    assert (done := indexer("reindex")).returncode == 0, done.stderr

    after = {p.relative_to(data): p.read_bytes() for p in (data / "public").rglob("*") if p.is_file()}
    assert after.keys() == before.keys()
    assert [path for path in before if before[path] != after[path]] == []
    assert (done := indexer("check")).returncode == 0, done.stdout + done.stderr
    filled = [path for path in sorted(before) if (data / path).stat().st_size]
    for path in filled:
        body = bytearray(before[path])
        body[len(body) // 2] ^= 1
        stat = (data / path).stat()
        (data / path).write_bytes(bytes(body))
        os.utime(data / path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        found = check_here()
        assert found.exit_code == 1, f"one flipped byte of {path} went unnoticed: {found.output}"
        assert path.name in found.output
        if path == filled[-1]:
            assert (done := indexer("check")).returncode == 1
            assert path.name in done.stdout + done.stderr
        (data / path).write_bytes(before[path])
        os.utime(data / path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (last := check_here()).exit_code == 0, last.output
    with serving(tmp_path, data=data, key=key) as server:
        assert "pkh-" not in server.log.read_text()
        assert server.ask("/main/simple/apple/")[0] == 200
