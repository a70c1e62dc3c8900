"""The real uploaders against the daemon itself, without nginx in between."""

import asyncio
import os
import sys

import pytest
from conda_support import make_conda
from pypi_support import make_sdist, make_wheel
from uploadd_support import run_daemon

from packhouse.intake.pool import InspectionPool


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=1, wall_s=30) as inspectors:
        yield inspectors


@pytest.fixture
async def daemon(tmp_path, pool):
    async with run_daemon(tmp_path / "data", pool) as running:
        yield running


async def run(*command: str, **env: str) -> tuple[int, str]:
    """Run a client to its end, without this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**kept, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_twine(daemon, tmp_path):
    """New, again, and with other bytes: the sentence reaches the person through the reason phrase."""
    for filename, body in (make_wheel("tiny", "1.0"), make_sdist("tiny", "1.0")):
        (tmp_path / filename).write_bytes(body)
    wheel, sdist = make_wheel("tiny", "1.0")[0], make_sdist("tiny", "1.0")[0]

    async def upload(*names: str) -> tuple[int, str]:
        files = [str(tmp_path / name) for name in names]
        return await run(
            sys.executable, "-m", "twine", "upload", "--non-interactive", "--disable-progress-bar",
            "--repository-url", f"{daemon.url}/main/legacy/", "-u", "__token__", "-p", daemon.keys["ci"], *files,
            HOME=str(tmp_path),
        )  # fmt: skip

    for _ in range(2):
        code, out = await upload(wheel, sdist)
        assert code == 0, out
    (tmp_path / wheel).write_bytes(make_wheel("tiny", "1.0", summary="Other")[1])
    code, out = await upload(wheel)

    assert code == 1
    assert "409" in out
    assert "File already exists" in out


PREFIX = """
import sys, rattler_build
url, key, path, skip = sys.argv[1:]
try:
    rattler_build.upload_package_to_prefix([path], url, "main", api_key=key, skip_existing=skip == "skip")
except Exception as error:
    print(error)
    sys.exit(1)
"""


async def test_rattler_build_to_prefix(daemon, tmp_path):
    pytest.importorskip("rattler_build")
    filename, body = make_conda("tiny", "1.0")
    path = tmp_path / filename
    path.write_bytes(body)

    async def upload(skip: str = "") -> tuple[int, str]:
        arguments = (daemon.url, daemon.keys["ci"], str(path), skip)
        return await run(sys.executable, "-c", PREFIX, *arguments, HOME=str(tmp_path))

    for _ in range(2):
        code, out = await upload()
        assert code == 0, out
    path.write_bytes(make_conda("tiny", "1.0", files={"a": b"1"})[1])
    code, out = await upload()
    assert code == 1
    assert "already exists" in out
    code, out = await upload("skip")
    assert code == 0, out
    assert (daemon.house.data / "public/main/noarch" / filename).read_bytes() == body
