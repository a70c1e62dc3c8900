"""anaconda.org's uploaders against a whole Packhouse over nginx, each upload followed by an installation."""

import asyncio
import fcntl
import os
import subprocess
import sys

import pytest
import rattler
import rattler_build
from conda_support import make_conda
from e2e_support import BIN, KEY, serving, wait_until

pytestmark = pytest.mark.e2e

CLIENT = "anaconda-client==1.16.0"
QUIET = {"ANACONDA_TELEMETRY_ENABLED": "0", "OTEL_SDK_DISABLED": "true"}
"""It would tell its maker of every command; this leaves the machine alone."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("anaconda")) as server:
        config = server.home / ".continuum" / "anaconda-client" / "config.yaml"
        config.parent.mkdir(parents=True)
        config.write_text(f"sites:\n  here:\n    url: {server.url}/anaconda\n")
        yield server


def install_client(folder):
    """Make the environment; where the package index cannot be reached there is nothing to test with."""
    for command in (
        ["venv", "--clear", "--python", sys.executable, folder],
        ["pip", "install", "--quiet", "--python", folder / "bin" / "python", CLIENT],
    ):
        done = subprocess.run(
            [BIN / "uv", *command], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode and "CI" not in os.environ:
            pytest.skip(f"{CLIENT} cannot be installed: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def anaconda(request, server):
    """The real client in an environment of its own: it holds an older click than Packhouse is tested with.

    pytest's cache keeps it from one run to the next.
    """
    folder = request.config.cache.mkdir(CLIENT.replace("==", "-"))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (folder / "complete").exists():
            install_client(folder / "venv")
            (folder / "complete").touch()
    program = folder / "venv" / "bin" / "anaconda"

    def run(*arguments, key=None, **env):
        return server.run(program, "--site", "here", "--token", key or server.key, *arguments, **QUIET, **env)

    return run


def install(url, folder):
    """Solve and install with py-rattler, cold; the names of what was installed."""

    async def go():
        gateway = rattler.Gateway(cache_dir=folder / "cache")
        records = await rattler.solve(
            [rattler.Channel(url)], ["tiny"], gateway=gateway, platforms=["noarch", "linux-64"]
        )
        await rattler.install(records, folder / "prefix", cache_dir=folder / "packages", show_progress=False)
        return [str(record.file_name) for record in records]

    return asyncio.run(go())


@pytest.fixture
def package(tmp_path):
    name, body = make_conda("tiny", "1.2.3", "h_7", files={"share/tiny/first.txt": b"first\n"})
    path = tmp_path / "first" / name
    path.parent.mkdir()
    path.write_bytes(body)
    return path


@pytest.fixture
def other(tmp_path, package):
    """The same name with other bytes."""
    _name, body = make_conda("tiny", "1.2.3", "h_7", files={"share/tiny/second.txt": b"second\n"})
    path = tmp_path / "second" / package.name
    path.parent.mkdir()
    path.write_bytes(body)
    return path


def rattler_upload(server, package, owner, **more):
    rattler_build.upload_package_to_anaconda(
        [str(package)], owner, url=f"{server.url}/anaconda", api_key=server.key, **more
    )


def body_of(server, channel, package):
    status, _headers, body = server.ask(f"/{channel}/noarch/{package.name}")
    return body if status == 200 else status


def asked(server):
    """Method, kind of call and status of what went to this API since the last time."""
    calls = [(method, path.split("/"), status) for method, path, status in server.fetched()]
    return [
        (method, parts[2], status)
        for method, parts, status in calls
        if parts[1:2] == ["anaconda"] and parts[2:]
    ]


FIRST = [
    ("GET", "package", 404), ("POST", "package", 200), ("GET", "release", 404), ("POST", "release", 200),
    ("POST", "stage", 200), ("POST", "blob", 201), ("POST", "commit", 200),
]  # fmt: skip
AGAIN = [
    ("GET", "package", 200),
    ("PATCH", "package", 200),
    ("GET", "release", 200),
    ("PATCH", "release", 200),
]


def test_rattler_build_uploads_and_rattler_installs(server, package, other, tmp_path):
    """The answer came after publication: no wait between upload and solve."""
    url = server.channel("rattler")
    asked(server)

    rattler_upload(server, package, "rattler")
    assert asked(server) == FIRST
    assert install(url, tmp_path) == [package.name]
    assert (tmp_path / "prefix/share/tiny/first.txt").read_text() == "first\n"

    rattler_upload(server, package, "rattler")  # the same bytes again succeed
    assert asked(server) == [*AGAIN, *FIRST[-3:]]
    with pytest.raises(rattler_build.RattlerBuildError, match="already exists"):
        rattler_upload(server, other, "rattler")
    assert asked(server) == [*AGAIN, ("POST", "stage", 409)]
    assert body_of(server, "rattler", package) == package.read_bytes()


def test_rattler_build_puts_a_package_under_several_labels(server, package, tmp_path):
    for channel in ("labels", "labels-dev"):
        server.channel(channel)

    rattler_upload(server, package, "labels", channel=["main", "dev"])

    assert (
        body_of(server, "labels", package) == body_of(server, "labels-dev", package) == package.read_bytes()
    )
    assert install(f"{server.url}/labels-dev", tmp_path) == [package.name]
    with pytest.raises(rattler_build.RattlerBuildError):
        rattler_upload(server, package, "labels", channel=["nightly"])


def test_rattler_builds_force_replaces_only_where_the_channel_allows_it(server, package, other, tmp_path):
    server.channel("fixed")
    url = server.channel("rolling", "--overwrite")
    for channel in ("fixed", "rolling"):
        rattler_upload(server, package, channel)
    asked(server)

    with pytest.raises(rattler_build.RattlerBuildError, match="remove"):
        rattler_upload(server, other, "fixed", force=True)
    assert asked(server) == [*AGAIN, ("POST", "stage", 409), ("DELETE", "dist", 403)]
    assert body_of(server, "fixed", package) == package.read_bytes()

    rattler_upload(server, other, "rolling", force=True)
    assert asked(server) == [*AGAIN, ("POST", "stage", 409), ("DELETE", "dist", 200), *AGAIN, *FIRST[-3:]]
    assert body_of(server, "rolling", package) == other.read_bytes()
    install(url, tmp_path)
    assert (tmp_path / "prefix/share/tiny/second.txt").is_file()


def test_anaconda_client_uploads_and_rattler_installs(server, anaconda, package, tmp_path):
    url = server.channel("client")
    asked(server)

    done = anaconda("upload", "--user", "client", package)

    assert done.ok, done.out
    assert "Upload complete" in done.out
    assert f"{url}/conda/tiny/" in done.out
    assert asked(server) == [("GET", "user", 200), ("GET", "dist", 404), *FIRST]
    assert install(url, tmp_path) == [package.name]
    assert (tmp_path / "prefix/share/tiny/first.txt").read_text() == "first\n"
    # The page that the client names is there.
    assert server.ask("/client/conda/tiny/")[0] == 200


def test_anaconda_client_asks_skips_and_forces(server, anaconda, package, other):
    """It asks first whether the file is there, and never for its bytes: so the same bytes again are an error to it."""
    server.channel("stays")
    server.channel("moves", "--overwrite")
    for channel in ("stays", "moves"):
        assert anaconda("upload", "--user", channel, package).ok

    again = anaconda("upload", "--user", "stays", package)
    assert (again.ok, "already exists" in again.out) == (False, True)
    skipped = anaconda("upload", "--user", "stays", "--skip-existing", other)
    assert (skipped.ok, "Skipping upload" in skipped.out) == (True, True)
    forced = anaconda("upload", "--user", "stays", "--force", other)
    assert (forced.ok, "does not allow overwriting" in forced.out) == (False, True)
    assert body_of(server, "stays", package) == package.read_bytes()

    moved = anaconda("upload", "--user", "moves", "--force", other)
    assert moved.ok, moved.out
    assert body_of(server, "moves", package) == other.read_bytes()


def test_anaconda_client_is_told_in_words_what_is_wrong(server, anaconda, package, other, tmp_path):
    server.channel("words")
    server.channel("words-dev")
    nobody = anaconda("upload", "--user", "nobody-there", package)
    wrong_key = anaconda("upload", "--user", "words", package, key="pkh-" + "a" * 42)
    label = anaconda("upload", "--user", "words", "--label", "none", package)
    assert anaconda("upload", "--user", "words", "--label", "dev", package).ok
    taken = anaconda("upload", "--user", "words", "--label", "dev", other)
    broken = tmp_path / "third" / package.name
    broken.parent.mkdir()
    broken.write_bytes(make_conda("tiny", "1.2.3", "h_7", extra_index={"depends": ["bad ["]})[1])
    refused = anaconda("upload", "--user", "words", broken)

    for ran, words in (
        (nobody, 'User "nobody-there" does not exist'),
        (wrong_key, "401"),
        (label, "there is no channel words-none"),
        (taken, "File already exists"),
        (refused, "is refused"),
    ):
        assert not ran.ok
        assert words in ran.out
    assert body_of(server, "words", package) == 404
    assert list((server.data / "incoming").iterdir()) == []


def test_a_scoped_key_uploads_where_its_scope_is(server, anaconda, package):
    """A service account that may write one channel; the key is in no log."""
    server.channel("scoped")
    made = server.packhouse("key", "create", "builder", "--grant", "write:scoped")
    key = KEY.search(made)[0]

    done = anaconda("upload", "--user", "scoped", package, key=key)
    server.channel("not-theirs")
    refused = anaconda("upload", "--user", "not-theirs", package, key=key)

    assert done.ok, done.out
    assert (refused.ok, "builder may not write" in refused.out) == (False, True), refused.out
    logs = server.log.read_text() + (server.data / "state/nginx/access.log").read_text()
    assert key not in logs
    assert "upload=" not in logs
    wait_until(lambda: not list((server.data / "incoming").iterdir()), what="an empty incoming")
