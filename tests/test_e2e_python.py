"""A Python distribution goes in through every uploader and comes out through pip and uv."""

import hashlib
import json
import shutil
import sys
import zipfile

import pytest
from e2e_support import SIMPLE_JSON, serving
from pypi_support import make_sdist, make_wheel

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("python")) as server:
        yield server


def dists(folder, name, version="1.0", note=""):
    """A wheel and an sdist of a project, with other bytes for another note."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for filename, body in (
        make_wheel(name=name, version=version, summary=f"A test {note}"),
        make_sdist(name=name, version=version, summary=f"A test {note}"),
    ):
        (folder / filename).write_bytes(body)
        paths.append(folder / filename)
    return paths


def publish(client, server, channel, paths, *, check=None):
    """Upload with one client; returns what it did."""
    url = f"{server.url}/{channel}/legacy/"
    folder = paths[0].parent
    match client:
        case "twine":
            command = [
                "twine",
                "upload",
                "--non-interactive",
                "--repository-url",
                url,
                "-u",
                "__token__",
                "-p",
                server.key,
            ]
            return server.run(*command, *paths)
        case "uv":
            more = ["--check-url", check] if check else []
            return server.run("uv", "publish", "--publish-url", url, "--token", server.key, *more, *paths)
        case "hatch":
            return server.run(
                "hatch",
                "publish",
                "--no-prompt",
                "-r",
                url,
                "-u",
                "__token__",
                "-a",
                server.key,
                *paths,
                cwd=folder,
            )
        case "poetry":
            project = folder / "project"
            project.mkdir(exist_ok=True)
            name = paths[0].name.split("-")[0]
            (project / "pyproject.toml").write_text(
                f'[project]\nname = "{name}"\nversion = "1.0"\ndescription = ""\n[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
            )
            (project / "dist").mkdir(exist_ok=True)
            for path in paths:
                shutil.copy(path, project / "dist")
            env = {
                "POETRY_REPOSITORIES_PH_URL": url,
                "POETRY_HTTP_BASIC_PH_USERNAME": "__token__",
                "POETRY_HTTP_BASIC_PH_PASSWORD": server.key,
            }
            more = ["--skip-existing"] if check else []
            return server.run("poetry", "publish", "-n", "-r", "ph", *more, cwd=project, **env)
        case "flit":
            project = folder / "flit"
            project.mkdir(exist_ok=True)
            name = paths[0].name.split("-")[0]
            (project / f"{name}.py").write_text('"""From flit."""\n__version__ = "1.0"\n')
            (project / "pyproject.toml").write_text(
                f'[project]\nname = "{name}"\ndynamic = ["version", "description"]\n[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
            )
            env = {
                "FLIT_INDEX_URL": url,
                "FLIT_USERNAME": "__token__",
                "FLIT_PASSWORD": server.key,
                "SOURCE_DATE_EPOCH": "1700000000",
            }
            return server.run("flit", "publish", "--no-use-vcs", cwd=project, **env)
    raise AssertionError(client)


def pip_install(server, channel, target, *specs):
    return server.run(
        sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", target,
        "--index-url", f"{server.url}/{channel}/simple/", "--report", target / "report.json", *specs,
    )  # fmt: skip


def uv_install(server, channel, target, *specs):
    return server.run(
        "uv", "pip", "install", "--no-deps", "--target", target, "--python", sys.executable,
        "--default-index", f"{server.url}/{channel}/simple/", *specs,
    )  # fmt: skip


CLIENTS = ["twine", "uv", "flit", "hatch", "poetry"]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_uploader_publishes_and_pip_and_uv_install(server, tmp_path, client):
    channel, name = f"by-{client}", f"from{client}"
    server.channel(channel)
    paths = dists(tmp_path / "dist", name)

    ran = publish(client, server, channel, paths)
    assert ran.ok, ran.out + server.tail()
    (tmp_path / "pip").mkdir()
    assert (done := pip_install(server, channel, tmp_path / "pip", name)).ok, done.out
    assert (done := uv_install(server, channel, tmp_path / "uv", name)).ok, done.out

    page = server.json(f"/{channel}/simple/{name}/", Accept=SIMPLE_JSON)
    assert page["meta"]["api-version"] == "1.4"
    assert len(page["files"]) == 2
    wheel = next(file for file in page["files"] if file["filename"].endswith(".whl"))
    report = json.loads((tmp_path / "pip" / "report.json").read_text())
    assert (
        report["install"][0]["download_info"]["archive_info"]["hashes"]["sha256"] == wheel["hashes"]["sha256"]
    )
    again = publish(client, server, channel, paths)
    assert again.ok, f"the same bytes again: {again.out}"
    asked = server.fetched()
    assert 202 not in {status for _method, _path, status in asked}
    assert any(path.endswith(f"{wheel['filename']}.metadata") for _method, path, _status in asked)


@pytest.mark.parametrize("client", ["twine", "uv", "hatch", "poetry"])
def test_other_bytes_under_the_name_are_refused(server, tmp_path, client):
    channel, name = f"taken-{client}", f"taken{client}"
    server.channel(channel)
    assert publish("twine", server, channel, dists(tmp_path / "one", name)).ok

    ran = publish(client, server, channel, dists(tmp_path / "two", name, note="changed"))

    if client == "hatch":  # it asks the index first and always skips what is there
        assert ran.ok, ran.out
    else:
        assert not ran.ok
        assert "409" in ran.out or "already exists" in ran.out, ran.out
    page = server.json(f"/{channel}/simple/{name}/", Accept=SIMPLE_JSON)
    for file in page["files"]:
        body = (tmp_path / "one" / file["filename"]).read_bytes()
        assert file["hashes"]["sha256"] == hashlib.sha256(body).hexdigest()


def test_skip_existing_works_where_clients_have_it(server, tmp_path):
    channel, name = "skipping", "skipped"
    url = server.channel(channel)
    same = dists(tmp_path / "one", name)
    assert publish("twine", server, channel, same).ok
    other = dists(tmp_path / "two", name, note="changed")

    assert (ran := publish("poetry", server, channel, other, check=True)).ok, ran.out
    assert (ran := publish("uv", server, channel, same, check=f"{url}/simple/")).ok, ran.out
    assert not publish("uv", server, channel, other, check=f"{url}/simple/").ok
    server.packhouse("push", *other, "--channel", channel, "--skip-existing")
    refused = server.run(
        "packhouse",
        "push",
        *other,
        "--channel",
        channel,
        PACKHOUSE_SERVER=server.url,
        PACKHOUSE_KEY=server.key,
    )
    assert not refused.ok
    assert "already exists" in refused.out


def test_uv_can_look_at_the_past(server, tmp_path):
    """`--exclude-newer` filters out files without an upload time, and those after it."""
    server.channel("past")
    assert publish("uv", server, "past", dists(tmp_path / "dist", "aged")).ok

    early = server.run(
        "uv", "pip", "install", "--no-deps", "--target", tmp_path / "a", "--python", sys.executable,
        "--exclude-newer", "2020-01-01", "--default-index", f"{server.url}/past/simple/", "aged",
    )  # fmt: skip
    late = server.run(
        "uv", "pip", "install", "--no-deps", "--target", tmp_path / "b", "--python", sys.executable,
        "--exclude-newer", "2999-01-01", "--default-index", f"{server.url}/past/simple/", "aged",
    )  # fmt: skip

    assert not early.ok
    assert late.ok, late.out


def test_pip_and_uv_build_and_install_the_sdist(server, tmp_path):
    server.channel("sources")
    assert publish("flit", server, "sources", [tmp_path / "fromsource-1.0"]).ok
    index = f"{server.url}/sources/simple/"

    server.must(
        sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-binary", ":all:",
        "--target", tmp_path / "pip", "--index-url", index, "fromsource",
    )  # fmt: skip
    server.must(
        "uv", "pip", "install", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--target", tmp_path / "uv",
        "--python", sys.executable, "--default-index", index, "fromsource",
    )  # fmt: skip

    for folder in ("pip", "uv"):
        assert "From flit" in (tmp_path / folder / "fromsource.py").read_text()
    asked = {path.rpartition("/")[2] for _method, path, status in server.fetched() if status == 200}
    assert "fromsource-1.0.tar.gz" in asked
    assert "fromsource-1.0-py3-none-any.whl" not in asked


def test_a_yanked_version_is_skipped_unless_pinned(server, tmp_path):
    server.channel("yanking")
    for version in ("1.0", "2.0"):
        assert publish("twine", server, "yanking", dists(tmp_path / version, "regretted", version)).ok
    server.packhouse("yank", "regretted", "2.0", "--channel", "yanking", "--reason", "eats <data> & more")

    page = server.json("/yanking/simple/regretted/", Accept=SIMPLE_JSON)
    assert {file["yanked"] for file in page["files"] if "-2.0" in file["filename"]} == {"eats <data> & more"}
    for installer, folder in ((pip_install, "pip"), (uv_install, "uv")):
        (tmp_path / folder).mkdir()
        assert installer(server, "yanking", tmp_path / folder, "regretted").ok
        assert list((tmp_path / folder).glob("regretted-1.0.dist-info"))
        (tmp_path / f"{folder}-pinned").mkdir()
        pinned = installer(server, "yanking", tmp_path / f"{folder}-pinned", "regretted==2.0")
        assert pinned.ok, pinned.out
        assert "eats <data> & more" in pinned.out
    status, _, _ = server.ask("/api/1/yanking/regretted/2.0/yank", "DELETE", key=True)
    assert status == 200
    page = server.json("/yanking/simple/regretted/", Accept=SIMPLE_JSON)
    assert {file["yanked"] for file in page["files"]} == {False}


@pytest.mark.parametrize("times", [4, pytest.param(40, marks=pytest.mark.soak)])
def test_push_then_install_in_the_next_line_always_finds_it(server, tmp_path, times):
    server.channel("loop")
    for n in range(times):
        paths = dists(tmp_path / str(n), "looped", f"1.{n}")
        server.packhouse("push", *paths, "--channel", "loop")
        target = tmp_path / f"t{n}"
        target.mkdir()
        done = pip_install(server, "loop", target, f"looped==1.{n}")
        assert done.ok, done.out


@pytest.mark.parametrize("count", [80, pytest.param(800, marks=pytest.mark.soak)])
def test_many_uploads_one_after_another_lose_none(server, tmp_path, count):
    server.channel("many")
    names = []
    for n in range(count):
        filename, body = make_wheel(name=f"many{n % 40}", version=f"1.{n}")
        names.append(filename)
        form, headers = multipart(filename, body, server.key)
        status, _, answer = server.ask("/many/legacy/", "POST", form, **headers)
        assert status == 200, answer
        listed = server.json(f"/many/simple/many{n % 40}/", Accept=SIMPLE_JSON)
        assert filename in {file["filename"] for file in listed["files"]}

    found = {
        file["filename"]
        for project in server.json("/many/simple/", Accept=SIMPLE_JSON)["projects"]
        for file in server.json(f"/many/simple/{project['name']}/", Accept=SIMPLE_JSON)["files"]
    }
    assert found == set(names)


def multipart(filename, body, key):
    """A legacy upload form, the least that clients send."""
    edge = "----packhouse"
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "sha256_digest": hashlib.sha256(body).hexdigest(),
    }
    form = b"".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    form += (
        f'--{edge}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    form += body + f"\r\n--{edge}--\r\n".encode()
    return form, {"Content_Type": f"multipart/form-data; boundary={edge}", "Authorization": f"Bearer {key}"}


def test_the_index_answers_html_and_json_at_every_alias(server, tmp_path):
    assert publish("twine", server, "main", dists(tmp_path / "dist", "aliased")).ok

    for path in (
        "/main/simple/aliased/",
        "/simple/aliased/",
        "/pypi/aliased/",
        "/main/legacy/%2Bsimple/aliased/",
    ):
        assert server.json(path, Accept=SIMPLE_JSON)["name"] == "aliased"
        status, headers, body = server.ask(path, Accept="text/html")
        assert (status, headers.get_content_type()) == (200, "text/html")
        assert b"pypi:repository-version" in body
        assert "Accept" in headers["Vary"]
    legacy = server.json("/pypi/aliased/json")
    assert legacy["info"]["name"] == "aliased"
    done = server.run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--target",
        tmp_path / "y",
        "--index-url",
        f"{server.url}/simple/",
        "aliased",
    )
    assert done.ok, done.out


def test_generic_files_come_back_as_they_went_in(server, tmp_path):
    body = zipfile_bytes(tmp_path)
    status, _, answer = server.ask("/main/products/firmware/2.1/image.bin", "PUT", body, key=True)
    assert status == 201, answer

    status, headers, back = server.ask("/main/products/firmware/2.1/image.bin")
    assert (status, back) == (200, body)
    assert headers["Content-Disposition"].startswith("attachment")
    listing = server.json("/main/products/firmware/index.json")
    assert "2.1" in json.dumps(listing)
    assert hashlib.sha256(body).hexdigest() in json.dumps(listing)


def zipfile_bytes(folder):
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "anything")
    return path.read_bytes()
