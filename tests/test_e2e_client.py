"""The Python client's whole surface against a running Packhouse over a real nginx, blocking and awaited."""

import asyncio
import hashlib
import inspect
import os
import signal
import subprocess

import pytest
from conda_support import make_conda
from e2e_support import BIN, wait_until
from private_support import UNLIMITED, world
from pypi_support import make_wheel

import packhouse
from packhouse import aio
from packhouse.manifest import File, top_hash

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with world(tmp_path_factory.mktemp("client"), **UNLIMITED) as there:
        yield there


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("PACKHOUSE_KEY", raising=False)
    yield
    packhouse.clear_api_key()


class Blocking:
    """The awaited client with the blocking client's manners, so that one test is both."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        found = getattr(self._module, name)
        if inspect.ismodule(found):
            return Blocking(found)

        def call(*args, **kwargs):
            async def awaited():
                return await found(*args, **kwargs)

            return asyncio.run(awaited()) if inspect.iscoroutinefunction(found) else found(*args, **kwargs)

        return call


@pytest.fixture(params=["blocking", "awaited"])
def client(request):
    return packhouse if request.param == "blocking" else Blocking(aio)


def wheel(folder, name, version="1.0"):
    filename, body = make_wheel(name=name, version=version)
    (folder / filename).write_bytes(body)
    return folder / filename


def conda(folder, name, version="1.0", subdir="noarch"):
    filename, body = make_conda(name, version, subdir=subdir)
    (folder / subdir).mkdir(exist_ok=True)
    (folder / subdir / filename).write_bytes(body)
    return folder / subdir / filename


def hash_of(*named):
    """The top hash, from the bytes alone and by the written rule."""
    lines = "".join(
        f"{path.name}\t{path.stat().st_size}\t{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in sorted(named, key=lambda path: (path.name, path.parent.name))
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def channel_of(live, client, name):
    """A channel of its own for each test and each manner."""
    return live.channel(f"{name}-{'a' if isinstance(client, Blocking) else 'b'}")


def test_push_list_pull_yank_and_delete(live, client, tmp_path):
    url = channel_of(live, client, "round")
    client.config(url)
    client.login_with_api_key(live.server.key)
    files = [wheel(tmp_path, "apple"), wheel(tmp_path, "apple", "2.0"), conda(tmp_path, "plum")]
    tool = tmp_path / "tool.bin"
    tool.write_bytes(os.urandom(100_000))

    pushed = client.push(files)
    (again,) = client.push(files[0])
    (made,) = client.push(tool, product="Tool", version="1.0")

    assert [one.outcome for one in pushed] == ["uploaded"] * 3
    assert (again.outcome, made.outcome) == ("unchanged", "uploaded")
    client.wait(made.serial)
    assert client.list_packages() == ["conda/plum", "generic/tool", "pypi/apple"]

    one, two, latest = client.list_package_versions("apple")
    assert (one[1], two[1]) == (hash_of(files[0]), hash_of(files[1]))
    assert latest == ("latest", two[1])
    assert one[0] <= two[0]

    dest = tmp_path / "dest"
    assert client.pull("tool", dest=dest) == [dest / "tool.bin"]
    assert (dest / "tool.bin").read_bytes() == tool.read_bytes()
    assert client.pull("plum", dest=dest) == [dest / "noarch" / files[2].name]
    assert client.pull("pypi/apple", top_hash=one[1][:6], dest=dest) == [dest / files[0].name]
    assert (dest / files[0].name).read_bytes() == files[0].read_bytes()

    client.yank("apple", "2.0", "too loud")
    assert client.list_package_versions("apple")[-1] == ("latest", one[1])
    client.unyank("apple", "2.0")
    assert client.list_package_versions("apple")[-1] == ("latest", two[1])

    client.delete_package("apple", top_hash=one[1][:8])
    assert [hash_ for _, hash_ in client.list_package_versions("apple")] == [two[1]] * 2
    client.delete_package("apple")
    client.delete(f"noarch/{files[2].name}")
    assert client.list_packages() == ["generic/tool"]
    with pytest.raises(packhouse.Missing):
        client.list_package_versions("apple")
    with pytest.raises(packhouse.ServerRefused, match="stays retired") as caught:
        client.push(files[0])
    assert caught.value.reason_code == "name-burnt"


def test_search_finds_the_best_match_first(live, client, tmp_path):
    url = channel_of(live, client, "find")
    client.login_with_api_key(live.server.key)
    name = url.rpartition("-")[2] + "quince"
    client.push([wheel(tmp_path, f"{name}-jam"), wheel(tmp_path, name)], url)

    found = client.search(name, registry=url)

    assert [one.name for one in found] == [name, f"{name}-jam"]
    assert (found[0].registry, found[0].ecosystem, found[0].latest) == (url, "pypi", "1.0")
    assert [one.name for one in client.search(name, 1, registry=url)] == [name]


def test_keys_are_made_listed_and_revoked(live, client):
    name = f"k{id(client)}"
    client.login_with_api_key(live.user(f"u{id(client)}"))
    client.config(f"{live.server.url}/main")

    key, secret = client.api_keys.create(name, expires_in_days=3)

    assert (key.name, key.status, key.user_email) == (name, "ACTIVE", f"u{id(client)}")
    assert round((key.expires_at - key.created_at).total_seconds() / 86_400, 3) == 3
    assert client.api_keys.list(name=name) == [key] == [client.api_keys.get(key.id)]
    assert client.api_keys.list(fingerprint=key.fingerprint, status="EXPIRED") == []
    with pytest.raises(packhouse.APIKeyError, match="active already"):
        client.api_keys.create(name)
    client.api_keys.revoke(secret=secret)
    assert client.api_keys.get(key.id) is None
    with pytest.raises(packhouse.APIKeyError):
        client.api_keys.revoke(key.id)
    other, secret = client.api_keys.create(name)
    assert (other.expires_at - other.created_at).days <= 7  # no longer than the key that made it
    client.api_keys.revoke(other.id)
    client.login_with_api_key(secret)
    with pytest.raises(packhouse.KeyRefused, match="unknown, revoked or expired"):
        client.api_keys.list()


def test_more_keys_than_a_page_holds(live):
    packhouse.login_with_api_key(live.user("many"))
    packhouse.config(f"{live.server.url}/main")
    for number in range(60):
        live.key("many", f"n{number}")

    listed = packhouse.api_keys.list()

    assert len(listed) == len({key.id for key in listed}) == 61


@pytest.mark.parametrize("kind", ["unknown", "expired", "revoked"])
def test_a_key_that_is_no_good_is_said(live, client, kind):
    account = f"{kind}{id(client)}"
    live.house.catalog.accounts.create(account)
    keys = live.house.catalog.keys
    if kind == "unknown":
        key = "pkh-0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
    elif kind == "expired":
        key = keys.create(account, "old", expires_us=live.house.catalog.clock() - 1)[1]
    else:
        key = live.key(account)
        keys.revoke(key)
    client.login_with_api_key(key)
    client.config(f"{live.server.url}/main")
    for ask in (
        client.list_packages,
        lambda: client.search("x"),
        client.api_keys.list,
        lambda: client.delete("noarch/x-1-0.conda"),
        lambda: client.yank("x", "1.0"),
    ):
        with pytest.raises(packhouse.KeyRefused, match="unknown, revoked or expired"):
            ask()
    # What is public needs no key, and a bad one does no harm.
    with pytest.raises(packhouse.Missing):
        client.list_package_versions("pypi/nothing")


def test_without_the_right_a_change_is_refused(live, client, tmp_path):
    url = channel_of(live, client, "mine")
    client.login_with_api_key(live.user(f"stranger{id(client)}"))
    with pytest.raises(packhouse.NotPermitted, match="may not write"):
        client.push(wheel(tmp_path, "pear"), url)


def test_a_restricted_package_is_there_for_those_who_may_see_it(live, client, tmp_path):
    url = channel_of(live, client, "half")
    where = url.rpartition("/")[2]
    live.wheel(where, "secret")
    live.wheel(where, "open")
    friend, stranger = f"friend{id(client)}", live.user(f"other{id(client)}")
    key = live.user(friend)
    live.give(f"user:{friend}", f"{where}/pypi/secret")
    live.settled()

    assert client.list_packages(url) == ["pypi/open"]
    for key_of_stranger in (None, stranger):
        if key_of_stranger:
            client.login_with_api_key(key_of_stranger)
        with pytest.raises(packhouse.Missing, match="or you may not see it"):
            client.pull("secret", dest=tmp_path / "no", registry=url)
    client.login_with_api_key(key)
    assert client.list_packages(url) == ["pypi/open", "pypi/secret"]
    (path,) = client.pull("secret", dest=tmp_path / "yes", registry=url)
    assert path.is_file()


def test_a_private_channel(live, client, tmp_path):
    name = f"closed-{'a' if isinstance(client, Blocking) else 'b'}"
    url = live.channel(name, private=True)
    live.wheel(name, "fig")
    live.settled()
    assert client.config(url).registry == url
    for ask in (client.list_packages, lambda: client.list_package_versions("fig"), lambda: client.wait(1)):
        with pytest.raises(packhouse.KeyRefused):
            ask()
    client.login_with_api_key(live.server.key)
    assert client.list_packages() == ["pypi/fig"]
    assert client.list_package_versions("fig")[-1][0] == "latest"
    client.wait(1)
    assert len(client.pull("fig", dest=tmp_path)) == 1
    with pytest.raises(packhouse.Missing, match="no channel"):
        client.list_packages(f"{live.server.url}/no-such-channel")


def test_the_command_lines_login_is_the_clients(live, tmp_path, monkeypatch):
    """One store of keys: what `packhouse login` keeps, the client shows, and the other way round."""
    key = live.user("both")
    environ = {"XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"], "HOME": str(tmp_path)}
    subprocess.run(
        [BIN / "packhouse", "login", "--server", live.server.url, "--key-stdin"],
        input=key,
        text=True,
        check=True,
        env={**os.environ, **environ},
        capture_output=True,
    )
    packhouse.config(live.server.url)
    assert packhouse.logged_in() == live.server.url
    assert packhouse.api_keys.list()[0].login == "both"

    packhouse.logout()
    assert packhouse.logged_in() is None
    monkeypatch.setattr("webbrowser.open", lambda _page: False)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: key)
    packhouse.login()
    said = subprocess.run(
        [BIN / "packhouse", "whoami", "--server", live.server.url],
        text=True,
        check=True,
        env={**os.environ, **environ},
        capture_output=True,
    )
    assert said.stdout.startswith("both (user)")


def test_the_page_that_login_opens_is_there(live):
    status, headers, body = live.server.ask("/account/", Accept="text/html")

    assert (status, b"<form" in body or "Location" in headers) in {(200, True), (303, True), (401, True)}


def test_reading_needs_no_daemon(live, client, tmp_path):
    """Lists, versions and downloads of a public channel are files; what needs the daemon says that it is down."""
    url = channel_of(live, client, "files")
    packhouse.login_with_api_key(live.server.key)
    packhouse.push([wheel(tmp_path, "date"), conda(tmp_path, "date")], url)
    packhouse.config(tries=1)
    live.settled()
    pids = subprocess.run(
        ["pgrep", "-P", str(live.server.process.pid), "-f", "uploadd"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    live.server.process.send_signal(signal.SIGSTOP)  # it must not restart what we stop
    try:
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        for key in (None, live.server.key):
            packhouse.clear_api_key()
            if key:
                packhouse.login_with_api_key(key)
            assert client.list_packages(url) == ["conda/date", "pypi/date"]
            with pytest.raises(packhouse.Ambiguous):
                client.list_package_versions("date", url)
            assert len(client.list_package_versions("pypi/date", url)) == 2
            assert len(client.pull("conda/date", dest=tmp_path / "dest", registry=url)) == 1
        with pytest.raises(packhouse.Unreachable, match="cannot do this now"):
            client.search("date", registry=url)
        with pytest.raises(packhouse.Unreachable):
            client.delete("noarch/date-1.0-0.conda", url)
    finally:
        live.server.process.send_signal(signal.SIGCONT)
        wait_until(lambda: live.server.ask("/health")[0] == 200, what="the daemon's return")


def test_many_calls_at_once(live, tmp_path):
    """More calls than threads: each has its own result."""
    url = live.channel("crowd")
    bodies = {f"f{number}.bin": os.urandom(2000) for number in range(24)}
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    packhouse.login_with_api_key(live.server.key)

    async def all_():
        await asyncio.gather(
            *(aio.push(tmp_path / name, url, product=name[:-4], version="1") for name in bodies)
        )
        return await asyncio.gather(
            *(aio.pull(f"generic/{name[:-4]}", dest=tmp_path / "dest", registry=url) for name in bodies)
        )

    pulled = asyncio.run(all_())

    assert {path.name: path.read_bytes() for (path,) in pulled} == bodies
    assert sorted(path.name for path in (tmp_path / "dest").iterdir()) == sorted(bodies)


def test_the_top_hash_is_the_same_to_files_server_and_client(live, tmp_path):
    url = live.channel("hashes")
    packhouse.login_with_api_key(live.server.key)
    files = [conda(tmp_path, "kiwi", subdir=subdir) for subdir in ("noarch", "linux-64")]
    packhouse.push(files, url)

    ((_, listed), _) = packhouse.list_package_versions("kiwi", url)

    told = live.server.json("/api/1/channels/hashes/packages/conda/kiwi/versions/1.0/")
    assert (
        listed == told["top_hash"] == top_hash(File(**file) for file in told["manifest"]) == hash_of(*files)
    )
