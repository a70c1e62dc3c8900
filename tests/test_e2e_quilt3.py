"""The real client of Quilt, unmodified, in an environment of its own, against a whole Packhouse over nginx.

Its `api_keys` module works from its first call to its last. What it needs for that, and what this server does not have
for it, is pinned here as well: `docs/protocol/graphql.md` tells it.
"""

import json
import sys
from pathlib import Path

import pytest
from e2e_support import KEY, serving

pytestmark = pytest.mark.e2e

VERSION = "8.0.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("quilt3")) as running:
        yield running


@pytest.fixture(scope="module")
def quilt3(server, tmp_path_factory):
    """Run Python with quilt3: in the environment of the tests its AWS library would take others' python-dateutil back."""
    folder = tmp_path_factory.mktemp("quilt3-env")
    uv = Path(sys.executable).parent / "uv"
    server.must(uv, "venv", "--python", sys.executable, folder / "env")
    server.must(
        uv, "pip", "install", "--python", folder / "env" / "bin" / "python", f"quilt3=={VERSION}", timeout=300
    )

    def run(code: str, home: str = "quilt-home", **env: str) -> str:
        return server.must(
            folder / "env" / "bin" / "python",
            "-c",
            code,
            HOME=str(folder / home),
            XDG_CONFIG_HOME=str(folder / home / "config"),
            XDG_DATA_HOME=str(folder / home / "data"),
            QUILT_DISABLE_USAGE_METRICS="true",
            QUILT_DISABLE_CACHE="true",
            PYTHONWARNINGS="ignore",
            **env,
        )

    return run


CONFIGURE = "import quilt3, json, os; quilt3.config(os.environ['URL']);"


def test_it_finds_the_server_by_its_config_json(server, quilt3):
    said = quilt3(CONFIGURE + "print(json.dumps(dict(quilt3.config())))", URL=server.url)

    config = json.loads(said.splitlines()[-1])
    assert config["registryUrl"] == server.url
    assert config["navigator_url"] == server.url


def test_it_lists_creates_uses_and_revokes_keys(server, quilt3):
    """`login_with_api_key` takes keys that begin with qk_, and puts them into the header as they are."""
    code = (
        CONFIGURE
        + """
quilt3.login_with_api_key("qk_" + os.environ["KEY"])
before = [key.name for key in quilt3.api_keys.list()]
key, secret = quilt3.api_keys.create("from quilt", expires_in_days=7)
listed = quilt3.api_keys.list(name="from quilt", fingerprint=key.fingerprint, status="ACTIVE")
assert listed == [key], listed
assert quilt3.api_keys.get(key.id) == key
assert quilt3.api_keys.list(status="EXPIRED") == []
assert (key.expires_at - key.created_at).days in (6, 7), key
assert key.last_used_at is None
assert quilt3.logged_in() == os.environ["URL"]
quilt3.login_with_api_key(secret)
after = [key.name for key in quilt3.api_keys.list()]
assert quilt3.api_keys.get(key.id).last_used_at is not None
other, _ = quilt3.api_keys.create("another", 1)
quilt3.api_keys.revoke(id=other.id)
quilt3.api_keys.revoke(secret=secret)
try:
    quilt3.api_keys.list()
except quilt3.util.QuiltException as error:
    gone = str(error)
quilt3.clear_api_key()
print(json.dumps([before, after, gone, quilt3.api_keys.list(), secret]))
"""
    )
    said = quilt3(code, URL=server.url, KEY=server.key)

    before, after, gone, nobody, secret = json.loads(said.splitlines()[-1])
    assert len(before) == 1
    assert after == [*before, "from quilt"]
    assert "Authentication failed" in gone
    assert nobody == []
    assert secret.startswith("qk_pkh-")
    assert KEY.search(secret)


def test_refusals_are_its_own_errors(server, quilt3):
    code = (
        CONFIGURE
        + """
def refused(work):
    try:
        work()
    except Exception as error:
        return [type(error).__name__, str(error)]
anonymous = refused(lambda: quilt3.api_keys.create("x"))
quilt3.login_with_api_key("qk_" + os.environ["KEY"])
quilt3.api_keys.create("twice")
print(json.dumps([
    anonymous,
    refused(lambda: quilt3.api_keys.create("twice")),
    refused(lambda: quilt3.api_keys.create("long", 366)),
    refused(lambda: quilt3.api_keys.revoke(id="999999")),
    refused(lambda: quilt3.login_with_api_key(os.environ["KEY"])),
    refused(lambda: quilt3.search("six")),
]))
"""
    )
    said = quilt3(code, URL=server.url, KEY=server.key)

    anonymous, twice, long, absent, prefix, search = json.loads(said.splitlines()[-1])
    assert anonymous[0] == "GraphQLClientGraphQLMultiError"
    assert "needs an account" in anonymous[1]
    assert twice[0] == long[0] == absent[0] == "APIKeyError"
    assert "is active already" in twice[1]
    assert "choose 1 to 365" in long[1]
    assert "active key" in absent[1]
    # Its own check, before anything is sent: our keys need its letters in front.
    assert prefix == ["ValueError", "API key must start with 'qk_' prefix"]
    # Search, packages and buckets of Quilt are another service: S3 and Elasticsearch.
    assert search[0] == "QuiltException"
