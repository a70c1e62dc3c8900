"""The versions of a product: files come and go byte for byte, by the contract's addresses and by our own."""

import hashlib
import http.client
import itertools
import re
from contextlib import closing
from pathlib import Path

import pytest
from nginx_support import BUILDS
from productservice_support import Service, service, upload_form

from packhouse.intake import moving
from packhouse.model import Action, Grant

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with service(tmp_path_factory.mktemp("products")) as found:
        yield found


# --- up, down and away ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["product version file", "file product version", "version file product"])
def test_upload_and_download(running: Service, order):
    """The form's parts in any order; the file comes back under its own name, byte for byte."""
    token, body = running.token(), bytes(range(256)) * 9000
    name = running.product(token)

    uploaded = running.upload(name, "v1.0.0", body, token=token, order=order)
    answer = running.ask("GET", f"/product/download/{name}/v1.0.0", token=token)

    assert uploaded.status == 201, uploaded.body
    assert uploaded.json["checksum"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="my-lib.tar.gz"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_download_goes_on_where_it_stopped(running: Service):
    token = running.token()
    name = running.product(token)
    running.upload(name, "v1", b"0123456789", token=token)
    path = f"/product/download/{name}/v1"

    head = running.ask("HEAD", path, token=token)
    part = running.ask("GET", path, token=token, headers={"Range": "bytes=4-"})
    fresh = running.ask("GET", path, token=token, headers={"If-None-Match": head.headers["etag"]})

    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")
    assert (part.status, part.body) == (206, b"456789")
    assert (fresh.status, fresh.body) == (304, b"")


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.origin)
def test_every_nginx_sends_the_bytes(tmp_path, build):
    """Wherever the file lies: apart from the channel, in it, and in a private channel's tree."""
    with service(tmp_path, PACKHOUSE_NGINX=str(build.path)) as running:
        token = running.token()
        name = running.product(token, "v1")
        everyone = Grant(
            principal="group:everyone",
            action=Action.READ,
            channel="main",
            ecosystem="generic",
            package=name,
        )
        path = f"/product/download/{name}/v1"
        trees = []

        for change in (
            lambda: None,
            lambda: moving.give(running.house, everyone),
            lambda: moving.set_private(running.house, "main", private=True),
        ):
            change()
            found = running.house.placement("main")
            trees.append(found.where(f"products/{name}/v1/my-lib.tar.gz").partition("/")[0])
            answer = running.ask("GET", path, token=token)
            assert (answer.status, answer.body) == (200, b"artifact")
            assert answer.headers["content-disposition"] == 'attachment; filename="my-lib.tar.gz"'
            assert running.ask("GET", f"/_file/main/products/{name}/v1/my-lib.tar.gz").status in (401, 404)
        assert trees == ["restricted", "public", "private"]


def test_the_way_that_bytes_take_is_closed_from_outside(running: Service):
    """Only an answer of the daemon leads there."""
    name = running.product("", "v1")
    running.server.ask("/health")

    for path in (
        f"/_file/main/products/{name}/v1/my-lib.tar.gz",
        "/_file/../state/catalog.sqlite",
        "/_file/",
    ):
        for token in (None, ""):
            assert running.ask("GET", path, token=token).status == 404
            assert running.ask("PUT", path, b"x", token=token).status >= 400


def test_delete_a_version(running: Service):
    token = running.token()
    name = running.product(token, "v1.0.0", "v2.0.0")

    answer = running.ask("DELETE", f"/product/delete/{name}/v1.0.0", token=token)

    assert (answer.status, answer.body) == (204, b"")
    assert running.ask("GET", f"/product/download/{name}/v1.0.0", token=token).status == 404
    assert list(running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]) == ["v2.0.0"]
    assert running.ask("DELETE", f"/product/delete/{name}/v1.0.0", token=token).status == 404


def test_products_are_build_products_like_any_other(running: Service):
    """Served as static files to whoever may read them, in the list of whoever may, and nowhere else."""
    token, stranger = running.token(), running.token()
    name = running.product(token, "v1")
    path = running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]["v1"]["path"]

    for address in (f"/main/{path.removeprefix('./')}", f"/main/products/{name}/index.json"):
        assert running.ask("GET", address, token=token).status == 200
        assert running.ask("GET", address, token=stranger).status == 404
        assert running.ask("GET", address, token=None).status == 404
    assert name.encode() in running.ask("GET", "/main/products/index.json", token=token).body
    for who in (stranger, None):
        assert name.encode() not in running.ask("GET", "/main/products/index.json", token=who).body
    assert (running.house.data / "restricted" / "main" / path).is_file()


def test_what_was_put_by_address_is_read_here(running: Service):
    """A version of several files: the first stands for it, all are named, and a download says which."""
    token = running.token()
    name = running.product(token, "v1")
    for file in ("a.bin", "b.bin"):
        running.must("PUT", f"/main/products/{name}/v2/{file}", file.encode(), token=token)

    found = running.ask("GET", f"/product/fetch/{name}", token=token).json["versions"]["v2"]
    which = running.ask("GET", f"/product/download/{name}/v2", token=token)
    chosen = running.ask("GET", f"/product/download/{name}/v2?file=b.bin", token=token)

    assert [file["path"] for file in found["files"]] == [
        f"./products/{name}/v2/a.bin",
        f"./products/{name}/v2/b.bin",
    ]
    assert (found["path"], found["checksum"]) == tuple(found["files"][0].values())
    assert (which.status, which.json["code"]) == (422, "unprocessable")
    assert (chosen.status, chosen.body) == (200, b"b.bin")
    assert running.ask("GET", f"/product/download/{name}/v2?file=c.bin", token=token).status == 404
    assert running.must("DELETE", f"/product/delete/{name}/v2", token=token).status == 204


# --- large files ------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_large_artifact_streams(tmp_path):
    """300 MB come and go, in both orders of the form, and the daemon's memory stays what it was."""
    with service(tmp_path) as running:
        token = running.token()
        name = running.product(token)
        running.upload(name, "small", bytes(8 << 20), token=token)
        before = peak_bytes(running.server.process.pid)

        for version, order in (("v1", "product version file"), ("v2", "file product version")):
            assert stream_in(running, token, name, version, order) == 201
            assert stream_out(running, token, f"/product/download/{name}/{version}") == LARGE

        assert peak_bytes(running.server.process.pid) - before < 32 << 20


LARGE, PIECE = 300 << 20, bytes(1 << 20)


def stream_in(running: Service, token: str, name: str, version: str, order: str) -> int:
    """Upload a large file without holding it; the status."""
    form, media_type = upload_form(name, version, b"*", order=order)
    head, _, tail = form.partition(b"*")
    headers = {
        "X-Api-Token": token,
        "Content-Type": media_type,
        "Content-Length": str(len(head) + LARGE + len(tail)),
    }
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=300)
    with closing(connection):
        pieces = (head, *itertools.repeat(PIECE, LARGE // len(PIECE)), tail)
        connection.request("POST", "/product/upload", iter(pieces), headers)
        return connection.getresponse().status


def stream_out(running: Service, token: str, path: str) -> int:
    """Download a file without holding it; its size in bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=300)
    with closing(connection):
        connection.request("GET", path, headers={"X-Api-Token": token})
        answer = connection.getresponse()
        return sum(len(piece) for piece in iter(lambda: answer.read(len(PIECE)), b""))


def peak_bytes(supervisor: int) -> int:
    """The most memory that the upload daemon below that process ever held."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text, command = status.read_text(), (status.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"PPid:\t{supervisor}\n" in text and b"uploadd" in command:
            return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) << 10
    raise AssertionError("there is no upload daemon")
