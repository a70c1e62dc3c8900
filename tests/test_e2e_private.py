"""Private channels and restricted projects through the clients that people use, with what they keep keys in."""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from urllib.parse import quote

import pytest
import rattler
from conda_support import make_conda
from e2e_support import BIN, SIMPLE_JSON, clean_environment
from private_support import basic, world

from packhouse.catalog.passwords import hash_password

pytestmark = pytest.mark.e2e

PASSWORD = "correct-horse@battery"
PIP, UV = "pip", "uv"

BACKEND = '''
"""A keyring of one user."""
import os
import keyring.backend, keyring.credentials

class Keyring(keyring.backend.KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        with open(os.environ["FAKE_KEYRING_LOG"], "a") as log:
            log.write(f"{service} {username}\\n")
        return os.environ["FAKE_KEYRING_SECRET"] if username in (None, os.environ["FAKE_KEYRING_USER"]) else None
    def get_credential(self, service, username):
        secret = self.get_password(service, username)
        return secret and keyring.credentials.SimpleCredential(os.environ["FAKE_KEYRING_USER"], secret)
    def set_password(self, service, username, password):
        raise NotImplementedError
    def delete_password(self, service, username):
        raise NotImplementedError
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A private channel with everything in it, a public one with a restricted project, and alice, who reads both."""
    with world(tmp_path_factory.mktemp("private")) as made:
        made.channel("vault", private=True)
        made.conda("vault", "hushc")
        made.wheel("vault", "hushpkg")
        made.wheel("vault", "veilpkg")
        made.put("/vault/products/hushtool/1.0/tool.bin", b"a tool")
        made.wheel("main", "secretpkg")
        made.wheel("main", "openpkg")
        made.alice = made.user("alice", PASSWORD, "team")
        made.bob = made.user("bob", PASSWORD)
        made.carol = made.user("carol")
        made.give("group:team", "vault")
        made.give("group:team", "main/pypi/secretpkg")
        made.give("user:carol", "vault/pypi/veilpkg")
        made.settled()
        yield made


def secret(site, kind):
    """Alice's password or her key: what goes where a client asks for a password."""
    return PASSWORD if kind == "password" else site.alice


def install(site, client, index, target, project, *options, **env):
    """Install one project from one index with a fresh cache, and nowhere else."""
    if client == PIP:
        command = [sys.executable, "-m", "pip", "install", "--no-input", "--index-url", index]
    else:
        env.setdefault("UV_CACHE_DIR", str(target.parent / f"{target.name}-cache"))
        command = ["uv", "pip", "install", "--python", sys.executable, "--default-index", index]
    return site.server.run(*command, "--target", target, *options, project, **env)


def netrc(site, folder, password, user="alice"):
    path = folder / "netrc"
    path.write_text(f"machine 127.0.0.1\nlogin {user}\npassword {password}\n")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return {"NETRC": str(path)}


def signed(url, password, user="alice"):
    return url.replace("http://", f"http://{user}:{quote(password)}@")


def keyring(folder, password, user="alice"):
    """The environment in which the `keyring` program and module know one password, and tell who asked."""
    (folder / "fakekeyring.py").write_text(BACKEND)
    (folder / "bin").mkdir()
    (folder / "bin" / "keyring").symlink_to(BIN / "keyring")  # pip overlooks the one beside itself
    return {
        "PATH": os.pathsep.join((str(folder / "bin"), str(BIN), os.environ["PATH"])),
        "PYTHONPATH": str(folder),
        "PYTHON_KEYRING_BACKEND": "fakekeyring.Keyring",
        "FAKE_KEYRING_USER": user,
        "FAKE_KEYRING_SECRET": password,
        "FAKE_KEYRING_LOG": str(folder / "keyring.log"),
    }


# --- pip and uv ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["password", "key"])
@pytest.mark.parametrize("client", [PIP, UV])
@pytest.mark.parametrize(
    ("index", "project"),
    [("/vault/simple/", "hushpkg"), ("/simple/", "secretpkg")],
)
def test_netrc_and_url_credentials_read_what_is_private_and_what_is_restricted(
    site, tmp_path, client, kind, index, project
):
    """Also the project that is hidden in a public channel: both clients show what they have after a 404, or before."""
    url = f"{site.server.url}{index}"
    site.server.fetched()

    by_netrc = install(
        site, client, url, tmp_path / "a", project, **netrc(site, tmp_path, secret(site, kind))
    )
    by_url = install(site, client, signed(url, secret(site, kind)), tmp_path / "b", project)

    assert by_netrc.ok, by_netrc.out + site.server.tail()
    assert by_url.ok, by_url.out + site.server.tail()
    assert list((tmp_path / "a").glob(f"{project}-1.0.dist-info"))
    assert list((tmp_path / "b").glob(f"{project}-1.0.dist-info"))
    fetched = [path.rpartition("/")[2] for _, path, status in site.server.fetched() if status == 200]
    assert fetched.count(f"{project}-1.0-py3-none-any.whl.metadata") >= 2
    assert fetched.count(f"{project}-1.0-py3-none-any.whl") >= 2


@pytest.mark.parametrize("kind", ["password", "key"])
@pytest.mark.parametrize(("client", "provider"), [(PIP, "import"), (PIP, "subprocess"), (UV, "subprocess")])
def test_a_keyring_is_asked_for_a_private_channel(site, tmp_path, client, provider, kind):
    env = keyring(tmp_path, secret(site, kind))
    url = f"{site.server.url}/vault/simple/".replace("http://", "http://alice@")

    done = install(site, client, url, tmp_path / "t", "hushpkg", "--keyring-provider", provider, **env)

    assert done.ok, done.out + site.server.tail()
    assert list((tmp_path / "t").glob("hushpkg-1.0.dist-info"))
    assert "alice" in (tmp_path / "keyring.log").read_text()


def test_pip_finds_user_and_password_in_the_keyring_by_itself(site, tmp_path):
    """The 401 is its cue, and the challenge need not be understood further than `Basic`."""
    env = keyring(tmp_path, site.alice)

    done = install(
        site,
        PIP,
        f"{site.server.url}/vault/simple/",
        tmp_path / "t",
        "hushpkg",
        "--keyring-provider",
        "import",
        **env,
    )

    assert done.ok, done.out


def test_a_restricted_project_gives_pips_keyring_no_cue(site, tmp_path):
    """A stranger gets the 404 of a project that is not there, and pip asks its keyring after a 401 only: the docs say so."""
    env = keyring(tmp_path, site.alice)

    done = install(
        site,
        PIP,
        f"{site.server.url}/main/simple/",
        tmp_path / "t",
        "secretpkg",
        "--keyring-provider",
        "import",
        **env,
    )

    assert not done.ok
    assert "No matching distribution" in done.out
    assert not (tmp_path / "keyring.log").exists()


def test_uv_asks_its_keyring_after_the_404_of_a_restricted_project_too(site, tmp_path):
    """As it does for netrc; it needs the user name in the address."""
    env = keyring(tmp_path, site.alice)
    url = f"{site.server.url}/main/simple/"
    named = url.replace("http://", "http://alice@")

    done = install(site, UV, named, tmp_path / "t", "secretpkg", "--keyring-provider", "subprocess", **env)
    without = install(site, UV, url, tmp_path / "u", "secretpkg", "--keyring-provider", "subprocess", **env)

    assert done.ok, done.out
    assert not without.ok


def test_a_reader_of_one_project_in_a_private_channel_installs_that_one(site, tmp_path):
    """And sees no other name of the channel, nor can install it."""
    url = f"{site.server.url}/vault/simple/"
    key = {"Authorization": f"Bearer {site.carol}"}

    assert install(site, PIP, signed(url, site.carol, "carol"), tmp_path / "a", "veilpkg").ok
    assert install(site, UV, signed(url, site.carol, "carol"), tmp_path / "b", "veilpkg").ok
    assert not install(site, UV, signed(url, site.carol, "carol"), tmp_path / "c", "hushpkg").ok
    listed = site.server.json("/vault/simple/", Accept=SIMPLE_JSON, **key)
    assert [project["name"] for project in listed["projects"]] == ["veilpkg"]
    page = site.server.ask("/vault/", **key)[2].decode()
    assert "veilpkg" in page
    assert "hush" not in page
    assert site.server.ask("/vault/../static/packhouse.css")[0] == 200
    assert site.server.json("/vault/products/index.json", **key) == {"products": []}
    for path in ("/vault/noarch/repodata.json", "/vault/channeldata.json", "/vault/serial.json"):
        assert site.server.ask(path, **key)[0] == 404


# --- conda --------------------------------------------------------------------------------------------------------


def solve(url, folder, spec="hushc"):
    """Solve and install with py-rattler and whatever the environment gives it; cold."""

    async def go():
        client = rattler.Client.default_client(max_retries=0)
        gateway = rattler.Gateway(cache_dir=folder / "cache", client=client)
        records = await rattler.solve(
            [rattler.Channel(url)], [spec], gateway=gateway, platforms=["noarch", "linux-64"]
        )
        await rattler.install(
            records, folder / "prefix", cache_dir=folder / "packages", show_progress=False, client=client
        )

    asyncio.run(go())
    return folder / "prefix" / "share" / "hushc" / "hello.txt"


@pytest.fixture
def auth_file(tmp_path, monkeypatch):
    """What `rattler auth login` or `pixi auth login` would have stored."""

    def store(**entry):
        path = tmp_path / "credentials.json"
        path.write_text(json.dumps({"127.0.0.1": entry}))
        monkeypatch.setenv("RATTLER_AUTH_FILE", str(path))

    return store


@pytest.mark.parametrize("kind", ["bearer", "basic", "password", "token"])
def test_rattler_reads_a_private_channel_with_what_it_has_stored(site, tmp_path, auth_file, kind):
    entry = {
        "bearer": {"BearerToken": site.alice},
        "basic": {"BasicHTTP": {"username": "alice", "password": site.alice}},
        "password": {"BasicHTTP": {"username": "alice", "password": PASSWORD}},
        "token": {"CondaToken": site.alice},
    }[kind]
    auth_file(**entry)
    site.server.fetched()

    assert solve(f"{site.server.url}/vault", tmp_path).read_text() == "hello\n"

    asked = [path for _, path, status in site.server.fetched() if status == 200]
    assert any(path.endswith("hushc-1.0-0.conda") for path in asked)
    assert all(path.startswith("/t/***/vault/") for path in asked) is (kind == "token")


def test_rattler_reads_with_the_token_in_the_channels_url(site, tmp_path):
    assert solve(f"{site.server.url}/t/{site.alice}/vault", tmp_path).read_text() == "hello\n"


@pytest.mark.parametrize("entry", [None, {"BearerToken": "bob"}, {"CondaToken": "bob"}])
def test_rattler_finds_nothing_without_the_right(site, tmp_path, auth_file, entry):
    if entry:
        auth_file(**dict.fromkeys(entry, site.bob))

    with pytest.raises(Exception, match=r"401|404|hushc"):
        solve(f"{site.server.url}/vault", tmp_path)


# --- curl: every spelling of a key, every kind of file --------------------------------------------------------------

SPELLINGS = {
    "Bearer": ["--header", "Authorization: Bearer KEY"],
    "token": ["--header", "Authorization: token KEY"],
    "Basic, key as password": ["--user", "__token__:KEY"],
    "Basic, any user": ["--user", "somebody:KEY"],
    "Basic, key as user": ["--user", "KEY:"],
    "X-API-Key": ["--header", "X-API-Key: KEY"],
    "X-Api-Token": ["--header", "X-Api-Token: KEY"],
    "Basic, password": ["--user", f"alice:{PASSWORD}"],
    "path": [],
}
FILES = [
    "/vault/",
    "/vault/simple/",
    "/vault/simple/hushpkg/",
    "/vault/simple/hushpkg/index.json.zst",
    "/vault/packages/hushpkg/hushpkg-1.0-py3-none-any.whl",
    "/vault/packages/hushpkg/hushpkg-1.0-py3-none-any.whl.metadata",
    "/vault/pypi/hushpkg/json",
    "/vault/noarch/repodata.json",
    "/vault/noarch/repodata.json.zst",
    "/vault/noarch/repodata_shards.msgpack.zst",
    "/vault/noarch/run_exports.json",
    "/vault/noarch/hushc-1.0-0.conda",
    "/vault/products/hushtool/1.0/tool.bin",
    "/vault/products/index.json",
    "/vault/channeldata.json",
    "/main/simple/secretpkg/",
    "/simple/secretpkg/",
    "/pypi/secretpkg/json",
    "/packages/secretpkg/secretpkg-1.0-py3-none-any.whl.metadata",
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_curl_reads_every_kind_of_file_with_a_key_in_every_spelling(site, tmp_path, spelling):
    options = [part.replace("KEY", site.alice) for part in SPELLINGS[spelling]]
    before = f"/t/{site.alice}" if spelling == "path" else ""
    urls = [f"{site.server.url}{before}{path}" for path in FILES]

    def statuses(*more):
        ran = subprocess.run(
            ["curl", "--silent", "--write-out", "%{http_code} ", "--output", "/dev/null", *more,
             *[part for url in urls[1:] for part in ("--output", "/dev/null", url)], urls[0]],
            env=clean_environment(tmp_path), capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return ran.stdout.split()

    assert statuses(*options) == ["200"] * len(FILES)
    assert statuses("--head", *options) == ["200"] * len(FILES)
    if spelling != "path":
        assert set(statuses()) <= {"401", "404"}


# --- what ends, ends with the next request --------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["key", "member", "grant", "account"])
def test_what_is_taken_away_ends_with_the_next_request(site, what):
    """Pages, artifacts, metadata, variants and shards alike: nothing remembers a yes."""
    name = f"leaver-{what}"
    key = site.user(name, PASSWORD, f"group-{what}")
    principal = f"user:{name}" if what == "grant" else f"group:group-{what}"
    for where in ("vault", "main/pypi/secretpkg"):
        site.give(principal, where)
    headers = {"Authorization": f"Bearer {key}"}
    (shard,) = site.house.data.glob("private/vault/noarch/shards/*")
    paths = [*FILES, f"/vault/noarch/shards/{shard.name}"]
    assert {site.server.ask(path, **headers)[0] for path in paths} == {200}

    catalog = site.house.catalog
    match what:
        case "key":
            catalog.keys.revoke(key)
        case "member":
            catalog.groups.remove(name, f"group-{what}")
        case "grant":
            for where in ("vault", "main/pypi/secretpkg"):
                site.take(principal, where)
        case "account":
            catalog.accounts.delete(name)

    answers = {path: site.server.ask(path, **headers)[0] for path in paths}
    assert set(answers.values()) <= {401, 404}, answers


def test_a_yes_may_be_kept_by_whoever_got_it_and_by_nobody_else(site):
    for path in FILES:
        _, headers, _ = site.server.ask(path, Authorization=f"Bearer {site.alice}")
        assert headers["Cache-Control"].startswith("private"), path
        if "packages" not in path and "products/hushtool" not in path and not path.endswith(".conda"):
            assert headers["Cache-Control"] == "private, no-cache", path


# --- lists ------------------------------------------------------------------------------------------------------------


def test_a_list_names_what_its_reader_may_read_and_no_more(site):
    alice, bob = ({"Authorization": f"Bearer {key}"} for key in (site.alice, site.bob))

    def projects(path, **headers):
        return {item["name"] for item in site.server.json(path, Accept=SIMPLE_JSON, **headers)["projects"]}

    for path in ("/main/simple/", "/simple/", "/pypi/"):
        assert projects(path) == projects(path, **bob)
        assert projects(path, **alice) - projects(path) == {"secretpkg"}
        assert b"secretpkg/" in site.server.ask(path, Accept="text/html", **alice)[2]
    assert projects("/vault/simple/", **alice) == {"hushpkg"}
    assert [site.server.ask("/vault/simple/", **who)[0] for who in ({}, bob)] == [401, 404]
    assert b'href="vault/"' in site.server.ask("/", **alice)[2]
    assert site.server.ask("/", **bob)[2] == site.server.ask("/")[2]
    assert b"secretpkg" in site.server.ask("/main/", **alice)[2]
    assert site.server.ask("/main/", **bob)[2] == site.server.ask("/main/")[2]


def test_a_new_package_of_a_private_channel_can_be_installed_in_the_next_line(site, tmp_path):
    writer = site.user("writer")
    site.give("user:writer", "vault", "write")
    filename, body = make_conda("fresh", "2.0")
    site.put(f"/vault/noarch/{filename}", body, key=writer)

    index = site.server.json("/vault/noarch/repodata.json", Authorization=f"Bearer {site.alice}")

    assert filename in index["packages.conda"]


# --- wrong passwords: last, since the server stops looking at them after a while --------------------------------------


def test_a_changed_password_ends_with_the_next_request(site):
    site.user("changer", PASSWORD)
    site.give("user:changer", "vault")
    headers = {"Authorization": basic("changer", PASSWORD)}
    paths = FILES[:6]
    assert {site.server.ask(path, **headers)[0] for path in paths} == {200}

    site.house.catalog.accounts.set_password("changer", hash_password("another horse battery"))

    assert {site.server.ask(path, **headers)[0] for path in paths} == {401}


STRANGERS = {
    "no right": ("bob", PASSWORD),
    "nobody": ("", ""),
    "wrong password": ("alice", "wrong-horse@battery"),
}


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("client", [PIP, UV])
@pytest.mark.parametrize(("channel", "project"), [("vault", "hushpkg"), ("main", "secretpkg")])
def test_nobody_else_installs_it(site, tmp_path, client, who, channel, project):
    user, password = STRANGERS[who]
    url = f"{site.server.url}/{channel}/simple/"

    done = install(site, client, signed(url, password, user) if user else url, tmp_path / "t", project)

    assert not done.ok
    assert not (tmp_path / "t").exists() or not list((tmp_path / "t").glob("*.dist-info"))


def test_too_many_wrong_passwords_say_so_where_nothing_is_told_by_it(site):
    """A private channel is 429 for any path, as one that is not there; a hidden project stays what it was: missing."""

    def ask(path):
        return site.server.ask(path, Authorization=basic("mallory", "wrong-horse@battery"))

    for _ in range(10):
        ask("/vault/noarch/repodata.json")
    hidden = "/vault/simple/hushpkg/"
    for path in (
        "/vault/noarch/repodata.json",
        "/vault/nothing/at/all",
        hidden,
        "/never-was/noarch/repodata.json",
    ):
        status, headers, body = ask(path)
        assert (status, json.loads(body)["code"]) == (429, "rate-limited"), path
        assert 0 < int(headers["Retry-After"]) <= 301
    assert [ask(f"/main/simple/{name}/")[0] for name in ("secretpkg", "neverwas")] == [404, 404]
