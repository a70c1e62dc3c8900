"""Uploads over HTTP, one test per row of the status policy."""

import asyncio
import hashlib

import aiohttp
import pytest
from conda_support import make_conda, make_tarbz2
from pypi_support import make_sdist, make_wheel
from uploadd_support import Answer, Daemon, run_daemon

from packhouse.intake.pool import InspectionPool


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=2, wall_s=30) as inspectors:
        yield inspectors


@pytest.fixture
async def daemon(tmp_path, pool):
    async with run_daemon(tmp_path / "data", pool) as running:
        yield running


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def twine_form(
    filename: str, body: bytes, *, late: dict[str, str] | None = None, **fields: str
) -> aiohttp.FormData:
    """A legacy form; keyword `_action` overrides `:action`; `late` fields come after the file."""
    said = {":action": "file_upload", "protocol_version": "1", **fields}
    form = aiohttp.FormData()
    for name, value in said.items():
        form.add_field(name, value)
    form.add_field("content", body, filename=filename, content_type="application/octet-stream")
    for name, value in (late or {}).items():
        form.add_field(name, value)
    return form


async def put_wheel(
    daemon: Daemon, filename: str, body: bytes, path: str = "/main/legacy/", **fields: str
) -> Answer:
    return await daemon.ask("POST", path, twine_form(filename, body, **fields))


async def put_conda(daemon: Daemon, filename: str, body: bytes, query: str = "", **more) -> Answer:
    return await daemon.ask("PUT", f"/main/noarch/{filename}{query}", body, **more)


class TestNew:
    async def test_a_wheel_is_200_and_its_bytes_are_in_the_tree(self, daemon):
        filename, body = make_wheel("tiny", "1.0")

        answer = await put_wheel(
            daemon, filename, body, name="Tiny", version="1.0", sha256_digest=sha256(body)
        )

        assert answer.status == 200, answer.body
        assert answer.json["changed"] is True
        assert answer.json["published"] is True
        assert answer.json["sha256"] == sha256(body)
        assert answer.json["url"] == f"main/packages/tiny/{filename}"
        assert (daemon.house.data / "public" / answer.json["url"]).read_bytes() == body
        assert answer.headers["Content-Type"] == "application/json"
        assert [name for name in daemon.files() if name.startswith("incoming")] == []

    async def test_a_conda_package_by_put_is_201(self, daemon):
        filename, body = make_conda("tiny", "1.0")

        answer = await put_conda(daemon, filename, body)

        assert answer.status == 201, answer.body
        assert answer.json["path"] == f"noarch/{filename}"
        assert answer.json["serial"] == 1
